#include "tool.h"

static json_t *
result(const struct hf_event *ev)
{
	json_t *j = json_pack("{s:s s:s s:s}", "registration_id", ev->registration_id, "assigned_hub",
	    ev->hub, "device_id", ev->device_id);

	if (j != NULL && ev->substatus[0] != '\0')
		json_object_set_new(j, "substatus", json_string(ev->substatus));
	if (j != NULL && ev->payload[0] != '\0')
		json_object_set_new(j, "payload", json_loads(ev->payload, JSON_DECODE_ANY, NULL));
	return j;
}

int
cmd_register(struct tool *t)
{
	struct hf_event ev;

	if (t->argc > 0)
		return tool_fail(t, HF_ERR_ARGS, "\"%s\" is one argument too many", t->argv[0]);
	if (tool_settings(t, 1) < 0 || hf_register(t->hf) < 0 || hf_wait(t->hf, HF_REGISTERED, -1, &ev) < 0)
		return tool_hf_fail(t);
	return tool_print(t, result(&ev));
}
