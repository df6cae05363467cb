#include <string.h>
#include <openssl/crypto.h>
#include "hsm/tpm2.h"

/* Any TPM takes this much at once; only for more is it worth asking how much. */
enum { INPUT_SURE = 256, INNER_KEY = 16 };

/* Once used, the session is ended by the TPM itself; only before that it is ours to flush. */
static int
inner_key(struct tpm2 *t, const struct tpm2_parcel *k, TPM2B_DATA *inner, struct hf_error *err)
{
	const TPMT_SYM_DEF plain = { .algorithm = TPM2_ALG_NULL };
	ESYS_TR session = ESYS_TR_NONE;
	TPM2B_DIGEST *got = NULL;
	TSS2_RC rc;
	int r = 0;

	rc = Esys_StartAuthSession(t->tpm.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
	    ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &plain, TPM2_ALG_SHA256, &session);
	if (rc)
		return tpm2_fail(&t->tpm, rc, err, "start a policy session");
	rc = Esys_TRSess_SetAttributes(t->tpm.esys, session, 0, TPMA_SESSION_CONTINUESESSION);
	if (rc) {
		r = tpm2_fail(&t->tpm, rc, err, "prepare a policy session");
		goto fail;
	}
	rc = Esys_PolicySecret(t->tpm.esys, ESYS_TR_RH_ENDORSEMENT, session, ESYS_TR_PASSWORD, ESYS_TR_NONE,
	    ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
	if (rc) {
		r = tpm2_fail(&t->tpm, rc, err, "use the endorsement hierarchy");
		goto fail;
	}
	rc = Esys_ActivateCredential(t->tpm.esys, t->srk.tr, t->ek.tr, ESYS_TR_PASSWORD, session,
	    ESYS_TR_NONE, &k->credential, &k->secret, &got);
	if (rc) {
		r = tpm2_fail(&t->tpm, rc, err,
		    "open what the service sealed for the endorsement key (ActivateCredential)");
		goto fail;
	}
	session = ESYS_TR_NONE;
	if (got->size == INNER_KEY) {
		inner->size = got->size;
		memcpy(inner->buffer, got->buffer, got->size);
	} else {
		r = err_set(err, HF_ERR_PROTOCOL,
		    "the service wrapped its key with %u bytes, and not with 16", got->size);
	}
	OPENSSL_cleanse(got, sizeof *got);
	Esys_Free(got);
fail:
	tpm2_flush(&t->tpm, &session);
	return r;
}

int
tpm2_unpack(struct tpm2 *t, const void *blob, size_t len, struct buf *wrapped, struct hf_error *err)
{
	const TPMT_SYM_DEF_OBJECT aes = {
		.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB
	};
	TPM2B_PRIVATE *private = NULL;
	TPM2B_DATA inner = { 0 };
	struct tpm2_parcel k;
	TSS2_RC rc;
	int r;

	r = tpm2_get_parcel(&k, blob, len, err);
	if (r < 0)
		return r;
	r = inner_key(t, &k, &inner, err);
	if (r < 0)
		return r;
	rc = Esys_Import(t->tpm.esys, t->srk.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &inner,
	    &k.area, &k.duplicate, &k.seed, &aes, &private);
	OPENSSL_cleanse(&inner, sizeof inner);
	if (rc)
		return tpm2_fail(&t->tpm, rc, err, "import the service's key");
	r = tpm2_put_wrapped(wrapped, &k.area, private, err);
	Esys_Free(private);
	return r;
}

int
tpm2_load(struct tpm2 *t, const void *wrapped, size_t len, struct tpm2_object *key, struct hf_error *err)
{
	TPM2B_PRIVATE private;
	TSS2_RC rc;
	int r;

	r = tpm2_get_wrapped(&key->area, &private, wrapped, len, err);
	if (r < 0)
		return r;
	rc = Esys_Load(t->tpm.esys, t->srk.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &private,
	    &key->area, &key->tr);
	if (!rc)
		return 0;
	key->tr = ESYS_TR_NONE;
	return tpm2_fail(&t->tpm, rc, err, "load the key that was wrapped for it");
}

static TPM2B_MAX_BUFFER
piece(const uint8_t *p, size_t n)
{
	TPM2B_MAX_BUFFER b = { .size = (UINT16)n };

	memcpy(b.buffer, p, n);
	return b;
}

static TSS2_RC
ask_input_max(struct tpm2 *t)
{
	TPMS_CAPABILITY_DATA *got = NULL;
	TPML_TAGGED_TPM_PROPERTY *list;
	TSS2_RC rc;

	if (t->input_max)
		return 0;
	rc = Esys_GetCapability(t->tpm.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
	    TPM2_CAP_TPM_PROPERTIES, TPM2_PT_INPUT_BUFFER, 1, NULL, &got);
	if (rc)
		return rc;
	list = &got->data.tpmProperties;
	t->input_max = INPUT_SURE;
	if (list->count && list->tpmProperty[0].property == TPM2_PT_INPUT_BUFFER)
		t->input_max = list->tpmProperty[0].value;
	if (t->input_max < INPUT_SURE || t->input_max > TPM2_MAX_DIGEST_BUFFER)
		t->input_max = t->input_max < INPUT_SURE ? INPUT_SURE : TPM2_MAX_DIGEST_BUFFER;
	Esys_Free(got);
	return 0;
}

static TSS2_RC
hmac_in_pieces(struct tpm2 *t, ESYS_TR key, const uint8_t *p, size_t n, TPM2B_DIGEST **mac)
{
	const TPM2B_AUTH none = { 0 };
	ESYS_TR sequence = ESYS_TR_NONE;
	TPM2B_MAX_BUFFER b;
	TSS2_RC rc;

	rc = Esys_HMAC_Start(
	    t->tpm.esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &none, TPM2_ALG_NULL, &sequence);
	if (rc)
		return rc;
	for (; !rc && n > t->input_max; p += t->input_max, n -= t->input_max) {
		b = piece(p, t->input_max);
		rc = Esys_SequenceUpdate(
		    t->tpm.esys, sequence, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &b);
	}
	if (!rc) {
		b = piece(p, n);
		rc = Esys_SequenceComplete(t->tpm.esys, sequence, ESYS_TR_PASSWORD, ESYS_TR_NONE,
		    ESYS_TR_NONE, &b, ESYS_TR_RH_NULL, mac, NULL);
	}
	if (rc)
		tpm2_flush(&t->tpm, &sequence);
	return rc;
}

int
tpm2_hmac(struct tpm2 *t, ESYS_TR key, const void *data, size_t n, uint8_t mac[32], struct hf_error *err)
{
	TPM2B_DIGEST *got = NULL;
	TPM2B_MAX_BUFFER b;
	TSS2_RC rc = 0;
	int r = 0;

	if (n > INPUT_SURE)
		rc = ask_input_max(t);
	if (!rc && n > INPUT_SURE && n > t->input_max) {
		rc = hmac_in_pieces(t, key, data, n, &got);
	} else if (!rc) {
		b = piece(data, n);
		rc = Esys_HMAC(
		    t->tpm.esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &b, TPM2_ALG_NULL, &got);
	}
	if (rc)
		return tpm2_fail(&t->tpm, rc, err, "sign with the service's key (HMAC)");
	if (got->size == 32)
		memcpy(mac, got->buffer, 32);
	else
		r = err_set(err, HF_ERR_KEY, "the TPM's signature is not that of an HMAC-SHA256 key");
	OPENSSL_cleanse(got, sizeof *got);
	Esys_Free(got);
	return r;
}
