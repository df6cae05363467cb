#include "base/json.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast.h"

/* Debian's libjansson.a is not position-independent and names stdin; in our libraries it gets this instead (src/CMakeLists.txt). */
extern FILE *hf_stdin;
FILE *hf_stdin;

json_t *
js_parse(const void *p, size_t n, const char *what, struct hf_error *err)
{
	json_error_t why;
	json_t *v;
	char *quote;

	if (n == 0) {
		err_set(err, HF_ERR_PROTOCOL, "%s is empty where JSON is expected", what);
		return NULL;
	}
	if ((v = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why)) != NULL)
		return v;
	if (json_error_code(&why) == json_error_out_of_memory) {
		err_memory(err);
		return NULL;
	}
	if ((quote = strstr(why.text, " near ")) != NULL)
		*quote = '\0'; /* what is quoted could be a secret */
	err_set(err, HF_ERR_PROTOCOL, "%s is not JSON: line %d, column %d: %s", what, why.line, why.column,
	    why.text);
	return NULL;
}

const char *
js_str(const json_t *o, const char *key, const char *or_else)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? json_string_value(v) : or_else;
}

int64_t
js_int(const json_t *o, const char *key, int64_t or_else)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : or_else;
}

int
js_bool(const json_t *o, const char *key, int or_else)
{
	const json_t *v = json_object_get(o, key);

	return json_is_boolean(v) ? json_is_true(v) : or_else;
}

const json_t *
js_get(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_null(v) ? NULL : v;
}

static int
put_quoted(struct buf *b, const char *s, size_t n)
{
	static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\", hex[] = "0123456789abcdef";
	uint8_t *start, *d;
	const char *e;

	if (n > SIZE_MAX / 8 || (start = d = buf_room(b, 6 * n + 2)) == NULL)
		return HF_ERR_MEMORY;
	*d++ = '"';
	for (; n > 0; n--, s++) {
		if ((uint8_t)*s >= ' ' && *s != '"' && *s != '\\') {
			*d++ = (uint8_t)*s;
			continue;
		}
		for (e = shorts; *e != '\0' && *e != *s; e += 2)
			;
		if (*e != '\0') {
			*d++ = '\\';
			*d++ = (uint8_t)e[1];
		} else {
			memcpy(d, "\\u00", 4);
			d[4] = (uint8_t)hex[*s >> 4];
			d[5] = (uint8_t)hex[*s & 15];
			d += 6;
		}
	}
	*d++ = '"';
	buf_add(b, (size_t)(d - start));
	return 0;
}

static int
append(const char *s, size_t n, void *b)
{
	return buf_put(b, s, n);
}

/* The digits are counted here and written by jansson, which knows what the locale does to a decimal point. */
static int
put_real(struct buf *b, const json_t *v)
{
	size_t digits;
	char s[64];

	for (digits = 15; digits < 17; digits++) {
		snprintf(s, sizeof s, "%.*g", (int)digits, json_real_value(v));
		if (strtod(s, NULL) == json_real_value(v))
			break;
	}
	return json_dump_callback(v, append, b, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits)) < 0
		   ? HF_ERR_MEMORY
		   : 0;
}

static int put_value(struct buf *, const json_t *);

static int
put_object(struct buf *b, json_t *v)
{
	void *i;
	const char *key;
	int r;

	if ((r = buf_putc(b, '{')) < 0)
		return r;
	for (i = json_object_iter(v); i != NULL; i = json_object_iter_next(v, i)) {
		if (i != json_object_iter(v) && (r = buf_putc(b, ',')) < 0)
			return r;
		key = json_object_iter_key(i);
		if ((r = put_quoted(b, key, strlen(key))) < 0 || (r = buf_putc(b, ':')) < 0 ||
		    (r = put_value(b, json_object_iter_value(i))) < 0)
			return r;
	}
	return buf_putc(b, '}');
}

static int
put_array(struct buf *b, const json_t *v)
{
	size_t i;
	int r;

	if ((r = buf_putc(b, '[')) < 0)
		return r;
	for (i = 0; i < json_array_size(v); i++) {
		if (i > 0 && (r = buf_putc(b, ',')) < 0)
			return r;
		if ((r = put_value(b, json_array_get(v, i))) < 0)
			return r;
	}
	return buf_putc(b, ']');
}

static int
put_value(struct buf *b, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return put_object(b, (json_t *)v);
	case JSON_ARRAY:
		return put_array(b, v);
	case JSON_STRING:
		return put_quoted(b, json_string_value(v), json_string_length(v));
	case JSON_INTEGER:
		return buf_fmt(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	case JSON_REAL:
		return put_real(b, v);
	case JSON_TRUE:
		return buf_puts(b, "true");
	case JSON_FALSE:
		return buf_puts(b, "false");
	case JSON_NULL:
		break;
	}
	return buf_puts(b, "null");
}

int
js_put(struct buf *b, const json_t *v)
{
	size_t had = buf_size(b);
	int r;

	if (v == NULL)
		return HF_ERR_MEMORY;
	if ((r = put_value(b, v)) < 0)
		b->len = b->off + had;
	return r;
}

static void
wipe(json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;

	json_object_foreach(v, key, member) wipe(member);
	json_array_foreach(v, i, member) wipe(member);
	if (json_is_string(v))
		OPENSSL_cleanse((char *)(uintptr_t)json_string_value(v), json_string_length(v));
}

void
js_forget(json_t *v)
{
	wipe(v);
	json_decref(v);
}
