/* A line: which transport is tried, in what order, and what is said when none works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "stream/line.h"

struct fake {
	struct net net; /* the first member */
	struct dial last;
	int opened, fails;
};

static int
fake_open(struct net *n, struct stream **out, const struct dial *d, struct work *w, struct hf_error *e)
{
	struct fake *f = (struct fake *)n;
	struct stream *other;

	(void)w;
	f->last = *d;
	f->opened++;
	if (f->fails)
		return err_set(e, HF_ERR_NET, "no way to port %d", d->port);
	assert_int_equal(pair_new(out, &other, 100, 0), 0);
	stream_close(other);
	return 0;
}

static ssize_t
no_in(struct engine *e, const void *p, size_t n)
{
	(void)e;
	(void)p;
	return (ssize_t)n;
}

static int64_t
no_tick(struct engine *e, int64_t now)
{
	(void)e;
	(void)now;
	return NEVER;
}

static const struct engine_ops no_ops = { no_in, no_tick };
static struct engine engine = { .ops = &no_ops };
static const struct moment start = { .ms = 1000 };

static void
names(void **state)
{
	struct transports t = { 0 };
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(transports_get(&t, "mqtt-ws", &e), 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(t.by[0], TRANSPORT_MQTT_WS);
	assert_int_equal(transports_get(&t, "http,mqtt,mqtt-ws", &e), 0);
	assert_int_equal(t.count, 3);
	assert_int_equal(t.by[0], TRANSPORT_HTTP);
	assert_int_equal(t.by[2], TRANSPORT_MQTT_WS);
	assert_string_equal(transport_name(TRANSPORT_AMQP_WS), "amqp-ws");
	assert_true(transport_is_mqtt(TRANSPORT_MQTT_WS) && !transport_is_mqtt(TRANSPORT_AMQP));
	assert_true(transport_is_amqp(TRANSPORT_AMQP_WS) && !transport_is_amqp(TRANSPORT_HTTP));
}

static void
bad_names(void **state)
{
	static const char *const bad[] = { "", ",", "mqtt,", ",mqtt", "MQTT", "mqtt ", "mqtt,,http",
		"mqtt,mqtt", "amqps", "mqtt-wsx", "http,mqtt,http" };
	struct transports t = { .count = 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hf_error e = { 0 };

		assert_int_equal(transports_get(&t, bad[i], &e), HF_ERR_ARGS);
		assert_int_equal(t.count, 7);
	}
}

static void
begin(struct line *l, struct fake *f, const char *list, const char *host)
{
	struct hf_error e = { 0 };

	memset(f, 0, sizeof(*f));
	f->net.open = fake_open;
	line_init(l, &f->net, NULL, NULL, "hub");
	assert_int_equal(transports_get(&l->way, list, &e), 0);
	assert_int_equal(line_name(l, host, &e), 0);
}

static void
ports(void **state)
{
	static const struct {
		const char *name, *ws;
		uint16_t port;
	} want[] = { { "mqtt", NULL, 8883 }, { "mqtt-ws", "mqtt", 443 }, { "http", NULL, 443 } };
	struct hf_error e = { 0 };
	struct fake f;
	struct line l;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(&l, &f, want[i].name, "hub.example");
		assert_int_equal(line_dial(&l, NULL, &engine, start, &e), 0);
		assert_int_equal(f.last.port, want[i].port);
		if (want[i].ws != NULL)
			assert_string_equal(f.last.ws, want[i].ws);
		else
			assert_null(f.last.ws);
		line_close(&l);
	}
	begin(&l, &f, "mqtt,http", "hub.example:7");
	assert_int_equal(line_dial(&l, NULL, &engine, start, &e), 0);
	assert_int_equal(f.last.port, 7);
	line_close(&l);
}

static void
tried_in_turn(void **state)
{
	struct hf_error e = { 0 };
	struct fake f;
	struct line l;

	(void)state;
	begin(&l, &f, "mqtt,mqtt-ws,http", "hub.example");
	f.fails = 1;
	for (int i = 0; i < 2; i++) {
		err_clear(&e);
		assert_int_equal(line_dial(&l, NULL, &engine, start, &e), HF_ERR_NET);
		assert_int_equal(line_failed(&l, &e), 1);
	}
	err_clear(&e);
	assert_int_equal(line_dial(&l, NULL, &engine, start, &e), HF_ERR_NET);
	assert_int_equal(line_failed(&l, &e), 0);
	assert_int_equal(e.code, HF_ERR_NET);
	assert_string_equal(
	    e.text, "mqtt: no way to port 8883; mqtt-ws: no way to port 443; http: no way to port 443");
	assert_int_equal(line_transport(&l), TRANSPORT_MQTT); /* from the beginning */
}

static void
what_worked_comes_first(void **state)
{
	struct hf_error e = { 0 };
	struct fake f;
	struct line l;

	(void)state;
	begin(&l, &f, "mqtt,mqtt-ws,http", "hub.example");
	f.fails = 1;
	assert_int_equal(line_dial(&l, NULL, &engine, start, &e), HF_ERR_NET);
	assert_int_equal(line_failed(&l, &e), 1);
	f.fails = 0;
	err_clear(&e);
	assert_int_equal(line_dial(&l, NULL, &engine, start, &e), 0);
	line_ready(&l);
	line_close(&l);
	assert_int_equal(line_transport(&l), TRANSPORT_MQTT_WS);
	assert_int_equal(l.way.by[1], TRANSPORT_MQTT);
	assert_int_equal(l.way.by[2], TRANSPORT_HTTP);
}

static void
one_says_it_alone(void **state)
{
	struct hf_error e = { 0 };
	struct fake f;
	struct line l;

	(void)state;
	begin(&l, &f, "http", "hub.example");
	f.fails = 1;
	assert_int_equal(line_dial(&l, NULL, &engine, start, &e), HF_ERR_NET);
	assert_int_equal(line_failed(&l, &e), 0);
	assert_string_equal(e.text, "no way to port 443");
}

static void
late(void **state)
{
	struct hf_error e = { 0 };
	struct moment now = start;
	struct fake f;
	struct line l;

	(void)state;
	begin(&l, &f, "mqtt,http", "hub.example");
	assert_int_equal(line_dial(&l, NULL, &engine, now, &e), 0);
	assert_int_equal(line_deadline(&l, now), now.ms + 10000);
	now.ms += 9999;
	assert_int_equal(line_late(&l, now, &e), 0);
	now.ms++;
	assert_int_equal(line_late(&l, now, &e), 1);
	assert_string_equal(e.text, "hub hub.example did not accept a connection over mqtt in 10 s");
	line_close(&l);
	assert_int_equal(line_failed(&l, &e), 1);
	err_clear(&e);
	assert_int_equal(line_dial(&l, NULL, &engine, now, &e), 0);
	assert_int_equal(line_deadline(&l, now), now.ms + 30000); /* the last one has its whole time */
	line_ready(&l);
	now.ms += 100000;
	assert_int_equal(line_late(&l, now, &e), 0);
	assert_int_equal(line_deadline(&l, now), NEVER);
	line_close(&l);
	assert_int_equal(line_late(&l, now, &e), 0);
}

static void
bad_host(void **state)
{
	struct hf_error e = { 0 };
	struct fake f;
	struct line l;

	(void)state;
	begin(&l, &f, "mqtt", "hub.example");
	assert_int_equal(line_name(&l, "hub:port", &e), HF_ERR_ARGS);
	assert_string_equal(e.text, "hub \"hub:port\" is not HOST or HOST:PORT");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(ports),
		cmocka_unit_test(tried_in_turn),
		cmocka_unit_test(what_worked_comes_first),
		cmocka_unit_test(one_says_it_alone),
		cmocka_unit_test(late),
		cmocka_unit_test(bad_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
