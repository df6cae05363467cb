#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/pump.h"

/* An engine that takes lines: one at a time, and no further one until it has been taken by take(). */
struct lines {
	struct engine engine;
	struct buf line;
	int whole, eof, wild; /* wild: takes whatever comes, without waiting */
	int64_t ticked;
};

static ssize_t
lines_in(struct engine *e, const void *p, size_t n)
{
	struct lines *l = (struct lines *)e;
	const char *end = n == 0 ? NULL : memchr(p, '\n', n);
	size_t take = end == NULL ? n : (size_t)(end - (const char *)p) + 1;

	if (p == NULL) {
		assert_int_equal(l->eof++, 0);
		return 0;
	}
	assert_true(n > 0);
	if (l->whole)
		return 0;
	if (memchr(p, '!', take) != NULL) {
		buf_puts(&e->out, "what?\n");
		return err_set(&e->err, HF_ERR_PROTOCOL, "a shout");
	}
	if (l->wild)
		take = n;
	assert_int_equal(buf_put(&l->line, p, take), 0);
	l->whole = end != NULL && !l->wild;
	return (ssize_t)take;
}

static int64_t
lines_tick(struct engine *e, int64_t now_ms)
{
	((struct lines *)e)->ticked = now_ms;
	return NEVER;
}

static const struct engine_ops lines_ops = { lines_in, lines_tick };

static int
take(struct lines *l, const char *want)
{
	int same = l->whole && strcmp(buf_str(&l->line), want) == 0;

	l->whole = 0;
	buf_clear(&l->line);
	return same;
}

struct scene {
	struct pump pump;
	struct lines lines;
	struct stream *peer;
};

static void
open_scene(struct scene *s, size_t cap, size_t chunk)
{
	memset(s, 0, sizeof *s);
	s->lines.engine.ops = &lines_ops;
	s->pump.engine = &s->lines.engine;
	assert_int_equal(pair_new(&s->pump.stream, &s->peer, cap, chunk), 0);
}

static void
close_scene(struct scene *s)
{
	pump_close(&s->pump);
	stream_close(s->peer);
	buf_free(&s->lines.line);
	buf_free(&s->lines.engine.out);
}

static void
leave(struct scene *s)
{
	stream_close(s->peer);
	s->peer = NULL;
}

static void
say(struct scene *s, const char *text)
{
	assert_int_equal(stream_write(s->peer, text, strlen(text)), strlen(text));
}

static void
what_the_engine_does_not_take_is_held(void **state)
{
	struct scene s;
	int i;

	(void)state;
	open_scene(&s, 1000, 0);
	say(&s, "one\ntwo\nthree\n");
	assert_int_equal(pump_step(&s.pump, 42), 1);
	assert_int_equal(s.lines.ticked, 42);
	assert_true(s.pump.stalled);
	assert_true(take(&s.lines, "one\n"));
	assert_int_equal(pump_step(&s.pump, 43), 1);
	assert_true(take(&s.lines, "two\n"));
	assert_int_equal(pump_step(&s.pump, 44), 1);
	for (i = 0; i < 3; i++) /* nobody takes the third: nothing moves, nothing is lost */
		assert_int_equal(pump_step(&s.pump, 45), 0);
	say(&s, "four\n");
	assert_int_equal(pump_step(&s.pump, 46), 1);
	assert_int_equal(pump_step(&s.pump, 46), 0);
	assert_true(take(&s.lines, "three\n"));
	assert_int_equal(pump_step(&s.pump, 47), 1);
	assert_true(take(&s.lines, "four\n"));
	assert_int_equal(pump_step(&s.pump, 48), 0);
	assert_false(s.pump.stalled);
	assert_int_equal(s.pump.want_in, STREAM_WANT_READ);
	close_scene(&s);
}

static void
one_byte_at_a_time(void **state)
{
	static const char text[] = "a line that comes in crumbs\n";
	struct scene s;
	char got[64];
	size_t i, n = 0;
	ssize_t r;

	(void)state;
	open_scene(&s, 1, 1);
	buf_puts(&s.lines.engine.out, text);
	for (i = 0; i < sizeof text - 1; i++) {
		assert_int_equal(stream_write(s.peer, text + i, 1), 1);
		assert_int_equal(pump_step(&s.pump, 0), 1);
		r = stream_read(s.peer, got + n, 1);
		n += r > 0 ? (size_t)r : 0;
	}
	assert_true(take(&s.lines, text));
	assert_int_equal(n, sizeof text - 1);
	assert_memory_equal(got, text, n);
	close_scene(&s);
}

static void
a_full_out_stops_reading(void **state)
{
	static char much[ENGINE_HIGH + 10], got[ENGINE_HIGH];
	struct scene s;

	(void)state;
	open_scene(&s, 64, 0);
	buf_put(&s.lines.engine.out, much, sizeof much);
	s.pump.hold_out = 1;
	say(&s, "one\n");
	assert_int_equal(pump_step(&s.pump, 0), 0);
	assert_int_equal(s.pump.want_in, 0);
	s.pump.hold_out = 0;
	assert_int_equal(pump_step(&s.pump, 0), 1); /* 64 bytes go: now it is below */
	assert_int_equal(s.pump.want_out, STREAM_WANT_WRITE);
	assert_true(take(&s.lines, "one\n"));
	assert_int_equal(stream_read(s.peer, got, sizeof got), 64);
	close_scene(&s);
}

static void
held_output_stays(void **state)
{
	struct scene s;
	char got[8];

	(void)state;
	open_scene(&s, 64, 0);
	s.pump.hold_out = 1;
	buf_puts(&s.lines.engine.out, "stored");
	assert_int_equal(pump_step(&s.pump, 0), 0);
	assert_int_equal(stream_read(s.peer, got, sizeof got), STREAM_WANT_READ);
	s.pump.hold_out = 0;
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_int_equal(stream_read(s.peer, got, sizeof got), 6);
	close_scene(&s);
}

static void
a_step_is_bounded(void **state)
{
	static char much[1 << 20];
	struct scene s;
	size_t moved;

	(void)state;
	open_scene(&s, sizeof much, 0);
	s.lines.wild = 1;
	assert_int_equal(stream_write(s.peer, much, sizeof much), sizeof much);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	moved = buf_size(&s.lines.line);
	assert_in_range(moved, 200 * 1024, 300 * 1024);
	while (pump_step(&s.pump, 0) == 1)
		;
	assert_int_equal(buf_size(&s.lines.line), sizeof much);
	close_scene(&s);
}

static void
the_end_is_told_once_and_after_the_last_words(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 64, 0);
	say(&s, "bye\nreally\n");
	leave(&s);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_true(take(&s.lines, "bye\n"));
	assert_int_equal(s.lines.eof, 0);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_true(take(&s.lines, "really\n"));
	assert_int_equal(s.lines.eof, 0);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_int_equal(s.lines.eof, 1);
	assert_int_equal(pump_step(&s.pump, 0), HF_ERR_NET);
	assert_int_equal(pump_step(&s.pump, 0), HF_ERR_NET);
	assert_string_equal(s.pump.err.text, "the other side closed the connection");
	close_scene(&s);
}

static void
last_words_are_heard_though_nothing_can_be_written(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 64, 0);
	say(&s, "refused: code 5\n");
	leave(&s);
	buf_puts(&s.lines.engine.out, "more of what we wanted to say");
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_true(take(&s.lines, "refused: code 5\n"));
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_int_equal(s.lines.eof, 1);
	assert_int_equal(pump_step(&s.pump, 0), HF_ERR_NET);
	assert_non_null(strstr(s.pump.err.text, "the other end has closed"));
	close_scene(&s);
}

static void
a_cut_is_an_error(void **state)
{
	struct scene s;
	short events;
	int fd;

	(void)state;
	open_scene(&s, 64, 0);
	pair_cut(s.peer, 3);
	assert_int_equal(stream_write(s.peer, "whole\n", 6), 3);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_int_equal(pump_step(&s.pump, 0), HF_ERR_NET);
	assert_int_equal(s.lines.eof, 0);
	assert_int_equal(s.pump.err.code, HF_ERR_NET);
	pump_wait(&s.pump, &fd, &events);
	assert_int_equal(fd, -1);
	close_scene(&s);
}

/* More than a socket takes at once waits to be said when the peer's end comes: all of it is said, then it is over. */
static void
all_is_said_to_a_peer_that_says_no_more(void **state)
{
	static uint8_t much[1 << 20];
	struct hf_error err = { 0 };
	struct scene s = { 0 };
	size_t heard = 0;
	ssize_t n;
	int fd[2], i, r = 1;

	(void)state;
	s.lines.engine.ops = &lines_ops;
	s.pump.engine = &s.lines.engine;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(tcp_from_fd(&s.pump.stream, fd[0], "the peer", &err), 0);
	buf_put(&s.lines.engine.out, much, sizeof much);
	assert_int_equal(send(fd[1], "last\n", 5, 0), 5);
	shutdown(fd[1], SHUT_WR);
	for (i = 0; r >= 0 && i < 10000; i++) {
		r = pump_step(&s.pump, 1);
		take(&s.lines, "last\n");
		if (r == 0 && (n = recv(fd[1], much, sizeof much, MSG_DONTWAIT)) > 0)
			heard += (size_t)n;
	}
	while ((n = recv(fd[1], much, sizeof much, MSG_DONTWAIT)) > 0)
		heard += (size_t)n;
	assert_int_equal(heard, sizeof much);
	assert_int_equal(s.lines.eof, 1);
	assert_int_equal(r, HF_ERR_NET);
	assert_string_equal(s.pump.err.text, "the other side closed the connection");
	close(fd[1]);
	close_scene(&s);
}

static void
a_broken_rule_ends_it_with_the_engines_sentence(void **state)
{
	struct scene s;
	char got[16];

	(void)state;
	open_scene(&s, 64, 0);
	say(&s, "hey!\n");
	assert_int_equal(pump_step(&s.pump, 0), HF_ERR_PROTOCOL);
	assert_string_equal(s.pump.err.text, "a shout");
	assert_int_equal(stream_read(s.peer, got, sizeof got), 6); /* the engine's answer went out before */
	close_scene(&s);
}

/* A stream that answers what it is told to. */
struct mime {
	struct stream s;
	ssize_t read, write;
};

static ssize_t
mime_read(struct stream *s, void *p, size_t n)
{
	(void)p;
	(void)n;
	return ((struct mime *)s)->read;
}

static ssize_t
mime_write(struct stream *s, const void *p, size_t n)
{
	(void)p;
	(void)n;
	return ((struct mime *)s)->write;
}

static void
mime_wait(struct stream *s, int want, int *fd, short *events)
{
	(void)s;
	*fd = want == STREAM_WANT_WORK ? 7 : 5;
	*events = want == STREAM_WANT_WRITE ? POLLOUT : POLLIN;
}

static void
mime_close(struct stream *s)
{
	(void)s;
}

static void
wants_of_both_ways_are_waited_for(void **state)
{
	static const struct stream_ops ops = { mime_read, mime_write, mime_wait, mime_close };
	static const struct {
		ssize_t read, write;
		int output, fd;
		short events;
	} row[] = {
		{ STREAM_WANT_READ, 0, 0, 5, POLLIN },
		{ STREAM_WANT_WRITE, 0, 0, 5, POLLOUT },
		{ STREAM_WANT_READ, STREAM_WANT_WRITE, 1, 5, POLLIN | POLLOUT },
		{ STREAM_WANT_READ, STREAM_WANT_READ, 1, 5, POLLIN },
		{ STREAM_WANT_WORK, STREAM_WANT_WORK, 1, 7, POLLIN },
	};
	struct lines l = { .engine.ops = &lines_ops };
	struct mime m = { .s.ops = &ops };
	struct pump p = { .stream = &m.s, .engine = &l.engine };
	size_t i;
	short events;
	int fd;

	(void)state;
	for (i = 0; i < sizeof row / sizeof *row; i++) {
		m.read = row[i].read;
		m.write = row[i].write;
		buf_clear(&l.engine.out);
		if (row[i].output)
			buf_puts(&l.engine.out, "x");
		assert_int_equal(pump_step(&p, 0), 0);
		pump_wait(&p, &fd, &events);
		assert_int_equal(fd, row[i].fd);
		assert_int_equal(events, row[i].events);
	}
	pump_close(&p);
	buf_free(&l.engine.out);
}

static void
idle_is_when_a_step_would_do_nothing(void **state)
{
	static char much[1 << 19];
	struct scene s;

	(void)state;
	open_scene(&s, sizeof much + 64, 0);
	assert_false(pump_idle(&s.pump)); /* nobody has looked yet */
	assert_int_equal(pump_step(&s.pump, 0), 0);
	assert_true(pump_idle(&s.pump));
	buf_puts(&s.lines.engine.out, "said after the step");
	assert_false(pump_idle(&s.pump));
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_true(pump_idle(&s.pump));
	say(&s, "one\ntwo\n");
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_false(pump_idle(&s.pump)); /* "two" is held */
	assert_true(take(&s.lines, "one\n"));
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_true(take(&s.lines, "two\n"));
	assert_int_equal(pump_step(&s.pump, 0), 0);
	assert_true(pump_idle(&s.pump));
	s.lines.wild = 1;
	assert_int_equal(stream_write(s.peer, much, sizeof much), sizeof much);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_false(pump_idle(&s.pump)); /* the step had its bound */
	close_scene(&s);
}

static void
an_end_or_a_fault_is_not_idle(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, 64, 0);
	leave(&s);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_false(pump_idle(&s.pump));
	close_scene(&s);
	open_scene(&s, 64, 0);
	pair_cut(s.peer, 2);
	assert_int_equal(stream_write(s.peer, "whole\n", 6), 2);
	assert_int_equal(pump_step(&s.pump, 0), 1);
	assert_false(pump_idle(&s.pump));
	assert_int_equal(pump_step(&s.pump, 0), HF_ERR_NET);
	close_scene(&s);
}

/* A stream that shakes hands: the hand that writing waits for comes while it is read. */
struct shy {
	struct stream s;
	int shaken;
	char written[8];
};

static ssize_t
shy_read(struct stream *s, void *dst, size_t n)
{
	(void)dst;
	(void)n;
	((struct shy *)s)->shaken = 1;
	return STREAM_WANT_READ;
}

static ssize_t
shy_write(struct stream *s, const void *src, size_t n)
{
	struct shy *y = (struct shy *)s;

	if (!y->shaken)
		return STREAM_WANT_READ;
	assert_true(n < sizeof(y->written));
	memcpy(y->written, src, n);
	return (ssize_t)n;
}

static void
shy_wait(struct stream *s, int want, int *fd, short *events)
{
	(void)s;
	(void)want;
	*fd = -1;
	*events = 0;
}

static void
shy_close(struct stream *s)
{
	(void)s;
}

static void
writes_when_reading_has_shaken_hands(void **state)
{
	static const struct stream_ops ops = { shy_read, shy_write, shy_wait, shy_close };
	struct lines l = { .engine.ops = &lines_ops };
	struct shy y = { .s.ops = &ops };
	struct pump p = { .stream = &y.s, .engine = &l.engine };

	(void)state;
	assert_int_equal(buf_puts(&l.engine.out, "hello"), 0);
	assert_int_equal(pump_step(&p, 0), 1);
	assert_string_equal(y.written, "hello");
	assert_true(pump_idle(&p));
	pump_close(&p);
	buf_free(&l.engine.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_when_reading_has_shaken_hands),
		cmocka_unit_test(what_the_engine_does_not_take_is_held),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(a_full_out_stops_reading),
		cmocka_unit_test(held_output_stays),
		cmocka_unit_test(a_step_is_bounded),
		cmocka_unit_test(the_end_is_told_once_and_after_the_last_words),
		cmocka_unit_test(last_words_are_heard_though_nothing_can_be_written),
		cmocka_unit_test(a_cut_is_an_error),
		cmocka_unit_test(all_is_said_to_a_peer_that_says_no_more),
		cmocka_unit_test(a_broken_rule_ends_it_with_the_engines_sentence),
		cmocka_unit_test(wants_of_both_ways_are_waited_for),
		cmocka_unit_test(idle_is_when_a_step_would_do_nothing),
		cmocka_unit_test(an_end_or_a_fault_is_not_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
