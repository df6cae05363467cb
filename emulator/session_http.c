#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "session.h"

static void
said(struct session *s, int r)
{
	if (r < 0)
		session_end(s, "the answer could not be written");
}

static void
dps_answer(struct session *s, const struct http_message *m)
{
	struct dps_reply reply = { 0 };
	struct hf_error err = { 0 };
	struct dps_request q;
	struct dps_who who;
	struct dps_caller caller = { .who = &who, .chain = tls_peer(s->stream) };

	if (dps_http_get_request(m, &who, &q, &err) < 0)
		dps_bad_request(s->e, &err, &reply);
	else
		dps_service_answer(s->e, &caller, &q, &reply);
	dps_log(s->e, "HTTPS", who.id[0] ? who.id : "without a name", &q, &reply);
	said(s, dps_http_put_reply(&s->http, &reply));
	dps_reply_fini(&reply);
	dps_request_fini(&q);
	dps_who_fini(&who);
}

static void
add(struct http_message *m, const char *name, const char *value)
{
	if (value[0] != '\0')
		m->header[m->header_count++] = (struct http_header){ name, value };
}

static void
service_answer(struct session *s, const struct http_message *m)
{
	struct http_message out = { 0 };
	struct api_reply reply = { 0 };
	struct buf body = { 0 };
	int r;

	api_answer(s->e, m, &reply);
	log_line(&s->e->log, "DPS's service API: %s %.*s: %d %s", m->method, (int)strcspn(m->target, "?"),
	    m->target, reply.status, reply.error_code);
	out.status = reply.status;
	add(&out, "Content-Type", reply.body ? "application/json; charset=utf-8" : "");
	add(&out, "x-ms-error-code", reply.error_code);
	add(&out, "x-ms-request-id", reply.request_id);
	add(&out, "ETag", reply.etag);
	add(&out, "x-ms-continuation", reply.continuation);
	add(&out, "x-ms-item-type", reply.item_type ? reply.item_type : "");
	r = reply.body ? js_put(&body, reply.body) : 0;
	if (r == 0) {
		out.len = buf_size(&body);
		out.body = out.len > 0 ? buf_data(&body) : NULL;
		r = http_say(&s->http, &out);
	}
	said(s, r);
	json_decref(reply.body);
	buf_free(&body);
}

void
http_answer(struct session *s, const struct http_message *m)
{
	if (ws_is(m))
		ws_answer(s, m);
	else if (dps_http_is(m->target))
		dps_answer(s, m);
	else if (hub_http_is(m->target))
		http_hub_answer(s, m);
	else
		service_answer(s, m);
}
