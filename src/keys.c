#include <stdlib.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "base/str.h"
#include "front.h"
#include "hsm/key.h"

static int
open_key(EVP_PKEY **out, const char *uri, const struct front *f)
{
	const struct key_open how = { .log = f->log };

	*out = NULL;
	return key_open(out, uri, &how, f->err);
}

/* What was put, as a string of the caller's. */
static int
hand_over(struct buf *b, char **out, int rc, const struct front *f)
{
	if (rc == 0 && (!buf_str(b) || str_set(out, buf_str(b)) < 0))
		rc = err_memory(f->err);
	buf_free(b);
	return rc;
}

/* What is wanted of a key, as PEM. */
struct wish {
	int (*put)(struct buf *, EVP_PKEY *, const struct wish *, struct hf_error *);
	const char *subject;
	int days;
};

static int
ask(struct hf *h, const char *key, const struct wish *w, char **pem)
{
	struct buf b = { 0 };
	EVP_PKEY *k;
	struct front f;
	int rc;

	*pem = NULL;
	rc = front_begin(h, &f);
	if (rc < 0)
		return rc;
	rc = open_key(&k, key, &f);
	if (rc == 0)
		rc = w->put(&b, k, w, f.err);
	EVP_PKEY_free(k);
	return hand_over(&b, pem, rc, &f);
}

static int
put_request(struct buf *b, EVP_PKEY *k, const struct wish *w, struct hf_error *err)
{
	return request_put(b, k, w->subject, err);
}

int
hf_csr(struct hf *h, const char *key, const char *subject, char **pem)
{
	return ask(h, key, &(struct wish){ put_request, subject, 0 }, pem);
}

static int
put_self_signed(struct buf *b, EVP_PKEY *k, const struct wish *w, struct hf_error *err)
{
	return self_signed_put(b, k, w->subject, w->days, err);
}

int
hf_self_sign(struct hf *h, const char *key, const char *subject, int days, char **pem)
{
	return ask(h, key, &(struct wish){ put_self_signed, subject, days }, pem);
}

static int
put_public(struct buf *b, EVP_PKEY *k, const struct wish *w, struct hf_error *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;
	int rc;

	(void)w;
	if (!bio)
		return err_memory(err);
	ERR_clear_error();
	if (PEM_write_bio_PUBKEY(bio, k) != 1) {
		rc = err_ssl(err, HF_ERR_KEY, "the public key cannot be written as PEM");
	} else {
		n = BIO_get_mem_data(bio, &text);
		rc = buf_put(b, text, (size_t)n) < 0 ? err_memory(err) : 0;
	}
	BIO_free(bio);
	return rc;
}

int
hf_key_public(struct hf *h, const char *key, char **pem)
{
	return ask(h, key, &(struct wish){ put_public, NULL, 0 }, pem);
}

int
hf_key_make(struct hf *h, const char *uri, const char *type, char **made)
{
	struct buf b = { 0 };
	struct key_kind kind;
	struct front f;
	int rc;

	*made = NULL;
	rc = front_begin(h, &f);
	if (rc < 0)
		return rc;
	rc = key_kind_get(&kind, type, f.err);
	if (rc == 0)
		rc = key_make(uri, &kind, &b, f.err);
	return hand_over(&b, made, rc, &f);
}

struct listener {
	void (*fn)(void *ctx, const char *uri, const char *what);
	void *ctx;
};

static int
tell(void *ctx, const char *uri, const char *what)
{
	const struct listener *l = ctx;

	l->fn(l->ctx, uri, what);
	return 0;
}

int
hf_key_list(
    struct hf *h, const char *where, void (*fn)(void *ctx, const char *uri, const char *what), void *ctx)
{
	struct listener l = { fn, ctx };
	struct front f;
	int rc = front_begin(h, &f);

	return rc < 0 ? rc : key_each(where, tell, &l, f.err);
}
