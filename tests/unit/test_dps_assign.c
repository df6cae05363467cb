#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_emulator.h"

/* Where a device with this enrollment goes; the record is the caller's. */
static const char *
go_with(struct made *m, const char *id, json_t *enrollment, const json_t *answer, json_t *record)
{
	struct claim claim = { .kind = "symmetricKey", .enrollment = enrollment };

	assert_non_null(enrollment);
	if (!js_get(enrollment, "capabilities"))
		json_object_set_new(enrollment, "capabilities", json_pack("{s:b}", "iotEdge", 0));
	strcpy(claim.id, id);
	str_set(&claim.key1, KEY_A);
	str_set(&claim.key2, KEY_B);
	assert_int_equal(dps_assign(&m->e, &claim, NULL, answer, record, &m->err), 0);
	dps_claim_fini(&claim);
	return js_str(record, "assignedHub", js_str(record, "errorMessage", ""));
}

static const char *
go(struct made *m, const char *id, json_t *enrollment, json_t *record)
{
	return go_with(m, id, enrollment, NULL, record);
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

/* The twin of a device at its hub as text, "" when it is not there. */
static const char *
twin(struct made *m, const char *hub, const char *id)
{
	static char text[300];
	json_t *o;
	char *s;

	text[0] = '\0';
	if (registry_device(m->e.registry, hub, id, &o, &m->err) != 1)
		return text;
	s = json_dumps(js_get(o, "twin"), JSON_COMPACT | JSON_SORT_KEYS);
	snprintf(text, sizeof text, "%s", s ? s : "none");
	free(s);
	json_decref(o);
	return text;
}

/* As if the owner, or the device, had changed it since. */
static void
change_twin(struct made *m, const char *hub, const char *id, const char *tag)
{
	json_t *o;

	assert_int_equal(registry_device(m->e.registry, hub, id, &o, &m->err), 1);
	json_object_set_new(json_object_get(json_object_get(o, "twin"), "tags"), tag, json_true());
	assert_int_equal(registry_device_put(m->e.registry, hub, id, o, &m->err), 0);
	json_decref(o);
}

#define FRESH "{\"properties\":{\"desired\":{\"v\":1}},\"tags\":{}}"
#define USED  "{\"properties\":{\"desired\":{\"v\":1}},\"tags\":{\"used\":true}}"
#define BARE  "{\"properties\":{\"desired\":{}},\"tags\":{}}"

static json_t *
policy_at(const char *hub, int update, int migrate)
{
	return json_pack("{s:s, s:{s:{s:{s:i}}}, s:{s:b, s:b}}", "iotHubHostName", hub, "initialTwin",
	    "properties", "desired", "v", 1, "reprovisionPolicy", "updateHubAssignment", update,
	    "migrateDeviceData", migrate);
}

/* Each policy: what the device has afterwards, where, and what it is told. */
static void
reprovisioning(void **state)
{
	static const struct {
		const char *to;
		int update, migrate;
		const char *substatus, *at_first, *at_second;
	} c[] = {
		{ "hub.example.net", 1, 1, "deviceDataMigrated", "", USED },
		{ "hub.example.net", 1, 0, "deviceDataReset", "", FRESH },
		{ "hub.example.net", 0, 1, "reprovisionedToInitialAssignment", USED, "" },
		{ "hub.example.net", 0, 0, "reprovisionedToInitialAssignment", USED, "" },
		{ "127.0.0.2", 1, 1, "reprovisionedToInitialAssignment", USED, "" },
		{ "127.0.0.2", 1, 0, "reprovisionedToInitialAssignment", FRESH, "" },
	};
	struct made *m = *state;
	char id[16];
	size_t i;

	for (i = 0; i < sizeof c / sizeof *c; i++) {
		json_t *r = json_object();

		snprintf(id, sizeof id, "dev%zu", i);
		assert_string_equal(go(m, id, policy_at("127.0.0.2", 1, 1), r), "127.0.0.2");
		assert_string_equal(twin(m, "127.0.0.2", id), FRESH);
		change_twin(m, "127.0.0.2", id, "used");
		go(m, id, policy_at(c[i].to, c[i].update, c[i].migrate), r);
		assert_string_equal(js_str(r, "substatus", ""), c[i].substatus);
		assert_string_equal(twin(m, "127.0.0.2", id), c[i].at_first);
		assert_string_equal(twin(m, "Hub.Example.net", id), c[i].at_second);
		json_decref(r);
	}
}

/* Once its record is deleted, a device begins anew; another name takes the twin along. */
static void
beginnings(void **state)
{
	struct made *m = *state;
	json_t *r = json_object(), *named;

	go(m, "dev", json_pack("{s:s}", "iotHubHostName", "127.0.0.2"), r);
	assert_string_equal(twin(m, "127.0.0.2", "dev"), BARE);
	change_twin(m, "127.0.0.2", "dev", "used");
	json_object_clear(r);
	go(m, "dev", policy_at("127.0.0.2", 1, 1), r);
	assert_string_equal(js_str(r, "substatus", ""), "initialAssignment");
	assert_string_equal(twin(m, "127.0.0.2", "dev"), FRESH);
	change_twin(m, "127.0.0.2", "dev", "used");
	named = policy_at("127.0.0.2", 1, 1);
	json_object_set_new(named, "deviceId", json_string("other"));
	go(m, "dev", named, r);
	assert_string_equal(twin(m, "127.0.0.2", "dev"), "");
	assert_string_equal(twin(m, "127.0.0.2", "other"), USED);
	json_decref(r);
}

static json_t *
custom(int update)
{
	json_t *o = policy_at("", update, 1);

	json_object_del(o, "iotHubHostName");
	json_object_set_new(o, "allocationPolicy", json_string("custom"));
	return o;
}

static void
a_webhook_decides(void **state)
{
	struct made *m = *state;
	json_t *r = json_object(),
	       *answer = json_pack("{s:i, s:{s:s}}", "status", 200, "body", "iotHubHostName", "127.0.0.2");

	assert_string_equal(go_with(m, "dev", custom(1), answer, r), "127.0.0.2");
	assert_string_equal(twin(m, "127.0.0.2", "dev"), FRESH);
	assert_null(js_get(r, "payload"));
	change_twin(m, "127.0.0.2", "dev", "used");
	json_decref(answer);
	/* its twin goes before migration; its payload is kept for the device */
	answer = json_pack("{s:i, s:{s:s, s:{s:{s:b}}, s:[i]}}", "status", 200, "body", "iotHubHostName",
	    "HUB.example.net", "initialTwin", "tags", "hooked", 1, "payload", 7);
	assert_string_equal(go_with(m, "dev", custom(1), answer, r), "Hub.Example.net");
	assert_string_equal(js_str(r, "substatus", ""), "deviceDataReset");
	assert_string_equal(twin(m, "Hub.Example.net", "dev"),
	    "{\"properties\":{\"desired\":{}},\"tags\":{\"hooked\":true}}");
	assert_string_equal(twin(m, "127.0.0.2", "dev"), "");
	assert_int_equal(json_integer_value(json_array_get(js_get(r, "payload"), 0)), 7);
	/* one that does not move is not asked for */
	assert_string_equal(go_with(m, "dev", custom(0), NULL, r), "Hub.Example.net");
	assert_null(js_get(r, "payload"));
	/* no answer, no hub */
	go_with(m, "dev", custom(1), NULL, r);
	assert_string_equal(js_str(r, "status", ""), "failed");
	assert_int_equal(js_int(r, "errorCode", 0), 400207);
	json_decref(answer);
	json_decref(r);
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(names),
		MADE(the_hub_keeps_its_own),
		MADE(reprovisioning),
		MADE(beginnings),
		MADE(a_webhook_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
