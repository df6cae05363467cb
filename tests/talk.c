#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "talk.h"
#include "unit/make_cert.h"

#define QUIET	 30 /* turns in which nothing moves, until time may */
#define IN_A_ROW 3  /* jobs that one moment may see, one because of the other */

static void
write_log(void *ctx, const char *line)
{
	buf_fmt(ctx, "%s\n", line);
}

static int
open_here(struct net *net, struct stream **out, const struct dial *d, struct work *work, struct hf_error *e)
{
	struct net *to = ((struct talk_net *)net)->to;

	(void)work;
	return to->open(to, out, d, NULL, e);
}

struct talk *
talk_new(size_t cap, size_t chunk)
{
	struct talk *t = calloc(1, sizeof *t);

	assert_non_null(t);
	strcpy(t->dir, "/tmp/holdfast-talk-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->state, sizeof t->state, "%s/state", t->dir);
	t->emu = emu_new(t->dir);
	assert_non_null(t->emu);
	t->log = (struct log){ write_log, &t->lines };
	t->emu->cap = cap;
	t->emu->chunk = chunk;
	t->net = (struct talk_net){ .net.open = open_here, .to = &t->emu->net };
	assert_int_equal(work_new(&t->work, &t->err), 0);
	t->set = (struct dps_settings){
		.scope = t->emu->e.conf.scope,
		.endpoint = t->emu->e.conf.dps_name[0],
		.trust = t->emu->trust,
		.timeout_ms = 60000,
		.seed = 7,
	};
	return t;
}

static void
remove_folder(const char *dir)
{
	char command[100];

	snprintf(command, sizeof command, "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
}

void
talk_free(struct talk *t)
{
	talk_disconnect(t);
	dps_client_free(t->dps);
	if (t->script != NULL)
		script_fini(t->script);
	hub_device_fini(&t->device);
	str_free(&t->got.payload);
	dps_state_fini(&t->got.state);
	hsm_close(t->hsm);
	work_free(t->work);
	emu_free(t->emu);
	buf_free(&t->lines);
	remove_folder(t->dir);
	free(t);
}

void
talk_follow(struct talk *t, struct script *s, int http, const struct script_line *line, size_t count)
{
	script_init(s, http, t->emu->chunk, &t->emu->now, line, count);
	t->script = s;
	t->net.to = &s->net;
	t->set.endpoint = NULL;
}

void
talk_use(struct talk *t, struct hsm *hsm)
{
	hsm_close(t->hsm);
	t->hsm = hsm;
}

static void
put_file(struct talk *t, char path[100], const char *name, const char *text)
{
	snprintf(path, 100, "%s/%s", t->dir, name);
	assert_int_equal(file_replace(path, text, strlen(text), "test file", &t->err), 0);
}

static void
open_identity(struct talk *t, const struct hsm_settings *s)
{
	struct hsm *hsm;

	assert_int_equal(hsm_open(&hsm, s, &t->err), 0);
	talk_use(t, hsm);
}

void
talk_symmetric(struct talk *t, const char *id, const char *key, int group)
{
	struct hsm_settings s = { .registration_id = id };
	char path[100];

	put_file(t, path, "key", key);
	if (group)
		s.group_key = path;
	else
		s.symmetric_key = path;
	open_identity(t, &s);
	t->set.registration_id = id;
}

static X509 *
certify(const char *cn, int ca, EVP_PKEY *key, const struct talk_ca *issuer)
{
	struct cert_wish w = { .cn = cn, .ca = ca, .pathlen = -1, .from = 1000000000, .to = 4000000000 };

	return make_cert(&w, key, issuer != NULL ? issuer->cert : NULL, issuer != NULL ? issuer->key : NULL);
}

void
talk_ca_new(struct talk_ca *ca, const char *cn, const struct talk_ca *issuer)
{
	ca->key = make_key();
	ca->cert = certify(cn, 1, ca->key, issuer);
	ca->pem = make_pem(ca->cert);
}

void
talk_ca_free(struct talk_ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	free(ca->pem);
}

static char *
key_text(EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p, *text;
	long n;

	PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(b, &p);
	text = strndup(p, (size_t)n);
	BIO_free(b);
	return text;
}

char *
talk_x509(struct talk *t, const char *cn, const struct talk_ca *issuer)
{
	char cert_path[100], key_path[100];
	struct buf chain = { 0 };
	EVP_PKEY *key = make_key();
	X509 *leaf = certify(cn, 0, key, issuer);
	char *pem = make_pem(leaf), *secret = key_text(key);

	assert_int_equal(buf_puts(&chain, pem), 0);
	if (issuer != NULL)
		assert_int_equal(buf_puts(&chain, issuer->pem), 0);
	put_file(t, cert_path, "cert", buf_str(&chain));
	put_file(t, key_path, "key", secret);
	open_identity(t, &(struct hsm_settings){ .cert = cert_path, .key = key_path });
	t->set.registration_id = NULL;
	buf_free(&chain);
	free(secret);
	X509_free(leaf);
	EVP_PKEY_free(key);
	return pem;
}

static void
step_dps(struct talk *t)
{
	const struct dps_assignment *a;

	t->registered = dps_client_step(t->dps, t->emu->now);
	if (t->registered == 0)
		return;
	if (t->registered < 0) {
		t->err = *dps_client_error(t->dps);
		assert_int_equal(t->err.code, t->registered);
	} else {
		a = dps_client_assignment(t->dps);
		memcpy(t->got.hub, a->hub, sizeof a->hub);
		memcpy(t->got.device, a->device, sizeof a->device);
		memcpy(t->got.substatus, a->substatus, sizeof a->substatus);
		assert_int_equal(str_set(&t->got.payload, a->payload), 0);
		assert_int_equal(dps_state_copy(&t->got.state, &a->state), 0);
	}
	dps_client_free(t->dps);
	t->dps = NULL;
}

static void
acknowledged(struct talk *t, uint64_t tag)
{
	assert_true(tag < sizeof t->acknowledged);
	assert_int_equal(t->acknowledged[tag], 0);
	t->acknowledged[tag] = 1;
	t->sent++;
}

static void
step_hub(struct talk *t)
{
	enum hub_happened what;
	const struct hf_error *why;
	uint64_t tag;

	hub_client_step(t->hub, t->emu->now);
	while ((what = hub_client_next(t->hub, &tag, &why)) != HUB_NOTHING) {
		if (what == HUB_SENT)
			acknowledged(t, tag);
		t->connected += what == HUB_CONNECTED;
		t->disconnected += what == HUB_DISCONNECTED;
		t->moved += what == HUB_MOVED;
		t->over += what == HUB_OVER;
	}
}

static int
turn(struct talk *t)
{
	int moved;

	if (t->dps != NULL)
		step_dps(t);
	if (t->hub != NULL)
		step_hub(t);
	moved = emu_turn(t->emu);
	return (t->script != NULL && script_turn(t->script)) || moved;
}

void
talk_turn(struct talk *t)
{
	turn(t);
}

static void
no_job(struct job *job)
{
	(void)job;
}

static void
free_job(struct job *job)
{
	free(job);
}

/* Jobs run in their order: when this one has, all before it have. */
static void
let_jobs_end(struct talk *t)
{
	struct pollfd p = { .fd = work_fd(t->work), .events = POLLIN };
	struct job *job = calloc(1, sizeof *job);

	job->run = no_job;
	job->free = free_job;
	assert_int_equal(work_post(t->work, job, &t->err), 0);
	while (!job_done(t->work, job)) {
		assert_int_equal(poll(&p, 1, 60000), 1);
		work_clear(t->work);
	}
	free_job(job);
}

static int64_t
next_deadline(struct talk *t)
{
	int64_t at = NEVER;

	if (t->dps != NULL)
		at = dps_client_deadline(t->dps);
	if (t->hub != NULL)
		at = sooner(at, hub_client_deadline(t->hub));
	for (struct session *s = t->emu->e.sessions; s != NULL; s = session_next(s))
		at = sooner(at, session_deadline(s));
	return at;
}

/* Turns until nothing moves. 1: done. */
static int
settle(struct talk *t, int (*done)(struct talk *), int *moved)
{
	*moved = 0;
	for (int quiet = 0; quiet < QUIET; quiet++) {
		if (done != NULL && done(t))
			return 1;
		if (!turn(t))
			continue;
		quiet = 0;
		*moved = 1;
	}
	return 0;
}

/* What a job has made may set things moving, and those post another job. */
static int
settle_all(struct talk *t, int (*done)(struct talk *))
{
	int moved;

	for (int still = 0; still < IN_A_ROW; still = moved ? 0 : still + 1) {
		if (settle(t, done, &moved))
			return 1;
		let_jobs_end(t);
	}
	return settle(t, done, &moved);
}

int
talk_until(struct talk *t, int (*done)(struct talk *), int64_t ms)
{
	int64_t end = t->emu->now.ms + ms, at;

	for (;;) {
		if (settle_all(t, done))
			return 1;
		if (t->emu->now.ms >= end)
			return 0;
		at = sooner(next_deadline(t), end);
		emu_pass(t->emu, at > t->emu->now.ms ? at - t->emu->now.ms : 1);
	}
}

void
talk_hold_on(struct talk *t, int64_t ms)
{
	talk_until(t, NULL, ms);
}

void
talk_register_begin(struct talk *t, enum transport transport)
{
	err_clear(&t->err);
	t->set.transports = (struct transports){ { transport }, 1 };
	t->registered = 0;
	assert_int_equal(
	    dps_client_new(&t->dps, &t->set, t->hsm, &t->net.net, t->work, &t->log, t->emu->now, &t->err), 0);
}

static int
is_registered(struct talk *t)
{
	return t->registered != 0;
}

int
talk_register(struct talk *t, enum transport transport)
{
	talk_register_begin(t, transport);
	assert_true(talk_until(t, is_registered, t->set.timeout_ms + 1000));
	return t->registered;
}

void
talk_connect(struct talk *t)
{
	struct hub_settings s = {
		.hub = t->got.hub,
		.device = t->got.device,
		.trust = t->emu->trust,
		.transports = { { t->hub_transport != 0 ? t->hub_transport : TRANSPORT_MQTT }, 1 },
		.dps = t->set.transports.count != 0 ? &t->set : NULL,
		.state = &t->got.state,
		.seed = 11,
	};

	assert_int_equal(hub_client_new(&t->hub, &s, &t->device, t->hsm, &t->net.net, t->work, &t->log,
			     t->emu->now, &t->err),
	    0);
}

void
talk_disconnect(struct talk *t)
{
	if (t->hub != NULL)
		hub_client_close(t->hub, t->emu->now);
	hub_client_free(t->hub);
	t->hub = NULL;
}

void
talk_send(struct talk *t, uint64_t tag)
{
	struct hub_message *m;
	char body[40], number[20];
	struct hf_property p[] = { { "number", number } };
	struct hf_message f = { .body = body, .properties = p, .property_count = 1 };

	snprintf(number, sizeof number, "%u", (unsigned)tag);
	f.len = (size_t)snprintf(body, sizeof body, "message %s", number);
	assert_int_equal(hub_message_new(&m, &f, tag, &t->err), 0);
	assert_int_equal(hub_device_queue(&t->device, m, &t->err), 0);
}

int
talk_all_sent(struct talk *t)
{
	return hub_device_waiting(&t->device) == 0;
}

size_t
talk_check_events(struct talk *t, size_t n, const char *device)
{
	json_t *all = emu_events(t->emu);
	size_t count = json_array_size(all), next = 0;
	char want[40];

	for (size_t i = 0; i < count; i++) {
		const json_t *e = json_array_get(all, i);
		size_t number = (size_t)strtoul(js_str(js_get(e, "properties"), "number", "99999"), NULL, 10);

		snprintf(want, sizeof want, "message %zu", number);
		assert_string_equal(js_str(e, "body", ""), want);
		assert_string_equal(js_str(e, "deviceId", ""), device);
		assert_true(number <= next);
		next += number == next;
	}
	assert_int_equal(next, n);
	json_decref(all);
	return count;
}
