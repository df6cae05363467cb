#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "http/http.h"

#define HOST  "Host: h\r\n"
#define FIRST "GET /1 HTTP/1.1\r\n" HOST "\r\n"

static ssize_t
in(struct http *h, const void *p, size_t n)
{
	return h->engine.ops->in(&h->engine, p, n);
}

static int64_t
tick(struct http *h, int64_t now)
{
	return h->engine.ops->tick(&h->engine, now);
}

static void
hear(struct http *h, const char *text)
{
	assert_int_equal(in(h, text, strlen(text)), strlen(text));
}

static void
said(struct http *h, const char *text)
{
	assert_string_equal(buf_str(&h->engine.out), text);
	buf_clear(&h->engine.out);
}

static void
answer(struct http *h, int status)
{
	struct http_message m = { .status = status };

	assert_int_equal(http_say(h, &m), 0);
}

static int
ask(struct http *h, const char *method, const char *connection)
{
	struct http_message m = {
		.method = method, .target = "/", .header_count = 1, .header = { { "Host", "h" } }
	};

	if (connection)
		m.header[m.header_count++] = (struct http_header){ "Connection", connection };
	return http_say(h, &m);
}

static void
next_is(struct http *h, const char *target)
{
	struct http_event ev;

	assert_int_equal(http_next(h, &ev), 1);
	assert_int_equal(ev.what, HTTP_MESSAGE);
	assert_string_equal(ev.message.target, target);
}

static void
next_status_is(struct http *h, int status, int keep)
{
	struct http_event ev;

	assert_int_equal(http_next(h, &ev), 1);
	assert_int_equal(ev.what, HTTP_MESSAGE);
	assert_int_equal(ev.message.status, status);
	assert_int_equal(ev.message.keep, keep);
}

static void
nothing_next(struct http *h)
{
	struct http_event ev;

	assert_int_equal(http_next(h, &ev), 0);
}

static void
closed_next(struct http *h)
{
	struct http_event ev;

	assert_int_equal(http_next(h, &ev), 1);
	assert_int_equal(ev.what, HTTP_CLOSED);
	nothing_next(h);
}

static void
fails_next(struct http *h, int code)
{
	struct http_event ev;

	assert_int_equal(http_next(h, &ev), code);
	assert_int_equal(h->engine.err.code, code);
	assert_int_equal(http_next(h, &ev), code);
}

static void
answers_in_order(void **state)
{
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 1, 100), 0);
	nothing_next(&h);
	hear(&h,
	    FIRST "PUT /2 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /3");
	next_is(&h, "/1");
	nothing_next(&h);
	answer(&h, 200);
	next_is(&h, "/2");
	hear(&h, " HTTP/1.1\r\n" HOST "\r\n");
	nothing_next(&h);
	answer(&h, 204);
	next_is(&h, "/3");
	answer(&h, 404);
	nothing_next(&h);
	said(&h, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		 "HTTP/1.1 204 No Content\r\n\r\n"
		 "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(h.closing, 0);
	in(&h, NULL, 0);
	closed_next(&h);
	http_fini(&h);
}

static void
says_only_what_fits_the_moment(void **state)
{
	struct http_message ok = { .status = 200 }, interim = { .status = 102 },
			    bad = { .status = 200, .reason = "\n" };
	struct http_message hostless = { .method = "GET", .target = "/" };
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 1, 100), 0);
	assert_int_equal(http_say(&h, &ok), HF_ERR_STATE);
	hear(&h, FIRST);
	next_is(&h, "/1");
	assert_int_equal(http_say(&h, &hostless), HF_ERR_ARGS);
	assert_int_equal(http_say(&h, &interim), HF_ERR_ARGS);
	assert_int_equal(http_say(&h, &bad), HF_ERR_ARGS);
	assert_int_equal(buf_size(&h.engine.out), 0);
	assert_int_equal(http_say(&h, &ok), 0);
	assert_int_equal(http_say(&h, &ok), HF_ERR_STATE);
	http_fini(&h);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(http_say(&h, &ok), HF_ERR_ARGS);
	assert_int_equal(http_say(&h, &hostless), HF_ERR_ARGS);
	assert_int_equal(buf_size(&h.engine.out), 0);
	for (int i = 0; i < HTTP_PIPE; i++)
		assert_int_equal(ask(&h, "GET", NULL), 0);
	assert_int_equal(ask(&h, "GET", NULL), HF_ERR_STATE);
	http_fini(&h);
}

static void
obeys_the_high_water_mark(void **state)
{
	char *body = calloc(1, ENGINE_HIGH + 1);
	struct http_message big = { .status = 200, .body = body, .len = ENGINE_HIGH + 1 };
	struct http_message ask_big = { .method = "POST",
		.target = "/",
		.header_count = 1,
		.header = { { "Host", "h" } },
		.body = body,
		.len = ENGINE_HIGH + 1 };
	struct http h;

	(void)state;
	assert_non_null(body);
	assert_int_equal(http_init(&h, 1, 100), 0);
	hear(&h, FIRST FIRST);
	next_is(&h, "/1");
	assert_int_equal(http_say(&h, &big), 0);
	nothing_next(&h);
	buf_clear(&h.engine.out);
	next_is(&h, "/1");
	http_fini(&h);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(http_say(&h, &ask_big), 0);
	assert_int_equal(ask(&h, "GET", NULL), HF_ERR_STATE);
	buf_clear(&h.engine.out);
	assert_int_equal(ask(&h, "GET", NULL), 0);
	http_fini(&h);
	free(body);
}

static void
takes_no_more_than_it_can_hold(void **state)
{
	size_t taken = 0, n = 1 << 20;
	char *flood = malloc(n);
	struct http h;

	(void)state;
	assert_non_null(flood);
	memset(flood, 'x', n);
	assert_int_equal(http_init(&h, 1, 100), 0);
	hear(&h, FIRST);
	next_is(&h, "/1");
	for (ssize_t got = 1; got > 0; taken += (size_t)got)
		got = in(&h, flood, n);
	assert_true(taken > 0 && taken <= 65536);
	assert_int_equal(in(&h, flood, 1), 0);
	http_fini(&h);
	free(flood);
}

static void
takes_a_large_body_in_pieces(void **state)
{
	enum { SIZE = 300000 };
	char *body = malloc(SIZE);
	size_t at = 0;
	struct http_event ev;
	struct http h;
	int rc = 0;

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < SIZE; i++)
		body[i] = (char)(i * 7 >> 3);
	assert_int_equal(http_init(&h, 1, SIZE), 0);
	hear(&h, "POST / HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n");
	while (at < SIZE) {
		assert_int_equal(rc, 0);
		at += (size_t)in(&h, body + at, SIZE - at);
		rc = http_next(&h, &ev);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(ev.message.len, SIZE);
	assert_memory_equal(ev.message.body, body, SIZE);
	http_fini(&h);
	free(body);
}

static void
continues_once(void **state)
{
	static const char head[] =
	    "POST /e HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 1, 100), 0);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof head - 1; i++) {
			nothing_next(&h);
			assert_int_equal(in(&h, head + i, 1), 1);
		}
		nothing_next(&h);
		said(&h, "HTTP/1.1 100 Continue\r\n\r\n");
		hear(&h, "{");
		nothing_next(&h);
		hear(&h, "}");
		next_is(&h, "/e");
		answer(&h, 204);
		said(&h, "HTTP/1.1 204 No Content\r\n\r\n");
	}
	hear(&h, head);
	hear(&h, "{}");
	next_is(&h, "/e");
	assert_int_equal(buf_size(&h.engine.out), 0);
	http_fini(&h);

	assert_int_equal(http_init(&h, 1, 1), 0);
	hear(&h, head);
	fails_next(&h, HF_ERR_PROTOCOL);
	said(&h, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	http_fini(&h);
}

static void
refuses_with(const char *request, const char *response)
{
	struct http h;

	assert_int_equal(http_init(&h, 1, 100), 0);
	hear(&h, FIRST);
	hear(&h, request);
	next_is(&h, "/1");
	answer(&h, 204);
	buf_clear(&h.engine.out);
	fails_next(&h, HF_ERR_PROTOCOL);
	said(&h, response);
	assert_int_equal(h.closing, 1);
	hear(&h, FIRST);
	fails_next(&h, HF_ERR_PROTOCOL);
	assert_int_equal(tick(&h, 1 << 30), NEVER);
	http_fini(&h);
}

static void
says_why_it_refuses(void **state)
{
	char large[33000] = "GET / HTTP/1.1\r\nA: ";

	(void)state;
	memset(large + strlen(large), 'x', sizeof large - strlen(large) - 1);
	large[sizeof large - 1] = '\0';
	refuses_with(
	    "GET /\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	refuses_with("GET / HTTP/3.0\r\n\r\n",
	    "HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	refuses_with("PUT / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n",
	    "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	refuses_with(large, "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"
			    "Content-Length: 0\r\n\r\n");
}

static void
closes_when_asked(void **state)
{
	static const char *const requests[] = { "GET /c HTTP/1.0\r\n\r\n",
		"GET /c HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" };
	struct http_message last = {
		.status = 204, .header_count = 1, .header = { { "Connection", "close" } }
	};
	struct http h;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(http_init(&h, 1, 100), 0);
		hear(&h, requests[i]);
		hear(&h, FIRST);
		next_is(&h, "/c");
		assert_int_equal(h.closing, 0);
		answer(&h, 204);
		assert_int_equal(h.closing, 1);
		said(&h, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
		nothing_next(&h);
		in(&h, NULL, 0);
		closed_next(&h);
		http_fini(&h);
	}
	assert_int_equal(http_init(&h, 1, 100), 0);
	hear(&h, FIRST);
	next_is(&h, "/1");
	assert_int_equal(http_say(&h, &last), 0);
	assert_int_equal(h.closing, 1);
	said(&h, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
	http_fini(&h);
}

static void
answers_head_without_a_body(void **state)
{
	struct http_message m = { .status = 200, .body = "abc", .len = 3 };
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 1, 100), 0);
	hear(&h, "HEAD /h HTTP/1.1\r\n" HOST "\r\n");
	next_is(&h, "/h");
	assert_int_equal(http_say(&h, &m), 0);
	said(&h, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
	http_fini(&h);
}

static void
hands_on_what_follows_an_upgrade(void **state)
{
	struct http_message m = { .status = 101,
		.header_count = 2,
		.header = { { "Connection", "Upgrade" }, { "Upgrade", "websocket" } } };
	struct buf rest = { 0 };
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 1, 100), 0);
	hear(&h, "GET /w HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\nfra");
	next_is(&h, "/w");
	hear(&h, "me");
	assert_int_equal(http_say(&h, &m), 0);
	said(&h, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	assert_int_equal(h.closing, 0);
	nothing_next(&h);
	assert_int_equal(buf_puts(&rest, "-"), 0);
	assert_int_equal(http_rest(&h, &rest), 0);
	assert_string_equal(buf_str(&rest), "-frame");
	assert_int_equal(http_rest(&h, &rest), 0);
	assert_int_equal(buf_size(&rest), 6);
	http_fini(&h);
	buf_clear(&rest);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(ask(&h, "GET", "Upgrade"), 0);
	hear(&h, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 no");
	next_status_is(&h, 101, 0);
	nothing_next(&h);
	hear(&h, "pe");
	nothing_next(&h);
	assert_int_equal(http_rest(&h, &rest), 0);
	assert_string_equal(buf_str(&rest), "HTTP/1.1 nope");
	assert_int_equal(ask(&h, "GET", NULL), HF_ERR_STATE);
	http_fini(&h);
	buf_clear(&rest);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(ask(&h, "CONNECT", NULL), 0);
	hear(&h, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x16\x03");
	next_status_is(&h, 200, 0);
	assert_int_equal(http_rest(&h, &rest), 0);
	assert_string_equal(buf_str(&rest), "\x16\x03");
	http_fini(&h);
	buf_free(&rest);
}

static void
asks_and_remembers_what(void **state)
{
	static const char answers[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n"
				      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
				      "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc"
				      "HTTP/1.1 202 Accepted\r\nContent-Length: 1\r\n\r\nx";
	struct http h;

	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		int status = 200;

		assert_int_equal(http_init(&h, 0, 100), 0);
		assert_int_equal(ask(&h, "HEAD", NULL), 0);
		assert_int_equal(ask(&h, "GET", NULL), 0);
		assert_int_equal(ask(&h, "PUT", "close"), 0);
		assert_int_equal(ask(&h, "PUT", NULL), HF_ERR_STATE);
		for (size_t i = 0; i < sizeof answers - 1; i++) {
			struct http_event ev;

			assert_int_equal(in(&h, answers + i, 1), 1);
			if (whole || http_next(&h, &ev) == 0)
				continue;
			assert_int_equal(ev.message.status, status++);
		}
		for (; whole && status < 203; status++)
			next_status_is(&h, status, status < 202);
		assert_int_equal(status, 203);
		nothing_next(&h);
		assert_int_equal(h.closing, 1);
		assert_int_equal(ask(&h, "GET", NULL), HF_ERR_STATE);
		in(&h, NULL, 0);
		closed_next(&h);
		http_fini(&h);
	}
}

static void
reads_to_the_end(void **state)
{
	struct http_event ev;
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(ask(&h, "GET", NULL), 0);
	hear(&h, "HTTP/1.0 200 OK\r\n\r\nall of");
	nothing_next(&h);
	hear(&h, " it");
	nothing_next(&h);
	in(&h, NULL, 0);
	assert_int_equal(http_next(&h, &ev), 1);
	assert_int_equal(ev.message.len, 9);
	assert_memory_equal(ev.message.body, "all of it", 9);
	assert_int_equal(ev.message.keep, 0);
	closed_next(&h);
	http_fini(&h);
}

static void
refuses_bad_servers(void **state)
{
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 0, 100), 0);
	hear(&h, "HTTP/1.1 200 OK\r\n");
	fails_next(&h, HF_ERR_PROTOCOL);
	assert_int_equal(buf_size(&h.engine.out), 0);
	assert_int_equal(in(&h, "x", 1), HF_ERR_PROTOCOL);
	http_fini(&h);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(ask(&h, "GET", NULL), 0);
	buf_clear(&h.engine.out);
	hear(&h, "HTTP/1.1 204 x\r\n\r\nmore");
	next_status_is(&h, 204, 1);
	fails_next(&h, HF_ERR_PROTOCOL);
	http_fini(&h);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(ask(&h, "GET", NULL), 0);
	hear(&h, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab");
	nothing_next(&h);
	in(&h, NULL, 0);
	fails_next(&h, HF_ERR_NET);
	assert_int_equal(ask(&h, "GET", NULL), HF_ERR_STATE);
	http_fini(&h);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(ask(&h, "GET", NULL), 0);
	in(&h, NULL, 0);
	closed_next(&h);
	http_fini(&h);
}

static void
is_patient_within_limits(void **state)
{
	struct http h;

	(void)state;
	assert_int_equal(http_init(&h, 1, 100), 0);
	hear(&h, "GET /t");
	assert_int_equal(tick(&h, 1000000), 1060000);
	hear(&h, " HTTP/1.1\r\n" HOST);
	nothing_next(&h);
	assert_int_equal(tick(&h, 1059999), 1060000);
	hear(&h, "\r\nGET");
	next_is(&h, "/t");
	assert_int_equal(tick(&h, 2000000), NEVER);
	answer(&h, 204);
	buf_clear(&h.engine.out);
	nothing_next(&h);
	assert_int_equal(tick(&h, 2000000), 2060000);
	assert_int_equal(tick(&h, 2060000), NEVER);
	fails_next(&h, HF_ERR_TIMEOUT);
	said(&h, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(h.closing, 1);
	http_fini(&h);

	assert_int_equal(http_init(&h, 1, 100), 0);
	assert_int_equal(tick(&h, 5), 120005);
	hear(&h, FIRST);
	assert_int_equal(tick(&h, 6), 60005);
	next_is(&h, "/1");
	answer(&h, 204);
	buf_clear(&h.engine.out);
	assert_int_equal(tick(&h, 7), 120006);
	assert_int_equal(tick(&h, 120006), NEVER);
	assert_int_equal(h.closing, 1);
	nothing_next(&h);
	assert_int_equal(buf_size(&h.engine.out), 0);
	http_fini(&h);

	assert_int_equal(http_init(&h, 0, 100), 0);
	assert_int_equal(tick(&h, 5), NEVER);
	assert_int_equal(ask(&h, "GET", NULL), 0);
	hear(&h, "HTTP");
	assert_int_equal(tick(&h, 1 << 30), NEVER);
	http_fini(&h);
}

/* A client and a server, each hearing the other in pieces of this size. */
static void
talk(size_t piece)
{
	struct http_message put = { .method = "PUT",
		.target = "/r",
		.header_count = 1,
		.header = { { "Host", "h" } },
		.body = "{\"a\":1}",
		.len = 7 };
	struct http_message ok = { .status = 200, .body = "{\"b\":2}", .len = 7 };
	struct http end[2];
	int heard = 0;

	assert_int_equal(http_init(&end[0], 0, 100), 0);
	assert_int_equal(http_init(&end[1], 1, 100), 0);
	assert_int_equal(http_say(&end[0], &put), 0);
	for (int turn = 0; heard < 3 && turn < 5000; turn++) {
		struct http *to = &end[(turn + 1) % 2];
		struct buf *out = &end[turn % 2].engine.out;
		size_t n = buf_size(out) < piece ? buf_size(out) : piece;
		struct http_event ev;

		if (n > 0)
			buf_eat(out, (size_t)in(to, buf_data(out), n));
		if (http_next(to, &ev) != 1)
			continue;
		assert_int_equal(ev.message.len, 7);
		assert_memory_equal(ev.message.body, to->server ? put.body : ok.body, 7);
		assert_int_equal(http_say(to, to->server ? &ok : &put), 0);
		heard += !to->server;
	}
	assert_int_equal(heard, 3);
	http_fini(&end[0]);
	http_fini(&end[1]);
}

static void
both_ends_understand_each_other(void **state)
{
	(void)state;
	talk(1);
	talk(7);
	talk(SIZE_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_in_order),
		cmocka_unit_test(says_only_what_fits_the_moment),
		cmocka_unit_test(obeys_the_high_water_mark),
		cmocka_unit_test(takes_no_more_than_it_can_hold),
		cmocka_unit_test(takes_a_large_body_in_pieces),
		cmocka_unit_test(continues_once),
		cmocka_unit_test(says_why_it_refuses),
		cmocka_unit_test(closes_when_asked),
		cmocka_unit_test(answers_head_without_a_body),
		cmocka_unit_test(hands_on_what_follows_an_upgrade),
		cmocka_unit_test(asks_and_remembers_what),
		cmocka_unit_test(reads_to_the_end),
		cmocka_unit_test(refuses_bad_servers),
		cmocka_unit_test(is_patient_within_limits),
		cmocka_unit_test(both_ends_understand_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
