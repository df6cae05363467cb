#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <tss2/tss2_esys.h>
#include "base/file.h"
#include "hsm/key.h"
#include "tests/swtpm.h"
#include "tests/tap.h"

#define SIGNS	 "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"
#define OWN_COPY "userwithauth|noda|sign"

static char dir[] = "/tmp/holdfast-tpm2-sign-XXXXXX", tcti[200];
static pid_t chip;
static struct hf_error err;
static EVP_PKEY *known; /* the TPM has it as well */

#define OK(call)                                                                                             \
	do {                                                                                                 \
		if ((call) != 0)                                                                             \
			fail_msg("%s: %s", #call, err.text);                                                 \
	} while (0)

/* A chip that salts PSS with as much as there is room for: what the TPM signed is signed once more, with the known key. */
static int salts_longest;

static int denied; /* how many signatures the TPM was asked for, and refused */

static void
salt_more(const TPM2B_DIGEST *digest, TPM2B_PUBLIC_KEY_RSA *sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(known, NULL);
	size_t n = sizeof sig->buffer;

	if (EVP_PKEY_sign_init(ctx) <= 0 || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, digest->size == 32   ? EVP_sha256()
					       : digest->size == 48 ? EVP_sha384()
								    : EVP_sha512()) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_MAX) <= 0 ||
	    EVP_PKEY_sign(ctx, sig->buffer, &n, digest->buffer, digest->size) <= 0)
		abort();
	sig->size = (UINT16)n;
	EVP_PKEY_CTX_free(ctx);
}

TSS2_RC
Esys_Sign(ESYS_CONTEXT *c, ESYS_TR key, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, const TPM2B_DIGEST *digest,
    const TPMT_SIG_SCHEME *scheme, const TPMT_TK_HASHCHECK *ticket, TPMT_SIGNATURE **out)
{
	TSS2_RC(*real)
	(ESYS_CONTEXT *, ESYS_TR, ESYS_TR, ESYS_TR, ESYS_TR, const TPM2B_DIGEST *, const TPMT_SIG_SCHEME *,
	    const TPMT_TK_HASHCHECK *, TPMT_SIGNATURE **) = NULL;
	TSS2_RC rc;

	*(void **)&real = dlsym(RTLD_NEXT, "Esys_Sign");
	rc = real(c, key, s1, s2, s3, digest, scheme, ticket, out);
	denied += rc != 0;
	if (!rc && salts_longest && scheme->scheme == TPM2_ALG_RSAPSS)
		salt_more(digest, &(*out)->signature.rsapss.sig);
	return rc;
}

static void
says(const char *words)
{
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

/* A shell line of strangers' tools, with nobody else at the TPM. */
static void __attribute__((format(printf, 1, 2))) tool(const char *fmt, ...)
{
	char args[1000], line[1700], log[100];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof args, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line,
	    "cd %s; exec >tool.log 2>&1; export TPM2TOOLS_TCTI=%s TPM2OPENSSL_TCTI=%s; set -e; %s; tpm2_flushcontext -t; tpm2_flushcontext -l",
	    dir, tcti, tcti, args);
	if (system(line) != 0) {
		snprintf(log, sizeof log, "cat %s/tool.log", dir);
		(void)!system(log);
		fail_msg("%s", line);
	}
}

static const char *
in_dir(const char *name)
{
	static char path[2][300];
	static int i;

	i = !i;
	snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
	return path[i];
}

static void
write_text(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* handle=..., file=NAME (in our folder), and more of a query. */
static const char *
uri_of(const char *what, const char *more)
{
	static char uri[700];

	if (strncmp(what, "file=", 5) == 0)
		snprintf(uri, sizeof uri, "tpm2:file=%s/%s?tcti=%s%s", dir, what + 5, tcti, more);
	else
		snprintf(uri, sizeof uri, "tpm2:%s?tcti=%s%s", what, tcti, more);
	return uri;
}

static int
try_open(EVP_PKEY **key, const char *uri)
{
	const struct key_open how = { 0 };

	err_clear(&err);
	return key_open(key, uri, &how, &err);
}

static EVP_PKEY *
open_key(const char *what, const char *more)
{
	EVP_PKEY *key = NULL;

	OK(try_open(&key, uri_of(what, more)));
	return key;
}

static void
refuses(const char *uri, int code, const char *words)
{
	EVP_PKEY *key = NULL;

	assert_int_equal(try_open(&key, uri), code);
	assert_null(key);
	says(words);
}

static void
clean_inside(void)
{
	assert_int_equal(tap_handles(TAP_TRANSIENT), 0);
	assert_int_equal(tap_handles(TAP_SESSIONS), 0);
}

/* 1: it signed, and the public half says that it did. */
static int
signs(EVP_PKEY *key, const EVP_MD *md, int pss)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p = NULL;
	EVP_PKEY *pub = NULL;
	uint8_t sig[1024], *der = NULL, *at;
	size_t n = sizeof sig;
	int len = i2d_PUBKEY(key, &der), ok;

	at = der;
	pub = d2i_PUBKEY(NULL, (const uint8_t **)&at, len);
	ok = EVP_DigestSignInit(ctx, &p, md, NULL, key) > 0 &&
	     (!pss || (EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) > 0 &&
			  EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) > 0)) &&
	     EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"holdfast", 8) > 0;
	EVP_MD_CTX_free(ctx);
	ctx = EVP_MD_CTX_new();
	ok = ok && EVP_DigestVerifyInit(ctx, &p, md, NULL, pub) > 0 &&
	     (!pss || (EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) > 0 &&
			  EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) > 0)) &&
	     EVP_DigestVerify(ctx, sig, n, (const uint8_t *)"holdfast", 8) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pub);
	OPENSSL_free(der);
	return ok;
}

static X509 *
certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"device", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

static int
anybody(X509_STORE_CTX *ctx, void *arg)
{
	(void)ctx;
	(void)arg;
	return 1;
}

static SSL *
end_of(const SSL_METHOD *method, EVP_PKEY *key, int version, BIO *in, BIO *out)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	X509 *x = certificate(key);
	struct remotekey_limits may;
	SSL *ssl;

	remotekey_limits(key, &may);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	SSL_CTX_set_cert_verify_callback(ctx, anybody, NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, may.tls_max && may.tls_max < version ? may.tls_max : version);
	if (may.sigalgs[0])
		assert_int_equal(SSL_CTX_set1_client_sigalgs_list(ctx, may.sigalgs), 1);
	ssl = SSL_new(ctx);
	BIO_up_ref(in);
	BIO_up_ref(out);
	SSL_set_bio(ssl, in, out);
	SSL_CTX_free(ctx);
	X509_free(x);
	return ssl;
}

/* 1: a handshake in which the client signs with this key. */
static int
shakes(EVP_PKEY *key, int version)
{
	EVP_PKEY *own = EVP_EC_gen("P-256");
	BIO *there = BIO_new(BIO_s_mem()), *back = BIO_new(BIO_s_mem());
	SSL *client = end_of(TLS_client_method(), key, version, back, there);
	SSL *server = end_of(TLS_server_method(), own, version, there, back);
	int c = 0, s = 0;

	for (int i = 0; i < 10 && (c != 1 || s != 1); i++) {
		c = SSL_connect(client);
		s = SSL_accept(server);
	}
	ERR_clear_error();
	SSL_free(client);
	SSL_free(server);
	BIO_free(there);
	BIO_free(back);
	EVP_PKEY_free(own);
	return c == 1 && s == 1;
}

static int
tls_max(EVP_PKEY *key)
{
	struct remotekey_limits may;

	remotekey_limits(key, &may);
	return may.tls_max;
}

/* The TPM makes a key under its ECC primary, by tpm2-tools, and keeps it. */
static void
tool_makes(const char *alg, const char *attributes, const char *auth, const char *handle)
{
	tool(
	    "tpm2_createprimary -Q -C o -G ecc -c p.ctx; tpm2_create -Q -C p.ctx -G %s -a '%s' %s -u k.pub -r k.priv; "
	    "tpm2_flushcontext -t; tpm2_load -Q -C p.ctx -u k.pub -r k.priv -c k.ctx; tpm2_flushcontext -t; "
	    "tpm2_evictcontrol -Q -C o -c k.ctx %s",
	    alg, attributes, auth, handle);
}

/* The known key, as a chip of ours would have it: imported. */
static void
tool_imports(const char *alg, const char *attributes, const char *handle)
{
	tool("tpm2_createprimary -Q -C o -G ecc -c p.ctx; tpm2_flushcontext -t; "
	     "tpm2_import -Q -C p.ctx -G %s -i known.pem -a '%s' -u k.pub -r k.priv; "
	     "tpm2_flushcontext -t; tpm2_load -Q -C p.ctx -u k.pub -r k.priv -c k.ctx; tpm2_flushcontext -t; "
	     "tpm2_evictcontrol -Q -C o -c k.ctx %s",
	    alg, attributes, handle);
}

static int
make(void **state)
{
	FILE *f;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	chip = swtpm_start(dir, tcti, sizeof tcti);
	if (chip <= 0)
		return -1;
	known = EVP_RSA_gen(2048);
	f = fopen(in_dir("known.pem"), "w");
	PEM_write_PrivateKey(f, known, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	write_text("right", "secret\n");
	write_text("wrong", "guess\n");
	return 0;
}

static int
clean(void **state)
{
	(void)state;
	swtpm_stop(chip);
	swtpm_remove(dir);
	EVP_PKEY_free(known);
	return 0;
}

static void
ec_handle(void **state)
{
	EVP_PKEY *key;

	(void)state;
	tool_makes("ecc256", SIGNS, "", "0x81000201");
	key = open_key("handle=0x81000201", "");
	assert_true(remotekey_is(key));
	assert_int_equal(tls_max(key), 0);
	assert_true(signs(key, EVP_sha256(), 0));
	assert_true(signs(key, EVP_sha384(), 0));
	assert_true(shakes(key, TLS1_2_VERSION));
	assert_true(shakes(key, TLS1_3_VERSION));
	clean_inside();
	EVP_PKEY_free(key);
	tool_makes("ecc384:ecdsa-sha384:null", SIGNS, "", "0x81000202");
	key = open_key("handle=0x81000202", "");
	assert_true(signs(key, EVP_sha384(), 0));
	assert_false(signs(key, EVP_sha256(), 0));
	EVP_PKEY_free(key);
}

static void
rsa_handles(void **state)
{
	EVP_PKEY *key;

	(void)state;
	tool_makes("rsa2048:null", SIGNS "|decrypt", "", "0x81000203");
	key = open_key("handle=0x81000203", "");
	assert_int_equal(tls_max(key), 0);
	assert_true(signs(key, EVP_sha256(), 0));
	assert_true(signs(key, EVP_sha256(), 1));
	assert_true(shakes(key, TLS1_2_VERSION));
	assert_true(shakes(key, TLS1_3_VERSION));
	clean_inside();
	EVP_PKEY_free(key);

	tool_makes("rsa2048:rsassa-sha256:null", SIGNS, "", "0x81000204");
	key = open_key("handle=0x81000204", "");
	assert_int_equal(tls_max(key), TLS1_2_VERSION);
	assert_true(signs(key, EVP_sha256(), 0));
	assert_false(signs(key, EVP_sha384(), 0));
	assert_true(shakes(key, TLS1_2_VERSION));
	EVP_PKEY_free(key);

	tool_makes("rsa2048:rsapss-sha256:null", SIGNS, "", "0x81000205");
	key = open_key("handle=0x81000205", "");
	assert_true(signs(key, EVP_sha256(), 1));
	assert_false(signs(key, EVP_sha256(), 0));
	EVP_PKEY_free(key);
}

static void
longest_salts(void **state)
{
	EVP_PKEY *key;

	(void)state;
	salts_longest = 1;
	tool_imports("rsa2048:null", OWN_COPY "|decrypt", "0x81000210");
	key = open_key("handle=0x81000210", "");
	assert_int_equal(tls_max(key), 0);
	assert_true(signs(key, EVP_sha256(), 1));
	assert_true(shakes(key, TLS1_3_VERSION));
	assert_true(shakes(key, TLS1_2_VERSION));
	clean_inside();
	EVP_PKEY_free(key);

	tool_imports("rsa2048:null", OWN_COPY, "0x81000211");
	key = open_key("handle=0x81000211", "");
	assert_int_equal(tls_max(key), TLS1_2_VERSION);
	assert_true(signs(key, EVP_sha256(), 0));
	assert_true(shakes(key, TLS1_2_VERSION));
	EVP_PKEY_free(key);

	tool_imports("rsa2048:rsassa-sha256:null", OWN_COPY, "0x81000212");
	key = open_key("handle=0x81000212", "");
	assert_int_equal(tls_max(key), TLS1_2_VERSION);
	assert_true(shakes(key, TLS1_2_VERSION));
	EVP_PKEY_free(key);
	salts_longest = 0;
}

/* What cannot be an X.509 key of ours, and why. */
static void
strange_handles(void **state)
{
	(void)state;
	refuses(uri_of("handle=0x81000299", ""), HF_ERR_KEY, "TPM handle 0x81000299: no such object (0x18b)");
	tool_makes("hmac:sha256", SIGNS, "", "0x81000220");
	refuses(uri_of("handle=0x81000220", ""), HF_ERR_KEY, "an HMAC-SHA256 key with attributes");
	says("no public half");
	tool_makes("ecc256:ecdsa-sha256:null", SIGNS "|restricted", "", "0x81000221");
	refuses(uri_of("handle=0x81000221", ""), HF_ERR_KEY, "restricted");
	tool_makes("rsa2048", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|decrypt", "",
	    "0x81000222");
	refuses(uri_of("handle=0x81000222", ""), HF_ERR_KEY, "does not sign");
	tool_makes("ecc256:ecdaa-sha256:null", SIGNS, "", "0x81000223");
	refuses(uri_of("handle=0x81000223", ""), HF_ERR_KEY, "none that TLS has");

	refuses("tpm2:", HF_ERR_ARGS, "which key?");
	refuses("tpm2:handle=0x80000001", HF_ERR_ARGS, "0x81000000 to 0x81ffffff");
	refuses("tpm2:handle=0x81000201?pin-source=x", HF_ERR_ARGS, "pin-source");
	refuses("tpm2:handle=0x81000201?tcti=cmd:ssh%20tpm", HF_ERR_ARGS, "absolute");
	refuses("tpm2:handle=0x81000201?tcti=pcap:cmd:nc", HF_ERR_ARGS, "absolute");
	refuses("tpm2:handle=0x81000201?tcti=lib/own.so:x", HF_ERR_ARGS, "absolute");
	refuses("tpm2:handle=0x81000201?tcti=swtpm:path=/nowhere/tpm", HF_ERR_KEY, "cannot connect");
}

/* A signature's sentence is one of the signer's; OpenSSL only says that it failed. */
static void
passwords(void **state)
{
	char right[300], wrong[300];
	EVP_PKEY *key;

	(void)state;
	snprintf(right, sizeof right, "&auth-source=%s/right", dir);
	snprintf(wrong, sizeof wrong, "&auth-source=%s/wrong", dir);
	tool_makes("ecc256", SIGNS, "-p secret", "0x81000230");
	key = open_key("handle=0x81000230", right);
	assert_true(signs(key, EVP_sha256(), 0));
	clean_inside();
	EVP_PKEY_free(key);
	key = open_key("handle=0x81000230", "&auth-value=secret");
	assert_true(signs(key, EVP_sha256(), 0));
	EVP_PKEY_free(key);
	key = open_key("handle=0x81000230", wrong);
	assert_false(signs(key, EVP_sha256(), 0));
	clean_inside();
	EVP_PKEY_free(key);

	tool_makes("rsa2048:null", SIGNS, "-p secret", "0x81000231");
	refuses(uri_of("handle=0x81000231", wrong), HF_ERR_KEY, "auth-source=FILE");
	refuses(uri_of("handle=0x81000231", ""), HF_ERR_KEY, "0x9a2");
	key = open_key("handle=0x81000231", right);
	assert_true(signs(key, EVP_sha256(), 1));
	EVP_PKEY_free(key);
}

static void
lockout(void **state)
{
	(void)state;
	tool_makes("rsa2048:null", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign", "-p secret",
	    "0x81000232");
	tool("tpm2_dictionarylockout -Q -s -n 1 -t 1000 -l 1000");
	refuses(uri_of("handle=0x81000232", "&auth-value=no"), HF_ERR_KEY, "0x98e");
	refuses(uri_of("handle=0x81000232", "&auth-value=secret"), HF_ERR_KEY, "0x921");
	says("tpm2_dictionarylockout -c");
	tool("tpm2_dictionarylockout -Q -c; tpm2_dictionarylockout -Q -s -n 32 -t 1000 -l 1000");
}

static void
stranger_files(void **state)
{
	static const char *const files[] = { "file=openssl.pem", "file=openssl_rsa.pem", "file=tools.pem",
		"file=under.pem" };
	char more[300];
	EVP_PKEY *key;

	(void)state;
	tool(
	    "G='openssl genpkey -provider tpm2 -provider default'; "
	    "$G -algorithm EC -pkeyopt group:P-256 -out openssl.pem; "
	    "$G -algorithm RSA -pkeyopt bits:2048 -out openssl_rsa.pem; "
	    "$G -algorithm EC -pkeyopt group:P-256 -pkeyopt user-auth:secret -out locked.pem; "
	    "tpm2_createprimary -Q -C o -G ecc -c p.ctx -a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'; tpm2_create -Q -C p.ctx -G ecc256 -a '" SIGNS
	    "' -u k.pub -r k.priv; tpm2_flushcontext -t; tpm2_encodeobject -C p.ctx -u k.pub -r k.priv -o tools.pem; "
	    "tpm2_flushcontext -t; tpm2_evictcontrol -Q -C o -c p.ctx 0x81000240; tpm2_flushcontext -t; "
	    "tpm2_encodeobject -C 0x81000240 -u k.pub -r k.priv -o under.pem");
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		key = open_key(files[i], "");
		assert_true(signs(key, EVP_sha256(), 0));
		assert_true(shakes(key, TLS1_2_VERSION));
		assert_true(shakes(key, TLS1_3_VERSION));
		clean_inside();
		EVP_PKEY_free(key);
	}
	snprintf(more, sizeof more, "&auth-source=%s/right", dir);
	key = open_key("file=locked.pem", more);
	assert_true(signs(key, EVP_sha256(), 0));
	EVP_PKEY_free(key);
	key = open_key("file=locked.pem", "");
	denied = 0;
	assert_false(signs(key, EVP_sha256(), 0));
	assert_false(signs(key, EVP_sha256(), 0)); /* the TPM counts: it is not asked again */
	assert_int_equal(denied, 1);
	clean_inside();
	EVP_PKEY_free(key);
	refuses(uri_of("file=none.pem", ""), HF_ERR_IO, "none.pem");
	refuses(uri_of("file=known.pem", ""), HF_ERR_KEY, "BEGIN TSS2 PRIVATE KEY");
	tool("tpm2_evictcontrol -Q -C o -c 0x81000240");
	refuses(uri_of("file=under.pem", ""), HF_ERR_KEY, "TPM handle 0x81000240: no such object");
}

/* The key is put aside between two signatures; after a reset of the TPM it is loaded again. */
static void
commands_of_a_file(void **state)
{
	EVP_PKEY *key;

	(void)state;
	memset(&tap, 0, sizeof tap);
	key = open_key("file=openssl.pem", "");
	assert_int_equal(tap.commands, 6); /* CreatePrimary, Load, Flush, ContextSave, GetCapability, Flush */
	tap.commands = 0;
	assert_true(signs(key, EVP_sha256(), 0));
	assert_int_equal(tap.commands, 3); /* ContextLoad, Sign, Flush */
	tap = (struct tap){ .fail_at = 1, .fail_count = 1, .fail_with = 0x1df };
	assert_true(signs(key, EVP_sha256(), 0));
	assert_int_equal(tap.commands, 7);
	clean_inside();
	EVP_PKEY_free(key);
}

/* Each command fails once: a sentence, and nothing is left behind unless it was the flush itself that failed. */
static void
any_command_may_fail(void **state)
{
	static const char *const what[] = { "handle=0x81000201", "file=openssl.pem", "handle=0x81000203" };
	EVP_PKEY *key = NULL;
	int reached;

	(void)state;
	for (size_t w = 0; w < 3; w++) {
		reached = 1;
		for (int i = 1; reached; i++) {
			tap = (struct tap){ .fail_at = i, .fail_count = 1, .fail_with = 0x101 };
			if (try_open(&key, uri_of(what[w], "")) < 0)
				says("0x101");
			EVP_PKEY_free(key);
			key = NULL;
			reached = tap.commands >= i;
			tool("%s", reached && tap.code[i - 1] == TPM2_CC_FlushContext
				       ? "true"
				       : "test -z \"$(tpm2_getcap handles-transient)\"");
			tap = (struct tap){ 0 };
		}
	}
}

static void
removed_in_the_middle(void **state)
{
	static const char *const what[] = { "handle=0x81000201", "file=openssl.pem" };
	EVP_PKEY *key;

	(void)state;
	for (size_t w = 0; w < 2; w++)
		for (int i = 1; i <= 3 - 2 * (w == 0); i++) {
			key = open_key(what[w], "");
			tap = (struct tap){ .fail_at = i, .fail_count = 1 };
			assert_int_equal(signs(key, EVP_sha256(), 0), i == 3); /* the flush is tried again */
			tap = (struct tap){ 0 };
			assert_true(signs(key, EVP_sha256(), 0));
			EVP_PKEY_free(key);
			tool("true");
		}
}

static int
listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", dir, name);
	unlink(at.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* Something in the TPM's place that takes connections, and hangs up. */
static pid_t
start_rude(const char *name)
{
	int fd = listen_at(name);
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			close(accept(fd, NULL, NULL));
	}
	close(fd);
	return pid;
}

static void
stop_rude(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The program gets an error, and no SIGPIPE. tss2 does not give back all when a simulator hangs up: in a process of its own. */
static void
goes_away(void **state)
{
	EVP_PKEY *key = open_key("handle=0x81000201", "");
	pid_t rude[2], pid;
	int status, bad = 0;

	(void)state;
	assert_true(signs(key, EVP_sha256(), 0));
	swtpm_stop(chip);
	assert_false(signs(key, EVP_sha256(), 0));
	rude[0] = start_rude("tpm");
	rude[1] = start_rude("tpm.ctrl");
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL); /* whatever started us */
		for (int i = 0; i < 30; i++)
			bad |= signs(key, EVP_sha256(), 0);
		_exit(bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	stop_rude(rude[0]);
	stop_rude(rude[1]);
	assert_int_equal(status, 0);
	chip = swtpm_start(dir, tcti, sizeof tcti);
	assert_true(chip > 0);
	assert_true(signs(key, EVP_sha256(), 0));
	EVP_PKEY_free(key);
}

static int
count(void *ctx, const char *uri, const char *what)
{
	struct buf *b = ctx;

	(void)buf_fmt(b, "%s %s\n", uri, what);
	return 0;
}

static int
make_key(const char *what, const char *kind, const char *more, struct buf *made)
{
	struct key_kind k = { 0 };
	struct uri u;
	int rc;

	err_clear(&err);
	buf_clear(made);
	if (strncmp(kind, "rsa", 3) == 0)
		k.rsa_bits = atoi(kind + 3);
	else
		k.group = kind;
	OK(uri_get(&u, uri_of(what, more), &err));
	rc = key_tpm2_make(&u, &k, made, &err);
	uri_fini(&u);
	return rc;
}

static void
makes_at_handles(void **state)
{
	struct buf made = { 0 }, list = { 0 };
	char want[900], more[300];
	EVP_PKEY *key = NULL;
	struct uri u;

	(void)state;
	OK(make_key("handle=0x81000250", "P-256", "", &made));
	snprintf(want, sizeof want, "tpm2:handle=0x81000250?tcti=%s", tcti);
	assert_string_equal(buf_str(&made), want);
	OK(try_open(&key, want));
	assert_true(shakes(key, TLS1_3_VERSION));
	clean_inside();
	EVP_PKEY_free(key);
	assert_int_equal(make_key("handle=0x81000250", "P-256", "", &made), HF_ERR_KEY);
	says("there is an ECC key already");
	tool(
	    "tpm2_readpublic -c 0x81000250 -f pem -o pub.pem | grep fixedtpm.fixedparent.sensitivedataorigin.userwithauth.noda.sign; "
	    "openssl pkey -pubin -in pub.pem -noout");

	snprintf(more, sizeof more, "&auth-source=%s/right", dir);
	OK(make_key("handle=0x81000251", "rsa2048", more, &made));
	snprintf(want, sizeof want, "tpm2:handle=0x81000251?tcti=%s%s", tcti, more);
	assert_string_equal(buf_str(&made), want);
	OK(try_open(&key, want));
	assert_true(shakes(key, TLS1_3_VERSION));
	EVP_PKEY_free(key);
	tool("echo text >text; tpm2_sign -Q -c 0x81000251 -p secret -g sha256 -s rsassa -o sig text");
	refuses(uri_of("handle=0x81000251", ""), HF_ERR_KEY, "0x9a2");

	OK(uri_get(&u, uri_of("", ""), &err));
	OK(key_tpm2_each(&u, count, &list, &err));
	uri_fini(&u);
	snprintf(want, sizeof want, "tpm2:handle=0x81000250?tcti=%s EC P-256\n", tcti);
	assert_non_null(strstr(buf_str(&list), want));
	snprintf(want, sizeof want, "tpm2:handle=0x81000251?tcti=%s RSA 2048\n", tcti);
	assert_non_null(strstr(buf_str(&list), want));
	assert_non_null(strstr(buf_str(&list), "RSA 2048, RSASSA with SHA-256 only\n"));
	assert_null(strstr(buf_str(&list), "0x81000220")); /* HMAC */

	assert_int_equal(make_key("handle=0x81800001", "P-256", "", &made), HF_ERR_ARGS);
	assert_int_equal(make_key("", "P-256", "", &made), HF_ERR_ARGS);
	assert_int_equal(
	    make_key("handle=0x81000252", "P-256", "&auth-value=123456789012345678901234567890123", &made),
	    HF_ERR_ARGS);
	tool("tpm2_changeauth -Q -c o own");
	assert_int_equal(make_key("handle=0x81000252", "P-256", "", &made), HF_ERR_KEY);
	says("parent-auth-source=FILE");
	OK(make_key("handle=0x81000252", "P-256", "&parent-auth-value=own", &made));
	snprintf(want, sizeof want, "tpm2:handle=0x81000252?tcti=%s", tcti);
	assert_string_equal(buf_str(&made), want);
	tool("tpm2_changeauth -Q -c o -p own");
	buf_free(&made);
	buf_free(&list);
}

static void
makes_files(void **state)
{
	struct buf made = { 0 };
	EVP_PKEY *key = NULL;
	char want[900], more[300];
	struct stat st;

	(void)state;
	OK(make_key("file=ours.pem", "P-384", "", &made));
	snprintf(want, sizeof want, "tpm2:file=%s/ours.pem?tcti=%s", dir, tcti);
	assert_string_equal(buf_str(&made), want);
	assert_int_equal(stat(in_dir("ours.pem"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	OK(try_open(&key, want));
	assert_true(shakes(key, TLS1_3_VERSION));
	clean_inside();
	EVP_PKEY_free(key);
	assert_int_equal(make_key("file=ours.pem", "P-256", "", &made), HF_ERR_KEY);
	says("not overwritten");
	assert_int_equal(make_key("file=no/ours.pem", "P-256", "", &made), HF_ERR_IO);
	assert_int_equal(make_key("file=big.pem", "rsa16384", "", &made), HF_ERR_KEY);
	assert_int_equal(file_exists(in_dir("big.pem")), 0);

	snprintf(more, sizeof more, "&auth-source=%s/right", dir);
	OK(make_key("file=ours_rsa.pem", "rsa2048", more, &made));
	tool(
	    "P='-provider tpm2 -provider default' Q='-provider tpm2 -provider base'; echo text >text; "
	    "openssl pkey $P -in ours.pem -pubout -out pub.pem; "
	    "openssl pkeyutl $Q -sign -rawin -digest sha256 -inkey ours.pem -in text -out sig; openssl dgst -sha256 -verify pub.pem -signature sig text; "
	    "openssl pkey $P -in ours_rsa.pem -passin pass:secret -pubout -out pub.pem; "
	    "openssl pkeyutl $Q -sign -rawin -digest sha256 -inkey ours_rsa.pem -passin pass:secret -in text -out sig; "
	    "openssl dgst -sha256 -verify pub.pem -signature sig text");
	buf_free(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ec_handle),
		cmocka_unit_test(rsa_handles),
		cmocka_unit_test(longest_salts),
		cmocka_unit_test(strange_handles),
		cmocka_unit_test(passwords),
		cmocka_unit_test(lockout),
		cmocka_unit_test(stranger_files),
		cmocka_unit_test(commands_of_a_file),
		cmocka_unit_test(any_command_may_fail),
		cmocka_unit_test(removed_in_the_middle),
		cmocka_unit_test(goes_away),
		cmocka_unit_test(makes_at_handles),
		cmocka_unit_test(makes_files),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
