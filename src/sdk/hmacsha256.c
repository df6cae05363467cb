#include "azure_c_shared_utility/hmacsha256.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

HMACSHA256_RESULT
HMACSHA256_ComputeHash(const unsigned char *key, size_t keyLen, const unsigned char *payload,
    size_t payloadLen, BUFFER_HANDLE hash)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int rc;

	if (key == NULL || keyLen == 0 || keyLen > INT_MAX || payload == NULL || payloadLen == 0 ||
	    hash == NULL)
		return HMACSHA256_INVALID_ARG;
	if (HMAC(EVP_sha256(), key, (int)keyLen, payload, payloadLen, digest, &n) == NULL)
		return HMACSHA256_ERROR;
	rc = BUFFER_build(hash, digest, n);
	OPENSSL_cleanse(digest, sizeof(digest));
	return rc == 0 ? HMACSHA256_OK : HMACSHA256_ERROR;
}
