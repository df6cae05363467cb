#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/url.h"
#include "holdfast.h"

static void
encodes_all_but_unreserved(void **state)
{
	static const char plain[] = "ABCXYZabcxyz0189-._~";
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(url_put(&b, plain, strlen(plain)), 0);
	assert_string_equal(buf_str(&b), plain);
	buf_clear(&b);
	assert_int_equal(url_put(&b, "a/b c+d%\xff&=", 11), 0);
	assert_string_equal(buf_str(&b), "a%2Fb%20c%2Bd%25%FF%26%3D");
	buf_free(&b);
}

static void
says_and_hears_every_byte(void **state)
{
	struct buf text = { 0 }, back = { 0 };
	char all[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	assert_int_equal(url_put(&text, all, sizeof all), 0);
	assert_int_equal(url_get(&back, (const char *)buf_data(&text), buf_size(&text)), 0);
	assert_int_equal(buf_size(&back), sizeof all);
	assert_memory_equal(buf_data(&back), all, sizeof all);
	buf_free(&text);
	buf_free(&back);
}

static void
decodes_leniently_in_case_only(void **state)
{
	static const char *const bad[] = { "%", "a%2", "%2g", "%g2", "%%20", "%-1", "% 1", "abc%" };
	struct buf b = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(url_get(&b, "%2f%2F+%41", 10), 0);
	assert_string_equal(buf_str(&b), "//+A");
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(url_get(&b, bad[i], strlen(bad[i])), HF_ERR_ARGS);
		assert_string_equal(buf_str(&b), "//+A");
	}
	assert_int_equal(url_get(&b, "%41", 2), HF_ERR_ARGS);
	assert_int_equal(url_get(&b, "", 0), 0);
	assert_string_equal(buf_str(&b), "//+A");
	buf_free(&b);
}

static void
assert_pair(const char **p, const char *end, const char *key, const char *value)
{
	struct url_pair pair;

	assert_int_equal(url_next(p, end, &pair), 1);
	assert_int_equal(pair.klen, strlen(key));
	assert_memory_equal(pair.key, key, pair.klen);
	if (value == NULL) {
		assert_null(pair.value);
		assert_int_equal(pair.vlen, 0);
		return;
	}
	assert_int_equal(pair.vlen, strlen(value));
	assert_memory_equal(pair.value, value, pair.vlen);
}

static void
walks_pairs(void **state)
{
	static const char text[] = "&api-version=2019-03-31&flag&&empty=&sig=a=b&=v&";
	const char *p = text, *end = text + strlen(text);
	struct url_pair pair;

	(void)state;
	assert_pair(&p, end, "api-version", "2019-03-31");
	assert_pair(&p, end, "flag", NULL);
	assert_pair(&p, end, "empty", "");
	assert_pair(&p, end, "sig", "a=b");
	assert_pair(&p, end, "", "v");
	assert_int_equal(url_next(&p, end, &pair), 0);
	assert_int_equal(url_next(&p, end, &pair), 0);
	p = end = NULL;
	assert_int_equal(url_next(&p, end, &pair), 0);
}

static void
stops_at_the_end_not_at_a_nul(void **state)
{
	const char *text = "a=bc&d=e", *p = text;
	struct url_pair pair;

	(void)state;
	assert_pair(&p, text + 3, "a", "b");
	assert_int_equal(url_next(&p, text + 3, &pair), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_all_but_unreserved),
		cmocka_unit_test(says_and_hears_every_byte),
		cmocka_unit_test(decodes_leniently_in_case_only),
		cmocka_unit_test(walks_pairs),
		cmocka_unit_test(stops_at_the_end_not_at_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
