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
#include "unit/make_tpm.h"

#define KEY    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER  "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define MINUTE INT64_C(60000)

static enum transport by; /* how DPS is reached */

static const struct {
	size_t cap, chunk;
} pieces[] = { { 65536, 1 }, { 509, 0 }, { 4096, 7 }, { 65536, 1021 }, { 65536, 0 } };
#define PIECES (sizeof pieces / sizeof pieces[0])

static void
enroll(struct talk *t, int group, const char *id, json_t *attestation)
{
	json_t *o = json_pack("{s:o}", "attestation", attestation);
	char *text = json_dumps(o, 0);

	assert_int_equal(emu_enroll(t->emu, group, id, text), 0);
	free(text);
	json_decref(o);
}

static json_t *
symmetric(const char *key)
{
	return json_pack("{s:s s:{s:s s:s}}", "type", "symmetricKey", "symmetricKey", "primaryKey", key,
	    "secondaryKey", key);
}

static json_t *
x509(const char *which, const char *pem)
{
	return json_pack(
	    "{s:s s:{s:{s:{s:s}}}}", "type", "x509", "x509", which, "primary", "certificate", pem);
}

static json_t *
tpm(const char *ek)
{
	return json_pack("{s:s s:{s:s}}", "type", "tpm", "tpm", "endorsementKey", ek);
}

/* Registers; telemetry goes over MQTT. */
static void
register_and_deliver(struct talk *t, const char *device)
{
	int64_t from = t->emu->now.ms;

	assert_int_equal(talk_register(t, by), 1);
	assert_in_range(t->emu->now.ms - from, 3000, 3100);
	assert_string_equal(t->got.device, device);
	assert_string_equal(t->got.substatus, "initialAssignment");
	talk_connect(t);
	for (uint64_t i = 0; i < 20; i++)
		talk_send(t, i);
	assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
	assert_int_equal(t->sent, 20);
	assert_int_equal(talk_check_events(t, 20, device), 20);
}

static void
symmetric_key_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		struct talk *t = talk_new(pieces[i].cap, pieces[i].chunk);

		enroll(t, 0, "press-3", symmetric(KEY));
		talk_symmetric(t, "press-3", KEY, 0);
		register_and_deliver(t, "press-3");
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

		enroll(t, 0, "press-5", x509("clientCertificates", pem));
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
		enroll(t, 1, "line-7", x509("signingCertificates", root.pem));
		register_and_deliver(t, "press-6");
		free(pem);
		talk_ca_free(&middle);
		talk_ca_free(&root);
		talk_free(t);
	}
}

/* A TPM of OpenSSL's, behind the table that any hardware stands behind. */
struct soft {
	struct hsm hsm;
	const struct soft_tpm *chip;
	uint8_t active[32], kept[32];
	int is_active, is_kept;
};

static int
who(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *e)
{
	const struct soft_tpm *chip = ((struct soft *)h)->chip;

	(void)persist;
	memset(h->fingerprint, 7, 32);
	if (tpm_registration_id(buf_data(&chip->ek_public), buf_size(&chip->ek_public), h->registration_id) <
		0 ||
	    buf_put(ek, buf_data(&chip->ek_public), buf_size(&chip->ek_public)) < 0 ||
	    buf_put(srk, buf_data(&chip->srk_public), buf_size(&chip->srk_public)) < 0)
		return err_memory(e);
	return 0;
}

static int
unpack(struct hsm *h, const void *blob, size_t n, struct buf *wrapped, struct hf_error *e)
{
	struct soft *s = (struct soft *)h;
	struct buf text = { 0 };

	s->is_active = b64_put(&text, blob, n) == 0 && activate(s->chip, buf_str(&text), s->active);
	buf_free(&text);
	if (!s->is_active)
		return err_set(e, HF_ERR_KEY, "the TPM cannot open what DPS sent");
	return buf_put(wrapped, s->active, 32);
}

static int
keep(struct hsm *h, const void *wrapped, size_t n, struct hf_error *e)
{
	struct soft *s = (struct soft *)h;

	(void)e;
	assert_int_equal(n, 32);
	memcpy(s->kept, wrapped, 32);
	s->is_kept = 1;
	return 0;
}

static void
forget(struct hsm *h)
{
	((struct soft *)h)->is_active = 0;
}

static int
hmac(struct hsm *h, const void *data, size_t n, uint8_t mac[32], struct hf_error *e)
{
	struct soft *s = (struct soft *)h;

	if (!s->is_active && !s->is_kept)
		return err_set(e, HF_ERR_KEY, "no such object");
	return sas_hmac(s->is_active ? s->active : s->kept, 32, data, n, mac);
}

static void
close_soft(struct hsm *h)
{
	free(h);
}

static const struct hsm_ops soft_ops = {
	.close = close_soft,
	.identity = who,
	.activate = unpack,
	.keep = keep,
	.forget = forget,
	.hmac = hmac,
};

static struct soft *
use_tpm(struct talk *t, const struct soft_tpm *chip)
{
	struct soft *s = calloc(1, sizeof *s);

	s->chip = chip;
	s->hsm.ops = &soft_ops;
	s->hsm.kind = HSM_TPM;
	s->hsm.blocks = 1;
	talk_use(t, hsm_hold(&s->hsm));
	t->set.registration_id = NULL;
	return s;
}

static void
tpm_in_pieces(void **state)
{
	struct soft_tpm chip;
	char id[53];

	(void)state;
	make_tpm(&chip);
	tpm_registration_id(buf_data(&chip.ek_public), buf_size(&chip.ek_public), id);
	for (size_t i = 0; i < PIECES; i++) {
		struct talk *t = talk_new(pieces[i].cap, pieces[i].chunk);
		struct dps_state s = { 0 };

		enroll(t, 0, id, tpm(buf_str(&chip.ek_text)));
		use_tpm(t, &chip);
		t->set.state = t->state;
		register_and_deliver(t, id);
		assert_int_equal(dps_state_load(&s, t->state, &t->err), 1);
		assert_int_equal(buf_size(&s.wrapped), 0);
		dps_state_fini(&s);
		talk_free(t);
	}
	drop_tpm(&chip);
}

/* The key that the hub's tokens are signed with is gone from the TPM: DPS gives another. */
static void
a_tpm_that_lost_its_key_registers_again(void **state)
{
	struct soft_tpm chip;
	struct soft *s;
	struct talk *t = talk_new(65536, 0);
	char id[53];

	(void)state;
	make_tpm(&chip);
	tpm_registration_id(buf_data(&chip.ek_public), buf_size(&chip.ek_public), id);
	enroll(t, 0, id, tpm(buf_str(&chip.ek_text)));
	s = use_tpm(t, &chip);
	assert_int_equal(talk_register(t, by), 1);
	s->is_kept = 0;
	talk_connect(t);
	talk_send(t, 0);
	assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
	assert_int_equal(t->moved, 1);
	assert_int_equal(s->is_kept, 1);
	talk_check_events(t, 1, id);
	talk_free(t);
	drop_tpm(&chip);
}

/* Hours at the hub, and a start in between: the key in the TPM signs each token, and DPS is not asked again. */
static void
a_tpm_signs_each_token(void **state)
{
	static const enum transport hubs[] = { TRANSPORT_MQTT, TRANSPORT_AMQP, TRANSPORT_HTTP };
	struct soft_tpm chip;
	char id[53];

	(void)state;
	make_tpm(&chip);
	tpm_registration_id(buf_data(&chip.ek_public), buf_size(&chip.ek_public), id);
	for (size_t i = 0; i < 3; i++) {
		struct talk *t = talk_new(65536, 0);
		uint64_t tag = 0;

		enroll(t, 0, id, tpm(buf_str(&chip.ek_text)));
		use_tpm(t, &chip);
		assert_int_equal(talk_register(t, by), 1);
		t->hub_transport = hubs[i];
		for (int start = 0; start < 2; start++) {
			talk_connect(t);
			for (uint64_t n = 0; n < 30; n++) {
				talk_send(t, tag++);
				assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
				talk_hold_on(t, 7 * MINUTE);
			}
			talk_disconnect(t);
		}
		assert_int_equal(t->moved, 0);
		assert_int_equal(t->disconnected, 0);
		assert_int_equal(talk_check_events(t, tag, id), tag);
		talk_free(t);
	}
	drop_tpm(&chip);
}

static void
a_wrong_tpm_is_refused(void **state)
{
	struct soft_tpm chip, wrong;
	struct talk *t = talk_new(4096, 7);

	(void)state;
	make_tpm(&chip);
	make_tpm(&wrong);
	enroll(t, 0, "press-9", tpm(buf_str(&chip.ek_text)));
	use_tpm(t, &wrong);
	t->set.registration_id = "press-9";
	assert_int_equal(talk_register(t, by), HF_ERR_AUTH);
	assert_int_equal(t->err.status, 401);
	assert_non_null(strstr(t->err.text, "endorsement key"));
	if (by == TRANSPORT_HTTP) { /* SASL's outcome says no more than no */
		assert_int_equal(t->err.service, 401002);
		assert_int_equal(strlen(t->err.tracking), 36);
	}
	talk_free(t);
	drop_tpm(&chip);
	drop_tpm(&wrong);
}

static void
refusals_name_the_code(void **state)
{
	struct talk *t = talk_new(4096, 7);

	(void)state;
	enroll(t, 0, "press-3", symmetric(KEY));
	talk_symmetric(t, "press-3", OTHER, 0);
	assert_int_equal(talk_register(t, by), HF_ERR_AUTH);
	assert_int_equal(t->err.status, 401);
	assert_int_equal(t->err.service, 401002);
	assert_int_equal(strlen(t->err.tracking), 36);
	talk_symmetric(t, "press-3", KEY, 0);
	t->set.scope = "0ne99999999";
	assert_int_equal(talk_register(t, by), HF_ERR_AUTH);
	assert_int_equal(t->err.service, 404202);
	talk_free(t);
}

static void
retry_after_is_obeyed(void **state)
{
	(void)state;
	for (int seconds = 1; seconds < 50; seconds += 16) {
		struct talk *t = talk_new(65536, 0);
		int64_t from = t->emu->now.ms;

		t->emu->e.conf.retry_after = seconds;
		enroll(t, 0, "press-3", symmetric(KEY));
		talk_symmetric(t, "press-3", KEY, 0);
		assert_int_equal(talk_register(t, by), 1);
		assert_in_range(t->emu->now.ms - from, seconds * 1000, seconds * 1000 + 100);
		talk_free(t);
	}
}

static void
registration_cut_anywhere(void **state)
{
	(void)state;
	for (int64_t cut = 0; cut < 3000; cut = cut * 5 / 4 + 37) {
		struct talk *t = talk_new(65536, 0);
		int turns = 0;

		enroll(t, 0, "press-3", symmetric(KEY));
		talk_symmetric(t, "press-3", KEY, 0);
		t->emu->cut_after = cut;
		talk_register_begin(t, by);
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

/* Each conversation over AMQP begins with a challenge of its own. */
static void
tpm_registration_cut_anywhere(void **state)
{
	struct soft_tpm chip;
	char id[53];

	(void)state;
	make_tpm(&chip);
	tpm_registration_id(buf_data(&chip.ek_public), buf_size(&chip.ek_public), id);
	for (int64_t cut = 0; cut < 9000; cut = cut * 5 / 4 + 137) {
		struct talk *t = talk_new(65536, 0);
		int turns = 0;

		enroll(t, 0, id, tpm(buf_str(&chip.ek_text)));
		use_tpm(t, &chip);
		t->emu->cut_after = cut;
		talk_register_begin(t, by);
		while (t->emu->opened < 3 && t->registered == 0 && turns++ < 100)
			talk_hold_on(t, 500);
		t->emu->cut_after = -1;
		for (turns = 0; t->registered == 0 && turns < 200; turns++)
			talk_hold_on(t, 500);
		assert_int_equal(t->registered, 1);
		assert_string_equal(t->got.device, id);
		talk_free(t);
	}
	drop_tpm(&chip);
}

static void
freed_at_any_moment(void **state)
{
	struct soft_tpm chip;
	char id[53];

	(void)state;
	make_tpm(&chip);
	tpm_registration_id(buf_data(&chip.ek_public), buf_size(&chip.ek_public), id);
	for (int turns = 0; turns < 60; turns += 2) {
		struct talk *t = talk_new(509, 0);

		enroll(t, 0, id, tpm(buf_str(&chip.ek_text)));
		use_tpm(t, &chip);
		t->set.state = t->state;
		talk_register_begin(t, by);
		for (int i = 0; i < turns && t->registered == 0; i++) {
			talk_turn(t);
			emu_pass(t->emu, 200);
		}
		talk_free(t);
	}
	drop_tpm(&chip);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symmetric_key_in_pieces),
		cmocka_unit_test(thumbprint_in_pieces),
		cmocka_unit_test(chain_in_pieces),
		cmocka_unit_test(tpm_in_pieces),
		cmocka_unit_test(a_tpm_that_lost_its_key_registers_again),
		cmocka_unit_test(a_tpm_signs_each_token),
		cmocka_unit_test(a_wrong_tpm_is_refused),
		cmocka_unit_test(refusals_name_the_code),
		cmocka_unit_test(retry_after_is_obeyed),
		cmocka_unit_test(registration_cut_anywhere),
		cmocka_unit_test(tpm_registration_cut_anywhere),
		cmocka_unit_test(freed_at_any_moment),
	};

	int failed;

	by = TRANSPORT_HTTP;
	failed = cmocka_run_group_tests_name("HTTPS", tests, NULL, NULL);
	by = TRANSPORT_AMQP;
	return failed + cmocka_run_group_tests_name("AMQP", tests, NULL, NULL);
}
