#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/b64.h"
#include "holdfast.h"

/* The examples of RFC 4648, section 10. */
static const struct {
	const char *plain, *b64, *b32;
} examples[] = {
	{ "", "", "" },
	{ "f", "Zg==", "my" },
	{ "fo", "Zm8=", "mzxq" },
	{ "foo", "Zm9v", "mzxw6" },
	{ "foob", "Zm9vYg==", "mzxw6yq" },
	{ "fooba", "Zm9vYmE=", "mzxw6ytb" },
	{ "foobar", "Zm9vYmFy", "mzxw6ytboi" },
};

static void
agrees_with_the_rfc(void **state)
{
	struct buf b = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof examples / sizeof *examples; i++) {
		assert_int_equal(b64_put(&b, examples[i].plain, strlen(examples[i].plain)), 0);
		assert_string_equal(buf_str(&b), examples[i].b64);
		buf_clear(&b);
		assert_int_equal(b64_get(&b, examples[i].b64, strlen(examples[i].b64)), 0);
		assert_string_equal(buf_str(&b), examples[i].plain);
		buf_clear(&b);
		assert_int_equal(b32_put(&b, examples[i].plain, strlen(examples[i].plain)), 0);
		assert_string_equal(buf_str(&b), examples[i].b32);
		buf_clear(&b);
	}
	buf_free(&b);
}

static void
says_and_hears_every_byte(void **state)
{
	struct buf text = { 0 }, back = { 0 };
	uint8_t all[256];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof all; n++)
		all[n] = (uint8_t)(255 - n);
	for (n = 0; n <= sizeof all; n++) {
		assert_int_equal(b64_put(&text, all, n), 0);
		assert_int_equal(b64_get(&back, (const char *)buf_data(&text), buf_size(&text)), 0);
		assert_int_equal(buf_size(&back), n);
		if (n > 0)
			assert_memory_equal(buf_data(&back), all, n);
		buf_clear(&text);
		buf_clear(&back);
	}
	buf_free(&text);
	buf_free(&back);
}

static void
skips_white_space(void **state)
{
	static const char spaced[] = "\n Zm9v\r\n\tYm E \v\f=\n";
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(b64_get(&b, spaced, strlen(spaced)), 0);
	assert_string_equal(buf_str(&b), "fooba");
	buf_free(&b);
}

static void
refuses_and_appends_nothing(void **state)
{
	static const char *const bad[] = { "Z", "Zg", "Zm8", "Zg=", "Zg===", "Z===", "=",
		"==", "====", "Zg==Zg==", "Zm9v=", "Zm9v==", "Zm9v====", "=Zg=", "Zm-v", "Zm_v", "Zm9v!",
		"Zm9v.", "Zm9\xc3", "Z=g=", "Zm\x80v" };
	struct buf b = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(buf_puts(&b, "kept"), 0);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(b64_get(&b, bad[i], strlen(bad[i])), HF_ERR_ARGS);
		assert_string_equal(buf_str(&b), "kept");
	}
	assert_int_equal(b64_get(&b, "Zm\0v", 4), HF_ERR_ARGS);
	assert_int_equal(b64_get(&b, "Zm9v", 4), 0);
	assert_string_equal(buf_str(&b), "keptfoo");
	buf_free(&b);
}

static void
refuses_what_no_memory_holds(void **state)
{
	static const char one[] = "x";
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(b64_put(&b, one, SIZE_MAX), HF_ERR_MEMORY);
	assert_int_equal(b32_put(&b, one, SIZE_MAX), HF_ERR_MEMORY);
	assert_int_equal(b64_get(&b, one, SIZE_MAX), HF_ERR_MEMORY);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_rfc),
		cmocka_unit_test(says_and_hears_every_byte),
		cmocka_unit_test(skips_white_space),
		cmocka_unit_test(refuses_and_appends_nothing),
		cmocka_unit_test(refuses_what_no_memory_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
