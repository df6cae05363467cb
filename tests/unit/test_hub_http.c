#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "msg/hub.h"

struct line {
	struct http device, hub;
	struct hub_who who;
	struct hf_error e;
};

static int
setup(void **state)
{
	struct line *l = calloc(1, sizeof(*l));

	*state = l;
	if (l == NULL || http_init(&l->device, 0, 300000) < 0 || http_init(&l->hub, 1, 300000) < 0)
		return -1;
	strcpy(l->who.host, "hub.example");
	strcpy(l->who.device, "d 1");
	strcpy(l->who.agent, "holdfast/9");
	return str_set(&l->who.token, "SharedAccessSignature sr=x");
}

static int
teardown(void **state)
{
	struct line *l = *state;

	http_fini(&l->device);
	http_fini(&l->hub);
	hub_who_fini(&l->who);
	free(l);
	return 0;
}

/* Hands over what one end says, a byte at a time, and takes the message. */
static void
carry(struct http *from, struct http *to, struct http_event *ev)
{
	struct buf *out = &from->engine.out;
	int rc = 0;

	while (rc == 0 && buf_size(out) > 0) {
		assert_int_equal(to->engine.ops->in(&to->engine, buf_data(out), 1), 1);
		buf_eat(out, 1);
		rc = http_next(to, ev);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(ev->what, HTTP_MESSAGE);
}

static void
ask(struct line *l, struct http_event *ev, enum hub_http_op op, struct hub_http_request *q)
{
	struct hub_who who;

	carry(&l->device, &l->hub, ev);
	assert_true(hub_http_is(ev->message.target));
	assert_int_equal(hub_http_get_request(&ev->message, &who, q, &l->e), 0);
	assert_int_equal(q->op, op);
	assert_string_equal(who.host, "hub.example");
	assert_string_equal(who.device, "d 1");
	assert_string_equal(who.api, HUB_API);
	assert_string_equal(who.token, l->who.token);
	hub_who_fini(&who);
}

static void
an_event_travels_in_headers(void **state)
{
	struct hub_event v = { .body = "hello", .len = 5 }, got;
	struct line *l = *state;
	struct hub_http_request q;
	struct http_event ev;

	assert_int_equal(hub_event_add(&v, "colour", "dark blue"), 0);
	assert_int_equal(hub_event_add(&v, "none", ""), 0);
	assert_int_equal(str_set(&v.message_id, "m-1"), 0);
	assert_int_equal(str_set(&v.content_type, "text/plain; charset=utf-8"), 0);
	assert_true(hub_http_in_headers(&v));
	assert_false(hub_http_in_batch(&v));
	assert_int_equal(hub_http_put_event(&l->device, &l->who, &v), 0);
	ask(l, &ev, HUB_HTTP_EVENT, &q);
	assert_string_equal(ev.message.method, "POST");
	assert_string_equal(ev.message.target, "/devices/d%201/messages/events?api-version=" HUB_API);
	assert_string_equal(http_header(&ev.message, "iothub-app-colour"), "dark blue");
	assert_int_equal(hub_http_get_event(&ev.message, &got, &l->e), 0);
	assert_memory_equal(got.body, "hello", 5);
	assert_int_equal(got.property_count, 2);
	assert_string_equal(got.property[0].key, "colour");
	assert_string_equal(got.property[1].value, "");
	assert_string_equal(got.message_id, "m-1");
	assert_string_equal(got.content_type, "text/plain; charset=utf-8");
	assert_string_equal(got.to, "/devices/d 1/messages/events");
	hub_event_fini(&got);
	assert_int_equal(hub_http_put_done(&l->hub), 0);
	carry(&l->hub, &l->device, &ev);
	assert_int_equal(ev.message.status, 204);
	hub_event_fini(&v);
}

static void
headers_have_limits(void **state)
{
	static const char *const bad[][2] = { { "a b", "x" }, { "a:", "x" }, { "\xc3\xbc", "x" },
		{ "a", "\xc3\xbc" }, { "a", " x" }, { "a", "x " }, { "a", "x\ny" } };
	struct hub_event v = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hub_event_add(&v, bad[i][0], bad[i][1]), 0);
		assert_false(hub_http_in_headers(&v));
		assert_true(hub_http_in_batch(&v));
		hub_event_fini(&v);
	}
	assert_int_equal(str_set(&v.correlation_id, "\xc3\xbc"), 0);
	assert_false(hub_http_in_headers(&v));
	hub_event_fini(&v);
	for (int i = 0; i < 100; i++)
		assert_int_equal(hub_event_add(&v, "a", "b"), 0);
	assert_false(hub_http_in_headers(&v));
	hub_event_fini(&v);
}

static int
take(void *ctx, const struct hub_event *v)
{
	struct buf *b = ctx;

	assert_int_equal(buf_put(b, v->body, v->len), 0);
	for (size_t i = 0; i < v->property_count; i++)
		assert_int_equal(buf_fmt(b, "[%s=%s]", v->property[i].key, v->property[i].value), 0);
	return buf_putc(b, '|');
}

static void
a_batch_is_json(void **state)
{
	struct hub_event one = { .body = "\x01\xff", .len = 2 }, two = { .body = "", .len = 0 };
	struct line *l = *state;
	struct buf items = { 0 }, story = { 0 };
	struct hub_http_request q;
	struct http_event ev;

	assert_int_equal(hub_event_add(&two, "\xc3\xbc \"", "\xe2\x82\xac"), 0);
	assert_int_equal(hub_http_put_item(&items, &one), 0);
	assert_int_equal(hub_http_put_item(&items, &two), 0);
	assert_int_equal(hub_http_put_batch(&l->device, &l->who, &items), 0);
	ask(l, &ev, HUB_HTTP_BATCH, &q);
	assert_string_equal(
	    http_header(&ev.message, "content-type"), "application/vnd.microsoft.iothub.json");
	assert_int_equal(hub_http_get_batch(&ev.message, take, &story, &l->e), 0);
	assert_string_equal(buf_str(&story), "\x01\xff|[\xc3\xbc \"=\xe2\x82\xac]|");
	hub_event_fini(&two);
	buf_free(&items);
	buf_free(&story);
}

/* As the SDKs for C and for Node write them; and what is none. */
static void
batches_of_others(void **state)
{
	static const char *const bad[] = { "", "{}", "[]", "[1]", "[{}]", "[{\"body\":1}]",
		"[{\"body\":\"!\"}]", "[{\"body\":\"\",\"properties\":[]}]",
		"[{\"body\":\"\",\"properties\":{\"iothub-app-a\":1}}]", "[{\"body\":\"YQ==\"}" };
	struct http_message m = { 0 };
	struct line *l = *state;
	struct buf story = { 0 };

	m.body =
	    "[{\"body\":\"plain\",\"base64Encoded\":false,\"properties\":{\"iothub-app-a\":\"1\",\"other\":\"2\"}},"
	    "{\"body\":\"YQ==\"}]";
	m.len = strlen(m.body);
	assert_int_equal(hub_http_get_batch(&m, take, &story, &l->e), 0);
	assert_string_equal(buf_str(&story), "plain[a=1]|a|");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&l->e);
		m.body = bad[i];
		m.len = strlen(bad[i]);
		assert_int_equal(hub_http_get_batch(&m, take, &story, &l->e), HF_ERR_PROTOCOL);
		assert_true(l->e.text[0] != '\0');
	}
	buf_free(&story);
}

static void
a_message_comes_down(void **state)
{
	struct hub_c2d c = { .message = { .body = "open", .len = 4 },
		.ack = "full",
		.lock = "9f0-1",
		.sequence = 77,
		.enqueued_ms = 1800000000000,
		.deliveries = 2 },
		       got;
	struct line *l = *state;
	struct hub_http_request q;
	struct http_event ev;

	assert_int_equal(str_set(&c.message.message_id, "m"), 0);
	assert_int_equal(str_set(&c.message.content_type, "text/plain"), 0);
	assert_int_equal(hub_event_add(&c.message, "valve", "3"), 0);
	assert_int_equal(hub_event_add(&c.message, "no header", "is left out"), 0);
	assert_int_equal(hub_http_put_receive(&l->device, &l->who), 0);
	ask(l, &ev, HUB_HTTP_RECEIVE, &q);
	assert_int_equal(hub_http_put_c2d(&l->hub, &c), 0);
	carry(&l->hub, &l->device, &ev);
	assert_string_equal(http_header(&ev.message, "ETag"), "\"9f0-1\"");
	assert_int_equal(hub_http_get_c2d(&ev.message, &got, &l->e), 0);
	assert_memory_equal(got.message.body, "open", 4);
	assert_string_equal(got.lock, "9f0-1");
	assert_string_equal(got.ack, "full");
	assert_string_equal(got.message.message_id, "m");
	assert_string_equal(got.message.content_type, "text/plain");
	assert_int_equal(got.message.property_count, 1);
	assert_string_equal(got.message.property[0].value, "3");
	assert_int_equal(got.sequence, 77);
	assert_int_equal(got.deliveries, 2);
	assert_true(got.enqueued_ms == c.enqueued_ms);
	hub_c2d_fini(&got);
	hub_c2d_fini(&c);
}

static void
a_message_without_a_name_is_none(void **state)
{
	struct http_message m = { .status = 200, .body = "x", .len = 1 };
	struct line *l = *state;
	struct hub_c2d c;

	assert_int_equal(hub_http_get_c2d(&m, &c, &l->e), HF_ERR_PROTOCOL);
	m.header[m.header_count++] = (struct http_header){ "ETag", "bare" };
	m.header[m.header_count++] = (struct http_header){ "ContentEncoding", "utf-8" };
	m.header[m.header_count++] = (struct http_header){ "iothub-enqueuedtime", "yesterday" };
	err_clear(&l->e);
	assert_int_equal(hub_http_get_c2d(&m, &c, &l->e), 0);
	assert_string_equal(c.lock, "bare");
	assert_string_equal(c.message.content_encoding, "utf-8");
	assert_int_equal(c.enqueued_ms, 0);
	hub_c2d_fini(&c);
}

static void
answers_to_a_message(void **state)
{
	struct line *l = *state;
	struct hub_http_request q;
	struct http_event ev;

	for (enum hub_answer how = HUB_COMPLETE; how <= HUB_REJECT; how++) {
		assert_int_equal(hub_http_put_settle(&l->device, &l->who, "a/b", how), 0);
		ask(l, &ev, HUB_HTTP_SETTLE, &q);
		assert_int_equal(q.answer, how);
		assert_string_equal(q.lock, "a/b");
		assert_int_equal(hub_http_put_done(&l->hub), 0);
		carry(&l->hub, &l->device, &ev);
	}
}

static void
a_refusal_has_its_code(void **state)
{
	struct line *l = *state;
	struct hub_http_request q;
	struct http_event ev;

	assert_int_equal(hub_http_put_receive(&l->device, &l->who), 0);
	ask(l, &ev, HUB_HTTP_RECEIVE, &q);
	assert_int_equal(hub_http_put_refusal(&l->hub, 404001, "no \"d\" here", "t-1"), 0);
	carry(&l->hub, &l->device, &ev);
	assert_int_equal(ev.message.status, 404);
	assert_string_equal(http_header(&ev.message, "iothub-errorcode"), "DeviceNotFound");
	hub_http_get_refusal(&ev.message, &l->e);
	assert_int_equal(l->e.code, HF_ERR_AUTH);
	assert_int_equal(l->e.status, 404);
	assert_int_equal(l->e.service, 404001);
	assert_string_equal(l->e.tracking, "t-1");
	assert_string_equal(l->e.text, "status 404: no \"d\" here");
}

/* A gateway between us and the hub speaks no JSON. */
static void
a_refusal_of_anybody(void **state)
{
	struct http_message m = { .status = 503, .body = "<html>", .len = 6 };
	struct line *l = *state;

	m.header[m.header_count++] = (struct http_header){ "Retry-After", "17" };
	hub_http_get_refusal(&m, &l->e);
	assert_int_equal(l->e.code, HF_ERR_SERVICE);
	assert_int_equal(l->e.retry_after, 17);
	assert_string_equal(l->e.text, "status 503");
}

static void
other_requests_are_none(void **state)
{
	static const char *const bad[][2] = { { "GET", "/devices/d/messages/events?api-version=2021-04-12" },
		{ "PUT", "/devices/d/messages/events?api-version=2021-04-12" },
		{ "POST", "/devices/d/messages/events" },
		{ "POST", "/devices/d/messages/events?api-version=new" },
		{ "POST", "/devices//messages/events?api-version=2021-04-12" },
		{ "POST", "/devices/d/messages/events/x?api-version=2021-04-12" },
		{ "POST", "/devices/d/messages/devicebound?api-version=2021-04-12" },
		{ "POST", "/devices/d/messages/devicebound/l/abandoned?api-version=2021-04-12" },
		{ "GET", "/devices/d/messages/devicebound/l?api-version=2021-04-12" },
		{ "DELETE", "/devices/d/messages/devicebound?api-version=2021-04-12" },
		{ "DELETE", "/devices/d/messages/devicebound/%?api-version=2021-04-12" },
		{ "POST", "/devices/d/files?api-version=2021-04-12" } };
	struct line *l = *state;
	struct hub_http_request q;
	struct hub_who who;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct http_message m = { .method = bad[i][0], .target = bad[i][1] };

		m.header[m.header_count++] = (struct http_header){ "Host", "h" };
		err_clear(&l->e);
		assert_int_equal(hub_http_get_request(&m, &who, &q, &l->e), HF_ERR_PROTOCOL);
		hub_who_fini(&who);
	}
	assert_false(hub_http_is("/devices"));
	assert_false(hub_http_is("/0ne1/registrations/d"));
	assert_true(hub_http_is("/devices/d/modules/m/messages/events"));
}

#define LINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { LINE(an_event_travels_in_headers), LINE(headers_have_limits),
		LINE(a_batch_is_json), LINE(batches_of_others), LINE(a_message_comes_down),
		LINE(a_message_without_a_name_is_none), LINE(answers_to_a_message),
		LINE(a_refusal_has_its_code), LINE(a_refusal_of_anybody), LINE(other_requests_are_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
