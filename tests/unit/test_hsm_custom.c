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
#include <time.h>
#include <unistd.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/hsm.h"
#include "hsm/key.h"
#include "hsm_client_data.h"
#include "make_cert.h"

/* The order of the tables is a contract with libraries that were built long ago. */
#define AT(table, member, n)                                                                                 \
	_Static_assert(offsetof(HSM_CLIENT_##table##_INTERFACE, member) == (n) * sizeof(void *), #member)
AT(X509, hsm_client_x509_create, 0);
AT(X509, hsm_client_x509_destroy, 1);
AT(X509, hsm_client_get_cert, 2);
AT(X509, hsm_client_get_key, 3);
AT(X509, hsm_client_get_common_name, 4);
AT(TPM, hsm_client_tpm_create, 0);
AT(TPM, hsm_client_tpm_destroy, 1);
AT(TPM, hsm_client_activate_identity_key, 2);
AT(TPM, hsm_client_get_ek, 3);
AT(TPM, hsm_client_get_srk, 4);
AT(TPM, hsm_client_sign_with_identity, 5);
AT(KEY, hsm_client_key_create, 0);
AT(KEY, hsm_client_key_destroy, 1);
AT(KEY, hsm_client_get_symm_key, 2);
AT(KEY, hsm_client_get_registration_name, 3);
AT(KEY, hsm_client_set_symm_key_info, 4);

static char dir[] = "/tmp/holdfast-custom-XXXXXX", libs[256];
static struct hf_error err;
static char *pem_cert, *pem_key;

static void
put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (!text)
		unlink(path);
	else
		assert_int_equal(file_replace(path, text, strlen(text), "test file", &err), 0);
}

static char *
key_pem(EVP_PKEY *key)
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

static char *
cert_pem(EVP_PKEY *key)
{
	const struct cert_wish wish = { "of-the-certificate", 0, -1, time(NULL) - 60, time(NULL) + 3600 };
	X509 *x = make_cert(&wish, key, NULL, NULL);
	char *text = make_pem(x);

	X509_free(x);
	return text;
}

static int
make(void **state)
{
	EVP_PKEY *key = make_key();

	(void)state;
	if (!key || !mkdtemp(dir))
		return -1;
	pem_cert = cert_pem(key);
	pem_key = key_pem(key);
	EVP_PKEY_free(key);
	snprintf(libs, sizeof libs, "%s/tests", getenv("HOLDFAST_BUILD") ? getenv("HOLDFAST_BUILD") : ".");
	return setenv("FIXTURE_DIR", dir, 1);
}

static int
clean(void **state)
{
	(void)state;
	put("cert.pem", NULL);
	put("key.pem", NULL);
	put("key.txt", NULL);
	free(pem_cert);
	free(pem_key);
	return rmdir(dir);
}

static int
reset(void **state)
{
	(void)state;
	err_clear(&err);
	unsetenv("FIXTURE_FAULT");
	put("cert.pem", pem_cert);
	put("key.pem", pem_key);
	put("key.txt", pem_key);
	return 0;
}

/* A fixture's own count of calls; it stays where it is loaded, so it can be asked at any time. */
static int
count(const char *lib, const char *function)
{
	char path[512];
	void *so;
	int (*fn)(const char *), n;

	snprintf(path, sizeof path, "%s/custom_%s.so", libs, lib);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(so);
	*(void **)&fn = dlsym(so, "fixture_count");
	n = fn(function);
	dlclose(so);
	return n;
}

static int
open_lib(struct hsm **h, const char *lib, const char *query, const char *id)
{
	char uri[512];
	struct hsm_settings s = { .hsm = uri, .registration_id = id };

	snprintf(uri, sizeof uri, "hsm:%s/custom_%s.so%s", libs, lib, query);
	return hsm_open(h, &s, &err);
}

static int
sign_with(EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[1024];
	size_t n = sizeof sig;
	int rc;

	rc = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"holdfast", 8) == 1;
	EVP_MD_CTX_free(ctx);
	return rc ? 0 : HF_ERR_KEY;
}

/* All that is asked of an identity, up to the first failure. */
static int
use(struct hsm *h)
{
	struct buf ek = { 0 }, srk = { 0 }, wrapped = { 0 };
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	uint8_t mac[32];
	int rc = h->ops->identity(h, 1, &ek, &srk, &err);

	if (rc == 0 && h->kind == HSM_X509)
		rc = h->ops->certificate(h, &chain, &err);
	if (rc == 0 && h->kind == HSM_X509)
		rc = h->ops->key(h, &key, &err);
	if (rc == 0 && h->kind == HSM_X509)
		rc = sign_with(key);
	if (rc == 0 && h->kind == HSM_TPM)
		rc = h->ops->activate(h, "the blob", 8, &wrapped, &err);
	if (rc == 0 && h->kind == HSM_TPM)
		rc = h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err);
	if (rc == 0 && h->kind != HSM_X509)
		rc = h->ops->hmac(h, "data", 4, mac, &err);
	buf_free(&ek);
	buf_free(&srk);
	buf_free(&wrapped);
	return rc;
}

static void
works(const char *lib, const char *query, enum hsm_kind kind, const char *id)
{
	struct hsm *h = NULL;

	if (open_lib(&h, lib, query, NULL) < 0 || use(h) < 0)
		fail_msg("%s%s: %s", lib, query, err.text);
	assert_int_equal(h->kind, kind);
	assert_int_equal(h->blocks, 1);
	assert_string_equal(h->registration_id, id);
	assert_int_equal(ERR_peek_error(), 0);
	hsm_close(h);
	assert_int_equal(count(lib, "fixture_open"), 0);
}

static void
says(const char *words, int code)
{
	if (err.code != code || !strstr(err.text, words))
		fail_msg("%d \"%s\" is not %d \"%s\"", err.code, err.text, code, words);
	err_clear(&err);
}

static void
finds_what_there_is(void **state)
{
	(void)state;
	works("all", "", HSM_X509, "line7-press.3");
	works("all", "?type=x509", HSM_X509, "line7-press.3");
	works("all", "?type=symmetric", HSM_SYMMETRIC, "meter-9");
	works("x509", "", HSM_X509, "line7-press.3");
	works("v2", "", HSM_X509, "line7-press.3");
	works("symkey", "", HSM_SYMMETRIC, "meter-9");
	setenv("FIXTURE_FAULT", "hsm_client_x509_interface:null", 1);
	works("symkey", "", HSM_SYMMETRIC, "meter-9");
}

static void
tpm_names_itself(void **state)
{
	struct hsm *h = NULL;
	struct buf ek = { 0 }, srk = { 0 };
	char hex[65], want[65];
	uint8_t hash[32];

	(void)state;
	assert_int_equal(open_lib(&h, "tpm", "", NULL), 0);
	assert_int_equal(h->kind, HSM_TPM);
	assert_int_equal(h->keeps_nothing, 1);
	assert_int_equal(h->ops->identity(h, 0, &ek, &srk, &err), 0);
	assert_int_equal(buf_size(&ek), 8);
	assert_memory_equal(buf_data(&srk), "\0\7the SRK", 9);
	assert_int_equal(strlen(h->registration_id), 52);
	EVP_Digest("the EK", 6, hash, NULL, EVP_sha256(), NULL);
	str_hex(want, hash, 32);
	assert_int_equal(hsm_fingerprint(h, hex, &err), 0);
	assert_string_equal(hex, want);
	hsm_close(h);
	buf_free(&ek);
	buf_free(&srk);
}

static void
expect_mac(struct hsm *h, const char *key)
{
	uint8_t mac[32], want[32];

	if (h->ops->hmac(h, "data", 4, mac, &err) < 0)
		fail_msg("%s", err.text);
	HMAC(EVP_sha256(), key, (int)strlen(key), (const uint8_t *)"data", 4, want, NULL);
	assert_memory_equal(mac, want, 32);
}

/* The library has one key at a time; ours are the challenge's, until it is forgotten, and the hub's. */
static void
tpm_signs_with_the_right_key(void **state)
{
	struct hsm *h = NULL;
	struct buf ek = { 0 }, srk = { 0 }, wrapped = { 0 };
	int before = count("tpm", "hsm_client_activate_identity_key");

	(void)state;
	assert_int_equal(open_lib(&h, "tpm", "?type=tpm", NULL), 0);
	assert_int_equal(h->ops->identity(h, 1, &ek, &srk, &err), 0);
	assert_int_equal(h->ops->activate(h, "challenge", 9, &wrapped, &err), 0);
	expect_mac(h, "challenge");
	h->ops->forget(h);
	buf_clear(&wrapped);
	assert_int_equal(h->ops->activate(h, "hub", 3, &wrapped, &err), 0);
	assert_int_equal(buf_size(&wrapped), 3);
	assert_memory_equal(buf_data(&wrapped), "hub", 3);
	assert_int_equal(h->ops->keep(h, "hub", 3, &err), 0);
	h->ops->forget(h);
	expect_mac(h, "hub");
	assert_int_equal(count("tpm", "hsm_client_activate_identity_key"), before + 2);
	assert_int_equal(h->ops->has_key(h, &err), 1);
	assert_int_equal(h->ops->activate(h, "second challenge", 16, &wrapped, &err), 0);
	expect_mac(h, "second challenge");
	h->ops->forget(h);
	expect_mac(h, "hub"); /* which had to be loaded again */
	assert_int_equal(count("tpm", "hsm_client_activate_identity_key"), before + 4);
	hsm_close(h);
	assert_int_equal(open_lib(&h, "tpm", "", NULL), 0);
	assert_int_equal(h->ops->keep(h, "of the state file", 17, &err), 0);
	expect_mac(h, "of the state file");
	setenv("FIXTURE_FAULT", "hsm_client_sign_with_identity:fail", 1);
	assert_int_equal(h->ops->has_key(h, &err), 0);
	hsm_close(h);
	buf_free(&ek);
	buf_free(&srk);
	buf_free(&wrapped);
}

static void
users_name_comes_first(void **state)
{
	static const char *const lib[][2] = { { "all", "?type=x509" }, { "all", "?type=symmetric" },
		{ "v2", "" } };
	struct hsm *h = NULL;

	(void)state;
	setenv("FIXTURE_FAULT", "hsm_client_get_common_name:garbage", 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(open_lib(&h, lib[i][0], lib[i][1], "my-own"), 0);
		assert_int_equal(use(h), 0);
		hsm_close(h);
	}
}

static void
second_version_may_leave_out(void **state)
{
	static const char *const faults[] = { "hsm_client_get_common_name:null",
		"hsm_client_get_common_name:empty", "hsm_client_x509_v2_interface:hsm_client_get_common_name",
		"hsm_client_x509_v2_interface:hsm_client_make_key", "hsm_client_x509_v2_interface:old" };

	(void)state;
	for (int i = 0; i < 5; i++) {
		setenv("FIXTURE_FAULT", faults[i], 1);
		works("v2", "", HSM_X509, i < 3 ? "of-the-certificate" : "line7-press.3");
	}
}

static const struct {
	const char *lib, *query, *fault; /* FUNCTION:FAULT */
	const char *words;		 /* NULL: the function's name */
	int code;
} faults[] = {
	{ "all", "", "hsm_client_x509_init:fail", "hsm_client_x509_init() failed", HF_ERR_KEY },
	{ "all", "", "hsm_client_tpm_init:fail", "hsm_client_tpm_init() failed", HF_ERR_KEY },
	{ "x509", "", "hsm_client_x509_interface:null", "hsm_client_x509_interface() returned NULL",
	    HF_ERR_KEY },
	{ "v2", "", "hsm_client_x509_v2_interface:small", "whose size cannot be", HF_ERR_KEY },
	{ "v2", "", "hsm_client_x509_v2_interface:garbage", "whose size cannot be", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_interface:null", "hsm_client_tpm_interface() returned NULL",
	    HF_ERR_KEY },
	{ "symkey", "?type=symmetric", "hsm_client_key_interface:null",
	    "hsm_client_key_interface() returned NULL", HF_ERR_KEY },
	{ "x509", "", "hsm_client_x509_interface:hsm_client_x509_create", "hsm_client_x509_create() is NULL",
	    HF_ERR_KEY },
	{ "x509", "", "hsm_client_x509_interface:hsm_client_x509_destroy",
	    "hsm_client_x509_destroy() is NULL", HF_ERR_KEY },
	{ "x509", "", "hsm_client_x509_interface:hsm_client_get_cert", "hsm_client_get_cert() is NULL",
	    HF_ERR_KEY },
	{ "x509", "", "hsm_client_x509_interface:hsm_client_get_key", "hsm_client_get_key() is NULL",
	    HF_ERR_KEY },
	{ "x509", "", "hsm_client_x509_interface:hsm_client_get_common_name",
	    "hsm_client_get_common_name() is NULL", HF_ERR_KEY },
	{ "x509", "", "hsm_client_x509_create:null", NULL, HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_cert:null", "hsm_client_get_cert() returned NULL", HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_cert:empty", "hsm_client_get_cert() returned NULL or an empty",
	    HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_cert:garbage", NULL, HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_cert:huge", "more than the 262144 bytes", HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_key:null", NULL, HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_key:empty", NULL, HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_key:garbage", NULL, HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_key:huge", "more than the 65536 bytes", HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_common_name:null", NULL, HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_common_name:empty", NULL, HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_common_name:garbage", "is no registration id", HF_ERR_KEY },
	{ "x509", "", "hsm_client_get_common_name:huge", "more than the 128 bytes", HF_ERR_KEY },
	{ "v2", "", "hsm_client_x509_v2_interface:hsm_client_x509_create", "hsm_client_x509_create() is NULL",
	    HF_ERR_KEY },
	{ "v2", "", "hsm_client_x509_v2_interface:hsm_client_get_public_key",
	    "hsm_client_get_public_key() is NULL", HF_ERR_KEY },
	{ "v2", "", "hsm_client_x509_v2_interface:hsm_client_get_algorithms",
	    "hsm_client_get_algorithms() is NULL", HF_ERR_KEY },
	{ "v2", "", "hsm_client_x509_v2_interface:hsm_client_sign_digest", "hsm_client_sign_digest() is NULL",
	    HF_ERR_KEY },
	{ "v2", "", "hsm_client_x509_v2_interface:hsm_client_get_cert", "there is no certificate yet",
	    HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_cert:null", "there is no certificate yet", HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_cert:garbage", NULL, HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_common_name:garbage", NULL, HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_public_key:null", "there is no key yet", HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_public_key:empty", "there is no key yet", HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_public_key:garbage", "no EC or RSA public key", HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_public_key:huge", NULL, HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_algorithms:null", NULL, HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_algorithms:garbage", "names nothing that its EC key could do",
	    HF_ERR_KEY },
	{ "v2", "", "hsm_client_get_algorithms:huge", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_interface:hsm_client_tpm_create", "hsm_client_tpm_create() is NULL",
	    HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_interface:hsm_client_tpm_destroy", "hsm_client_tpm_destroy() is NULL",
	    HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_interface:hsm_client_get_ek", "hsm_client_get_ek() is NULL",
	    HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_interface:hsm_client_get_srk", "hsm_client_get_srk() is NULL",
	    HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_interface:hsm_client_activate_identity_key",
	    "hsm_client_activate_identity_key() is NULL", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_interface:hsm_client_sign_with_identity",
	    "hsm_client_sign_with_identity() is NULL", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_tpm_create:null", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_ek:fail", "hsm_client_get_ek() failed (it returned 7)", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_ek:null", "claims success and hands out NULL", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_ek:empty", "hands out no bytes", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_ek:huge", "more than the 4096 bytes", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_srk:fail", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_srk:null", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_srk:empty", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_get_srk:huge", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_activate_identity_key:fail",
	    "did not take the service's key (it returned 3)", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_sign_with_identity:fail", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_sign_with_identity:null", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_sign_with_identity:empty", NULL, HF_ERR_KEY },
	{ "tpm", "", "hsm_client_sign_with_identity:garbage", "that has 32 bytes", HF_ERR_KEY },
	{ "tpm", "", "hsm_client_sign_with_identity:huge", NULL, HF_ERR_KEY },
	{ "symkey", "", "hsm_client_key_interface:hsm_client_key_create", "hsm_client_key_create() is NULL",
	    HF_ERR_KEY },
	{ "symkey", "", "hsm_client_key_interface:hsm_client_key_destroy", "hsm_client_key_destroy() is NULL",
	    HF_ERR_KEY },
	{ "symkey", "", "hsm_client_key_interface:hsm_client_get_symm_key",
	    "hsm_client_get_symm_key() is NULL", HF_ERR_KEY },
	{ "symkey", "", "hsm_client_key_interface:hsm_client_get_registration_name",
	    "hsm_client_get_registration_name() is NULL", HF_ERR_KEY },
	{ "symkey", "", "hsm_client_key_create:null", NULL, HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_symm_key:null", NULL, HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_symm_key:empty", NULL, HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_symm_key:garbage", "that is not base64", HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_symm_key:huge", NULL, HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_registration_name:null", NULL, HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_registration_name:empty", NULL, HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_registration_name:garbage", "is no registration id", HF_ERR_KEY },
	{ "symkey", "", "hsm_client_get_registration_name:huge", NULL, HF_ERR_KEY },
	{ "none", "", "", "has none of the functions of a custom HSM", HF_ERR_KEY },
	{ "x509", "?type=tpm", "", "has no hsm_client_tpm_interface()", HF_ERR_KEY },
	{ "x509", "?type=symmetric", "", "has no hsm_client_key_interface()", HF_ERR_KEY },
	{ "tpm", "?type=x509", "", "has no hsm_client_x509_interface()", HF_ERR_KEY },
	{ "tpm", "?engine=acme", "", "engine=acme", HF_ERR_ARGS },
	{ "v2", "?engine=acme", "", "signs itself", HF_ERR_ARGS },
	{ "x509", "?engine=", "", "engine", HF_ERR_ARGS },
	{ "x509", "?type=riot", "", "x509, tpm and symmetric", HF_ERR_ARGS },
	{ "x509", "?tpye=x509", "", "tpye", HF_ERR_ARGS },
	{ "is_not_there", "", "", "cannot be loaded: ", HF_ERR_KEY },
};

static void
names_library_and_function(void **state)
{
	char name[128], where[300];
	struct hsm *h;

	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		size_t n = strcspn(faults[i].fault, ":");
		int inside = faults[i].code == HF_ERR_KEY;

		setenv("FIXTURE_FAULT", faults[i].fault, 1);
		snprintf(name, sizeof name, "%.*s()", (int)n, faults[i].fault);
		snprintf(where, sizeof where, "custom HSM %s/custom_%s.so", libs, faults[i].lib);
		h = NULL;
		if (open_lib(&h, faults[i].lib, faults[i].query, NULL) == 0 && use(h) == 0)
			fail_msg("%s%s %s: works", faults[i].lib, faults[i].query, faults[i].fault);
		if (inside && !strstr(err.text, where))
			fail_msg("%s: \"%s\" does not name the library", faults[i].fault, err.text);
		if (h && strstr(err.text, "no registration id"))
			assert_string_equal(h->registration_id, "");
		hsm_close(h);
		if (strcmp(faults[i].lib, "is_not_there") != 0)
			assert_int_equal(count(faults[i].lib, "fixture_open"), 0);
		says(faults[i].words ? faults[i].words : name, faults[i].code);
	}
}

static void
starts_and_ends_once(void **state)
{
	int x509 = count("all", "hsm_client_x509_init"), tpm = count("all", "hsm_client_tpm_init");
	int ended = count("all", "hsm_client_x509_deinit"), tpm_ended = count("all", "hsm_client_tpm_deinit");
	struct hsm *a, *b, *c;

	(void)state;
	assert_int_equal(open_lib(&a, "all", "?type=x509", NULL), 0);
	assert_int_equal(open_lib(&b, "all", "?type=tpm", NULL), 0);
	assert_int_equal(open_lib(&c, "all", "?type=symmetric", NULL), 0);
	assert_int_equal(use(a) | use(b) | use(c), 0);
	assert_int_equal(count("all", "hsm_client_x509_init"), x509 + 1);
	assert_int_equal(count("all", "hsm_client_tpm_init"), tpm + 1);
	hsm_close(a);
	hsm_close(c);
	assert_int_equal(count("all", "hsm_client_x509_deinit"), ended);
	hsm_close(b);
	assert_int_equal(count("all", "hsm_client_x509_deinit"), ended + 1);
	assert_int_equal(count("all", "hsm_client_tpm_deinit"), tpm_ended + 1);
	/* What began is ended when the second half fails. */
	setenv("FIXTURE_FAULT", "hsm_client_tpm_init:fail", 1);
	assert_int_equal(open_lib(&a, "all", "", NULL), HF_ERR_KEY);
	assert_int_equal(count("all", "hsm_client_x509_deinit"), ended + 2);
}

static void
wants_a_path_from_the_root(void **state)
{
	const struct hsm_settings relative = { .hsm = "hsm:custom_all.so" }, other = { .hsm = "file:/x.so" },
				  none = { .hsm = "hsm:" };
	struct hsm *h;

	(void)state;
	assert_int_equal(hsm_open(&h, &relative, &err), HF_ERR_ARGS);
	says("absolute path", HF_ERR_ARGS);
	assert_int_equal(hsm_open(&h, &other, &err), HF_ERR_ARGS);
	says("named \"hsm:\"", HF_ERR_ARGS);
	assert_int_equal(hsm_open(&h, &none, &err), HF_ERR_ARGS);
	says("no custom HSM is linked into this program", HF_ERR_ARGS);
}

static void
takes_a_linked_table(void **state)
{
	struct hf_hsm_table t = { .size = sizeof t }, small = { .size = sizeof(size_t) };
	const struct hsm_settings s = { .hsm = "hsm:" };
	char path[512];
	struct hsm *h;
	void *so;

	(void)state;
	snprintf(path, sizeof path, "%s/custom_x509.so", libs);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(so);
	assert_int_equal(hf_hsm_link(&t), HF_ERR_ARGS);
	*(void **)&t.x509 = dlsym(so, "hsm_client_x509_interface");
	assert_int_equal(hf_hsm_link(&small), HF_ERR_ARGS);
	t.size = 0;
	assert_int_equal(hf_hsm_link(&t), HF_ERR_ARGS);
	t.size = sizeof t - 1;
	assert_int_equal(hf_hsm_link(&t), HF_ERR_ARGS);
	t.size = sizeof t;
	assert_int_equal(hf_hsm_link(&t), 0);
	assert_int_equal(hf_hsm_link(&t), HF_ERR_STATE);
	assert_int_equal(hsm_open(&h, &s, &err), 0);
	assert_int_equal(use(h), 0);
	assert_int_equal(hf_hsm_link(NULL), HF_ERR_STATE);
	hsm_close(h);
	setenv("FIXTURE_FAULT", "hsm_client_get_key:null", 1);
	assert_int_equal(hsm_open(&h, &s, &err), 0);
	assert_int_equal(use(h), HF_ERR_KEY);
	says("linked-in custom HSM: hsm_client_get_key()", HF_ERR_KEY);
	hsm_close(h);
	assert_int_equal(hf_hsm_link(NULL), 0);
	assert_int_equal(hsm_open(&h, &s, &err), HF_ERR_ARGS);
	err_clear(&err);
	dlclose(so);
}

/* What get_key() may return, and what it may not. */
static void
resolves_the_alias_key(void **state)
{
	EVP_PKEY *other = make_key();
	char *other_pem = key_pem(other), path[160];
	struct hsm *h;
	struct {
		const char *text, *words;
	} row[] = {
		{ "unknown_key", "neither a PEM key nor a key URI" },
		{ "acme:key", "neither a PEM key nor a key URI" },
		{ path + 5, "neither a PEM key nor a key URI" }, /* a bare path, though the file is there */
		{ "hsm:", "custom HSM" },
		{ "hsm:/lib/x.so", "custom HSM" },
		{ "symkey:/x", "symkey" },
		{ "tpm2:%zz", "hexadecimal" },
		{ "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no private key" },
		{ other_pem, "does not belong to the certificate" },
	};

	(void)state;
	snprintf(path, sizeof path, "file:%s/key.pem", dir);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		put("key.txt", row[i].text);
		assert_int_equal(open_lib(&h, "x509", "", NULL), 0);
		assert_int_equal(use(h) < 0, 1);
		if (strcmp(row[i].text, "unknown_key") == 0)
			assert_null(strstr(err.text, row[i].text));
		says(row[i].words, err.code);
		hsm_close(h);
	}
	put("key.txt", path);
	works("x509", "", HSM_X509, "line7-press.3");
	free(other_pem);
	EVP_PKEY_free(other);
}

/* The key is in an engine that lets nobody read it; what get_key() returns is the engine's affair. */
static void
leaves_the_key_in_an_engine(void **state)
{
	char engine[512], file[64];
	struct hsm *h;
	ENGINE *e;

	(void)state;
	snprintf(engine, sizeof engine, "%s/zymkey_engine.so", libs);
	snprintf(file, sizeof file, "%s/key.pem", dir);
	setenv("ZYMKEY_KEY", file, 1);
	/* The application has it in OpenSSL's list, as if it stood in the folder for engines. */
	ENGINE_load_dynamic();
	e = ENGINE_by_id("dynamic");
	assert_true(ENGINE_ctrl_cmd_string(e, "SO_PATH", engine, 0) &&
		    ENGINE_ctrl_cmd_string(e, "ID", "zymkey_ssl", 0) &&
		    ENGINE_ctrl_cmd_string(e, "LIST_ADD", "2", 0) &&
		    ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0));
	put("key.txt", "unknown_key");
	works("x509", "?engine=zymkey_ssl", HSM_X509, "line7-press.3");
	put("key.txt", "engine:zymkey_ssl");
	works("x509", "", HSM_X509, "line7-press.3");
	put("key.txt", pem_key);
	assert_int_equal(open_lib(&h, "x509", "?engine=zymkey_ssl", NULL), 0);
	assert_int_equal(use(h), HF_ERR_KEY);
	assert_null(strstr(err.text, "BEGIN"));
	says("do without engine=", HF_ERR_KEY);
	hsm_close(h);
	put("key.txt", "unknown_key");
	assert_int_equal(open_lib(&h, "x509", "?engine=is_not_there", NULL), 0);
	assert_int_equal(use(h), HF_ERR_KEY);
	says("is_not_there", HF_ERR_KEY);
	hsm_close(h);
	ENGINE_remove(e);
	ENGINE_free(e);
}

static int
open_key(EVP_PKEY **key, const char *lib, const char *query)
{
	const struct key_open none = { 0 };
	char uri[512];

	snprintf(uri, sizeof uri, "hsm:%s/custom_%s.so%s", libs, lib, query);
	return key_open(key, uri, &none, &err);
}

static void
opens_a_key_alone(void **state)
{
	const struct key_open inside = { .inside = 1 };
	char uri[512];
	EVP_PKEY *key = NULL;
	struct uri u;

	(void)state;
	put("cert.pem", NULL); /* there is none yet */
	assert_int_equal(open_key(&key, "x509", ""), 0);
	assert_int_equal(sign_with(key), 0);
	EVP_PKEY_free(key);
	if (open_key(&key, "v2", "?type=x509") < 0)
		fail_msg("%s", err.text);
	assert_int_equal(remotekey_is(key), 1);
	assert_int_equal(sign_with(key), 0);
	EVP_PKEY_free(key);
	assert_int_equal(count("v2", "fixture_open"), 0);
	assert_int_equal(open_key(&key, "all", "?type=tpm"), HF_ERR_ARGS);
	says("only type=x509", HF_ERR_ARGS);
	assert_int_equal(open_key(&key, "tpm", ""), HF_ERR_KEY);
	says("has no hsm_client_x509_interface()", HF_ERR_KEY);
	snprintf(uri, sizeof uri, "hsm:%s/custom_v2.so", libs);
	assert_int_equal(uri_get(&u, uri, &err), 0);
	assert_int_equal(key_custom_open(&key, &u, &inside, &err), HF_ERR_ARGS);
	says("may not name another", HF_ERR_ARGS);
	uri_fini(&u);
}

static void
bad_signatures_are_found(void **state)
{
	static const char *const how[] = { "fail", "null", "empty", "garbage", "huge" };
	char fault[64];
	EVP_PKEY *key = NULL;

	(void)state;
	assert_int_equal(open_key(&key, "v2", ""), 0);
	for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
		snprintf(fault, sizeof fault, "hsm_client_sign_digest:%s", how[i]);
		setenv("FIXTURE_FAULT", fault, 1);
		assert_int_equal(sign_with(key), HF_ERR_KEY);
	}
	unsetenv("FIXTURE_FAULT");
	assert_int_equal(sign_with(key), 0);
	ERR_clear_error();
	EVP_PKEY_free(key);
	assert_int_equal(count("v2", "fixture_open"), 0);
}

static void
signs_with_rsa(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048), *got = NULL;
	char *pem = key_pem(key), *cert = cert_pem(key);
	struct remotekey_limits limits;

	(void)state;
	put("key.pem", pem);
	put("cert.pem", cert);
	works("v2", "", HSM_X509, "line7-press.3");
	if (open_key(&got, "v2", "") < 0)
		fail_msg("%s", err.text);
	assert_int_equal(EVP_PKEY_eq(key, got), 1);
	remotekey_limits(got, &limits);
	assert_non_null(strstr(limits.sigalgs, "RSA-PSS+SHA256"));
	assert_null(strstr(limits.sigalgs, "SHA384"));
	EVP_PKEY_free(got);
	put("key.pem", pem_key); /* and the certificate is the RSA key's */
	struct hsm *h;

	assert_int_equal(open_lib(&h, "v2", "", NULL), 0);
	assert_int_equal(use(h), HF_ERR_KEY);
	says("its key does not belong to the certificate", HF_ERR_KEY);
	put("key.pem", pem); /* a second try begins anew */
	assert_int_equal(use(h), 0);
	hsm_close(h);
	assert_int_equal(count("v2", "fixture_open"), 0);
	EVP_PKEY_free(key);
	free(pem);
	free(cert);
}

static void
makes_a_key(void **state)
{
	const struct key_kind p256 = { .group = "P-256" }, p384 = { .group = "P-384" },
			      rsa = { .rsa_bits = 2048 };
	char uri[512];
	struct buf made = { 0 };
	EVP_PKEY *key = NULL;
	struct uri u;

	(void)state;
	put("key.pem", NULL);
	put("cert.pem", NULL);
	snprintf(uri, sizeof uri, "hsm:%s/custom_v2.so", libs);
	assert_int_equal(uri_get(&u, uri, &err), 0);
	assert_int_equal(open_key(&key, "v2", ""), HF_ERR_KEY);
	says("there is no key yet", HF_ERR_KEY);
	assert_int_equal(key_custom_make(&u, &p384, &made, &err), HF_ERR_KEY);
	says("failed to make a p384 key (it returned 5)", HF_ERR_KEY);
	assert_int_equal(key_custom_make(&u, &rsa, &made, &err), HF_ERR_KEY);
	says("failed to make a rsa2048 key", HF_ERR_KEY);
	assert_int_equal(key_custom_make(&u, &p256, &made, &err), 0);
	assert_string_equal(buf_str(&made), uri);
	assert_int_equal(open_key(&key, "v2", ""), 0);
	assert_int_equal(sign_with(key), 0);
	EVP_PKEY_free(key);
	setenv("FIXTURE_FAULT", "hsm_client_x509_v2_interface:hsm_client_make_key", 1);
	assert_int_equal(key_custom_make(&u, &p256, &made, &err), HF_ERR_UNSUPPORTED);
	says("makes no keys", HF_ERR_UNSUPPORTED);
	uri_fini(&u);
	buf_free(&made);
}

static void
is_told_a_symmetric_key(void **state)
{
	struct hsm *h;

	(void)state;
	assert_int_equal(open_lib(&h, "symkey", "", NULL), 0);
	assert_int_equal(use(h), 0);
	setenv("FIXTURE_FAULT", "hsm_client_set_symm_key_info:fail", 1);
	assert_int_equal(hsm_custom_set_symmetric_key(h, "told", "AAAA", &err), HF_ERR_KEY);
	says("hsm_client_set_symm_key_info() failed (it returned 1)", HF_ERR_KEY);
	unsetenv("FIXTURE_FAULT");
	assert_int_equal(hsm_custom_set_symmetric_key(h, "told", "dG9sZC10b2xkLXRvbGQtdG9sZA==", &err), 0);
	assert_int_equal(h->ops->identity(h, 0, NULL, NULL, &err), 0);
	assert_string_equal(h->registration_id, "told");
	assert_int_equal(hsm_custom_set_symmetric_key(h, NULL, NULL, &err), 0);
	hsm_close(h);
	setenv("FIXTURE_FAULT", "hsm_client_key_interface:hsm_client_set_symm_key_info", 1);
	assert_int_equal(open_lib(&h, "symkey", "", NULL), 0);
	assert_int_equal(use(h), 0); /* NULL is fine as long as nobody asks */
	assert_int_equal(hsm_custom_set_symmetric_key(h, "told", "AAAA", &err), HF_ERR_UNSUPPORTED);
	says("cannot be told a symmetric key", HF_ERR_UNSUPPORTED);
	hsm_close(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_what_there_is, reset),
		cmocka_unit_test_setup(tpm_names_itself, reset),
		cmocka_unit_test_setup(tpm_signs_with_the_right_key, reset),
		cmocka_unit_test_setup(users_name_comes_first, reset),
		cmocka_unit_test_setup(second_version_may_leave_out, reset),
		cmocka_unit_test_setup(names_library_and_function, reset),
		cmocka_unit_test_setup(starts_and_ends_once, reset),
		cmocka_unit_test_setup(wants_a_path_from_the_root, reset),
		cmocka_unit_test_setup(takes_a_linked_table, reset),
		cmocka_unit_test_setup(resolves_the_alias_key, reset),
		cmocka_unit_test_setup(leaves_the_key_in_an_engine, reset),
		cmocka_unit_test_setup(opens_a_key_alone, reset),
		cmocka_unit_test_setup(bad_signatures_are_found, reset),
		cmocka_unit_test_setup(signs_with_rsa, reset),
		cmocka_unit_test_setup(makes_a_key, reset),
		cmocka_unit_test_setup(is_told_a_symmetric_key, reset),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
