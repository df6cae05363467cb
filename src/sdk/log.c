#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "azure_c_shared_utility/xlogging.h"

static void
to_stdout(LOG_CATEGORY log_category, const char *file, const char *func, int line, unsigned int options,
    const char *format, ...)
{
	static const char *const words[] = { "error: ", "", "trace: " };
	va_list ap;

	(void)func;
	flockfile(stdout);
	if (log_category == AZ_LOG_ERROR)
		printf("%s:%d: ", file, line);
	fputs((unsigned)log_category < 3 ? words[log_category] : "", stdout);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	if (options & LOG_LINE)
		putchar('\n');
	funlockfile(stdout);
}

static _Atomic(XLOGGING_LOGGER_LOG) log_function = to_stdout;

void
xlogging_set_log_function(XLOGGING_LOGGER_LOG function)
{
	atomic_store(&log_function, function);
}

XLOGGING_LOGGER_LOG
xlogging_get_log_function(void)
{
	return atomic_load(&log_function);
}

/* At most 16 bytes: as hexadecimal digits, then as letters. */
static void
log_row(const unsigned char *p, size_t n)
{
	char text[16 * 3 + 2 + 16 + 1];
	size_t at = 0;

	for (size_t i = 0; i < 16; i++)
		at +=
		    (size_t)snprintf(text + at, sizeof(text) - at, i < n ? "%02x " : "   ", i < n ? p[i] : 0);
	text[at++] = ' ';
	for (size_t i = 0; i < n; i++)
		text[at++] = (char)(p[i] >= ' ' && p[i] <= '~' ? p[i] : '.');
	text[at] = '\0';
	LOG(AZ_LOG_TRACE, LOG_LINE, "%s", text);
}

void
LogBinary(const char *comment, const void *data, size_t size)
{
	const unsigned char *p = data;

	if (data == NULL)
		size = 0;
	LOG(AZ_LOG_TRACE, LOG_LINE, "%s %zu bytes", comment != NULL ? comment : "", size);
	for (size_t at = 0; at < size; at += 16)
		log_row(p + at, size - at < 16 ? size - at : 16);
}
