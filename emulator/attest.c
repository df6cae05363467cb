#include <string.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/b64.h"
#include "base/str.h"
#include "emulator.h"
#include "msg/sas.h"

#define MAX_DEPTH 10

static int
signed_by(const struct sas *sas, const char *key)
{
	struct buf raw = { 0 };
	int yes = 0;

	if (key && *key && b64_get(&raw, key, strlen(key)) == 0)
		yes = sas_signed_by(sas, buf_data(&raw), buf_size(&raw));
	buf_free(&raw);
	return yes;
}

int
attest_token(const char *token, const char *resource, const char *key1, const char *key2, int64_t wall,
    struct hf_error *err)
{
	struct sas sas;
	struct hf_error why = { 0 };
	int r = 0;

	if (sas_get(&sas, token, strlen(token), &why) < 0)
		return err_set(err, HF_ERR_AUTH, "the token cannot be read: %s", why.text);
	if (!str_eqi(sas.resource, resource))
		r = err_set(err, HF_ERR_AUTH, "the token is for '%s', not for '%s'", sas.resource, resource);
	else if (!signed_by(&sas, key1) && !signed_by(&sas, key2))
		r = err_set(
		    err, HF_ERR_AUTH, "the token for '%s' is not signed by the key that is known", resource);
	else if (sas.expiry <= wall)
		r = err_set(err, HF_ERR_AUTH,
		    "the token for '%s' expired %lld s ago (se=%lld); check the clock", resource,
		    (long long)(wall - sas.expiry), (long long)sas.expiry);
	sas_fini(&sas);
	return r;
}

int
attest_valid_now(const X509 *cert, int64_t wall, struct hf_error *err)
{
	time_t now = (time_t)wall;
	char name[256] = "";

	X509_NAME_oneline(X509_get_subject_name(cert), name, sizeof name);
	if (X509_cmp_time(X509_get0_notBefore(cert), &now) >= 0)
		return err_set(err, HF_ERR_AUTH, "certificate %s is not yet valid; check the clock", name);
	if (X509_cmp_time(X509_get0_notAfter(cert), &now) <= 0)
		return err_set(err, HF_ERR_AUTH, "certificate %s has expired", name);
	return 0;
}

static int
judge(X509_STORE_CTX *ctx, struct hf_error *err)
{
	char name[256] = "?";
	X509 *bad;
	STACK_OF(X509) * built;
	int i;

	if (X509_verify_cert(ctx) != 1) {
		bad = X509_STORE_CTX_get_current_cert(ctx);
		if (bad)
			X509_NAME_oneline(X509_get_subject_name(bad), name, sizeof name);
		return err_set(err, HF_ERR_AUTH, "certificate %s: %s", name,
		    X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
	built = X509_STORE_CTX_get0_chain(ctx);
	for (i = 1; i < sk_X509_num(built); i++) {
		bad = sk_X509_value(built, i);
		if (X509_check_ca(bad) == 1)
			continue;
		X509_NAME_oneline(X509_get_subject_name(bad), name, sizeof name);
		return err_set(err, HF_ERR_AUTH, "certificate %s issued another one but is not a CA", name);
	}
	return sk_X509_num(built) - 1;
}

int
attest_chain(STACK_OF(X509) * chain, X509 *ca, int64_t wall, struct hf_error *err)
{
	X509 *leaf = chain ? sk_X509_value(chain, 0) : NULL;
	X509_STORE_CTX *ctx = NULL;
	X509_STORE *store = NULL;
	X509_VERIFY_PARAM *param;
	int r;

	if (!leaf)
		return err_set(err, HF_ERR_AUTH, "no certificate was shown");
	if (X509_cmp(leaf, ca) == 0)
		return err_set(err, HF_ERR_AUTH, "the certificate shown is the CA's own, not a device's");
	store = X509_STORE_new();
	ctx = X509_STORE_CTX_new();
	r = HF_ERR_MEMORY;
	if (!store || !ctx || !X509_STORE_add_cert(store, ca) ||
	    !X509_STORE_CTX_init(ctx, store, leaf, chain)) {
		err_ssl(err, HF_ERR_MEMORY, "certificates cannot be compared");
		goto fail;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)wall);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_depth(param, MAX_DEPTH);
	r = judge(ctx, err);
fail:
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return r;
}

void
attest_thumbprint(const X509 *cert, char sha1[41], char sha256[65])
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	sha1[0] = sha256[0] = '\0';
	if (X509_digest(cert, EVP_sha1(), md, &n))
		str_hex(sha1, md, n);
	if (X509_digest(cert, EVP_sha256(), md, &n))
		str_hex(sha256, md, n);
}

int
attest_common_name(const X509 *cert, char *dst, size_t cap)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	unsigned char *text = NULL;
	int i = -1, at = -1, n, r;

	while ((i = X509_NAME_get_index_by_NID(name, NID_commonName, i)) >= 0)
		at = i;
	if (at < 0)
		return HF_ERR_ARGS;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n < 0)
		return HF_ERR_ARGS;
	r = str_copy(dst, cap, text, (size_t)n);
	OPENSSL_free(text);
	return r;
}

static X509 *
from_pem(const void *text, size_t n)
{
	BIO *in = BIO_new_mem_buf(text, (int)n);
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

	BIO_free(in);
	return cert;
}

int
attest_certificate(const char *text, X509 **cert, struct hf_error *err)
{
	struct buf raw = { 0 };
	const unsigned char *p;

	*cert = NULL;
	if (strstr(text, "-----BEGIN "))
		*cert = from_pem(text, strlen(text));
	else if (b64_get(&raw, text, strlen(text)) == 0 && buf_size(&raw) > 0) {
		p = buf_data(&raw);
		*cert = *p == '-' ? from_pem(p, buf_size(&raw)) : d2i_X509(NULL, &p, (long)buf_size(&raw));
	}
	buf_free(&raw);
	if (*cert)
		return 0;
	return err_ssl(err, HF_ERR_ARGS, "the text is neither a PEM certificate nor a base64 one");
}
