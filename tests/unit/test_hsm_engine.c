#define OPENSSL_SUPPRESS_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include "hsm/key.h"
#include "make_cert.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
static char dir[] = "/tmp/holdfast-engine-XXXXXX";
/* OpenSSL takes one engine from a file: each way to behave has one of its own. */
static const char *const ids[] = { "zymkey_ssl", "zymkey_loads", "zymkey_empty", "zymkey_dead",
	"zymkey_rsa" };
static int *signatures, *users; /* of zymkey_ssl */
static X509 *cert, *other, *rsa;
static char logged[400];
static struct hf_error err;

static void
says(const char *words)
{
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
hear(void *ctx, const char *line)
{
	(void)ctx;
	snprintf(logged, sizeof logged, "%s", line);
}

/* The URI may have a %s: the file of the engine. */
static int
open_it(EVP_PKEY **key, const char *uri, X509 *x)
{
	const struct log log = { hear, NULL };
	struct key_open how = { .cert = x, .log = &log };
	char text[700];
	int rc;

	snprintf(text, sizeof text, uri, dir);
	*key = NULL;
	err_clear(&err);
	rc = key_open(key, text, &how, &err);
	assert_int_equal(ERR_peek_error(), 0);
	if (rc < 0)
		assert_null(*key);
	return rc;
}

static EVP_PKEY *
opened(const char *uri, X509 *x)
{
	EVP_PKEY *key;

	if (open_it(&key, uri, x) != 0)
		fail_msg("%s: %s", uri, err.text);
	assert_true(remotekey_is(key));
	return key;
}

static void
refused(const char *uri, X509 *x, int code, const char *words)
{
	EVP_PKEY *key;

	assert_int_equal(open_it(&key, uri, x), code);
	says(words);
}

static int
sign(EVP_PKEY *key, uint8_t *sig, size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = EVP_DigestSignInit_ex(ctx, NULL, "SHA256", remotekey_context(), NULL, key, NULL) == 1 &&
		 EVP_DigestSign(ctx, sig, len, (const uint8_t *)"hello", 5) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static void
signs_for(EVP_PKEY *key, X509 *x)
{
	uint8_t sig[SIGN_MAX];
	size_t len = sizeof sig;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(sign(key, sig, &len));
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, X509_get0_pubkey(x)), 1);
	assert_int_equal(EVP_DigestVerify(ctx, sig, len, (const uint8_t *)"hello", 5), 1);
	assert_int_equal(X509_check_private_key(x, key), 1);
	EVP_MD_CTX_free(ctx);
}

static void
run(const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static X509 *
certify(EVP_PKEY *key)
{
	const struct cert_wish wish = { .cn = "press-7", .pathlen = -1, .from = 1, .to = 4000000000 };

	return make_cert(&wish, key, NULL, NULL);
}

static void
write_key(const char *path, EVP_PKEY *key)
{
	BIO *bio = BIO_new_file(path, "w");

	PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
	BIO_free(bio);
}

static void
write_text(const char *name, const char *text)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

/* A token with the key of `cert` as "ec", and one of `rsa`. */
static void
make_token(EVP_PKEY *ec, EVP_PKEY *rsa_key)
{
	char path[100], text[200];

	snprintf(text, sizeof text,
	    "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", dir);
	write_text("softhsm2.conf", text);
	write_text("pin", "1234\n");
	write_text("wrong", "4321\n");
	snprintf(path, sizeof path, "%s/softhsm2.conf", dir);
	setenv("SOFTHSM2_CONF", path, 1);
	run("mkdir %s/tokens", dir);
	run("softhsm2-util --init-token --free --label line7 --pin 1234 --so-pin 5678 >/dev/null");
	snprintf(path, sizeof path, "%s/ec.pem", dir);
	BIO *bio = BIO_new_file(path, "w");
	PEM_write_bio_PKCS8PrivateKey(bio, ec, NULL, NULL, 0, NULL, NULL);
	BIO_free(bio);
	snprintf(path, sizeof path, "%s/rsa.pem", dir);
	bio = BIO_new_file(path, "w");
	PEM_write_bio_PKCS8PrivateKey(bio, rsa_key, NULL, NULL, 0, NULL, NULL);
	BIO_free(bio);
	run("softhsm2-util --import %s/ec.pem --token line7 --label ec --id 01 --pin 1234 >/dev/null", dir);
	run("softhsm2-util --import %s/rsa.pem --token line7 --label rsa --id 02 --pin 1234 >/dev/null", dir);
}

static int
make(void **state)
{
	const char *build = getenv("HOLDFAST_BUILD");
	EVP_PKEY *key = make_key(), *key2 = make_key(), *rsa_key = EVP_RSA_gen(2048);
	char path[100];
	void *so;

	(void)state;
	if (!build || !mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		run("cp %s/tests/zymkey_engine.so %s/%s.so", build, dir, ids[i]);
	snprintf(path, sizeof path, "%s/zymkey.pem", dir);
	write_key(path, key);
	setenv("ZYMKEY_KEY", path, 1);
	snprintf(path, sizeof path, "%s/zymkey_ssl.so", dir);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		return -1;
	signatures = dlsym(so, "zymkey_signatures");
	users = dlsym(so, "zymkey_users");
	snprintf(path, sizeof path, "%s/rsa.key", dir);
	write_key(path, rsa_key);
	cert = certify(key);
	other = certify(key2);
	rsa = certify(rsa_key);
	make_token(key, rsa_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(key2);
	EVP_PKEY_free(rsa_key);
	return signatures && users ? 0 : -1;
}

static int
clean(void **state)
{
	(void)state;
	X509_free(cert);
	X509_free(other);
	X509_free(rsa);
	run("rm -rf %s", dir);
	return 0;
}

static void
binds_the_key_of_a_zymkey(void **state)
{
	EVP_PKEY *key = opened("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", cert);
	int before = *signatures;

	(void)state;
	assert_int_equal(before, 1); /* tried */
	signs_for(key, cert);
	assert_int_equal(*signatures, before + 1);
	assert_int_equal(*users, 1);
	EVP_PKEY_free(key);
	assert_int_equal(*users, 0);
	key = opened("engine:zymkey_ssl:any name: it is not looked at?so-path=%s/zymkey_ssl.so", cert);
	signs_for(key, cert);
	EVP_PKEY_free(key);
	assert_int_equal(*users, 0);
}

static void
binds_an_rsa_key(void **state)
{
	struct remotekey_limits limits;
	char path[100], before[100];
	EVP_PKEY *key;

	(void)state;
	snprintf(before, sizeof before, "%s", getenv("ZYMKEY_KEY"));
	snprintf(path, sizeof path, "%s/rsa.key", dir);
	setenv("ZYMKEY_KEY", path, 1);
	key = opened("engine:zymkey_rsa?so-path=%s/zymkey_rsa.so", rsa);
	signs_for(key, rsa);
	remotekey_limits(key, &limits);
	assert_int_equal(limits.tls_max, 0); /* RSA-PSS too */
	EVP_PKEY_free(key);
	refused("engine:zymkey_rsa?so-path=%s/zymkey_rsa.so", cert, HF_ERR_UNSUPPORTED,
	    "no keys of the certificate's kind");
	setenv("ZYMKEY_KEY", before, 1);
}

static void
knows_when_it_is_another_key(void **state)
{
	(void)state;
	refused("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", other, HF_ERR_KEY,
	    "not with the key of the certificate");
	refused("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", rsa, HF_ERR_UNSUPPORTED,
	    "no keys of the certificate's kind");
	refused("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", NULL, HF_ERR_KEY, "give the certificate");
	assert_int_equal(*users, 0);
}

static void
takes_what_is_given_out(void **state)
{
	EVP_PKEY *key = opened("engine:zymkey_loads:0?so-path=%s/zymkey_loads.so", cert);

	(void)state;
	signs_for(key, cert);
	EVP_PKEY_free(key);
	key = opened("engine:zymkey_loads?so-path=%s/zymkey_loads.so", NULL);
	signs_for(key, cert);
	EVP_PKEY_free(key);
	key = opened("engine:zymkey_empty:slot9?so-path=%s/zymkey_empty.so", cert);
	signs_for(key, cert);
	EVP_PKEY_free(key);
	refused("engine:zymkey_empty:slot9?so-path=%s/zymkey_empty.so", other, HF_ERR_KEY,
	    "failed loading private key");
	refused("engine:zymkey_empty:slot9?so-path=%s/zymkey_empty.so", NULL, HF_ERR_KEY,
	    "failed loading private key");
	assert_int_equal(*users, 0);
}

static void
holds_two_at_a_time(void **state)
{
	EVP_PKEY *one = opened("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", cert);
	EVP_PKEY *two = opened("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", cert);
	EVP_PKEY *three = opened("engine:zymkey_loads:3?so-path=%s/zymkey_loads.so", cert);

	(void)state;
	signs_for(one, cert);
	signs_for(three, cert);
	EVP_PKEY_free(one);
	signs_for(two, cert);
	EVP_PKEY_free(three);
	signs_for(two, cert);
	EVP_PKEY_free(two);
	assert_int_equal(*users, 0);
}

/* The application's keys, made and used as of old, never see the engine; not even when everything that OpenSSL has is registered. */
static void
leaves_the_process_alone(void **state)
{
	EVP_PKEY *key = opened("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", cert), *soft;
	const uint8_t digest[32] = { 1 };
	uint8_t sig[SIGN_MAX];
	unsigned n = sizeof sig;
	EC_KEY *ec;
	int before;

	(void)state;
	ENGINE_register_all_complete();
	before = *signatures;
	assert_null(ENGINE_get_default_EC());
	ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	assert_int_equal(EC_KEY_generate_key(ec), 1);
	assert_int_equal(ECDSA_sign(0, digest, sizeof digest, sig, &n, ec), 1);
	assert_int_equal(ECDSA_verify(0, digest, sizeof digest, sig, (int)n, ec), 1);
	EC_KEY_free(ec);
	soft = make_key();
	X509_free(certify(soft));
	EVP_PKEY_free(soft);
	assert_int_equal(*signatures, before);
	EVP_PKEY_free(key);
}

static void
says_what_is_wrong(void **state)
{
	char uri[600];

	(void)state;
	refused("engine:", cert, HF_ERR_ARGS, "engine:ID:KEY");
	refused("engine:nothing", cert, HF_ERR_KEY, "/nothing.so; ?so-path=/ABS.so");
	refused("engine:../x/y", cert, HF_ERR_ARGS, "not the id of an engine");
	refused("engine:zymkey_ssl?so-path=tests/zymkey_engine.so", cert, HF_ERR_ARGS, "absolute path");
	refused("engine:zymkey_ssl?so-path=/no/where.so", cert, HF_ERR_KEY, "there is no file /no/where.so");
	refused("engine:stranger?so-path=%s/zymkey_ssl.so", cert, HF_ERR_KEY, "cannot load");
	refused("engine:zymkey_dead?so-path=%s/zymkey_dead.so", cert, HF_ERR_KEY,
	    "engine zymkey_dead: it does not start: init failed");
	refused(
	    "engine:zymkey_ssl?so-path=%s/zymkey_ssl.so&module-path=/x.so", cert, HF_ERR_ARGS, "MODULE_PATH");
	refused("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so&pin=1", cert, HF_ERR_ARGS, "\"pin\"");
	snprintf(uri, sizeof uri, "engine:zymkey_ssl?so-path=%s/pin", dir);
	refused(uri, cert, HF_ERR_KEY, "cannot load");
	assert_int_equal(*users, 0);
}

#define TOKEN "engine:pkcs11:pkcs11:token=line7;object="
static EVP_PKEY *
opened_in_token(const char *object, const char *rest, X509 *x)
{
	char uri[600];

	snprintf(uri, sizeof uri, TOKEN "%s?module-path=" SOFTHSM "%s%s/pin", object, rest, dir);
	return opened(uri, x);
}

static void
finds_keys_in_a_token(void **state)
{
	EVP_PKEY *ec = opened_in_token("ec", "&pin-source=", NULL), *again, *two, *soft;

	(void)state;
	signs_for(ec, cert);
	two = opened_in_token("rsa", "&pin-source=file:", rsa);
	signs_for(two, rsa);
	again =
	    opened("engine:pkcs11:pkcs11:token=line7;id=%%01?module-path=" SOFTHSM "&pin-value=1234", cert);
	assert_non_null(
	    strstr(logged, "PIN of the key pkcs11:token=line7;id=%01 of engine pkcs11 stands in a URI"));
	soft = opened("engine:zymkey_ssl?so-path=%s/zymkey_ssl.so", cert);
	EVP_PKEY_free(ec);
	signs_for(again, cert);
	signs_for(two, rsa);
	signs_for(soft, cert);
	EVP_PKEY_free(two);
	signs_for(again, cert);
	EVP_PKEY_free(again);
	EVP_PKEY_free(soft);
}

static void
refused_in_token(const char *object, const char *rest, const char *words)
{
	char uri[600];

	snprintf(uri, sizeof uri, TOKEN "%s?module-path=" SOFTHSM "%s", object, rest);
	refused(uri, cert, HF_ERR_KEY, words);
	assert_null(strstr(err.text, "4321"));
}

/* Before a right PIN is seen: this engine stays logged in for as long as the process lives. */
static void
says_what_is_wrong_with_a_token(void **state)
{
	char wrong[200];

	(void)state;
	snprintf(wrong, sizeof wrong, "&pin-source=%s/wrong", dir);
	refused_in_token("ec", wrong, "cannot be loaded: PIN incorrect");
	refused_in_token("ec", "", "pin-source=FILE");
	refused(TOKEN "ec?module-path=softhsm.so", cert, HF_ERR_ARGS, "absolute path");
	refused(TOKEN "ec?module-path=/no/where.so&pin-value=1234", cert, HF_ERR_KEY, "engine pkcs11");
	EVP_PKEY_free(opened_in_token("ec", "&pin-source=", NULL));
	refused_in_token("none", "&pin-value=1234", "key pkcs11:token=line7;object=none of engine pkcs11");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binds_the_key_of_a_zymkey),
		cmocka_unit_test(binds_an_rsa_key),
		cmocka_unit_test(knows_when_it_is_another_key),
		cmocka_unit_test(takes_what_is_given_out),
		cmocka_unit_test(holds_two_at_a_time),
		cmocka_unit_test(leaves_the_process_alone),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(says_what_is_wrong_with_a_token),
		cmocka_unit_test(finds_keys_in_a_token),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
