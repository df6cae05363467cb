#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_cert.h"
#include "make_emulator.h"
#include "make_tpm.h"

struct who {
	struct dps_who who;
	struct dps_request q;
	struct dps_caller c;
	struct claim claim;
	struct hf_error err;
};

static void
begin(struct who *w, const char *id)
{
	memset(w, 0, sizeof *w);
	strcpy(w->who.scope, SCOPE);
	strcpy(w->who.id, id);
	w->c.who = &w->who;
	w->q.op = DPS_REGISTER;
}

static int
claim(struct made *m, struct who *w)
{
	dps_claim_fini(&w->claim);
	err_clear(&w->err);
	return dps_claim(&m->e, &w->c, &w->q, &w->claim, &w->err);
}

static void
end(struct who *w)
{
	dps_claim_fini(&w->claim);
	dps_who_fini(&w->who);
	dps_request_fini(&w->q);
}

static void
nothing_shown(void **state)
{
	struct made *m = *state;
	struct who w;

	begin(&w, "dev");
	assert_int_equal(claim(m, &w), HF_ERR_AUTH);
	assert_int_equal(w.err.service, 401002);
	w.q.ek = strdup("AA==");
	assert_int_equal(claim(m, &w), HF_ERR_AUTH);
	assert_int_equal(w.err.service, 404201);
	w.who.token = make_token(SCOPE "/registrations/dev", KEY_A, NOW + 60, "registration");
	assert_int_equal(claim(m, &w), HF_ERR_AUTH);
	assert_int_equal(w.err.service, 404201);
	str_free(&w.q.ek);
	assert_int_equal(claim(m, &w), HF_ERR_AUTH);
	assert_int_equal(w.err.service, 401002);
	end(&w);
}

static void
an_individual_as_it_is_spelt(void **state)
{
	struct made *m = *state;
	struct who w;

	enroll(m, 0, "Dev", with_keys());
	begin(&w, "dEV");
	w.who.token = make_token(SCOPE "/registrations/dev", KEY_B, NOW + 60, NULL);
	assert_int_equal(claim(m, &w), 0);
	assert_string_equal(w.claim.id, "Dev");
	assert_string_equal(w.claim.kind, "symmetricKey");
	assert_string_equal(w.claim.group, "");
	assert_string_equal(w.claim.key1, KEY_A);
	end(&w);
}

/* The derived key that the service's documentation prints. */
static void
a_group_with_the_documented_key(void **state)
{
	struct made *m = *state;
	struct who w;

	enroll(m, 1, "other", with_keys());
	enroll(m, 1, "docs",
	    json_pack("{s:{s:s, s:{s:s, s:s}}}", "attestation", "type", "symmetricKey", "symmetricKey",
		"primaryKey",
		"8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==",
		"secondaryKey", KEY_A));
	begin(&w, "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6");
	w.who.token = make_token(SCOPE "/registrations/sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6",
	    "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=", NOW + 60, NULL);
	assert_int_equal(claim(m, &w), 0);
	assert_string_equal(w.claim.group, "docs");
	assert_string_equal(w.claim.key1, "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=");
	end(&w);
}

/* Two groups with one key, one of them disabled: the enabled one speaks. */
static void
a_disabled_twin(void **state)
{
	struct made *m = *state;
	json_t *off = with_keys();
	struct who w;

	json_object_set_new(off, "provisioningStatus", json_string("disabled"));
	enroll(m, 1, "a", off);
	enroll(m, 1, "b",
	    json_pack("{s:{s:s, s:{s:s}}}", "attestation", "type", "symmetricKey", "symmetricKey",
		"primaryKey",
		"8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw=="));
	begin(&w, "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6");
	w.who.token = make_token(SCOPE "/registrations/sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6",
	    "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=", NOW + 60, NULL);
	assert_int_equal(claim(m, &w), 0);
	assert_string_equal(w.claim.group, "b");
	end(&w);
}

static void
a_tpm_before_its_challenge(void **state)
{
	struct made *m = *state;
	struct soft_tpm t;
	json_t *off;
	struct who w;

	make_tpm(&t);
	enroll(m, 0, "chip", with_ek(buf_str(&t.ek_text)));
	begin(&w, "chip");
	w.q.ek = strdup(buf_str(&t.ek_text));
	w.q.srk = strdup(buf_str(&t.srk_text));
	assert_int_equal(claim(m, &w), 1);
	assert_string_equal(w.claim.kind, "tpm");
	off = with_ek(buf_str(&t.ek_text));
	json_object_set_new(off, "provisioningStatus", json_string("disabled"));
	enroll(m, 0, "chip", off);
	assert_int_equal(claim(m, &w), HF_ERR_AUTH);
	assert_non_null(strstr(w.err.text, "disabled"));
	end(&w);
	drop_tpm(&t);
}

static void
the_nearest_ca(void **state)
{
	struct made *m = *state;
	EVP_PKEY *key = make_key();
	X509 *root = make_cert(&(struct cert_wish){ "root", 1, -1, NOW - 9, NOW + 9 }, key, NULL, NULL);
	X509 *mid = make_cert(&(struct cert_wish){ "mid", 1, -1, NOW - 9, NOW + 9 }, key, root, key);
	X509 *leaf = make_cert(&(struct cert_wish){ "dev", 0, -1, NOW - 9, NOW + 9 }, key, mid, key);
	char *root_pem = make_pem(root), *mid_pem = make_pem(mid);
	struct who w;

	enroll(m, 1, "a-root", with_certificate(1, root_pem));
	enroll(m, 1, "b-mid", with_certificate(1, mid_pem));
	enroll(m, 1, "c-keys", with_keys());
	enroll(m, 1, "d-root", with_certificate(1, root_pem));
	begin(&w, "DEV");
	w.c.chain = sk_X509_new_null();
	assert_int_equal(claim(m, &w), HF_ERR_AUTH);
	sk_X509_push(w.c.chain, leaf);
	sk_X509_push(w.c.chain, mid);
	assert_int_equal(claim(m, &w), 0);
	assert_string_equal(w.claim.group, "b-mid");
	assert_string_equal(w.claim.kind, "x509");
	registry_enrollment_delete(m->e.registry, 1, "b-mid", &m->err);
	assert_int_equal(claim(m, &w), 0);
	assert_string_equal(w.claim.group, "a-root");
	end(&w);
	sk_X509_free(w.c.chain);
	X509_free(root);
	X509_free(mid);
	X509_free(leaf);
	EVP_PKEY_free(key);
	free(root_pem);
	free(mid_pem);
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(nothing_shown),
		MADE(an_individual_as_it_is_spelt),
		MADE(a_group_with_the_documented_key),
		MADE(a_disabled_twin),
		MADE(a_tpm_before_its_challenge),
		MADE(the_nearest_ca),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
