#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/rand.h>
#include "base/b64.h"
#include "base/str.h"
#include "emulator.h"

void
guid_new(char dst[37])
{
	uint8_t n[16] = { 0 };

	RAND_bytes(n, sizeof n);
	n[6] = (n[6] & 0x0f) | 0x40;
	n[8] = (n[8] & 0x3f) | 0x80;
	snprintf(dst, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", n[0], n[1],
	    n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14], n[15]);
}

void
etag_new(char dst[128])
{
	struct buf b = { 0 };
	char guid[37], quoted[40];

	guid_new(guid);
	snprintf(quoted, sizeof quoted, "\"%s\"", guid);
	dst[0] = '\0';
	if (b64_put(&b, quoted, strlen(quoted)) == 0)
		str_copy(dst, 128, buf_data(&b), buf_size(&b));
	buf_free(&b);
}

/* The text between quotes, or all of it. */
static void
bare(const char **p, size_t *n)
{
	if (*n < 2 || (*p)[0] != '"' || (*p)[*n - 1] != '"')
		return;
	*p += 1;
	*n -= 2;
}

static int
same(const char *a, size_t n, const char *b, size_t m)
{
	bare(&a, &n);
	bare(&b, &m);
	return n == m && memcmp(a, b, n) == 0;
}

int
etag_matches(const char *etag, const char *if_match)
{
	struct buf plain = { 0 };
	int yes;

	if (strcmp(if_match, "*") == 0 || strcmp(if_match, "\"*\"") == 0)
		return 1;
	yes = same(etag, strlen(etag), if_match, strlen(if_match));
	if (!yes && b64_get(&plain, etag, strlen(etag)) == 0 && buf_size(&plain) > 0)
		yes = same((const char *)buf_data(&plain), buf_size(&plain), if_match, strlen(if_match));
	buf_free(&plain);
	return yes;
}

int
refuse_as(struct hf_error *err, int service)
{
	if (err->service == 0) {
		err->service = service;
		err->status = service / 1000;
	}
	return err->code;
}

int
refuse(struct hf_error *err, int service, const char *fmt, ...)
{
	int status = service / 1000, first = err->code == 0;
	char text[sizeof err->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_set(
	    err, status == 401 || status == 403 || status == 404 ? HF_ERR_AUTH : HF_ERR_SERVICE, "%s", text);
	return first ? refuse_as(err, service) : err->code;
}
