#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/tpm2.h"

/* What the service's keys look like; nothing else at key-handle is ours. */
#define KEY_ATTRIBUTES (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

static int
enter(struct tpm2 *t, struct hf_error *err)
{
	int rc = tpm2_enter(&t->tpm, err);

	if (rc == 1)
		t->ek.tr = t->srk.tr = t->kept.tr = t->active.tr = ESYS_TR_NONE;
	return rc < 0 ? rc : 0;
}

static void
leave(struct tpm2 *t)
{
	if (tpm2_is_cut(&t->tpm))
		tpm2_flush(&t->tpm, &t->active.tr);
	tpm2_leave(&t->tpm);
}

static int
identity(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *err)
{
	struct tpm2 *t = (struct tpm2 *)h;
	size_t had = buf_size(ek);
	int rc;

	rc = enter(t, err);
	if (rc < 0)
		return rc;
	rc = tpm2_primaries(t, persist, err);
	if (rc == 0)
		rc = tpm2_put_public(ek, &t->ek.area, err);
	if (rc == 0)
		rc = tpm2_put_public(srk, &t->srk.area, err);
	if (rc == 0)
		rc = hsm_name_tpm(h, buf_data(ek) + had, buf_size(ek) - had, err);
	leave(t);
	return rc;
}

static void
drop_active(struct tpm2 *t)
{
	tpm2_flush(&t->tpm, &t->active.tr);
	buf_clear(&t->wrapped);
}

static void
forget(struct hsm *h)
{
	struct tpm2 *t = (struct tpm2 *)h;
	struct hf_error ignored = { 0 };

	if (buf_size(&t->wrapped) == 0)
		return;
	buf_clear(&t->wrapped);
	if (enter(t, &ignored) < 0)
		return;
	tpm2_flush(&t->tpm, &t->active.tr);
	leave(t);
}

/* Makes a wrapped key the active one. The same again costs nothing, unless the connection is a new one. */
static int
load_active(struct tpm2 *t, const void *wrapped, size_t n, struct hf_error *err)
{
	int rc;

	if (n == buf_size(&t->wrapped) && memcmp(wrapped, buf_data(&t->wrapped), n) == 0) {
		if (t->active.tr != ESYS_TR_NONE)
			return 0;
	} else {
		drop_active(t);
		if (buf_put(&t->wrapped, wrapped, n) < 0)
			return err_memory(err);
	}
	rc = tpm2_primaries(t, 1, err);
	if (rc == 0)
		rc = tpm2_load(t, buf_data(&t->wrapped), n, &t->active, err);
	return rc;
}

static int
activate(struct hsm *h, const void *blob, size_t n, struct buf *wrapped, struct hf_error *err)
{
	struct tpm2 *t = (struct tpm2 *)h;
	struct buf key = { 0 };
	int rc;

	rc = enter(t, err);
	if (rc < 0)
		return rc;
	drop_active(t);
	rc = tpm2_primaries(t, 1, err);
	if (rc == 0)
		rc = tpm2_unpack(t, blob, n, &key, err);
	if (rc == 0)
		rc = load_active(t, buf_data(&key), buf_size(&key), err);
	if (rc == 0 && buf_put(wrapped, buf_data(&key), buf_size(&key)) < 0)
		rc = err_memory(err);
	if (rc < 0)
		drop_active(t);
	leave(t);
	buf_free(&key);
	return rc;
}

static int
evict(struct tpm2 *t, ESYS_TR what, ESYS_TR *now, struct hf_error *err)
{
	TSS2_RC rc;

	*now = ESYS_TR_NONE;
	rc = Esys_EvictControl(t->tpm.esys, ESYS_TR_RH_OWNER, what, ESYS_TR_PASSWORD, ESYS_TR_NONE,
	    ESYS_TR_NONE, t->kept.handle, now);
	if (!rc)
		return 0;
	*now = ESYS_TR_NONE;
	return tpm2_fail(&t->tpm, rc, err, "%s handle 0x%08x",
	    what == t->active.tr ? "keep the service's key at" : "clear", (unsigned)t->kept.handle);
}

/* Is there something at key-handle that may not go? */
static int
may_replace(struct tpm2 *t, struct hf_error *err)
{
	const TPM2B_PUBLIC *old = &t->kept.area;

	if (t->force || (tpm2_is_hmac_key(old) && old->publicArea.objectAttributes == KEY_ATTRIBUTES))
		return 0;
	return err_set(err, HF_ERR_KEY,
	    "TPM handle 0x%08x: there is %s with attributes 0x%08x, which Holdfast did not make; "
	    "give another handle with --key-handle, or replace it with --force",
	    (unsigned)t->kept.handle, tpm2_kind(old), (unsigned)old->publicArea.objectAttributes);
}

/* The name of a key is a hash of its public area, in which a hash of the secret stands. */
static int
is_kept(struct tpm2 *t)
{
	TPM2B_NAME *a = NULL, *b = NULL;
	int same;

	same = !Esys_TR_GetName(t->tpm.esys, t->active.tr, &a) &&
	       !Esys_TR_GetName(t->tpm.esys, t->kept.tr, &b) && a->size == b->size &&
	       memcmp(a->name, b->name, a->size) == 0;
	Esys_Free(a);
	Esys_Free(b);
	return same;
}

static int
replace(struct tpm2 *t, const void *wrapped, size_t n, struct hf_error *err)
{
	uint8_t mac[32];
	ESYS_TR gone;
	int rc;

	rc = load_active(t, wrapped, n, err);
	if (rc < 0) {
		drop_active(t);
		return rc;
	}
	rc = tpm2_hmac(t, t->active.tr, "holdfast", 8, mac, err);
	if (rc < 0)
		return rc;
	tpm2_unfind(&t->tpm, &t->kept);
	rc = tpm2_find(&t->tpm, &t->kept, err);
	if (rc < 0)
		return rc;
	if (rc == 1 && is_kept(t))
		return 0;
	if (rc == 1) {
		if ((rc = may_replace(t, err)) < 0 || (rc = evict(t, t->kept.tr, &gone, err)) < 0)
			return rc;
		tpm2_unfind(&t->tpm, &t->kept);
	}
	t->kept.area = t->active.area;
	return evict(t, t->active.tr, &t->kept.tr, err);
}

static int
keep(struct hsm *h, const void *wrapped, size_t n, struct hf_error *err)
{
	struct tpm2 *t = (struct tpm2 *)h;
	int rc;

	rc = enter(t, err);
	if (rc < 0)
		return rc;
	rc = replace(t, wrapped, n, err);
	if (rc == 0)
		drop_active(t);
	leave(t);
	return rc;
}

static int
has_key(struct hsm *h, struct hf_error *err)
{
	struct tpm2 *t = (struct tpm2 *)h;
	int rc;

	rc = enter(t, err);
	if (rc < 0)
		return rc;
	rc = tpm2_find(&t->tpm, &t->kept, err);
	if (rc == 1)
		rc = tpm2_is_hmac_key(&t->kept.area);
	leave(t);
	return rc;
}

static int
sign_with_kept(struct tpm2 *t, const void *data, size_t n, uint8_t mac[32], struct hf_error *err)
{
	int rc = tpm2_find(&t->tpm, &t->kept, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, HF_ERR_KEY,
		    "TPM handle 0x%08x: no such object (0x18b); the service's key is not there, register this device",
		    (unsigned)t->kept.handle);
	if (!tpm2_is_hmac_key(&t->kept.area))
		return err_set(err, HF_ERR_KEY,
		    "TPM handle 0x%08x: there is %s, not an HMAC-SHA256 key; "
		    "register this device with another --key-handle",
		    (unsigned)t->kept.handle, tpm2_kind(&t->kept.area));
	rc = tpm2_hmac(t, t->kept.tr, data, n, mac, err);
	if (rc < 0)
		tpm2_unfind(&t->tpm, &t->kept);
	return rc;
}

static int
hmac(struct hsm *h, const void *data, size_t n, uint8_t mac[32], struct hf_error *err)
{
	struct tpm2 *t = (struct tpm2 *)h;
	int rc;

	rc = enter(t, err);
	if (rc < 0)
		return rc;
	if (buf_size(&t->wrapped) == 0)
		rc = sign_with_kept(t, data, n, mac, err);
	else if ((rc = load_active(t, buf_data(&t->wrapped), buf_size(&t->wrapped), err)) == 0)
		rc = tpm2_hmac(t, t->active.tr, data, n, mac, err);
	leave(t);
	return rc;
}

static void
close_tpm(struct hsm *h)
{
	struct tpm2 *t = (struct tpm2 *)h;

	forget(h);
	if (t->tpm.chip)
		tpm2_chip_close(t->tpm.chip);
	buf_free(&t->wrapped);
	OPENSSL_cleanse(t, sizeof *t);
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

static int
read_handle(
    struct tpm2_object *o, const char *text, TPM2_HANDLE usual, const char *option, struct hf_error *err)
{
	unsigned long n;
	char *end;

	o->tr = ESYS_TR_NONE;
	o->handle = usual;
	if (!text)
		return 0;
	errno = 0;
	n = strtoul(text, &end, 0);
	if (errno || end == text || *end || n < TPM2_PERSISTENT_MIN || n > TPM2_PERSISTENT_OWNER_MAX)
		return err_set(err, HF_ERR_ARGS,
		    "%s %s: a persistent handle of the owner's is 0x81000000 to 0x817fffff", option, text);
	o->handle = (TPM2_HANDLE)n;
	return 0;
}

/* A password's line may end with a newline, which does not count. */
static int
read_auth(TPM2B_AUTH *auth, const char *path, const char *what, struct hf_error *err)
{
	struct buf text = { 0 };
	size_t n;
	int rc;

	if (!path)
		return 0;
	rc = file_read(&text, path, 4096, what, err);
	if (rc < 0)
		goto fail;
	n = buf_size(&text);
	if (n && buf_data(&text)[n - 1] == '\n')
		n--;
	if (n > sizeof auth->buffer) {
		rc = err_set(err, HF_ERR_ARGS,
		    "%s file %s: a TPM takes passwords of %zu bytes at most, not %zu", what, path,
		    sizeof auth->buffer, n);
		goto fail;
	}
	auth->size = (UINT16)n;
	memcpy(auth->buffer, buf_data(&text), n);
fail:
	buf_free(&text);
	return rc;
}

static int
read_settings(struct tpm2 *t, const struct hsm_settings *s, struct hf_error *err)
{
	int rc;

	if ((rc = read_handle(&t->ek, s->ek_handle, 0x81010001, "--ek-handle", err)) < 0 ||
	    (rc = read_handle(&t->srk, s->srk_handle, 0x81000001, "--srk-handle", err)) < 0 ||
	    (rc = read_handle(&t->kept, s->key_handle, 0x81000100, "--key-handle", err)) < 0)
		return rc;
	if (t->ek.handle == t->srk.handle || t->ek.handle == t->kept.handle ||
	    t->srk.handle == t->kept.handle)
		return err_set(
		    err, HF_ERR_ARGS, "--ek-handle, --srk-handle and --key-handle have to be three handles");
	if (s->ek_template && !str_eqi(s->ek_template, "tcg") && !str_eqi(s->ek_template, "sdk"))
		return err_set(err, HF_ERR_ARGS, "--ek-template %s: there are tcg and sdk", s->ek_template);
	t->sdk = s->ek_template && str_eqi(s->ek_template, "sdk");
	t->force = s->force && strcmp(s->force, "0") != 0 && *s->force;
	if ((rc = read_auth(&t->tpm.owner, s->owner_auth_file, "owner password", err)) < 0)
		return rc;
	return read_auth(&t->tpm.endorsement, s->endorsement_auth_file, "endorsement password", err);
}

int
hsm_tpm2_open(struct hsm **out, const struct hsm_settings *s, struct hf_error *err)
{
	struct tpm2 *t = calloc(1, sizeof *t);
	int rc;

	*out = NULL;
	if (!t)
		return err_memory(err);
	t->hsm.ops = &ops;
	t->hsm.kind = HSM_TPM;
	t->hsm.blocks = 1;
	t->tpm.ask = "has the hierarchy a password? --owner-auth-file and --endorsement-auth-file give it";
	t->active.tr = ESYS_TR_NONE;
	if ((rc = read_settings(t, s, err)) < 0 || (rc = tpm2_chip_open(&t->tpm.chip, s->tpm, err)) < 0) {
		close_tpm(&t->hsm);
		return rc;
	}
	str_fmt(t->hsm.key_handle, sizeof t->hsm.key_handle, "0x%08x", (unsigned)t->kept.handle);
	*out = &t->hsm;
	return 0;
}
