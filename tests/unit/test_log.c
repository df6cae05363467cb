#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"

static void
remember(void *ctx, const char *line)
{
	strncpy(ctx, line, 4095);
}

static void
says_one_line(void **state)
{
	char said[4096] = "";
	const struct log l = { remember, said };

	(void)state;
	log_line(&l, "%s is %d", "x", 7);
	assert_string_equal(said, "x is 7");
	log_line(&l, "a\nb\033[2J");
	assert_string_equal(said, "a b [2J");
	log_line(&l, "%3000d", 1);
	assert_in_range(strlen(said), 1000, 2999);
}

static void
is_silent_without_a_listener(void **state)
{
	const struct log l = { 0 };

	(void)state;
	log_line(&l, "%s", "nobody hears");
	log_line(NULL, "%s", "nobody hears");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_one_line),
		cmocka_unit_test(is_silent_without_a_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
