/*
 * The conformance kit, in pieces: each check is begun by check_try(), and told by check_say().
 *
 *	check.c		what is checked in which order, and the telling of it
 *	check_uri.c	the URI: secrets that can be read again, wrong ones, objects that are not there
 *	check_sign.c	signatures: each kind, many of them, from several threads
 *	check_tls.c	handshakes in memory
 *	check_custom.c	a custom HSM: each function of the contract
 */
#ifndef CHECK_H
#define CHECK_H
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "base/buf.h"
#include "front.h"
#include "hsm/key.h"

struct check {
	const struct hf_check *asked;
	struct front front;
	char *uri;  /* what is opened */
	int secret; /* a descriptor that holds the URI's secret; -1: none */
	int wrong;  /* one that holds another */
	char *hsm;  /* a custom HSM: the URI of the kind that is being looked at */
	EVP_PKEY *key, *pub;
	STACK_OF(X509) * chain;
	char trying[300];
	unsigned count[HF_CHECK_FAILED + 1];
};
void check_try(struct check *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The verdict on what was begun last; words, when not "", follow it after a colon. */
void check_say(struct check *, enum hf_verdict, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void check_failed(struct check *, const struct hf_error *); /* HF_CHECK_FAILED with the sentence */
/* Gives `n` chances to open and close, and tells what was left behind. open: 0, or an error. */
void check_leaks(struct check *, int (*once)(struct check *, struct hf_error *));
void check_key(struct check *); /* everything that a key has to do; c->key is there, c->chain may be */

/* check_uri.c */
/* c->uri from what was asked for. A secret that can be read only once (fd:, prompt:) is kept for the other times. */
int check_uri_init(struct check *, struct hf_error *);
void check_uri_fini(struct check *);
int check_uri_is_custom(const struct check *);
/* The same key with a wrong secret; the same place with an object that is not there. 1: put; 0: this URI has no such thing. */
int check_uri_wrong_secret(struct check *, struct buf *, struct hf_error *);
int check_uri_missing(const struct check *, struct buf *, struct hf_error *);

void check_signatures(struct check *);
void check_tls(struct check *);
void check_custom(struct check *);
#endif
