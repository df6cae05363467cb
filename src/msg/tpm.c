#include <string.h>
#include <openssl/evp.h>
#include "base/b64.h"
#include "msg/tpm.h"

enum {
	ALG_RSA = 0x0001,
	ALG_AES = 0x0006,
	ALG_KEYEDHASH = 0x0008,
	ALG_SHA256 = 0x000b,
	ALG_NULL = 0x0010,
	ALG_CFB = 0x0043
};
enum { ATTR_RESTRICTED = 1 << 16, ATTR_DECRYPT = 1 << 17, ATTR_SIGN = 1 << 18 };

static const struct {
	const char *what;
	size_t min, max;
} field[TPM_PARTS] = {
	[TPM_ID_OBJECT] = { "credential", 1, 132 },
	[TPM_ID_SECRET] = { "credential's seed", 1, 512 },
	[TPM_DUPLICATE] = { "wrapped key", 1, 1024 },
	[TPM_DUP_SECRET] = { "wrapped key's seed", 1, 512 },
	[TPM_PUBLIC] = { "key's public area", 1, 512 },
	[TPM_EXTRA] = { "sixth field", 0, 1024 },
};

/* Each takes from the front of `in`; `short_of` is set once there was too little, and stays. */
struct reader {
	struct tpm_part in;
	int short_of;
};

static struct tpm_part
take(struct reader *r, size_t n)
{
	struct tpm_part part = { r->in.p, n };

	if (r->short_of || n > r->in.len) {
		r->short_of = 1;
		return (struct tpm_part){ NULL, 0 };
	}
	r->in.p += n;
	r->in.len -= n;
	return part;
}

static unsigned
take16(struct reader *r)
{
	struct tpm_part part = take(r, 2);

	return part.p == NULL ? 0 : (unsigned)part.p[0] << 8 | part.p[1];
}

static uint32_t
take32(struct reader *r)
{
	uint32_t high = take16(r);

	return high << 16 | take16(r);
}

static struct tpm_part
take2b(struct reader *r)
{
	return take(r, take16(r));
}

int
tpm_put_blob(struct buf *b, const struct tpm_blob *blob)
{
	int i, rc;

	for (i = 0; i < TPM_PARTS; i++) {
		if (blob->part[i].len < field[i].min || blob->part[i].len > field[i].max)
			return HF_ERR_ARGS;
	}
	for (i = 0; i < TPM_PARTS; i++) {
		if ((rc = buf_put16(b, (unsigned)blob->part[i].len)) < 0 ||
		    (rc = buf_put(b, blob->part[i].p, blob->part[i].len)) < 0)
			return rc;
	}
	return 0;
}

int
tpm_get_blob(const void *p, size_t n, struct tpm_blob *blob, struct hf_error *e)
{
	static const uint8_t hmac_key[] = { 0, ALG_KEYEDHASH, 0, ALG_SHA256 };
	struct reader r = { { p, n }, 0 };
	struct tpm_part part;
	int i;

	memset(blob, 0, sizeof(*blob));
	for (i = 0; i < TPM_PARTS; i++) {
		part = take2b(&r);
		if (r.short_of)
			return err_set(e, HF_ERR_PROTOCOL,
			    "the service's key blob ends within its %s (%zu bytes in all)", field[i].what, n);
		if (part.len < field[i].min || part.len > field[i].max)
			return err_set(e, HF_ERR_PROTOCOL,
			    "the service's key blob has a %s of %zu bytes; %zu to %zu fit a TPM",
			    field[i].what, part.len, field[i].min, field[i].max);
		blob->part[i] = part;
	}
	if (r.in.len != 0)
		return err_set(e, HF_ERR_PROTOCOL,
		    "the service's key blob has %zu bytes behind its last field", r.in.len);
	part = blob->part[TPM_PUBLIC];
	if (part.len < sizeof(hmac_key) || memcmp(part.p, hmac_key, sizeof(hmac_key)) != 0)
		return err_set(e, HF_ERR_PROTOCOL, "the service's key blob does not hold an HMAC key");
	return 0;
}

/* The fields of TPMT_PUBLIC for an RSA key, in their order. The sentence's end, or NULL when all is well. */
static const char *
get_rsa(struct reader *r, struct tpm_public *k)
{
	size_t policy;

	if (take16(r) != ALG_RSA)
		return "is not an RSA key";
	if (take16(r) != ALG_SHA256)
		return "is not named by SHA-256";
	k->attributes = take32(r);
	if ((k->attributes & ATTR_RESTRICTED) == 0 || (k->attributes & ATTR_DECRYPT) == 0 ||
	    (k->attributes & ATTR_SIGN) != 0)
		return "is not a restricted decryption key";
	policy = take2b(r).len;
	if (policy != 0 && policy != 32)
		return "has a policy that is no SHA-256 digest";
	if (take16(r) != ALG_AES)
		return "does not protect its children by AES";
	k->sym_bits = take16(r);
	if (k->sym_bits != 128 && k->sym_bits != 256)
		return "has an AES key size other than 128 or 256";
	if (take16(r) != ALG_CFB)
		return "does not use AES in CFB mode";
	if (take16(r) != ALG_NULL)
		return "has a scheme, which a decryption key for children has not";
	k->bits = take16(r);
	k->exponent = take32(r);
	k->modulus = take2b(r);
	if (k->exponent == 0)
		k->exponent = 65537;
	if (k->exponent < 3 || k->exponent % 2 == 0)
		return "has an exponent that cannot be";
	if (k->bits < 1024 || k->bits > 4096 || k->modulus.len * 8 != k->bits)
		return "has a modulus of the wrong size";
	return NULL;
}

int
tpm_get_public(const void *p, size_t n, struct tpm_public *k, struct hf_error *e)
{
	struct reader r = { { p, n }, 0 };
	struct tpm_part area;
	const char *fault;

	memset(k, 0, sizeof(*k));
	area = take2b(&r);
	if (r.short_of || r.in.len != 0)
		return err_set(e, HF_ERR_PROTOCOL, "a TPM2B_PUBLIC of %zu bytes states another length", n);
	r.in = area;
	fault = get_rsa(&r, k);
	if (r.short_of || (fault == NULL && r.in.len != 0))
		fault = r.short_of ? "is cut short" : "has bytes behind its end";
	if (fault != NULL)
		return err_set(e, HF_ERR_PROTOCOL, "the TPM's public key %s", fault);
	k->name[1] = ALG_SHA256;
	if (EVP_Digest(area.p, area.len, k->name + 2, NULL, EVP_sha256(), NULL) != 1)
		return err_ssl(e, HF_ERR_OTHER, "cannot hash the TPM's public key");
	return 0;
}

int
tpm_registration_id(const void *ek, size_t n, char id[53])
{
	uint8_t hash[32];
	struct buf b = { 0 };
	int rc = HF_ERR_OTHER;

	id[0] = '\0';
	if (EVP_Digest(ek, n, hash, NULL, EVP_sha256(), NULL) == 1 && b32_put(&b, hash, sizeof(hash)) == 0 &&
	    buf_size(&b) == 52) {
		memcpy(id, buf_data(&b), 52);
		id[52] = '\0';
		rc = 0;
	}
	buf_free(&b);
	return rc;
}
