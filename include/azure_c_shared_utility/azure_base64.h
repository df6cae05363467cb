/* Base64 (RFC 4648, with padding). What is returned is the caller's, to be freed by STRING_delete() or BUFFER_delete(). */
#ifndef AZURE_C_SHARED_UTILITY_AZURE_BASE64_H
#define AZURE_C_SHARED_UTILITY_AZURE_BASE64_H
#include <stddef.h>
#include "azure_c_shared_utility/buffer_.h"
#include "azure_c_shared_utility/strings.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* NULL: the argument is NULL, or out of memory. Nothing at all encodes to "". */
STRING_HANDLE Azure_Base64_Encode(BUFFER_HANDLE input);
STRING_HANDLE Azure_Base64_Encode_Bytes(const unsigned char *source, size_t size);
/* NULL: it is not base64 (wrong letters, length or padding), NULL, or out of memory. "" is an empty buffer. */
BUFFER_HANDLE Azure_Base64_Decode(const char *source);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
