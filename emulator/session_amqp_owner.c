#include <string.h>
#include "amqp/message.h"
#include "base/json.h"
#include "base/str.h"
#include "session_amqp.h"

#define FEEDBACK_PATH "/messages/servicebound/feedback"
#define FEEDBACK_TYPE "application/vnd.microsoft.iothub.feedback.json"

enum { BAD = 400004, UNAUTHORIZED = 401002, EXPIRED = 401003 };

static struct amqp_side *
side(const struct session *s)
{
	return s->amqp_side;
}

static int
is_owner(const struct session *s)
{
	return side(s)->owner_until > s->e->now.wall;
}

int
owner_attach(struct session *s, struct amqp_link *l, const char *path)
{
	int orders = str_eqi(path, HUB_AMQP_TO_DEVICES);
	struct amqp_link **place = orders ? &side(s)->orders : &side(s)->feedback;

	if (!orders && !str_eqi(path, FEEDBACK_PATH))
		return 0;
	if (!is_owner(s))
		hub_amqp_turn_away(s, l, UNAUTHORIZED, "no token of a policy was put before");
	else if (*place != NULL || l->receiver != orders)
		hub_amqp_turn_away(s, l, BAD, "there is such a link already, or it goes the wrong way");
	else
		hub_amqp_take(s, l, place);
	side(s)->feedback_wanted = 1;
	return 1;
}

void
owner_order(struct session *s, const struct amqp_event *ev)
{
	struct hf_error err = { 0 };
	struct hub_who who = { 0 };
	struct buf body = { 0 };
	struct hub_c2d c;
	int r = hub_amqp_get_c2d(ev->bytes.p, ev->bytes.len, &c, &body, &err);

	if (r == 0) {
		if (!is_owner(s))
			r = refuse(&err, EXPIRED, "the policy's token has expired");
		else if ((r = hub_amqp_get_to(c.message.to != NULL ? c.message.to : "", &who, &err)) == 0)
			r = c2d_put(s->e, side(s)->hub, who.device, &c, &err);
		hub_c2d_fini(&c);
	}
	buf_free(&body);
	if (r < 0)
		hub_amqp_reject(s, ev, &err);
	else
		(void)amqp_settle(&s->amqp, ev->link, ev->delivery, AMQP_ACCEPTED);
	(void)amqp_credit(&s->amqp, ev->link, 1);
}

/* feedback */

static int
put_batch(struct buf *b, const struct session *s, const json_t *records)
{
	struct amqp_pairs notes = { .symbols = 1 };
	struct buf text = { 0 };
	struct amqp_message m = { .user_id = { side(s)->hub, hub_amqp_short(side(s)->hub) },
		.content_type = { FEEDBACK_TYPE, sizeof(FEEDBACK_TYPE) - 1 },
		.put_annotations = &notes };
	int r = js_put(&text, records);

	m.data = (struct amqp_text){ (const char *)buf_data(&text), buf_size(&text) };
	amqp_pair_time(&notes, "iothub-enqueuedtime", s->e->now.wall * 1000);
	if (r == 0)
		r = amqp_message_put(b, &m);
	buf_free(&notes.b);
	buf_free(&text);
	return r;
}

static int
say(struct session *s, const json_t *records, struct peer_lent *lent)
{
	struct buf b = { 0 };
	int r = put_batch(&b, s, records);

	if (r == 0)
		r = amqp_send(&s->amqp, side(s)->feedback, buf_data(&b), buf_size(&b), &lent->delivery);
	buf_free(&b);
	return r;
}

/* 1: a batch was said; 0: there is none. */
static int
lend(struct session *s, struct hf_error *err)
{
	struct peer_lent *lent = &side(s)->lent[side(s)->lents];
	json_t *records;
	int r = feedback_take(s->e, side(s)->hub, lent->lock, &records, err);

	if (r <= 0)
		return r;
	lent->until = s->e->now.ms + C2D_LOCK_MS;
	if (say(s, records, lent) < 0)
		r = err_set(err, HF_ERR_OTHER, "feedback of hub %s could not be said", side(s)->hub);
	else
		side(s)->lents++;
	json_decref(records);
	return r;
}

static void
forget(struct amqp_side *own, size_t at)
{
	own->lents--;
	memmove(own->lent + at, own->lent + at + 1, (own->lents - at) * sizeof(own->lent[0]));
}

void
owner_offer(struct session *s)
{
	struct amqp_side *own = side(s);
	struct hf_error err = { 0 };
	int r = 1;

	if (s->over || own->feedback == NULL || (!own->feedback_wanted && s->e->now.ms < own->feedback_at))
		return;
	for (size_t i = own->lents; i-- > 0;)
		if (s->e->now.ms >= own->lent[i].until)
			forget(own, i);
	while (r == 1 && own->lents < FEEDBACK_LENT && amqp_may_send(&s->amqp, own->feedback) > 0 &&
	       buf_size(&s->engine.out) <= ENGINE_HIGH)
		r = lend(s, &err);
	own->feedback_wanted = r == 1;
	own->feedback_at = feedback_next(s->e, own->hub);
	if (r < 0)
		session_end(s, "%s", err.text);
}

void
owner_settled(struct session *s, const struct amqp_event *ev)
{
	struct amqp_side *own = side(s);
	struct hf_error err = { 0 };
	size_t i = 0;

	while (i < own->lents && own->lent[i].delivery != ev->delivery)
		i++;
	if (i == own->lents)
		return;
	(void)feedback_settle(s->e, own->hub, own->lent[i].lock, peer_answer(ev->outcome), &err);
	forget(own, i);
	own->feedback_wanted = 1;
	if (err.code != 0)
		session_end(s, "%s", err.text);
}

static void
give_back(struct session *s)
{
	for (size_t i = 0; i < side(s)->lents; i++)
		feedback_give_back(s->e, side(s)->hub, side(s)->lent[i].lock);
	side(s)->lents = 0;
}

void
owner_detached(struct session *s, const struct amqp_link *l)
{
	if (side(s)->orders == l)
		side(s)->orders = NULL;
	if (side(s)->feedback != l)
		return;
	side(s)->feedback = NULL;
	give_back(s);
}

void
owner_lost(struct session *s)
{
	give_back(s);
	side(s)->feedback = NULL;
}

/* The links of a token that has ended do not outlive it. */
void
owner_check(struct session *s)
{
	static const char why[] = "the policy's token has expired";
	struct amqp_link *orders = side(s)->orders, *feedback = side(s)->feedback;

	if (is_owner(s) || (orders == NULL && feedback == NULL))
		return;
	log_line(&s->e->log, "hub %s, its owner, over AMQP: %s (%d)", side(s)->hub, why, EXPIRED);
	give_back(s);
	side(s)->orders = side(s)->feedback = NULL;
	peer_detach(s, orders, EXPIRED, why);
	peer_detach(s, feedback, EXPIRED, why);
}

int
hub_amqp_wake_owner(struct session *s, const char *hub)
{
	if (s->role != HUB_AMQP || side(s)->feedback == NULL || !str_eqi(side(s)->hub, hub))
		return 0;
	return side(s)->feedback_wanted = 1;
}

int64_t
owner_deadline(const struct session *s)
{
	const struct amqp_side *own = side(s);
	const struct moment *now = &s->e->now;
	int64_t at = NEVER;

	if (own->orders == NULL && own->feedback == NULL)
		return NEVER;
	if (own->owner_until != INT64_MAX)
		at = now->ms + (own->owner_until - now->wall) * 1000;
	return own->feedback != NULL && own->lents < FEEDBACK_LENT ? sooner(at, own->feedback_at) : at;
}
