#include "stream/pump.h"

#include <openssl/crypto.h>

#define AT_ONCE	 (16 * 1024)  /* one TLS record */
#define PER_STEP (256 * 1024) /* each way */

enum { EOF_SEEN = 1, EOF_TOLD };

static int
over(struct pump *p, const struct hf_error *why)
{
	return err_set(&p->err, why->code != 0 ? why->code : HF_ERR_OTHER, "%s", why->text);
}

static int
push(struct pump *p)
{
	struct buf *out = &p->engine->out;
	size_t sent = 0;
	ssize_t n;

	if (p->want_out == STREAM_ERR)
		return 0;
	p->want_out = 0;
	while (!p->hold_out && buf_size(out) > 0 && sent < PER_STEP) {
		n = stream_write(p->stream, buf_data(out), buf_size(out));
		if (n <= 0) {
			p->want_out = (int)n;
			break;
		}
		buf_eat(out, (size_t)n);
		sent += (size_t)n;
	}
	return sent > 0;
}

/* Once nothing can be written, what stands in `out` holds nobody back. */
static int
may_read(const struct pump *p)
{
	return p->want_out == STREAM_ERR || buf_size(&p->engine->out) < ENGINE_HIGH;
}

/* Offers the engine what has been read; `hold` is what it does not take yet. 1: it took some. */
static int
offer(struct pump *p, const uint8_t *bytes, size_t n)
{
	ssize_t took = p->engine->ops->in(p->engine, bytes, n);

	if (took < 0)
		return over(p, &p->engine->err);
	p->stalled = (size_t)took < n;
	if (p->stalled && buf_put(&p->hold, bytes + took, n - (size_t)took) < 0)
		return err_memory(&p->err);
	return took > 0;
}

/* Offers it what it did not take before. */
static int
feed(struct pump *p)
{
	ssize_t took = p->engine->ops->in(p->engine, buf_data(&p->hold), buf_size(&p->hold));

	if (took < 0)
		return over(p, &p->engine->err);
	buf_eat(&p->hold, (size_t)took);
	p->stalled = buf_size(&p->hold) > 0;
	if (!p->stalled)
		buf_free(&p->hold);
	return took > 0;
}

/* The end is told in a step of its own, when the caller has had the events before it. */
static int
tell_eof(struct pump *p)
{
	if (p->engine->ops->in(p->engine, NULL, 0) < 0)
		return over(p, &p->engine->err);
	p->eof = EOF_TOLD;
	return 1;
}

/* One read, offered: how many bytes; 0 at the end, or when there is nothing yet. */
static ssize_t
read_some(struct pump *p)
{
	uint8_t bytes[AT_ONCE];
	ssize_t n = stream_read(p->stream, bytes, sizeof bytes);
	int r;

	if (n <= 0) {
		p->want_in = (int)n;
		p->eof = n == 0 ? EOF_SEEN : 0;
		return 0;
	}
	r = offer(p, bytes, (size_t)n);
	OPENSSL_cleanse(bytes, (size_t)n);
	return r < 0 ? r : n;
}

static int
pull(struct pump *p)
{
	size_t got = 0;
	ssize_t n;
	int moved = 0;

	if (p->eof == EOF_SEEN)
		return tell_eof(p);
	if (p->stalled && may_read(p) && (moved = feed(p)) < 0)
		return moved;
	if (p->want_in == STREAM_ERR)
		return moved;
	p->want_in = 0;
	while (got < PER_STEP && !p->stalled && !p->eof && may_read(p)) {
		if ((n = read_some(p)) <= 0)
			return n < 0 ? (int)n : got > 0 || moved || p->eof;
		got += (size_t)n;
	}
	return got > 0 || moved;
}

/* Nothing moved: is there nothing to wait for either? */
static int
verdict(struct pump *p)
{
	if (p->want_in == STREAM_ERR || p->want_out == STREAM_ERR)
		return over(p, &p->stream->err);
	if (p->eof == EOF_TOLD && buf_size(&p->engine->out) == 0 && p->stream->err.code != 0)
		return over(p, &p->stream->err);
	if (p->eof == EOF_TOLD && buf_size(&p->engine->out) == 0)
		return err_set(&p->err, HF_ERR_NET, "the other side closed the connection");
	return 0;
}

int
pump_step(struct pump *p, int64_t now_ms)
{
	int wrote, r;

	if (p->err.code != 0)
		return p->err.code;
	p->engine->ops->tick(p->engine, now_ms);
	wrote = push(p);
	if ((r = pull(p)) < 0) {
		push(p);
		return r;
	}
	if (p->want_out ==
	    STREAM_WANT_READ) /* a handshake: what it waited for may have come with that read */
		wrote |= push(p);
	return wrote || r ? 1 : verdict(p);
}

int
pump_idle(const struct pump *p)
{
	if (p->want_in == STREAM_ERR || p->want_out == STREAM_ERR)
		return 0;
	return p->want_in < 0 && (p->want_out < 0 || buf_size(&p->engine->out) == 0);
}

void
pump_wait(struct pump *p, int *fd, short *events)
{
	int out_fd = -1;
	short out_events = 0;

	*fd = -1;
	*events = 0;
	if (p->want_in < 0 && p->want_in != STREAM_ERR)
		stream_wait(p->stream, p->want_in, fd, events);
	if (p->want_out < 0 && p->want_out != STREAM_ERR)
		stream_wait(p->stream, p->want_out, &out_fd, &out_events);
	if (out_fd < 0)
		return;
	*events = *fd == out_fd ? (short)(*events | out_events) : out_events;
	*fd = out_fd;
}

void
pump_close(struct pump *p)
{
	stream_close(p->stream);
	p->stream = NULL;
	buf_free(&p->hold);
}
