#include <string.h>
#include "base/str.h"
#include "session.h"

void
session_wake_device(struct emulator *e, const char *hub, const char *device)
{
	for (struct session *s = e->sessions; s != NULL; s = s->next) {
		if (hub_amqp_wake(s, hub, device))
			session_wake(s);
		if (s->role != HUB_DEVICE || strcmp(s->admission.device, device) != 0 ||
		    !str_eqi(s->admission.hub, hub))
			continue;
		s->wanted = 1;
		session_wake(s);
	}
}

void
session_wake_owner(struct emulator *e, const char *hub)
{
	for (struct session *s = e->sessions; s != NULL; s = s->next)
		if (hub_amqp_wake_owner(s, hub))
			session_wake(s);
}

static void
forget(struct session *s, size_t at)
{
	s->lents--;
	memmove(s->lent + at, s->lent + at + 1, (s->lents - at) * sizeof(s->lent[0]));
}

/* A lock that has ended: the message will come again, under another packet id. */
static void
forget_late(struct session *s)
{
	for (size_t i = s->lents; i-- > 0;)
		if (s->e->now.ms >= s->lent[i].until)
			forget(s, i);
}

/* At QoS 0 it is done with once it is said. */
static int
say(struct session *s, const struct hub_c2d *c, int qos, struct hf_error *err)
{
	struct mqtt_publish p = { .body = c->message.body, .len = c->message.len, .qos = qos };
	struct lent *lent = &s->lent[s->lents];
	struct buf topic = { 0 };
	int r = hub_mqtt_put_c2d(&topic, s->admission.device, c);

	p.topic.p = (const char *)buf_data(&topic);
	p.topic.len = buf_size(&topic);
	if (r == 0)
		r = mqtt_publish(&s->mqtt, &p);
	buf_free(&topic);
	if (r < 0)
		return err_set(
		    err, HF_ERR_OTHER, "a message to device %s could not be said", s->admission.device);
	if (qos == 0)
		return c2d_settle(s->e, &s->admission, c->lock, HUB_COMPLETE, err);
	lent->id = (uint16_t)r;
	lent->until = s->e->now.ms + C2D_LOCK_MS;
	(void)str_fmt(lent->lock, sizeof(lent->lock), "%s", c->lock);
	s->lents++;
	return 0;
}

/* 1: one was said; 0: there is none. */
static int
lend(struct session *s, int qos, struct hf_error *err)
{
	struct buf body = { 0 };
	struct hub_c2d c;
	int r = c2d_take(s->e, &s->admission, &c, &body, err);

	if (r == 1) {
		r = say(s, &c, qos, err) < 0 ? err->code : 1;
		hub_c2d_fini(&c);
	}
	buf_free(&body);
	return r;
}

void
c2d_lend(struct session *s, int qos)
{
	struct hf_error err = { 0 };
	int r = 1;

	if (!s->wanted && s->e->now.ms < s->wanted_at)
		return;
	forget_late(s);
	s->wanted = 0;
	s->wanted_at = NEVER;
	while (r == 1 && s->lents < LENT_MOST && buf_size(&s->engine.out) <= ENGINE_HIGH)
		r = lend(s, qos, &err);
	if (r < 0)
		session_end(s, "%s", err.text);
	else if (r == 1) /* the window is full, or the buffer: an answer, or room, wakes it */
		s->wanted = 1;
	s->wanted_at = c2d_next(s->e, &s->admission);
}

void
c2d_acked(struct session *s, uint16_t id)
{
	struct hf_error err = { 0 };
	size_t i = 0;

	while (i < s->lents && s->lent[i].id != id)
		i++;
	if (i == s->lents)
		return;
	if (c2d_settle(s->e, &s->admission, s->lent[i].lock, HUB_COMPLETE, &err) < 0 && err.code == HF_ERR_IO)
		session_end(s, "%s", err.text);
	forget(s, i);
	s->wanted = 1;
}

void
c2d_lost(struct session *s)
{
	for (size_t i = 0; i < s->lents; i++)
		c2d_give_back(s->e, &s->admission, s->lent[i].lock);
	s->lents = 0;
}
