#include <err.h>
#include <stdio.h>
#include <sys/resource.h>
#include "usage.h"

static long
microseconds(struct timeval t)
{
	return t.tv_sec * 1000000L + t.tv_usec;
}

long
usage_cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return microseconds(r.ru_utime) + microseconds(r.ru_stime);
}

struct usage_memory
usage_memory(void)
{
	struct usage_memory m = { 0 };
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[200];
	long kib;

	if (f == NULL)
		err(1, "/proc/self/smaps_rollup");
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "Rss: %ld", &kib) == 1)
			m.resident = kib;
		if (sscanf(line, "Private_Clean: %ld", &kib) == 1 ||
		    sscanf(line, "Private_Dirty: %ld", &kib) == 1)
			m.private += kib;
	}
	fclose(f);
	return m;
}
