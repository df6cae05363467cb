#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <tss2/tss2_rc.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/key.h"
#include "hsm/tpm2.h"

/*
 * A key of a file is loaded once, and put aside (ContextSave): each signature takes it up and flushes it, so that a TPM
 * with three slots and no resource manager stays free for others.
 */
struct tpm2_key {
	struct signer signer;
	struct tpm2_visitor tpm;
	struct tpm2_object at; /* handle 0: from a file */
	struct tpm2_file file;
	TPMS_CONTEXT *saved;
	TPM2B_AUTH auth, parent_auth;
	TPM2B_PUBLIC area; /* as it was when it was opened */
	int barred;	   /* the password is wrong, and the TPM counts how often it hears it */
};
enum { FILE_MAX = 65536 };
#define ASK_KEY	   "has the key a password? auth-source=FILE in its URI gives it"
#define ASK_PARENT "has what the key hangs on a password? parent-auth-source=FILE in its URI gives it"

static const struct {
	TPM2_ALG_ID id;
	enum sign_hash hash;
	const char *name;
} hashes[] = {
	{ TPM2_ALG_SHA256, SIGN_SHA256, "SHA-256" },
	{ TPM2_ALG_SHA384, SIGN_SHA384, "SHA-384" },
	{ TPM2_ALG_SHA512, SIGN_SHA512, "SHA-512" },
};
static const struct {
	TPM2_ALG_ID id;
	enum sign_alg alg;
	TPMI_ALG_PUBLIC type;
	const char *name;
} schemes[] = {
	{ TPM2_ALG_ECDSA, SIGN_ECDSA, TPM2_ALG_ECC, "ECDSA" },
	{ TPM2_ALG_RSASSA, SIGN_RSA_PKCS1, TPM2_ALG_RSA, "RSASSA" },
	{ TPM2_ALG_RSAPSS, SIGN_RSA_PSS, TPM2_ALG_RSA, "RSAPSS" },
};
static const struct {
	TPM2_ECC_CURVE id;
	const char *name;
	size_t field;
} curves[] = {
	{ TPM2_ECC_NIST_P256, "P-256", 32 },
	{ TPM2_ECC_NIST_P384, "P-384", 48 },
	{ TPM2_ECC_NIST_P521, "P-521", 66 },
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static int
curve_of(const TPMT_PUBLIC *a)
{
	for (size_t i = 0; i < COUNT(curves); i++)
		if (curves[i].id == a->parameters.eccDetail.curveID)
			return (int)i;
	return -1;
}

/* The scheme that the key is bound to: TPM2_ALG_NULL when it is free. */
static TPM2_ALG_ID
scheme_of(const TPMT_PUBLIC *a, TPM2_ALG_ID *hash)
{
	const TPMT_RSA_SCHEME *rsa = &a->parameters.rsaDetail.scheme;
	const TPMT_ECC_SCHEME *ec = &a->parameters.eccDetail.scheme;

	*hash = a->type == TPM2_ALG_RSA ? rsa->details.anySig.hashAlg : ec->details.anySig.hashAlg;
	return a->type == TPM2_ALG_RSA ? rsa->scheme : ec->scheme;
}

/* SIGN_BITs of a key, by what stands in its public area. */
static unsigned
can_of(const TPMT_PUBLIC *a)
{
	TPM2_ALG_ID hash, scheme = scheme_of(a, &hash);
	unsigned can = 0;

	for (size_t s = 0; s < COUNT(schemes); s++) {
		if (schemes[s].type != a->type || (scheme != TPM2_ALG_NULL && scheme != schemes[s].id))
			continue;
		for (size_t h = 0; h < COUNT(hashes); h++)
			if (scheme == TPM2_ALG_NULL || hash == hashes[h].id)
				can |= SIGN_BIT(schemes[s].alg, hashes[h].hash);
	}
	return can;
}

const char *
tpm2_why_not(const TPM2B_PUBLIC *area)
{
	const TPMT_PUBLIC *a = &area->publicArea;
	const TPMA_OBJECT is = a->objectAttributes;

	if (a->type != TPM2_ALG_RSA && a->type != TPM2_ALG_ECC)
		return "it has no public half, so it cannot be an X.509 key";
	if (!(is & TPMA_OBJECT_SIGN_ENCRYPT))
		return "it does not sign: it was made without the attribute \"sign\"";
	if (is & TPMA_OBJECT_RESTRICTED)
		return "it is restricted: it signs only what the TPM itself has made";
	if (is & TPMA_OBJECT_X509SIGN)
		return "it has the attribute \"x509sign\": it signs certificates only";
	if (!(is & TPMA_OBJECT_USERWITHAUTH))
		return "it is used under a policy (no \"userwithauth\"), which Holdfast does not do; it does passwords";
	if (a->type == TPM2_ALG_ECC && curve_of(a) < 0)
		return "its curve is none of P-256, P-384 and P-521";
	if (a->type == TPM2_ALG_RSA && a->parameters.rsaDetail.keyBits < 2048)
		return "it is RSA with less than 2048 bits";
	if (!can_of(a))
		return "its scheme or hash is none that TLS has: ECDSA, RSASSA or RSAPSS with SHA-256, SHA-384 or SHA-512";
	return NULL;
}

void
tpm2_what(const TPM2B_PUBLIC *area, char *dst, size_t cap)
{
	const TPMT_PUBLIC *a = &area->publicArea;
	TPM2_ALG_ID hash, scheme = scheme_of(a, &hash);
	const char *s = "", *h = "";
	char key[32];

	if (a->type == TPM2_ALG_RSA)
		str_fmt(key, sizeof key, "RSA %u", (unsigned)a->parameters.rsaDetail.keyBits);
	else
		str_fmt(key, sizeof key, "EC %s", curves[curve_of(a)].name);
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (schemes[i].id == scheme)
			s = schemes[i].name;
	for (size_t i = 0; i < COUNT(hashes); i++)
		if (hashes[i].id == hash)
			h = hashes[i].name;
	if (scheme == TPM2_ALG_NULL)
		str_fmt(dst, cap, "%s", key);
	else
		str_fmt(dst, cap, "%s, %s with %s only", key, s, h);
}

/* Takes from `can` what the TPM does not have: hashes, and schemes. */
static int
limit(struct tpm2_key *k, struct hf_error *err)
{
	TPMS_CAPABILITY_DATA *got = NULL;
	const TPML_ALG_PROPERTY *list;
	uint8_t has[256] = { 0 };
	TSS2_RC rc;

	rc = Esys_GetCapability(k->tpm.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_ALGS,
	    TPM2_ALG_FIRST, TPM2_MAX_CAP_ALGS, NULL, &got);
	if (rc)
		return tpm2_fail(&k->tpm, rc, err, "ask which algorithms it has");
	list = &got->data.algorithms;
	for (UINT32 i = 0; i < list->count && i < TPM2_MAX_CAP_ALGS; i++)
		if (list->algProperties[i].alg < sizeof has)
			has[list->algProperties[i].alg] = 1;
	Esys_Free(got);
	for (size_t s = 0; s < COUNT(schemes); s++)
		for (size_t h = 0; h < COUNT(hashes); h++)
			if (!has[schemes[s].id] || !has[hashes[h].id])
				k->signer.can &= ~SIGN_BIT(schemes[s].alg, hashes[h].hash);
	return 0;
}

/* Between the two, the key is k->at.tr. */
static void
put_down(struct tpm2_key *k)
{
	const TPM2B_AUTH none = { 0 };

	if (k->at.tr != ESYS_TR_NONE)
		Esys_TR_SetAuth(k->tpm.esys, k->at.tr, &none);
	if (!k->at.handle)
		tpm2_flush(&k->tpm, &k->at.tr);
	tpm2_leave(&k->tpm);
}

static int
load(struct tpm2_key *k, struct hf_error *err)
{
	struct tpm2_object parent = { .tr = ESYS_TR_NONE };
	TSS2_RC rc;
	int r;

	k->tpm.ask = ASK_PARENT;
	r = tpm2_parent(&k->tpm, &parent, k->file.parent, &k->parent_auth, err);
	if (r < 0)
		return r;
	rc = Esys_Load(k->tpm.esys, parent.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &k->file.private,
	    &k->file.area, &k->at.tr);
	if (rc) {
		k->at.tr = ESYS_TR_NONE;
		r = tpm2_fail(&k->tpm, rc, err, "load the key of %s", k->signer.name);
	}
	tpm2_unparent(&k->tpm, &parent);
	if (r < 0)
		return r;
	rc = Esys_ContextSave(k->tpm.esys, k->at.tr, &k->saved);
	if (!rc)
		return 0;
	k->saved = NULL;
	return tpm2_fail(&k->tpm, rc, err, "put the key of %s aside", k->signer.name);
}

/* A TPM that was reset forgets what was put aside. */
static int
take_file(struct tpm2_key *k, struct hf_error *err)
{
	TSS2_RC rc;

	if (!k->saved)
		return load(k, err);
	rc = Esys_ContextLoad(k->tpm.esys, k->saved, &k->at.tr);
	if (!rc)
		return 0;
	k->at.tr = ESYS_TR_NONE;
	if (!tpm2_said(rc))
		return tpm2_fail(&k->tpm, rc, err, "take up the key of %s", k->signer.name);
	Esys_Free(k->saved);
	k->saved = NULL;
	return load(k, err);
}

static int
same_key(const TPMT_PUBLIC *a, const TPMT_PUBLIC *b)
{
	return a->type == b->type && a->objectAttributes == b->objectAttributes &&
	       memcmp(&a->unique, &b->unique, sizeof a->unique) == 0;
}

static int
take_handle(struct tpm2_key *k, struct hf_error *err)
{
	int rc = tpm2_find(&k->tpm, &k->at, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, HF_ERR_KEY,
		    "%s: no such object (0x18b); tpm2_getcap handles-persistent shows what there is",
		    k->signer.name);
	if (!k->signer.pub || same_key(&k->at.area.publicArea, &k->area.publicArea))
		return 0;
	tpm2_unfind(&k->tpm, &k->at);
	return err_set(
	    err, HF_ERR_KEY, "%s: there is another key now than when it was opened", k->signer.name);
}

static int
take_up(struct tpm2_key *k, struct hf_error *err)
{
	int rc = tpm2_enter(&k->tpm, err);
	TSS2_RC tss;

	if (rc < 0)
		return rc;
	if (rc == 1)
		k->at.tr = ESYS_TR_NONE;
	if (k->barred)
		rc = err_set(err, HF_ERR_KEY,
		    "%s: the TPM has refused its password (0x98e), and would count another try; " ASK_KEY,
		    k->signer.name);
	else
		rc = k->at.handle ? take_handle(k, err) : take_file(k, err);
	k->tpm.ask = ASK_KEY;
	if (rc == 0 && (tss = Esys_TR_SetAuth(k->tpm.esys, k->at.tr, &k->auth)))
		rc = tpm2_fail(&k->tpm, tss, err, "use the %s", k->signer.name);
	if (rc < 0)
		put_down(k);
	return rc;
}

static int
signature(const TPMT_SIGNATURE *s, uint8_t *sig, size_t *len)
{
	const TPMS_SIGNATURE_ECC *ec = &s->signature.ecdsa;
	const TPM2B_PUBLIC_KEY_RSA *rsa = &s->signature.rsassa.sig; /* RSAPSS has the same structure */

	if (s->sigAlg == TPM2_ALG_ECDSA)
		return ecdsa_put(ec->signatureR.buffer, ec->signatureR.size, ec->signatureS.buffer,
		    ec->signatureS.size, sig, len);
	if (rsa->size > *len)
		return -1;
	memcpy(sig, rsa->buffer, rsa->size);
	*len = rsa->size;
	return 0;
}

/* Does the TPM refuse this scheme or hash alone? */
static int
is_unsupported(TSS2_RC rc)
{
	return tpm2_is(rc, TPM2_RC_SCHEME) || tpm2_is(rc, TPM2_RC_HASH) || tpm2_is(rc, TPM2_RC_VALUE) ||
	       tpm2_is(rc, TPM2_RC_KEY_SIZE);
}

static int
refused(struct tpm2_key *k, TSS2_RC rc, struct hf_error *err)
{
	if (is_unsupported(rc))
		return err_set(err, HF_ERR_UNSUPPORTED, "%s: the TPM cannot sign with it so: %s (0x%x)",
		    k->signer.name, Tss2_RC_Decode(rc), (unsigned)rc);
	k->barred = tpm2_is(rc, TPM2_RC_AUTH_FAIL);
	if (tpm2_is(rc, TPM2_RC_HANDLE))
		tpm2_unfind(&k->tpm, &k->at);
	return tpm2_fail(&k->tpm, rc, err, "sign with the key of %s", k->signer.name);
}

static int
sign(struct signer *s, enum sign_alg alg, enum sign_hash hash, const uint8_t *digest, size_t n, uint8_t *sig,
    size_t *len, struct hf_error *err)
{
	struct tpm2_key *k = (struct tpm2_key *)s;
	const TPMT_TK_HASHCHECK anything = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
	TPMT_SIG_SCHEME scheme = { .scheme = schemes[alg].id, .details.any.hashAlg = hashes[hash].id };
	TPM2B_DIGEST d = { .size = (UINT16)n };
	TPMT_SIGNATURE *got = NULL;
	TSS2_RC rc;
	int r;

	if (!(s->can & SIGN_BIT(alg, hash)) || n > sizeof d.buffer)
		return err_set(err, HF_ERR_UNSUPPORTED, "%s: it does not sign by %s with %s", s->name,
		    schemes[alg].name, hashes[hash].name);
	memcpy(d.buffer, digest, n);
	r = take_up(k, err);
	if (r < 0)
		return r;
	rc = Esys_Sign(k->tpm.esys, k->at.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &d, &scheme,
	    &anything, &got);
	if (rc)
		r = refused(k, rc, err);
	put_down(k);
	if (rc)
		return r;
	if (got->sigAlg != scheme.scheme || signature(got, sig, len) < 0)
		r = err_set(err, HF_ERR_KEY, "%s: the TPM's signature is none of this key", s->name);
	Esys_Free(got);
	return r;
}

static int
raw(struct signer *s, const uint8_t *em, size_t n, uint8_t *out, struct hf_error *err)
{
	struct tpm2_key *k = (struct tpm2_key *)s;
	const TPMT_RSA_DECRYPT plain = { .scheme = TPM2_ALG_NULL };
	const TPM2B_DATA label = { 0 };
	TPM2B_PUBLIC_KEY_RSA in = { .size = (UINT16)n }, *got = NULL;
	TSS2_RC rc;
	int r;

	if (n > sizeof in.buffer)
		return err_set(err, HF_ERR_UNSUPPORTED, "%s: %zu bytes are too much for RSA", s->name, n);
	memcpy(in.buffer, em, n);
	r = take_up(k, err);
	if (r < 0)
		return r;
	rc = Esys_RSA_Decrypt(
	    k->tpm.esys, k->at.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &in, &plain, &label, &got);
	if (rc)
		r = refused(k, rc, err);
	put_down(k);
	if (rc)
		return r;
	memset(out, 0, n);
	if (got->size <= n)
		memcpy(out + n - got->size, got->buffer, got->size);
	else
		r = err_set(err, HF_ERR_KEY, "%s: the TPM's answer is longer than the key", s->name);
	Esys_Free(got);
	return r;
}

static void
close_key(struct signer *s)
{
	struct tpm2_key *k = (struct tpm2_key *)s;

	if (k->tpm.chip)
		tpm2_chip_close(k->tpm.chip);
	Esys_Free(k->saved);
	EVP_PKEY_free(s->pub);
	OPENSSL_cleanse(k, sizeof *k);
	free(k);
}

static const struct signer_ops ops = { .sign = sign, .close = close_key, .shared = 1 };
static const struct signer_ops ops_raw = { .sign = sign, .raw = raw, .close = close_key, .shared = 1 };

static EVP_PKEY *
public_ec(const TPMT_PUBLIC *a)
{
	const TPM2B_ECC_PARAMETER *x = &a->unique.ecc.x, *y = &a->unique.ecc.y;
	uint8_t point[1 + 2 * 66] = { 4 };
	size_t n = curves[curve_of(a)].field;

	if (x->size > n || y->size > n)
		return NULL;
	memcpy(point + 1 + n - x->size, x->buffer, x->size);
	memcpy(point + 1 + 2 * n - y->size, y->buffer, y->size);
	return pubkey_ec(curves[curve_of(a)].name, point, 1 + 2 * n);
}

static EVP_PKEY *
public_rsa(const TPMT_PUBLIC *a)
{
	UINT32 e = a->parameters.rsaDetail.exponent ? a->parameters.rsaDetail.exponent : 65537;
	const uint8_t exponent[] = { (uint8_t)(e >> 24), (uint8_t)(e >> 16), (uint8_t)(e >> 8), (uint8_t)e };

	return pubkey_rsa(a->unique.rsa.buffer, a->unique.rsa.size, exponent, sizeof exponent);
}

/* Everything that the public area tells. */
static int
know(struct tpm2_key *k, const TPM2B_PUBLIC *area, struct hf_error *err)
{
	const TPMT_PUBLIC *a = &area->publicArea;
	const char *why = tpm2_why_not(area);
	TPM2_ALG_ID hash;

	if (why)
		return err_set(err, HF_ERR_KEY, "%s: there is %s with attributes 0x%08x: %s", k->signer.name,
		    tpm2_kind(area), (unsigned)a->objectAttributes, why);
	k->signer.can = can_of(a);
	if (a->type == TPM2_ALG_RSA && (a->objectAttributes & TPMA_OBJECT_DECRYPT) &&
	    scheme_of(a, &hash) == TPM2_ALG_NULL)
		k->signer.ops = &ops_raw;
	k->signer.pub = a->type == TPM2_ALG_RSA ? public_rsa(a) : public_ec(a);
	if (!k->signer.pub)
		return err_ssl(err, HF_ERR_KEY, "%s: its public key is not a valid one", k->signer.name);
	k->area = *area;
	return 0;
}

static int
read_file(struct tpm2_key *k, const struct tpm2_uri *w, struct hf_error *err)
{
	struct buf text = { 0 };
	int rc;

	rc = file_read(&text, w->file, FILE_MAX, "TPM key file", err);
	if (rc == 0)
		rc = tpm2_get_pem(&k->file, buf_data(&text), buf_size(&text), w->file, err);
	buf_free(&text);
	return rc;
}

static int
look(struct tpm2_key *k, struct hf_error *err)
{
	int rc;

	if (!k->at.handle && (rc = know(k, &k->file.area, err)) < 0)
		return rc;
	rc = take_up(k, err);
	if (rc < 0)
		return rc;
	if (k->at.handle)
		rc = know(k, &k->at.area, err);
	if (rc == 0)
		rc = limit(k, err);
	put_down(k);
	if (rc == 0 && !k->signer.can)
		rc = err_set(
		    err, HF_ERR_KEY, "%s: its TPM does not have the hash that it signs with", k->signer.name);
	return rc;
}

static int
prepare(struct tpm2_key *k, const struct tpm2_uri *w, struct hf_error *err)
{
	int rc;

	k->at.handle = w->handle;
	k->auth = w->auth;
	k->parent_auth = w->parent_auth;
	if (w->handle)
		str_fmt(k->signer.name, sizeof k->signer.name, "TPM handle 0x%08x", (unsigned)w->handle);
	else
		str_fmt(k->signer.name, sizeof k->signer.name, "TPM key file %.100s", w->file);
	if (w->file && (rc = read_file(k, w, err)) < 0)
		return rc;
	rc = tpm2_chip_open(&k->tpm.chip, w->tcti, err);
	return rc < 0 ? rc : look(k, err);
}

int
key_tpm2_open(EVP_PKEY **out, const struct uri *u, const struct key_open *how, struct hf_error *err)
{
	struct tpm2_key *k;
	struct tpm2_uri w;
	int rc;

	*out = NULL;
	rc = tpm2_uri_get(&w, u, how ? how->log : NULL, err);
	if (rc < 0)
		return rc;
	k = calloc(1, sizeof *k);
	if (!k) {
		rc = err_memory(err);
		goto fail;
	}
	k->signer.ops = &ops;
	k->at.tr = ESYS_TR_NONE;
	if (!w.handle && !w.file)
		rc = err_set(err, HF_ERR_ARGS, "tpm2: which key? tpm2:handle=0x81... or tpm2:file=KEY.pem");
	else
		rc = prepare(k, &w, err);
	if (rc == 0)
		rc = remotekey_new(out, &k->signer, err);
	else
		close_key(&k->signer);
fail:
	OPENSSL_cleanse(&w, sizeof w);
	return rc;
}
