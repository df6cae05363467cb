#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "dps/dps_client.h"

#define TIMEOUT 60000

static struct dps_register r;
static struct moment now;

static void
begin(enum hsm_kind kind, const char *payload, uint64_t seed)
{
	int tpm = kind == HSM_TPM;

	now = (struct moment){ .ms = 5000, .wall = 1700000000 };
	assert_int_equal(dps_register_init(&r, kind, "press-3", tpm ? "RUs=" : NULL, tpm ? "U1JL" : NULL,
			     payload, seed, TIMEOUT, now),
	    0);
}

static void
pass(int64_t ms)
{
	now.ms += ms;
	now.wall += ms / 1000;
}

static enum dps_ask
next(void)
{
	return dps_register_next(&r, now);
}

static struct dps_reply
reply(int status, const char *state)
{
	struct dps_reply p = { .status = status };

	assert_int_equal(str_fmt(p.state, sizeof p.state, "%s", state), 0);
	assert_int_equal(str_fmt(p.rid, sizeof p.rid, "%s", r.request.rid), 0);
	return p;
}

static void
hear(struct dps_reply p)
{
	dps_register_heard(&r, &p, now);
}

static void
hear_assigning(int retry_after)
{
	struct dps_reply p = reply(202, "assigning");

	strcpy(p.operation, "4.op.1");
	p.retry_after = retry_after;
	hear(p);
}

static void
hear_assigned(const char *tpm_key)
{
	struct dps_reply p = reply(200, "assigned");

	strcpy(p.hub, "127.0.0.2");
	strcpy(p.device, "press-3");
	if (tpm_key != NULL)
		assert_int_equal(str_set(&p.tpm_key, tpm_key), 0);
	hear(p);
}

static void
hear_error(int status, int code, int retry_after)
{
	struct dps_reply p = reply(status, "");

	p.code = code;
	p.retry_after = retry_after;
	strcpy(p.tracking, "t-1");
	strcpy(p.message, "Not now.");
	hear(p);
}

static void
lose(int code)
{
	struct hf_error e = { 0 };

	err_set(&e, code, "the wire is cut");
	dps_register_lost(&r, &e, now);
}

/* How long until the next request is due. */
static int64_t
wait_for_send(void)
{
	int64_t at;

	assert_int_equal(next(), DPS_ASK_WAIT);
	at = r.deadline - now.ms;
	pass(at - 1);
	assert_int_equal(next(), DPS_ASK_WAIT);
	pass(1);
	return at;
}

static void
symmetric_signs_then_asks_then_polls(void **state)
{
	(void)state;
	begin(HSM_SYMMETRIC, "{\"a\":1}", 1);
	assert_int_equal(next(), DPS_ASK_SIGN);
	assert_int_equal(next(), DPS_ASK_WAIT);
	assert_int_equal(r.deadline, now.ms + TIMEOUT);
	dps_register_signed(&r, now.wall + 3600, now);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_REGISTER);
	assert_string_equal(r.request.rid, "1");
	assert_string_equal(r.request.id, "press-3");
	assert_string_equal(r.request.payload, "{\"a\":1}");
	assert_null(r.request.ek);
	assert_int_equal(next(), DPS_ASK_WAIT);
	assert_int_equal(r.deadline, now.ms + 30000);

	hear_assigning(3);
	assert_int_equal(wait_for_send(), 3000);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_POLL);
	assert_string_equal(r.request.rid, "2");
	assert_string_equal(r.request.operation, "4.op.1");
	hear_assigning(0);
	assert_int_equal(wait_for_send(), 2000);
	assert_int_equal(next(), DPS_ASK_SEND);

	hear_assigned(NULL);
	assert_int_equal(next(), DPS_ASK_KEEP);
	assert_int_equal(next(), DPS_ASK_WAIT);
	dps_register_kept(&r, now);
	assert_int_equal(next(), DPS_ASSIGNED);
	pass(TIMEOUT);
	assert_int_equal(next(), DPS_ASSIGNED);
	assert_string_equal(r.reply.hub, "127.0.0.2");
	assert_string_equal(r.reply.device, "press-3");
	dps_register_fini(&r);
}

static void
certificates_need_no_token(void **state)
{
	(void)state;
	begin(HSM_X509, NULL, 1);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.token_until, 0);
	hear_assigned(NULL);
	assert_int_equal(next(), DPS_ASK_KEEP);
	dps_register_fini(&r);
}

static void
hear_challenge(void)
{
	struct dps_reply p = reply(401, "");

	assert_int_equal(str_set(&p.tpm_key, "Y2hhbGxlbmdl"), 0);
	hear(p);
}

static void
tpm_is_challenged(void **state)
{
	(void)state;
	begin(HSM_TPM, NULL, 1);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_string_equal(r.request.ek, "RUs=");
	assert_string_equal(r.request.srk, "U1JL");
	hear_challenge();
	lose(HF_ERR_NET); /* between two requests that is nothing */
	assert_int_equal(next(), DPS_ASK_ACTIVATE);
	assert_string_equal(r.reply.tpm_key, "Y2hhbGxlbmdl");
	lose(HF_ERR_NET);
	assert_int_equal(next(), DPS_ASK_WAIT);
	dps_register_signed(&r, now.wall + 3600, now);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_REGISTER);
	hear_assigning(1);
	pass(1000);
	assert_int_equal(next(), DPS_ASK_SEND);
	hear_assigned("a2V5");
	assert_int_equal(next(), DPS_ASK_KEEP);
	assert_string_equal(r.reply.tpm_key, "a2V5");
	dps_register_fini(&r);
}

/* The key that was found in the challenge is not the one that the service means: older tries of ours may be to blame. */
static void
refuse_poll(void)
{
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_REGISTER);
	assert_int_equal(r.token_until, 0);
	hear_challenge();
	assert_int_equal(next(), DPS_ASK_ACTIVATE);
	dps_register_signed(&r, now.wall + 3600, now);
	next();
	hear_assigning(1);
	pass(1000);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_POLL);
	hear(reply(401, ""));
}

static void
a_key_that_is_refused_is_doubted_a_few_times(void **state)
{
	(void)state;
	begin(HSM_TPM, NULL, 1);
	for (int i = 0; i < 3; i++) {
		refuse_poll();
		assert_int_equal(next(), DPS_ASK_WAIT);
		pass(10000);
	}
	next();
	hear_challenge();
	next();
	dps_register_signed(&r, now.wall + 3600, now);
	next();
	hear_challenge();
	assert_int_equal(next(), DPS_FAILED);
	assert_int_equal(r.err.code, HF_ERR_AUTH);
	assert_int_equal(r.err.status, 401);
	assert_non_null(strstr(r.err.text, "endorsement key"));
	dps_register_fini(&r);
}

static void
a_challenge_is_for_tpms_only(void **state)
{
	(void)state;
	begin(HSM_X509, NULL, 1);
	next();
	hear_challenge();
	assert_int_equal(next(), DPS_FAILED);
	assert_int_equal(r.err.code, HF_ERR_AUTH);
	dps_register_fini(&r);
}

static void
refusals_end_it_with_the_codes(void **state)
{
	static const struct {
		int status, code, want;
		const char *advice;
	} row[] = {
		{ 401, 401002, HF_ERR_AUTH, "clock" },
		{ 403, 403001, HF_ERR_AUTH, "clock" },
		{ 404, 404201, HF_ERR_AUTH, "enrolled" },
		{ 404, 404202, HF_ERR_AUTH, "ID scope" },
		{ 400, 400004, HF_ERR_SERVICE, "tracking id" },
		{ 409, 409002, HF_ERR_SERVICE, "tracking id" },
		{ 412, 0, HF_ERR_SERVICE, "tracking id" },
		{ 302, 0, HF_ERR_SERVICE, "tracking id" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		begin(HSM_SYMMETRIC, NULL, i);
		next();
		dps_register_signed(&r, now.wall + 3600, now);
		next();
		hear_error(row[i].status, row[i].code, 7);
		assert_int_equal(next(), DPS_FAILED);
		assert_int_equal(r.err.code, row[i].want);
		assert_int_equal(r.err.status, row[i].status);
		assert_int_equal(r.err.service, row[i].code);
		assert_int_equal(r.err.retry_after, 7);
		assert_string_equal(r.err.tracking, "t-1");
		assert_non_null(strstr(r.err.text, "press-3"));
		assert_non_null(strstr(r.err.text, "Not now."));
		assert_non_null(strstr(r.err.text, row[i].advice));
		dps_register_fini(&r);
	}
}

static void
a_failed_state_ends_it_with_its_code(void **state)
{
	static const struct {
		int code, want;
	} row[] = { { 400207, HF_ERR_SERVICE }, { 401002, HF_ERR_AUTH }, { 404204, HF_ERR_AUTH } };
	struct dps_reply p;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(HSM_X509, NULL, 1);
		next();
		hear_assigning(1);
		pass(1000);
		next();
		p = reply(200, "failed");
		p.code = row[i].code;
		strcpy(p.message, "Custom allocation failed.");
		hear(p);
		assert_int_equal(next(), DPS_FAILED);
		assert_int_equal(r.err.code, row[i].want);
		assert_int_equal(r.err.service, row[i].code);
		assert_non_null(strstr(r.err.text, "Custom allocation failed."));
		dps_register_fini(&r);
	}
}

static void
answers_that_make_no_sense_end_it(void **state)
{
	struct dps_reply p;

	(void)state;
	for (int i = 0; i < 5; i++) {
		begin(i == 3 ? HSM_TPM : HSM_X509, NULL, 1);
		next();
		p = reply(200, i == 0 ? "assigning" : i == 4 ? "unassigned" : "assigned");
		if (i != 1)
			strcpy(p.hub, "127.0.0.2");
		if (i != 2)
			strcpy(p.device, "press-3");
		hear(p);
		assert_int_equal(next(), DPS_FAILED);
		assert_int_equal(r.err.code, HF_ERR_PROTOCOL);
		dps_register_fini(&r);
	}
}

/* 429 and 5xx are asked again: exponentially, a quarter up or down, 37.5 s at most. */
static void
backs_off_with_jitter(void **state)
{
	int64_t first = 0, at, base;
	int differs = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		begin(HSM_X509, NULL, seed);
		r.limit = now.ms + 100000000;
		for (int i = 0; i < 8; i++) {
			assert_int_equal(next(), DPS_ASK_SEND);
			hear_error(i % 2 ? 429 : 503, 0, 0);
			at = wait_for_send();
			base = i < 5 ? 1000 << i : 30000;
			assert_in_range(at, base * 3 / 4, base * 5 / 4);
			if (seed == 0 && i == 0)
				first = at;
			differs |= i == 0 && at != first;
		}
		dps_register_fini(&r);
	}
	assert_true(differs);
}

static void
obeys_retry_after_of_an_error(void **state)
{
	int64_t at;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		begin(HSM_X509, NULL, seed);
		next();
		hear_error(429, 429001, 11);
		at = wait_for_send();
		assert_in_range(at, 11000, 11499);
		assert_int_equal(next(), DPS_ASK_SEND);
		assert_int_equal(r.request.op, DPS_REGISTER);
		assert_string_equal(r.request.rid, "2");
		hear_assigned(NULL);
		assert_int_equal(next(), DPS_ASK_KEEP);
		dps_register_fini(&r);
	}
}

/* A poll that meets a 500 is a poll again, and its backoff begins anew once DPS has answered well. */
static void
an_error_in_a_poll_repeats_the_poll(void **state)
{
	(void)state;
	begin(HSM_X509, NULL, 3);
	next();
	hear_error(500, 0, 0);
	wait_for_send();
	next();
	hear_assigning(1);
	assert_int_equal(r.last.code, 0);
	pass(1000);
	next();
	hear_error(500, 500001, 0);
	assert_in_range(wait_for_send(), 750, 1250);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_POLL);
	assert_string_equal(r.request.operation, "4.op.1");
	dps_register_fini(&r);
}

static void
an_old_answer_is_not_heard(void **state)
{
	struct dps_reply p;

	(void)state;
	begin(HSM_X509, NULL, 1);
	next();
	lose(HF_ERR_NET);
	wait_for_send();
	next();
	p = reply(200, "assigned");
	strcpy(p.rid, "1");
	assert_int_equal(str_set(&p.payload, "{}"), 0);
	hear(p);
	assert_int_equal(next(), DPS_ASK_WAIT);
	p = reply(401, "");
	p.rid[0] = '\0'; /* HTTP has none */
	hear(p);
	assert_int_equal(next(), DPS_FAILED);
	p = reply(200, "assigned");
	assert_int_equal(str_set(&p.payload, "{}"), 0);
	hear(p);
	assert_int_equal(next(), DPS_FAILED);
	dps_register_fini(&r);
}

/* Lost where an answer is due: asked again. Anywhere else: nothing. */
static void
lost_at_every_step(void **state)
{
	(void)state;
	begin(HSM_SYMMETRIC, NULL, 1);
	lose(HF_ERR_NET);
	assert_int_equal(next(), DPS_ASK_SIGN);
	lose(HF_ERR_NET);
	assert_int_equal(next(), DPS_ASK_WAIT);
	dps_register_signed(&r, now.wall + 3600, now);
	lose(HF_ERR_NET);
	assert_int_equal(next(), DPS_ASK_SEND);
	lose(HF_ERR_NET);
	assert_in_range(wait_for_send(), 750, 1250);
	assert_int_equal(next(), DPS_ASK_SEND);
	lose(HF_ERR_TIMEOUT);
	assert_in_range(wait_for_send(), 1500, 2500);
	assert_int_equal(next(), DPS_ASK_SEND);
	hear_assigning(3);
	lose(HF_ERR_NET);
	assert_int_equal(wait_for_send(), 3000);
	assert_int_equal(next(), DPS_ASK_SEND);
	hear_assigned(NULL);
	lose(HF_ERR_NET);
	assert_int_equal(next(), DPS_ASK_KEEP);
	lose(HF_ERR_NET);
	assert_int_equal(next(), DPS_ASK_WAIT);
	dps_register_kept(&r, now);
	lose(HF_ERR_TLS);
	assert_int_equal(next(), DPS_ASSIGNED);
	dps_register_fini(&r);
}

static void
some_losses_are_final(void **state)
{
	static const int final[] = { HF_ERR_TLS, HF_ERR_ARGS, HF_ERR_PROTOCOL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(HSM_X509, NULL, 1);
		next();
		lose(final[i]);
		assert_int_equal(next(), DPS_FAILED);
		assert_int_equal(r.err.code, final[i]);
		assert_string_equal(r.err.text, "the wire is cut");
		dps_register_fini(&r);
	}
}

static void
silence_counts_as_lost(void **state)
{
	(void)state;
	begin(HSM_X509, NULL, 1);
	next();
	pass(29999);
	assert_int_equal(next(), DPS_ASK_WAIT);
	pass(1);
	assert_in_range(wait_for_send(), 750, 1250);
	assert_int_equal(r.last.code, HF_ERR_NET);
	assert_int_equal(next(), DPS_ASK_SEND);
	dps_register_fini(&r);
}

static void
time_is_over_at_any_step(void **state)
{
	(void)state;
	for (int step = 0; step < 6; step++) {
		begin(HSM_SYMMETRIC, NULL, 1);
		if (step > 0)
			next();
		if (step > 1)
			dps_register_signed(&r, now.wall + 3600, now);
		if (step > 2)
			next();
		if (step == 4)
			hear_assigning(3600);
		if (step == 5)
			hear_assigned(NULL);
		assert_true(next() != DPS_FAILED);
		assert_true(r.deadline <= now.ms + TIMEOUT);
		pass(TIMEOUT);
		assert_int_equal(next(), DPS_FAILED);
		assert_int_equal(r.err.code, HF_ERR_TIMEOUT);
		assert_non_null(strstr(r.err.text, "press-3"));
		assert_non_null(strstr(r.err.text, "60 s"));
		assert_true((strstr(r.err.text, "still assigning") != NULL) == (step == 4));
		dps_register_fini(&r);
	}
}

static void
time_is_over_tells_the_last_try(void **state)
{
	(void)state;
	begin(HSM_X509, NULL, 1);
	next();
	hear_error(503, 503000, 0);
	pass(TIMEOUT);
	assert_int_equal(next(), DPS_FAILED);
	assert_int_equal(r.err.code, HF_ERR_TIMEOUT);
	assert_int_equal(r.err.status, 503);
	assert_int_equal(r.err.service, 503000);
	assert_string_equal(r.err.tracking, "t-1");
	assert_non_null(strstr(r.err.text, "Not now."));
	dps_register_fini(&r);
}

static void
an_old_token_is_made_anew(void **state)
{
	(void)state;
	begin(HSM_SYMMETRIC, NULL, 1);
	r.limit = now.ms + 10000000;
	next();
	dps_register_signed(&r, now.wall + 3600, now);
	next();
	hear_assigning(3569);
	pass(3569000);
	assert_int_equal(next(), DPS_ASK_SEND);
	hear_assigning(1);
	pass(1000);
	assert_int_equal(next(), DPS_ASK_SIGN);
	dps_register_signed(&r, now.wall + 3600, now);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_POLL);
	dps_register_fini(&r);
}

/* A TPM's token was signed by a key that is gone: only another challenge brings one. */
static void
an_old_token_of_a_tpm_is_a_new_challenge(void **state)
{
	(void)state;
	begin(HSM_TPM, NULL, 1);
	r.limit = now.ms + 10000000;
	next();
	hear_challenge();
	next();
	dps_register_signed(&r, now.wall + 3600, now);
	next();
	hear_assigning(3570);
	pass(3570000);
	assert_int_equal(next(), DPS_ASK_SEND);
	assert_int_equal(r.request.op, DPS_REGISTER);
	assert_int_equal(r.token_until, 0);
	hear_challenge();
	assert_int_equal(next(), DPS_ASK_ACTIVATE);
	dps_register_fini(&r);
}

static void
what_broke_stays_broken(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	begin(HSM_SYMMETRIC, NULL, 1);
	next();
	err_set(&e, HF_ERR_KEY, "the key is gone");
	dps_register_broke(&r, &e);
	assert_int_equal(next(), DPS_FAILED);
	pass(TIMEOUT);
	assert_int_equal(next(), DPS_FAILED);
	assert_int_equal(r.err.code, HF_ERR_KEY);
	dps_register_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symmetric_signs_then_asks_then_polls),
		cmocka_unit_test(certificates_need_no_token),
		cmocka_unit_test(tpm_is_challenged),
		cmocka_unit_test(a_key_that_is_refused_is_doubted_a_few_times),
		cmocka_unit_test(a_challenge_is_for_tpms_only),
		cmocka_unit_test(refusals_end_it_with_the_codes),
		cmocka_unit_test(a_failed_state_ends_it_with_its_code),
		cmocka_unit_test(answers_that_make_no_sense_end_it),
		cmocka_unit_test(backs_off_with_jitter),
		cmocka_unit_test(obeys_retry_after_of_an_error),
		cmocka_unit_test(an_error_in_a_poll_repeats_the_poll),
		cmocka_unit_test(an_old_answer_is_not_heard),
		cmocka_unit_test(lost_at_every_step),
		cmocka_unit_test(some_losses_are_final),
		cmocka_unit_test(silence_counts_as_lost),
		cmocka_unit_test(time_is_over_at_any_step),
		cmocka_unit_test(time_is_over_tells_the_last_try),
		cmocka_unit_test(an_old_token_is_made_anew),
		cmocka_unit_test(an_old_token_of_a_tpm_is_a_new_challenge),
		cmocka_unit_test(what_broke_stays_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
