#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "mqtt/mqtt.h"

#define MAX	  1000
#define T(s)	  ((struct mqtt_text){ s, sizeof(s) - 1 })
#define SAY(m, s) hear(m, s, sizeof(s) - 1)
#define CONNECT	  "\x10\x0d\0\4MQTT\4\0\0\x3c\0\1c" /* client id c, keep-alive 60 s */
#define CONNACK	  "\x20\2\0\0"

static ssize_t
in(struct mqtt *m, const void *p, size_t n)
{
	return m->engine.ops->in(&m->engine, p, n);
}

static int64_t
tick(struct mqtt *m, int64_t now)
{
	return m->engine.ops->tick(&m->engine, now);
}

/* All of it is taken. */
static void
hear(struct mqtt *m, const char *p, size_t n)
{
	assert_int_equal(in(m, p, n), n);
}

static enum mqtt_type
next(struct mqtt *m, struct mqtt_event *e)
{
	int r = mqtt_next(m, e);

	if (r < 0)
		fail_msg("%d: %s", r, m->engine.err.text);
	return r == 1 ? e->type : 0;
}

/* What is waiting for the peer, which is then forgotten. */
static void
said(struct mqtt *m, const char *p, size_t n)
{
	assert_int_equal(buf_size(&m->engine.out), n);
	if (n > 0)
		assert_memory_equal(buf_data(&m->engine.out), p, n);
	buf_clear(&m->engine.out);
}
#define SAID(m, s) said(m, s, sizeof(s) - 1)

static void
ends(struct mqtt *m, int code, const char *words)
{
	struct mqtt_event e;

	assert_int_equal(mqtt_next(m, &e), code);
	assert_int_equal(m->engine.err.code, code);
	if (strstr(m->engine.err.text, words) == NULL)
		fail_msg("%s", m->engine.err.text);
	assert_int_equal(mqtt_next(m, &e), code);
	assert_int_equal(in(m, "x", 1), code);
	assert_true(tick(m, m->now + 1) == NEVER);
}

/* Hands over what each has said, at most `chunk` bytes at a time. */
static void
carry(struct mqtt *from, struct mqtt *to, size_t chunk)
{
	struct buf *b = &from->engine.out;
	size_t n = buf_size(b) < chunk ? buf_size(b) : chunk;
	uint8_t *exact = malloc(n + 1);
	ssize_t took;

	assert_non_null(exact);
	if (n > 0) {
		memcpy(exact, buf_data(b), n);
		took = in(to, exact, n);
		assert_true(took >= 0);
		buf_eat(b, (size_t)took);
	}
	free(exact);
}

static enum mqtt_type
meet(struct mqtt *from, struct mqtt *to, size_t chunk, struct mqtt_event *e)
{
	enum mqtt_type type = 0;

	for (int i = 0; i < 10000 && type == 0; i++) {
		carry(from, to, chunk);
		type = next(to, e);
	}
	return type;
}

static void
server_of_60(struct mqtt *m)
{
	struct mqtt_event e;

	mqtt_init(m, 1, MAX);
	tick(m, 1000);
	SAY(m, CONNECT);
	assert_int_equal(next(m, &e), MQTT_CONNECT);
	assert_int_equal(next(m, &e), 0);
}

static void
client_of(struct mqtt *m, unsigned keep_alive)
{
	struct mqtt_connect c = { .client_id = T("c"), .keep_alive = keep_alive };
	struct mqtt_event e;

	mqtt_init(m, 0, MAX);
	tick(m, 1000);
	assert_int_equal(mqtt_say_connect(m, &c), 0);
	buf_clear(&m->engine.out);
	SAY(m, CONNACK);
	assert_int_equal(next(m, &e), MQTT_CONNACK);
	assert_int_equal(next(m, &e), 0);
	assert_true(m->connected);
}

/* A whole conversation; a chunk of 1 is one byte at a time. */
static void
talk(size_t chunk)
{
	struct mqtt_connect c = {
		.client_id = T("d1"), .user = T("h/d1"), .password = T("secret"), .keep_alive = 240
	};
	struct mqtt_publish p = {
		.topic = T("devices/d1/messages/events/"), .body = "hello", .len = 5, .qos = 1
	};
	struct mqtt_suback ack = { .count = 1, .code = { 1 } };
	struct mqtt client, server;
	struct mqtt_event e;

	mqtt_init(&client, 0, MAX);
	mqtt_init(&server, 1, MAX);
	assert_int_equal(mqtt_say_connect(&client, &c), 0);
	assert_int_equal(meet(&client, &server, chunk, &e), MQTT_CONNECT);
	assert_int_equal(e.connect.password.len, 6);
	assert_memory_equal(e.connect.password.p, "secret", 6);
	assert_int_equal(server.keep_alive, 240);
	assert_int_equal(mqtt_say_connack(&server, 1, 0), 0);
	assert_int_equal(meet(&server, &client, chunk, &e), MQTT_CONNACK);
	assert_int_equal(e.connack.session, 1);
	assert_int_equal(mqtt_subscribe(&client, "devices/d1/messages/devicebound/#", 1), 1);
	assert_int_equal(meet(&client, &server, chunk, &e), MQTT_SUBSCRIBE);
	assert_int_equal(e.subscribe.qos[0], 1);
	ack.id = e.subscribe.id;
	assert_int_equal(mqtt_suback(&server, &ack), 0);
	assert_int_equal(meet(&server, &client, chunk, &e), MQTT_SUBACK);
	assert_int_equal(e.suback.id, 1);
	assert_int_equal(mqtt_publish(&client, &p), 2);
	assert_int_equal(mqtt_publish(&client, &p), 3);
	assert_int_equal(meet(&client, &server, chunk, &e), MQTT_PUBLISH);
	assert_int_equal(e.publish.id, 2);
	assert_memory_equal(e.publish.body, "hello", 5);
	assert_int_equal(mqtt_puback(&server, e.publish.id), 0);
	assert_int_equal(meet(&client, &server, chunk, &e), MQTT_PUBLISH);
	assert_int_equal(e.publish.id, 3);
	assert_int_equal(meet(&server, &client, chunk, &e), MQTT_PUBACK);
	assert_int_equal(e.id, 2);
	assert_int_equal(mqtt_say(&client, MQTT_DISCONNECT, 0), 0);
	assert_int_equal(meet(&client, &server, chunk, &e), MQTT_DISCONNECT);
	assert_int_equal(in(&server, NULL, 0), 0);
	assert_int_equal(next(&server, &e), MQTT_CLOSED);
	assert_int_equal(next(&server, &e), 0);
	assert_int_equal(server.engine.err.code, 0);
	mqtt_fini(&client);
	mqtt_fini(&server);
}

static void
talk_whole(void **state)
{
	(void)state;
	talk(SIZE_MAX);
}

static void
talk_byte_by_byte(void **state)
{
	(void)state;
	talk(1);
}

static void
server_wants_connect_first(void **state)
{
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 1, MAX);
	SAY(&m, "\xc0\0");
	ends(&m, HF_ERR_PROTOCOL, "client sent a PINGREQ before its CONNECT");
	SAID(&m, "");
	mqtt_fini(&m);
}

static void
server_wants_connect_once(void **state)
{
	struct mqtt m;

	(void)state;
	server_of_60(&m);
	SAY(&m, CONNECT);
	ends(&m, HF_ERR_PROTOCOL, "second CONNECT");
	mqtt_fini(&m);
}

static void
client_wants_connack_first_and_once(void **state)
{
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 0, MAX);
	SAY(&m, "\x40\2\0\1");
	ends(&m, HF_ERR_PROTOCOL, "server sent a PUBACK before its CONNACK");
	mqtt_fini(&m);
	client_of(&m, 0);
	SAY(&m, CONNACK);
	ends(&m, HF_ERR_PROTOCOL, "second CONNACK");
	mqtt_fini(&m);
}

static void
each_says_its_own(void **state)
{
	static const struct {
		int server;
		const char *p;
		size_t n;
	} rows[] = {
		{ 1, "\x20\2\0", 4 },
		{ 1, "\x90\3\0\1", 5 },
		{ 1, "\xb0\2\0\1", 4 },
		{ 1, "\xd0", 2 },
		{ 0, "\x10\x0c\0\4MQTT\4\0\0\0\0", 14 },
		{ 0, "\x82\6\0\1\0\1#", 8 },
		{ 0, "\xa2\5\0\1\0\1#", 7 },
		{ 0, "\xc0", 2 },
		{ 0, "\xe0", 2 },
	};
	struct mqtt m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].server)
			server_of_60(&m);
		else
			client_of(&m, 60);
		hear(&m, rows[i].p, rows[i].n);
		ends(&m, HF_ERR_PROTOCOL, "not for it to say");
		mqtt_fini(&m);
	}
}

static void
both_may_say(void **state)
{
	static const struct {
		enum mqtt_type type;
		const char *p;
		size_t n;
	} rows[] = {
		{ MQTT_PUBLISH, "\x30\3\0\1t", 5 },
		{ MQTT_PUBACK, "\x40\2\0\1", 4 },
		{ MQTT_PUBREC, "\x50\2\0\1", 4 },
		{ MQTT_PUBREL, "\x62\2\0\1", 4 },
		{ MQTT_PUBCOMP, "\x70\2\0\1", 4 },
	};
	struct mqtt client, server;
	struct mqtt_event e;

	(void)state;
	client_of(&client, 60);
	server_of_60(&server);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear(&client, rows[i].p, rows[i].n);
		hear(&server, rows[i].p, rows[i].n);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(next(&client, &e), rows[i].type);
		assert_int_equal(next(&server, &e), rows[i].type);
	}
	SAY(&client, "\xb0\2\0\5");
	assert_int_equal(next(&client, &e), MQTT_UNSUBACK);
	assert_int_equal(e.id, 5);
	SAY(&server, "\xa2\5\0\1\0\1#");
	assert_int_equal(next(&server, &e), MQTT_UNSUBSCRIBE);
	mqtt_fini(&client);
	mqtt_fini(&server);
}

static void
other_level_is_told(void **state)
{
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 1, MAX);
	SAY(&m, "\x10\x0d\0\4MQTT\5\2\0\0\0\0\0");
	ends(&m, HF_ERR_PROTOCOL, "level");
	SAID(&m, "\x20\2\0\1");
	mqtt_fini(&m);
	mqtt_init(&m, 0, MAX);
	SAY(&m, "\x10\x0d\0\4MQTT\5\2\0\0\0\0\0");
	ends(&m, HF_ERR_PROTOCOL, "level");
	SAID(&m, "");
	mqtt_fini(&m);
}

static void
too_large(void **state)
{
	struct mqtt m;
	struct mqtt_event e;
	char big[MAX] = "\x30\xe5\x07\0\1t"; /* 3 + 997 */

	(void)state;
	client_of(&m, 0);
	hear(&m, big, sizeof(big));
	assert_int_equal(next(&m, &e), MQTT_PUBLISH);
	assert_int_equal(e.publish.len, 994);
	SAY(&m, "\x30\xe6\x07");
	ends(&m, HF_ERR_PROTOCOL, "1001 bytes");
	mqtt_fini(&m);
}

static void
pings_are_answered_and_not_shown(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	server_of_60(&m);
	SAY(&m, "\xc0\0\xc0\0\x30\3\0\1t\xc0\0");
	assert_int_equal(next(&m, &e), MQTT_PUBLISH);
	SAID(&m, "\xd0\0\xd0\0");
	assert_int_equal(next(&m, &e), 0);
	SAID(&m, "\xd0\0");
	assert_int_equal(buf_size(&m.inbox), 0);
	mqtt_fini(&m);
}

static void
refusal_heard(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	mqtt_init(&m, 0, MAX);
	SAY(&m, "\x20\2\0\5\x30\3\0\1t");
	assert_int_equal(next(&m, &e), MQTT_CONNACK);
	assert_int_equal(e.connack.code, 5);
	assert_false(m.connected);
	assert_int_equal(next(&m, &e), 0);
	SAY(&m, "\x30\3\0");
	assert_int_equal(next(&m, &e), 0);
	in(&m, NULL, 0);
	assert_int_equal(next(&m, &e), MQTT_CLOSED);
	assert_int_equal(m.engine.err.code, 0);
	mqtt_fini(&m);
}

/* What a client sends behind a CONNECT that is refused is not listened to. */
static void
refusal_said(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	mqtt_init(&m, 1, MAX);
	SAY(&m, CONNECT "\x82\6\0\1\0\1#\0");
	assert_int_equal(next(&m, &e), MQTT_CONNECT);
	assert_int_equal(mqtt_say_connack(&m, 0, 5), 0);
	assert_memory_equal(e.connect.client_id.p, "c", 1);
	SAID(&m, "\x20\2\0\5");
	assert_int_equal(next(&m, &e), 0);
	SAY(&m, "\xc0\0");
	assert_int_equal(next(&m, &e), 0);
	SAID(&m, "");
	mqtt_fini(&m);
}

static void
nothing_after_disconnect(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	server_of_60(&m);
	SAY(&m, "\xe0\0\x30\3\0\1t");
	assert_int_equal(next(&m, &e), MQTT_DISCONNECT);
	assert_int_equal(next(&m, &e), 0);
	mqtt_fini(&m);
}

static void
closed_behind_the_last_packet(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	client_of(&m, 60);
	SAY(&m, "\x40\2\0\1\x40\2\0\2");
	assert_int_equal(in(&m, NULL, 0), 0);
	assert_true(tick(&m, 2000) == NEVER);
	assert_int_equal(next(&m, &e), MQTT_PUBACK);
	assert_int_equal(next(&m, &e), MQTT_PUBACK);
	assert_int_equal(next(&m, &e), MQTT_CLOSED);
	assert_int_equal(m.engine.err.code, 0);
	assert_int_equal(next(&m, &e), 0);
	mqtt_fini(&m);
}

static void
closed_in_the_middle(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	client_of(&m, 60);
	SAY(&m, "\x40\2\0\1\x40\2\0");
	in(&m, NULL, 0);
	assert_int_equal(next(&m, &e), MQTT_PUBACK);
	assert_int_equal(next(&m, &e), MQTT_CLOSED);
	assert_int_equal(m.engine.err.code, HF_ERR_NET);
	assert_non_null(strstr(m.engine.err.text, "closed in the middle of a packet"));
	assert_int_equal(next(&m, &e), 0);
	mqtt_fini(&m);
}

static void
client_keeps_alive(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	client_of(&m, 60);
	assert_true(tick(&m, 2000) == 61000);
	assert_true(tick(&m, 60999) == 61000);
	SAID(&m, "");
	assert_int_equal(mqtt_puback(&m, 1), 0);
	SAID(&m, "\x40\2\0\1");
	assert_true(tick(&m, 61000) == 120999);
	SAY(&m, "\x30\3\0\1t"); /* what is heard does not count */
	assert_int_equal(next(&m, &e), MQTT_PUBLISH);
	assert_true(tick(&m, 120999) == 150999);
	SAID(&m, "\xc0\0");
	assert_true(tick(&m, 130000) == 150999);
	SAID(&m, "");
	SAY(&m, "\xd0\0");
	assert_int_equal(next(&m, &e), 0);
	assert_true(tick(&m, 140000) == 180999);
	assert_true(tick(&m, 180999) == 210999);
	SAID(&m, "\xc0\0");
	tick(&m, 210998);
	assert_int_equal(next(&m, &e), 0);
	tick(&m, 210999);
	ends(&m, HF_ERR_TIMEOUT, "did not answer PINGREQ");
	mqtt_fini(&m);
}

/* An answer that has arrived counts, however late the loop comes round. */
static void
late_loop_still_listens(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	client_of(&m, 60);
	tick(&m, 61000);
	tick(&m, 500000);
	SAY(&m, "\xd0\0");
	assert_int_equal(next(&m, &e), 0);
	mqtt_fini(&m);
	server_of_60(&m);
	tick(&m, 500000);
	SAY(&m, "\xc0\0");
	assert_int_equal(next(&m, &e), 0);
	mqtt_fini(&m);
}

static void
ping_waits_at_most_80_s(void **state)
{
	struct mqtt m;

	(void)state;
	client_of(&m, 240);
	assert_true(tick(&m, 241000) == 321000);
	mqtt_fini(&m);
	client_of(&m, 1);
	assert_true(tick(&m, 2000) == 2500);
	mqtt_fini(&m);
}

static void
no_keep_alive(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	client_of(&m, 0);
	assert_true(tick(&m, 1000000000) == NEVER);
	assert_int_equal(next(&m, &e), 0);
	SAID(&m, "");
	mqtt_fini(&m);
}

/* Nothing is timed before the connection stands, and nothing once the client has taken leave. */
static void
client_times_the_connection_only(void **state)
{
	struct mqtt_connect c = { .keep_alive = 10 };
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	mqtt_init(&m, 0, MAX);
	tick(&m, 5);
	assert_int_equal(mqtt_say_connect(&m, &c), 0);
	buf_clear(&m.engine.out);
	assert_true(tick(&m, 100000) == NEVER);
	SAY(&m, CONNACK);
	assert_int_equal(next(&m, &e), MQTT_CONNACK);
	tick(&m, 200000);
	SAID(&m, "\xc0\0");
	assert_int_equal(mqtt_say(&m, MQTT_DISCONNECT, 0), 0);
	SAID(&m, "\xe0\0");
	assert_true(tick(&m, 300000) == NEVER);
	SAY(&m, "\x40\2\0\1");
	assert_int_equal(next(&m, &e), MQTT_PUBACK);
	assert_int_equal(next(&m, &e), 0);
	mqtt_fini(&m);
}

static void
server_hears_nothing(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	server_of_60(&m);
	assert_true(tick(&m, 2000) == 91000);
	tick(&m, 90000);
	assert_int_equal(next(&m, &e), 0);
	SAY(&m, "\x30"); /* a byte is a sign of life */
	assert_true(tick(&m, 91000) == 180000);
	assert_int_equal(next(&m, &e), 0);
	tick(&m, 180000);
	ends(&m, HF_ERR_TIMEOUT, "1.5 times its keep-alive of 60 s");
	mqtt_fini(&m);
}

static void
first_tick_starts_the_clock(void **state)
{
	struct mqtt m;
	struct mqtt_event e;

	(void)state;
	mqtt_init(&m, 1, MAX);
	SAY(&m, CONNECT);
	assert_int_equal(next(&m, &e), MQTT_CONNECT);
	assert_true(tick(&m, 7000000) == 7090000);
	assert_int_equal(next(&m, &e), 0);
	mqtt_fini(&m);
}

static void
ids(void **state)
{
	struct mqtt_publish p = { .topic = T("t"), .qos = 1 };
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 0, MAX);
	assert_int_equal(mqtt_publish(&m, &p), 1);
	assert_int_equal(mqtt_subscribe(&m, "#", 0), 2);
	SAID(&m, "\x32\5\0\1t\0\1\x82\6\0\2\0\1#\0");
	p.id = 700;
	p.dup = 1;
	assert_int_equal(mqtt_publish(&m, &p), 700);
	SAID(&m, "\x3a\5\0\1t\2\xbc");
	p.id = p.dup = 0;
	assert_int_equal(mqtt_publish(&m, &p), 701);
	p.qos = 2;
	assert_int_equal(mqtt_publish(&m, &p), 702);
	p.qos = 0;
	assert_int_equal(mqtt_publish(&m, &p), 0);
	p.qos = 1;
	m.last_id = 65534;
	assert_int_equal(mqtt_publish(&m, &p), 65535);
	assert_int_equal(mqtt_publish(&m, &p), 1);
	m.last_id = 65535;
	assert_int_equal(mqtt_subscribe(&m, "#", 0), 1);
	p.topic = T("#");
	assert_int_equal(mqtt_publish(&m, &p), HF_ERR_ARGS);
	assert_int_equal(m.last_id, 1);
	mqtt_fini(&m);
}

static void
wrong_arguments(void **state)
{
	struct mqtt_connect c = { .keep_alive = 65536 };
	struct mqtt_suback none = { .id = 1 };
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 0, MAX);
	assert_int_equal(mqtt_say_connect(&m, &c), HF_ERR_ARGS);
	assert_int_equal(m.keep_alive, 0);
	assert_int_equal(mqtt_subscribe(&m, "#", -1), HF_ERR_ARGS);
	assert_int_equal(mqtt_subscribe(&m, "#", 3), HF_ERR_ARGS);
	assert_int_equal(mqtt_subscribe(&m, "a#", 0), HF_ERR_ARGS);
	assert_int_equal(m.last_id, 0);
	assert_int_equal(mqtt_suback(&m, &none), HF_ERR_ARGS);
	assert_int_equal(mqtt_say_connack(&m, 0, 6), HF_ERR_ARGS);
	assert_false(m.over);
	assert_int_equal(mqtt_puback(&m, 0), HF_ERR_ARGS);
	assert_int_equal(mqtt_say(&m, MQTT_PUBREL, 0), HF_ERR_ARGS);
	assert_int_equal(mqtt_say(&m, MQTT_PUBLISH, 1), HF_ERR_ARGS);
	assert_int_equal(mqtt_say(&m, MQTT_CLOSED, 1), HF_ERR_ARGS);
	assert_int_equal(mqtt_say(&m, 0, 1), HF_ERR_ARGS);
	assert_int_equal(mqtt_say(&m, (enum mqtt_type)99, 1), HF_ERR_ARGS);
	SAID(&m, "");
	assert_int_equal(mqtt_say(&m, MQTT_PUBREL, 9), 0);
	SAID(&m, "\x62\2\0\x09");
	mqtt_fini(&m);
}

/* Above the high-water mark conversation waits, answers do not. */
static void
high_water(void **state)
{
	struct mqtt_suback granted = { .id = 1, .count = 1 };
	struct mqtt_connect c = { .keep_alive = 1 };
	struct mqtt_publish p = { .topic = T("t"), .qos = 1, .len = ENGINE_HIGH };
	char *body = calloc(1, ENGINE_HIGH);
	struct mqtt m;

	(void)state;
	assert_non_null(body);
	p.body = body;
	mqtt_init(&m, 0, MAX);
	assert_int_equal(mqtt_publish(&m, &p), 1);
	assert_int_equal(mqtt_publish(&m, &p), HF_ERR_STATE);
	assert_int_equal(mqtt_subscribe(&m, "#", 0), HF_ERR_STATE);
	assert_int_equal(mqtt_say_connect(&m, &c), HF_ERR_STATE);
	assert_int_equal(mqtt_puback(&m, 1), 0);
	assert_int_equal(mqtt_suback(&m, &granted), 0);
	assert_int_equal(mqtt_say_connack(&m, 0, 0), 0);
	buf_eat(&m.engine.out, buf_size(&m.engine.out) - ENGINE_HIGH);
	assert_int_equal(mqtt_publish(&m, &p), 2);
	mqtt_fini(&m);
	free(body);
}

static void
inbox_takes_less(void **state)
{
	char *many = calloc(2, 100000);
	struct mqtt_event e;
	struct mqtt m;
	ssize_t took;
	int count = 0;

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i < 200000; i += 5)
		memcpy(many + i, "\x30\3\0\1t", 5);
	client_of(&m, 0);
	took = in(&m, many, 200000);
	assert_int_equal(took, MAX + 64 * 1024);
	assert_int_equal(in(&m, many + took, 10), 0);
	for (ssize_t more = took; took < 200000; took += more) {
		while (next(&m, &e) != 0)
			count++;
		more = in(&m, many + took, 200000 - (size_t)took);
		assert_true(more > 0);
	}
	while (next(&m, &e) != 0)
		count++;
	assert_int_equal(count, 40000);
	mqtt_fini(&m);
	free(many);
}

/* While an event is lent, more may come in, but never so much that the event's bytes would have to move. */
static void
lent_bytes_stay(void **state)
{
	struct mqtt_event e;
	struct mqtt m;
	char more[4096] = { 0 };
	ssize_t took;

	(void)state;
	client_of(&m, 0);
	SAY(&m, "\x30\x0b\0\4lentborrow");
	assert_int_equal(next(&m, &e), MQTT_PUBLISH);
	took = in(&m, more, sizeof(more));
	assert_true(took >= 0 && took < (ssize_t)sizeof(more));
	assert_int_equal(in(&m, more, sizeof(more)), 0);
	assert_memory_equal(e.publish.topic.p, "lent", 4);
	assert_memory_equal(e.publish.body, "borro", 5);
	mqtt_fini(&m);
}

static void
no_memory(void **state)
{
	uint8_t byte = 0;
	const struct buf full = { &byte, 0, SIZE_MAX / 2, SIZE_MAX / 2 };
	struct mqtt m;

	(void)state;
	server_of_60(&m);
	SAY(&m, "\xc0\0");
	m.engine.out = full;
	ends(&m, HF_ERR_MEMORY, "memory");
	m.engine.out = (struct buf){ 0 };
	mqtt_fini(&m);

	client_of(&m, 60);
	buf_free(&m.engine.out);
	m.engine.out = full;
	tick(&m, 61000);
	ends(&m, HF_ERR_MEMORY, "memory");
	m.engine.out = (struct buf){ 0 };
	mqtt_fini(&m);

	mqtt_init(&m, 0, SIZE_MAX / 2 + SIZE_MAX / 4);
	m.inbox = full;
	assert_int_equal(in(&m, "x", 1), HF_ERR_MEMORY);
	ends(&m, HF_ERR_MEMORY, "memory");
	m.inbox = (struct buf){ 0 };
	mqtt_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talk_whole),
		cmocka_unit_test(talk_byte_by_byte),
		cmocka_unit_test(server_wants_connect_first),
		cmocka_unit_test(server_wants_connect_once),
		cmocka_unit_test(client_wants_connack_first_and_once),
		cmocka_unit_test(each_says_its_own),
		cmocka_unit_test(both_may_say),
		cmocka_unit_test(other_level_is_told),
		cmocka_unit_test(too_large),
		cmocka_unit_test(pings_are_answered_and_not_shown),
		cmocka_unit_test(refusal_heard),
		cmocka_unit_test(refusal_said),
		cmocka_unit_test(nothing_after_disconnect),
		cmocka_unit_test(closed_behind_the_last_packet),
		cmocka_unit_test(closed_in_the_middle),
		cmocka_unit_test(client_keeps_alive),
		cmocka_unit_test(late_loop_still_listens),
		cmocka_unit_test(ping_waits_at_most_80_s),
		cmocka_unit_test(no_keep_alive),
		cmocka_unit_test(client_times_the_connection_only),
		cmocka_unit_test(server_hears_nothing),
		cmocka_unit_test(first_tick_starts_the_clock),
		cmocka_unit_test(ids),
		cmocka_unit_test(wrong_arguments),
		cmocka_unit_test(high_water),
		cmocka_unit_test(inbox_takes_less),
		cmocka_unit_test(lent_bytes_stay),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
