/*
 * WAY: a device's side of its conversation with a hub, in one protocol: an engine, and sentences for it. client.c pumps the engine and takes
 * what happened; it knows no protocol by name.
 */
#ifndef HUB_WAY_H
#define HUB_WAY_H
#include "base/clock.h"
#include "msg/hub.h"

enum hub_way_what {
	HUB_WAY_OPENED = 1, /* the hub has let us in; may come more than once */
	HUB_WAY_REFUSED,    /* not you: err */
	HUB_WAY_LOST,	    /* the conversation is over: err, where there is something to say */
	HUB_WAY_SENT,	    /* the hub has stored the event with this id */
	HUB_WAY_UNSENT,	    /* it will never take it: err */
	HUB_WAY_C2D,	    /* a message came: c2d, the caller's now; delivery names it */
	HUB_WAY_SETTLED	    /* the answer to this delivery has been taken; or not: err */
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
	int poll; /* seconds between two questions for messages, where the hub has to be asked */
	int early;
};
struct hub_way;
struct hub_way_ops {
	/* 1: said; 0: not now; negative: out of memory. The event stays where it is until it is SENT or UNSENT. */
	int (*send)(struct hub_way *, const struct hub_event *, uint16_t id, int again);
	/* All that there is to send at this moment has been said. 0 or out of memory; NULL: it went at once */
	int (*flush)(struct hub_way *, struct moment);
	int (*receive)(struct hub_way *); /* asks for messages from now on: 0 or out of memory */
	/* 0: a SETTLED follows; HF_ERR_STATE: not now; HF_ERR_MEMORY */
	int (*settle)(struct hub_way *, uint64_t delivery, const struct hub_c2d *, enum hf_settlement);
	int (*renew)(struct hub_way *); /* the token in `who` is a new one; NULL: that wants a new conversation */
	/* 1: an event; 0: none yet; negative: the peer broke the rules, or memory is out: engine->err */
	int (*next)(struct hub_way *, struct hub_way_event *);
	int (*reopen)(struct hub_way *); /* goes on, on another line: 0 or out of memory; NULL: it cannot */
	void (*bye)(struct hub_way *);	 /* the last words, if there are any; NULL */
	void (*free)(struct hub_way *);
};
struct hub_way {
	const struct hub_way_ops *ops;
	struct engine *engine;
	int busy;	    /* something is under way */
	int64_t due;	    /* ms: busy, the answer is overdue then; else flush() has something to do then. NEVER */
	int early;	    /* events may be sent before it is OPENED */
	unsigned window; /* the caller's: so many more messages are wanted now */
};
/* Each: HF_ERR_MEMORY. */
int hub_way_mqtt(struct hub_way **, const struct hub_way_settings *);
int hub_way_http(struct hub_way **, const struct hub_way_settings *);
int hub_way_amqp(struct hub_way **, const struct hub_way_settings *);
#endif
