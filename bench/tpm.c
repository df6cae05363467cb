/*
 * What a device with a TPM asks of it: a tap on the way to the TPM counts.
 *
 *	HOLDFAST_SERVICE=... bench-tpm NAME=VALUE...
 *
 * Prints, for the first boot (keys are made), an onboarding with EK and SRK in place, and a renewal of the SAS token, the
 * number of commands of each kind: "onboarding ReadPublic 2 Import 2 ...".
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "holdfast.h"
#include "tests/tap.h"

static char **setting;

static struct hf *
begin(void)
{
	struct hf *h = hf_new();
	char **s, *equals;

	if (h == NULL)
		errx(1, "out of memory");
	for (s = setting; *s != NULL; s++) {
		if ((equals = strchr(*s, '=')) == NULL)
			errx(2, "%s is not NAME=VALUE", *s);
		*equals = '\0';
		if (hf_set(h, *s, equals + 1) < 0)
			errx(1, "%s", hf_error(h)->text);
		*equals = '=';
	}
	memset(&tap, 0, sizeof tap);
	return h;
}

static void
enroll(const char *service)
{
	struct hf *h = begin();
	struct hf_enrollment n = { .kind = HF_ENROLL_TPM };
	struct hf_who who;

	if (hf_identify(h, &who) < 0)
		errx(1, "%s", hf_error(h)->text);
	n.endorsement_key = strdup(who.endorsement_key);
	n.id = strdup(who.registration_id);
	if (n.endorsement_key == NULL || n.id == NULL || hf_enroll(h, service, &n, NULL) < 0)
		errx(1, "%s", hf_error(h)->text);
	free((char *)n.endorsement_key);
	free((char *)n.id);
	hf_free(h);
}

static void
tell(const char *what)
{
	int most = (int)(sizeof tap.code / sizeof *tap.code), n = tap.commands < most ? tap.commands : most,
	    i, j, same;

	printf("%s commands %d rsa %d", what, tap.commands, tap.rsa);
	for (i = 0; i < n; i++) {
		for (j = 0; j < i && tap.code[j] != tap.code[i]; j++)
			;
		if (j < i)
			continue;
		for (same = 0; j < n; j++)
			same += tap.code[j] == tap.code[i];
		printf(" %s %d", tap_name(tap.code[i]), same);
	}
	printf("\n");
	memset(&tap, 0, sizeof tap);
}

static void
await(struct hf *h, int rc, enum hf_event_type what)
{
	if (rc < 0 || hf_wait(h, what, 60000, NULL) < 0)
		errx(1, "%s", hf_error(h)->text);
}

static void
onboard(const char *what)
{
	struct hf *h = begin();

	await(h, hf_register(h), HF_REGISTERED);
	tell(what);
	await(h, hf_connect(h), HF_CONNECTED);
	tell("first-token");
	hf_disconnect(h);
	await(h, hf_connect(h), HF_CONNECTED);
	tell("renewal");
	hf_free(h);
}

int
main(int argc, char **argv)
{
	const char *service = getenv("HOLDFAST_SERVICE");

	if (argc < 2 || service == NULL)
		errx(2, "usage: HOLDFAST_SERVICE=... bench-tpm NAME=VALUE...");
	setting = argv + 1;
	enroll(service);
	onboard("first-boot");
	onboard("onboarding");
	return 0;
}
