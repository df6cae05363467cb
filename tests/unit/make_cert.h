/* Keys and certificates for tests, made in memory. */
#ifndef MAKE_CERT_H
#define MAKE_CERT_H
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static inline EVP_PKEY *
make_key(void)
{
	return EVP_EC_gen("P-256");
}

struct cert_wish {
	const char *cn;
	int ca, pathlen; /* pathlen -1: none */
	int64_t from, to;
};

static inline X509 *
make_cert(const struct cert_wish *w, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	char value[64];
	X509_EXTENSION *e;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)w->cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)w->from);
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)w->to);
	X509_set_pubkey(x, key);
	snprintf(value, sizeof value, w->ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (w->ca && w->pathlen >= 0)
		snprintf(value, sizeof value, "critical,CA:TRUE,pathlen:%d", w->pathlen);
	e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, value);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	X509_sign(x, issuer ? issuer_key : key, EVP_sha256());
	return x;
}

/* The certificate's PEM text, to be freed by free(). */
static inline char *
make_pem(X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p, *text;
	long n;

	PEM_write_bio_X509(b, x);
	n = BIO_get_mem_data(b, &p);
	text = calloc(1, (size_t)n + 1);
	memcpy(text, p, (size_t)n);
	BIO_free(b);
	return text;
}
#endif
