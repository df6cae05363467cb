#include <errno.h>
#include <limits.h>
#include <stdarg.h>

#include "azure_c_shared_utility/crt_abstractions.h"
#include "azure_c_shared_utility/envvariable.h"

/* Nothing is in dst, and this is why. */
static int
refuse(char *dst, size_t size, int why)
{
	if (dst != NULL && size > 0)
		dst[0] = '\0';
	return why;
}

/* n characters behind `at` ones. */
static int
put(char *dst, size_t at, size_t size, const char *src, size_t n)
{
	if (n >= size - at)
		return refuse(dst, size, ERANGE);
	memmove(dst + at, src, n);
	dst[at + n] = '\0';
	return 0;
}

int
strcpy_s(char *dst, size_t dstSizeInBytes, const char *src)
{
	if (dst == NULL || src == NULL)
		return refuse(dst, dstSizeInBytes, EINVAL);
	if (dstSizeInBytes == 0)
		return ERANGE;
	return put(dst, 0, dstSizeInBytes, src, strlen(src));
}

int
strcat_s(char *dst, size_t dstSizeInBytes, const char *src)
{
	size_t at;

	if (dst == NULL || src == NULL)
		return refuse(dst, dstSizeInBytes, EINVAL);
	if (dstSizeInBytes == 0)
		return ERANGE;
	if ((at = strnlen(dst, dstSizeInBytes)) == dstSizeInBytes)
		return refuse(dst, dstSizeInBytes, EINVAL);
	return put(dst, at, dstSizeInBytes, src, strlen(src));
}

int
strncpy_s(char *dst, size_t dstSizeInBytes, const char *src, size_t maxCount)
{
	size_t n;

	if (dst == NULL || src == NULL || dstSizeInBytes == 0)
		return refuse(dst, dstSizeInBytes, EINVAL);
	n = strnlen(src, maxCount);
	if (maxCount != _TRUNCATE || n < dstSizeInBytes)
		return put(dst, 0, dstSizeInBytes, src, n);
	put(dst, 0, dstSizeInBytes, src, dstSizeInBytes - 1);
	return STRUNCATE;
}

int
sprintf_s(char *dst, size_t dstSizeInBytes, const char *format, ...)
{
	va_list ap;
	int n;

	if (dst == NULL || format == NULL || dstSizeInBytes == 0) {
		errno = refuse(dst, dstSizeInBytes, EINVAL);
		return -1;
	}
	va_start(ap, format);
	n = vsnprintf(dst, dstSizeInBytes, format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < dstSizeInBytes)
		return n;
	errno = refuse(dst, dstSizeInBytes, ERANGE);
	return -1;
}

/* A number cannot be read out of nothing. */
static int
no_string(const char *s, char **end)
{
	if (s != NULL)
		return 0;
	if (end != NULL)
		*end = NULL;
	errno = EINVAL;
	return 1;
}

unsigned long long
strtoull_s(const char *nptr, char **endPtr, int base)
{
	if (no_string(nptr, endPtr))
		return 0;
	if (base == 1 || base < 0 || base > 36) {
		errno = EINVAL;
		if (endPtr != NULL)
			*endPtr = (char *)(uintptr_t)nptr;
		return 0;
	}
	return strtoull(nptr, endPtr, base);
}

float
strtof_s(const char *nptr, char **endPtr)
{
	return no_string(nptr, endPtr) ? 0 : strtof(nptr, endPtr);
}

long double
strtold_s(const char *nptr, char **endPtr)
{
	return no_string(nptr, endPtr) ? 0 : strtold(nptr, endPtr);
}

int
mallocAndStrcpy_s(char **destination, const char *source)
{
	char *copy;

	if (destination == NULL || source == NULL)
		return EINVAL;
	if ((copy = strdup(source)) == NULL)
		return ENOMEM;
	*destination = copy;
	return 0;
}

int
uint64_tToString(char *destination, size_t destinationSize, uint64_t value)
{
	return sprintf_s(destination, destinationSize, "%llu", (unsigned long long)value) < 0 ? MU_FAILURE
											      : 0;
}

int
unsignedIntToString(char *destination, size_t destinationSize, unsigned int value)
{
	return uint64_tToString(destination, destinationSize, value);
}

int
size_tToString(char *destination, size_t destinationSize, size_t value)
{
	return uint64_tToString(destination, destinationSize, value);
}

const char *
environment_get_variable(const char *variable_name)
{
	return variable_name != NULL ? getenv(variable_name) : NULL;
}
