/* pss.c: RSASSA-PSS, as far as a key that only does em^d mod n needs help. The salt is as long as the digest, MGF1's hash the same. */
#ifndef HSM_PSS_H
#define HSM_PSS_H
#include <openssl/evp.h>
/* EMSA-PSS-ENCODE (RFC 8017, 9.1.1) for a modulus of so many bits; em has (bits + 7) / 8 bytes. 0, or -1: OpenSSL's queue says why. */
int pss_put(uint8_t *em, size_t bits, const EVP_MD *, const uint8_t *digest, size_t n);
/* The AlgorithmIdentifier of RFC 4055 as DER, to be freed by OPENSSL_free(). Its length, or negative. */
int pss_algorithm(const EVP_MD *, uint8_t **der);
#endif
