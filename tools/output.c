#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

int
tool_fail(const struct tool *t, int code, const char *fmt, ...)
{
	va_list ap;

	fprintf(
	    stderr, "holdfast%s%s: ", t->command != NULL ? " " : "", t->command != NULL ? t->command : "");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -code;
}

int
tool_hf_fail(const struct tool *t)
{
	const struct hf_error *e = hf_error(t->hf);

	if (t->json)
		tool_print(
		    t, json_pack("{s:{s:i s:s s:i s:i s:s}}", "error", "code", e->code, "text", e->text,
			   "status", e->status, "error_code", e->service, "tracking_id", e->tracking));
	return tool_fail(t, e->code, "%s", e->text);
}

static void
print_lines(const json_t *j)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		char label[40];
		size_t i = 0;

		for (; key[i] != '\0' && i + 1 < sizeof(label); i++)
			label[i] = key[i] == '_' ? ' ' : key[i];
		label[i] = '\0';
		if (json_is_string(v) && json_string_length(v) > 0)
			printf("%-20s %s\n", label, json_string_value(v));
		else if (json_is_integer(v))
			printf("%-20s %" JSON_INTEGER_FORMAT "\n", label, json_integer_value(v));
	}
}

int
tool_print(const struct tool *t, json_t *j)
{
	if (j == NULL)
		return tool_fail(t, HF_ERR_MEMORY, "out of memory");
	if (t->json) {
		json_dumpf(j, stdout, JSON_COMPACT);
		putchar('\n');
	} else
		print_lines(j);
	json_decref(j);
	return 0;
}

char *
tool_read(const struct tool *t, const char *path, const char *what, int *status)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = calloc(1, 65537);
	size_t n = 0;

	*status = 0;
	if (f == NULL)
		*status = tool_fail(t, HF_ERR_IO, "%s %s: %s", what, path, strerror(errno));
	else if (text == NULL)
		*status = tool_fail(t, HF_ERR_MEMORY, "out of memory");
	else {
		n = fread(text, 1, 65536, f);
		if (ferror(f))
			*status = tool_fail(t, HF_ERR_IO, "%s %s: %s", what, path, strerror(errno));
		else if (n == 65536)
			*status = tool_fail(t, HF_ERR_ARGS, "%s %s is larger than 64 KiB", what, path);
	}
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		text[--n] = '\0';
	if (f != NULL && f != stdin)
		fclose(f);
	if (*status == 0)
		return text;
	free(text);
	return NULL;
}

int
tool_number(const struct tool *t, const char *name, const char *value, long max, long *out)
{
	char *end;

	if (value == NULL)
		return 0;
	errno = 0;
	*out = strtol(value, &end, 10);
	if (errno == 0 && *end == '\0' && *value != '\0' && *out >= 1 && *out <= max)
		return 0;
	return tool_fail(t, HF_ERR_ARGS, "--%s %s is not a number from 1 to %ld", name, value, max);
}
