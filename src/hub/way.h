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
	HUB_WAY_C2D,	    /* a message came: c2d, the caller's now; delivery names it */
	HUB_WAY_SETTLED	    /* the answer to this delivery is on its way */
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
};
struct hub_way;
struct hub_way_ops {
	/* 1: said; 0: not now; negative: out of memory. The event stays where it is until it is SENT. */
	int (*send)(struct hub_way *, const struct hub_event *, uint16_t id, int again);
	int (*receive)(struct hub_way *); /* asks for messages from now on: 0 or out of memory */
	int (*settle)(struct hub_way *, uint64_t delivery); /* a SETTLED follows: 0 or out of memory */
	/* 1: an event; 0: none yet; negative: the peer broke the rules, or memory is out: engine->err */
	int (*next)(struct hub_way *, struct hub_way_event *);
	void (*bye)(struct hub_way *); /* the last words */
	void (*free)(struct hub_way *);
};
struct hub_way {
	const struct hub_way_ops *ops;
	struct engine *engine;
	int early; /* events may be sent before it is OPENED */
};
/* HF_ERR_MEMORY. */
int hub_way_mqtt(struct hub_way **, const struct hub_way_settings *);
#endif
