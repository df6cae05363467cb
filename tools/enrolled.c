#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

static int
is_group(const struct tool *t)
{
	return tool_given(t, "group") != NULL;
}

/* One request; *answer is its JSON. */
static int
ask(struct tool *t, const char *secret, const struct hf_call *q, char **more, json_t **answer)
{
	char *text = NULL;

	*answer = NULL;
	if (hf_service(t->hf, secret, q, more, &text) < 0)
		return tool_hf_fail(t);
	*answer = json_loads(text[0] != '\0' ? text : "{}", 0, NULL);
	tool_forget(text);
	return *answer != NULL ? 0 : tool_fail(t, HF_ERR_PROTOCOL, "DPS's answer is not JSON");
}

static const char *
word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static const char *
name_of(const json_t *o)
{
	const char *group = word(o, "enrollmentGroupId");

	return group[0] != '\0' ? group : word(o, "registrationId");
}

static void
print_row(const struct tool *t, json_t *o)
{
	const json_t *state = json_object_get(o, "registrationState");

	if (t->json)
		tool_print(t, json_incref(o));
	else
		printf("%-32s %-13s %-9s %s\n", name_of(o), word(json_object_get(o, "attestation"), "type"),
		    word(o, "provisioningStatus"), word(state, "assignedHub"));
}

static int
list(struct tool *t, const char *secret)
{
	const struct hf_call q = { .method = "POST",
		.path = is_group(t) ? "/enrollmentGroups/query" : "/enrollments/query",
		.body = "{\"query\":\"SELECT * FROM enrollments\"}" };
	char *more = NULL;
	json_t *page, *o;
	int status;
	size_t i;

	do {
		status = ask(t, secret, &q, &more, &page);
		json_array_foreach(page, i, o) print_row(t, o);
		json_decref(page);
	} while (status == 0 && more != NULL);
	free(more);
	return status;
}

/* The path of the enrollment that is named, with something behind it. */
static int
path_to(struct tool *t, char *dst, size_t cap, const char *tail)
{
	const char *id = t->argc > 1 ? t->argv[1] : tool_option(t, "registration-id");
	int n = snprintf(dst, cap, "/%s/%s%s", is_group(t) ? "enrollmentGroups" : "enrollments",
	    id != NULL ? id : "", tail);

	if (id == NULL || id[0] == '\0' || strchr(id, '/') != NULL || n < 0 || (size_t)n >= cap)
		return tool_fail(t, HF_ERR_ARGS, "which enrollment? say enroll %s ID", t->argv[0]);
	return 0;
}

static json_t *
summary(const json_t *o)
{
	const json_t *state = json_object_get(o, "registrationState");

	return json_pack("{s:s s:s s:s s:s s:s s:s s:s s:s}", "enrolled", name_of(o), "as",
	    word(json_object_get(o, "attestation"), "type"), "status", word(o, "provisioningStatus"),
	    "allocation", word(o, "allocationPolicy"), "hub", word(state, "assignedHub"), "device_id",
	    word(state, "deviceId"), "updated", word(o, "lastUpdatedDateTimeUtc"), "etag", word(o, "etag"));
}

static int
print_one(const struct tool *t, json_t *o)
{
	return tool_print(t, t->json ? json_incref(o) : summary(o));
}

static int
show(struct tool *t, const char *secret)
{
	char path[200];
	struct hf_call q = { .method = "GET", .path = path };
	json_t *o = NULL, *keys = NULL;
	int status = path_to(t, path, sizeof(path), "");

	if (status == 0)
		status = ask(t, secret, &q, NULL, &o);
	if (status == 0 && tool_given(t, "keys") != NULL) {
		q.method = "POST";
		status = path_to(t, path, sizeof(path), "/attestationmechanism");
		if (status == 0)
			status = ask(t, secret, &q, NULL, &keys);
		json_object_set(o, "attestation", keys);
		t->json = 1;
	}
	if (status == 0)
		status = print_one(t, o);
	json_decref(o);
	json_decref(keys);
	return status;
}

/* RFC 7386: members of the patch replace, null removes, objects are gone into. */
static json_t *
merged(json_t *old, json_t *patch)
{
	json_t *out, *v;
	const char *key;

	if (!json_is_object(patch))
		return json_incref(patch);
	out = json_is_object(old) ? json_copy(old) : json_object();
	json_object_foreach(patch, key, v)
	{
		if (json_is_null(v))
			json_object_del(out, key);
		else
			json_object_set_new(out, key, merged(json_object_get(out, key), v));
	}
	return out;
}

static json_t *
read_patch(struct tool *t, int *status)
{
	const char *given = t->argc > 2 ? t->argv[2] : "-";
	char *text = strcmp(given, "-") == 0 ? tool_read(t, "-", "change", status) : strdup(given);
	json_error_t why;
	json_t *o;

	if (text == NULL)
		return NULL;
	o = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	tool_forget(text);
	if (!json_is_object(o)) {
		json_decref(o);
		o = NULL;
		*status = tool_fail(t, HF_ERR_ARGS, "the change is not a JSON object: %s", why.text);
	}
	return o;
}

/* What is there now, with the change in it; it is put on the condition that nobody else has changed it meanwhile. */
static int
update(struct tool *t, const char *secret)
{
	const char *etag = tool_given(t, "etag");
	char path[200], *body = NULL;
	json_t *patch, *old = NULL, *new = NULL, *answer = NULL;
	int status = path_to(t, path, sizeof(path), "");

	if (status != 0)
		return status;
	if ((patch = read_patch(t, &status)) == NULL)
		return status;
	status = ask(t, secret, &(struct hf_call){ .method = "GET", .path = path }, NULL, &old);
	if (status == 0) {
		new = merged(old, patch);
		body = json_dumps(new, JSON_COMPACT);
		status = body != NULL ? 0 : tool_fail(t, HF_ERR_MEMORY, "out of memory");
	}
	if (status == 0)
		status = ask(t, secret,
		    &(struct hf_call){ "PUT", path, body, etag ? etag : word(old, "etag") }, NULL, &answer);
	if (status == 0)
		status = print_one(t, answer);
	tool_forget(body);
	json_decref(patch);
	json_decref(old);
	json_decref(new);
	json_decref(answer);
	return status;
}

static int delete (struct tool *t, const char *secret)
{
	char path[200];
	json_t *answer = NULL;
	int status = path_to(t, path, sizeof(path), "");

	if (status == 0)
		status = ask(t, secret, &(struct hf_call){ "DELETE", path, NULL, tool_given(t, "etag") },
		    NULL, &answer);
	json_decref(answer);
	return status != 0 ? status : tool_print(t, json_pack("{s:s}", "deleted", strrchr(path, '/') + 1));
}

static const struct verb {
	const char *name;
	int (*run)(struct tool *, const char *secret);
	int operands;
} verbs[] = { { "list", list, 0 }, { "show", show, 1 }, { "update", update, 2 }, { "delete", delete, 1 } };

static const struct verb *
verb_of(const struct tool *t)
{
	for (size_t i = 0; i < 4 && t->argc > 0; i++)
		if (strcmp(verbs[i].name, t->argv[0]) == 0)
			return &verbs[i];
	return NULL;
}

int
enrolled_is(const struct tool *t)
{
	return verb_of(t) != NULL;
}

int
enrolled(struct tool *t, const char *secret)
{
	const struct verb *verb = verb_of(t);

	if (t->argc - 1 > verb->operands)
		return tool_fail(t, HF_ERR_ARGS, "\"%s\" is one argument too many", t->argv[t->argc - 1]);
	return verb->run(t, secret);
}
