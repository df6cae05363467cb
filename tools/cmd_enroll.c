#define _GNU_SOURCE /* secure_getenv */
#include <stdlib.h>
#include <string.h>
#include "tool.h"

static const char *const kinds[] = { "tpm", "x509", "symmetric", "group-x509", "group-symmetric" };

static int
kind_of(const char *name)
{
	for (int i = 0; i < 5; i++)
		if (strcmp(kinds[i], name) == 0)
			return i;
	return -1;
}

/* The service's connection string: a file's, or the environment's own text. */
static char *
service(const struct tool *t, int *status)
{
	const char *text = secure_getenv("HOLDFAST_SERVICE"), *file = tool_given(t, "service");
	char *copy;

	if (file != NULL)
		return tool_read(t, file, "service connection string", status);
	if (text == NULL) {
		*status = tool_fail(t, HF_ERR_ARGS,
		    "no service connection string; give a file with it by --service, or set HOLDFAST_SERVICE");
		return NULL;
	}
	copy = strdup(text);
	*status = copy == NULL ? tool_fail(t, HF_ERR_MEMORY, "out of memory") : 0;
	return copy;
}

static char *
material(const struct tool *t, const char *option, const char *what, int *status)
{
	const char *path = tool_option(t, option);

	return path == NULL || *status != 0 ? NULL : tool_read(t, path, what, status);
}

/* Creates, or replaces. */
static int
put(struct tool *t, const char *secret, int kind)
{
	struct hf_enrollment n = { .kind = (enum hf_enrollment_kind)kind,
		.id = tool_option(t, "registration-id"),
		.device_id = tool_option(t, "device-id"),
		.endorsement_key = tool_option(t, "endorsement-key") };
	char *cert = NULL, *key = NULL, *answer = NULL;
	int status = 0;

	if (n.id == NULL)
		return tool_fail(t, HF_ERR_ARGS, "no name; give it by --registration-id");
	n.certificate = cert = material(t, "cert", "certificate", &status);
	n.symmetric_key = key = material(t, "symmetric-key", "symmetric key", &status);
	if (status == 0 && hf_enroll(t->hf, secret, &n, &answer) < 0)
		status = tool_hf_fail(t);
	if (status == 0)
		status = tool_print(t, t->json ? json_loads(answer, 0, NULL)
					       : json_pack("{s:s s:s}", "enrolled", n.id, "as", kinds[kind]));
	tool_forget(key);
	free(cert);
	free(answer);
	return status;
}

int
cmd_enroll(struct tool *t)
{
	int kind = t->argc == 1 ? kind_of(t->argv[0]) : -1, status = 0;
	char *secret;

	if (kind < 0 && !enrolled_is(t))
		return tool_fail(t, HF_ERR_ARGS,
		    "say what to enroll: tpm, x509, symmetric, group-x509 or group-symmetric; or what to do with "
		    "what is enrolled: list, show, update or delete");
	if ((secret = service(t, &status)) == NULL)
		return status;
	if (tool_settings(t, 0) < 0)
		status = tool_hf_fail(t);
	else
		status = kind < 0 ? enrolled(t, secret) : put(t, secret, kind);
	tool_forget(secret);
	return status;
}
