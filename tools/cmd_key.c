#include <stdlib.h>
#include <string.h>
#include "tool.h"

static int
make(struct tool *t)
{
	const char *type = tool_given(t, "type");
	char *uri = NULL;
	int status = 0;

	if (t->argc != 2)
		return tool_fail(t, HF_ERR_ARGS,
		    "say where: key make tpm2:handle=0x81000201, or key make pkcs11:token=NAME;object=NAME");
	if (hf_key_make(t->hf, t->argv[1], type != NULL ? type : "p256", &uri) < 0)
		return tool_hf_fail(t);
	if (t->json)
		status = tool_print(t, json_pack("{s:s}", "key", uri));
	else
		puts(uri);
	free(uri);
	return status;
}

static void
add(void *ctx, const char *uri, const char *what)
{
	json_array_append_new(ctx, json_pack("{s:s s:s}", "key", uri, "is", what));
}

static void
show_line(void *ctx, const char *uri, const char *what)
{
	(void)ctx;
	printf("%-16s %s\n", what, uri);
}

static int
list(struct tool *t)
{
	json_t *keys = t->json ? json_array() : NULL;

	if (t->argc != 2)
		return tool_fail(t, HF_ERR_ARGS, "say where: key list tpm2:, or key list pkcs11:token=NAME");
	if (hf_key_list(t->hf, t->argv[1], t->json ? add : show_line, keys) < 0) {
		json_decref(keys);
		return tool_hf_fail(t);
	}
	return t->json ? tool_print(t, json_pack("{s:o}", "keys", keys)) : 0;
}

static int
show(struct tool *t)
{
	const char *key = tool_option(t, "key");
	char *pem;

	if (t->argc != 1)
		return tool_fail(t, HF_ERR_ARGS, "\"%s\" is one argument too many", t->argv[1]);
	if (key == NULL)
		return tool_fail(t, HF_ERR_ARGS, "say which key: --key URI");
	if (hf_key_public(t->hf, key, &pem) < 0)
		return tool_hf_fail(t);
	return tool_pem(t, "public_key", pem);
}

int
cmd_key(struct tool *t)
{
	const char *what = t->argc > 0 ? t->argv[0] : "";

	if (strcmp(what, "make") == 0)
		return make(t);
	if (strcmp(what, "list") == 0)
		return list(t);
	if (strcmp(what, "show") == 0)
		return show(t);
	return tool_fail(t, HF_ERR_ARGS, "say what to do with keys: make, list or show");
}
