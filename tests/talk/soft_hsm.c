#include <openssl/crypto.h>
#include <stdlib.h>
#include "base/str.h"
#include "soft_hsm.h"

struct soft {
	struct hsm hsm;
	struct soft_chip *chip;
	uint8_t active[32];
	int has_active;
};

/* Under the storage root key: here a pattern will do. */
static void
wrap(uint8_t dst[32], const uint8_t src[32])
{
	for (int i = 0; i < 32; i++)
		dst[i] = src[i] ^ 0x5a;
}

static void
close_soft(struct hsm *h)
{
	OPENSSL_cleanse(h, sizeof(struct soft));
	free(h);
}

static int
identity(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *err)
{
	const struct soft_tpm *keys = &((struct soft *)h)->chip->keys;

	(void)persist;
	if (buf_put(ek, buf_data(&keys->ek_public), buf_size(&keys->ek_public)) < 0 ||
	    buf_put(srk, buf_data(&keys->srk_public), buf_size(&keys->srk_public)) < 0)
		return err_memory(err);
	EVP_Digest(buf_data(ek), buf_size(ek), h->fingerprint, NULL, EVP_sha256(), NULL);
	return tpm_registration_id(buf_data(ek), buf_size(ek), h->registration_id);
}

static int
unpack(struct hsm *h, const void *blob, size_t n, struct buf *wrapped, struct hf_error *err)
{
	struct soft *s = (struct soft *)h;
	struct buf text = { 0 };
	uint8_t out[32];
	int rc = 0;

	if (b64_put(&text, blob, n) < 0 || buf_str(&text) == NULL)
		rc = err_memory(err);
	else if (!activate(&s->chip->keys, buf_str(&text), s->active))
		rc = err_set(err, HF_ERR_KEY, "soft TPM: the blob is another's");
	buf_free(&text);
	if (rc < 0)
		return rc;
	s->has_active = 1;
	wrap(out, s->active);
	return buf_put(wrapped, out, sizeof(out)) < 0 ? err_memory(err) : 0;
}

static int
keep(struct hsm *h, const void *wrapped, size_t n, struct hf_error *err)
{
	struct soft_chip *chip = ((struct soft *)h)->chip;

	if (chip->cut) {
		chip->failures++;
		return err_set(err, HF_ERR_KEY, "soft TPM: cut off");
	}
	if (n != 32)
		return err_set(err, HF_ERR_KEY, "soft TPM: that is no wrapped key");
	wrap(chip->kept, wrapped);
	chip->has_kept = 1;
	return 0;
}

static void
forget(struct hsm *h)
{
	((struct soft *)h)->has_active = 0;
}

static int
has_key(struct hsm *h, struct hf_error *err)
{
	(void)err;
	return ((struct soft *)h)->chip->has_kept;
}

static int
sign(struct hsm *h, const void *data, size_t n, uint8_t mac[32], struct hf_error *err)
{
	struct soft *s = (struct soft *)h;

	if (!s->has_active && !s->chip->has_kept)
		return err_set(err, HF_ERR_KEY, "soft TPM: there is no key");
	if (sas_hmac(s->has_active ? s->active : s->chip->kept, 32, data, n, mac) < 0)
		return err_set(err, HF_ERR_KEY, "soft TPM: no HMAC");
	return 0;
}

static const struct hsm_ops ops = { .close = close_soft,
	.identity = identity,
	.activate = unpack,
	.keep = keep,
	.forget = forget,
	.has_key = has_key,
	.hmac = sign };

void
soft_chip_need(struct soft_chip *c)
{
	if (c->keys.ek == NULL)
		make_tpm(&c->keys);
}

void
soft_chip_fini(struct soft_chip *c)
{
	drop_tpm(&c->keys);
}

void
soft_chip_clear(struct soft_chip *c)
{
	c->has_kept = c->cut = c->failures = 0;
}

int
soft_hsm_open(struct hsm **out, struct soft_chip *chip, struct hf_error *err)
{
	struct soft *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_memory(err);
	s->hsm.ops = &ops;
	s->hsm.kind = HSM_TPM;
	s->hsm.blocks = 1;
	(void)str_fmt(s->hsm.key_handle, sizeof(s->hsm.key_handle), "0x81000100");
	s->chip = chip;
	*out = &s->hsm;
	return 0;
}
