/*
 * test_fault [SCENARIO]: onboards a device again and again, and makes each call that src/ makes of others fail: once, and
 * from then on. A run may cope or end with an error and its sentence. It may not crash, leak, hang, tear the state file,
 * leave something in the TPM, or have a message acknowledged that the hub has not stored; and afterwards, when nothing fails
 * any more, the same device with the same state file must do.
 *
 * Each way to a call (function and stack) is taken once, of those inside OpenSSL, and with a TPM of all but its own, a few,
 * chosen by HF_FAULT_SEED; with HF_FAULT=whole, every call is. HF_FAULT_ONLY=NAME takes one function's, HF_FAULT_TELL=1 prints each error.
 */
#include <errno.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "dps/dps_client.h"
#include "swtpm.h"
#include "tap.h"
#include "tests/unit/make_cert.h"
#include "trip.h"

#define ID	  "frame-7"
#define LIMIT	  120000 /* fake ms that a wait may take */
#define MESSAGES  3
#define MOST_ONCE 4096
#define LEAKS_AT  200 /* runs between two looks for leaks */

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

struct scenario {
	const char *name, *transport;
	enum hsm_kind kind;
	int enrolls; /* the owner's side instead */
};
static const struct scenario scenarios[] = {
	{ "symmetric_mqtt", "mqtt", HSM_SYMMETRIC, 0 },
	{ "x509_mqtt", "mqtt", HSM_X509, 0 },
	{ "x509_http", "http", HSM_X509, 0 },
	{ "tpm_http", "http", HSM_TPM, 0 },
	{ "enroll", "http", HSM_SYMMETRIC, 1 },
};

struct bench {
	const struct scenario *s;
	char dir[64], state[96], cert[96], key[96], symmetric[96], tcti[200], chip_dir[96], service[400];
	pid_t chip;
	struct emu *emu;
	struct buf old; /* the state file as it was before */
	int64_t seen;	/* the last event of earlier runs */
	int acked[MESSAGES];
	unsigned runs;
};
static struct bench b;

/* Counted by all processes together. */
struct figures {
	unsigned calls, ways, coped, injected, failed[16], bad;
	struct trip_call once[MOST_ONCE]; /* calls that a process makes but once */
	size_t once_count;
};
static struct figures *f;

static void
die(const char *what)
{
	fprintf(stderr, "test_fault %s: %s\n", b.s->name, what);
	exit(1);
}

/* The first thing that was wrong with this run is told. */
static void
wrong(const char *what, const char *more)
{
	if (trip.violation != NULL)
		return;
	trip.violation = what;
	f->bad++;
	printf("%s: %s%s%s when %s failed at call %u%s\n", b.s->name, what, more[0] != '\0' ? ": " : "", more,
	    trip_name(trip.name), trip.nth, trip.for_ever ? " and ever after" : "");
	fflush(stdout);
}

/* what the device is given */

static void
put_file(const char *path, const void *p, size_t n)
{
	struct hf_error err = { 0 };

	if (file_replace(path, p, n, "test file", &err) < 0)
		die(err.text);
}

static void
put_pem(BIO *bio, const char *path)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	put_file(path, p, (size_t)n);
	BIO_free(bio);
}

static void
make_certificate(struct buf *enrollment)
{
	const struct cert_wish wish = { ID, 0, -1, b.emu->now.wall - 3600,
		b.emu->now.wall + 10 * 365 * 86400 };
	EVP_PKEY *key = make_key();
	X509 *x = make_cert(&wish, key, NULL, NULL);
	BIO *text = BIO_new(BIO_s_mem());
	uint8_t *der = NULL;
	int n = i2d_X509(x, &der);

	PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL);
	put_pem(text, b.key);
	text = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(text, x);
	put_pem(text, b.cert);
	buf_puts(enrollment,
	    "{\"registrationId\":\"" ID
	    "\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{\"primary\":{\"certificate\":\"");
	b64_put(enrollment, der, (size_t)n);
	buf_puts(enrollment, "\"}}}}}");
	OPENSSL_free(der);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
make_symmetric(struct buf *enrollment)
{
	struct buf text = { 0 };
	uint8_t key[32];

	RAND_bytes(key, sizeof key);
	b64_put(&text, key, sizeof key);
	put_file(b.symmetric, buf_data(&text), buf_size(&text));
	buf_fmt(enrollment,
	    "{\"registrationId\":\"" ID
	    "\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}}}",
	    buf_str(&text), buf_str(&text));
	buf_free(&text);
}

static int
configure(struct hf *h)
{
	const struct {
		const char *name, *value;
	} set[] = {
		{ "id-scope", b.emu->e.conf.scope },
		{ "trust", b.emu->trust },
		{ "transport", b.s->transport },
		{ "state", b.state },
		{ "payload", "{\"line\": 7}" },
		{ "registration-id", b.s->kind == HSM_SYMMETRIC ? ID : NULL },
		{ "symmetric-key", b.s->kind == HSM_SYMMETRIC ? b.symmetric : NULL },
		{ "cert", b.s->kind == HSM_X509 ? b.cert : NULL },
		{ "key", b.s->kind == HSM_X509 ? b.key : NULL },
		{ "tpm", b.s->kind == HSM_TPM ? b.tcti : NULL },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof set / sizeof *set; i++)
		if (set[i].value != NULL)
			r = hf_set(h, set[i].name, set[i].value);
	return r;
}

/* The TPM is left as it came: its keys are made when a device first needs them. */
static void
make_tpm(struct buf *enrollment)
{
	struct hsm *h;
	struct hf_error err = { 0 };
	struct buf ek = { 0 }, srk = { 0 }, text = { 0 };

	if (mkdir(b.chip_dir, 0700) < 0 || (b.chip = swtpm_start(b.chip_dir, b.tcti, sizeof b.tcti)) < 0)
		die("swtpm does not start");
	if (hsm_open(&h, &(struct hsm_settings){ .tpm = b.tcti }, &err) < 0 ||
	    h->ops->identity(h, 0, &ek, &srk, &err) < 0)
		die(err.text);
	b64_put(&text, buf_data(&ek), buf_size(&ek));
	buf_fmt(enrollment,
	    "{\"registrationId\":\"%s\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"%s\"}}}",
	    h->registration_id, buf_str(&text));
	hsm_close(h);
	buf_free(&ek);
	buf_free(&srk);
	buf_free(&text);
}

static void
enroll(void)
{
	struct buf text = { 0 };
	json_t *j;
	struct hf_error err = { 0 };

	if (b.s->kind == HSM_X509)
		make_certificate(&text);
	else if (b.s->kind == HSM_TPM)
		make_tpm(&text);
	else
		make_symmetric(&text);
	j = js_parse(buf_data(&text), buf_size(&text), "enrollment", &err);
	if (j == NULL || emu_enroll(b.emu, 0, js_str(j, "registrationId", ""), buf_str(&text)) < 0)
		die("cannot enroll");
	json_decref(j);
	buf_free(&text);
}

static void
set_up(const struct scenario *s)
{
	const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	const struct config *c;

	memset(&b, 0, sizeof b);
	b.s = s;
	str_fmt(b.dir, sizeof b.dir, "%s/holdfast-fault-XXXXXX", where);
	if (mkdtemp(b.dir) == NULL || (b.emu = emu_new(b.dir)) == NULL)
		die("no emulator");
	trip.emu = b.emu;
	trip_arm(-1, 0, 0);
	str_fmt(b.state, sizeof b.state, "%s/state", b.dir);
	str_fmt(b.cert, sizeof b.cert, "%s/cert", b.dir);
	str_fmt(b.key, sizeof b.key, "%s/key", b.dir);
	str_fmt(b.symmetric, sizeof b.symmetric, "%s/symmetric", b.dir);
	str_fmt(b.chip_dir, sizeof b.chip_dir, "%s/chip", b.dir);
	c = &b.emu->e.conf;
	str_fmt(b.service, sizeof b.service, "HostName=%s;SharedAccessKeyName=%s;SharedAccessKey=%s",
	    c->dps_name[0], c->service_policy, c->service_key);
	enroll();
}

static void
tear_down(void)
{
	char line[160];

	emu_free(b.emu);
	swtpm_stop(b.chip);
	buf_free(&b.old);
	free(trip.calls);
	trip.calls = NULL;
	str_fmt(line, sizeof line, "rm -r %s", b.dir);
	if (system(line) != 0)
		die(line);
}

/* a device's lives */

static int
life_register(struct hf *h)
{
	struct hf_who who;
	int r;

	if ((r = configure(h)) < 0 || (r = hf_identify(h, &who)) < 0 || (r = hf_register(h)) < 0)
		return r;
	return hf_wait(h, HF_REGISTERED, LIMIT, NULL);
}

static int
life_at_hub(struct hf *h)
{
	const struct hf_property property = { "line", "seven" };
	struct hf_message m = { .properties = &property, .property_count = 1, .content_type = "text/plain" };
	struct hf_event ev;
	char body[64];
	int r, i;

	if ((r = configure(h)) < 0)
		return r;
	for (i = 0; i < MESSAGES; i++) {
		m.body = body;
		m.len = (size_t)snprintf(body, sizeof body, "run %u message %d", b.runs, i);
		if ((r = hf_send(h, &m, (uint64_t)i)) < 0)
			return r;
	}
	if ((r = hf_connect(h)) < 0)
		return r;
	for (i = 0; i < MESSAGES; i++) {
		if ((r = hf_wait(h, HF_SENT, LIMIT, &ev)) < 0)
			return r;
		b.acked[ev.tag]++;
	}
	return hf_disconnect(h);
}

static int
life_enroll(struct hf *h)
{
	struct hf_enrollment e = { .kind = HF_ENROLL_SYMMETRIC, .id = "frame-8" };
	struct hf_error err = { 0 };
	char *answer = NULL;
	int r;

	if (registry_enrollment_delete(b.emu->e.registry, 0, e.id, &err) < 0)
		die(err.text);
	if ((r = hf_set(h, "trust", b.emu->trust)) < 0)
		return r;
	r = hf_enroll(h, b.service, &e, &answer);
	if (r == 0 && answer == NULL)
		wrong("enrolled without an answer", "");
	if (answer != NULL)
		trip_released();
	free(answer);
	return r;
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

static int
live(int (*life)(struct hf *))
{
	struct hf *h = hf_new();
	int r = h == NULL ? HF_ERR_MEMORY : life(h);

	if (r < 0 && h != NULL)
		judge(r, hf_error(h));
	hf_free(h);
	trip_settle();
	while (emu_turn(b.emu))
		;
	emu_hang_up(b.emu);
	if (trip.memory != 0 || trip.descriptors != 0 || trip.threads != 0)
		wrong("something was not given back", "");
	trip.memory = trip.descriptors = trip.threads = 0;
	return r;
}

/* what must be true after a run */

static int
count_event(void *stored, int64_t sequence, const json_t *event)
{
	unsigned run;
	int i;

	if (sequence > b.seen)
		b.seen = sequence;
	if (sscanf(js_str(event, "body", ""), "run %u message %d", &run, &i) == 2 && run == b.runs &&
	    i >= 0 && i < MESSAGES)
		((int *)stored)[i]++;
	return 0;
}

static void
check_messages(void)
{
	struct hf_error err = { 0 };
	int stored[MESSAGES] = { 0 };

	if (registry_event_each(b.emu->e.registry, b.seen, NULL, count_event, stored, &err) < 0)
		die(err.text);
	for (int i = 0; i < MESSAGES; i++)
		if (b.acked[i] > 1 || b.acked[i] > stored[i])
			wrong("a message was acknowledged that the hub does not have, or twice", "");
	memset(b.acked, 0, sizeof b.acked);
}

/* Either the old one to the byte, or a whole new one. */
static void
check_state(void)
{
	struct dps_state s = { 0 };
	struct hf_error err = { 0 };
	struct buf now = { 0 };
	int r = 0;

	if (file_exists(b.state)) {
		if (file_read(&now, b.state, 65536, "state file", &err) < 0)
			die(err.text);
		if (buf_size(&now) == buf_size(&b.old) &&
		    memcmp(buf_data(&now), buf_data(&b.old), buf_size(&now)) == 0)
			goto done;
		r = dps_state_load(&s, b.state, &err);
		if (r < 0)
			wrong("the state file is torn", err.text);
	} else if (buf_size(&b.old) > 0)
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

	if (b.s->kind != HSM_TPM)
		return;
	if (Tss2_TctiLdr_Initialize(b.tcti, &road) != 0)
		die("cannot ask the TPM");
	objects = tap_handles(TAP_TRANSIENT);
	sessions = tap_handles(TAP_SESSIONS);
	Tss2_TctiLdr_Finalize(&road);
	if (objects == 0 && sessions == 0)
		return;
	if (!trip.for_ever || strcmp(trip_name(trip.name), "Esys_FlushContext") != 0)
		wrong(objects != 0 ? "an object was left in the TPM" : "a session was left in the TPM", "");
	swtpm_stop(b.chip);
	if ((b.chip = swtpm_start(b.chip_dir, b.tcti, sizeof b.tcti)) < 0)
		die("swtpm does not start again");
}

static void
put_back(int with_state)
{
	unlink(b.state);
	if (with_state && buf_size(&b.old) > 0)
		put_file(b.state, buf_data(&b.old), buf_size(&b.old));
	else
		buf_free(&b.old);
}

static void
keep_state(void)
{
	struct hf_error err = { 0 };

	buf_free(&b.old);
	if (file_exists(b.state) && file_read(&b.old, b.state, 65536, "state file", &err) < 0)
		die(err.text);
}

static int
lives(void)
{
	int r;

	if (b.s->enrolls)
		return live(life_enroll);
	if ((r = live(life_register)) < 0)
		return r;
	return live(life_at_hub);
}

/* One onboarding with one failure, and when it did not end well, one without. */
static int
run(int name, unsigned nth, int for_ever)
{
	int r;

	b.runs++;
	keep_state();
	trip_arm(name, nth, for_ever);
	r = lives();
	f->injected += trip.injected;
	f->coped += r == 0 && trip.injected > 0;
	if (name < 0 && r < 0)
		die("the run in which nothing fails has failed");
	check_messages();
	check_state();
	check_chip();
	if (r < 0 && trip.violation == NULL) {
		trip.name = -1;
		b.runs++;
		if (live(b.s->enrolls ? life_enroll : life_at_hub) < 0)
			trip.name = name, wrong("it did not recover", "");
		trip.name = name;
		check_messages();
	}
	return r;
}

static void
look_for_leaks(void)
{
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

/* A TPM takes its time: with one, most of the calls that have been made to fail without it are left out. */
static unsigned
one_of(const struct trip_call *c, unsigned inside)
{
	if (trip_is_inside(c->name))
		return inside;
	return b.s->kind == HSM_TPM && !trip_is_tpm(c->name) ? 4 : 1;
}

/* Of each way one call, the first or another one. inside: of those inside OpenSSL, one of so many. */
static size_t
sample(struct trip_call *calls, size_t n, unsigned inside)
{
	const char *seed = getenv("HF_FAULT_SEED");
	struct coin coin = { seed == NULL ? 1 : strtoull(seed, NULL, 10) };
	size_t kept = 0, same;

	qsort(calls, n, sizeof *calls, by_way);
	for (size_t i = 0; i < n; i += same) {
		for (same = 1; i + same < n && calls[i + same].way == calls[i].way;)
			same++;
		if (coin_toss(&coin) % one_of(&calls[i], inside) != 0)
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

/* what happens once in a process: each in a process of its own */

static void
find_once(const void *arg)
{
	struct trip_call *calls[2];
	size_t n[2];

	(void)arg;
	for (int i = 0; i < 2; i++)
		calls[i] = record(&n[i]);
	qsort(calls[1], n[1], sizeof *calls[1], by_way);
	for (size_t i = 0, j; i < n[0] && f->once_count < MOST_ONCE; i++) {
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
apart(const struct scenario *s, void (*what)(const void *), const struct trip_call *c)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		set_up(s);
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
	printf("%s: a process ended badly (%d) in which %s failed at call %u\n", s->name, status,
	    c == NULL ? "nothing" : trip_name(c->name), c == NULL ? 0 : c->nth);
}

static void
beginnings(const struct scenario *s)
{
	b.s = s;
	apart(s, find_once, NULL);
	f->calls += (unsigned)f->once_count;
	if (!is_whole())
		f->once_count = sample(f->once, f->once_count, 40);
	for (size_t i = 0; i < f->once_count; i++)
		if (is_wanted(&f->once[i])) {
			f->ways++;
			apart(s, fail_once, &f->once[i]);
			apart(s, fail_at_first, &f->once[i]);
		}
}

/* and all the others, in this one */
static void
all(const struct scenario *s)
{
	struct trip_call *calls;
	size_t n;

	set_up(s);
	run(-1, 0, 0);
	calls = record(&n);
	f->calls += (unsigned)n;
	if (!is_whole())
		n = sample(calls, n, 10);
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
tell(const struct scenario *s)
{
	printf(
	    "%s: %u calls of %u failed (%s), once and from then on: %u failures injected; coped with %u times; ended with error",
	    s->name, f->ways, f->calls, is_whole() ? "all" : "a sample; all with HF_FAULT=whole", f->injected,
	    f->coped);
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
	if (f == MAP_FAILED || trip_libraries() < 0)
		return 1;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0)
			continue;
		known = 1;
		memset(f, 0, sizeof *f);
		beginnings(&scenarios[i]);
		all(&scenarios[i]);
		tell(&scenarios[i]);
		bad += f->bad;
	}
	munmap(f, sizeof *f);
	return known && bad == 0 ? 0 : 1;
}
