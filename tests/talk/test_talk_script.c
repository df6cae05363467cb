/* What the emulator never does to a registration, over both wires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "msg/sas.h"
#include "talk.h"

#define KEY	 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct script script;

static struct talk *
follow(int http, size_t chunk, const struct script_line *line, size_t count)
{
	struct talk *t = talk_new(65536, chunk);

	talk_symmetric(t, "press-3", KEY, 0);
	talk_follow(t, &script, http, line, count);
	return t;
}

static int
go(struct talk *t)
{
	return talk_register(t, script.http ? TRANSPORT_HTTP : TRANSPORT_MQTT);
}

/* When request i came after the one before it. */
static int64_t
after(size_t i)
{
	return script.asked[i].ms - script.asked[i - 1].ms;
}

static void
each_error_waits_as_it_was_told(void **state)
{
	static const struct script_line line[] = {
		{ SAY, 429, 11, NULL },
		{ SAY, 503, 0, NULL },
		{ SAY, 202, 5, "assigning" },
		{ SAY, 429, 9, NULL },
		{ SAY, 500, 0, NULL },
		{ SAY, 202, 2, "assigning" },
		{ SAY, 202, 0, "assigning" },
		{ SAY, 200, 0, "assigned" },
	};

	(void)state;
	for (int http = 0; http < 2; http++) {
		for (size_t chunk = 0; chunk < 8; chunk += 1 + chunk * 6) {
			struct talk *t = follow(http, chunk, line, COUNT(line));

			assert_int_equal(go(t), 1);
			assert_string_equal(t->got.device, "press-3");
			assert_int_equal(script.heard, COUNT(line));
			assert_in_range(after(1), 11000, 11499);
			assert_in_range(after(2), 1500, 2500);
			assert_int_equal(after(3), 5000);
			assert_in_range(after(4), 9000, 9499);
			assert_in_range(after(5), 1500, 2500);
			assert_int_equal(after(6), 2000);
			assert_int_equal(after(7), 2000);
			for (size_t i = 0; i < COUNT(line); i++) {
				assert_int_equal(script.asked[i].op, i < 3 ? DPS_REGISTER : DPS_POLL);
				assert_int_equal(script.asked[i].opened, 1);
				assert_int_equal(script.asked[i].token, 1);
			}
			talk_free(t);
		}
	}
}

static void
throttled_to_the_end(void **state)
{
	static const struct script_line line[] = { { SAY, 202, 1, "assigning" }, { SAY, 429, 25, NULL },
		{ SAY, 429, 25, NULL }, { SAY, 429, 25, NULL } };

	(void)state;
	for (int http = 0; http < 2; http++) {
		struct talk *t = follow(http, 0, line, COUNT(line));

		assert_int_equal(go(t), HF_ERR_TIMEOUT);
		assert_int_equal(t->err.status, 429);
		assert_int_equal(t->err.service, 429001);
		assert_string_equal(t->err.tracking, "11111111-2222-3333-4444-555555555555");
		assert_non_null(strstr(t->err.text, "Not now."));
		assert_int_equal(script.heard, 4);
		talk_free(t);
	}
}

/* A line that has not answered within half a minute is left for another. */
static void
silence_is_answered_by_a_new_connection(void **state)
{
	static const struct script_line line[] = { { SILENCE, 0, 0, NULL }, { SAY, 202, 3, "assigning" },
		{ SILENCE, 0, 0, NULL }, { SAY, 200, 0, "assigned" } };

	(void)state;
	for (int http = 0; http < 2; http++) {
		struct talk *t = follow(http, 0, line, COUNT(line));

		t->set.timeout_ms = 200000;
		assert_int_equal(go(t), 1);
		assert_in_range(after(1), 30750, 31250);
		assert_int_equal(script.asked[1].opened, 2);
		assert_int_equal(after(2), 3000);
		assert_int_equal(script.asked[2].opened, 2);
		assert_in_range(after(3), 30750, 31250);
		assert_int_equal(script.asked[3].opened, 3);
		assert_int_equal(script.asked[3].op, DPS_POLL);
		talk_free(t);
	}
}

static void
an_answer_to_another_request_is_none(void **state)
{
	static const struct script_line line[] = { { STALE, 200, 0, "assigned" },
		{ SAY, 200, 0, "assigned" } };
	struct talk *t = follow(0, 0, line, COUNT(line));

	(void)state;
	assert_int_equal(go(t), 1);
	assert_in_range(after(1), 30750, 31250);
	talk_free(t);
}

static void
hung_up_instead_of_an_answer(void **state)
{
	static const struct script_line line[] = { { HANG_UP, 0, 0, NULL }, { HANG_UP, 0, 0, NULL },
		{ SAY, 202, 3, "assigning" }, { HANG_UP, 0, 0, NULL }, { SAY, 200, 0, "assigned" } };

	(void)state;
	for (int http = 0; http < 2; http++) {
		struct talk *t = follow(http, 0, line, COUNT(line));

		assert_int_equal(go(t), 1);
		assert_in_range(after(1), 750, 1250);
		assert_in_range(after(2), 1500, 2500);
		assert_int_equal(after(3), 3000);
		assert_in_range(after(4), 750, 1250);
		assert_int_equal(script.opened, 4);
		talk_free(t);
	}
}

static void
http_may_close_between_two_polls(void **state)
{
	static const struct script_line line[] = { { LAST, 202, 3, "assigning" },
		{ LAST, 202, 4, "assigning" }, { LAST, 200, 0, "assigned" } };
	struct talk *t = follow(1, 0, line, COUNT(line));

	(void)state;
	assert_int_equal(go(t), 1);
	assert_int_equal(after(1), 3000);
	assert_int_equal(after(2), 4000);
	assert_int_equal(script.opened, 3);
	talk_free(t);
}

/* The same without a word: the stream just ends while nothing is due. */
static void
http_may_vanish_between_two_polls(void **state)
{
	static const struct script_line line[] = { { SAY, 202, 5, "assigning" },
		{ SAY, 200, 0, "assigned" } };
	struct talk *t = follow(1, 0, line, COUNT(line));

	(void)state;
	talk_register_begin(t, TRANSPORT_HTTP);
	talk_hold_on(t, 1000);
	assert_int_equal(script.heard, 1);
	script_fini(&script);
	while (t->registered == 0)
		talk_hold_on(t, 100);
	assert_int_equal(t->registered, 1);
	assert_int_equal(after(1), 5000);
	assert_int_equal(script.opened, 2);
	talk_free(t);
}

static void
gateways_pages(void **state)
{
	static const struct script_line line[] = { { PAGE, 502, 0, NULL }, { PAGE, 504, 0, NULL },
		{ SAY, 200, 0, "assigned" } };
	static const struct script_line bad[] = { { PAGE, 200, 0, NULL } };
	static const struct script_line none[] = { { PAGE, 404, 0, NULL } };
	struct talk *t = follow(1, 0, line, COUNT(line));

	(void)state;
	assert_int_equal(go(t), 1);
	assert_in_range(after(1), 750, 1250);
	assert_in_range(after(2), 1500, 2500);
	talk_free(t);
	t = follow(1, 0, bad, COUNT(bad));
	assert_int_equal(go(t), HF_ERR_PROTOCOL);
	talk_free(t);
	t = follow(1, 0, none, COUNT(none));
	assert_int_equal(go(t), HF_ERR_AUTH);
	assert_int_equal(t->err.status, 404);
	assert_non_null(strstr(t->err.text, "Bad Gateway"));
	talk_free(t);
}

static void
noise_is_final_and_says_why(void **state)
{
	static const struct script_line line[] = { { NOISE, 0, 0, NULL } };

	(void)state;
	for (int http = 0; http < 2; http++) {
		struct talk *t = follow(http, 0, line, COUNT(line));

		assert_int_equal(go(t), HF_ERR_PROTOCOL);
		assert_true(strlen(t->err.text) > 20);
		assert_int_equal(script.opened, 1);
		talk_free(t);
	}
}

static void
mqtt_doors(void **state)
{
	static const struct script_line line[] = { { SAY, 200, 0, "assigned" } };
	struct talk *t = follow(0, 0, line, COUNT(line));

	(void)state;
	script.connack[1] = script.connack[2] = 3; /* not available now */
	assert_int_equal(go(t), 1);
	assert_int_equal(script.opened, 3);
	talk_free(t);
	t = follow(0, 0, line, COUNT(line));
	script.connack[1] = 5;
	assert_int_equal(go(t), HF_ERR_AUTH);
	assert_int_equal(t->err.status, 401);
	assert_int_equal(script.opened, 1);
	talk_free(t);
	t = follow(0, 0, line, COUNT(line));
	script.suback[1] = 0x80;
	assert_int_equal(go(t), HF_ERR_PROTOCOL);
	assert_int_equal(script.opened, 1);
	talk_free(t);
}

/* A TPM that takes any challenge. */
static int
who(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *e)
{
	(void)persist;
	(void)e;
	memset(h->fingerprint, 7, 32);
	strcpy(h->registration_id, "press-3");
	return buf_puts(ek, "EK") | buf_puts(srk, "SRK");
}

static int
take_blob(struct hsm *h, const void *blob, size_t n, struct buf *wrapped, struct hf_error *e)
{
	(void)h;
	(void)e;
	return buf_put(wrapped, blob, n);
}

static int
keep(struct hsm *h, const void *wrapped, size_t n, struct hf_error *e)
{
	(void)h;
	(void)wrapped;
	(void)n;
	(void)e;
	return 0;
}

static void
nothing(struct hsm *h)
{
	(void)h;
}

static int
hmac(struct hsm *h, const void *data, size_t n, uint8_t mac[32], struct hf_error *e)
{
	(void)h;
	(void)e;
	return sas_hmac("key", 3, data, n, mac);
}

static void
close_tpm(struct hsm *h)
{
	free(h);
}

static struct hsm *
make_tpm(void)
{
	static const struct hsm_ops ops = { .close = close_tpm,
		.identity = who,
		.activate = take_blob,
		.keep = keep,
		.forget = nothing,
		.hmac = hmac };
	struct hsm *h = calloc(1, sizeof *h);

	h->ops = &ops;
	h->kind = HSM_TPM;
	h->blocks = 1;
	return hsm_hold(h);
}

/* The token ends while DPS still thinks: the key of the challenge is gone, so another one is asked for, without a token. */
static void
a_tpm_is_challenged_again_when_its_token_ends(void **state)
{
	static const struct script_line line[] = {
		{ CHALLENGE, 401, 0, NULL },
		{ SAY, 202, 3590, "assigning" },
		{ CHALLENGE, 401, 0, NULL },
		{ SAY, 202, 3, "assigning" },
		{ SAY, 200, 0, "assigned" },
	};
	struct talk *t = follow(1, 0, line, COUNT(line));

	(void)state;
	talk_use(t, make_tpm());
	t->set.registration_id = NULL;
	t->set.timeout_ms = 10000000;
	assert_int_equal(go(t), 1);
	assert_int_equal(script.asked[0].token, 0);
	assert_int_equal(script.asked[1].token, 1);
	assert_in_range(after(2), 3590000, 3592000);
	assert_int_equal(script.asked[2].op, DPS_REGISTER);
	assert_int_equal(script.asked[2].token, 0);
	assert_int_equal(script.asked[3].op, DPS_REGISTER);
	assert_int_equal(script.asked[3].token, 1);
	assert_int_equal(script.asked[4].op, DPS_POLL);
	talk_free(t);
}

static void
no_tpm_over_mqtt(void **state)
{
	struct talk *t = follow(0, 0, NULL, 0);

	(void)state;
	talk_use(t, make_tpm());
	t->set.transports = (struct transports){ { TRANSPORT_MQTT }, 1 };
	assert_int_equal(
	    dps_client_new(&t->dps, &t->set, t->hsm, &t->net.net, t->work, &t->log, t->emu->now, &t->err),
	    HF_ERR_UNSUPPORTED);
	assert_null(t->dps);
	talk_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_waits_as_it_was_told),
		cmocka_unit_test(throttled_to_the_end),
		cmocka_unit_test(silence_is_answered_by_a_new_connection),
		cmocka_unit_test(an_answer_to_another_request_is_none),
		cmocka_unit_test(hung_up_instead_of_an_answer),
		cmocka_unit_test(http_may_close_between_two_polls),
		cmocka_unit_test(http_may_vanish_between_two_polls),
		cmocka_unit_test(gateways_pages),
		cmocka_unit_test(noise_is_final_and_says_why),
		cmocka_unit_test(mqtt_doors),
		cmocka_unit_test(a_tpm_is_challenged_again_when_its_token_ends),
		cmocka_unit_test(no_tpm_over_mqtt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
