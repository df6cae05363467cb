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
	TSS2_TCTI_CONTEXT *road;
	ESYS_CONTEXT *esys;
	unsigned connection;
	int broken;
};
static struct tpm2_chip *chips;
static pthread_mutex_t chips_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t quiet_once = PTHREAD_ONCE_INIT;

/* tss2 writes warnings to stderr by itself; this variable is all that it listens to. A user's own value stands. */
static void
quiet(void)
{
	setenv("TSS2_LOG", "all+NONE", 0);
}

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

int
tpm2_chip_open(struct tpm2_chip **out, const char *tcti, struct hf_error *err)
{
	struct tpm2_chip *c;

	pthread_once(&quiet_once, quiet);
	pthread_mutex_lock(&chips_lock);
	for (c = chips; c && strcmp(c->tcti, tcti) != 0;)
		c = c->next;
	if (!c && (c = new_chip(tcti))) {
		c->next = chips;
		chips = c;
	}
	if (c)
		c->users++;
	pthread_mutex_unlock(&chips_lock);
	*out = c;
	return c ? 0 : err_memory(err);
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
disconnect(struct tpm2_chip *c)
{
	if (c->esys) {
		forget_commands(c->esys);
		Esys_Finalize(&c->esys);
	}
	if (c->road)
		Tss2_TctiLdr_Finalize(&c->road);
	c->broken = 0;
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
		    "TPM %s: there is no %s; switch the TPM on in the firmware, or say where it is: --tpm=TCTI",
		    name_of(c), device);
	if (access(device, R_OK | W_OK) < 0)
		return err_set(err, HF_ERR_KEY,
		    "TPM %s: no permission to use %s; join the group tss, or say which TPM: --tpm=TCTI",
		    name_of(c), device);
	return err_set(err, HF_ERR_KEY, "TPM %s: cannot open %s: %s (0x%x); does another program hold it?",
	    name_of(c), device, Tss2_RC_Decode(rc), (unsigned)rc);
}

static int
connect_chip(struct tpm2_chip *c, struct hf_error *err)
{
	TSS2_RC rc;

	rc = Tss2_TctiLdr_Initialize(*c->tcti ? c->tcti : NULL, &c->road);
	if (rc)
		return no_road(c, rc, err);
	rc = Esys_Initialize(&c->esys, c->road, NULL);
	if (rc) {
		disconnect(c);
		return err_set(err, HF_ERR_KEY, "TPM %s: cannot connect: %s (0x%x)", name_of(c),
		    Tss2_RC_Decode(rc), (unsigned)rc);
	}
	c->connection++;
	return 0;
}

static void
set_auths(struct tpm2 *t, const TPM2B_AUTH *owner, const TPM2B_AUTH *endorsement)
{
	if (t->owner.size)
		Esys_TR_SetAuth(t->esys, ESYS_TR_RH_OWNER, owner);
	if (t->endorsement.size)
		Esys_TR_SetAuth(t->esys, ESYS_TR_RH_ENDORSEMENT, endorsement);
}

int
tpm2_enter(struct tpm2 *t, struct hf_error *err)
{
	struct tpm2_chip *c = t->chip;
	int rc;

	pthread_mutex_lock(&c->lock);
	if (!c->esys && (rc = connect_chip(c, err)) < 0) {
		pthread_mutex_unlock(&c->lock);
		return rc;
	}
	t->esys = c->esys;
	if (t->connection != c->connection) {
		t->ek.tr = t->srk.tr = t->kept.tr = t->active.tr = ESYS_TR_NONE;
		t->connection = c->connection;
	}
	set_auths(t, &t->owner, &t->endorsement);
	return 0;
}

void
tpm2_leave(struct tpm2 *t)
{
	const TPM2B_AUTH none = { 0 };

	set_auths(t, &none, &none);
	if (t->chip->broken) {
		tpm2_flush(t, &t->active.tr);
		disconnect(t->chip);
	}
	t->esys = NULL;
	pthread_mutex_unlock(&t->chip->lock);
}

static int
from_tpm(TSS2_RC rc)
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
	return from_tpm(rc) && bare == code;
}

static const struct {
	TSS2_RC code;
	const char *text;
} advice[] = {
	{ TPM2_RC_AUTH_FAIL,
	    "; has the hierarchy a password? --owner-auth-file and --endorsement-auth-file give it" },
	{ TPM2_RC_BAD_AUTH,
	    "; has the hierarchy a password? --owner-auth-file and --endorsement-auth-file give it" },
	{ TPM2_RC_LOCKOUT,
	    "; too many wrong passwords were tried: wait, or reset it with tpm2_dictionarylockout -c" },
	{ TPM2_RC_OBJECT_MEMORY,
	    "; others fill the TPM: use /dev/tpmrm0, or drop what they left: tpm2_flushcontext -t" },
	{ TPM2_RC_SESSION_MEMORY,
	    "; others fill the TPM: use /dev/tpmrm0, or drop what they left: tpm2_flushcontext -l" },
	{ TPM2_RC_NV_SPACE, "; no room for one more persistent key: see tpm2_getcap handles-persistent" },
	{ TPM2_RC_INTEGRITY, "; it was made for another TPM, or altered on its way" },
	{ TPM2_RC_FAILURE, "; the TPM has shut itself down: reset it, by power off and on" },
};

int
tpm2_fail(struct tpm2 *t, TSS2_RC rc, struct hf_error *err, const char *fmt, ...)
{
	const char *todo = "";
	char words[200];
	va_list ap;

	if (!from_tpm(rc))
		t->chip->broken = 1;
	for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
		if (tpm2_is(rc, advice[i].code))
			todo = advice[i].text;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	return err_set(err, HF_ERR_KEY, "TPM %s: cannot %s: %s (0x%x)%s", name_of(t->chip), words,
	    Tss2_RC_Decode(rc), (unsigned)rc, todo);
}

void
tpm2_flush(struct tpm2 *t, ESYS_TR *tr)
{
	TSS2_RC rc = TSS2_RC_SUCCESS;

	if (*tr != ESYS_TR_NONE)
		rc = Esys_FlushContext(t->esys, *tr);
	if (rc && !from_tpm(rc))
		rc = Esys_FlushContext(t->esys, *tr); /* nobody else will */
	if (rc)
		Esys_TR_Close(t->esys, tr);
	if (!from_tpm(rc))
		t->chip->broken = 1;
	*tr = ESYS_TR_NONE;
}
