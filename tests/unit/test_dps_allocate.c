#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_emulator.h"

static void
hashes(void **state)
{
	(void)state;
	assert_true(dps_hash("") == UINT64_C(0xcbf29ce484222325));
	assert_true(dps_hash("a") == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(dps_hash("A") == dps_hash("a"));
	assert_true(dps_hash("dev-1") != dps_hash("dev-2"));
}

static struct claim
claim_of(const char *id, json_t *enrollment)
{
	struct claim c = { .kind = "symmetricKey", .enrollment = enrollment };

	assert_non_null(enrollment);
	strcpy(c.id, id);
	return c;
}

static const char *
go(struct made *m, const char *id, json_t *enrollment)
{
	struct claim c = claim_of(id, enrollment);
	const char *hub = dps_allocate(&m->e.conf, &c);

	dps_claim_fini(&c);
	return hub ? hub : "";
}

static json_t *
by(const char *policy)
{
	return json_pack("{s:s}", "allocationPolicy", policy);
}

/* How many of a hundred devices get the first hub. */
static int
share(struct made *m, const char *policy)
{
	char id[16];
	int i, first = 0;

	for (i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "dev-%d", i);
		first += strcmp(go(m, id, by(policy)), "127.0.0.2") == 0;
	}
	return first;
}

static void
policies(void **state)
{
	struct made *m = *state;

	assert_in_range(share(m, "hashed"), 30, 70);
	assert_int_equal(share(m, "static"), 100);
	/* all hubs are equally far: hashed; one is nearest: that one */
	assert_in_range(share(m, "geoLatency"), 30, 70);
	strcpy(m->e.conf.nearest, "127.0.0.2");
	assert_int_equal(share(m, "geoLatency"), 100);
	assert_in_range(share(m, "hashed"), 30, 70);
	strcpy(m->e.conf.nearest, "HUB.example.net");
	assert_int_equal(share(m, "geoLatency"), 0);
	/* unless the enrollment does not allow it */
	assert_string_equal(
	    go(m, "x", json_pack("{s:s, s:[s]}", "allocationPolicy", "geoLatency", "iotHubs", "127.0.0.2")),
	    "127.0.0.2");
	assert_string_equal(
	    go(m, "x", json_pack("{s:s, s:[s]}", "allocationPolicy", "static", "iotHubs", "HUB.example.net")),
	    "Hub.Example.net");
	assert_string_equal(
	    go(m, "x", json_pack("{s:s}", "iotHubHostName", "hub.example.net")), "Hub.Example.net");
	assert_string_equal(go(m, "x", json_pack("{s:s}", "iotHubHostName", "elsewhere")), "");
	assert_string_equal(go(m, "x", json_pack("{s:[s]}", "iotHubs", "elsewhere")), "");
}

static void
answers(void **state)
{
	static const struct {
		const char *answer, *hub, *why;
	} c[] = {
		{ "{\"status\":200,\"body\":{\"iotHubHostName\":\"HUB.EXAMPLE.net\"}}", "Hub.Example.net",
		    "" },
		{ "{\"status\":204,\"body\":{\"iotHubHostName\":\"127.0.0.2\"}}", "127.0.0.2", "" },
		{ "{\"status\":400,\"body\":{\"iotHubHostName\":\"127.0.0.2\"}}", NULL,
		    "Custom allocation failed with status code: 400" },
		{ "{\"status\":302}", NULL, "status code: 302" },
		{ "{\"status\":200}", NULL, "no iotHubHostName" },
		{ "{\"status\":200,\"body\":[]}", NULL, "no iotHubHostName" },
		{ "{\"status\":200,\"body\":{\"iotHubHostName\":7}}", NULL, "no iotHubHostName" },
		{ "{\"status\":200,\"body\":{\"iotHubHostName\":\"\"}}", NULL, "not one of the linked hubs" },
		{ "{\"status\":200,\"body\":{\"iotHubHostName\":\"other\"}}", NULL, "'other' is not one" },
		{ "{\"error\":\"nobody is there\"}", NULL, "nobody is there" },
		{ "{}", NULL, "failed" },
	};
	struct made *m = *state;
	struct claim claim = claim_of("x", json_object());
	const char *hub;
	char why[60];
	size_t i;

	for (i = 0; i < sizeof c / sizeof *c; i++) {
		json_t *answer = js_parse(c[i].answer, strlen(c[i].answer), "answer", &m->err);

		memset(why, 0, sizeof why);
		hub = dps_answered(&m->e.conf, &claim, answer, why, sizeof why);
		if (c[i].hub)
			assert_string_equal(hub, c[i].hub);
		else
			assert_null(hub);
		if (!strstr(why, c[i].why))
			fail_msg("'%s' does not say '%s'", why, c[i].why);
		json_decref(answer);
	}
	/* a hub that is linked, but not for this enrollment */
	json_object_set_new(claim.enrollment, "iotHubs", json_pack("[s]", "Hub.Example.net"));
	{
		json_t *answer =
		    json_pack("{s:i, s:{s:s}}", "status", 200, "body", "iotHubHostName", "127.0.0.2");

		assert_null(dps_answered(&m->e.conf, &claim, answer, why, sizeof why));
		json_decref(answer);
	}
	dps_claim_fini(&claim);
}

static void
questions(void **state)
{
	struct made *m = *state;
	struct claim claim = claim_of("Dev", with_keys());
	json_t *record = json_object(), *payload = json_pack("{s:i}", "floor", 2), *q;
	const json_t *context;

	json_object_set_new(claim.enrollment, "etag", json_string("ImFiYyI="));
	q = dps_question(&m->e.conf, &claim, record, NULL);
	assert_int_equal(json_object_size(q), 3);
	assert_string_equal(js_str(js_get(q, "individualEnrollment"), "etag", ""), "\"abc\"");
	assert_null(js_get(js_get(js_get(q, "individualEnrollment"), "attestation"), "symmetricKey"));
	context = js_get(q, "deviceRuntimeContext");
	assert_string_equal(js_str(context, "registrationId", ""), "Dev");
	assert_true(json_is_object(js_get(context, "symmetricKey")));
	assert_int_equal(json_object_size(context), 2);
	assert_int_equal(json_array_size(js_get(q, "linkedHubs")), 2);
	json_decref(q);

	strcpy(claim.group, "line");
	claim.kind = "x509";
	json_object_set_new(claim.enrollment, "iotHubs", json_pack("[s]", "Hub.Example.net"));
	json_object_set_new(record, "assignedHub", json_string("127.0.0.2"));
	json_object_set_new(record, "deviceId", json_string("d"));
	q = dps_question(&m->e.conf, &claim, record, payload);
	assert_non_null(js_get(q, "enrollmentGroup"));
	assert_null(js_get(q, "individualEnrollment"));
	context = js_get(q, "deviceRuntimeContext");
	assert_string_equal(js_str(context, "currentIotHubHostName", ""), "127.0.0.2");
	assert_string_equal(js_str(context, "currentDeviceId", ""), "d");
	assert_true(json_is_object(js_get(context, "x509")));
	assert_true(json_equal(js_get(context, "payload"), payload));
	assert_int_equal(json_array_size(js_get(q, "linkedHubs")), 1);
	json_decref(q);
	json_decref(record);
	json_decref(payload);
	dps_claim_fini(&claim);
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes),
		MADE(policies),
		MADE(answers),
		MADE(questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
