/*
 * Both chairs of the HTTP engine. The first byte chooses the chair (1), how often and what was asked (6, 24, 32) and
 * whether the stream never ends (64); the rest is what the peer sends: once whole, once byte by byte, and the same must be heard. What was heard is said again, and must be heard again.
 */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "http/parse.h"

#define MAX_BODY 4096

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int true)
{
	if (!true)
		abort();
}

static uint64_t
mix(uint64_t digest, const void *p, size_t n)
{
	const uint8_t *s = p;

	for (size_t i = 0; i < n; i++)
		digest = (digest ^ s[i]) * 0x100000001b3;
	return digest;
}

static uint64_t
mix_text(uint64_t digest, const char *s)
{
	return s ? mix(digest, s, strlen(s) + 1) : digest;
}

static uint64_t
mix_message(uint64_t digest, const struct http_message *m)
{
	digest = mix_text(mix_text(mix_text(digest, m->method), m->target), m->reason);
	digest = mix(mix(digest, &m->status, sizeof m->status), &m->keep, sizeof m->keep);
	for (size_t i = 0; i < m->header_count; i++)
		digest = mix_text(mix_text(digest, m->header[i].name), m->header[i].value);
	return mix(digest, m->body, m->len);
}

static void
say_again(const struct http_message *heard)
{
	struct http_message m = *heard;
	struct http_event ev;
	struct http h;

	m.header_count = 0;
	for (size_t i = 0; i < heard->header_count; i++)
		if (!str_eqi(heard->header[i].name, "Content-Length") &&
		    !str_eqi(heard->header[i].name, "Transfer-Encoding") && m.header_count < HTTP_HEADERS - 1)
			m.header[m.header_count++] = heard->header[i];
	must(http_init(&h, 1, MAX_BODY) == 0);
	must(http_put(&h.inbox, &m) == 0);
	if (buf_size(&h.inbox) < 32768)
		must(http_next(&h, &ev) == (http_header(&m, "Host") ? 1 : HF_ERR_PROTOCOL));
	if (h.waiting > 0) {
		must(strcmp(ev.message.target, heard->target) == 0 && ev.message.len == heard->len);
		must(heard->len == 0 || memcmp(ev.message.body, heard->body, heard->len) == 0);
	}
	http_fini(&h);
}

static void
answer(struct http *h, const struct http_message *m)
{
	struct http_message reply = {
		.status = http_header(m, "Upgrade") ? 101 : 200, .body = m->body, .len = m->len
	};

	say_again(m);
	must(http_say(h, &reply) == 0);
}

static uint64_t
drain(struct http *h, uint64_t digest)
{
	struct http_event ev;
	int rc;

	while ((rc = http_next(h, &ev)) == 1) {
		digest = mix(digest, &ev.what, sizeof ev.what);
		if (ev.what != HTTP_MESSAGE)
			continue;
		digest = mix_message(digest, &ev.message);
		if (h->server)
			answer(h, &ev.message);
		buf_clear(&h->engine.out);
	}
	must(rc == 0 || h->engine.err.code == rc);
	return digest;
}

static void
ask(struct http *h, unsigned how)
{
	int over = h->waiting > 0 && (h->asked[0] & HTTP_LAST);
	static const char *const methods[] = { "GET", "HEAD", "CONNECT", "PUT" };
	struct http_message m = { .method = methods[how & 3],
		.target = "/",
		.header_count = 1 + (how >> 2 & 1),
		.header = { { "Host", "h" }, { "Connection", "close" } } };

	must(http_say(h, &m) == (over ? HF_ERR_STATE : 0));
}

static uint64_t
converse(unsigned how, const uint8_t *data, size_t len, size_t piece)
{
	const struct engine_ops *ops;
	struct buf rest = { 0 };
	uint64_t digest = 0;
	struct http h;

	must(http_init(&h, how & 1, MAX_BODY) == 0);
	ops = h.engine.ops;
	ops->tick(&h.engine, 1);
	for (unsigned i = 0; !(how & 1) && i < (how >> 1 & 3); i++)
		ask(&h, i == 0 ? how >> 3 : 0);
	for (size_t at = 0; at < len;) {
		size_t n = len - at < piece ? len - at : piece;
		ssize_t took = ops->in(&h.engine, data + at, n);

		digest = drain(&h, digest);
		if (took <= 0)
			break;
		at += (size_t)took;
	}
	if (!h.upgraded && !(how & 64))
		ops->in(&h.engine, NULL, 0);
	digest = drain(&h, digest);
	must(http_rest(&h, &rest) == 0);
	if (h.upgraded)
		digest = mix(digest, buf_data(&rest), buf_size(&rest));
	ops->tick(&h.engine, 1000000);
	digest = drain(&h, digest);
	digest = mix(digest, &h.engine.err.code, sizeof h.engine.err.code);
	buf_free(&rest);
	http_fini(&h);
	return digest;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len > 0)
		must(converse(data[0], data + 1, len - 1, SIZE_MAX) ==
		     converse(data[0], data + 1, len - 1, 1));
	return 0;
}
