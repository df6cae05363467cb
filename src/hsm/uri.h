/*
 * Key URIs, taken apart: scheme ":" path [ "?" name "=" value *( "&" name "=" value ) ], percent-encoded (RFC 3986); and where
 * secrets come from.
 */
#ifndef HSM_URI_H
#define HSM_URI_H
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#define URI_ATTRIBUTES 16
struct uri {
	char scheme[16]; /* lower case; a text without a known one is a path, and its scheme "file" */
	char *text;	 /* as it was given; may hold a PIN, so it is not for sentences */
	char *path;	 /* decoded, but for pkcs11, which keeps its encoding */
	struct uri_attribute {
		char *name, *value; /* decoded; in the text no name has a %, so that uri_show() knows it */
	} query[URI_ATTRIBUTES];
	size_t count;
};
/* A bare path is taken as it is. HF_ERR_ARGS when it is no URI. All of it is wiped by fini. */
int uri_get(struct uri *, const char *text, struct hf_error *);
void uri_fini(struct uri *);
/* The query's value of that name; NULL: none. */
const char *uri_query(const struct uri *, const char *name);
/* No other names than these (a list that ends with NULL) stand in the query; HF_ERR_ARGS names the stranger. */
int uri_only(const struct uri *, const char *const *names, struct hf_error *);
/* NAME=VALUE at the head of the path (tpm2:handle=...): the value, or NULL. */
const char *uri_path(const struct uri *, const char *name);
/* What runs code has to be named by an absolute path. */
int uri_absolute(const char *path, const char *what, struct hf_error *);
int uri_tells_secret(
    const struct uri *); /* does a PIN or password stand in it? That works, and is warned about. */
/* The URI for sentences: without values that are secret. */
void uri_show(const struct uri *, char *dst, size_t cap);

/*
 * secret.c: a PIN or password, from the place that `source` names:
 *	PATH or file:PATH	a file; its last newline does not count
 *	fd:N			an open file descriptor, read to its end
 *	cred:NAME		a systemd credential ($CREDENTIALS_DIRECTORY/NAME)
 *	prompt:			asked on the terminal
 * `what` ("PIN of token line7") stands in the prompt and in sentences. Wiped by buf_free(). A NUL in it is an error; buf_str() works.
 */
int secret_get(struct buf *, const char *source, const char *what, struct hf_error *);
/* The same for an attribute pair of a URI: NAME-source says where, NAME-value is the secret itself, which works and is warned about.
 * 1: there is one; 0: neither is given. */
int secret_of_uri(struct buf *, const struct uri *, const char *source, const char *value, const char *what,
    const struct log *, struct hf_error *);
#endif
