#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tool.h"

#define OUTSTANDING 2000 /* lines read from standard input that the hub has not acknowledged */

struct sending {
	struct tool *tool;
	struct hf_message message;
	struct hf_property property[TOOL_PROPERTIES];
	char *text[TOOL_PROPERTIES];
	long queued, acknowledged;
	int64_t moved; /* when it last got on, or had nothing to do */
	char line[262145];
	size_t have;
	int reading; /* standard input may have more */
};

static int
properties(struct sending *s)
{
	const struct tool *t = s->tool;
	char *eq;

	for (size_t i = 0; i < t->properties; i++) {
		s->text[i] = strdup(t->property[i]);
		if (s->text[i] == NULL)
			return tool_fail(t, HF_ERR_MEMORY, "out of memory");
		eq = strchr(s->text[i], '=');
		if (eq == NULL || eq == s->text[i])
			return tool_fail(
			    t, HF_ERR_ARGS, "--property %s is not of the form NAME=VALUE", t->property[i]);
		*eq = '\0';
		s->property[i].key = s->text[i];
		s->property[i].value = eq + 1;
	}
	s->message.properties = s->property;
	s->message.property_count = t->properties;
	return 0;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
queue(struct sending *s, const void *body, size_t n)
{
	s->message.body = body;
	s->message.len = n;
	if (hf_send(s->tool->hf, &s->message, (uint64_t)s->queued) < 0)
		return tool_hf_fail(s->tool);
	if (s->queued++ == s->acknowledged)
		s->moved = now_ms();
	return 0;
}

/* What standard input has now, a message for each line; the last one may lack its newline. */
static int
read_lines(struct sending *s)
{
	ssize_t n = read(STDIN_FILENO, s->line + s->have, sizeof(s->line) - s->have);
	char *from = s->line, *nl;
	int status = 0;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			   ? 0
			   : tool_fail(s->tool, HF_ERR_IO, "standard input: %s", strerror(errno));
	s->have += (size_t)n;
	while (status == 0 && (nl = memchr(from, '\n', s->have - (size_t)(from - s->line))) != NULL) {
		status = queue(s, from, (size_t)(nl - from));
		from = nl + 1;
	}
	s->have -= (size_t)(from - s->line);
	memmove(s->line, from, s->have);
	if (status == 0 && s->have == sizeof(s->line))
		return tool_fail(s->tool, HF_ERR_ARGS,
		    "line %ld of standard input is longer than a hub takes (262144 bytes)", s->queued + 1);
	if (n > 0 || status != 0)
		return status;
	s->reading = 0;
	return s->have > 0 ? queue(s, s->line, s->have) : 0;
}

static int
take_events(struct sending *s)
{
	struct hf_event ev;

	while (hf_next(s->tool->hf, &ev)) {
		if (ev.type == HF_FAILED)
			return tool_hf_fail(s->tool);
		if (ev.type == HF_UNSENT)
			return tool_error(s->tool, ev.error);
		if (ev.type == HF_SENT)
			s->acknowledged++;
		if (ev.type == HF_SENT || ev.type == HF_REGISTERED)
			s->moved = now_ms();
	}
	return 0;
}

static int
wait_more(struct sending *s, int64_t left)
{
	struct pollfd p[2] = { { .fd = hf_fd(s->tool->hf), .events = POLLIN },
		{ .fd = -1, .events = POLLIN } };
	int ms = hf_deadline(s->tool->hf);

	if (s->reading && s->queued - s->acknowledged < OUTSTANDING)
		p[1].fd = STDIN_FILENO;
	if (left >= 0 && (ms < 0 || ms > left))
		ms = (int)left;
	if (poll(p, 2, ms) < 0 && errno != EINTR)
		return tool_fail(s->tool, HF_ERR_IO, "poll: %s", strerror(errno));
	return p[1].fd >= 0 && p[1].revents != 0 ? read_lines(s) : 0;
}

static int
given_up(struct sending *s, long seconds)
{
	const struct hf_error *last = hf_error(s->tool->hf);
	struct hf_error e = *last;

	e.code = HF_ERR_TIMEOUT;
	snprintf(e.text, sizeof(e.text),
	    "the hub acknowledged nothing for %ld s; %ld of %ld messages are not known to be stored%s%.400s",
	    seconds, s->queued - s->acknowledged, s->queued, last->code != 0 ? "; the last try: " : "",
	    last->text);
	return tool_error(s->tool, &e);
}

/* Until every message is acknowledged. The time limit counts from the last acknowledgement. */
static int
deliver(struct sending *s)
{
	long seconds = 60;
	int64_t left;
	int status = tool_number(s->tool, "timeout", tool_option(s->tool, "timeout"), 1000000, &seconds);

	while (status == 0 && (s->reading || s->acknowledged < s->queued)) {
		if (hf_step(s->tool->hf) < 0)
			return tool_hf_fail(s->tool);
		status = take_events(s);
		if (status != 0 || (!s->reading && s->acknowledged == s->queued))
			break;
		left = s->acknowledged < s->queued ? s->moved + seconds * 1000 - now_ms() : -1;
		if (s->acknowledged < s->queued && left <= 0)
			return given_up(s, seconds);
		status = wait_more(s, left);
	}
	return status;
}

static int
fill(struct sending *s)
{
	const struct tool *t = s->tool;
	long count = 1;
	int status = tool_number(t, "count", tool_option(t, "count"), 100000, &count);

	if (t->argc > 1)
		return tool_fail(
		    t, HF_ERR_ARGS, "\"%s\" is one argument too many; quote the message", t->argv[1]);
	if (t->argc == 0 || strcmp(t->argv[0], "-") == 0) {
		s->reading = 1;
		return status;
	}
	for (long i = 0; i < count && status == 0; i++)
		status = queue(s, t->argv[0], strlen(t->argv[0]));
	return status;
}

int
cmd_send(struct tool *t)
{
	struct sending *s = calloc(1, sizeof(*s));
	int status;

	if (s == NULL)
		return tool_fail(t, HF_ERR_MEMORY, "out of memory");
	s->tool = t;
	status = properties(s);
	if (status == 0 && tool_settings(t, 1) < 0)
		status = tool_hf_fail(t);
	if (status == 0)
		status = fill(s);
	if (status == 0 && hf_connect(t->hf) < 0)
		status = tool_hf_fail(t);
	if (status == 0)
		status = deliver(s);
	if (status == 0)
		status = tool_print(t, json_pack("{s:I}", "acknowledged", (json_int_t)s->acknowledged));
	hf_disconnect(t->hf);
	for (size_t i = 0; i < t->properties; i++)
		free(s->text[i]);
	free(s);
	return status;
}
