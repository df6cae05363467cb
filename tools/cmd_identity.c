#include "tool.h"

int
cmd_identity(struct tool *t)
{
	struct hf_who w;
	json_t *j;

	if (t->argc > 0)
		return tool_fail(t, HF_ERR_ARGS, "\"%s\" is one argument too many", t->argv[0]);
	if (tool_settings(t, 1) < 0 || hf_identify(t->hf, &w) < 0)
		return tool_hf_fail(t);
	j = json_pack("{s:s s:s}", "kind", w.kind, "registration_id", w.registration_id);
	if (j != NULL && w.endorsement_key[0] != '\0') {
		json_object_set_new(j, "endorsement_key", json_string(w.endorsement_key));
		json_object_set_new(j, "storage_root_key", json_string(w.storage_root_key));
	}
	if (j != NULL && w.subject[0] != '\0') {
		json_object_set_new(j, "subject", json_string(w.subject));
		json_object_set_new(j, "thumbprint_sha1", json_string(w.thumbprint_sha1));
		json_object_set_new(j, "thumbprint_sha256", json_string(w.thumbprint_sha256));
	}
	return tool_print(t, j);
}
