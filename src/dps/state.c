#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "dps/dps_client.h"

#define STATE_MAX 65536

void
dps_state_fini(struct dps_state *s)
{
	buf_free(&s->wrapped);
	memset(s, 0, sizeof(*s));
}

int
dps_state_copy(struct dps_state *dst, const struct dps_state *src)
{
	struct dps_state s = *src;

	memset(&s.wrapped, 0, sizeof(s.wrapped));
	if (buf_size(&src->wrapped) > 0 &&
	    buf_put(&s.wrapped, buf_data(&src->wrapped), buf_size(&src->wrapped)) < 0)
		return HF_ERR_MEMORY;
	dps_state_fini(dst);
	*dst = s;
	return 0;
}

static int
put(struct buf *out, const struct dps_state *s)
{
	json_t *j = json_pack("{s:i s:s s:s s:s s:s s:s s:I}", "holdfast", 1, "idScope", s->scope,
	    "registrationId", s->registration_id, "assignedHub", s->hub, "deviceId", s->device, "identity",
	    s->identity, "assignedAt", (json_int_t)s->at);
	struct buf b64 = { 0 };
	int rc = HF_ERR_MEMORY;

	if (j == NULL)
		return HF_ERR_MEMORY;
	if (s->handle[0] != '\0' && json_object_set_new(j, "keyHandle", json_string(s->handle)) < 0)
		goto fail;
	if (buf_size(&s->wrapped) > 0) {
		if (b64_put(&b64, buf_data(&s->wrapped), buf_size(&s->wrapped)) < 0 ||
		    buf_str(&b64) == NULL ||
		    json_object_set_new(j, "wrappedKey", json_string(buf_str(&b64))) < 0)
			goto fail;
	}
	rc = js_put(out, j);
fail:
	buf_free(&b64);
	json_decref(j);
	return rc;
}

static int
get(struct dps_state *s, const struct buf *in, const char *path, struct hf_error *e)
{
	struct hf_error why = { 0 };
	json_t *j = js_parse(buf_data(in), buf_size(in), "state file", &why);
	const char *wrapped;
	int rc = HF_ERR_STATE;

	if (why.code == HF_ERR_MEMORY)
		rc = why.code;
	if (j == NULL || js_int(j, "holdfast", 0) != 1)
		goto fail;
	if (str_fmt(s->scope, sizeof(s->scope), "%s", js_str(j, "idScope", "")) < 0 ||
	    str_fmt(s->registration_id, sizeof(s->registration_id), "%s", js_str(j, "registrationId", "")) <
		0 ||
	    str_fmt(s->hub, sizeof(s->hub), "%s", js_str(j, "assignedHub", "")) < 0 ||
	    str_fmt(s->device, sizeof(s->device), "%s", js_str(j, "deviceId", "")) < 0 ||
	    str_fmt(s->identity, sizeof(s->identity), "%s", js_str(j, "identity", "")) < 0 ||
	    str_fmt(s->handle, sizeof(s->handle), "%s", js_str(j, "keyHandle", "")) < 0 ||
	    s->hub[0] == '\0' || s->device[0] == '\0' || s->identity[0] == '\0')
		goto fail;
	s->at = js_int(j, "assignedAt", 0);
	wrapped = js_str(j, "wrappedKey", "");
	rc = b64_get(&s->wrapped, wrapped, strlen(wrapped));
fail:
	json_decref(j);
	if (rc == HF_ERR_MEMORY)
		return err_memory(e);
	if (rc < 0)
		return err_set(e, HF_ERR_STATE,
		    "state file %s was not written by Holdfast, or is damaged; name another with --state, or "
		    "remove it and register again",
		    path);
	return 0;
}

int
dps_state_load(struct dps_state *s, const char *path, struct hf_error *e)
{
	struct buf in = { 0 };
	int rc;

	if (!file_exists(path))
		return 0;
	rc = file_read(&in, path, STATE_MAX, "state file", e);
	if (rc == 0)
		rc = get(s, &in, path, e);
	buf_free(&in);
	if (rc < 0)
		dps_state_fini(s);
	return rc < 0 ? rc : 1;
}

int
dps_state_save(const struct dps_state *s, const char *path, struct hf_error *e)
{
	struct buf out = { 0 };
	int rc = put(&out, s);

	if (rc == 0)
		rc = buf_putc(&out, '\n');
	if (rc < 0)
		err_memory(e);
	else
		rc = file_replace(path, buf_data(&out), buf_size(&out), "state file", e);
	buf_free(&out);
	return rc;
}

static int
differs(const char *wanted, const char *have)
{
	return wanted != NULL && wanted[0] != '\0' && !str_eqi(wanted, have);
}

int
dps_state_fits(const struct dps_state *s, const char *path, const char *scope, const char *id,
    const char *identity, struct hf_error *e)
{
	if (differs(identity, s->identity))
		return err_set(e, HF_ERR_STATE,
		    "state file %s belongs to another key (that of %s); give each device a "
		    "file of its own with --state",
		    path, s->registration_id);
	if (differs(id, s->registration_id))
		return err_set(e, HF_ERR_STATE,
		    "state file %s belongs to registration id %s, not %s; give each device a "
		    "file of its own with --state",
		    path, s->registration_id, id);
	if (differs(scope, s->scope))
		return err_set(e, HF_ERR_STATE,
		    "state file %s belongs to ID scope %s, not %s; give each device a "
		    "file of its own with --state",
		    path, s->scope, scope);
	return 0;
}
