#define OPENSSL_SUPPRESS_DEPRECATED /* engines */
#include <dlfcn.h>
#include <err.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hsm/pkcs11.h"
#include "hsm/tpm2.h"
#include "hsm_client_data.h"
#include "raw.h"

static struct uri uri;
static int rsa;
static struct hf_error why;

static EVP_PKEY_CTX *evp;
static struct pkcs11 token;
static CK_OBJECT_HANDLE object;
static struct tpm2_visitor tpm;
static struct tpm2_object at;
static const HSM_CLIENT_X509_V2_INTERFACE *vendor;
static HSM_CLIENT_HANDLE session;

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	ERR_print_errors_fp(stderr);
	errx(1, "raw: %s%s%s", what, why.code ? ": " : "", why.code ? why.text : "");
}

static EVP_PKEY *
load_key(OSSL_LIB_CTX *home, const char *where)
{
	OSSL_STORE_CTX *store = OSSL_STORE_open_ex(where, home, NULL, NULL, NULL, NULL, NULL, NULL);
	OSSL_STORE_INFO *info = NULL;
	EVP_PKEY *key = NULL;

	check(store && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY), where);
	while (!key && !OSSL_STORE_eof(store)) {
		info = OSSL_STORE_load(store);
		key = info ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
		OSSL_STORE_INFO_free(info);
	}
	OSSL_STORE_close(store);
	return key;
}

/* The context is made once: nothing but signatures is counted. */
static void
use_key(EVP_PKEY *key, OSSL_LIB_CTX *home, const char *properties)
{
	check(key != NULL, "key");
	evp = home ? EVP_PKEY_CTX_new_from_pkey(home, key, properties) : EVP_PKEY_CTX_new(key, NULL);
	check(evp && EVP_PKEY_sign_init(evp) == 1, "sign_init");
	check(!rsa || EVP_PKEY_CTX_set_rsa_padding(evp, RSA_PKCS1_PSS_PADDING) == 1, "padding");
	check(EVP_PKEY_CTX_set_signature_md(evp, EVP_sha256()) == 1, "hash");
	check(!rsa || EVP_PKEY_CTX_set_rsa_pss_saltlen(evp, RSA_PSS_SALTLEN_DIGEST) == 1, "salt");
}

static void
open_file(void)
{
	use_key(load_key(NULL, uri.path), NULL, NULL);
}

/* A software TPM serves one connection at a time: this one is to another, with the same state. */
static void
open_provider(void)
{
	char *name = strdup(uri.path), *where = name ? strchr(name, ':') : NULL;
	const char *tcti = getenv("BENCH_RAW_TCTI");
	OSSL_LIB_CTX *home = OSSL_LIB_CTX_new();
	char first[128];

	check(where && home && tcti, "provider:NAME:URI and BENCH_RAW_TCTI");
	*where++ = '\0';
	setenv("TPM2OPENSSL_TCTI", tcti, 1);
	check(OSSL_PROVIDER_load(home, "default") && OSSL_PROVIDER_load(home, name), name);
	snprintf(first, sizeof first, "?provider=%s", name);
	use_key(load_key(home, where), home, first);
	free(name);
}

static ENGINE *engine;

static void
prepare_engine(void)
{
	char *name = strndup(uri.path, strcspn(uri.path, ":"));
	const char *module = getenv("BENCH_RAW_MODULE");

	engine = name ? ENGINE_by_id(name) : NULL;
	check(engine && module && ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0), uri.path);
	free(name);
}

static void
open_engine(void)
{
	const char *key = strchr(uri.path, ':');

	check(key && ENGINE_init(engine), "engine");
	use_key(ENGINE_load_private_key(engine, key + 1, NULL, NULL), NULL, NULL);
}

static void
sign_evp(const uint8_t digest[32])
{
	uint8_t sig[SIGN_MAX];
	size_t len = sizeof sig;

	check(EVP_PKEY_sign(evp, sig, &len, digest, 32) == 1, "EVP_PKEY_sign");
}

static void
open_pkcs11(void)
{
	check(pkcs11_open(&token, &uri, &why) == 0 && pkcs11_one_token(&token, &why) == 0 &&
		  pkcs11_session(&token, &token.token[0], 0, &why) == 0 &&
		  pkcs11_enter(&token, NULL, &why) == 0 && pkcs11_find_key(&token, &object, &why) == 0,
	    "token");
}

static void
sign_pkcs11(const uint8_t digest[32])
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 }, padded = { CKM_RSA_PKCS_PSS, &pss, sizeof pss };
	CK_BYTE sig[SIGN_MAX];
	CK_ULONG len = sizeof sig;

	check(token.m->C_SignInit(token.session, rsa ? &padded : &ecdsa, object) == CKR_OK, "C_SignInit");
	check(
	    token.m->C_Sign(token.session, (CK_BYTE *)(uintptr_t)digest, 32, sig, &len) == CKR_OK, "C_Sign");
}

static void
open_tpm2(void)
{
	struct tpm2_uri where;

	check(tpm2_uri_get(&where, &uri, NULL, &why) == 0, "tpm2");
	at = (struct tpm2_object){ .handle = where.handle, .tr = ESYS_TR_NONE };
	check(tpm2_chip_open(&tpm.chip, where.tcti, &why) == 0, "tpm2");
	raw_begin();
	check(tpm2_find(&tpm, &at, &why) == 1, "handle");
	raw_end();
}

static void
sign_tpm2(const uint8_t digest[32])
{
	const TPMT_TK_HASHCHECK any = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
	const TPMT_SIG_SCHEME scheme = { .scheme = rsa ? TPM2_ALG_RSAPSS : TPM2_ALG_ECDSA,
		.details.any.hashAlg = TPM2_ALG_SHA256 };
	TPM2B_DIGEST d = { .size = 32 };
	TPMT_SIGNATURE *sig;

	memcpy(d.buffer, digest, 32);
	check(Esys_Sign(tpm.esys, at.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &d, &scheme, &any,
		  &sig) == TSS2_RC_SUCCESS,
	    "Esys_Sign");
	Esys_Free(sig);
}

static void
open_vendor(void)
{
	void *library = dlopen(uri.path, RTLD_NOW | RTLD_LOCAL), *getter;
	const HSM_CLIENT_X509_V2_INTERFACE *(*get)(void);

	getter = library ? dlsym(library, "hsm_client_x509_v2_interface") : NULL;
	check(getter != NULL, uri.path);
	memcpy(&get, &getter, sizeof get);
	vendor = get();
	session = vendor->hsm_client_x509_create();
}

static void
sign_vendor(const uint8_t digest[32])
{
	unsigned char *sig;
	size_t len;

	check(vendor->hsm_client_sign_digest(
		  session, rsa ? "rsa-pss-sha256" : "ecdsa-sha256", digest, 32, &sig, &len) == 0,
	    "hsm_client_sign_digest");
	free(sig);
}

static const struct way {
	const char *scheme;
	void (*prepare)(void), (*open)(void), (*sign)(const uint8_t[32]);
} ways[] = {
	{ "file", NULL, open_file, sign_evp },
	{ "tpm2", NULL, open_tpm2, sign_tpm2 },
	{ "pkcs11", NULL, open_pkcs11, sign_pkcs11 },
	{ "engine", prepare_engine, open_engine, sign_evp },
	{ "provider", NULL, open_provider, sign_evp },
	{ "hsm", NULL, open_vendor, sign_vendor },
};
static const struct way *way;

void
raw_prepare(const char *text)
{
	check(uri_get(&uri, text, &why) == 0, "URI");
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (strcmp(ways[i].scheme, uri.scheme) == 0)
			way = &ways[i];
	check(way != NULL, uri.scheme);
	if (way->prepare)
		way->prepare();
}

void
raw_open(int is_rsa)
{
	rsa = is_rsa;
	token.from = &uri;
	way->open();
}

void
raw_begin(void)
{
	if (tpm.chip)
		check(tpm2_enter(&tpm, &why) >= 0, "TPM");
}

void
raw_end(void)
{
	if (tpm.chip)
		tpm2_leave(&tpm);
}

void
raw_sign(const uint8_t digest[32])
{
	way->sign(digest);
}
