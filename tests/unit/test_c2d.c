#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "emu.h"

#define HUB "127.0.0.2"

static char dir[64];
static struct emu *emu;
static struct hub_admission a = { .hub = HUB, .device = "d" };
static struct hf_error err;

static int
setup(void **state)
{
	(void)state;
	err_clear(&err);
	strcpy(dir, "/tmp/hf-c2d-XXXXXX");
	if (mkdtemp(dir) == NULL || (emu = emu_new(dir)) == NULL)
		return -1;
	emu->e.now = emu->now;
	return emu_device(
	    emu, HUB, "d", "{\"deviceId\":\"d\",\"generationId\":\"1\",\"status\":\"enabled\"}");
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	emu_free(emu);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* expiry: seconds from now; 0: not said */
static int
put_asking(const char *body, int64_t expiry, const char *ack)
{
	struct hub_c2d c = { .message = { .body = body, .len = strlen(body) } };
	char when[32];
	int r;

	strcpy(c.ack, ack);
	err_clear(&err);
	clock_iso(emu->e.now.wall + expiry, when);
	if (expiry != 0)
		assert_int_equal(str_set(&c.message.expiry, when), 0);
	assert_int_equal(str_set(&c.message.message_id, body), 0);
	r = c2d_put(&emu->e, HUB, "d", &c, &err);
	hub_c2d_fini(&c);
	return r;
}

static int
put(const char *body, int64_t expiry)
{
	return put_asking(body, expiry, "");
}

/* Its lock; "": there is none. */
static const char *
take(const char *body)
{
	static char lock[64];
	struct buf bytes = { 0 };
	struct hub_c2d c;

	lock[0] = '\0';
	if (c2d_take(&emu->e, &a, &c, &bytes, &err) == 1) {
		assert_int_equal(c.message.len, strlen(body));
		assert_memory_equal(c.message.body, body, strlen(body));
		strcpy(lock, c.lock);
		hub_c2d_fini(&c);
	}
	buf_free(&bytes);
	return lock;
}

static int
settle(const char *lock, enum hub_answer how)
{
	err_clear(&err);
	return c2d_settle(&emu->e, &a, lock, how, &err);
}

static void
pass(int64_t seconds)
{
	emu_pass(emu, seconds * 1000);
	emu->e.now = emu->now;
}

static void
each_is_locked_and_settled(void **state)
{
	char one[64];

	(void)state;
	assert_string_equal(take("one"), "");
	assert_int_equal(put("one", 0), 0);
	assert_int_equal(put("two", 0), 0);
	strcpy(one, take("one"));
	assert_int_equal(settle(take("two"), HUB_REJECT), 0);
	assert_string_equal(take(""), "");
	assert_int_equal(settle(one, HUB_COMPLETE), 0);
	assert_int_equal(settle(one, HUB_COMPLETE), HF_ERR_SERVICE);
	assert_int_equal(err.service, 412002);
	assert_int_equal(registry_c2d_count(emu->e.registry, HUB, "d", &err), 0);
}

static void
a_lock_ends(void **state)
{
	char lock[64];

	(void)state;
	assert_int_equal(put("one", 0), 0);
	strcpy(lock, take("one"));
	assert_int_equal(c2d_next(&emu->e, &a), emu->e.now.ms + C2D_LOCK_MS);
	pass(59);
	assert_string_equal(take(""), "");
	pass(1);
	assert_int_equal(c2d_next(&emu->e, &a), NEVER);
	assert_int_equal(settle(lock, HUB_COMPLETE), HF_ERR_SERVICE);
	strcpy(lock, take("one"));
	c2d_give_back(&emu->e, &a, lock);
	c2d_give_back(&emu->e, &a, "another");
	assert_int_equal(settle(take("one"), HUB_COMPLETE), 0);
}

/* Only abandoning counts. */
static void
ten_deliveries(void **state)
{
	(void)state;
	assert_int_equal(put("hot", 0), 0);
	for (int i = 0; i < 20; i++)
		c2d_give_back(&emu->e, &a, take("hot"));
	for (int i = 0; i < 10; i++)
		assert_int_equal(settle(take("hot"), HUB_ABANDON), 0);
	assert_string_equal(take(""), "");
}

static void
fifty_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 49; i++)
		assert_int_equal(put("x", 0), 0);
	assert_int_equal(put("short", 10), 0);
	assert_true(put("x", 0) < 0);
	assert_int_equal(err.service, 403004);
	pass(10);
	assert_int_equal(put("x", 0), 0);
}

static void
time_to_live(void **state)
{
	(void)state;
	assert_int_equal(put("an hour", 0), 0);
	assert_int_equal(put("longer", 172800), 0);
	assert_true(put("too long", 172900) < 0);
	assert_int_equal(err.service, 403009);
	assert_int_equal(put("past", -5), 0);
	pass(3600);
	assert_int_equal(settle(take("longer"), HUB_COMPLETE), 0);
	assert_string_equal(take(""), "");
}

static void
refuses(void **state)
{
	char *large = malloc(65538);
	struct hub_c2d c = { .message = { .body = "x", .len = 1 } };

	(void)state;
	memset(large, 'x', 65537);
	large[65537] = '\0';
	assert_true(put(large, 0) < 0);
	assert_int_equal(err.service, 413001);
	free(large);
	err_clear(&err);
	assert_true(c2d_put(&emu->e, "elsewhere", "d", &c, &err) < 0);
	assert_int_equal(err.service, 401001);
	err_clear(&err);
	assert_true(c2d_put(&emu->e, HUB ":443", "D", &c, &err) < 0);
	assert_int_equal(err.service, 404001);
	err_clear(&err);
	assert_int_equal(str_set(&c.message.expiry, "soon"), 0);
	assert_true(c2d_put(&emu->e, HUB, "d", &c, &err) < 0);
	assert_int_equal(err.service, 403009);
	hub_c2d_fini(&c);
}

/* Takes all feedback and settles it: "m1 Success m2 Rejected ". */
static const char *
told(enum hub_answer how)
{
	static char all[4000];
	char lock[37];
	json_t *list, *o;
	size_t i;

	all[0] = '\0';
	if (feedback_take(&emu->e, HUB, lock, &list, &err) == 0)
		return all;
	json_array_foreach(list, i, o)
	{
		strcat(strcat(all, json_string_value(json_object_get(o, "originalMessageId"))), " ");
		strcat(strcat(all, json_string_value(json_object_get(o, "statusCode"))), " ");
		assert_string_equal(json_string_value(json_object_get(o, "deviceId")), "d");
		assert_string_equal(json_string_value(json_object_get(o, "deviceGenerationId")), "1");
	}
	json_decref(list);
	assert_int_equal(feedback_settle(&emu->e, HUB, lock, how, &err), 0);
	return all;
}

static void
the_sender_is_told(void **state)
{
	(void)state;
	assert_int_equal(put_asking("a", 0, "positive"), 0);
	assert_int_equal(put_asking("b", 0, "positive"), 0);
	assert_int_equal(put_asking("c", 0, "negative"), 0);
	assert_int_equal(put_asking("d", 0, "full"), 0);
	assert_int_equal(settle(take("a"), HUB_COMPLETE), 0);
	assert_int_equal(settle(take("b"), HUB_REJECT), 0);
	assert_int_equal(settle(take("c"), HUB_REJECT), 0);
	assert_string_equal(told(HUB_COMPLETE), "a Success c Rejected ");
	assert_string_equal(told(HUB_COMPLETE), "");
	for (int i = 0; i < 10; i++) {
		assert_string_equal(told(HUB_COMPLETE), "");
		assert_int_equal(settle(take("d"), HUB_ABANDON), 0);
	}
	for (int i = 0; i < 10; i++)
		assert_string_equal(told(HUB_ABANDON), "d DeliveryCountExceeded ");
	assert_string_equal(told(HUB_ABANDON), "");
	assert_int_equal(put_asking("e", 0, "full"), 0);
	assert_int_equal(c2d_purge(&emu->e, HUB, "d", &err), 0);
	assert_string_equal(told(HUB_COMPLETE), "e Purged ");
	assert_true(put_asking("f", 0, "perhaps") < 0);
	assert_int_equal(err.service, 400004);
}

/* ... of what has expired without anybody asking for it; and for an hour. */
static void
time_goes_by(void **state)
{
	char lock[37];
	json_t *list;

	(void)state;
	assert_int_equal(put_asking("a", 10, "negative"), 0);
	assert_int_equal(put_asking("b", 10, "positive"), 0);
	(void)emu_turn(emu);
	pass(9);
	(void)emu_turn(emu);
	assert_string_equal(told(HUB_COMPLETE), "");
	pass(1);
	(void)emu_turn(emu);
	assert_int_equal(registry_c2d_count(emu->e.registry, HUB, "d", &err), 0);
	assert_int_equal(feedback_take(&emu->e, HUB, lock, &list, &err), 1);
	json_decref(list);
	assert_string_equal(told(HUB_COMPLETE), "");
	feedback_give_back(&emu->e, HUB, lock);
	assert_int_equal(feedback_take(&emu->e, HUB, lock, &list, &err), 1);
	json_decref(list);
	assert_int_equal(feedback_next(&emu->e, HUB), emu->e.now.ms + C2D_LOCK_MS);
	pass(60);
	assert_int_equal(feedback_settle(&emu->e, HUB, lock, HUB_COMPLETE, &err), 0);
	assert_string_equal(told(HUB_ABANDON), "a Expired ");
	pass(3600);
	(void)emu_turn(emu);
	assert_string_equal(told(HUB_COMPLETE), "");
}

static void
batches(void **state)
{
	char lock[37];
	json_t *list;

	(void)state;
	for (int i = 0; i < 70; i++) {
		assert_int_equal(put_asking("x", 0, "full"), 0);
		assert_int_equal(settle(take("x"), HUB_COMPLETE), 0);
	}
	assert_int_equal(feedback_take(&emu->e, HUB, lock, &list, &err), 1);
	assert_int_equal(json_array_size(list), 64);
	json_decref(list);
	assert_int_equal(feedback_take(&emu->e, HUB, lock, &list, &err), 1);
	assert_int_equal(json_array_size(list), 6);
	json_decref(list);
}

#define EMU(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { EMU(each_is_locked_and_settled), EMU(a_lock_ends),
		EMU(ten_deliveries), EMU(fifty_wait), EMU(time_to_live), EMU(refuses),
		EMU(the_sender_is_told), EMU(time_goes_by), EMU(batches) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
