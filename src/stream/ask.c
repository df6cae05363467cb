#include "stream/ask.h"

#define AT_ONCE	  4096
#define MAX_BODY  (256 * 1024) /* of a refusal: a page for people */
#define MAX_HEARD (512 * 1024)

int
ask_init(struct ask *a, const struct http_message *request)
{
	a->heard = 0;
	if (http_init(&a->http, 0, MAX_BODY) < 0)
		return HF_ERR_MEMORY;
	return http_say(&a->http, request);
}

void
ask_fini(struct ask *a)
{
	http_fini(&a->http);
}

const struct hf_error *
ask_why(const struct ask *a, const struct stream *under)
{
	return under->err.code != 0 ? &under->err : &a->http.engine.err;
}

static ssize_t
fail(struct ask *a, int code, const char *why)
{
	err_set(&a->http.engine.err, code, "%s", why);
	return STREAM_ERR;
}

static ssize_t
say(struct ask *a, struct stream *under)
{
	struct buf *out = &a->http.engine.out;
	ssize_t n;

	while (buf_size(out) > 0) {
		if ((n = stream_write(under, buf_data(out), buf_size(out))) < 0)
			return n;
		buf_eat(out, (size_t)n);
	}
	return 0;
}

static ssize_t
hear(struct ask *a, struct stream *under)
{
	struct engine *e = &a->http.engine;
	uint8_t bytes[AT_ONCE];
	ssize_t n = stream_read(under, bytes, sizeof bytes);

	if (n < 0)
		return n;
	a->heard += (size_t)n;
	if (a->heard > MAX_HEARD)
		return fail(a, HF_ERR_PROTOCOL, "its answer does not end");
	return e->ops->in(e, n > 0 ? bytes : NULL, (size_t)n) < 0 ? STREAM_ERR : 0;
}

ssize_t
ask_drive(struct ask *a, struct stream *under, struct http_message *answer)
{
	struct http_event ev;
	ssize_t n;
	int r;

	while ((r = http_next(&a->http, &ev)) == 0)
		if ((n = say(a, under)) < 0 || (n = hear(a, under)) < 0)
			return n;
	if (r < 0)
		return STREAM_ERR;
	if (ev.what == HTTP_CLOSED)
		return fail(a, HF_ERR_NET, "it closed the connection before it answered");
	*answer = ev.message;
	return 1;
}
