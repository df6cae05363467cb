#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include "base/str.h"
#include "hsm/key.h"
#include "make_cert.h"
#include "stream/tls_local.h"

/* A chip: a key in software behind the signer's table, with a chip's moods. */
struct chip {
	struct signer signer;
	EVP_PKEY *key;
	int salt; /* of its PSS: RSA_PSS_SALTLEN_* */
	int sick;
	int signatures, raws;
};
static int closed;
static struct hf_error err;

static int
chip_sign(struct signer *s, enum sign_alg alg, enum sign_hash h, const uint8_t *digest, size_t n,
    uint8_t *sig, size_t *len, struct hf_error *e)
{
	struct chip *c = (struct chip *)s;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(c->key, NULL);
	int ok;

	c->signatures++;
	if (c->sick) {
		ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); /* as modules leave things */
		EVP_PKEY_CTX_free(ctx);
		return err_set(e, HF_ERR_KEY, "chip 7: removed (CKR_DEVICE_REMOVED)");
	}
	ok = EVP_PKEY_sign_init(ctx) == 1;
	if (alg != SIGN_ECDSA)
		ok &= EVP_PKEY_CTX_set_rsa_padding(
			  ctx, alg == SIGN_RSA_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
	ok &= EVP_PKEY_CTX_set_signature_md(ctx, sign_md(h)) == 1;
	if (alg == SIGN_RSA_PSS)
		ok &= EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, c->salt) == 1;
	ok &= EVP_PKEY_sign(ctx, sig, len, digest, n) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : err_set(e, HF_ERR_KEY, "the chip's software failed");
}

static int
chip_raw(struct signer *s, const uint8_t *em, size_t n, uint8_t *out, struct hf_error *e)
{
	struct chip *c = (struct chip *)s;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(c->key, NULL);
	int ok = EVP_PKEY_decrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
		 EVP_PKEY_decrypt(ctx, out, &n, em, n) == 1;

	c->raws++;
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : err_set(e, HF_ERR_KEY, "no raw RSA");
}

static void
chip_close(struct signer *s)
{
	closed++;
	EVP_PKEY_free(((struct chip *)s)->key);
	EVP_PKEY_free(s->pub);
	free(s);
}

static const struct signer_ops plain = { .sign = chip_sign, .close = chip_close },
			       with_raw = { .sign = chip_sign, .raw = chip_raw, .close = chip_close },
			       shared = { .sign = chip_sign, .close = chip_close, .shared = 1 };

static struct chip *
chip_new(const char *type, size_t bits, const struct signer_ops *ops)
{
	struct chip *c = calloc(1, sizeof *c);
	unsigned char *der = NULL;
	const unsigned char *p;
	int n;

	c->key = bits ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits) : EVP_EC_gen(type);
	n = i2d_PUBKEY(c->key, &der);
	p = der;
	c->signer.pub = d2i_PUBKEY(NULL, &p, n);
	OPENSSL_free(der);
	c->signer.ops = ops;
	c->signer.can = ~0u;
	c->salt = RSA_PSS_SALTLEN_DIGEST;
	str_fmt(c->signer.name, sizeof c->signer.name, "chip 7");
	return c;
}

static EVP_PKEY *
wrap(struct chip *c)
{
	EVP_PKEY *key;

	err_clear(&err);
	if (remotekey_new(&key, &c->signer, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(remotekey_is(key));
	return key;
}

static void
signs_and_verifies(EVP_PKEY *key, EVP_PKEY *pub, const char *hash, int padding)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner;
	uint8_t sig[SIGN_MAX];
	size_t len = sizeof sig;

	assert_int_equal(EVP_DigestSignInit_ex(ctx, &inner, hash, NULL, NULL, key, NULL), 1);
	if (padding)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(inner, padding), 1);
	if (padding == RSA_PKCS1_PSS_PADDING)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, RSA_PSS_SALTLEN_DIGEST), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)"hold fast", 9), 1);
	EVP_MD_CTX_free(ctx);
	ctx = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestVerifyInit_ex(ctx, &inner, hash, NULL, NULL, pub, NULL), 1);
	if (padding)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(inner, padding), 1);
	if (padding == RSA_PKCS1_PSS_PADDING)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, RSA_PSS_SALTLEN_DIGEST), 1);
	assert_int_equal(EVP_DigestVerify(ctx, sig, len, (const uint8_t *)"hold fast", 9), 1);
	EVP_MD_CTX_free(ctx);
}

static void
never_tells(EVP_PKEY *key)
{
	OSSL_PARAM *params = NULL;
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_not_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 1);
	assert_int_not_equal(PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL), 1);
	BIO_free(b);
	ERR_clear_error();
}

static void
makes_a_certificate(EVP_PKEY *key)
{
	const struct cert_wish w = { "remote", 0, -1, 0, 4000000000 };
	X509 *x = X509_new();
	unsigned char *der = NULL;
	const unsigned char *p;
	int n;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)w.cn, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_true(X509_sign(x, key, NULL) > 0 || X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(X509_check_private_key(x, key), 1);
	n = i2d_X509(x, &der);
	p = der;
	X509_free(x);
	x = d2i_X509(NULL, &p, n); /* as a stranger gets it */
	OPENSSL_free(der);
	assert_int_equal(X509_verify(x, X509_get0_pubkey(x)), 1);
	assert_int_equal(X509_check_private_key(x, key), 1);
	X509_free(x);
}

static void
every_kind_signs(void **state)
{
	static const struct {
		const char *type, *hash;
		size_t bits;
	} kinds[] = { { "P-256", "SHA256", 0 }, { "P-384", "SHA384", 0 }, { "P-521", "SHA512", 0 },
		{ "RSA", "SHA256", 2048 }, { "RSA", "SHA384", 3072 }, { "RSA", "SHA512", 4096 } };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct chip *c = chip_new(kinds[i].type, kinds[i].bits, &plain);
		EVP_PKEY *key = wrap(c);
		struct remotekey_limits l;

		signs_and_verifies(key, c->signer.pub, kinds[i].hash, kinds[i].bits ? RSA_PKCS1_PADDING : 0);
		if (kinds[i].bits)
			signs_and_verifies(key, c->signer.pub, kinds[i].hash, RSA_PKCS1_PSS_PADDING);
		never_tells(key);
		makes_a_certificate(key);
		remotekey_limits(key, &l);
		assert_int_equal(l.tls_max, 0);
		closed = 0;
		EVP_PKEY_free(key);
		assert_int_equal(closed, 1);
	}
}

/* TLS, both ends in this process. */

static X509 *
certify(EVP_PKEY *pub, EVP_PKEY *ca_key, X509 *ca)
{
	const struct cert_wish w = { "remote", 0, -1, 0, 4000000000 };

	return make_cert(&w, pub, ca, ca_key);
}

struct meeting {
	struct stream *client, *server;
	int shown; /* the server has seen the key's certificate, and the proof */
};

static void
meet(struct meeting *m, EVP_PKEY *key, EVP_PKEY *pub, int version, struct hf_error *e)
{
	const struct cert_wish w = { "localhost", 1, -1, 0, 4000000000 };
	EVP_PKEY *ca_key = make_key();
	X509 *ca = make_cert(&w, ca_key, NULL, NULL), *leaf = certify(pub, ca_key, ca);
	STACK_OF(X509) *chain = sk_X509_new_null(), *server_chain = sk_X509_new_null();
	struct tls_conf *client = NULL, *server = NULL;
	struct stream *a, *b;
	char trust[] = "/tmp/holdfast-trust-XXXXXX", byte;
	FILE *f = fdopen(mkstemp(trust), "w");
	ssize_t n = STREAM_WANT_READ;

	PEM_write_X509(f, ca);
	fclose(f);
	sk_X509_push(chain, leaf);
	sk_X509_push(server_chain, ca);
	memset(m, 0, sizeof *m);
	assert_int_equal(
	    tls_conf_server(&server, server_chain, ca_key, version == TLS1_2_VERSION ? version : 0, &err), 0);
	SSL_CTX_set_min_proto_version(server->ctx, version);
	if (tls_conf_client(&client, trust, chain, key, e) < 0)
		goto done;
	assert_int_equal(pair_new(&a, &b, 65536, 0), 0);
	assert_int_equal(tls_open(&m->client, client, a, "localhost", NULL, e), 0);
	assert_int_equal(tls_open(&m->server, server, b, NULL, NULL, &err), 0);
	for (int i = 0; i < 50 && n < 0 && n != STREAM_ERR; i++) {
		n = stream_write(m->client, "x", 1);
		if (n != STREAM_ERR)
			(void)stream_read(m->server, &byte, 1);
	}
	if (n == STREAM_ERR)
		*e = m->client->err;
	(void)stream_read(m->server, &byte, 1);
	m->shown = tls_peer(m->server) &&
		   EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(tls_peer(m->server), 0)), pub) == 1;
done:
	stream_close(m->client);
	stream_close(m->server);
	tls_conf_free(client);
	tls_conf_free(server);
	sk_X509_pop_free(chain, X509_free);
	sk_X509_pop_free(server_chain, X509_free);
	EVP_PKEY_free(ca_key);
	unlink(trust);
}

static void
met(struct chip *c, EVP_PKEY *key, int version)
{
	struct hf_error e = { 0 };
	struct meeting m;

	meet(&m, key, c->signer.pub, version, &e);
	if (e.code)
		fail_msg("%s", e.text);
	assert_true(m.shown);
}

static void
shakes_hands(void **state)
{
	static const struct {
		const char *type;
		size_t bits;
	} kinds[] = { { "P-256", 0 }, { "P-384", 0 }, { "P-521", 0 }, { "RSA", 2048 } };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct chip *c = chip_new(kinds[i].type, kinds[i].bits, &plain);
		EVP_PKEY *key = wrap(c);
		int before = c->signatures;

		met(c, key, TLS1_2_VERSION);
		met(c, key, TLS1_3_VERSION);
		assert_int_equal(c->signatures, before + 2);
		EVP_PKEY_free(key);
	}
}

/* What an application has told its OpenSSL is not ours to follow or to change. */
static void
leaves_the_application_alone(void **state)
{
	struct chip *c = chip_new("P-256", 0, &plain);
	EVP_PKEY *key = wrap(c), *own;
	EVP_MD *md;

	(void)state;
	assert_int_equal(EVP_set_default_properties(NULL, "provider=default"), 1);
	met(c, key, TLS1_3_VERSION);
	met(c, key, TLS1_2_VERSION);
	assert_non_null(md = EVP_MD_fetch(NULL, "SHA256", NULL));
	EVP_MD_free(md);
	assert_non_null(own = EVP_EC_gen("P-256"));
	assert_false(remotekey_is(own));
	EVP_PKEY_free(own);
	assert_int_equal(OSSL_PROVIDER_available(NULL, "holdfast"), 0);
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
	EVP_PKEY_free(key);
}

static void
offers_what_the_token_has(void **state)
{
	struct chip *c = chip_new("P-256", 0, &plain);
	struct remotekey_limits l;
	EVP_PKEY *key;

	(void)state;
	c->signer.can = SIGN_BIT(SIGN_ECDSA, SIGN_SHA256);
	key = wrap(c);
	remotekey_limits(key, &l);
	assert_string_equal(l.sigalgs, "ECDSA+SHA256");
	assert_int_equal(l.tls_max, 0);
	met(c, key, TLS1_3_VERSION);
	EVP_PKEY_free(key);
	c = chip_new("P-384", 0, &plain);
	c->signer.can = SIGN_BIT(SIGN_ECDSA, SIGN_SHA256);
	key = wrap(c);
	remotekey_limits(key, &l);
	assert_int_equal(l.tls_max, TLS1_2_VERSION);
	met(c, key, TLS1_2_VERSION);
	EVP_PKEY_free(key);
	c = chip_new("P-256", 0, &plain);
	c->signer.can = 0;
	closed = 0;
	err_clear(&err);
	assert_int_equal(remotekey_new(&key, &c->signer, &err), HF_ERR_UNSUPPORTED);
	assert_null(key);
	assert_int_equal(closed, 1);
}

/* Three chips that take the longest salt. */
static void
salts(void **state)
{
	struct chip *c = chip_new("RSA", 2048, &with_raw);
	struct remotekey_limits l;
	struct hf_error e = { 0 };
	struct meeting m;
	EVP_PKEY *key;

	(void)state;
	c->salt = RSA_PSS_SALTLEN_MAX;
	key = wrap(c);
	remotekey_limits(key, &l);
	assert_int_equal(l.tls_max, 0);
	c->raws = 0;
	met(c, key, TLS1_3_VERSION);
	assert_int_equal(c->raws, 1);
	signs_and_verifies(key, c->signer.pub, "SHA512", RSA_PKCS1_PSS_PADDING);
	EVP_PKEY_free(key);

	c = chip_new("RSA", 2048, &plain);
	c->salt = RSA_PSS_SALTLEN_MAX;
	key = wrap(c);
	remotekey_limits(key, &l);
	assert_int_equal(l.tls_max, TLS1_2_VERSION);
	assert_null(strstr(l.sigalgs, "PSS"));
	met(c, key, TLS1_2_VERSION);
	meet(&m, key, c->signer.pub, TLS1_3_VERSION, &e);
	assert_false(m.shown);
	assert_int_equal(e.code, HF_ERR_TLS);
	assert_non_null(strstr(e.text, "TLS 1.2"));
	EVP_PKEY_free(key);

	c = chip_new("RSA", 2048, &plain);
	c->signer.can = SIGN_BIT(SIGN_RSA_PKCS1, SIGN_SHA256); /* a fixed scheme */
	key = wrap(c);
	remotekey_limits(key, &l);
	assert_string_equal(l.sigalgs, "RSA+SHA256");
	met(c, key, TLS1_2_VERSION);
	e = (struct hf_error){ 0 };
	meet(&m, key, c->signer.pub, TLS1_3_VERSION, &e);
	assert_non_null(strstr(e.text, "TLS 1.2"));
	EVP_PKEY_free(key);

	c = chip_new("RSA", 2048, &plain);
	c->signer.can = SIGN_ALL(SIGN_RSA_PSS);
	c->salt = RSA_PSS_SALTLEN_MAX;
	err_clear(&err);
	assert_int_equal(remotekey_new(&key, &c->signer, &err), HF_ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "salt"));
}

static void
says_what_the_chip_said(void **state)
{
	struct chip *c = chip_new("P-256", 0, &plain);
	EVP_PKEY *key = wrap(c);
	struct hf_error e = { 0 };
	struct meeting m;

	(void)state;
	c->sick = 1;
	meet(&m, key, c->signer.pub, TLS1_3_VERSION, &e);
	assert_false(m.shown);
	assert_int_equal(e.code, HF_ERR_KEY);
	assert_non_null(strstr(e.text, "chip 7: removed (CKR_DEVICE_REMOVED)"));
	c->sick = 0;
	met(c, key, TLS1_2_VERSION);
	EVP_PKEY_free(key);
	c = chip_new("RSA", 2048, &plain);
	c->sick = 1;
	err_clear(&err);
	assert_int_equal(remotekey_new(&key, &c->signer, &err), HF_ERR_KEY);
	assert_non_null(strstr(err.text, "CKR_DEVICE_REMOVED"));
}

static int
in_a_child(EVP_PKEY *key, const char *words)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		uint8_t sig[SIGN_MAX];
		size_t len = sizeof sig;
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		const char *text = "";
		int flags, ok;

		ok = EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
		     EVP_DigestSign(ctx, sig, &len, (const uint8_t *)"x", 1) == 1;
		ERR_peek_error_all(NULL, NULL, NULL, &text, &flags);
		closed = 0;
		EVP_MD_CTX_free(ctx);
		EVP_PKEY_free(key);
		_exit(words ? !ok && strstr(text, words) && !closed ? 0 : 1 : ok && closed ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void
forks(void **state)
{
	struct chip *c = chip_new("P-256", 0, &plain);
	EVP_PKEY *key = wrap(c);

	(void)state;
	assert_int_equal(in_a_child(key, "before fork()"), 0);
	signs_and_verifies(key, c->signer.pub, "SHA256", 0);
	EVP_PKEY_free(key);
	c = chip_new("P-256", 0, &shared);
	key = wrap(c);
	assert_int_equal(in_a_child(key, NULL), 0);
	signs_and_verifies(key, c->signer.pub, "SHA256", 0);
	EVP_PKEY_free(key);
}

static void *
sign_a_lot(void *key)
{
	for (int i = 0; i < 200; i++) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		uint8_t sig[SIGN_MAX];
		size_t len = sizeof sig;
		int ok = EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
			 EVP_DigestSign(ctx, sig, &len, (const uint8_t *)"x", 1) == 1;

		EVP_MD_CTX_free(ctx);
		if (!ok)
			return key;
	}
	return NULL;
}

static void
many_at_once(void **state)
{
	struct chip *c = chip_new("P-256", 0, &plain);
	EVP_PKEY *key = wrap(c);
	pthread_t t[4];
	void *bad;

	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, sign_a_lot, key);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(c->signatures, 800); /* counted under the key's lock */
	EVP_PKEY_free(key);
}

static void
wraps_another_key(void **state)
{
	EVP_PKEY *inner = EVP_EC_gen("P-256"), *pub = NULL, *key;
	unsigned char *der = NULL;
	const unsigned char *p;
	int n = i2d_PUBKEY(inner, &der);

	(void)state;
	p = der;
	pub = d2i_PUBKEY(NULL, &p, n);
	OPENSSL_free(der);
	err_clear(&err);
	assert_int_equal(remotekey_wrap(&key, inner, NULL, pub, "a wrapped key", 0, &err), 0);
	signs_and_verifies(key, pub, "SHA256", 0);
	never_tells(key);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_signs),
		cmocka_unit_test(shakes_hands),
		cmocka_unit_test(leaves_the_application_alone),
		cmocka_unit_test(offers_what_the_token_has),
		cmocka_unit_test(salts),
		cmocka_unit_test(says_what_the_chip_said),
		cmocka_unit_test(forks),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(wraps_another_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
