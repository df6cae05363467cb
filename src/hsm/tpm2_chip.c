#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include "hsm/tpm2.h"

/* All who name one TCTI share a connection: an ESYS context is not thread-safe, and swtpm serves one at a time. */
struct tpm2_chip {
	struct tpm2_chip *next;
	char *tcti;
	int users;
	pthread_mutex_t lock; /* of what follows */
	struct line *line;    /* NULL: not connected */
	unsigned connection;
	int broken;
};
struct line {
	TSS2_TCTI_CONTEXT *road;
	ESYS_CONTEXT *esys;
	struct line *older; /* of abandoned ones */
};
static struct tpm2_chip *chips;
static struct line *abandoned; /* of the process that this one was forked from */
static pthread_mutex_t chips_lock = PTHREAD_MUTEX_INITIALIZER;

static struct tpm2_chip *
new_chip(const char *tcti)
{
	struct tpm2_chip *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->tcti = strdup(tcti);
	if (c->tcti && pthread_mutex_init(&c->lock, NULL) == 0)
		return c;
	free(c->tcti);
	free(c);
	return NULL;
}

/* The last command and its answer stay in tss2's buffer: a password, a signature. It is wiped as it is about to be freed. */
static void
forget_commands(ESYS_CONTEXT *esys)
{
	TSS2_SYS_CONTEXT *sys = NULL;

	if (Esys_GetSysContext(esys, &sys) == TSS2_RC_SUCCESS && sys)
		OPENSSL_cleanse(sys, malloc_usable_size(sys));
}

static void
free_line(struct line *l)
{
	if (!l)
		return;
	if (l->esys) {
		forget_commands(l->esys);
		Esys_Finalize(&l->esys);
	}
	if (l->road)
		Tss2_TctiLdr_Finalize(&l->road);
	free(l);
}

static void
disconnect(struct tpm2_chip *c)
{
	struct line *l = c->line;

	c->line = NULL; /* first: a fork() may come in between */
	c->broken = 0;
	free_line(l);
}

static void
before_fork(void)
{
	pthread_mutex_lock(&chips_lock);
}

static void
after_fork(void)
{
	pthread_mutex_unlock(&chips_lock);
}

/* The descriptors of a connection, as far as its TCTI tells them. */
static void
close_ends(struct line *l)
{
	TSS2_TCTI_POLL_HANDLE end[4];
	size_t n = sizeof end / sizeof *end;

	if (Tss2_Tcti_GetPollHandles(l->road, end, &n))
		return;
	for (size_t i = 0; i < n; i++)
		if (end[i].fd > STDERR_FILENO)
			close(end[i].fd);
}

/*
 * A thread that is not here may have been in the middle of anything: the parent's connection is let go as it is. Its
 * descriptors are closed, or the parent could not hang up; to finalize it would be to speak on it.
 */
static void
abandon(struct tpm2_chip *c)
{
	struct line *l = c->line;

	pthread_mutex_init(&c->lock, NULL);
	c->broken = 0;
	if (!l)
		return;
	close_ends(l);
	l->older = abandoned;
	abandoned = l;
	c->line = NULL;
}

static void
in_child(void)
{
	pthread_mutex_init(&chips_lock, NULL);
	for (struct tpm2_chip *c = chips; c; c = c->next)
		abandon(c);
}

/*
 * Once in a process, under chips_lock. tss2 writes warnings to stderr by itself; this variable is all that it listens to,
 * and a user's own value stands.
 */
static int
prepare(void)
{
	static int done;

	if (done)
		return 0;
	if (pthread_atfork(before_fork, after_fork, in_child) != 0)
		return -1;
	setenv("TSS2_LOG", "all+NONE", 0);
	done = 1;
	return 0;
}

static struct tpm2_chip *
find_chip(const char *tcti)
{
	struct tpm2_chip *c = chips;

	while (c && strcmp(c->tcti, tcti) != 0)
		c = c->next;
	if (c || !(c = new_chip(tcti)))
		return c;
	c->next = chips;
	chips = c;
	return c;
}

int
tpm2_chip_open(struct tpm2_chip **out, const char *tcti, struct hf_error *err)
{
	struct tpm2_chip *c = NULL;

	pthread_mutex_lock(&chips_lock);
	if (prepare() == 0)
		c = find_chip(tcti);
	if (c)
		c->users++;
	pthread_mutex_unlock(&chips_lock);
	*out = c;
	return c ? 0 : err_memory(err);
}

void
tpm2_chip_close(struct tpm2_chip *c)
{
	struct tpm2_chip **at = &chips;

	pthread_mutex_lock(&chips_lock);
	if (--c->users == 0) {
		while (*at != c)
			at = &(*at)->next;
		*at = c->next;
		disconnect(c);
		pthread_mutex_destroy(&c->lock);
		free(c->tcti);
		free(c);
	}
	pthread_mutex_unlock(&chips_lock);
}

static const char *
name_of(const struct tpm2_chip *c)
{
	return *c->tcti ? c->tcti : "of this machine";
}

/* The loader does not say why: look at the device ourselves. */
static int
no_road(struct tpm2_chip *c, TSS2_RC rc, struct hf_error *err)
{
	const char *device = "/dev/tpmrm0";

	if (strncmp(c->tcti, "device:", 7) == 0)
		device = c->tcti + 7;
	else if (*c->tcti)
		return err_set(err, HF_ERR_KEY,
		    "TPM %s: cannot connect: %s (0x%x); is it running, is it free, and is this TCTI string right?",
		    c->tcti, Tss2_RC_Decode(rc), (unsigned)rc);
	if (access(device, F_OK) < 0)
		return err_set(err, HF_ERR_KEY,
		    "TPM %s: there is no %s; switch the TPM on in the firmware, or say where it is: --tpm=TCTI, or tcti= in a key's URI",
		    name_of(c), device);
	if (access(device, R_OK | W_OK) < 0)
		return err_set(err, HF_ERR_KEY,
		    "TPM %s: no permission to use %s; join the group tss, or say which TPM: --tpm=TCTI, or tcti= in a key's URI",
		    name_of(c), device);
	return err_set(err, HF_ERR_KEY, "TPM %s: cannot open %s: %s (0x%x); does another program hold it?",
	    name_of(c), device, Tss2_RC_Decode(rc), (unsigned)rc);
}

static int
connect_chip(struct tpm2_chip *c, struct hf_error *err)
{
	struct line *l = calloc(1, sizeof *l);
	TSS2_RC rc;

	if (!l)
		return err_memory(err);
	rc = Tss2_TctiLdr_Initialize(*c->tcti ? c->tcti : NULL, &l->road);
	if (rc) {
		free_line(l);
		return no_road(c, rc, err);
	}
	rc = Esys_Initialize(&l->esys, l->road, NULL);
	if (rc) {
		free_line(l);
		return err_set(err, HF_ERR_KEY, "TPM %s: cannot connect: %s (0x%x)", name_of(c),
		    Tss2_RC_Decode(rc), (unsigned)rc);
	}
	c->line = l;
	c->connection++;
	return 0;
}

static void
set_auths(struct tpm2_visitor *v, const TPM2B_AUTH *owner, const TPM2B_AUTH *endorsement)
{
	if (v->owner.size)
		Esys_TR_SetAuth(v->esys, ESYS_TR_RH_OWNER, owner);
	if (v->endorsement.size)
		Esys_TR_SetAuth(v->esys, ESYS_TR_RH_ENDORSEMENT, endorsement);
}

int
tpm2_enter(struct tpm2_visitor *v, struct hf_error *err)
{
	struct tpm2_chip *c = v->chip;
	int rc, fresh;

	pthread_mutex_lock(&c->lock);
	guard_begin(&v->guard);
	if (!c->line && (rc = connect_chip(c, err)) < 0) {
		guard_end(&v->guard);
		pthread_mutex_unlock(&c->lock);
		return rc;
	}
	v->esys = c->line->esys;
	fresh = v->connection != c->connection;
	v->connection = c->connection;
	set_auths(v, &v->owner, &v->endorsement);
	return fresh;
}

int
tpm2_is_cut(const struct tpm2_visitor *v)
{
	return v->chip->broken;
}

void
tpm2_leave(struct tpm2_visitor *v)
{
	const TPM2B_AUTH none = { 0 };

	set_auths(v, &none, &none);
	if (v->chip->broken)
		disconnect(v->chip);
	v->esys = NULL;
	guard_end(&v->guard);
	pthread_mutex_unlock(&v->chip->lock);
}

int
tpm2_said(TSS2_RC rc)
{
	TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
}

int
tpm2_is(TSS2_RC rc, TSS2_RC code)
{
	TSS2_RC bare = rc & ~TSS2_RC_LAYER_MASK;

	if (bare & TPM2_RC_FMT1)
		bare &= TPM2_RC_FMT1 | 0x3f;
	return tpm2_said(rc) && bare == code;
}

static const struct {
	TSS2_RC code;
	const char *text;
} advice[] = {
	{ TPM2_RC_LOCKOUT,
	    "too many wrong passwords were tried: wait, or reset it with tpm2_dictionarylockout -c" },
	{ TPM2_RC_OBJECT_MEMORY,
	    "others fill the TPM: use /dev/tpmrm0, or drop what they left: tpm2_flushcontext -t" },
	{ TPM2_RC_SESSION_MEMORY,
	    "others fill the TPM: use /dev/tpmrm0, or drop what they left: tpm2_flushcontext -l" },
	{ TPM2_RC_NV_SPACE, "no room for one more persistent key: see tpm2_getcap handles-persistent" },
	{ TPM2_RC_INTEGRITY, "it was made for another TPM, or under another parent, or altered on its way" },
	{ TPM2_RC_FAILURE, "the TPM has shut itself down: reset it, by power off and on" },
};

static const char *
advice_for(const struct tpm2_visitor *v, TSS2_RC rc)
{
	if (tpm2_is(rc, TPM2_RC_AUTH_FAIL) || tpm2_is(rc, TPM2_RC_BAD_AUTH))
		return v->ask;
	for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
		if (tpm2_is(rc, advice[i].code))
			return advice[i].text;
	return NULL;
}

int
tpm2_fail(struct tpm2_visitor *v, TSS2_RC rc, struct hf_error *err, const char *fmt, ...)
{
	const char *todo = advice_for(v, rc);
	char words[200];
	va_list ap;

	if (!tpm2_said(rc))
		v->chip->broken = 1;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	return err_set(err, HF_ERR_KEY, "TPM %s: cannot %s: %s (0x%x)%s%s", name_of(v->chip), words,
	    Tss2_RC_Decode(rc), (unsigned)rc, todo ? "; " : "", todo ? todo : "");
}

void
tpm2_flush(struct tpm2_visitor *v, ESYS_TR *tr)
{
	TSS2_RC rc = TSS2_RC_SUCCESS;

	if (*tr != ESYS_TR_NONE)
		rc = Esys_FlushContext(v->esys, *tr);
	if (rc && !tpm2_said(rc))
		rc = Esys_FlushContext(v->esys, *tr); /* nobody else will */
	if (rc)
		Esys_TR_Close(v->esys, tr);
	if (!tpm2_said(rc))
		v->chip->broken = 1;
	*tr = ESYS_TR_NONE;
}
