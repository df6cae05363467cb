/* Milliseconds since the counter was made, on a clock that does not jump. */
#ifndef AZURE_C_SHARED_UTILITY_TICKCOUNTER_H
#define AZURE_C_SHARED_UTILITY_TICKCOUNTER_H
#include <stdint.h>
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef uint_fast64_t tickcounter_ms_t;
typedef struct TICK_COUNTER_INSTANCE_TAG *TICK_COUNTER_HANDLE;

TICK_COUNTER_HANDLE tickcounter_create(void);
void tickcounter_destroy(TICK_COUNTER_HANDLE tick_counter);
/* 0, or anything else for a NULL. */
int tickcounter_get_current_ms(TICK_COUNTER_HANDLE tick_counter, tickcounter_ms_t *current_ms);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
