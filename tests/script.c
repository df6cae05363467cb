#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/str.h"
#include "http/parse.h"
#include "script.h"

static void
hang_up(struct script *s)
{
	if (s->up) {
		pump_close(&s->pump);
		mqtt_fini(&s->mqtt);
		http_fini(&s->message);
	}
	s->up = 0;
}

static int
open_pair(struct net *net, struct stream **out, const struct dial *to, struct work *work, struct hf_error *e)
{
	struct script *s = (struct script *)net;

	(void)work;
	(void)e;
	assert_string_equal(to->host, DPS_HOST);
	assert_int_equal(to->port, s->http ? 443 : 8883);
	hang_up(s);
	memset(&s->pump, 0, sizeof s->pump);
	assert_int_equal(pair_new(out, &s->pump.stream, 65536, s->chunk), 0);
	mqtt_init(&s->mqtt, 1, 100000);
	assert_int_equal(http_init(&s->message, 1, 100000), 0);
	s->pump.engine = s->http ? &s->message.engine : &s->mqtt.engine;
	s->up = 1;
	s->opened++;
	assert_true(s->opened < SCRIPT_MAX);
	return 0;
}

void
script_init(struct script *s, int http, size_t chunk, struct moment *now, const struct script_line *line,
    size_t count)
{
	memset(s, 0, sizeof *s);
	s->net.open = open_pair;
	s->http = http;
	s->chunk = chunk;
	s->now = now;
	s->line = line;
	s->count = count;
}

void
script_fini(struct script *s)
{
	hang_up(s);
}

static void
fill(struct dps_reply *p, const struct script_line *line, const struct dps_request *q)
{
	memset(p, 0, sizeof *p);
	p->status = line->status;
	p->retry_after = line->retry_after;
	strcpy(p->tracking, "11111111-2222-3333-4444-555555555555");
	(void)str_fmt(p->rid, sizeof p->rid, "%s", line->act == STALE ? "999" : q->rid);
	if (line->act == CHALLENGE || (line->state != NULL && strcmp(line->state, "assigned") == 0))
		assert_int_equal(str_set(&p->tpm_key, "YmxvYg=="), 0);
	if (line->state == NULL) {
		p->code = line->status * 1000 + 1;
		strcpy(p->message, "Not now.");
		return;
	}
	(void)str_fmt(p->state, sizeof p->state, "%s", line->state);
	p->attestation = "tpm";
	strcpy(p->operation, "4.op");
	strcpy(p->id, "press-3");
	strcpy(p->hub, "127.0.0.2");
	strcpy(p->device, "press-3");
}

static void
say_page(struct script *s, int status)
{
	struct http_message m = { .status = status, .body = "<html>Bad Gateway</html>", .len = 24 };

	assert_int_equal(http_say(&s->message, &m), 0);
}

static void
say(struct script *s, const struct script_line *line, const struct dps_request *q)
{
	struct dps_reply p;

	fill(&p, line, q);
	if (line->act == LAST)
		s->message.asked[0] |= HTTP_LAST; /* as if the request had asked for it */
	if (s->http)
		assert_int_equal(dps_http_put_reply(&s->message, &p), 0);
	else
		assert_int_equal(dps_mqtt_put_reply(&s->mqtt, &p, 1), 0);
	dps_reply_fini(&p);
}

static void
act(struct script *s, const struct dps_request *q)
{
	const struct script_line *line = &s->line[s->at];

	assert_true(s->at < s->count);
	s->at++;
	s->asked[s->heard].ms = s->now->ms;
	s->asked[s->heard].op = q->op;
	s->asked[s->heard].opened = s->opened;
	s->asked[s->heard++].token = s->token;
	if (line->act == SILENCE)
		return;
	if (line->act == HANG_UP)
		hang_up(s);
	else if (line->act == NOISE)
		assert_int_equal(buf_put(&s->pump.engine->out, "\xf5\xff\xff noise\r\n\r\n", 13), 0);
	else if (line->act == PAGE)
		say_page(s, line->status);
	else
		say(s, line, q);
}

static void
mqtt_event(struct script *s, const struct mqtt_event *ev)
{
	struct mqtt_suback ack = { .count = 1 };
	struct dps_request q = { 0 };
	struct hf_error e = { 0 };

	if (ev->type == MQTT_CONNECT) {
		s->token = ev->connect.password.p != NULL;
		(void)mqtt_say_connack(&s->mqtt, 0, s->connack[s->opened]);
	} else if (ev->type == MQTT_SUBSCRIBE) {
		ack.id = ev->subscribe.id;
		ack.code[0] = (uint8_t)s->suback[s->opened];
		(void)mqtt_suback(&s->mqtt, &ack);
	} else if (ev->type == MQTT_PUBLISH) {
		assert_int_equal(dps_mqtt_get_request(&ev->publish, &q, &e), 0);
		(void)mqtt_puback(&s->mqtt, ev->publish.id);
		act(s, &q);
		dps_request_fini(&q);
	} else if (ev->type == MQTT_CLOSED || ev->type == MQTT_DISCONNECT)
		hang_up(s);
}

static void
http_event(struct script *s, const struct http_event *ev)
{
	struct dps_request q = { 0 };
	struct dps_who who = { 0 };
	struct hf_error e = { 0 };

	if (ev->what == HTTP_CLOSED) {
		hang_up(s);
		return;
	}
	assert_int_equal(dps_http_get_request(&ev->message, &who, &q, &e), 0);
	s->token = who.token != NULL;
	act(s, &q);
	dps_who_fini(&who);
	dps_request_fini(&q);
}

static int
hear(struct script *s)
{
	struct mqtt_event mqtt;
	struct http_event http;
	int r;

	if (!s->http) {
		if ((r = mqtt_next(&s->mqtt, &mqtt)) == 1)
			mqtt_event(s, &mqtt);
		return r;
	}
	if ((r = http_next(&s->message, &http)) == 1)
		http_event(s, &http);
	return r;
}

int
script_turn(struct script *s)
{
	int moved;

	if (!s->up)
		return 0;
	moved = pump_step(&s->pump, s->now->ms);
	while (s->up && hear(s) == 1)
		moved = 1;
	if (s->up && s->http && s->message.closing && buf_size(&s->message.engine.out) == 0)
		hang_up(s);
	if (s->up && moved < 0)
		hang_up(s);
	return moved > 0;
}
