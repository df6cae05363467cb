#include <string.h>
#include "amqp/local.h"
#include "base/str.h"

static uint64_t
big(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* What a constructor's upper half says: how many bytes stand behind it, or how wide the size is that does. */
static int
fixed(uint8_t code)
{
	static const int width[] = { 0, 1, 2, 4, 8, 16 };
	int class = code >> 4;

	return class >= 4 && class <= 9 ? width[class - 4] : -1;
}

static int
number(struct amqp_value *v, const uint8_t *p, size_t n)
{
	switch (v->code) {
	case 0x40:
		v->type = AMQP_NULL;
		return 0;
	case 0x41:
	case 0x42:
		v->type = AMQP_BOOL;
		v->u = v->code == 0x41;
		return 0;
	case 0x56:
		v->type = AMQP_BOOL;
		v->u = p[0] != 0;
		return p[0] > 1 ? HF_ERR_PROTOCOL : 0;
	case 0x43:
	case 0x44:
	case 0x50:
	case 0x52:
	case 0x53:
	case 0x60:
	case 0x70:
	case 0x80:
		v->type = AMQP_UINT;
		v->u = big(p, n);
		return 0;
	case 0x51:
	case 0x54:
	case 0x55:
		v->type = AMQP_INT;
		v->i = (int8_t)p[0];
		return 0;
	case 0x61:
		v->type = AMQP_INT;
		v->i = (int16_t)big(p, 2);
		return 0;
	case 0x71:
		v->type = AMQP_INT;
		v->i = (int32_t)big(p, 4);
		return 0;
	case 0x81:
	case 0x83:
		v->type = AMQP_INT;
		v->i = (int64_t)big(p, 8);
		return 0;
	case 0x45:
		v->type = AMQP_LIST;
		return 0;
	case 0x98:
		v->type = AMQP_UUID;
		return 0;
	case 0x72:
	case 0x73:
	case 0x74:
	case 0x82:
	case 0x84:
	case 0x94:
		v->type = AMQP_REAL;
		return 0;
	default:
		return HF_ERR_PROTOCOL;
	}
}

static ssize_t
get_fixed(const uint8_t *p, size_t n, struct amqp_value *v)
{
	size_t width = (size_t)fixed(v->code);

	if (n < 1 + width || number(v, p + 1, width) < 0)
		return HF_ERR_PROTOCOL;
	v->bytes = (struct amqp_text){ (const char *)p + 1, width };
	return (ssize_t)(1 + width);
}

static int
variable_type(uint8_t code)
{
	switch (code & 0x0F) {
	case 0:
		return code >> 4 <= 0xB ? AMQP_BINARY : code >> 4 <= 0xD ? AMQP_LIST : AMQP_ARRAY;
	case 1:
		return code >> 4 <= 0xB ? AMQP_STRING : code >> 4 <= 0xD ? AMQP_MAP : -1;
	case 3:
		return code >> 4 <= 0xB ? AMQP_SYMBOL : -1;
	default:
		return -1;
	}
}

static ssize_t
get_variable(const uint8_t *p, size_t n, struct amqp_value *v)
{
	size_t wide = v->code & 0x10 ? 4 : 1, counted = v->code >= 0xC0 ? wide : 0, size;
	int type = variable_type(v->code);

	if (type < 0 || n < 1 + wide + counted)
		return HF_ERR_PROTOCOL;
	size = (size_t)big(p + 1, wide);
	if (size > n - 1 - wide || size < counted)
		return HF_ERR_PROTOCOL;
	v->type = (enum amqp_type)type;
	v->count = (uint32_t)big(p + 1 + wide, counted);
	v->bytes = (struct amqp_text){ (const char *)p + 1 + wide + counted, size - counted };
	if ((type == AMQP_LIST || type == AMQP_MAP) && v->count > v->bytes.len)
		return HF_ERR_PROTOCOL;
	return (ssize_t)(1 + wide + size);
}

static ssize_t
get_plain(const uint8_t *p, size_t n, struct amqp_value *v)
{
	if (n == 0)
		return HF_ERR_PROTOCOL;
	v->code = p[0];
	if (fixed(p[0]) >= 0)
		return get_fixed(p, n, v);
	return p[0] >= 0xA0 ? get_variable(p, n, v) : HF_ERR_PROTOCOL;
}

ssize_t
amqp_get(const uint8_t *p, size_t n, struct amqp_value *v)
{
	size_t at = 0;
	ssize_t len;

	memset(v, 0, sizeof(*v));
	if (n > 0 && p[0] == 0) {
		if ((len = get_plain(p + 1, n - 1, v)) < 0 ||
		    (v->type != AMQP_UINT && v->type != AMQP_SYMBOL))
			return HF_ERR_PROTOCOL;
		at = 1 + (size_t)len;
		len = (ssize_t)(v->type == AMQP_UINT && v->u != 0 ? 0 : 1);
		*v = (struct amqp_value){ .described = len == 0 ? v->u : UINT64_MAX };
	}
	if ((len = get_plain(p + at, n - at, v)) < 0)
		return HF_ERR_PROTOCOL;
	v->whole = p;
	v->whole_len = at + (size_t)len;
	return (ssize_t)v->whole_len;
}

int
amqp_walk(struct amqp_walk *w, struct amqp_value *v)
{
	ssize_t len;

	if (w->n == 0)
		return 0;
	if ((len = amqp_get(w->p, w->n, v)) < 0)
		return (int)len;
	w->p += len;
	w->n -= (size_t)len;
	return 1;
}

int
amqp_is(const struct amqp_value *v, const char *text)
{
	size_t n = strlen(text);

	return (v->type == AMQP_STRING || v->type == AMQP_SYMBOL) && v->bytes.len == n &&
	       memcmp(v->bytes.p, text, n) == 0;
}

int
amqp_copy(const struct amqp_value *v, char *dst, size_t cap)
{
	dst[0] = '\0';
	if (v->type != AMQP_STRING && v->type != AMQP_SYMBOL)
		return HF_ERR_ARGS;
	return str_copy(dst, cap, v->bytes.p, v->bytes.len);
}

int
amqp_find(const struct amqp_value *map, const char *key, struct amqp_value *v)
{
	struct amqp_walk w = amqp_inside(map);
	struct amqp_value k;

	if (map->type != AMQP_MAP)
		return 0;
	while (amqp_walk(&w, &k) == 1 && amqp_walk(&w, v) == 1)
		if (amqp_is(&k, key))
			return 1;
	return 0;
}

int
amqp_number(const struct amqp_value *v, int64_t max, int64_t *n)
{
	uint64_t u;

	if (v->type == AMQP_INT && v->i >= 0 && v->i <= max)
		return *n = v->i, 1;
	if (v->type == AMQP_UINT && v->u <= (uint64_t)max)
		return *n = (int64_t)v->u, 1;
	if (v->type != AMQP_STRING || str_u64(v->bytes.p, v->bytes.len, (uint64_t)max, &u) < 0)
		return 0;
	*n = (int64_t)u;
	return 1;
}

static int
put_big(struct buf *b, uint8_t code, uint64_t v, int width)
{
	uint8_t p[9] = { code };

	for (int i = width; i > 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
	return buf_put(b, p, 1 + (size_t)width);
}

int
amqp_put_null(struct buf *b)
{
	return buf_putc(b, 0x40);
}

int
amqp_put_bool(struct buf *b, int v)
{
	return buf_putc(b, v ? 0x41 : 0x42);
}

int
amqp_put_uint(struct buf *b, uint32_t v)
{
	return v == 0 ? buf_putc(b, 0x43) : put_big(b, v < 256 ? 0x52 : 0x70, v, v < 256 ? 1 : 4);
}

int
amqp_put_ulong(struct buf *b, uint64_t v)
{
	return v == 0 ? buf_putc(b, 0x44) : put_big(b, v < 256 ? 0x53 : 0x80, v, v < 256 ? 1 : 8);
}

int
amqp_put_int(struct buf *b, int32_t v)
{
	return put_big(b, 0x71, (uint64_t)(int64_t)v, 4);
}

int
amqp_put_long(struct buf *b, int64_t v)
{
	return put_big(b, 0x81, (uint64_t)v, 8);
}

int
amqp_put_timestamp(struct buf *b, int64_t ms)
{
	return put_big(b, 0x83, (uint64_t)ms, 8);
}

/* Before anything is put: either all of it is, or nothing. */
static int
put_sized(struct buf *b, uint8_t code, const void *p, size_t n)
{
	size_t was = b->len;
	int r = n < 256 ? put_big(b, code, n, 1) : put_big(b, code | 0x10, n, 4);

	if (r == 0 && n > 0 && (r = buf_put(b, p, n)) < 0)
		b->len = was;
	return r;
}

int
amqp_put_binary(struct buf *b, const void *p, size_t n)
{
	return put_sized(b, 0xA0, p, n);
}

int
amqp_put_string(struct buf *b, const char *p, size_t n)
{
	return put_sized(b, 0xA1, p, n);
}

int
amqp_put_symbol(struct buf *b, const char *p, size_t n)
{
	return put_sized(b, 0xA3, p, n);
}

static int
put_compound(struct buf *b, uint8_t descriptor, uint8_t code, uint32_t count, const struct buf *values)
{
	const uint8_t lead[] = { 0, 0x53, descriptor };
	size_t n = buf_size(values);
	int r = descriptor == 0 ? 0 : buf_put(b, lead, sizeof(lead));

	if (r == 0)
		r = put_big(b, code | 0x10, n + 4, 4);
	if (r == 0)
		r = buf_put32(b, count);
	return r == 0 && n > 0 ? buf_put(b, buf_data(values), n) : r;
}

int
amqp_put_list(struct buf *b, uint8_t descriptor, uint32_t count, const struct buf *values)
{
	return put_compound(b, descriptor, 0xC0, count, values);
}

int
amqp_put_map(struct buf *b, uint8_t descriptor, uint32_t count, const struct buf *values)
{
	return put_compound(b, descriptor, 0xC1, count, values);
}

static void
key(struct amqp_pairs *p, const char *name)
{
	int r = p->symbols ? amqp_put_symbol(&p->b, name, strlen(name))
			   : amqp_put_string(&p->b, name, strlen(name));

	if (p->failed == 0)
		p->failed = r;
	p->count += 2;
}

static void
put(struct amqp_pairs *p, int r)
{
	if (p->failed == 0)
		p->failed = r;
}

void
amqp_pair_text(struct amqp_pairs *p, const char *name, const char *value)
{
	key(p, name);
	put(p, amqp_put_string(&p->b, value, strlen(value)));
}

void
amqp_pair_int(struct amqp_pairs *p, const char *name, int32_t value)
{
	key(p, name);
	put(p, amqp_put_int(&p->b, value));
}

void
amqp_pair_long(struct amqp_pairs *p, const char *name, int64_t value)
{
	key(p, name);
	put(p, amqp_put_long(&p->b, value));
}

void
amqp_pair_bool(struct amqp_pairs *p, const char *name, int value)
{
	key(p, name);
	put(p, amqp_put_bool(&p->b, value));
}

void
amqp_pair_time(struct amqp_pairs *p, const char *name, int64_t ms)
{
	key(p, name);
	put(p, amqp_put_timestamp(&p->b, ms));
}
