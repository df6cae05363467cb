#include <string.h>
#include "base/str.h"
#include "session.h"

enum { BAD = 400004, BUSY = 500001, LARGE = 413001 };

struct request {
	struct session *s;
	struct hub_admission admission;
	size_t bytes; /* of a batch */
	struct hf_error err;
};

static int
store(struct request *q, const struct hub_event *v)
{
	if (hub_event_size(v) > HUB_MAX_EVENT)
		return refuse(&q->err, LARGE, "the message has %zu bytes; the hub takes %d",
		    hub_event_size(v), HUB_MAX_EVENT);
	q->s->e->dirty = 1;
	return hub_service_store(q->s->e, &q->admission, v, 0, &q->err);
}

static int
take_event(struct request *q, const struct http_message *m)
{
	struct hub_event v;
	int r = hub_http_get_event(m, &v, &q->err);

	if (r < 0)
		return r;
	r = store(q, &v);
	hub_event_fini(&v);
	return r;
}

static int
weigh_item(void *arg, const struct hub_event *v)
{
	struct request *q = arg;

	q->bytes += hub_event_size(v);
	return q->bytes <= HUB_MAX_EVENT
		   ? 0
		   : refuse(&q->err, LARGE, "the batch has more than %d bytes", HUB_MAX_EVENT);
}

static int
store_item(void *arg, const struct hub_event *v)
{
	return store(arg, v);
}

/* All of it or nothing: it is read to its end before anything is stored. */
static int
take_batch(struct request *q, const struct http_message *m)
{
	int r = hub_http_get_batch(m, weigh_item, q, &q->err);

	return r < 0 ? r : hub_http_get_batch(m, store_item, q, &q->err);
}

static int
answer(struct request *q, const struct http_message *m, const struct hub_http_request *what)
{
	struct http *h = &q->s->http;
	struct buf body = { 0 };
	struct hub_c2d c;
	int r = 0;

	if (what->op == HUB_HTTP_EVENT)
		r = take_event(q, m);
	else if (what->op == HUB_HTTP_BATCH)
		r = take_batch(q, m);
	else if (what->op == HUB_HTTP_SETTLE)
		r = c2d_settle(q->s->e, &q->admission, what->lock, what->answer, &q->err);
	else
		r = c2d_take(q->s->e, &q->admission, &c, &body, &q->err);
	if (r == 0)
		r = hub_http_put_done(h);
	else if (r == 1) {
		r = hub_http_put_c2d(h, &c);
		hub_c2d_fini(&c);
	}
	buf_free(&body);
	return r;
}

static int
service_code(const struct hf_error *err)
{
	if (err->service != 0)
		return err->service;
	return err->code == HF_ERR_IO || err->code == HF_ERR_MEMORY ? BUSY : BAD;
}

/* Each request is judged by itself. */
void
http_hub_answer(struct session *s, const struct http_message *m)
{
	struct request q = { .s = s };
	struct hub_http_request what;
	char tracking[37];
	struct hub_who who;
	int r = hub_http_get_request(m, &who, &what, &q.err);

	if (r == 0)
		r = hub_service_admit(s->e, &who, tls_peer(s->stream), &q.admission, &q.err);
	if (r == 0)
		r = answer(&q, m, &what);
	if (r < 0 && q.err.code != 0) {
		guid_new(tracking);
		log_line(&s->e->log, "the hub refused %s %.*s over HTTPS: %s (errorCode %d)", m->method,
		    (int)strcspn(m->target, "?"), m->target, q.err.text, service_code(&q.err));
		r = hub_http_put_refusal(&s->http, service_code(&q.err), q.err.text, tracking);
	}
	if (r < 0)
		session_end(s, "the answer could not be written");
	hub_who_fini(&who);
}
