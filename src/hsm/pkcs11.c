#include "hsm/pkcs11.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

/*
 * The PIN is not kept, except for a key that wants it for each signature. When the token was away, it is got once more from where
 * the URI says.
 */
struct key {
	struct signer signer;
	struct pkcs11 p;
	CK_OBJECT_HANDLE object;
	char *uri;
	size_t bytes; /* RSA: of the modulus */
	int always;   /* CKA_ALWAYS_AUTHENTICATE */
	struct buf pin;
	int lost; /* the session is of no use any more */
};

static int
connect_key(struct key *k, const struct log *log, struct hf_error *err)
{
	struct pkcs11 *p = &k->p;
	CK_OBJECT_HANDLE any;
	int rc;

	if ((rc = pkcs11_one_token(p, err)) < 0 || (rc = pkcs11_session(p, &p->token[0], 0, err)) < 0 ||
	    (rc = pkcs11_enter(p, log, err)) < 0)
		return rc;
	if (rc == 1 && pkcs11_find(p, CKO_PRIVATE_KEY, NULL, NULL, &any, 1, err) == 0)
		return pkcs11_no_pin(p, err);
	if ((rc = pkcs11_find_key(p, &k->object, err)) < 0)
		return rc;
	k->always = pkcs11_get_flag(p, k->object, CKA_ALWAYS_AUTHENTICATE);
	if (!k->always || pkcs11_has_keypad(p) || buf_size(&k->pin) > 0)
		return 0;
	rc = pkcs11_pin(p, &k->pin, NULL, err);
	return rc == 0 ? pkcs11_no_pin(p, err) : rc < 0 ? rc : 0;
}

static int
reconnect(struct key *k, struct hf_error *err)
{
	struct hf_error ignored = { 0 };
	struct uri uri = { 0 };
	EVP_PKEY *pub = NULL;
	int rc = uri_get(&uri, k->uri, err);

	pkcs11_close(&k->p);
	if (rc == 0)
		rc = pkcs11_open(&k->p, &uri, err);
	if (rc == 0)
		rc = connect_key(k, NULL, err);
	k->p.from = NULL;
	uri_fini(&uri);
	if (rc < 0)
		return rc;
	if (pkcs11_public(&k->p, k->object, NULL, &pub, &ignored) == 0 &&
	    EVP_PKEY_eq(pub, k->signer.pub) != 1)
		rc = err_set(
		    err, HF_ERR_KEY, "%s: the token came back with another key in its place", k->signer.name);
	EVP_PKEY_free(pub);
	k->lost = rc < 0;
	return rc;
}

static int
ready(struct key *k, struct hf_error *err)
{
	if (k->p.refused)
		return err_set(err, HF_ERR_KEY,
		    "%s: its PIN was refused before, and is not tried again: that could lock the token",
		    k->signer.name);
	return k->lost ? reconnect(k, err) : 0;
}

static int
begin(struct key *k, CK_MECHANISM *how, struct hf_error *err)
{
	int keypad = pkcs11_has_keypad(&k->p), rc;
	CK_RV rv = k->p.m->C_SignInit(k->p.session, how, k->object);

	if (rv != CKR_OK) {
		k->lost = pkcs11_is_lost(rv);
		return pkcs11_fail(&k->p, rv, err, "begin a signature with %s", k->signer.name);
	}
	if (!k->always)
		return 0;
	rc = pkcs11_login(&k->p, CKU_CONTEXT_SPECIFIC, keypad ? NULL : &k->pin, err);
	k->lost = rc < 0; /* the signature that has begun can only be dropped together with its session */
	return rc;
}

/* *len is the room, then what came. */
static int
sign_with(struct key *k, CK_MECHANISM *how, const uint8_t *data, size_t n, uint8_t *out, size_t *len,
    struct hf_error *err)
{
	CK_ULONG got = *len;
	CK_RV rv;
	int rc;

	if ((rc = ready(k, err)) < 0 || (rc = begin(k, how, err)) < 0)
		return rc;
	rv = k->p.m->C_Sign(k->p.session, (CK_BYTE *)(uintptr_t)data, n, out, &got);
	if (rv != CKR_OK) {
		k->lost = pkcs11_is_lost(rv) || rv == CKR_BUFFER_TOO_SMALL;
		return pkcs11_fail(&k->p, rv, err, "sign with %s", k->signer.name);
	}
	if (got == 0 || got > *len)
		return err_set(err, HF_ERR_KEY,
		    "%s: the module gave a signature of %lu bytes, which cannot be", k->signer.name, got);
	*len = got;
	return 0;
}

static int
sign_ecdsa(struct key *k, const uint8_t *digest, size_t n, uint8_t *sig, size_t *len, struct hf_error *err)
{
	CK_MECHANISM how = { CKM_ECDSA, NULL, 0 };
	size_t most = ((size_t)EVP_PKEY_get_bits(k->signer.pub) + 7) / 8, got = 2 * most;
	uint8_t raw[2 * 66];
	int rc;

	if (got > sizeof raw)
		return err_set(
		    err, HF_ERR_UNSUPPORTED, "%s: no curve as large as this is known", k->signer.name);
	/* what is longer than the curve's order has no meaning, and not every token knows that */
	rc = sign_with(k, &how, digest, n < most ? n : most, raw, &got, err);
	if (rc < 0)
		return rc;
	if (got % 2 != 0 || ecdsa_put(raw, got / 2, raw + got / 2, got / 2, sig, len) < 0)
		return err_set(err, HF_ERR_KEY,
		    "%s: the module gave a signature of %zu bytes, which cannot be", k->signer.name, got);
	return 0;
}

static int
sign_rsa(struct key *k, CK_MECHANISM *how, const uint8_t *data, size_t n, uint8_t *sig, size_t *len,
    struct hf_error *err)
{
	int rc = sign_with(k, how, data, n, sig, len, err);

	if (rc < 0 || *len == k->bytes)
		return rc;
	return err_set(err, HF_ERR_KEY, "%s: the module gave a signature of %zu bytes, which cannot be",
	    k->signer.name, *len);
}

/* DigestInfo (RFC 8017, 9.2): the SHA-2 family's differ in two bytes of length and one of name. */
static size_t
put_digest_info(uint8_t *dst, enum sign_hash hash, const uint8_t *digest, size_t n)
{
	uint8_t head[] = { 0x30, 0x11, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
		(uint8_t)(hash + 1), 0x05, 0x00, 0x04, (uint8_t)n };

	head[1] = (uint8_t)(head[1] + n);
	memcpy(dst, head, sizeof head);
	memcpy(dst + sizeof head, digest, n);
	return sizeof head + n;
}

static const struct {
	CK_MECHANISM_TYPE digest, pss;
	CK_RSA_PKCS_MGF_TYPE mgf;
} hashes[SIGN_HASHES] = {
	[SIGN_SHA256] = { CKM_SHA256, CKM_SHA256_RSA_PKCS_PSS, CKG_MGF1_SHA256 },
	[SIGN_SHA384] = { CKM_SHA384, CKM_SHA384_RSA_PKCS_PSS, CKG_MGF1_SHA384 },
	[SIGN_SHA512] = { CKM_SHA512, CKM_SHA512_RSA_PKCS_PSS, CKG_MGF1_SHA512 },
};

static int
sign_any(struct key *k, enum sign_alg alg, enum sign_hash hash, const uint8_t *digest, size_t n, uint8_t *sig,
    size_t *len, struct hf_error *err)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { hashes[hash].digest, hashes[hash].mgf, n };
	CK_MECHANISM padded = { CKM_RSA_PKCS_PSS, &pss, sizeof pss }, plain = { CKM_RSA_PKCS, NULL, 0 };
	uint8_t info[128];

	if (!(k->signer.can & SIGN_BIT(alg, hash)) || n > 64)
		return err_set(
		    err, HF_ERR_UNSUPPORTED, "%s: the token cannot sign like this", k->signer.name);
	if (alg == SIGN_ECDSA)
		return sign_ecdsa(k, digest, n, sig, len, err);
	if (alg == SIGN_RSA_PSS)
		return sign_rsa(k, &padded, digest, n, sig, len, err);
	return sign_rsa(k, &plain, info, put_digest_info(info, hash, digest, n), sig, len, err);
}

static int
key_sign(struct signer *s, enum sign_alg alg, enum sign_hash hash, const uint8_t *digest, size_t n,
    uint8_t *sig, size_t *len, struct hf_error *err)
{
	struct guard guard;
	int rc;

	guard_begin(&guard);
	rc = sign_any((struct key *)s, alg, hash, digest, n, sig, len, err);
	guard_end(&guard);
	return rc;
}

static int
key_raw(struct signer *s, const uint8_t *em, size_t n, uint8_t *out, struct hf_error *err)
{
	CK_MECHANISM how = { CKM_RSA_X_509, NULL, 0 };
	struct guard guard;
	size_t len = n;
	int rc;

	guard_begin(&guard);
	rc = sign_rsa((struct key *)s, &how, em, n, out, &len, err);
	guard_end(&guard);
	return rc;
}

static void
key_close(struct signer *s)
{
	struct key *k = (struct key *)s;
	struct guard guard;

	guard_begin(&guard);
	pkcs11_close(&k->p);
	guard_end(&guard);
	EVP_PKEY_free(s->pub);
	str_free(&k->uri);
	buf_free(&k->pin);
	free(k);
}

static const struct signer_ops ops = { .sign = key_sign, .close = key_close };
static const struct signer_ops ops_raw = { .sign = key_sign, .raw = key_raw, .close = key_close };

/* CKA_ALLOWED_MECHANISMS: none, and all are. */
static int
is_allowed(const struct buf *list, CK_MECHANISM_TYPE what)
{
	CK_MECHANISM_TYPE one;

	for (size_t i = 0; i + sizeof one <= buf_size(list); i += sizeof one) {
		memcpy(&one, buf_data(list) + i, sizeof one);
		if (one == what)
			return 1;
	}
	return buf_size(list) == 0;
}

static int
knows(struct key *k, CK_MECHANISM_TYPE what)
{
	CK_MECHANISM_INFO info = { 0 };

	return k->p.m->C_GetMechanismInfo(k->p.at->slot, what, &info) == CKR_OK;
}

static int
signs(struct key *k, const struct buf *allowed, CK_MECHANISM_TYPE what)
{
	CK_MECHANISM_INFO info = { 0 };

	return is_allowed(allowed, what) &&
	       k->p.m->C_GetMechanismInfo(k->p.at->slot, what, &info) == CKR_OK && (info.flags & CKF_SIGN);
}

static void
see_rsa(struct key *k, const struct buf *allowed)
{
	if (signs(k, allowed, CKM_RSA_PKCS))
		k->signer.can |= SIGN_ALL(SIGN_RSA_PKCS1);
	if (signs(k, allowed, CKM_RSA_X_509))
		k->signer.ops = &ops_raw;
	if (!signs(k, allowed, CKM_RSA_PKCS_PSS))
		return;
	for (int i = 0; i < SIGN_HASHES; i++)
		if (knows(k, hashes[i].pss) || knows(k, hashes[i].digest))
			k->signer.can |= SIGN_BIT(SIGN_RSA_PSS, i);
}

static int
see_abilities(struct key *k, struct hf_error *err)
{
	struct buf allowed = { 0 };

	if (pkcs11_get(&k->p, k->object, CKA_ALLOWED_MECHANISMS, &allowed) < 0)
		buf_clear(&allowed);
	if (EVP_PKEY_is_a(k->signer.pub, "RSA"))
		see_rsa(k, &allowed);
	else if (signs(k, &allowed, CKM_ECDSA))
		k->signer.can = SIGN_ALL(SIGN_ECDSA);
	buf_free(&allowed);
	k->bytes = (size_t)EVP_PKEY_get_size(k->signer.pub);
	if (k->signer.can)
		return 0;
	return err_set(err, HF_ERR_UNSUPPORTED,
	    "%s: its token signs with none of CKM_ECDSA, CKM_RSA_PKCS and CKM_RSA_PKCS_PSS", k->signer.name);
}

static int
open_key(struct key *k, const struct uri *uri, const struct key_open *open, struct hf_error *err)
{
	char label[48];
	int rc;

	if (str_set(&k->uri, uri->text) < 0)
		return err_memory(err);
	if ((rc = pkcs11_open(&k->p, uri, err)) < 0 || (rc = connect_key(k, open->log, err)) < 0)
		return rc;
	pkcs11_label(&k->p, k->object, label, sizeof label);
	snprintf(k->signer.name, sizeof k->signer.name, "key %s in %s", label, k->p.name);
	rc = pkcs11_public(&k->p, k->object, open->cert, &k->signer.pub, err);
	return rc < 0 ? rc : see_abilities(k, err);
}

int
key_pkcs11_open(EVP_PKEY **out, const struct uri *uri, const struct key_open *open, struct hf_error *err)
{
	struct key *k = calloc(1, sizeof *k);
	struct guard guard;
	int rc;

	if (!k)
		return err_memory(err);
	k->signer.ops = &ops;
	guard_begin(&guard);
	rc = open_key(k, uri, open, err);
	guard_end(&guard);
	k->p.from = NULL;
	if (rc == 0)
		return remotekey_new(out, &k->signer, err);
	key_close(&k->signer);
	return rc;
}
