#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ui.h>
#include "hsm/hsm.h"

static int
refuse(char *dst, int cap, int writing, void *asked)
{
	(void)dst;
	(void)cap;
	(void)writing;
	*(int *)asked += 1;
	return -1;
}

static EVP_PKEY *
read_text(const void *p, size_t n)
{
	struct buf text = { 0 };
	EVP_PKEY *key;
	int asked = 0;

	assert_int_equal(buf_put(&text, p, n), 0);
	key = hsm_pem_key(&text, refuse, &asked);
	assert_int_equal(asked, 0);
	ERR_clear_error();
	buf_free(&text);
	return key;
}

static void
signs_for(EVP_PKEY *secret, EVP_PKEY *public, const EVP_MD *md)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[600];
	size_t n = sizeof sig;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, secret), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"holdfast", 8), 1);
	EVP_MD_CTX_reset(ctx);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, md, NULL, public), 1);
	assert_int_equal(EVP_DigestVerify(ctx, sig, n, (const uint8_t *)"holdfast", 8), 1);
	EVP_MD_CTX_free(ctx);
}

/* The key as openssl writes it, in both ways, behind other things. */
static void
reads_back(EVP_PKEY *made, const EVP_MD *md, int traditional)
{
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key;
	char *p;
	long n;

	BIO_puts(bio,
	    "Bag Attributes: none\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
	if (traditional)
		assert_int_equal(
		    PEM_write_bio_PrivateKey_traditional(bio, made, NULL, NULL, 0, NULL, NULL), 1);
	else
		assert_int_equal(PEM_write_bio_PrivateKey(bio, made, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	key = read_text(p, (size_t)n);
	assert_non_null(key);
	assert_int_equal(EVP_PKEY_eq(key, made), 1);
	signs_for(key, made, md);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

static void
reads_what_openssl_writes(void **state)
{
	static const char *const curves[] = { "P-256", "P-384", "P-521" };
	EVP_PKEY *key;

	(void)state;
	for (int i = 0; i < 30; i++) { /* numbers that begin with zeros, too */
		key = EVP_EC_gen(curves[i % 3]);
		reads_back(key, EVP_sha256(), 0);
		reads_back(key, EVP_sha256(), 1);
		EVP_PKEY_free(key);
	}
	key = EVP_RSA_gen(2048);
	reads_back(key, EVP_sha256(), 0);
	reads_back(key, EVP_sha256(), 1);
	EVP_PKEY_free(key);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	reads_back(key, NULL, 0);
	EVP_PKEY_free(key);
}

static void
leaves_the_unusual_to_openssl(void **state)
{
	EVP_PKEY *made = EVP_EC_gen("P-256"), *key;
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	(void)state;
	EVP_PKEY_set_int_param(made, OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, 0);
	PEM_write_bio_PrivateKey(bio, made, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	key = read_text(p, (size_t)n);
	assert_non_null(key);
	signs_for(key, made, EVP_sha256());
	EVP_PKEY_free(key);
	EVP_PKEY_free(made);
	BIO_free(bio);
}

static void
asks_for_a_passphrase(void **state)
{
	EVP_PKEY *made = EVP_EC_gen("P-256");
	struct buf text = { 0 };
	int asked;
	BIO *bio;
	char *p;
	long n;

	(void)state;
	for (int traditional = 0; traditional < 2; traditional++) {
		bio = BIO_new(BIO_s_mem());
		if (traditional)
			PEM_write_bio_PrivateKey_traditional(
			    bio, made, EVP_aes_128_cbc(), (const uint8_t *)"x", 1, NULL, NULL);
		else
			PEM_write_bio_PrivateKey(
			    bio, made, EVP_aes_128_cbc(), (const uint8_t *)"x", 1, NULL, NULL);
		n = BIO_get_mem_data(bio, &p);
		assert_int_equal(buf_put(&text, p, (size_t)n), 0);
		asked = 0;
		assert_null(hsm_pem_key(&text, refuse, &asked));
		assert_true(asked > 0);
		ERR_clear_error();
		buf_free(&text);
		BIO_free(bio);
	}
	EVP_PKEY_free(made);
}

/* Whatever stands between the lines: a key or none, and nothing worse. */
static void
bears_anything(void **state)
{
	EVP_PKEY *made[] = { EVP_EC_gen("P-256"), EVP_RSA_gen(1024) };
	static const char *const names[] = { "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY" };
	uint8_t *der, *copy;
	char *text;
	int n, len;
	BIO *bio;
	long size;

	(void)state;
	for (int i = 0; i < 2; i++) {
		der = NULL;
		len = i2d_PrivateKey(made[i], &der);
		assert_true(len > 0);
		for (n = 0; n < len; n += i == 0 ? 1 : 7) {
			copy = malloc((size_t)len);
			memcpy(copy, der, (size_t)len);
			copy[n] ^= (uint8_t)(1 << n % 8);
			for (int k = 0; k < 3; k++) {
				bio = BIO_new(BIO_s_mem());
				PEM_write_bio(bio, names[k], "", copy, k == 0 ? n : len);
				size = BIO_get_mem_data(bio, &text);
				EVP_PKEY_free(read_text(text, (size_t)size));
				BIO_free(bio);
			}
			free(copy);
		}
		OPENSSL_free(der);
		EVP_PKEY_free(made[i]);
	}
	assert_null(read_text("", 0));
	assert_null(read_text("hello", 5));
}

static int asked;

static int
ask(UI *ui)
{
	(void)ui;
	asked++;
	return 0;
}

/* Nothing in a certificate is secret: an encrypted one is refused, and no person is asked. */
static void
asks_nobody_about_certificates(void **state)
{
	static const char encrypted[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
					"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
					"AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";
	UI_METHOD *asker = UI_create_method("asker");
	struct buf text = { 0 };
	struct hf_error err = { 0 };
	STACK_OF(X509) * chain;

	(void)state;
	UI_method_set_opener(asker, ask);
	UI_set_default_method(asker);
	assert_int_equal(buf_puts(&text, encrypted), 0);
	assert_int_equal(hsm_pem_chain(&chain, &text, "it", &err), HF_ERR_KEY);
	assert_null(chain);
	assert_int_equal(asked, 0);
	UI_set_default_method(NULL);
	UI_destroy_method(asker);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_openssl_writes),
		cmocka_unit_test(leaves_the_unusual_to_openssl),
		cmocka_unit_test(asks_for_a_passphrase),
		cmocka_unit_test(bears_anything),
		cmocka_unit_test(asks_nobody_about_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
