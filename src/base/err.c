#include "base/err.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* A long sentence is cut so that the reason at its end stays whole. */
static int
set(struct hf_error *e, int code, const char *reason, const char *fmt, va_list ap)
{
	size_t tail = reason == NULL ? 0 : strlen(reason) + 2, end;

	if (e->code != 0)
		return e->code;
	e->code = code;
	if (vsnprintf(e->text, sizeof e->text - tail, fmt, ap) < 0)
		e->text[0] = '\0';
	end = strlen(e->text);
	if (reason != NULL)
		snprintf(e->text + end, sizeof e->text - end, ": %s", reason);
	str_plain(e->text);
	return code;
}

int
err_set(struct hf_error *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = set(e, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int
err_sys(struct hf_error *e, int code, const char *fmt, ...)
{
	int saved = errno;
	char reason[128];
	va_list ap;

	if (strerror_r(saved, reason, sizeof reason) != 0)
		snprintf(reason, sizeof reason, "error %d", saved);
	va_start(ap, fmt);
	code = set(e, code, reason, fmt, ap);
	va_end(ap);
	return code;
}

/* Empties the queue. 1: memory was out, whatever has been made of that. */
static int
ssl_reason(char *dst, size_t cap)
{
	unsigned long oldest = ERR_get_error(), e;
	const char *reason = ERR_reason_error_string(oldest);
	int memory = 0;

	for (e = oldest; e != 0; e = ERR_get_error())
		memory |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	if (!ERR_SYSTEM_ERROR(oldest) || strerror_r(ERR_GET_REASON(oldest), dst, cap) != 0)
		snprintf(dst, cap, "%s", reason != NULL ? reason : "OpenSSL gives no reason");
	return memory;
}

int
err_ssl(struct hf_error *e, int code, const char *fmt, ...)
{
	char reason[128];
	va_list ap;

	if (ssl_reason(reason, sizeof reason))
		return err_memory(e);
	va_start(ap, fmt);
	code = set(e, code, reason, fmt, ap);
	va_end(ap);
	return code;
}

int
err_memory(struct hf_error *e)
{
	return err_set(e, HF_ERR_MEMORY, "out of memory");
}

void
err_clear(struct hf_error *e)
{
	*e = (struct hf_error){ 0 };
}
