#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"

static void
goes_on(void **state)
{
	struct moment a = clock_now(), b = clock_now();

	(void)state;
	assert_true(b.ms >= a.ms);
	assert_true(b.ms - a.ms < 60000);
	assert_true(a.wall > 1600000000);
	assert_true(sooner(a.ms, NEVER) == a.ms);
	assert_true(sooner(NEVER, 5) == 5);
}

static void
writes_dates_as_dps_does(void **state)
{
	static const struct {
		int64_t wall;
		const char *text;
	} dates[] = {
		{ 0, "1970-01-01T00:00:00.0000000Z" },
		{ 951782400, "2000-02-29T00:00:00.0000000Z" },
		{ 1795341600, "2026-11-22T10:00:00.0000000Z" },
		{ 2147483648, "2038-01-19T03:14:08.0000000Z" },
		{ -1, "1970-01-01T00:00:00.0000000Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.0000000Z" },
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof dates / sizeof *dates; i++) {
		clock_iso(dates[i].wall, text);
		assert_string_equal(text, dates[i].text);
	}
}

static void
tosses_the_same_from_a_seed(void **state)
{
	struct coin a = { 1234567 }, b = { 1234568 };

	(void)state;
	/* what splitmix64 is published to give for this seed */
	assert_true(coin_toss(&a) == UINT64_C(6457827717110365317));
	assert_true(coin_toss(&a) == UINT64_C(3203168211198807973));
	assert_true(coin_toss(&a) == UINT64_C(9817491932198370423));
	assert_true(coin_toss(&b) != UINT64_C(6457827717110365317));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on),
		cmocka_unit_test(writes_dates_as_dps_does),
		cmocka_unit_test(tosses_the_same_from_a_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
