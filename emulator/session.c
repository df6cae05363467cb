#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "session.h"

#define STEPS	     16	   /* of the pump, for one session in one turn */
#define EVENTS	     1024  /* taken at once */
#define HANDSHAKE_MS 30000 /* until TLS stands, and until MQTT's CONNECT */
#define FLUSH_MS     10000 /* for the last words */
#define SWEEP_MS     1000

static const char *
kind_name(const struct session *s)
{
	if (s->kind == SESSION_HTTP)
		return "HTTPS";
	if (s->kind == SESSION_AMQP)
		return s->in_ws ? "AMQP in a WebSocket" : "AMQP";
	return s->in_ws ? "MQTT in a WebSocket" : "MQTT";
}

const char *
session_subject(const struct session *s, char dst[600])
{
	if (s->role == HUB_DEVICE)
		str_fmt(dst, 600, "hub %s, device %s", s->admission.hub, s->client);
	else if (s->role == DPS_DEVICE)
		str_fmt(dst, 600, "DPS over %s, registration %s", s->kind == SESSION_AMQP ? "AMQP" : "MQTT",
		    s->who.id[0] != '\0' ? s->who.id : "without a name");
	else
		str_fmt(dst, 600, "a connection over %s", kind_name(s));
	return dst;
}

static void
log_end(const struct session *s, const char *fmt, va_list ap)
{
	char why[1200], subject[600];

	if (fmt == NULL)
		return;
	vsnprintf(why, sizeof(why), fmt, ap);
	log_line(&s->e->log, "%s: %s", session_subject(s, subject), why);
}

void
session_end(struct session *s, const char *fmt, ...)
{
	va_list ap;

	if (s->over)
		return;
	va_start(ap, fmt);
	log_end(s, fmt, ap);
	va_end(ap);
	hub_lost(s);
	if (s->role == HUB_AMQP)
		hub_amqp_lost(s);
	s->over = 1;
	session_wake(s);
}

void
session_finish(struct session *s, const char *fmt, ...)
{
	va_list ap;

	if (s->over || s->finishing)
		return;
	va_start(ap, fmt);
	log_end(s, fmt, ap);
	va_end(ap);
	hub_lost(s);
	if (s->role == HUB_AMQP)
		hub_amqp_lost(s);
	s->finishing = 1;
	s->opened = s->e->now.ms;
}

int
session_speak(struct session *s, enum session_kind kind)
{
	s->kind = kind;
	if (kind == SESSION_HTTP)
		return http_init(&s->http, 1, MAX_BODY);
	if (kind == SESSION_AMQP)
		return amqp_session_speak(s);
	mqtt_init(&s->mqtt, 1, MAX_PACKET);
	return 0;
}

int
session_new(struct session **out, struct emulator *e, enum session_kind kind, struct stream *stream,
    struct hf_error *err)
{
	struct session *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL || session_speak(s, kind) < 0)
		goto fail;
	s->e = e;
	s->granted = -1;
	s->wanted_at = NEVER;
	s->opened = e->now.ms;
	s->stream = s->pump.stream = stream;
	s->pump.engine = &s->engine;
	s->next = e->sessions;
	e->sessions = s;
	session_wake(s);
	*out = s;
	return 0;
fail:
	free(s);
	stream_close(stream);
	return err_memory(err);
}

static void
unlink_session(struct session *s)
{
	struct session **p;

	for (p = &s->e->sessions; *p != NULL && *p != s; p = &(*p)->next)
		continue;
	if (*p == s)
		*p = s->next;
	for (p = &s->e->ready; s->ready && *p != NULL && *p != s; p = &(*p)->next_ready)
		continue;
	if (s->ready && *p == s)
		*p = s->next_ready;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	unlink_session(s);
	pump_close(&s->pump);
	if (s->kind == SESSION_HTTP)
		http_fini(&s->http);
	else if (s->kind == SESSION_AMQP)
		amqp_session_free(s);
	else
		mqtt_fini(&s->mqtt);
	dps_who_fini(&s->who);
	str_free(&s->will.topic);
	buf_free(&s->will.body);
	json_decref(s->filters);
	free(s);
}

void
session_wake(struct session *s)
{
	if (s->ready)
		return;
	s->ready = 1;
	s->next_ready = s->e->ready;
	s->e->ready = s;
}

struct session *
session_next(const struct session *s)
{
	return s->next;
}

void **
session_host(struct session *s)
{
	return &s->host;
}

/* CONNECT says whose device this is: SCOPE/registrations/ID/... is DPS's, HOST/DEVICE/... the hub's. */
static int
is_for_dps(struct mqtt_text user)
{
	static const char word[] = "/registrations/";
	const char *slash = user.p ? memchr(user.p, '/', user.len) : NULL;
	size_t rest = slash ? user.len - (size_t)(slash - user.p) : 0;

	return rest >= sizeof(word) - 1 && str_eqin(word, slash, sizeof(word) - 1);
}

static void
mqtt_event(struct session *s, const struct mqtt_event *ev)
{
	if (ev->type == MQTT_CONNECT && is_for_dps(ev->connect.user))
		dps_connect(s, &ev->connect);
	else if (ev->type == MQTT_CONNECT)
		hub_connect(s, &ev->connect);
	else if (ev->type == MQTT_CLOSED)
		session_end(s, s->role == NOBODY ? NULL : "the connection was closed without DISCONNECT");
	else if (s->role == DPS_DEVICE)
		dps_event(s, ev);
	else if (s->role == HUB_DEVICE)
		hub_event(s, ev);
}

static int
next_event(struct session *s)
{
	struct mqtt_event mqtt;
	struct http_event http;
	int r;

	if (s->kind == SESSION_AMQP)
		return amqp_session_next(s);
	if (s->kind == SESSION_MQTT) {
		if ((r = mqtt_next(&s->mqtt, &mqtt)) == 1)
			mqtt_event(s, &mqtt);
		return r;
	}
	if ((r = http_next(&s->http, &http)) != 1)
		return r;
	s->heard = 1;
	if (http.what == HTTP_CLOSED)
		session_finish(s, NULL);
	else
		http_answer(s, &http.message);
	return 1;
}

static void
take_events(struct session *s)
{
	int n, r = 1;

	s->stuck = 0;
	for (n = 0; n < EVENTS && r == 1 && !s->over && !s->finishing && !s->upgrade; n++) {
		if (buf_size(&s->engine.out) > ENGINE_HIGH)
			break;
		r = next_event(s);
	}
	if (r < 0)
		session_finish(s, "%s", s->engine.err.text);
	s->stuck = r == 1 && !s->finishing && !s->upgrade;
	if (s->kind == SESSION_HTTP && s->http.closing)
		session_finish(s, NULL);
}

/* Since when it is too late for what this connection still has to do; NEVER when it owes nothing. */
static int64_t
patience(const struct session *s)
{
	if (s->finishing)
		return s->opened + FLUSH_MS;
	if (s->kind != SESSION_HTTP ? s->role == NOBODY : !s->heard && !tls_ready(s->stream))
		return s->opened + HANDSHAKE_MS;
	return NEVER;
}

static int64_t
in_wall_time(const struct session *s, int64_t until)
{
	const struct moment *now = &s->e->now;

	return until == INT64_MAX ? NEVER : now->ms + (until - now->wall) * 1000;
}

static int64_t
next_deadline(struct session *s)
{
	int64_t at = sooner(patience(s), s->engine.ops->tick(&s->engine, s->e->now.ms));

	if (s->role == HUB_AMQP)
		return sooner(at, hub_amqp_deadline(s));
	if (s->role != HUB_DEVICE)
		return at;
	if (s->lents < LENT_MOST)
		at = sooner(at, s->wanted_at);
	return sooner(at, in_wall_time(s, s->admission.until));
}

/* A refused request is heard out, or its sender might be cut off before it has read why. */
static int
lingers(const struct session *s)
{
	return s->finishing && s->kind == SESSION_HTTP && s->http.failed && !s->pump.eof;
}

int
session_read(struct session *s)
{
	int i, r = 1;

	s->unsent = buf_size(&s->engine.out);
	s->pump.hold_out = 1;
	if (s->role == HUB_DEVICE)
		hub_check(s);
	if (s->role == HUB_AMQP)
		hub_amqp_check(s);
	take_events(s); /* the last write has read too, and an engine that is full takes nothing */
	for (i = 0; i < STEPS && r == 1 && !s->over && (!s->finishing || lingers(s)); i++) {
		r = pump_step(&s->pump, s->e->now.ms);
		take_events(s);
	}
	s->more = i > 0 && r == 1;
	hub_offer(s);
	if (r < 0)
		session_end(s, s->finishing ? NULL : "%s", s->pump.err.text);
	if (s->e->now.ms >= patience(s))
		session_end(s, s->finishing ? NULL : "nothing useful came for %d s", HANDSHAKE_MS / 1000);
	return s->over ? HF_ERR_NET : i > 1;
}

/* A link that turns out to be lost is the next turn's affair: a will is stored then. A peer that takes nothing is not. */
int
session_write(struct session *s)
{
	int i, moved, r = 1;

	s->pump.hold_out = 0;
	for (i = 0; i < STEPS && r == 1 && !s->over && buf_size(&s->engine.out) > 0; i++)
		r = pump_step(&s->pump, s->e->now.ms);
	moved = i > 1 || (i == 1 && r != 0);
	if (s->finishing && (r < 0 || (buf_size(&s->engine.out) == 0 && !lingers(s))))
		s->over = 1;
	if (s->upgrade && !s->over && buf_size(&s->engine.out) == 0)
		ws_begin(s);
	if (s->over)
		return HF_ERR_NET;
	if (s->more || moved || (s->stuck && buf_size(&s->engine.out) <= ENGINE_HIGH))
		session_wake(s);
	s->deadline = next_deadline(s);
	return moved;
}

void
session_wait(struct session *s, int *fd, short *events)
{
	pump_wait(&s->pump, fd, events);
}

int64_t
session_deadline(const struct session *s)
{
	return s->ready ? s->e->now.ms : s->deadline;
}

/* What cannot be stored is not acknowledged: whoever was to hear something in this turn is cut off and will try again. */
static void
undo(struct emulator *e, struct session *list, const struct hf_error *why)
{
	struct session *s;

	e->dirty = 0;
	log_line(&e->log, "nothing of this moment is stored, nor acknowledged: %s", why->text);
	for (s = list; s != NULL; s = s->next_turn)
		if (buf_size(&s->engine.out) > s->unsent)
			s->over = 1;
}

/* The sessions that are ready. Those woken from now on are for the next turn. */
static struct session *
take_ready(struct emulator *e)
{
	struct session *list = e->ready, *s;

	e->ready = NULL;
	for (s = list; s != NULL; s = s->next_turn) {
		s->next_turn = s->next_ready;
		s->ready = 0;
	}
	return list;
}

static int
settle(struct session *s)
{
	int over = s->over;

	if (s->e->moved)
		s->e->moved(s, over);
	if (over)
		session_free(s);
	return over;
}

/* What has expired is so without anybody asking for it. A failure spoils the turn, or comes again. */
static void
sweep(struct emulator *e)
{
	struct hf_error ignored = { 0 };

	if (e->now.ms < e->swept + SWEEP_MS)
		return;
	e->swept = e->now.ms;
	(void)c2d_expire(e, &ignored);
}

int
emulator_step(struct emulator *e, struct moment now)
{
	struct hf_error err = { 0 };
	struct session *list, *s, *next;
	int moved = 0;

	e->now = now;
	list = take_ready(e);
	for (s = list; s != NULL; s = s->next_turn)
		moved |= session_read(s) != 0;
	moved |= webhook_step(e);
	sweep(e);
	if (registry_commit(e->registry, &err) < 0)
		undo(e, list, &err);
	for (s = list; s != NULL; s = next) {
		next = s->next_turn;
		moved |= session_write(s) != 0;
		moved |= settle(s);
	}
	return moved;
}

int
emulator_turn(struct emulator *e, struct moment now)
{
	for (struct session *s = e->sessions; s != NULL; s = s->next)
		session_wake(s);
	return emulator_step(e, now);
}
