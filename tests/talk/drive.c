#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "dps/dps_client.h"
#include "drive.h"
#include "unit/make_cert.h"
#include "wrap.h"

#define WALL   1800000000 /* without TLS nothing hangs on the real date */
#define ROUNDS 200000	  /* until a turn without an end is a fault */
#define QUIET  3	  /* rounds in which nothing moves, until time may */

static int
fail(const char *what, const struct hf_error *err)
{
	fprintf(stderr, "drive: %s: %s\n", what, err->text);
	return -1;
}

static void
take_line(void *ctx, const char *line)
{
	struct drive *d = ctx;
	char text[1400];
	size_t n;

	(void)str_fmt(text, sizeof(text), "%9" PRId64 " %s", d->emu->now.ms, line);
	n = strlen(text);
	for (size_t i = 0; i <= n; i++)
		d->hash = (d->hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	if (d->show != NULL)
		fprintf(d->show, "%s\n", text);
}

void
drive_note(struct drive *d, const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	take_line(d, line);
}

static int
put_file(struct drive *d, const char *name, const char *text)
{
	struct hf_error err = { 0 };
	char path[100];

	(void)str_fmt(path, sizeof(path), "%s/%s", d->dir, name);
	return file_replace(path, text, strlen(text), name, &err) < 0 ? fail(name, &err) : 0;
}

static int
put_key(struct drive *d, EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p, *text;
	long n;
	int rc;

	PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(b, &p);
	text = strndup(p, (size_t)n);
	rc = put_file(d, "key.pem", text);
	free(text);
	BIO_free(b);
	return rc;
}

static int
make_identities(struct drive *d)
{
	struct cert_wish w = { .cn = DRIVE_ID, .from = 1000000000, .to = 4000000000 };
	EVP_PKEY *key = make_key(), *other = make_key();
	char *pem;
	int rc;

	d->cert = make_cert(&w, key, NULL, NULL);
	d->stranger = make_cert(&w, other, NULL, NULL);
	d->chain = sk_X509_new_null();
	sk_X509_push(d->chain, d->cert);
	pem = make_pem(d->cert);
	rc = put_file(d, "cert.pem", pem) < 0 || put_key(d, key) < 0 || put_file(d, "key", DRIVE_KEY) < 0;
	free(pem);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	return rc ? -1 : 0;
}

int
drive_open(struct drive *d, int tls)
{
	memset(d, 0, sizeof(*d));
	d->tls = tls;
	(void)str_fmt(d->dir, sizeof(d->dir), "%s/holdfast-drive-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(d->dir) == NULL) {
		perror(d->dir);
		return -1;
	}
	(void)str_fmt(d->state, sizeof(d->state), "%s/state", d->dir);
	wrap_use(d);
	if ((d->emu = emu_new(d->dir)) == NULL || make_identities(d) < 0)
		return -1;
	config_path(&d->emu->e.conf, "registry.db", d->registry);
	d->log = (struct log){ take_line, d };
	d->emu->e.log = d->log;
	d->emu->plain = !tls;
	d->emu->cable = &d->cable;
	cable_init(&d->cable, &d->emu->now.ms);
	return 0;
}

void
drive_close(struct drive *d)
{
	char command[100];

	drive_kill(d);
	emu_free(d->emu);
	wrap_use(NULL);
	sk_X509_free(d->chain);
	X509_free(d->cert);
	X509_free(d->stranger);
	soft_chip_fini(&d->chip);
	(void)str_fmt(command, sizeof(command), "rm -r '%s'", d->dir);
	if (system(command) != 0)
		fprintf(stderr, "drive: %s is still there\n", d->dir);
}

static void
forget_registry(struct drive *d)
{
	static const char *const tail[] = { "", "-wal", "-shm" };
	char name[CONFIG_PATH + 8];

	emu_hang_up(d->emu);
	registry_close(d->emu->e.registry);
	d->emu->e.registry = NULL;
	for (size_t i = 0; i < 3; i++) {
		(void)str_fmt(name, sizeof(name), "%s%s", d->registry, tail[i]);
		unlink(name);
	}
}

int
drive_fresh(struct drive *d, uint64_t seed)
{
	drive_kill(d);
	forget_registry(d);
	unlink(d->state);
	soft_chip_clear(&d->chip);
	memset(&d->weather, 0, sizeof(d->weather));
	cable_init(&d->cable, &d->emu->now.ms);
	d->coin.seed = seed;
	d->dice.seed = ~seed;
	d->cable.coin.seed = coin_toss(&d->coin);
	d->cable.log = d->log;
	d->hash = UINT64_C(0xcbf29ce484222325);
	d->ran = 0;
	d->emu->cap = 65536;
	d->emu->now.ms = 1000;
	if (!d->tls)
		d->emu->now.wall = WALL;
	return drive_revive(d);
}

int
drive_again(struct drive *d)
{
	struct registry *r = d->emu->e.registry;
	struct hf_error err = { 0 };

	drive_kill(d);
	emu_hang_up(d->emu);
	unlink(d->state);
	soft_chip_clear(&d->chip);
	cable_init(&d->cable, &d->emu->now.ms);
	d->cable.log = d->log;
	if (registry_registration_delete(r, DRIVE_ID, &err) < 0)
		return fail("forgetting the registration", &err);
	for (size_t i = 0; i < d->emu->e.conf.hubs; i++)
		if (registry_device_delete(r, d->emu->e.conf.hub[i], DRIVE_ID, &err) < 0)
			return fail("forgetting the device", &err);
	return registry_commit(r, &err) < 0 ? fail("forgetting", &err) : 0;
}

static json_t *
attestation(struct drive *d, enum hsm_kind kind, int right)
{
	const char *key = right ? DRIVE_KEY : "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
	char *pem = make_pem(right ? d->cert : d->stranger);
	json_t *o;

	if (kind == HSM_TPM)
		soft_chip_need(&d->chip);
	if (kind == HSM_SYMMETRIC)
		o = json_pack("{s:s s:{s:s s:s}}", "type", "symmetricKey", "symmetricKey", "primaryKey", key,
		    "secondaryKey", key);
	else if (kind == HSM_X509)
		o = json_pack("{s:s s:{s:{s:{s:s}}}}", "type", "x509", "x509", "clientCertificates",
		    "primary", "certificate", pem);
	else /* another's endorsement key: the storage root key is one that does not fit */
		o = json_pack("{s:s s:{s:s}}", "type", "tpm", "tpm", "endorsementKey",
		    buf_str(right ? &d->chip.keys.ek_text : &d->chip.keys.srk_text));
	free(pem);
	return o;
}

int
drive_enroll(struct drive *d, enum hsm_kind kind, int right)
{
	json_t *o = json_pack("{s:o}", "attestation", attestation(d, kind, right));
	char *text = json_dumps(o, 0);
	int rc = emu_enroll(d->emu, 0, DRIVE_ID, text);

	free(text);
	json_decref(o);
	return rc;
}

static int
identify(struct drive *d, enum hsm_kind kind)
{
	char a[100], b[100];

	if (kind == HSM_TPM)
		return hf_set(d->hf, "tpm", "soft");
	(void)str_fmt(a, sizeof(a), "%s/%s", d->dir, kind == HSM_X509 ? "cert.pem" : "key");
	if (kind == HSM_SYMMETRIC)
		return hf_set(d->hf, "symmetric-key", a);
	(void)str_fmt(b, sizeof(b), "%s/key.pem", d->dir);
	return hf_set(d->hf, "cert", a) < 0 ? -1 : hf_set(d->hf, "key", b);
}

struct hf *
drive_start(struct drive *d, enum hsm_kind kind, const char *transport)
{
	drive_kill(d);
	d->hf = hf_new();
	if (d->hf == NULL)
		return NULL;
	hf_log(d->hf, take_line, d);
	wrap_show(d->tls || kind != HSM_X509 ? NULL : d->chain);
	if (identify(d, kind) < 0 || hf_set(d->hf, "id-scope", d->emu->e.conf.scope) < 0 ||
	    hf_set(d->hf, "registration-id", DRIVE_ID) < 0 || hf_set(d->hf, "trust", d->emu->trust) < 0 ||
	    hf_set(d->hf, "state", d->state) < 0 || hf_set(d->hf, "transport", transport) < 0)
		fail("a setting", hf_error(d->hf));
	return d->hf;
}

void
drive_kill(struct drive *d)
{
	hf_free(d->hf);
	d->hf = NULL;
}

static void
die(struct drive *d)
{
	drive_note(d, "the emulator is killed");
	emu_hang_up(d->emu);
	registry_close(d->emu->e.registry);
	d->emu->e.registry = NULL;
	d->doomed = 0;
	d->dead = 1;
}

/* A turn that may be the last one. */
static int
doomed_turn(struct drive *d)
{
	struct emulator *e = &d->emu->e;
	struct hf_error err = { 0 };
	int before = d->cable.moves;

	e->now = d->emu->now;
	for (struct session *s = e->sessions; s != NULL; s = session_next(s))
		(void)session_read(s);
	if (d->cable.moves == before)
		return emu_turn(d->emu);
	if (d->doomed == DEATH_UNSAID && registry_commit(e->registry, &err) < 0)
		fail("the last commit", &err);
	die(d);
	return 1;
}

void
drive_crash(struct drive *d, enum death when)
{
	d->doomed = when;
	if (when == DEATH_NOW)
		die(d);
}

int
drive_revive(struct drive *d)
{
	struct hf_error err = { 0 };

	d->dead = d->doomed = 0;
	return registry_open(&d->emu->e.registry, d->registry, &err) < 0 ? fail("the registry", &err) : 0;
}

static void
step_device(struct drive *d)
{
	struct hf_event ev;

	if (d->hf == NULL)
		return;
	(void)hf_step(d->hf);
	while (hf_next(d->hf, &ev)) {
		d->cable.moves++;
		d->heard(d->ctx, &ev);
	}
}

int
drive_settle(struct drive *d)
{
	int quiet = 0, before, busy;

	for (int i = 0; i < ROUNDS; i++) {
		before = d->cable.moves + d->ran;
		wrap_work();
		step_device(d);
		if (d->dead)
			busy = 0;
		else
			busy = d->doomed ? doomed_turn(d) : emu_turn(d->emu);
		quiet = busy || before != d->cable.moves + d->ran ? 0 : quiet + 1;
		if (quiet == QUIET)
			return 0;
	}
	return -1;
}

int64_t
drive_next(struct drive *d)
{
	int64_t now = d->emu->now.ms, at = cable_next(&d->cable);
	int ms = d->hf != NULL ? hf_deadline(d->hf) : -1;

	if (ms >= 0)
		at = sooner(at, now + ms);
	for (size_t i = 0; i < d->errands; i++)
		at = d->errand[i].done ? at : sooner(at, d->errand[i].at);
	for (struct session *s = d->emu->e.sessions; s != NULL; s = session_next(s))
		at = sooner(at, session_deadline(s));
	if (at == NEVER)
		return NEVER;
	return at > now ? at - now : 1;
}

void
drive_pass(struct drive *d, int64_t ms)
{
	emu_pass(d->emu, ms);
}

static int
disagree(char why[600], const char *fmt, const char *a, const char *b)
{
	(void)str_fmt(why, 600, fmt, a, b);
	return 0;
}

static int
same(const struct dps_state *s, const json_t *record, int late, char why[600])
{
	const char *status = js_str(record, "status", "");

	if (strcmp(status, "assigned") != 0 && !(late && strcmp(status, "assigning") == 0))
		return disagree(why, "DPS says \"%s\" of it, not assigned%s", status, "");
	if (strcmp(js_str(record, "assignedHub", ""), s->hub) != 0)
		return disagree(
		    why, "DPS says hub %s, the file %s", js_str(record, "assignedHub", ""), s->hub);
	if (strcmp(js_str(record, "deviceId", ""), s->device) != 0)
		return disagree(
		    why, "DPS says device %s, the file %s", js_str(record, "deviceId", ""), s->device);
	return buf_size(&s->wrapped) > 0
		   ? disagree(why, "a wrapped key is still in the state file%s%s", "", "")
		   : 1;
}

int
drive_agree(struct drive *d, int late, char why[600])
{
	struct registry *r = d->emu->e.registry;
	json_t *record = NULL, *device = NULL;
	struct dps_state s = { 0 };
	struct hf_error err = { 0 };
	int ok = 0;

	if (dps_state_load(&s, d->state, &err) != 1)
		disagree(why, "there is no good state file: %s%s", err.text, "");
	else if (registry_registration(r, DRIVE_ID, &record, &err) != 1)
		disagree(why, "DPS knows no registration: %s%s", err.text, "");
	else if (registry_device(r, s.hub, s.device, &device, &err) != 1)
		disagree(why, "hub %s knows no device %s", s.hub, s.device);
	else
		ok = same(&s, record, late, why);
	json_decref(record);
	json_decref(device);
	dps_state_fini(&s);
	return ok;
}
