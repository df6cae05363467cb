/* The fastest custom HSM that there can be: version 2 of the contract, and a P-256 key in software. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include "hsm_client_data.h"

static EVP_PKEY *key;

static HSM_CLIENT_HANDLE
create(void)
{
	if (key == NULL)
		key = EVP_EC_gen("P-256");
	return key;
}

static void
destroy(HSM_CLIENT_HANDLE h)
{
	(void)h;
}

static char *
get_certificate(HSM_CLIENT_HANDLE h)
{
	(void)h;
	return NULL;
}

static char *
get_public_key(HSM_CLIENT_HANDLE h)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *at, *text = NULL;
	long n;

	if (bio != NULL && PEM_write_bio_PUBKEY(bio, h) == 1 && (n = BIO_get_mem_data(bio, &at)) > 0)
		text = strndup(at, (size_t)n);
	BIO_free(bio);
	return text;
}

static char *
get_algorithms(HSM_CLIENT_HANDLE h)
{
	(void)h;
	return strdup("ecdsa-sha256");
}

static int
sign_digest(HSM_CLIENT_HANDLE h, const char *algorithm, const unsigned char *digest, size_t n,
    unsigned char **sig, size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(h, NULL);
	int bad;

	(void)algorithm;
	*len = (size_t)EVP_PKEY_get_size(h);
	*sig = malloc(*len);
	bad = ctx == NULL || *sig == NULL || EVP_PKEY_sign_init(ctx) != 1 ||
	      EVP_PKEY_sign(ctx, *sig, len, digest, n) != 1;
	EVP_PKEY_CTX_free(ctx);
	return bad;
}

const HSM_CLIENT_X509_V2_INTERFACE *
hsm_client_x509_v2_interface(void)
{
	static const HSM_CLIENT_X509_V2_INTERFACE table = { sizeof table, create, destroy, get_certificate,
		NULL, get_public_key, get_algorithms, sign_digest, NULL };

	return &table;
}
