#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "azure_c_shared_utility/crt_abstractions.h"
#include "azure_c_shared_utility/envvariable.h"

static void
copies_within_limits(void **state)
{
	char s[5] = "zzzz";

	(void)state;
	assert_int_equal(strcpy_s(s, sizeof(s), "1234"), 0);
	assert_string_equal(s, "1234");
	assert_int_equal(strcpy_s(s, sizeof(s), "12345"), ERANGE);
	assert_string_equal(s, "");
	assert_int_equal(strcpy_s(s, 0, "1"), ERANGE);
	assert_int_equal(strcpy_s(NULL, 5, "1"), EINVAL);
	s[0] = 'a';
	assert_int_equal(strcpy_s(s, sizeof(s), NULL), EINVAL);
	assert_string_equal(s, "");
	assert_int_equal(strcat_s(s, sizeof(s), "12"), 0);
	assert_int_equal(strcat_s(s, sizeof(s), "34"), 0);
	assert_string_equal(s, "1234");
	assert_int_equal(strcat_s(s, sizeof(s), "5"), ERANGE);
	assert_string_equal(s, "");
	memset(s, 'x', sizeof(s));
	assert_int_equal(strcat_s(s, sizeof(s), ""), EINVAL);
	assert_string_equal(s, "");
	assert_int_equal(strcat_s(s, sizeof(s), NULL), EINVAL);
	assert_int_equal(strcat_s(NULL, 1, ""), EINVAL);
	assert_int_equal(strcat_s(s, 0, ""), ERANGE);
}

static void
cuts_when_told(void **state)
{
	char s[5] = "zzzz";

	(void)state;
	assert_int_equal(strncpy_s(s, sizeof(s), "123456", 3), 0);
	assert_string_equal(s, "123");
	assert_int_equal(strncpy_s(s, sizeof(s), "123456", 5), ERANGE);
	assert_string_equal(s, "");
	assert_int_equal(strncpy_s(s, sizeof(s), "12", 9), 0);
	assert_string_equal(s, "12");
	assert_int_equal(strncpy_s(s, sizeof(s), "123456", _TRUNCATE), STRUNCATE);
	assert_string_equal(s, "1234");
	assert_int_equal(strncpy_s(s, sizeof(s), "1234", _TRUNCATE), 0);
	assert_int_equal(strncpy_s(s, 1, "1234", _TRUNCATE), STRUNCATE);
	assert_string_equal(s, "");
	assert_int_equal(strncpy_s(s, 0, "1", 1), EINVAL);
	assert_int_equal(strncpy_s(NULL, 1, "1", 1), EINVAL);
	assert_int_equal(strncpy_s(s, 1, NULL, 1), EINVAL);
}

static void
prints(void **state)
{
	char s[5];
	char *heap = NULL;

	(void)state;
	assert_int_equal(sprintf_s(s, sizeof(s), "%d", 1234), 4);
	assert_string_equal(s, "1234");
	errno = 0;
	assert_int_equal(sprintf_s(s, sizeof(s), "%d", 12345), -1);
	assert_int_equal(errno, ERANGE);
	assert_string_equal(s, "");
	assert_int_equal(sprintf_s(NULL, 5, "x"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(sprintf_s(s, 0, "x"), -1);
	assert_int_equal(unsignedIntToString(s, sizeof(s), 4294), 0);
	assert_string_equal(s, "4294");
	assert_int_not_equal(size_tToString(s, sizeof(s), 10000), 0);
	assert_int_not_equal(uint64_tToString(NULL, 9, 1), 0);
	assert_int_equal(mallocAndStrcpy_s(&heap, "copy"), 0);
	assert_string_equal(heap, "copy");
	assert_int_equal(mallocAndStrcpy_s(NULL, "copy"), EINVAL);
	assert_int_equal(mallocAndStrcpy_s(&heap, NULL), EINVAL);
	assert_string_equal(heap, "copy");
	free(heap);
}

static void
reads_numbers(void **state)
{
	char *end = NULL;

	(void)state;
	assert_true(strtoull_s("18446744073709551615x", &end, 10) == UINT64_MAX && *end == 'x');
	assert_true(strtoull_s("0x1f", NULL, 16) == 31);
	errno = 0;
	assert_true(strtoull_s("7", &end, 37) == 0 && errno == EINVAL && *end == '7');
	errno = 0;
	assert_true(strtoull_s(NULL, &end, 10) == 0 && errno == EINVAL);
	assert_true(strtof_s("1.5e1", &end) == 15 && *end == '\0');
	assert_true(strtof_s(NULL, &end) == 0);
	assert_true(strtold_s("-0.25 ", &end) == -0.25L && *end == ' ');
	assert_true(strtold_s(NULL, NULL) == 0);
}

static void
knows_the_environment(void **state)
{
	(void)state;
	setenv("HF_SDK_TEST", "yes", 1);
	assert_string_equal(environment_get_variable("HF_SDK_TEST"), "yes");
	assert_null(environment_get_variable("HF_SDK_TEST_NOT"));
	assert_null(environment_get_variable(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_within_limits),
		cmocka_unit_test(cuts_when_told),
		cmocka_unit_test(prints),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(knows_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
