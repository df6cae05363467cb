/* A random UUID as text. */
#ifndef AZURE_C_SHARED_UTILITY_UNIQUEID_H
#define AZURE_C_SHARED_UTILITY_UNIQUEID_H
#include <stddef.h>
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define UNIQUEID_RESULT_VALUES UNIQUEID_OK, UNIQUEID_INVALID_ARG, UNIQUEID_ERROR
MU_DEFINE_ENUM(UNIQUEID_RESULT, UNIQUEID_RESULT_VALUES);

/* 36 characters and a NUL: UNIQUEID_INVALID_ARG when bufferSize is less than 37, or uid NULL. */
UNIQUEID_RESULT UniqueId_Generate(char *uid, size_t bufferSize);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
