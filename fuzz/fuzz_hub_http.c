/* The first byte says what the rest is: A what a hub answers, else a request of a device. What is understood is said again, and understood
 * alike. */
#include <stdlib.h>
#include <string.h>
#include "msg/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int fine)
{
	if (!fine)
		abort();
}

static int
weigh(void *ctx, const struct hub_event *v)
{
	struct buf *items = ctx;

	must(hub_event_size(v) >= v->len);
	return hub_http_put_item(items, v);
}

static void
hear_message(const struct http_message *m)
{
	struct hub_c2d c, again;
	struct hf_error e = { 0 };
	struct http hub, device;
	struct http_event ev;
	struct buf *out = &hub.engine.out;

	if (hub_http_get_c2d(m, &c, &e) < 0)
		return;
	must(http_init(&hub, 1, 1 << 20) == 0 && http_init(&device, 0, 1 << 20) == 0);
	must(hub_http_put_receive(&device, &(struct hub_who){ .host = "h", .device = "d" }) == 0);
	must(hub.engine.ops->in(&hub.engine, buf_data(&device.engine.out), buf_size(&device.engine.out)) > 0);
	must(http_next(&hub, &ev) == 1);
	if (hub_http_put_c2d(&hub, &c) == 0) {
		while (buf_size(out) > 0) {
			ssize_t n = device.engine.ops->in(&device.engine, buf_data(out), buf_size(out));

			must(n > 0);
			buf_eat(out, (size_t)n);
		}
		must(http_next(&device, &ev) == 1);
		must(hub_http_get_c2d(&ev.message, &again, &e) == 0);
		must(strcmp(again.lock, c.lock) == 0 && again.message.len == c.message.len);
		hub_c2d_fini(&again);
	}
	http_fini(&hub);
	http_fini(&device);
	hub_c2d_fini(&c);
}

static void
hear_answer(const uint8_t *p, size_t n)
{
	struct hf_error e = { 0 };
	struct http_event ev;
	struct http h;

	must(http_init(&h, 0, 1 << 20) == 0);
	must(hub_http_put_receive(&h, &(struct hub_who){ .host = "h", .device = "d" }) == 0);
	if (h.engine.ops->in(&h.engine, p, n) > 0 && http_next(&h, &ev) == 1 && ev.what == HTTP_MESSAGE) {
		if (ev.message.status == 200)
			hear_message(&ev.message);
		else
			must(hub_http_get_refusal(&ev.message, &e) < 0 && e.text[0] != '\0');
	}
	http_fini(&h);
}

static void
say_again(const struct hub_who *who, const struct hub_http_request *q, const struct http_message *m)
{
	struct buf items = { 0 };
	struct hf_error e = { 0 };
	struct hub_event v;
	struct http h;

	must(http_init(&h, 0, 1 << 20) == 0);
	if (q->op == HUB_HTTP_SETTLE)
		(void)hub_http_put_settle(&h, who, q->lock, q->answer);
	if (q->op == HUB_HTTP_BATCH && hub_http_get_batch(m, weigh, &items, &e) == 0)
		(void)hub_http_put_batch(&h, who, &items);
	if (q->op == HUB_HTTP_EVENT && hub_http_get_event(m, &v, &e) == 0) {
		if (hub_http_in_headers(&v))
			(void)hub_http_put_event(&h, who, &v);
		(void)hub_http_in_batch(&v);
		hub_event_fini(&v);
	}
	buf_free(&items);
	http_fini(&h);
}

static void
hear_request(const uint8_t *p, size_t n)
{
	struct hub_http_request q;
	struct hf_error e = { 0 };
	struct http_event ev;
	struct hub_who who;
	struct http h;

	must(http_init(&h, 1, 1 << 20) == 0);
	if (h.engine.ops->in(&h.engine, p, n) > 0 && http_next(&h, &ev) == 1 && ev.what == HTTP_MESSAGE) {
		if (hub_http_get_request(&ev.message, &who, &q, &e) == 0) {
			say_again(&who, &q, &ev.message);
			must(hub_http_put_done(&h) == 0);
		} else
			must(hub_http_put_refusal(&h, 400004, e.text, "t") == 0);
		hub_who_fini(&who);
	}
	http_fini(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (p[0] == 'A')
		hear_answer(p + 1, n - 1);
	else
		hear_request(p + 1, n - 1);
	return 0;
}
