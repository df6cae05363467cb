#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include "base/str.h"
#include "emulator.h"
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

/* An SRK (or EK) as TPM2B_PUBLIC around a modulus. */
static size_t
make_public(uint8_t *dst, int ek, const uint8_t modulus[256])
{
	static const uint8_t ek_policy[32] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90,
		0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2,
		0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
	static const uint8_t rest[] = { 0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0, 1, 0 };
	uint8_t *p = dst;
	const uint8_t head[] = { 1, ek ? 0x3a : 0x1a, 0, 1, 0, 0x0b, 0, 3, ek ? 0 : 4, ek ? 0xb2 : 0x72, 0,
		ek ? 32 : 0 };

	memcpy(p, head, sizeof head);
	p += sizeof head;
	if (ek) {
		memcpy(p, ek_policy, 32);
		p += 32;
	}
	memcpy(p, rest, sizeof rest);
	p += sizeof rest;
	memcpy(p, modulus, 256);
	return (size_t)(p + 256 - dst);
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

static EVP_PKEY *
rsa(uint8_t modulus[256])
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIGNUM *n = NULL;

	assert_non_null(key);
	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	assert_int_equal(BN_bn2binpad(n, modulus, 256), 256);
	BN_free(n);
	return key;
}

static size_t
open_secret(EVP_PKEY *key, const char *label, struct tpm_part part, uint8_t out[256])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = 256;

	EVP_PKEY_decrypt_init(ctx);
	EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256());
	EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256());
	EVP_PKEY_CTX_set0_rsa_oaep_label(
	    ctx, OPENSSL_memdup(label, strlen(label) + 1), (int)strlen(label) + 1);
	if (EVP_PKEY_decrypt(ctx, out, &n, part.p, part.len) <= 0)
		n = 0;
	EVP_PKEY_CTX_free(ctx);
	return n;
}

/* Each secret opens with its own TPM key and label, and with no other. */
static void
whole_blob(void **state)
{
	struct buf blob = { 0 }, other = { 0 };
	struct tpm_blob parts;
	struct tpm_public srk_pub;
	struct hf_error err = { 0 };
	uint8_t ek_mod[256], srk_mod[256], ek[400], srk[400], key[32], seed[256];
	EVP_PKEY *ek_key = rsa(ek_mod), *srk_key = rsa(srk_mod);
	size_t ek_len = make_public(ek, 1, ek_mod), srk_len = make_public(srk, 0, srk_mod);

	(void)state;
	assert_int_equal(ek_len, 316);
	count(key, 32, 1);
	assert_int_equal(attest_tpm_blob(&blob, ek, ek_len, srk, srk_len, key, "https://hub/dev", &err), 0);
	assert_int_equal(buf_size(&blob), 764 + 2 + 15);
	assert_int_equal(tpm_get_blob(buf_data(&blob), buf_size(&blob), &parts, &err), 0);
	assert_int_equal(tpm_get_public(srk, srk_len, &srk_pub, &err), 0);
	assert_int_equal(open_secret(ek_key, "IDENTITY", parts.part[TPM_ID_SECRET], seed), 32);
	assert_int_equal(open_secret(srk_key, "DUPLICATE", parts.part[TPM_DUP_SECRET], seed), 32);
	assert_int_equal(open_secret(srk_key, "IDENTITY", parts.part[TPM_ID_SECRET], seed), 0);
	/* never the same twice */
	assert_int_equal(attest_tpm_blob(&other, ek, ek_len, srk, srk_len, key, "", &err), 0);
	assert_int_equal(buf_size(&other), 766);
	assert_memory_not_equal(buf_data(&blob), buf_data(&other), 54);
	assert_memory_not_equal(buf_data(&blob) + 312, buf_data(&other) + 312, 144);
	buf_free(&blob);
	buf_free(&other);
	EVP_PKEY_free(ek_key);
	EVP_PKEY_free(srk_key);
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
