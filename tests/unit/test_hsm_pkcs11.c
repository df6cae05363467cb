#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include "base/str.h"
#include "hsm/key.h"
#include "tests/softhsm.h"

static char dir[] = "/tmp/holdfast-pkcs11-XXXXXX", query[300], bad[400], said[300];
static struct hf_error err;

static void
says(const char *words)
{
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	assert_null(strstr(err.text, SOFTHSM_PIN));
	assert_int_equal(ERR_peek_error(), 0);
}

static void
heard(void *ctx, const char *line)
{
	(void)ctx;
	snprintf(said, sizeof said, "%s", line);
}

static EVP_PKEY *
try_open(const char *uri)
{
	const struct log log = { heard, NULL };
	EVP_PKEY *key = NULL;

	err_clear(&err);
	*said = '\0';
	if (key_open(&key, uri, &(struct key_open){ .log = &log }, &err) < 0)
		assert_null(key);
	return key;
}

/* pkcs11:PATH and the module, and the PIN */
static EVP_PKEY *
open_key(const char *path)
{
	char uri[600];
	EVP_PKEY *key;

	snprintf(uri, sizeof uri, "pkcs11:%s?%s", path, query);
	key = try_open(uri);
	if (!key)
		fail_msg("%s: %s", uri, err.text);
	return key;
}

static void refused(int code, const char *words, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void
refused(int code, const char *words, const char *fmt, ...)
{
	char uri[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(uri, sizeof uri, fmt, ap);
	va_end(ap);
	if (try_open(uri))
		fail_msg("%s was opened", uri);
	says(words);
	assert_int_equal(err.code, code);
}

/* What a stranger says that the public key is. */
static EVP_PKEY *
public_of(const char *which)
{
	char path[100], all[200];
	EVP_PKEY *pub;
	FILE *f;

	snprintf(path, sizeof path, "%s/pub.pem", dir);
	snprintf(all, sizeof all, "token=line7;%s", which);
	assert_int_equal(softhsm_public(dir, all, path), 0);
	f = fopen(path, "r");
	assert_non_null(f);
	pub = PEM_read_PUBKEY(f, NULL, NULL, NULL);
	assert_non_null(pub);
	fclose(f);
	return pub;
}

static int
make_signature(EVP_PKEY *key, const char *md, int pss, uint8_t *sig, size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	int ok = EVP_DigestSignInit_ex(ctx, &how, md, NULL, NULL, key, NULL) == 1 &&
		 (!pss || EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1) &&
		 EVP_DigestSign(ctx, sig, n, (const uint8_t *)"abc", 3) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static int
is_good(EVP_PKEY *pub, const char *md, int pss, const uint8_t *sig, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	int ok = EVP_DigestVerifyInit_ex(ctx, &how, md, NULL, NULL, pub, NULL) == 1 &&
		 (!pss || (EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
			      EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
		 EVP_DigestVerify(ctx, sig, n, (const uint8_t *)"abc", 3) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static void
signs(EVP_PKEY *key, EVP_PKEY *pub, const char *md, int pss)
{
	uint8_t sig[SIGN_MAX];
	size_t n = sizeof sig;

	assert_int_equal(make_signature(key, md, pss, sig, &n), 1);
	assert_int_equal(is_good(pub, md, pss, sig, n), 1);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
signs_all(EVP_PKEY *key, EVP_PKEY *pub)
{
	static const char *const md[] = { "SHA256", "SHA384", "SHA512" };

	assert_int_equal(EVP_PKEY_eq(key, pub), 1);
	for (size_t i = 0; i < 3; i++) {
		signs(key, pub, md[i], 0);
		if (EVP_PKEY_is_a(pub, "RSA"))
			signs(key, pub, md[i], 1);
	}
}

/* It does not, and the sentence stands on OpenSSL's queue. */
static void
signs_not(EVP_PKEY *key, const char *words)
{
	const char *data = NULL;
	uint8_t sig[SIGN_MAX];
	size_t n = sizeof sig;
	int flags;

	assert_int_equal(make_signature(key, "SHA256", 0, sig, &n), 0);
	ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);
	if (!data || !strstr(data, words))
		fail_msg("\"%s\" does not say \"%s\"", data ? data : "", words);
	ERR_clear_error();
}

static void
put_text(const char *name, const char *text)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

#define MAKE(...) assert_int_equal(softhsm_tool(dir, "--token-label line7 --keypairgen " __VA_ARGS__), 0)

static int
make(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || softhsm_start(dir) < 0 || softhsm_token(dir, "line7") < 0 ||
	    softhsm_token(dir, "spare") < 0 || softhsm_token(dir, "other") < 0)
		return -1;
	put_text("pin", SOFTHSM_PIN "\n");
	put_text("wrong", "4321\n");
	put_text("empty", "\n");
	snprintf(query, sizeof query, "module-path=%s&pin-source=file:%s/pin", SOFTHSM_MODULE, dir);
	snprintf(bad, sizeof bad, "module-path=%s/tests/bad_pkcs11.so&pin-source=%s/pin",
	    getenv("HOLDFAST_BUILD"), dir);
	MAKE("--key-type EC:prime256v1 --label p256 --id 01 --usage-sign");
	MAKE("--key-type EC:secp384r1 --label p384 --id 02 --usage-sign");
	MAKE("--key-type EC:secp521r1 --label p521 --id 03 --usage-sign");
	MAKE("--key-type RSA:2048 --label rsa --id 04 --usage-sign");
	MAKE("--key-type EC:prime256v1 --label twin --id 05 --usage-sign");
	MAKE("--key-type EC:prime256v1 --label twin --id 06 --usage-sign");
	MAKE("--key-type EC:prime256v1 --label asks --id 07 --usage-sign --always-auth");
	return softhsm_tool(
	    dir, "--token-label other --keypairgen --key-type EC:edwards25519 --label ed --usage-sign");
}

static int
clean(void **state)
{
	(void)state;
	softhsm_remove(dir);
	return 0;
}

static int
behave(void **state)
{
	(void)state;
	unsetenv("BAD_PKCS11");
	ERR_clear_error();
	return 0;
}

static void
signs_with(const char *path, const char *which)
{
	EVP_PKEY *key = open_key(path), *pub = public_of(which);

	assert_int_equal(remotekey_is(key), 1);
	signs_all(key, pub);
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
}

static void
opens(void **state)
{
	(void)state;
	signs_with("token=line7;object=p256", "object=p256");
	signs_with("token=line7;object=p384;type=private", "object=p384");
	signs_with("token=line7;object=p521", "object=p521");
	signs_with("token=line7;object=rsa", "object=rsa");
	signs_with("token=line7;id=%01", "object=p256");
	signs_with("token=line7;object=twin;id=%05", "id=%05");
	signs_with("model=SoftHSM%20v2;token=line7;object=p256", "object=p256");
	assert_string_equal(said, "");
}

/* One after the other and side by side; the first that is closed logs nobody out. */
static void
shares_the_token(void **state)
{
	EVP_PKEY *a = open_key("token=line7;object=p256"), *b = open_key("token=line7;object=rsa");
	EVP_PKEY *pub = public_of("object=rsa"), *c;

	(void)state;
	EVP_PKEY_free(a);
	signs_all(b, pub);
	c = open_key("token=line7;object=rsa");
	EVP_PKEY_free(b);
	signs_all(c, pub);
	EVP_PKEY_free(c);
	EVP_PKEY_free(pub);
}

static void
warns_of_a_pin(void **state)
{
	char uri[400];
	EVP_PKEY *key;

	(void)state;
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p256?module-path=%s&pin-value=%s",
	    SOFTHSM_MODULE, SOFTHSM_PIN);
	key = try_open(uri);
	assert_non_null(key);
	if (!strstr(said, "PKCS#11 token line7"))
		fail_msg("warning: %s", said);
	assert_null(strstr(said, SOFTHSM_PIN));
	EVP_PKEY_free(key);
}

/* p11-kit knows SoftHSM by name where Debian's softhsm2 is installed. */
static void
finds_by_name(void **state)
{
	char uri[400];
	EVP_PKEY *key;

	(void)state;
	snprintf(
	    uri, sizeof uri, "pkcs11:token=line7;object=p256?module-name=softhsm2&pin-source=%s/pin", dir);
	key = try_open(uri);
	if (!key)
		fail_msg("%s", err.text);
	EVP_PKEY_free(key);
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p256?pin-source=%s/pin", dir);
	key = try_open(uri);
	if (!key)
		fail_msg("%s", err.text);
	EVP_PKEY_free(key);
	refused(HF_ERR_KEY, "nobody", "pkcs11:token=line7;object=p256?module-name=nobody");
}

static void
refuses(void **state)
{
	const char *m = SOFTHSM_MODULE;

	(void)state;
	refused(HF_ERR_KEY, "CKR_PIN_INCORRECT",
	    "pkcs11:token=line7;object=p256?module-path=%s&pin-source=%s/wrong", m, dir);
	says("PKCS#11 token line7: the PIN is wrong");
	refused(HF_ERR_KEY, "is empty", "pkcs11:token=line7;object=p256?module-path=%s&pin-source=%s/empty",
	    m, dir);
	refused(HF_ERR_KEY, "pin-source", "pkcs11:token=line7;object=p256?module-path=%s", m);
	refused(
	    HF_ERR_IO, "/nowhere", "pkcs11:token=line7;object=p256?module-path=%s&pin-source=/nowhere", m);
	refused(HF_ERR_KEY, "/nonexistent/m.so", "pkcs11:object=p256?module-path=/nonexistent/m.so");
	refused(HF_ERR_KEY, "/lib/x86_64-linux-gnu/libc.so.6",
	    "pkcs11:object=p256?module-path=/lib/x86_64-linux-gnu/libc.so.6");
	refused(HF_ERR_ARGS, "absolute", "pkcs11:object=p256?module-path=libsofthsm2.so&pin-value=%s",
	    SOFTHSM_PIN);
	refused(HF_ERR_KEY, "there are: ", "pkcs11:token=line7;object=nobody?%s", query);
	says("p384");
	says("twin");
	refused(HF_ERR_KEY, "line7", "pkcs11:token=nobody;object=p256?%s", query);
	refused(HF_ERR_KEY, "3 tokens", "pkcs11:object=p256?%s", query);
	says("token=");
	refused(HF_ERR_KEY, "2 private keys", "pkcs11:token=line7;object=twin?%s", query);
	says("twin id=%05");
	says("twin id=%06");
	refused(HF_ERR_KEY, "in fact there is none", "pkcs11:token=spare?%s", query);
	refused(HF_ERR_ARGS, "type=", "pkcs11:token=line7;object=p256;type=cert?%s", query);
	refused(HF_ERR_ARGS, "RFC 7512", "pkcs11:token=line7;objct=p256?%s", query);
	refused(HF_ERR_ARGS, "RFC 7512", "pkcs11:token=line7;object=pin-value;pin-value=%s?%s", SOFTHSM_PIN,
	    query);
	refused(HF_ERR_ARGS, "RFC 7512", "pkcs11:token=line%%zz?%s", query);
	refused(HF_ERR_ARGS, "colour", "pkcs11:token=line7;object=p256?colour=red&%s", query);
	refused(HF_ERR_UNSUPPORTED, "neither an RSA nor an EC key", "pkcs11:token=other;object=ed?%s", query);
}

/* A certificate, or a public object, for an EC key: without them nothing tells the point. */
static void
finds_the_public_half(void **state)
{
	EVP_PKEY *pub = public_of("object=p384"), *key, *ca = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	const struct key_open open = { .cert = cert };
	char uri[600], path[100];
	BIO *bio;

	(void)state;
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p384?%s", query);
	assert_int_equal(softhsm_tool(dir, "--token-label line7 --delete-object --type pubkey --id 02"), 0);
	refused(HF_ERR_KEY, "certificate", "%s", uri);
	X509_set_pubkey(cert, pub);
	assert_int_equal(key_open(&key, uri, &open, &err), 0);
	signs_all(key, pub);
	EVP_PKEY_free(key);

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 1000);
	X509_sign(cert, ca, EVP_sha256());
	snprintf(path, sizeof path, "%s/cert.der", dir);
	bio = BIO_new_file(path, "w");
	i2d_X509_bio(bio, cert);
	BIO_free(bio);
	assert_int_equal(
	    softhsm_tool(dir, "--token-label line7 --write-object %s --type cert --id 02 --label any", path),
	    0);
	key = open_key("token=line7;object=p384");
	signs_all(key, pub);
	EVP_PKEY_free(key);
	X509_free(cert);
	EVP_PKEY_free(ca);
	EVP_PKEY_free(pub);
}

static void
asks_each_time(void **state)
{
	EVP_PKEY *pub = public_of("object=asks"), *key = open_key("token=line7;object=asks");
	char uri[600];

	(void)state;
	signs_all(key, pub);
	EVP_PKEY_free(key);
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=asks?%s", bad);
	key = try_open(uri);
	assert_non_null(key);
	setenv("BAD_PKCS11", "context", 1);
	signs_not(key, "CKR_PIN_INCORRECT");
	unsetenv("BAD_PKCS11");
	signs_not(key, "not tried again");
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
}

static void
misbehaves(void **state)
{
	static const struct {
		const char *how, *words;
		int code;
	} row[] = {
		{ "initialize",
		    "bad_pkcs11.so: cannot start it (is it configured, may this user read what it uses?): CKR_GENERAL_ERROR",
		    HF_ERR_KEY },
		{ "slots", "CKR_DEVICE_ERROR", HF_ERR_KEY },
		{ "slots-many", "which tokens there are: CKR_GENERAL_ERROR", HF_ERR_KEY },
		{ "session", "cannot open a session: CKR_TOKEN_NOT_PRESENT", HF_ERR_KEY },
		{ "pin-locked", "CKR_PIN_LOCKED", HF_ERR_KEY },
		{ "keypad-no", "CKR_FUNCTION_CANCELED", HF_ERR_KEY },
		{ "vendor", "CKR 0x80000017", HF_ERR_KEY },
		{ "find", "CKR_DEVICE_REMOVED", HF_ERR_KEY },
		{ "find-many", "CKR_GENERAL_ERROR", HF_ERR_KEY },
		{ "value-huge", "neither an RSA nor an EC key", HF_ERR_UNSUPPORTED },
		{ "value-none", "neither an RSA nor an EC key", HF_ERR_UNSUPPORTED },
		{ "value-grows", "neither an RSA nor an EC key", HF_ERR_UNSUPPORTED },
		{ "value-junk", "neither an RSA nor an EC key", HF_ERR_UNSUPPORTED },
		{ "hidden", "certificate", HF_ERR_KEY },
		{ "mechanism", "CKM_ECDSA", HF_ERR_UNSUPPORTED },
	};
	char uri[600];

	(void)state;
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p256?%s", bad);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		setenv("BAD_PKCS11", row[i].how, 1);
		refused(row[i].code, row[i].words, "%s", uri);
	}
}

static void
tells_what_is_left(void **state)
{
	static const char *const row[][2] = { { "pin-low", "few tries are left" },
		{ "pin-final", "one try is left" }, { "pin-now-locked", "it is locked now" } };
	char uri[600];

	(void)state;
	snprintf(uri, sizeof uri,
	    "pkcs11:token=line7;object=p256?module-path=%s/tests/bad_pkcs11.so&pin-source=%s/wrong",
	    getenv("HOLDFAST_BUILD"), dir);
	for (size_t i = 0; i < 3; i++) {
		setenv("BAD_PKCS11", row[i][0], 1);
		refused(HF_ERR_KEY, row[i][1], "%s", uri);
		says("CKR_PIN_INCORRECT");
	}
	setenv("BAD_PKCS11", "label", 1);
	refused(HF_ERR_KEY, "[2J", "pkcs11:slot-id=0;object=p256?%s", bad);
	assert_null(strchr(err.text, '\033'));
	assert_null(strchr(err.text, '\n'));
}

static void
has_a_keypad(void **state)
{
	EVP_PKEY *pub = public_of("object=p256"), *key;
	char uri[600];

	(void)state;
	setenv("BAD_PKCS11", "keypad", 1);
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p256?module-path=%s/tests/bad_pkcs11.so",
	    getenv("HOLDFAST_BUILD"));
	key = try_open(uri);
	assert_non_null(key);
	signs_all(key, pub);
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
}

/* Whatever happened to the session, the next use looks for the key again. */
static void
comes_back(void **state)
{
	static const char *const row[][2] = { { "removed", "CKR_DEVICE_REMOVED" },
		{ "not-present", "CKR_TOKEN_NOT_PRESENT" },
		{ "session-gone", "CKR_SESSION_HANDLE_INVALID" } };
	EVP_PKEY *pub = public_of("object=p256"), *key;
	char uri[600];

	(void)state;
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p256?%s", bad);
	key = try_open(uri);
	assert_non_null(key);
	for (size_t i = 0; i < 3; i++) {
		setenv("BAD_PKCS11", row[i][0], 1);
		signs_not(key, row[i][1]);
		signs_not(key, row[i][1]);
		setenv("BAD_PKCS11", "session", 1);
		signs_not(key, "cannot open a session: CKR_TOKEN_NOT_PRESENT");
		unsetenv("BAD_PKCS11");
		signs_all(key, pub);
	}
	setenv("BAD_PKCS11", "removed", 1);
	signs_not(key, "CKR_DEVICE_REMOVED");
	setenv("BAD_PKCS11", "pin-locked", 1);
	signs_not(key, "CKR_PIN_LOCKED");
	unsetenv("BAD_PKCS11");
	signs_not(key, "not tried again");
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
}

static void
gives_nonsense(void **state)
{
	static const char *const row[][2] = { { "sign-long", "1000000 bytes" }, { "sign-odd", "63 bytes" },
		{ "sign-empty", "0 bytes" }, { "not-permitted", "CKR_KEY_FUNCTION_NOT_PERMITTED" } };
	char uri[600];
	EVP_PKEY *key, *pub;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		snprintf(uri, sizeof uri, "pkcs11:token=line7;object=%s?%s", i < 4 ? "p256" : "rsa", bad);
		key = try_open(uri);
		assert_non_null(key);
		setenv("BAD_PKCS11", row[i % 4][0], 1);
		signs_not(key, row[i % 4][1]);
		unsetenv("BAD_PKCS11");
		pub = public_of(i < 4 ? "object=p256" : "object=rsa");
		signs_all(key, pub);
		EVP_PKEY_free(pub);
		EVP_PKEY_free(key);
	}
}

static void
takes_a_bare_point(void **state)
{
	static const char *const object[] = { "object=p256", "object=p521" };
	char uri[600];
	EVP_PKEY *key, *pub;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pub = public_of(object[i]);
		setenv("BAD_PKCS11", "point", 1);
		snprintf(uri, sizeof uri, "pkcs11:token=line7;%s?%s", object[i], bad);
		key = try_open(uri);
		if (!key)
			fail_msg("%s", err.text);
		signs_all(key, pub);
		EVP_PKEY_free(key);
		EVP_PKEY_free(pub);
	}
}

/* A token that salts as it likes: we pad, it does the arithmetic. One without RSA-PSS: TLS 1.2 is left. */
static void
salts_as_it_likes(void **state)
{
	EVP_PKEY *pub = public_of("object=rsa"), *key;
	struct remotekey_limits limits;
	char uri[600];

	(void)state;
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=rsa?%s", bad);
	setenv("BAD_PKCS11", "salt", 1);
	key = try_open(uri);
	assert_non_null(key);
	signs_all(key, pub);
	EVP_PKEY_free(key);
	setenv("BAD_PKCS11", "no-pss", 1);
	key = try_open(uri);
	assert_non_null(key);
	remotekey_limits(key, &limits);
	assert_int_equal(limits.tls_max, 0x0303);
	assert_null(strstr(limits.sigalgs, "PSS"));
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
}

static int
make_key(const char *path, const char *kind, struct buf *made)
{
	struct key_kind k = { .group = kind };
	struct uri u;
	char text[600];
	int rc;

	if (strncmp(kind, "rsa", 3) == 0)
		k = (struct key_kind){ .rsa_bits = atoi(kind + 3) };
	snprintf(text, sizeof text, "pkcs11:%s?%s", path, query);
	err_clear(&err);
	assert_int_equal(uri_get(&u, text, &err), 0);
	rc = key_pkcs11_make(&u, &k, made, &err);
	uri_fini(&u);
	return rc;
}

static void
made_works(const char *path, const char *kind, const char *which)
{
	struct buf made = { 0 };
	EVP_PKEY *key, *pub;

	if (make_key(path, kind, &made) < 0)
		fail_msg("%s", err.text);
	assert_null(strstr(buf_str(&made), SOFTHSM_PIN));
	key = try_open(buf_str(&made));
	if (!key)
		fail_msg("%s: %s", buf_str(&made), err.text);
	pub = public_of(which);
	signs_all(key, pub);
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
	buf_free(&made);
}

static void
makes(void **state)
{
	struct buf made = { 0 };
	struct uri u;

	(void)state;
	made_works("token=line7;object=new256", "P-256", "object=new256");
	made_works("token=line7;object=new384;id=%20%21", "secp384r1", "object=new384");
	made_works("token=line7;object=newrsa", "rsa2048", "object=newrsa");
	assert_int_equal(
	    softhsm_tool(dir, "--token-label line7 --list-objects --type privkey | grep -A9 newrsa | grep -q "
			      "'sensitive, always sensitive, never extractable'"),
	    0);
	assert_int_equal(make_key("token=line7;object=new256", "P-256", &made), HF_ERR_STATE);
	says("label");
	assert_int_equal(make_key("token=line7;id=%20%21", "P-256", &made), HF_ERR_STATE);
	says("this id");
	assert_int_equal(make_key("token=line7", "P-256", &made), HF_ERR_ARGS);
	says("object=");
	assert_int_equal(make_key("token=nobody;object=x", "P-256", &made), HF_ERR_KEY);
	assert_int_equal(make_key("object=x", "P-256", &made), HF_ERR_KEY);
	assert_int_equal(make_key("token=line7;object=x", "P-999", &made), HF_ERR_UNSUPPORTED);
	says("P-999");
	assert_int_equal(make_key("token=line7;object=x", "rsa200", &made), HF_ERR_KEY);
	says("CKR_");
	assert_int_equal(uri_get(&u, "pkcs11:token=line7;object=x?module-path=" SOFTHSM_MODULE, &err), 0);
	err_clear(&err);
	assert_int_equal(
	    key_pkcs11_make(&u, &(struct key_kind){ .group = "P-256" }, &made, &err), HF_ERR_KEY);
	says("pin-source");
	uri_fini(&u);
	assert_int_equal(buf_size(&made), 0);
	buf_free(&made);
}

struct seen {
	int n, ec, rsa, stop;
	char uri[600];
};

static int
see(void *ctx, const char *uri, const char *what)
{
	struct seen *s = ctx;

	s->n++;
	s->ec += strcmp(what, "EC P-256") == 0;
	s->rsa += strcmp(what, "RSA 2048") == 0;
	if (strstr(uri, "object=p256"))
		snprintf(s->uri, sizeof s->uri, "%s", uri);
	return s->stop;
}

static int
list(const char *text, struct seen *s)
{
	struct uri u;
	int rc;

	err_clear(&err);
	assert_int_equal(uri_get(&u, text, &err), 0);
	rc = key_pkcs11_each(&u, see, s, &err);
	uri_fini(&u);
	return rc;
}

static void
lists(void **state)
{
	struct seen s = { 0 };
	char uri[600];
	EVP_PKEY *key;

	(void)state;
	snprintf(uri, sizeof uri, "pkcs11:token=line7?%s", query);
	assert_int_equal(list(uri, &s), 0);
	assert_int_equal(s.n, 10);
	assert_int_equal(s.ec, 5);
	assert_int_equal(s.rsa, 2);
	key = try_open(s.uri);
	if (!key)
		fail_msg("%s: %s", s.uri, err.text);
	EVP_PKEY_free(key);
	s = (struct seen){ .stop = HF_ERR_IO };
	assert_int_equal(list(uri, &s), HF_ERR_IO);
	assert_int_equal(s.n, 1);
	s = (struct seen){ 0 };
	snprintf(uri, sizeof uri, "pkcs11:?module-path=%s", SOFTHSM_MODULE);
	assert_int_equal(list(uri, &s), HF_ERR_KEY);
	says("pin-source");
	snprintf(uri, sizeof uri, "pkcs11:?%s", query);
	assert_int_equal(list(uri, &s), HF_ERR_KEY);
	says("3 tokens");
	snprintf(uri, sizeof uri, "pkcs11:token=spare?%s", query);
	assert_int_equal(list(uri, &s), 0);
	assert_int_equal(s.n, 0);
}

/* Not the key that was opened: its certificate would not fit. */
static void
notices_another_key(void **state)
{
	EVP_PKEY *key;
	char uri[600];

	(void)state;
	MAKE("--key-type EC:prime256v1 --label swap --id 31 --usage-sign");
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=swap?%s", bad);
	key = try_open(uri);
	assert_non_null(key);
	setenv("BAD_PKCS11", "removed", 1);
	signs_not(key, "CKR_DEVICE_REMOVED");
	unsetenv("BAD_PKCS11");
	assert_int_equal(softhsm_tool(dir, "--token-label line7 --delete-object --type privkey --id 31"), 0);
	signs_not(key, "no private key is there");
	assert_int_equal(softhsm_tool(dir, "--token-label line7 --delete-object --type pubkey --id 31"), 0);
	MAKE("--key-type EC:prime256v1 --label swap --id 31 --usage-sign");
	signs_not(key, "another key in its place");
	EVP_PKEY_free(key);
}

static void
does_what_the_key_allows(void **state)
{
	struct remotekey_limits limits;
	EVP_PKEY *key, *pub;

	(void)state;
	MAKE(
	    "--key-type RSA:2048 --label narrow --id 32 --usage-sign --allowed-mechanisms RSA-PKCS,SHA256-RSA-PKCS");
	key = open_key("token=line7;object=narrow");
	pub = public_of("object=narrow");
	signs(key, pub, "SHA384", 0);
	remotekey_limits(key, &limits);
	assert_null(strstr(limits.sigalgs, "PSS"));
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
}

/* What of ours allocates, and p11-kit for us, goes through here (the linker's --wrap). 0: none fails. */
static unsigned due, asked;

static int
fails(void)
{
	return ++asked == due;
}

#define WRAP(type, name, params, args, failure)                                                              \
	type __real_##name params;                                                                           \
	type __wrap_##name params;                                                                           \
	type __wrap_##name params                                                                            \
	{                                                                                                    \
		return fails() ? (failure) : __real_##name args;                                             \
	}
WRAP(void *, malloc, (size_t n), (n), NULL)
WRAP(void *, calloc, (size_t n, size_t each), (n, each), NULL)
WRAP(void *, realloc, (void *p, size_t n), (p, n), NULL)
WRAP(char *, strdup, (const char *s), (s), NULL)
WRAP(char *, strndup, (const char *s, size_t n), (s, n), NULL)
WRAP(P11KitUri *, p11_kit_uri_new, (void), (), NULL)
WRAP(CK_RV, p11_kit_module_initialize, (CK_FUNCTION_LIST * m), (m), CKR_HOST_MEMORY)

/* Each of them once. 1: it failed, and said so; 0: it did without, or they are all through. */
static int
fail_at(unsigned n, int (*what)(void))
{
	int rc;

	err_clear(&err);
	due = n;
	asked = 0;
	rc = what();
	due = 0;
	if (rc == 0)
		return 0;
	if (rc != err.code || !*err.text)
		fail_msg("%u: %d %d %s", n, rc, err.code, err.text);
	return 1;
}

static int
open_it(void)
{
	struct hf_error why = { 0 };
	EVP_PKEY *key = NULL;
	char uri[600];
	int rc;

	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=asks?%s", query);
	rc = key_open(&key, uri, &(struct key_open){ 0 }, &why);
	EVP_PKEY_free(key);
	err = why;
	return rc;
}

static int
list_it(void)
{
	struct seen s = { 0 };
	struct uri u;
	char uri[600];
	int rc;

	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p256?%s", query);
	if ((rc = uri_get(&u, uri, &err)) < 0)
		return rc;
	rc = key_pkcs11_each(&u, see, &s, &err);
	uri_fini(&u);
	return rc;
}

static int
make_it(void)
{
	static int again;
	struct key_kind kind = { .group = "P-256" };
	struct buf made = { 0 };
	struct uri u;
	char uri[600];
	int rc;

	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=again%d?%s", again++, query);
	if ((rc = uri_get(&u, uri, &err)) < 0)
		return rc;
	rc = key_pkcs11_make(&u, &kind, &made, &err);
	uri_fini(&u);
	buf_free(&made);
	return rc;
}

static EVP_PKEY *lasting;

/* The token was away: all is opened anew. */
static int
sign_it(void)
{
	uint8_t sig[SIGN_MAX];
	size_t n = sizeof sig;
	unsigned was = due;
	int ok;

	due = 0;
	setenv("BAD_PKCS11", "removed", 1);
	make_signature(lasting, "SHA256", 0, sig, &n);
	unsetenv("BAD_PKCS11");
	ERR_clear_error();
	due = was;
	asked = 0;
	n = sizeof sig;
	ok = make_signature(lasting, "SHA256", 0, sig, &n);
	due = 0;
	if (!ok)
		err_ssl(&err, HF_ERR_KEY, "signing");
	return ok ? 0 : err.code;
}

static void
does_without_memory(void **state)
{
	int (*const what[])(void) = { open_it, list_it, make_it, sign_it };
	unsigned n, failed;
	char uri[600];

	(void)state;
	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=p256?%s", bad);
	lasting = try_open(uri);
	assert_non_null(lasting);
	for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
		for (n = 1, failed = 0; n == 1 || asked >= n - 1; n++)
			failed += (unsigned)fail_at(n, what[i]);
		assert_true(failed > 8);
		assert_int_equal(what[i](), 0);
	}
	EVP_PKEY_free(lasting);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(opens, behave),
		cmocka_unit_test_teardown(shares_the_token, behave),
		cmocka_unit_test_teardown(warns_of_a_pin, behave),
		cmocka_unit_test_teardown(finds_by_name, behave),
		cmocka_unit_test_teardown(refuses, behave),
		cmocka_unit_test_teardown(asks_each_time, behave),
		cmocka_unit_test_teardown(misbehaves, behave),
		cmocka_unit_test_teardown(tells_what_is_left, behave),
		cmocka_unit_test_teardown(has_a_keypad, behave),
		cmocka_unit_test_teardown(comes_back, behave),
		cmocka_unit_test_teardown(gives_nonsense, behave),
		cmocka_unit_test_teardown(takes_a_bare_point, behave),
		cmocka_unit_test_teardown(salts_as_it_likes, behave),
		cmocka_unit_test_teardown(makes, behave),
		cmocka_unit_test_teardown(lists, behave),
		cmocka_unit_test_teardown(finds_the_public_half, behave),
		cmocka_unit_test_teardown(notices_another_key, behave),
		cmocka_unit_test_teardown(does_what_the_key_allows, behave),
		cmocka_unit_test_teardown(does_without_memory, behave),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
