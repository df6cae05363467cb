/*
 * Time is an argument: whoever runs the loop reads the clock once a turn and hands the moment down.
 * `ms` never jumps (deadlines), `wall` is Unix seconds (token expiry, records).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>
struct moment {
	int64_t ms, wall;
};
struct moment clock_now(void);
#define NEVER INT64_MAX /* a deadline that does not come */
static inline int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}
/* 2026-11-22T10:00:00.0000000Z, as DPS writes dates. */
void clock_iso(int64_t wall, char dst[32]);
int64_t clock_read(const char *iso); /* the other way, in UTC whatever the end says; 0: it is no such date */

/* A small seeded generator for jitter and request ids (splitmix64): never for keys. */
struct coin {
	uint64_t seed;
};
uint64_t coin_toss(struct coin *);
#endif
