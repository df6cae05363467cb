#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hub/hub_client.h"

#define MINUTE INT64_C(60000)

static struct hub_device d;
static struct moment now;

static void
begin(int signs, int may_register, uint64_t seed)
{
	now = (struct moment){ .ms = 1000, .wall = 1700000000 };
	memset(&d, 0, sizeof d);
	hub_device_init(&d, signs, may_register, seed, now);
}

static void
pass(int64_t ms)
{
	now.ms += ms;
	now.wall += ms / 1000;
}

static enum hub_ask
next(void)
{
	return hub_device_next(&d, now);
}

static int
queue(uint64_t tag, size_t size)
{
	struct hub_message *m = calloc(1, sizeof *m);
	struct hf_error e = { 0 };
	int rc;

	m->tag = tag;
	m->size = size;
	rc = hub_device_queue(&d, m, &e);
	if (rc < 0) {
		assert_int_equal(e.code, rc);
		free(m);
	}
	return rc;
}

static void
queue_many(uint64_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(queue(from + i, 100), 0);
}

static void
open_line(void)
{
	assert_int_equal(next(), HUB_ASK_OPEN);
	hub_device_opened(&d, now);
}

/* Says one message: which, under which id, and whether again. */
static uint16_t
say(uint64_t tag, int again)
{
	assert_int_equal(next(), HUB_ASK_SEND);
	assert_int_equal(d.message->tag, tag);
	assert_int_equal(d.again, again);
	hub_device_said(&d, now);
	return d.id;
}

static void
ack(uint16_t id, uint64_t tag)
{
	uint64_t got = UINT64_MAX;

	assert_int_equal(hub_device_acked(&d, id, &got, now), 1);
	assert_int_equal(got, tag);
}

static void
ack_is_not_ours(uint16_t id)
{
	uint64_t got = 77;

	assert_int_equal(hub_device_acked(&d, id, &got, now), 0);
	assert_int_equal(got, 77);
}

static struct hf_error
why(int code)
{
	struct hf_error e = { 0 };

	err_set(&e, code, "because of %d", code);
	return e;
}

static void
lose(int code)
{
	struct hf_error e = why(code);

	hub_device_lost(&d, &e, now);
}

static void
refuse(void)
{
	struct hf_error e = why(HF_ERR_AUTH);

	hub_device_refused(&d, &e, now);
}

static int64_t
wait_ms(void)
{
	int64_t ms;

	assert_int_equal(next(), HUB_ASK_WAIT);
	ms = d.deadline - now.ms;
	pass(ms - 1);
	assert_int_equal(next(), HUB_ASK_WAIT);
	pass(1);
	return ms;
}

static void
sends_in_order_and_forgets_what_is_acknowledged(void **state)
{
	uint16_t id[3];

	(void)state;
	begin(0, 0, 1);
	assert_int_equal(queue(10, 100), 0);
	open_line();
	assert_int_equal(queue(11, 200), 0);
	assert_int_equal(queue(12, 300), 0);
	assert_int_equal(d.bytes, 600);
	for (int i = 0; i < 3; i++)
		id[i] = say(10 + (uint64_t)i, 0);
	assert_true(id[0] != 0 && id[1] == id[0] + 1 && id[2] == id[1] + 1);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_int_equal(hub_device_waiting(&d), 3);
	ack(id[0], 10);
	assert_int_equal(hub_device_waiting(&d), 2);
	assert_int_equal(d.bytes, 500);
	ack_is_not_ours(id[0]);
	ack_is_not_ours(0);
	ack_is_not_ours((uint16_t)(id[2] + 1));
	ack(id[1], 11);
	ack(id[2], 12);
	assert_int_equal(hub_device_waiting(&d), 0);
	assert_int_equal(d.bytes, 0);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_true(d.deadline == NEVER);
	hub_device_fini(&d);
}

static void
acknowledged_out_of_order(void **state)
{
	uint16_t id[5];

	(void)state;
	begin(0, 0, 1);
	queue_many(0, 5);
	open_line();
	for (uint64_t i = 0; i < 5; i++)
		id[i] = say(i, 0);
	ack(id[3], 3);
	ack(id[1], 1);
	ack_is_not_ours(id[3]);
	assert_int_equal(d.bytes, 500);
	ack(id[0], 0);
	assert_int_equal(d.bytes, 300);
	ack(id[4], 4);
	ack(id[2], 2);
	assert_int_equal(d.bytes, 0);
	assert_int_equal(hub_device_waiting(&d), 0);
	hub_device_fini(&d);
}

/* Those without an acknowledgement are said again, under the same id and marked; the others never. */
static void
said_again_after_a_loss(void **state)
{
	uint16_t id[5];

	(void)state;
	begin(0, 0, 1);
	queue_many(0, 6);
	open_line();
	for (uint64_t i = 0; i < 5; i++)
		id[i] = say(i, 0);
	ack(id[0], 0);
	ack(id[2], 2);
	lose(HF_ERR_NET);
	ack_is_not_ours(id[1]);
	assert_in_range(wait_ms(), 750, 1250);
	open_line();
	assert_int_equal(say(1, 1), id[1]);
	assert_int_equal(say(3, 1), id[3]);
	assert_int_equal(say(4, 1), id[4]);
	say(5, 0);
	assert_int_equal(next(), HUB_ASK_WAIT);
	ack(id[1], 1);
	ack(id[4], 4);
	ack(id[3], 3);
	assert_int_equal(hub_device_waiting(&d), 1);
	hub_device_fini(&d);
}

static void
a_thousand_are_in_flight(void **state)
{
	uint16_t first = 0;

	(void)state;
	begin(0, 0, 1);
	queue_many(0, HUB_WINDOW + 5);
	open_line();
	for (uint64_t i = 0; i < HUB_WINDOW; i++) {
		uint16_t id = say(i, 0);

		first = i == 0 ? id : first;
	}
	assert_int_equal(next(), HUB_ASK_WAIT);
	ack((uint16_t)(first + 1), 1);
	assert_int_equal(next(), HUB_ASK_WAIT); /* the oldest still holds the window */
	ack(first, 0);
	say(HUB_WINDOW, 0);
	say(HUB_WINDOW + 1, 0);
	assert_int_equal(next(), HUB_ASK_WAIT);
	hub_device_fini(&d);
}

/* 70,000 and more, with up to 500 in flight, acknowledged crosswise, and cut off now and then. */
static void
ids_wrap(void **state)
{
	const uint64_t all = 150000;
	struct coin coin = { 7 };
	uint64_t queued = 0, acked = 0, tag, sum = 0;
	uint16_t id[500];
	int seen_last = 0, seen_first = 0;

	(void)state;
	begin(0, 0, 1);
	open_line();
	while (acked < all) {
		size_t n = 0;

		for (size_t want = 1 + coin_toss(&coin) % 500; n < want && queued < all; n++)
			assert_int_equal(queue(queued++, 10), 0);
		for (n = 0; n < 500 && next() == HUB_ASK_SEND; n++) {
			hub_device_said(&d, now);
			id[n] = d.id;
			assert_int_not_equal(d.id, 0);
			seen_last |= d.id == UINT16_MAX;
			seen_first += d.id == 1;
		}
		for (size_t i = 0; i < n; i++) {
			size_t j = coin_toss(&coin) % n;
			uint16_t swap = id[i];

			id[i] = id[j];
			id[j] = swap;
		}
		if (coin_toss(&coin) % 20 == 0)
			n /= 2;
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(hub_device_acked(&d, id[i], &tag, now), 1);
			sum += tag;
			acked++;
		}
		if (hub_device_waiting(&d) == 0)
			continue;
		lose(HF_ERR_NET);
		wait_ms();
		open_line();
	}
	assert_true(seen_last);
	assert_true(seen_first >= 2);
	assert_int_equal(sum, all * (all - 1) / 2);
	assert_int_equal(hub_device_waiting(&d), 0);
	assert_int_equal(d.bytes, 0);
	hub_device_fini(&d);
}

static void
the_queue_has_an_end(void **state)
{
	(void)state;
	begin(0, 0, 1);
	queue_many(0, HUB_QUEUE_COUNT);
	assert_int_equal(queue(1, 100), HF_ERR_STATE);
	assert_int_equal(hub_device_waiting(&d), HUB_QUEUE_COUNT);
	hub_device_fini(&d);
	begin(0, 0, 1);
	assert_int_equal(queue(0, HUB_QUEUE_BYTES - 10), 0);
	assert_int_equal(queue(1, 11), HF_ERR_STATE);
	assert_int_equal(queue(1, 10), 0);
	open_line();
	ack(say(0, 0), 0);
	assert_int_equal(queue(2, 1000), 0);
	hub_device_fini(&d);
}

static void
silence_of_the_hub_ends_the_connection(void **state)
{
	uint16_t id;

	(void)state;
	begin(0, 0, 1);
	queue_many(0, 2);
	open_line();
	id = say(0, 0);
	pass(30000);
	say(1, 0);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_int_equal(d.deadline, now.ms + 30000);
	ack(id, 0);
	assert_int_equal(wait_ms(), MINUTE);
	assert_int_equal(next(), HUB_ASK_CLOSE);
	assert_true(d.fault);
	assert_int_equal(d.last.code, HF_ERR_NET);
	assert_non_null(strstr(d.last.text, "acknowledged nothing"));
	hub_device_lost(&d, &d.last, now);
	assert_int_equal(d.last.code, HF_ERR_NET);
	assert_in_range(wait_ms(), 750, 1250);
	open_line();
	say(1, 1);
	hub_device_fini(&d);
}

/* Nothing due, nothing to fear: an idle line may be silent. */
static void
an_idle_line_is_left_alone(void **state)
{
	(void)state;
	begin(0, 0, 1);
	queue_many(0, 1);
	open_line();
	ack(say(0, 0), 0);
	pass(60 * MINUTE);
	assert_int_equal(next(), HUB_ASK_WAIT);
	queue_many(1, 1);
	say(1, 0);
	pass(MINUTE - 1);
	assert_int_equal(next(), HUB_ASK_WAIT);
	hub_device_fini(&d);
}

/* A message that cannot be said, since the line is full, must not hide that nothing is acknowledged. */
static void
a_full_line_is_watched_too(void **state)
{
	(void)state;
	begin(0, 0, 1);
	queue_many(0, 2);
	open_line();
	say(0, 0);
	assert_int_equal(next(), HUB_ASK_SEND);
	assert_int_equal(d.deadline, now.ms + MINUTE);
	pass(MINUTE);
	assert_int_equal(next(), HUB_ASK_CLOSE);
	hub_device_fini(&d);
}

static void
a_token_comes_first(void **state)
{
	(void)state;
	begin(1, 0, 1);
	assert_int_equal(next(), HUB_ASK_SIGN);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_true(d.deadline == NEVER);
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	open_line();
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_int_equal(d.deadline, now.ms + 2880 * 1000);
	hub_device_fini(&d);
}

static void
to_renewal(void)
{
	begin(1, 0, 1);
	next();
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	open_line();
	queue_many(0, 3);
	pass(2879 * 1000);
	say(0, 0);
	say(1, 0);
	pass(1000);
	assert_int_equal(next(), HUB_ASK_SIGN);
	assert_int_equal(next(), HUB_ASK_WAIT); /* nothing new is said from now on */
}

static void
renewal_waits_for_what_is_in_flight(void **state)
{
	(void)state;
	to_renewal();
	ack(1, 0);
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_int_equal(d.deadline, now.ms + 10000);
	ack(2, 1);
	assert_int_equal(next(), HUB_ASK_CLOSE);
	assert_false(d.fault);
	hub_device_lost(&d, NULL, now);
	open_line();
	say(2, 0);
	pass(2879 * 1000);
	assert_int_not_equal(next(), HUB_ASK_SIGN);
	hub_device_fini(&d);
}

static void
renewal_does_not_wait_for_ever(void **state)
{
	(void)state;
	to_renewal();
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	assert_int_equal(wait_ms(), 10000);
	assert_int_equal(next(), HUB_ASK_CLOSE);
	hub_device_lost(&d, NULL, now);
	open_line();
	assert_int_equal(say(0, 1), 1);
	hub_device_fini(&d);
}

static void
lost_while_the_new_token_is_signed(void **state)
{
	(void)state;
	to_renewal();
	lose(HF_ERR_NET);
	assert_int_equal(next(), HUB_ASK_WAIT);
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	open_line();
	say(0, 1);
	hub_device_fini(&d);
}

static void
lost_while_draining(void **state)
{
	(void)state;
	to_renewal();
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	assert_int_equal(next(), HUB_ASK_WAIT);
	lose(HF_ERR_NET);
	assert_in_range(wait_ms(), 750, 1250);
	open_line();
	hub_device_fini(&d);
}

/* A clock that is set forward makes the token old. */
static void
an_old_token_is_not_shown_again(void **state)
{
	(void)state;
	begin(1, 0, 1);
	next();
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	open_line();
	now.wall += 3541;
	lose(HF_ERR_NET);
	wait_ms();
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_fini(&d);
}

static void
backs_off_with_jitter(void **state)
{
	int64_t at, base, first = 0;
	int differs = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		begin(0, 0, seed);
		for (int i = 0; i < 9; i++) {
			assert_int_equal(next(), HUB_ASK_OPEN);
			lose(HF_ERR_NET);
			at = wait_ms();
			base = i < 6 ? 1000 << i : 60000;
			assert_in_range(at, base * 3 / 4, base * 5 / 4);
			if (seed == 0 && i == 0)
				first = at;
			differs |= i == 0 && at != first;
		}
		hub_device_fini(&d);
	}
	assert_true(differs);
}

/* A hub that lets us in and breaks off each time is not to be asked ever faster. */
static void
what_holds_or_acknowledges_ends_the_backing_off(void **state)
{
	(void)state;
	begin(0, 0, 1);
	for (int i = 0; i < 4; i++) {
		open_line();
		lose(HF_ERR_NET);
		assert_in_range(wait_ms(), 750 << i, 1250 << i);
	}
	open_line();
	pass(60000);
	lose(HF_ERR_NET);
	assert_in_range(wait_ms(), 750, 1250);
	open_line();
	lose(HF_ERR_NET);
	assert_in_range(wait_ms(), 1500, 2500);
	assert_int_equal(queue(1, 100), 0);
	open_line();
	ack(say(1, 0), 1);
	lose(HF_ERR_NET);
	assert_in_range(wait_ms(), 750, 1250);
	hub_device_fini(&d);
}

static void
a_connection_has_half_a_minute(void **state)
{
	(void)state;
	begin(0, 0, 1);
	assert_int_equal(next(), HUB_ASK_OPEN);
	assert_int_equal(wait_ms(), 30000);
	assert_int_equal(next(), HUB_ASK_CLOSE);
	assert_true(d.fault);
	hub_device_lost(&d, &d.last, now);
	assert_in_range(wait_ms(), 750, 1250);
	assert_int_equal(next(), HUB_ASK_OPEN);
	hub_device_fini(&d);
}

static void
some_losses_are_final(void **state)
{
	(void)state;
	for (int code = HF_ERR_TLS; code != 0; code = code == HF_ERR_TLS ? HF_ERR_ARGS : 0) {
		begin(0, 1, 1);
		assert_int_equal(next(), HUB_ASK_OPEN);
		lose(code);
		assert_int_equal(next(), HUB_FAILED);
		assert_int_equal(d.err.code, code);
		hub_device_fini(&d);
	}
	begin(0, 1, 1); /* a connection that stood once may break in any way */
	open_line();
	lose(HF_ERR_TLS);
	wait_ms();
	open_line();
	hub_device_fini(&d);
}

static void
refused_without_dps_is_the_end(void **state)
{
	(void)state;
	begin(0, 0, 1);
	next();
	refuse();
	assert_int_equal(next(), HUB_FAILED);
	assert_int_equal(d.err.code, HF_ERR_AUTH);
	lose(HF_ERR_NET);
	assert_int_equal(next(), HUB_FAILED);
	hub_device_fini(&d);
}

static void
refused_asks_dps_once(void **state)
{
	(void)state;
	begin(1, 1, 1);
	queue_many(0, 1);
	next();
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	next();
	refuse();
	assert_int_equal(next(), HUB_ASK_REGISTER);
	assert_int_equal(next(), HUB_ASK_WAIT);
	hub_device_moved(&d, now);
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	assert_int_equal(next(), HUB_ASK_OPEN);
	refuse();
	assert_int_equal(next(), HUB_FAILED);
	assert_int_equal(hub_device_waiting(&d), 1);
	hub_device_fini(&d);
}

/* Once the new hub has taken it, a device may be moved again. */
static void
accepted_counts_anew(void **state)
{
	(void)state;
	begin(0, 1, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(next(), HUB_ASK_OPEN);
		refuse();
		assert_int_equal(next(), HUB_ASK_REGISTER);
		hub_device_moved(&d, now);
		open_line();
		hub_device_welcome(&d);
		lose(HF_ERR_NET);
		wait_ms();
	}
	hub_device_fini(&d);
}

/* Over HTTPS a line that stands says nothing yet of what the hub thinks. */
static void
a_line_is_no_welcome(void **state)
{
	(void)state;
	begin(0, 1, 1);
	open_line();
	refuse();
	assert_int_equal(next(), HUB_ASK_REGISTER);
	hub_device_moved(&d, now);
	open_line();
	refuse();
	assert_int_equal(next(), HUB_FAILED);
	hub_device_fini(&d);
}

/* A connection that nobody needs is made again for a message, or on waking. */
static void
sleeps_until_there_is_something_to_say(void **state)
{
	(void)state;
	begin(0, 0, 1);
	open_line();
	hub_device_sleeps(&d);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_int_equal(d.deadline, NEVER);
	assert_true(hub_device_is_asleep(&d));
	assert_int_equal(hub_device_wake(&d), 1);
	assert_int_equal(hub_device_wake(&d), 0);
	open_line();
	assert_false(hub_device_is_asleep(&d));
	hub_device_sleeps(&d);
	assert_int_equal(next(), HUB_ASK_WAIT);
	queue_many(0, 1);
	open_line();
	say(0, 0);
	hub_device_fini(&d);
}

/* Where the hub hears a new token at once, nothing is closed for it. */
static void
a_token_is_renewed_in_place(void **state)
{
	(void)state;
	begin(1, 0, 1);
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_signed(&d, now.wall, now.wall + 100, now);
	open_line();
	now.wall += 80;
	now.ms += 80000;
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_renewed(&d, now.wall, now.wall + 100, now);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_int_equal(d.deadline, now.ms + 80000);
	hub_device_fini(&d);
}

/* Nor does a clock that is set back, or forward, make a token older than it may be. */
static void
a_token_ages_while_the_clock_is_set(void **state)
{
	(void)state;
	begin(1, 0, 1);
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_signed(&d, now.wall, now.wall + 1000, now);
	open_line();
	now.wall -= 7200;
	pass(799000);
	assert_int_equal(next(), HUB_ASK_WAIT);
	assert_int_equal(d.deadline, now.ms + 1000);
	pass(1000);
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_renewed(&d, now.wall, now.wall + 1000, now);
	assert_int_equal(next(), HUB_ASK_WAIT);
	now.wall += 799;
	assert_int_equal(next(), HUB_ASK_WAIT);
	now.wall += 7200;
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_renewed(&d, now.wall, now.wall + 1000, now);
	now.wall -= 100000;
	pass(930000);
	lose(HF_ERR_NET);
	wait_ms();
	assert_int_equal(next(), HUB_ASK_OPEN);
	pass(11000);
	lose(HF_ERR_NET);
	wait_ms();
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_fini(&d);
}

/* A token that is ready when the line already sleeps counts all the same. */
static void
signed_while_asleep(void **state)
{
	(void)state;
	begin(1, 0, 1);
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_signed(&d, now.wall, now.wall + 100, now);
	open_line();
	pass(80000);
	assert_int_equal(next(), HUB_ASK_SIGN);
	hub_device_sleeps(&d);
	hub_device_signed(&d, now.wall, now.wall + 100, now);
	assert_true(hub_device_is_asleep(&d));
	pass(35000);
	queue_many(0, 1);
	open_line();
	say(0, 0);
	hub_device_fini(&d);
}

static void
waits_as_long_as_it_is_told(void **state)
{
	struct hf_error e = why(HF_ERR_NET);

	(void)state;
	begin(0, 0, 1);
	open_line();
	e.retry_after = 300;
	hub_device_lost(&d, &e, now);
	assert_in_range(wait_ms(), 300000, 300500);
	assert_int_equal(next(), HUB_ASK_OPEN);
	e.retry_after = 1;
	for (int i = 0; i < 5; i++) {
		hub_device_lost(&d, &e, now);
		assert_true(wait_ms() > 1000 + 500 * i);
		assert_int_equal(next(), HUB_ASK_OPEN);
	}
	hub_device_fini(&d);
}

/* Fails to connect until something else is asked for. Answers how long that took. */
static int64_t
outage(enum hub_ask end, int64_t longest)
{
	int64_t from = now.ms;
	enum hub_ask what;

	while ((what = next()) != end) {
		assert_true(now.ms - from < longest);
		if (what == HUB_ASK_WAIT)
			pass(d.deadline - now.ms);
		else if (what == HUB_ASK_CLOSE)
			hub_device_lost(&d, &d.last, now);
		else if (d.coin.seed % 2)
			lose(HF_ERR_NET);
	}
	return now.ms - from;
}

static void
twenty_minutes_without_a_hub(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		begin(0, 1, seed);
		assert_in_range(outage(HUB_ASK_REGISTER, 25 * MINUTE), 20 * MINUTE, 23 * MINUTE);
		hub_device_moved(&d, now);
		assert_in_range(outage(HUB_ASK_REGISTER, 25 * MINUTE), 20 * MINUTE, 23 * MINUTE);
		hub_device_moved(&d, now);
		pass(1);
		open_line();
		pass(100 * MINUTE);
		lose(HF_ERR_NET);
		assert_in_range(outage(HUB_ASK_REGISTER, 25 * MINUTE), 20 * MINUTE, 23 * MINUTE);
		hub_device_fini(&d);
	}
}

/* The whole network is gone: neither hub nor DPS, for a day. */
static void
an_outage_of_everything_is_outlived(void **state)
{
	struct hf_error e = why(HF_ERR_TIMEOUT);

	(void)state;
	begin(0, 1, 1);
	queue_many(0, 1);
	for (int i = 0; i < 72; i++) {
		outage(HUB_ASK_REGISTER, 25 * MINUTE);
		pass(MINUTE);
		hub_device_unanswered(&d, &e, now);
		assert_int_equal(next(), HUB_ASK_WAIT);
		assert_in_range(d.deadline - now.ms, 1, 75000);
	}
	pass(d.deadline - now.ms);
	open_line();
	say(0, 0);
	hub_device_fini(&d);
}

/* Refused, and DPS out of reach: DPS has not been asked yet. */
static void
refused_with_dps_out_of_reach(void **state)
{
	struct hf_error e = why(HF_ERR_NET);

	(void)state;
	begin(0, 1, 1);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(next(), HUB_ASK_OPEN);
		refuse();
		assert_int_equal(next(), HUB_ASK_REGISTER);
		hub_device_unanswered(&d, &e, now);
		wait_ms();
	}
	next();
	refuse();
	assert_int_equal(next(), HUB_ASK_REGISTER);
	hub_device_moved(&d, now);
	next();
	refuse();
	assert_int_equal(next(), HUB_FAILED);
	hub_device_fini(&d);
}

static void
without_dps_it_tries_for_ever(void **state)
{
	(void)state;
	begin(0, 0, 1);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(next(), HUB_ASK_OPEN);
		lose(HF_ERR_NET);
		wait_ms();
	}
	hub_device_fini(&d);
}

static void
what_broke_stays_broken(void **state)
{
	struct hf_error e = why(HF_ERR_KEY);

	(void)state;
	begin(1, 1, 1);
	next();
	hub_device_broke(&d, &e);
	hub_device_signed(&d, now.wall, now.wall + 3600, now);
	hub_device_unanswered(&d, &e, now);
	lose(HF_ERR_NET);
	assert_int_equal(next(), HUB_FAILED);
	assert_int_equal(d.err.code, HF_ERR_KEY);
	hub_device_fini(&d);
}

/* The queue outlives a conversation: what was said in the former one is said again, marked. */
static void
a_new_conversation_takes_over_the_queue(void **state)
{
	(void)state;
	begin(0, 0, 1);
	queue_many(0, 2);
	open_line();
	say(0, 0);
	hub_device_init(&d, 0, 0, 2, now);
	open_line();
	say(0, 1);
	say(1, 0);
	hub_device_fini(&d);
	hub_device_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_in_order_and_forgets_what_is_acknowledged),
		cmocka_unit_test(acknowledged_out_of_order),
		cmocka_unit_test(said_again_after_a_loss),
		cmocka_unit_test(a_thousand_are_in_flight),
		cmocka_unit_test(ids_wrap),
		cmocka_unit_test(the_queue_has_an_end),
		cmocka_unit_test(silence_of_the_hub_ends_the_connection),
		cmocka_unit_test(an_idle_line_is_left_alone),
		cmocka_unit_test(a_full_line_is_watched_too),
		cmocka_unit_test(a_token_comes_first),
		cmocka_unit_test(renewal_waits_for_what_is_in_flight),
		cmocka_unit_test(renewal_does_not_wait_for_ever),
		cmocka_unit_test(lost_while_the_new_token_is_signed),
		cmocka_unit_test(lost_while_draining),
		cmocka_unit_test(an_old_token_is_not_shown_again),
		cmocka_unit_test(backs_off_with_jitter),
		cmocka_unit_test(what_holds_or_acknowledges_ends_the_backing_off),
		cmocka_unit_test(a_connection_has_half_a_minute),
		cmocka_unit_test(some_losses_are_final),
		cmocka_unit_test(refused_without_dps_is_the_end),
		cmocka_unit_test(refused_asks_dps_once),
		cmocka_unit_test(accepted_counts_anew),
		cmocka_unit_test(a_line_is_no_welcome),
		cmocka_unit_test(sleeps_until_there_is_something_to_say),
		cmocka_unit_test(a_token_is_renewed_in_place),
		cmocka_unit_test(a_token_ages_while_the_clock_is_set),
		cmocka_unit_test(signed_while_asleep),
		cmocka_unit_test(waits_as_long_as_it_is_told),
		cmocka_unit_test(twenty_minutes_without_a_hub),
		cmocka_unit_test(an_outage_of_everything_is_outlived),
		cmocka_unit_test(refused_with_dps_out_of_reach),
		cmocka_unit_test(without_dps_it_tries_for_ever),
		cmocka_unit_test(what_broke_stays_broken),
		cmocka_unit_test(a_new_conversation_takes_over_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
