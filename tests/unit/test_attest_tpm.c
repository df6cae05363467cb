#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "emulator.h"
#include "make_tpm.h"
#include "msg/tpm.h"

/* Known answers: the storage root key has modulus bytes 80..ff, 00..7f; the random values count upwards. */
static const char id_object[] =
    "00200FB769F515B5563BDB2456BF582E199F80A04E7C94ADB972533BBEBFE82069647DA163C7299D9C3243FC2"
    "77748F90972DF32";
static const char public_area[] =
    "0008000B0004044000000005000B00209AFAEEF005E286957EE9A18A2481A75C7FC7BA74BAE8DE50FFA6127B12A62CAE";
static const char duplicate[] =
    "002004396F85763FC7725F53A25814E7020E1BDBF6E8F8A4E1174A649066ABC356FF5FCAF47CAB4221EB5EEA453DD677E61C4C666D585819B"
    "94A1AA47376EA3350B122E8B09ED37D3E3D73F47644EC8271E4255CC770CFFB41FCF0EB44927B664956DD085F06C5C5AC21DC97A68F9558D3"
    "A12CA4C1FD5A90807A5980BEE164E29D58385A6DF2F9631FA61A82FF54";

static void
count(uint8_t *p, size_t n, uint8_t from)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(from + i);
}

static void
assert_hex(const struct buf *b, const char *want)
{
	char text[1024];

	assert_in_range(buf_size(b), 1, 500);
	str_hex(text, buf_data(b), buf_size(b));
	assert_string_equal(text, want);
}

static void
known_answers(void **state)
{
	struct buf a = { 0 }, b = { 0 };
	struct tpm_seeds seeds;
	struct tpm_public srk;
	struct hf_error err = { 0 };
	uint8_t modulus[256], raw[400], key[32];
	size_t n;

	(void)state;
	count(modulus, 256, 0x80);
	n = make_public(raw, 0, modulus);
	assert_int_equal(n, 284);
	assert_int_equal(tpm_get_public(raw, n, &srk, &err), 0);
	count(seeds.id_seed, 32, 0);
	count(seeds.inner, 16, 0x20);
	count(seeds.obfuscation, 32, 0x40);
	count(seeds.dup_seed, 32, 0x80);
	count(key, 32, 0x60);
	assert_int_equal(attest_tpm_credential(&a, &srk, &seeds), 0);
	assert_hex(&a, id_object);
	buf_free(&a);
	assert_int_equal(attest_tpm_duplicate(&a, &b, key, &seeds), 0);
	assert_hex(&a, public_area);
	assert_hex(&b, duplicate);
	buf_free(&a);
	buf_free(&b);
}

static void
whole_blob(void **state)
{
	static const char extra[] = "https://hub/dev";
	struct buf blob = { 0 }, other = { 0 }, text = { 0 };
	struct tpm_blob parts;
	struct hf_error err = { 0 };
	struct soft_tpm tpm, stranger;
	uint8_t key[32], found[32], seed[256];

	(void)state;
	make_tpm(&tpm);
	make_tpm(&stranger);
	count(key, 32, 1);
	assert_int_equal(attest_tpm_blob(&blob, buf_data(&tpm.ek_public), buf_size(&tpm.ek_public),
			     buf_data(&tpm.srk_public), buf_size(&tpm.srk_public), key, extra, &err),
	    0);
	assert_int_equal(buf_size(&blob), 764 + 2 + strlen(extra));
	assert_int_equal(b64_put(&text, buf_data(&blob), buf_size(&blob)), 0);
	assert_true(activate(&tpm, buf_str(&text), found));
	assert_memory_equal(found, key, 32);
	assert_false(activate(&stranger, buf_str(&text), found));
	assert_int_equal(tpm_get_blob(buf_data(&blob), buf_size(&blob), &parts, &err), 0);
	assert_int_equal(open_secret(tpm.srk, "IDENTITY", parts.part[TPM_ID_SECRET], seed), 0);
	/* never the same twice */
	assert_int_equal(attest_tpm_blob(&other, buf_data(&tpm.ek_public), buf_size(&tpm.ek_public),
			     buf_data(&tpm.srk_public), buf_size(&tpm.srk_public), key, "", &err),
	    0);
	assert_int_equal(buf_size(&other), 766);
	assert_memory_not_equal(buf_data(&blob), buf_data(&other), 54);
	assert_memory_not_equal(buf_data(&blob) + 312, buf_data(&other) + 312, 144);
	buf_free(&blob);
	buf_free(&other);
	buf_free(&text);
	drop_tpm(&tpm);
	drop_tpm(&stranger);
}

static void
refused(const uint8_t *ek, size_t ek_len, const uint8_t *srk, size_t srk_len, const char *why)
{
	static const uint8_t key[32] = { 1 };
	struct buf blob = { 0 };
	struct hf_error err = { 0 };

	assert_int_equal(attest_tpm_blob(&blob, ek, ek_len, srk, srk_len, key, "", &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, why));
	assert_int_equal(buf_size(&blob), 0);
	buf_free(&blob);
}

static void
wrong_keys(void **state)
{
	uint8_t mod[256], ek[400], srk[400], bad[400];
	size_t ek_len, srk_len, i;

	(void)state;
	count(mod, 256, 0x80);
	ek_len = make_public(ek, 1, mod);
	srk_len = make_public(srk, 0, mod);
	refused(ek, 0, srk, srk_len, "endorsement");
	refused(ek, ek_len, srk, 0, "storage root");
	for (i = 1; i < ek_len; i += 13)
		refused(ek, i, srk, srk_len, "endorsement");
	memcpy(bad, srk, srk_len);
	bad[3] = 0x23; /* an elliptic curve key */
	refused(ek, ek_len, bad, srk_len, "storage root");
	memcpy(bad, srk, srk_len);
	bad[8] = 0x06, bad[7] = 0; /* a signing key */
	refused(ek, ek_len, bad, srk_len, "storage root");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(whole_blob),
		cmocka_unit_test(wrong_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
