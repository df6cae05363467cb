#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "azure_c_shared_utility/strings.h"

static void
makes_and_reads(void **state)
{
	STRING_HANDLE a = STRING_construct("abc"), b = STRING_clone(a), c = STRING_construct_n("abc", 2);

	(void)state;
	assert_string_equal(STRING_c_str(a), "abc");
	assert_string_equal(STRING_c_str(b), "abc");
	assert_string_equal(STRING_c_str(c), "ab");
	assert_int_equal(STRING_length(c), 2);
	assert_int_equal(STRING_compare(a, b), 0);
	assert_true(STRING_compare(a, c) > 0 && STRING_compare(c, a) < 0);
	assert_true(STRING_compare(NULL, a) < 0 && STRING_compare(a, NULL) > 0);
	assert_int_equal(STRING_compare(NULL, NULL), 0);
	STRING_delete(a);
	STRING_delete(b);
	STRING_delete(c);
	a = STRING_new();
	assert_string_equal(STRING_c_str(a), "");
	STRING_delete(a);
	a = STRING_new_with_memory(strdup("own"));
	assert_string_equal(STRING_c_str(a), "own");
	STRING_delete(a);
	a = STRING_from_byte_array((const unsigned char *)"a\0b", 3);
	assert_int_equal(STRING_length(a), 3);
	STRING_delete(a);
}

static void
grows_and_changes(void **state)
{
	STRING_HANDLE a = STRING_construct("a"), b = STRING_construct("b");

	(void)state;
	assert_int_equal(STRING_concat(a, "bc"), 0);
	assert_int_equal(STRING_concat_with_STRING(a, b), 0);
	assert_int_equal(STRING_concat_with_STRING(a, a), 0);
	assert_string_equal(STRING_c_str(a), "abcbabcb");
	assert_int_equal(STRING_concat(a, STRING_c_str(a)), 0);
	assert_int_equal(STRING_replace(a, 'b', '-'), 0);
	assert_string_equal(STRING_c_str(a), "a-c-a-c-a-c-a-c-");
	assert_int_equal(STRING_copy(a, STRING_c_str(a) + 14), 0);
	assert_string_equal(STRING_c_str(a), "c-");
	assert_int_equal(STRING_copy_n(a, "xyz", 2), 0);
	assert_int_equal(STRING_quote(a), 0);
	assert_int_equal(STRING_sprintf(a, "%d%s", 7, STRING_c_str(a)), 0);
	assert_string_equal(STRING_c_str(a), "\"xy\"7\"xy\"");
	assert_int_equal(STRING_copy_n(a, "xyz", 9), 0);
	assert_string_equal(STRING_c_str(a), "xyz");
	assert_int_equal(STRING_empty(a), 0);
	assert_int_equal(STRING_length(a), 0);
	STRING_delete(a);
	STRING_delete(b);
	a = STRING_construct_sprintf("%s-%05d", "n", 42);
	assert_string_equal(STRING_c_str(a), "n-00042");
	STRING_delete(a);
}

static void
quotes_and_escapes(void **state)
{
	STRING_HANDLE a = STRING_new_quoted("x"), b = STRING_new_JSON("\"\\/\n\x01\xc3\xa9");

	(void)state;
	assert_string_equal(STRING_c_str(a), "\"x\"");
	assert_string_equal(STRING_c_str(b), "\"\\\"\\\\\\/\\u000A\\u0001\xc3\xa9\"");
	STRING_delete(a);
	STRING_delete(b);
}

static void
bears_nothing(void **state)
{
	STRING_HANDLE a = STRING_construct("a");

	(void)state;
	assert_null(STRING_clone(NULL));
	assert_null(STRING_construct(NULL));
	assert_null(STRING_construct_n(NULL, 0));
	assert_null(STRING_construct_n("ab", 3));
	assert_null(STRING_new_with_memory(NULL));
	assert_null(STRING_new_quoted(NULL));
	assert_null(STRING_new_JSON(NULL));
	assert_null(STRING_from_byte_array(NULL, 1));
	assert_null(STRING_construct_sprintf(NULL));
	assert_int_not_equal(STRING_concat(NULL, ""), 0);
	assert_int_not_equal(STRING_concat(a, NULL), 0);
	assert_int_not_equal(STRING_concat_with_STRING(a, NULL), 0);
	assert_int_not_equal(STRING_concat_with_STRING(NULL, a), 0);
	assert_int_not_equal(STRING_quote(NULL), 0);
	assert_int_not_equal(STRING_copy(NULL, ""), 0);
	assert_int_not_equal(STRING_copy(a, NULL), 0);
	assert_int_not_equal(STRING_copy_n(NULL, "", 0), 0);
	assert_int_not_equal(STRING_copy_n(a, NULL, 0), 0);
	assert_int_not_equal(STRING_empty(NULL), 0);
	assert_int_not_equal(STRING_replace(NULL, 'a', 'b'), 0);
	assert_int_not_equal(STRING_sprintf(NULL, "x"), 0);
	assert_null(STRING_c_str(NULL));
	assert_int_equal(STRING_length(NULL), 0);
	assert_string_equal(STRING_c_str(a), "a");
	STRING_delete(a);
	STRING_delete(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_and_reads),
		cmocka_unit_test(grows_and_changes),
		cmocka_unit_test(quotes_and_escapes),
		cmocka_unit_test(bears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
