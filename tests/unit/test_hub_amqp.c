#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "amqp/message.h"
#include "base/str.h"
#include "msg/hub.h"

#define H "amqps://hub.example:5671"

static void
addresses(void **state)
{
	static const struct {
		const char *text, *device, *module;
		int kind;
	} rows[] = { { "/devices/d%201/messages/events", "d 1", "", HUB_AMQP_EVENTS },
		{ "devices/d/messages/events", "d", "", HUB_AMQP_EVENTS },
		{ H "/devices/d/messages/events", "d", "", HUB_AMQP_EVENTS },
		{ H "/devices/d/modules/m/messages/events", "d", "m", HUB_AMQP_EVENTS },
		{ "/devices/d/messages/deviceBound", "d", "", HUB_AMQP_BOUND },
		{ "/Devices/d/Messages/devicebound", "d", "", HUB_AMQP_BOUND } };
	static const char *const bad[] = { "", "/", "/devices", "/devices/", "/devices//messages/events",
		"/devices/d", "/devices/d/messages", "/devices/d/messages/events/",
		"/devices/d/modules//messages/events", "/devices/d/twin", "/devices/%zz/messages/events", H,
		"/messages/devicebound" };
	struct hub_who w = { .device = "d 1" };
	char text[HUB_AMQP_ADDRESS];
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(hub_amqp_put_address(text, &w, HUB_AMQP_EVENTS), 0);
	assert_string_equal(text, "/devices/d%201/messages/events");
	strcpy(w.module, "m");
	assert_int_equal(hub_amqp_put_address(text, &w, HUB_AMQP_BOUND), 0);
	assert_string_equal(text, "/devices/d%201/modules/m/messages/devicebound");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(hub_amqp_get_address(rows[i].text, &w, &e), rows[i].kind);
		assert_string_equal(w.device, rows[i].device);
		assert_string_equal(w.module, rows[i].module);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		assert_int_equal(hub_amqp_get_address(bad[i], &w, &e), HF_ERR_PROTOCOL);
	}
	err_clear(&e);
	assert_int_equal(hub_amqp_get_address(NULL, &w, &e), HF_ERR_PROTOCOL);
	err_clear(&e);
	assert_int_equal(hub_amqp_get_to("/devices/x/messages/deviceBound", &w, &e), 0);
	assert_string_equal(w.device, "x");
	assert_int_equal(hub_amqp_get_to("/devices/x/messages/events", &w, &e), HF_ERR_PROTOCOL);
}

static void
same(struct hub_event *a, struct hub_event *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->body, b->body, a->len);
	assert_int_equal(a->property_count, b->property_count);
	for (size_t i = 0; i < a->property_count; i++) {
		assert_string_equal(a->property[i].key, b->property[i].key);
		assert_string_equal(a->property[i].value, b->property[i].value);
	}
	for (size_t i = 0; i < HUB_SYSTEM; i++) {
		const char *x = *hub_event_system(a, i), *y = *hub_event_system(b, i);

		assert_int_equal(x == NULL, y == NULL);
		if (x != NULL)
			assert_string_equal(x, y);
	}
}

static void
fill(struct hub_event *v)
{
	static const char *const values[HUB_SYSTEM] = { "m1", "c1", "u1", "/devices/d/messages/events",
		"2026-11-22T10:00:00.0000000Z", "application/json", "utf-8", "2026-11-22T10:00:00Z", "out",
		"part", "urn:x" };

	memset(v, 0, sizeof(*v));
	v->body = "{\"t\":1}";
	v->len = 7;
	for (size_t i = 0; i < HUB_SYSTEM; i++)
		assert_int_equal(str_set(hub_event_system(v, i), values[i]), 0);
	assert_int_equal(hub_event_add(v, "line", "7 & 8"), 0);
	assert_int_equal(hub_event_add(v,
			     "gr\xc3\xb6\xc3\x9f"
			     "e",
			     ""),
	    0);
}

static void
events(void **state)
{
	struct hub_who w = { .device = "d" };
	struct hub_event v, got;
	struct buf b = { 0 }, body = { 0 };
	struct hf_error e = { 0 };

	(void)state;
	fill(&v);
	assert_int_equal(hub_amqp_put_event(&b, &w, &v), 0);
	assert_int_equal(hub_amqp_get_event(buf_data(&b), buf_size(&b), &got, &body, &e), 0);
	same(&v, &got);
	hub_event_fini(&got);
	/* Cut anywhere it is refused, or is another message: never read beyond its end. */
	for (size_t n = 0; n < buf_size(&b); n++) {
		uint8_t *exact = malloc(n + 1);

		assert_non_null(exact);
		memcpy(exact, buf_data(&b), n);
		err_clear(&e);
		if (hub_amqp_get_event(exact, n, &got, &body, &e) == 0)
			hub_event_fini(&got);
		free(exact);
	}
	hub_event_fini(&v);
	buf_clear(&b);
	v = (struct hub_event){ .body = "", .len = 0 };
	assert_int_equal(hub_amqp_put_event(&b, &w, &v), 0);
	err_clear(&e);
	assert_int_equal(hub_amqp_get_event(buf_data(&b), buf_size(&b), &got, &body, &e), 0);
	assert_string_equal(got.to, "/devices/d/messages/events");
	assert_int_equal(got.len, 0);
	hub_event_fini(&got);
	buf_free(&b);
	buf_free(&body);
}

#define GET(m) hub_amqp_get_event(m, sizeof(m) - 1, &got, &body, &e)

/* Types that clients use beside strings; sections in another order; a body in pieces, or in a value. */
static void
strangers(void **state)
{
	struct hub_event got;
	struct buf body = { 0 };
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(GET("\0Su\xa0\2ab\0Su\xa0\1"
			     "c\0Ss\xc0\x12\1\x98\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"),
	    0);
	assert_string_equal(got.message_id, "00010203-0405-0607-0809-0a0b0c0d0e0f");
	assert_int_equal(got.len, 3);
	assert_memory_equal(got.body, "abc", 3);
	hub_event_fini(&got);
	assert_int_equal(GET("\0Ss\xc0\3\1S\7\0Sw\xa1\2hi"), 0);
	assert_string_equal(got.message_id, "7");
	assert_memory_equal(got.body, "hi", 2);
	hub_event_fini(&got);
	assert_int_equal(GET("\0St\xc1\x11\6\xa1\1a\x41\xa1\1bT\xff\xa1\1c\xa3\2\xc3\xa4\0Su\xa0\0"), 0);
	assert_int_equal(got.property_count, 3);
	assert_string_equal(got.property[0].value, "true");
	assert_string_equal(got.property[1].value, "-1");
	assert_string_equal(got.property[2].value, "\xc3\xa4");
	hub_event_fini(&got);
	assert_int_equal(GET("\0St\xc1\7\2\xa1\1a\xa1\1\xff"), HF_ERR_PROTOCOL);
	assert_string_equal(e.text, "the message's property is not UTF-8");
	buf_free(&body);
}

static int
count(void *ctx, const struct hub_event *v)
{
	int *n = ctx;

	assert_int_equal(v->len, ++*n);
	return *n == 3 ? 9 : 0;
}

/* As the C SDK writes two messages at once: data sections whose bytes are messages. */
static void
batches(void **state)
{
	static const char two[] = "\0Su\xa0\x0a\0SsE\0Su\xa0\1x\0Su\xa0\x07\0Su\xa0\2xy";
	static const char four[] =
	    "\0Su\xa0\6\0Su\xa0\1x\0Su\xa0\7\0Su\xa0\2xy\0Su\xa0\x08\0Su\xa0\3xyz\0Su\xa0\1x";
	struct hf_error e = { 0 };
	int n = 0;

	(void)state;
	assert_int_equal(hub_amqp_get_batch(two, sizeof(two) - 1, count, &n, &e), 0);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(hub_amqp_get_batch(four, sizeof(four) - 1, count, &n, &e), 9);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(hub_amqp_get_batch("\0Su\xa0\2xx", 7, count, &n, &e), HF_ERR_PROTOCOL);
	err_clear(&e);
	assert_int_equal(hub_amqp_get_batch("\0Su\xa0\2x", 6, count, &n, &e), HF_ERR_PROTOCOL);
}

static void
to_device(void **state)
{
	struct hub_c2d c = { .ack = "full", .sequence = 77, .enqueued_ms = 1763805600123, .deliveries = 2 },
		       got;
	struct buf b = { 0 }, body = { 0 };
	struct hf_error e = { 0 };

	(void)state;
	fill(&c.message);
	assert_int_equal(hub_amqp_put_c2d(&b, &c), 0);
	assert_int_equal(hub_amqp_get_c2d(buf_data(&b), buf_size(&b), &got, &body, &e), 0);
	same(&c.message, &got.message);
	assert_string_equal(got.ack, "full");
	assert_true(got.sequence == 77);
	assert_true(got.enqueued_ms == 1763805600123);
	assert_int_equal(got.deliveries, 2);
	hub_c2d_fini(&got);
	hub_c2d_fini(&c);
	buf_free(&b);
	buf_free(&body);
}

static void
errors(void **state)
{
	static const struct {
		int service, status, code;
		const char *condition;
	} rows[] = { { 404001, 404, HF_ERR_AUTH, "amqp:not-found" },
		{ 401003, 401, HF_ERR_AUTH, "amqp:unauthorized-access" },
		{ 403004, 403, HF_ERR_SERVICE, "amqp:resource-limit-exceeded" },
		{ 412002, 412, HF_ERR_SERVICE, "com.microsoft:message-lock-lost" },
		{ 413001, 413, HF_ERR_SERVICE, "amqp:link:message-size-exceeded" },
		{ 500001, 500, HF_ERR_SERVICE, "amqp:internal-error" },
		{ 503001, 503, HF_ERR_SERVICE, "com.microsoft:timeout" },
		{ 400004, 400, HF_ERR_SERVICE, "com.microsoft:argument-error" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hf_error e = { 0 };
		struct buf b = { 0 };

		assert_string_equal(hub_amqp_put_error(&b, rows[i].service, "no", "t1"), rows[i].condition);
		assert_int_equal(
		    hub_amqp_get_error(rows[i].condition, buf_str(&b), "hub h", &e), rows[i].code);
		assert_int_equal(e.status, rows[i].status);
		assert_int_equal(e.service, rows[i].service);
		assert_string_equal(e.tracking, "t1");
		assert_int_equal(strncmp(e.text, "hub h: ", 7), 0);
		buf_free(&b);
	}
	{
		struct hf_error e = { 0 };

		assert_int_equal(hub_amqp_get_error("amqp:not-found", "gone\n", "hub h", &e), HF_ERR_AUTH);
		assert_string_equal(e.text, "hub h: amqp:not-found: gone ");
		assert_int_equal(e.status, 404);
		err_clear(&e);
		assert_int_equal(hub_amqp_get_error(NULL, NULL, "hub h", &e), HF_ERR_SERVICE);
		assert_string_equal(e.text, "hub h: no condition given");
	}
}

/* put-token: the id comes back with its type. */
static void
tokens(void **state)
{
	struct amqp_put_token t;
	struct buf b = { 0 }, reply = { 0 };
	struct hf_error e = { 0 };
	char words[32];
	uint64_t id;
	int status;

	(void)state;
	assert_int_equal(cbs_put(&b, 7, "hub/devices/d", "SharedAccessSignature sr=x"), 0);
	assert_int_equal(cbs_get(buf_data(&b), buf_size(&b), &t, &e), 0);
	assert_string_equal(t.name, "hub/devices/d");
	assert_string_equal(t.type, "servicebus.windows.net:sastoken");
	assert_int_equal(t.token.len, 26);
	assert_int_equal(cbs_put_reply(&reply, &t.id, 401, "no"), 0);
	assert_int_equal(
	    cbs_get_reply(buf_data(&reply), buf_size(&reply), &id, &status, words, sizeof(words), &e), 0);
	assert_int_equal(id, 7);
	assert_int_equal(status, 401);
	assert_string_equal(words, "no");
	assert_int_equal(cbs_get(buf_data(&reply), buf_size(&reply), &t, &e), HF_ERR_PROTOCOL);
	buf_free(&b);
	buf_free(&reply);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(addresses), cmocka_unit_test(events),
		cmocka_unit_test(strangers), cmocka_unit_test(batches), cmocka_unit_test(to_device),
		cmocka_unit_test(errors), cmocka_unit_test(tokens) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
