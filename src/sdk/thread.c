/* Threads, mutexes and conditions. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "azure_c_shared_utility/condition.h"
#include "azure_c_shared_utility/lock.h"
#include "azure_c_shared_utility/threadapi.h"

struct thread {
	pthread_t id;
	THREAD_START_FUNC fn;
	void *arg;
};

static void *
run(void *arg)
{
	struct thread *t = arg;

	return (void *)(intptr_t)t->fn(t->arg);
}

THREADAPI_RESULT
ThreadAPI_Create(THREAD_HANDLE *threadHandle, THREAD_START_FUNC func, void *arg)
{
	struct thread *t;
	int rc;

	if (threadHandle == NULL || func == NULL)
		return THREADAPI_INVALID_ARG;
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return THREADAPI_NO_MEMORY;
	t->fn = func;
	t->arg = arg;
	if ((rc = pthread_create(&t->id, NULL, run, t)) != 0) {
		free(t);
		return rc == EAGAIN ? THREADAPI_NO_MEMORY : THREADAPI_ERROR;
	}
	*threadHandle = t;
	return THREADAPI_OK;
}

THREADAPI_RESULT
ThreadAPI_Join(THREAD_HANDLE threadHandle, int *res)
{
	struct thread *t = threadHandle;
	void *said;

	if (t == NULL)
		return THREADAPI_INVALID_ARG;
	if (pthread_join(t->id, &said) != 0)
		return THREADAPI_ERROR;
	if (res != NULL)
		*res = (int)(intptr_t)said;
	free(t);
	return THREADAPI_OK;
}

void
ThreadAPI_Exit(int res)
{
	pthread_exit((void *)(intptr_t)res);
}

void
ThreadAPI_Sleep(unsigned int milliseconds)
{
	struct timespec left = { milliseconds / 1000, (long)(milliseconds % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

LOCK_HANDLE
Lock_Init(void)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	if (m != NULL && pthread_mutex_init(m, NULL) == 0)
		return m;
	free(m);
	return NULL;
}

LOCK_RESULT
Lock(LOCK_HANDLE handle)
{
	return handle != NULL && pthread_mutex_lock(handle) == 0 ? LOCK_OK : LOCK_ERROR;
}

LOCK_RESULT
Unlock(LOCK_HANDLE handle)
{
	return handle != NULL && pthread_mutex_unlock(handle) == 0 ? LOCK_OK : LOCK_ERROR;
}

LOCK_RESULT
Lock_Deinit(LOCK_HANDLE handle)
{
	if (handle == NULL || pthread_mutex_destroy(handle) != 0)
		return LOCK_ERROR;
	free(handle);
	return LOCK_OK;
}

COND_HANDLE
Condition_Init(void)
{
	pthread_cond_t *c = malloc(sizeof(*c));
	pthread_condattr_t attr;
	int rc = -1;

	if (c == NULL || pthread_condattr_init(&attr) != 0)
		goto fail;
	if (pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0)
		rc = pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
	if (rc == 0)
		return c;
fail:
	free(c);
	return NULL;
}

COND_RESULT
Condition_Post(COND_HANDLE handle)
{
	if (handle == NULL)
		return COND_INVALID_ARG;
	return pthread_cond_broadcast(handle) == 0 ? COND_OK : COND_ERROR;
}

static int
wait_until(pthread_cond_t *c, pthread_mutex_t *m, int milliseconds)
{
	struct timespec at;

	if (milliseconds <= 0)
		return pthread_cond_wait(c, m);
	if (clock_gettime(CLOCK_MONOTONIC, &at) < 0)
		return errno;
	at.tv_sec += milliseconds / 1000;
	at.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return pthread_cond_timedwait(c, m, &at);
}

COND_RESULT
Condition_Wait(COND_HANDLE handle, LOCK_HANDLE lock, int timeout_milliseconds)
{
	if (handle == NULL || lock == NULL)
		return COND_INVALID_ARG;
	switch (wait_until(handle, lock, timeout_milliseconds)) {
	case 0:
		return COND_OK;
	case ETIMEDOUT:
		return COND_TIMEOUT;
	default:
		return COND_ERROR;
	}
}

void
Condition_Deinit(COND_HANDLE handle)
{
	if (handle == NULL)
		return;
	pthread_cond_destroy(handle);
	free(handle);
}
