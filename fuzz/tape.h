/* A stream for harnesses: reads play what a peer sent, in one go or a byte at a time with pauses; writes are kept. */
#ifndef FUZZ_TAPE_H
#define FUZZ_TAPE_H
#include <stdlib.h>
#include <string.h>
#include "stream/stream.h"
struct tape {
	struct stream s;
	const uint8_t *p;
	size_t n;
	int pieces, pause; /* a byte at a time; the next call says "not yet" */
	int open;	   /* the peer has not ended behind its last byte */
	struct buf *out;
};

static inline void
must(int fine)
{
	if (!fine)
		abort();
}

static inline ssize_t
tape_read(struct stream *s, void *dst, size_t n)
{
	struct tape *t = (struct tape *)s;

	if (t->pieces && (t->pause ^= 1))
		return STREAM_WANT_READ;
	if (t->n == 0)
		return t->open ? STREAM_WANT_READ : 0;
	n = t->pieces ? 1 : n;
	n = n < t->n ? n : t->n;
	memcpy(dst, t->p, n);
	t->p += n;
	t->n -= n;
	return (ssize_t)n;
}

static inline ssize_t
tape_write(struct stream *s, const void *src, size_t n)
{
	struct tape *t = (struct tape *)s;

	if (t->pieces && (t->pause ^= 1))
		return STREAM_WANT_WRITE;
	n = t->pieces ? 1 : n;
	must(buf_put(t->out, src, n) == 0);
	return (ssize_t)n;
}

static inline void
tape_wait(struct stream *s, int want, int *fd, short *events)
{
	(void)s;
	must(want < 0 && want != STREAM_ERR);
	*fd = -1;
	*events = 0;
}

static inline void
tape_close(struct stream *s)
{
	free(s);
}

/* All that is written before it is closed is appended to out. */
static inline struct tape *
tape_new(const uint8_t *p, size_t n, int pieces, int open, struct buf *out)
{
	static const struct stream_ops ops = { tape_read, tape_write, tape_wait, tape_close };
	struct tape *t = calloc(1, sizeof *t);

	must(t != NULL);
	*t = (struct tape){ { &ops, { 0 } }, p, n, pieces, 0, open, out };
	return t;
}

/* Reads from what stands on the tape to the end, or until nothing moves any more, into story; and how it ended. */
static inline void
tape_hear(struct stream *s, const struct tape *t, struct buf *story)
{
	uint8_t bytes[1000];
	size_t before;
	int idle = 0, fd;
	short events;
	ssize_t r = 0;

	while (idle < 4) {
		before = t->n - buf_size(t->out);
		r = stream_read(s, bytes, sizeof bytes);
		if (r == 0 || r == STREAM_ERR)
			break;
		idle = r > 0 || t->n - buf_size(t->out) != before ? 0 : idle + 1;
		if (r > 0)
			must(buf_put(story, bytes, (size_t)r) == 0);
		else
			stream_wait(s, (int)r, &fd, &events);
	}
	must(r != STREAM_ERR || (s->err.code != 0 && s->err.text[0] != '\0'));
	must(buf_fmt(story, "|%d %d %s|", r == STREAM_ERR ? -1 : r == 0, s->err.code, s->err.text) == 0);
}

/* The same with a byte written; what is said until the stream is closed goes into story. */
static inline void
tape_end(struct stream *s, struct tape *t, struct buf *story)
{
	struct buf *out = t->out;
	ssize_t r = 0;

	t->pieces = 0;
	do
		r = stream_write(s, "x", 1);
	while (r == STREAM_WANT_WRITE);
	must(r == 1 || (r == STREAM_ERR && s->err.text[0] != '\0') || r == STREAM_WANT_READ);
	must(buf_fmt(story, "%zd|", r) == 0);
	stream_close(s);
	must(buf_put(story, buf_data(out), buf_size(out)) == 0);
	buf_free(out);
}
#endif
