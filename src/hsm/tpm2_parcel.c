#include <string.h>
#include <tss2/tss2_mu.h>
#include "hsm/tpm2.h"

/* Cuts the next TPM2B off, its size included. */
static size_t
field(const uint8_t **p, const uint8_t *end, const uint8_t **at)
{
	size_t left = (size_t)(end - *p), n;

	*at = *p;
	if (left < 2)
		return 0;
	n = 2 + ((size_t)(*p)[0] << 8 | (*p)[1]);
	if (n > left)
		return 0;
	*p += n;
	return n;
}

#define TAKE(type, dst)                                                                                      \
	(n = field(&p, end, &at), o = 0, n && !Tss2_MU_##type##_Unmarshal(at, n, &o, dst) && o == n)

int
tpm2_get_parcel(struct tpm2_parcel *k, const void *blob, size_t len, struct hf_error *err)
{
	const uint8_t *p = blob, *end = p + len, *at;
	size_t n, o;

	memset(k, 0, sizeof *k);
	if (!TAKE(TPM2B_ID_OBJECT, &k->credential) || !TAKE(TPM2B_ENCRYPTED_SECRET, &k->secret) ||
	    !TAKE(TPM2B_PRIVATE, &k->duplicate) || !TAKE(TPM2B_ENCRYPTED_SECRET, &k->seed) ||
	    !TAKE(TPM2B_PUBLIC, &k->area) || !field(&p, end, &at) || p != end)
		return err_set(err, HF_ERR_PROTOCOL,
		    "the key that the service sent for the TPM (%zu bytes) is not made of the six fields it should be",
		    len);
	if (!tpm2_is_hmac_key(&k->area))
		return err_set(err, HF_ERR_PROTOCOL,
		    "the key that the service sent for the TPM is %s with attributes 0x%08x, "
		    "not an HMAC-SHA256 key that signs",
		    tpm2_kind(&k->area), (unsigned)k->area.publicArea.objectAttributes);
	return 0;
}

int
tpm2_is_hmac_key(const TPM2B_PUBLIC *area)
{
	const TPMT_PUBLIC *a = &area->publicArea;
	const TPMT_KEYEDHASH_SCHEME *s = &a->parameters.keyedHashDetail.scheme;
	const TPMA_OBJECT bits = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_RESTRICTED;

	return a->type == TPM2_ALG_KEYEDHASH && (a->objectAttributes & bits) == TPMA_OBJECT_SIGN_ENCRYPT &&
	       s->scheme == TPM2_ALG_HMAC && s->details.hmac.hashAlg == TPM2_ALG_SHA256;
}

int
tpm2_put_wrapped(struct buf *b, const TPM2B_PUBLIC *area, const TPM2B_PRIVATE *private, struct hf_error *err)
{
	int rc = tpm2_put_public(b, area, err);
	uint8_t *room;
	size_t n = 0;

	if (rc < 0)
		return rc;
	room = buf_room(b, sizeof *private);
	if (!room)
		return err_memory(err);
	if (Tss2_MU_TPM2B_PRIVATE_Marshal(private, room, sizeof *private, &n))
		return err_set(err, HF_ERR_OTHER, "a wrapped key from the TPM cannot be written down");
	buf_add(b, n);
	return 0;
}

int
tpm2_get_wrapped(
    TPM2B_PUBLIC *area, TPM2B_PRIVATE *private, const void *wrapped, size_t len, struct hf_error *err)
{
	const uint8_t *p = wrapped, *end = p + len, *at;
	size_t n, o;

	memset(area, 0, sizeof *area);
	memset(private, 0, sizeof *private);
	if (TAKE(TPM2B_PUBLIC, area) && TAKE(TPM2B_PRIVATE, private) && p == end && tpm2_is_hmac_key(area))
		return 0;
	return err_set(err, HF_ERR_STATE, "the wrapped key (%zu bytes) is damaged; register again", len);
}
