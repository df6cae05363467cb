#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/b64.h"
#include "dps/dps_client.h"
#include "stream/line.h"
#include "way.h"

#define TOKEN_LIFE 3600

#define ROUNDS 32 /* of one step; then the loop has its turn */

enum asked { NOTHING, DUE, SAID }; /* a request waits for the line; is unanswered */

struct dps_client {
	struct dps_settings set;
	struct hsm *hsm;
	struct work *work;
	const struct log *log;
	struct tls_conf *tls;
	struct dps_who who;
	struct dps_register reg;
	struct key_job *key;
	struct line line;
	struct dps_way *way; /* while the line is not closed */
	int may_say;
	enum asked asked;
	int begun; /* reg is there */
	struct moment since;
	int64_t now, deadline;
	struct dps_assignment got;
	struct hf_error err;
};

/* With a key that blocks, once the identity job has opened it. */
static int
secure(struct dps_client *c)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;

	if (c->hsm->kind == HSM_X509 && (c->hsm->ops->certificate(c->hsm, &chain, &c->err) < 0 ||
					    c->hsm->ops->key(c->hsm, &key, &c->err) < 0))
		return c->err.code;
	return tls_conf_client(&c->tls, c->set.trust, chain, key, &c->err);
}

/* The service says so too, but later, and in fewer words. */
static int
check_transports(struct dps_client *c)
{
	const struct transports *t = &c->line.way;

	for (size_t i = 0; c->hsm->kind == HSM_TPM && i < t->count; i++)
		if (transport_is_mqtt(t->by[i]))
			return err_set(&c->err, HF_ERR_UNSUPPORTED,
			    "DPS takes no TPM over MQTT; register with --transport http or amqp "
			    "(--hub-transport mqtt reaches the hub by MQTT all the same)");
	return 0;
}

static int
prepare(struct dps_client *c)
{
	const char *at = c->set.endpoint != NULL ? c->set.endpoint : DPS_HOST;

	if (c->set.scope == NULL || c->set.scope[0] == '\0')
		return err_set(&c->err, HF_ERR_ARGS,
		    "no ID scope; give it by --id-scope (the DPS instance's overview shows it, such as 0ne00000000)");
	if (str_fmt(c->who.scope, sizeof(c->who.scope), "%s", c->set.scope) < 0 ||
	    strchr(c->set.scope, '/') != NULL)
		return err_set(&c->err, HF_ERR_ARGS, "\"%s\" is not an ID scope; one looks like 0ne00000000",
		    c->set.scope);
	(void)str_fmt(c->who.api, sizeof(c->who.api), "%s", DPS_API);
	c->line.way = c->set.transports;
	if (check_transports(c) < 0 || line_name(&c->line, at, &c->err) < 0)
		return c->err.code;
	return c->hsm->blocks ? 0 : secure(c);
}

static int
key_start(struct dps_client *c, enum key_what what)
{
	struct key_job *k = key_job_new(what, c->hsm);

	if (k == NULL)
		return err_memory(&c->err);
	c->key = k;
	k->persist = 1;
	(void)str_fmt(k->skn, sizeof(k->skn), "registration");
	if (str_fmt(k->resource, sizeof(k->resource), "%s/registrations/%s", c->who.scope, c->who.id) < 0 ||
	    str_fmt(k->path, sizeof(k->path), "%s", c->set.state != NULL ? c->set.state : "") < 0)
		return err_set(&c->err, HF_ERR_ARGS, "the path of the state file is too long");
	return 0;
}

static int
key_post(struct dps_client *c)
{
	return key_job_start(c->key, c->work, &c->err);
}

int
dps_client_new(struct dps_client **out, const struct dps_settings *set, struct hsm *hsm, struct net *net,
    struct work *work, const struct log *log, struct moment now, struct hf_error *e)
{
	struct dps_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_memory(e);
	c->set = *set;
	c->since = now;
	c->hsm = hsm;
	c->work = work;
	c->log = log;
	line_init(&c->line, net, work, log, "DPS at");
	if (prepare(c) < 0 || key_start(c, KEY_IDENTITY) < 0 || key_post(c) < 0)
		goto fail;
	*out = c;
	return 0;
fail:
	if (e->code == 0)
		*e = c->err;
	dps_client_free(c);
	return e->code;
}

static void
hang_up(struct dps_client *c)
{
	if (c->line.state == LINE_READY && c->way->ops->bye != NULL) {
		c->way->ops->bye(c->way);
		(void)pump_step(&c->line.pump, c->now);
	}
	line_close(&c->line);
	if (c->way != NULL && c->way->token_once && c->begun)
		dps_register_token_gone(&c->reg);
	if (c->way != NULL)
		c->way->ops->free(c->way);
	c->way = NULL;
	c->may_say = 0;
}

void
dps_client_free(struct dps_client *c)
{
	if (c == NULL)
		return;
	hang_up(c);
	key_job_drop(c->key, c->work);
	if (c->begun)
		dps_register_fini(&c->reg);
	dps_who_fini(&c->who);
	tls_conf_free(c->tls);
	str_free(&c->got.payload);
	dps_state_fini(&c->got.state);
	free(c);
}

/* What the identity job found: who we are; then the registration begins. */
static int
begin(struct dps_client *c, struct key_job *k)
{
	const char *id = c->set.registration_id != NULL ? c->set.registration_id : c->hsm->registration_id;
	const char *ek = NULL, *srk = NULL;
	struct dps_state old = { 0 };
	int rc = 0;

	if (c->tls == NULL && secure(c) < 0)
		return c->err.code;
	if (id[0] == '\0')
		return err_set(&c->err, HF_ERR_ARGS, "no registration id; give it by --registration-id");
	if (!str_is_registration_id(id))
		return err_set(&c->err, HF_ERR_ARGS,
		    "\"%s\" is not a registration id: 1 to 128 letters, digits and - . _ :, the last one a letter, digit or -",
		    id);
	(void)str_fmt(c->who.id, sizeof(c->who.id), "%s", id);
	if (c->set.state != NULL)
		rc = dps_state_load(&old, c->set.state, &c->err);
	if (rc == 1)
		rc = dps_state_fits(&old, c->set.state, c->who.scope, c->who.id, k->state.identity, &c->err);
	dps_state_fini(&old);
	if (rc < 0)
		return rc;
	(void)str_fmt(c->got.state.identity, sizeof(c->got.state.identity), "%s", k->state.identity);
	if (c->hsm->kind == HSM_TPM) {
		ek = buf_str(&k->ek);
		srk = buf_str(&k->srk);
		if (ek == NULL || srk == NULL)
			return err_memory(&c->err);
	}
	c->begun = 1;
	if (dps_register_init(&c->reg, c->hsm->kind, c->who.id, ek, srk, c->set.payload, c->set.seed,
		c->set.timeout_ms, c->since) < 0)
		return err_memory(&c->err);
	log_line(c->log, "registering %s with %s, ID scope %s, over %s", c->who.id, c->line.host,
	    c->who.scope, transport_name(line_transport(&c->line)));
	return 0;
}

/* Takes what a job has made. */
static int
key_take(struct dps_client *c, struct key_job *k, struct moment now)
{
	if (k->rc < 0) {
		c->err = k->err;
		return k->rc;
	}
	if (k->what == KEY_IDENTITY)
		return begin(c, k);
	if (k->what == KEY_KEEP) {
		if (dps_state_copy(&c->got.state, &k->state) < 0)
			return err_memory(&c->err);
		dps_register_kept(&c->reg, now);
		return 0;
	}
	if (buf_str(&k->token) == NULL || str_set(&c->who.token, buf_str(&k->token)) < 0)
		return err_memory(&c->err);
	dps_register_signed(&c->reg, k->expiry, now);
	return 0;
}

static int
key_ended(struct dps_client *c, struct moment now)
{
	struct key_job *k = c->key;
	int rc;

	c->key = NULL;
	rc = key_take(c, k, now);
	key_job_free(k);
	return rc;
}

/* The reason may stand in what hanging up wipes. Where it can be said over another transport, it is said there at once. */
static void
lost(struct dps_client *c, const struct hf_error *why, struct moment now)
{
	struct hf_error e = *why;
	int opening = c->line.state != LINE_READY;

	hang_up(c);
	if (opening && c->asked != NOTHING && line_failed(&c->line, &e)) {
		c->asked = DUE;
		dps_register_waits(&c->reg, now);
		return;
	}
	c->asked = NOTHING;
	log_line(c->log, "%s", e.text);
	dps_register_lost(&c->reg, &e, now);
}

static int
way_new(struct dps_client *c)
{
	struct dps_way_settings s = {
		.host = c->line.host, .who = &c->who, .request = &c->reg.request, .early = c->set.early
	};

	if (transport_is_amqp(line_transport(&c->line)))
		return dps_way_amqp(&c->way, &s);
	return transport_is_mqtt(line_transport(&c->line)) ? dps_way_mqtt(&c->way, &s)
							   : dps_way_http(&c->way, &s);
}

static int
dial(struct dps_client *c, struct moment now)
{
	struct hf_error e = { 0 };

	if (way_new(c) < 0)
		return err_memory(&c->err);
	if (line_dial(&c->line, c->tls, c->way->engine, now, &e) < 0)
		lost(c, &e, now);
	return 0;
}

static int
say(struct dps_client *c)
{
	c->asked = SAID;
	return c->way->ops->say(c->way, &c->who, &c->reg.request);
}

static void
replied(struct dps_client *c, struct dps_way_event *ev, struct moment now)
{
	c->asked = NOTHING;
	if (ev->reply.state[0] != '\0')
		log_line(c->log, "DPS: %s", ev->reply.state);
	dps_register_heard(&c->reg, &ev->reply, now);
	if (ev->last)
		hang_up(c);
}

static void
broke(struct dps_client *c, struct dps_way_event *ev)
{
	c->asked = NOTHING;
	dps_reply_fini(&ev->reply);
	dps_register_broke(&c->reg, &ev->err);
}

static void
closed(struct dps_client *c, struct hf_error *why, struct moment now)
{
	if (why->code == 0)
		err_set(why, HF_ERR_NET, "DPS at %s closed the connection", c->line.host);
	lost(c, why, now);
}

static void
happened(struct dps_client *c, struct dps_way_event *ev, struct moment now)
{
	if (ev->what != DPS_WAY_LOST && (ev->what != DPS_WAY_READY || ev->let_in))
		line_ready(&c->line);
	switch (ev->what) {
	case DPS_WAY_READY:
		c->may_say = 1;
		return;
	case DPS_WAY_REPLY:
		replied(c, ev, now);
		return;
	case DPS_WAY_LOST:
		closed(c, &ev->err, now);
		return;
	default:
		broke(c, ev);
		return;
	}
}

/* What broke the protocol's rules is known to the engine, by whom it was broken is not. */
static void
misspoke(struct dps_client *c, const struct hf_error *why, struct moment now)
{
	struct hf_error e = { 0 };

	err_set(&e, why->code, "DPS at %s: %s", c->line.host, why->text);
	lost(c, &e, now);
}

static int
event(struct dps_client *c, struct moment now)
{
	struct dps_way_event ev = { 0 };
	int rc = c->way->ops->next(c->way, &ev);

	if (rc < 0)
		misspoke(c, &c->way->engine->err, now);
	if (rc > 0)
		happened(c, &ev, now);
	return rc > 0;
}

/* Moves bytes, then takes what they said; a line that broke has said its last words first. 1: there is more to do. */
static int
converse(struct dps_client *c, struct moment now)
{
	struct hf_error late = { 0 };
	int moved, heard = 0;

	if (c->line.state == LINE_CLOSED)
		return 0;
	moved = pump_step(&c->line.pump, now.ms);
	while (c->line.state != LINE_CLOSED && event(c, now))
		heard = 1;
	if (moved < 0 && c->line.state != LINE_CLOSED)
		lost(c, &c->line.pump.err, now);
	if (line_late(&c->line, now, &late))
		lost(c, &late, now);
	return heard || moved != 0;
}

static void
state_fill(struct dps_client *c, struct key_job *k, struct moment now)
{
	const struct dps_reply *p = &c->reg.reply;
	struct dps_state *s = &k->state;

	(void)str_fmt(s->identity, sizeof(s->identity), "%s", c->got.state.identity);
	(void)str_fmt(s->scope, sizeof(s->scope), "%s", c->who.scope);
	(void)str_fmt(s->registration_id, sizeof(s->registration_id), "%s", c->who.id);
	(void)str_fmt(s->hub, sizeof(s->hub), "%s", p->hub);
	(void)str_fmt(s->device, sizeof(s->device), "%s", p->device);
	(void)str_fmt(s->handle, sizeof(s->handle), "%s", c->hsm->key_handle);
	s->at = now.wall;
}

/* A key job out of what the service said or the moment demands. */
static int
key_ask(struct dps_client *c, enum dps_ask ask, struct moment now)
{
	enum key_what what = ask == DPS_ASK_SIGN ? KEY_SIGN : ask == DPS_ASK_KEEP ? KEY_KEEP : KEY_ACTIVATE;
	const char *blob = c->reg.reply.tpm_key;
	int rc = 0;

	if (key_start(c, what) < 0)
		return c->err.code;
	c->key->expiry = now.wall + TOKEN_LIFE;
	if (what == KEY_KEEP)
		state_fill(c, c->key, now);
	if (what != KEY_SIGN && c->hsm->kind == HSM_TPM)
		rc = b64_get(&c->key->blob, blob, strlen(blob));
	if (rc == HF_ERR_MEMORY)
		return err_memory(&c->err);
	if (rc < 0)
		return err_set(&c->err, HF_ERR_PROTOCOL, "DPS sent a key for the TPM that is not base64");
	if (c->way != NULL && c->way->token_opens)
		hang_up(c);
	return key_post(c);
}

static int
assigned(struct dps_client *c)
{
	const struct dps_reply *p = &c->reg.reply;

	hang_up(c);
	(void)str_fmt(c->got.registration_id, sizeof(c->got.registration_id), "%s", c->who.id);
	(void)str_fmt(c->got.hub, sizeof(c->got.hub), "%s", p->hub);
	(void)str_fmt(c->got.device, sizeof(c->got.device), "%s", p->device);
	(void)str_fmt(c->got.substatus, sizeof(c->got.substatus), "%s", p->substatus);
	return str_set(&c->got.payload, p->payload);
}

/* A line on which the last request was not answered is not trusted with another; nor goes an old token with it. */
static int
ask_send(struct dps_client *c)
{
	if (c->asked != NOTHING || (c->way != NULL && c->way->token_once && c->reg.token_until == 0))
		hang_up(c);
	if (c->reg.token_until == 0)
		str_free(&c->who.token);
	c->asked = DUE;
	return 1;
}

/* Does what the registration asks for. 2: assigned; 1: something was done; 0: wait; negative: over. */
static int
obey(struct dps_client *c, struct moment now)
{
	enum dps_ask ask;

	if (!c->begun || (c->key != NULL && now.ms < c->reg.limit))
		return 0;
	if (c->asked == DUE && c->line.state == LINE_CLOSED)
		return dial(c, now) < 0 ? c->err.code : 1;
	if (c->asked == DUE && c->may_say)
		return say(c) < 0 ? err_memory(&c->err) : 1;
	ask = dps_register_next(&c->reg, now);
	switch (ask) {
	case DPS_ASK_WAIT:
		return 0;
	case DPS_ASK_SEND:
		return ask_send(c);
	case DPS_ASSIGNED:
		return assigned(c) < 0 ? err_memory(&c->err) : 2;
	case DPS_FAILED:
		c->err = c->reg.err;
		return c->err.code;
	default:
		return key_ask(c, ask, now) < 0 ? c->err.code : 1;
	}
}

int
dps_client_step(struct dps_client *c, struct moment now)
{
	int heard, did, rounds = 0;

	c->now = now.ms;
	do {
		if (c->key != NULL && key_job_done(c->key, c->work) && key_ended(c, now) < 0)
			return c->err.code;
		if (!c->begun && now.ms >= c->since.ms + c->set.timeout_ms)
			return err_set(&c->err, HF_ERR_TIMEOUT,
			    "register: the key did not say in %d s who this device is",
			    (int)(c->set.timeout_ms / 1000));
		heard = converse(c, now);
		did = obey(c, now);
		if (did < 0)
			hang_up(c);
		if (did < 0 || did == 2)
			return did < 0 ? did : 1;
	} while ((heard || did) && ++rounds < ROUNDS);
	c->deadline = c->key == NULL ? c->reg.deadline : c->since.ms + c->set.timeout_ms;
	if (rounds == ROUNDS)
		c->deadline = now.ms;
	c->deadline = sooner(c->deadline, line_deadline(&c->line, now));
	return 0;
}

int64_t
dps_client_deadline(const struct dps_client *c)
{
	return c->deadline;
}

void
dps_client_watch(struct dps_client *c, struct watch *w)
{
	line_watch(&c->line, w);
}

const struct dps_assignment *
dps_client_assignment(const struct dps_client *c)
{
	return &c->got;
}

const struct hf_error *
dps_client_error(const struct dps_client *c)
{
	return &c->err;
}
