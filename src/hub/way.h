/*
 * WAY: a device's side of its conversation with a hub, in one protocol: an engine, and sentences for it. client.c pumps the engine and takes
 * what happened; it knows no protocol by name.
 */
#ifndef HUB_WAY_H
#define HUB_WAY_H
#include "base/clock.h"
#include "msg/hub.h"

enum hub_way_what {
	HUB_WAY_OPENED = 1, /* the hub has let us in */
	HUB_WAY_REFUSED,    /* not you: err */
	HUB_WAY_LOST,	    /* the conversation is over: err, where there is something to say */
	HUB_WAY_SENT,	    /* the hub has stored the event with this id */
	HUB_WAY_UNSENT,	    /* and this one it will never store: err */
	HUB_WAY_C2D,	    /* a message came: c2d, the caller's now; delivery names it */
	HUB_WAY_SETTLED /* the answer to this delivery is on its way, or has arrived; or it came too late: err */
};
struct hub_way_event {
	enum hub_way_what what;
	uint16_t id;
	uint64_t delivery;
	struct hub_c2d c2d;
	struct hf_error err;
};
struct hub_way_settings { /* lent */
	const struct hub_who *who;
	int early;
	int64_t poll_ms; /* HTTPS: how often messages are asked for */
	int64_t *
	    poll_at; /* HTTPS: when they are asked for next; outlives the conversation, as the next one does */
	size_t *alone; /* HTTPS: so many events are said one by one, for the hub refused them together */
};
struct hub_way;
struct hub_way_ops {
	/* 1: said; 0: not now; negative: out of memory. The event stays where it is until it is SENT. */
	int (*send)(struct hub_way *, const struct hub_event *, uint16_t id, int again);
	/* Asks for so many messages from now on, HUB_ANY for all that come: 0 or out of memory. */
	int (*receive)(struct hub_way *, long most);
	/* Answers one; a SETTLED follows. 0 or out of memory. c2d: as it came, and stays until then. */
	int (*settle)(struct hub_way *, uint64_t delivery, const struct hub_c2d *c2d, enum hub_answer);
	/* The token of `who` is a new one: 0 or out of memory. NULL: it is only heard when a conversation opens. */
	int (*renew)(struct hub_way *);
	/* Says what is due at this moment, which was collected or has its own time: 1 something was said, 0 nothing; *at: when to call
	 * again (or NEVER). Negative: no answer came, or memory is out: engine->err. NULL: all is said at once. */
	int (*flush)(struct hub_way *, int64_t now_ms, int64_t *at);
	/* 1: an event; 0: none yet; negative: the peer broke the rules, or memory is out: engine->err */
	int (*next)(struct hub_way *, struct hub_way_event *);
	void (*bye)(struct hub_way *); /* the last words */
	void (*free)(struct hub_way *);
};
struct hub_way {
	const struct hub_way_ops *ops;
	struct engine *engine;
	int early; /* events may be sent before it is OPENED */
	int asks; /* nothing is opened, each request is let in by itself: it may be spoken as soon as the line stands, and ends
		      * where there is nothing to say */
	int idle; /* of one that asks: no answer is awaited, and nothing waits to be said, or the hub hears no more on this line */
	int answers; /* a message may be abandoned and rejected */
	int locks;   /* the name of a delivery is good for later conversations too */
};
/* HF_ERR_MEMORY. */
int hub_way_mqtt(struct hub_way **, const struct hub_way_settings *);
int hub_way_http(struct hub_way **, const struct hub_way_settings *);
int hub_way_amqp(struct hub_way **, const struct hub_way_settings *);
#endif
