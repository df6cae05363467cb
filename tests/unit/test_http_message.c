#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "http/parse.h"

#define HOST "Host: h\r\n"

struct reader {
	struct http_parse parse;
	struct buf in;
	struct hf_error err;
};

static void
reader_init(struct reader *r, int server)
{
	memset(r, 0, sizeof *r);
	r->parse.server = server;
	r->parse.max_body = 100;
	r->parse.err = &r->err;
}

static void
reader_fini(struct reader *r)
{
	buf_free(&r->parse.head);
	buf_free(&r->parse.body);
	buf_free(&r->in);
}

/* Feeds in pieces until something other than "more" is answered; what was not fed is appended to the inbox afterwards. */
static int
feed(struct reader *r, const void *text, size_t len, size_t piece, int eof)
{
	const char *s = text;
	int rc = 0;

	for (size_t at = 0, n; rc == 0 && at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		assert_int_equal(buf_put(&r->in, s + at, n), 0);
		rc = http_get(&r->parse, &r->in, 0);
	}
	return rc == 0 && eof ? http_get(&r->parse, &r->in, 1) : rc;
}

static const size_t pieces[] = { SIZE_MAX, 1, 7 };

static void
refuses_n(int server, const char *text, size_t len, int status)
{
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct reader r;

		reader_init(&r, server);
		if (feed(&r, text, len, pieces[i], 0) != HF_ERR_PROTOCOL)
			fail_msg("not refused: %s", text);
		assert_int_equal(r.err.code, HF_ERR_PROTOCOL);
		assert_true(strlen(r.err.text) > 20);
		if (server && r.parse.status != status)
			fail_msg("%d instead of %d: %s", r.parse.status, status, text);
		reader_fini(&r);
	}
}

static void
refuses(int server, const char *text, int status)
{
	refuses_n(server, text, strlen(text), status);
}

static void
accepts(int server, const char *text, int eof, const char *body)
{
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct reader r;

		reader_init(&r, server);
		if (feed(&r, text, strlen(text), pieces[i], eof) != 1)
			fail_msg("not accepted (%s): %s", r.err.text, text);
		assert_int_equal(r.parse.message.len, strlen(body));
		if (*body)
			assert_memory_equal(r.parse.message.body, body, strlen(body));
		assert_int_equal(r.err.code, 0);
		reader_fini(&r);
	}
}

static void
reads_a_request(void **state)
{
	static const char text[] = "PUT /0ne1/registrations/d1/register?api-version=2021-06-01 HTTP/1.1\r\n"
				   "Host: localhost:443\r\nUserAgent: prov_device_client/1.0\r\n"
				   "Accept:application/json\r\nX-Pad: \t a b\t \r\nX-Empty:\r\n"
				   "Content-Length: 5\r\n\r\nhello";
	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct reader r;
		const struct http_message *m = &r.parse.message;

		reader_init(&r, 1);
		assert_int_equal(feed(&r, text, sizeof text - 1, pieces[i], 0), 1);
		assert_string_equal(m->method, "PUT");
		assert_string_equal(m->target, "/0ne1/registrations/d1/register?api-version=2021-06-01");
		assert_int_equal(m->status, 0);
		assert_int_equal(m->header_count, 6);
		assert_string_equal(m->header[1].name, "UserAgent");
		assert_string_equal(http_header(m, "useragent"), "prov_device_client/1.0");
		assert_string_equal(http_header(m, "ACCEPT"), "application/json");
		assert_string_equal(http_header(m, "x-pad"), "a b");
		assert_string_equal(http_header(m, "X-Empty"), "");
		assert_null(http_header(m, "X-Emp"));
		assert_int_equal(m->len, 5);
		assert_memory_equal(m->body, "hello", 5);
		assert_int_equal(m->keep, 1);
		assert_int_equal(buf_size(&r.in), 0);
		reader_fini(&r);
	}
}

static void
reads_a_response(void **state)
{
	static const char text[] =
	    "HTTP/1.1 202 Accepted then\r\nRetry-After: 3\r\nTransfer-Encoding: Chunked\r\n\r\n"
	    "4;x=\"y\"\r\nabcd\r\n00A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\nHTTP";
	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct reader r;
		const struct http_message *m = &r.parse.message;

		reader_init(&r, 0);
		assert_int_equal(feed(&r, text, sizeof text - 1, pieces[i], 0), 1);
		assert_null(m->method);
		assert_int_equal(m->status, 202);
		assert_string_equal(m->reason, "Accepted then");
		assert_string_equal(http_header(m, "retry-after"), "3");
		assert_int_equal(m->header_count, 2);
		assert_int_equal(m->len, 14);
		assert_memory_equal(m->body, "abcd0123456789", 14);
		if (pieces[i] == SIZE_MAX)
			assert_int_equal(buf_size(&r.in), 4);
		reader_fini(&r);
	}
}

static void
knows_where_a_body_ends(void **state)
{
	(void)state;
	accepts(1, "GET / HTTP/1.1\r\n" HOST "\r\n", 0, "");
	accepts(1, "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0, "");
	accepts(1, "GET / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 0, "{}");
	accepts(1, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 0, "");
	accepts(1, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\ncontent-length: 2\r\n\r\nab", 0, "ab");
	accepts(
	    1, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 0, "a");
	accepts(1, "GET / HTTP/1.0\r\n\r\n", 0, "");
	accepts(0, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 0, "abc");
	accepts(0, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 0, "");
	accepts(0, "HTTP/1.1 200 OK\r\n\r\nto the end", 1, "to the end");
	accepts(0, "HTTP/1.0 200 OK\r\n\r\n", 1, "");
	accepts(0, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 0, "a");
	accepts(0, "HTTP/1.1 204 No Content\r\n\r\n", 0, "");
	accepts(0, "HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\n\r\n", 0, "");
	accepts(0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", 0, "");
	accepts(0, "HTTP/1.1 200 OK\nContent-Length: 2\n\nab", 0, "ab");
	accepts(0, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nab\n0\n\n", 0, "ab");
}

static void
answers_to_head_have_no_body(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
	struct reader r;

	(void)state;
	reader_init(&r, 0);
	r.parse.asked = HTTP_HEAD;
	assert_int_equal(feed(&r, text, sizeof text - 1, 1, 0), 1);
	assert_string_equal(http_header(&r.parse.message, "Content-Length"), "7");
	assert_int_equal(r.parse.message.len, 0);
	reader_fini(&r);
	reader_init(&r, 0);
	r.parse.asked = HTTP_CONNECT;
	assert_int_equal(feed(&r, text, sizeof text - 1, 1, 0), 1);
	reader_fini(&r);
	reader_init(&r, 0);
	assert_int_equal(feed(&r, text, sizeof text - 1, 1, 0), 0);
	reader_fini(&r);
}

static void
refuses_what_can_be_read_in_two_ways(void **state)
{
	(void)state;
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
	refuses(0, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400);
	refuses(0, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 0);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n A: b\r\n" HOST "\r\n", 400);
	refuses(0, "HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n", 0);
	refuses(1, "P / HTTP/1.1\n" HOST "\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "A: b\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n", 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "A: b\r\r\n\r\n", 400);
	refuses_n(1, "P / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n", 14 + 9 + 10, 400);
	refuses_n(1, "P /\0 HTTP/1.1\r\n" HOST "\r\n", 15 + 9 + 2, 400);
	refuses(1, "P / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n", 400);
	refuses(0, "HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n", 0);
	refuses(1, "\r\n\r\nP / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses(1, "\nP / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses(0, "\r\nHTTP/1.1 200 OK\r\n\r\n", 0);
}

static void
refuses_broken_heads(void **state)
{
	(void)state;
	refuses(1, "GET /\r\n\r\n", 400);
	refuses(1, "GET / HTTP/1.1 \r\n" HOST "\r\n", 400);
	refuses(1, "GET  / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses(1, "GET / a HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses(1, "G(T / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses(1, " / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses(1, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses(1, "GET / HTTP/x.1\r\n" HOST "\r\n", 400);
	refuses(1, "GET / http/1.1\r\n" HOST "\r\n", 400);
	refuses(1, "PRI * HTTP/2.0\r\n\r\n", 505);
	refuses(1, "GET / HTTP/0.9\r\n\r\n", 505);
	refuses(1, "GET / HTTP/1.1\r\n\r\n", 400);
	refuses(1, "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400);
	refuses(1, "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400);
	refuses(1, "GET / HTTP/1.1\r\n" HOST "novalue\r\n\r\n", 400);
	refuses(1, "GET / HTTP/1.1\r\n" HOST ": v\r\n\r\n", 400);
	refuses(1, "GET / HTTP/1.1\r\n" HOST "a b: v\r\n\r\n", 400);
	refuses(0, "HTTP/1.1 099 x\r\n\r\n", 0);
	refuses(0, "HTTP/1.1 600 x\r\n\r\n", 0);
	refuses(0, "HTTP/1.1 20 x\r\n\r\n", 0);
	refuses(0, "HTTP/1.1 2000 x\r\n\r\n", 0);
	refuses(0, "HTTP/1.1 20\r\n\r\n", 0);
	refuses(0, "HTTP/1.1  200 x\r\n\r\n", 0);
	refuses(0, "HTTP/1.1 200 \x02\r\n\r\n", 0);
	refuses(0, "SSH-2.0-x\r\n\r\n", 0);
}

static void
refuses_broken_chunks(void **state)
{
#define CHUNKED "P / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	(void)state;
	refuses(1, CHUNKED "\r\n", 400);
	refuses(1, CHUNKED "g\r\n", 400);
	refuses(1, CHUNKED "-1\r\n", 400);
	refuses(1, CHUNKED "1 \r\na\r\n", 400);
	refuses(1, CHUNKED "1;a\x01\r\n", 400);
	refuses(1, CHUNKED "1\na\r\n", 400);
	refuses(1, CHUNKED "1\r\nab\r\n", 400);
	refuses(1, CHUNKED "1\r\na\n0\r\n", 400);
	refuses(1, CHUNKED "0\r\nA: b\r\n c\r\n\r\n", 400);
	refuses(1, CHUNKED "0\r\nnovalue\r\n\r\n", 400);
	refuses(1, CHUNKED "65\r\n", 413);
	refuses(1,
	    CHUNKED "60\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345"
		    "67890123456789012345\r\n5\r\n",
	    413);
	refuses(1, CHUNKED "fffffffffffffffff\r\n", 413);
}

static void
keeps_to_its_limits(void **state)
{
	char text[40000];
	size_t n;
	struct reader r;

	(void)state;
	refuses(1, "P / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", 413);
	refuses(0, "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", 0);
	n = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n\r\n");
	memset(text + n, 'x', 101);
	refuses_n(0, text, n + 100 + 1, 0);

	for (int headers = 64; headers <= 65; headers++) {
		n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST);
		for (int i = 1; i < headers; i++)
			n += (size_t)sprintf(text + n, "h%d: %d\r\n", i, i);
		n += (size_t)sprintf(text + n, "\r\n");
		reader_init(&r, 1);
		assert_int_equal(feed(&r, text, n, 1, 0), headers == 64 ? 1 : HF_ERR_PROTOCOL);
		assert_int_equal(r.parse.status, headers == 64 ? 0 : 431);
		reader_fini(&r);
	}

	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST "Long: ");
	memset(text + n, 'x', sizeof text - n);
	refuses_n(1, text, 32768 + 1, 431);
	memcpy(text + 32764, "\r\n\r\n", 4);
	reader_init(&r, 1);
	assert_int_equal(feed(&r, text, 32768, 1, 0), 1);
	reader_fini(&r);
	memset(text + 32764, 'x', 4);
	memcpy(text + 32765, "\r\n\r\n", 4);
	refuses_n(1, text, 32769, 431);

	n = (size_t)sprintf(text, CHUNKED "1;");
	memset(text + n, 'x', 300);
	refuses_n(1, text, n + 300, 400);
	n = (size_t)sprintf(text, CHUNKED "0\r\n");
	for (int i = 0; i < 100; i++)
		n += (size_t)sprintf(text + n, "trailer: %0100d\r\n", i);
	refuses_n(1, text, n, 400);
}

static void
refuses_an_early_end(void **state)
{
	static const char *const texts[] = { "G", "GET / HTTP/1.1\r\n" HOST,
		"P / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", CHUNKED, CHUNKED "1", CHUNKED "1\r\n",
		CHUNKED "1\r\na", CHUNKED "0\r\n" };
	struct reader r;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		reader_init(&r, 1);
		assert_int_equal(feed(&r, texts[i], strlen(texts[i]), 1, 1), HF_ERR_NET);
		reader_fini(&r);
	}
	reader_init(&r, 1);
	assert_int_equal(feed(&r, "\r\n", 2, 1, 1), 0);
	reader_fini(&r);
}

static int
keep(int server, const char *text)
{
	struct reader r;
	int k;

	reader_init(&r, server);
	assert_int_equal(feed(&r, text, strlen(text), SIZE_MAX, 1), 1);
	k = r.parse.message.keep;
	reader_fini(&r);
	return k;
}

static void
knows_which_connections_last(void **state)
{
	(void)state;
	assert_int_equal(keep(1, "GET / HTTP/1.1\r\n" HOST "\r\n"), 1);
	assert_int_equal(keep(1, "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n"), 1);
	assert_int_equal(keep(1, "GET / HTTP/1.1\r\n" HOST "Connection: upgrade , Close\r\n\r\n"), 0);
	assert_int_equal(keep(1, "GET / HTTP/1.1\r\n" HOST "Connection: a\r\nConnection: ,close\r\n\r\n"), 0);
	assert_int_equal(keep(1, "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n"), 1);
	assert_int_equal(keep(1, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	assert_int_equal(keep(0, "HTTP/1.1 204 x\r\n\r\n"), 1);
	assert_int_equal(keep(0, "HTTP/1.1 200 x\r\n\r\nto the end"), 0);
}

static void
says(const struct http_message *m, int how, const char *expected)
{
	struct buf b = { 0 };

	assert_int_equal(http_put_as(&b, m, how), 0);
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
}

static void
puts_messages(void **state)
{
	struct http_message get = {
		.method = "GET", .target = "/a?b", .header_count = 1, .header = { { "Host", "h" } }
	};
	struct http_message put = { .method = "PUT", .target = "/", .body = "xy", .len = 2 };
	struct http_message ok = {
		.status = 200, .header_count = 1, .header = { { "A", "b" } }, .body = "xy", .len = 2
	};
	struct http_message none = { .status = 204, .body = "xy", .len = 2 };
	struct http_message odd = { .status = 299 }, own = { .status = 400, .reason = "No" };
	struct http_message last = {
		.status = 200, .header_count = 1, .header = { { "connection", "Close" } }
	};

	(void)state;
	says(&get, 0, "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n");
	says(&put, 0, "PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy");
	put.len = 0;
	says(&put, 0, "PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
	says(&ok, 0, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nxy");
	says(&ok, HTTP_HEAD, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\n");
	says(&ok, HTTP_LAST, "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\nContent-Length: 2\r\n\r\nxy");
	says(&last, HTTP_LAST, "HTTP/1.1 200 OK\r\nconnection: Close\r\nContent-Length: 0\r\n\r\n");
	says(&none, 0, "HTTP/1.1 204 No Content\r\n\r\n");
	says(&odd, 0, "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
	says(&own, 0, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
}

static void
does_not_put(const char *method, const char *target, int status, const char *reason, const char *name,
    const char *value)
{
	struct http_message m = { .method = method,
		.target = target,
		.status = status,
		.reason = reason,
		.header_count = name != NULL,
		.header = { { name, value } } };
	struct buf b = { 0 };

	assert_int_equal(buf_puts(&b, "x"), 0);
	assert_int_equal(http_put(&b, &m), HF_ERR_ARGS);
	assert_int_equal(buf_size(&b), 1);
	buf_free(&b);
}

static void
puts_nothing_illegal(void **state)
{
	struct http_message many = { .status = 200, .header_count = HTTP_HEADERS + 1 };
	struct http_message bodyless = { .status = 200, .len = 1 };
	struct buf b = { 0 };

	(void)state;
	does_not_put("GET", "/", 0, NULL, "A", "b\r\nC: d");
	does_not_put("GET", "/", 0, NULL, "A", "b\nc");
	does_not_put("GET", "/", 0, NULL, "A:", "b");
	does_not_put("GET", "/", 0, NULL, "", "b");
	does_not_put("GET", "/", 0, NULL, "A", NULL);
	does_not_put("GET", "/", 0, NULL, "content-length", "1");
	does_not_put("GET", "/", 0, NULL, "transfer-encoding", "chunked");
	does_not_put("GET", "/ x", 0, NULL, NULL, NULL);
	does_not_put("GET", "", 0, NULL, NULL, NULL);
	does_not_put("GET", NULL, 0, NULL, NULL, NULL);
	does_not_put("G\n", "/", 0, NULL, NULL, NULL);
	does_not_put(NULL, NULL, 0, NULL, NULL, NULL);
	does_not_put(NULL, NULL, 600, NULL, NULL, NULL);
	does_not_put(NULL, NULL, 200, "a\r\nb", NULL, NULL);
	assert_int_equal(http_put(&b, &many), HF_ERR_ARGS);
	assert_int_equal(http_put(&b, &bodyless), HF_ERR_ARGS);
	assert_int_equal(buf_size(&b), 0);
	buf_free(&b);
}

static void
hears_what_it_says(void **state)
{
	static const char body[] = { 'a', 0, '\r', '\n', (char)0xff };
	struct http_message said = { .method = "POST",
		.target = "/devices/d/messages/events?api-version=2020-03-13",
		.header_count = 3,
		.header = { { "Host", "h" }, { "iothub-app-k", "v \xc3\xa4" }, { "X-Empty", "" } },
		.body = body,
		.len = sizeof body };
	struct buf b = { 0 };
	struct reader r;

	(void)state;
	assert_int_equal(http_put(&b, &said), 0);
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		const struct http_message *m = &r.parse.message;

		reader_init(&r, 1);
		assert_int_equal(feed(&r, buf_data(&b), buf_size(&b), pieces[i], 0), 1);
		assert_string_equal(m->method, said.method);
		assert_string_equal(m->target, said.target);
		assert_int_equal(m->header_count, said.header_count + 1);
		for (size_t h = 0; h < said.header_count; h++) {
			assert_string_equal(m->header[h].name, said.header[h].name);
			assert_string_equal(m->header[h].value, said.header[h].value);
		}
		assert_int_equal(m->len, sizeof body);
		assert_memory_equal(m->body, body, sizeof body);
		reader_fini(&r);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request),
		cmocka_unit_test(reads_a_response),
		cmocka_unit_test(knows_where_a_body_ends),
		cmocka_unit_test(answers_to_head_have_no_body),
		cmocka_unit_test(refuses_what_can_be_read_in_two_ways),
		cmocka_unit_test(refuses_broken_heads),
		cmocka_unit_test(refuses_broken_chunks),
		cmocka_unit_test(keeps_to_its_limits),
		cmocka_unit_test(refuses_an_early_end),
		cmocka_unit_test(knows_which_connections_last),
		cmocka_unit_test(puts_messages),
		cmocka_unit_test(puts_nothing_illegal),
		cmocka_unit_test(hears_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
