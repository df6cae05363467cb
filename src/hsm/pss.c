#include <string.h>
#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include "hsm/pss.h"

/* MGF1 (RFC 8017, B.2.1), over what is there already. */
static int
mask(uint8_t *over, size_t n, const EVP_MD *md, const uint8_t *seed, size_t seed_len)
{
	uint8_t block[EVP_MAX_MD_SIZE], counter[4] = { 0 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = (size_t)EVP_MD_get_size(md);
	int ok = ctx != NULL;

	for (size_t at = 0; at < n && ok; at++) {
		if (at % size == 0) {
			counter[3] = (uint8_t)(at / size);
			ok = EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, seed, seed_len) &&
			     EVP_DigestUpdate(ctx, counter, sizeof counter) &&
			     EVP_DigestFinal_ex(ctx, block, NULL);
		}
		over[at] ^= ok ? block[at % size] : 0;
	}
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* H = Hash(eight zeros | digest | salt) */
static int
hash_salted(uint8_t *h, const EVP_MD *md, const uint8_t *digest, const uint8_t *salt, size_t n)
{
	static const uint8_t zeros[8];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, zeros, sizeof zeros) &&
		 EVP_DigestUpdate(ctx, digest, n) && EVP_DigestUpdate(ctx, salt, n) &&
		 EVP_DigestFinal_ex(ctx, h, NULL);

	EVP_MD_CTX_free(ctx);
	return ok;
}

int
pss_put(uint8_t *em, size_t bits, const EVP_MD *md, const uint8_t *digest, size_t n)
{
	size_t size = (bits - 1 + 7) / 8, lead = (bits + 7) / 8 - size, db_len;
	uint8_t salt[EVP_MAX_MD_SIZE], *db = em + lead, *h;

	if (size < 2 * n + 2 || n != (size_t)EVP_MD_get_size(md) || RAND_bytes(salt, (int)n) != 1)
		return -1;
	db_len = size - n - 1;
	h = db + db_len;
	memset(em, 0, lead + db_len);
	db[db_len - n - 1] = 1;
	memcpy(db + db_len - n, salt, n);
	if (!hash_salted(h, md, digest, salt, n) || !mask(db, db_len, md, h, n))
		return -1;
	db[0] &= (uint8_t)(0xff >> (8 * size - (bits - 1)));
	h[n] = 0xbc;
	return 0;
}

/* SEQUENCE { id-RSASSA-PSS, RSASSA-PSS-params { [0] hash, [1] mgf1(hash), [2] salt length } } */
static RSA_PSS_PARAMS *
params(const EVP_MD *md)
{
	RSA_PSS_PARAMS *p = RSA_PSS_PARAMS_new();
	X509_ALGOR *inner = X509_ALGOR_new();
	ASN1_STRING *packed = NULL;

	if (!p || !inner)
		goto fail;
	p->hashAlgorithm = X509_ALGOR_new();
	p->maskGenAlgorithm = X509_ALGOR_new();
	p->saltLength = ASN1_INTEGER_new();
	if (!p->hashAlgorithm || !p->maskGenAlgorithm || !p->saltLength)
		goto fail;
	X509_ALGOR_set_md(p->hashAlgorithm, md);
	X509_ALGOR_set_md(inner, md);
	packed = ASN1_item_pack(inner, ASN1_ITEM_rptr(X509_ALGOR), NULL);
	if (!packed || !ASN1_INTEGER_set(p->saltLength, EVP_MD_get_size(md)) ||
	    !X509_ALGOR_set0(p->maskGenAlgorithm, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, packed))
		goto fail;
	X509_ALGOR_free(inner);
	return p;
fail:
	ASN1_STRING_free(packed);
	X509_ALGOR_free(inner);
	RSA_PSS_PARAMS_free(p);
	return NULL;
}

int
pss_algorithm(const EVP_MD *md, uint8_t **der)
{
	RSA_PSS_PARAMS *p = params(md);
	ASN1_STRING *packed = p ? ASN1_item_pack(p, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL) : NULL;
	X509_ALGOR *a = X509_ALGOR_new();
	int n = -1;

	if (packed && a && X509_ALGOR_set0(a, OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed)) {
		packed = NULL;
		n = i2d_X509_ALGOR(a, der);
	}
	ASN1_STRING_free(packed);
	X509_ALGOR_free(a);
	RSA_PSS_PARAMS_free(p);
	return n;
}
