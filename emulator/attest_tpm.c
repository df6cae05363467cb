/* The arithmetic is that of TPM 2.0 Library, Part 1: credentials, duplication, KDFa. */
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include "base/buf.h"
#include "emulator.h"
#include "msg/sas.h"
#include "msg/tpm.h"

enum { ALG_HMAC = 0x0005, ALG_KEYEDHASH = 0x0008, ALG_SHA256 = 0x000B };
#define SIGN_USERWITHAUTH_NODA 0x00040440
#define MAX_EXTRA	       256

static int
put2b(struct buf *b, const void *p, size_t n)
{
	int r = buf_put16(b, (unsigned)n);

	return r < 0 ? r : buf_put(b, p, n);
}

/* KDFa with SHA-256, for results that fit in one block. */
static int
kdfa(const uint8_t seed[32], const char *label, const void *context, size_t n, uint8_t *out, size_t want)
{
	struct buf text = { 0 };
	uint8_t mac[32];
	int r = HF_ERR_MEMORY;

	if (buf_put32(&text, 1) < 0 || buf_put(&text, label, strlen(label) + 1) < 0 ||
	    buf_put(&text, context, n) < 0 || buf_put32(&text, (uint32_t)want * 8) < 0)
		goto fail;
	r = sas_hmac(seed, 32, buf_data(&text), buf_size(&text), mac);
	if (r == 0)
		memcpy(out, mac, want);
	OPENSSL_cleanse(mac, sizeof mac);
fail:
	buf_free(&text);
	return r;
}

/* AES-128-CFB with an IV of zeros, in place. */
static int
cfb(const uint8_t key[16], uint8_t *p, size_t n)
{
	static const uint8_t iv[16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done = 0, ok;

	ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv) == 1 &&
	     EVP_EncryptUpdate(ctx, p, &done, p, (int)n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : HF_ERR_OTHER;
}

/* The outer wrap of credentials and of duplicates: encrypts `inside` under the seed, bound to a name, MAC in front. */
static int
wrap(struct buf *dst, struct buf *inside, const uint8_t seed[32], const uint8_t name[34])
{
	uint8_t sym[16], integrity[32], mac[32];
	size_t n = buf_size(inside);
	int r;

	r = kdfa(seed, "STORAGE", name, 34, sym, sizeof sym);
	if (r == 0)
		r = kdfa(seed, "INTEGRITY", "", 0, integrity, sizeof integrity);
	if (r == 0)
		r = cfb(sym, inside->p + inside->off, n);
	if (r == 0)
		r = buf_put(inside, name, 34);
	if (r == 0)
		r = sas_hmac(integrity, sizeof integrity, buf_data(inside), buf_size(inside), mac);
	if (r == 0)
		r = put2b(dst, mac, sizeof mac);
	if (r == 0)
		r = buf_put(dst, buf_data(inside), n);
	OPENSSL_cleanse(sym, sizeof sym);
	OPENSSL_cleanse(integrity, sizeof integrity);
	return r;
}

int
attest_tpm_credential(struct buf *id_object, const struct tpm_public *srk, const struct tpm_seeds *seeds)
{
	struct buf inside = { 0 };
	int r;

	r = put2b(&inside, seeds->inner, sizeof seeds->inner);
	if (r == 0)
		r = wrap(id_object, &inside, seeds->id_seed, srk->name);
	buf_free(&inside);
	return r;
}

static int
sha256(const void *p, size_t n, uint8_t md[32])
{
	return EVP_Digest(p, n, md, NULL, EVP_sha256(), NULL) == 1 ? 0 : HF_ERR_OTHER;
}

static int
put_public(struct buf *b, const uint8_t key[32], const struct tpm_seeds *seeds)
{
	uint8_t both[64], unique[32];
	int r;

	memcpy(both, seeds->obfuscation, 32);
	memcpy(both + 32, key, 32);
	r = sha256(both, sizeof both, unique);
	OPENSSL_cleanse(both, sizeof both);
	if (r < 0)
		return r;
	if (buf_put16(b, ALG_KEYEDHASH) < 0 || buf_put16(b, ALG_SHA256) < 0 ||
	    buf_put32(b, SIGN_USERWITHAUTH_NODA) < 0 || buf_put16(b, 0) < 0 || buf_put16(b, ALG_HMAC) < 0 ||
	    buf_put16(b, ALG_SHA256) < 0 || put2b(b, unique, sizeof unique) < 0)
		return HF_ERR_MEMORY;
	return 0;
}

/* TPM2B_SENSITIVE */
static int
put_sensitive(struct buf *b, const uint8_t key[32], const struct tpm_seeds *seeds)
{
	if (buf_put16(b, 2 + 2 + 34 + 34) < 0 || buf_put16(b, ALG_KEYEDHASH) < 0 || buf_put16(b, 0) < 0 ||
	    put2b(b, seeds->obfuscation, 32) < 0 || put2b(b, key, 32) < 0)
		return HF_ERR_MEMORY;
	return 0;
}

int
attest_tpm_duplicate(
    struct buf *public_area, struct buf *duplicate, const uint8_t key[32], const struct tpm_seeds *seeds)
{
	struct buf sensitive = { 0 }, inside = { 0 };
	uint8_t name[34] = { 0, ALG_SHA256 }, digest[32];
	size_t n;
	int r;

	r = put_public(public_area, key, seeds);
	if (r == 0)
		r = sha256(buf_data(public_area), buf_size(public_area), name + 2);
	if (r == 0)
		r = put_sensitive(&sensitive, key, seeds);
	if (r < 0)
		goto fail;
	n = buf_size(&sensitive);
	r = buf_put(&sensitive, name, sizeof name);
	if (r == 0)
		r = sha256(buf_data(&sensitive), buf_size(&sensitive), digest);
	if (r == 0)
		r = put2b(&inside, digest, sizeof digest);
	if (r == 0)
		r = buf_put(&inside, buf_data(&sensitive), n);
	if (r == 0)
		r = cfb(seeds->inner, inside.p + inside.off, buf_size(&inside));
	if (r == 0)
		r = wrap(duplicate, &inside, seeds->dup_seed, name);
fail:
	buf_free(&sensitive);
	buf_free(&inside);
	return r;
}

static EVP_PKEY *
rsa_key(const struct tpm_public *pub)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_bin2bn(pub->modulus.p, (int)pub->modulus.len, NULL), *e = BN_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (bld && ctx && n && e && BN_set_word(e, pub->exponent) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params && EVP_PKEY_fromdata_init(ctx) > 0)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	BN_free(e);
	BN_free(n);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

/* Encrypts a seed to a TPM's key. A label's NUL belongs to it. */
static int
oaep(struct buf *dst, const struct tpm_public *pub, const char *label, const uint8_t seed[32])
{
	EVP_PKEY *key = rsa_key(pub);
	EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	size_t n = pub->modulus.len, len = strlen(label) + 1;
	uint8_t *room = buf_room(dst, n);
	char *copy = OPENSSL_memdup(label, len);
	int r = HF_ERR_ARGS;

	if (!ctx || !room || !copy || EVP_PKEY_encrypt_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) <= 0 ||
	    EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)len) <= 0)
		goto fail;
	copy = NULL;
	if (EVP_PKEY_encrypt(ctx, room, &n, seed, 32) <= 0)
		goto fail;
	buf_add(dst, n);
	r = 0;
fail:
	OPENSSL_free(copy);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return r;
}

static int
read_public(const void *p, size_t n, const char *what, struct tpm_public *pub, struct hf_error *err)
{
	struct hf_error why = { 0 };

	if (tpm_get_public(p, n, pub, &why) < 0)
		return err_set(
		    err, HF_ERR_ARGS, "%s is not the public part of a TPM storage key: %s", what, why.text);
	if (pub->sym_bits != 128)
		return err_set(
		    err, HF_ERR_ARGS, "%s protects by AES-%u; DPS knows AES-128 only", what, pub->sym_bits);
	return 0;
}

static struct tpm_part
part(const struct buf *b)
{
	return (struct tpm_part){ buf_data(b), buf_size(b) };
}

int
attest_tpm_blob(struct buf *blob, const void *ek, size_t ek_len, const void *srk, size_t srk_len,
    const uint8_t key[32], const char *extra, struct hf_error *err)
{
	struct buf field[TPM_PARTS] = { { 0 } };
	struct tpm_public ek_pub, srk_pub;
	struct tpm_blob parts;
	struct tpm_seeds seeds;
	int i, r;

	r = read_public(ek, ek_len, "the endorsement key", &ek_pub, err);
	if (r == 0)
		r = read_public(srk, srk_len, "the storage root key", &srk_pub, err);
	if (r < 0)
		return r;
	if (strlen(extra) > MAX_EXTRA)
		return err_set(err, HF_ERR_ARGS, "the text in a key blob is too long");
	if (RAND_priv_bytes((unsigned char *)&seeds, sizeof seeds) != 1)
		return err_ssl(err, HF_ERR_OTHER, "no random numbers");
	r = attest_tpm_credential(&field[TPM_ID_OBJECT], &srk_pub, &seeds);
	if (r == 0)
		r = oaep(&field[TPM_ID_SECRET], &ek_pub, "IDENTITY", seeds.id_seed);
	if (r == 0)
		r = attest_tpm_duplicate(&field[TPM_PUBLIC], &field[TPM_DUPLICATE], key, &seeds);
	if (r == 0)
		r = oaep(&field[TPM_DUP_SECRET], &srk_pub, "DUPLICATE", seeds.dup_seed);
	if (r == 0)
		r = buf_puts(&field[TPM_EXTRA], extra);
	if (r == 0 && *extra)
		r = cfb(seeds.inner, field[TPM_EXTRA].p, buf_size(&field[TPM_EXTRA]));
	for (i = 0; i < TPM_PARTS; i++)
		parts.part[i] = part(&field[i]);
	if (r == 0)
		r = tpm_put_blob(blob, &parts);
	if (r < 0)
		err_ssl(err, r, "the key cannot be wrapped for this TPM");
	OPENSSL_cleanse(&seeds, sizeof seeds);
	for (i = 0; i < TPM_PARTS; i++)
		buf_free(&field[i]);
	return r;
}
