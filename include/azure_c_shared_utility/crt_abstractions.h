/*
 * Strings with a limit, by the names that C11's annex K and Microsoft's C library have for them. Sizes count the NUL at the end.
 * Where something does not fit, nothing is cut off unless _TRUNCATE asks for it: dst becomes "", and an error is told.
 */
#ifndef AZURE_C_SHARED_UTILITY_CRT_ABSTRACTIONS_H
#define AZURE_C_SHARED_UTILITY_CRT_ABSTRACTIONS_H
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#ifndef _TRUNCATE
#define _TRUNCATE ((size_t)-1) /* strncpy_s(): as much as fits */
#endif
#ifndef STRUNCATE
#define STRUNCATE 80 /* strncpy_s()'s answer when that was not all */
#endif

/* 0, EINVAL (a NULL; for strcat_s also: dst has no NUL within its size), ERANGE (it does not fit; a size of 0). */
int strcpy_s(char *dst, size_t dstSizeInBytes, const char *src);
int strcat_s(char *dst, size_t dstSizeInBytes, const char *src);
/* At most maxCount characters and a NUL. 0, EINVAL, ERANGE, STRUNCATE. */
int strncpy_s(char *dst, size_t dstSizeInBytes, const char *src, size_t maxCount);
/* The length without the NUL, or -1 with errno set to EINVAL or ERANGE. */
int sprintf_s(char *dst, size_t dstSizeInBytes, const char *format, ...)
#if defined __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* As strtoull(), strtof() and strtold(); a NULL string, or an impossible base, is 0 with errno EINVAL. */
unsigned long long strtoull_s(const char *nptr, char **endPtr, int base);
float strtof_s(const char *nptr, char **endPtr);
long double strtold_s(const char *nptr, char **endPtr);

/* *destination is a copy from malloc(), which the caller frees. 0, EINVAL, ENOMEM; then *destination is left as it is. */
int mallocAndStrcpy_s(char **destination, const char *source);
/* Decimal digits. 0, or anything else when destination is NULL or too small. */
int unsignedIntToString(char *destination, size_t destinationSize, unsigned int value);
int size_tToString(char *destination, size_t destinationSize, size_t value);
int uint64_tToString(char *destination, size_t destinationSize, uint64_t value);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
