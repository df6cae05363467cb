/*
 * One device, or many, by holdfast.h. NAME=VALUE is a setting; %d in a value is the device's number.
 *
 *	bench-device onboard NAME=VALUE...			register, connect, one message
 *	bench-device trips NAME=VALUE...			the same below bench-relay: when it was acknowledged; once
 *								more when bench-relay has cut it off
 *	bench-device send COUNT OUTSTANDING NAME=VALUE...	connect, COUNT messages, so many under way
 *								prints how many there were in a second
 *	bench-device idle SECONDS NAME=VALUE...			connect, and see how often it wakes up
 *	bench-device memory COUNT NAME=VALUE...			that many devices beyond the first, connected
 *	bench-device hold COUNT NAME=VALUE...			that many, connected until standard input ends
 */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "holdfast.h"
#include "usage.h"

#define PATIENCE 120000 /* ms */
#define FAR	 20000	/* of trips */

static char **setting;

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
set(struct hf *h, const char *pair, long number)
{
	const char *equals = strchr(pair, '='), *mark;
	char name[40], value[4096];

	if (equals == NULL || (size_t)(equals - pair) >= sizeof name)
		errx(2, "%s is not NAME=VALUE", pair);
	snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
	mark = strstr(equals + 1, "%d");
	if (mark == NULL)
		snprintf(value, sizeof value, "%s", equals + 1);
	else
		snprintf(
		    value, sizeof value, "%.*s%ld%s", (int)(mark - equals - 1), equals + 1, number, mark + 2);
	if (hf_set(h, name, value) < 0)
		errx(1, "%s", hf_error(h)->text);
}

static struct hf *
begin(long number)
{
	struct hf *h = hf_new();
	char **s;

	if (h == NULL)
		errx(1, "out of memory");
	for (s = setting; *s != NULL; s++)
		set(h, *s, number);
	if (hf_connect(h) < 0)
		errx(1, "%s", hf_error(h)->text);
	return h;
}

static void
await_for(struct hf *h, enum hf_event_type what, int ms)
{
	if (hf_wait(h, what, ms, NULL) < 0)
		errx(1, "%s", hf_error(h)->text);
}

static void
await(struct hf *h, enum hf_event_type what)
{
	await_for(h, what, PATIENCE);
}

static void
say(struct hf *h, uint64_t tag)
{
	static const char body[] =
	    "{\"device\":\"boiler-17\",\"time\":\"2026-11-27T09:48:11Z\",\"temperature\":71.25,\"pressure\":2.61,\"open\":true}";
	const struct hf_message m = { .body = body, .len = sizeof body - 1 };

	if (hf_send(h, &m, tag) < 0)
		errx(1, "%s", hf_error(h)->text);
}

static void
onboard(void)
{
	struct hf *h = begin(0);

	say(h, 1);
	await(h, HF_SENT);
	hf_disconnect(h);
	hf_free(h);
	printf("cpu %ld\n", usage_cpu());
}

static void
trips(void)
{
	struct hf *h = begin(0);

	say(h, 1);
	await_for(h, HF_SENT, FAR);
	printf("sent %lld\n", (long long)now());
	fflush(stdout);
	kill(getppid(), SIGUSR1);
	say(h, 2);
	await_for(h, HF_SENT, FAR);
	printf("sent %lld\n", (long long)now());
	hf_free(h);
}

static void
telemetry(uint64_t count, uint64_t outstanding)
{
	struct hf *h = begin(0);
	struct pollfd p = { .fd = hf_fd(h), .events = POLLIN };
	struct hf_event ev;
	uint64_t said = 0, sent = 0;
	int64_t since;

	await(h, HF_CONNECTED);
	since = now();
	while (sent < count) {
		while (said < count && said - sent < outstanding)
			say(h, ++said);
		hf_step(h);
		while (hf_next(h, &ev)) {
			if (ev.type == HF_FAILED || ev.type == HF_DISCONNECTED)
				errx(1, "%s", ev.error->text);
			sent += ev.type == HF_SENT;
		}
		if (sent < count && (said == count || said - sent == outstanding))
			poll(&p, 1, hf_deadline(h));
	}
	printf("rate %.0f\n", (double)count * 1000 / (double)(now() - since + 1));
	hf_disconnect(h);
	hf_free(h);
}

/* Prints how often it woke up, and in how many milliseconds it will. */
static void
idle(int seconds)
{
	struct hf *h = begin(0);
	struct pollfd p = { .fd = hf_fd(h), .events = POLLIN };
	struct hf_event ev;
	int64_t end, left;
	long woke = 0, cpu;
	int due;

	await(h, HF_CONNECTED);
	hf_step(h);
	cpu = usage_cpu();
	end = now() + seconds * 1000;
	while ((left = end - now()) > 0) {
		due = hf_deadline(h);
		poll(&p, 1, due < 0 || due > left ? (int)left : due);
		if (now() >= end)
			break;
		woke++;
		hf_step(h);
		while (hf_next(h, &ev))
			;
	}
	printf("woke %ld deadline %d cpu %ld\n", woke, hf_deadline(h), usage_cpu() - cpu);
	hf_free(h);
}

static void
turn(struct hf *h, int *up)
{
	struct hf_event ev;

	hf_step(h);
	while (hf_next(h, &ev)) {
		if (ev.type == HF_FAILED)
			errx(1, "%s", ev.error->text);
		*up |= ev.type == HF_CONNECTED;
	}
}

static void
connect_all(struct hf **h, long count)
{
	struct pollfd *p = calloc((size_t)count, sizeof *p);
	int *up = calloc((size_t)count, sizeof *up);
	int64_t end = now() + PATIENCE;
	long i, ready;

	if (p == NULL || up == NULL)
		err(1, "memory");
	for (i = 0; i < count; i++)
		p[i] = (struct pollfd){ .fd = hf_fd(h[i]), .events = POLLIN };
	do {
		for (i = 0, ready = 0; i < count; i++) {
			turn(h[i], &up[i]);
			ready += up[i];
		}
		poll(p, (nfds_t)count, 10);
	} while (ready < count && now() < end);
	if (ready < count)
		errx(1, "%ld of %ld devices connected", ready, count);
	free(p);
	free(up);
}

static void
memory(long count)
{
	struct hf **h = calloc((size_t)count + 1, sizeof *h);
	struct usage_memory one, all;
	long i;

	if (h == NULL)
		err(1, "memory");
	h[count] = begin(count);
	await(h[count], HF_CONNECTED);
	one = usage_memory();
	for (i = 0; i < count; i++)
		h[i] = begin(i);
	connect_all(h, count);
	all = usage_memory();
	printf("resident %ld private %ld further %.1f\n", one.resident, one.private,
	    count == 0 ? 0 : (double)(all.private - one.private) / (double)count);
	for (i = 0; i <= count; i++)
		hf_free(h[i]);
	free(h);
}

static void
hold(long count)
{
	struct rlimit files;
	struct hf **h = calloc((size_t)count, sizeof *h);
	char end;
	long i;

	if (h == NULL || getrlimit(RLIMIT_NOFILE, &files) < 0)
		err(1, "memory");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (i = 0; i < count; i++)
		h[i] = begin(i);
	connect_all(h, count);
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	for (i = 0; i < count; i++)
		hf_free(h[i]);
	free(h);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "onboard") == 0) {
		setting = argv + 2;
		onboard();
	} else if (strcmp(what, "trips") == 0) {
		setting = argv + 2;
		trips();
	} else if (strcmp(what, "send") == 0 && argc > 3) {
		setting = argv + 4;
		telemetry(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	} else if (strcmp(what, "idle") == 0 && argc > 2) {
		setting = argv + 3;
		idle(atoi(argv[2]));
	} else if (strcmp(what, "memory") == 0 && argc > 2) {
		setting = argv + 3;
		memory(atol(argv[2]));
	} else if (strcmp(what, "hold") == 0 && argc > 2) {
		setting = argv + 3;
		hold(atol(argv[2]));
	} else
		errx(2,
		    "usage: bench-device onboard|trips|send COUNT OUTSTANDING|idle SECONDS|memory COUNT|hold COUNT NAME=VALUE...");
	return 0;
}
