#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "holdfast.h"

static void
assert_holds(const struct buf *b, const char *want)
{
	assert_int_equal(buf_size(b), strlen(want));
	if (*want != '\0')
		assert_memory_equal(buf_data(b), want, strlen(want));
}

static void
puts_in_order(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_holds(&b, "");
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	assert_null(b.p);
	assert_int_equal(buf_put(&b, "ab", 2), 0);
	assert_int_equal(buf_puts(&b, "cd"), 0);
	assert_int_equal(buf_putc(&b, 'e'), 0);
	assert_int_equal(buf_put16(&b, 0x6667), 0);
	assert_int_equal(buf_put32(&b, 0x68696a6b), 0);
	assert_int_equal(buf_fmt(&b, "%d-%s", 42, "x"), 0);
	assert_holds(&b, "abcdefghijk42-x");
	buf_free(&b);
	assert_null(b.p);
	assert_int_equal(b.cap, 0);
	buf_free(&b);
}

static void
keeps_the_high_bits(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_put16(&b, 0xfffe), 0);
	assert_int_equal(buf_put32(&b, 0xfdfcfbfa), 0);
	assert_memory_equal(buf_data(&b), "\xff\xfe\xfd\xfc\xfb\xfa", 6);
	buf_free(&b);
}

static void
eats_without_moving(void **state)
{
	struct buf b = { 0 };
	const uint8_t *p;

	(void)state;
	assert_int_equal(buf_puts(&b, "hello"), 0);
	p = buf_data(&b);
	buf_eat(&b, 2);
	assert_ptr_equal(buf_data(&b), p + 2);
	assert_holds(&b, "llo");
	buf_eat(&b, 3);
	assert_holds(&b, "");
	assert_int_equal(buf_puts(&b, "again"), 0);
	assert_ptr_equal(buf_data(&b), p);
	assert_holds(&b, "again");
	buf_free(&b);
}

static void
reuses_what_is_eaten(void **state)
{
	struct buf b = { 0 };
	const uint8_t *p;
	size_t cap, i;

	(void)state;
	assert_int_equal(buf_puts(&b, "0123456789"), 0);
	cap = b.cap;
	p = b.p;
	for (i = 0; i < 100 * cap; i++) {
		assert_int_equal(buf_putc(&b, (uint8_t)('0' + i % 10)), 0);
		assert_int_equal(buf_data(&b)[0], '0' + i % 10);
		buf_eat(&b, 1);
	}
	assert_int_equal(b.cap, cap);
	assert_ptr_equal(b.p, p);
	assert_holds(&b, "0123456789");
	buf_free(&b);
}

static void
grows_and_keeps_all(void **state)
{
	struct buf b = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 10000; i++)
		assert_int_equal(buf_putc(&b, (uint8_t)i), 0);
	buf_eat(&b, 100);
	assert_int_equal(buf_put(&b, (uint8_t[20000]){ 7 }, 20000), 0);
	assert_int_equal(buf_size(&b), 29900);
	for (i = 0; i < 9900; i++)
		assert_int_equal(buf_data(&b)[i], (uint8_t)(i + 100));
	assert_int_equal(buf_data(&b)[9900], 7);
	buf_free(&b);
}

static void
wipes_when_cleared(void **state)
{
	struct buf b = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(buf_puts(&b, "a secret"), 0);
	buf_eat(&b, 8);
	assert_int_equal(buf_puts(&b, "key"), 0);
	buf_clear(&b);
	assert_holds(&b, "");
	assert_non_null(b.p);
	for (i = 0; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
	buf_free(&b);
	buf_clear(&b);
	assert_null(b.p);
}

static void
refuses_what_no_memory_holds(void **state)
{
	static const char some[] = "some";
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_puts(&b, some), 0);
	assert_null(buf_room(&b, SIZE_MAX));
	assert_null(buf_room(&b, SIZE_MAX - 4));
	assert_int_equal(buf_put(&b, some, SIZE_MAX), HF_ERR_MEMORY);
	assert_holds(&b, some);
	buf_free(&b);
}

static void
gives_room_even_for_nothing(void **state)
{
	struct buf b = { 0 };
	uint8_t *room;

	(void)state;
	assert_non_null(buf_room(&b, 0));
	room = buf_room(&b, 1000);
	assert_non_null(room);
	memset(room, 'x', 1000);
	buf_add(&b, 3);
	assert_holds(&b, "xxx");
	buf_free(&b);
}

static void
ends_a_string(void **state)
{
	struct buf b = { 0 };
	size_t i;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	for (i = 0; i < 300; i++) {
		assert_int_equal(buf_putc(&b, 'a'), 0);
		assert_int_equal(strlen(buf_str(&b)), i + 1);
		assert_int_equal(buf_size(&b), i + 1);
	}
	buf_eat(&b, 299);
	assert_string_equal(buf_str(&b), "a");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_in_order),
		cmocka_unit_test(keeps_the_high_bits),
		cmocka_unit_test(eats_without_moving),
		cmocka_unit_test(reuses_what_is_eaten),
		cmocka_unit_test(grows_and_keeps_all),
		cmocka_unit_test(wipes_when_cleared),
		cmocka_unit_test(refuses_what_no_memory_holds),
		cmocka_unit_test(gives_room_even_for_nothing),
		cmocka_unit_test(ends_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
