#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "azure_c_shared_utility/agenttime.h"
#include "azure_c_shared_utility/condition.h"
#include "azure_c_shared_utility/lock.h"
#include "azure_c_shared_utility/threadapi.h"
#include "azure_c_shared_utility/tickcounter.h"
#include "azure_c_shared_utility/uniqueid.h"
#include "azure_c_shared_utility/uuid.h"

struct meeting {
	LOCK_HANDLE lock;
	COND_HANDLE cond;
	int said;
};

static int
says(void *arg)
{
	struct meeting *m = arg;

	Lock(m->lock);
	m->said = 1;
	Condition_Post(m->cond);
	Unlock(m->lock);
	return 42;
}

static int
exits(void *arg)
{
	(void)arg;
	ThreadAPI_Exit(7);
	return 0;
}

static void
meets(void **state)
{
	struct meeting m = { Lock_Init(), Condition_Init(), 0 };
	THREAD_HANDLE t;
	int res = 0;

	(void)state;
	assert_int_equal(Lock(m.lock), LOCK_OK);
	assert_int_equal(Condition_Wait(m.cond, m.lock, 1), COND_TIMEOUT);
	assert_int_equal(ThreadAPI_Create(&t, says, &m), THREADAPI_OK);
	while (!m.said)
		assert_int_equal(Condition_Wait(m.cond, m.lock, 0), COND_OK);
	assert_int_equal(Unlock(m.lock), LOCK_OK);
	assert_int_equal(ThreadAPI_Join(t, &res), THREADAPI_OK);
	assert_int_equal(res, 42);
	assert_int_equal(ThreadAPI_Create(&t, exits, NULL), THREADAPI_OK);
	assert_int_equal(ThreadAPI_Join(t, &res), THREADAPI_OK);
	assert_int_equal(res, 7);
	assert_int_equal(ThreadAPI_Create(&t, exits, NULL), THREADAPI_OK);
	assert_int_equal(ThreadAPI_Join(t, NULL), THREADAPI_OK);
	Condition_Deinit(m.cond);
	assert_int_equal(Lock_Deinit(m.lock), LOCK_OK);
}

static void
bears_nothing(void **state)
{
	LOCK_HANDLE l = Lock_Init();
	COND_HANDLE c = Condition_Init();
	THREAD_HANDLE t;

	(void)state;
	assert_int_equal(ThreadAPI_Create(NULL, exits, NULL), THREADAPI_INVALID_ARG);
	assert_int_equal(ThreadAPI_Create(&t, NULL, NULL), THREADAPI_INVALID_ARG);
	assert_int_equal(ThreadAPI_Join(NULL, NULL), THREADAPI_INVALID_ARG);
	assert_int_equal(Lock(NULL), LOCK_ERROR);
	assert_int_equal(Unlock(NULL), LOCK_ERROR);
	assert_int_equal(Lock_Deinit(NULL), LOCK_ERROR);
	assert_int_equal(Condition_Post(NULL), COND_INVALID_ARG);
	assert_int_equal(Condition_Wait(NULL, l, 1), COND_INVALID_ARG);
	assert_int_equal(Condition_Wait(c, NULL, 1), COND_INVALID_ARG);
	Condition_Deinit(NULL);
	Condition_Deinit(c);
	Lock_Deinit(l);
}

static void
counts_milliseconds(void **state)
{
	TICK_COUNTER_HANDLE t = tickcounter_create();
	tickcounter_ms_t a, b;

	(void)state;
	assert_int_equal(tickcounter_get_current_ms(t, &a), 0);
	ThreadAPI_Sleep(20);
	assert_int_equal(tickcounter_get_current_ms(t, &b), 0);
	assert_true(a < 5000 && b - a >= 19);
	assert_int_not_equal(tickcounter_get_current_ms(NULL, &a), 0);
	assert_int_not_equal(tickcounter_get_current_ms(t, NULL), 0);
	tickcounter_destroy(t);
	tickcounter_destroy(NULL);
}

static void
tells_the_time(void **state)
{
	time_t now = get_time(NULL), day = 86400;
	struct tm tm = *get_gmtime(&day);

	(void)state;
	assert_true(now > 1700000000);
	assert_int_equal(tm.tm_mday, 2);
	tm = *localtime(&now);
	assert_true(get_mktime(&tm) == now);
	assert_true(get_difftime(day, 0) == 86400.0);
	assert_non_null(strstr(get_ctime(&day), "1970"));
	assert_null(get_gmtime(NULL));
	assert_null(get_ctime(NULL));
	assert_true(get_mktime(NULL) == (time_t)-1);
}

static void
makes_uuids(void **state)
{
	static const char *const bad[] = { "", "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
		"f81d4fae-7dec-11d0-a765-00a0c91e6bf66", "f81d4fae07dec-11d0-a765-00a0c91e6bf6",
		"g81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf " };
	UUID_T u, v;
	char text[37], *s;

	(void)state;
	assert_int_equal(UUID_from_string("F81D4FAE-7dec-11d0-a765-00a0c91e6bf6", &u), 0);
	s = UUID_to_string(&u);
	assert_string_equal(s, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
	free(s);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(UUID_from_string(bad[i], &u), 0);
	assert_int_not_equal(UUID_from_string(NULL, &u), 0);
	assert_int_not_equal(UUID_from_string(bad[0], NULL), 0);
	assert_null(UUID_to_string(NULL));
	assert_int_not_equal(UUID_generate(NULL), 0);
	assert_int_equal(UUID_generate(&u), 0);
	assert_int_equal(UUID_generate(&v), 0);
	assert_memory_not_equal(u, v, sizeof(u));
	assert_int_equal(UniqueId_Generate(text, sizeof(text)), UNIQUEID_OK);
	assert_int_equal(text[14], '4');
	assert_int_equal(UUID_from_string(text, &u), 0);
	assert_int_equal(UniqueId_Generate(text, 36), UNIQUEID_INVALID_ARG);
	assert_int_equal(UniqueId_Generate(NULL, 37), UNIQUEID_INVALID_ARG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meets),
		cmocka_unit_test(bears_nothing),
		cmocka_unit_test(counts_milliseconds),
		cmocka_unit_test(tells_the_time),
		cmocka_unit_test(makes_uuids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
