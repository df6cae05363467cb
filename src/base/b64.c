#include "base/b64.h"

#include <string.h>

#include "holdfast.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet32[] = "abcdefghijklmnopqrstuvwxyz234567";

int
b64_put(struct buf *b, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint8_t *start, *d;
	uint32_t v;

	if (n > SIZE_MAX / 4 || (start = d = buf_room(b, (n + 2) / 3 * 4)) == NULL)
		return HF_ERR_MEMORY;
	for (; n > 0; p += 3) {
		v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
		*d++ = (uint8_t)alphabet[v >> 18];
		*d++ = (uint8_t)alphabet[v >> 12 & 63];
		*d++ = n > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
		*d++ = n > 2 ? (uint8_t)alphabet[v & 63] : '=';
		n -= n < 3 ? n : 3;
	}
	buf_add(b, (size_t)(d - start));
	return 0;
}

static int
value(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static int
is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int
b64_get(struct buf *b, const char *s, size_t n)
{
	size_t digits = 0, pads = 0, i;
	uint8_t *start, *d;
	uint32_t v = 0;

	if ((start = d = buf_room(b, n / 4 * 3 + 3)) == NULL)
		return HF_ERR_MEMORY;
	for (i = 0; i < n; i++) {
		if (is_space(s[i]))
			continue;
		if (s[i] == '=') {
			pads++;
			continue;
		}
		if (pads > 0 || value(s[i]) < 0)
			return HF_ERR_ARGS;
		v = v << 6 | (uint32_t)value(s[i]);
		if (digits++ % 4 > 0)
			*d++ = (uint8_t)(v >> (6 - 2 * ((digits - 1) % 4)));
	}
	if (pads > 2 || (digits + pads) % 4 != 0)
		return HF_ERR_ARGS;
	buf_add(b, (size_t)(d - start));
	return 0;
}

int
b32_put(struct buf *b, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint8_t *start, *d;
	uint32_t v = 0;
	unsigned bits = 0;

	if (n > SIZE_MAX / 8 || (start = d = buf_room(b, (n * 8 + 4) / 5)) == NULL)
		return HF_ERR_MEMORY;
	for (; n > 0; n--) {
		v = v << 8 | *p++;
		for (bits += 8; bits >= 5; bits -= 5)
			*d++ = (uint8_t)alphabet32[v >> (bits - 5) & 31];
	}
	if (bits > 0)
		*d++ = (uint8_t)alphabet32[v << (5 - bits) & 31];
	buf_add(b, (size_t)(d - start));
	return 0;
}
