#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stream/stream.h"

#define USER "name:secret word"

static const size_t chunks[] = { 0, 1, 3, 1000 };
#define EACH_CHUNK(i) for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)

static void
say(struct stream *s, const char *text)
{
	size_t done = 0, n = strlen(text);
	ssize_t r;

	while (done < n) {
		r = stream_write(s, text + done, n - done);
		assert_true(r > 0);
		done += (size_t)r;
	}
}

static char *
hear(struct stream *s)
{
	struct buf b = { 0 };
	char *text;
	ssize_t n;

	while ((n = stream_read(s, buf_room(&b, 1000), 1000)) > 0)
		buf_add(&b, (size_t)n);
	text = strdup(buf_str(&b));
	buf_free(&b);
	return text;
}

static void
make(struct stream **near, struct stream **far, const char *user, const char *host, size_t chunk)
{
	struct hf_error err = { 0 };
	struct stream *under;

	assert_int_equal(pair_new(&under, far, 65536, chunk), 0);
	assert_int_equal(proxy_open(near, under, "proxy.example:3128", user, host, 443, &err), 0);
}

static char *
asked(struct stream *near, struct stream *far)
{
	char byte;

	assert_int_equal(stream_read(near, &byte, 1), STREAM_WANT_READ);
	return hear(far);
}

static void
asks(void **state)
{
	static const struct {
		const char *host, *user, *words;
	} rows[] = {
		{ "hub.example", NULL, "CONNECT hub.example:443 HTTP/1.1\r\nHost: hub.example:443\r\n\r\n" },
		{ "fe80::1", NULL, "CONNECT [fe80::1]:443 HTTP/1.1\r\nHost: [fe80::1]:443\r\n\r\n" },
		{ "hub.example", USER,
		    "CONNECT hub.example:443 HTTP/1.1\r\nHost: hub.example:443\r\n"
		    "Proxy-Authorization: Basic bmFtZTpzZWNyZXQgd29yZA==\r\n\r\n" },
	};
	struct stream *near, *far;
	char *request;

	(void)state;
	EACH_CHUNK(c)
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make(&near, &far, rows[i].user, rows[i].host, chunks[c]);
		request = asked(near, far);
		assert_string_equal(request, rows[i].words);
		free(request);
		stream_close(near);
		stream_close(far);
	}
}

/* Interim answers are skipped, a 2xx opens the way whatever headers it has, and what comes behind it is the far end's. */
static void
opens(void **state)
{
	static const char *answers[] = { "HTTP/1.1 200 Connection established\r\n\r\n",
		"HTTP/1.0 200 OK\r\nProxy-Agent: tinyproxy/1.11.1\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 Fine\r\nContent-Length: 5\r\n\r\n" };
	struct stream *near, *far;
	char *text;

	(void)state;
	EACH_CHUNK(c)
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		make(&near, &far, NULL, "hub.example", chunks[c]);
		free(asked(near, far));
		say(far, answers[i]);
		say(far, "hello");
		text = hear(near);
		assert_string_equal(text, "hello");
		free(text);
		say(far, "again");
		text = hear(near);
		assert_string_equal(text, "again");
		free(text);
		say(near, "and back");
		text = hear(far);
		assert_string_equal(text, "and back");
		free(text);
		stream_close(far);
		assert_int_equal(stream_read(near, &(char){ 0 }, 1), 0);
		stream_close(near);
	}
}

/* Each byte of what came behind, in reads of one. */
static void
hands_out_what_came_behind(void **state)
{
	struct stream *near, *far;
	char byte;

	(void)state;
	make(&near, &far, NULL, "hub.example", 0);
	free(asked(near, far));
	say(far, "HTTP/1.1 200 OK\r\n\r\nab");
	for (const char *p = "abc"; *p; p++) {
		if (*p == 'c')
			say(far, "c");
		assert_int_equal(stream_read(near, &byte, 1), 1);
		assert_int_equal(byte, *p);
	}
	assert_int_equal(stream_read(near, &byte, 1), STREAM_WANT_READ);
	stream_close(near);
	stream_close(far);
}

static void
refusals(void **state)
{
	static const struct {
		const char *answer, *user;
		int code;
		const char *words;
	} rows[] = {
		{ "407 Who\r\nProxy-Authenticate: Basic realm=\"x, y\"\r\nContent-Length: 3\r\n\r\nwho", NULL,
		    HF_ERR_ARGS, "the proxy proxy.example:3128 wants a name and a password (HTTP 407)" },
		{ "407 Who\r\nProxy-Authenticate: Digest realm=\"Basic\", BASIC realm=x\r\nContent-Length: 0\r\n\r\n",
		    USER, HF_ERR_ARGS, "does not take the name and the password" },
		{ "407 Who\r\nContent-Length: 0\r\n\r\n", NULL, HF_ERR_ARGS, "wants a name and a password" },
		{ "407 Who\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\nContent-Length: "
		  "0\r\n\r\n",
		    USER, HF_ERR_ARGS, "shown otherwise who we are (HTTP 407)" },
		{ "401 Unauthorized\r\nContent-Length: 0\r\n\r\n", USER, HF_ERR_ARGS,
		    "does not take the name and the password that it was given (HTTP 401): check" },
		{ "403 Filtered\r\nContent-Length: 0\r\n\r\n", NULL, HF_ERR_NET,
		    "the proxy proxy.example:3128 opened no way to hub.example:443: HTTP 403 Filtered; ask" },
		{ "502 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", NULL, HF_ERR_NET,
		    "HTTP 502; can it reach that host?" },
		{ "301 Over\r\nLocation: there\r\nContent-Length: 0\r\n\r\n", NULL, HF_ERR_NET,
		    "HTTP 301 Over" },
	};
	struct stream *near, *far;
	char byte;

	(void)state;
	EACH_CHUNK(c)
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make(&near, &far, rows[i].user, "hub.example", chunks[c]);
		free(asked(near, far));
		say(far, "HTTP/1.1 ");
		say(far, rows[i].answer);
		assert_int_equal(stream_read(near, &byte, 1), STREAM_ERR);
		assert_int_equal(stream_write(near, &byte, 1), STREAM_ERR);
		assert_int_equal(near->err.code, rows[i].code);
		assert_non_null(strstr(near->err.text, rows[i].words));
		assert_null(strstr(near->err.text, "secret"));
		assert_null(strstr(near->err.text, "bmFtZT"));
		stream_close(near);
		stream_close(far);
	}
}

/* It speaks something else, ends in the middle, is cut off, or is silent: that is for the caller's clock. */
static void
misbehaves(void **state)
{
	static const struct {
		const char *said;
		int code;
		const char *words;
	} rows[] = {
		{ "", HF_ERR_NET,
		    "the proxy proxy.example:3128: it closed the connection before it answered" },
		{ "HTTP/1.1 200 OK\r\nVia: ", HF_ERR_NET,
		    "the proxy proxy.example:3128: the connection ended in the middle" },
		{ "HTTP/1.1 407 Who\r\nContent-Length: 9\r\n\r\nbe", HF_ERR_NET, "in the middle" },
		{ "\x05\x01\r\n\r\n", HF_ERR_PROTOCOL,
		    "the proxy proxy.example:3128: the peer's HTTP response is refused" },
	};
	struct stream *near, *far;
	short events;
	char byte;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make(&near, &far, NULL, "hub.example", 0);
		free(asked(near, far));
		say(far, rows[i].said);
		if (rows[i].code == HF_ERR_NET) {
			assert_int_equal(stream_read(near, &byte, 1), STREAM_WANT_READ);
			stream_wait(near, STREAM_WANT_READ, &fd, &events);
			assert_int_equal(fd, -1);
			stream_close(far);
		}
		assert_int_equal(stream_read(near, &byte, 1), STREAM_ERR);
		assert_int_equal(near->err.code, rows[i].code);
		assert_non_null(strstr(near->err.text, rows[i].words));
		if (rows[i].code != HF_ERR_NET)
			stream_close(far);
		stream_close(near);
	}
	make(&near, &far, NULL, "hub.example", 0);
	pair_cut(far, 0);
	assert_int_equal(stream_write(near, &byte, 1), STREAM_ERR);
	assert_string_equal(
	    near->err.text, "the proxy proxy.example:3128: memory stream: the connection was cut");
	stream_close(near);
	stream_close(far);
}

/* Once the way is open, what goes wrong is not the proxy's word. */
static void
is_cut_later(void **state)
{
	struct stream *near, *far;
	char byte;

	(void)state;
	for (int i = 0; i < 2; i++) {
		make(&near, &far, NULL, "hub.example", 0);
		free(asked(near, far));
		say(far, "HTTP/1.1 200 OK\r\n\r\n");
		assert_int_equal(stream_read(near, &byte, 1), STREAM_WANT_READ);
		pair_cut(far, 0);
		assert_int_equal(i ? stream_read(near, &byte, 1) : stream_write(near, &byte, 1), STREAM_ERR);
		assert_string_equal(near->err.text, "memory stream: the connection was cut");
		stream_close(near);
		stream_close(far);
	}
}

static void
what_cannot_be_asked(void **state)
{
	struct hf_error err = { 0 };
	struct stream *under, *far, *s = NULL;

	(void)state;
	assert_int_equal(pair_new(&under, &far, 1000, 0), 0);
	assert_int_equal(proxy_open(&s, under, "p:1", "name:secret", "a b", 1, &err), HF_ERR_ARGS);
	assert_null(s);
	assert_null(strstr(err.text, "secret"));
	assert_int_equal(stream_read(far, &(char){ 0 }, 1), 0);
	stream_close(far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks),
		cmocka_unit_test(opens),
		cmocka_unit_test(hands_out_what_came_behind),
		cmocka_unit_test(refusals),
		cmocka_unit_test(misbehaves),
		cmocka_unit_test(is_cut_later),
		cmocka_unit_test(what_cannot_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
