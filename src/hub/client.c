#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "hub/hub_client.h"

#define TOKEN_LIFE 3600
#define KEEP_ALIVE 240
#define PACKET_MAX (HUB_MAX_EVENT + 65536 + 1024)

enum line { CLOSED, OPENING, READY };
#define ROUNDS 32 /* of one step; then the loop has its turn */

struct told {
	enum hub_happened what;
	uint64_t tag;
};

struct hub_client {
	struct hub_settings set;
	struct hub_device *device;
	struct hsm *hsm;
	struct net *net;
	struct work *work;
	const struct log *log;
	char host[256];
	uint16_t port;
	struct tls_conf *tls;
	struct hub_who who;
	struct key_job *key;
	struct dps_client *dps, *answered; /* while DPS is asked again; its last answer */
	struct dps_state state;
	enum line line;
	struct pump pump;
	struct mqtt mqtt;
	struct buf topic;
	int left; /* what watch last saw is closed */
	int64_t deadline;
	struct buf told; /* what happened and was not yet taken */
	int up, over;	 /* CONNECTED was told; it is over */
	int told_over;
};

static void
tell(struct hub_client *c, enum hub_happened what, uint64_t tag)
{
	struct told t = { what, tag };
	struct hf_error e = { 0 };

	if (buf_put(&c->told, &t, sizeof(t)) == 0)
		return;
	err_memory(&e);
	hub_device_broke(c->device, &e);
}

enum hub_happened
hub_client_next(struct hub_client *c, uint64_t *tag)
{
	struct told t;

	if (buf_size(&c->told) < sizeof(t)) {
		t.what = c->over && !c->told_over ? HUB_OVER : HUB_NOTHING;
		c->told_over = c->over;
		return t.what;
	}
	memcpy(&t, buf_data(&c->told), sizeof(t));
	buf_eat(&c->told, sizeof(t));
	*tag = t.tag;
	return t.what;
}

static int
name(struct hub_client *c, const char *hub, const char *device, struct hf_error *e)
{
	c->port = 8883;
	if (str_host_port(hub, c->host, sizeof(c->host), &c->port) < 0)
		return err_set(e, HF_ERR_ARGS, "hub \"%s\" is not HOST or HOST:PORT", hub);
	if (str_fmt(c->who.host, sizeof(c->who.host), "%s", c->host) < 0 ||
	    str_fmt(c->who.device, sizeof(c->who.device), "%s", device) < 0 || device[0] == '\0')
		return err_set(e, HF_ERR_ARGS, "\"%s\" is not a device id", device);
	(void)str_fmt(c->who.api, sizeof(c->who.api), "%s", HUB_API);
	(void)str_fmt(c->who.agent, sizeof(c->who.agent), "holdfast/%s", HF_VERSION);
	return 0;
}

int
hub_client_new(struct hub_client **out, const struct hub_settings *set, struct hub_device *device,
    struct hsm *hsm, struct net *net, struct work *work, const struct log *log, struct moment now,
    struct hf_error *e)
{
	struct hub_client *c = calloc(1, sizeof(*c));
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;

	if (c == NULL)
		return err_memory(e);
	c->set = *set;
	c->device = device;
	c->hsm = hsm;
	c->net = net;
	c->work = work;
	c->log = log;
	c->left = 1;
	if (name(c, set->hub, set->device, e) < 0)
		goto fail;
	if (set->state != NULL && dps_state_copy(&c->state, set->state) < 0) {
		err_memory(e);
		goto fail;
	}
	c->set.state = NULL;
	if (hsm->kind == HSM_X509 &&
	    (hsm->ops->certificate(hsm, &chain, e) < 0 || hsm->ops->key(hsm, &key, e) < 0))
		goto fail;
	if (tls_conf_client(&c->tls, set->trust, chain, key, e) < 0)
		goto fail;
	hub_device_init(device, hsm->kind != HSM_X509, set->dps != NULL, set->seed, now);
	*out = c;
	return 0;
fail:
	hub_client_free(c);
	return e->code;
}

static void
hang_up(struct hub_client *c)
{
	if (c->line == CLOSED)
		return;
	pump_close(&c->pump);
	mqtt_fini(&c->mqtt);
	c->line = CLOSED;
	c->left = 1;
}

void
hub_client_free(struct hub_client *c)
{
	if (c == NULL)
		return;
	hang_up(c);
	key_job_drop(c->key, c->work);
	dps_client_free(c->dps);
	dps_client_free(c->answered);
	dps_state_fini(&c->state);
	hub_who_fini(&c->who);
	tls_conf_free(c->tls);
	buf_free(&c->topic);
	buf_free(&c->told);
	free(c);
}

static void
down(struct hub_client *c)
{
	if (c->up)
		tell(c, HUB_DISCONNECTED, 0);
	c->up = 0;
}

/* why NULL: to come back at once with a new token, which is nobody's affair. */
static void
lost(struct hub_client *c, const struct hf_error *why, struct moment now)
{
	hang_up(c);
	if (why != NULL)
		log_line(c->log, "%s", why->text);
	hub_device_lost(c->device, why, now);
	if (why != NULL)
		down(c);
}

static void
refused(struct hub_client *c, int code, struct moment now)
{
	struct hf_error e = { 0 };

	err_set(&e, HF_ERR_AUTH,
	    "hub %s refused device %s (MQTT code %d); was it deleted or disabled, is its key the hub's, is its clock right?",
	    c->host, c->who.device, code);
	e.status = 401;
	hang_up(c);
	log_line(c->log, "%s", e.text);
	hub_device_refused(c->device, &e, now);
	down(c);
}

static int
dial(struct hub_client *c, struct moment now)
{
	struct hf_error e = { 0 };

	memset(&c->pump, 0, sizeof(c->pump));
	mqtt_init(&c->mqtt, 0, PACKET_MAX);
	c->line = OPENING;
	c->pump.engine = &c->mqtt.engine;
	if (c->net->open(
		c->net, &c->pump.stream, &(struct dial){ c->host, c->port, c->tls, NULL }, c->work, &e) < 0) {
		lost(c, &e, now);
		return 0;
	}
	return hub_mqtt_put_who(&c->mqtt, &c->who, KEEP_ALIVE, 0);
}

static int
connack(struct hub_client *c, const struct mqtt_connack *a, struct moment now)
{
	struct hf_error e = { 0 };

	if (a->code == 3) {
		err_set(&e, HF_ERR_NET, "hub %s is not available now (MQTT code 3)", c->host);
		lost(c, &e, now);
	} else if (a->code != 0)
		refused(c, a->code, now);
	else {
		c->line = READY;
		hub_device_opened(c->device, now);
		if (!c->up)
			tell(c, HUB_CONNECTED, 0);
		c->up = 1;
	}
	return 1;
}

static void
broken(struct hub_client *c, int code, struct moment now)
{
	struct hf_error e = { 0 };

	err_set(&e, code, "hub %s: %s", c->host, c->mqtt.engine.err.text);
	lost(c, &e, now);
}

static void
closed(struct hub_client *c, struct moment now)
{
	struct hf_error e = { 0 };

	err_set(&e, HF_ERR_NET, "hub %s closed the connection%s", c->host,
	    c->line == READY ? "; is another device connected with the same id?" : "");
	lost(c, &e, now);
}

static int
event(struct hub_client *c, struct moment now)
{
	struct mqtt_event ev;
	uint64_t tag;
	int rc = mqtt_next(&c->mqtt, &ev);

	if (rc < 0)
		broken(c, rc, now);
	if (rc <= 0)
		return 0;
	if (ev.type == MQTT_CLOSED)
		closed(c, now);
	else if (ev.type == MQTT_CONNACK)
		return connack(c, &ev.connack, now);
	else if (ev.type == MQTT_PUBACK && hub_device_acked(c->device, ev.id, &tag, now))
		tell(c, HUB_SENT, tag);
	else if (ev.type == MQTT_PUBLISH && ev.publish.qos > 0)
		(void)mqtt_puback(&c->mqtt, ev.publish.id);
	return 1;
}

/* Moves bytes, then takes what they said; a line that broke has said its last words first. 1: there is more to do. */
static int
converse(struct hub_client *c, struct moment now)
{
	int moved;

	if (c->line == CLOSED)
		return 0;
	moved = pump_step(&c->pump, now.ms);
	while (c->line != CLOSED && event(c, now))
		;
	if (moved < 0 && c->line != CLOSED)
		lost(c, &c->pump.err, now);
	return c->line == CLOSED || (moved != 0 && !pump_idle(&c->pump));
}

static int
sign(struct hub_client *c, struct moment now)
{
	struct key_job *k = key_job_new(KEY_SIGN, c->hsm);
	struct hf_error e = { 0 };

	if (k == NULL)
		return HF_ERR_MEMORY;
	k->expiry = now.wall + TOKEN_LIFE;
	if (str_fmt(k->resource, sizeof(k->resource), "%s/devices/%s", c->host, c->who.device) < 0 ||
	    str_fmt(k->path, sizeof(k->path), "%s", c->set.file != NULL ? c->set.file : "") < 0)
		err_set(&e, HF_ERR_ARGS, "the path of the state file is too long");
	else if (dps_state_copy(&k->state, &c->state) < 0)
		err_memory(&e);
	else if (key_job_start(k, c->work, &e) == 0) {
		c->key = k;
		return 0;
	}
	key_job_free(k);
	hub_device_broke(c->device, &e);
	return 0;
}

/* A key that is not there any more is as good as a refusal: DPS gives a new one. */
static void
key_ended(struct hub_client *c, struct moment now)
{
	struct key_job *k = c->key;

	c->key = NULL;
	buf_free(&c->state.wrapped);
	if (k->rc < 0 && c->hsm->kind == HSM_TPM)
		hub_device_refused(c->device, &k->err, now);
	else if (k->rc < 0)
		hub_device_broke(c->device, &k->err);
	else if (buf_str(&k->token) == NULL || str_set(&c->who.token, buf_str(&k->token)) < 0) {
		err_memory(&k->err);
		hub_device_broke(c->device, &k->err);
	} else
		hub_device_signed(c->device, now.wall, k->expiry, now);
	key_job_free(k);
}

static void
ask_dps(struct hub_client *c, struct moment now)
{
	struct hf_error e = { 0 };

	hang_up(c);
	down(c);
	log_line(c->log, "asking DPS where %s belongs", c->who.device);
	if (dps_client_new(&c->dps, c->set.dps, c->hsm, c->net, c->work, c->log, now, &e) < 0)
		hub_device_broke(c->device, &e);
}

/* A DPS that is out of reach, as its hub may be, is asked again when the hub still does not do. */
static void
dps_failed(struct hub_client *c, const struct hf_error *why, struct moment now)
{
	log_line(c->log, "%s", why->text);
	if (why->code == HF_ERR_NET || why->code == HF_ERR_TIMEOUT)
		hub_device_unanswered(c->device, why, now);
	else
		hub_device_broke(c->device, why);
}

static int
dps_step(struct hub_client *c, struct moment now)
{
	int rc = dps_client_step(c->dps, now);
	const struct dps_assignment *a = dps_client_assignment(c->dps);
	struct hf_error e = { 0 };

	if (rc == 0)
		return 0;
	if (rc < 0)
		dps_failed(c, dps_client_error(c->dps), now);
	else if (name(c, a->hub, a->device, &e) < 0)
		hub_device_broke(c->device, &e);
	else {
		(void)dps_state_copy(&c->state, &a->state);
		hub_device_moved(c->device, now);
		tell(c, HUB_MOVED, 0);
	}
	dps_client_free(c->answered);
	c->answered = c->dps;
	c->dps = NULL;
	return 1;
}

static int
say(struct hub_client *c, struct moment now)
{
	const struct hub_event *v = &c->device->message->event;
	struct mqtt_publish p = {
		.body = v->body, .len = v->len, .qos = 1, .dup = c->device->again, .id = c->device->id
	};
	int rc;

	buf_clear(&c->topic);
	if (hub_mqtt_put_topic(&c->topic, c->who.device, v) < 0)
		return HF_ERR_MEMORY;
	p.topic.p = (const char *)buf_data(&c->topic);
	p.topic.len = buf_size(&c->topic);
	rc = mqtt_publish(&c->mqtt, &p);
	if (rc == HF_ERR_STATE)
		return 0; /* the high-water mark: once it has sunk, again */
	if (rc < 0)
		return rc;
	hub_device_said(c->device, now);
	return 1;
}

/* Does what the device asks for. 1: something was done; 0: wait; negative: out of memory. */
static int
obey(struct hub_client *c, struct moment now)
{
	if (c->key != NULL || c->dps != NULL || c->over)
		return 0;
	switch (hub_device_next(c->device, now)) {
	case HUB_ASK_SIGN:
		return sign(c, now) < 0 ? HF_ERR_MEMORY : 1;
	case HUB_ASK_OPEN:
		return dial(c, now) < 0 ? HF_ERR_MEMORY : 1;
	case HUB_ASK_CLOSE:
		hub_client_close(c, now);
		lost(c, c->device->fault ? &c->device->last : NULL, now);
		return 1;
	case HUB_ASK_SEND:
		return say(c, now);
	case HUB_ASK_REGISTER:
		ask_dps(c, now);
		return 1;
	case HUB_FAILED:
		hang_up(c);
		c->over = 1; /* told without a place in the list: memory may be what is out */
		return 1;
	default:
		return 0;
	}
}

static void
out_of_memory(struct hub_client *c)
{
	struct hf_error e = { 0 };

	err_memory(&e);
	hub_device_broke(c->device, &e);
}

/* All that there is to do at once, so that what is said travels together. 1: something was done. */
static int
obey_all(struct hub_client *c, struct moment now)
{
	int rc, did = 0;

	while ((rc = obey(c, now)) > 0 && ++did < HUB_WINDOW)
		;
	if (rc < 0)
		out_of_memory(c);
	return did > 0 || rc < 0;
}

void
hub_client_step(struct hub_client *c, struct moment now)
{
	int more, did, rounds = 0;

	obey_all(c, now);
	do {
		if (c->key != NULL && key_job_done(c->key, c->work))
			key_ended(c, now);
		more = c->dps != NULL ? dps_step(c, now) : converse(c, now);
		did = obey_all(c, now);
	} while ((more || did) && ++rounds < ROUNDS);
	c->deadline = c->over || c->key != NULL ? NEVER : c->device->deadline;
	if (rounds == ROUNDS)
		c->deadline = now.ms;
	if (c->dps != NULL)
		c->deadline = dps_client_deadline(c->dps);
	if (c->line != CLOSED)
		c->deadline = sooner(c->deadline, c->pump.engine->ops->tick(c->pump.engine, now.ms));
}

const struct dps_assignment *
hub_client_assignment(const struct hub_client *c)
{
	return c->answered == NULL ? NULL : dps_client_assignment(c->answered);
}

int64_t
hub_client_deadline(const struct hub_client *c)
{
	return c->deadline;
}

void
hub_client_watch(struct hub_client *c, struct watch *w)
{
	int fd = -1;
	short events = 0;

	if (c->dps != NULL) {
		dps_client_watch(c->dps, w);
		return;
	}
	if (c->left)
		watch_forget(w, WATCH_STREAM);
	c->left = 0;
	if (c->line != CLOSED)
		pump_wait(&c->pump, &fd, &events);
	watch_set(w, WATCH_STREAM, fd, events);
	watch_set(w, WATCH_WORK, work_fd(c->work), POLLIN);
}

void
hub_client_close(struct hub_client *c, struct moment now)
{
	if (c->line != READY)
		return;
	if (mqtt_say(&c->mqtt, MQTT_DISCONNECT, 0) == 0)
		(void)pump_step(&c->pump, now.ms);
}
