/*
 * What befalls a connection: a stream before each end of a pair, which splits, delays, holds up and cuts what passes, by a seed
 * and on the test's own clock. Side 0 is the device's, side 1 the service's.
 */
#ifndef TESTS_CABLE_H
#define TESTS_CABLE_H
#include "base/clock.h"
#include "base/log.h"
#include "stream/stream.h"

/* How a connection ends when it is cut. But for LOST, what was under way still arrives. */
enum cut {
	CUT_RESET = 1, /* both ends hear of it */
	CUT_LOST,      /* the same, and the last bytes are gone */
	CUT_ENDED,     /* both ends read an end, as if the other had closed */
	CUT_SILENT     /* nobody hears of it: what is written goes nowhere */
};
#define CUT_KINDS 4
const char *cut_name(enum cut);

struct wire;
struct cable {
	struct coin coin;
	const int64_t *now; /* ms */
	struct log log;	    /* every byte that moves, every misfortune */

	/* By chance, until a time. 0: never. */
	int64_t until;
	unsigned split;		  /* at most so many bytes in one go */
	unsigned delay;		  /* at most so many ms under way */
	unsigned stall, stall_ms; /* once in so many bytes a direction is held up, for so many ms at most */
	unsigned cut;		  /* once in so many bytes the connection is cut, in one of the four ways */

	/* By plan: once, when so many bytes of all connections have passed from one side; -1: never. */
	int64_t cut_at[2];
	enum cut how;

	int64_t passed[2]; /* from each side, through all connections */
	int cuts, moves;   /* so far */
	unsigned opened;
	struct wire *wires;
};
void cable_init(struct cable *, const int64_t *now);
/* Puts itself before both ends. 0, or HF_ERR_MEMORY: they are as they were. */
int cable_between(struct cable *, struct stream **device, struct stream **service);
int64_t cable_next(const struct cable *); /* when something that is under way arrives: ms, or NEVER */
int cable_is(const struct stream *);	  /* 1: one of ours */
/* Below n, by the coin; 0 when n is 0. */
uint64_t coin_below(struct coin *, uint64_t n);
#endif
