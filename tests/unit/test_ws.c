#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stream/stream.h"

#define MASK  "\x00\x00\x00\x00"
#define BIG   100000
#define TURNS 2000000

static const size_t chunks[] = { 0, 1, 3, 1000 };
#define EACH_CHUNK(i) for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)

static void
write_all(struct stream *s, const void *p, size_t n)
{
	size_t done = 0;
	ssize_t r;

	while (done < n) {
		r = stream_write(s, (const char *)p + done, n - done);
		assert_true(r > 0);
		done += (size_t)r;
	}
}

/* All that is there now, as text. */
static char *
read_all(struct stream *s)
{
	struct buf b = { 0 };
	char *text;
	ssize_t n;

	while ((n = stream_read(s, buf_room(&b, 4096), 4096)) > 0)
		buf_add(&b, (size_t)n);
	text = strdup(buf_str(&b));
	buf_free(&b);
	return text;
}

static struct stream *
accept_ws(struct stream *under, const void *rest, size_t n)
{
	struct buf head = { 0 }, behind = { 0 };
	struct hf_error err = { 0 };
	struct stream *s;

	assert_int_equal(buf_put(&behind, rest, n), 0);
	assert_int_equal(ws_accept(&s, under, &head, &behind, &err), 0);
	assert_null(behind.p);
	return s;
}

static void
value_of(const char *request, const char *name, char *dst, size_t cap)
{
	const char *p = strstr(request, name);

	assert_non_null(p);
	p += strlen(name) + 2;
	snprintf(dst, cap, "%.*s", (int)strcspn(p, "\r"), p);
}

/* What a client is told; NULL in a place: what is right. */
struct answer {
	const char *status, *upgrade, *connection, *accept, *protocol, *more, *behind;
};

static void
answer(struct stream *far, const char *request, struct answer a)
{
	char key[64], right[29], text[1000];

	value_of(request, "Sec-WebSocket-Key", key, sizeof key);
	assert_int_equal(ws_accept_key(key, right), 0);
	snprintf(text, sizeof text,
	    "HTTP/1.1 %s\r\nUpgrade: %s\r\nConnection: %s\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: "
	    "%s\r\n%s\r\n%s",
	    a.status ? a.status : "101 Switching", a.upgrade ? a.upgrade : "websocket",
	    a.connection ? a.connection : "Upgrade", a.accept ? a.accept : right,
	    a.protocol ? a.protocol : "MQTT", a.more ? a.more : "", a.behind ? a.behind : "");
	write_all(far, text, strlen(text));
}

static void
connect_ws(struct stream **client, struct stream **far, size_t chunk)
{
	struct hf_error err = { 0 };
	struct stream *near;

	assert_int_equal(pair_new(&near, far, 65536, chunk), 0);
	assert_int_equal(ws_connect(client, near, "hub.example", WS_PATH, "mqtt", &err), 0);
}

/* The client has asked: the request, to be freed. */
static char *
asked(struct stream *client, struct stream *far)
{
	char byte, *request;

	assert_int_equal(stream_read(client, &byte, 1), STREAM_WANT_READ);
	request = read_all(far);
	assert_non_null(strstr(request, "\r\n\r\n"));
	return request;
}

/* Two ends that have shaken hands. */
static void
make(struct stream **client, struct stream **server, size_t chunk)
{
	struct stream *far;
	char *request, byte;

	connect_ws(client, &far, chunk);
	request = asked(*client, far);
	answer(far, request, (struct answer){ 0 });
	free(request);
	*server = accept_ws(far, "", 0);
	assert_int_equal(stream_read(*client, &byte, 1), STREAM_WANT_READ);
}

/* A client whose far end is led by hand. */
static void
make_client(struct stream **client, struct stream **far, size_t chunk)
{
	char *request, byte;

	connect_ws(client, far, chunk);
	request = asked(*client, *far);
	answer(*far, request, (struct answer){ 0 });
	free(request);
	assert_int_equal(stream_read(*client, &byte, 1), STREAM_WANT_READ);
}

static void
accept_keys(void **state)
{
	static const char *bad[] = { "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ==x",
		"dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25jZ!==", " dGhlIHNhbXBsZSBub25jZQ=" };
	char accept[29];

	(void)state;
	assert_int_equal(ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", accept), 0);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(ws_accept_key(bad[i], accept), HF_ERR_ARGS);
}

static void
asks_as_it_should(void **state)
{
	static const char *lines[] = { "GET /$iothub/websocket HTTP/1.1\r\n", "\r\nHost: hub.example\r\n",
		"\r\nUpgrade: websocket\r\n", "\r\nConnection: Upgrade\r\n",
		"\r\nSec-WebSocket-Version: 13\r\n", "\r\nSec-WebSocket-Protocol: mqtt\r\n" };
	struct stream *client, *far;
	char *request, *other;

	(void)state;
	connect_ws(&client, &far, 0);
	request = asked(client, far);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_non_null(strstr(request, lines[i]));
	stream_close(client);
	stream_close(far);
	connect_ws(&client, &far, 0);
	other = asked(client, far);
	assert_string_not_equal(request, other);
	free(request);
	free(other);
	stream_close(client);
	stream_close(far);
}

/* Every size that has a head of its own, both ways, and many bytes in few and in many pieces. */
static void
carries_bytes(void **state)
{
	static const size_t sizes[] = { 1, 125, 126, 127, 4096, 16370, 16371, 65535, 65536, BIG };
	uint8_t *src = malloc(BIG), *dst = malloc(BIG);
	struct stream *end[2];

	(void)state;
	for (size_t i = 0; i < BIG; i++)
		src[i] = (uint8_t)(i * 7 + i / 251);
	EACH_CHUNK(c)
	{
		make(&end[0], &end[1], chunks[c]);
		for (size_t k = 0; k < 2 * sizeof sizes / sizeof *sizes; k++) {
			struct stream *from = end[k % 2], *to = end[1 - k % 2];
			size_t n = sizes[k / 2], sent = 0, got = 0;
			ssize_t r;

			memset(dst, 0, BIG);
			for (int i = 0; got < n && i < TURNS; i++) {
				if (sent < n && (r = stream_write(from, src + sent, n - sent)) > 0)
					sent += (size_t)r;
				assert_int_not_equal(stream_read(from, dst + got, 1), STREAM_ERR);
				if ((r = stream_read(to, dst + got, n - got)) > 0)
					got += (size_t)r;
			}
			assert_int_equal(got, n);
			assert_memory_equal(src, dst, n);
		}
		stream_close(end[0]);
		stream_close(end[1]);
	}
	free(src);
	free(dst);
}

/* What comes right behind the answer belongs to the WebSocket; and so does what came right behind a request. */
static void
keeps_what_came_behind(void **state)
{
	struct stream *client, *far, *server;
	char *request, bytes[10] = { 0 };

	(void)state;
	EACH_CHUNK(c)
	{
		connect_ws(&client, &far, chunks[c]);
		request = asked(client, far);
		answer(far, request, (struct answer){ .behind = "\x82\x02hi" });
		free(request);
		assert_int_equal(stream_read(client, bytes, 1), 1);
		assert_int_equal(stream_read(client, bytes + 1, 9), 1);
		assert_memory_equal(bytes, "hi", 2);
		stream_close(client);
		stream_close(far);
	}
	assert_int_equal(pair_new(&client, &far, 1000, 0), 0);
	server = accept_ws(far, "\x82\x82" MASK "yo\x82", 9);
	write_all(client, "\x81" MASK "!", 6);
	assert_int_equal(stream_read(server, bytes, 10), 2);
	assert_memory_equal(bytes, "yo", 2);
	assert_int_equal(stream_read(server, bytes, 10), 1);
	assert_int_equal(bytes[0], '!');
	stream_close(server);
	stream_close(client);
}

static void
says_the_answer_first(void **state)
{
	struct buf head = { 0 }, rest = { 0 };
	struct hf_error err = { 0 };
	struct stream *near, *far, *server;
	char byte, *text;

	(void)state;
	assert_int_equal(pair_new(&near, &far, 1000, 0), 0);
	assert_int_equal(buf_puts(&head, "HTTP/1.1 101"), 0);
	assert_int_equal(ws_accept(&server, far, &head, &rest, &err), 0);
	assert_int_equal(stream_read(server, &byte, 1), STREAM_WANT_READ);
	write_all(server, "x", 1);
	text = read_all(near);
	assert_string_equal(text, "HTTP/1.1 101\x82\x01x");
	free(text);
	stream_close(server);
	stream_close(near);
}

static void
refusals(void **state)
{
	static const struct {
		struct answer a;
		int code;
		const char *words;
	} bad[] = {
		{ { .status = "404 Not Found", .more = "Content-Length: 4\r\n", .behind = "nope" },
		    HF_ERR_SERVICE, "hub.example opened no WebSocket: HTTP 404 Not Found" },
		{ { .status = "401 Unauthorized", .more = "Content-Length: 0\r\n" }, HF_ERR_AUTH,
		    "HTTP 401" },
		{ { .status = "403 ", .more = "Content-Length: 0\r\n" }, HF_ERR_AUTH, "HTTP 403;" },
		{ { .status = "429 Slow", .more = "Content-Length: 0\r\n" }, HF_ERR_NET,
		    "HTTP 429 Slow; try" },
		{ { .status = "503 Busy", .more = "Content-Length: 0\r\n" }, HF_ERR_NET, "HTTP 503" },
		{ { .status = "200 OK", .more = "Content-Length: 0\r\n" }, HF_ERR_SERVICE, "HTTP 200" },
		{ { .status = "101 X", .upgrade = "h2c" }, HF_ERR_PROTOCOL, "upgrades to something else" },
		{ { .connection = "keep-alive" }, HF_ERR_PROTOCOL, "upgrades to something else" },
		{ { .accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }, HF_ERR_PROTOCOL, "Sec-WebSocket-Accept" },
		{ { .protocol = "AMQPWSB10" }, HF_ERR_PROTOCOL, "subprotocol" },
		{ { .more = "Sec-WebSocket-Extensions: permessage-deflate\r\n" }, HF_ERR_PROTOCOL,
		    "extensions" },
	};
	struct stream *client, *far;
	char *request, byte;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		connect_ws(&client, &far, i % 2);
		request = asked(client, far);
		answer(far, request, bad[i].a);
		free(request);
		assert_int_equal(stream_write(client, "x", 1), STREAM_ERR);
		assert_int_equal(stream_read(client, &byte, 1), STREAM_ERR);
		assert_int_equal(client->err.code, bad[i].code);
		assert_non_null(strstr(client->err.text, bad[i].words));
		stream_close(client);
		stream_close(far);
	}
}

static void
handshakes_that_end_early(void **state)
{
	static const struct {
		const char *said;
		int code;
		const char *words;
	} ends[] = { { "", HF_ERR_NET, "with hub.example: it closed the connection before it answered" },
		{ "HTTP/1.1 101 Sw", HF_ERR_NET, "in the middle" },
		{ "SSH-2.0-x\r\n\r\n", HF_ERR_PROTOCOL, "not HTTP" } };
	struct stream *client, *far;
	char byte;

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		connect_ws(&client, &far, 0);
		free(asked(client, far));
		if (ends[i].said[0] != '\0')
			write_all(far, ends[i].said, strlen(ends[i].said));
		stream_close(far);
		assert_int_equal(stream_read(client, &byte, 1), STREAM_ERR);
		assert_int_equal(client->err.code, ends[i].code);
		assert_non_null(strstr(client->err.text, ends[i].words));
		stream_close(client);
	}
	connect_ws(&client, &far, 0);
	pair_cut(far, 0);
	assert_int_equal(stream_read(client, &byte, 1), STREAM_ERR);
	assert_string_equal(client->err.text, "memory stream: the connection was cut");
	stream_close(far);
	stream_close(client);
}

static void
an_answer_without_end(void **state)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct stream *client, *far;
	char byte;
	ssize_t r;

	(void)state;
	connect_ws(&client, &far, 0);
	free(asked(client, far));
	for (int i = 0; i < 100000; i++) {
		if (stream_write(far, interim, sizeof interim - 1) == (ssize_t)sizeof interim - 1)
			continue;
		break;
	}
	for (int i = 0; i < 100000; i++) {
		stream_write(far, interim, sizeof interim - 1);
		if ((r = stream_read(client, &byte, 1)) == STREAM_ERR)
			break;
	}
	assert_int_equal(r, STREAM_ERR);
	assert_int_equal(client->err.code, HF_ERR_PROTOCOL);
	stream_close(client);
	stream_close(far);
}

/* Names and paths that no request can have. */
static void
what_cannot_be_asked(void **state)
{
	struct hf_error err = { 0 };
	struct stream *near, *far, *s = NULL;

	(void)state;
	assert_int_equal(pair_new(&near, &far, 1000, 0), 0);
	assert_int_equal(ws_connect(&s, near, "a\r\nb", WS_PATH, "mqtt", &err), HF_ERR_ARGS);
	assert_null(s);
	stream_close(far);
}

struct rule {
	const char *bytes;
	size_t n;
	unsigned code;
	const char *words;
};

/* Reads until it is over, then looks at what was said about it. */
static void
check_rule(struct stream *s, struct stream *far, const struct rule *rule, int masked)
{
	uint8_t frame[100];
	char bytes[10];
	ssize_t r, n;

	write_all(far, rule->bytes, rule->n);
	while ((r = stream_read(s, bytes, sizeof bytes)) > 0)
		;
	assert_int_equal(r, STREAM_ERR);
	assert_int_equal(s->err.code, HF_ERR_PROTOCOL);
	assert_non_null(strstr(s->err.text, rule->words));
	assert_int_equal(stream_write(s, "x", 1), STREAM_ERR);
	for (n = 0; (r = stream_read(far, frame + n, sizeof frame - (size_t)n)) > 0; n += r)
		;
	assert_int_equal(n, masked ? 8 : 4);
	assert_int_equal(frame[0], 0x88);
	assert_int_equal(frame[1], masked ? 0x82 : 2);
	if (masked) {
		frame[2] = frame[6] ^ frame[2];
		frame[3] = frame[7] ^ frame[3];
	}
	assert_int_equal(frame[2] << 8 | frame[3], rule->code);
	stream_close(s);
	assert_int_equal(stream_read(far, frame, 1), 0);
	stream_close(far);
}

#define BYTES(s) s, sizeof(s) - 1

static void
rules_for_clients(void **state)
{
	static const struct rule rules[] = {
		{ BYTES("\x82\x01x"), 1002, "a client's frame is not masked" },
		{ BYTES("\x82\x00"), 1002, "a client's frame is not masked" },
		{ BYTES("\x81\x81" MASK "x"), 1003, "text" },
		{ BYTES("\xc2\x81" MASK "x"), 1002, "reserved bits" },
		{ BYTES("\x92\x81" MASK "x"), 1002, "reserved bits" },
		{ BYTES("\x83\x80" MASK), 1002, "kind" },
		{ BYTES("\x8b\x80" MASK), 1002, "kind" },
		{ BYTES("\x80\x81" MASK "x"), 1002, "has not begun" },
		{ BYTES("\x02\x81" MASK "x\x82\x81" MASK "y"), 1002, "inside another" },
		{ BYTES("\x02\x81" MASK "x\x81\x81" MASK "y"), 1002, "inside another" },
		{ BYTES("\x82\x81" MASK "x\x80\x81" MASK "y"), 1002, "has not begun" },
		{ BYTES("\x89\xfe\x00\x7e" MASK), 1002, "length" },
		{ BYTES("\x09\x80" MASK), 1002, "length" },
		{ BYTES("\x82\xfe\x00\x05" MASK "xxxxx"), 1002, "length" },
		{ BYTES("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00" MASK "x"), 1002, "length" },
		{ BYTES("\x88\x81" MASK "x"), 1002, "half a code" },
		{ BYTES("\x88\x82" MASK "\x03\xed"), 1002, "does not exist" },
		{ BYTES("\x88\x82" MASK "\x03\xf7"), 1002, "does not exist" },
		{ BYTES("\x88\x82" MASK "\x00\x00"), 1002, "does not exist" },
	};
	struct stream *far, *near;

	(void)state;
	EACH_CHUNK(c)
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		assert_int_equal(pair_new(&near, &far, 1000, chunks[c]), 0);
		check_rule(accept_ws(near, "", 0), far, &rules[i], 0);
	}
}

static void
rules_for_servers(void **state)
{
	static const struct rule rules[] = {
		{ BYTES("\x82\x81" MASK "x"), 1002,
		    "hub.example broke WebSocket's rules: a server's frame is masked" },
		{ BYTES("\x81\x01x"), 1003, "text" },
		{ BYTES("\x82\x01x\xa2\x01x"), 1002, "reserved bits" },
	};
	struct stream *client, *far;

	(void)state;
	EACH_CHUNK(c)
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		make_client(&client, &far, chunks[c]);
		check_rule(client, far, &rules[i], 1);
	}
}

/* Of a frame that will be 2^63 - 1 bytes long, what has come is handed out. */
static void
a_frame_without_end(void **state)
{
	struct stream *client, *far;
	char bytes[100];

	(void)state;
	EACH_CHUNK(c)
	{
		make_client(&client, &far, chunks[c]);
		write_all(far, BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"
				     "abc"));
		for (size_t n = 0; n < 3;) {
			ssize_t r = stream_read(client, bytes + n, sizeof bytes - n);

			assert_true(r > 0);
			n += (size_t)r;
		}
		assert_memory_equal(bytes, "abc", 3);
		assert_int_equal(stream_read(client, bytes, 100), STREAM_WANT_READ);
		stream_close(client);
		stream_close(far);
	}
}

/* Fragments, empty frames, and what comes between them. */
static void
fragments(void **state)
{
	struct stream *client, *far;
	uint8_t pong[100];
	char *text;
	ssize_t n = 0, r;

	(void)state;
	EACH_CHUNK(c)
	{
		make_client(&client, &far, chunks[c]);
		write_all(far, BYTES("\x02\x00\x00\x01"
				     "a\x89\x03"
				     "you\x00\x00\x8a\x01z\x80\x02"
				     "bc\x82\x00\x82\x01"
				     "d"));
		text = read_all(client);
		assert_string_equal(text, "abcd");
		free(text);
		assert_int_equal(stream_read(client, pong, 1), STREAM_WANT_READ);
		for (n = 0; (r = stream_read(far, pong + n, sizeof pong)) > 0; n += r)
			;
		assert_int_equal(n, 9);
		assert_int_equal(pong[0], 0x8a);
		assert_int_equal(pong[1], 0x83);
		assert_int_equal(pong[6] ^ pong[2], 'y');
		assert_int_equal(pong[7] ^ pong[3], 'o');
		assert_int_equal(pong[8] ^ pong[4], 'u');
		stream_close(client);
		stream_close(far);
	}
}

static void
masks_differ(void **state)
{
	struct stream *client, *far;
	uint8_t a[7], b[7];

	(void)state;
	make_client(&client, &far, 0);
	write_all(client, "x", 1);
	assert_int_equal(stream_read(far, a, 7), 7);
	write_all(client, "x", 1);
	assert_int_equal(stream_read(far, b, 7), 7);
	assert_int_equal(a[0], 0x82);
	assert_int_equal(a[1], 0x81);
	assert_int_equal(a[6] ^ a[2], 'x');
	assert_memory_not_equal(a + 2, b + 2, 4);
	stream_close(client);
	stream_close(far);
}

/* A peer that pings and does not listen: nothing piles up, reading waits until it can be answered. */
static void
pongs_that_nobody_takes(void **state)
{
	static const char ping[] = "\x89\x7d";
	struct stream *client, *far;
	char frame[127] = { 0 }, bytes[4096];
	size_t said = 0;
	ssize_t r = 0, n;

	(void)state;
	memcpy(frame, ping, 2);
	make_client(&client, &far, 0);
	for (int i = 0; i < 100000 && r != STREAM_WANT_WRITE; i++) {
		n = stream_write(far, frame + said % 127, 127 - said % 127);
		said += n > 0 ? (size_t)n : 0;
		r = stream_read(client, bytes, 1);
		assert_true(r == STREAM_WANT_READ || r == STREAM_WANT_WRITE);
	}
	assert_int_equal(r, STREAM_WANT_WRITE);
	assert_true(said < 200000);
	while ((n = stream_read(far, bytes, sizeof bytes)) > 0)
		;
	assert_int_equal(stream_read(client, bytes, 1), STREAM_WANT_READ);
	stream_close(client);
	stream_close(far);
}

/* A stream of pings that is always there. */
struct pings {
	struct stream s;
	size_t at;
};

static ssize_t
pings_read(struct stream *s, void *dst, size_t n)
{
	static const char ping[6] = "\x8a\x80" MASK;
	struct pings *p = (struct pings *)s;

	for (size_t i = 0; i < n; i++)
		((char *)dst)[i] = ping[p->at++ % 6];
	return (ssize_t)n;
}

static ssize_t
pings_write(struct stream *s, const void *src, size_t n)
{
	(void)s;
	(void)src;
	return (ssize_t)n;
}

static void
pings_close(struct stream *s)
{
	(void)s;
}

static void
pings_without_end(void **state)
{
	static const struct stream_ops ops = { pings_read, pings_write, NULL, pings_close };
	struct pings p = { { .ops = &ops }, 0 };
	struct stream *server = accept_ws(&p.s, "", 0);
	char byte;

	(void)state;
	assert_int_equal(stream_read(server, &byte, 1), STREAM_ERR);
	assert_non_null(strstr(server->err.text, "without end"));
	assert_true(p.at < 1100000);
	stream_close(server);
}

static void
farewells(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *words; /* NULL: none */
	} ends[] = { { BYTES("\x88\x00"), NULL }, { BYTES("\x88\x02\x03\xe8"), NULL },
		{ BYTES("\x88\x05\x03\xe8"
			"bye"),
		    NULL },
		{ BYTES("\x88\x02\x03\xe9"), "hub.example closed the WebSocket with code 1001" },
		{ BYTES("\x88\x07\x0f\xa0"
			"a\xc3\xa4\x01z"),
		    "with code 4000: a?? z" } };
	struct stream *client, *far;
	uint8_t frame[200];
	char byte;
	ssize_t n;

	(void)state;
	EACH_CHUNK(c)
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		make_client(&client, &far, chunks[c]);
		write_all(far, ends[i].bytes, ends[i].n);
		write_all(far, BYTES("\x82\x01x"));
		assert_int_equal(stream_read(client, &byte, 1), 0);
		assert_int_equal(stream_read(client, &byte, 1), 0);
		assert_string_equal(
		    client->err.text + strlen(client->err.text) - (ends[i].words ? strlen(ends[i].words) : 0),
		    ends[i].words ? ends[i].words : client->err.text);
		assert_int_equal(client->err.code, ends[i].words ? HF_ERR_NET : 0);
		assert_int_equal(stream_write(client, "x", 1), STREAM_ERR);
		for (n = 0; n < 2; n += stream_read(far, frame + n, 1))
			;
		assert_int_equal(frame[0], 0x88);
		assert_int_equal(frame[1], i == 0 ? 0x80 : 0x82);
		stream_close(client);
		stream_close(far);
	}
}

/* Both ways of leaving: with a goodbye, and without. */
static void
leaving(void **state)
{
	struct stream *client, *server, *far;
	char byte;

	(void)state;
	make(&client, &server, 0);
	write_all(client, "x", 1);
	stream_close(client);
	assert_int_equal(stream_read(server, &byte, 1), 1);
	assert_int_equal(stream_read(server, &byte, 1), 0);
	assert_int_equal(server->err.code, 0);
	assert_int_equal(stream_write(server, "y", 1), STREAM_ERR);
	assert_string_equal(server->err.text, "the client has closed the WebSocket");
	stream_close(server);

	make_client(&client, &far, 0);
	stream_close(far);
	assert_int_equal(stream_read(client, &byte, 1), STREAM_ERR);
	assert_string_equal(
	    client->err.text, "hub.example closed the connection without WebSocket's goodbye");
	stream_close(client);

	make_client(&client, &far, 0);
	pair_cut(far, 0);
	assert_int_equal(stream_write(client, "x", 1), STREAM_ERR);
	assert_string_equal(client->err.text, "memory stream: the connection was cut");
	stream_close(client);
	stream_close(far);
}

/* What the stream below did not take is waited for, by a reader too. */
static int
waits_for(struct stream *s, int want)
{
	short events = 0;
	int fd = -2;

	stream_wait(s, want, &fd, &events);
	return fd == -1 && events == 0;
}

static void
a_peer_that_takes_little(void **state)
{
	struct stream *near, *far, *server;
	char out[500], in[600];
	ssize_t n, got = 0;

	(void)state;
	memset(out, 'o', sizeof out);
	assert_int_equal(pair_new(&near, &far, 100, 0), 0);
	server = accept_ws(near, "", 0);
	assert_int_equal(stream_write(server, out, sizeof out), STREAM_WANT_WRITE);
	assert_int_equal(stream_write(server, out, sizeof out), STREAM_WANT_WRITE);
	assert_true(waits_for(server, STREAM_WANT_WRITE));
	assert_true(waits_for(server, STREAM_WANT_READ));
	for (int i = 0; i < 100; i++) {
		if ((n = stream_read(far, in + got, sizeof in - (size_t)got)) > 0)
			got += n;
		assert_int_equal(stream_read(server, out, 1), STREAM_WANT_READ);
	}
	assert_int_equal(got, 504);
	assert_int_equal(stream_write(server, out, sizeof out), sizeof out);
	assert_memory_equal(in, "\x82\x7e\x01\xf4ooo", 7);
	stream_close(server);
	stream_close(far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accept_keys),
		cmocka_unit_test(asks_as_it_should),
		cmocka_unit_test(carries_bytes),
		cmocka_unit_test(keeps_what_came_behind),
		cmocka_unit_test(says_the_answer_first),
		cmocka_unit_test(refusals),
		cmocka_unit_test(handshakes_that_end_early),
		cmocka_unit_test(an_answer_without_end),
		cmocka_unit_test(what_cannot_be_asked),
		cmocka_unit_test(rules_for_clients),
		cmocka_unit_test(rules_for_servers),
		cmocka_unit_test(a_frame_without_end),
		cmocka_unit_test(fragments),
		cmocka_unit_test(masks_differ),
		cmocka_unit_test(pongs_that_nobody_takes),
		cmocka_unit_test(pings_without_end),
		cmocka_unit_test(farewells),
		cmocka_unit_test(leaving),
		cmocka_unit_test(a_peer_that_takes_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
