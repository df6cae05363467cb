#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include "hsm/key.h"

enum { ECDSA_PART = 66 }; /* bytes of r and of s, at most: P-521 */

static EVP_PKEY *
make(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

/* One without room for a signature with SHA-256 is none, and neither is an even one. */
static int
is_modulus(const BIGNUM *n)
{
	return n && BN_num_bits(n) >= 512 && BN_is_odd(n);
}

EVP_PKEY *
pubkey_rsa(const uint8_t *n, size_t nlen, const uint8_t *e, size_t elen)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = BN_bin2bn(n, (int)nlen, NULL), *exponent = BN_bin2bn(e, (int)elen, NULL);
	OSSL_PARAM *params = NULL;

	if (b && is_modulus(modulus) && exponent &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, modulus) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, exponent))
		params = OSSL_PARAM_BLD_to_param(b);
	OSSL_PARAM_BLD_free(b);
	BN_free(modulus);
	BN_free(exponent);
	return make("RSA", params);
}

EVP_PKEY *
pubkey_ec(const char *group, const uint8_t *point, size_t len)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;

	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, len))
		params = OSSL_PARAM_BLD_to_param(b);
	OSSL_PARAM_BLD_free(b);
	return make("EC", params);
}

/* As short as it can be, and never negative. */
static size_t
put_integer(uint8_t *dst, const uint8_t *n, size_t len)
{
	size_t pad;

	while (len > 0 && *n == 0) {
		n++;
		len--;
	}
	pad = len == 0 || (*n & 0x80);
	dst[0] = 0x02;
	dst[1] = (uint8_t)(pad + len);
	dst[2] = 0;
	if (len > 0)
		memcpy(dst + 2 + pad, n, len);
	return 2 + pad + len;
}

int
ecdsa_put(const uint8_t *r, size_t rlen, const uint8_t *s, size_t slen, uint8_t *sig, size_t *len)
{
	uint8_t both[2 * (3 + ECDSA_PART)];
	size_t n, head;

	if (rlen > ECDSA_PART || slen > ECDSA_PART)
		return -1;
	n = put_integer(both, r, rlen);
	n += put_integer(both + n, s, slen);
	head = n < 0x80 ? 2 : 3;
	if (head + n > *len)
		return -1;
	sig[0] = 0x30;
	sig[1] = 0x81; /* how long the length is, when it does not fit here */
	sig[head - 1] = (uint8_t)n;
	memcpy(sig + head, both, n);
	*len = head + n;
	return 0;
}
