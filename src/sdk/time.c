#include <stdlib.h>

#include "azure_c_shared_utility/agenttime.h"
#include "azure_c_shared_utility/tickcounter.h"
#include "base/clock.h"

struct TICK_COUNTER_INSTANCE_TAG {
	int64_t began;
};

TICK_COUNTER_HANDLE
tickcounter_create(void)
{
	TICK_COUNTER_HANDLE t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->began = clock_now().ms;
	return t;
}

void
tickcounter_destroy(TICK_COUNTER_HANDLE tick_counter)
{
	free(tick_counter);
}

int
tickcounter_get_current_ms(TICK_COUNTER_HANDLE tick_counter, tickcounter_ms_t *current_ms)
{
	if (tick_counter == NULL || current_ms == NULL)
		return MU_FAILURE;
	*current_ms = (tickcounter_ms_t)(clock_now().ms - tick_counter->began);
	return 0;
}

time_t
get_time(time_t *currentTime)
{
	return time(currentTime);
}

struct tm *
get_gmtime(time_t *currentTime)
{
	return currentTime != NULL ? gmtime(currentTime) : NULL;
}

time_t
get_mktime(struct tm *cal_time)
{
	return cal_time != NULL ? mktime(cal_time) : (time_t)-1;
}

char *
get_ctime(time_t *timeToGet)
{
	return timeToGet != NULL ? ctime(timeToGet) : NULL;
}

double
get_difftime(time_t stopTime, time_t startTime)
{
	return difftime(stopTime, startTime);
}
