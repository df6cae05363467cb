/* A condition variable. Its clock does not jump when the time of day is set. */
#ifndef AZURE_C_SHARED_UTILITY_CONDITION_H
#define AZURE_C_SHARED_UTILITY_CONDITION_H
#include "azure_c_shared_utility/lock.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define COND_RESULT_VALUES COND_OK, COND_INVALID_ARG, COND_ERROR, COND_TIMEOUT
MU_DEFINE_ENUM(COND_RESULT, COND_RESULT_VALUES);
typedef void *COND_HANDLE;

/* NULL: out of memory. */
COND_HANDLE Condition_Init(void);
/* Wakes all that wait. */
COND_RESULT Condition_Post(COND_HANDLE handle);
/* Lets go of `lock`, which the caller holds, waits, and holds it again. 0 milliseconds, or fewer: for ever. It may wake for no
 * reason: look again at what is waited for. COND_TIMEOUT, COND_INVALID_ARG for a NULL. */
COND_RESULT Condition_Wait(COND_HANDLE handle, LOCK_HANDLE lock, int timeout_milliseconds);
void Condition_Deinit(COND_HANDLE handle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
