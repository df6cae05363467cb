/*
 * Whole lives of a device, by seeds: bytes are split, delayed, held up and cut, both sides are killed and come back, DPS answers 429 and
 * 503, the owner deletes the device, a TPM is cut off. At the end the device is registered and every message has been delivered, up and down, or
 * it has been refused for the right reason. The same seed is the same run.
 *
 *	fuzz_talk [--seeds N] [--from S] [-v]
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "drive.h"

#define WEATHER 90000	/* ms that the weather is bad at most */
#define HOURS	7200000 /* the same of a long life, in which tokens end */
#define LONG	10	/* one life in so many */
#define PATIENCE                                                                                             \
	600000 /* ms that a device may need once it is good: a dead line is noticed after 320 s of MQTT, 480 s of AMQP */
#define MESSAGES 250
#define DOWN	 20   /* messages to the device */
#define AGAIN	 50   /* one seed in so many is run twice and must be the same both times */
#define IDLE	 2000 /* moments in a row that come at once: something spins */

struct letter {
	size_t len;
	int64_t at; /* when the application sends it */
	int given, acked, stored;
};
enum deed { KILL_DEVICE, KILL_EMULATOR, REVIVE, DELETE, PAUSE, DOWNWARD, DEEDS };
struct life {
	struct drive *d;
	enum hsm_kind kind;
	const char *transport, *to_hub;
	int right; /* the enrollment is this device's */
	struct letter letter[MESSAGES];
	size_t letters, acked, given;
	int down
	    [DOWN]; /* 1: the hub has it for the device; 2: the device has it, or it went with a deleted one */
	size_t downs, unsettled; /* unsettled: the device has them, and awaits the end of their settling */
	int64_t calm;		 /* the weather is good, and the last message is written */
	int64_t due[DEEDS];	 /* when it is done next; NEVER */
	int left[DEEDS];	 /* how often yet */
	int64_t
	    begin_at; /* when the application (re)starts the device, or lets it try again; NEVER: it runs */
	int failed, refused; /* the last try ended so */
	int registered, deleted;
	char why[700]; /* what is wrong; "" */
};

static uint64_t
pick(struct life *l, uint64_t n)
{
	return coin_below(&l->d->coin, n);
}

/* One of a row of choices. */
#define ONE_OF(l, row) row[pick(l, sizeof(row) / sizeof(row[0]))]

static void __attribute__((format(printf, 2, 3))) wrong(struct life *l, const char *fmt, ...)
{
	va_list ap;

	if (l->why[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	drive_note(l->d, "WRONG: %s", l->why);
}

static void
plan_weather(struct life *l)
{
	static const unsigned splits[] = { 0, 0, 3, 40, 500 }, delays[] = { 0, 20, 300, 2500 },
			      stalls[] = { 0, 0, 5000, 700 }, cuts[] = { 0, 20000, 4000, 1200, 500 },
			      slow[] = { 0, 0, 100, 5000 }, once[] = { 0, 0, 6, 2 };
	static const size_t caps[] = { 65536, 65536, 1024, 61, 5 };
	struct drive *d = l->d;

	d->cable.until = d->emu->now.ms + (int64_t)pick(l, pick(l, LONG) != 0 ? WEATHER : HOURS);
	d->cable.split = ONE_OF(l, splits);
	d->cable.delay = ONE_OF(l, delays);
	d->cable.stall = ONE_OF(l, stalls);
	d->cable.stall_ms = 1 + (unsigned)pick(l, 45000);
	d->cable.cut = ONE_OF(l, cuts);
	d->emu->cap = ONE_OF(l, caps);
	d->weather.slow = ONE_OF(l, slow);
	d->weather.refuse = ONE_OF(l, once);
	d->weather.busy = ONE_OF(l, once);
	d->weather.unavailable = ONE_OF(l, once);
}

static void
plan_letters(struct life *l)
{
	int64_t span = l->d->cable.until + 30000, at = l->d->emu->now.ms;
	int many = pick(l, 12) == 0;

	l->letters = 1 + pick(l, many ? MESSAGES : 12);
	for (size_t i = 0; i < l->letters; i++) {
		at += (int64_t)pick(l, (uint64_t)(2 * span) / l->letters);
		l->letter[i].at = at;
		l->letter[i].len = pick(l, 20) == 0 ? pick(l, 60000) : pick(l, 300);
	}
	l->calm = at > l->d->cable.until ? at : l->d->cable.until;
}

static void
plan_deed(struct life *l, enum deed what)
{
	int64_t now = l->d->emu->now.ms, end = l->d->cable.until;

	l->due[what] = NEVER;
	if (l->left[what] == 0 || now >= end)
		return;
	l->left[what]--;
	l->due[what] = now + 1 + (int64_t)pick(l, (uint64_t)(end - now));
}

static void
plan(struct life *l)
{
	static const char *const all[] = { "mqtt", "mqtt-ws", "amqp", "amqp-ws", "http" },
				 *const for_tpm[] = { "http", "amqp", "amqp-ws" };
	static const int times[] = { 0, 0, 1, 3 };
	uint64_t kind = pick(l, 20);

	l->kind = kind < 9 ? HSM_SYMMETRIC : kind < 16 ? HSM_X509 : HSM_TPM;
	l->transport = l->kind == HSM_TPM ? ONE_OF(l, for_tpm) : ONE_OF(l, all);
	l->to_hub = ONE_OF(l, all);
	l->right = pick(l, 10) != 0;
	plan_weather(l);
	plan_letters(l);
	l->left[KILL_DEVICE] = ONE_OF(l, times);
	l->left[KILL_EMULATOR] = ONE_OF(l, times);
	l->left[DELETE] = pick(l, 6) == 0;
	l->left[PAUSE] = ONE_OF(l, times);
	l->left[DOWNWARD] = (int)pick(l, DOWN / 2);
	for (int i = 0; i < DEEDS; i++)
		plan_deed(l, (enum deed)i);
	l->begin_at = l->d->emu->now.ms;
	drive_note(l->d, "%s over %s, to the hub %s, %s key, %zu messages, bad weather until %" PRId64,
	    l->kind == HSM_TPM	  ? "TPM"
	    : l->kind == HSM_X509 ? "X.509"
				  : "symmetric key",
	    l->transport, l->to_hub, l->right ? "its own" : "another's", l->letters, l->d->cable.until);
}

/* What the hub has stored, in its order. */
static int
take_event(void *ctx, int64_t sequence, const json_t *event)
{
	struct life *l = ctx;
	const char *body = js_str(event, "body", "");
	size_t tag = (size_t)strtoull(body, NULL, 10);

	(void)sequence;
	if (tag >= l->letters || strlen(body) != 8 + l->letter[tag].len)
		wrong(l, "the hub has stored what nobody sent: \"%.40s\"", body);
	else if (!l->letter[tag].stored && tag > 0 && !l->letter[tag - 1].stored)
		wrong(l, "message %zu was stored before message %zu", tag, tag - 1);
	else
		l->letter[tag].stored = 1;
	return l->why[0] != '\0';
}

static void
look(struct life *l)
{
	struct hf_error err = { 0 };

	for (size_t i = 0; i < l->letters; i++)
		l->letter[i].stored = 0;
	if (l->d->dead)
		return;
	if (registry_event_each(l->d->emu->e.registry, 0, NULL, take_event, l, &err) < 0)
		wrong(l, "the registry: %s", err.text);
}

static void
acknowledged(struct life *l, uint64_t tag)
{
	if (tag >= l->letters || !l->letter[tag].given || l->letter[tag].acked) {
		wrong(l, "message %" PRIu64 " was acknowledged, but is not out", tag);
		return;
	}
	l->letter[tag].acked = 1;
	l->acked++;
	look(l);
	if (!l->d->dead && !l->letter[tag].stored)
		wrong(l, "message %" PRIu64 " was acknowledged, but the hub has not stored it", tag);
}

/* Bad weather may outlast a registration's patience; a TPM may be cut off; else only a stranger is refused. */
static void
failed(struct life *l, const struct hf_error *e)
{
	int bad = e->code == HF_ERR_NET || e->code == HF_ERR_TIMEOUT ||
		  (e->code == HF_ERR_KEY && l->d->chip.failures > 0);

	l->failed = 1;
	l->refused = e->code == HF_ERR_AUTH;
	l->begin_at = l->d->emu->now.ms + 1000 + (int64_t)pick(l, 5000);
	drive_note(l->d, "failed (%d): %s", e->code, e->text);
	if (bad || (l->refused && !l->right))
		return;
	wrong(l, "it failed for another reason than it should (%d): %s", e->code, e->text);
}

static void
received(struct life *l, const struct hf_event *ev)
{
	const struct hf_received *m = ev->received;
	uint64_t tag = ev->tag, n = DOWN;

	if (str_u64(m->body, m->len, DOWN, &n) < 0 || n >= l->downs)
		wrong(l, "a message came that nobody sent");
	else
		l->down[n] = 2;
	l->unsettled++;
	if (hf_settle(l->d->hf, tag, HF_COMPLETE) < 0)
		wrong(l, "a message could not be settled: %s", hf_error(l->d->hf)->text);
}

static void
heard(void *ctx, const struct hf_event *ev)
{
	static const char *const name[] = { "nothing", "registered", "connected", "disconnected", "sent",
		"failed", "received", "settled", "unsent" };
	struct life *l = ctx;

	drive_note(l->d, "application: %s %" PRIu64, name[ev->type], ev->tag);
	if (ev->type == HF_REGISTERED) {
		l->registered = 1;
		if (!l->right)
			wrong(l, "a stranger was registered");
	}
	if (ev->type == HF_SENT)
		acknowledged(l, ev->tag);
	if (ev->type == HF_UNSENT)
		wrong(l, "message %" PRIu64 " was given up: %s", ev->tag, ev->error->text);
	if (ev->type == HF_RECEIVED)
		received(l, ev);
	if (ev->type == HF_SETTLED && l->unsettled-- == 0)
		wrong(l, "a message was settled that is none");
	if (ev->type == HF_FAILED)
		failed(l, ev->error);
}

static void
give(struct life *l, size_t i)
{
	struct letter *t = &l->letter[i];
	char *body = malloc(8 + t->len + 1);
	struct hf_message m = { .body = body, .len = 8 + t->len };

	snprintf(body, 9, "%07zu ", i);
	memset(body + 8, 'a' + (int)(i % 26), t->len);
	if (hf_send(l->d->hf, &m, i) < 0)
		wrong(l, "message %zu was not taken: %s", i, hf_error(l->d->hf)->text);
	l->given += !t->given;
	t->given = 1;
	free(body);
}

/* The application gives again what it has not seen acknowledged. */
static void
start_device(struct life *l)
{
	if (drive_start(l->d, l->kind, l->transport) == NULL ||
	    hf_set(l->d->hf, "hub-transport", l->to_hub) < 0 || hf_set(l->d->hf, "poll", "5") < 0 ||
	    hf_receive(l->d->hf, 0) < 0) {
		wrong(l, "no device could be made");
		return;
	}
	for (size_t i = 0; i < l->letters && l->letter[i].given; i++)
		if (!l->letter[i].acked)
			give(l, i);
}

static void
begin(struct life *l)
{
	struct hf_error e = { 0 };

	l->begin_at = NEVER;
	l->failed = l->refused = 0;
	l->unsettled = 0;
	if (l->d->hf == NULL)
		start_device(l);
	if (l->d->hf == NULL || hf_connect(l->d->hf) == 0)
		return;
	e = *hf_error(l->d->hf);
	wrong(l, "it cannot begin: %s", e.text);
}

static void
kill_device(struct life *l)
{
	drive_note(l->d, "the device is killed");
	drive_kill(l->d);
	l->failed = l->refused = 0;
	l->begin_at = l->d->emu->now.ms + (int64_t)pick(l, 3000);
}

/* The application ends the conversation, and takes it up again. */
static void
pause_device(struct life *l)
{
	if (l->d->hf == NULL)
		return;
	drive_note(l->d, "the device disconnects");
	if (hf_disconnect(l->d->hf) < 0)
		wrong(l, "it cannot disconnect");
	l->begin_at = l->d->emu->now.ms + (int64_t)pick(l, 5000);
}

static void
delete_device(struct life *l)
{
	struct hf_error err = { 0 };
	struct config *c = &l->d->emu->e.conf;

	if (l->d->dead)
		return;
	drive_note(l->d, "the owner deletes the device");
	l->deleted = 1;
	for (size_t i = 0; i < l->downs; i++)
		l->down[i] = 2;
	for (size_t i = 0; i < c->hubs; i++)
		if (registry_device_delete(l->d->emu->e.registry, c->hub[i], DRIVE_ID, &err) < 0)
			wrong(l, "the registry: %s", err.text);
	if (registry_commit(l->d->emu->e.registry, &err) < 0)
		wrong(l, "the registry: %s", err.text);
}

/* The owner has a message for the device, where a hub knows it. */
static void
send_down(struct life *l)
{
	struct hub_c2d c = { 0 };
	struct emulator *e = &l->d->emu->e;
	struct hf_error err = { 0 };
	char body[16], until[32];

	if (l->d->dead || l->downs == DOWN)
		return;
	(void)str_fmt(body, sizeof(body), "%zu", l->downs);
	clock_iso(l->d->emu->now.wall + 86400, until);
	c.message.body = body;
	c.message.len = strlen(body);
	e->now = l->d->emu->now;
	for (size_t i = 0; i < e->conf.hubs && !l->down[l->downs]; i++) {
		if (str_set(&c.message.expiry, until) < 0 ||
		    c2d_put(e, e->conf.hub[i], DRIVE_ID, &c, &err) < 0)
			err_clear(&err);
		else
			l->down[l->downs] = 1;
	}
	hub_c2d_fini(&c);
	if (!l->down[l->downs])
		return;
	drive_note(l->d, "message %s waits for the device", body);
	l->downs++;
	if (registry_commit(e->registry, &err) < 0)
		wrong(l, "the registry: %s", err.text);
}

static void
kill_emulator(struct life *l)
{
	if (l->d->dead)
		return;
	drive_crash(l->d, (enum death)(DEATH_NOW + pick(l, 3)));
}

static void
revive(struct life *l)
{
	drive_note(l->d, "the emulator is back");
	l->due[REVIVE] = NEVER;
	if (drive_revive(l->d) < 0)
		wrong(l, "the registry cannot be opened again");
}

static void
plan_return(struct life *l)
{
	if (l->d->dead && l->due[REVIVE] == NEVER)
		l->due[REVIVE] = l->d->emu->now.ms + (int64_t)pick(l, 15000);
}

static void
do_deeds(struct life *l)
{
	static void (*const deed[])(
	    struct life *) = { kill_device, kill_emulator, revive, delete_device, pause_device, send_down };

	for (int i = 0; i < DEEDS; i++) {
		if (l->d->emu->now.ms < l->due[i])
			continue;
		plan_deed(l, (enum deed)i);
		deed[i](l);
	}
	if (l->d->emu->now.ms >= l->begin_at)
		begin(l);
	while (l->d->hf != NULL && l->given < l->letters && l->letter[l->given].at <= l->d->emu->now.ms)
		give(l, l->given);
}

static int64_t
next_deed(const struct life *l)
{
	int64_t at = l->begin_at;

	for (int i = 0; i < DEEDS; i++)
		at = sooner(at, l->due[i]);
	return l->d->hf != NULL && l->given < l->letters ? sooner(at, l->letter[l->given].at) : at;
}

static int
planned(const struct life *l)
{
	for (int i = 0; i < DEEDS; i++)
		if (l->due[i] != NEVER)
			return 1;
	return l->given < l->letters;
}

/* All is said and done: every message acknowledged, and a deleted device there again; or a stranger refused, with nothing yet to come. */
static int
over(const struct life *l)
{
	char why[600];

	if (l->why[0] != '\0')
		return 1;
	if (planned(l))
		return 0;
	if (!l->right)
		return l->refused;
	for (size_t i = 0; i < l->downs; i++)
		if (l->down[i] != 2)
			return 0;
	if (l->unsettled > 0)
		return 0;
	return l->acked == l->letters && (!l->deleted || drive_agree(l->d, 1, why));
}

static void
live(struct life *l)
{
	struct drive *d = l->d;
	int64_t limit = l->calm + PATIENCE, ms, deed;
	int hurried = 0;

	for (;;) {
		do_deeds(l);
		if (drive_settle(d) < 0)
			wrong(l, "a turn does not end");
		plan_return(l);
		if (over(l))
			return;
		ms = drive_next(d);
		deed = next_deed(l);
		if (deed != NEVER)
			ms = sooner(ms, deed > d->emu->now.ms ? deed - d->emu->now.ms : 1);
		hurried = ms <= 1 ? hurried + 1 : 0;
		if (ms == NEVER || hurried == IDLE || d->emu->now.ms + ms > limit) {
			wrong(l, "%s: %zu of %zu messages acknowledged, %s",
			    ms == NEVER	      ? "nothing is to come"
			    : hurried == IDLE ? "it spins"
					      : "it takes too long",
			    l->acked, l->letters, l->registered ? "registered" : "not registered");
			return;
		}
		drive_pass(d, ms);
	}
}

/* After its end: what was acknowledged is in the registry as it was written to the disk. */
static void
judge(struct life *l)
{
	char why[600];

	if (l->why[0] != '\0')
		return;
	if (l->d->hf != NULL && hf_disconnect(l->d->hf) < 0)
		wrong(l, "it cannot disconnect");
	drive_kill(l->d);
	drive_crash(l->d, DEATH_NOW);
	if (drive_revive(l->d) < 0) {
		wrong(l, "the registry cannot be opened again");
		return;
	}
	look(l);
	for (size_t i = 0; i < l->letters; i++)
		if (l->letter[i].acked && !l->letter[i].stored)
			wrong(l, "message %zu was acknowledged, and is lost", i);
	if (l->right && !drive_agree(l->d, 1, why))
		wrong(l, "%s", why);
	if (!l->right && file_exists(l->d->state))
		wrong(l, "a stranger has a state file");
}

/* 1: all is well. */
static int
run(struct drive *d, uint64_t seed, uint64_t *hash, char why[700])
{
	struct life *l = calloc(1, sizeof(*l));
	int ok;

	if (drive_fresh(d, seed) < 0)
		exit(1);
	l->d = d;
	d->heard = heard;
	d->ctx = l;
	drive_note(d, "seed %" PRIu64, seed);
	plan(l);
	if (drive_enroll(d, l->kind, l->right) < 0)
		exit(1);
	live(l);
	judge(l);
	drive_kill(d);
	ok = l->why[0] == '\0';
	memcpy(why, l->why, sizeof(l->why));
	*hash = d->hash;
	free(l);
	return ok;
}

static int
run_checked(struct drive *d, uint64_t seed)
{
	uint64_t hash, again;
	char why[700];

	if (!run(d, seed, &hash, why))
		goto fail;
	if (seed % AGAIN != 0)
		return 1;
	if (!run(d, seed, &again, why))
		goto fail;
	if (hash == again)
		return 1;
	(void)str_fmt(why, sizeof(why), "it ran in two different ways");
fail:
	fprintf(stderr, "seed %" PRIu64 ": %s\nreplay: ./dev fuzz talk --from %" PRIu64 " --seeds 1 -v\n",
	    seed, why, seed);
	return 0;
}

static int
usage(void)
{
	fprintf(stderr, "usage: fuzz_talk [--seeds N] [--from S] [-v]\n");
	return 2;
}

int
main(int argc, char **argv)
{
	static struct drive drive;
	uint64_t from = 1, seeds = 1000, bad = 0;
	int verbose = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			verbose = 1;
		else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
			seeds = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			from = strtoull(argv[++i], NULL, 10);
		else
			return usage();
	}
	if (drive_open(&drive, 0) < 0)
		return 1;
	drive.show = verbose ? stdout : NULL;
	printf("seeds %" PRIu64 " to %" PRIu64 "\n", from, from + seeds - 1);
	for (uint64_t s = from; s < from + seeds && bad < 10; s++)
		bad += !run_checked(&drive, s);
	drive_close(&drive);
	printf("%s\n", bad == 0 ? "no violation" : "violations, see above");
	return bad != 0;
}
