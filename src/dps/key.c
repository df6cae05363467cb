#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "base/str.h"
#include "dps/dps_client.h"
#include "msg/sas.h"

static int
identity(struct key_job *k)
{
	struct buf ek = { 0 }, srk = { 0 };
	int rc = 0;

	if (k->hsm->ops->identity != NULL)
		rc = k->hsm->ops->identity(k->hsm, k->persist, &ek, &srk, &k->err);
	if (rc == 0 && (b64_put(&k->ek, buf_data(&ek), buf_size(&ek)) < 0 ||
			   b64_put(&k->srk, buf_data(&srk), buf_size(&srk)) < 0))
		rc = err_memory(&k->err);
	if (rc == 0)
		rc = hsm_fingerprint(k->hsm, k->state.identity, &k->err);
	buf_free(&ek);
	buf_free(&srk);
	return rc;
}

static int
sign(struct key_job *k)
{
	uint8_t mac[32];
	struct buf text = { 0 };
	int rc = HF_ERR_MEMORY;

	if (sas_put_text(&text, k->resource, k->expiry) < 0) {
		err_memory(&k->err);
		goto fail;
	}
	rc = k->hsm->ops->hmac(k->hsm, buf_data(&text), buf_size(&text), mac, &k->err);
	if (rc == 0 && sas_put(&k->token, k->resource, k->expiry, mac, k->skn[0] != '\0' ? k->skn : NULL) < 0)
		rc = err_memory(&k->err);
fail:
	OPENSSL_cleanse(mac, sizeof(mac));
	buf_free(&text);
	return rc;
}

static int
save(struct key_job *k)
{
	if (k->path[0] == '\0')
		return 0;
	return dps_state_save(&k->state, k->path, &k->err);
}

/* The wrapped key is on disk before the old key is evicted, and goes from it once the new one is persistent. */
static int
persist(struct key_job *k)
{
	int rc = k->hsm->ops->keep(k->hsm, buf_data(&k->state.wrapped), buf_size(&k->state.wrapped), &k->err);

	if (rc < 0 || k->hsm->keeps_nothing)
		return rc;
	buf_free(&k->state.wrapped);
	return save(k);
}

static int
keep(struct key_job *k)
{
	int rc;

	if (k->hsm->kind != HSM_TPM)
		return save(k);
	buf_clear(&k->state.wrapped);
	rc =
	    k->hsm->ops->activate(k->hsm, buf_data(&k->blob), buf_size(&k->blob), &k->state.wrapped, &k->err);
	if (rc == 0)
		rc = save(k);
	if (rc == 0)
		rc = persist(k);
	k->hsm->ops->forget(k->hsm);
	return rc;
}

static int
activate(struct key_job *k)
{
	struct buf wrapped = { 0 };
	int rc = k->hsm->ops->activate(k->hsm, buf_data(&k->blob), buf_size(&k->blob), &wrapped, &k->err);

	if (rc == 0)
		rc = sign(k);
	k->hsm->ops->forget(k->hsm);
	buf_free(&wrapped);
	return rc;
}

static int
sign_kept(struct key_job *k)
{
	int rc = 0;

	if (buf_size(&k->state.wrapped) > 0)
		rc = persist(k);
	return rc < 0 ? rc : sign(k);
}

static void
run(struct job *job)
{
	struct key_job *k = (struct key_job *)job;

	switch (k->what) {
	case KEY_IDENTITY:
		k->rc = identity(k);
		break;
	case KEY_SIGN:
		k->rc = sign_kept(k);
		break;
	case KEY_ACTIVATE:
		k->rc = activate(k);
		break;
	case KEY_KEEP:
		k->rc = keep(k);
		break;
	}
}

static void
release(struct job *job)
{
	struct key_job *k = (struct key_job *)job;

	hsm_close(k->hsm);
	buf_free(&k->blob);
	buf_free(&k->ek);
	buf_free(&k->srk);
	buf_free(&k->token);
	dps_state_fini(&k->state);
	free(k);
}

struct key_job *
key_job_new(enum key_what what, struct hsm *hsm)
{
	struct key_job *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->job.run = run;
	k->job.free = release;
	k->what = what;
	k->hsm = hsm_hold(hsm);
	return k;
}

void
key_job_free(struct key_job *k)
{
	if (k != NULL)
		release(&k->job);
}

static int
may_block(const struct key_job *k)
{
	return k->hsm->blocks || (k->what == KEY_KEEP && k->path[0] != '\0');
}

int
key_job_start(struct key_job *k, struct work *w, struct hf_error *e)
{
	if (may_block(k))
		return work_post(w, &k->job, e);
	run(&k->job);
	return 0;
}

int
key_job_done(struct key_job *k, struct work *w)
{
	return !may_block(k) || job_done(w, &k->job);
}

void
key_job_drop(struct key_job *k, struct work *w)
{
	if (k == NULL)
		return;
	if (may_block(k))
		job_drop(w, &k->job);
	else
		release(&k->job);
}
