/*
 * The small parsers that meet text from outside, given anything: what they take must come back the same when it is
 * written and read again, and what they refuse must leave the buffer alone.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/str.h"
#include "base/url.h"
#include "holdfast.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static int
same(const struct buf *a, const struct buf *b)
{
	return buf_size(a) == buf_size(b) &&
	       (buf_size(a) == 0 || memcmp(buf_data(a), buf_data(b), buf_size(a)) == 0);
}

static void
round_trip(int (*get)(struct buf *, const char *, size_t), int (*put)(struct buf *, const void *, size_t),
    const char *s, size_t n)
{
	struct buf plain = { 0 }, text = { 0 }, again = { 0 };

	if (get(&plain, s, n) < 0)
		must(buf_size(&plain) == 0);
	must(put(&text, buf_data(&plain), buf_size(&plain)) == 0);
	must(get(&again, (const char *)buf_data(&text), buf_size(&text)) == 0);
	must(same(&plain, &again));
	buf_free(&plain);
	buf_free(&text);
	buf_free(&again);
}

static int
put_url(struct buf *b, const void *p, size_t n)
{
	return url_put(b, p, n);
}

static void
others(const uint8_t *p, size_t n)
{
	struct buf b32 = { 0 };
	char hex[2 * 64 + 1];
	size_t i;

	must(b32_put(&b32, p, n) == 0 && buf_size(&b32) == (n * 8 + 4) / 5);
	for (i = 0; i < buf_size(&b32); i++)
		must(memchr("abcdefghijklmnopqrstuvwxyz234567", buf_data(&b32)[i], 32) != NULL);
	buf_free(&b32);
	n = n > 64 ? 64 : n;
	str_hex(hex, p, n);
	must(strlen(hex) == 2 * n && strspn(hex, "0123456789ABCDEF") == 2 * n);
}

static void
walk(const char *s, size_t n)
{
	const char *p = s, *end = s + n, *before = p;
	struct url_pair pair;

	for (; url_next(&p, end, &pair); before = p) {
		must(p > before && p <= end);
		must(pair.key >= before && pair.key + pair.klen <= end);
		must(memchr(pair.key, '&', pair.klen) == NULL && memchr(pair.key, '=', pair.klen) == NULL);
		must(pair.value == NULL ? pair.vlen == 0 : pair.value + pair.vlen == p);
	}
	must(n == 0 || p == end);
}

static void
names(const char *s, size_t n)
{
	char text[300], host[64] = "before", *own = NULL;
	uint16_t port = 7;
	uint64_t v = 7;

	must(str_u64(s, n, 1000, &v) == 0 ? v <= 1000 : v == 7);
	if (str_copy(text, sizeof text, s, n) < 0)
		return;
	must(!str_is_registration_id(text) || n <= 128);
	if (str_host_port(text, host, sizeof host, &port) < 0)
		must(strcmp(host, "before") == 0 && port == 7);
	else
		must(*host != '\0' && strpbrk(host, " \r\n/@") == NULL);
	must(str_set(&own, text) == 0 && strcmp(own, text) == 0);
	for (char *c = own; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	must(str_eqi(own, text) &&
	     str_fmt(host, sizeof host, "%s", own) == (n < sizeof host ? 0 : HF_ERR_ARGS));
	str_free(&own);
	must(own == NULL);
	str_plain(text);
	must(strlen(text) == n && strpbrk(text, "\r\n\033") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *s = (const char *)p;

	round_trip(b64_get, b64_put, s, n);
	round_trip(url_get, put_url, s, n);
	others(p, n);
	walk(s, n);
	names(s, n);
	return 0;
}
