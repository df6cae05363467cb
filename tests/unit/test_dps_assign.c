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

/* Where a device with this enrollment goes; the record is the caller's. */
static const char *
go(struct made *m, const char *id, json_t *enrollment, json_t *record)
{
	struct claim claim = { .kind = "symmetricKey", .enrollment = enrollment };

	assert_non_null(enrollment);
	if (!js_get(enrollment, "capabilities"))
		json_object_set_new(enrollment, "capabilities", json_pack("{s:b}", "iotEdge", 0));
	strcpy(claim.id, id);
	str_set(&claim.key1, KEY_A);
	str_set(&claim.key2, KEY_B);
	assert_int_equal(dps_assign(&m->e, &claim, NULL, record, &m->err), 0);
	dps_claim_fini(&claim);
	return js_str(record, "assignedHub", js_str(record, "errorMessage", ""));
}

static void
policies(void **state)
{
	struct made *m = *state;
	json_t *r = json_object();
	char id[16];
	int i, first = 0;

	for (i = 0; i < 100; i++) {
		json_t *fresh = json_object();

		snprintf(id, sizeof id, "dev-%d", i);
		first += strcmp(go(m, id, json_object(), fresh), "127.0.0.2") == 0;
		json_decref(fresh);
	}
	assert_in_range(first, 30, 70);
	assert_string_equal(go(m, "x", json_pack("{s:s}", "allocationPolicy", "static"), r), "127.0.0.2");
	json_object_clear(r);
	assert_string_equal(
	    go(m, "x", json_pack("{s:s, s:[s]}", "allocationPolicy", "static", "iotHubs", "HUB.example.net"),
		r),
	    "Hub.Example.net");
	json_object_clear(r);
	assert_string_equal(
	    go(m, "x", json_pack("{s:s}", "iotHubHostName", "hub.example.net"), r), "Hub.Example.net");
	json_object_clear(r);
	go(m, "x", json_pack("{s:s}", "iotHubHostName", "elsewhere"), r);
	assert_string_equal(js_str(r, "status", ""), "failed");
	assert_int_equal(js_int(r, "errorCode", 0), 400208);
	json_decref(r);
}

static void
names(void **state)
{
	struct made *m = *state;
	json_t *r = json_object(), *o;

	go(m, "dev", json_pack("{s:s, s:s}", "deviceId", "d-1", "iotHubHostName", "127.0.0.2"), r);
	assert_string_equal(js_str(r, "deviceId", ""), "d-1");
	assert_string_equal(js_str(r, "substatus", ""), "initialAssignment");
	/* another name at the same hub: the old device goes */
	go(m, "dev", json_pack("{s:s, s:s}", "deviceId", "d-2", "iotHubHostName", "127.0.0.2"), r);
	assert_int_equal(registry_device(m->e.registry, "127.0.0.2", "d-1", &o, &m->err), 0);
	assert_int_equal(registry_device(m->e.registry, "127.0.0.2", "d-2", &o, &m->err), 1);
	assert_string_equal(js_str(js_get(o, "authentication"), "type", ""), "sas");
	json_decref(o);
	json_decref(r);
}

/* What an owner did to the device at the hub is not undone by a registration. */
static void
the_hub_keeps_its_own(void **state)
{
	struct made *m = *state;
	json_t *r = json_object(), *o,
	       *enrollment =
		   json_pack("{s:s, s:{s:b}}", "iotHubHostName", "127.0.0.2", "capabilities", "iotEdge", 1);

	json_incref(enrollment);
	go(m, "dev", enrollment, r);
	assert_int_equal(registry_device(m->e.registry, "127.0.0.2", "dev", &o, &m->err), 1);
	assert_true(js_bool(js_get(o, "capabilities"), "iotEdge", 0));
	json_object_set_new(o, "status", json_string("disabled"));
	registry_device_put(m->e.registry, "127.0.0.2", "dev", o, &m->err);
	json_decref(o);
	go(m, "dev", enrollment, r);
	assert_string_equal(js_str(r, "substatus", ""), "reprovisionedToInitialAssignment");
	assert_int_equal(registry_device(m->e.registry, "127.0.0.2", "dev", &o, &m->err), 1);
	assert_string_equal(js_str(o, "status", ""), "disabled");
	json_decref(o);
	json_decref(r);
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes),
		MADE(policies),
		MADE(names),
		MADE(the_hub_keeps_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
