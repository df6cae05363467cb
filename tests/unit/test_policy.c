#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "emulator.h"

static void
what_can_be_one(void **state)
{
	static const char *const bad[] = { "", "=", "a", "a=", "=EnrollmentRead", "a b=EnrollmentRead",
		"a=Enrollment", "a=EnrollmentRead,Nothing", "a=,", "owner=EnrollmentRead" };
	struct config *c = *state;
	struct hf_error err;
	unsigned rights;
	char key[96], other[96];
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		memset(&err, 0, sizeof err);
		assert_int_equal(policy_add(c, bad[i], &err), HF_ERR_ARGS);
		assert_string_not_equal(err.text, "");
		assert_int_equal(c->policies, 0);
	}
	assert_int_equal(policy_add(c, "a-1=enrollmentread,RegistrationStatusWrite", &err), 0);
	assert_int_equal(policy_add(c, "b=ServiceConfig", &err), 0);
	assert_int_equal(policy_find(c, "a-1", &rights, key), 1);
	assert_int_equal(rights, ENROLLMENT_READ | REGISTRATION_STATUS_WRITE);
	assert_int_equal(strlen(key), 44);
	assert_int_equal(policy_find(c, "b", &rights, other), 1);
	assert_int_equal(rights, SERVICE_CONFIG);
	assert_string_not_equal(key, other);
	assert_int_equal(policy_find(c, "A-1", &rights, key), 0);
	assert_int_equal(policy_find(c, "owner", &rights, key), 1);
	assert_string_equal(key, c->service_key);
	assert_int_equal(rights & ENROLLMENT_WRITE, ENROLLMENT_WRITE);
	assert_string_equal(policy_right(ENROLLMENT_WRITE), "EnrollmentWrite");
}

/* HMAC-SHA256 of the name by the owner's key: computed with openssl. */
static void
keys(void **state)
{
	struct config *c = *state;
	char key[96];

	assert_int_equal(policy_key(c, "reader", key), 0);
	assert_string_equal(key, "J38q7wsUg5IEkMS5PMW5nL4bkyab4VUcj3pvH/wxsZI=");
}

static void
too_many(void **state)
{
	struct config *c = *state;
	struct hf_error err = { 0 };
	char text[40];
	int i;

	for (i = 0; i < MAX_NAMES; i++) {
		snprintf(text, sizeof text, "p%d=EnrollmentRead", i);
		assert_int_equal(policy_add(c, text, &err), 0);
	}
	assert_int_equal(policy_add(c, "one-more=EnrollmentRead", &err), HF_ERR_ARGS);
	assert_int_equal(c->policies, MAX_NAMES);
}

static int
setup(void **state)
{
	struct config *c = calloc(1, sizeof *c);

	strcpy(c->service_policy, "owner");
	strcpy(c->service_key, "b3duZXIgb3duZXIgb3duZXIgb3duZXI=");
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

int
main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { WITH(what_can_be_one), WITH(keys), WITH(too_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
