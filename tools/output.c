#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tool.h"

#define TEXT_MAX 65536

int
tool_error(const struct tool *t, const struct hf_error *e)
{
	json_t *j = json_pack("{s:{s:i s:s s:i s:i s:s}}", "error", "code", e->code, "text", e->text,
	    "status", e->status, "error_code", e->service, "tracking_id", e->tracking);

	if (t->json && j != NULL)
		tool_print(t, json_incref(j));
	json_decref(j);
	fprintf(stderr, "holdfast%s%s: %s\n", t->command != NULL ? " " : "",
	    t->command != NULL ? t->command : "", e->text);
	return -e->code;
}

int
tool_fail(const struct tool *t, int code, const char *fmt, ...)
{
	struct hf_error e = { .code = code };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	return tool_error(t, &e);
}

int
tool_hf_fail(const struct tool *t)
{
	return tool_error(t, hf_error(t->hf));
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

/* Without stdio, whose buffer would keep a secret. -1: errno says why. */
static ssize_t
read_all(int fd, char *text, size_t cap)
{
	size_t have = 0;
	ssize_t n = 1;

	while (n != 0 && have < cap) {
		n = read(fd, text + have, cap - have);
		if (n < 0 && errno != EINTR)
			return -1;
		have += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)have;
}

char *
tool_read(const struct tool *t, const char *path, const char *what, int *status)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = calloc(1, TEXT_MAX + 1);
	ssize_t n = -1;

	*status = 0;
	if (text == NULL)
		*status = tool_fail(t, HF_ERR_MEMORY, "out of memory");
	else if (fd < 0 || (n = read_all(fd, text, TEXT_MAX)) < 0)
		*status = tool_fail(t, HF_ERR_IO, "%s %s: %s", what, path, strerror(errno));
	else if (n == TEXT_MAX)
		*status = tool_fail(t, HF_ERR_ARGS, "%s %s is larger than 64 KiB", what, path);
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		text[--n] = '\0';
	if (fd > STDERR_FILENO)
		close(fd);
	if (*status == 0)
		return text;
	tool_forget(text);
	return NULL;
}

void
tool_forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
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
