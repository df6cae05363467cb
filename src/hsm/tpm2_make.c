#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/key.h"
#include "hsm/tpm2.h"

enum { AUTH_MAX = 32 /* a SHA-256 digest: longer ones a TPM does not take */ };
#define ASK "has the owner's hierarchy a password? parent-auth-source=FILE in the URI gives it"

static const struct {
	const char *name;
	TPM2_ECC_CURVE id;
} curves[] = { { "P-256", TPM2_ECC_NIST_P256 }, { "P-384", TPM2_ECC_NIST_P384 },
	{ "P-521", TPM2_ECC_NIST_P521 } };

/* Without a scheme, so that TLS may choose; an RSA key decrypts as well, for chips that salt PSS in a way that TLS refuses. */
static int template(TPM2B_PUBLIC *p, const struct key_kind *kind, struct hf_error *err)
{
	TPMT_PUBLIC *a = &p->publicArea;

	memset(p, 0, sizeof *p);
	a->nameAlg = TPM2_ALG_SHA256;
	a->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			      TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
			      TPMA_OBJECT_SIGN_ENCRYPT;
	if (kind->rsa_bits) {
		a->type = TPM2_ALG_RSA;
		a->objectAttributes |= TPMA_OBJECT_DECRYPT;
		a->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
		a->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
		a->parameters.rsaDetail.keyBits = (UINT16)kind->rsa_bits;
		return 0;
	}
	a->type = TPM2_ALG_ECC;
	a->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
	a->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
	a->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (strcmp(curves[i].name, kind->group) == 0)
			a->parameters.eccDetail.curveID = curves[i].id;
	if (a->parameters.eccDetail.curveID)
		return 0;
	return err_set(err, HF_ERR_UNSUPPORTED, "a TPM does not make keys on the curve %s", kind->group);
}

/* The key, wrapped; its parent is the one that stays for the next step. */
static int
create(struct tpm2_visitor *v, const struct tpm2_object *parent, const TPM2B_PUBLIC *wish,
    const TPM2B_AUTH *auth, struct tpm2_file *made, struct hf_error *err)
{
	TPM2B_SENSITIVE_CREATE secret = { .sensitive.userAuth = *auth };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *area = NULL;
	TSS2_RC rc;

	rc = Esys_Create(v->esys, parent->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &secret, wish,
	    &outside, &pcrs, &private, &area, NULL, NULL, NULL);
	OPENSSL_cleanse(&secret, sizeof secret);
	if (rc)
		return tpm2_fail(v, rc, err, "make the key");
	*made = (struct tpm2_file){
		.empty_auth = auth->size == 0, .parent = parent->handle, .area = *area, .private = *private
	};
	Esys_Free(area);
	Esys_Free(private);
	return 0;
}

static int
persist(struct tpm2_visitor *v, const struct tpm2_object *parent, const struct tpm2_file *made,
    const struct tpm2_uri *w, struct hf_error *err)
{
	ESYS_TR key = ESYS_TR_NONE, kept = ESYS_TR_NONE;
	TSS2_RC rc;
	int r = 0;

	rc = Esys_Load(v->esys, parent->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &made->private,
	    &made->area, &key);
	if (rc)
		return tpm2_fail(v, rc, err, "load the new key");
	rc = Esys_TR_SetAuth(v->esys, ESYS_TR_RH_OWNER, &w->parent_auth);
	if (!rc)
		rc = Esys_EvictControl(v->esys, ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD, ESYS_TR_NONE,
		    ESYS_TR_NONE, w->handle, &kept);
	if (rc)
		r = tpm2_fail(v, rc, err, "keep the new key at handle 0x%08x", (unsigned)w->handle);
	else
		Esys_TR_Close(v->esys, &kept);
	tpm2_flush(v, &key);
	return r;
}

static int
is_free(struct tpm2_visitor *v, TPM2_HANDLE handle, struct hf_error *err)
{
	struct tpm2_object there = { .handle = handle, .tr = ESYS_TR_NONE };
	int rc = tpm2_find(v, &there, err);

	if (rc == 1)
		rc = err_set(err, HF_ERR_KEY,
		    "TPM handle 0x%08x: there is %s already, and it stays; choose another handle",
		    (unsigned)handle, tpm2_kind(&there.area));
	tpm2_unfind(v, &there);
	return rc;
}

static int
make_inside(struct tpm2_visitor *v, const struct tpm2_uri *w, const TPM2B_PUBLIC *wish,
    struct tpm2_file *made, struct hf_error *err)
{
	const TPM2B_AUTH none = { 0 };
	struct tpm2_object parent;
	int rc;

	if (w->handle && (rc = is_free(v, w->handle, err)) < 0)
		return rc;
	rc = tpm2_parent(v, &parent, TPM2_RH_OWNER, &w->parent_auth, err);
	if (rc < 0)
		return rc;
	rc = create(v, &parent, wish, &w->auth, made, err);
	if (rc == 0 && w->handle)
		rc = persist(v, &parent, made, w, err);
	Esys_TR_SetAuth(v->esys, ESYS_TR_RH_OWNER, &none);
	tpm2_unparent(v, &parent);
	return rc;
}

static int
make(const struct tpm2_uri *w, const TPM2B_PUBLIC *wish, struct tpm2_file *made, struct hf_error *err)
{
	struct tpm2_visitor v = { .ask = ASK };
	int rc;

	rc = tpm2_chip_open(&v.chip, w->tcti, err);
	if (rc < 0)
		return rc;
	rc = tpm2_enter(&v, err);
	if (rc >= 0) {
		rc = make_inside(&v, w, wish, made, err);
		tpm2_leave(&v);
	}
	tpm2_chip_close(v.chip);
	return rc;
}

/* The place is taken before the TPM goes to work: two who make the same file do not overwrite each other's key. */
static int
make_file(const struct tpm2_uri *w, const TPM2B_PUBLIC *wish, struct hf_error *err)
{
	int fd = open(w->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;
	struct tpm2_file made;
	struct buf text = { 0 };

	if (fd < 0 && errno == EEXIST)
		return err_set(err, HF_ERR_KEY,
		    "TPM key file %s: it is there already, and is not overwritten; choose another name",
		    w->file);
	if (fd < 0)
		return err_sys(err, HF_ERR_IO, "TPM key file %s: cannot make it", w->file);
	close(fd);
	rc = make(w, wish, &made, err);
	if (rc == 0)
		rc = tpm2_put_pem(&text, &made, err);
	if (rc == 0)
		rc = file_replace(w->file, buf_data(&text), buf_size(&text), "TPM key file", err);
	if (rc < 0)
		unlink(w->file);
	buf_free(&text);
	return rc;
}

static int
check(const struct tpm2_uri *w, struct hf_error *err)
{
	if (!w->handle && !w->file)
		return err_set(
		    err, HF_ERR_ARGS, "tpm2: where to? tpm2:handle=0x81000201 or tpm2:file=NEW.pem");
	if (w->handle > TPM2_PERSISTENT_OWNER_MAX)
		return err_set(err, HF_ERR_ARGS,
		    "tpm2:handle=0x%08x: a persistent handle of the owner's is 0x81000000 to 0x817fffff",
		    (unsigned)w->handle);
	if (w->auth.size > AUTH_MAX)
		return err_set(err, HF_ERR_ARGS,
		    "password of the TPM key: a key takes %d bytes at most, not %u", AUTH_MAX, w->auth.size);
	return 0;
}

int
key_tpm2_make(const struct uri *u, const struct key_kind *kind, struct buf *name, struct hf_error *err)
{
	struct tpm2_file made;
	TPM2B_PUBLIC wish;
	struct tpm2_uri w;
	int rc;

	rc = tpm2_uri_get(&w, u, NULL, err);
	if (rc < 0)
		return rc;
	rc = check(&w, err);
	if (rc == 0)
		rc = template(&wish, kind, err);
	if (rc == 0)
		rc = w.file ? make_file(&w, &wish, err) : make(&w, &wish, &made, err);
	if (rc == 0)
		rc = tpm2_uri_put(name, u, w.handle, w.file, err);
	OPENSSL_cleanse(&w, sizeof w);
	return rc;
}

/* What is found is kept until the TPM is free for others again: `fn` may take its time. */
struct found {
	size_t count;
	struct {
		TPM2_HANDLE handle;
		char what[64];
	} key[TPM2_MAX_CAP_HANDLES];
};

static int
look_at(struct tpm2_visitor *v, TPM2_HANDLE handle, struct found *f, struct hf_error *err)
{
	struct tpm2_object o = { .handle = handle, .tr = ESYS_TR_NONE };
	int rc = tpm2_find(v, &o, err);

	if (rc == 1 && !tpm2_why_not(&o.area)) {
		f->key[f->count].handle = handle;
		tpm2_what(&o.area, f->key[f->count].what, sizeof f->key[f->count].what);
		f->count++;
	}
	tpm2_unfind(v, &o);
	return rc < 0 ? rc : 0;
}

static TSS2_RC
ask_handles(struct tpm2_visitor *v, TPMS_CAPABILITY_DATA **got)
{
	return Esys_GetCapability(v->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
	    TPM2_PERSISTENT_MIN, TPM2_MAX_CAP_HANDLES, NULL, got);
}

static int
find_keys(struct tpm2_visitor *v, struct found *f, struct hf_error *err)
{
	TPMS_CAPABILITY_DATA *got = NULL;
	const TPML_HANDLE *list;
	TSS2_RC rc;
	int r = 0;

	rc = ask_handles(v, &got);
	if (tpm2_is(rc, TPM2_RC_INITIALIZE)) {
		Esys_Startup(v->esys, TPM2_SU_CLEAR);
		rc = ask_handles(v, &got);
	}
	if (rc)
		return tpm2_fail(v, rc, err, "ask which keys it holds");
	list = &got->data.handles;
	for (UINT32 i = 0; i < list->count && i < TPM2_MAX_CAP_HANDLES && r == 0; i++)
		r = look_at(v, list->handle[i], f, err);
	Esys_Free(got);
	return r;
}

static int
tell(const struct found *f, const struct uri *u, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	struct buf name = { 0 };
	int rc = 0;

	for (size_t i = 0; i < f->count && rc == 0; i++) {
		buf_clear(&name);
		rc = tpm2_uri_put(&name, u, f->key[i].handle, NULL, err);
		if (rc == 0)
			rc = buf_str(&name) ? fn(ctx, buf_str(&name), f->key[i].what) : err_memory(err);
	}
	buf_free(&name);
	return rc;
}

int
key_tpm2_each(const struct uri *u, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	struct tpm2_visitor v = { 0 };
	struct found *f = NULL;
	struct tpm2_uri w;
	int rc;

	rc = tpm2_uri_get(&w, u, NULL, err);
	if (rc < 0)
		return rc;
	if ((rc = tpm2_chip_open(&v.chip, w.tcti, err)) < 0)
		goto fail;
	if (!(f = calloc(1, sizeof *f))) {
		rc = err_memory(err);
		goto fail;
	}
	rc = tpm2_enter(&v, err);
	if (rc < 0)
		goto fail;
	rc = find_keys(&v, f, err);
	tpm2_leave(&v);
	if (rc == 0)
		rc = tell(f, u, fn, ctx, err);
fail:
	free(f);
	if (v.chip)
		tpm2_chip_close(v.chip);
	OPENSSL_cleanse(&w, sizeof w);
	return rc;
}
