#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "emulator.h"
#include "msg/dps.h"
#include "msg/sas.h"

enum {
	NO_VERSION = 400001,
	UNREADABLE = 400006,
	UNAUTHORIZED = 401002,
	NO_ROUTE = 404000,
	NOT_FOUND = 404201,
	NO_METHOD = 405000,
	STALE = 412000,
	NOT_JSON = 415000,
	FAULT = 500001
};

struct call {
	struct emulator *e;
	const struct http_message *m;
	struct api_reply *reply;
	char id[129];
	int group;
	struct hf_error err;
};

static int
check_match(struct call *c, const json_t *stored)
{
	const char *want = http_header(c->m, "If-Match");

	if (!want || (stored && etag_matches(js_str(stored, "etag", ""), want)))
		return 0;
	return refuse(&c->err, STALE, "If-Match is %.100s; what is stored %s", want,
	    stored ? "has another etag" : "is not there");
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
static json_t *
shown_record(const json_t *record)
{
	json_t *o = json_deep_copy(record);

	json_object_del(o, "attestation");
	json_object_del(o, "enrollmentGroupId");
	return o;
}

static int
show_enrollment(struct call *c, const json_t *enrollment)
{
	json_t *o = enrollment_show(enrollment), *record = NULL;
	int r = 0;

	if (!c->group)
		r = registry_registration(c->e->registry, c->id, &record, &c->err);
	if (r > 0)
		json_object_set_new(o, "registrationState", shown_record(record));
	json_decref(record);
	if (r >= 0)
		return answer(c, enrollment, o);
	json_decref(o);
	return r;
}

/* 1: *stored is there; negative: refused, also when there is none. */
static int
need_enrollment(struct call *c, json_t **stored)
{
	int r = registry_enrollment(c->e->registry, c->group, c->id, stored, &c->err);

	if (r != 0)
		return r;
	return refuse(&c->err, NOT_FOUND, "there is no enrollment%s '%s'", c->group ? " group" : "", c->id);
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

static int
is_json(const struct http_message *m)
{
	static const char type[] = "application/json";
	const char *said = http_header(m, "Content-Type");

	return !said || (strlen(said) >= sizeof type - 1 && str_eqin(type, said, sizeof type - 1));
}

static int
put_enrollment(struct call *c)
{
	json_t *put = NULL, *old = NULL, *fresh = NULL;
	struct hf_error why = { 0 };
	int r;

	if (!is_json(c->m))
		return refuse(&c->err, NOT_JSON, "the body has to be application/json");
	put = js_parse(c->m->body, c->m->len, "the enrollment", &why);
	if (!put)
		return refuse(&c->err, UNREADABLE, "%s", why.text);
	r = registry_enrollment(c->e->registry, c->group, c->id, &old, &c->err);
	if (r >= 0)
		r = check_match(c, old);
	if (r == 0)
		r = enrollment_read(&c->e->conf, c->group, c->id, put, old, &fresh, &c->err);
	if (r == 0)
		r = stamp(c, old, fresh);
	if (r == 0)
		r = registry_enrollment_put(c->e->registry, c->group, c->id, fresh, &c->err);
	if (r == 0)
		r = show_enrollment(c, fresh);
	json_decref(put);
	json_decref(old);
	json_decref(fresh);
	return r;
}

static int
get_enrollment(struct call *c)
{
	json_t *stored = NULL;
	int r = need_enrollment(c, &stored);

	if (r > 0)
		r = show_enrollment(c, stored);
	json_decref(stored);
	return r;
}

/* An individual's registration goes with its enrollment; the device at its hub stays. */
static int
delete_enrollment(struct call *c)
{
	json_t *stored = NULL;
	int r = need_enrollment(c, &stored);

	if (r > 0)
		r = check_match(c, stored);
	json_decref(stored);
	if (r < 0)
		return r;
	r = registry_enrollment_delete(c->e->registry, c->group, c->id, &c->err);
	if (r >= 0 && !c->group)
		r = registry_registration_delete(c->e->registry, c->id, &c->err);
	c->reply->status = 204;
	return r;
}

static int
get_attestation(struct call *c)
{
	json_t *stored = NULL;
	int r = need_enrollment(c, &stored);

	if (r > 0)
		r = answer(c, stored, enrollment_attestation(stored));
	json_decref(stored);
	return r;
}

static int
need_registration(struct call *c, json_t **record)
{
	int r = registry_registration(c->e->registry, c->id, record, &c->err);

	return r != 0 ? r : refuse(&c->err, NOT_FOUND, "'%s' has not registered", c->id);
}

static int
get_registration(struct call *c)
{
	json_t *record = NULL;
	int r = need_registration(c, &record);

	if (r > 0)
		r = answer(c, record, shown_record(record));
	json_decref(record);
	return r;
}

static int
delete_registration(struct call *c)
{
	json_t *record = NULL;
	int r = need_registration(c, &record);

	if (r > 0)
		r = check_match(c, record);
	json_decref(record);
	if (r < 0)
		return r;
	r = registry_registration_delete(c->e->registry, c->id, &c->err);
	c->reply->status = 204;
	return r;
}

static const struct route {
	const char *method, *path, *tail; /* path/ID/tail */
	int group;
	int (*fn)(struct call *);
} routes[] = {
	{ "PUT", "enrollments", "", 0, put_enrollment },
	{ "GET", "enrollments", "", 0, get_enrollment },
	{ "DELETE", "enrollments", "", 0, delete_enrollment },
	{ "POST", "enrollments", "attestationmechanism", 0, get_attestation },
	{ "PUT", "enrollmentGroups", "", 1, put_enrollment },
	{ "GET", "enrollmentGroups", "", 1, get_enrollment },
	{ "DELETE", "enrollmentGroups", "", 1, delete_enrollment },
	{ "POST", "enrollmentGroups", "attestationmechanism", 1, get_attestation },
	{ "GET", "registrations", "", 0, get_registration },
	{ "DELETE", "registrations", "", 0, delete_registration },
};

/* Takes one segment of a path, percent-decoded; *p goes behind it. 0 or HF_ERR_ARGS. */
static int
segment(const char **p, char *dst, size_t cap)
{
	struct buf b = { 0 };
	size_t n;
	int r;

	*p += **p == '/';
	n = strcspn(*p, "/?");
	r = url_get(&b, *p, n);
	if (r == 0)
		r = str_copy(dst, cap, buf_size(&b) ? (const void *)buf_data(&b) : "", buf_size(&b));
	buf_free(&b);
	*p += n;
	return r;
}

static int
dispatch(struct call *c)
{
	const char *p = c->m->target;
	char path[32], tail[32];
	int known = 0;
	size_t i;

	if (segment(&p, path, sizeof path) < 0 || segment(&p, c->id, sizeof c->id) < 0 ||
	    segment(&p, tail, sizeof tail) < 0 || (*p && *p != '?'))
		return refuse(&c->err, NO_ROUTE, "there is nothing at this path");
	for (i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (!str_eqi(routes[i].path, path) || !str_eqi(routes[i].tail, tail))
			continue;
		known = 1;
		if (strcmp(routes[i].method, c->m->method) != 0 || *c->id == '\0')
			continue;
		c->group = routes[i].group;
		return routes[i].fn(c);
	}
	if (known)
		return refuse(&c->err, NO_METHOD, "%.16s is not possible here%s", c->m->method,
		    *c->id ? "" : " without an id");
	return refuse(&c->err, NO_ROUTE, "there is nothing at this path");
}

/* The name of ours that a token is for; the port behind it does not matter. */
static int
is_own_name(const struct config *conf, const char *resource)
{
	char host[256];
	uint16_t port;
	size_t i;

	if (str_host_port(resource, host, sizeof host, &port) < 0)
		return 0;
	for (i = 0; i < conf->dps_names; i++) {
		if (str_eqi(conf->dps_name[i], host))
			return 1;
	}
	return 0;
}

static int
authorize(struct call *c)
{
	const struct config *conf = &c->e->conf;
	const char *token = http_header(c->m, "Authorization");
	struct hf_error why = { 0 };
	struct sas sas;
	int r = 0;

	if (!token)
		return refuse(&c->err, UNAUTHORIZED, "Unauthorized: the request has no Authorization header");
	if (sas_get(&sas, token, strlen(token), &why) < 0)
		return refuse(&c->err, UNAUTHORIZED, "Unauthorized: %s", why.text);
	if (!is_own_name(conf, sas.resource))
		r = refuse(&c->err, UNAUTHORIZED,
		    "Unauthorized: the token is for '%s', which is not this service", sas.resource);
	else if (strcmp(sas.skn, conf->service_policy) != 0)
		r = refuse(&c->err, UNAUTHORIZED, "Unauthorized: there is no policy '%s'", sas.skn);
	else if (attest_token(token, sas.resource, conf->service_key, NULL, c->e->now.wall, &why) < 0)
		r = refuse(&c->err, UNAUTHORIZED, "Unauthorized: %s", why.text);
	sas_fini(&sas);
	return r;
}

static int
check_version(struct call *c)
{
	const char *p = strchr(c->m->target, '?');
	const char *end = c->m->target + strlen(c->m->target);
	struct url_pair pair;

	for (p = p ? p + 1 : end; url_next(&p, end, &pair) == 1;) {
		if (str_eqin("api-version", pair.key, pair.klen))
			return dps_is_api(pair.value, pair.vlen)
				   ? 0
				   : refuse(&c->err, NO_VERSION, "api-version is not a date");
	}
	return refuse(&c->err, NO_VERSION, "the query has no api-version");
}

static void
put_error(struct call *c)
{
	struct api_reply *reply = c->reply;
	char now[32];

	refuse_as(&c->err, FAULT);
	clock_iso(c->e->now.wall, now);
	json_decref(reply->body);
	reply->status = c->err.status;
	reply->etag[0] = '\0';
	str_fmt(reply->error_code, sizeof reply->error_code, "%d", c->err.service);
	reply->body = json_pack("{s:i, s:s, s:s, s:s}", "errorCode", c->err.service, "trackingId",
	    reply->request_id, "message", c->err.text, "timestampUtc", now);
}

void
api_answer(struct emulator *e, const struct http_message *m, struct api_reply *reply)
{
	struct call c = { .e = e, .m = m, .reply = reply };
	int r;

	memset(reply, 0, sizeof *reply);
	guid_new(reply->request_id);
	r = authorize(&c);
	if (r == 0)
		r = check_version(&c);
	if (r == 0)
		r = dispatch(&c);
	if (r < 0)
		put_error(&c);
}
