/*
 * test_fault [SCENARIO]: onboards a device again and again, and makes each call that src/ makes of others fail: once, and
 * from then on. A run may cope or end with an error and its sentence. It may not crash, leak, hang, tear the state file,
 * leave something in the TPM, or have a message acknowledged that the hub has not stored; and afterwards, when nothing fails
 * any more, the same device with the same state file must do.
 *
 * Each way to a call (function and stack) is taken once, of those inside OpenSSL, and with hardware of all but its own, a few,
 * chosen by HF_FAULT_SEED; with HF_FAULT=whole, every call is. HF_FAULT_ONLY=NAME takes one function's, HF_FAULT_TELL=1 prints each error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "dps/dps_client.h"
#include "tap.h"
#include "world.h"

#define MOST_ONCE 4096
#define LEAKS_AT  200 /* runs between two looks for leaks */

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

struct scenario {
	const char *name, *transport;
	enum hsm_kind kind;
	enum world_key place;
	int enrolls; /* the owner's side instead */
};
static const struct scenario scenarios[] = {
	{ "symmetric_mqtt", "mqtt", HSM_SYMMETRIC, KEY_IN_FILE, 0 },
	{ "x509_mqtt", "mqtt", HSM_X509, KEY_IN_FILE, 0 },
	{ "x509_http", "http", HSM_X509, KEY_IN_FILE, 0 },
	{ "x509_token", "mqtt", HSM_X509, KEY_IN_TOKEN, 0 },
	{ "x509_tpm", "mqtt", HSM_X509, KEY_IN_TPM, 0 },
	{ "x509_provider", "mqtt", HSM_X509, KEY_OF_PROVIDER, 0 },
	{ "x509_vendor", "mqtt", HSM_X509, KEY_OF_VENDOR, 0 },
	{ "tpm_http", "http", HSM_TPM, KEY_IN_FILE, 0 },
	{ "symmetric_amqp", "amqp", HSM_SYMMETRIC, KEY_IN_FILE, 0 },
	{ "symmetric_http", "http", HSM_SYMMETRIC, KEY_IN_FILE, 0 },
	{ "tpm_amqp", "amqp", HSM_TPM, KEY_IN_FILE, 0 },
	{ "enroll", "http", HSM_SYMMETRIC, KEY_IN_FILE, 1 },
};

static const struct scenario *scenario;
static struct buf before; /* the state file as it was before a run */
static int64_t seen;	  /* the last event of earlier runs */

/* Counted by all processes together. */
struct figures {
	unsigned calls, ways, coped, injected, failed[16], bad;
	struct trip_call once[MOST_ONCE]; /* calls that a process makes but once */
	size_t once_count;
};
static struct figures *f;

/* The first thing that was wrong with this run is told. */
void
wrong(const char *what, const char *more)
{
	if (trip.violation != NULL)
		return;
	trip.violation = what;
	f->bad++;
	printf("%s: %s%s%s when %s failed at call %u%s\n", scenario->name, what, more[0] != '\0' ? ": " : "",
	    more, trip_name(trip.name), trip.nth, trip.for_ever ? " and ever after" : "");
	fflush(stdout);
}

static void
judge(int r, const struct hf_error *err)
{
	if (r < HF_ERR_UNSUPPORTED || err->text[0] == '\0' || err->code != r)
		wrong("an error without its sentence", err->text);
	if (trip.injected == 0)
		wrong("failed by itself", err->text);
	else
		f->failed[-r]++;
	if (getenv("HF_FAULT_TELL") != NULL)
		printf("%s %u%s: %d %s\n", trip_name(trip.name), trip.nth, trip.for_ever ? "+" : "", r,
		    err->text);
}

/* what must be true after a run */

static int
count_event(void *stored, int64_t sequence, const json_t *event)
{
	unsigned run;
	int i;

	if (sequence > seen)
		seen = sequence;
	if (sscanf(js_str(event, "body", ""), "run %u message %d", &run, &i) == 2 && run == world.run &&
	    i >= 0 && i < WORLD_MESSAGES)
		((int *)stored)[i]++;
	return 0;
}

static void
check_messages(void)
{
	struct hf_error err = { 0 };
	int stored[WORLD_MESSAGES] = { 0 };

	if (registry_event_each(world.emu->e.registry, seen, NULL, count_event, stored, &err) < 0)
		world_die(err.text);
	for (int i = 0; i < WORLD_MESSAGES; i++)
		if (world.acked[i] > 1 || world.acked[i] > stored[i])
			wrong("a message was acknowledged that the hub does not have, or twice", "");
	memset(world.acked, 0, sizeof world.acked);
}

/* Either the old one to the byte, or a whole new one. */
static void
check_state(void)
{
	struct dps_state s = { 0 };
	struct hf_error err = { 0 };
	struct buf now = { 0 };
	int r = 0;

	if (file_exists(world.state)) {
		if (file_read(&now, world.state, 65536, "state file", &err) < 0)
			world_die(err.text);
		if (buf_size(&now) == buf_size(&before) &&
		    memcmp(buf_data(&now), buf_data(&before), buf_size(&now)) == 0)
			goto done;
		r = dps_state_load(&s, world.state, &err);
		if (r < 0)
			wrong("the state file is torn", err.text);
	} else if (buf_size(&before) > 0)
		wrong("the state file is gone", "");
done:
	dps_state_fini(&s);
	buf_free(&now);
}

/* What nobody may flush any more, nobody can be blamed for. */
static void
check_chip(void)
{
	TSS2_TCTI_CONTEXT *road;
	int objects, sessions;

	if (!world_has_chip())
		return;
	if (Tss2_TctiLdr_Initialize(world.tcti, &road) != 0)
		world_die("cannot ask the TPM");
	objects = tap_handles(TAP_TRANSIENT);
	sessions = tap_handles(TAP_SESSIONS);
	Tss2_TctiLdr_Finalize(&road);
	if (objects == 0 && sessions == 0)
		return;
	if (!trip.for_ever || strcmp(trip_name(trip.name), "Esys_FlushContext") != 0)
		wrong(objects != 0 ? "an object was left in the TPM" : "a session was left in the TPM", "");
	world_power(1);
}

static void
put_back(int with_state)
{
	unlink(world.state);
	if (with_state && buf_size(&before) > 0)
		world_put(world.state, buf_data(&before), buf_size(&before));
	else
		buf_free(&before);
}

static void
keep_state(void)
{
	struct hf_error err = { 0 };

	buf_free(&before);
	if (file_exists(world.state) && file_read(&before, world.state, 65536, "state file", &err) < 0)
		world_die(err.text);
}

static int
lead(int (*life)(struct hf *))
{
	struct hf_error err = { 0 };
	int r = live(life, &err);

	if (r < 0)
		judge(r, &err);
	return r;
}

static int
lives(void)
{
	int r;

	if (scenario->enrolls)
		return lead(life_enroll);
	if ((r = lead(life_register)) < 0)
		return r;
	return lead(life_at_hub);
}

/* One onboarding with one failure, and when it did not end well, one without. */
static int
run(int name, unsigned nth, int for_ever)
{
	int r;

	world.run++;
	keep_state();
	trip_arm(name, nth, for_ever);
	r = lives();
	f->injected += trip.injected;
	f->coped += r == 0 && trip.injected > 0;
	if (name < 0 && r < 0)
		world_die("the run in which nothing fails has failed");
	check_messages();
	check_state();
	check_chip();
	if (r < 0 && trip.violation == NULL) {
		trip.name = -1;
		world.run++;
		if (lead(scenario->enrolls ? life_enroll : life_at_hub) < 0)
			trip.name = name, wrong("it did not recover", "");
		trip.name = name;
		check_messages();
	}
	return r;
}

/* A thread whose work is done still has to give back what libc and tools keep for it. */
static void
wait_for_threads(void)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	struct stat st;

	for (int i = 0; i < 2000 && stat("/proc/self/task", &st) == 0 && st.st_nlink > 3; i++)
		nanosleep(&nap, NULL);
}

static void
look_for_leaks(void)
{
	wait_for_threads();
	if (__lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0)
		wrong("a leak, here or up to 200 runs before", "");
}

/* which calls */

static int
by_way(const void *x, const void *y)
{
	const struct trip_call *a = x, *c = y;

	if (a->way != c->way)
		return a->way < c->way ? -1 : 1;
	return a->nth < c->nth ? -1 : a->nth > c->nth;
}

/* Hardware takes its time: with it, most of the calls that have been made to fail without it are left out. */
static unsigned
one_of(const struct trip_call *c)
{
	int hard = world.kind == HSM_TPM || world.place != KEY_IN_FILE;

	if (trip_is_inside(c->name))
		return hard ? 40 : 10;
	return hard && !trip_is_hardware(c->name) ? 4 : 1;
}

/* Of each way one call, the first or another one. */
static size_t
sample(struct trip_call *calls, size_t n)
{
	const char *seed = getenv("HF_FAULT_SEED");
	struct coin coin = { seed == NULL ? 1 : strtoull(seed, NULL, 10) };
	size_t kept = 0, same;

	qsort(calls, n, sizeof *calls, by_way);
	for (size_t i = 0; i < n; i += same) {
		for (same = 1; i + same < n && calls[i + same].way == calls[i].way;)
			same++;
		if (coin_toss(&coin) % one_of(&calls[i]) != 0)
			continue;
		calls[kept++] = calls[coin_toss(&coin) % 2 == 0 ? i : i + coin_toss(&coin) % same];
	}
	return kept;
}

static int
is_whole(void)
{
	const char *how = getenv("HF_FAULT");

	return how != NULL && strcmp(how, "whole") == 0;
}

static int
is_wanted(const struct trip_call *c)
{
	const char *only = getenv("HF_FAULT_ONLY");

	return only == NULL || strcmp(only, trip_name(c->name)) == 0;
}

/* The calls of a run in which nothing fails. */
static struct trip_call *
record(size_t *n)
{
	struct trip_call *calls;

	trip.keep = 1;
	run(-1, 0, 0);
	trip.keep = 0;
	calls = trip.calls;
	*n = trip.count;
	trip.calls = NULL;
	trip.count = trip.cap = 0;
	return calls;
}

static void
set_up(void)
{
	world_new(scenario->kind, scenario->transport, scenario->place);
	world.receives = scenario->kind == HSM_SYMMETRIC;
	world_power(1);
	world_open();
	world_enroll();
}

static void
tear_down(void)
{
	buf_free(&before);
	world_close();
	world_free();
}

/* What happens once in a process, each in a process of its own. OpenSSL begins once, and where it failed to, it never will:
 * that is left out. */

static void
find_once(const void *arg)
{
	struct trip_call *calls[2];
	size_t n[2];

	(void)arg;
	for (int i = 0; i < 2; i++)
		calls[i] = record(&n[i]);
	for (size_t i = 0, j; i < n[0] && f->once_count < MOST_ONCE; i++) {
		if (trip_is_inside(calls[0][i].name))
			continue;
		for (j = 0; j < n[1] && calls[1][j].way != calls[0][i].way;)
			j++;
		if (j == n[1])
			f->once[f->once_count++] = calls[0][i];
	}
	free(calls[0]);
	free(calls[1]);
}

static void
fail_once(const void *arg)
{
	const struct trip_call *c = arg;

	run(c->name, c->nth, 0);
	run(-1, 0, 0);
}

static void
fail_at_first(const void *arg)
{
	const struct trip_call *c = arg;

	run(c->name, c->nth, 1);
	run(-1, 0, 0);
}

static void
apart(void (*what)(const void *), const struct trip_call *c)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		set_up();
		what(c);
		tear_down();
		look_for_leaks();
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (status == 0)
		return;
	f->bad++;
	printf("%s: a process ended badly (%d) in which %s failed at call %u\n", scenario->name, status,
	    c == NULL ? "nothing" : trip_name(c->name), c == NULL ? 0 : c->nth);
}

static void
beginnings(void)
{
	apart(find_once, NULL);
	f->calls += (unsigned)f->once_count;
	if (!is_whole())
		f->once_count = sample(f->once, f->once_count);
	for (size_t i = 0; i < f->once_count; i++)
		if (is_wanted(&f->once[i])) {
			f->ways++;
			apart(fail_once, &f->once[i]);
			apart(fail_at_first, &f->once[i]);
		}
}

/* and all the others, in this one */
static void
all(void)
{
	struct trip_call *calls;
	size_t n;

	set_up();
	run(-1, 0, 0);
	calls = record(&n);
	f->calls += (unsigned)n;
	if (!is_whole())
		n = sample(calls, n);
	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(&calls[i]))
			continue;
		f->ways++;
		for (int for_ever = 0; for_ever < 2; for_ever++) {
			put_back(!for_ever || i % 2 == 0);
			run(calls[i].name, calls[i].nth, for_ever);
		}
		if (i % LEAKS_AT == LEAKS_AT - 1)
			look_for_leaks();
	}
	run(-1, 0, 0);
	look_for_leaks();
	free(calls);
	tear_down();
}

static void
tell(void)
{
	printf(
	    "%s: %u calls of %u failed (%s), once and from then on: %u failures injected; coped with %u times; ended with error",
	    scenario->name, f->ways, f->calls, is_whole() ? "all" : "a sample; all with HF_FAULT=whole",
	    f->injected, f->coped);
	for (int i = 1; i < 16; i++)
		if (f->failed[i] > 0)
			printf(" %d: %u", i, f->failed[i]);
	printf(" times; %u wrong\n", f->bad);
}

int
main(int argc, char **argv)
{
	unsigned bad = 0, known = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f == MAP_FAILED || trip_libraries() < 0 || trip_vendor() < 0)
		return 1;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0)
			continue;
		known = 1;
		scenario = &scenarios[i];
		memset(f, 0, sizeof *f);
		beginnings();
		all();
		tell();
		bad += f->bad;
	}
	munmap(f, sizeof *f);
	return known && bad == 0 ? 0 : 1;
}
