#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include "hsm/hsm.h"

static char dir[] = "/tmp/holdfast-file-XXXXXX", chain[64], bare[64], one[64], other[64], locked[64], old[64],
	    oldlocked[64], junk[64];
static EVP_PKEY *pkey;
static struct hf_error err;

static X509 *
issue(const char *cn, EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	if (cn)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Plant", -1, -1, 0);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	return x;
}

static void
put_certificates(const char *path, X509 *a, X509 *b)
{
	FILE *f = fopen(path, "w");

	PEM_write_X509(f, a);
	if (b)
		PEM_write_X509(f, b);
	fclose(f);
	X509_free(a);
	X509_free(b);
}

static int
make(void **state)
{
	EVP_PKEY *ca = EVP_EC_gen("P-256");
	FILE *f;

	(void)state;
	pkey = EVP_EC_gen("P-256");
	if (!pkey || !ca || !mkdtemp(dir))
		return -1;
	snprintf(chain, sizeof chain, "%s/chain.pem", dir);
	snprintf(bare, sizeof bare, "%s/bare.pem", dir);
	snprintf(one, sizeof one, "%s/key.pem", dir);
	snprintf(other, sizeof other, "%s/other.pem", dir);
	snprintf(locked, sizeof locked, "%s/locked.pem", dir);
	snprintf(old, sizeof old, "%s/old.pem", dir);
	snprintf(oldlocked, sizeof oldlocked, "%s/oldlocked.pem", dir);
	snprintf(junk, sizeof junk, "%s/junk.pem", dir);
	put_certificates(chain, issue("press-7", pkey), issue("Plant CA", ca));
	put_certificates(bare, issue(NULL, pkey), NULL);
	f = fopen(one, "w");
	PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL);
	f = freopen(other, "w", f);
	PEM_write_PrivateKey(f, ca, NULL, NULL, 0, NULL, NULL);
	f = freopen(locked, "w", f);
	PEM_write_PKCS8PrivateKey(f, pkey, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
	BIO *bio = BIO_new_file(old, "w");
	PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_file(oldlocked, "w");
	PEM_write_bio_PrivateKey_traditional(
	    bio, pkey, EVP_aes_128_cbc(), (uint8_t *)(uintptr_t) "secret", 6, NULL, NULL);
	BIO_free(bio);
	f = freopen(junk, "w", f);
	fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
	fclose(f);
	EVP_PKEY_free(ca);
	return 0;
}

static int
clean(void **state)
{
	const char *all[] = { chain, bare, one, other, locked, old, oldlocked, junk };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		unlink(all[i]);
	EVP_PKEY_free(pkey);
	return rmdir(dir);
}

static void
accepted(const char *cert, const char *uri, int certificates, const char *id)
{
	STACK_OF(X509) *got = NULL;
	EVP_PKEY *key = NULL;
	struct hsm *h = NULL;
	unsigned char *der = NULL;
	uint8_t hash[32];
	int n;

	err_clear(&err);
	if (hsm_x509_open(&h, cert, uri, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(h->kind, HSM_X509);
	if (h->blocks && h->ops->identity(h, 0, NULL, NULL, &err) < 0) /* a passphrase may be waited for */
		fail_msg("%s", err.text);
	assert_string_equal(h->registration_id, id);
	assert_null(h->ops->hmac);
	assert_int_equal(h->ops->certificate(h, &got, &err), 0);
	assert_int_equal(sk_X509_num(got), certificates);
	assert_int_equal(h->ops->key(h, &key, &err), 0);
	assert_int_equal(EVP_PKEY_eq(key, pkey), 1);
	assert_int_equal(X509_check_private_key(sk_X509_value(got, 0), key), 1);
	n = i2d_PUBKEY(pkey, &der);
	EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL);
	assert_memory_equal(h->fingerprint, hash, 32);
	OPENSSL_free(der);
	hsm_close(h);
}

static void
opens(void **state)
{
	char uri[80];

	(void)state;
	accepted(chain, one, 2, "press-7");
	accepted(bare, one, 1, "");
	accepted(chain, old, 2, "press-7");
	snprintf(uri, sizeof uri, "file:%s", one);
	accepted(chain, uri, 2, "press-7");
	snprintf(uri, sizeof uri, "FILE:%s", one);
	accepted(chain, uri, 2, "press-7");
}

static void
opens_with_a_passphrase(void **state)
{
	const char *files[] = { locked, oldlocked };
	struct hsm *h;
	char uri[200];
	FILE *f = fopen(junk, "w"); /* any file will do */

	(void)state;
	fputs("secret\n", f);
	fclose(f);
	for (size_t i = 0; i < 2; i++) {
		snprintf(uri, sizeof uri, "file:%s?passphrase-source=%s", files[i], junk);
		accepted(chain, uri, 2, "press-7");
	}
	f = fopen(junk, "w");
	fputs("wrong", f);
	fclose(f);
	err_clear(&err);
	assert_int_equal(hsm_x509_open(&h, chain, uri, NULL, &err), 0);
	assert_int_equal(h->ops->identity(h, 0, NULL, NULL, &err), HF_ERR_KEY);
	assert_non_null(strstr(err.text, "the passphrase does not open it"));
	assert_null(strstr(err.text, "wrong"));
	hsm_close(h);
}

static void
refused(const char *cert, const char *uri, int code, const char *words)
{
	struct hsm *h = (struct hsm *)&err;

	err_clear(&err);
	assert_int_equal(hsm_x509_open(&h, cert, uri, NULL, &err), code);
	assert_null(h);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
refuses(void **state)
{
	(void)state;
	refused(NULL, one, HF_ERR_ARGS, "--cert");
	refused(chain, NULL, HF_ERR_ARGS, "--key");
	refused(chain, other, HF_ERR_KEY, "does not belong");
	refused(chain, locked, HF_ERR_KEY, "passphrase-source=");
	refused(chain, oldlocked, HF_ERR_KEY, "passphrase-source=");
	refused(chain, "vault:dev", HF_ERR_UNSUPPORTED, "\"vault:\"");
	refused(chain, "symkey:/dev/null", HF_ERR_ARGS, "symkey");
	refused(chain, "file:k.pem?colour=red", HF_ERR_ARGS, "colour");
	refused(chain, junk, HF_ERR_KEY, junk);
	refused(junk, one, HF_ERR_KEY, junk);
	refused(one, one, HF_ERR_KEY, "no PEM certificate");
	refused("/nonexistent/c.pem", one, HF_ERR_IO, "/nonexistent/c.pem");
	refused(chain, "/nonexistent/k.pem", HF_ERR_IO, "/nonexistent/k.pem");
	refused(chain, "./a:b", HF_ERR_IO, "./a:b");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(opens), cmocka_unit_test(refuses),
		cmocka_unit_test(opens_with_a_passphrase) };

	return cmocka_run_group_tests(tests, make, clean);
}
