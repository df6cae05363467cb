/* What this process has used so far. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H
long usage_cpu(void); /* microseconds, of the system's too */
struct usage_memory {
	long resident, private; /* KiB */
};
struct usage_memory usage_memory(void);
#endif
