#include "stream/stream.h"

#include <stdlib.h>
#include <string.h>

struct ring {
	uint8_t *p;
	size_t start, len;
	int64_t left; /* bytes until the cut; -1: none is planned */
	int closed;   /* its writer has left */
};
struct pair {
	struct ring ring[2]; /* ring[i] is written by end i */
	struct end *end[2];
	size_t cap, chunk;
	int cut;
};
struct end {
	struct stream s;
	struct pair *pair;
	int side;
};

static size_t
at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
one_go(const struct pair *p, size_t n)
{
	return p->chunk == 0 ? n : at_most(n, p->chunk);
}

static ssize_t
gone(struct end *e, const char *why)
{
	err_set(&e->s.err, HF_ERR_NET, "memory stream: %s", why);
	return STREAM_ERR;
}

/* What was written before the cut, or before the other end left, can still be read. */
static ssize_t
pair_read(struct stream *s, void *dst, size_t n)
{
	struct end *e = (struct end *)s;
	struct pair *p = e->pair;
	struct ring *r = &p->ring[!e->side];

	if (r->len == 0 && p->cut)
		return gone(e, "the connection was cut");
	if (r->len == 0)
		return r->closed ? 0 : STREAM_WANT_READ;
	n = at_most(one_go(p, n), at_most(r->len, p->cap - r->start));
	memcpy(dst, r->p + r->start, n);
	r->start = (r->start + n) % p->cap;
	r->len -= n;
	return (ssize_t)n;
}

static ssize_t
pair_write(struct stream *s, const void *src, size_t n)
{
	struct end *e = (struct end *)s;
	struct pair *p = e->pair;
	struct ring *r = &p->ring[e->side];
	size_t end = (r->start + r->len) % p->cap;

	if (p->cut)
		return gone(e, "the connection was cut");
	if (p->ring[!e->side].closed)
		return gone(e, "the other end has closed");
	if (r->len == p->cap)
		return STREAM_WANT_WRITE;
	n = at_most(one_go(p, n), at_most(p->cap - r->len, p->cap - end));
	if (r->left >= 0)
		n = at_most(n, (size_t)r->left);
	memcpy(r->p + end, src, n);
	r->len += n;
	if (r->left >= 0)
		r->left -= (int64_t)n;
	p->cut = r->left == 0;
	return (ssize_t)n;
}

static void
pair_wait(struct stream *s, int want, int *fd, short *events)
{
	(void)s;
	(void)want;
	*fd = -1;
	*events = 0;
}

static void
pair_free(struct pair *p)
{
	if (p->ring[0].p != NULL)
		OPENSSL_cleanse(p->ring[0].p, p->cap);
	if (p->ring[1].p != NULL)
		OPENSSL_cleanse(p->ring[1].p, p->cap);
	free(p->ring[0].p);
	free(p->ring[1].p);
	free(p);
}

static void
pair_close(struct stream *s)
{
	struct end *e = (struct end *)s;
	struct pair *p = e->pair;

	p->ring[e->side].closed = 1;
	p->end[e->side] = NULL;
	if (p->end[!e->side] == NULL)
		pair_free(p);
	free(e);
}

static const struct stream_ops pair_ops = { pair_read, pair_write, pair_wait, pair_close };

int
pair_new(struct stream **a, struct stream **b, size_t cap, size_t chunk)
{
	struct pair *p = calloc(1, sizeof *p);
	int i;

	if (p == NULL)
		return HF_ERR_MEMORY;
	p->cap = cap;
	p->chunk = chunk;
	for (i = 0; i < 2; i++) {
		p->end[i] = calloc(1, sizeof *p->end[i]);
		p->ring[i].p = malloc(cap);
		if (p->end[i] == NULL || p->ring[i].p == NULL)
			goto fail;
		*p->end[i] = (struct end){ .s.ops = &pair_ops, .pair = p, .side = i };
		p->ring[i].left = -1;
	}
	*a = &p->end[0]->s;
	*b = &p->end[1]->s;
	return 0;
fail:
	free(p->end[0]);
	free(p->end[1]);
	pair_free(p);
	return HF_ERR_MEMORY;
}

void
pair_cut(struct stream *s, int64_t after_bytes)
{
	struct end *e = (struct end *)s;

	e->pair->ring[e->side].left = after_bytes;
	if (after_bytes == 0)
		e->pair->cut = 1;
}
