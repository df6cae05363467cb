#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include "soft_tpm.h"

enum { HASH = 32, AES_KEY = 16, NAME = 2 + HASH, MODULUS = 256, PUBLIC_MAX = 400, FIELD_MAX = 1024 };

/* A run of bytes that is not ours. */
struct part {
	const unsigned char *p;
	size_t n;
};

/* Cuts a TPM2B off the front: two bytes of length, and that many. 0 when there are not that many. */
static int
take(struct part *from, struct part *out)
{
	size_t n;

	if (from->n < 2)
		return 0;
	n = (size_t)(from->p[0] << 8 | from->p[1]);
	if (n > from->n - 2)
		return 0;
	*out = (struct part){ from->p + 2, n };
	from->p += 2 + n;
	from->n -= 2 + n;
	return 1;
}

static EVP_PKEY *
read_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	if (key != NULL && (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) != 8 * MODULUS)) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

/*
 * Public areas, from the templates of the TCG EK Credential Profile (L-1) and of the storage root key.
 */
static size_t
put_public(unsigned char *dst, EVP_PKEY *key, enum soft_tpm_kind kind)
{
	/* size, RSA, named by SHA-256, attributes, length of the policy */
	static const unsigned char ek_head[] = { 0x01, 0x3a, 0x00, 0x01, 0x00, 0x0b, 0x00, 0x03, 0x00, 0xb2,
		0x00, 0x20 };
	static const unsigned char srk_head[] = { 0x01, 0x1a, 0x00, 0x01, 0x00, 0x0b, 0x00, 0x03, 0x04, 0x72,
		0x00, 0x00 };
	/* PolicySecret of the endorsement hierarchy */
	static const unsigned char policy[] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90,
		0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2,
		0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
	/* AES-128-CFB, no scheme, 2048 bits, exponent 65537, length of the modulus */
	static const unsigned char tail[] = { 0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10, 0x08, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x01, 0x00 };
	unsigned char *p = dst;
	BIGNUM *n = NULL;

	memcpy(p, kind == SOFT_TPM_EK ? ek_head : srk_head, sizeof(ek_head));
	p += sizeof(ek_head);
	if (kind == SOFT_TPM_EK) {
		memcpy(p, policy, sizeof(policy));
		p += sizeof(policy);
	}
	memcpy(p, tail, sizeof(tail));
	p += sizeof(tail);
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    BN_bn2binpad(n, p, MODULUS) != MODULUS)
		p = dst;
	else
		p += MODULUS;
	BN_free(n);
	return (size_t)(p - dst);
}

int
soft_tpm_public(const char *pem, enum soft_tpm_kind kind, unsigned char **area, size_t *len)
{
	EVP_PKEY *key = read_key(pem);

	*len = 0;
	*area = malloc(PUBLIC_MAX);
	if (key != NULL && *area != NULL)
		*len = put_public(*area, key, kind);
	EVP_PKEY_free(key);
	if (*len > 0)
		return 0;
	free(*area);
	*area = NULL;
	return 1;
}

/*
 * The TPM's own constructions (TPM 2.0 Library, part 1).
 */
/* A name: which hash, and the hash of the public area without its length. */
static int
name_of(struct part area, unsigned char name[NAME])
{
	name[0] = 0x00;
	name[1] = 0x0b;
	return EVP_Digest(area.p, area.n, name + 2, NULL, EVP_sha256(), NULL);
}

static int
name_of_key(EVP_PKEY *key, unsigned char name[NAME])
{
	unsigned char area[PUBLIC_MAX];
	size_t n = put_public(area, key, SOFT_TPM_SRK);

	return n > 2 && name_of((struct part){ area + 2, n - 2 }, name);
}

/* KDFa with SHA-256, for a key of 256 bits at most. name NULL: no context. */
static int
kdfa(const unsigned char seed[HASH], const char *label, const unsigned char *name, unsigned bits,
    unsigned char out[HASH])
{
	unsigned char text[4 + 16 + NAME + 4] = { 0, 0, 0, 1 };
	size_t n = 4, label_len = strlen(label) + 1;

	memcpy(text + n, label, label_len);
	n += label_len;
	if (name != NULL) {
		memcpy(text + n, name, NAME);
		n += NAME;
	}
	text[n + 2] = (unsigned char)(bits >> 8);
	text[n + 3] = (unsigned char)bits;
	return HMAC(EVP_sha256(), seed, HASH, text, n + 4, out, NULL) != NULL;
}

static int
unwrap_cfb(const unsigned char key[AES_KEY], struct part in, unsigned char *out)
{
	static const unsigned char iv[AES_KEY];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, ok;

	ok = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv) == 1 &&
	     EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.n) == 1 && (size_t)n == in.n;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* A seed that was encrypted to one of our keys: RSA-OAEP, whose label ends with a NUL. */
static int
open_seed(EVP_PKEY *key, const char *label, struct part in, unsigned char seed[HASH])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t label_len = strlen(label) + 1, n = MODULUS;
	char *copy = OPENSSL_memdup(label, label_len);
	unsigned char out[MODULUS];
	int ok;

	ok = ctx != NULL && copy != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
	     EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	     EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
	     EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
	if (ok && EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label_len) == 1)
		copy = NULL; /* it is the context's now */
	ok = ok && copy == NULL && EVP_PKEY_decrypt(ctx, out, &n, in.p, in.n) == 1 && n == HASH;
	if (ok)
		memcpy(seed, out, HASH);
	OPENSSL_cleanse(out, sizeof(out));
	OPENSSL_free(copy);
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* Both wraps look alike: an HMAC over what follows and the name, and what follows in AES. Decrypts it; its length, or 0. */
static size_t
open_wrap(const unsigned char seed[HASH], struct part wrap, const unsigned char name[NAME],
    unsigned char out[FIELD_MAX])
{
	unsigned char key[HASH], mac[HASH], text[FIELD_MAX + NAME];
	struct part integrity;
	size_t n = 0;

	if (!take(&wrap, &integrity) || integrity.n != HASH || wrap.n == 0 || wrap.n > FIELD_MAX)
		return 0;
	memcpy(text, wrap.p, wrap.n);
	memcpy(text + wrap.n, name, NAME);
	if (kdfa(seed, "INTEGRITY", NULL, 256, key) &&
	    HMAC(EVP_sha256(), key, HASH, text, wrap.n + NAME, mac, NULL) != NULL &&
	    CRYPTO_memcmp(mac, integrity.p, HASH) == 0 && kdfa(seed, "STORAGE", name, 128, key) &&
	    unwrap_cfb(key, wrap, out))
		n = wrap.n;
	OPENSSL_cleanse(key, sizeof(key));
	return n;
}

/* The inner wrap: a hash over the private area and the name, and the private area: type, authorisation, obfuscation, the key. */
static int
open_private(const unsigned char inner[AES_KEY], struct part wrap, const unsigned char name[NAME],
    struct soft_tpm_key *key)
{
	unsigned char plain[FIELD_MAX], text[FIELD_MAX + NAME], hash[HASH];
	struct part p, integrity, area, auth, seed, secret;
	int ok = 0;

	if (!unwrap_cfb(inner, wrap, plain))
		return 0;
	p = (struct part){ plain, wrap.n };
	if (!take(&p, &integrity) || integrity.n != HASH)
		goto fail;
	memcpy(text, p.p, p.n);
	memcpy(text + p.n, name, NAME);
	if (!EVP_Digest(text, p.n + NAME, hash, NULL, EVP_sha256(), NULL) ||
	    CRYPTO_memcmp(hash, integrity.p, HASH) != 0)
		goto fail;
	if (!take(&p, &area) || p.n != 0 || area.n < 2)
		goto fail;
	area.p += 2;
	area.n -= 2;
	if (!take(&area, &auth) || !take(&area, &seed) || !take(&area, &secret) || secret.n == 0 ||
	    secret.n > sizeof(key->bytes))
		goto fail;
	memcpy(key->bytes, secret.p, secret.n);
	key->len = secret.n;
	ok = 1;
fail:
	OPENSSL_cleanse(plain, sizeof(plain));
	OPENSSL_cleanse(text, sizeof(text));
	return ok;
}

/* The credential: only the TPM with this EK learns the inner key, and only for this SRK. */
static int
activate_credential(
    EVP_PKEY *ek, EVP_PKEY *srk, struct part credential, struct part secret, unsigned char inner[AES_KEY])
{
	unsigned char seed[HASH], name[NAME], plain[FIELD_MAX];
	struct part p, key;
	int ok;

	p.p = plain;
	ok = name_of_key(srk, name) && open_seed(ek, "IDENTITY", secret, seed) &&
	     (p.n = open_wrap(seed, credential, name, plain)) > 0 && take(&p, &key) && key.n == AES_KEY;
	if (ok)
		memcpy(inner, key.p, AES_KEY);
	OPENSSL_cleanse(seed, sizeof(seed));
	OPENSSL_cleanse(plain, sizeof(plain));
	return ok;
}

/* The duplicate: what is under the SRK, and under the inner key. */
static int
import_duplicate(EVP_PKEY *srk, const unsigned char inner[AES_KEY], struct part duplicate, struct part secret,
    struct part area, struct soft_tpm_key *key)
{
	unsigned char seed[HASH], name[NAME], outer[FIELD_MAX];
	struct part p = { outer, 0 };
	int ok;

	ok = name_of(area, name) && open_seed(srk, "DUPLICATE", secret, seed) &&
	     (p.n = open_wrap(seed, duplicate, name, outer)) > 0 && open_private(inner, p, name, key);
	OPENSSL_cleanse(seed, sizeof(seed));
	return ok;
}

int
soft_tpm_import(
    const char *ek_pem, const char *srk_pem, const unsigned char *blob, size_t len, struct soft_tpm_key *key)
{
	EVP_PKEY *ek = read_key(ek_pem), *srk = read_key(srk_pem);
	struct part p = { blob, len }, credential, cred_secret, duplicate, dup_secret, area;
	unsigned char inner[AES_KEY];
	int ok;

	ok = ek != NULL && srk != NULL && take(&p, &credential) && take(&p, &cred_secret) &&
	     take(&p, &duplicate) && take(&p, &dup_secret) && take(&p, &area) &&
	     activate_credential(ek, srk, credential, cred_secret, inner) &&
	     import_duplicate(srk, inner, duplicate, dup_secret, area, key);
	OPENSSL_cleanse(inner, sizeof(inner));
	EVP_PKEY_free(ek);
	EVP_PKEY_free(srk);
	return !ok;
}

int
soft_tpm_sign(const struct soft_tpm_key *key, const unsigned char *data, size_t len, unsigned char **mac,
    size_t *mac_len)
{
	if (key->len == 0)
		return 1;
	*mac = malloc(HASH);
	if (*mac == NULL)
		return 1;
	*mac_len = HASH;
	if (HMAC(EVP_sha256(), key->bytes, (int)key->len, data, len, *mac, NULL) != NULL)
		return 0;
	free(*mac);
	return 1;
}

void
soft_tpm_forget(struct soft_tpm_key *key)
{
	OPENSSL_cleanse(key, sizeof(*key));
}
