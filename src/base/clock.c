#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define YEAR_9999 INT64_C(253402300799)

struct moment
clock_now(void)
{
	struct timespec steady, wall;

	clock_gettime(CLOCK_MONOTONIC, &steady);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct moment){ .ms = (int64_t)steady.tv_sec * 1000 + steady.tv_nsec / 1000000,
		.wall = wall.tv_sec };
}

void
clock_iso(int64_t wall, char dst[32])
{
	time_t t = (time_t)(wall < 0 ? 0 : sooner(wall, YEAR_9999));
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(dst, 32, "%Y-%m-%dT%H:%M:%S.0000000Z", &tm);
}

int64_t
clock_read(const char *iso)
{
	struct tm tm = { 0 };
	int n = 0;

	if (sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		&tm.tm_min, &tm.tm_sec, &n) != 6 ||
	    n != 19 || tm.tm_year < 1970)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (int64_t)timegm(&tm);
}

uint64_t
coin_toss(struct coin *c)
{
	uint64_t z = c->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
