#include "base/buf.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast.h"

#define SMALLEST 64

static int
grow(struct buf *b, size_t n)
{
	size_t live = buf_size(b), cap = b->cap < SMALLEST ? SMALLEST : b->cap;
	uint8_t *p;

	if (n > SIZE_MAX / 2 - live)
		return HF_ERR_MEMORY;
	while (cap - live < n)
		cap *= 2;
	if ((p = malloc(cap)) == NULL)
		return HF_ERR_MEMORY;
	if (live > 0)
		memcpy(p, buf_data(b), live);
	OPENSSL_cleanse(b->p, b->cap);
	free(b->p);
	*b = (struct buf){ p, 0, live, cap };
	return 0;
}

static void
compact(struct buf *b)
{
	memmove(b->p, b->p + b->off, buf_size(b));
	b->len -= b->off;
	b->off = 0;
}

uint8_t *
buf_room(struct buf *b, size_t n)
{
	if (b->cap - b->len < n && b->off >= b->len / 2 && b->off > 0)
		compact(b);
	if ((b->p == NULL || b->cap - b->len < n) && grow(b, n) < 0)
		return NULL;
	return b->p + b->len;
}

void
buf_add(struct buf *b, size_t n)
{
	b->len += n;
}

void
buf_eat(struct buf *b, size_t n)
{
	b->off += n;
	if (b->off == b->len)
		b->off = b->len = 0;
}

int
buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *room;

	if (n == 0)
		return 0;
	if ((room = buf_room(b, n)) == NULL)
		return HF_ERR_MEMORY;
	memcpy(room, p, n);
	buf_add(b, n);
	return 0;
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int
buf_putc(struct buf *b, uint8_t c)
{
	return buf_put(b, &c, 1);
}

int
buf_put16(struct buf *b, unsigned v)
{
	const uint8_t p[] = { v >> 8 & 0xff, v & 0xff };

	return buf_put(b, p, sizeof p);
}

int
buf_put32(struct buf *b, uint32_t v)
{
	const uint8_t p[] = { v >> 24, v >> 16 & 0xff, v >> 8 & 0xff, v & 0xff };

	return buf_put(b, p, sizeof p);
}

int
buf_fmt(struct buf *b, const char *fmt, ...)
{
	uint8_t *room;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (room = buf_room(b, (size_t)n + 1)) == NULL)
		return HF_ERR_MEMORY;
	va_start(ap, fmt);
	vsnprintf((char *)room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_add(b, (size_t)n);
	return 0;
}

void
buf_clear(struct buf *b)
{
	OPENSSL_cleanse(b->p, b->cap);
	b->off = b->len = 0;
}

void
buf_free(struct buf *b)
{
	OPENSSL_cleanse(b->p, b->cap);
	free(b->p);
	*b = (struct buf){ 0 };
}

char *
buf_str(struct buf *b)
{
	uint8_t *end = buf_room(b, 1);

	if (end == NULL)
		return NULL;
	*end = '\0';
	return (char *)b->p + b->off;
}
