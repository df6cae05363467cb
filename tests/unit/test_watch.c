#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <unistd.h>

#include "stream/pump.h"

static int
ready(const struct watch *w)
{
	struct pollfd p = { w->epoll, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static void
slots_come_and_go(void **state)
{
	struct hf_error err = { 0 };
	struct watch w;
	int a[2], b[2];

	(void)state;
	assert_int_equal(watch_open(&w, &err), 0);
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	assert_int_equal(write(b[1], "x", 1), 1);
	watch_set(&w, WATCH_STREAM, a[0], POLLIN);
	assert_false(ready(&w));
	watch_set(&w, WATCH_WORK, b[0], POLLIN);
	assert_true(ready(&w));
	watch_set(&w, WATCH_WORK, -1, 0);
	assert_false(ready(&w));
	watch_set(&w, WATCH_STREAM, a[1], POLLOUT);
	assert_true(ready(&w));
	watch_set(&w, WATCH_STREAM, a[1], 0);
	assert_false(ready(&w));
	watch_close(&w);
	watch_close(&w);
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

static void
two_slots_may_hold_one_descriptor(void **state)
{
	struct hf_error err = { 0 };
	struct watch w;
	int p[2];

	(void)state;
	assert_int_equal(watch_open(&w, &err), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	watch_set(&w, WATCH_STREAM, p[0], POLLIN);
	watch_set(&w, WATCH_WORK, p[0], POLLIN);
	assert_true(ready(&w));
	watch_set(&w, WATCH_STREAM, -1, 0);
	assert_true(ready(&w));
	watch_set(&w, WATCH_STREAM, p[0], POLLOUT);
	assert_true(ready(&w));
	watch_set(&w, WATCH_WORK, -1, 0);
	assert_false(ready(&w));
	watch_close(&w);
	close(p[0]);
	close(p[1]);
}

/* A descriptor that was closed and came again under its old number, with another wish. */
static void
a_number_comes_again(void **state)
{
	struct hf_error err = { 0 };
	struct watch w;
	int p[2], old;

	(void)state;
	assert_int_equal(watch_open(&w, &err), 0);
	assert_int_equal(pipe(p), 0);
	old = p[1];
	watch_set(&w, WATCH_STREAM, p[1], POLLIN);
	close(p[0]);
	close(p[1]);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(p[1], old);
	watch_set(&w, WATCH_STREAM, p[1], POLLOUT);
	assert_true(ready(&w));
	watch_close(&w);
	close(p[0]);
	close(p[1]);
}

/* The same wish for the same number, but the descriptor is another one. */
static void
what_is_closed_is_forgotten(void **state)
{
	struct hf_error err = { 0 };
	struct watch w;
	int p[2], old;

	(void)state;
	assert_int_equal(watch_open(&w, &err), 0);
	assert_int_equal(pipe(p), 0);
	old = p[1];
	watch_set(&w, WATCH_STREAM, p[1], POLLOUT);
	close(p[0]);
	close(p[1]);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(p[1], old);
	watch_forget(&w, WATCH_STREAM);
	assert_false(ready(&w));
	watch_set(&w, WATCH_STREAM, p[1], POLLOUT);
	assert_true(ready(&w));
	watch_close(&w);
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_come_and_go),
		cmocka_unit_test(two_slots_may_hold_one_descriptor),
		cmocka_unit_test(a_number_comes_again),
		cmocka_unit_test(what_is_closed_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
