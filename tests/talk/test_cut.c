/*
 * The connection is cut at every byte, in each direction, in each of the four ways, of a registration and the first telemetry. Each
 * run has to end well in 120 seconds of its own time, and the service and the device's file have to agree.
 *
 * Without TLS every byte is tried; with TLS, where most are the handshake's, one in HOLDFAST_CUT_STEP (see below), at another start for
 * each way.
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

#define LIMIT	 120000 /* ms */
#define STEP_TLS 97

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
	return drive_agree(&drive, why);
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
		drive.fault.cut_at[side] = at;
	drive.fault.how = how;
	hf = drive_start(&drive, kind, transport);
	assert_non_null(hf);
	assert_int_equal(hf_connect(hf), 0);
	assert_int_equal(hf_send(hf, &m, runs), 0);
	go(&r);
	if (!check(&r, body, why))
		fail_msg("over %s, cut (%s) after %lld bytes from the %s: %s", transport, cut_name(how),
		    (long long)at, side == 0 ? "device" : "service", why);
}

static void
everywhere(enum hsm_kind kind, const char *transport, int tls)
{
	const char *said = getenv("HOLDFAST_CUT_STEP");
	int64_t step = said != NULL ? atoll(said) : tls ? STEP_TLS : 1, total[2];
	unsigned before;

	assert_int_equal(drive_open(&drive, tls), 0);
	assert_int_equal(drive_fresh(&drive, 1), 0);
	assert_int_equal(drive_enroll(&drive, kind, 1), 0);
	last_event = 0;
	once(kind, transport, -1, 0, CUT_RESET);
	memcpy(total, drive.fault.passed, sizeof(total));
	before = runs;
	for (int side = 0; side < 2; side++)
		for (enum cut how = CUT_RESET; how <= CUT_SILENT; how++)
			for (int64_t at = how * step / CUT_KINDS % step; at <= total[side]; at += step)
				once(kind, transport, side, at, how);
	print_message("%u cuts over %lld bytes up and %lld down\n", runs - before, (long long)total[0],
	    (long long)total[1]);
	drive_close(&drive);
}

static void
symmetric_mqtt(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "mqtt", 0);
}

static void
symmetric_http(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "http", 0);
}

static void
x509_mqtt(void **state)
{
	(void)state;
	everywhere(HSM_X509, "mqtt", 0);
}

static void
x509_http(void **state)
{
	(void)state;
	everywhere(HSM_X509, "http", 0);
}

static void
tpm_http(void **state)
{
	(void)state;
	everywhere(HSM_TPM, "http", 0);
}

static void
symmetric_mqtt_tls(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "mqtt", 1);
}

static void
symmetric_http_tls(void **state)
{
	(void)state;
	everywhere(HSM_SYMMETRIC, "http", 1);
}

static void
x509_mqtt_tls(void **state)
{
	(void)state;
	everywhere(HSM_X509, "mqtt", 1);
}

static void
x509_http_tls(void **state)
{
	(void)state;
	everywhere(HSM_X509, "http", 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symmetric_mqtt),
		cmocka_unit_test(symmetric_http),
		cmocka_unit_test(x509_mqtt),
		cmocka_unit_test(x509_http),
		cmocka_unit_test(tpm_http),
		cmocka_unit_test(symmetric_mqtt_tls),
		cmocka_unit_test(symmetric_http_tls),
		cmocka_unit_test(x509_mqtt_tls),
		cmocka_unit_test(x509_http_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
