#include <string.h>
#include <openssl/evp.h>
#include <tss2/tss2_mu.h>
#include "hsm/tpm2.h"

/* PolicySecret(endorsement): whoever may use that hierarchy may use the EK. */
static const uint8_t ek_policy[32] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d,
	0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33,
	0x14, 0x69, 0xaa };

/*
 * ESYS has read the public area to make its handle; to ask it and not the TPM saves a command. How it writes an object
 * down is its own business: the name, a hash of the area, tells if we have read it right.
 */
static int
cached_area(struct tpm2_visitor *v, struct tpm2_object *o)
{
	uint8_t *p = NULL, area[sizeof o->area], digest[32];
	size_t n = 0, at = sizeof(UINT32), len = 0;
	UINT32 kind;
	TPM2B_NAME stored = { 0 }, *name = NULL;
	int ok = 0;

	if (Esys_TR_Serialize(v->esys, o->tr, &p, &n) || Esys_TR_GetName(v->esys, o->tr, &name) ||
	    Tss2_MU_TPM2B_NAME_Unmarshal(p, n, &at, &stored) || Tss2_MU_UINT32_Unmarshal(p, n, &at, &kind) ||
	    Tss2_MU_TPM2B_PUBLIC_Unmarshal(p, n, &at, &o->area) ||
	    Tss2_MU_TPMT_PUBLIC_Marshal(&o->area.publicArea, area, sizeof area, &len))
		goto fail;
	ok = at == n && o->area.publicArea.nameAlg == TPM2_ALG_SHA256 && name->size == 2 + sizeof digest &&
	     EVP_Digest(area, len, digest, NULL, EVP_sha256(), NULL) &&
	     memcmp(name->name + 2, digest, sizeof digest) == 0;
fail:
	Esys_Free(name);
	Esys_Free(p);
	return ok;
}

static TSS2_RC
read_area(struct tpm2_visitor *v, struct tpm2_object *o)
{
	TPM2B_PUBLIC *area;
	TSS2_RC rc;

	memset(&o->area, 0, sizeof o->area);
	if (cached_area(v, o))
		return 0;
	rc = Esys_ReadPublic(v->esys, o->tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area, NULL, NULL);
	if (rc)
		return rc;
	o->area = *area;
	Esys_Free(area);
	return 0;
}

static TSS2_RC
look(struct tpm2_visitor *v, struct tpm2_object *o)
{
	return Esys_TR_FromTPMPublic(v->esys, o->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &o->tr);
}

int
tpm2_find(struct tpm2_visitor *v, struct tpm2_object *o, struct hf_error *err)
{
	TSS2_RC rc;

	if (o->tr != ESYS_TR_NONE)
		return 1;
	rc = look(v, o);
	if (tpm2_is(rc, TPM2_RC_INITIALIZE)) {
		Esys_Startup(v->esys, TPM2_SU_CLEAR);
		rc = look(v, o);
	}
	if (rc)
		o->tr = ESYS_TR_NONE;
	if (tpm2_is(rc, TPM2_RC_HANDLE))
		return 0;
	if (!rc)
		rc = read_area(v, o);
	if (!rc)
		return 1;
	tpm2_unfind(v, o);
	return tpm2_fail(v, rc, err, "read what is at handle 0x%08x", (unsigned)o->handle);
}

void
tpm2_unfind(struct tpm2_visitor *v, struct tpm2_object *o)
{
	if (o->tr != ESYS_TR_NONE)
		Esys_TR_Close(v->esys, &o->tr);
	o->tr = ESYS_TR_NONE;
}

/* TCG's template L-1; Microsoft's lacks the zeros in `unique`, and so makes another key. The SRK has none either. */
static TPM2B_PUBLIC template(const struct tpm2 *t, int ek)
{
	TPM2B_PUBLIC p = { 0 };
	TPMT_PUBLIC *a = &p.publicArea;

	a->type = TPM2_ALG_RSA;
	a->nameAlg = TPM2_ALG_SHA256;
	a->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			      TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	a->objectAttributes |= ek ? TPMA_OBJECT_ADMINWITHPOLICY : TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA;
	a->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_AES;
	a->parameters.rsaDetail.symmetric.keyBits.aes = 128;
	a->parameters.rsaDetail.symmetric.mode.aes = TPM2_ALG_CFB;
	a->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
	a->parameters.rsaDetail.keyBits = 2048;
	if (!ek)
		return p;
	a->authPolicy.size = sizeof ek_policy;
	memcpy(a->authPolicy.buffer, ek_policy, sizeof ek_policy);
	a->unique.rsa.size = t->sdk ? 0 : 256;
	return p;
}

static int
create(struct tpm2 *t, struct tpm2_object *o, int persist, struct hf_error *err)
{
	const char *what = o == &t->ek ? "endorsement key" : "storage root key";
	ESYS_TR hierarchy = o == &t->ek ? ESYS_TR_RH_ENDORSEMENT : ESYS_TR_RH_OWNER, made = ESYS_TR_NONE;
	const TPM2B_PUBLIC wish = template(t, o == &t->ek);
	const TPM2B_SENSITIVE_CREATE secret = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	TPM2B_PUBLIC *area = NULL;
	TSS2_RC rc;

	rc = Esys_CreatePrimary(t->tpm.esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &secret,
	    &wish, &outside, &pcrs, &made, &area, NULL, NULL, NULL);
	if (rc)
		return tpm2_fail(&t->tpm, rc, err, "make the %s", what);
	o->area = *area;
	Esys_Free(area);
	if (persist)
		rc = Esys_EvictControl(t->tpm.esys, ESYS_TR_RH_OWNER, made, ESYS_TR_PASSWORD, ESYS_TR_NONE,
		    ESYS_TR_NONE, o->handle, &o->tr);
	if (rc)
		o->tr = ESYS_TR_NONE;
	tpm2_flush(&t->tpm, &made);
	return rc ? tpm2_fail(&t->tpm, rc, err, "keep the %s at handle 0x%08x", what, (unsigned)o->handle)
		  : 0;
}

static int
is_decryption_key(const TPM2B_PUBLIC *p)
{
	const TPMA_OBJECT want = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;

	return p->publicArea.type == TPM2_ALG_RSA &&
	       (p->publicArea.objectAttributes & (want | TPMA_OBJECT_SIGN_ENCRYPT)) == want;
}

static int
primary(struct tpm2 *t, struct tpm2_object *o, int persist, struct hf_error *err)
{
	int rc = tpm2_find(&t->tpm, o, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return create(t, o, persist, err);
	if (is_decryption_key(&o->area))
		return 0;
	return err_set(err, HF_ERR_KEY,
	    "TPM handle 0x%08x: there is %s with attributes 0x%08x, but DPS needs an RSA key that decrypts and is "
	    "restricted to that; give another handle with %s",
	    (unsigned)o->handle, tpm2_kind(&o->area), (unsigned)o->area.publicArea.objectAttributes,
	    o == &t->ek ? "--ek-handle" : "--srk-handle");
}

int
tpm2_primaries(struct tpm2 *t, int persist, struct hf_error *err)
{
	int rc = primary(t, &t->ek, persist, err);

	return rc < 0 ? rc : primary(t, &t->srk, persist, err);
}

/* TCG's template for an ECC P-256 storage key, without zeros in `unique`: what every other tool makes. */
static const TPM2B_PUBLIC storage = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
		    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters.eccDetail = {
			.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
			.scheme.scheme = TPM2_ALG_NULL,
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	},
};

static TSS2_RC
create_storage(struct tpm2_visitor *v, ESYS_TR hierarchy, struct tpm2_object *o)
{
	const TPM2B_SENSITIVE_CREATE secret = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };

	return Esys_CreatePrimary(v->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &secret,
	    &storage, &outside, &pcrs, &o->tr, NULL, NULL, NULL, NULL);
}

static int
hierarchy_parent(struct tpm2_visitor *v, struct tpm2_object *o, ESYS_TR hierarchy, const TPM2B_AUTH *auth,
    struct hf_error *err)
{
	const TPM2B_AUTH none = { 0 };
	TSS2_RC rc = Esys_TR_SetAuth(v->esys, hierarchy, auth);

	if (!rc)
		rc = create_storage(v, hierarchy, o);
	if (tpm2_is(rc, TPM2_RC_INITIALIZE)) {
		Esys_Startup(v->esys, TPM2_SU_CLEAR);
		rc = create_storage(v, hierarchy, o);
	}
	Esys_TR_SetAuth(v->esys, hierarchy, &none);
	if (!rc)
		return 0;
	o->tr = ESYS_TR_NONE;
	return tpm2_fail(v, rc, err, "make the storage key that the key hangs on");
}

static ESYS_TR
hierarchy_of(TPM2_HANDLE handle)
{
	switch (handle) {
	case TPM2_RH_OWNER:
		return ESYS_TR_RH_OWNER;
	case TPM2_RH_ENDORSEMENT:
		return ESYS_TR_RH_ENDORSEMENT;
	case TPM2_RH_PLATFORM:
		return ESYS_TR_RH_PLATFORM;
	case TPM2_RH_NULL:
		return ESYS_TR_RH_NULL;
	default:
		return ESYS_TR_NONE;
	}
}

int
tpm2_parent(struct tpm2_visitor *v, struct tpm2_object *o, TPM2_HANDLE handle, const TPM2B_AUTH *auth,
    struct hf_error *err)
{
	TSS2_RC tss;
	int rc;

	o->handle = handle;
	o->tr = ESYS_TR_NONE;
	if (hierarchy_of(handle) != ESYS_TR_NONE)
		return hierarchy_parent(v, o, hierarchy_of(handle), auth, err);
	rc = tpm2_find(v, o, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, HF_ERR_KEY,
		    "TPM handle 0x%08x: no such object (0x18b); the key hangs on it, and cannot be loaded without",
		    (unsigned)handle);
	tss = Esys_TR_SetAuth(v->esys, o->tr, auth);
	if (!tss)
		return 0;
	tpm2_unparent(v, o);
	return tpm2_fail(v, tss, err, "use the key at handle 0x%08x", (unsigned)handle);
}

void
tpm2_unparent(struct tpm2_visitor *v, struct tpm2_object *o)
{
	const TPM2B_AUTH none = { 0 };

	if (hierarchy_of(o->handle) != ESYS_TR_NONE) {
		tpm2_flush(v, &o->tr);
		return;
	}
	if (o->tr != ESYS_TR_NONE)
		Esys_TR_SetAuth(v->esys, o->tr, &none);
	tpm2_unfind(v, o);
}

int
tpm2_put_public(struct buf *b, const TPM2B_PUBLIC *area, struct hf_error *err)
{
	uint8_t *room = buf_room(b, sizeof *area);
	size_t n = 0;

	if (!room)
		return err_memory(err);
	if (Tss2_MU_TPM2B_PUBLIC_Marshal(area, room, sizeof *area, &n))
		return err_set(err, HF_ERR_OTHER, "a public key from the TPM cannot be written down");
	buf_add(b, n);
	return 0;
}

const char *
tpm2_kind(const TPM2B_PUBLIC *area)
{
	switch (area->publicArea.type) {
	case TPM2_ALG_RSA:
		return "an RSA key";
	case TPM2_ALG_ECC:
		return "an ECC key";
	case TPM2_ALG_KEYEDHASH:
		return tpm2_is_hmac_key(area) ? "an HMAC-SHA256 key" : "a keyed hash object or sealed data";
	default:
		return "a symmetric key";
	}
}
