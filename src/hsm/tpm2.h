/*
 * The TPM backend's own header: tpm2.c tells the story, the others are its tools.
 *
 *	tpm2.c		identity, activate, keep, hmac
 *	tpm2_chip.c	the way to the TPM: one connection and one lock for each TCTI string; errors as sentences
 *	tpm2_object.c	what lives at a handle; primary keys
 *	tpm2_parcel.c	the service's key as it comes, and as it is kept: bytes and structures
 *	tpm2_key.c	the same key in the TPM: unpacked, loaded, signed with
 *
 * Between tpm2_enter() and tpm2_leave() a caller has the TPM to itself. ESYS's handles live as long as the
 * connection.
 */
#ifndef HSM_TPM2_H
#define HSM_TPM2_H
#include <tss2/tss2_esys.h>
#include "hsm/hsm.h"

struct tpm2_chip;
struct tpm2_object {
	TPM2_HANDLE handle;
	ESYS_TR tr;	   /* ESYS_TR_NONE: not looked at, or not there */
	TPM2B_PUBLIC area; /* valid when tr is set, and after tpm2_create() */
};
struct tpm2 {
	struct hsm hsm;
	struct tpm2_chip *chip;
	ESYS_CONTEXT *esys;  /* valid after tpm2_enter() */
	unsigned connection; /* the one that our ESYS handles belong to */
	struct tpm2_object ek, srk, kept;
	int sdk, force;
	TPM2B_AUTH owner, endorsement;
	struct buf wrapped;	   /* the activated key; empty: none */
	struct tpm2_object active; /* the same, loaded; a transient one, so no handle */
	size_t input_max;	   /* what the TPM takes in one piece; 0: not asked yet */
};

/* tpm2_chip.c */
int tpm2_chip_open(struct tpm2_chip **, const char *tcti, struct hf_error *); /* does not connect */
void tpm2_chip_close(struct tpm2_chip *);
int tpm2_enter(struct tpm2 *, struct hf_error *);
void tpm2_leave(struct tpm2 *);
/* "TPM tcti: cannot <words>: <what the TPM said> (0xcode); <what to do>". HF_ERR_KEY. */
int tpm2_fail(struct tpm2 *, TSS2_RC, struct hf_error *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int
tpm2_is(TSS2_RC, TSS2_RC code); /* is it this code of the TPM's, for whatever handle, session or parameter? */
void tpm2_flush(struct tpm2 *, ESYS_TR *); /* a transient object or session of ours; ESYS_TR_NONE is fine */

/* tpm2_object.c */
int tpm2_find(struct tpm2 *, struct tpm2_object *, struct hf_error *); /* 1 there, 0 not there */
void tpm2_unfind(struct tpm2 *, struct tpm2_object *);
/* Finds the EK and the SRK and checks them, or makes them; with persist 0 a made one is gone again. */
int tpm2_primaries(struct tpm2 *, int persist, struct hf_error *);
int tpm2_put_public(struct buf *, const TPM2B_PUBLIC *, struct hf_error *);
const char *tpm2_kind(const TPM2B_PUBLIC *); /* "an RSA key" */

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
#endif
