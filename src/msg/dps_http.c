#include <string.h>
#include "base/str.h"
#include "base/url.h"
#include "msg/dps.h"
#include "target.h"

#define JSON "application/json; charset=utf-8"

static int
put_segment(struct buf *b, const char *s)
{
	int rc = buf_putc(b, '/');

	return rc < 0 ? rc : url_put(b, s, strlen(s));
}

static int
put_target(struct buf *b, const struct dps_who *w, const struct dps_request *q)
{
	int rc;

	if ((rc = put_segment(b, w->scope)) < 0 || (rc = buf_puts(b, "/registrations")) < 0 ||
	    (rc = put_segment(b, w->id)) < 0)
		return rc;
	if (q->op == DPS_REGISTER && (rc = buf_puts(b, "/register")) < 0)
		return rc;
	if (q->op == DPS_POLL &&
	    ((rc = buf_puts(b, "/operations")) < 0 || (rc = put_segment(b, q->operation)) < 0))
		return rc;
	return buf_fmt(b, "?api-version=%s", w->api[0] != '\0' ? w->api : DPS_API);
}

static void
add(struct http_message *m, const char *name, const char *value)
{
	m->header[m->header_count++] = (struct http_header){ name, value };
}

int
dps_http_put_request(struct http *h, const struct dps_who *w, const struct dps_request *q, const char *host)
{
	static const char *const method[] = {
		[DPS_REGISTER] = "PUT", [DPS_POLL] = "GET", [DPS_LOOKUP] = "POST"
	};
	struct http_message m = { .method = method[q->op] };
	struct buf target = { 0 }, body = { 0 };
	int rc;

	if ((rc = put_target(&target, w, q)) < 0 || (rc = dps_put_request_body(&body, q, w->id)) < 0)
		goto fail;
	if ((m.target = buf_str(&target)) == NULL) {
		rc = HF_ERR_MEMORY;
		goto fail;
	}
	add(&m, "Host", host);
	add(&m, "User-Agent", "holdfast/" HF_VERSION);
	add(&m, "Accept", "application/json");
	if (w->token != NULL)
		add(&m, "Authorization", w->token);
	if ((m.len = buf_size(&body)) > 0) {
		add(&m, "Content-Type", JSON);
		m.body = buf_data(&body);
	}
	rc = http_say(h, &m);
fail:
	buf_free(&target);
	buf_free(&body);
	return rc;
}

int
dps_http_is(const char *target)
{
	struct target t;

	if (!target_get(&t, target) || t.count < 3 || t.count > 5 || !target_is(&t, 1, "registrations"))
		return 0;
	return !target_is(&t, 0, "registrations") && !target_is(&t, 0, "enrollments") &&
	       !target_is(&t, 0, "enrollmentGroups");
}

static enum dps_op
op_of(const struct target *t, const char *method)
{
	if (t->count == 4 && target_is(t, 3, "register") && strcmp(method, "PUT") == 0)
		return DPS_REGISTER;
	if (t->count == 5 && target_is(t, 3, "operations") && strcmp(method, "GET") == 0)
		return DPS_POLL;
	return t->count == 3 && strcmp(method, "POST") == 0 ? DPS_LOOKUP : 0;
}

int
dps_http_get_request(
    const struct http_message *m, struct dps_who *w, struct dps_request *q, struct hf_error *e)
{
	const char *token = http_header(m, "Authorization");
	struct target t;
	int rc;

	memset(w, 0, sizeof(*w));
	memset(q, 0, sizeof(*q));
	if (!dps_http_is(m->target) || !target_get(&t, m->target) || (q->op = op_of(&t, m->method)) == 0)
		return err_set(e, HF_ERR_PROTOCOL, "DPS has no such method and path");
	if ((rc = target_segment(&t, 0, w->scope, sizeof(w->scope), "scope", e)) < 0 ||
	    (rc = target_segment(&t, 2, w->id, sizeof(w->id), "registration id", e)) < 0 ||
	    (rc = target_api(&t, w->api, e)) < 0)
		return rc;
	if (q->op == DPS_POLL &&
	    (rc = target_segment(&t, 4, q->operation, sizeof(q->operation), "operation id", e)) < 0)
		return rc;
	if ((rc = dps_get_request_body(m->body, m->len, q, e)) < 0)
		return rc;
	if (token == NULL || token[0] == '\0' || str_set(&w->token, token) == 0)
		return 0;
	dps_request_fini(q);
	return err_memory(e);
}

int
dps_http_put_reply(struct http *h, const struct dps_reply *r)
{
	struct http_message m = { .status = r->status };
	char seconds[16], code[16];
	struct buf body = { 0 };
	int rc;

	if ((rc = dps_put_reply_body(&body, r)) < 0)
		goto fail;
	add(&m, "Content-Type", JSON);
	if (r->tracking[0] != '\0')
		add(&m, "x-ms-request-id", r->tracking);
	if (r->retry_after > 0 && str_fmt(seconds, sizeof(seconds), "%d", r->retry_after) == 0)
		add(&m, "Retry-After", seconds);
	if (r->status >= 300 && r->code != 0 && str_fmt(code, sizeof(code), "%d", r->code) == 0)
		add(&m, "x-ms-error-code", code);
	m.body = buf_data(&body);
	m.len = buf_size(&body);
	rc = http_say(h, &m);
fail:
	buf_free(&body);
	return rc;
}

/* The headers tell what a body that is not DPS's own did not. */
static void
get_headers(const struct http_message *m, struct dps_reply *r)
{
	const char *after = http_header(m, "Retry-After"), *id = http_header(m, "x-ms-request-id");
	const char *code = http_header(m, "x-ms-error-code");
	uint64_t v;

	if (after != NULL && str_u64(after, strlen(after), 86400, &v) == 0)
		r->retry_after = (int)v;
	if (r->status < 300)
		return;
	if (id != NULL && r->tracking[0] == '\0')
		(void)str_copy(r->tracking, sizeof(r->tracking), id, strlen(id));
	if (code != NULL && r->code == 0 && str_u64(code, strlen(code), 999999, &v) == 0)
		r->code = (int)v;
}

int
dps_http_get_reply(const struct http_message *m, struct dps_reply *r, struct hf_error *e)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->status = m->status;
	if ((rc = dps_get_reply_body(m->body, m->len, r, e)) < 0)
		return rc;
	get_headers(m, r);
	return 0;
}
