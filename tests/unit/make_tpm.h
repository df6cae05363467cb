/* A TPM's public keys, and what only that TPM can do with a key blob, by OpenSSL: slow to read, but no chip needed. */
#ifndef MAKE_TPM_H
#define MAKE_TPM_H
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>
#include "base/b64.h"
#include "msg/sas.h"
#include "msg/tpm.h"

struct soft_tpm {
	EVP_PKEY *ek, *srk;
	struct buf ek_public, srk_public, ek_text, srk_text;
};

/* The templates of the reference: modulus of 256 bytes behind a fixed head. */
static inline size_t
make_public(uint8_t *dst, int ek, const uint8_t modulus[256])
{
	static const uint8_t policy[32] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
		0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1,
		0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
	static const uint8_t rest[] = { 0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0, 1, 0 };
	const uint8_t head[] = { 1, ek ? 0x3a : 0x1a, 0, 1, 0, 0x0b, 0, 3, ek ? 0 : 4, ek ? 0xb2 : 0x72, 0,
		ek ? 32 : 0 };
	uint8_t *p = dst;

	memcpy(p, head, sizeof head);
	p += sizeof head;
	if (ek) {
		memcpy(p, policy, 32);
		p += 32;
	}
	memcpy(p, rest, sizeof rest);
	p += sizeof rest;
	memcpy(p, modulus, 256);
	return (size_t)(p + 256 - dst);
}

static inline EVP_PKEY *
make_rsa(uint8_t modulus[256])
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIGNUM *n = NULL;

	EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n);
	BN_bn2binpad(n, modulus, 256);
	BN_free(n);
	return key;
}

static inline void
make_tpm(struct soft_tpm *t)
{
	uint8_t modulus[256], raw[400];

	memset(t, 0, sizeof *t);
	t->ek = make_rsa(modulus);
	buf_put(&t->ek_public, raw, make_public(raw, 1, modulus));
	t->srk = make_rsa(modulus);
	buf_put(&t->srk_public, raw, make_public(raw, 0, modulus));
	b64_put(&t->ek_text, buf_data(&t->ek_public), buf_size(&t->ek_public));
	b64_put(&t->srk_text, buf_data(&t->srk_public), buf_size(&t->srk_public));
	buf_str(&t->ek_text);
	buf_str(&t->srk_text);
}

static inline void
drop_tpm(struct soft_tpm *t)
{
	EVP_PKEY_free(t->ek);
	EVP_PKEY_free(t->srk);
	buf_free(&t->ek_public);
	buf_free(&t->srk_public);
	buf_free(&t->ek_text);
	buf_free(&t->srk_text);
}

/* RSA-OAEP with a label; how many bytes came out, 0 when it is not for this key. */
static inline size_t
open_secret(EVP_PKEY *key, const char *label, struct tpm_part part, uint8_t out[256])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = 256;

	EVP_PKEY_decrypt_init(ctx);
	EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256());
	EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256());
	EVP_PKEY_CTX_set0_rsa_oaep_label(
	    ctx, OPENSSL_memdup(label, strlen(label) + 1), (int)strlen(label) + 1);
	if (EVP_PKEY_decrypt(ctx, out, &n, part.p, part.len) <= 0)
		n = 0;
	EVP_PKEY_CTX_free(ctx);
	return n;
}

/* The storage key of a wrap: KDFa(seed, "STORAGE", name, 128 bits). */
static inline void
storage_key(const uint8_t seed[32], const uint8_t name[34], uint8_t key[16])
{
	uint8_t text[4 + 8 + 34 + 4] = { 0, 0, 0, 1 }, mac[32];

	memcpy(text + 4, "STORAGE", 8);
	memcpy(text + 12, name, 34);
	text[48] = 0;
	text[49] = 128;
	sas_hmac(seed, 32, text, sizeof text, mac);
	memcpy(key, mac, 16);
}

static inline void
uncfb(const uint8_t key[16], const uint8_t *in, size_t n, uint8_t *out)
{
	static const uint8_t iv[16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done;

	EVP_DecryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv);
	EVP_DecryptUpdate(ctx, out, &done, in, (int)n);
	EVP_CIPHER_CTX_free(ctx);
}

/* What ActivateCredential and Import do together: the HMAC key in a blob (base64), if it is for this TPM. 1 or 0. */
static inline int
activate(const struct soft_tpm *t, const char *blob, uint8_t hmac_key[32])
{
	struct buf raw = { 0 };
	struct tpm_blob b;
	struct tpm_public srk;
	struct hf_error err = { 0 };
	uint8_t seed[256], key[16], inner[18], name[34] = { 0, 0x0b }, once[108], twice[108];
	int ok = 0;

	if (b64_get(&raw, blob, strlen(blob)) < 0 ||
	    tpm_get_blob(buf_data(&raw), buf_size(&raw), &b, &err) < 0 ||
	    tpm_get_public(buf_data(&t->srk_public), buf_size(&t->srk_public), &srk, &err) < 0)
		goto fail;
	if (open_secret(t->ek, "IDENTITY", b.part[TPM_ID_SECRET], seed) != 32)
		goto fail;
	storage_key(seed, srk.name, key);
	uncfb(key, b.part[TPM_ID_OBJECT].p + 34, 18, inner);
	if (open_secret(t->srk, "DUPLICATE", b.part[TPM_DUP_SECRET], seed) != 32 ||
	    b.part[TPM_DUPLICATE].len != 142)
		goto fail;
	EVP_Digest(b.part[TPM_PUBLIC].p, b.part[TPM_PUBLIC].len, name + 2, NULL, EVP_sha256(), NULL);
	storage_key(seed, name, key);
	uncfb(key, b.part[TPM_DUPLICATE].p + 34, 108, once);
	uncfb(inner + 2, once, 108, twice);
	memcpy(hmac_key, twice + 34 + 2 + 4 + 34 + 2, 32);
	ok = 1;
fail:
	buf_free(&raw);
	return ok;
}
#endif
