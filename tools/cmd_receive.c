#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include <openssl/evp.h>
#include "tool.h"

struct receiving {
	struct tool *tool;
	enum hf_answer answer;
	long count, seconds; /* 0: for ever */
	long received, settled;
	int64_t limit; /* ms; -1: none */
	int signals;
	int told_to_stop;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
add(json_t *o, const char *name, const char *value)
{
	return value[0] != '\0' ? json_object_set_new(o, name, json_string(value)) : 0;
}

static json_t *
properties(const struct hf_received *m)
{
	json_t *o = json_object();

	for (size_t i = 0; i < m->property_count; i++)
		json_object_set_new(o, m->properties[i].key, json_string(m->properties[i].value));
	return o;
}

/* A body that is no text is told as base64. */
static int
add_body(json_t *o, const struct hf_received *m)
{
	json_t *text = json_stringn(m->body, m->len);
	unsigned char *b64;
	int r;

	if (text != NULL)
		return json_object_set_new(o, "body", text);
	if ((b64 = malloc(m->len / 3 * 4 + 5)) == NULL)
		return -1;
	EVP_EncodeBlock(b64, m->body, (int)m->len);
	r = json_object_set_new(o, "body_base64", json_string((const char *)b64));
	free(b64);
	return r;
}

static int
print_json(const struct receiving *r, const struct hf_received *m)
{
	json_t *o = json_object();
	int bad =
	    o == NULL || add_body(o, m) < 0 || add(o, "message_id", m->message_id) < 0 ||
	    add(o, "correlation_id", m->correlation_id) < 0 || add(o, "user_id", m->user_id) < 0 ||
	    add(o, "to", m->to) < 0 || add(o, "content_type", m->content_type) < 0 ||
	    add(o, "content_encoding", m->content_encoding) < 0 || add(o, "ack", m->ack) < 0 ||
	    (m->deliveries > 0 && json_object_set_new(o, "deliveries", json_integer(m->deliveries)) < 0) ||
	    json_object_set_new(o, "properties", properties(m)) < 0;

	if (bad) {
		json_decref(o);
		return tool_fail(r->tool, HF_ERR_MEMORY, "out of memory");
	}
	return tool_print(r->tool, o);
}

static int
print(const struct receiving *r, const struct hf_received *m)
{
	int status = 0;

	if (r->tool->json)
		status = print_json(r, m);
	else {
		fwrite(m->body, 1, m->len, stdout);
		putchar('\n');
	}
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		status = tool_fail(r->tool, HF_ERR_IO,
		    "the message could not be written to standard output: %s", strerror(errno));
	return status;
}

/* It is settled once it is written: what could not be written comes again. Over MQTT more may come than was asked for. */
static int
take(struct receiving *r, const struct hf_event *ev)
{
	uint64_t tag = ev->tag;
	int status;

	if (r->count != 0 && r->received == r->count)
		return 0;
	if ((status = print(r, ev->received)) != 0)
		return status;
	r->received++;
	if (hf_settle(r->tool->hf, tag, r->answer) < 0)
		return tool_hf_fail(r->tool);
	return 0;
}

/* A message whose answer did not arrive comes again, and is not counted. */
static void
settled(struct receiving *r, const struct hf_event *ev)
{
	if (ev->error == NULL) {
		r->settled++;
		return;
	}
	r->received--;
	if (r->count != 0)
		(void)hf_receive(r->tool->hf, (unsigned)(r->count - r->received));
	if (!r->tool->quiet)
		fprintf(stderr, "holdfast: %s\n", ev->error->text);
}

static int
take_events(struct receiving *r)
{
	struct hf_event ev;
	int status = 0;

	while (status == 0 && hf_next(r->tool->hf, &ev)) {
		if (ev.type == HF_FAILED)
			return tool_hf_fail(r->tool);
		if (ev.type == HF_RECEIVED)
			status = take(r, &ev);
		if (ev.type == HF_SETTLED)
			settled(r, &ev);
	}
	return status;
}

static int
late(const struct receiving *r)
{
	struct hf_error e = *hf_error(r->tool->hf);
	const char *last = e.code != 0 ? hf_error(r->tool->hf)->text : "";

	e.code = HF_ERR_TIMEOUT;
	snprintf(e.text, sizeof(e.text), "%ld of %ld messages came in %ld s%s%.400s", r->settled, r->count,
	    r->seconds, last[0] != '\0' ? "; the last error: " : "", last);
	return tool_error(r->tool, &e);
}

static int
sleep_until(struct receiving *r)
{
	struct pollfd p[2] = { { .fd = hf_fd(r->tool->hf), .events = POLLIN },
		{ .fd = r->signals, .events = POLLIN } };
	int64_t left = r->limit < 0 ? -1 : r->limit - now_ms();
	int ms = hf_deadline(r->tool->hf);

	if (r->limit >= 0 && (ms < 0 || ms > left))
		ms = (int)(left < 0 ? 0 : left);
	if (poll(p, 2, ms) < 0 && errno != EINTR)
		return tool_fail(r->tool, HF_ERR_IO, "poll: %s", strerror(errno));
	r->told_to_stop = p[1].revents != 0;
	return 0;
}

static int
run(struct receiving *r)
{
	int status = 0;

	while (status == 0 && !r->told_to_stop) {
		if (hf_step(r->tool->hf) < 0)
			return tool_hf_fail(r->tool);
		if ((status = take_events(r)) != 0 || (r->count != 0 && r->settled >= r->count))
			return status;
		if (r->limit >= 0 && now_ms() >= r->limit)
			return r->count == 0 ? 0 : late(r);
		status = sleep_until(r);
	}
	return status;
}

static int
answer(struct receiving *r)
{
	static const char *const words[] = {
		[HF_COMPLETE] = "complete", [HF_ABANDON] = "abandon", [HF_REJECT] = "reject"
	};
	const char *word = tool_option(r->tool, "answer");

	r->answer = HF_COMPLETE;
	if (word == NULL)
		return 0;
	for (r->answer = HF_COMPLETE; r->answer <= HF_REJECT; r->answer++)
		if (strcmp(word, words[r->answer]) == 0)
			return 0;
	return tool_fail(
	    r->tool, HF_ERR_ARGS, "--answer takes complete, abandon or reject, not \"%s\"", word);
}

static int
options(struct receiving *r)
{
	int status = tool_number(r->tool, "count", tool_option(r->tool, "count"), 1000000, &r->count);

	if (status == 0)
		status =
		    tool_number(r->tool, "timeout", tool_option(r->tool, "timeout"), 1000000, &r->seconds);
	if (status == 0)
		status = answer(r);
	if (status != 0)
		return status;
	if (r->tool->argc > 0)
		return tool_fail(r->tool, HF_ERR_ARGS, "\"%s\" is one argument too many", r->tool->argv[0]);
	return 0;
}

/* An interruption ends it between two messages. */
static int
hear_signals(struct receiving *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	r->signals = -1;
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		r->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return r->signals >= 0 ? 0 : tool_fail(r->tool, HF_ERR_IO, "signals: %s", strerror(errno));
}

int
cmd_receive(struct tool *t)
{
	struct receiving r = { .tool = t };
	int status = options(&r);

	if (status == 0)
		status = hear_signals(&r);
	if (status == 0 && tool_settings(t, 1) < 0)
		status = tool_hf_fail(t);
	r.limit = r.seconds != 0 ? now_ms() + r.seconds * 1000 : -1;
	if (status == 0 && (hf_receive(t->hf, (unsigned)r.count) < 0 || hf_connect(t->hf) < 0))
		status = tool_hf_fail(t);
	if (status == 0) {
		status = run(&r);
		close(r.signals);
	}
	hf_disconnect(t->hf);
	return status;
}
