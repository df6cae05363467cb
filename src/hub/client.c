#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "hub/hub_client.h"
#include "held.h"

#define TOKEN_LIFE 3600
#define ROUNDS	   32 /* of one step; then the loop has its turn */

struct told {
	enum hub_happened what;
	uint64_t tag;
	struct hf_error *err; /* of HUB_SETTLED; NULL: none */
};

struct hub_client {
	struct hub_settings set;
	struct hub_device *device;
	struct hsm *hsm;
	struct work *work;
	const struct log *log;
	struct tls_conf *tls;
	struct hub_who who;
	struct key_job *key;
	struct dps_client *dps, *answered; /* while DPS is asked again; its last answer */
	struct dps_state state;
	struct line line;
	struct hub_way *way; /* while the line is not closed */
	unsigned life;
	struct helds held;
	long wanted; /* messages; HUB_ANY */
	int64_t poll_at, flush_at;
	size_t alone;
	int64_t deadline;
	struct buf told;	/* what happened and was not yet taken */
	struct hf_error *taken; /* lent out with what was taken last */
	int up, over;		/* CONNECTED was told; it is over */
	int told_over;
};

static void
out_of_memory(struct hub_client *c)
{
	struct hf_error e = { 0 };

	err_memory(&e);
	hub_device_broke(c->device, &e);
}

static void
tell_why(struct hub_client *c, enum hub_happened what, uint64_t tag, const struct hf_error *why)
{
	struct told t = { what, tag, NULL };

	if (why != NULL && why->code != 0) {
		if ((t.err = malloc(sizeof(*t.err))) == NULL) {
			out_of_memory(c);
			return;
		}
		*t.err = *why;
	}
	if (buf_put(&c->told, &t, sizeof(t)) == 0)
		return;
	free(t.err);
	out_of_memory(c);
}

static void
tell(struct hub_client *c, enum hub_happened what, uint64_t tag)
{
	tell_why(c, what, tag, NULL);
}

enum hub_happened
hub_client_next(struct hub_client *c, uint64_t *tag, const struct hf_error **why)
{
	struct told t;

	free(c->taken);
	*why = c->taken = NULL;
	if (buf_size(&c->told) < sizeof(t)) {
		t.what = c->over && !c->told_over ? HUB_OVER : HUB_NOTHING;
		c->told_over = c->over;
		return t.what;
	}
	memcpy(&t, buf_data(&c->told), sizeof(t));
	buf_eat(&c->told, sizeof(t));
	*tag = t.tag;
	*why = c->taken = t.err;
	return t.what;
}

static int
name(struct hub_client *c, const char *hub, const char *device, struct hf_error *e)
{
	if (line_name(&c->line, hub, e) < 0)
		return e->code;
	if (str_fmt(c->who.host, sizeof(c->who.host), "%s", c->line.host) < 0 ||
	    str_fmt(c->who.device, sizeof(c->who.device), "%s", device) < 0 || device[0] == '\0')
		return err_set(e, HF_ERR_ARGS, "\"%s\" is not a device id", device);
	(void)str_fmt(c->who.api, sizeof(c->who.api), "%s", HUB_API);
	(void)str_fmt(c->who.agent, sizeof(c->who.agent), "holdfast/%s", HF_VERSION);
	return 0;
}

int
hub_client_new(struct hub_client **out, const struct hub_settings *set, struct hub_device *device,
    struct hsm *hsm, struct net *net, struct work *work, const struct log *log, struct moment now,
    struct hf_error *e)
{
	struct hub_client *c = calloc(1, sizeof(*c));
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;

	if (c == NULL)
		return err_memory(e);
	c->set = *set;
	c->device = device;
	c->hsm = hsm;
	c->work = work;
	c->log = log;
	line_init(&c->line, net, work, log, "hub");
	c->line.way = set->transports;
	c->flush_at = NEVER;
	if (name(c, set->hub, set->device, e) < 0)
		goto fail;
	if (set->state != NULL && dps_state_copy(&c->state, set->state) < 0) {
		err_memory(e);
		goto fail;
	}
	c->set.state = NULL;
	if (hsm->kind == HSM_X509 &&
	    (hsm->ops->certificate(hsm, &chain, e) < 0 || hsm->ops->key(hsm, &key, e) < 0))
		goto fail;
	if (tls_conf_client(&c->tls, set->trust, chain, key, e) < 0)
		goto fail;
	hub_device_init(device, hsm->kind != HSM_X509, set->dps != NULL, set->seed, now);
	*out = c;
	return 0;
fail:
	hub_client_free(c);
	return e->code;
}

static void
hang_up(struct hub_client *c)
{
	line_close(&c->line);
	if (c->way != NULL)
		c->way->ops->free(c->way);
	c->way = NULL;
	c->flush_at = NEVER;
}

void
hub_client_free(struct hub_client *c)
{
	const struct hf_error *why;
	uint64_t tag;

	if (c == NULL)
		return;
	hang_up(c);
	key_job_drop(c->key, c->work);
	dps_client_free(c->dps);
	dps_client_free(c->answered);
	dps_state_fini(&c->state);
	hub_who_fini(&c->who);
	tls_conf_free(c->tls);
	for (c->over = 0; hub_client_next(c, &tag, &why) != HUB_NOTHING;)
		;
	held_fini(&c->held);
	buf_free(&c->told);
	free(c);
}

static void
down(struct hub_client *c)
{
	if (c->up)
		tell(c, HUB_DISCONNECTED, 0);
	c->up = 0;
}

static int dial(struct hub_client *c, struct moment now);

/* why NULL: to come back at once with a new token, which is nobody's affair. */
static void
lost(struct hub_client *c, const struct hf_error *why, struct moment now)
{
	struct hf_error e = { 0 };
	int opening = c->line.state != LINE_READY;

	if (why != NULL)
		e = *why;
	hang_up(c);
	held_lost(&c->held);
	if (why != NULL && opening && line_failed(&c->line, &e)) {
		hub_device_waits(c->device, now);
		if (dial(c, now) < 0)
			out_of_memory(c);
		return;
	}
	if (why != NULL)
		log_line(c->log, "%s", e.text);
	hub_device_lost(c->device, why != NULL ? &e : NULL, now);
	if (why != NULL)
		down(c);
}

static void
refused(struct hub_client *c, const struct hf_error *why, struct moment now)
{
	struct hf_error e = *why;

	hang_up(c);
	held_lost(&c->held);
	log_line(c->log, "%s", e.text);
	hub_device_refused(c->device, &e, now);
	down(c);
}

static int
way_new(struct hub_client *c)
{
	struct hub_way_settings s = { .who = &c->who,
		.early = c->set.early,
		.poll_ms = c->set.poll_ms,
		.poll_at = &c->poll_at,
		.alone = &c->alone };
	enum transport by = line_transport(&c->line);

	c->life++;
	if (transport_is_mqtt(by))
		return hub_way_mqtt(&c->way, &s);
	return transport_is_amqp(by) ? hub_way_amqp(&c->way, &s) : hub_way_http(&c->way, &s);
}

static int
dial(struct hub_client *c, struct moment now)
{
	struct hf_error e = { 0 };

	if (way_new(c) < 0)
		return HF_ERR_MEMORY;
	if (line_dial(&c->line, c->tls, c->way->engine, now, &e) < 0)
		lost(c, &e, now);
	else if (c->way->early)
		hub_device_early(c->device);
	return 0;
}

static int
spoken(struct hub_client *c, struct moment now)
{
	line_ready(&c->line);
	hub_device_opened(c->device, now);
	if (!c->up)
		tell(c, HUB_CONNECTED, 0);
	c->up = 1;
	return c->wanted != 0 ? c->way->ops->receive(c->way, c->wanted) : 0;
}

/* Where each request is let in by itself, the line was ready before. */
static int
opened(struct hub_client *c, struct moment now)
{
	hub_device_welcome(c->device);
	return c->line.state == LINE_READY ? 0 : spoken(c, now);
}

static int
came(struct hub_client *c, struct hub_way_event *ev)
{
	struct held *r;

	if (c->wanted == 0) {
		hub_c2d_fini(&ev->c2d);
		return 0;
	}
	c->wanted -= c->wanted > 0;
	if ((r = held_add(&c->held, ev, c->way, c->life)) == NULL)
		return HF_ERR_MEMORY;
	tell(c, HUB_C2D, r->tag);
	return 0;
}

static void
settled(struct hub_client *c, struct held *r, const struct hf_error *why)
{
	if (r == NULL)
		return;
	tell_why(c, HUB_SETTLED, r->tag, why);
	held_remove(&c->held, r);
}

static void
acked(struct hub_client *c, const struct hub_way_event *ev, struct moment now)
{
	uint64_t tag;

	if (hub_device_acked(c->device, ev->id, &tag, now))
		tell_why(c, HUB_SENT, tag, ev->what == HUB_WAY_UNSENT ? &ev->err : NULL);
}

/* A hub that is asked closes the line when nobody asks; it is dialled again when there is something to say. */
static void
sleep_well(struct hub_client *c)
{
	hang_up(c);
	held_lost(&c->held);
	hub_device_sleeps(c->device);
}

static int
may_sleep(const struct hub_client *c)
{
	return c->way->asks && c->way->idle && c->line.state == LINE_READY;
}

static void
closed(struct hub_client *c, struct hf_error *why, struct moment now)
{
	if (why->code == 0 && may_sleep(c)) {
		sleep_well(c);
		return;
	}
	if (why->code == 0)
		err_set(why, HF_ERR_NET, "hub %s closed the connection%s", c->line.host,
		    c->line.state == LINE_READY && !c->way->asks
			? "; is another device connected with the same id?"
			: "");
	lost(c, why, now);
}

static int
happened(struct hub_client *c, struct hub_way_event *ev, struct moment now)
{
	switch (ev->what) {
	case HUB_WAY_OPENED:
		return opened(c, now);
	case HUB_WAY_REFUSED:
		refused(c, &ev->err, now);
		return 0;
	case HUB_WAY_LOST:
		closed(c, &ev->err, now);
		return 0;
	case HUB_WAY_C2D:
		return came(c, ev);
	case HUB_WAY_SETTLED:
		settled(c, held_answered(&c->held, ev->delivery, c->life), &ev->err);
		return 0;
	default:
		acked(c, ev, now);
		return 0;
	}
}

static void
misspoke(struct hub_client *c, const struct hf_error *why, struct moment now)
{
	struct hf_error e = { 0 };

	if (why->code != 0)
		err_set(&e, why->code, "hub %s: %s", c->line.host, why->text);
	else
		err_memory(&e);
	lost(c, &e, now);
}

static int
event(struct hub_client *c, struct moment now)
{
	struct hub_way_event ev = { 0 };
	int rc = c->way->ops->next(c->way, &ev);

	if (rc < 0)
		misspoke(c, &c->way->engine->err, now);
	if (rc > 0 && happened(c, &ev, now) < 0)
		out_of_memory(c);
	return rc > 0;
}

/* Moves bytes, then takes what they said; a line that broke has said its last words first. 1: there is more to do. */
static int
converse(struct hub_client *c, struct moment now)
{
	struct hf_error e = { 0 };
	int moved;

	if (c->line.state == LINE_CLOSED)
		return 0;
	moved = pump_step(&c->line.pump, now.ms);
	if (c->line.state == LINE_OPENING && c->way->asks && moved >= 0 && line_stands(&c->line) &&
	    spoken(c, now) < 0)
		out_of_memory(c);
	while (c->line.state != LINE_CLOSED && event(c, now))
		;
	if (moved < 0 && c->line.state != LINE_CLOSED && may_sleep(c))
		sleep_well(c);
	else if (moved < 0 && c->line.state != LINE_CLOSED) {
		e = c->line.pump.err;
		lost(c, &e, now);
	}
	if (line_late(&c->line, now, &e))
		lost(c, &e, now);
	return c->line.state == LINE_CLOSED || (moved != 0 && !pump_idle(&c->line.pump));
}

static int
sign(struct hub_client *c, struct moment now)
{
	struct key_job *k = key_job_new(KEY_SIGN, c->hsm);
	struct hf_error e = { 0 };

	if (k == NULL)
		return HF_ERR_MEMORY;
	k->expiry = now.wall + TOKEN_LIFE;
	if (str_fmt(k->resource, sizeof(k->resource), "%s/devices/%s", c->line.host, c->who.device) < 0 ||
	    str_fmt(k->path, sizeof(k->path), "%s", c->set.file != NULL ? c->set.file : "") < 0)
		err_set(&e, HF_ERR_ARGS, "the path of the state file is too long");
	else if (dps_state_copy(&k->state, &c->state) < 0)
		err_memory(&e);
	else if (key_job_start(k, c->work, &e) == 0) {
		c->key = k;
		return 0;
	}
	key_job_free(k);
	hub_device_broke(c->device, &e);
	return 0;
}

/* There is a new token: a hub that can be told of it on the open line is, any other sees it when the device comes back. */
static int
renewed(struct hub_client *c, int64_t until, struct moment now)
{
	if (c->line.state != LINE_READY || c->way->ops->renew == NULL) {
		hub_device_signed(c->device, now.wall, until, now);
		return 0;
	}
	hub_device_renewed(c->device, now.wall, until, now);
	return c->way->ops->renew(c->way);
}

/* A key that is not there any more is as good as a refusal: DPS gives a new one. */
static void
key_ended(struct hub_client *c, struct moment now)
{
	struct key_job *k = c->key;

	c->key = NULL;
	buf_free(&c->state.wrapped);
	if (k->rc < 0 && c->hsm->kind == HSM_TPM)
		hub_device_refused(c->device, &k->err, now);
	else if (k->rc < 0)
		hub_device_broke(c->device, &k->err);
	else if (buf_str(&k->token) == NULL || str_set(&c->who.token, buf_str(&k->token)) < 0) {
		err_memory(&k->err);
		hub_device_broke(c->device, &k->err);
	} else if (renewed(c, k->expiry, now) < 0)
		out_of_memory(c);
	key_job_free(k);
}

static void
ask_dps(struct hub_client *c, struct moment now)
{
	struct hf_error e = { 0 };

	hang_up(c);
	down(c);
	log_line(c->log, "asking DPS where %s belongs", c->who.device);
	if (dps_client_new(&c->dps, c->set.dps, c->hsm, c->line.net, c->work, c->log, now, &e) < 0)
		hub_device_broke(c->device, &e);
}

/* A DPS that is out of reach, as its hub may be, is asked again when the hub still does not do. */
static void
dps_failed(struct hub_client *c, const struct hf_error *why, struct moment now)
{
	log_line(c->log, "%s", why->text);
	if (why->code == HF_ERR_NET || why->code == HF_ERR_TIMEOUT)
		hub_device_unanswered(c->device, why, now);
	else
		hub_device_broke(c->device, why);
}

static int
dps_step(struct hub_client *c, struct moment now)
{
	int rc = dps_client_step(c->dps, now);
	const struct dps_assignment *a = dps_client_assignment(c->dps);
	struct hf_error e = { 0 };

	if (rc == 0)
		return 0;
	if (rc < 0)
		dps_failed(c, dps_client_error(c->dps), now);
	else if (name(c, a->hub, a->device, &e) < 0)
		hub_device_broke(c->device, &e);
	else {
		(void)dps_state_copy(&c->state, &a->state);
		hub_device_moved(c->device, now);
		tell(c, HUB_MOVED, 0);
	}
	dps_client_free(c->answered);
	c->answered = c->dps;
	c->dps = NULL;
	return 1;
}

static int
say(struct hub_client *c, struct moment now)
{
	const struct hub_device *d = c->device;
	int rc = c->way->ops->send(c->way, &d->message->event, d->id, d->again);

	if (rc > 0)
		hub_device_said(c->device, now);
	return rc;
}

/* Tells the hub what the application says of one of its messages. 1: something was done. */
static int
answer(struct hub_client *c, struct held *r)
{
	struct hf_error gone = { 0 };

	if (!r->done || r->said)
		return 0;
	if (!held_reachable(r, c->way, c->life)) {
		err_set(&gone, HF_ERR_NET,
		    "the connection on which the message came is gone; the hub will deliver it again");
		settled(c, r, &gone);
		return 1;
	}
	if (c->line.state != LINE_READY)
		return hub_device_wake(c->device);
	if (c->way->ops->settle(c->way, r->delivery, &r->c2d, r->done) < 0)
		return HF_ERR_MEMORY;
	r->life = c->life;
	return r->said = 1;
}

static int
answer_all(struct hub_client *c)
{
	struct held *next;
	int did = 0, rc;

	for (struct held *r = c->held.first; r != NULL; r = next) {
		next = r->next;
		if ((rc = answer(c, r)) < 0)
			return rc;
		did |= rc;
	}
	return did;
}

/* Says what has its own time. 1: something was said. */
static int
flush(struct hub_client *c, struct moment now)
{
	int rc;

	if (c->line.state != LINE_READY) {
		c->flush_at = c->wanted != 0 && hub_device_is_asleep(c->device) ? c->poll_at : NEVER;
		return now.ms >= c->flush_at && hub_device_wake(c->device);
	}
	if (c->way->ops->flush == NULL)
		return 0;
	rc = c->way->ops->flush(c->way, now.ms, &c->flush_at);
	if (rc == HF_ERR_TIMEOUT)
		misspoke(c, &c->way->engine->err, now);
	return rc == HF_ERR_TIMEOUT ? 1 : rc;
}

/* Does what the device asks for. 1: something was done; 0: wait; negative: out of memory. */
static int
obey(struct hub_client *c, struct moment now)
{
	if (c->key != NULL || c->dps != NULL || c->over)
		return 0;
	switch (hub_device_next(c->device, now)) {
	case HUB_ASK_SIGN:
		return sign(c, now) < 0 ? HF_ERR_MEMORY : 1;
	case HUB_ASK_OPEN:
		return dial(c, now) < 0 ? HF_ERR_MEMORY : 1;
	case HUB_ASK_CLOSE:
		hub_client_close(c, now);
		lost(c, c->device->fault ? &c->device->last : NULL, now);
		return 1;
	case HUB_ASK_SEND:
		return say(c, now);
	case HUB_ASK_REGISTER:
		ask_dps(c, now);
		return 1;
	case HUB_FAILED:
		hang_up(c);
		c->over = 1; /* told without a place in the list: memory may be what is out */
		return 1;
	default:
		return 0;
	}
}

/* All that there is to do at once, so that what is said travels together. 1: something was done. */
static int
obey_all(struct hub_client *c, struct moment now)
{
	int rc, did = 0;

	while ((rc = obey(c, now)) > 0 && ++did < HUB_WINDOW)
		;
	if (rc >= 0 && !c->over && (rc = answer_all(c)) > 0)
		did++;
	if (rc >= 0 && !c->over && (rc = flush(c, now)) > 0)
		did++;
	if (rc < 0)
		out_of_memory(c);
	return did > 0 || rc < 0;
}

void
hub_client_step(struct hub_client *c, struct moment now)
{
	int more, did, rounds = 0;

	obey_all(c, now);
	do {
		if (c->key != NULL && key_job_done(c->key, c->work))
			key_ended(c, now);
		more = c->dps != NULL ? dps_step(c, now) : converse(c, now);
		did = obey_all(c, now);
	} while ((more || did) && ++rounds < ROUNDS);
	c->deadline = c->over || c->key != NULL ? NEVER : c->device->deadline;
	if (rounds == ROUNDS)
		c->deadline = now.ms;
	if (c->dps != NULL)
		c->deadline = dps_client_deadline(c->dps);
	c->deadline = sooner(c->deadline, sooner(line_deadline(&c->line, now), c->flush_at));
}

const struct dps_assignment *
hub_client_assignment(const struct hub_client *c)
{
	return c->answered == NULL ? NULL : dps_client_assignment(c->answered);
}

int64_t
hub_client_deadline(const struct hub_client *c)
{
	return c->deadline;
}

void
hub_client_watch(struct hub_client *c, struct watch *w)
{
	if (c->dps != NULL)
		dps_client_watch(c->dps, w);
	else
		line_watch(&c->line, w);
}

void
hub_client_close(struct hub_client *c, struct moment now)
{
	if (c->line.state != LINE_READY)
		return;
	c->way->ops->bye(c->way);
	(void)pump_step(&c->line.pump, now.ms);
}

int
hub_client_receive(struct hub_client *c, long most)
{
	c->wanted = most;
	return c->line.state == LINE_READY ? c->way->ops->receive(c->way, most) : 0;
}

long
hub_client_wants(const struct hub_client *c)
{
	return c->wanted;
}

const struct hub_c2d *
hub_client_c2d(const struct hub_client *c, uint64_t tag)
{
	const struct held *r = held_find(&c->held, tag);

	return r != NULL ? &r->c2d : NULL;
}

int
hub_client_settle(struct hub_client *c, uint64_t tag, enum hub_answer how, struct hf_error *e)
{
	return held_settle(&c->held, tag, how, e);
}
