#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"

uint64_t
dps_hash(const char *id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *id; id++)
		h = (h ^ (uint64_t)tolower((unsigned char)*id)) * UINT64_C(0x100000001b3);
	return h;
}

/* May this hub be chosen? An enrollment that names none takes any. */
static int
allowed(const json_t *enrollment, const char *hub)
{
	const json_t *hubs = js_get(enrollment, "iotHubs");
	const char *one = js_str(enrollment, "iotHubHostName", NULL);
	size_t i;

	if (one)
		return str_eqi(one, hub);
	for (i = 0; i < json_array_size(hubs); i++) {
		if (str_eqi(json_string_value(json_array_get(hubs, i)), hub))
			return 1;
	}
	return json_array_size(hubs) == 0;
}

size_t
dps_candidates(const struct config *conf, const json_t *enrollment, const char *hub[MAX_NAMES])
{
	size_t i, n = 0;

	for (i = 0; i < conf->hubs; i++) {
		if (allowed(enrollment, conf->hub[i]))
			hub[n++] = conf->hub[i];
	}
	return n;
}

static const char *
find(const char *const hub[MAX_NAMES], size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (str_eqi(hub[i], name))
			return hub[i];
	}
	return NULL;
}

const char *
dps_allocate(const struct config *conf, const struct claim *claim)
{
	const char *policy = js_str(claim->enrollment, "allocationPolicy", "hashed");
	const char *hub[MAX_NAMES], *nearest = NULL;
	size_t n = dps_candidates(conf, claim->enrollment, hub);

	if (n == 0)
		return NULL;
	if (strcmp(policy, "static") == 0)
		return hub[0];
	if (strcmp(policy, "geoLatency") == 0)
		nearest = find(hub, n, conf->nearest);
	return nearest ? nearest : hub[dps_hash(claim->id) % n];
}

const char *
dps_answered(
    const struct config *conf, const struct claim *claim, const json_t *answer, char *why, size_t cap)
{
	const json_t *body = js_get(answer, "body");
	const char *hub[MAX_NAMES], *said = js_str(body, "iotHubHostName", NULL), *found;
	int status = (int)js_int(answer, "status", 0);
	size_t n = dps_candidates(conf, claim->enrollment, hub);

	if (status == 0)
		snprintf(why, cap, "Custom allocation failed: %s", js_str(answer, "error", ""));
	else if (status < 200 || status > 299)
		snprintf(why, cap, "Custom allocation failed with status code: %d", status);
	else if (!said)
		snprintf(why, cap, "Custom allocation failed: the answer has no iotHubHostName");
	else if ((found = find(hub, n, said)) != NULL)
		return found;
	else
		snprintf(why, cap, "Custom allocation failed: '%.200s' is not one of the linked hubs", said);
	return NULL;
}

/* As a webhook sees it, the etag is plain and in its quotes. */
static void
unwrap_etag(json_t *enrollment)
{
	const char *etag = js_str(enrollment, "etag", "");
	struct buf b = { 0 };

	if (b64_get(&b, etag, strlen(etag)) == 0 && buf_size(&b) > 0)
		json_object_set_new(
		    enrollment, "etag", json_stringn((const char *)buf_data(&b), buf_size(&b)));
	buf_free(&b);
}

static json_t *
context(const struct claim *claim, const json_t *record, const json_t *payload)
{
	json_t *o = json_pack("{s:s, s:s*, s:s*, s:{}}", "registrationId", claim->id, "currentIotHubHostName",
	    js_str(record, "assignedHub", NULL), "currentDeviceId", js_str(record, "deviceId", NULL),
	    claim->kind);

	if (payload)
		json_object_set_new(o, "payload", json_deep_copy(payload));
	return o;
}

json_t *
dps_question(
    const struct config *conf, const struct claim *claim, const json_t *record, const json_t *payload)
{
	json_t *shown = enrollment_show(claim->enrollment), *linked = json_array();
	const char *hub[MAX_NAMES];
	size_t i, n = dps_candidates(conf, claim->enrollment, hub);

	unwrap_etag(shown);
	for (i = 0; i < n; i++)
		json_array_append_new(linked, json_string(hub[i]));
	return json_pack("{s:o, s:o, s:o}", *claim->group ? "enrollmentGroup" : "individualEnrollment", shown,
	    "deviceRuntimeContext", context(claim, record, payload), "linkedHubs", linked);
}
