/* What DPS and a TPM device hand each other: public keys, and the blob with the wrapped key (docs/protocol.md). */
#ifndef MSG_TPM_H
#define MSG_TPM_H
#include "base/buf.h"
#include "base/err.h"
/* The fields of a key blob, each a TPM2B without its size; lent from what was read. */
struct tpm_part {
	const uint8_t *p;
	size_t len;
};
enum { TPM_ID_OBJECT, TPM_ID_SECRET, TPM_DUPLICATE, TPM_DUP_SECRET, TPM_PUBLIC, TPM_EXTRA, TPM_PARTS };
struct tpm_blob {
	struct tpm_part part[TPM_PARTS];
};
int tpm_put_blob(struct buf *, const struct tpm_blob *);
/* Strict: six fields to the last byte, sizes within what a TPM takes, the public area of a keyed hash. 0 or HF_ERR_PROTOCOL. */
int tpm_get_blob(const void *, size_t, struct tpm_blob *, struct hf_error *);

/* A restricted RSA decryption key (EK or SRK) out of a whole TPM2B_PUBLIC. */
struct tpm_public {
	uint32_t attributes;
	unsigned bits, sym_bits;
	uint32_t exponent; /* never 0 */
	struct tpm_part modulus;
	uint8_t name[34]; /* 000B and the SHA-256 of the TPMT_PUBLIC */
};
int tpm_get_public(const void *, size_t, struct tpm_public *, struct hf_error *);
/* base32(SHA-256(whole TPM2B_PUBLIC)), lower case: 52 characters and a NUL. 0 or HF_ERR_OTHER. */
int tpm_registration_id(const void *ek, size_t, char id[53]);
#endif
