#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "dps/dps_client.h"

static char dir[] = "/tmp/holdfast-state-XXXXXX";
static char path[64];
static struct hf_error err;

static int
make(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/state", dir);
	return 0;
}

static int
clean(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static int
reset(void **state)
{
	(void)state;
	err_clear(&err);
	unlink(path);
	return 0;
}

static struct dps_state
sample(void)
{
	struct dps_state s = {
		.scope = "0ne00000000",
		.registration_id = "press-3",
		.hub = "127.0.0.2",
		.device = "Press-3",
		.identity = "AB12",
		.handle = "0x81000100",
		.at = 1700000000,
	};

	return s;
}

static void
put(const char *text)
{
	err_clear(&err);
	assert_int_equal(file_replace(path, text, strlen(text), "test file", &err), 0);
}

static void
assert_same(const struct dps_state *a, const struct dps_state *b)
{
	assert_string_equal(a->scope, b->scope);
	assert_string_equal(a->registration_id, b->registration_id);
	assert_string_equal(a->hub, b->hub);
	assert_string_equal(a->device, b->device);
	assert_string_equal(a->identity, b->identity);
	assert_string_equal(a->handle, b->handle);
	assert_int_equal(a->at, b->at);
	assert_int_equal(buf_size(&a->wrapped), buf_size(&b->wrapped));
	if (buf_size(&a->wrapped) > 0)
		assert_memory_equal(buf_data(&a->wrapped), buf_data(&b->wrapped), buf_size(&a->wrapped));
}

static void
what_is_saved_is_loaded(void **state)
{
	struct dps_state s = sample(), t = { 0 }, u = { 0 };
	struct stat st;

	(void)state;
	for (int wrapped = 0; wrapped < 2; wrapped++) {
		if (wrapped)
			assert_int_equal(buf_put(&s.wrapped, "\0\1\2wrapped", 10), 0);
		assert_int_equal(dps_state_save(&s, path, &err), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_int_equal(dps_state_load(&t, path, &err), 1);
		assert_same(&t, &s);
		assert_int_equal(dps_state_copy(&u, &t), 0);
		dps_state_fini(&t);
		assert_same(&u, &s);
		assert_int_equal(dps_state_copy(&u, &s), 0);
		assert_same(&u, &s);
	}
	dps_state_fini(&u);
	dps_state_fini(&s);
}

static void
longest_names_fit(void **state)
{
	struct dps_state s = sample(), t = { 0 };

	(void)state;
	memset(s.scope, 'a', sizeof s.scope - 1);
	memset(s.registration_id, 'b', sizeof s.registration_id - 1);
	memset(s.hub, 'c', sizeof s.hub - 1);
	memset(s.device, 'd', sizeof s.device - 1);
	memset(s.identity, 'E', sizeof s.identity - 1);
	assert_int_equal(dps_state_save(&s, path, &err), 0);
	assert_int_equal(dps_state_load(&t, path, &err), 1);
	assert_same(&t, &s);
	dps_state_fini(&t);
}

static void
no_file_is_no_fault(void **state)
{
	struct dps_state t = { 0 };

	(void)state;
	assert_int_equal(dps_state_load(&t, path, &err), 0);
	assert_int_equal(err.code, 0);
}

static void
an_unreadable_file_is_one(void **state)
{
	struct dps_state t = { 0 };

	(void)state;
	assert_int_equal(dps_state_load(&t, dir, &err), HF_ERR_IO);
	assert_non_null(strstr(err.text, dir));
}

static void
a_file_that_cannot_be_written(void **state)
{
	struct dps_state s = sample();
	char beyond[80];

	(void)state;
	snprintf(beyond, sizeof beyond, "%s/none/state", dir);
	assert_int_equal(dps_state_save(&s, beyond, &err), HF_ERR_IO);
	assert_non_null(strstr(err.text, beyond));
}

#define GOOD_START "{\"holdfast\":1,\"idScope\":\"0ne\",\"registrationId\":\"r\","

static void
damaged_files_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"[]",
		"\"holdfast\"",
		"{}",
		"{\"holdfast\":2}",
		"{\"holdfast\":\"1\",\"assignedHub\":\"h\",\"deviceId\":\"d\",\"identity\":\"i\"}",
		GOOD_START "\"assignedHub\":\"h\",\"deviceId\":\"d\"}",
		GOOD_START "\"assignedHub\":\"h\",\"identity\":\"i\"}",
		GOOD_START "\"deviceId\":\"d\",\"identity\":\"i\"}",
		GOOD_START "\"assignedHub\":\"\",\"deviceId\":\"d\",\"identity\":\"i\"}",
		GOOD_START "\"assignedHub\":7,\"deviceId\":\"d\",\"identity\":\"i\"}",
		GOOD_START
		"\"assignedHub\":\"h\",\"deviceId\":\"d\",\"identity\":\"i\",\"wrappedKey\":\"!!\"}",
		GOOD_START
		"\"assignedHub\":\"h\",\"deviceId\":\"d\",\"identity\":\"i\",\"wrappedKey\":\"AAA\"}",
		GOOD_START
		"\"assignedHub\":\"h\",\"deviceId\":\"d\",\"identity\":\"0123456789012345678901234567890123456789"
		"01234567890123456789012345\"}",
		GOOD_START "\"assignedHub\":\"h\",\"deviceId\":\"d\",\"identity\":\"i\"} trailing",
		GOOD_START
		"\"assignedHub\":\"h\",\"assignedHub\":\"h\",\"deviceId\":\"d\",\"identity\":\"i\"}",
	};
	struct dps_state t = { 0 }, empty = { 0 };

	(void)state;
	put(GOOD_START "\"assignedHub\":\"h\",\"deviceId\":\"d\",\"identity\":\"i\"}");
	assert_int_equal(dps_state_load(&t, path, &err), 1);
	dps_state_fini(&t);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		put(bad[i]);
		assert_int_equal(dps_state_load(&t, path, &err), HF_ERR_STATE);
		assert_non_null(strstr(err.text, path));
		assert_memory_equal(&t, &empty, sizeof t);
	}
}

/* Cut off anywhere, a state file is not one. */
static void
torn_files_are_refused(void **state)
{
	struct dps_state s = sample(), t = { 0 };
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(buf_put(&s.wrapped, "wrapped", 7), 0);
	assert_int_equal(dps_state_save(&s, path, &err), 0);
	assert_int_equal(file_read(&text, path, 4096, "test file", &err), 0);
	for (size_t n = 0; n + 2 <= buf_size(&text); n++) {
		assert_int_equal(truncate(path, 0), 0);
		err_clear(&err);
		assert_int_equal(file_replace(path, buf_data(&text), n, "test file", &err), 0);
		assert_int_equal(dps_state_load(&t, path, &err), HF_ERR_STATE);
	}
	buf_free(&text);
	dps_state_fini(&s);
}

static void
a_file_of_any_size_is_not_read(void **state)
{
	struct dps_state t = { 0 };
	char *much = calloc(1, 70001);

	(void)state;
	memset(much, ' ', 70000);
	put(much);
	free(much);
	assert_true(dps_state_load(&t, path, &err) < 0);
}

static int
fits(const char *scope, const char *id, const char *identity)
{
	struct dps_state s = sample();

	err_clear(&err);
	return dps_state_fits(&s, "the-file", scope, id, identity, &err);
}

static void
is_bound_to_the_identity(void **state)
{
	(void)state;
	assert_int_equal(fits("0ne00000000", "press-3", "AB12"), 0);
	assert_int_equal(fits("0NE00000000", "PRESS-3", "ab12"), 0);
	assert_int_equal(fits(NULL, NULL, "AB12"), 0);
	assert_int_equal(fits("", "", "AB12"), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(fits(NULL, NULL, "AB13"), HF_ERR_STATE);
	assert_non_null(strstr(err.text, "another key"));
	assert_non_null(strstr(err.text, "the-file"));
	assert_int_equal(fits(NULL, "press-4", "AB12"), HF_ERR_STATE);
	assert_non_null(strstr(err.text, "press-4"));
	assert_int_equal(fits("0ne00000001", NULL, "AB12"), HF_ERR_STATE);
	assert_non_null(strstr(err.text, "0ne00000001"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_saved_is_loaded, reset),
		cmocka_unit_test_setup(longest_names_fit, reset),
		cmocka_unit_test_setup(no_file_is_no_fault, reset),
		cmocka_unit_test_setup(an_unreadable_file_is_one, reset),
		cmocka_unit_test_setup(a_file_that_cannot_be_written, reset),
		cmocka_unit_test_setup(damaged_files_are_refused, reset),
		cmocka_unit_test_setup(torn_files_are_refused, reset),
		cmocka_unit_test_setup(a_file_of_any_size_is_not_read, reset),
		cmocka_unit_test_setup(is_bound_to_the_identity, reset),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
