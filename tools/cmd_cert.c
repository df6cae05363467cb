#include <string.h>
#include "tool.h"

enum { DAYS = 365, DAYS_MAX = 36500 };

int
cmd_cert(struct tool *t)
{
	const char *key = tool_option(t, "key"), *subject = tool_given(t, "subject");
	long days = DAYS;
	char *pem;
	int status;

	if (t->argc != 1 || strcmp(t->argv[0], "self-signed") != 0)
		return tool_fail(t, HF_ERR_ARGS, "the certificates that are made here are: cert self-signed");
	if (key == NULL || subject == NULL)
		return tool_fail(t, HF_ERR_ARGS, "say whose certificate it is: --key URI --subject /CN=NAME");
	status = tool_number(t, "days", tool_given(t, "days"), DAYS_MAX, &days);
	if (status != 0)
		return status;
	if (hf_self_sign(t->hf, key, subject, (int)days, &pem) < 0)
		return tool_hf_fail(t);
	return tool_pem(t, "certificate", pem);
}
