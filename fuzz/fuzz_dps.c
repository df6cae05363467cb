/*
 * The first byte says what the rest is: W a username; Q and R an MQTT request or reply, a topic and behind the first line
 * break its body; H and A an HTTP request or answer, method and target (or a status) and behind the first line break the
 * body. What is heard is said again, and what was said must be heard.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "msg/dps.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct mqtt_text
line(struct mqtt_text *rest)
{
	const char *stop = memchr(rest->p, '\n', rest->len);
	struct mqtt_text first = { rest->p, stop == NULL ? rest->len : (size_t)(stop - rest->p) };

	rest->p += stop == NULL ? first.len : first.len + 1;
	rest->len -= stop == NULL ? first.len : first.len + 1;
	return first;
}

static void
who(struct mqtt_text in)
{
	struct mqtt_connect c = { .user = line(&in) };
	struct hf_error e = { 0 };
	struct dps_who w;
	struct mqtt m;

	c.client_id = (struct mqtt_text){ "d", 1 };
	c.password = in;
	if (dps_mqtt_get_who(&c, &w, &e) < 0)
		return;
	mqtt_init(&m, 0, 65536);
	(void)dps_mqtt_put_who(&m, &w, 60);
	mqtt_fini(&m);
	dps_who_fini(&w);
}

/* The packet that was just said. */
static struct mqtt_publish
said(struct mqtt *m)
{
	struct hf_error e = { 0 };
	struct mqtt_event ev;

	if (mqtt_get(buf_data(&m->engine.out), buf_size(&m->engine.out), 1 << 20, &ev, &e) <= 0)
		abort();
	return ev.publish;
}

static void
request(struct mqtt_text in)
{
	struct mqtt_publish p = { .topic = line(&in) };
	struct dps_request q, again;
	struct hf_error e = { 0 };
	struct mqtt m;

	p.body = in.p;
	p.len = in.len;
	if (dps_mqtt_get_request(&p, &q, &e) < 0)
		return;
	mqtt_init(&m, 0, 65536);
	if (dps_mqtt_put_request(&m, &q, q.id) == 0) {
		p = said(&m);
		if (dps_mqtt_get_request(&p, &again, &e) < 0 || again.op != q.op ||
		    strcmp(again.rid, q.rid) != 0 ||
		    (q.op == DPS_POLL && strcmp(again.operation, q.operation) != 0) ||
		    (q.payload == NULL) != (again.payload == NULL))
			abort();
		dps_request_fini(&again);
	}
	mqtt_fini(&m);
	dps_request_fini(&q);
}

static void
reply(struct mqtt_text in)
{
	struct mqtt_publish p = { .topic = line(&in) };
	struct dps_reply r, again;
	struct hf_error e = { 0 };
	struct mqtt m;

	p.body = in.p;
	p.len = in.len;
	if (dps_mqtt_get_reply(&p, &r, &e) < 0)
		return;
	mqtt_init(&m, 1, 65536);
	if (dps_mqtt_put_reply(&m, &r, 1) == 0) {
		p = said(&m);
		if (dps_mqtt_get_reply(&p, &again, &e) < 0 || again.status != r.status ||
		    strcmp(again.state, r.state) != 0)
			abort();
		dps_reply_fini(&again);
	}
	mqtt_fini(&m);
	dps_reply_fini(&r);
}

static void
http_request(struct mqtt_text in)
{
	struct mqtt_text head = line(&in);
	struct http_message m = { .body = in.p, .len = in.len };
	struct dps_request q;
	struct hf_error e = { 0 };
	struct dps_who w;
	struct http h;
	char text[512], method[8], target[512];

	if (str_copy(text, sizeof(text), head.p, head.len) < 0 ||
	    sscanf(text, "%7s %511s", method, target) != 2)
		return;
	m.method = method;
	m.target = target;
	if (dps_http_get_request(&m, &w, &q, &e) < 0)
		return;
	if (!dps_http_is(target) || http_init(&h, 0, 65536) < 0)
		abort();
	(void)dps_http_put_request(&h, &w, &q, "dps.example");
	http_fini(&h);
	dps_request_fini(&q);
	dps_who_fini(&w);
}

static void
answer(const struct dps_reply *r)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_event ev;
	struct http h;

	if (http_init(&h, 1, 65536) < 0 || h.engine.ops->in(&h.engine, get, sizeof(get) - 1) < 0 ||
	    http_next(&h, &ev) != 1)
		abort();
	(void)dps_http_put_reply(&h, r);
	http_fini(&h);
}

static void
http_reply(struct mqtt_text in)
{
	struct mqtt_text head = line(&in);
	struct http_message m = { .body = in.p, .len = in.len, .header_count = 3 };
	struct hf_error e = { 0 };
	struct dps_reply r;

	m.status = head.len > 0 && head.p[0] > '2' ? 401 : 200;
	m.header[0] = (struct http_header){ "x-ms-error-code", "401002" };
	m.header[1] = (struct http_header){ "x-ms-request-id", "t-1" };
	m.header[2] = (struct http_header){ "Retry-After", "3" };
	if (dps_http_get_reply(&m, &r, &e) < 0)
		return;
	answer(&r);
	dps_reply_fini(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct mqtt_text in = { (const char *)p + 1, n - 1 };

	if (n == 0)
		return 0;
	if (p[0] == 'W')
		who(in);
	if (p[0] == 'Q')
		request(in);
	if (p[0] == 'R')
		reply(in);
	if (p[0] == 'H')
		http_request(in);
	if (p[0] == 'A')
		http_reply(in);
	return 0;
}
