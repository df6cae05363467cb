#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include "hsm/key.h"
#include "tests/swtpm.h"
#include "tests/unit/make_cert.h"

static char dir[] = "/tmp/holdfast-provider-XXXXXX", tpm[100], tcti[200];
static pid_t chip;
static struct hf_error err;

static void
says(const char *words)
{
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
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

/* A %s in the URI is the folder. */
static int
open_it(EVP_PKEY **key, const char *uri)
{
	const struct key_open how = { 0 };
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

static void
refused(const char *uri, int code, const char *words)
{
	EVP_PKEY *key;

	assert_int_equal(open_it(&key, uri), code);
	says(words);
}

/* The public half as others read it: a PEM file in the folder. */
static EVP_PKEY *
read_public(const char *name)
{
	char path[200];
	EVP_PKEY *key;
	BIO *bio;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	bio = BIO_new_file(path, "r");
	key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	assert_non_null(key);
	return key;
}

static void
signs(EVP_PKEY *key, EVP_PKEY *pub, int pss)
{
	static const uint8_t text[] = "hello";
	EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p;
	uint8_t sig[SIGN_MAX];
	size_t len = sizeof sig;

	assert_int_equal(EVP_DigestSignInit_ex(sign, &p, "SHA256", remotekey_context(), NULL, key, NULL), 1);
	if (pss)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING), 1);
	assert_int_equal(EVP_DigestSign(sign, sig, &len, text, sizeof text), 1);
	assert_int_equal(EVP_DigestVerifyInit(verify, &p, EVP_sha256(), NULL, pub), 1);
	if (pss)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING), 1);
	assert_int_equal(EVP_DigestVerify(verify, sig, len, text, sizeof text), 1);
	EVP_MD_CTX_free(sign);
	EVP_MD_CTX_free(verify);
}

static void
works(const char *uri, const char *public)
{
	EVP_PKEY *key, *pub = read_public(public);

	if (open_it(&key, uri) != 0)
		fail_msg("%s: %s", uri, err.text);
	assert_true(remotekey_is(key));
	assert_int_equal(EVP_PKEY_eq(key, pub), 1);
	signs(key, pub, 0);
	if (EVP_PKEY_is_a(pub, "RSA"))
		signs(key, pub, 1);
	EVP_PKEY_free(key);
	EVP_PKEY_free(pub);
}

static void
make_tpm_key(const char *name, const char *kind, const char *handle)
{
	run("cd %s && tpm2_create -Q -C 0x81000001 %s -r priv -u pub -f pem -o %s.pem && tpm2_flushcontext -t && "
	    "tpm2_load -Q -C 0x81000001 -r priv -u pub -c loaded && tpm2_evictcontrol -Q -c loaded %s && "
	    "tpm2_flushcontext -t",
	    dir, kind, name, handle);
}

static int
make(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(tpm, sizeof tpm, "%s/tpm", dir);
	run("mkdir %s", tpm);
	chip = swtpm_start(tpm, tcti, sizeof tcti);
	if (chip < 0)
		return -1;
	setenv("TPM2OPENSSL_TCTI", tcti, 1);
	setenv("TPM2TOOLS_TCTI", tcti, 1);
	setenv("TSS2_LOG", "all+NONE", 1);
	run("cd %s && tpm2_createprimary -Q -C o -c primary && tpm2_evictcontrol -Q -C o -c primary 0x81000001 && "
	    "tpm2_flushcontext -t",
	    dir);
	make_tpm_key("ec", "-G ecc256", "0x81000201");
	make_tpm_key("rsa", "-G rsa2048", "0x81000202");
	make_tpm_key("pw", "-G ecc256 -p secret", "0x81000203");
	run("cd %s && printf secret >auth && printf wrong >wrong", dir);
	run("cd %s && openssl ecparam -genkey -name secp384r1 -noout -out soft.key && "
	    "openssl pkey -in soft.key -pubout -out soft.pem && "
	    "openssl pkcs8 -topk8 -in soft.key -passout pass:secret -out locked.key",
	    dir);
	return 0;
}

static int
clean(void **state)
{
	(void)state;
	swtpm_stop(chip);
	run("rm -rf %s", dir);
	return 0;
}

static void
uses_keys_in_a_tpm(void **state)
{
	(void)state;
	works("provider:tpm2:handle:0x81000201", "ec.pem");
	works("provider:tpm2:handle:0x81000202", "rsa.pem");
}

/* Nothing is left in a TPM that others use. */
static void
leaves_nothing_behind(void **state)
{
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(open_it(&key, "provider:tpm2:handle:0x81000201"), 0);
	EVP_PKEY_free(key);
	run("tpm2_getcap handles-transient | grep -q . && exit 1; tpm2_getcap handles-loaded-session | grep -q . && exit 1; true");
	assert_int_equal(OSSL_PROVIDER_available(NULL, "tpm2"), 0);
}

static void
asks_for_a_password(void **state)
{
	(void)state;
	works("provider:tpm2:handle:0x81000203?pass?auth-source=%s/auth", "pw.pem");
	works("provider:default:file:%1$s/locked.key?pin-source=%1$s/auth", "soft.pem");
	refused("provider:tpm2:handle:0x81000203?pass", HF_ERR_KEY, "pin-source=FILE");
	refused("provider:default:file:%s/locked.key", HF_ERR_KEY, "pin-source=FILE");
	refused("provider:default:file:%1$s/locked.key?pin-source=%1$s/wrong", HF_ERR_KEY,
	    "maybe wrong password");
	refused("provider:default:file:%1$s/locked.key?pin-source=%1$s/none", HF_ERR_IO, "/none");
	assert_null(strstr(err.text, "secret"));
}

/* A TPM's password is known to be wrong when it signs. */
static void
does_not_sign_with_a_wrong_password(void **state)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[SIGN_MAX];
	size_t len = sizeof sig;
	const char *words = "";
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(open_it(&key, "provider:tpm2:handle:0x81000203?pass?auth-source=%s/wrong"), 0);
	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", remotekey_context(), NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)"x", 1), 0);
	ERR_get_error_all(NULL, NULL, NULL, &words, NULL);
	err_set(&err, HF_ERR_KEY, "%s", words);
	says(
	    "key handle:0x81000203?pass of provider tpm2: the key did not sign: cannot sign: 2446 tpm:session(1):the authorization HMAC check failed");
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

/* The application's own provider of that name is another one, and stays so. */
static void
keeps_away_from_the_application(void **state)
{
	OSSL_PROVIDER *usual = OSSL_PROVIDER_load(NULL, "default"),
		      *theirs = OSSL_PROVIDER_load(NULL, "tpm2");

	(void)state;
	assert_non_null(theirs);
	works("provider:tpm2:handle:0x81000201", "ec.pem");
	works("provider:tpm2:handle:0x81000202", "rsa.pem");
	assert_int_equal(OSSL_PROVIDER_available(NULL, "tpm2"), 1);
	OSSL_PROVIDER_unload(theirs);
	OSSL_PROVIDER_unload(usual);
}

static void
takes_any_provider(void **state)
{
	(void)state;
	works("provider:default:file:%s/soft.key", "soft.pem");
	works("provider:default:%s/soft.key", "soft.pem");
	works("provider:legacy:%s/soft.key", "soft.pem");
	run("mkdir %1$s/modules && cp $(openssl version -m | cut -d'\"' -f2)/legacy.so %1$s/modules/mine.so",
	    dir);
	works("provider:mine:%1$s/soft.key?so-path=%1$s/modules/mine.so", "soft.pem");
}

static void
says_what_is_wrong(void **state)
{
	(void)state;
	refused("provider:tpm2", HF_ERR_ARGS, "provider:NAME:URI");
	refused("provider:tpm2:", HF_ERR_ARGS, "provider:NAME:URI");
	refused("provider::handle:1", HF_ERR_ARGS, "provider:NAME:URI");
	refused("provider:nobody:handle:0x81000201", HF_ERR_KEY, "ossl-modules/nobody.so");
	refused("provider:./x:handle:0x81000201", HF_ERR_ARGS, "\"./x\" is not the name of a provider");
	refused("provider:tpm2:handle:0x81000201?so-path=tpm2.so", HF_ERR_ARGS, "absolute path");
	refused("provider:tpm2:handle:0x81000201?so-path=/lib/other.so", HF_ERR_ARGS, "here tpm2.so");
	refused("provider:tpm2:handle:0x81000201?so-path=/no/where/tpm2.so", HF_ERR_KEY, "/no/where/tpm2.so");
	refused("provider:tpm2:handle:0x81000999", HF_ERR_KEY,
	    "key handle:0x81000999 of provider tpm2: it cannot be loaded: cannot load key: 395 tpm:handle(1)");
	refused("provider:default:file:%s/none.key", HF_ERR_KEY, "No such file");
	refused("provider:default:file:%s/soft.pem", HF_ERR_KEY, "cannot be loaded: unsupported");
	refused("provider:default:nonsense:1", HF_ERR_KEY, "cannot be loaded");
	refused("provider:default:file:%s/soft.key?pin-source=1&colour=blue", HF_ERR_ARGS, "colour");
}

static void
hears_of_a_tpm_that_is_not_there(void **state)
{
	(void)state;
	setenv("TPM2OPENSSL_TCTI", "swtpm:path=/no/where", 1);
	refused("provider:tpm2:handle:0x81000201", HF_ERR_KEY, "provider tpm2");
	setenv("TPM2OPENSSL_TCTI", tcti, 1);
	works("provider:tpm2:handle:0x81000201", "ec.pem");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses_keys_in_a_tpm),
		cmocka_unit_test(leaves_nothing_behind),
		cmocka_unit_test(asks_for_a_password),
		cmocka_unit_test(does_not_sign_with_a_wrong_password),
		cmocka_unit_test(keeps_away_from_the_application),
		cmocka_unit_test(takes_any_provider),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(hears_of_a_tpm_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
