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

/* 0, or the service's code; `put` is taken, `out` may be NULL. */
static int
try(struct made *m, int group, const char *id, json_t *put, const json_t *old, json_t **out)
{
	json_t *made = NULL;
	int r;

	assert_non_null(put);
	err_clear(&m->err);
	r = enrollment_read(&m->e.conf, group, id, put, old, &made, &m->err);
	json_decref(put);
	if (r < 0) {
		assert_null(made);
		assert_int_equal(r, HF_ERR_SERVICE);
		assert_int_equal(m->err.status, 400);
		return m->err.service;
	}
	if (out)
		*out = made;
	else
		json_decref(made);
	return 0;
}

static json_t *
keys_and(const char *name, json_t *value)
{
	json_t *o = with_keys();

	json_object_set_new(o, name, value);
	return o;
}

static void
defaults(void **state)
{
	struct made *m = *state;
	json_t *o, *want;

	assert_int_equal(try(m, 0, "Dev:1", with_keys(), NULL, &o), 0);
	want = json_pack("{s:s, s:{s:b}, s:s, s:s, s:{s:b, s:b}, s:{s:s, s:{s:s, s:s}}}", "registrationId",
	    "Dev:1", "capabilities", "iotEdge", 0, "allocationPolicy", "hashed", "provisioningStatus",
	    "enabled", "reprovisionPolicy", "updateHubAssignment", 1, "migrateDeviceData", 1, "attestation",
	    "type", "symmetricKey", "symmetricKey", "primaryKey", KEY_A, "secondaryKey", KEY_B);
	assert_true(json_equal(o, want));
	json_decref(o);
	json_decref(want);
	/* what is not the owner's to say, and what nobody knows, is left out; null is as good as absent */
	assert_int_equal(try(m, 0, "dev", keys_and("etag", json_string("mine")), NULL, &o), 0);
	assert_null(js_get(o, "etag"));
	json_decref(o);
	assert_int_equal(try(m, 0, "dev", keys_and("deviceId", json_null()), NULL, &o), 0);
	assert_null(json_object_get(o, "deviceId"));
	json_decref(o);
	assert_int_equal(try(m, 1, "grp", keys_and("deviceId", json_string("x")), NULL, &o), 0);
	assert_null(js_get(o, "deviceId"));
	assert_string_equal(js_str(o, "enrollmentGroupId", ""), "grp");
	json_decref(o);
	/* the id as the body spells it */
	assert_int_equal(try(m, 0, "dev", keys_and("registrationId", json_string("DEV")), NULL, &o), 0);
	assert_string_equal(js_str(o, "registrationId", ""), "DEV");
	json_decref(o);
}

static void
what_cannot_be_enrolled(void **state)
{
	struct made *m = *state;
	char long_id[130];

	memset(long_id, 'x', 129);
	long_id[129] = '\0';
	assert_int_equal(try(m, 0, long_id, with_keys(), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev.", with_keys(), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "de v", with_keys(), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev", json_pack("[]"), NULL, NULL), 400006);
	assert_int_equal(try(m, 0, "dev", json_pack("{}"), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("registrationId", json_string("other")), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev", keys_and("deviceId", json_integer(1)), NULL, NULL), 400006);
	assert_int_equal(try(m, 0, "dev", keys_and("deviceId", json_string("a b")), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev", keys_and("deviceId", json_string("")), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("provisioningStatus", json_string("on")), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("allocationPolicy", json_string("custom")), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("allocationPolicy", json_string("best")), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("iotHubHostName", json_string("no.net")), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("iotHubs", json_pack("[s,s]", "127.0.0.2", "no")), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev", keys_and("iotHubs", json_pack("[i]", 1)), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("iotHubs", json_pack("[s]", "HUB.example.net")), NULL, NULL), 0);
	assert_int_equal(
	    try(m, 0, "dev", keys_and("attestation", json_pack("{s:s}", "type", "none")), NULL, NULL),
	    400004);
	assert_int_equal(try(m, 0, "dev", keys_and("attestation", json_string("x")), NULL, NULL), 400004);
	assert_int_equal(try(m, 1, "grp", with_ek("AA=="), NULL, NULL), 400004);
	assert_non_null(strstr(m->err.text, "a group"));
}

static int
try_custom(struct made *m, const char *url, const char *api)
{
	json_t *o = keys_and("allocationPolicy", json_string("custom"));

	json_object_set_new(
	    o, "customAllocationDefinition", json_pack("{s:s*, s:s*}", "webhookUrl", url, "apiVersion", api));
	return try(m, 0, "dev", o, NULL, NULL);
}

static void
webhooks(void **state)
{
	struct made *m = *state;

	assert_int_equal(try_custom(m, "https://app.example/api/f?code=k", "2021-10-01"), 0);
	assert_int_equal(try_custom(m, "http://localhost:7071/api/f", "2019-03-31"), 0);
	assert_int_equal(try_custom(m, "http://app.example/api/f", "2019-03-31"), 400004);
	assert_int_equal(try_custom(m, NULL, "2019-03-31"), 400004);
	assert_int_equal(try_custom(m, "https://app.example", NULL), 400004);
	assert_int_equal(try_custom(m, "https://app.example", "soon"), 400004);
}

static void
initial_twins(void **state)
{
	static const char *const bad[] = { "{\"tags\":[]}", "{\"properties\":7}",
		"{\"properties\":{\"desired\":\"x\"}}" };
	struct made *m = *state;
	json_t *twin = json_pack("{s:{}, s:{s:{s:i}}}", "tags", "properties", "desired", "v", 1), *o;
	size_t i;

	assert_int_equal(try(m, 0, "dev", keys_and("initialTwin", twin), NULL, &o), 0);
	assert_int_equal(
	    js_int(js_get(js_get(js_get(o, "initialTwin"), "properties"), "desired"), "v", 0), 1);
	json_decref(o);
	for (i = 0; i < 3; i++)
		assert_int_equal(
		    try(m, 0, "dev",
			keys_and("initialTwin", js_parse(bad[i], strlen(bad[i]), "twin", &m->err)), NULL,
			NULL),
		    400004);
	assert_int_equal(try(m, 0, "dev", keys_and("initialTwin", json_string("x")), NULL, NULL), 400006);
}

static json_t *
one_key(const char *key)
{
	return json_pack(
	    "{s:{s:s, s:{s:s}}}", "attestation", "type", "symmetricKey", "symmetricKey", "primaryKey", key);
}

static void
keys(void **state)
{
	struct made *m = *state;
	json_t *a, *b, *c;
	const char *first, *second;
	struct buf raw = { 0 };

	assert_int_equal(
	    try(m, 0, "dev", json_pack("{s:{s:s}}", "attestation", "type", "symmetricKey"), NULL, &a), 0);
	first = js_str(js_get(js_get(a, "attestation"), "symmetricKey"), "primaryKey", "");
	second = js_str(js_get(js_get(a, "attestation"), "symmetricKey"), "secondaryKey", "");
	assert_string_not_equal(first, second);
	assert_int_equal(b64_get(&raw, first, strlen(first)), 0);
	assert_int_equal(buf_size(&raw), 64);
	buf_free(&raw);
	/* keys that are not named stay, others are new */
	assert_int_equal(try(m, 0, "dev", one_key(""), a, &b), 0);
	assert_true(json_equal(a, b));
	assert_int_equal(try(m, 0, "dev", one_key(KEY_A), a, &c), 0);
	assert_string_equal(
	    js_str(js_get(js_get(c, "attestation"), "symmetricKey"), "primaryKey", ""), KEY_A);
	assert_string_equal(
	    js_str(js_get(js_get(c, "attestation"), "symmetricKey"), "secondaryKey", ""), second);
	assert_int_equal(try(m, 0, "dev", one_key("AAECAwQFBgcICQoLDA0O"), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev", one_key("no base64 at all!"), NULL, NULL), 400004);
	json_decref(a);
	json_decref(b);
	json_decref(c);
}

static void
endorsement_keys(void **state)
{
	struct made *m = *state;
	struct soft_tpm t;

	make_tpm(&t);
	assert_int_equal(try(m, 0, "dev", with_ek(buf_str(&t.ek_text)), NULL, NULL), 0);
	t.ek_text.p[t.ek_text.len - 9] = '\0';
	assert_int_equal(try(m, 0, "dev", with_ek((char *)t.ek_text.p), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev", with_ek(""), NULL, NULL), 400004);
	assert_int_equal(try(m, 0, "dev", with_ek("%%%"), NULL, NULL), 400004);
	assert_int_equal(
	    try(m, 0, "dev", json_pack("{s:{s:s}}", "attestation", "type", "tpm"), NULL, NULL), 400004);
	drop_tpm(&t);
}

static void
certificates(void **state)
{
	struct made *m = *state;
	EVP_PKEY *key = make_key();
	X509 *ca = make_cert(&(struct cert_wish){ "Line 7 CA", 1, -1, NOW, NOW + YEAR }, key, NULL, NULL), *x;
	X509 *leaf = make_cert(&(struct cert_wish){ "dev", 0, -1, NOW, NOW + YEAR }, key, ca, key);
	char *ca_pem = make_pem(ca), *leaf_pem = make_pem(leaf), sha1[41], sha256[65];
	json_t *stored, *again, *shown;
	const json_t *info;

	assert_int_equal(try(m, 1, "grp", with_certificate(1, ca_pem), NULL, &stored), 0);
	assert_int_equal(try(m, 0, "dev", with_certificate(0, leaf_pem), NULL, NULL), 0);
	assert_int_equal(try(m, 1, "grp", with_certificate(1, leaf_pem), NULL, NULL), 400004);
	assert_non_null(strstr(m->err.text, "CA"));
	assert_int_equal(try(m, 1, "grp", with_certificate(0, ca_pem), NULL, NULL), 400004);
	assert_int_equal(try(m, 1, "grp",
			     json_pack("{s:{s:s, s:{s:{s:s}}}}", "attestation", "type", "x509", "x509",
				 "caReferences", "primary", "uploaded"),
			     NULL, NULL),
	    400004);
	assert_non_null(strstr(m->err.text, "uploaded"));
	assert_int_equal(try(m, 0, "dev", with_certificate(0, "rubbish"), NULL, NULL), 400004);
	assert_int_equal(enrollment_certificate(stored, "primary", &x), 1);
	assert_int_equal(X509_cmp(x, ca), 0);
	X509_free(x);
	assert_int_equal(enrollment_certificate(stored, "secondary", &x), 0);
	shown = enrollment_show(stored);
	info = js_get(js_get(js_get(js_get(shown, "attestation"), "x509"), "signingCertificates"), "primary");
	assert_null(js_get(info, "certificate"));
	info = js_get(info, "info");
	attest_thumbprint(ca, sha1, sha256);
	assert_string_equal(js_str(info, "subjectName", ""), "CN=Line 7 CA");
	assert_string_equal(js_str(info, "issuerName", ""), "CN=Line 7 CA");
	assert_string_equal(js_str(info, "sha1Thumbprint", ""), sha1);
	assert_string_equal(js_str(info, "sha256Thumbprint", ""), sha256);
	assert_string_equal(js_str(info, "notBeforeUtc", ""), "2023-11-14T22:13:20.0000000Z");
	assert_int_equal(js_int(info, "version", 0), 3);
	assert_true(*js_str(info, "serialNumber", "") != '\0');
	/* what was read can be put again: the certificate behind the info stays */
	assert_int_equal(try(m, 1, "grp", json_deep_copy(shown), stored, &again), 0);
	assert_true(json_equal(stored, again));
	assert_int_equal(try(m, 1, "grp", shown, NULL, NULL), 400004);
	json_decref(stored);
	json_decref(again);
	X509_free(ca);
	X509_free(leaf);
	EVP_PKEY_free(key);
	free(ca_pem);
	free(leaf_pem);
}

static void
what_is_shown(void **state)
{
	struct made *m = *state;
	json_t *stored, *shown, *attestation;

	assert_int_equal(try(m, 0, "dev", with_keys(), NULL, &stored), 0);
	shown = enrollment_show(stored);
	attestation = enrollment_attestation(stored);
	assert_null(js_get(js_get(shown, "attestation"), "symmetricKey"));
	assert_string_equal(js_str(js_get(attestation, "symmetricKey"), "secondaryKey", ""), KEY_B);
	assert_string_equal(
	    js_str(js_get(js_get(stored, "attestation"), "symmetricKey"), "primaryKey", ""), KEY_A);
	json_decref(stored);
	json_decref(shown);
	json_decref(attestation);
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(defaults),
		MADE(what_cannot_be_enrolled),
		MADE(webhooks),
		MADE(initial_twins),
		MADE(keys),
		MADE(endorsement_keys),
		MADE(certificates),
		MADE(what_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
