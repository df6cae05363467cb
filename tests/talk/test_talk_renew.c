/* A device at its hub for hours, while its token is renewed: over each transport, in TLS, on a made-up clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/json.h"
#include "talk.h"

#define KEY    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define MINUTE INT64_C(60000)
#define HOURS  5
#define TOLD   (HOURS * 60) /* a message each minute */

static struct talk *
at_hub(enum transport by)
{
	struct talk *t = talk_new(65536, 0);
	json_t *o = json_pack("{s:{s:s s:{s:s s:s}}}", "attestation", "type", "symmetricKey", "symmetricKey",
	    "primaryKey", KEY, "secondaryKey", KEY);
	char *text = json_dumps(o, 0);

	assert_int_equal(emu_enroll(t->emu, 0, "press-3", text), 0);
	free(text);
	json_decref(o);
	talk_symmetric(t, "press-3", KEY, 0);
	assert_int_equal(talk_register(t, TRANSPORT_MQTT), 1);
	t->hub_transport = by;
	talk_connect(t);
	return t;
}

/* Through all of the hours, at moments that have nothing to do with the token's. Answers the longest wait for an acknowledgement. */
static int64_t
hours(struct talk *t)
{
	int64_t longest = 0, from;

	for (uint64_t i = 0; i < TOLD; i++) {
		talk_send(t, i);
		from = t->emu->now.ms;
		assert_int_equal(talk_until(t, talk_all_sent, 10 * MINUTE), 1);
		longest = t->emu->now.ms - from > longest ? t->emu->now.ms - from : longest;
		talk_hold_on(t, MINUTE - (t->emu->now.ms - from));
	}
	assert_int_equal(t->sent, TOLD);
	assert_int_equal(t->over, 0);
	assert_int_equal(t->moved, 0);
	assert_int_equal(t->connected, 1);
	assert_int_equal(t->disconnected, 0);
	assert_int_equal(talk_check_events(t, TOLD, "press-3"), TOLD);
	return longest;
}

static void
amqp_puts_it_on_the_open_line(void **state)
{
	struct talk *t;
	int opened;

	(void)state;
	t = at_hub(TRANSPORT_AMQP);
	opened = t->emu->opened;
	assert_int_equal(hours(t), 0);
	assert_int_equal(t->emu->opened, opened + 1);
	talk_free(t);
}

static void
http_shows_it_with_the_next_request(void **state)
{
	struct talk *t;
	int opened;

	(void)state;
	t = at_hub(TRANSPORT_HTTP);
	opened = t->emu->opened;
	assert_int_equal(hours(t), 0);
	assert_int_equal(t->emu->opened, opened + 1);
	talk_free(t);
}

static void
mqtt_comes_back_with_it(void **state)
{
	struct talk *t;
	int64_t gap;
	int opened;

	(void)state;
	t = at_hub(TRANSPORT_MQTT);
	opened = t->emu->opened;
	gap = hours(t);
	print_message("MQTT: %d lines in %d hours, the longest wait for an acknowledgement %d ms\n",
	    t->emu->opened - opened, HOURS, (int)gap);
	assert_int_equal(t->emu->opened - opened, HOURS * 60 / 48 + 1);
	assert_true(gap < 100);
	talk_free(t);
}

/* The line is busy when the token's time has come: nothing is said twice. */
static void
in_the_middle_of_a_stream(void **state)
{
	static const enum transport by[] = { TRANSPORT_AMQP, TRANSPORT_HTTP, TRANSPORT_MQTT };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct talk *t = at_hub(by[i]);

		talk_send(t, 0);
		assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
		talk_hold_on(t, 48 * MINUTE - 1000);
		for (uint64_t tag = 1; tag < 800; tag++) {
			talk_send(t, tag);
			talk_turn(t);
			emu_pass(t->emu, 5);
		}
		assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
		assert_int_equal(t->disconnected, 0);
		assert_int_equal(talk_check_events(t, 800, "press-3"), 800);
		talk_free(t);
	}
}

/* The wall clock is set, by hours, this way and that. */
static void
the_clock_is_set(void **state)
{
	static const enum transport by[] = { TRANSPORT_AMQP, TRANSPORT_HTTP, TRANSPORT_MQTT };
	static const int64_t jump[] = { -7200, 7200, -86400, 86400 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 4; j++) {
			struct talk *t = at_hub(by[i]);
			uint64_t tag = 0;

			talk_send(t, tag++);
			assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
			t->emu->now.wall += jump[j];
			for (; tag < 100; tag++) {
				talk_send(t, tag);
				assert_int_equal(talk_until(t, talk_all_sent, MINUTE), 1);
				talk_hold_on(t, 2 * MINUTE);
			}
			assert_int_equal(t->over, 0);
			assert_int_equal(talk_check_events(t, 100, "press-3"), 100);
			talk_free(t);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amqp_puts_it_on_the_open_line),
		cmocka_unit_test(http_shows_it_with_the_next_request),
		cmocka_unit_test(mqtt_comes_back_with_it),
		cmocka_unit_test(in_the_middle_of_a_stream),
		cmocka_unit_test(the_clock_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
