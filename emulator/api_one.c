#include <string.h>
#include "api.h"
#include "base/json.h"
#include "base/str.h"

static int
check_match(struct call *c, const json_t *stored)
{
	const char *want = http_header(c->m, "If-Match");

	if (!want || (stored && etag_matches(js_str(stored, "etag", ""), want)))
		return 0;
	return refuse(&c->err, API_STALE, "Precondition failed: If-Match is %.100s; what is stored %s", want,
	    stored ? "has another etag" : "is not there");
}

/* Who says no etag means to create. */
static int
check_put(struct call *c, const json_t *stored)
{
	if (stored && !http_header(c->m, "If-Match"))
		return refuse(&c->err, API_EXISTS,
		    "Enrollment already exists: '%s'; an update says which one in If-Match", c->id);
	return check_match(c, stored);
}

static int
answer(struct call *c, const json_t *source, json_t *body)
{
	if (!body)
		return err_memory(&c->err);
	c->reply->status = 200;
	c->reply->body = body;
	str_fmt(c->reply->etag, sizeof c->reply->etag, "%s", js_str(source, "etag", ""));
	return 0;
}

/* A registration's record without what only we need. */
json_t *
api_show_record(const json_t *record)
{
	json_t *o = json_deep_copy(record);

	json_object_del(o, "attestation");
	json_object_del(o, "enrollmentGroupId");
	return o;
}

json_t *
api_show(struct call *c, const char *id, const json_t *enrollment)
{
	json_t *o = enrollment_show(enrollment), *record = NULL;
	int r = 0;

	if (!o)
		err_memory(&c->err);
	else if (!c->group)
		r = registry_registration(c->e->registry, id, &record, &c->err);
	if (r > 0)
		json_object_set_new(o, "registrationState", api_show_record(record));
	json_decref(record);
	if (r >= 0)
		return o;
	json_decref(o);
	return NULL;
}

static int
show(struct call *c, const json_t *enrollment)
{
	json_t *o = api_show(c, c->id, enrollment);

	return o ? answer(c, enrollment, o) : c->err.code;
}

int
api_find(struct call *c, json_t **stored)
{
	int r = registry_enrollment(c->e->registry, c->group, c->id, stored, &c->err);

	if (r != 0)
		return r;
	return refuse(
	    &c->err, API_NOT_FOUND, "there is no enrollment%s '%s'", c->group ? " group" : "", c->id);
}

static int
stamp(struct call *c, const json_t *old, json_t *fresh)
{
	char now[32], etag[128];

	clock_iso(c->e->now.wall, now);
	etag_new(etag);
	if (json_object_set_new(
		fresh, "createdDateTimeUtc", json_string(js_str(old, "createdDateTimeUtc", now))) < 0 ||
	    json_object_set_new(fresh, "lastUpdatedDateTimeUtc", json_string(now)) < 0 ||
	    json_object_set_new(fresh, "etag", json_string(etag)) < 0)
		return err_memory(&c->err);
	return 0;
}

int
api_store(struct call *c, const json_t *put, const json_t *old, json_t **fresh)
{
	int r = enrollment_read(&c->e->conf, c->group, c->id, put, old, fresh, &c->err);

	if (r == 0)
		r = stamp(c, old, *fresh);
	if (r == 0)
		r = registry_enrollment_put(c->e->registry, c->group, c->id, *fresh, &c->err);
	return r;
}

int
api_put_enrollment(struct call *c)
{
	json_t *put = api_body(c, "the enrollment"), *old = NULL, *fresh = NULL;
	int r;

	if (!put)
		return c->err.code;
	r = registry_enrollment(c->e->registry, c->group, c->id, &old, &c->err);
	if (r >= 0)
		r = check_put(c, old);
	if (r == 0)
		r = api_store(c, put, old, &fresh);
	if (r == 0)
		r = show(c, fresh);
	json_decref(put);
	json_decref(old);
	json_decref(fresh);
	return r;
}

int
api_get_enrollment(struct call *c)
{
	json_t *stored = NULL;
	int r = api_find(c, &stored);

	if (r > 0)
		r = show(c, stored);
	json_decref(stored);
	return r;
}

/* An individual's registration goes with its enrollment; the device at its hub stays. */
int
api_remove(struct call *c)
{
	int r = registry_enrollment_delete(c->e->registry, c->group, c->id, &c->err);

	if (r >= 0 && !c->group)
		r = registry_registration_delete(c->e->registry, c->id, &c->err);
	return r;
}

int
api_delete_enrollment(struct call *c)
{
	json_t *stored = NULL;
	int r = api_find(c, &stored);

	if (r > 0)
		r = check_match(c, stored);
	json_decref(stored);
	if (r < 0)
		return r;
	c->reply->status = 204;
	return api_remove(c);
}

int
api_get_attestation(struct call *c)
{
	json_t *stored = NULL;
	int r = api_find(c, &stored);

	if (r > 0)
		r = answer(c, stored, enrollment_attestation(stored));
	json_decref(stored);
	return r;
}

static int
find_registration(struct call *c, json_t **record)
{
	int r = registry_registration(c->e->registry, c->id, record, &c->err);

	return r != 0 ? r : refuse(&c->err, API_NOT_FOUND, "'%s' has not registered", c->id);
}

int
api_get_registration(struct call *c)
{
	json_t *record = NULL;
	int r = find_registration(c, &record);

	if (r > 0)
		r = answer(c, record, api_show_record(record));
	json_decref(record);
	return r;
}

int
api_delete_registration(struct call *c)
{
	json_t *record = NULL;
	int r = find_registration(c, &record);

	if (r > 0)
		r = check_match(c, record);
	json_decref(record);
	if (r < 0)
		return r;
	c->reply->status = 204;
	return registry_registration_delete(c->e->registry, c->id, &c->err);
}
