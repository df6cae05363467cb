/*
 * Custom HSMs: a vendor's code behind the contract of hsm_client_data.h. Whatever it returns is looked at before it is used, and a
 * sentence names library and function.
 *
 *	custom.c		a URI: which library, which kind of identity
 *	custom_key.c		the same for a key alone
 *	custom_library.c	loaded, started, and called: one call at a time
 *	custom_x509.c		certificate and key
 *	custom_sign.c		a key that signs (version 2 of the contract)
 *	custom_tpm.c		EK, SRK, activation, HMAC
 *	custom_symkey.c		a symmetric key
 *
 * Holdfast refers to no name of the contract: a linked-in library comes as a table (hf_hsm_link()), a shared object is asked for
 * its names.
 */
#ifndef HSM_CUSTOM_H
#define HSM_CUSTOM_H
#include "hsm_client_data.h"
#include "hsm/hsm.h"
#include "hsm/key.h"

/* A library: there once for each file, started for its first holder, and ended by its last one. It stays in memory: code that
 * other threads may be in is never unmapped. */
struct custom;
int custom_open(struct custom **, const char *path, struct hf_error *); /* path "": the linked-in one */
struct custom *custom_hold(struct custom *);				/* one more holder */
void custom_close(struct custom *);					/* NULL is fine */
const struct hf_hsm_table *custom_table(const struct custom *);
const char *custom_name(const struct custom *); /* for sentences: "custom HSM /usr/lib/acme.so" */
/* Vendors' code runs between these two. Leaving empties OpenSSL's queue, on which it may leave things. */
void custom_enter(struct custom *);
void custom_leave(struct custom *);
/* "<library>: <function>() <fault>". HF_ERR_KEY. */
int custom_fail(const struct custom *, struct hf_error *, const char *function, const char *fault);

/* A library that is held, and what its create() gave. */
struct custom_session {
	struct custom *lib;	  /* owned */
	HSM_CLIENT_HANDLE handle; /* NULL: not begun */
	HSM_CLIENT_DESTROY destroy;
};
/* Calls create(), the first time. `prefix` names the functions: "hsm_client_x509" for hsm_client_x509_create(). */
int custom_begin(
    struct custom_session *, HSM_CLIENT_CREATE, HSM_CLIENT_DESTROY, const char *prefix, struct hf_error *);
void custom_end(struct custom_session *); /* calls destroy(), if need be, and closes the library */

/* These call one function, between enter and leave, check what comes, and free the original, wiped. Texts and bytes are appended. */
typedef char *custom_text_fn(HSM_CLIENT_HANDLE);
typedef int custom_bytes_fn(HSM_CLIENT_HANDLE, unsigned char **, size_t *);
/* 1: a text; 0: NULL or "". fn NULL is 0 as well. */
int custom_ask(
    struct custom_session *, custom_text_fn *, const char *name, size_t max, struct buf *, struct hf_error *);
/* The same where there has to be one. */
int custom_text(
    struct custom_session *, custom_text_fn *, const char *name, size_t max, struct buf *, struct hf_error *);
/* What a function handed out with its result `rc`. */
int custom_take(struct custom_session *, int rc, unsigned char *p, size_t n, const char *name, size_t max,
    struct buf *, struct hf_error *);

enum { CUSTOM_TEXT_MAX = 256 * 1024, CUSTOM_KEY_MAX = 64 * 1024, CUSTOM_NAME_MAX = 128 };

/* What a URI names: a library, and the one of its tables that is used. */
struct custom_choice {
	struct custom *lib; /* owned */
	enum hsm_kind kind;
	const HSM_CLIENT_X509_INTERFACE *x509;
	const HSM_CLIENT_X509_V2_INTERFACE *x509_v2;
	const HSM_CLIENT_TPM_INTERFACE *tpm;
	const HSM_CLIENT_KEY_INTERFACE *key;
	const char *engine; /* beside the key; NULL: none. Lent */
	const char *id;	    /* the registration id, when the user gave one. Lent */
};
/* type: "x509", "tpm" or "symmetric"; NULL: the first that there is, in this order. */
int custom_choose(struct custom_choice *, const struct uri *, const char *type, struct hf_error *);
/* Each takes the library, at failure too. */
int custom_x509_source(struct x509_source **, const struct custom_choice *, struct hf_error *);
int custom_x509_key(EVP_PKEY **, const struct custom_choice *, const struct key_open *, struct hf_error *);
int custom_x509_make(const struct custom_choice *, const char *kind, struct hf_error *);
int custom_tpm_open(struct hsm **, const struct custom_choice *, struct hf_error *);
int custom_symkey_open(struct hsm **, const struct custom_choice *, struct hf_error *);

/* custom_sign.c: the key of a version 2 session, as one that signs. The session goes with it once it works. */
int
custom_signer(EVP_PKEY **, struct custom_session *, const HSM_CLIENT_X509_V2_INTERFACE *, struct hf_error *);
#endif
