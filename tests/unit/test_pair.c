#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stream/stream.h"

static void
bytes_pass_both_ways_in_order(void **state)
{
	struct stream *a, *b;
	uint8_t sent[100], got[100];
	size_t i, wrote = 0, read = 0;
	ssize_t n;
	short events = 7;
	int fd = 7;

	(void)state;
	for (i = 0; i < sizeof sent; i++)
		sent[i] = (uint8_t)i;
	assert_int_equal(pair_new(&a, &b, 7, 3), 0);
	assert_int_equal(stream_read(a, got, 1), STREAM_WANT_READ);
	while (read < sizeof sent) {
		n = stream_write(a, sent + wrote, sizeof sent - wrote > 5 ? 5 : sizeof sent - wrote);
		assert_true(n <= 3);
		wrote += n > 0 ? (size_t)n : 0;
		n = stream_read(b, got + read, 2);
		read += n > 0 ? (size_t)n : 0;
	}
	assert_memory_equal(got, sent, sizeof sent);
	assert_int_equal(stream_write(b, "answer", 6), 3);
	assert_int_equal(stream_read(a, got, sizeof got), 3);
	assert_memory_equal(got, "ans", 3);
	stream_wait(a, STREAM_WANT_READ, &fd, &events);
	assert_int_equal(fd, -1);
	stream_close(a);
	stream_close(b);
}

static void
a_full_ring_says_wait(void **state)
{
	struct stream *a, *b;
	char got[8];

	(void)state;
	assert_int_equal(pair_new(&a, &b, 4, 0), 0);
	assert_int_equal(stream_write(a, "abcdef", 6), 4);
	assert_int_equal(stream_write(a, "ef", 2), STREAM_WANT_WRITE);
	assert_int_equal(stream_read(b, got, 1), 1);
	assert_int_equal(stream_write(a, "ef", 2), 1);
	assert_int_equal(stream_read(b, got, sizeof got), 3);
	assert_memory_equal(got, "bcd", 3);
	stream_close(b);
	stream_close(a);
}

static void
one_end_leaves(void **state)
{
	struct stream *a, *b;
	char got[8];

	(void)state;
	assert_int_equal(pair_new(&a, &b, 4, 0), 0);
	assert_int_equal(stream_write(a, "last", 4), 4);
	stream_close(a);
	assert_int_equal(stream_write(b, "x", 1), STREAM_ERR);
	assert_int_equal(b->err.code, HF_ERR_NET);
	assert_int_equal(stream_read(b, got, sizeof got), 4);
	assert_int_equal(stream_read(b, got, sizeof got), 0);
	stream_close(b);
}

static void
cut_after_some_bytes(void **state)
{
	struct stream *a, *b;
	char got[8];

	(void)state;
	assert_int_equal(pair_new(&a, &b, 16, 0), 0);
	pair_cut(a, 5);
	assert_int_equal(stream_write(b, "xy", 2), 2); /* the other way does not count */
	assert_int_equal(stream_write(a, "abc", 3), 3);
	assert_int_equal(stream_write(a, "def", 3), 2);
	assert_int_equal(stream_write(a, "f", 1), STREAM_ERR);
	assert_int_equal(stream_write(b, "z", 1), STREAM_ERR);
	assert_int_equal(a->err.code, HF_ERR_NET);
	assert_int_equal(stream_read(b, got, sizeof got), 5);
	assert_memory_equal(got, "abcde", 5);
	assert_int_equal(stream_read(b, got, sizeof got), STREAM_ERR);
	assert_int_equal(b->err.code, HF_ERR_NET);
	stream_close(a);
	stream_close(b);

	assert_int_equal(pair_new(&a, &b, 16, 0), 0);
	pair_cut(b, 0);
	assert_int_equal(stream_read(a, got, 1), STREAM_ERR);
	stream_close(a);
	stream_close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_both_ways_in_order),
		cmocka_unit_test(a_full_ring_says_wait),
		cmocka_unit_test(one_end_leaves),
		cmocka_unit_test(cut_after_some_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
