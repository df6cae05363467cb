#ifndef BASE_STR_H
#define BASE_STR_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Replaces *dst by a copy of src (NULL: by NULL), wiping and freeing the old one. 0 or HF_ERR_MEMORY. */
int str_set(char **dst, const char *src);
void str_free(char **); /* wipes, frees, sets to NULL */
/* Formats into a fixed array. 0, or HF_ERR_ARGS when it does not fit (the array then holds ""). */
int str_fmt(char *dst, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Copies n bytes as a string. 0, or HF_ERR_ARGS when it does not fit or has a NUL in it (the array then holds ""). */
int str_copy(char *dst, size_t cap, const void *src, size_t n);
int str_eqi(const char *a, const char *b);	      /* 1 when equal, ASCII letter case aside */
int str_eqin(const char *a, const void *b, size_t n); /* the same, b not terminated */
/* Decimal digits only, nothing else, at most max. 0 or HF_ERR_ARGS. */
int str_u64(const char *s, size_t n, uint64_t max, uint64_t *out);
/* "HOST", "HOST:PORT", "[V6]", "[V6]:PORT"; host is without brackets. *port is left alone when none is written. 0 or
 * HF_ERR_ARGS, and then nothing is changed. */
int str_host_port(const char *s, char *host, size_t cap, uint16_t *port);
/* A registration id as DPS takes it: 1-128 of letters, digits, - . _ :, the last a letter, digit or dash. 1 or 0. */
int str_is_registration_id(const char *);
void str_hex(char *dst /* 2n+1 */, const void *src, size_t n); /* upper case */
/* Control bytes become blanks, so that a stranger's words cannot steer a terminal or begin a new line. */
void str_plain(char *);
#endif
