/* Threads, as POSIX has them. */
#ifndef AZURE_C_SHARED_UTILITY_THREADAPI_H
#define AZURE_C_SHARED_UTILITY_THREADAPI_H
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef int (*THREAD_START_FUNC)(void *);
#define THREADAPI_RESULT_VALUES THREADAPI_OK, THREADAPI_INVALID_ARG, THREADAPI_NO_MEMORY, THREADAPI_ERROR
MU_DEFINE_ENUM(THREADAPI_RESULT, THREADAPI_RESULT_VALUES);
typedef void *THREAD_HANDLE;

/* Begins a thread; ThreadAPI_Join() has to end it. THREADAPI_INVALID_ARG for a NULL, THREADAPI_NO_MEMORY when there are too many. */
THREADAPI_RESULT ThreadAPI_Create(THREAD_HANDLE *threadHandle, THREAD_START_FUNC func, void *arg);
/* Waits for its end. *res, when it is not NULL: what its function returned. The handle is gone then. */
THREADAPI_RESULT ThreadAPI_Join(THREAD_HANDLE threadHandle, int *res);
/* Ends the calling thread. */
void ThreadAPI_Exit(int res);
void ThreadAPI_Sleep(unsigned int milliseconds);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
