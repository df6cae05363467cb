/*
 * What a hub and a device say in AMQP: the first byte says as what the rest is read. What was read is put again, and must read the same.
 */
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

static void
same(struct hub_event *a, struct hub_event *b)
{
	must(a->len == b->len && (a->len == 0 || memcmp(a->body, b->body, a->len) == 0));
	must(a->property_count == b->property_count);
	for (size_t i = 0; i < a->property_count; i++)
		must(strcmp(a->property[i].key, b->property[i].key) == 0 &&
		     strcmp(a->property[i].value, b->property[i].value) == 0);
	for (size_t i = 0; i < HUB_SYSTEM; i++)
		must(*hub_event_system(a, i) == NULL ||
		     strcmp(*hub_event_system(a, i), *hub_event_system(b, i)) == 0);
}

static void
event(const uint8_t *p, size_t n)
{
	struct hub_who who = { .device = "d" };
	struct hub_event v, again;
	struct buf b = { 0 }, body = { 0 }, other = { 0 };
	struct hf_error err = { 0 };

	if (hub_amqp_get_event(p, n, &v, &body, &err) == 0) {
		must(hub_amqp_put_event(&b, &who, &v) == 0);
		must(hub_amqp_get_event(buf_data(&b), buf_size(&b), &again, &other, &err) == 0);
		same(&v, &again);
		hub_event_fini(&again);
		hub_event_fini(&v);
	} else
		must(err.code != 0);
	buf_free(&b);
	buf_free(&body);
	buf_free(&other);
}

static void
c2d(const uint8_t *p, size_t n)
{
	struct hub_c2d c, again;
	struct buf b = { 0 }, body = { 0 }, other = { 0 };
	struct hf_error err = { 0 };

	if (hub_amqp_get_c2d(p, n, &c, &body, &err) == 0) {
		must(hub_amqp_put_c2d(&b, &c) == 0);
		must(hub_amqp_get_c2d(buf_data(&b), buf_size(&b), &again, &other, &err) == 0);
		same(&c.message, &again.message);
		must(strcmp(c.ack, again.ack) == 0 && c.sequence == again.sequence &&
		     c.enqueued_ms == again.enqueued_ms && c.deliveries == again.deliveries);
		hub_c2d_fini(&again);
		hub_c2d_fini(&c);
	}
	buf_free(&b);
	buf_free(&body);
	buf_free(&other);
}

static int
count(void *ctx, const struct hub_event *v)
{
	*(size_t *)ctx += v->len;
	return 0;
}

static void
batch(const uint8_t *p, size_t n)
{
	struct hf_error err = { 0 };
	size_t bytes = 0;

	(void)hub_amqp_get_batch(p, n, count, &bytes, &err);
	must(bytes <= n);
}

static void
texts(const uint8_t *p, size_t n)
{
	char *s = malloc(n + 1), back[HUB_AMQP_ADDRESS];
	struct hf_error err = { 0 };
	struct hub_who who = { 0 }, again = { 0 };
	struct buf b = { 0 };
	int kind;

	must(s != NULL);
	memcpy(s, p, n);
	s[n] = '\0';
	if ((kind = hub_amqp_get_address(s, &who, &err)) > 0 &&
	    hub_amqp_put_address(back, &who, (enum hub_amqp_link)kind) == 0) {
		must(hub_amqp_get_address(back, &again, &err) == kind);
		must(strcmp(who.device, again.device) == 0 && strcmp(who.module, again.module) == 0);
	}
	err_clear(&err);
	(void)hub_amqp_get_to(s, &who, &err);
	err_clear(&err);
	must(hub_amqp_get_error("amqp:not-found", s, "hub", &err) < 0 && err.status >= 400);
	must(hub_amqp_put_error(&b, 404001, "no", "t") != NULL);
	buf_free(&b);
	free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const as[])(const uint8_t *, size_t) = { event, c2d, batch, texts };

	if (n > 0)
		as[p[0] & 3](p + 1, n - 1);
	return 0;
}
