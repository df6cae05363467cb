/*
 * Errors are sentences. An error object keeps the first cause: once set, later calls leave it as it is and hand
 * back its code, so that every layer may add its own words without drowning the reason.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H
#include "holdfast.h"

/* Sets code and sentence unless one is set already; returns the code that stands. */
int err_set(struct hf_error *, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same, and ends the sentence with ": " and the text of `errno` as it was at the call. */
int err_sys(struct hf_error *, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with the oldest reason on OpenSSL's queue, which is emptied; err_memory() when that is what is behind it. */
int err_ssl(struct hf_error *, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_memory(struct hf_error *);
void err_clear(struct hf_error *);
#endif
