/*
 * The least of a TPM 2.0 that TPM attestation takes, in software: two RSA keys, and what opens a key that the service wrapped for
 * them. docs/protocol.md ("The key blob") has the layout. All functions: 0, or 1 when it did not work.
 */
#ifndef SOFT_TPM_H
#define SOFT_TPM_H
#include <stddef.h>

enum soft_tpm_kind { SOFT_TPM_EK, SOFT_TPM_SRK };

struct soft_tpm_key { /* for HMAC-SHA256 */
	unsigned char bytes[64];
	size_t len; /* 0: none */
};

/* The TPM2B_PUBLIC of an RSA key of 2048 bits (PEM, with its private half), to be freed by free(). */
int soft_tpm_public(const char *pem, enum soft_tpm_kind, unsigned char **area, size_t *len);
/* What a TPM's ActivateCredential and Import do: unwraps the service's key. */
int soft_tpm_import(
    const char *ek, const char *srk, const unsigned char *blob, size_t len, struct soft_tpm_key *);
/* HMAC-SHA256, to be freed by free(). */
int soft_tpm_sign(
    const struct soft_tpm_key *, const unsigned char *data, size_t len, unsigned char **mac, size_t *mac_len);
void soft_tpm_forget(struct soft_tpm_key *);
#endif
