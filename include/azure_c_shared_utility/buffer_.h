/*
 * Bytes that can grow. Functions that answer an int answer 0 when it worked, and anything else when it did not: a NULL argument, a
 * size that does not fit, out of memory. The buffer is then as it was. One thread at a time.
 */
#ifndef AZURE_C_SHARED_UTILITY_BUFFER__H
#define AZURE_C_SHARED_UTILITY_BUFFER__H
#include <stdbool.h>
#include <stddef.h>
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct BUFFER_TAG *BUFFER_HANDLE;

/* An empty one, a copy of `size` bytes, one of `size` bytes that are 0. NULL: source is NULL, or out of memory. */
BUFFER_HANDLE BUFFER_new(void);
BUFFER_HANDLE BUFFER_create(const unsigned char *source, size_t size);
BUFFER_HANDLE BUFFER_create_with_size(size_t buff_size);
BUFFER_HANDLE BUFFER_clone(BUFFER_HANDLE handle);
/* Wiped and freed. NULL is fine. */
void BUFFER_delete(BUFFER_HANDLE handle);

/* `size` bytes, all 0. Only for a buffer that is empty, and not for 0. */
int BUFFER_pre_build(BUFFER_HANDLE handle, size_t size);
/* These bytes in place of those that were there; 0 of them empties it. */
int BUFFER_build(BUFFER_HANDLE handle, const unsigned char *source, size_t size);
/* These bytes behind those that are there; not 0 of them. */
int BUFFER_append_build(BUFFER_HANDLE handle, const unsigned char *source, size_t size);
/* Empties it. */
int BUFFER_unbuild(BUFFER_HANDLE handle);
/* So many more bytes at the end, all 0; not none of them. */
int BUFFER_enlarge(BUFFER_HANDLE handle, size_t enlargeSize);
/* Takes bytes away, from the end or from the front; at least 1, at most all. */
int BUFFER_shrink(BUFFER_HANDLE handle, size_t decreaseSize, bool fromEnd);

/* The bytes, lent until the buffer changes; NULL when it is empty. */
int BUFFER_content(BUFFER_HANDLE handle, const unsigned char **content);
unsigned char *BUFFER_u_char(BUFFER_HANDLE handle);
int BUFFER_size(BUFFER_HANDLE handle, size_t *size);
size_t BUFFER_length(BUFFER_HANDLE handle);

/* handle2's bytes behind, or before, those of handle1. Two different buffers. */
int BUFFER_append(BUFFER_HANDLE handle1, BUFFER_HANDLE handle2);
int BUFFER_prepend(BUFFER_HANDLE handle1, BUFFER_HANDLE handle2);
/* Every byte becomes fill_char. */
int BUFFER_fill(BUFFER_HANDLE handle, unsigned char fill_char);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
