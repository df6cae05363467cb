#include "base/clock.h"

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
	const char *rest = strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm);

	return rest == NULL ? 0 : (int64_t)timegm(&tm);
}

uint64_t
coin_toss(struct coin *c)
{
	uint64_t z = c->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
