/* HMAC with SHA-256. */
#ifndef AZURE_C_SHARED_UTILITY_HMACSHA256_H
#define AZURE_C_SHARED_UTILITY_HMACSHA256_H
#include <stddef.h>
#include "azure_c_shared_utility/buffer_.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define HMACSHA256_RESULT_VALUES HMACSHA256_OK, HMACSHA256_INVALID_ARG, HMACSHA256_ERROR
MU_DEFINE_ENUM(HMACSHA256_RESULT, HMACSHA256_RESULT_VALUES);

/* 32 bytes into `hash`, a buffer of the caller's. HMACSHA256_INVALID_ARG: something is NULL, or key or payload is empty. */
HMACSHA256_RESULT HMACSHA256_ComputeHash(const unsigned char *key, size_t keyLen,
    const unsigned char *payload, size_t payloadLen, BUFFER_HANDLE hash);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
