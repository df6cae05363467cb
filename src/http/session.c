#include <stdlib.h>
#include <string.h>
#include "http/parse.h"

#define INBOX_MAX  65536
#define REQUEST_MS 60000
#define IDLE_MS	   120000

static int
has_begun(const struct http *h)
{
	return buf_size(&h->inbox) > 0 || (h->parse->at != AT_HEAD && h->parse->at != AT_DONE);
}

static int
is_over(const struct http *h)
{
	return h->failed || h->closing || h->closed || h->upgraded;
}

/* A server's patience: for a request that has begun, for the next to begin. Answering is its owner's affair. */
static void
arm(struct http *h)
{
	h->deadline = NEVER;
	if (h->server && h->waiting == 0 && !is_over(h) && h->now >= 0)
		h->deadline = h->now + (has_begun(h) ? REQUEST_MS : IDLE_MS);
}

/* The sentence is set. A server still says why, and listens on without hearing. */
static int
fail(struct http *h, int status)
{
	struct http_message m = { .status = status };

	h->failed = h->closing = 1;
	h->deadline = NEVER;
	if (h->server && h->engine.err.code != HF_ERR_MEMORY)
		(void)http_put_as(&h->engine.out, &m, HTTP_LAST);
	return h->engine.err.code;
}

static ssize_t
in(struct engine *e, const void *p, size_t n)
{
	struct http *h = (struct http *)e;
	size_t room = INBOX_MAX - buf_size(&h->inbox);
	int begun = has_begun(h);

	if (n == 0) {
		h->eof = 1;
		return 0;
	}
	if (h->failed && !h->server)
		return e->err.code;
	if (h->closing)
		return (ssize_t)n;
	if (n > room)
		n = room;
	if (n > 0 && buf_put(&h->inbox, p, n) < 0)
		return err_memory(&e->err);
	if (!begun)
		arm(h);
	return (ssize_t)n;
}

static int64_t
tick(struct engine *e, int64_t now)
{
	struct http *h = (struct http *)e;
	int fresh = h->now < 0;

	h->now = now;
	if (fresh)
		arm(h);
	if (now < h->deadline)
		return h->deadline;
	if (has_begun(h)) {
		err_set(&e->err, HF_ERR_TIMEOUT, "the peer's HTTP request was not whole after %d seconds",
		    REQUEST_MS / 1000);
		fail(h, 408);
	}
	h->closing = 1;
	h->deadline = NEVER;
	return NEVER;
}

static const struct engine_ops ops = { .in = in, .tick = tick };

int
http_init(struct http *h, int server, size_t max_body)
{
	memset(h, 0, sizeof *h);
	h->engine.ops = &ops;
	h->server = server;
	h->max_body = max_body;
	h->now = -1;
	h->deadline = NEVER;
	h->parse = calloc(1, sizeof *h->parse);
	if (!h->parse)
		return HF_ERR_MEMORY;
	h->parse->server = server;
	h->parse->max_body = max_body;
	h->parse->err = &h->engine.err;
	return 0;
}

void
http_fini(struct http *h)
{
	if (h->parse) {
		buf_free(&h->parse->head);
		buf_free(&h->parse->body);
	}
	free(h->parse);
	buf_free(&h->inbox);
	buf_free(&h->engine.out);
	memset(h, 0, sizeof *h);
}

static int
traits(const struct http_message *m)
{
	int asked = http_has(m, "Connection", "close") ? HTTP_LAST : 0;

	if (strcmp(m->method, "HEAD") == 0)
		return asked | HTTP_HEAD;
	return strcmp(m->method, "CONNECT") == 0 ? asked | HTTP_CONNECT : asked;
}

static void
took_request(struct http *h, const struct http_message *m)
{
	h->asked[0] = (uint8_t)(traits(m) | (m->keep ? 0 : HTTP_LAST));
	h->waiting = 1;
	arm(h);
}

static void
took_response(struct http *h, struct http_message *m)
{
	int asked = h->asked[0];

	h->waiting--;
	memmove(h->asked, h->asked + 1, (size_t)h->waiting);
	if (m->status == 101 || ((asked & HTTP_CONNECT) && m->status / 100 == 2)) {
		h->upgraded = 1;
		m->keep = 0;
		return;
	}
	if (asked & HTTP_LAST)
		m->keep = 0;
	h->closing = !m->keep;
}

static int
get(struct http *h)
{
	struct http_parse *p = h->parse;
	int rc;

	if (!h->server && h->waiting == 0 && buf_size(&h->inbox) > 0)
		return err_set(
		    &h->engine.err, HF_ERR_PROTOCOL, "the peer sent an HTTP response that nobody asked for");
	p->asked = h->asked[0];
	rc = http_get(p, &h->inbox, h->eof);
	if (rc == 0 && p->expect) {
		p->expect = 0;
		if (buf_puts(&h->engine.out, "HTTP/1.1 100 Continue\r\n\r\n") < 0)
			return err_memory(&h->engine.err);
	}
	return rc;
}

static int
is_interim(const struct http_message *m)
{
	return m->status / 100 == 1 && m->status != 101;
}

static int
take(struct http *h, struct http_event *ev)
{
	struct http_message *m = &h->parse->message;
	int rc = get(h);

	while (rc == 1 && is_interim(m)) {
		http_reset(h->parse);
		rc = get(h);
	}
	if (rc <= 0)
		return rc;
	if (h->server)
		took_request(h, m);
	else
		took_response(h, m);
	ev->what = HTTP_MESSAGE;
	ev->message = *m;
	return 1;
}

int
http_next(struct http *h, struct http_event *ev)
{
	int rc;

	if (h->failed)
		return h->engine.err.code;
	if (h->parse->at == AT_DONE)
		http_reset(h->parse);
	if (h->server && (h->waiting > 0 || buf_size(&h->engine.out) > ENGINE_HIGH))
		return 0;
	rc = is_over(h) ? 0 : take(h, ev);
	if (rc < 0)
		return fail(h, h->parse->status);
	if (rc > 0 || !h->eof || h->closed)
		return rc;
	h->closed = 1;
	ev->what = HTTP_CLOSED;
	return 1;
}

static int
say_request(struct http *h, const struct http_message *m)
{
	int rc;

	if (!m->method || !http_header(m, "Host"))
		return HF_ERR_ARGS;
	if (h->waiting == HTTP_PIPE || (h->waiting > 0 && (h->asked[h->waiting - 1] & HTTP_LAST)))
		return HF_ERR_STATE;
	rc = http_put(&h->engine.out, m);
	if (rc < 0)
		return rc;
	h->asked[h->waiting++] = (uint8_t)traits(m);
	return 0;
}

static int
say_response(struct http *h, const struct http_message *m)
{
	int rc, how = h->asked[0];

	if (m->method || (m->status < 200 && m->status != 101))
		return HF_ERR_ARGS;
	if (h->waiting == 0)
		return HF_ERR_STATE;
	if (m->status == 101)
		how &= ~HTTP_LAST;
	rc = http_put_as(&h->engine.out, m, how);
	if (rc < 0)
		return rc;
	h->waiting = 0;
	h->upgraded = m->status == 101;
	h->closing = (how & HTTP_LAST) || http_has(m, "Connection", "close");
	arm(h);
	return 0;
}

int
http_say(struct http *h, const struct http_message *m)
{
	if (is_over(h))
		return HF_ERR_STATE;
	if (h->server)
		return say_response(h, m);
	return buf_size(&h->engine.out) > ENGINE_HIGH ? HF_ERR_STATE : say_request(h, m);
}

int
http_rest(struct http *h, struct buf *b)
{
	if (buf_size(&h->inbox) > 0 && buf_put(b, buf_data(&h->inbox), buf_size(&h->inbox)) < 0)
		return HF_ERR_MEMORY;
	buf_clear(&h->inbox);
	return 0;
}
