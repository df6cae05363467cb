#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

void
log_line(const struct log *l, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n;

	if (l == NULL || l->fn == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	str_plain(line);
	l->fn(l->ctx, line);
}
