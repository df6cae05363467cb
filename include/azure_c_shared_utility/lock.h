/* A mutex. Not recursive: who holds it and locks it again waits for ever. */
#ifndef AZURE_C_SHARED_UTILITY_LOCK_H
#define AZURE_C_SHARED_UTILITY_LOCK_H
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define LOCK_RESULT_VALUES LOCK_OK, LOCK_ERROR
MU_DEFINE_ENUM(LOCK_RESULT, LOCK_RESULT_VALUES);
typedef void *LOCK_HANDLE;

/* NULL: out of memory. */
LOCK_HANDLE Lock_Init(void);
/* LOCK_ERROR for a NULL. */
LOCK_RESULT Lock(LOCK_HANDLE handle);
LOCK_RESULT Unlock(LOCK_HANDLE handle);
/* Nobody may hold it, or wait for it. */
LOCK_RESULT Lock_Deinit(LOCK_HANDLE handle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
