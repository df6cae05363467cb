/* HELD: cloud-to-device messages that have come, until they are settled. */
#ifndef HUB_HELD_H
#define HUB_HELD_H
#include "way.h"

struct held {
	struct held *next;
	uint64_t tag, delivery;
	unsigned life;	      /* the conversation in which it came, or in which the answer was said */
	int answers, locks;   /* of the way that it came by */
	enum hub_answer done; /* what the application says of it; 0: nothing yet */
	int said;	      /* the hub was told */
	struct hub_c2d c2d;
	struct buf body;
};
struct helds {
	struct held *first; /* in the order in which they came */
	uint64_t last_tag;
};
/* Takes the message of a C2D event, with a copy of its body. NULL: out of memory. */
struct held *held_add(struct helds *, struct hub_way_event *, const struct hub_way *, unsigned life);
void held_remove(struct helds *, struct held *);
void held_fini(struct helds *);
struct held *held_find(const struct helds *, uint64_t tag);
/* That which a SETTLED event of this conversation is about. NULL: none. */
struct held *held_answered(const struct helds *, uint64_t delivery, unsigned life);
/* Can its answer be said by this way (NULL: none now), or by one to come? */
int held_reachable(const struct held *, const struct hub_way *, unsigned life);
/* The line is gone: what was said and not confirmed is to be said again, where that helps. */
void held_lost(struct helds *);
/* The application's word. HF_ERR_ARGS, HF_ERR_UNSUPPORTED. */
int held_settle(struct helds *, uint64_t tag, enum hub_answer, struct hf_error *);
#endif
