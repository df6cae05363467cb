/*
 * The TPM backends' own header: tpm2.c and tpm2_sign.c tell the stories, the others are their tools.
 *
 *	tpm2.c		identity, activate, keep, hmac
 *	tpm2_chip.c	the way to the TPM: one connection and one lock for each TCTI string; errors as sentences
 *	tpm2_object.c	what lives at a handle; primary keys
 *	tpm2_parcel.c	the service's key as it comes, and as it is kept: bytes and structures
 *	tpm2_key.c	the same key in the TPM: unpacked, loaded, signed with
 *
 *	tpm2_sign.c	keys that sign for X.509: at a handle, or wrapped in a file
 *	tpm2_make.c	the same, made and listed
 *	tpm2_uri.c	what names them
 *	tpm2_pem.c	their files
 *
 * Between tpm2_enter() and tpm2_leave() a caller has the TPM to itself. ESYS's handles live as long as the
 * connection. After a fork() the connections are the parent's; the child makes its own when it first enters.
 */
#ifndef HSM_TPM2_H
#define HSM_TPM2_H
#include <tss2/tss2_esys.h>
#include "hsm/guard.h"
#include "hsm/hsm.h"
#include "hsm/uri.h"

/* tss2's own names for these shift a bit too far. */
#define TPM2_PERSISTENT_MIN	  UINT32_C(0x81000000)
#define TPM2_PERSISTENT_OWNER_MAX UINT32_C(0x817fffff)
#define TPM2_PERSISTENT_MAX	  UINT32_C(0x81ffffff)

struct tpm2_chip;
struct tpm2_object {
	TPM2_HANDLE handle;
	ESYS_TR tr;	   /* ESYS_TR_NONE: not looked at, or not there */
	TPM2B_PUBLIC area; /* valid when tr is set, and after tpm2_create() */
};
/* Whoever works with a chip: an identity, or a key that signs. */
struct tpm2_visitor {
	struct tpm2_chip *chip;
	ESYS_CONTEXT *esys;  /* valid after tpm2_enter() */
	unsigned connection; /* the one that our ESYS handles belong to */
	struct guard guard;  /* while it is inside */
	TPM2B_AUTH owner, endorsement;
	const char
	    *ask; /* where a password comes from, for the sentence that the TPM refuses it; NULL: nowhere */
};
struct tpm2 {
	struct hsm hsm;
	struct tpm2_visitor tpm;
	struct tpm2_object ek, srk, kept;
	int sdk, force;
	struct buf wrapped;	   /* the activated key; empty: none */
	struct tpm2_object active; /* the same, loaded; a transient one, so no handle */
	size_t input_max;	   /* what the TPM takes in one piece; 0: not asked yet */
};

/* tpm2_chip.c */
int tpm2_chip_open(struct tpm2_chip **, const char *tcti, struct hf_error *); /* does not connect */
void tpm2_chip_close(struct tpm2_chip *);
/* 1: by a new connection, and what was known of the one before means nothing any more; 0: as before; or an error. */
int tpm2_enter(struct tpm2_visitor *, struct hf_error *);
void tpm2_leave(struct tpm2_visitor *);
int
tpm2_is_cut(const struct tpm2_visitor *); /* inside: is the connection broken? tpm2_leave() ends it then */
/* "TPM tcti: cannot <words>: <what the TPM said> (0xcode); <what to do>". HF_ERR_KEY. */
int tpm2_fail(struct tpm2_visitor *, TSS2_RC, struct hf_error *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int tpm2_said(TSS2_RC); /* was it the TPM, and not the way to it? */
int
tpm2_is(TSS2_RC, TSS2_RC code); /* is it this code of the TPM's, for whatever handle, session or parameter? */
void tpm2_flush(
    struct tpm2_visitor *, ESYS_TR *); /* a transient object or session of ours; ESYS_TR_NONE is fine */

/* tpm2_object.c */
int tpm2_find(struct tpm2_visitor *, struct tpm2_object *, struct hf_error *); /* 1 there, 0 not there */
void tpm2_unfind(struct tpm2_visitor *, struct tpm2_object *);
/* Finds the EK and the SRK and checks them, or makes them; with persist 0 a made one is gone again. */
int tpm2_primaries(struct tpm2 *, int persist, struct hf_error *);
int tpm2_put_public(struct buf *, const TPM2B_PUBLIC *, struct hf_error *);
const char *tpm2_kind(const TPM2B_PUBLIC *); /* "an RSA key" */

/* The parent of a key: what is at a persistent handle, or a hierarchy's ECC primary of the usual template, which is made for as long
 * as it is held and costs a TPM little. tpm2_unparent() lets go of it. */
int
tpm2_parent(struct tpm2_visitor *, struct tpm2_object *, TPM2_HANDLE, const TPM2B_AUTH *, struct hf_error *);
void tpm2_unparent(struct tpm2_visitor *, struct tpm2_object *);

/* tpm2_parcel.c */
struct tpm2_parcel {
	TPM2B_ID_OBJECT credential;    /* the inner key, for the TPM with this EK and this SRK */
	TPM2B_ENCRYPTED_SECRET secret; /* under the EK: the seed that protects it */
	TPM2B_PRIVATE duplicate;       /* the key, under the inner key and the seed */
	TPM2B_ENCRYPTED_SECRET seed;   /* under the SRK */
	TPM2B_PUBLIC area;
};
/* Strict: five fields, a sixth whose content is the service's own business, and nothing behind it. */
int tpm2_get_parcel(struct tpm2_parcel *, const void *blob, size_t, struct hf_error *);
/* What outlives the parcel: the key as the SRK wraps it. */
int tpm2_put_wrapped(struct buf *, const TPM2B_PUBLIC *, const TPM2B_PRIVATE *, struct hf_error *);
int tpm2_get_wrapped(TPM2B_PUBLIC *, TPM2B_PRIVATE *, const void *wrapped, size_t, struct hf_error *);
int tpm2_is_hmac_key(const TPM2B_PUBLIC *); /* HMAC-SHA256, signs whatever it is given */

/* tpm2_key.c */
int tpm2_unpack(struct tpm2 *, const void *blob, size_t, struct buf *wrapped, struct hf_error *);
int tpm2_load(struct tpm2 *, const void *wrapped, size_t, struct tpm2_object *, struct hf_error *);
int tpm2_hmac(struct tpm2 *, ESYS_TR key, const void *, size_t, uint8_t mac[32], struct hf_error *);

/* tpm2_uri.c: what a tpm2: URI says; the text is lent by the URI. */
struct tpm2_uri {
	TPM2_HANDLE handle; /* 0: none */
	const char *file;   /* NULL: none */
	const char *tcti;   /* "": this machine's own */
	TPM2B_AUTH auth, parent_auth;
};
int tpm2_uri_get(struct tpm2_uri *, const struct uri *, const struct log *, struct hf_error *);
/* The same, but for its secrets: what names the key of this handle or file. */
int tpm2_uri_put(struct buf *, const struct uri *, TPM2_HANDLE, const char *file, struct hf_error *);

/*
 * tpm2_pem.c: a key that its TPM has wrapped, in a file: "TSS2 PRIVATE KEY", as tpm2-tss-engine, tpm2-openssl and tpm2-tools write it.
 *
 *	TPMKey ::= SEQUENCE { type OID (2.23.133.10.1.3: loadable), emptyAuth [0] BOOLEAN OPTIONAL, policy [1], secret [2],
 *	    authPolicy [3], description [4] UTF8String OPTIONAL, rsaParent [5] BOOLEAN OPTIONAL, parent INTEGER,
 *	    pubkey OCTET STRING (TPM2B_PUBLIC), privkey OCTET STRING (TPM2B_PRIVATE) }
 *
 * A parent that a 32-bit machine wrote as a negative number is taken, and one of 0 means the owner's hierarchy. What needs a policy,
 * an import or an RSA primary is HF_ERR_UNSUPPORTED.
 */
struct tpm2_file {
	int empty_auth; /* no password is needed; tpm2_encodeobject writes the contrary, so it decides nothing */
	TPM2_HANDLE parent;
	TPM2B_PUBLIC area;
	TPM2B_PRIVATE private;
};
int tpm2_get_pem(struct tpm2_file *, const void *text, size_t, const char *path, struct hf_error *);
int tpm2_put_pem(struct buf *, const struct tpm2_file *, struct hf_error *);

/* tpm2_sign.c */
/* Why TLS cannot use this key: "it is restricted ..."; NULL: it can. */
const char *tpm2_why_not(const TPM2B_PUBLIC *);
void tpm2_what(const TPM2B_PUBLIC *, char *dst, size_t cap); /* "EC P-256" */
#endif
