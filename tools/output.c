#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

static int
write_all(int fd, const char *text)
{
	size_t left = strlen(text);
	ssize_t n;

	for (; left > 0; text += n, left -= (size_t)n)
		while ((n = write(fd, text, left)) < 0)
			if (errno != EINTR)
				return -1;
	return fsync(fd);
}

/* A new file beside it that takes its place once it is whole. */
static int
replace(const struct tool *t, const char *path, const char *text)
{
	char temp[PATH_MAX];
	int fd, n = snprintf(temp, sizeof(temp), "%s.%ld", path, (long)getpid());

	if (n < 0 || (size_t)n >= sizeof(temp))
		return tool_fail(t, HF_ERR_ARGS, "--out %s: the name is too long", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return tool_fail(t, HF_ERR_IO, "--out %s: cannot make %s: %s", path, temp, strerror(errno));
	if (write_all(fd, text) < 0 || rename(temp, path) < 0) {
		n = tool_fail(t, HF_ERR_IO, "--out %s: %s", path, strerror(errno));
		unlink(temp);
	} else
		n = 0;
	close(fd);
	return n;
}

int
tool_pem(const struct tool *t, const char *name, char *pem)
{
	const char *path = tool_given(t, "out");
	int status = 0;

	if (path != NULL && strcmp(path, "-") != 0)
		status = replace(t, path, pem);
	else if (t->json)
		status = tool_print(t, json_pack("{s:s}", name, pem));
	else
		fputs(pem, stdout);
	free(pem);
	return status;
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
