#include "base/str.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast.h"

int
str_set(char **dst, const char *src)
{
	char *copy = NULL;

	if (src != NULL && (copy = strdup(src)) == NULL)
		return HF_ERR_MEMORY;
	str_free(dst);
	*dst = copy;
	return 0;
}

void
str_free(char **s)
{
	if (*s == NULL)
		return;
	OPENSSL_cleanse(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

int
str_fmt(char *dst, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, cap, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < cap)
		return 0;
	if (cap > 0)
		dst[0] = '\0';
	return HF_ERR_ARGS;
}

int
str_copy(char *dst, size_t cap, const void *src, size_t n)
{
	if (cap == 0)
		return HF_ERR_ARGS;
	dst[0] = '\0';
	if (n >= cap || (n > 0 && memchr(src, '\0', n) != NULL))
		return HF_ERR_ARGS;
	if (n > 0)
		memcpy(dst, src, n);
	dst[n] = '\0';
	return 0;
}

static int
lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

static int
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static int
is_letter(int c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

int
str_eqin(const char *a, const void *b, size_t n)
{
	const char *p = b;
	size_t i;

	for (i = 0; i < n; i++)
		if (a[i] == '\0' || lower(a[i]) != lower(p[i]))
			return 0;
	return a[n] == '\0';
}

int
str_eqi(const char *a, const char *b)
{
	return str_eqin(a, b, strlen(b));
}

int
str_u64(const char *s, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0, digit;
	size_t i;

	if (n == 0)
		return HF_ERR_ARGS;
	for (i = 0; i < n; i++) {
		if (!is_digit(s[i]))
			return HF_ERR_ARGS;
		digit = (uint64_t)(s[i] - '0');
		if (digit > max || v > (max - digit) / 10)
			return HF_ERR_ARGS;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

static int
is_host(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || strchr("/@?#[]\\\"\x7f", s[i]) != NULL)
			return 0;
	return n > 0;
}

int
str_host_port(const char *s, char *host, size_t cap, uint16_t *port)
{
	const char *rest;
	uint64_t number = 0;
	size_t n;

	if (*s == '[') {
		n = strcspn(++s, "]");
		rest = s[n] == ']' ? s + n + 1 : s + n;
		if (rest == s + n || memchr(s, ':', n) == NULL)
			return HF_ERR_ARGS;
	} else {
		n = strcspn(s, ":");
		rest = s + n;
	}
	if (!is_host(s, n) || n >= cap || (*rest != '\0' && *rest != ':'))
		return HF_ERR_ARGS;
	if (*rest == ':' && str_u64(rest + 1, strlen(rest + 1), UINT16_MAX, &number) < 0)
		return HF_ERR_ARGS;
	if (*rest == ':')
		*port = (uint16_t)number;
	return str_copy(host, cap, s, n);
}

int
str_is_registration_id(const char *s)
{
	size_t n = strlen(s), i;

	if (n < 1 || n > 128)
		return 0;
	for (i = 0; i < n; i++)
		if (!is_letter(s[i]) && !is_digit(s[i]) && strchr("-._:", s[i]) == NULL)
			return 0;
	return is_letter(s[n - 1]) || is_digit(s[n - 1]) || s[n - 1] == '-';
}

void
str_hex(char *dst, const void *src, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";
	const uint8_t *p = src;
	size_t i;

	for (i = 0; i < n; i++) {
		*dst++ = digits[p[i] >> 4];
		*dst++ = digits[p[i] & 15];
	}
	*dst = '\0';
}

void
str_plain(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == '\x7f')
			*s = ' ';
}
