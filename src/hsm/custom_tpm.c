#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "base/str.h"
#include "hsm/custom.h"

enum { PUBLIC_MAX = 4096, MAC_LEN = 32 };
struct tpm {
	struct hsm hsm;
	struct custom_session session;
	const HSM_CLIENT_TPM_INTERFACE *table;
	struct buf loaded; /* the blob whose key the library signs with now, as far as we know */
	struct buf active; /* activated, and not kept */
	struct buf kept;
};

static int
is(const struct buf *b, const void *p, size_t n)
{
	return buf_size(b) == n && (n == 0 || memcmp(buf_data(b), p, n) == 0);
}

static int
set(struct buf *b, const void *p, size_t n, struct hf_error *err)
{
	buf_clear(b);
	return buf_put(b, p, n) < 0 ? err_memory(err) : 0;
}

static int
begin(struct tpm *t, struct hf_error *err)
{
	return custom_begin(&t->session, t->table->hsm_client_tpm_create, t->table->hsm_client_tpm_destroy,
	    "hsm_client_tpm", err);
}

static int
take_public(
    struct tpm *t, HSM_CLIENT_GET_ENDORSEMENT_KEY fn, const char *name, struct buf *out, struct hf_error *err)
{
	unsigned char *p = NULL;
	size_t n = 0;
	int rc;

	if (!fn)
		return custom_fail(t->session.lib, err, name, "is NULL in its table");
	custom_enter(t->session.lib);
	rc = fn(t->session.handle, &p, &n);
	custom_leave(t->session.lib);
	return custom_take(&t->session, rc, p, n, name, PUBLIC_MAX, out, err);
}

static int
identity(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *err)
{
	struct tpm *t = (struct tpm *)h;
	size_t had = buf_size(ek);
	int rc;

	(void)persist; /* the library's own business */
	rc = begin(t, err);
	if (rc == 0)
		rc = take_public(t, t->table->hsm_client_get_ek, "hsm_client_get_ek", ek, err);
	if (rc == 0)
		rc = take_public(t, t->table->hsm_client_get_srk, "hsm_client_get_srk", srk, err);
	if (rc == 0)
		rc = hsm_name_tpm(h, buf_data(ek) + had, buf_size(ek) - had, err);
	return rc;
}

/* A library has one key at a time; the same again is not handed over. */
static int
load(struct tpm *t, const void *blob, size_t n, struct hf_error *err)
{
	HSM_CLIENT_ACTIVATE_IDENTITY_KEY fn = t->table->hsm_client_activate_identity_key;
	int rc = begin(t, err);

	if (rc < 0 || is(&t->loaded, blob, n))
		return rc;
	if (!fn)
		return custom_fail(
		    t->session.lib, err, "hsm_client_activate_identity_key", "is NULL in its table");
	buf_clear(&t->loaded);
	custom_enter(t->session.lib);
	rc = fn(t->session.handle, blob, n);
	custom_leave(t->session.lib);
	if (rc != 0)
		return err_set(err, HF_ERR_KEY,
		    "%s: hsm_client_activate_identity_key() did not take the service's key (it returned %d); "
		    "is the enrolled endorsement key this device's?",
		    custom_name(t->session.lib), rc);
	return set(&t->loaded, blob, n, err);
}

static int
activate(struct hsm *h, const void *blob, size_t n, struct buf *wrapped, struct hf_error *err)
{
	struct tpm *t = (struct tpm *)h;
	int rc = load(t, blob, n, err);

	if (rc == 0)
		rc = set(&t->active, blob, n, err);
	if (rc == 0 && buf_put(wrapped, blob, n) < 0)
		rc = err_memory(err);
	return rc;
}

static void
forget(struct hsm *h)
{
	buf_clear(&((struct tpm *)h)->active);
}

static int
sign(struct tpm *t, const void *data, size_t n, uint8_t mac[MAC_LEN], struct hf_error *err)
{
	static const char name[] = "hsm_client_sign_with_identity";
	HSM_CLIENT_SIGN_WITH_IDENTITY fn = t->table->hsm_client_sign_with_identity;
	struct buf got = { 0 };
	unsigned char *p = NULL;
	size_t len = 0;
	int rc;

	if (!fn)
		return custom_fail(t->session.lib, err, name, "is NULL in its table");
	custom_enter(t->session.lib);
	rc = fn(t->session.handle, data, n, &p, &len);
	custom_leave(t->session.lib);
	rc = custom_take(&t->session, rc, p, len, name, PUBLIC_MAX, &got, err);
	if (rc == 0 && buf_size(&got) != MAC_LEN)
		rc = custom_fail(
		    t->session.lib, err, name, "returned what is no HMAC-SHA256: that has 32 bytes");
	if (rc == 0)
		memcpy(mac, buf_data(&got), MAC_LEN);
	buf_free(&got);
	return rc;
}

/* The key that counts is loaded first; without one the library has kept its own, from an earlier time. */
static int
hmac(struct hsm *h, const void *data, size_t n, uint8_t mac[MAC_LEN], struct hf_error *err)
{
	struct tpm *t = (struct tpm *)h;
	const struct buf *key = buf_size(&t->active) > 0 ? &t->active : &t->kept;
	int rc = buf_size(key) > 0 ? load(t, buf_data(key), buf_size(key), err) : begin(t, err);

	return rc < 0 ? rc : sign(t, data, n, mac, err);
}

static int
keep(struct hsm *h, const void *wrapped, size_t n, struct hf_error *err)
{
	struct tpm *t = (struct tpm *)h;
	uint8_t mac[MAC_LEN];
	int rc = load(t, wrapped, n, err);

	if (rc == 0)
		rc = sign(t, "holdfast", 8, mac, err);
	OPENSSL_cleanse(mac, sizeof mac);
	if (rc == 0)
		rc = set(&t->kept, wrapped, n, err);
	if (rc == 0)
		buf_clear(&t->active);
	return rc;
}

static int
has_key(struct hsm *h, struct hf_error *err)
{
	struct hf_error no = { 0 };
	uint8_t mac[MAC_LEN];
	int rc = hmac(h, "holdfast", 8, mac, &no);

	OPENSSL_cleanse(mac, sizeof mac);
	return rc == HF_ERR_MEMORY ? err_memory(err) : rc == 0;
}

static void
close_tpm(struct hsm *h)
{
	struct tpm *t = (struct tpm *)h;

	custom_end(&t->session);
	buf_free(&t->loaded);
	buf_free(&t->active);
	buf_free(&t->kept);
	free(t);
}

static const struct hsm_ops ops = {
	.close = close_tpm,
	.identity = identity,
	.activate = activate,
	.keep = keep,
	.forget = forget,
	.has_key = has_key,
	.hmac = hmac,
};

int
custom_tpm_open(struct hsm **out, const struct custom_choice *c, struct hf_error *err)
{
	struct tpm *t = calloc(1, sizeof *t);

	*out = NULL;
	if (!t) {
		custom_close(c->lib);
		return err_memory(err);
	}
	t->hsm.ops = &ops;
	t->hsm.kind = HSM_TPM;
	t->hsm.blocks = 1;
	t->hsm.keeps_nothing = 1;
	t->session.lib = c->lib;
	t->table = c->tpm;
	*out = &t->hsm;
	return 0;
}
