#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "session_amqp.h"

enum { EXPIRED = 401003, GONE = 404001, NEWER = 400027 };

static struct amqp_side *
side(const struct session *s)
{
	return s->amqp_side;
}

struct peer *
peer_find(const struct session *s, const char *device)
{
	struct peer *p = side(s)->peers;

	while (p != NULL && strcmp(p->admission.device, device) != 0)
		p = p->next;
	return p;
}

void
peer_give_back(struct session *s, struct peer *p)
{
	for (size_t i = 0; i < p->lents; i++)
		c2d_give_back(s->e, &p->admission, p->lent[i].lock);
	p->lents = 0;
}

void
peer_detach(struct session *s, struct amqp_link *l, int service, const char *why)
{
	struct buf text = { 0 };
	const char *word = amqp_condition(&text, service, why);

	if (l != NULL && (word == NULL || amqp_detach(&s->amqp, l, word, buf_str(&text)) < 0))
		session_end(s, "out of memory");
	buf_free(&text);
}

/* The device is not, or no longer, to be here: its links end, the connection stays. */
static void
drop(struct session *s, struct peer *p, int service, const char *why)
{
	struct peer **at = &side(s)->peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	log_line(&s->e->log, "hub %s, device %s, over AMQP: %s (%d)", p->admission.hub, p->admission.device,
	    why, service);
	peer_give_back(s, p);
	peer_detach(s, p->events, service, why);
	peer_detach(s, p->bound, service, why);
	free(p);
}

void
hub_amqp_replace(struct session *s, const char *hub, const char *device)
{
	struct peer *p = s->amqp_side != NULL ? peer_find(s, device) : NULL;

	if (p == NULL || !str_eqi(p->admission.hub, hub))
		return;
	drop(s, p, NEWER, "the same device has connected anew");
	session_wake(s);
}

/* A device has one connection: the newest. */
static void
replace_others(struct session *s, const struct hub_admission *a)
{
	for (struct session *o = s->e->sessions; o != NULL; o = o->next) {
		if (o == s || o->over)
			continue;
		hub_amqp_replace(o, a->hub, a->device);
		if (o->role == HUB_DEVICE && strcmp(o->client, a->device) == 0 &&
		    str_eqi(o->admission.hub, a->hub))
			session_end(o, "closed, for the same device has connected anew (%d)", NEWER);
	}
}

/* NULL: refused, or out of memory: err. */
struct peer *
peer_admit(struct session *s, const struct hub_who *who, struct hf_error *err)
{
	struct hub_admission a;
	struct peer *p;

	if (hub_service_admit(s->e, who, tls_peer(s->stream), &a, err) < 0)
		return NULL;
	if ((p = peer_find(s, who->device)) == NULL) {
		if ((p = calloc(1, sizeof(*p))) == NULL) {
			err_memory(err);
			return NULL;
		}
		p->next = side(s)->peers;
		p->wanted_at = NEVER;
		side(s)->peers = p;
		replace_others(s, &a);
		log_line(&s->e->log, "hub %s, device %s: connected over AMQP%s", a.hub, a.device,
		    who->token != NULL ? "" : ", by its certificate");
	}
	p->admission = a;
	p->version = registry_version(s->e->registry);
	return p;
}

/* messages down */

static int
say(struct session *s, struct peer *p, const struct hub_c2d *c)
{
	struct peer_lent *lent = &p->lent[p->lents];
	struct buf text = { 0 };
	int r = hub_amqp_put_c2d(&text, c);

	if (r == 0)
		r = amqp_send(&s->amqp, p->bound, buf_data(&text), buf_size(&text), &lent->delivery);
	buf_free(&text);
	if (r < 0)
		return r;
	(void)str_fmt(lent->lock, sizeof(lent->lock), "%s", c->lock);
	lent->until = s->e->now.ms + C2D_LOCK_MS;
	p->lents++;
	return 0;
}

static int
lend(struct session *s, struct peer *p, struct hf_error *err)
{
	struct buf body = { 0 };
	struct hub_c2d c;
	int r = c2d_take(s->e, &p->admission, &c, &body, err);

	if (r == 1) {
		if (say(s, p, &c) < 0)
			r = err_set(err, HF_ERR_OTHER, "a message to device %s could not be said",
			    p->admission.device);
		hub_c2d_fini(&c);
	}
	buf_free(&body);
	return r;
}

static void
forget(struct peer *p, size_t at)
{
	p->lents--;
	memmove(p->lent + at, p->lent + at + 1, (p->lents - at) * sizeof(p->lent[0]));
}

static void
offer(struct session *s, struct peer *p)
{
	struct hf_error err = { 0 };
	int r = 1;

	if (p->bound == NULL || (!p->wanted && s->e->now.ms < p->wanted_at))
		return;
	for (size_t i = p->lents; i-- > 0;)
		if (s->e->now.ms >= p->lent[i].until)
			forget(p, i);
	p->wanted = 0;
	while (r == 1 && p->lents < PEER_LENT && amqp_may_send(&s->amqp, p->bound) > 0 &&
	       buf_size(&s->engine.out) <= ENGINE_HIGH)
		r = lend(s, p, &err);
	p->wanted = r == 1;
	p->wanted_at = c2d_next(s->e, &p->admission);
	if (r < 0)
		session_end(s, "%s", err.text); /* and the peer with it */
}

enum hub_answer
peer_answer(enum amqp_outcome outcome)
{
	if (outcome == AMQP_ACCEPTED)
		return HUB_COMPLETE;
	return outcome == AMQP_REJECTED ? HUB_REJECT : HUB_ABANDON;
}

void
peer_settled(struct session *s, const struct amqp_event *ev)
{
	struct peer *p = side(s)->peers;
	struct hf_error err = { 0 };
	size_t i = 0;

	while (p != NULL && p->bound != ev->link)
		p = p->next;
	while (p != NULL && i < p->lents && p->lent[i].delivery != ev->delivery)
		i++;
	if (p == NULL || i == p->lents)
		return;
	(void)c2d_settle(s->e, &p->admission, p->lent[i].lock, peer_answer(ev->outcome), &err);
	forget(p, i);
	p->wanted = 1;
	if (err.code == HF_ERR_IO)
		session_end(s, "%s", err.text); /* and the peer with it */
}

/* the turn */

void
hub_amqp_check(struct session *s)
{
	int64_t version = registry_version(s->e->registry);
	struct peer *next;

	owner_check(s);
	for (struct peer *p = side(s)->peers; p != NULL && !s->over; p = next) {
		next = p->next;
		if (s->e->now.wall >= p->admission.until)
			drop(s, p, EXPIRED, "its token has expired");
		else if (p->version != version && !hub_service_still(s->e, &p->admission))
			drop(s, p, GONE, "the device is no longer there, or disabled");
		else
			p->version = version;
	}
}

void
hub_amqp_offer(struct session *s)
{
	struct peer *next;

	for (struct peer *p = side(s)->peers; p != NULL && !s->over; p = next) {
		next = p->next;
		offer(s, p);
	}
	owner_offer(s);
}

void
hub_amqp_lost(struct session *s)
{
	struct peer *p;

	owner_lost(s);
	while ((p = side(s)->peers) != NULL) {
		side(s)->peers = p->next;
		peer_give_back(s, p);
		free(p);
	}
}

int
hub_amqp_wake(struct session *s, const char *hub, const char *device)
{
	struct peer *p = s->role == HUB_AMQP ? peer_find(s, device) : NULL;

	if (p == NULL || !str_eqi(p->admission.hub, hub))
		return 0;
	return p->wanted = 1;
}

int64_t
hub_amqp_deadline(const struct session *s)
{
	const struct moment *now = &s->e->now;
	int64_t at = owner_deadline(s);

	for (struct peer *p = side(s)->peers; p != NULL; p = p->next) {
		if (p->admission.until != INT64_MAX)
			at = sooner(at, now->ms + (p->admission.until - now->wall) * 1000);
		if (p->bound != NULL && p->lents < PEER_LENT)
			at = sooner(at, p->wanted_at);
	}
	return at;
}
