#include "azure_c_shared_utility/strings.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct STRING_TAG {
	char *s;  /* never NULL, with a NUL behind it */
	size_t n; /* without that */
};

/* What is kept from the front, and these bytes behind it, which may be the string's own. */
static int
splice(STRING_HANDLE h, size_t keep, const void *src, size_t n)
{
	char *s;

	if (n >= PTRDIFF_MAX - keep || (s = malloc(keep + n + 1)) == NULL)
		return MU_FAILURE;
	if (keep > 0)
		memcpy(s, h->s, keep);
	if (n > 0)
		memcpy(s + keep, src, n);
	s[keep + n] = '\0';
	if (h->s != NULL)
		OPENSSL_cleanse(h->s, h->n);
	free(h->s);
	h->s = s;
	h->n = keep + n;
	return 0;
}

static STRING_HANDLE
make(const void *src, size_t n)
{
	STRING_HANDLE h = calloc(1, sizeof(*h));

	if (h != NULL && splice(h, 0, src, n) == 0)
		return h;
	free(h);
	return NULL;
}

/* A string out of a buffer, which is given back. */
static STRING_HANDLE
make_from(struct buf *b, int rc)
{
	STRING_HANDLE h = rc == 0 ? make(buf_data(b), buf_size(b)) : NULL;

	buf_free(b);
	return h;
}

STRING_HANDLE
STRING_new(void)
{
	return make("", 0);
}

STRING_HANDLE
STRING_clone(STRING_HANDLE handle)
{
	return handle != NULL ? make(handle->s, handle->n) : NULL;
}

STRING_HANDLE
STRING_construct(const char *psz)
{
	return psz != NULL ? make(psz, strlen(psz)) : NULL;
}

STRING_HANDLE
STRING_construct_n(const char *psz, size_t n)
{
	return psz != NULL && strnlen(psz, n) == n ? make(psz, n) : NULL;
}

STRING_HANDLE
STRING_new_with_memory(const char *memory)
{
	STRING_HANDLE h;

	if (memory == NULL || (h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->s = (char *)(uintptr_t)memory;
	h->n = strlen(memory);
	return h;
}

STRING_HANDLE
STRING_new_quoted(const char *source)
{
	STRING_HANDLE h = STRING_construct(source);

	if (h != NULL && STRING_quote(h) != 0) {
		STRING_delete(h);
		return NULL;
	}
	return h;
}

static int
put_json(struct buf *b, unsigned char c)
{
	if (c == '"' || c == '\\' || c == '/')
		return buf_fmt(b, "\\%c", c);
	if (c < ' ')
		return buf_fmt(b, "\\u%04X", c);
	return buf_putc(b, c);
}

STRING_HANDLE
STRING_new_JSON(const char *source)
{
	struct buf b = { 0 };
	int rc;

	if (source == NULL)
		return NULL;
	rc = buf_putc(&b, '"');
	for (; *source != '\0' && rc == 0; source++)
		rc = put_json(&b, (unsigned char)*source);
	if (rc == 0)
		rc = buf_putc(&b, '"');
	return make_from(&b, rc);
}

STRING_HANDLE
STRING_from_byte_array(const unsigned char *source, size_t size)
{
	return source != NULL || size == 0 ? make(source, size) : NULL;
}

void
STRING_delete(STRING_HANDLE handle)
{
	if (handle == NULL)
		return;
	OPENSSL_cleanse(handle->s, handle->n);
	free(handle->s);
	free(handle);
}

int
STRING_concat(STRING_HANDLE handle, const char *s2)
{
	return handle != NULL && s2 != NULL ? splice(handle, handle->n, s2, strlen(s2)) : MU_FAILURE;
}

int
STRING_concat_with_STRING(STRING_HANDLE s1, STRING_HANDLE s2)
{
	return s1 != NULL && s2 != NULL ? splice(s1, s1->n, s2->s, s2->n) : MU_FAILURE;
}

int
STRING_quote(STRING_HANDLE handle)
{
	struct buf b = { 0 };
	int rc;

	if (handle == NULL)
		return MU_FAILURE;
	rc = buf_putc(&b, '"');
	if (rc == 0)
		rc = buf_put(&b, handle->s, handle->n);
	if (rc == 0)
		rc = buf_putc(&b, '"');
	if (rc == 0)
		rc = splice(handle, 0, buf_data(&b), buf_size(&b));
	buf_free(&b);
	return rc;
}

int
STRING_copy(STRING_HANDLE s1, const char *s2)
{
	return s1 != NULL && s2 != NULL ? splice(s1, 0, s2, strlen(s2)) : MU_FAILURE;
}

int
STRING_copy_n(STRING_HANDLE s1, const char *s2, size_t n)
{
	return s1 != NULL && s2 != NULL ? splice(s1, 0, s2, strnlen(s2, n)) : MU_FAILURE;
}

const char *
STRING_c_str(STRING_HANDLE handle)
{
	return handle != NULL ? handle->s : NULL;
}

int
STRING_empty(STRING_HANDLE handle)
{
	return handle != NULL ? splice(handle, 0, "", 0) : MU_FAILURE;
}

size_t
STRING_length(STRING_HANDLE handle)
{
	return handle != NULL ? handle->n : 0;
}

int
STRING_compare(STRING_HANDLE s1, STRING_HANDLE s2)
{
	if (s1 == NULL || s2 == NULL)
		return (s1 != NULL) - (s2 != NULL);
	return strcmp(s1->s, s2->s);
}

int
STRING_replace(STRING_HANDLE handle, char target, char replace)
{
	if (handle == NULL)
		return MU_FAILURE;
	for (size_t i = 0; i < handle->n; i++)
		if (handle->s[i] == target)
			handle->s[i] = replace;
	return 0;
}

static int
append(STRING_HANDLE h, const char *format, va_list ap)
{
	char *s = NULL;
	va_list again;
	int n, rc = MU_FAILURE;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, ap);
	if (n >= 0 && (s = malloc((size_t)n + 1)) != NULL && vsnprintf(s, (size_t)n + 1, format, again) == n)
		rc = splice(h, h->n, s, (size_t)n);
	va_end(again);
	if (s != NULL)
		OPENSSL_cleanse(s, (size_t)n);
	free(s);
	return rc;
}

STRING_HANDLE
STRING_construct_sprintf(const char *format, ...)
{
	STRING_HANDLE h = format != NULL ? STRING_new() : NULL;
	va_list ap;
	int rc;

	if (h == NULL)
		return NULL;
	va_start(ap, format);
	rc = append(h, format, ap);
	va_end(ap);
	if (rc == 0)
		return h;
	STRING_delete(h);
	return NULL;
}

int
STRING_sprintf(STRING_HANDLE s1, const char *format, ...)
{
	va_list ap;
	int rc;

	if (s1 == NULL || format == NULL)
		return MU_FAILURE;
	va_start(ap, format);
	rc = append(s1, format, ap);
	va_end(ap);
	return rc;
}
