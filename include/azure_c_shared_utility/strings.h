/*
 * A string that can grow. Functions that answer an int answer 0 when it worked, and anything else when it did not (a NULL, out of memory);
 * the string is then as it was. Those that make one answer NULL then. One thread at a time.
 */
#ifndef AZURE_C_SHARED_UTILITY_STRINGS_H
#define AZURE_C_SHARED_UTILITY_STRINGS_H
#include <stddef.h>
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct STRING_TAG *STRING_HANDLE;

/* "", a copy of a string, a copy of its first n characters (not more than it has). */
STRING_HANDLE STRING_new(void);
STRING_HANDLE STRING_clone(STRING_HANDLE handle);
STRING_HANDLE STRING_construct(const char *psz);
STRING_HANDLE STRING_construct_n(const char *psz, size_t n);
/* Takes a string that came from malloc() as its own. */
STRING_HANDLE STRING_new_with_memory(const char *memory);
/* "source" with quotes about it; the same as a JSON string, with all escapes that JSON wants. */
STRING_HANDLE STRING_new_quoted(const char *source);
STRING_HANDLE STRING_new_JSON(const char *source);
/* These bytes. STRING_c_str() ends at the first 0 among them. */
STRING_HANDLE STRING_from_byte_array(const unsigned char *source, size_t size);
STRING_HANDLE STRING_construct_sprintf(const char *format, ...)
#if defined __GNUC__
    __attribute__((format(printf, 1, 2)))
#endif
    ;
/* Wiped and freed. NULL is fine. */
void STRING_delete(STRING_HANDLE handle);

/* Puts something behind what is there. */
int STRING_concat(STRING_HANDLE handle, const char *s2);
int STRING_concat_with_STRING(STRING_HANDLE s1, STRING_HANDLE s2);
int STRING_sprintf(STRING_HANDLE s1, const char *format, ...)
#if defined __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Puts something in the place of what is there; quotes about it; nothing. */
int STRING_copy(STRING_HANDLE s1, const char *s2);
int STRING_copy_n(STRING_HANDLE s1, const char *s2, size_t n);
int STRING_quote(STRING_HANDLE handle);
int STRING_empty(STRING_HANDLE handle);
/* Each `target` becomes `replace`. */
int STRING_replace(STRING_HANDLE handle, char target, char replace);

/* Lent until the string changes. */
const char *STRING_c_str(STRING_HANDLE handle);
size_t STRING_length(STRING_HANDLE handle);
/* As strcmp(); a NULL comes before everything, and two are equal. */
int STRING_compare(STRING_HANDLE s1, STRING_HANDLE s2);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
