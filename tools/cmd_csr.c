#include "tool.h"

int
cmd_csr(struct tool *t)
{
	const char *key = tool_option(t, "key"), *subject = tool_given(t, "subject");
	char *pem;

	if (t->argc > 0)
		return tool_fail(t, HF_ERR_ARGS, "\"%s\" is one argument too many", t->argv[0]);
	if (key == NULL || subject == NULL)
		return tool_fail(t, HF_ERR_ARGS, "say whose request it is: --key URI --subject /CN=NAME");
	if (hf_csr(t->hf, key, subject, &pem) < 0)
		return tool_hf_fail(t);
	return tool_pem(t, "request", pem);
}
