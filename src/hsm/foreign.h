/*
 * Keys that OpenSSL's plug-ins bring, and what provider.c and engine.c have in common.
 */
#ifndef HSM_FOREIGN_H
#define HSM_FOREIGN_H
#include <openssl/ui.h>
#include "hsm/key.h"

/* A PIN or passphrase, for whoever asks OpenSSL's way. Until the key is open it is said once: a second question means that it was
 * wrong, and tokens count the wrong ones. */
struct foreign_pin {
	struct buf secret;
	int known;  /* the URI says where it is */
	int asked;  /* so often */
	int proven; /* the key is open */
};
/* pin-source, pin-value, auth-source or auth-value of the URI, instead of what was there. `name` is the key's, for the prompt
 * and for sentences. */
int foreign_pin_get(
    struct foreign_pin *, const struct uri *, const char *name, const struct log *, struct hf_error *);
void foreign_pin_forget(struct foreign_pin *);
/* Asks no person but the struct foreign_pin that is its user data. NULL: out of memory. */
UI_METHOD *foreign_asker(void);
/* err_set() of "NAME: WHAT: " and what OpenSSL's queue says, with the data beside it, where plug-ins leave the chip's own words;
 * empties the queue. The telling reason is the first one of an engine, and the last one of a store, which tries all that it has. */
typedef unsigned long
foreign_peek(const char **file, int *line, const char **fn, const char **data, int *flags);
int foreign_fail(struct hf_error *, int code, const char *name, const char *what, foreign_peek *);
/* The same of a key that cannot be loaded. */
int foreign_refused(const struct foreign_pin *, const char *name, foreign_peek *, struct hf_error *);

/* For sentences: "key KEY of provider tpm2". A key's name may have a PIN in it: it is not shown then. */
void foreign_name(char *dst, size_t cap, const char *kind, const char *id, const char *key);
/* In the application's context. NULL: it does not tell. */
EVP_PKEY *foreign_public(EVP_PKEY *);
/* remotekey_wrap() of a key, which tells its public half itself, or else `pub` is said to be it (may be NULL, stays the caller's).
 * `bound`: it was made of what was said; then it is tried out with a signature. `key` is taken and `drop` called once with `what`,
 * when the new key is gone or cannot be made. */
struct foreign {
	EVP_PKEY *key, *pub;
	OSSL_LIB_CTX *home; /* where `key` lives; NULL: the application's */
	int bound;
	void (*drop)(void *what);
	void *what;
};
int foreign_wrap(EVP_PKEY **, const struct foreign *, const char *name, struct hf_error *);
/* OpenSSL keeps something for each thread that has worked in a context, and knows of it still when the thread ends after the context:
 * who leaves a home takes it along. NULL is fine. */
void foreign_leave(OSSL_LIB_CTX *home);
#endif
