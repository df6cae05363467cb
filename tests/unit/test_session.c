#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/json.h"
#include "base/str.h"
#include "emu.h"
#include "make_cert.h"
#include "msg/sas.h"
#include "session.h"

#define HUB  "127.0.0.2"
#define KEY  "a2V5IG9mIHRoZSB0ZXN0J3MgZGV2aWNlLCAzMiBieXQ=" /* "key of the test's device, 32 byt" */
#define IDLE 4 /* turns without a move until all is quiet: a handshake's bytes are none */
#define RAW  "key of the test's device, 32 byt"

static char dir[64];
static struct emu *emu;
static const char *in_ws; /* the subprotocol when MQTT is spoken in a WebSocket */

static int
setup(void **state)
{
	(void)state;
	in_ws = NULL;
	strcpy(dir, "/tmp/hf-session-XXXXXX");
	if (mkdtemp(dir) == NULL || (emu = emu_new(dir)) == NULL)
		return -1;
	emu->plain = 1;
	emu_device(emu, HUB, "d1",
	    "{\"deviceId\":\"d1\",\"generationId\":\"1\",\"etag\":\"x\",\"status\":\"enabled\",\"authentication\":{\"type\":"
	    "\"sas\",\"symmetricKey\":{\"primaryKey\":\"" KEY "\",\"secondaryKey\":\"" KEY "\"}}}");
	return emu_enroll(emu, 0, "r1",
	    "{\"registrationId\":\"r1\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"" KEY
	    "\",\"secondaryKey\":\"" KEY "\"}}}");
}

static int
setup_ws(void **state)
{
	int r = setup(state);

	in_ws = "MQTT";
	return r;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	emu_free(emu);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static char *
token(const char *resource, int64_t expiry)
{
	struct buf text = { 0 }, out = { 0 };
	uint8_t mac[32];
	char *s;

	sas_put_text(&text, resource, expiry);
	sas_hmac(RAW, sizeof(RAW) - 1, buf_data(&text), buf_size(&text), mac);
	assert_int_equal(sas_put(&out, resource, expiry, mac, NULL), 0);
	s = strdup(buf_str(&out));
	buf_free(&text);
	buf_free(&out);
	return s;
}

static struct dial
road(struct tls_conf *tls)
{
	return (struct dial){ HUB, in_ws ? 443 : 8883, tls, in_ws };
}

/* An MQTT client that is led by hand. */
struct client {
	struct mqtt mqtt;
	struct pump pump;
	int over;
};

static void
begin(struct client *c)
{
	struct dial to = road(NULL);
	struct hf_error err = { 0 };

	memset(c, 0, sizeof(*c));
	mqtt_init(&c->mqtt, 0, 1 << 20);
	c->pump.engine = &c->mqtt.engine;
	assert_int_equal(emu->net.open(&emu->net, &c->pump.stream, &to, NULL, &err), 0);
}

static void
finish(struct client *c)
{
	pump_close(&c->pump);
	mqtt_fini(&c->mqtt);
}

/* Both sides, until nothing moves or an event is there. */
static enum mqtt_type
next(struct client *c, struct mqtt_event *ev)
{
	int i, r, moved, idle = 0;

	for (i = 0; i < 200000 && idle < IDLE; i++) {
		if ((r = mqtt_next(&c->mqtt, ev)) == 1)
			return ev->type;
		moved = pump_step(&c->pump, emu->now.ms);
		c->over |= r < 0 || moved < 0;
		idle = (emu_turn(emu) | (moved > 0)) ? 0 : idle + 1;
	}
	return 0;
}

static struct mqtt_text
text(const char *s)
{
	return (struct mqtt_text){ s, strlen(s) };
}

static int
connect_as(struct client *c, const char *device, struct mqtt_connect k, int64_t expiry)
{
	char user[100], resource[100], *password;
	struct mqtt_event ev;

	snprintf(user, sizeof(user), HUB "/%s/?api-version=2021-04-12", device);
	snprintf(resource, sizeof(resource), HUB "/devices/%s", device);
	password = token(resource, expiry);
	k.client_id = text(device);
	k.user = text(user);
	k.password = text(password);
	begin(c);
	assert_int_equal(mqtt_say_connect(&c->mqtt, &k), 0);
	assert_int_equal(next(c, &ev), MQTT_CONNACK);
	free(password);
	return ev.connack.code != 0 ? -ev.connack.code : ev.connack.session;
}

static int
connect_hub(struct client *c, const char *device)
{
	return connect_as(c, device, (struct mqtt_connect){ .keep_alive = 60 }, emu->now.wall + 3600);
}

static void
publish(struct client *c, const char *topic, const char *body, int qos, int retain)
{
	struct mqtt_publish p = {
		.topic = text(topic), .body = body, .len = strlen(body), .qos = qos, .retain = retain
	};

	assert_true(mqtt_publish(&c->mqtt, &p) >= 0);
}

static int
is_over(struct client *c)
{
	struct mqtt_event ev;

	return next(c, &ev) == MQTT_CLOSED || c->over;
}

static size_t
stored(void)
{
	json_t *events = emu_events(emu);
	size_t n = json_array_size(events);

	json_decref(events);
	return n;
}

static void
hub_tells_and_acks(void **state)
{
	struct client c;
	struct mqtt_event ev;
	json_t *events;
	const json_t *event;

	(void)state;
	assert_int_equal(connect_hub(&c, "d1"), 0);
	publish(&c, "devices/d1/messages/events/colour=blue&%24.mid=m1", "hello", 1, 0);
	assert_int_equal(next(&c, &ev), MQTT_PUBACK);
	assert_int_equal(ev.id, 1);
	publish(&c, "devices/d1/messages/events/", "quiet", 0, 1);
	assert_int_equal(next(&c, &ev), 0);
	events = emu_events(emu);
	assert_int_equal(json_array_size(events), 2);
	event = json_array_get(events, 0);
	assert_string_equal(js_str(event, "body", ""), "hello");
	assert_string_equal(js_str(js_get(event, "properties"), "colour", ""), "blue");
	assert_string_equal(js_str(event, "deviceId", ""), "d1");
	event = json_array_get(events, 1);
	assert_string_equal(js_str(js_get(event, "properties"), "mqtt-retain", ""), "true");
	json_decref(events);
	finish(&c);
	emu_turn(emu);
	emu_turn(emu);
	assert_null(emu->e.sessions);
}

static void
hub_refuses(void **state)
{
	struct client c;

	(void)state;
	assert_int_equal(connect_hub(&c, "d2"), -5);
	assert_true(is_over(&c));
	finish(&c);
	assert_int_equal(
	    connect_as(&c, "d1", (struct mqtt_connect){ .keep_alive = 60 }, emu->now.wall - 3600), -5);
	assert_true(is_over(&c));
	finish(&c);
	assert_true(emu_logged(emu, "the hub refused d2"));
	assert_false(emu_logged(emu, "SharedAccessSignature"));
	assert_int_equal(
	    connect_as(&c, "d1",
		(struct mqtt_connect){ .keep_alive = 60, .will_topic = text("x"), .will_body = text("y") },
		emu->now.wall + 3600),
	    -5);
	finish(&c);
}

static void
hub_closes(void **state)
{
	static const struct {
		const char *topic;
		int qos;
	} bad[] = { { "devices/d1/messages/events/", 2 }, { "devices/d2/messages/events/", 1 },
		{ "other", 0 }, { "$iothub/twin/GET/?$rid=1", 0 } };
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(connect_hub(&c, "d1"), i > 0);
		publish(&c, bad[i].topic, "x", bad[i].qos, 0);
		assert_true(is_over(&c));
		finish(&c);
	}
	assert_int_equal(connect_hub(&c, "d1"), 1);
	assert_true(mqtt_subscribe(&c.mqtt, "devices/d2/messages/devicebound/#", 1) > 0);
	assert_true(is_over(&c));
	finish(&c);
	assert_int_equal(stored(), 0);
}

/* Session-present, whether or not the device says its filters again; a clean session forgets them. */
static void
hub_remembers(void **state)
{
	struct mqtt_connect clean = { .keep_alive = 60, .clean = 1 };
	struct mqtt_event ev;
	struct client c;
	json_t *filters;

	(void)state;
	assert_int_equal(connect_hub(&c, "d1"), 0);
	assert_true(mqtt_subscribe(&c.mqtt, "devices/d1/messages/devicebound/#", 2) > 0);
	assert_int_equal(next(&c, &ev), MQTT_SUBACK);
	assert_int_equal(ev.suback.code[0], 1);
	assert_true(mqtt_subscribe(&c.mqtt, "$iothub/methods/POST/#", 0) > 0);
	assert_int_equal(next(&c, &ev), MQTT_SUBACK);
	assert_int_equal(ev.suback.code[0], 0);
	assert_int_equal(mqtt_say(&c.mqtt, MQTT_DISCONNECT, 0), 0);
	assert_true(is_over(&c));
	finish(&c);

	assert_int_equal(registry_filters(emu->e.registry, HUB, "d1", &filters, &(struct hf_error){ 0 }), 1);
	assert_int_equal(json_array_size(filters), 2);
	json_decref(filters);
	assert_int_equal(connect_hub(&c, "d1"), 1);
	finish(&c);
	assert_int_equal(connect_as(&c, "d1", clean, emu->now.wall + 3600), 0);
	finish(&c);
	assert_int_equal(connect_hub(&c, "d1"), 0);
	finish(&c);
}

/* The owner has messages for d1: "0", "1", ... */
static void
owner_sends(int count)
{
	struct hf_error err = { 0 };
	char body[16];

	emu->e.now = emu->now;
	for (int i = 0; i < count; i++) {
		struct hub_c2d c = { .message = { .body = body } };

		snprintf(body, sizeof(body), "%d", i);
		c.message.len = strlen(body);
		assert_int_equal(hub_event_add(&c.message, "n", body), 0);
		assert_int_equal(c2d_put(&emu->e, HUB, "d1", &c, &err), 0);
		hub_c2d_fini(&c);
	}
	assert_int_equal(registry_commit(emu->e.registry, &err), 0);
}

static int
waiting(void)
{
	return registry_c2d_count(emu->e.registry, HUB, "d1", &(struct hf_error){ 0 });
}

static void
subscribe(struct client *c, int qos)
{
	struct mqtt_event ev;

	assert_true(mqtt_subscribe(&c->mqtt, "devices/d1/messages/devicebound/#", qos) > 0);
	assert_int_equal(next(c, &ev), MQTT_SUBACK);
}

/* The next message is that one; its packet id. */
static uint16_t
comes(struct client *c, const char *body)
{
	char topic[200];
	struct mqtt_event ev;

	snprintf(topic, sizeof(topic),
	    "devices/d1/messages/devicebound/%%24.to=%%2Fdevices%%2Fd1%%2Fmessages%%2Fdevicebound&n=%s",
	    body);
	assert_int_equal(next(c, &ev), MQTT_PUBLISH);
	assert_int_equal(ev.publish.len, strlen(body));
	assert_memory_equal(ev.publish.body, body, strlen(body));
	assert_int_equal(ev.publish.topic.len, strlen(topic));
	assert_memory_equal(ev.publish.topic.p, topic, strlen(topic));
	return ev.publish.id;
}

/* Twenty are on their way at most; each that is acknowledged is gone, and makes room. */
static void
hub_brings_messages(void **state)
{
	struct mqtt_event ev;
	struct client c;
	uint16_t id[22];
	char body[16];

	(void)state;
	owner_sends(22);
	assert_int_equal(connect_hub(&c, "d1"), 0);
	assert_int_equal(next(&c, &ev), 0);
	subscribe(&c, 1);
	for (int i = 0; i < 20; i++) {
		snprintf(body, sizeof(body), "%d", i);
		id[i] = comes(&c, body);
	}
	assert_int_equal(next(&c, &ev), 0);
	assert_int_equal(waiting(), 22);
	assert_int_equal(mqtt_puback(&c.mqtt, id[3]), 0);
	id[20] = comes(&c, "20");
	assert_int_equal(next(&c, &ev), 0);
	assert_int_equal(waiting(), 21);
	assert_int_equal(mqtt_puback(&c.mqtt, 999), 0);
	assert_int_equal(mqtt_puback(&c.mqtt, id[3]), 0);
	assert_int_equal(next(&c, &ev), 0);
	assert_int_equal(waiting(), 21);
	finish(&c);
}

/* What was on its way when the link was lost comes again at once; what is not acknowledged in a minute too. */
static void
hub_brings_them_again(void **state)
{
	struct mqtt_event ev;
	struct client c;
	uint16_t id;

	(void)state;
	owner_sends(2);
	assert_int_equal(connect_hub(&c, "d1"), 0);
	subscribe(&c, 1);
	id = comes(&c, "0");
	comes(&c, "1");
	finish(&c);
	assert_int_equal(connect_hub(&c, "d1"), 1);
	comes(&c, "0");
	comes(&c, "1");
	emu_pass(emu, 59000);
	assert_int_equal(next(&c, &ev), 0);
	emu_pass(emu, 1000);
	id = comes(&c, "0");
	assert_int_equal(mqtt_puback(&c.mqtt, id), 0);
	id = comes(&c, "1");
	assert_int_equal(mqtt_puback(&c.mqtt, id), 0);
	assert_int_equal(next(&c, &ev), 0);
	assert_int_equal(waiting(), 0);
	owner_sends(1);
	comes(&c, "0");
	finish(&c);
}

/* At QoS 0 what is sent is done with; without a subscription nothing comes. */
static void
hub_brings_them_once(void **state)
{
	struct mqtt_event ev;
	struct client c;

	(void)state;
	assert_int_equal(connect_hub(&c, "d1"), 0);
	subscribe(&c, 0);
	owner_sends(2);
	assert_int_equal(comes(&c, "0"), 0);
	comes(&c, "1");
	assert_int_equal(waiting(), 0);
	mqtt_say(&c.mqtt, MQTT_DISCONNECT, 0);
	assert_true(is_over(&c));
	finish(&c);
	assert_int_equal(
	    connect_as(&c, "d1", (struct mqtt_connect){ .keep_alive = 60, .clean = 1 }, emu->now.wall + 3600),
	    0);
	owner_sends(1);
	assert_int_equal(next(&c, &ev), 0);
	assert_int_equal(waiting(), 1);
	finish(&c);
}

static void
hub_keeps_one(void **state)
{
	struct client old, new;
	struct mqtt_event ev;

	(void)state;
	assert_int_equal(connect_hub(&old, "d1"), 0);
	assert_int_equal(connect_hub(&new, "d1"), 1);
	assert_true(is_over(&old));
	publish(&new, "devices/d1/messages/events/", "still here", 1, 0);
	assert_int_equal(next(&new, &ev), MQTT_PUBACK);
	finish(&old);
	finish(&new);
}

static void
hub_watches_time(void **state)
{
	struct client c;

	(void)state;
	connect_as(&c, "d1", (struct mqtt_connect){ .keep_alive = 0 }, emu->now.wall + 60);
	assert_false(is_over(&c));
	emu_pass(emu, 59000);
	assert_false(is_over(&c));
	emu_pass(emu, 1000000);
	assert_true(is_over(&c));
	assert_true(emu_logged(emu, "its token has expired"));
	finish(&c);

	connect_as(&c, "d1", (struct mqtt_connect){ .keep_alive = 0 }, emu->now.wall + 100000);
	emu_pass(emu, 1760000);
	assert_false(is_over(&c));
	emu_pass(emu, 10000);
	assert_true(is_over(&c));
	finish(&c);

	begin(&c);
	assert_false(is_over(&c));
	emu_pass(emu, 29000);
	assert_false(is_over(&c));
	emu_pass(emu, 2000);
	assert_true(is_over(&c));
	finish(&c);
}

static void
hub_drops_the_disabled(void **state)
{
	struct client c;

	(void)state;
	assert_int_equal(connect_hub(&c, "d1"), 0);
	emu_device(emu, HUB, "d1", "{\"deviceId\":\"d1\",\"generationId\":\"1\",\"status\":\"disabled\"}");
	assert_true(is_over(&c));
	finish(&c);
}

static void
hub_has_a_will(void **state)
{
	struct mqtt_connect k = {
		.keep_alive = 60, .will_topic = text("devices/d1/messages/events/a=b"), .will_qos = 1
	};
	struct client c;
	json_t *events;

	(void)state;
	k.will_body = text("gone");
	connect_as(&c, "d1", k, emu->now.wall + 3600);
	mqtt_say(&c.mqtt, MQTT_DISCONNECT, 0);
	assert_true(is_over(&c));
	finish(&c);
	assert_int_equal(stored(), 0);

	connect_as(&c, "d1", k, emu->now.wall + 3600);
	finish(&c);
	emu_turn(emu);
	emu_turn(emu);
	events = emu_events(emu);
	assert_int_equal(json_array_size(events), 1);
	assert_string_equal(js_str(json_array_get(events, 0), "body", ""), "gone");
	assert_string_equal(
	    js_str(js_get(json_array_get(events, 0), "properties"), "iothub-MessageType", ""), "Will");
	json_decref(events);
}

/* A full disk acknowledges nothing, and the connection of whoever waits is cut. Later all is well again. */
static void
full_disk(void **state)
{
	struct rlimit before, full = { .rlim_cur = 4096 };
	struct mqtt_event ev;
	struct client c;
	char *big = malloc(100001);

	(void)state;
	memset(big, 'x', 100000);
	big[100000] = '\0';
	assert_int_equal(connect_hub(&c, "d1"), 0);
	assert_int_equal(next(&c, &ev), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	full.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &full);
	publish(&c, "devices/d1/messages/events/", big, 1, 0);
	assert_int_equal(next(&c, &ev), MQTT_CLOSED);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(stored(), 0);
	finish(&c);
	assert_int_equal(connect_hub(&c, "d1"), 1);
	publish(&c, "devices/d1/messages/events/", big, 1, 0);
	assert_int_equal(next(&c, &ev), MQTT_PUBACK);
	assert_int_equal(stored(), 1);
	finish(&c);
	free(big);
}

static int
connect_dps(struct client *c, const char *id, const char *scope)
{
	char resource[100];
	struct dps_who who = { 0 };
	struct mqtt_event ev;

	str_fmt(who.scope, sizeof(who.scope), "%s", scope);
	str_fmt(who.id, sizeof(who.id), "%s", id);
	snprintf(resource, sizeof(resource), "%s/registrations/%s", scope, id);
	who.token = token(resource, emu->now.wall + 3600);
	begin(c);
	assert_int_equal(dps_mqtt_put_who(&c->mqtt, &who, 60), 0);
	assert_int_equal(next(c, &ev), MQTT_CONNACK);
	dps_who_fini(&who);
	return ev.connack.code;
}

/* Says a request at QoS 1: PUBACK comes first, the reply behind it. */
static void
ask_dps(struct client *c, const struct dps_request *q, const char *id, struct dps_reply *reply)
{
	struct hf_error err = { 0 };
	struct mqtt_event ev;

	assert_int_equal(dps_mqtt_put_request(&c->mqtt, q, id), 0);
	assert_int_equal(next(c, &ev), MQTT_PUBACK);
	assert_int_equal(next(c, &ev), MQTT_PUBLISH);
	assert_int_equal(ev.publish.qos, 1);
	assert_int_equal(dps_mqtt_get_reply(&ev.publish, reply, &err), 0);
	assert_string_equal(reply->rid, q->rid);
}

static void
dps_registers(void **state)
{
	struct dps_request q = { .op = DPS_REGISTER, .rid = "7" };
	struct dps_reply reply;
	struct mqtt_event ev;
	struct client c;

	(void)state;
	assert_int_equal(connect_dps(&c, "r1", emu->e.conf.scope), 0);
	assert_true(mqtt_subscribe(&c.mqtt, DPS_MQTT_FILTER, 2) > 0);
	assert_int_equal(next(&c, &ev), MQTT_SUBACK);
	assert_int_equal(ev.suback.code[0], 1);
	ask_dps(&c, &q, "r1", &reply);
	assert_int_equal(reply.status, 202);
	assert_string_equal(reply.state, "assigning");
	assert_int_equal(reply.retry_after, 3);
	q.op = DPS_POLL;
	strcpy(q.rid, "abc");
	strcpy(q.operation, reply.operation);
	dps_reply_fini(&reply);
	emu_pass(emu, 3000);
	ask_dps(&c, &q, "r1", &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.state, "assigned");
	assert_string_equal(reply.device, "r1");
	assert_true(emu_logged(emu, "assigned to hub"));
	dps_reply_fini(&reply);

	publish(&c, "$dps/registrations/PUT/iotdps-register/?$rid=9", "{nonsense", 0, 0);
	assert_int_equal(next(&c, &ev), MQTT_PUBLISH);
	assert_int_equal(dps_mqtt_get_reply(&ev.publish, &reply, &(struct hf_error){ 0 }), 0);
	assert_int_equal(reply.status, 400);
	assert_string_equal(reply.rid, "9");
	dps_reply_fini(&reply);
	mqtt_say(&c.mqtt, MQTT_DISCONNECT, 0);
	assert_true(is_over(&c));
	finish(&c);
}

static void
dps_refuses(void **state)
{
	static const char reg[] = "$dps/registrations/PUT/iotdps-register/?$rid=1";
	static const struct {
		const char *topic;
		int qos, retain;
	} bad[] = { { reg, 2, 0 }, { reg, 1, 1 }, { "$dps/registrations/PUT/other/?$rid=1", 1, 0 } };
	struct dps_request q = { .op = DPS_REGISTER, .rid = "7" };
	struct dps_reply reply;
	struct mqtt_event ev;
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(connect_dps(&c, "r1", emu->e.conf.scope), 0);
		publish(&c, bad[i].topic, "{}", bad[i].qos, bad[i].retain);
		assert_true(is_over(&c));
		finish(&c);
	}
	assert_int_equal(connect_dps(&c, "r1", emu->e.conf.scope), 0);
	mqtt_subscribe(&c.mqtt, "#", 1);
	assert_true(is_over(&c));
	finish(&c);

	assert_int_equal(connect_dps(&c, "r2", emu->e.conf.scope), 0);
	mqtt_subscribe(&c.mqtt, DPS_MQTT_FILTER, 1);
	assert_int_equal(next(&c, &ev), MQTT_SUBACK);
	ask_dps(&c, &q, "r2", &reply);
	assert_int_equal(reply.status / 100, 4);
	assert_true(emu_logged(emu, "register refused with 4"));
	dps_reply_fini(&reply);
	finish(&c);

	begin(&c);
	assert_int_equal(mqtt_say_connect(&c.mqtt, &(struct mqtt_connect){ .client_id = text("r1"),
						       .user = text("0ne1/registrations/r1/api-version=x"),
						       .clean = 1 }),
	    0);
	assert_int_equal(next(&c, &ev), MQTT_CONNACK);
	assert_int_equal(ev.connack.code, 4);
	assert_true(is_over(&c));
	finish(&c);
}

/* Over TLS, in pieces of one odd size after the other. */
static void
pieces(void **state)
{
	static const size_t sizes[] = { 1, 3, 17, 1000 };
	struct hf_error err = { 0 };
	STACK_OF(X509) *chain = sk_X509_new_null();
	EVP_PKEY *key = make_key();
	X509 *cert = make_cert(&(struct cert_wish){ "d1", 0, -1, 0, INT32_MAX }, key, NULL, NULL);
	struct tls_conf *tls;
	struct client c;
	struct dial to;

	(void)state;
	emu->plain = 0;
	sk_X509_push(chain, cert);
	assert_int_equal(tls_conf_client(&tls, emu->trust, chain, key, &err), 0);
	to = road(tls);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *password = token(HUB "/devices/d1", emu->now.wall + 3600);
		struct mqtt_event ev;

		emu->chunk = sizes[i];
		memset(&c, 0, sizeof(c));
		mqtt_init(&c.mqtt, 0, 1 << 20);
		c.pump.engine = &c.mqtt.engine;
		assert_int_equal(emu->net.open(&emu->net, &c.pump.stream, &to, NULL, &err), 0);
		mqtt_say_connect(&c.mqtt, &(struct mqtt_connect){ .client_id = text("d1"),
					      .user = text(HUB "/d1/?api-version=2021-04-12"),
					      .password = text(password),
					      .keep_alive = 60 });
		assert_int_equal(next(&c, &ev), MQTT_CONNACK);
		assert_int_equal(ev.connack.code, 0);
		assert_int_equal(X509_cmp(sk_X509_value(tls_peer(emu->e.sessions->stream), 0), cert), 0);
		publish(&c, "devices/d1/messages/events/", "piece by piece", 1, 0);
		assert_int_equal(next(&c, &ev), MQTT_PUBACK);
		assert_int_equal(stored(), i + 1);
		finish(&c);
		free(password);
	}
	tls_conf_free(tls);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
}

/* Registers by a certificate, over TLS. The status; *resumed: was it with an earlier session? */
static int
register_by(struct tls_conf *tls, int *resumed)
{
	struct dps_request q = { .op = DPS_REGISTER, .rid = "7" };
	struct dps_who who = { .id = "d1" };
	struct hf_error err = { 0 };
	struct dial to = road(tls);
	struct dps_reply reply;
	struct mqtt_event ev;
	struct client c = { 0 };
	int status;

	str_fmt(who.scope, sizeof(who.scope), "%s", emu->e.conf.scope);
	mqtt_init(&c.mqtt, 0, 1 << 20);
	c.pump.engine = &c.mqtt.engine;
	assert_int_equal(emu->net.open(&emu->net, &c.pump.stream, &to, NULL, &err), 0);
	assert_int_equal(dps_mqtt_put_who(&c.mqtt, &who, 60), 0);
	assert_int_equal(next(&c, &ev), MQTT_CONNACK);
	assert_int_equal(ev.connack.code, 0);
	*resumed = tls_resumed(emu->e.sessions->stream);
	assert_int_equal(sk_X509_num(tls_peer(emu->e.sessions->stream)), 1);
	mqtt_subscribe(&c.mqtt, DPS_MQTT_FILTER, 1);
	assert_int_equal(next(&c, &ev), MQTT_SUBACK);
	ask_dps(&c, &q, "d1", &reply);
	status = reply.status;
	dps_reply_fini(&reply);
	finish(&c);
	return status;
}

static int
enroll_ca(X509 *ca)
{
	char *pem = make_pem(ca), *text;
	json_t *group = json_pack("{s:s, s:{s:s, s:{s:{s:{s:s}}}}}", "enrollmentGroupId", "g1", "attestation",
	    "type", "x509", "x509", "signingCertificates", "primary", "certificate", pem);
	int r;

	text = json_dumps(group, 0);
	r = emu_enroll(emu, 1, "g1", text);
	json_decref(group);
	free(text);
	free(pem);
	return r;
}

/* A session that is resumed says who was there at first; whether that is still enough is asked each time. */
static void
resumed_and_judged_anew(void **state)
{
	int64_t now = emu->now.wall;
	struct hf_error err = { 0 };
	STACK_OF(X509) *chain = sk_X509_new_null();
	EVP_PKEY *key = make_key(), *ca_key = make_key();
	X509 *ca = make_cert(&(struct cert_wish){ "CA", 1, -1, now - 60, now + 90000 }, ca_key, NULL, NULL);
	struct tls_conf *tls;
	int resumed;

	(void)state;
	emu->plain = 0;
	sk_X509_push(
	    chain, make_cert(&(struct cert_wish){ "d1", 0, -1, now - 60, now + 7200 }, key, ca, ca_key));
	assert_int_equal(enroll_ca(ca), 0);
	assert_int_equal(tls_conf_client(&tls, emu->trust, chain, key, &err), 0);
	assert_int_equal(register_by(tls, &resumed), 202);
	assert_false(resumed);
	emu_pass(emu, 3600 * 1000);
	assert_int_equal(register_by(tls, &resumed), 202);
	assert_true(resumed);
	emu_pass(emu, 3601 * 1000);
	assert_int_equal(register_by(tls, &resumed), 401);
	assert_true(resumed);
	tls_conf_free(tls);
	sk_X509_pop_free(chain, X509_free);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
}

/* Sends text to the HTTPS side and gives back all that came until nothing moved. */
static char *
talk_http(const char *request, int *open)
{
	struct hf_error err = { 0 };
	struct stream *s;
	struct buf in = { 0 };
	size_t sent = 0, n = strlen(request);
	char *answer;
	ssize_t r;
	int i;

	assert_int_equal(
	    emu->net.open(&emu->net, &s, &(struct dial){ "localhost", 443, NULL, NULL }, NULL, &err), 0);
	for (i = 0, *open = 1; i < 10000 && *open; i++) {
		if (sent < n && (r = stream_write(s, request + sent, n - sent)) > 0)
			sent += (size_t)r;
		if ((r = stream_read(s, buf_room(&in, 4096), 4096)) > 0)
			buf_add(&in, (size_t)r);
		*open = r != 0 && r != STREAM_ERR;
		if (emu_turn(emu) == 0 && sent == n && r < 0)
			break;
	}
	stream_close(s);
	answer = strdup(buf_str(&in));
	buf_free(&in);
	return answer;
}

static void
https(void **state)
{
	char *answer;
	int open;

	(void)state;
	emu->chunk = 7;
	answer =
	    talk_http("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
		      "PUT /0ne1/registrations/r1/register?api-version=2021-06-01 HTTP/1.1\r\nHost: x\r\n"
		      "Content-Length: 5\r\n\r\n{bad}",
		&open);
	assert_true(open);
	assert_ptr_equal(strstr(answer, "HTTP/1.1 4"), answer);
	assert_non_null(strstr(answer, "HTTP/1.1 400"));
	assert_non_null(strstr(answer, "x-ms-error-code: 400004"));
	free(answer);
	answer = talk_http("GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &open);
	assert_false(open);
	free(answer);
	answer = talk_http("nonsense\r\n\r\n", &open);
	assert_ptr_equal(strstr(answer, "HTTP/1.1 400"), answer);
	for (int i = 0; i < 3; i++)
		emu_turn(emu);
	assert_null(emu->e.sessions);
	free(answer);
}

#define OFFER "GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1\r\nHost: x\r\n"
#define WISH  "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define KEYED "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void
websockets_that_are_none(void **state)
{
	static const struct {
		const char *request;
		int status;
	} bad[] = {
		{ "GET /other HTTP/1.1\r\nHost: x\r\n" WISH KEYED "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
		    404 },
		{ "GET /$iothub/websocket/ HTTP/1.1\r\nHost: x\r\n" WISH KEYED "\r\n", 404 },
		{ "POST /$iothub/websocket HTTP/1.1\r\nHost: x\r\n" WISH KEYED "\r\n", 405 },
		{ OFFER "\r\n", 426 },
		{ OFFER "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEYED "\r\n", 426 },
		{ OFFER "Upgrade: websocket\r\n" KEYED "Sec-WebSocket-Protocol: mqtt\r\n\r\n", 426 },
		{ OFFER WISH
		    "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		    426 },
		{ OFFER WISH "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426 },
		{ OFFER WISH "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", 400 },
		{ OFFER WISH
		    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
		    400 },
		{ OFFER WISH KEYED "Sec-WebSocket-Protocol: soap, mqtt5\r\n\r\n", 400 },
		{ OFFER WISH KEYED "\r\n", 400 },
	};
	char line[40], *answer;
	int open;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "HTTP/1.1 %d ", bad[i].status);
		answer = talk_http(bad[i].request, &open);
		assert_ptr_equal(strstr(answer, line), answer);
		if (bad[i].status == 426)
			assert_non_null(strstr(answer, "\r\nSec-WebSocket-Version: 13\r\n"));
		assert_true(open);
		free(answer);
	}
	assert_true(emu_logged(emu, "a WebSocket is refused with 400"));
}

/* What is offered is echoed to the letter, answers to requests before it come first, and what came behind is read. */
static void
websockets_that_are(void **state)
{
	static const char ask[] =
	    "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" OFFER WISH KEYED
	    "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	    "Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol: x,MqTT, mqtt\r\n\r\n"
	    "\x89\x81"
	    "0000"
	    "Q\x82\x82"
	    "0000"
	    "\xf0\x30";
	char *answer, *upgrade;
	int open;

	(void)state;
	for (size_t chunk = 0; chunk < 3; chunk++) {
		emu->chunk = chunk;
		answer = talk_http(ask, &open);
		upgrade = strstr(answer, "HTTP/1.1 101 ");
		assert_ptr_equal(strstr(answer, "HTTP/1.1 4"), answer);
		assert_non_null(upgrade);
		assert_non_null(strstr(upgrade, "\r\nSec-WebSocket-Protocol: MqTT\r\n"));
		assert_non_null(
		    strstr(upgrade, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
		assert_null(strstr(upgrade, "Extensions"));
		assert_non_null(strstr(upgrade, "\r\n\r\n\x8a\x01"
						"a"));
		free(answer);
	}
	assert_true(emu_logged(emu, "a connection over MQTT in a WebSocket: "));
}

/* A loop that looks at it again at once would do nothing else. */
static void
rests_while_the_peer_takes_nothing(void **state)
{
	static const char request[] = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
	struct hf_error err = { 0 };
	struct stream *s;
	uint8_t byte;
	int i;

	(void)state;
	emu->cap = sizeof(request);
	assert_int_equal(
	    emu->net.open(&emu->net, &s, &(struct dial){ "localhost", 443, NULL, NULL }, NULL, &err), 0);
	assert_int_equal(stream_write(s, request, sizeof(request) - 1), sizeof(request) - 1);
	for (i = 0; i < 10 && emu_turn(emu); i++)
		continue;
	assert_true(i < 10);
	assert_null(emu->e.ready);
	assert_int_equal(stream_read(s, &byte, 1), 1);
	assert_int_equal(emu_turn(emu), 1);
	assert_int_equal(emu_turn(emu), 0);
	stream_close(s);
}

/* The same of one that is to end once its last words have gone. */
static void
rests_while_the_refused_takes_nothing(void **state)
{
	struct mqtt_connect k = {
		.keep_alive = 60, .client_id = text("d1"), .user = text(HUB "/d1/?api-version=2021-04-12")
	};
	struct client c;
	int i;

	(void)state;
	emu->cap = 3;
	begin(&c);
	assert_int_equal(mqtt_say_connect(&c.mqtt, &k), 0);
	for (i = 0; i < 1000 && buf_size(&c.mqtt.engine.out) > 0; i++) {
		ssize_t n =
		    stream_write(c.pump.stream, buf_data(&c.mqtt.engine.out), buf_size(&c.mqtt.engine.out));

		buf_eat(&c.mqtt.engine.out, n > 0 ? (size_t)n : 0);
		emu_turn(emu);
	}
	for (i = 0; i < 10 && emu_turn(emu); i++)
		continue;
	assert_true(emu_logged(emu, "the hub refused d1"));
	assert_true(i < 10);
	assert_non_null(emu->e.sessions);
	assert_null(emu->e.ready);
	finish(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WS(name)                                                                                        \
	{                                                                                                    \
#name " in a WebSocket", name, setup_ws, teardown, NULL                                      \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(hub_tells_and_acks), TEST(hub_refuses), TEST(hub_closes),
		TEST(hub_remembers), TEST(hub_brings_messages), TEST(hub_brings_them_again),
		TEST(hub_brings_them_once), TEST(hub_keeps_one), TEST(hub_watches_time),
		TEST(hub_drops_the_disabled), TEST(hub_has_a_will), TEST(full_disk), TEST(dps_registers),
		TEST(dps_refuses), TEST(pieces), TEST(resumed_and_judged_anew), TEST(https),
		TEST_WS(hub_tells_and_acks), TEST_WS(hub_refuses), TEST_WS(hub_watches_time),
		TEST_WS(hub_has_a_will), TEST_WS(hub_brings_them_again), TEST_WS(full_disk),
		TEST_WS(dps_registers), TEST_WS(dps_refuses), TEST_WS(pieces),
		TEST_WS(resumed_and_judged_anew), TEST(websockets_that_are_none), TEST(websockets_that_are),
		TEST(rests_while_the_peer_takes_nothing), TEST(rests_while_the_refused_takes_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
