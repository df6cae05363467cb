#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/json.h"
#include "base/str.h"
#include "emu.h"

static void
write_log(void *ctx, const char *line)
{
	struct buf *log = ctx;

	buf_fmt(log, "%s\n", line);
}

enum session_kind
emu_kind(uint16_t port)
{
	return port == 443 ? SESSION_HTTP : port == 5671 ? SESSION_AMQP : SESSION_MQTT;
}

static int
serve(struct emu *m, struct stream *end, uint16_t port, struct hf_error *err)
{
	struct session *s;

	if (!m->plain && tls_open(&end, m->tls, end, NULL, NULL, err) < 0)
		return err->code;
	return session_new(&s, &m->e, emu_kind(port), end, err);
}

static int
open_pair(
    struct net *net, struct stream **out, const struct dial *to, struct work *work, struct hf_error *err)
{
	struct emu *m = (struct emu *)net;
	struct stream *theirs, *ours;

	m->opened++;
	if (m->deaf)
		return err_set(
		    err, HF_ERR_NET, "connecting to %s port %u: nobody is there", to->host, to->port);
	if (pair_new(&theirs, &ours, m->cap, m->chunk) < 0)
		return err_memory(err);
	if (m->cut_after >= 0)
		pair_cut(theirs, m->cut_after);
	if (m->cable != NULL && cable_between(m->cable, &theirs, &ours) < 0) {
		stream_close(theirs);
		stream_close(ours);
		return err_memory(err);
	}
	m->e.now = m->now;
	if (serve(m, ours, to->port, err) < 0) {
		stream_close(theirs);
		return err->code;
	}
	if (!m->plain && tls_open(&theirs, to->tls, theirs, to->host, work, err) < 0)
		return err->code;
	if (to->ws != NULL && ws_connect(&theirs, theirs, to->host, WS_PATH, to->ws, err) < 0)
		return err->code;
	*out = theirs;
	return 0;
}

static int
open_all(struct emu *m, struct hf_error *err)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	char path[CONFIG_PATH];
	int r;

	if ((r = config_open(&m->e.conf, &m->lock, err)) < 0)
		return r;
	config_path(&m->e.conf, CERT_TRUST, m->trust);
	config_path(&m->e.conf, "registry.db", path);
	if ((r = registry_open(&m->e.registry, path, err)) < 0)
		return r;
	if ((r = cert_open(&m->e.conf, clock_now().wall, &chain, &key, err)) == 0)
		r = tls_conf_server(&m->tls, chain, key, m->e.conf.tls_max, err);
	if (r == 0)
		tls_conf_resume(m->tls, TLS_SESSIONS, TLS_SECONDS);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	return r;
}

struct emu *
emu_new(const char *dir)
{
	struct emu *m = calloc(1, sizeof(*m));
	struct hf_error err = { 0 };

	if (m == NULL)
		return NULL;
	m->net.open = open_pair;
	m->cap = 65536;
	m->cut_after = -1;
	m->lock = -1;
	m->now.ms = 1000;
	m->now.wall = clock_now().wall;
	config_init(&m->e.conf);
	str_fmt(m->e.conf.data, sizeof(m->e.conf.data), "%s/emulator", dir);
	m->e.log = (struct log){ write_log, &m->log };
	m->e.now = m->now;
	if (open_all(m, &err) == 0)
		return m;
	fprintf(stderr, "emu_new: %s\n", err.text);
	emu_free(m);
	return NULL;
}

void
emu_free(struct emu *m)
{
	if (m == NULL)
		return;
	emu_hang_up(m);
	tls_conf_free(m->tls);
	registry_close(m->e.registry);
	config_fini(&m->e.conf);
	buf_free(&m->log);
	if (m->lock >= 0)
		close(m->lock);
	free(m);
}

int
emu_turn(struct emu *m)
{
	return emulator_turn(&m->e, m->now);
}

void
emu_pass(struct emu *m, int64_t ms)
{
	int64_t before = m->now.ms / 1000;

	m->now.ms += ms;
	m->now.wall += m->now.ms / 1000 - before;
}

void
emu_hang_up(struct emu *m)
{
	while (m->e.sessions)
		session_free(m->e.sessions);
}

int
emu_logged(struct emu *m, const char *text)
{
	const char *log = buf_str(&m->log);

	return log != NULL && strstr(log, text) != NULL;
}

static int
keep(struct emu *m, int r, struct hf_error *err)
{
	if (r == 0)
		r = registry_commit(m->e.registry, err);
	if (r < 0)
		fprintf(stderr, "the registry: %s\n", err->text);
	return r;
}

int
emu_enroll(struct emu *m, int group, const char *id, const char *json)
{
	struct hf_error err = { 0 };
	json_t *put = js_parse(json, strlen(json), "enrollment", &err), *o = NULL;
	int r = put ? enrollment_read(&m->e.conf, group, id, put, NULL, &o, &err) : err.code;

	if (r == 0)
		r = registry_enrollment_put(m->e.registry, group, id, o, &err);
	json_decref(put);
	json_decref(o);
	return keep(m, r, &err);
}

int
emu_device(struct emu *m, const char *hub, const char *device, const char *json)
{
	struct hf_error err = { 0 };
	json_t *o = js_parse(json, strlen(json), "device", &err);
	int r = o ? registry_device_put(m->e.registry, hub, device, o, &err) : err.code;

	json_decref(o);
	return keep(m, r, &err);
}

static int
add_event(void *array, int64_t sequence, const json_t *event)
{
	(void)sequence;
	return json_array_append(array, (json_t *)event);
}

json_t *
emu_events(struct emu *m)
{
	struct hf_error err = { 0 };
	json_t *array = json_array();

	if (registry_event_each(m->e.registry, 0, NULL, add_event, array, &err) < 0)
		fprintf(stderr, "the registry: %s\n", err.text);
	return array;
}
