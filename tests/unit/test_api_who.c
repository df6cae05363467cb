#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_api.h"

static void
unauthorized(struct made *m, char *token, const char *why)
{
	struct call c;

	begin(&c, "GET", "/enrollments/dev" V);
	free(c.token);
	c.token = token;
	ask(m, &c);
	assert_error(&c, 401, "401002", why);
	end(&c);
}

static void
who_may(void **state)
{
	struct made *m = *state;
	struct call c;

	unauthorized(m, NULL, "no Authorization");
	unauthorized(m, strdup("Bearer abc"), "lacks");
	unauthorized(
	    m, make_token("other.net", OWNER, NOW + 60, "provisioningserviceowner"), "is for 'other.net'");
	unauthorized(m, make_token(DPS, KEY_A, NOW + 60, "provisioningserviceowner"), "not signed");
	unauthorized(m, make_token(DPS, OWNER, NOW, "provisioningserviceowner"), "expired");
	unauthorized(m, make_token(DPS, OWNER, NOW + 60, "owner"), "no policy 'owner'");
	unauthorized(m, make_token(DPS, OWNER, NOW + 60, NULL), "no policy ''");
	/* the name in any letter case, with a port or without */
	begin(&c, "GET", "/enrollments/dev" V);
	free(c.token);
	c.token = make_token("DPS.localhost:8443", OWNER, NOW + 60, "provisioningserviceowner");
	ask(m, &c);
	assert_error(&c, 404, "404201", "");
	end(&c);
}

/* A token for a path is good below it, and nowhere else. */
static void
where(void **state)
{
	static const struct {
		const char *resource, *target;
		int status;
	} c[] = {
		{ DPS "/", "/enrollments/dev" V, 404 },
		{ DPS "/enrollments", "/enrollments/dev" V, 404 },
		{ DPS "/enrollments/", "/enrollments/dev" V, 404 },
		{ DPS "/ENROLLMENTS/dev", "/enrollments/dev" V, 404 },
		{ DPS "/enrollments/dev", "/enrollments/dev2" V, 401 },
		{ DPS "/enroll", "/enrollments/dev" V, 401 },
		{ DPS "/enrollmentGroups", "/enrollments/dev" V, 401 },
		{ DPS "/enrollments/dev/attestationmechanism", "/enrollments/dev" V, 401 },
	};
	struct made *m = *state;
	struct call call;
	size_t i;

	for (i = 0; i < sizeof c / sizeof *c; i++) {
		begin(&call, "GET", c[i].target);
		free(call.token);
		call.token = make_token(c[i].resource, OWNER, NOW + 60, "provisioningserviceowner");
		ask(m, &call);
		assert_int_equal(call.r.status, c[i].status);
		end(&call);
	}
}

static int
status_of(struct made *m, const char *policy, const char *method, const char *target)
{
	struct call c;
	char key[96];
	int status;

	begin(&c, method, target);
	free(c.token);
	assert_int_equal(policy_key(&m->e.conf, policy, key), 0);
	c.token = make_token(DPS, key, NOW + 60, policy);
	ask(m, &c);
	status = c.r.status;
	if (status == 401)
		assert_non_null(strstr(js_str(c.r.body, "message", ""), "has not the right"));
	end(&c);
	return status;
}

/* Each right opens its own doors: what is behind them answers 404 or 400, a shut one 401. */
static void
rights(void **state)
{
	static const struct {
		const char *method, *target, *right;
	} door[] = {
		{ "GET", "/enrollments/d" V, "EnrollmentRead" },
		{ "GET", "/enrollmentGroups/d" V, "EnrollmentRead" },
		{ "POST", "/enrollments/d/attestationmechanism" V, "EnrollmentRead" },
		{ "POST", "/enrollments/query" V, "EnrollmentRead" },
		{ "POST", "/enrollmentGroups/query" V, "EnrollmentRead" },
		{ "PUT", "/enrollments/d" V, "EnrollmentWrite" },
		{ "DELETE", "/enrollments/d" V, "EnrollmentWrite" },
		{ "DELETE", "/enrollmentGroups/d" V, "EnrollmentWrite" },
		{ "POST", "/enrollments" V, "EnrollmentWrite" },
		{ "POST", "/enrollmentGroups/" V, "EnrollmentWrite" },
		{ "GET", "/registrations/d" V, "RegistrationStatusRead" },
		{ "POST", "/registrations/d/query" V, "RegistrationStatusRead" },
		{ "DELETE", "/registrations/d" V, "RegistrationStatusWrite" },
	};
	static const char *const policy[] = { "ServiceConfig", "EnrollmentRead", "EnrollmentWrite",
		"RegistrationStatusRead", "RegistrationStatusWrite" };
	struct made *m = *state;
	char text[100];
	size_t i, k;
	int status;

	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof text, "%s=%s", policy[i], policy[i]);
		assert_int_equal(policy_add(&m->e.conf, text, &m->err), 0);
	}
	for (i = 0; i < sizeof door / sizeof *door; i++) {
		for (k = 0; k < 5; k++) {
			status = status_of(m, policy[k], door[i].method, door[i].target);
			if ((status == 401) == (strcmp(policy[k], door[i].right) == 0))
				fail_msg(
				    "%s %s by %s: %d", door[i].method, door[i].target, policy[k], status);
		}
	}
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(who_may),
		MADE(where),
		MADE(rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
