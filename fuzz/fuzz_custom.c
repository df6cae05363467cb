/*
 * What a vendor's library hands over. The first byte says which kind of identity and what is done with it, the second which functions
 * are not there; then come the answers, in the order in which they are asked for: texts end with a zero byte, or are DER that is made
 * PEM; bytes come behind a result and a length. No engine, provider, module or file is opened: opening a key by its name is answered here.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include "base/str.h"
#include "holdfast.h"
#include "hsm/custom.h"

enum { V1, V2, TPM, SYMMETRIC };
enum { ALONE = 4, MORE = 8, WITH_ID = 16, WITH_ENGINE = 32, WITH_TYPE = 64, NO_START = 128 };
enum { NOTHING = 255 };

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int __wrap_key_open(EVP_PKEY **, const char *, const struct key_open *, struct hf_error *);
int __wrap_key_engine_open(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);

static const uint8_t *at, *end;
static uint8_t doing, absent;
static int sessions, started;

static void
must(int truth)
{
	if (!truth)
		abort();
}

static void
failed(int rc, const struct hf_error *e)
{
	must(rc < 0 && e->code == rc && *e->text);
}

int
__wrap_key_open(EVP_PKEY **out, const char *text, const struct key_open *o, struct hf_error *err)
{
	struct uri u;

	must(o->inside && strchr(text, ':') != NULL && uri_get(&u, text, err) == 0);
	must(str_eqin(u.scheme, text, strlen(u.scheme)) && text[strlen(u.scheme)] == ':');
	uri_fini(&u);
	*out = NULL;
	return err_set(err, HF_ERR_KEY, "there are no keys here");
}

int
__wrap_key_engine_open(EVP_PKEY **out, const struct uri *u, const struct key_open *o, struct hf_error *err)
{
	must(
	    o->inside && strcmp(u->scheme, "engine") == 0 && strncmp(u->path, "acme:", 5) == 0 && u->path[5]);
	*out = NULL;
	return err_set(err, HF_ERR_KEY, "there are no engines here");
}

/* The library. */

static uint8_t
next_byte(void)
{
	return at < end ? *at++ : 0;
}

static void *
create(void)
{
	if (absent & 128)
		return NULL;
	sessions++;
	return &sessions;
}

static void
destroy(void *handle)
{
	must(handle == &sessions && sessions-- > 0);
}

/* DER that is made PEM here: a byte for what it is called, two of length. NULL: that is not what comes. */
static char *
next_pem(void)
{
	static const char *const names[] = { NULL, "CERTIFICATE", "PUBLIC KEY", "PRIVATE KEY",
		"RSA PRIVATE KEY", "EC PRIVATE KEY" };
	BIO *bio;
	char *made, *text;
	size_t n;
	long len;

	if (end - at < 3 || at[0] == 0 || at[0] >= sizeof names / sizeof *names)
		return NULL;
	n = (size_t)(at[1] << 8 | at[2]);
	if (n > (size_t)(end - at - 3))
		n = (size_t)(end - at - 3);
	bio = BIO_new(BIO_s_mem());
	must(bio && PEM_write_bio(bio, names[at[0]], "", at + 3, (long)n) >= 0);
	at += 3 + n;
	len = BIO_get_mem_data(bio, &made);
	text = strndup(made, (size_t)len);
	must(text != NULL);
	BIO_free(bio);
	return text;
}

/* "-" stands for NULL. */
static char *
next_text(void *handle)
{
	size_t n = strnlen((const char *)at, (size_t)(end - at));
	char *text = next_pem();

	must(handle == &sessions && sessions > 0);
	if (text)
		return text;
	text = strndup((const char *)at, n);
	must(text != NULL);
	at += n + (at + n < end);
	if (strcmp(text, "-") != 0)
		return text;
	free(text);
	return NULL;
}

/* Who fails leaves rubbish behind. */
static int
next_bytes(void *handle, unsigned char **p, size_t *n)
{
	int rc = next_byte();

	must(handle == &sessions && sessions > 0);
	*p = (unsigned char *)1;
	*n = 1000;
	if (rc != 0)
		return rc;
	*n = next_byte();
	*p = *n == NOTHING ? NULL : malloc(*n + 1);
	if (!*p)
		return 0;
	if (*n > (size_t)(end - at))
		*n = (size_t)(end - at);
	memcpy(*p, at, *n);
	at += *n;
	return 0;
}

static int
take_key(void *handle, const unsigned char *blob, size_t n)
{
	must(handle == &sessions && sessions > 0 && n > 0 && blob[0] == 'K');
	return next_byte();
}

static int
hmac_with_key(void *handle, const unsigned char *data, size_t size, unsigned char **mac, size_t *n)
{
	must(size > 0 && data[0] != '\0');
	return next_bytes(handle, mac, n);
}

static int
set_key(void *handle, const char *name, const char *key)
{
	must(handle == &sessions && *name && *key);
	return next_byte();
}

static int
make_key(void *handle, const char *kind)
{
	must(handle == &sessions && *kind);
	return next_byte();
}

static int
sign_with(EVP_PKEY *key, const char *algorithm, const unsigned char *digest, size_t size, unsigned char *sig,
    size_t *n)
{
	const EVP_MD *md = size == 32 ? EVP_sha256() : size == 48 ? EVP_sha384() : EVP_sha512();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int ok = ctx && EVP_PKEY_get_bits(key) <= 2048 && EVP_PKEY_sign_init(ctx) == 1 &&
		 EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;

	if (ok && strncmp(algorithm, "rsa-pss", 7) == 0)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_PKEY_sign(ctx, sig, n, digest, size) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* A text that is a private key signs; another one is the signature. */
static int
sign(void *handle, const char *algorithm, const unsigned char *digest, size_t size, unsigned char **sig,
    size_t *n)
{
	char *text = next_text(handle);
	struct buf pem = { 0 };
	EVP_PKEY *key;

	must(size == 32 || size == 48 || size == 64);
	*sig = (unsigned char *)text;
	*n = text ? strlen(text) : 0;
	must(!text || buf_puts(&pem, text) == 0);
	key = text ? hsm_pem_key(&pem, NULL, (void *)"") : NULL;
	if (key) {
		free(text);
		*n = 2048;
		*sig = malloc(*n);
		if (!*sig || !sign_with(key, algorithm, digest, size, *sig, n))
			*n = 1;
	}
	EVP_PKEY_free(key);
	buf_free(&pem);
	return 0;
}

/* Called twice, for one kind of identity and the other: the first or the second may fail. */
static int
start(void)
{
	if (doing & NO_START && started == (absent & 1))
		return 1;
	started++;
	return 0;
}

static void
stop(void)
{
	must(started-- > 0);
}

/* Its tables, with holes. */

#define UNLESS(bit, function) ((absent & (bit)) ? NULL : (function))

static const HSM_CLIENT_X509_INTERFACE *
x509(void)
{
	static HSM_CLIENT_X509_INTERFACE t;

	t = (HSM_CLIENT_X509_INTERFACE){ UNLESS(1, create), UNLESS(2, destroy), UNLESS(4, next_text),
		UNLESS(8, next_text), UNLESS(16, next_text) };
	return doing % 4 == V1 && !(absent & 64) ? &t : NULL;
}

static const HSM_CLIENT_X509_V2_INTERFACE *
x509_v2(void)
{
	static HSM_CLIENT_X509_V2_INTERFACE t;

	t = (HSM_CLIENT_X509_V2_INTERFACE){ (absent & 64) ? at[0] : sizeof t, create, destroy,
		UNLESS(1, next_text), UNLESS(2, next_text), UNLESS(4, next_text), UNLESS(8, next_text),
		UNLESS(16, sign), UNLESS(32, make_key) };
	return doing % 4 == V2 ? &t : NULL;
}

static const HSM_CLIENT_TPM_INTERFACE *
tpm(void)
{
	static HSM_CLIENT_TPM_INTERFACE t;

	t = (HSM_CLIENT_TPM_INTERFACE){ UNLESS(1, create), UNLESS(2, destroy), UNLESS(4, take_key),
		UNLESS(8, next_bytes), UNLESS(16, next_bytes), UNLESS(32, hmac_with_key) };
	return doing % 4 == TPM && !(absent & 64) ? &t : NULL;
}

static const HSM_CLIENT_KEY_INTERFACE *
symmetric(void)
{
	static HSM_CLIENT_KEY_INTERFACE t;

	t = (HSM_CLIENT_KEY_INTERFACE){ UNLESS(1, create), UNLESS(2, destroy), UNLESS(4, next_text),
		UNLESS(8, next_text), UNLESS(16, set_key) };
	return doing % 4 == SYMMETRIC && !(absent & 64) ? &t : NULL;
}

/* What is done with it. */

/* pub NULL: not known. */
static void
use_key(EVP_PKEY *key, EVP_PKEY *pub)
{
	uint8_t sig[SIGN_MAX];
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	size_t n = sizeof sig;

	must(m != NULL);
	if (EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(m, sig, &n, (const uint8_t *)"data", 4) == 1 && remotekey_is(key) && pub) {
		EVP_MD_CTX_reset(m);
		must(EVP_DigestVerifyInit(m, NULL, EVP_sha256(), NULL, pub) == 1 &&
		     EVP_DigestVerify(m, sig, n, (const uint8_t *)"data", 4) == 1);
	}
	EVP_MD_CTX_free(m);
	ERR_clear_error();
}

static void
use_x509(struct hsm *h)
{
	struct hf_error e = { 0 };
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	int rc = h->ops->identity(h, 0, NULL, NULL, &e);

	if (rc < 0) {
		failed(rc, &e);
		must(h->ops->certificate(h, &chain, &e) < 0 && h->ops->key(h, &key, &e) < 0);
		return;
	}
	must(h->ops->certificate(h, &chain, &e) == 0 && h->ops->key(h, &key, &e) == 0);
	must(sk_X509_num(chain) > 0 && X509_check_private_key(sk_X509_value(chain, 0), key) == 1);
	use_key(key, X509_get0_pubkey(sk_X509_value(chain, 0)));
}

static void
use_tpm(struct hsm *h)
{
	struct hf_error e[6] = { { 0 } };
	struct buf ek = { 0 }, srk = { 0 }, wrapped = { 0 };
	uint8_t mac[32];
	int rc[6];

	rc[0] = h->ops->identity(h, 0, &ek, &srk, &e[0]);
	must(rc[0] < 0 || (buf_size(&ek) > 0 && buf_size(&srk) > 0 && strlen(h->registration_id) == 52));
	rc[1] = h->ops->activate(h, "K1", 2, &wrapped, &e[1]);
	rc[2] = h->ops->hmac(h, "data", 4, mac, &e[2]);
	rc[3] = rc[1] < 0 ? h->ops->has_key(h, &e[3])
			  : h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &e[3]);
	rc[4] = h->ops->activate(h, "K2", 2, &wrapped, &e[4]);
	h->ops->forget(h);
	rc[5] = h->ops->hmac(h, "data", 4, mac, &e[5]);
	for (size_t i = 0; i < 6; i++)
		if (rc[i] < 0)
			failed(rc[i], &e[i]);
	buf_free(&ek);
	buf_free(&srk);
	buf_free(&wrapped);
}

static void
use_symmetric(struct hsm *h)
{
	struct hf_error e = { 0 }, why = { 0 };
	uint8_t mac[32];
	char hex[65];
	int rc;

	if (doing & MORE && (rc = hsm_custom_set_symmetric_key(h, "device-1", "a2V5", &why)) < 0)
		failed(rc, &why);
	rc = h->ops->identity(h, 0, NULL, NULL, &e);
	if (rc < 0) {
		failed(rc, &e);
		return;
	}
	must(h->ops->hmac(h, "data", 4, mac, &e) == 0 && hsm_fingerprint(h, hex, &e) == 0);
	if (doing & MORE && (rc = hsm_custom_set_symmetric_key(h, "device-1", "a2V5", &why)) < 0)
		failed(rc, &why);
	e = (struct hf_error){ 0 };
	if ((rc = h->ops->hmac(h, "data", 4, mac, &e)) < 0)
		failed(rc, &e);
}

static void
use_identity(const char *uri)
{
	static void (*const use[])(struct hsm *) = { use_x509, use_x509, use_tpm, use_symmetric };
	const struct hsm_settings s = { .hsm = uri, .registration_id = doing & WITH_ID ? "device-1" : NULL };
	struct hf_error e = { 0 };
	struct hsm *h = NULL;
	int rc = hsm_open(&h, &s, &e);

	if (rc < 0) {
		failed(rc, &e);
		return;
	}
	use[doing % 4](h);
	must(!*h->registration_id || doing % 4 == V2 || str_is_registration_id(h->registration_id));
	hsm_close(h);
}

static void
use_key_alone(const char *uri)
{
	static const struct key_kind kinds[] = { { 0, "P-256" }, { 0, "P-384" }, { 2048, NULL },
		{ 0, "P-521" } };
	const struct key_open o = { 0 };
	struct hf_error e = { 0 };
	struct buf made = { 0 };
	EVP_PKEY *key = NULL;
	struct uri u;
	int rc;

	must(uri_get(&u, uri, &e) == 0);
	if (doing & MORE)
		rc = key_custom_make(&u, &kinds[absent % 4], &made, &e);
	else
		rc = key_custom_open(&key, &u, &o, &e);
	if (rc < 0)
		failed(rc, &e);
	if (key)
		use_key(key, NULL);
	EVP_PKEY_free(key);
	uri_fini(&u);
	buf_free(&made);
}

static int
ask(UI *ui)
{
	(void)ui;
	abort();
}

/* No text makes us ask a person for a passphrase. */
static void
ask_nobody(void)
{
	static UI_METHOD *asker;

	if (asker)
		return;
	asker = UI_create_method("nobody");
	must(asker && UI_method_set_opener(asker, ask) == 0);
	UI_set_default_method(asker);
}

/* The library that is linked in; or one that cannot be loaded. */
static const char *
path(void)
{
	if ((doing & (ALONE | MORE)) != MORE || doing % 4 == SYMMETRIC)
		return "";
	return doing % 4 == V1 ? "lib.so" : "/dev/null";
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct hf_hsm_table table = { sizeof table, start, stop, start, stop, x509, x509_v2, tpm,
		symmetric };
	static const char *const types[] = { "x509", "x509", "tpm", "symmetric" };
	char uri[64];

	if (n < 3)
		return 0;
	ask_nobody();
	must(hf_hsm_link(&table) == 0 && hf_hsm_link(&table) == HF_ERR_STATE);
	doing = p[0];
	absent = p[1];
	at = p + 2;
	end = p + n;
	(void)str_fmt(uri, sizeof uri, "hsm:%s?%s%s%s", path(), doing & WITH_TYPE ? "type=" : "",
	    doing & WITH_TYPE ? types[doing % 4] : "", doing & WITH_ENGINE ? "&engine=acme" : "");
	if (doing & ALONE)
		use_key_alone(uri);
	else
		use_identity(uri);
	must(hf_hsm_link(NULL) == 0 && sessions == 0 && started == 0 && ERR_peek_error() == 0);
	return 0;
}
