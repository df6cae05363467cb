/* A device's side of a hub over HTTPS, and a hub in the other chair that answers as each test wants; the clock is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/json.h"
#include "base/str.h"
#include "hub/way.h"

#define POLL_MS INT64_C(1500000)
#define DEVICE	"lamp"

static struct world {
	size_t chunk;
	struct hub_who who;
	struct hub_way *way;
	struct http hub;
	int64_t now, at, poll_at;
	size_t alone;
	/* of the request that is to be answered */
	char method[16], target[300], token[100], match[80], type[80];
	struct buf body;
	/* the last event of the way */
	struct hub_way_event ev;
} w;

static void
open_way(void)
{
	struct hub_way_settings s = {
		.who = &w.who, .poll_ms = POLL_MS, .poll_at = &w.poll_at, .alone = &w.alone
	};

	assert_int_equal(hub_way_http(&w.way, &s), 0);
	assert_int_equal(http_init(&w.hub, 1, 1 << 20), 0);
}

static void
begin(size_t chunk)
{
	memset(&w, 0, sizeof(w));
	w.chunk = chunk;
	w.now = 1000;
	(void)str_fmt(w.who.host, sizeof(w.who.host), "hub.example");
	(void)str_fmt(w.who.device, sizeof(w.who.device), DEVICE);
	assert_int_equal(str_set(&w.who.token, "SharedAccessSignature one"), 0);
	open_way();
	assert_true(w.way->asks && w.way->idle && w.way->answers && w.way->locks);
}

static void
hang_up(void)
{
	w.way->ops->bye(w.way);
	w.way->ops->free(w.way);
	http_fini(&w.hub);
}

static void
end(void)
{
	hang_up();
	hub_who_fini(&w.who);
	hub_c2d_fini(&w.ev.c2d);
	buf_free(&w.body);
}

static void
carry(struct engine *from, struct engine *to)
{
	size_t n;

	while ((n = buf_size(&from->out)) > 0) {
		if (w.chunk != 0 && n > w.chunk)
			n = w.chunk;
		n = (size_t)to->ops->in(to, buf_data(&from->out), n);
		if ((ssize_t)n <= 0)
			return;
		buf_eat(&from->out, n);
	}
}

static int
flush(void)
{
	return w.way->ops->flush(w.way, w.now, &w.at);
}

static void
note(char *dst, size_t n, const char *s)
{
	(void)str_fmt(dst, n, "%s", s != NULL ? s : "");
}

/* What the way asks now. 1: something. */
static int
asked(void)
{
	struct http_event in;
	int rc;

	assert_true(flush() >= 0);
	do
		carry(w.way->engine, &w.hub.engine);
	while ((rc = http_next(&w.hub, &in)) == 0 && buf_size(&w.way->engine->out) > 0);
	if (rc != 1 || in.what != HTTP_MESSAGE)
		return 0;
	note(w.method, sizeof(w.method), in.message.method);
	note(w.target, sizeof(w.target), in.message.target);
	note(w.token, sizeof(w.token), http_header(&in.message, "Authorization"));
	note(w.match, sizeof(w.match), http_header(&in.message, "If-Match"));
	note(w.type, sizeof(w.type), http_header(&in.message, "Content-Type"));
	buf_clear(&w.body);
	assert_int_equal(buf_put(&w.body, in.message.body, in.message.len), 0);
	return 1;
}

static void
expect(const char *method, const char *path)
{
	assert_int_equal(asked(), 1);
	assert_string_equal(w.method, method);
	assert_non_null(strstr(w.target, path));
}

static void
expect_batch(size_t n)
{
	struct hf_error e = { 0 };
	json_t *list;

	expect("POST", "/devices/lamp/messages/events?api-version=");
	assert_string_equal(w.type, "application/vnd.microsoft.iothub.json");
	list = js_parse(buf_data(&w.body), buf_size(&w.body), "batch", &e);
	assert_int_equal(json_array_size(list), n);
	json_decref(list);
}

static void
expect_one(const char *body)
{
	expect("POST", "/devices/lamp/messages/events?api-version=");
	assert_string_equal(w.type, "application/octet-stream");
	assert_string_equal(buf_str(&w.body), body);
}

static void
answer_with(struct http_message m, const char *name, const char *value)
{
	if (name != NULL)
		m.header[m.header_count++] = (struct http_header){ name, value };
	assert_int_equal(http_say(&w.hub, &m), 0);
	carry(&w.hub.engine, w.way->engine);
}

static void
answer(int status)
{
	answer_with((struct http_message){ .status = status }, NULL, NULL);
}

static void
refuse(int service)
{
	assert_int_equal(http_say(&w.hub, &(struct http_message){ .status = 100 }), HF_ERR_ARGS);
	assert_int_equal(hub_http_put_refusal(&w.hub, service, "because", "t-1"), 0);
	carry(&w.hub.engine, w.way->engine);
}

static void
close_hub(void)
{
	assert_int_equal(w.way->engine->ops->in(w.way->engine, NULL, 0), 0);
}

static int
next(void)
{
	hub_c2d_fini(&w.ev.c2d);
	memset(&w.ev, 0, sizeof(w.ev));
	return w.way->ops->next(w.way, &w.ev);
}

/* That the hub has let us in may come before it, or behind it. */
static void
told(enum hub_way_what what)
{
	assert_int_equal(next(), 1);
	if (w.ev.what == HUB_WAY_OPENED && what != HUB_WAY_OPENED)
		assert_int_equal(next(), 1);
	assert_int_equal(w.ev.what, what);
}

static void
told_id(enum hub_way_what what, uint16_t id)
{
	told(what);
	assert_int_equal(w.ev.id, id);
}

static void
silent(void)
{
	assert_int_equal(next(), 0);
}

static void
says(const char *words)
{
	if (strstr(w.ev.err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", w.ev.err.text, words);
}

static void
send(const struct hub_event *v, uint16_t id)
{
	assert_int_equal(w.way->ops->send(w.way, v, id, 0), 1);
	assert_false(w.way->idle);
}

static struct hub_event
event(const char *body)
{
	return (struct hub_event){ .body = body, .len = strlen(body) };
}

static const size_t chunks[] = { 0, 1, 7, 1000 };
#define EACH_CHUNK(i) for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)

static void
one_goes_alone_and_what_is_sent_meanwhile_together(void **state)
{
	struct hub_event a = event("a"), b = event("b"), c = event("c");

	(void)state;
	EACH_CHUNK(i)
	{
		begin(chunks[i]);
		assert_int_equal(asked(), 0);
		assert_true(w.at == NEVER);
		send(&a, 1);
		expect_one("a");
		assert_string_equal(w.token, "SharedAccessSignature one");
		assert_true(w.at == w.now + 60000);
		send(&b, 2);
		send(&c, 3);
		assert_int_equal(asked(), 0);
		answer(204);
		told(HUB_WAY_OPENED);
		told_id(HUB_WAY_SENT, 1);
		silent();
		expect_batch(2);
		answer(204);
		told_id(HUB_WAY_SENT, 2);
		assert_false(w.way->idle);
		told_id(HUB_WAY_SENT, 3);
		assert_true(w.way->idle);
		silent();
		assert_int_equal(asked(), 0);
		close_hub();
		told(HUB_WAY_LOST);
		assert_int_equal(w.ev.err.code, 0);
		end();
	}
}

/* What has system properties goes in headers, and so by itself. */
static void
a_batch_ends_where_headers_are_needed(void **state)
{
	struct hub_event a = event("a"), b = event("b"), named = event("named"), big = { 0 };
	char *bulk = calloc(1, 120000);

	(void)state;
	begin(0);
	named.message_id = (char *)"id-7";
	big.body = bulk;
	big.len = 120000;
	send(&a, 1);
	send(&b, 2);
	send(&named, 3);
	send(&big, 4);
	send(&big, 5);
	expect_batch(2);
	answer(204);
	told(HUB_WAY_OPENED);
	told_id(HUB_WAY_SENT, 1);
	told_id(HUB_WAY_SENT, 2);
	expect_one("named");
	answer(204);
	told_id(HUB_WAY_SENT, 3);
	expect("POST", "events"); /* two of these do not fit together */
	assert_int_equal(buf_size(&w.body), 120000);
	answer(204);
	told_id(HUB_WAY_SENT, 4);
	expect("POST", "events");
	answer(204);
	told_id(HUB_WAY_SENT, 5);
	end();
	free(bulk);
}

static void
what_neither_can_carry_is_never_sent(void **state)
{
	struct hub_property p = { (char *)"name", (char *)"two\nlines" };
	struct hub_event both = event("x"), only_batch = event("y");

	(void)state;
	begin(0);
	both.message_id = (char *)"id";
	both.property = only_batch.property = &p;
	both.property_count = only_batch.property_count = 1;
	send(&both, 1);
	send(&only_batch, 2);
	assert_int_equal(flush(), 1);
	told_id(HUB_WAY_UNSENT, 1);
	assert_int_equal(w.ev.err.code, HF_ERR_UNSUPPORTED);
	says("cannot be said over HTTPS");
	expect_batch(1);
	answer(204);
	told(HUB_WAY_OPENED);
	told_id(HUB_WAY_SENT, 2);
	end();
}

/* Which of them it is that the hub does not take, it only says of each by itself. */
static void
a_refused_batch_is_said_again_one_by_one(void **state)
{
	static const int service[] = { 400004, 413001 };
	struct hub_event a = event("a"), b = event("b"), c = event("c"), d = event("d");

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(chunks[i]);
		send(&a, 1);
		send(&b, 2);
		send(&c, 3);
		expect_batch(3);
		send(&d, 4);
		refuse(service[i]);
		silent();
		expect_one("a");
		answer(204);
		told(HUB_WAY_OPENED);
		told_id(HUB_WAY_SENT, 1);
		expect_one("b");
		refuse(service[i]);
		told_id(HUB_WAY_UNSENT, 2);
		assert_int_equal(w.ev.err.code, HF_ERR_SERVICE);
		assert_int_equal(w.ev.err.status, service[i] / 1000);
		assert_int_equal(w.ev.err.service, service[i]);
		says("hub hub.example does not take the message");
		says("because");
		expect_one("c");
		answer(204);
		told_id(HUB_WAY_SENT, 3);
		assert_int_equal(w.alone, 0);
		expect_one("d");
		answer(204);
		told_id(HUB_WAY_SENT, 4);
		end();
	}
}

/* The hub ends the line with its refusal: on the next one it is remembered. */
static void
one_by_one_on_the_next_line_too(void **state)
{
	struct hub_event a = event("a"), b = event("b");

	(void)state;
	begin(0);
	send(&a, 1);
	send(&b, 2);
	expect_batch(2);
	answer_with((struct http_message){ .status = 413 }, "Connection", "close");
	told(HUB_WAY_LOST);
	assert_int_equal(w.ev.err.code, 0);
	assert_true(w.way->idle);
	hang_up();
	open_way();
	send(&a, 1);
	send(&b, 2);
	expect_one("a");
	answer(204);
	told(HUB_WAY_OPENED);
	told_id(HUB_WAY_SENT, 1);
	expect_one("b");
	end();
}

static void
not_us(void **state)
{
	static const int service[] = { 401002, 404001, 403012 };
	struct hub_event a = event("a");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(chunks[i]);
		send(&a, 1);
		expect_one("a");
		refuse(service[i]);
		told(HUB_WAY_REFUSED);
		assert_int_equal(w.ev.err.code, HF_ERR_AUTH);
		assert_int_equal(w.ev.err.status, service[i] / 1000);
		assert_int_equal(w.ev.err.service, service[i]);
		assert_string_equal(w.ev.err.tracking, "t-1");
		says("refused device lamp");
		end();
	}
}

static void
not_now(void **state)
{
	static const int status[] = { 403, 408, 429, 500, 503 };
	struct hub_event a = event("a");

	(void)state;
	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		begin(0);
		send(&a, 1);
		expect_one("a");
		answer_with((struct http_message){ .status = status[i] }, "Retry-After", "17");
		told(HUB_WAY_LOST);
		assert_int_equal(w.ev.err.code, HF_ERR_NET);
		assert_int_equal(w.ev.err.status, status[i]);
		assert_int_equal(w.ev.err.retry_after, 17);
		says("cannot answer now");
		end();
	}
}

static void
bring(const char *body, int64_t sequence, const char *lock)
{
	struct hub_c2d c = { .message = event(body), .sequence = sequence };

	(void)str_fmt(c.lock, sizeof(c.lock), "%s", lock);
	assert_int_equal(hub_http_put_c2d(&w.hub, &c), 0);
	carry(&w.hub.engine, w.way->engine);
}

static void
polls_when_it_is_time(void **state)
{
	(void)state;
	EACH_CHUNK(i)
	{
		begin(chunks[i]);
		assert_int_equal(w.way->ops->receive(w.way, HUB_ANY), 0);
		expect("GET", "/devices/lamp/messages/devicebound?");
		answer(204);
		told(HUB_WAY_OPENED);
		silent();
		assert_true(w.way->idle);
		assert_int_equal(asked(), 0);
		assert_true(w.at == 1000 + POLL_MS);
		w.now = w.at - 1;
		assert_int_equal(asked(), 0);
		w.now++;
		expect("GET", "devicebound");
		bring("one", 7, "lock-7");
		told(HUB_WAY_C2D);
		assert_int_equal(w.ev.delivery, 7);
		assert_string_equal(w.ev.c2d.lock, "lock-7");
		assert_int_equal(w.ev.c2d.message.len, 3);
		expect("GET", "devicebound"); /* where there was one, there may be another */
		answer(204);
		silent();
		assert_int_equal(asked(), 0);
		end();
	}
}

/* A later line goes on where this one ended. */
static void
polls_no_more_often_over_lines_that_end(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(w.way->ops->receive(w.way, HUB_ANY), 0);
	expect("GET", "devicebound");
	answer(204);
	told(HUB_WAY_OPENED);
	hang_up();
	open_way();
	assert_int_equal(w.way->ops->receive(w.way, HUB_ANY), 0);
	assert_int_equal(asked(), 0);
	assert_true(w.at == 1000 + POLL_MS);
	end();
}

static void
asks_for_no_more_than_is_wanted(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(w.way->ops->receive(w.way, 2), 0);
	expect("GET", "devicebound");
	bring("one", 1, "l1");
	told(HUB_WAY_C2D);
	expect("GET", "devicebound");
	bring("two", 2, "l2");
	told(HUB_WAY_C2D);
	assert_int_equal(asked(), 0);
	assert_true(w.at == NEVER);
	assert_true(w.way->idle);
	assert_int_equal(w.way->ops->receive(w.way, 1), 0);
	expect("GET", "devicebound");
	end();
}

static void
settle(uint64_t delivery, const char *lock, enum hub_answer how)
{
	struct hub_c2d c = { .sequence = (int64_t)delivery };

	(void)str_fmt(c.lock, sizeof(c.lock), "%s", lock);
	assert_int_equal(w.way->ops->settle(w.way, delivery, &c, how), 0);
	assert_false(w.way->idle);
}

/* Answers go first; each by itself. */
static void
settles(void **state)
{
	struct hub_event a = event("a");

	(void)state;
	begin(0);
	send(&a, 1);
	settle(5, "l5", HUB_COMPLETE);
	settle(6, "l6", HUB_ABANDON);
	settle(7, "l7", HUB_REJECT);
	expect("DELETE", "/devices/lamp/messages/devicebound/l5?api");
	assert_string_equal(w.match, "l5");
	answer(204);
	told(HUB_WAY_SETTLED);
	assert_int_equal(w.ev.delivery, 5);
	assert_int_equal(w.ev.err.code, 0);
	expect("POST", "/devices/lamp/messages/devicebound/l6/abandon?api");
	answer(204);
	told(HUB_WAY_SETTLED);
	expect("DELETE", "/devices/lamp/messages/devicebound/l7?reject");
	answer(204);
	told(HUB_WAY_SETTLED);
	assert_int_equal(w.ev.delivery, 7);
	expect_one("a");
	end();
}

/* 412: the lock is lost. That is one answer's affair, and the line's not. */
static void
settles_too_late(void **state)
{
	(void)state;
	begin(0);
	settle(5, "l5", HUB_COMPLETE);
	settle(6, "l6", HUB_COMPLETE);
	expect("DELETE", "l5");
	refuse(412002);
	told(HUB_WAY_SETTLED);
	assert_int_equal(w.ev.delivery, 5);
	assert_int_equal(w.ev.err.code, HF_ERR_SERVICE);
	assert_int_equal(w.ev.err.service, 412002);
	says("delivered again");
	expect("DELETE", "l6");
	answer_with((struct http_message){ .status = 429 }, "Retry-After", "3");
	told(HUB_WAY_LOST);
	assert_int_equal(w.ev.err.retry_after, 3);
	end();
}

static void
settling_tells_that_it_is_not_us(void **state)
{
	(void)state;
	begin(0);
	settle(5, "l5", HUB_COMPLETE);
	expect("DELETE", "l5");
	refuse(401002);
	told(HUB_WAY_REFUSED);
	end();
}

static void
a_message_without_a_lock_ends_the_line(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(w.way->ops->receive(w.way, HUB_ANY), 0);
	expect("GET", "devicebound");
	answer_with((struct http_message){ .status = 200, .body = "x", .len = 1 }, NULL, NULL);
	told(HUB_WAY_LOST);
	assert_int_equal(w.ev.err.code, HF_ERR_PROTOCOL);
	says("no ETag");
	end();
}

/* It is rejected, and nobody is told. */
static void
a_message_that_cannot_be_read(void **state)
{
	static const int answers[] = { 204, 412 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct http_message m = { .status = 200,
			.body = "x",
			.len = 1,
			.header_count = 1,
			.header = { { "iothub-app-word", "\xff\xfe" } } };

		begin(0);
		assert_int_equal(w.way->ops->receive(w.way, 1), 0);
		expect("GET", "devicebound");
		answer_with(m, "ETag", "\"l9\"");
		told(HUB_WAY_OPENED);
		silent();
		assert_false(w.way->idle);
		expect("DELETE", "/devicebound/l9?reject");
		answer(answers[i]);
		silent();
		expect("GET", "devicebound"); /* one is still wanted */
		end();
	}
}

static void
no_answer_in_a_minute(void **state)
{
	struct hub_event a = event("a");

	(void)state;
	begin(0);
	send(&a, 1);
	expect_one("a");
	w.now += 59999;
	assert_int_equal(flush(), 0);
	w.now++;
	assert_int_equal(flush(), HF_ERR_TIMEOUT);
	assert_non_null(strstr(w.way->engine->err.text, "did not answer for 60 s"));
	end();
}

static void
each_request_carries_the_token_of_its_time(void **state)
{
	struct hub_event a = event("a");

	(void)state;
	begin(0);
	send(&a, 1);
	expect_one("a");
	assert_int_equal(str_set(&w.who.token, "SharedAccessSignature two"), 0);
	assert_int_equal(w.way->ops->renew(w.way), 0);
	answer(204);
	told(HUB_WAY_OPENED);
	told_id(HUB_WAY_SENT, 1);
	assert_int_equal(asked(), 0); /* nothing is said for its sake */
	send(&a, 2);
	expect_one("a");
	assert_string_equal(w.token, "SharedAccessSignature two");
	end();
}

/* A proxy or a gateway may end the line behind each answer. What waits is said on the next line, and nothing is wrong. */
static void
connection_close(void **state)
{
	struct hub_event a = event("a"), b = event("b");

	(void)state;
	for (int eof = 0; eof < 2; eof++) {
		begin(0);
		send(&a, 1);
		expect_one("a");
		send(&b, 2);
		answer_with((struct http_message){ .status = 204 }, "Connection", "close");
		if (eof)
			close_hub();
		told(HUB_WAY_OPENED);
		told_id(HUB_WAY_SENT, 1);
		assert_int_equal(flush(), 0); /* nothing is said on it any more */
		told(HUB_WAY_LOST);
		assert_int_equal(w.ev.err.code, 0);
		assert_true(w.way->idle);
		end();
	}
}

/* The hub answers before it has heard all: the rest has not left yet when more is to be said. */
static void
an_early_answer(void **state)
{
	char *bulk = calloc(1, HUB_MAX_EVENT);
	struct hub_event big = { .body = bulk, .len = HUB_MAX_EVENT - 200 }, a = event("a");
	static const char gone[] = "HTTP/1.1 204 No Content\r\n\r\n";
	struct hub_property p = { (char *)"k", bulk + 1 };
	char value[8000];

	(void)state;
	begin(0);
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	p.value = value;
	big.property = &p;
	big.property_count = 1;
	big.message_id = (char *)"1";
	send(&big, 1);
	send(&a, 2);
	assert_int_equal(flush(), 1);
	assert_true(buf_size(&w.way->engine->out) > ENGINE_HIGH);
	assert_int_equal(w.way->engine->ops->in(w.way->engine, gone, sizeof(gone) - 1), sizeof(gone) - 1);
	told(HUB_WAY_OPENED);
	told_id(HUB_WAY_SENT, 1);
	assert_int_equal(flush(), 0);
	silent();
	buf_clear(&w.way->engine->out);
	assert_int_equal(flush(), 1);
	end();
	free(bulk);
}

static void
closed_without_an_answer(void **state)
{
	struct hub_event a = event("a");

	(void)state;
	begin(0);
	send(&a, 1);
	expect_one("a");
	close_hub();
	told(HUB_WAY_LOST);
	assert_int_equal(w.ev.err.code, 0);
	assert_false(w.way->idle);
	end();
}

static void
noise(void **state)
{
	static const char *const bytes[] = { "220 mail ESMTP\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" };
	struct hub_event a = event("a");

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		begin(0);
		send(&a, 1);
		expect_one("a");
		(void)w.way->engine->ops->in(w.way->engine, bytes[i], strlen(bytes[i]));
		assert_int_equal(next(), HF_ERR_PROTOCOL);
		assert_true(w.way->engine->err.text[0] != '\0');
		end();
	}
	begin(0);
	(void)w.way->engine->ops->in(w.way->engine, "HTTP/1.1 200 OK\r\n\r\n", 19);
	assert_int_equal(next(), HF_ERR_PROTOCOL);
	end();
	begin(0);
	send(&a, 1);
	expect_one("a");
	(void)w.way->engine->ops->in(w.way->engine, "HTTP/1.1 204 No", 15);
	close_hub();
	assert_int_equal(next(), HF_ERR_NET);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_goes_alone_and_what_is_sent_meanwhile_together),
		cmocka_unit_test(a_batch_ends_where_headers_are_needed),
		cmocka_unit_test(what_neither_can_carry_is_never_sent),
		cmocka_unit_test(a_refused_batch_is_said_again_one_by_one),
		cmocka_unit_test(one_by_one_on_the_next_line_too),
		cmocka_unit_test(not_us),
		cmocka_unit_test(not_now),
		cmocka_unit_test(polls_when_it_is_time),
		cmocka_unit_test(polls_no_more_often_over_lines_that_end),
		cmocka_unit_test(asks_for_no_more_than_is_wanted),
		cmocka_unit_test(settles),
		cmocka_unit_test(settles_too_late),
		cmocka_unit_test(settling_tells_that_it_is_not_us),
		cmocka_unit_test(a_message_without_a_lock_ends_the_line),
		cmocka_unit_test(a_message_that_cannot_be_read),
		cmocka_unit_test(no_answer_in_a_minute),
		cmocka_unit_test(each_request_carries_the_token_of_its_time),
		cmocka_unit_test(connection_close),
		cmocka_unit_test(an_early_answer),
		cmocka_unit_test(closed_without_an_answer),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
