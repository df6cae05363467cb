#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "dps/dps_client.h"
#include "msg/sas.h"

/* An hsm that writes down what it is asked. */
struct fake {
	struct hsm hsm;
	char did[400];
	const char *state_path; /* what stands there when keep() is called */
	char state_at_keep[2000];
	const char *fail; /* the call that fails */
	sem_t *hold;	  /* hmac waits for it */
	atomic_int *closed;
};

static int
did(struct fake *f, const char *what, struct hf_error *e)
{
	size_t n = strlen(f->did);

	snprintf(f->did + n, sizeof f->did - n, "%s ", what);
	if (f->fail != NULL && strcmp(f->fail, what) == 0)
		return err_set(e, HF_ERR_KEY, "%s did not work", what);
	return 0;
}

static int
identity(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *e)
{
	assert_int_equal(buf_puts(ek, "EK") | buf_puts(srk, "SRK"), 0);
	return did((struct fake *)h, persist ? "identity!" : "identity", e);
}

static int
activate(struct hsm *h, const void *blob, size_t n, struct buf *wrapped, struct hf_error *e)
{
	assert_int_equal(n, 4);
	assert_memory_equal(blob, "blob", 4);
	assert_int_equal(buf_puts(wrapped, "wrapped"), 0);
	return did((struct fake *)h, "activate", e);
}

static int
keep(struct hsm *h, const void *wrapped, size_t n, struct hf_error *e)
{
	struct fake *f = (struct fake *)h;
	FILE *in = f->state_path != NULL ? fopen(f->state_path, "r") : NULL;

	assert_int_equal(n, 7);
	assert_memory_equal(wrapped, "wrapped", 7);
	if (in != NULL) {
		f->state_at_keep[fread(f->state_at_keep, 1, sizeof f->state_at_keep - 1, in)] = '\0';
		fclose(in);
	}
	return did(f, "keep", e);
}

static void
forget(struct hsm *h)
{
	did((struct fake *)h, "forget", NULL);
}

static int
hmac(struct hsm *h, const void *data, size_t n, uint8_t mac[32], struct hf_error *e)
{
	struct fake *f = (struct fake *)h;

	if (f->hold != NULL)
		sem_wait(f->hold);
	assert_int_equal(sas_hmac("key", 3, data, n, mac), 0);
	return did(f, "hmac", e);
}

static void
close_fake(struct hsm *h)
{
	struct fake *f = (struct fake *)h;

	if (f->closed != NULL)
		*f->closed = 1;
	free(f);
}

static const struct hsm_ops tpm_ops = { close_fake, NULL, NULL, identity, activate, keep, forget, NULL,
	hmac };
static const struct hsm_ops key_ops = { .close = close_fake, .hmac = hmac };

static char dir[] = "/tmp/holdfast-key-XXXXXX";
static char path[64];

static int
make(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/state", dir);
	return 0;
}

static int
clean(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static struct fake *
fake_new(enum hsm_kind kind)
{
	struct fake *f = calloc(1, sizeof *f);

	f->hsm.ops = kind == HSM_TPM ? &tpm_ops : &key_ops;
	f->hsm.kind = kind;
	memset(f->hsm.fingerprint, 0xa5, 32);
	hsm_hold(&f->hsm);
	unlink(path);
	return f;
}

static struct key_job *
job(enum key_what what, struct fake *f)
{
	struct key_job *k = key_job_new(what, &f->hsm);

	strcpy(k->resource, "0ne/registrations/a b");
	strcpy(k->skn, "registration");
	strcpy(k->state.hub, "127.0.0.2");
	strcpy(k->state.device, "d");
	strcpy(k->state.identity, "A5");
	k->expiry = 1700003600;
	assert_int_equal(buf_puts(&k->blob, "blob"), 0);
	return k;
}

/* Runs it here and now. */
static int
run(struct key_job *k)
{
	k->job.run(&k->job);
	return k->rc;
}

static void
assert_token(struct key_job *k, const char *skn)
{
	struct sas s = { 0 };
	struct hf_error e = { 0 };

	assert_non_null(buf_str(&k->token));
	assert_int_equal(sas_get(&s, buf_str(&k->token), buf_size(&k->token), &e), 0);
	assert_string_equal(s.resource, "0ne/registrations/a b");
	assert_int_equal(s.expiry, 1700003600);
	assert_string_equal(s.skn, skn);
	assert_true(sas_signed_by(&s, "key", 3));
	sas_fini(&s);
}

static void
says_who_it_is(void **state)
{
	struct fake *f = fake_new(HSM_TPM), *g = fake_new(HSM_SYMMETRIC);
	struct key_job *k = job(KEY_IDENTITY, f);

	(void)state;
	assert_int_equal(run(k), 0);
	assert_string_equal(f->did, "identity ");
	assert_string_equal(buf_str(&k->ek), "RUs=");
	assert_string_equal(buf_str(&k->srk), "U1JL");
	assert_int_equal(strlen(k->state.identity), 64);
	assert_memory_equal(k->state.identity, "A5A5", 4);
	key_job_free(k);
	k = job(KEY_IDENTITY, f);
	k->persist = 1;
	f->fail = "identity!";
	assert_int_equal(run(k), HF_ERR_KEY);
	assert_int_equal(k->err.code, HF_ERR_KEY);
	key_job_free(k);
	k = job(KEY_IDENTITY, g);
	assert_int_equal(run(k), 0);
	assert_int_equal(buf_size(&k->ek), 0);
	key_job_free(k);
	hsm_close(&f->hsm);
	hsm_close(&g->hsm);
}

static void
signs_a_token(void **state)
{
	struct fake *f = fake_new(HSM_SYMMETRIC);
	struct key_job *k = job(KEY_SIGN, f);

	(void)state;
	assert_int_equal(run(k), 0);
	assert_token(k, "registration");
	key_job_free(k);
	k = job(KEY_SIGN, f);
	k->skn[0] = '\0';
	assert_int_equal(run(k), 0);
	assert_token(k, "");
	assert_null(strstr(buf_str(&k->token), "skn"));
	key_job_free(k);
	k = job(KEY_SIGN, f);
	f->fail = "hmac";
	assert_int_equal(run(k), HF_ERR_KEY);
	assert_int_equal(buf_size(&k->token), 0);
	key_job_free(k);
	hsm_close(&f->hsm);
}

static void
answers_a_challenge_and_forgets_it(void **state)
{
	struct fake *f = fake_new(HSM_TPM);
	struct key_job *k = job(KEY_ACTIVATE, f);

	(void)state;
	assert_int_equal(run(k), 0);
	assert_token(k, "registration");
	assert_string_equal(f->did, "activate hmac forget ");
	assert_int_equal(buf_size(&k->state.wrapped), 0);
	key_job_free(k);
	k = job(KEY_ACTIVATE, f);
	f->did[0] = '\0';
	f->fail = "activate";
	assert_int_equal(run(k), HF_ERR_KEY);
	assert_string_equal(f->did, "activate forget ");
	key_job_free(k);
	hsm_close(&f->hsm);
}

static void
assert_saved(int wrapped)
{
	struct dps_state s = { 0 };
	struct hf_error e = { 0 };

	assert_int_equal(dps_state_load(&s, path, &e), 1);
	assert_string_equal(s.hub, "127.0.0.2");
	assert_int_equal(buf_size(&s.wrapped), wrapped ? 7 : 0);
	dps_state_fini(&s);
}

/* Wrapped on disk before the old key may go; off it once the new one is persistent. */
static void
keeps_what_the_hub_gave_a_tpm(void **state)
{
	struct fake *f = fake_new(HSM_TPM);
	struct key_job *k = job(KEY_KEEP, f);

	(void)state;
	strcpy(k->path, path);
	f->state_path = path;
	assert_int_equal(run(k), 0);
	assert_string_equal(f->did, "activate keep forget ");
	assert_non_null(strstr(f->state_at_keep, "\"wrappedKey\":\"d3JhcHBlZA==\""));
	assert_saved(0);
	assert_int_equal(buf_size(&k->state.wrapped), 0);
	key_job_free(k);
	hsm_close(&f->hsm);
}

/* The TPM said no half way: the next signature brings it to its end. */
static void
a_key_half_kept_is_kept_before_it_signs(void **state)
{
	struct fake *f = fake_new(HSM_TPM);
	struct key_job *k = job(KEY_KEEP, f), *s;

	(void)state;
	strcpy(k->path, path);
	f->fail = "keep";
	assert_int_equal(run(k), HF_ERR_KEY);
	assert_string_equal(f->did, "activate keep forget ");
	assert_saved(1);
	s = job(KEY_SIGN, f);
	strcpy(s->path, path);
	assert_int_equal(dps_state_load(&s->state, path, &s->err), 1);
	f->fail = NULL;
	f->did[0] = '\0';
	assert_int_equal(run(s), 0);
	assert_string_equal(f->did, "keep hmac ");
	assert_token(s, "registration");
	assert_saved(0);
	key_job_free(k);
	key_job_free(s);
	hsm_close(&f->hsm);
}

static void
nothing_is_evicted_when_the_disk_is_full(void **state)
{
	struct fake *f = fake_new(HSM_TPM);
	struct key_job *k = job(KEY_KEEP, f);

	(void)state;
	snprintf(k->path, sizeof k->path, "%s/none/state", dir);
	assert_int_equal(run(k), HF_ERR_IO);
	assert_string_equal(f->did, "activate forget ");
	key_job_free(k);
	hsm_close(&f->hsm);
}

static void
others_only_save(void **state)
{
	struct fake *f = fake_new(HSM_SYMMETRIC);
	struct key_job *k = job(KEY_KEEP, f);

	(void)state;
	assert_int_equal(run(k), 0); /* nowhere to */
	strcpy(k->path, path);
	assert_int_equal(run(k), 0);
	assert_saved(0);
	assert_string_equal(f->did, "");
	key_job_free(k);
	hsm_close(&f->hsm);
}

static void
wait_for(struct key_job *k, struct work *w)
{
	struct pollfd p = { .fd = work_fd(w), .events = POLLIN };

	while (!key_job_done(k, w)) {
		assert_int_equal(poll(&p, 1, 10000), 1);
		work_clear(w);
	}
}

static void
what_blocks_runs_on_the_worker(void **state)
{
	struct hf_error e = { 0 };
	struct fake *f = fake_new(HSM_TPM), *g = fake_new(HSM_SYMMETRIC);
	struct work *w;
	struct key_job *k;
	sem_t hold;

	(void)state;
	sem_init(&hold, 0, 0);
	assert_int_equal(work_new(&w, &e), 0);
	f->hsm.blocks = 1;
	f->hold = &hold;
	k = job(KEY_SIGN, f);
	assert_int_equal(key_job_start(k, w, &e), 0);
	assert_false(key_job_done(k, w));
	sem_post(&hold);
	wait_for(k, w);
	assert_token(k, "registration");
	key_job_free(k);

	k = job(KEY_SIGN, g);
	assert_int_equal(key_job_start(k, NULL, &e), 0);
	assert_true(key_job_done(k, NULL));
	assert_token(k, "registration");
	key_job_drop(k, NULL);
	k = job(KEY_KEEP, g); /* a file may block too */
	strcpy(k->path, path);
	assert_int_equal(key_job_start(k, w, &e), 0);
	wait_for(k, w);
	assert_saved(0);
	key_job_free(k);
	hsm_close(&f->hsm);
	hsm_close(&g->hsm);
	work_free(w);
	sem_destroy(&hold);
}

/* Whoever asked has left: the job ends by itself, and what it worked with lives until then. */
static void
dropped_while_it_runs(void **state)
{
	struct hf_error e = { 0 };
	struct fake *f = fake_new(HSM_TPM);
	struct work *w;
	struct key_job *k;
	sem_t hold;
	atomic_int closed = 0;

	(void)state;
	sem_init(&hold, 0, 0);
	assert_int_equal(work_new(&w, &e), 0);
	f->hsm.blocks = 1;
	f->hold = &hold;
	f->closed = &closed;
	k = job(KEY_SIGN, f);
	assert_int_equal(key_job_start(k, w, &e), 0);
	usleep(20000);
	key_job_drop(k, w);
	key_job_drop(NULL, w);
	hsm_close(&f->hsm);
	assert_int_equal(closed, 0);
	work_free(w);
	sem_post(&hold);
	for (int i = 0; i < 500 && !closed; i++)
		usleep(10000);
	assert_int_equal(closed, 1);
	usleep(20000);
	sem_destroy(&hold);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_who_it_is),
		cmocka_unit_test(signs_a_token),
		cmocka_unit_test(answers_a_challenge_and_forgets_it),
		cmocka_unit_test(keeps_what_the_hub_gave_a_tpm),
		cmocka_unit_test(a_key_half_kept_is_kept_before_it_signs),
		cmocka_unit_test(nothing_is_evicted_when_the_disk_is_full),
		cmocka_unit_test(others_only_save),
		cmocka_unit_test(what_blocks_runs_on_the_worker),
		cmocka_unit_test(dropped_while_it_runs),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
