#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include "base/b64.h"
#include "base/str.h"
#include "base/url.h"
#include "msg/sas.h"

#define LEAD "SharedAccessSignature "

int
sas_put_text(struct buf *b, const char *resource, int64_t expiry)
{
	int rc = url_put(b, resource, strlen(resource));

	return rc < 0 ? rc : buf_fmt(b, "\n%" PRId64, expiry);
}

int
sas_put(struct buf *b, const char *resource, int64_t expiry, const uint8_t mac[32], const char *skn)
{
	struct buf sig = { 0 };
	int rc;

	if ((rc = b64_put(&sig, mac, 32)) < 0 || (rc = buf_puts(b, LEAD "sr=")) < 0 ||
	    (rc = url_put(b, resource, strlen(resource))) < 0 || (rc = buf_puts(b, "&sig=")) < 0 ||
	    (rc = url_put(b, (const char *)buf_data(&sig), buf_size(&sig))) < 0 ||
	    (rc = buf_fmt(b, "&se=%" PRId64, expiry)) < 0)
		goto fail;
	if (skn != NULL && (rc = buf_puts(b, "&skn=")) == 0)
		rc = url_put(b, skn, strlen(skn));
fail:
	buf_free(&sig);
	return rc;
}

/* The four fields as they stand in the token; value NULL where there is none. */
struct fields {
	struct url_pair sr, sig, se, skn;
};

static struct url_pair *
field(struct fields *f, const struct url_pair *pair)
{
	if (str_eqin("sr", pair->key, pair->klen))
		return &f->sr;
	if (str_eqin("sig", pair->key, pair->klen))
		return &f->sig;
	if (str_eqin("se", pair->key, pair->klen))
		return &f->se;
	if (str_eqin("skn", pair->key, pair->klen))
		return &f->skn;
	return NULL;
}

static int
split(struct fields *f, const char *p, const char *end, struct hf_error *e)
{
	struct url_pair pair, *slot;

	while (url_next(&p, end, &pair) == 1) {
		if ((slot = field(f, &pair)) == NULL)
			continue;
		if (slot->key != NULL)
			return err_set(
			    e, HF_ERR_PROTOCOL, "the SAS token has %.*s twice", (int)pair.klen, pair.key);
		*slot = pair;
	}
	if (f->sr.vlen == 0 || f->sig.vlen == 0 || f->se.vlen == 0)
		return err_set(e, HF_ERR_PROTOCOL, "the SAS token lacks %s",
		    f->sr.vlen == 0   ? "sr"
		    : f->se.vlen == 0 ? "se"
				      : "sig");
	return 0;
}

static int
decode(char *dst, size_t cap, const struct url_pair *pair, struct hf_error *e)
{
	struct buf b = { 0 };
	int rc = url_get(&b, pair->value, pair->vlen);

	if (rc == 0)
		rc = str_copy(dst, cap, buf_size(&b) == 0 ? "" : (const void *)buf_data(&b), buf_size(&b));
	buf_free(&b);
	if (rc == HF_ERR_MEMORY)
		return err_memory(e);
	return rc == 0 ? 0
		       : err_set(e, HF_ERR_PROTOCOL, "the SAS token's %.*s cannot be read", (int)pair->klen,
			     pair->key);
}

static int
decode_mac(uint8_t mac[32], const struct url_pair *sig, struct hf_error *e)
{
	struct buf text = { 0 }, raw = { 0 };
	int rc;

	if ((rc = url_get(&text, sig->value, sig->vlen)) == 0)
		rc = b64_get(&raw, (const char *)buf_data(&text), buf_size(&text));
	if (rc == 0 && buf_size(&raw) != 32)
		rc = HF_ERR_ARGS;
	if (rc == 0)
		memcpy(mac, buf_data(&raw), 32);
	buf_free(&text);
	buf_free(&raw);
	if (rc == HF_ERR_MEMORY)
		return err_memory(e);
	return rc == 0 ? 0 : err_set(e, HF_ERR_PROTOCOL, "the SAS token's sig is not 32 bytes of base64");
}

int
sas_get(struct sas *s, const char *token, size_t n, struct hf_error *e)
{
	struct fields f = { 0 };
	uint64_t se;
	int rc;

	memset(s, 0, sizeof(*s));
	if (n >= sizeof(LEAD) - 1 && str_eqin(LEAD, token, sizeof(LEAD) - 1)) {
		token += sizeof(LEAD) - 1;
		n -= sizeof(LEAD) - 1;
	}
	if ((rc = split(&f, token, token + n, e)) < 0)
		return rc;
	if (str_u64(f.se.value, f.se.vlen, INT64_MAX, &se) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "the SAS token's se is not a time in Unix seconds");
	s->expiry = (int64_t)(f.se.vlen == 13 ? se / 1000 : se);
	if ((rc = decode(s->resource, sizeof(s->resource), &f.sr, e)) < 0 ||
	    (rc = decode_mac(s->mac, &f.sig, e)) < 0)
		goto fail;
	if (f.skn.vlen != 0 && (rc = decode(s->skn, sizeof(s->skn), &f.skn, e)) < 0)
		goto fail;
	if (buf_put(&s->text, f.sr.value, f.sr.vlen) < 0 || buf_putc(&s->text, '\n') < 0 ||
	    buf_put(&s->text, f.se.value, f.se.vlen) < 0) {
		rc = err_memory(e);
		goto fail;
	}
	return 0;
fail:
	sas_fini(s);
	return rc;
}

void
sas_fini(struct sas *s)
{
	buf_free(&s->text);
	OPENSSL_cleanse(s, sizeof(*s));
}

int
sas_signed_by(const struct sas *s, const void *key, size_t klen)
{
	uint8_t mac[32];
	int same;

	if (klen == 0 || sas_hmac(key, klen, buf_data(&s->text), buf_size(&s->text), mac) < 0)
		return 0;
	same = CRYPTO_memcmp(mac, s->mac, sizeof(mac)) == 0;
	OPENSSL_cleanse(mac, sizeof(mac));
	return same;
}

int
sas_hmac(const void *key, size_t klen, const void *data, size_t n, uint8_t mac[32])
{
	if (klen > INT_MAX || HMAC(EVP_sha256(), key, (int)klen, data, n, mac, NULL) == NULL)
		return HF_ERR_OTHER;
	return 0;
}

int
sas_derive(const void *group_key, size_t klen, const char *registration_id, uint8_t key[32])
{
	return sas_hmac(group_key, klen, registration_id, strlen(registration_id), key);
}
