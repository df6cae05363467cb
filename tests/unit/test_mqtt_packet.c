#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "mqtt/mqtt.h"

#define MAX	(64 * 1024)
#define T(s)	((struct mqtt_text){ s, sizeof(s) - 1 })
#define LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define B(s)	(const uint8_t *)s, sizeof(s) - 1
#define OVER64K 65536

static int
same(const struct mqtt_text *t, const char *s)
{
	return t->p != NULL && t->len == strlen(s) && memcmp(t->p, s, t->len) == 0;
}

/* Reads from a block of exactly n bytes, so that reading further is seen. */
static ssize_t
get(const uint8_t *p, size_t n, size_t max, struct mqtt_event *e, struct hf_error *err)
{
	uint8_t *exact = malloc(n);
	ssize_t r;

	assert_true(exact != NULL || n == 0);
	memcpy(exact, p, n);
	memset(err, 0, sizeof(*err));
	r = mqtt_get(exact, n, max, e, err);
	free(exact);
	return r;
}

/* Puts an event; expects these bytes; gets them back in *back from `bytes`, after every shorter piece was not enough. */
static void
there_and_back(const struct mqtt_event *e, const uint8_t *bytes, size_t n, struct mqtt_event *back)
{
	struct buf b = { 0 };
	struct hf_error err = { 0 };

	assert_int_equal(buf_puts(&b, "before"), 0);
	assert_int_equal(mqtt_put(&b, e), 0);
	assert_int_equal(buf_size(&b), 6 + n);
	assert_memory_equal(buf_data(&b) + 6, bytes, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(get(bytes, i, MAX, back, &err), 0);
		assert_int_equal(back->type, 0);
		assert_int_equal(err.code, 0);
	}
	assert_int_equal(mqtt_get(bytes, n, n, back, &err), n);
	assert_int_equal(back->type, e->type);
	buf_free(&b);
}

static void
connect_least(void **state)
{
	struct mqtt_event e = { .type = MQTT_CONNECT, .connect = { .keep_alive = 240 } }, back;

	(void)state;
	there_and_back(&e, B("\x10\x0c\0\4MQTT\4\0\0\xf0\0\0"), &back);
	assert_int_equal(back.connect.client_id.len, 0);
	assert_int_equal(back.connect.keep_alive, 240);
	assert_int_equal(back.connect.clean, 0);
	assert_null(back.connect.user.p);
	assert_null(back.connect.password.p);
	assert_null(back.connect.will_topic.p);
	assert_null(back.connect.will_body.p);
}

static void
connect_as_to_a_hub(void **state)
{
	struct mqtt_event back, e = { .type = MQTT_CONNECT,
		.connect = { .client_id = T("d1"),
		    .user = T("h/d1/?api-version=2021-04-12"),
		    .password = T(""),
		    .clean = 1,
		    .keep_alive = 65535 } };

	(void)state;
	there_and_back(
	    &e, B("\x10\x2e\0\4MQTT\4\xc2\xff\xff\0\2d1\0\x1ch/d1/?api-version=2021-04-12\0\0"), &back);
	assert_true(same(&back.connect.client_id, "d1"));
	assert_true(same(&back.connect.user, "h/d1/?api-version=2021-04-12"));
	assert_true(same(&back.connect.password, ""));
	assert_int_equal(back.connect.clean, 1);
	assert_int_equal(back.connect.keep_alive, 65535);
}

static void
connect_with_a_will(void **state)
{
	struct mqtt_event back, e = { .type = MQTT_CONNECT,
		.connect = { .client_id = T("c"),
		    .will_topic = T("gone/c"),
		    .will_body = T("a\0b"),
		    .will_qos = 2,
		    .will_retain = 1,
		    .user = T("u"),
		    .password = T("\xff\0") } };

	(void)state;
	there_and_back(&e, B("\x10\x21\0\4MQTT\4\xf4\0\0\0\1c\0\6gone/c\0\3a\0b\0\1u\0\2\xff\0"), &back);
	assert_true(same(&back.connect.will_topic, "gone/c"));
	assert_int_equal(back.connect.will_body.len, 3);
	assert_memory_equal(back.connect.will_body.p, "a\0b", 3);
	assert_int_equal(back.connect.will_qos, 2);
	assert_int_equal(back.connect.will_retain, 1);
	assert_int_equal(back.connect.password.len, 2);
}

static void
connack(void **state)
{
	struct mqtt_event e = { .type = MQTT_CONNACK, .connack = { 1, 0 } }, back;

	(void)state;
	there_and_back(&e, B("\x20\2\1\0"), &back);
	assert_int_equal(back.connack.session, 1);
	assert_int_equal(back.connack.code, 0);
	e.connack = (struct mqtt_connack){ 0, 5 };
	there_and_back(&e, B("\x20\2\0\5"), &back);
	assert_int_equal(back.connack.session, 0);
	assert_int_equal(back.connack.code, 5);
}

static void
publish(void **state)
{
	struct mqtt_event back,
	    e = { .type = MQTT_PUBLISH, .publish = { .topic = T("a/\xc3\xa9"), .body = "hi\0", .len = 3 } };

	(void)state;
	there_and_back(&e, B("\x30\x09\0\4a/\xc3\xa9hi\0"), &back);
	assert_true(same(&back.publish.topic, "a/\xc3\xa9"));
	assert_int_equal(back.publish.len, 3);
	assert_memory_equal(back.publish.body, "hi\0", 3);
	assert_int_equal(back.publish.qos, 0);
	assert_int_equal(back.publish.id, 0);
	assert_int_equal(back.publish.dup | back.publish.retain, 0);
	e.publish = (struct mqtt_publish){ .topic = T("t"), .qos = 1, .dup = 1, .retain = 1, .id = 0xfffe };
	there_and_back(&e, B("\x3b\5\0\1t\xff\xfe"), &back);
	assert_int_equal(back.publish.id, 0xfffe);
	assert_int_equal(back.publish.qos, 1);
	assert_int_equal(back.publish.dup, 1);
	assert_int_equal(back.publish.retain, 1);
	assert_int_equal(back.publish.len, 0);
	e.publish = (struct mqtt_publish){ .topic = T("t"), .qos = 2, .id = 1 };
	there_and_back(&e, B("\x34\5\0\1t\0\1"), &back);
	assert_int_equal(back.publish.qos, 2);
}

static void
subscribe(void **state)
{
	struct mqtt_event back, e = { .type = MQTT_SUBSCRIBE,
		.subscribe = { .id = 258,
		    .count = 3,
		    .filter = { T("+/b/#"), T("#"), T("$iothub/+") },
		    .qos = { 1, 0, 2 } } };

	(void)state;
	there_and_back(&e, B("\x82\x1a\1\2\0\5+/b/#\1\0\1#\0\0\x09$iothub/+\2"), &back);
	assert_int_equal(back.subscribe.id, 258);
	assert_int_equal(back.subscribe.count, 3);
	assert_true(same(&back.subscribe.filter[0], "+/b/#"));
	assert_true(same(&back.subscribe.filter[2], "$iothub/+"));
	assert_int_equal(back.subscribe.qos[0], 1);
	assert_int_equal(back.subscribe.qos[2], 2);
	e.type = MQTT_UNSUBSCRIBE;
	there_and_back(&e, B("\xa2\x17\1\2\0\5+/b/#\0\1#\0\x09$iothub/+"), &back);
	assert_int_equal(back.subscribe.count, 3);
	assert_true(same(&back.subscribe.filter[1], "#"));
}

static void
suback(void **state)
{
	struct mqtt_event back,
	    e = { .type = MQTT_SUBACK, .suback = { .id = 7, .count = 4, .code = { 0, 1, 2, 0x80 } } };

	(void)state;
	there_and_back(&e, B("\x90\6\0\7\0\1\2\x80"), &back);
	assert_int_equal(back.suback.id, 7);
	assert_int_equal(back.suback.count, 4);
	assert_int_equal(back.suback.code[3], 0x80);
}

static void
short_ones(void **state)
{
	static const struct {
		enum mqtt_type type;
		const char *bytes;
		size_t n;
	} rows[] = {
		{ MQTT_PUBACK, "\x40\2\x12\x34", 4 },
		{ MQTT_PUBREC, "\x50\2\x12\x34", 4 },
		{ MQTT_PUBREL, "\x62\2\x12\x34", 4 },
		{ MQTT_PUBCOMP, "\x70\2\x12\x34", 4 },
		{ MQTT_UNSUBACK, "\xb0\2\x12\x34", 4 },
		{ MQTT_PINGREQ, "\xc0", 2 },
		{ MQTT_PINGRESP, "\xd0", 2 },
		{ MQTT_DISCONNECT, "\xe0", 2 },
	};
	struct mqtt_event back;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		there_and_back(&(struct mqtt_event){ .type = rows[i].type, .id = 0x1234 },
		    (const uint8_t *)rows[i].bytes, rows[i].n, &back);
		if (rows[i].n == 4)
			assert_int_equal(back.id, 0x1234);
	}
}

/* The length field at the edges of its sizes, and packets one behind the other. */
static void
lengths(void **state)
{
	static const size_t sizes[] = { 0, 124, 125, 16380, 16381, 2097148, 2097149 };
	static const size_t heads[] = { 2, 2, 3, 3, 4, 4, 5 };
	uint8_t *body = calloc(1, 2097149);
	struct mqtt_event e = { .type = MQTT_PUBLISH, .publish = { .topic = T("t"), .body = body } }, back;
	struct hf_error err = { 0 };
	struct buf b = { 0 };
	size_t whole;

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < LEN(sizes); i++) {
		e.publish.len = sizes[i];
		whole = heads[i] + 3 + sizes[i];
		assert_int_equal(mqtt_put(&b, &e), 0);
		assert_int_equal(mqtt_put(&b, &e), 0);
		assert_int_equal(buf_size(&b), 2 * whole);
		for (size_t n = 0; n <= heads[i]; n++)
			assert_int_equal(get(buf_data(&b), n, whole, &back, &err), 0);
		assert_int_equal(mqtt_get(buf_data(&b), buf_size(&b), whole, &back, &err), whole);
		assert_int_equal(back.publish.len, sizes[i]);
		buf_eat(&b, whole);
		assert_int_equal(mqtt_get(buf_data(&b), whole - 1, whole, &back, &err), 0);
		assert_int_equal(mqtt_get(buf_data(&b), heads[i], whole - 1, &back, &err), HF_ERR_PROTOCOL);
		assert_non_null(strstr(err.text, "the most allowed here"));
		memset(&err, 0, sizeof(err));
		buf_eat(&b, whole);
	}
	buf_free(&b);
	free(body);
}

static const struct {
	const char *name;
	const uint8_t *p;
	size_t n;
	const char *says;
} bad[] = {
	{ "type 0", B("\x00"), "no such packet" },
	{ "type 15", B("\xf0"), "no such packet" },
	{ "an HTTP request", B("G"), "PUBACK that is not" },
	{ "CONNACK with flags", B("\x21"), "first byte" },
	{ "PUBREL without flags", B("\x60"), "first byte" },
	{ "SUBSCRIBE without flags", B("\x80"), "first byte" },
	{ "UNSUBSCRIBE with more flags", B("\xa3"), "first byte" },
	{ "length in five bytes", B("\x30\xff\xff\xff\xff"), "remaining length" },
	{ "length longer than need be", B("\xc0\x80\0"), "remaining length" },
	{ "length longer than need be, four", B("\x40\x82\x80\x80\0\0\1"), "remaining length" },
	{ "CONNECT, nothing in it", B("\x10\0"), "not for the protocol" },
	{ "CONNECT, name cut", B("\x10\4\0\4MQ"), "not for the protocol" },
	{ "CONNECT, no level", B("\x10\6\0\4MQTT"), "too early" },
	{ "CONNECT of 3.1", B("\x10\x0e\0\6MQIsdp\3\2\0\0\0\0"), "not for the protocol" },
	{ "CONNECT, other name", B("\x10\x0c\0\4MQTt\4\2\0\0\0\0"), "not for the protocol" },
	{ "CONNECT, reserved flag", B("\x10\x0c\0\4MQTT\4\1\0\0\0\0"), "reserved flag" },
	{ "CONNECT, QoS of no will", B("\x10\x0c\0\4MQTT\4\x08\0\0\0\0"), "without a will" },
	{ "CONNECT, retain of no will", B("\x10\x0c\0\4MQTT\4\x20\0\0\0\0"), "without a will" },
	{ "CONNECT, will of QoS 3", B("\x10\x11\0\4MQTT\4\x1c\0\0\0\0\0\1t\0\0"), "QoS" },
	{ "CONNECT, will without topic", B("\x10\x10\0\4MQTT\4\4\0\0\0\0\0\0\0\0"), "topic is empty" },
	{ "CONNECT, will to a filter", B("\x10\x11\0\4MQTT\4\4\0\0\0\0\0\1#\0\0"), "wildcard" },
	{ "CONNECT, will cut", B("\x10\x0f\0\4MQTT\4\4\0\0\0\0\0\1t"), "too early" },
	{ "CONNECT, password alone", B("\x10\x0e\0\4MQTT\4\x40\0\0\0\0\0\0"), "without a user" },
	{ "CONNECT, user cut", B("\x10\x0d\0\4MQTT\4\x80\0\0\0\0\0"), "too early" },
	{ "CONNECT, password cut", B("\x10\x10\0\4MQTT\4\xc0\0\0\0\0\0\0\0\5"), "too early" },
	{ "CONNECT, id with a NUL", B("\x10\x0d\0\4MQTT\4\0\0\0\0\1\0"), "NUL" },
	{ "CONNECT, user not UTF-8", B("\x10\x0f\0\4MQTT\4\x80\0\0\0\0\0\1\xff"), "UTF-8" },
	{ "CONNECT, bytes behind", B("\x10\x0d\0\4MQTT\4\0\0\0\0\0x"), "longer than its contents" },
	{ "CONNACK, one byte", B("\x20\1\0"), "too early" },
	{ "CONNACK, three bytes", B("\x20\3\0\0\0"), "longer than its contents" },
	{ "CONNACK, reserved flag", B("\x20\2\2\0"), "reserved flag" },
	{ "CONNACK, reserved code", B("\x20\2\0\6"), "return code" },
	{ "CONNACK, refused with a session", B("\x20\2\1\5"), "has a session" },
	{ "PUBLISH, nothing in it", B("\x30\0"), "too early" },
	{ "PUBLISH, topic cut", B("\x30\3\0\2t"), "too early" },
	{ "PUBLISH, QoS 3", B("\x36\5\0\1t\0\1"), "QoS" },
	{ "PUBLISH, duplicate at QoS 0", B("\x38\3\0\1t"), "duplicate" },
	{ "PUBLISH, id 0", B("\x32\5\0\1t\0\0"), "packet id is 0" },
	{ "PUBLISH, id cut", B("\x32\4\0\1t\1"), "too early" },
	{ "PUBLISH, no topic", B("\x30\2\0\0"), "topic is empty" },
	{ "PUBLISH to a filter +", B("\x30\5\0\3a/+"), "wildcard" },
	{ "PUBLISH to a filter #", B("\x30\5\0\3a/#"), "wildcard" },
	{ "PUBLISH, NUL in the topic", B("\x30\4\0\2t\0"), "NUL" },
	{ "SUBSCRIBE, id 0", B("\x82\6\0\0\0\1#\0"), "packet id is 0" },
	{ "SUBSCRIBE, no id", B("\x82\1\1"), "too early" },
	{ "SUBSCRIBE, no filter", B("\x82\2\0\1"), "no filter" },
	{ "SUBSCRIBE, no QoS", B("\x82\5\0\1\0\1#"), "too early" },
	{ "SUBSCRIBE, QoS 3", B("\x82\6\0\1\0\1#\3"), "QoS" },
	{ "SUBSCRIBE, reserved bits", B("\x82\6\0\1\0\1#\4"), "QoS" },
	{ "SUBSCRIBE, empty filter", B("\x82\5\0\1\0\0\0"), "filter in it is empty" },
	{ "SUBSCRIBE, a#", B("\x82\7\0\1\0\2a#\0"), "behind other" },
	{ "SUBSCRIBE, a+", B("\x82\7\0\1\0\2a+\0"), "behind other" },
	{ "SUBSCRIBE, +a", B("\x82\7\0\1\0\2+a\0"), "before other" },
	{ "SUBSCRIBE, #/a", B("\x82\x08\0\1\0\3#/a\0"), "before other" },
	{ "SUBSCRIBE, second one bad", B("\x82\x0a\0\1\0\1#\0\0\1\0\0"), "NUL" },
	{ "UNSUBSCRIBE, cut", B("\xa2\5\0\1\0\2a"), "too early" },
	{ "SUBACK, no code", B("\x90\2\0\1"), "no return code" },
	{ "SUBACK, id 0", B("\x90\3\0\0\0"), "packet id is 0" },
	{ "SUBACK, reserved code", B("\x90\3\0\1\3"), "reserved return code" },
	{ "SUBACK, cut", B("\x90\1\0"), "too early" },
	{ "PUBACK, id 0", B("\x40\2\0\0"), "packet id is 0" },
	{ "PUBACK, one byte", B("\x40\1\1"), "too early" },
	{ "PUBACK, three bytes", B("\x40\3\0\1\0"), "longer than its contents" },
	{ "UNSUBACK, nothing", B("\xb0\0"), "too early" },
	{ "PINGREQ, something", B("\xc0\1\0"), "longer than its contents" },
	{ "PINGRESP, something", B("\xd0\1\0"), "longer than its contents" },
	{ "DISCONNECT, something", B("\xe0\1\0"), "longer than its contents" },
};

static void
refuses(void **state)
{
	struct mqtt_event e;
	struct hf_error err;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		if (get(bad[i].p, bad[i].n, MAX, &e, &err) != HF_ERR_PROTOCOL ||
		    strstr(err.text, bad[i].says) == NULL)
			fail_msg("%s: %d \"%s\"", bad[i].name, err.code, err.text);
		assert_int_equal(e.type, 0);
		for (size_t n = 0; n < bad[i].n; n++)
			assert_true(get(bad[i].p, n, MAX, &e, &err) <= 0);
	}
}

static void
level_5_gets_an_answer(void **state)
{
	struct mqtt_event e;
	struct hf_error err;

	(void)state;
	assert_int_equal(get(B("\x10\x0d\0\4MQTT\5\2\0\0\0\0\0"), MAX, &e, &err), HF_ERR_PROTOCOL);
	assert_non_null(strstr(err.text, "level"));
	assert_int_equal(e.type, MQTT_CONNACK);
	assert_int_equal(e.connack.code, 1);
	assert_int_equal(e.connack.session, 0);
}

static void
too_many_filters(void **state)
{
	uint8_t many[2 + 2 + 4 * (MQTT_FILTERS + 1)] = { 0x82, 2 + 4 * (MQTT_FILTERS + 1), 0, 1 };
	struct mqtt_event e;
	struct hf_error err;

	(void)state;
	for (size_t i = 4; i < sizeof(many); i += 4)
		memcpy(many + i, "\0\1#\0", 4);
	assert_int_equal(get(many, sizeof(many), MAX, &e, &err), HF_ERR_PROTOCOL);
	many[1] -= 4;
	assert_int_equal(get(many, sizeof(many) - 4, MAX, &e, &err), sizeof(many) - 4);
	assert_int_equal(e.subscribe.count, MQTT_FILTERS);
}

static void
too_many_codes(void **state)
{
	uint8_t many[2 + 2 + MQTT_FILTERS + 1] = { 0x90, 2 + MQTT_FILTERS + 1, 0, 1 };
	struct mqtt_event e;
	struct hf_error err;

	(void)state;
	assert_int_equal(get(many, sizeof(many), MAX, &e, &err), HF_ERR_PROTOCOL);
	assert_int_equal(e.type, 0);
	many[1] -= 1;
	assert_int_equal(get(many, sizeof(many) - 1, MAX, &e, &err), sizeof(many) - 1);
	assert_int_equal(e.suback.count, MQTT_FILTERS);
}

static void
utf8(void **state)
{
	static const struct {
		int fine;
		const char *text;
	} rows[] = {
		{ 1, "plain" },
		{ 1, "\x01\x7f" },
		{ 1, "\xc2\x80" },
		{ 1, "\xdf\xbf" },
		{ 1, "\xe0\xa0\x80" },
		{ 1, "\xef\xbf\xbf" },
		{ 1, "\xed\x9f\xbf" },
		{ 1, "\xee\x80\x80" },
		{ 1, "\xef\xbb\xbf" },
		{ 1, "\xf0\x90\x80\x80" },
		{ 1, "\xf4\x8f\xbf\xbf" },
		{ 0, "\x80" },
		{ 0, "\xbf" },
		{ 0, "\xc0\x80" },
		{ 0, "\xc1\xbf" },
		{ 0, "\xc3" },
		{ 0, "\xc3(" },
		{ 0, "\xe0\x9f\xbf" },
		{ 0, "\xed\xa0\x80" },
		{ 0, "\xed\xbf\xbf" },
		{ 0, "\xe2\x82" },
		{ 0, "\xe2(\xa1" },
		{ 0, "\xf0\x8f\xbf\xbf" },
		{ 0, "\xf4\x90\x80\x80" },
		{ 0, "\xf5\x80\x80\x80" },
		{ 0, "\xf8\x88\x80\x80\x80" },
		{ 0, "\xfe" },
		{ 0, "\xff" },
	};
	struct mqtt_event e = { .type = MQTT_PUBLISH }, back;
	struct hf_error err;
	uint8_t raw[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf b = { 0 };

		n = strlen(rows[i].text);
		memcpy(raw, "\x30\0\0\0", 4);
		raw[1] = (uint8_t)(n + 2);
		raw[3] = (uint8_t)n;
		memcpy(raw + 4, rows[i].text, n);
		e.publish.topic = (struct mqtt_text){ rows[i].text, n };
		if (get(raw, n + 4, MAX, &back, &err) != (rows[i].fine ? (ssize_t)n + 4 : HF_ERR_PROTOCOL))
			fail_msg("row %zu", i);
		assert_int_equal(mqtt_put(&b, &e), rows[i].fine ? 0 : HF_ERR_ARGS);
		buf_free(&b);
	}
}

static void
puts_nothing_wrong(void **state)
{
	static char big[OVER64K];
	struct mqtt_text too_long = { big, sizeof(big) };
	struct mqtt_event rows[] = {
		{ .type = 0 },
		{ .type = MQTT_CLOSED },
		{ .type = MQTT_CONNECT, .connect = { .client_id = too_long } },
		{ .type = MQTT_CONNECT, .connect = { .user = too_long } },
		{ .type = MQTT_CONNECT, .connect = { .user = T("u"), .password = too_long } },
		{ .type = MQTT_CONNECT, .connect = { .password = T("p") } },
		{ .type = MQTT_CONNECT, .connect = { .keep_alive = 65536 } },
		{ .type = MQTT_CONNECT, .connect = { .will_topic = T("t"), .will_body = too_long } },
		{ .type = MQTT_CONNECT, .connect = { .will_topic = T("t"), .will_qos = -1 } },
		{ .type = MQTT_CONNECT, .connect = { .will_qos = 1 } },
		{ .type = MQTT_CONNACK, .connack = { 0, 6 } },
		{ .type = MQTT_CONNACK, .connack = { 0, -1 } },
		{ .type = MQTT_CONNACK, .connack = { 2, 0 } },
		{ .type = MQTT_CONNACK, .connack = { 1, 5 } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = too_long } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("") } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("a/+") } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("t"), .qos = 3, .id = 1 } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("t"), .qos = -1 } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("t"), .qos = 1 } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("t"), .dup = 1 } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("t"), .body = big, .len = 268435453 } },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("t"), .body = big, .len = SIZE_MAX } },
		{ .type = MQTT_SUBSCRIBE, .subscribe = { .count = 1, .filter = { T("#") } } },
		{ .type = MQTT_SUBSCRIBE, .subscribe = { .id = 1 } },
		{ .type = MQTT_SUBSCRIBE, .subscribe = { .id = 1, .count = MQTT_FILTERS + 1 } },
		{ .type = MQTT_SUBSCRIBE, .subscribe = { .id = 1, .count = 1, .filter = { too_long } } },
		{ .type = MQTT_UNSUBSCRIBE, .subscribe = { .id = 1, .count = 1 } },
		{ .type = MQTT_SUBACK, .suback = { .count = 1 } },
		{ .type = MQTT_SUBACK, .suback = { .id = 1, .count = MQTT_FILTERS + 1 } },
		{ .type = MQTT_PUBREL },
	};
	struct buf b = { 0 };

	(void)state;
	memset(big, 'a', sizeof(big));
	for (size_t i = 0; i < LEN(rows); i++) {
		if (mqtt_put(&b, &rows[i]) != HF_ERR_ARGS)
			fail_msg("row %zu", i);
		assert_int_equal(buf_size(&b), 0);
	}
	buf_free(&b);
}

static void
longest_texts(void **state)
{
	static char big[OVER64K];
	struct mqtt_text longest = { big, sizeof(big) - 1 };
	struct mqtt_event back, e = { .type = MQTT_CONNECT,
		.connect = { .client_id = longest,
		    .will_topic = longest,
		    .will_body = longest,
		    .user = longest,
		    .password = longest } };
	struct hf_error err = { 0 };
	struct buf b = { 0 };

	(void)state;
	memset(big, 'a', sizeof(big));
	assert_int_equal(mqtt_put(&b, &e), 0);
	assert_int_equal(mqtt_get(buf_data(&b), buf_size(&b), buf_size(&b), &back, &err), buf_size(&b));
	assert_int_equal(back.connect.password.len, 65535);
	buf_free(&b);
}

/* A buffer that cannot grow any further stays as it was. */
static void
no_memory(void **state)
{
	struct mqtt_event rows[] = {
		{ .type = MQTT_CONNECT },
		{ .type = MQTT_CONNACK },
		{ .type = MQTT_PUBLISH, .publish = { .topic = T("t") } },
		{ .type = MQTT_SUBSCRIBE, .subscribe = { .id = 1, .count = 1, .filter = { T("#") } } },
		{ .type = MQTT_SUBACK, .suback = { .id = 1, .count = 1 } },
		{ .type = MQTT_PUBACK, .id = 1 },
		{ .type = MQTT_PINGREQ },
	};
	uint8_t byte = 0;
	struct buf full = { &byte, 0, SIZE_MAX / 2, SIZE_MAX / 2 };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(mqtt_put(&full, &rows[i]), HF_ERR_MEMORY);
		assert_true(full.p == &byte && full.len == SIZE_MAX / 2);
	}
}

static void
names(void **state)
{
	(void)state;
	assert_string_equal(mqtt_name(MQTT_CONNECT), "CONNECT");
	assert_string_equal(mqtt_name(MQTT_UNSUBACK), "UNSUBACK");
	assert_string_equal(mqtt_name(MQTT_DISCONNECT), "DISCONNECT");
	assert_non_null(strstr(mqtt_name(0), "reserved"));
	assert_non_null(strstr(mqtt_name(MQTT_CLOSED), "reserved"));
}

static void
match(void **state)
{
	static const struct {
		int fits;
		const char *filter, *topic;
	} rows[] = {
		{ 1, "a/b", "a/b" },
		{ 0, "a/b", "a/c" },
		{ 0, "a/b", "a/b/" },
		{ 0, "a/b", "a" },
		{ 0, "a", "a/b" },
		{ 0, "A", "a" },
		{ 1, "#", "a/b" },
		{ 1, "#", "/" },
		{ 1, "a/#", "a" },
		{ 1, "a/#", "a/" },
		{ 1, "a/#", "a/b/c" },
		{ 0, "a/#", "ab" },
		{ 0, "a/#", "b" },
		{ 0, "a/b/#", "a" },
		{ 1, "a/+", "a/b" },
		{ 1, "a/+", "a/" },
		{ 0, "a/+", "a" },
		{ 0, "a/+", "a/b/c" },
		{ 1, "+/+", "/a" },
		{ 1, "/+", "/a" },
		{ 0, "+", "/a" },
		{ 1, "+", "a" },
		{ 1, "a/+/c", "a/b/c" },
		{ 0, "a/+/c", "a/b/d" },
		{ 1, "+/#", "a" },
		{ 1, "+/b/#", "a/b/c/d" },
		{ 0, "#", "$SYS/a" },
		{ 0, "+/a", "$SYS/a" },
		{ 1, "$SYS/#", "$SYS/a" },
		{ 1, "$iothub/methods/POST/#", "$iothub/methods/POST/go/?$rid=1" },
		{ 1, "devices/+/messages/devicebound/#", "devices/d1/messages/devicebound/%24.to=x" },
		{ 0, "devices/d2/messages/devicebound/#", "devices/d1/messages/devicebound/" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		if (mqtt_match(rows[i].filter, strlen(rows[i].filter), rows[i].topic,
			strlen(rows[i].topic)) != rows[i].fits)
			fail_msg("%s against %s", rows[i].filter, rows[i].topic);
	}
	assert_int_equal(mqtt_match("abc", 1, "axy", 1), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_least),
		cmocka_unit_test(connect_as_to_a_hub),
		cmocka_unit_test(connect_with_a_will),
		cmocka_unit_test(connack),
		cmocka_unit_test(publish),
		cmocka_unit_test(subscribe),
		cmocka_unit_test(suback),
		cmocka_unit_test(short_ones),
		cmocka_unit_test(lengths),
		cmocka_unit_test(refuses),
		cmocka_unit_test(level_5_gets_an_answer),
		cmocka_unit_test(too_many_filters),
		cmocka_unit_test(too_many_codes),
		cmocka_unit_test(utf8),
		cmocka_unit_test(puts_nothing_wrong),
		cmocka_unit_test(longest_texts),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(names),
		cmocka_unit_test(match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
