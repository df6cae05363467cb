#include <stdio.h>
#include <string.h>
#include "api.h"
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "msg/dps.h"

json_t *
api_body(struct call *c, const char *what)
{
	static const char type[] = "application/json";
	const char *said = http_header(c->m, "Content-Type");
	struct hf_error why = { 0 };
	json_t *body;

	if (said && (strlen(said) < sizeof type - 1 || !str_eqin(type, said, sizeof type - 1))) {
		refuse(&c->err, API_NOT_JSON, "the body has to be application/json");
		return NULL;
	}
	body = js_parse(c->m->body, c->m->len, what, &why);
	if (!body)
		refuse(&c->err, API_UNREADABLE, "%s", why.text);
	return body;
}

/* ID stands for any id; other words in its place are what they are. */
#define ID "*"
static const struct route {
	const char *method, *path, *id, *tail;
	int group;
	unsigned right;
	int (*fn)(struct call *);
} routes[] = {
	{ "PUT", "enrollments", ID, "", 0, ENROLLMENT_WRITE, api_put_enrollment },
	{ "GET", "enrollments", ID, "", 0, ENROLLMENT_READ, api_get_enrollment },
	{ "DELETE", "enrollments", ID, "", 0, ENROLLMENT_WRITE, api_delete_enrollment },
	{ "POST", "enrollments", ID, "attestationmechanism", 0, ENROLLMENT_READ, api_get_attestation },
	{ "POST", "enrollments", "query", "", 0, ENROLLMENT_READ, api_query_enrollments },
	{ "POST", "enrollments", "", "", 0, ENROLLMENT_WRITE, api_bulk },
	{ "PUT", "enrollmentGroups", ID, "", 1, ENROLLMENT_WRITE, api_put_enrollment },
	{ "GET", "enrollmentGroups", ID, "", 1, ENROLLMENT_READ, api_get_enrollment },
	{ "DELETE", "enrollmentGroups", ID, "", 1, ENROLLMENT_WRITE, api_delete_enrollment },
	{ "POST", "enrollmentGroups", ID, "attestationmechanism", 1, ENROLLMENT_READ, api_get_attestation },
	{ "POST", "enrollmentGroups", "query", "", 1, ENROLLMENT_READ, api_query_enrollments },
	{ "POST", "enrollmentGroups", "", "", 1, ENROLLMENT_WRITE, api_bulk },
	{ "GET", "registrations", ID, "", 0, REGISTRATION_STATUS_READ, api_get_registration },
	{ "DELETE", "registrations", ID, "", 0, REGISTRATION_STATUS_WRITE, api_delete_registration },
	{ "POST", "registrations", ID, "query", 1, REGISTRATION_STATUS_READ, api_query_registrations },
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
fits(const struct route *r, const struct call *c)
{
	if (strcmp(r->id, ID) == 0 ? *c->id == '\0' : !str_eqi(r->id, c->id))
		return 0;
	return strcmp(r->method, c->m->method) == 0;
}

static int
enter(struct call *c, const struct route *r)
{
	c->group = r->group;
	if (!(c->rights & r->right))
		return refuse(&c->err, API_UNAUTHORIZED, "Unauthorized: the policy '%s' has not the right %s",
		    c->policy, policy_right(r->right));
	return r->fn(c);
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
		return refuse(&c->err, API_NO_ROUTE, "there is nothing at this path");
	for (i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (!str_eqi(routes[i].path, path) || !str_eqi(routes[i].tail, tail))
			continue;
		known = 1;
		if (fits(&routes[i], c))
			return enter(c, &routes[i]);
	}
	if (known)
		return refuse(&c->err, API_NO_METHOD, "%.16s is not possible here%s", c->m->method,
		    *c->id ? "" : " without an id");
	return refuse(&c->err, API_NO_ROUTE, "there is nothing at this path");
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
				   : refuse(&c->err, API_NO_VERSION, "api-version is not a date");
	}
	return refuse(&c->err, API_NO_VERSION, "the query has no api-version");
}

static void
put_error(struct call *c)
{
	struct api_reply *reply = c->reply;
	char now[32];

	refuse_as(&c->err, API_FAULT);
	clock_iso(c->e->now.wall, now);
	json_decref(reply->body);
	reply->status = c->err.status;
	reply->etag[0] = reply->continuation[0] = '\0';
	reply->item_type = NULL;
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
	r = api_authenticate(&c);
	if (r == 0)
		r = check_version(&c);
	if (r == 0)
		r = dispatch(&c);
	if (r < 0)
		put_error(&c);
}
