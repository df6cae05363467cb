#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "azure_c_shared_utility/azure_base64.h"
#include "azure_c_shared_utility/buffer_.h"

static const unsigned char *
text(const char *s)
{
	return (const unsigned char *)s;
}

static void
expect(BUFFER_HANDLE b, const char *bytes)
{
	assert_int_equal(BUFFER_length(b), strlen(bytes));
	assert_memory_equal(BUFFER_u_char(b), bytes, strlen(bytes));
}

static void
grows_and_shrinks(void **state)
{
	BUFFER_HANDLE a = BUFFER_create(text("abc"), 3), b = BUFFER_new(), c = BUFFER_clone(a);
	const unsigned char *p;
	size_t n;

	(void)state;
	assert_int_equal(BUFFER_pre_build(b, 2), 0);
	assert_int_not_equal(BUFFER_pre_build(b, 2), 0);
	assert_int_equal(BUFFER_fill(b, 'x'), 0);
	assert_int_equal(BUFFER_append(a, b), 0);
	expect(a, "abcxx");
	assert_int_equal(BUFFER_prepend(a, b), 0);
	expect(a, "xxabcxx");
	assert_int_equal(BUFFER_shrink(a, 2, true), 0);
	assert_int_equal(BUFFER_shrink(a, 2, false), 0);
	expect(a, "abc");
	assert_int_equal(BUFFER_append_build(a, BUFFER_u_char(a), 3), 0);
	expect(a, "abcabc");
	assert_int_equal(BUFFER_build(a, BUFFER_u_char(a) + 1, 2), 0);
	expect(a, "bc");
	assert_int_equal(BUFFER_enlarge(a, 1), 0);
	assert_memory_equal(BUFFER_u_char(a), "bc\0", 3);
	assert_int_equal(BUFFER_content(c, &p), 0);
	assert_int_equal(BUFFER_size(c, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "abc", 3);
	assert_int_equal(BUFFER_shrink(c, 3, false), 0);
	assert_null(BUFFER_u_char(c));
	assert_int_equal(BUFFER_unbuild(a), 0);
	assert_int_equal(BUFFER_unbuild(a), 0);
	assert_int_equal(BUFFER_append(a, c), 0);
	assert_int_equal(BUFFER_length(a), 0);
	BUFFER_delete(a);
	BUFFER_delete(b);
	BUFFER_delete(c);
	a = BUFFER_create_with_size(4);
	assert_int_equal(BUFFER_length(a), 4);
	BUFFER_delete(a);
}

static void
bears_nothing(void **state)
{
	BUFFER_HANDLE a = BUFFER_create(text("abc"), 3);
	const unsigned char *p;
	size_t n;

	(void)state;
	assert_null(BUFFER_create(NULL, 1));
	assert_null(BUFFER_create_with_size(SIZE_MAX));
	assert_null(BUFFER_clone(NULL));
	assert_null(BUFFER_u_char(NULL));
	assert_int_equal(BUFFER_length(NULL), 0);
	assert_int_not_equal(BUFFER_pre_build(NULL, 1), 0);
	assert_int_not_equal(BUFFER_build(NULL, text("x"), 1), 0);
	assert_int_not_equal(BUFFER_build(a, NULL, 1), 0);
	assert_int_not_equal(BUFFER_append_build(a, NULL, 1), 0);
	assert_int_not_equal(BUFFER_append_build(a, text("x"), 0), 0);
	assert_int_not_equal(BUFFER_unbuild(NULL), 0);
	assert_int_not_equal(BUFFER_enlarge(a, 0), 0);
	assert_int_not_equal(BUFFER_enlarge(a, SIZE_MAX), 0);
	assert_int_not_equal(BUFFER_enlarge(NULL, 1), 0);
	assert_int_not_equal(BUFFER_shrink(a, 4, true), 0);
	assert_int_not_equal(BUFFER_shrink(a, 0, true), 0);
	assert_int_not_equal(BUFFER_shrink(NULL, 1, true), 0);
	assert_int_not_equal(BUFFER_content(NULL, &p), 0);
	assert_int_not_equal(BUFFER_content(a, NULL), 0);
	assert_int_not_equal(BUFFER_size(NULL, &n), 0);
	assert_int_not_equal(BUFFER_size(a, NULL), 0);
	assert_int_not_equal(BUFFER_append(a, a), 0);
	assert_int_not_equal(BUFFER_append(a, NULL), 0);
	assert_int_not_equal(BUFFER_prepend(NULL, a), 0);
	assert_int_not_equal(BUFFER_fill(NULL, 'x'), 0);
	expect(a, "abc");
	BUFFER_delete(a);
	BUFFER_delete(NULL);
}

static void
speaks_base64(void **state)
{
	static const char *const bad[] = { "YQ", "YQ=", "YQ=a", "Y===", "Y*==", "====" };
	BUFFER_HANDLE b = BUFFER_create(text("ab"), 2), empty = BUFFER_new();
	STRING_HANDLE s = Azure_Base64_Encode(b), none = Azure_Base64_Encode(empty);

	(void)state;
	assert_string_equal(STRING_c_str(s), "YWI=");
	assert_string_equal(STRING_c_str(none), "");
	BUFFER_delete(b);
	BUFFER_delete(empty);
	b = Azure_Base64_Decode(STRING_c_str(s));
	expect(b, "ab");
	empty = Azure_Base64_Decode("");
	assert_int_equal(BUFFER_length(empty), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(Azure_Base64_Decode(bad[i]));
	assert_null(Azure_Base64_Decode(NULL));
	assert_null(Azure_Base64_Encode(NULL));
	assert_null(Azure_Base64_Encode_Bytes(NULL, 1));
	BUFFER_delete(b);
	BUFFER_delete(empty);
	STRING_delete(s);
	STRING_delete(none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_shrinks),
		cmocka_unit_test(bears_nothing),
		cmocka_unit_test(speaks_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
