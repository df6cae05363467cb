#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "cable.h"

struct lane {		/* one direction */
	size_t waiting; /* bytes in the pair */
	int64_t at;	/* when they may be read */
};
struct mouth {
	struct stream s;
	struct stream *under;
	struct wire *wire;
	int side;
};
struct wire {
	struct cable *cable;
	struct mouth *end[2];
	struct lane lane[2]; /* by the side that writes */
	enum cut cut;	     /* 0: whole */
	unsigned number;
	struct wire *next;
};

static const char *const names[] = { "device", "service" };

const char *
cut_name(enum cut how)
{
	static const char *const name[] = { "whole", "reset", "lost", "ended", "silent" };

	return name[how];
}

uint64_t
coin_below(struct coin *c, uint64_t n)
{
	return n == 0 ? 0 : coin_toss(c) % n;
}

void
cable_init(struct cable *c, const int64_t *now)
{
	memset(c, 0, sizeof(*c));
	c->now = now;
	c->cut_at[0] = c->cut_at[1] = -1;
}

static int
raining(const struct cable *c)
{
	return *c->now < c->until;
}

/* Does what happens once in `rate` bytes happen to these n? */
static int
befalls(struct cable *c, unsigned rate, size_t n)
{
	return rate != 0 && raining(c) && coin_below(&c->coin, rate) < n;
}

static size_t
piece(struct cable *c, size_t n)
{
	size_t most = c->split != 0 && raining(c) ? 1 + (size_t)coin_below(&c->coin, c->split) : n;

	return most < n ? most : n;
}

static void
set_out(struct wire *w, int side, size_t n)
{
	struct cable *c = w->cable;
	int64_t ms = raining(c) ? (int64_t)coin_below(&c->coin, c->delay) : 0;

	if (befalls(c, c->stall, n)) {
		ms += (int64_t)coin_below(&c->coin, c->stall_ms);
		log_line(&c->log, "wire %u: from the %s held up until %" PRId64, w->number, names[side],
		    *c->now + ms);
	}
	w->lane[side].at = *c->now + ms;
}

static void
sever(struct wire *w, enum cut how)
{
	struct cable *c = w->cable;

	w->cut = how;
	c->cuts++;
	c->moves++;
	c->cut_at[0] = c->cut_at[1] = -1;
	log_line(&c->log, "wire %u: cut, %s", w->number, cut_name(how));
}

static ssize_t
gone(struct mouth *m)
{
	err_set(&m->s.err, HF_ERR_NET, "wire %u was cut", m->wire->number);
	return STREAM_ERR;
}

static void
passed(struct wire *w, int side, size_t n)
{
	struct cable *c = w->cable;

	c->passed[side] += (int64_t)n;
	c->moves++;
	if (w->lane[side].waiting == 0)
		set_out(w, side, n);
	w->lane[side].waiting += n;
	log_line(&c->log, "wire %u: %zu bytes from the %s", w->number, n, names[side]);
	if (c->cut_at[side] == c->passed[side])
		sever(w, c->how);
	else if (befalls(c, c->cut, n))
		sever(w, (enum cut)(1 + coin_below(&c->coin, CUT_KINDS)));
}

static ssize_t
mouth_write(struct stream *s, const void *p, size_t n)
{
	struct mouth *m = (struct mouth *)s;
	struct wire *w = m->wire;
	struct cable *c = w->cable;
	int64_t left = c->cut_at[m->side] - c->passed[m->side];
	ssize_t r;

	if (w->cut == 0 && left == 0)
		sever(w, c->how);
	if (w->cut == CUT_SILENT)
		return (ssize_t)n;
	if (w->cut != 0)
		return gone(m);
	n = piece(c, n);
	if (left > 0 && n > (size_t)left)
		n = (size_t)left;
	r = stream_write(m->under, p, n);
	if (r > 0)
		passed(w, m->side, (size_t)r);
	if (r == STREAM_ERR)
		m->s.err = m->under->err;
	return r;
}

/* There is nothing under way. */
static ssize_t
read_end(struct mouth *m, void *p, size_t n)
{
	ssize_t r;

	switch (m->wire->cut) {
	case CUT_RESET:
	case CUT_LOST:
		return gone(m);
	case CUT_ENDED:
		return 0;
	case CUT_SILENT:
		return STREAM_WANT_READ;
	default:
		r = stream_read(m->under, p, n);
		if (r == STREAM_ERR)
			m->s.err = m->under->err;
		return r;
	}
}

static ssize_t
mouth_read(struct stream *s, void *p, size_t n)
{
	struct mouth *m = (struct mouth *)s;
	struct wire *w = m->wire;
	struct lane *l = &w->lane[!m->side];
	ssize_t r;

	if (l->waiting == 0 || w->cut == CUT_LOST)
		return read_end(m, p, n);
	if (*w->cable->now < l->at)
		return STREAM_WANT_READ;
	r = stream_read(m->under, p, piece(w->cable, n));
	if (r <= 0)
		return r;
	w->cable->moves++;
	l->waiting -= (size_t)r;
	if (l->waiting > 0)
		set_out(w, !m->side, (size_t)r);
	return r;
}

static void
mouth_wait(struct stream *s, int want, int *fd, short *events)
{
	(void)s;
	(void)want;
	*fd = -1;
	*events = 0;
}

static void
mouth_close(struct stream *s)
{
	struct mouth *m = (struct mouth *)s;
	struct wire *w = m->wire, **p = &w->cable->wires;

	stream_close(m->under);
	w->end[m->side] = NULL;
	w->cable->moves++;
	free(m);
	if (w->end[0] != NULL || w->end[1] != NULL)
		return;
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	free(w);
}

static const struct stream_ops mouth_ops = { mouth_read, mouth_write, mouth_wait, mouth_close };

static struct mouth *
mouth_new(struct wire *w, int side, struct stream *under)
{
	struct mouth *m = calloc(1, sizeof(*m));

	if (m != NULL)
		*m = (struct mouth){ .s.ops = &mouth_ops, .under = under, .wire = w, .side = side };
	return m;
}

int
cable_between(struct cable *c, struct stream **device, struct stream **service)
{
	struct wire *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return HF_ERR_MEMORY;
	w->cable = c;
	w->end[0] = mouth_new(w, 0, *device);
	w->end[1] = mouth_new(w, 1, *service);
	if (w->end[0] == NULL || w->end[1] == NULL)
		goto fail;
	w->number = ++c->opened;
	w->next = c->wires;
	c->wires = w;
	*device = &w->end[0]->s;
	*service = &w->end[1]->s;
	return 0;
fail:
	free(w->end[0]);
	free(w->end[1]);
	free(w);
	return HF_ERR_MEMORY;
}

int64_t
cable_next(const struct cable *c)
{
	int64_t at = NEVER;

	for (const struct wire *w = c->wires; w != NULL; w = w->next) {
		for (int side = 0; side < 2; side++)
			if (w->lane[side].waiting > 0 && w->lane[side].at > *c->now && w->cut != CUT_LOST)
				at = sooner(at, w->lane[side].at);
	}
	return at;
}

int
cable_is(const struct stream *s)
{
	return s->ops == &mouth_ops;
}
