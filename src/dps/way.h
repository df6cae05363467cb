/*
 * WAY: a device's side of its conversation with DPS, in one protocol: an engine, and sentences for it. client.c pumps the engine and takes
 * what happened; it knows no protocol by name.
 */
#ifndef DPS_WAY_H
#define DPS_WAY_H
#include "msg/dps.h"

struct dps_way_settings { /* lent */
	const char *host;
	const struct dps_who *who;
	const struct dps_request *request; /* that which will be said first */
	int early;			   /* say it all without waiting to be let in */
};
enum dps_way_what {
	DPS_WAY_READY = 1, /* a request may be said */
	DPS_WAY_REPLY,	   /* reply, the caller's now */
	DPS_WAY_UNREAD,	   /* there is one, but it cannot be read: err */
	DPS_WAY_REFUSED,   /* not you: err */
	DPS_WAY_LOST	   /* the conversation is over: err, where there is something to say */
};
struct dps_way_event {
	enum dps_way_what what;
	struct dps_reply reply;
	int let_in; /* READY: the service has let us in; 0: that is yet to be seen */
	int last;   /* REPLY: nothing comes behind it */
	struct hf_error err;
};
struct dps_way;
struct dps_way_ops {
	/* 0, or an error. who: with the token of this moment */
	int (*say)(struct dps_way *, const struct dps_who *, const struct dps_request *);
	/* 1: an event; 0: none yet; negative: the peer broke the rules, or memory is out: engine->err */
	int (*next)(struct dps_way *, struct dps_way_event *);
	void (*bye)(struct dps_way *); /* the last words, if there are any; NULL */
	void (*free)(struct dps_way *);
};
struct dps_way {
	const struct dps_way_ops *ops;
	struct engine *engine;
	int token_opens; /* a token is said at the beginning: another one wants another conversation */
	int token_once; /* a token answers this conversation's challenge, and is worth nothing in another one */
};
/* HF_ERR_MEMORY. */
int dps_way_mqtt(struct dps_way **, const struct dps_way_settings *);
int dps_way_http(struct dps_way **, const struct dps_way_settings *);
int dps_way_amqp(struct dps_way **, const struct dps_way_settings *);
#endif
