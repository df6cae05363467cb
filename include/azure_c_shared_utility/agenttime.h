/* The time of day, under the names that azure-iot-sdk-c gives it: time(), gmtime(), mktime(), ctime() and difftime(). */
#ifndef AZURE_C_SHARED_UTILITY_AGENTTIME_H
#define AZURE_C_SHARED_UTILITY_AGENTTIME_H
#include <time.h>
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Seconds since 1970, also into *currentTime when that is not NULL. */
time_t get_time(time_t *currentTime);
/* The moment in UTC; a struct that the C library owns and its next call overwrites. NULL gives NULL. */
struct tm *get_gmtime(time_t *currentTime);
/* Local time to seconds; -1 when it is no such time, or NULL. */
time_t get_mktime(struct tm *cal_time);
/* A line of text in local time, owned by the C library like get_gmtime()'s. NULL gives NULL. */
char *get_ctime(time_t *timeToGet);
/* Seconds from startTime to stopTime. */
double get_difftime(time_t stopTime, time_t startTime);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
