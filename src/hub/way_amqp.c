#include <stdlib.h>
#include <string.h>
#include "amqp/amqp.h"
#include "amqp/message.h"
#include "base/str.h"
#include "way.h"

#define MESSAGE_MAX (HUB_MAX_EVENT + 65536)
#define IDLE_MS	    480000 /* the peer is told half of it */
#define AT_ONCE	    50	   /* messages that may come before one is settled: as many as a hub keeps */

/* A token is put over $cbs before anything else is asked for; a certificate has spoken in TLS. */
enum step { LOGIN, TOLD, OPEN };
struct flight { /* an event that the hub has not settled */
	uint32_t delivery;
	uint16_t id;
	size_t size;
};
struct way_amqp {
	struct hub_way way;
	struct amqp amqp;
	const struct hub_who *who;
	enum step step;
	struct amqp_link *ask, *answer; /* $cbs */
	struct amqp_link *events, *bound;
	uint64_t asked;		/* put-tokens so far */
	int put;		/* a token is to be put */
	int believed, credited; /* the token was taken; events may be sent */
	int too_large;		/* a message ended the link for events */
	struct buf flights;	/* in the order in which they were said */
	struct buf settled;	/* deliveries that were answered, and are yet to be told */
	struct buf text, body;	/* of a message that is being written, or read */
	long most, granted;	/* messages that are wanted, and may come */
};

static struct flight *
flight(const struct way_amqp *w, size_t i)
{
	return (struct flight *)(void *)buf_data(&w->flights) + i;
}

static size_t
flights(const struct way_amqp *w)
{
	return buf_size(&w->flights) / sizeof(struct flight);
}

static int
attach(struct way_amqp *w, struct amqp_link **l, int receiver, const char *name, enum hub_amqp_link kind)
{
	const struct amqp_property agent = { "com.microsoft:client-version",
		w->who->agent[0] != '\0' ? w->who->agent : "holdfast/" HF_VERSION };
	char address[HUB_AMQP_ADDRESS];

	if (hub_amqp_put_address(address, w->who, kind) < 0)
		return HF_ERR_MEMORY;
	*l = amqp_attach(&w->amqp, receiver, name, address, &agent, 1);
	return *l != NULL ? 0 : HF_ERR_MEMORY;
}

static int
attach_cbs(struct way_amqp *w)
{
	w->ask = amqp_attach(&w->amqp, 0, "cbs-ask", "$cbs", NULL, 0);
	w->answer = amqp_attach(&w->amqp, 1, "cbs-answer", "$cbs", NULL, 0);
	if (w->ask == NULL || w->answer == NULL)
		return HF_ERR_MEMORY;
	return amqp_credit(&w->amqp, w->answer, 10);
}

/* The token, when there is one to be put and the hub takes it now. */
static int
put_token(struct way_amqp *w)
{
	char audience[600];
	int rc;

	if (!w->put || !amqp_may_send(&w->amqp, w->ask))
		return 0;
	(void)str_fmt(audience, sizeof(audience), "%s/devices/%s%s%s", w->who->host, w->who->device,
	    w->who->module[0] != '\0' ? "/modules/" : "", w->who->module);
	buf_clear(&w->text);
	if ((rc = cbs_put(&w->text, ++w->asked, audience, w->who->token)) < 0 ||
	    (rc = amqp_send(&w->amqp, w->ask, buf_data(&w->text), buf_size(&w->text), NULL)) < 0)
		return rc;
	buf_clear(&w->text);
	w->put = 0;
	if (w->step != LOGIN)
		return 0;
	w->step = TOLD;
	return w->way.early ? attach(w, &w->events, 0, "events", HUB_AMQP_EVENTS) : 0;
}

static int
send_event(struct hub_way *way, const struct hub_event *v, uint16_t id, int again)
{
	struct way_amqp *w = (struct way_amqp *)way;
	struct flight f = { .id = id };
	int rc;

	(void)again;
	if (w->events == NULL || !amqp_may_send(&w->amqp, w->events))
		return 0;
	buf_clear(&w->text);
	if (hub_amqp_put_event(&w->text, w->who, v) < 0)
		return HF_ERR_MEMORY;
	f.size = buf_size(&w->text);
	rc = amqp_send(&w->amqp, w->events, buf_data(&w->text), buf_size(&w->text), &f.delivery);
	if (rc == HF_ERR_STATE)
		return 0;
	return rc < 0 || buf_put(&w->flights, &f, sizeof(f)) < 0 ? HF_ERR_MEMORY : 1;
}

/* Lets as many come as are wanted, but so many at a time. */
static int
grant(struct way_amqp *w)
{
	long more = w->most < 0 || w->most > AT_ONCE ? AT_ONCE - w->granted : w->most - w->granted;

	if (w->bound == NULL || more <= 0)
		return 0;
	w->granted += more;
	return amqp_credit(&w->amqp, w->bound, (int)more);
}

static int
receive(struct hub_way *way, long most)
{
	struct way_amqp *w = (struct way_amqp *)way;

	w->most = most;
	if (most != 0 && w->bound == NULL && attach(w, &w->bound, 1, "devicebound", HUB_AMQP_BOUND) < 0)
		return HF_ERR_MEMORY;
	return grant(w) < 0 ? HF_ERR_MEMORY : 0;
}

static int
settle(struct hub_way *way, uint64_t delivery, const struct hub_c2d *c2d, enum hub_answer how)
{
	static const enum amqp_outcome word[] = {
		[HUB_COMPLETE] = AMQP_ACCEPTED, [HUB_ABANDON] = AMQP_RELEASED, [HUB_REJECT] = AMQP_REJECTED
	};
	struct way_amqp *w = (struct way_amqp *)way;

	(void)c2d;
	if (buf_put(&w->settled, &delivery, sizeof(delivery)) < 0)
		return HF_ERR_MEMORY;
	return w->bound == NULL || delivery == 0
		   ? 0
		   : amqp_settle(&w->amqp, w->bound, (uint32_t)delivery, word[how]);
}

static int
renew(struct hub_way *way)
{
	struct way_amqp *w = (struct way_amqp *)way;

	w->put = w->ask != NULL;
	return put_token(w) < 0 ? HF_ERR_MEMORY : 0;
}

/* A device that is disabled is no longer authorized, with 403012. */
static int
is_about_us(const char *condition, const struct hf_error *why)
{
	return why->code == HF_ERR_AUTH ||
	       (condition != NULL && strcmp(condition, "amqp:unauthorized-access") == 0);
}

/* Who is meant, and what it means for him. */
static int
turned_away(struct way_amqp *w, const char *condition, const char *description, struct hub_way_event *ev)
{
	char what[300];

	if (condition == NULL && description == NULL) {
		ev->what = HUB_WAY_LOST;
		return 1;
	}
	(void)str_fmt(
	    what, sizeof(what), "hub %s ended the conversation with %s", w->who->host, w->who->device);
	hub_amqp_get_error(condition, description, what, &ev->err);
	ev->what = is_about_us(condition, &ev->err) ? HUB_WAY_REFUSED : HUB_WAY_LOST;
	return 1;
}

/* Once a token is taken, where one was put, and there is credit for events. */
static int
opened(struct way_amqp *w, struct hub_way_event *ev)
{
	if (w->step == OPEN || !w->credited || (w->ask != NULL && !w->believed))
		return 0;
	w->step = OPEN;
	ev->what = HUB_WAY_OPENED;
	return 1;
}

static int
answered(struct way_amqp *w, const struct amqp_event *in, struct hub_way_event *ev)
{
	char description[200];
	uint64_t id;
	int status;

	(void)amqp_settle(&w->amqp, w->answer, in->delivery, AMQP_ACCEPTED);
	(void)amqp_credit(&w->amqp, w->answer, 1);
	if (cbs_get_reply(
		in->bytes.p, in->bytes.len, &id, &status, description, sizeof(description), &ev->err) < 0) {
		ev->what = HUB_WAY_LOST;
		return 1;
	}
	if (status < 200 || status > 299) {
		ev->what = status == 401 || status == 404 || status == 403 ? HUB_WAY_REFUSED : HUB_WAY_LOST;
		err_set(&ev->err, ev->what == HUB_WAY_REFUSED ? HF_ERR_AUTH : HF_ERR_NET,
		    "hub %s did not take the token of device %s (status %d: %s); was it deleted or disabled, is its key the hub's, is its clock right?",
		    w->who->host, w->who->device, status, description);
		ev->err.status = status;
		str_plain(ev->err.text);
		return 1;
	}
	w->believed = 1;
	if (w->step != TOLD || w->events != NULL)
		return opened(w, ev);
	return attach(w, &w->events, 0, "events", HUB_AMQP_EVENTS);
}

static int
came(struct way_amqp *w, const struct amqp_event *in, struct hub_way_event *ev)
{
	struct hf_error ignored = { 0 };
	int rc;

	w->granted -= w->granted > 0;
	buf_clear(&w->body);
	rc = hub_amqp_get_c2d(in->bytes.p, in->bytes.len, &ev->c2d, &w->body, &ignored);
	if (rc == HF_ERR_MEMORY)
		return rc;
	if (rc < 0) { /* nobody could read it: it is not to come again and again */
		(void)amqp_settle(&w->amqp, w->bound, in->delivery, AMQP_REJECTED);
		return grant(w) < 0 ? HF_ERR_MEMORY : 0;
	}
	w->most -= w->most > 0;
	ev->what = HUB_WAY_C2D;
	ev->delivery = in->delivery;
	return grant(w) < 0 ? HF_ERR_MEMORY : 1;
}

static int
message(struct way_amqp *w, const struct amqp_event *in, struct hub_way_event *ev)
{
	if (in->link == w->answer)
		return answered(w, in, ev);
	return in->link == w->bound ? came(w, in, ev) : 0;
}

static void
land(struct way_amqp *w, size_t i)
{
	struct flight *f = flight(w, i);

	if (i == 0) {
		buf_eat(&w->flights, sizeof(*f));
		return;
	}
	memmove(f, f + 1, (flights(w) - i - 1) * sizeof(*f));
	w->flights.len -= sizeof(*f);
}

static int
unsent(struct way_amqp *w, size_t i, const char *condition, const char *description, struct hub_way_event *ev)
{
	char what[300];

	(void)str_fmt(what, sizeof(what), "hub %s does not take the message", w->who->host);
	hub_amqp_get_error(condition, description, what, &ev->err);
	ev->err.code = HF_ERR_SERVICE;
	ev->what = HUB_WAY_UNSENT;
	ev->id = flight(w, i)->id;
	land(w, i);
	return 1;
}

/* Will it be refused however often it is said? */
static int
is_for_good(const char *condition)
{
	static const char *const words[] = { "amqp:link:message-size-exceeded",
		"com.microsoft:argument-error", "com.microsoft:argument-out-of-range", "amqp:decode-error",
		"amqp:invalid-field", "amqp:not-allowed" };

	for (size_t i = 0; condition != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(condition, words[i]) == 0)
			return 1;
	return 0;
}

static int
settled(struct way_amqp *w, const struct amqp_event *in, struct hub_way_event *ev)
{
	size_t i = 0, n = flights(w);

	while (i < n && flight(w, i)->delivery != in->delivery)
		i++;
	if (in->link != w->events || i == n)
		return 0;
	if (in->outcome == AMQP_ACCEPTED) {
		ev->what = HUB_WAY_SENT;
		ev->id = flight(w, i)->id;
		land(w, i);
		return 1;
	}
	if (in->outcome == AMQP_REJECTED && is_for_good(in->condition))
		return unsent(w, i, in->condition, in->description, ev);
	if (in->outcome == AMQP_REJECTED && in->condition != NULL)
		return turned_away(w, in->condition, in->description, ev);
	err_set(&ev->err, HF_ERR_NET, "hub %s handed a message back; it is sent again", w->who->host);
	ev->what = HUB_WAY_LOST;
	return 1;
}

/* A link that ends for a message's size does not say which: the largest. The line goes down with it. */
static int
detached(struct way_amqp *w, const struct amqp_event *in, struct hub_way_event *ev)
{
	size_t largest = 0, n = flights(w);

	for (size_t i = 1; i < n; i++)
		if (flight(w, i)->size > flight(w, largest)->size)
			largest = i;
	if (in->link == w->events && n > 0 && in->condition != NULL &&
	    strcmp(in->condition, "amqp:link:message-size-exceeded") == 0) {
		w->events = NULL;
		w->too_large = 1;
		return unsent(w, largest, in->condition, in->description, ev);
	}
	return turned_away(w, in->condition, in->description, ev);
}

static int
credit(struct way_amqp *w, const struct amqp_event *in, struct hub_way_event *ev)
{
	if (in->link == w->ask)
		return put_token(w) < 0 ? HF_ERR_MEMORY : 0;
	if (in->link != w->events)
		return 0;
	w->credited = 1;
	return opened(w, ev);
}

static int
heard(struct way_amqp *w, const struct amqp_event *in, struct hub_way_event *ev)
{
	switch (in->what) {
	case AMQP_CREDIT:
		return credit(w, in, ev);
	case AMQP_MESSAGE:
		return message(w, in, ev);
	case AMQP_SETTLED:
		return settled(w, in, ev);
	case AMQP_DETACHED:
		return detached(w, in, ev);
	case AMQP_CLOSED:
		return turned_away(w, in->condition, in->description, ev);
	default:
		return 0;
	}
}

static int
next(struct hub_way *way, struct hub_way_event *ev)
{
	struct way_amqp *w = (struct way_amqp *)way;
	struct amqp_event in;
	int rc;

	if (buf_size(&w->settled) >= sizeof(ev->delivery)) {
		memcpy(&ev->delivery, buf_data(&w->settled), sizeof(ev->delivery));
		buf_eat(&w->settled, sizeof(ev->delivery));
		ev->what = HUB_WAY_SETTLED;
		return 1;
	}
	if (w->too_large) { /* a message was too large: all others are said again, on a new line */
		ev->what = HUB_WAY_LOST;
		err_set(&ev->err, HF_ERR_NET, "hub %s ended the link for a message that was too large",
		    w->who->host);
		return 1;
	}
	while ((rc = amqp_next(&w->amqp, &in)) > 0)
		if ((rc = heard(w, &in, ev)) != 0)
			return rc;
	return rc;
}

static void
bye(struct hub_way *way)
{
	(void)amqp_close(&((struct way_amqp *)way)->amqp, NULL, NULL);
}

static void
end(struct hub_way *way)
{
	struct way_amqp *w = (struct way_amqp *)way;

	amqp_fini(&w->amqp);
	buf_free(&w->flights);
	buf_free(&w->settled);
	buf_free(&w->text);
	buf_free(&w->body);
	free(w);
}

static const struct hub_way_ops ops = { .send = send_event,
	.receive = receive,
	.settle = settle,
	.renew = renew,
	.next = next,
	.bye = bye,
	.free = end };

static int
begin(struct way_amqp *w)
{
	char container[300];

	(void)str_fmt(container, sizeof(container), "%s%s%s", w->who->device,
	    w->who->module[0] != '\0' ? "/" : "", w->who->module);
	if (amqp_open(&w->amqp, container, w->who->host, NULL, 0) < 0)
		return HF_ERR_MEMORY;
	w->put = w->who->token != NULL;
	return w->put ? attach_cbs(w) : attach(w, &w->events, 0, "events", HUB_AMQP_EVENTS);
}

int
hub_way_amqp(struct hub_way **out, const struct hub_way_settings *s)
{
	struct way_amqp *w = calloc(1, sizeof(*w));

	if (w == NULL || amqp_init(&w->amqp, 0, MESSAGE_MAX) < 0) {
		free(w);
		return HF_ERR_MEMORY;
	}
	w->who = s->who;
	w->amqp.idle_ms = IDLE_MS;
	w->way = (struct hub_way){ .ops = &ops, .engine = &w->amqp.engine, .early = s->early, .answers = 1 };
	if (begin(w) < 0) {
		end(&w->way);
		return HF_ERR_MEMORY;
	}
	*out = &w->way;
	return 0;
}
