/*
 * The connection is cut at every byte, in each direction, in each of the four ways, of a registration and the first telemetry. Each
 * run has to end well in 120 seconds of its own time, and the service and the device's file have to agree.
 *
 * Every byte is cut at in one way without TLS, in its turn; fewer with a TPM, whose RSA takes long, and in TLS, whose bytes are the
 * handshake's for the most part. With HOLDFAST_CUT=every it is every byte everywhere, with HOLDFAST_CUT=all in every way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/json.h"
#include "base/str.h"
#include "drive.h"

#define LIMIT 120000 /* ms */
#define RARE  53     /* of so many bytes, one: a prime, so that all ways have their turn */

struct run {
	int sent, registered, failed;
	char why[600];
};
struct stored {
	const char *body;
	int count;
	int64_t last;
};
static struct drive drive;
static int64_t last_event; /* of the runs before */
static unsigned runs;

static void
heard(void *ctx, const struct hf_event *ev)
{
	struct run *r = ctx;

	r->sent += ev->type == HF_SENT && ev->tag == runs;
	r->registered += ev->type == HF_REGISTERED;
	if (ev->type != HF_FAILED)
		return;
	r->failed = 1;
	(void)str_fmt(r->why, sizeof(r->why), "%s", ev->error->text);
}

static int
count(void *ctx, int64_t sequence, const json_t *event)
{
	struct stored *s = ctx;

	s->count += strcmp(js_str(event, "body", ""), s->body) == 0;
	s->last = sequence;
	return 0;
}

static int
delivered(const char *body)
{
	struct stored s = { .body = body, .last = last_event };
	struct hf_error err = { 0 };

	assert_int_equal(registry_event_each(drive.emu->e.registry, last_event, NULL, count, &s, &err), 0);
	last_event = s.last;
	return s.count;
}

static void
go(struct run *r)
{
	int64_t end = drive.emu->now.ms + LIMIT, ms;

	for (;;) {
		assert_int_equal(drive_settle(&drive), 0);
		ms = drive_next(&drive);
		if (r->sent || r->failed || ms == NEVER || drive.emu->now.ms + ms > end)
			return;
		drive_pass(&drive, ms);
	}
}

static int
check(const struct run *r, const char *body, char why[600])
{
	int n = delivered(body);

	if (r->failed)
		return str_fmt(why, 600, "it failed: %s", r->why), 0;
	if (!r->sent)
		return str_fmt(why, 600, "nothing was acknowledged in %d s", LIMIT / 1000), 0;
	if (r->registered < 1)
		return str_fmt(why, 600, "acknowledged without a registration"), 0;
	if (n < 1)
		return str_fmt(why, 600, "acknowledged, but the hub has not stored it"), 0;
	return drive_agree(&drive, 0, why);
}

/* One run. side -1: nothing is cut. */
static void
once(enum hsm_kind kind, const char *transport, int side, int64_t at, enum cut how)
{
	struct run r = { 0 };
	struct hf_message m = { 0 };
	char body[40], why[600];
	struct hf *hf;

	runs++;
	(void)str_fmt(body, sizeof(body), "message %08u", runs);
	m.body = body;
	m.len = strlen(body);
	assert_int_equal(drive_again(&drive), 0);
	drive.heard = heard;
	drive.ctx = &r;
	if (side >= 0)
		drive.cable.cut_at[side] = at;
	drive.cable.how = how;
	hf = drive_start(&drive, kind, transport);
	assert_non_null(hf);
	assert_int_equal(hf_connect(hf), 0);
	assert_int_equal(hf_send(hf, &m, runs), 0);
	go(&r);
	if (side >= 0 && !drive.tls) /* in TLS a signature may be a byte shorter than in the first run */
		assert_int_equal(drive.cable.cuts, 1);
	if (!check(&r, body, why))
		fail_msg("over %s, cut (%s) after %lld bytes from the %s: %s", transport, cut_name(how),
		    (long long)at, side == 0 ? "device" : "service", why);
}

static int
is_tried(enum hsm_kind kind, int64_t at, enum cut how)
{
	const char *wish = getenv("HOLDFAST_CUT");
	int64_t rare = wish == NULL && (drive.tls || kind == HSM_TPM) ? RARE : 1;

	if (wish != NULL && strcmp(wish, "all") == 0)
		return 1;
	return at % rare == 0 && (enum cut)(1 + at / rare % CUT_KINDS) == how;
}

static void
everywhere(enum hsm_kind kind, const char *transport)
{
	int64_t total[2];
	unsigned before;

	assert_int_equal(drive_fresh(&drive, 1), 0);
	assert_int_equal(drive_enroll(&drive, kind, 1), 0);
	last_event = 0;
	once(kind, transport, -1, 0, CUT_RESET);
	memcpy(total, drive.cable.passed, sizeof(total));
	before = runs;
	for (int side = 0; side < 2; side++)
		for (int64_t at = 0; at <= total[side]; at++)
			for (enum cut how = CUT_RESET; how <= CUT_SILENT; how++)
				if (is_tried(kind, at, how))
					once(kind, transport, side, at, how);
	print_message("%u cuts over %lld bytes up and %lld down\n", runs - before, (long long)total[0],
	    (long long)total[1]);
}

static void
symmetric_mqtt(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "mqtt");
}

static void
symmetric_mqtt_ws(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "mqtt-ws");
}

static void
symmetric_amqp(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "amqp");
}

static void
symmetric_amqp_ws(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "amqp-ws");
}

static void
symmetric_http(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "http");
}

static void
x509_mqtt(void **state)
{
	(void)state;
	everywhere(HSM_X509, "mqtt");
}

static void
x509_amqp(void **state)
{
	(void)state;
	everywhere(HSM_X509, "amqp");
}

static void
x509_http(void **state)
{
	(void)state;
	everywhere(HSM_X509, "http");
}

static void
tpm_http(void **state)
{
	(void)state;
	everywhere(HSM_TPM, "http");
}

static void
tpm_amqp_ws(void **state)
{
	(void)state;
	everywhere(HSM_TPM, "amqp-ws");
}

static int
plain(void **state)
{
	(void)state;
	return drive_open(&drive, 0);
}

static int
in_tls(void **state)
{
	(void)state;
	return drive_open(&drive, 1);
}

static int
finish(void **state)
{
	(void)state;
	drive_close(&drive);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symmetric_mqtt),
		cmocka_unit_test(symmetric_mqtt_ws),
		cmocka_unit_test(symmetric_amqp),
		cmocka_unit_test(symmetric_amqp_ws),
		cmocka_unit_test(symmetric_http),
		cmocka_unit_test(x509_mqtt),
		cmocka_unit_test(x509_amqp),
		cmocka_unit_test(x509_http),
		cmocka_unit_test(tpm_http),
		cmocka_unit_test(tpm_amqp_ws),
	};

	return cmocka_run_group_tests_name("without TLS", tests, plain, finish) +
	       cmocka_run_group_tests_name("in TLS", tests, in_tls, finish);
}
