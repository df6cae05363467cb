/*
 * MQTT at either end. The first byte of the input is a seed and the chair (lowest bit); the rest is what the peer sends.
 * It goes in whole, and again in pieces cut by the seed while the clock goes on: both must tell the same story. Each packet
 * that get accepts is put again, and must come out as the same bytes.
 */
#include <stdlib.h>
#include <string.h>
#include "mqtt/mqtt.h"

#define MAX_PACKET 4096

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int fine)
{
	if (!fine)
		abort();
}

static void
grant(struct mqtt *m, const struct mqtt_subscribe *asked)
{
	struct mqtt_suback s = { .id = asked->id, .count = asked->count };

	for (size_t i = 0; i < s.count; i++)
		s.code[i] =
		    mqtt_match(asked->filter[i].p, asked->filter[i].len, "a/b", 3) ? asked->qos[i] : 0x80;
	must(mqtt_suback(m, &s) == 0);
}

/* As a caller that answers everything. */
static void
answer(struct mqtt *m, const struct mqtt_event *e)
{
	struct mqtt_publish echo;
	int id;

	switch (e->type) {
	case MQTT_CONNECT:
		must(mqtt_say_connack(m, 0, e->connect.client_id.len == 0 ? 2 : 0) == 0);
		break;
	case MQTT_CONNACK:
		must(mqtt_subscribe(m, "a/#", 1) > 0);
		break;
	case MQTT_PUBLISH:
		must(e->publish.qos == 0 || mqtt_puback(m, e->publish.id) == 0);
		echo = e->publish;
		echo.id = 0;
		id = mqtt_publish(m, &echo);
		must(id == HF_ERR_STATE || (id > 0) == (echo.qos > 0));
		break;
	case MQTT_SUBSCRIBE:
		grant(m, &e->subscribe);
		break;
	default:
		break;
	}
}

static void
take_events(struct mqtt *m, struct buf *story, int *closed)
{
	struct mqtt_event e;
	int r;

	while ((r = mqtt_next(m, &e)) == 1) {
		if (e.type == MQTT_CLOSED) {
			must(!*closed);
			*closed = 1;
			continue;
		}
		must(mqtt_put(story, &e) == 0);
		answer(m, &e);
	}
	must(r == 0 || (r == m->engine.err.code && m->engine.err.text[0] != '\0'));
}

static void
run(const uint8_t *p, size_t n, int server, uint64_t seed, struct buf *story)
{
	struct mqtt_connect c = { .keep_alive = 60 };
	struct coin coin = { seed };
	struct mqtt m;
	size_t piece;
	ssize_t took;
	int64_t now = 1;
	int closed = 0;

	mqtt_init(&m, server, MAX_PACKET);
	must(server || mqtt_say_connect(&m, &c) == 0);
	while (n > 0) {
		must(m.engine.ops->tick(&m.engine, now) > 0);
		now += seed % 3;
		piece = seed == 0 ? n : 1 + coin_toss(&coin) % (n < 9 ? n : 9);
		took = m.engine.ops->in(&m.engine, p, piece);
		if (took < 0)
			break;
		must(took > 0);
		p += took;
		n -= (size_t)took;
		take_events(&m, story, &closed);
	}
	if (m.failed == 0)
		must(m.engine.ops->in(&m.engine, NULL, 0) == 0);
	take_events(&m, story, &closed);
	must(closed == (m.failed == 0));
	must(buf_put(story, buf_data(&m.engine.out), buf_size(&m.engine.out)) == 0);
	must(buf_fmt(story, "%d %s", m.engine.err.code, m.engine.err.text) == 0);
	mqtt_fini(&m);
}

static void
round_trip(const uint8_t *p, size_t n)
{
	struct hf_error err = { 0 };
	struct mqtt_event e;
	struct buf b = { 0 };
	ssize_t took;

	while ((took = mqtt_get(p, n, n, &e, &err)) > 0) {
		must(mqtt_put(&b, &e) == 0);
		must(buf_size(&b) == (size_t)took && memcmp(buf_data(&b), p, (size_t)took) == 0);
		buf_clear(&b);
		p += took;
		n -= (size_t)took;
	}
	must(took == 0 || err.code == HF_ERR_PROTOCOL);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole = { 0 }, pieces = { 0 };

	if (n == 0)
		return 0;
	run(p + 1, n - 1, p[0] & 1, 0, &whole);
	run(p + 1, n - 1, p[0] & 1, p[0] + 1, &pieces);
	must(buf_size(&whole) == buf_size(&pieces));
	must(memcmp(buf_data(&whole), buf_data(&pieces), buf_size(&whole)) == 0);
	round_trip(p + 1, n - 1);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
