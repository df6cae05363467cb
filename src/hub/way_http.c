#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "way.h"

#define BODY_MAX   (1 << 20)
#define ANSWER_MS  60000
#define BATCH_EACH 64 /* of JSON around an item's body and names, at most */

/* One request is under way at a time; what is sent meanwhile makes up the next batch. */
enum asked { NOTHING, EVENTS, POLL, SETTLE };
struct waiting {
	const struct hub_event *event;
	uint16_t id;
};
struct answering {
	uint64_t delivery;
	char lock[64];
	enum hub_answer how;
	int silent; /* the caller has not seen the message */
};
struct way_http {
	struct hub_way way;
	struct http http;
	struct hub_way_settings set;
	enum asked asked;
	int64_t asked_at;
	struct buf waiting; /* events that are not acknowledged; the first `flying` of them are asked about */
	struct buf answering;  /* the first of them is asked about, when `asked` is SETTLE */
	size_t flying, stored; /* stored: the first so many of `waiting` are, and it is yet to be told */
	int unsent;	       /* the first of `waiting` will never be stored: why */
	struct hf_error why;
	int let_in; /* 1: an answer says so; 2: it was told */
	long most;
};

static struct waiting *
event_at(const struct way_http *h, size_t i)
{
	return (struct waiting *)(void *)buf_data(&h->waiting) + i;
}

static size_t
events(const struct way_http *h)
{
	return buf_size(&h->waiting) / sizeof(struct waiting);
}

static void
look_idle(struct way_http *h)
{
	h->way.idle = h->asked == NOTHING && buf_size(&h->waiting) == 0 && buf_size(&h->answering) == 0;
}

static int
send_event(struct hub_way *w, const struct hub_event *v, uint16_t id, int again)
{
	struct way_http *h = (struct way_http *)w;
	struct waiting one = { v, id };

	(void)again;
	w->idle = 0;
	return buf_put(&h->waiting, &one, sizeof(one)) < 0 ? HF_ERR_MEMORY : 1;
}

static int
receive(struct hub_way *w, long most)
{
	((struct way_http *)w)->most = most;
	return 0;
}

static int
settle(struct hub_way *w, uint64_t delivery, const struct hub_c2d *c2d, enum hub_answer how)
{
	struct way_http *h = (struct way_http *)w;
	struct answering one = { .delivery = delivery, .how = how };

	w->idle = 0;
	memcpy(one.lock, c2d->lock, sizeof(one.lock));
	return buf_put(&h->answering, &one, sizeof(one));
}

/* Each request carries the token. */
static int
renew(struct hub_way *w)
{
	(void)w;
	return 0;
}

static size_t
weight(const struct hub_event *v)
{
	size_t n = BATCH_EACH + v->len / 3 * 4 + 4;

	for (size_t i = 0; i < v->property_count; i++)
		n += BATCH_EACH + strlen(v->property[i].key) + strlen(v->property[i].value);
	return n;
}

/* How many of the events that wait go together. 0: the first one goes by itself, in headers. */
static size_t
together(struct way_http *h)
{
	size_t n = 0, size = 0, most = *h->set.alone > 0 ? 1 : HUB_BATCH_COUNT;
	const struct hub_event *v;

	for (; n < events(h) && n < most; n++) {
		v = event_at(h, n)->event;
		size += weight(v);
		if (size > HUB_BATCH_BYTES || !hub_http_in_batch(v))
			break;
	}
	return n == 1 && hub_http_in_headers(event_at(h, 0)->event) ? 0 : n;
}

static int
say_batch(struct way_http *h, size_t n)
{
	struct buf items = { 0 };
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = hub_http_put_item(&items, event_at(h, i)->event);
	if (rc == 0)
		rc = hub_http_put_batch(&h->http, h->set.who, &items);
	buf_free(&items);
	return rc;
}

/* It fits neither a batch nor headers. */
static int
cannot(struct way_http *h)
{
	err_clear(&h->why);
	err_set(&h->why, HF_ERR_UNSUPPORTED,
	    "the message cannot be said over HTTPS: a property is more than a header can carry, and a batch, which could, has no message "
	    "id or content type; send it over MQTT or AMQP, or without those");
	h->unsent = 1;
	return 0;
}

static int
say_events(struct way_http *h)
{
	const struct hub_event *first = event_at(h, 0)->event;
	size_t n = together(h);
	int rc;

	if (n == 0 && !hub_http_in_headers(first))
		return cannot(h);
	rc = n > 0 ? say_batch(h, n) : hub_http_put_event(&h->http, h->set.who, first);
	h->flying = n > 0 ? n : 1;
	h->asked = EVENTS;
	return rc;
}

static int
say_settle(struct way_http *h)
{
	const struct answering *one = (const struct answering *)(const void *)buf_data(&h->answering);

	h->asked = SETTLE;
	return hub_http_put_settle(&h->http, h->set.who, one->lock, one->how);
}

static int
say_poll(struct way_http *h)
{
	h->asked = POLL;
	return hub_http_put_receive(&h->http, h->set.who);
}

static int
due(struct way_http *h, int64_t now)
{
	if (h->stored > 0 || h->unsent || h->http.closing)
		return 0;
	if (buf_size(&h->answering) > 0)
		return say_settle(h);
	if (buf_size(&h->waiting) > 0)
		return say_events(h);
	return h->most != 0 && now >= *h->set.poll_at ? say_poll(h) : 0;
}

/* A large request that was answered early may not have left yet: then it is not now. */
static int
say_due(struct way_http *h, int64_t now)
{
	int rc = due(h, now);

	if (rc != HF_ERR_STATE)
		return rc;
	h->asked = NOTHING;
	h->flying = 0;
	return 0;
}

static int
flush(struct hub_way *w, int64_t now, int64_t *at)
{
	struct way_http *h = (struct way_http *)w;
	int rc = 0;

	if (h->asked == NOTHING) {
		if ((rc = say_due(h, now)) < 0)
			return rc;
		h->asked_at = now;
		rc = h->asked != NOTHING || h->unsent;
	} else if (now - h->asked_at >= ANSWER_MS)
		return err_set(
		    &w->engine->err, HF_ERR_TIMEOUT, "it did not answer for %d s", ANSWER_MS / 1000);
	look_idle(h);
	*at = h->asked != NOTHING ? h->asked_at + ANSWER_MS : h->most != 0 ? *h->set.poll_at : NEVER;
	return rc;
}

/* The first event will not be stored, whatever else is tried. */
static void
give_up(struct way_http *h, const struct hf_error *why)
{
	err_clear(&h->why);
	h->why = *why;
	err_clear(&h->why);
	err_set(&h->why, HF_ERR_SERVICE, "hub %s does not take the message: %s", h->set.who->host, why->text);
	h->why.status = why->status;
	h->why.service = why->service;
	h->unsent = 1;
}

/* A batch that is refused is said again in its parts. */
static void
events_refused(struct way_http *h, const struct hf_error *why)
{
	if (h->flying > 1)
		*h->set.alone = h->flying;
	else
		give_up(h, why);
	h->flying = 0;
}

static int
is_about_us(const struct hf_error *why)
{
	return why->status == 401 || why->status == 404 || why->service == 403012;
}

/* The first answer has arrived, or came too late. */
static int
settled(struct way_http *h, struct hub_way_event *ev)
{
	struct answering one;

	memcpy(&one, buf_data(&h->answering), sizeof(one));
	buf_eat(&h->answering, sizeof(one));
	ev->what = HUB_WAY_SETTLED;
	ev->delivery = one.delivery;
	return !one.silent;
}

/* 1: the event is for the caller. */
static int
refused(struct way_http *h, enum asked what, const struct http_message *m, struct hub_way_event *ev)
{
	struct hf_error why = { 0 };

	hub_http_get_refusal(m, &why);
	ev->err = why;
	err_clear(&ev->err);
	if (is_about_us(&why)) {
		err_set(&ev->err, HF_ERR_AUTH,
		    "hub %s refused device %s (%s); was it deleted or disabled, is its key the hub's, is its clock right?",
		    h->set.who->host, h->set.who->device, why.text);
		ev->what = HUB_WAY_REFUSED;
	} else if (what == EVENTS && (why.status == 400 || why.status == 413)) {
		events_refused(h, &why);
		return 0;
	} else if (what == SETTLE && why.status != 429 && why.status < 500) {
		if (!settled(h, ev))
			return 0;
		err_set(&ev->err, HF_ERR_SERVICE,
		    "hub %s did not take the answer to a message (%s); it is delivered again, unless it was settled before",
		    h->set.who->host, why.text);
	} else {
		err_set(&ev->err, HF_ERR_NET, "hub %s cannot answer now (%s)", h->set.who->host, why.text);
		ev->what = HUB_WAY_LOST;
	}
	ev->err.status = why.status;
	ev->err.service = why.service;
	ev->err.retry_after = why.retry_after;
	memcpy(ev->err.tracking, why.tracking, sizeof(why.tracking));
	return 1;
}

/* Nobody could read it: it is not to come again and again. */
static int
unreadable(struct way_http *h, struct hub_way_event *ev)
{
	struct answering one = { .how = HUB_REJECT, .silent = 1 };

	err_clear(&ev->err);
	memcpy(one.lock, ev->c2d.lock, sizeof(one.lock));
	return buf_put(&h->answering, &one, sizeof(one));
}

static int
polled(struct way_http *h, const struct http_message *m, struct hub_way_event *ev)
{
	int rc;

	*h->set.poll_at = h->asked_at + (m->status == 204 ? h->set.poll_ms : 0);
	if (m->status == 204)
		return 0;
	rc = hub_http_get_c2d(m, &ev->c2d, &ev->err);
	if (rc == HF_ERR_PROTOCOL && ev->c2d.lock[0] != '\0')
		return unreadable(h, ev);
	if (rc < 0) {
		ev->what = HUB_WAY_LOST;
		return 1;
	}
	if (h->most > 0)
		h->most--;
	ev->what = HUB_WAY_C2D;
	ev->delivery = (uint64_t)ev->c2d.sequence;
	return 1;
}

static int
answered(struct way_http *h, const struct http_message *m, struct hub_way_event *ev)
{
	enum asked what = h->asked;

	h->asked = NOTHING;
	if (m->status < 200 || m->status >= 300)
		return refused(h, what, m, ev);
	if (h->let_in == 0)
		h->let_in = 1;
	if (what == POLL)
		return polled(h, m, ev);
	if (what == SETTLE)
		return settled(h, ev);
	h->stored = h->flying;
	h->flying = 0;
	return 0;
}

/* What is known of the first event that waits. */
static int
tell_event(struct way_http *h, struct hub_way_event *ev)
{
	ev->what = h->unsent ? HUB_WAY_UNSENT : HUB_WAY_SENT;
	ev->id = event_at(h, 0)->id;
	if (h->unsent)
		ev->err = h->why;
	else
		h->stored--;
	h->unsent = 0;
	*h->set.alone -= *h->set.alone > 0;
	buf_eat(&h->waiting, sizeof(struct waiting));
	look_idle(h);
	return 1;
}

/* "Connection: close" came with the last answer: what waits is said on another line. */
static int
ended(struct way_http *h, struct hub_way_event *ev)
{
	h->way.idle = 1;
	ev->what = HUB_WAY_LOST;
	return 1;
}

static int
take(struct way_http *h, struct hub_way_event *ev)
{
	struct http_event in;
	int rc = http_next(&h->http, &in);

	if (rc <= 0)
		return rc;
	if (in.what != HTTP_CLOSED)
		return answered(h, &in.message, ev);
	if (h->http.closing && h->asked == NOTHING)
		return ended(h, ev);
	ev->what = HUB_WAY_LOST;
	return 1;
}

static int
next(struct hub_way *w, struct hub_way_event *ev)
{
	struct way_http *h = (struct way_http *)w;
	int rc;

	if (h->let_in == 1) {
		h->let_in = 2;
		ev->what = HUB_WAY_OPENED;
		return 1;
	}
	if (h->stored > 0 || h->unsent)
		return tell_event(h, ev);
	if ((rc = take(h, ev)) != 0)
		return rc;
	look_idle(h);
	if (h->let_in == 1 || h->stored > 0 || h->unsent)
		return next(w, ev);
	return h->http.closing && h->asked == NOTHING ? ended(h, ev) : 0;
}

static void
bye(struct hub_way *w)
{
	(void)w;
}

static void
end(struct hub_way *w)
{
	struct way_http *h = (struct way_http *)w;

	http_fini(&h->http);
	buf_free(&h->waiting);
	buf_free(&h->answering);
	free(h);
}

static const struct hub_way_ops ops = { .send = send_event,
	.receive = receive,
	.settle = settle,
	.renew = renew,
	.flush = flush,
	.next = next,
	.bye = bye,
	.free = end };

int
hub_way_http(struct hub_way **out, const struct hub_way_settings *s)
{
	struct way_http *h = calloc(1, sizeof(*h));

	if (h == NULL || http_init(&h->http, 0, BODY_MAX) < 0) {
		free(h);
		return HF_ERR_MEMORY;
	}
	h->set = *s;
	h->way = (struct hub_way){
		.ops = &ops, .engine = &h->http.engine, .asks = 1, .idle = 1, .answers = 1, .locks = 1
	};
	*out = &h->way;
	return 0;
}
