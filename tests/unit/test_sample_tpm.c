#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "emulator.h"
#include "make_tpm.h"
#include "samples/custom_hsm/soft_tpm.c" /* it is the sample's, and no library's */

static struct soft_tpm chip;
static struct buf blob;
static uint8_t secret[32];
static char *ek, *srk;

static char *
pem_of(EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p, *text;
	long n;

	PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(b, &p);
	text = calloc(1, (size_t)n + 1);
	memcpy(text, p, (size_t)n);
	BIO_free(b);
	return text;
}

static int
make(void **state)
{
	struct hf_error err = { 0 };

	(void)state;
	make_tpm(&chip);
	ek = pem_of(chip.ek);
	srk = pem_of(chip.srk);
	memset(secret, 0x5a, sizeof secret);
	return attest_tpm_blob(&blob, buf_data(&chip.ek_public), buf_size(&chip.ek_public),
	    buf_data(&chip.srk_public), buf_size(&chip.srk_public), secret, "https://example/it", &err);
}

static int
clean(void **state)
{
	(void)state;
	drop_tpm(&chip);
	buf_free(&blob);
	free(ek);
	free(srk);
	return 0;
}

static void
tells_its_public_keys(void **state)
{
	unsigned char *area = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(soft_tpm_public(ek, SOFT_TPM_EK, &area, &n), 0);
	assert_int_equal(n, buf_size(&chip.ek_public));
	assert_memory_equal(area, buf_data(&chip.ek_public), n);
	free(area);
	assert_int_equal(soft_tpm_public(srk, SOFT_TPM_SRK, &area, &n), 0);
	assert_int_equal(n, buf_size(&chip.srk_public));
	assert_memory_equal(area, buf_data(&chip.srk_public), n);
	free(area);
	assert_int_equal(soft_tpm_public("<openssl genrsa 2048>", SOFT_TPM_EK, &area, &n), 1);
	assert_null(area);
}

static void
unwraps_the_services_key(void **state)
{
	struct soft_tpm_key key = { { 0 }, 0 };
	unsigned char *mac = NULL, want[32];
	size_t n = 0;

	(void)state;
	assert_int_equal(soft_tpm_sign(&key, (const uint8_t *)"data", 4, &mac, &n), 1);
	assert_int_equal(soft_tpm_import(ek, srk, buf_data(&blob), buf_size(&blob), &key), 0);
	assert_int_equal(key.len, 32);
	assert_memory_equal(key.bytes, secret, 32);
	assert_int_equal(soft_tpm_sign(&key, (const uint8_t *)"data", 4, &mac, &n), 0);
	sas_hmac(secret, 32, "data", 4, want);
	assert_int_equal(n, 32);
	assert_memory_equal(mac, want, 32);
	free(mac);
	soft_tpm_forget(&key);
	assert_int_equal(key.len, 0);
	assert_int_equal(soft_tpm_import(srk, ek, buf_data(&blob), buf_size(&blob), &key), 1);
}

/* Fields 1 to 5 are protected; the sixth is not, and not looked at. */
static void
takes_nothing_else(void **state)
{
	uint8_t *copy = malloc(buf_size(&blob));
	struct soft_tpm_key key = { { 0 }, 0 };
	size_t five = 54 + 258 + 144 + 258 + 50;

	(void)state;
	memcpy(copy, buf_data(&blob), buf_size(&blob));
	for (size_t i = 0; i < five; i += i < 8 ? 1 : 7) {
		copy[i] ^= 0x10;
		if (soft_tpm_import(ek, srk, copy, buf_size(&blob), &key) != 1)
			fail_msg("byte %zu is changed, and taken", i);
		copy[i] ^= 0x10;
	}
	free(copy);
	for (size_t n = 0; n < five; n += 13) {
		copy = malloc(n + 1);
		memcpy(copy, buf_data(&blob), n);
		assert_int_equal(soft_tpm_import(ek, srk, copy, n, &key), 1);
		free(copy);
	}
	assert_int_equal(key.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_its_public_keys),
		cmocka_unit_test(unwraps_the_services_key),
		cmocka_unit_test(takes_nothing_else),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
