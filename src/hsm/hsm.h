/*
 * What this device can prove; keys stay where they live. A backend fills in what it can do; NULL means "cannot".
 *
 * Of TPM attestation, in short: the *endorsement key* (EK) is the chip's identity, can only decrypt, and is what the
 * owner enrolls. The *storage root key* (SRK) wraps keys that live in this TPM. DPS proves that a device has the EK by
 * sending a secret that only a TPM with this EK *and* this SRK can unpack (ActivateCredential), and with it a fresh HMAC
 * key wrapped to the SRK (Import): the device shows that it has it by signing a SAS token inside the TPM.
 *
 * Calls may block for as long as the hardware takes: run them on a worker when `blocks` is set. One call at a time.
 */
#ifndef HSM_HSM_H
#define HSM_HSM_H
#include <stdatomic.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

enum hsm_kind { HSM_SYMMETRIC = 1, HSM_X509, HSM_TPM };
struct hsm;
struct hsm_ops {
	void (*close)(struct hsm *);
	/* X.509: leaf first; and the key. Both lent for as long as the hsm is open. */
	int (*certificate)(struct hsm *, STACK_OF(X509) **, struct hf_error *);
	int (*key)(struct hsm *, EVP_PKEY **, struct hf_error *);
	/* TPM: whole TPM2B_PUBLIC. `persist` 0: computed for the moment, nothing stays; 1: made persistent when missing. */
	int (*identity)(struct hsm *, int persist, struct buf *ek, struct buf *srk, struct hf_error *);
	/* TPM: unpacks the service's blob; its key is what hmac() signs with from now on, until forget(). `wrapped` gets the
	 * key as TPM2B_PUBLIC | TPM2B_PRIVATE under the SRK: no secret, but useless elsewhere. */
	int (*activate)(struct hsm *, const void *blob, size_t, struct buf *wrapped, struct hf_error *);
	/* TPM: makes a wrapped key the persistent one at key-handle: loads it, test-signs, and only then evicts the old one. */
	int (*keep)(struct hsm *, const void *wrapped, size_t, struct hf_error *);
	/* TPM: drops the activated key that was not kept. Fine when there is none. */
	void (*forget)(struct hsm *);
	/* TPM: is there a key at key-handle that hmac() could sign with? 1, 0, or an error. */
	int (*has_key)(struct hsm *, struct hf_error *);
	/* HMAC-SHA256 of data with the device's key. Symmetric and TPM. */
	int (*hmac)(struct hsm *, const void *data, size_t, uint8_t mac[32], struct hf_error *);
};
struct hsm {
	const struct hsm_ops *ops;
	enum hsm_kind kind;
	int blocks; /* calls may take long */
	int keeps_nothing; /* TPM: keep() lasts as long as the hsm is open; the state file has the wrapped key for good */
	atomic_int holders;	 /* hsm_open() gives the first */
	uint8_t fingerprint[32]; /* see hsm_fingerprint(); all zero until it is known */
	char key_handle[16];	 /* TPM: where the hub's key is kept; "" */
	char registration_id
	    [129]; /* what the identity itself says: certificate's CN, EK's hash (after identity()); or "" */
};

/* The settings that choose and shape an identity; the names of holdfast.h. NULL: not set. */
struct hsm_settings {
	const char *tpm, *cert, *key, *symmetric_key, *group_key, *hsm;
	const char *registration_id; /* a derived key hangs on it */
	const char *ek_handle, *srk_handle, *key_handle, *owner_auth_file, *endorsement_auth_file,
	    *ek_template, *force;
	const struct log *log; /* where warnings go; lent for the call */
};
/* Opens the one identity that the settings name; none or two are HF_ERR_ARGS. */
int hsm_open(struct hsm **, const struct hsm_settings *, struct hf_error *);
struct hsm *hsm_hold(struct hsm *); /* one more holder: a job on the worker keeps what it works with */
void hsm_close(struct hsm *);	    /* the last holder closes it; NULL is fine */
/* SHA-256 that stands for the key itself (EK's name, public key's hash, a MAC of a fixed text), as 64 hex digits: what a
 * state file is bound to. Of a TPM it is known after identity(); HF_ERR_STATE before. */
int hsm_fingerprint(struct hsm *, char hex[65], struct hf_error *);
/* A TPM is called by its EK (TPM2B_PUBLIC): the registration id hashes all of it, the fingerprint what stands behind its size. So a
 * state file may move between a TPM that Holdfast speaks with itself and the same one behind a custom HSM. */
int hsm_name_tpm(struct hsm *, const uint8_t *ek, size_t n, struct hf_error *);

/* pem.c: the private key in a PEM text. OpenSSL's decoders leave copies of it in memory that they give back; for RSA and EC keys
 * this leaves none. NULL: OpenSSL's queue says why. */
EVP_PKEY *hsm_pem_key(const struct buf *text, pem_password_cb *ask, void *arg);

/* x509.c: an identity that is a certificate and its key. Where they come from is a source, which is asked once: at once, or
 * (blocks) in ops->identity(). */
struct x509_source {
	/* Leaf first; the caller owns both. id, 129 bytes, may be left "": it is the certificate's CN then. */
	int (*load)(struct x509_source *, STACK_OF(X509) **, EVP_PKEY **, char *id, struct hf_error *);
	void (*close)(struct x509_source *); /* frees it */
	int blocks;
};
int
hsm_x509_new(struct hsm **, struct x509_source *, struct hf_error *); /* takes the source, at failure too */
/* The certificates in a PEM text, one at least. `what` names it in the error: "certificate file dev.pem". */
int hsm_pem_chain(STACK_OF(X509) **, const struct buf *text, const char *what, struct hf_error *);

/* The backends. */
int hsm_symkey_open(
    struct hsm **, const char *file, const char *group_file, const char *registration_id, struct hf_error *);
/* The same with a key in a text, base64. `what` names it in the error. */
int hsm_symkey_new(struct hsm **, const struct buf *text, const char *what, struct hf_error *);
int hsm_x509_open(
    struct hsm **, const char *cert_file, const char *key_uri, const struct log *, struct hf_error *);
int hsm_custom_open(struct hsm **, const struct hsm_settings *, struct hf_error *); /* s->hsm, a URI */
/* Hands a name and a key (base64) to a custom HSM that is a symmetric identity; HF_ERR_UNSUPPORTED when it takes none. */
int hsm_custom_set_symmetric_key(struct hsm *, const char *name, const char *key, struct hf_error *);
int hsm_tpm2_open(struct hsm **, const struct hsm_settings *, struct hf_error *);
#endif
