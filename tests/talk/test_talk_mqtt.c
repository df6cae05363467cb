#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/json.h"
#include "base/str.h"
#include "talk.h"

#define KEY    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER  "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define MINUTE INT64_C(60000)

static const struct {
	size_t cap, chunk;
} pieces[] = { { 65536, 1 }, { 509, 0 }, { 4096, 7 }, { 65536, 1021 }, { 65536, 0 } };
#define PIECES (sizeof pieces / sizeof pieces[0])

static void
enroll_symmetric(struct talk *t, int group, const char *id, const char *key)
{
	char text[400];

	snprintf(text, sizeof text,
	    "{\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}}}",
	    key, key);
	assert_int_equal(emu_enroll(t->emu, group, id, text), 0);
}

static void
enroll_x509(struct talk *t, int group, const char *id, const char *pem)
{
	json_t *o = json_pack("{s:{s:s s:{s:{s:{s:s}}}}}", "attestation", "type", "x509", "x509",
	    group ? "signingCertificates" : "clientCertificates", "primary", "certificate", pem);
	char *text = json_dumps(o, 0);

	assert_int_equal(emu_enroll(t->emu, group, id, text), 0);
	free(text);
	json_decref(o);
}

/* A device that is registered with a symmetric key, and no more. */
static struct talk *
registered(size_t cap, size_t chunk)
{
	struct talk *t = talk_new(cap, chunk);

	enroll_symmetric(t, 0, "press-3", KEY);
	talk_symmetric(t, "press-3", KEY, 0);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
	return t;
}

/* The same, with its hub. */
static struct talk *
at_hub(size_t cap, size_t chunk)
{
	struct talk *t = registered(cap, chunk);

	talk_connect(t);
	return t;
}

static void
deliver(struct talk *t, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		talk_send(t, from + i);
	assert_int_equal(talk_until(t, talk_all_sent, 10 * MINUTE), 1);
	assert_int_equal(t->sent, from + n);
	assert_int_equal(t->over, 0);
}

static void
register_and_deliver(struct talk *t, const char *device)
{
	int64_t from = t->emu->now.ms;

	assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
	assert_true(t->emu->now.ms - from >= 3000);
	assert_true(t->emu->now.ms - from < 6000);
	assert_string_equal(t->got.device, device);
	assert_true(strncmp(t->got.hub, "127.0.0.", 8) == 0);
	assert_string_equal(t->got.substatus, "initialAssignment");
	assert_string_equal(t->got.state.hub, t->got.hub);
	assert_int_equal(strlen(t->got.state.identity), 64);
	talk_connect(t);
	deliver(t, 0, 50);
	assert_int_equal(t->connected, 1);
	assert_int_equal(t->disconnected, 0);
	assert_int_equal(talk_check_events(t, 50, device), 50);
}

static void
symmetric_key_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		struct talk *t = talk_new(pieces[i].cap, pieces[i].chunk);

		enroll_symmetric(t, 0, "press-3", KEY);
		talk_symmetric(t, "press-3", KEY, 0);
		register_and_deliver(t, "press-3");
		talk_free(t);
	}
}

static void
group_key_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < PIECES; i += 2) {
		struct talk *t = talk_new(pieces[i].cap, pieces[i].chunk);

		enroll_symmetric(t, 1, "line-7", KEY);
		talk_symmetric(t, "press-4", KEY, 1);
		register_and_deliver(t, "press-4");
		talk_free(t);
	}
}

static void
thumbprint_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		struct talk *t = talk_new(pieces[i].cap, pieces[i].chunk);
		char *pem = talk_x509(t, "press-5", NULL);

		enroll_x509(t, 0, "press-5", pem);
		register_and_deliver(t, "press-5");
		free(pem);
		talk_free(t);
	}
}

static void
chain_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		struct talk *t = talk_new(pieces[i].cap, pieces[i].chunk);
		struct talk_ca root, middle;
		char *pem;

		talk_ca_new(&root, "Root", NULL);
		talk_ca_new(&middle, "Line 7", &root);
		pem = talk_x509(t, "press-6", &middle);
		enroll_x509(t, 1, "line-7", root.pem);
		register_and_deliver(t, "press-6");
		free(pem);
		talk_ca_free(&middle);
		talk_ca_free(&root);
		talk_free(t);
	}
}

static void
retry_after_is_obeyed(void **state)
{
	(void)state;
	for (int seconds = 1; seconds < 50; seconds += 16) {
		struct talk *t = talk_new(65536, 0);
		int64_t from = t->emu->now.ms;

		t->emu->e.conf.retry_after = seconds;
		enroll_symmetric(t, 0, "press-3", KEY);
		talk_symmetric(t, "press-3", KEY, 0);
		assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
		assert_in_range(t->emu->now.ms - from, seconds * 1000, seconds * 1000 + 100);
		talk_free(t);
	}
}

static void
retry_after_beyond_the_timeout(void **state)
{
	struct talk *t = talk_new(65536, 0);
	int64_t from = t->emu->now.ms;

	(void)state;
	t->emu->e.conf.retry_after = 300;
	enroll_symmetric(t, 0, "press-3", KEY);
	talk_symmetric(t, "press-3", KEY, 0);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), HF_ERR_TIMEOUT);
	assert_in_range(t->emu->now.ms - from, 60000, 60001);
	assert_non_null(strstr(t->err.text, "assigning"));
	talk_free(t);
}

static void
refusals_name_the_code(void **state)
{
	struct talk *t = talk_new(4096, 7);

	(void)state;
	enroll_symmetric(t, 0, "press-3", KEY);
	talk_symmetric(t, "press-3", OTHER, 0);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), HF_ERR_AUTH);
	assert_int_equal(t->err.status, 401);
	assert_int_equal(t->err.service, 401002);
	assert_int_equal(strlen(t->err.tracking), 36);
	talk_symmetric(t, "stranger", KEY, 0);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), HF_ERR_AUTH);
	assert_int_equal(t->err.service, 401002); /* who shows a token is not told what exists */
	talk_symmetric(t, "press-3", KEY, 0);
	t->set.scope = "0ne99999999";
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), HF_ERR_AUTH);
	assert_true(t->err.status == 401 || t->err.status == 404);
	t->set.scope = t->emu->e.conf.scope;
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
	talk_free(t);
}

/* Cut off after so many bytes, each connection but the last: the outcome is the same. */
static void
registration_cut_anywhere(void **state)
{
	(void)state;
	for (int64_t cut = 0; cut < 3000; cut = cut * 5 / 4 + 37) {
		struct talk *t = talk_new(65536, 0);
		int turns = 0;

		enroll_symmetric(t, 0, "press-3", KEY);
		talk_symmetric(t, "press-3", KEY, 0);
		t->emu->cut_after = cut;
		talk_register_begin(t, TRANSPORT_MQTT);
		while (t->emu->opened < 3 && t->registered == 0 && turns++ < 100)
			talk_hold_on(t, 500);
		t->emu->cut_after = -1;
		for (turns = 0; t->registered == 0 && turns < 200; turns++)
			talk_hold_on(t, 500);
		assert_int_equal(t->registered, 1);
		assert_string_equal(t->got.device, "press-3");
		talk_free(t);
	}
}

static void
telemetry_cut_anywhere(void **state)
{
	(void)state;
	for (int64_t cut = 1; cut < 20000; cut = cut * 4 / 3 + 101) {
		struct talk *t = at_hub(65536, 0);

		t->emu->cut_after = cut;
		for (uint64_t i = 0; i < 200; i++)
			talk_send(t, i);
		talk_hold_on(t, 5000);
		t->emu->cut_after = -1;
		assert_int_equal(talk_until(t, talk_all_sent, 10 * MINUTE), 1);
		assert_int_equal(t->sent, 200);
		assert_true(t->connected == t->disconnected + 1);
		talk_check_events(t, 200, "press-3");
		talk_free(t);
	}
}

/* The emulator dies and comes back. */
static void
the_hub_dies_half_way(void **state)
{
	struct talk *t = at_hub(509, 0);
	int cut = 0;

	(void)state;
	deliver(t, 0, 1);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 60; i++)
			talk_send(t, 1 + (uint64_t)round * 60 + (uint64_t)i);
		for (int i = 0; i <= round; i++)
			talk_turn(t);
		cut += !talk_all_sent(t);
		emu_hang_up(t->emu);
		assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
	}
	assert_true(cut > 5);
	assert_int_equal(t->sent, 1201);
	assert_int_equal(t->connected, t->disconnected + 1);
	talk_check_events(t, 1201, "press-3");
	talk_free(t);
}

static int
is_renewed(struct talk *t)
{
	return t->emu->opened >= 4;
}

/* The token's time ends; nobody is told, since nothing is lost. */
static void
tokens_are_renewed_in_silence(void **state)
{
	struct talk *t = at_hub(65536, 0);
	int64_t from;
	uint64_t tag = 0;

	(void)state;
	deliver(t, tag++, 1);
	from = t->emu->now.ms;
	assert_int_equal(talk_until(t, is_renewed, 120 * MINUTE), 1);
	assert_in_range(t->emu->now.ms - from, 90 * MINUTE, 97 * MINUTE);
	deliver(t, tag++, 1);
	assert_int_equal(t->connected, 1);
	assert_int_equal(t->disconnected, 0);
	assert_int_equal(talk_check_events(t, 2, "press-3"), 2);
	talk_free(t);
}

/* Pings keep an idle line up: the hub bears no longer silence than it was told. */
static void
an_idle_line_stays_up(void **state)
{
	struct talk *t = talk_new(65536, 0);
	char *pem = talk_x509(t, "press-5", NULL);
	int opened;

	(void)state;
	enroll_x509(t, 0, "press-5", pem);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
	talk_connect(t);
	deliver(t, 0, 1);
	opened = t->emu->opened;
	talk_hold_on(t, 24 * 60 * MINUTE);
	assert_int_equal(t->emu->opened, opened);
	assert_int_equal(t->disconnected, 0);
	deliver(t, 1, 1);
	free(pem);
	talk_free(t);
}

static void
forget_device(struct talk *t)
{
	struct hf_error e = { 0 };

	assert_int_equal(registry_device_delete(t->emu->e.registry, t->got.hub, t->got.device, &e), 1);
	assert_int_equal(registry_commit(t->emu->e.registry, &e), 0);
}

/* The hub no longer knows the device: DPS says where it belongs, and what was queued arrives there. */
static void
a_refused_device_asks_dps(void **state)
{
	struct talk *t = at_hub(4096, 7);

	(void)state;
	deliver(t, 0, 10);
	forget_device(t);
	emu_hang_up(t->emu);
	deliver(t, 10, 10);
	assert_int_equal(t->moved, 1);
	assert_int_equal(t->connected, 2);
	assert_int_equal(t->disconnected, 1);
	assert_string_equal(hub_client_assignment(t->hub)->device, "press-3");
	talk_check_events(t, 20, "press-3");
	talk_free(t);
}

static int
is_over(struct talk *t)
{
	return t->over > 0;
}

static void
a_device_that_dps_refuses_too(void **state)
{
	struct talk *t = at_hub(65536, 0);
	struct hf_error e = { 0 };

	(void)state;
	deliver(t, 0, 1);
	forget_device(t);
	assert_int_equal(registry_enrollment_delete(t->emu->e.registry, 0, "press-3", &e), 1);
	assert_int_equal(registry_commit(t->emu->e.registry, &e), 0);
	talk_send(t, 1);
	assert_int_equal(talk_until(t, is_over, 10 * MINUTE), 1);
	assert_int_equal(t->device.err.code, HF_ERR_AUTH);
	assert_int_equal(t->device.err.service, 401002);
	assert_int_equal(hub_device_waiting(&t->device), 1);
	talk_free(t);
}

static void
refused_without_dps(void **state)
{
	struct talk *t = registered(65536, 0);

	(void)state;
	forget_device(t);
	t->set.transports.count = 0;
	talk_connect(t);
	assert_int_equal(talk_until(t, is_over, MINUTE), 1);
	assert_int_equal(t->device.err.code, HF_ERR_AUTH);
	assert_int_equal(t->device.err.status, 401);
	assert_int_equal(t->connected, 0);
	talk_free(t);
}

/* Nobody is there for two hours, hub and DPS alike; then everything arrives. */
static void
a_long_outage(void **state)
{
	struct talk *t = at_hub(65536, 0);
	int opened;

	(void)state;
	deliver(t, 0, 1);
	t->emu->deaf = 1;
	emu_hang_up(t->emu);
	for (uint64_t i = 1; i < 20; i++)
		talk_send(t, i);
	opened = t->emu->opened;
	talk_hold_on(t, 120 * MINUTE);
	assert_int_equal(t->over, 0);
	assert_in_range(t->emu->opened - opened, 120, 200);
	assert_non_null(strstr(buf_str(&t->lines), "asking DPS"));
	t->emu->deaf = 0;
	assert_int_equal(talk_until(t, talk_all_sent, 3 * MINUTE), 1);
	assert_int_equal(t->disconnected, 1);
	assert_int_equal(t->connected, 2);
	talk_check_events(t, 20, "press-3");
	talk_free(t);
}

/* The process is killed: another conversation with the same queue. */
static void
a_new_conversation_goes_on_with_the_queue(void **state)
{
	struct talk *t = at_hub(65536, 0);

	(void)state;
	deliver(t, 0, 5);
	for (uint64_t i = 5; i < 50; i++)
		talk_send(t, i);
	for (int i = 0; i < 3; i++)
		talk_turn(t);
	talk_disconnect(t);
	talk_hold_on(t, 100);
	talk_connect(t);
	assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
	talk_check_events(t, 50, "press-3");
	talk_free(t);
}

static void
the_state_file_remembers(void **state)
{
	struct talk *t = talk_new(65536, 1021);
	struct dps_state s = { 0 };

	(void)state;
	enroll_symmetric(t, 0, "press-3", KEY);
	talk_symmetric(t, "press-3", KEY, 0);
	t->set.state = t->state;
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
	assert_int_equal(dps_state_load(&s, t->state, &t->err), 1);
	assert_string_equal(s.scope, t->emu->e.conf.scope);
	assert_string_equal(s.registration_id, "press-3");
	assert_string_equal(s.hub, t->got.hub);
	assert_string_equal(s.device, "press-3");
	assert_string_equal(s.identity, t->got.state.identity);
	assert_int_equal(s.at, t->emu->now.wall);
	dps_state_fini(&s);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
	assert_string_equal(t->got.substatus, "reprovisionedToInitialAssignment");
	enroll_symmetric(t, 0, "press-4", OTHER);
	talk_symmetric(t, "press-4", OTHER, 0);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), HF_ERR_STATE);
	assert_non_null(strstr(t->err.text, "another key"));
	talk_free(t);
}

/* Freed in the middle of anything. */
static void
freed_at_any_moment(void **state)
{
	(void)state;
	for (int turns = 0; turns < 60; turns += 3) {
		struct talk *t = talk_new(509, 0);
		char *pem = talk_x509(t, "press-5", NULL);

		enroll_x509(t, 0, "press-5", pem);
		t->set.state = t->state;
		talk_register_begin(t, TRANSPORT_MQTT);
		for (int i = 0; i < turns && t->registered == 0; i++) {
			talk_turn(t);
			emu_pass(t->emu, 200);
		}
		free(pem);
		talk_free(t);
	}
	for (int turns = 0; turns < 40; turns += 3) {
		struct talk *t = at_hub(509, 0);

		for (uint64_t i = 0; i < 50; i++)
			talk_send(t, i);
		for (int i = 0; i < turns; i++)
			talk_turn(t);
		talk_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symmetric_key_in_pieces),
		cmocka_unit_test(group_key_in_pieces),
		cmocka_unit_test(thumbprint_in_pieces),
		cmocka_unit_test(chain_in_pieces),
		cmocka_unit_test(retry_after_is_obeyed),
		cmocka_unit_test(retry_after_beyond_the_timeout),
		cmocka_unit_test(refusals_name_the_code),
		cmocka_unit_test(registration_cut_anywhere),
		cmocka_unit_test(telemetry_cut_anywhere),
		cmocka_unit_test(the_hub_dies_half_way),
		cmocka_unit_test(tokens_are_renewed_in_silence),
		cmocka_unit_test(an_idle_line_stays_up),
		cmocka_unit_test(a_refused_device_asks_dps),
		cmocka_unit_test(a_device_that_dps_refuses_too),
		cmocka_unit_test(refused_without_dps),
		cmocka_unit_test(a_long_outage),
		cmocka_unit_test(a_new_conversation_goes_on_with_the_queue),
		cmocka_unit_test(the_state_file_remembers),
		cmocka_unit_test(freed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
