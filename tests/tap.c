#define _GNU_SOURCE
#include "tap.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>

struct wire {
	TSS2_TCTI_CONTEXT_COMMON_V1 v1;
	TSS2_TCTI_CONTEXT *real;
	uint32_t canned;
	int cut;
};
struct tap tap;
static struct wire *current;

static const struct {
	uint32_t code;
	const char *name;
	int rsa, generates;
} known[] = {
	{ TPM2_CC_ReadPublic, "ReadPublic", 0, 0 },
	{ TPM2_CC_GetCapability, "GetCapability", 0, 0 },
	{ TPM2_CC_StartAuthSession, "StartAuthSession", 0, 0 },
	{ TPM2_CC_PolicySecret, "PolicySecret", 0, 0 },
	{ TPM2_CC_ActivateCredential, "ActivateCredential", 1, 0 },
	{ TPM2_CC_Import, "Import", 1, 0 },
	{ TPM2_CC_Load, "Load", 0, 0 },
	{ TPM2_CC_FlushContext, "FlushContext", 0, 0 },
	{ TPM2_CC_EvictControl, "EvictControl", 0, 0 },
	{ TPM2_CC_CreatePrimary, "CreatePrimary", 0, 1 },
	{ TPM2_CC_Create, "Create", 0, 1 },
	{ TPM2_CC_HMAC, "HMAC", 0, 0 },
	{ TPM2_CC_HMAC_Start, "HMAC_Start", 0, 0 },
	{ TPM2_CC_SequenceUpdate, "SequenceUpdate", 0, 0 },
	{ TPM2_CC_SequenceComplete, "SequenceComplete", 0, 0 },
	{ TPM2_CC_Startup, "Startup", 0, 0 },
};

const char *
tap_name(uint32_t code)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].code == code)
			return known[i].name;
	return "?";
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
put32(uint8_t *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> (24 - 8 * i));
}

static TSS2_RC
transmit(TSS2_TCTI_CONTEXT *c, size_t n, const uint8_t *p)
{
	struct wire *w = (struct wire *)c;
	uint32_t code = get32(p + 6);

	if (tap.commands < (int)(sizeof tap.code / sizeof *tap.code))
		tap.code[tap.commands] = code;
	tap.commands++;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].code == code) {
			tap.rsa += known[i].rsa;
			tap.generated += known[i].generates;
		}
	w->canned = 0;
	if (tap.fail_at && tap.commands >= tap.fail_at && tap.commands < tap.fail_at + tap.fail_count) {
		w->canned = tap.fail_with;
		w->cut = !tap.fail_with;
	}
	if (w->cut)
		return TSS2_TCTI_RC_IO_ERROR;
	return w->canned ? TSS2_RC_SUCCESS : Tss2_Tcti_Transmit(w->real, n, p);
}

static TSS2_RC
receive(TSS2_TCTI_CONTEXT *c, size_t *n, uint8_t *p, int32_t timeout)
{
	struct wire *w = (struct wire *)c;

	if (!w->canned)
		return Tss2_Tcti_Receive(w->real, n, p, timeout);
	*n = 10;
	if (!p)
		return TSS2_RC_SUCCESS;
	put32(p, (uint32_t)TPM2_ST_NO_SESSIONS << 16);
	put32(p + 2, 10);
	put32(p + 6, w->canned);
	w->canned = 0;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC
poll_handles(TSS2_TCTI_CONTEXT *c, TSS2_TCTI_POLL_HANDLE *ends, size_t *n)
{
	return Tss2_Tcti_GetPollHandles(((struct wire *)c)->real, ends, n);
}

TSS2_RC
Tss2_TctiLdr_Initialize(const char *conf, TSS2_TCTI_CONTEXT **out)
{
	TSS2_RC (*real)(const char *, TSS2_TCTI_CONTEXT **) = NULL;
	struct wire *w = calloc(1, sizeof *w);
	TSS2_RC rc;

	*(void **)&real = dlsym(RTLD_NEXT, "Tss2_TctiLdr_Initialize");
	rc = real(conf, &w->real);
	if (rc) {
		free(w);
		return rc;
	}
	w->v1.magic = 0x7461702074617021;
	w->v1.version = 1;
	w->v1.transmit = transmit;
	w->v1.receive = receive;
	w->v1.getPollHandles = poll_handles;
	current = w;
	*out = (TSS2_TCTI_CONTEXT *)w;
	return rc;
}

void
Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **c)
{
	void (*real)(TSS2_TCTI_CONTEXT **) = NULL;
	struct wire *w = (struct wire *)*c;

	if (!w)
		return;
	*(void **)&real = dlsym(RTLD_NEXT, "Tss2_TctiLdr_Finalize");
	real(&w->real);
	if (current == w)
		current = NULL;
	free(w);
	*c = NULL;
}

int
tap_handles(uint32_t first)
{
	uint8_t p[4096] = { 0x80, 0x01, 0, 0, 0, 22 };
	size_t n = sizeof p;

	if (!current)
		return -1;
	put32(p + 6, TPM2_CC_GetCapability);
	put32(p + 10, TPM2_CAP_HANDLES);
	put32(p + 14, first);
	put32(p + 18, 64);
	if (Tss2_Tcti_Transmit(current->real, 22, p) ||
	    Tss2_Tcti_Receive(current->real, &n, p, TSS2_TCTI_TIMEOUT_BLOCK) || n < 19 || get32(p + 6))
		return -1;
	return (int)get32(p + 15);
}
