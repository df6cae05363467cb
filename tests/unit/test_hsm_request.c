#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include "hsm/hsm.h"
#include "hsm/key.h"

static struct hf_error err;
static int removed; /* the soft key's token is */

static int
reset(void **state)
{
	(void)state;
	err_clear(&err);
	return 0;
}

/* A key of ours that can no more than `can`: what it signs is signed by a software key. */
struct soft {
	struct signer signer;
	EVP_PKEY *key;
};

static int
soft_sign(struct signer *s, enum sign_alg alg, enum sign_hash hash, const uint8_t *digest, size_t n,
    uint8_t *sig, size_t *len, struct hf_error *e)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(((struct soft *)s)->key, NULL);
	int ok = EVP_PKEY_sign_init(c) == 1 && EVP_PKEY_CTX_set_signature_md(c, sign_md(hash)) == 1;

	if (alg == SIGN_RSA_PSS)
		ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && !removed && EVP_PKEY_sign(c, sig, len, digest, n) == 1;
	EVP_PKEY_CTX_free(c);
	return ok ? 0 : err_set(e, HF_ERR_KEY, "the soft key: removed");
}

static void
soft_close(struct signer *s)
{
	EVP_PKEY_free(((struct soft *)s)->key);
	EVP_PKEY_free(s->pub);
	free(s);
}

static EVP_PKEY *
public_of(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	const unsigned char *at = der;
	EVP_PKEY *pub = d2i_PUBKEY(NULL, &at, n);

	OPENSSL_free(der);
	return pub;
}

static EVP_PKEY *
remote(EVP_PKEY *key, unsigned can)
{
	static const struct signer_ops ops = { .sign = soft_sign, .close = soft_close };
	struct soft *s = calloc(1, sizeof *s);
	EVP_PKEY *out;

	s->signer.ops = &ops;
	s->signer.can = can;
	s->signer.pub = public_of(key);
	strcpy(s->signer.name, "the soft key");
	s->key = key;
	assert_int_equal(remotekey_new(&out, &s->signer, &err), 0);
	return out;
}

static X509_REQ *
request(EVP_PKEY *key, const char *subject)
{
	struct buf b = { 0 };
	X509_REQ *r;
	BIO *bio;

	if (request_put(&b, key, subject, &err) < 0) {
		assert_int_equal(buf_size(&b), 0);
		return NULL;
	}
	bio = BIO_new_mem_buf(buf_data(&b), (int)buf_size(&b));
	r = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	assert_non_null(r);
	BIO_free(bio);
	buf_free(&b);
	return r;
}

static X509 *
certificate(EVP_PKEY *key, const char *subject, int days)
{
	STACK_OF(X509) * chain;
	struct buf b = { 0 };
	X509 *x;

	assert_int_equal(self_signed_put(&b, key, subject, days, &err), 0);
	assert_int_equal(hsm_pem_chain(&chain, &b, "it", &err), 0);
	assert_int_equal(sk_X509_num(chain), 1);
	x = sk_X509_pop(chain);
	sk_X509_free(chain);
	buf_free(&b);
	return x;
}

/* Request and certificate, checked by OpenSSL's own public key, signed by this algorithm. */
static void
signs(EVP_PKEY *key, int algorithm)
{
	EVP_PKEY *pub = public_of(key);
	X509_REQ *r = request(key, "/CN=line7");
	X509 *x = certificate(key, "/CN=line7", 10);

	assert_int_equal(X509_REQ_verify(r, pub), 1);
	assert_int_equal(X509_REQ_get_signature_nid(r), algorithm);
	assert_int_equal(X509_verify(x, pub), 1);
	assert_int_equal(X509_get_signature_nid(x), algorithm);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), pub), 1);
	assert_int_equal(ERR_peek_error(), 0);
	X509_REQ_free(r);
	X509_free(x);
	EVP_PKEY_free(pub);
	EVP_PKEY_free(key);
}

static void
signs_with_software_keys(void **state)
{
	(void)state;
	signs(EVP_EC_gen("P-256"), NID_ecdsa_with_SHA256);
	signs(EVP_EC_gen("P-384"), NID_ecdsa_with_SHA384);
	signs(EVP_EC_gen("P-521"), NID_ecdsa_with_SHA512);
	signs(EVP_RSA_gen(2048), NID_sha256WithRSAEncryption);
	signs(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NID_ED25519);
}

static void
signs_with_what_a_remote_key_can(void **state)
{
	unsigned ecdsa = SIGN_ALL(SIGN_ECDSA), pss = SIGN_ALL(SIGN_RSA_PSS), pkcs1 = SIGN_ALL(SIGN_RSA_PKCS1);

	(void)state;
	signs(remote(EVP_EC_gen("P-256"), ecdsa), NID_ecdsa_with_SHA256);
	signs(remote(EVP_EC_gen("P-384"), ecdsa), NID_ecdsa_with_SHA384);
	signs(remote(EVP_EC_gen("P-521"), ecdsa), NID_ecdsa_with_SHA512);
	signs(remote(EVP_EC_gen("P-384"), SIGN_BIT(SIGN_ECDSA, SIGN_SHA256)), NID_ecdsa_with_SHA256);
	signs(remote(EVP_EC_gen("P-521"), SIGN_BIT(SIGN_ECDSA, SIGN_SHA384)), NID_ecdsa_with_SHA384);
	signs(remote(EVP_EC_gen("P-256"), SIGN_BIT(SIGN_ECDSA, SIGN_SHA384)), NID_ecdsa_with_SHA384);
	signs(remote(EVP_EC_gen("P-256"), SIGN_BIT(SIGN_ECDSA, SIGN_SHA512)), NID_ecdsa_with_SHA512);
	signs(remote(EVP_RSA_gen(2048), pss | pkcs1), NID_sha256WithRSAEncryption);
	signs(remote(EVP_RSA_gen(2048), pkcs1), NID_sha256WithRSAEncryption);
	signs(remote(EVP_RSA_gen(2048), SIGN_BIT(SIGN_RSA_PKCS1, SIGN_SHA512)), NID_sha512WithRSAEncryption);
	signs(remote(EVP_RSA_gen(2048), pss), NID_rsassaPss);
	signs(remote(EVP_RSA_gen(2048), SIGN_BIT(SIGN_RSA_PSS, SIGN_SHA384)), NID_rsassaPss);
}

static void
says_why_a_key_does_not_sign(void **state)
{
	EVP_PKEY *key = remote(EVP_EC_gen("P-256"), SIGN_ALL(SIGN_ECDSA)), *pub = public_of(key);

	(void)state;
	removed = 1;
	assert_null(request(key, "/CN=a"));
	removed = 0;
	assert_int_equal(err.code, HF_ERR_KEY);
	assert_non_null(strstr(err.text, "cannot sign a certificate request: the soft key: removed"));
	assert_int_equal(ERR_peek_error(), 0);
	err_clear(&err);
	assert_null(request(pub, "/CN=a")); /* no private half */
	assert_int_equal(err.code, HF_ERR_KEY);
	EVP_PKEY_free(pub);
	EVP_PKEY_free(key);
}

static char *
subject_of(const char *text)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *r = request(key, text);
	BIO *b = BIO_new(BIO_s_mem());
	char *out;

	EVP_PKEY_free(key);
	if (!r) {
		BIO_free(b);
		return NULL;
	}
	X509_NAME_print_ex(
	    b, X509_REQ_get_subject_name(r), 0, XN_FLAG_SEP_COMMA_PLUS | ASN1_STRFLGS_UTF8_CONVERT);
	BIO_write(b, "", 1);
	BIO_get_mem_data(b, &out);
	out = strdup(out);
	BIO_free(b);
	X509_REQ_free(r);
	return out;
}

static void
is_subject(const char *text, const char *expected)
{
	char *got = subject_of(text);

	assert_non_null(got);
	assert_string_equal(got, expected);
	free(got);
}

static void
reads_subjects(void **state)
{
	(void)state;
	is_subject("/CN=line7", "CN=line7");
	is_subject("CN=line7", "CN=line7");
	is_subject("/C=DE/O=Example/CN=line7", "C=DE,O=Example,CN=line7");
	is_subject("CN=line7,O=Example, C=DE", "C=DE,O=Example,CN=line7");
	is_subject("/O=A\\/S/CN=x,y=z", "O=A/S,CN=x,y=z");
	is_subject("CN=a\\,b\\+c\\\\d", "CN=a,b+c\\d");
	is_subject("/CN=a\\+b", "CN=a+b");
	is_subject("/CN=Ger\xc3\xa4t", "CN=Ger\xc3\xa4t");
	is_subject("CN=Ger\\C3\\a4t", "CN=Ger\xc3\xa4t");
	is_subject("/CN=\\C3", "CN=C3"); /* OpenSSL's form has no hex pairs */
	is_subject("/2.5.4.5=17", "serialNumber=17");
}

static void
is_refused(const char *text, const char *why)
{
	err_clear(&err);
	assert_null(subject_of(text));
	assert_int_equal(err.code, HF_ERR_ARGS);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", text, err.text);
}

static void
refuses_subjects(void **state)
{
	char text[300] = "/O=x/CN=";

	(void)state;
	is_refused("", "empty");
	is_refused("/", "empty");
	is_refused("line7", "\"line7\" is not of the form");
	is_refused("/O=x/line7", "\"line7\" is not of the form");
	is_refused("/CN=", "\"CN=\" has no value");
	is_refused("/CN=a//O=b", "\"\" is not of the form");
	is_refused("CN=a,", "\"\" is not of the form");
	is_refused("/CN=a+O=b", "more than one attribute");
	is_refused("/CN=a\\", "ends with a backslash");
	is_refused("CN=a\\00b", "zero byte");
	is_refused("/NAME=a", "\"NAME=a\" cannot be taken");
	is_refused("/CN=\xff", "utf8");
	is_refused("/C=Germany", "\"C=Germany\" cannot be taken");
	memset(text + 8, 'a', 65);
	is_refused(text, "too long");
	memset(text + 8, 'a', 280);
	is_refused(text, "longer than 256");
	memset(text, 'a', 70);
	text[70] = '=';
	is_refused(text, "name that is too long");
}

static long
seconds_from_now(const ASN1_TIME *t)
{
	int days, seconds;

	assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, t), 1);
	return days * 86400L + seconds;
}

static void
makes_certificates_for_clients(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *a = certificate(key, "/CN=line7", 30), *b = certificate(key, "/CN=line7", 1);
	BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(a), NULL);

	(void)state;
	assert_int_equal(X509_get_version(a), X509_VERSION_3);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(a), X509_get_issuer_name(a)), 0);
	assert_int_equal(BN_num_bits(serial), 127);
	assert_int_equal(BN_is_negative(serial), 0);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)), 0);
	assert_in_range(-seconds_from_now(X509_get0_notBefore(a)), 3590, 3700);
	assert_in_range(seconds_from_now(X509_get0_notAfter(a)), 30 * 86400 - 100, 30 * 86400);
	assert_in_range(seconds_from_now(X509_get0_notAfter(b)), 86400 - 100, 86400);
	assert_int_equal(X509_check_ca(a), 0);
	assert_int_equal(X509_get_key_usage(a), X509v3_KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(a), XKU_SSL_CLIENT);
	assert_non_null(X509_get0_subject_key_id(a));
	BN_free(serial);
	X509_free(a);
	X509_free(b);
	EVP_PKEY_free(key);
}

static void
refuses_days(void **state)
{
	static const int days[] = { 0, -1, 36501 };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
		err_clear(&err);
		assert_int_equal(self_signed_put(&b, key, "/CN=a", days[i], &err), HF_ERR_ARGS);
	}
	err_clear(&err);
	assert_int_equal(self_signed_put(&b, key, "/CN=a", 36500, &err), 0);
	buf_free(&b);
	EVP_PKEY_free(key);
}

static void
knows_kinds_of_keys(void **state)
{
	struct buf made = { 0 };
	struct key_kind kind;

	(void)state;
	assert_int_equal(key_kind_get(&kind, "p256", &err), 0);
	assert_int_equal(kind.rsa_bits, 0);
	assert_string_equal(kind.group, "P-256");
	assert_int_equal(key_make("file:/tmp/x.key", &kind, &made, &err), HF_ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "openssl genpkey"));
	err_clear(&err);
	assert_int_equal(key_make("engine:pkcs11:x", &kind, &made, &err), HF_ERR_UNSUPPORTED);
	err_clear(&err);
	assert_int_equal(key_each("file:/tmp", NULL, NULL, &err), HF_ERR_UNSUPPORTED);
	err_clear(&err);
	assert_int_equal(key_kind_get(&kind, "rsa4096", &err), 0);
	assert_int_equal(kind.rsa_bits, 4096);
	assert_int_equal(key_kind_get(&kind, "rsa512", &err), HF_ERR_ARGS);
	assert_int_equal(buf_size(&made), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(signs_with_software_keys, reset),
		cmocka_unit_test_setup(signs_with_what_a_remote_key_can, reset),
		cmocka_unit_test_setup(says_why_a_key_does_not_sign, reset),
		cmocka_unit_test_setup(reads_subjects, reset),
		cmocka_unit_test_setup(refuses_subjects, reset),
		cmocka_unit_test_setup(makes_certificates_for_clients, reset),
		cmocka_unit_test_setup(refuses_days, reset),
		cmocka_unit_test_setup(knows_kinds_of_keys, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
