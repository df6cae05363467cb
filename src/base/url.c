#include "base/url.h"

#include <string.h>

#include "holdfast.h"

static int
is_plain(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

int
url_put(struct buf *b, const char *s, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	uint8_t *start, *d, c;
	size_t i;

	if (n > SIZE_MAX / 4 || (start = d = buf_room(b, 3 * n)) == NULL)
		return HF_ERR_MEMORY;
	for (i = 0; i < n; i++) {
		c = (uint8_t)s[i];
		if (is_plain(c)) {
			*d++ = c;
			continue;
		}
		*d++ = '%';
		*d++ = (uint8_t)hex[c >> 4];
		*d++ = (uint8_t)hex[c & 15];
	}
	buf_add(b, (size_t)(d - start));
	return 0;
}

static int
nibble(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
url_get(struct buf *b, const char *s, size_t n)
{
	uint8_t *start, *d;
	size_t i;

	if ((start = d = buf_room(b, n)) == NULL)
		return HF_ERR_MEMORY;
	for (i = 0; i < n; i++) {
		if (s[i] != '%') {
			*d++ = (uint8_t)s[i];
			continue;
		}
		if (n - i < 3 || nibble(s[i + 1]) < 0 || nibble(s[i + 2]) < 0)
			return HF_ERR_ARGS;
		*d++ = (uint8_t)(nibble(s[i + 1]) << 4 | nibble(s[i + 2]));
		i += 2;
	}
	buf_add(b, (size_t)(d - start));
	return 0;
}

int
url_next(const char **p, const char *end, struct url_pair *pair)
{
	const char *stop, *eq;

	while (*p < end && **p == '&')
		++*p;
	if (*p >= end)
		return 0;
	if ((stop = memchr(*p, '&', (size_t)(end - *p))) == NULL)
		stop = end;
	eq = memchr(*p, '=', (size_t)(stop - *p));
	*pair = (struct url_pair){ .key = *p, .klen = (size_t)((eq != NULL ? eq : stop) - *p) };
	if (eq != NULL) {
		pair->value = eq + 1;
		pair->vlen = (size_t)(stop - pair->value);
	}
	*p = stop;
	return 1;
}
