#include <inttypes.h>
#include <string.h>
#include "base/str.h"
#include "dps/dps_client.h"

#define REPLY_LIMIT  30000 /* ms that one request may take, connecting included */
#define POLL_DEFAULT 2000  /* ms between polls when the service names no time */
#define RETRY_FIRST  1000
#define RETRY_MOST   30000
#define DOUBTS_MOST  3
#define TOKEN_MARGIN 30 /* seconds; a token this close to its end is made anew */

enum step { SIGN, SEND, HEAR, ACTIVATE, KEEP, BUSY, DONE, BROKEN };

int
dps_register_init(struct dps_register *r, enum hsm_kind kind, const char *id, const char *ek, const char *srk,
    const char *payload, uint64_t seed, int64_t timeout_ms, struct moment now)
{
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->id = id;
	r->started = now.ms;
	r->limit = now.ms + timeout_ms;
	r->at = now.ms;
	r->coin.seed = seed;
	r->request.op = DPS_REGISTER;
	r->step = kind == HSM_SYMMETRIC ? SIGN : SEND;
	if (str_set(&r->request.ek, ek) < 0 || str_set(&r->request.srk, srk) < 0 ||
	    str_set(&r->request.payload, payload) < 0)
		return HF_ERR_MEMORY;
	return str_fmt(r->request.id, sizeof(r->request.id), "%s", id);
}

void
dps_register_fini(struct dps_register *r)
{
	dps_request_fini(&r->request);
	dps_reply_fini(&r->reply);
}

static void
fail(struct dps_register *r, const struct hf_error *why)
{
	r->err = *why;
	r->step = BROKEN;
}

static void
time_is_over(struct dps_register *r)
{
	struct hf_error e = { 0 };
	int64_t s = (r->limit - r->started) / 1000;

	if (r->last.code == 0)
		err_set(&e, HF_ERR_TIMEOUT,
		    "register %s: %s after %" PRId64 " s; try again, or allow more with --timeout", r->id,
		    r->request.op == DPS_POLL ? "DPS is still assigning it to a hub" : "no answer", s);
	else
		err_set(&e, HF_ERR_TIMEOUT, "register %s: not done in %" PRId64 " s; the last try: %s", r->id,
		    s, r->last.text);
	e.status = r->last.status;
	e.service = r->last.service;
	memcpy(e.tracking, r->last.tracking, sizeof(e.tracking));
	fail(r, &e);
}

/* Exponential, a quarter up or down, unless the service has named its own time. */
static int64_t
backoff(struct dps_register *r, int retry_after)
{
	int64_t ms = RETRY_FIRST << (r->tries < 5 ? r->tries : 5);

	r->tries++;
	if (retry_after > 0)
		return (int64_t)retry_after * 1000 + (int64_t)(coin_toss(&r->coin) % 500);
	if (ms > RETRY_MOST)
		ms = RETRY_MOST;
	return ms * 3 / 4 + (int64_t)(coin_toss(&r->coin) % (uint64_t)(ms / 2));
}

static void
again(struct dps_register *r, int64_t in_ms, struct moment now)
{
	r->at = now.ms + in_ms;
	r->step = SEND;
}

static enum dps_ask
wait_until(struct dps_register *r, int64_t at)
{
	r->deadline = sooner(at, r->limit);
	return DPS_ASK_WAIT;
}

/* A token near its end is made anew: signed again, or, where the key is the challenge's, by a challenge. */
static int
token_is_old(const struct dps_register *r, struct moment now)
{
	return r->token_until != 0 && now.wall + TOKEN_MARGIN >= r->token_until;
}

static enum dps_ask
send_next(struct dps_register *r, struct moment now)
{
	if (now.ms < r->at)
		return wait_until(r, r->at);
	if (token_is_old(r, now)) {
		r->token_until = 0;
		if (r->kind == HSM_SYMMETRIC) {
			r->step = BUSY;
			return DPS_ASK_SIGN;
		}
		r->challenged = 0;
		r->request.op = DPS_REGISTER;
	}
	(void)str_fmt(r->request.rid, sizeof(r->request.rid), "%u", ++r->rid);
	r->step = HEAR;
	r->at = now.ms + REPLY_LIMIT;
	return DPS_ASK_SEND;
}

enum dps_ask
dps_register_next(struct dps_register *r, struct moment now)
{
	struct hf_error e = { 0 };

	if (r->step == DONE)
		return DPS_ASSIGNED;
	if (r->step != BROKEN && now.ms >= r->limit)
		time_is_over(r);
	if (r->step == HEAR && now.ms >= r->at) {
		err_set(&e, HF_ERR_NET, "DPS did not answer in %d s", REPLY_LIMIT / 1000);
		dps_register_lost(r, &e, now);
	}
	switch (r->step) {
	case BROKEN:
		return DPS_FAILED;
	case SIGN:
		r->step = BUSY;
		return DPS_ASK_SIGN;
	case ACTIVATE:
		r->step = BUSY;
		return DPS_ASK_ACTIVATE;
	case KEEP:
		r->step = BUSY;
		return DPS_ASK_KEEP;
	case SEND:
		return send_next(r, now);
	case HEAR:
		return wait_until(r, r->at);
	default:
		return wait_until(r, r->limit);
	}
}

void
dps_register_signed(struct dps_register *r, int64_t token_until, struct moment now)
{
	r->token_until = token_until;
	again(r, 0, now);
}

void
dps_register_token_gone(struct dps_register *r)
{
	r->challenged = 0;
	r->token_until = 0;
}

void
dps_register_kept(struct dps_register *r, struct moment now)
{
	(void)now;
	r->step = DONE;
}

void
dps_register_broke(struct dps_register *r, const struct hf_error *why)
{
	fail(r, why);
}

void
dps_register_lost(struct dps_register *r, const struct hf_error *why, struct moment now)
{
	if (r->step != HEAR)
		return;
	if (why->code == HF_ERR_TLS || why->code == HF_ERR_ARGS || why->code == HF_ERR_PROTOCOL) {
		fail(r, why);
		return;
	}
	r->last = *why;
	again(r, backoff(r, 0), now);
}

void
dps_register_waits(struct dps_register *r, struct moment now)
{
	if (r->step == HEAR)
		r->at = now.ms + REPLY_LIMIT;
}

static const char *
advice(const struct dps_register *r, const struct dps_reply *p)
{
	if (p->status == 404 || p->code / 1000 == 404)
		return "is it enrolled, and is the ID scope right?";
	if (p->status != 401 && p->status != 403 && p->code / 1000 != 401)
		return "quote the tracking id to whoever runs this DPS";
	if (r->kind == HSM_TPM)
		return "is it enrolled, with the endorsement key that \"holdfast identity\" shows, and is the device's clock right?";
	if (r->kind == HSM_X509)
		return "is it enrolled, with the certificate that \"holdfast identity\" shows or its CA, and are its dates right?";
	return "is it enrolled, with the device's own key, and is the device's clock right?";
}

static void
service_error(const struct dps_register *r, const struct dps_reply *p, struct hf_error *e)
{
	int class = p->status >= 300 ? p->status : p->code / 1000;
	int code = class == 401 || class == 403 || class == 404 ? HF_ERR_AUTH : HF_ERR_SERVICE;

	e->status = p->status;
	e->service = p->code;
	e->retry_after = p->retry_after;
	(void)str_fmt(e->tracking, sizeof(e->tracking), "%s", p->tracking);
	err_set(e, code, "DPS refused to register %s: %s (status %d, errorCode %d, tracking id %s); %s",
	    r->id, p->message[0] != '\0' ? p->message : "no reason given", p->status, p->code,
	    p->tracking[0] != '\0' ? p->tracking : "none", advice(r, p));
}

static void
broken_reply(struct dps_register *r, const char *what)
{
	struct hf_error e = { 0 };

	err_set(&e, HF_ERR_PROTOCOL, "DPS answered the registration of %s %s (status %d, state \"%s\")",
	    r->id, what, r->reply.status, r->reply.state);
	fail(r, &e);
}

static void
assigned(struct dps_register *r)
{
	if (r->reply.hub[0] == '\0' || r->reply.device[0] == '\0')
		broken_reply(r, "without a hub or a device id");
	else if (r->kind == HSM_TPM && r->reply.tpm_key == NULL)
		broken_reply(r, "without a key for the TPM");
	else
		r->step = KEEP;
}

static void
assigning(struct dps_register *r, struct moment now)
{
	const struct dps_reply *p = &r->reply;

	if (p->operation[0] != '\0')
		(void)str_fmt(r->request.operation, sizeof(r->request.operation), "%s", p->operation);
	if (r->request.operation[0] == '\0') {
		broken_reply(r, "without an operation id");
		return;
	}
	r->request.op = DPS_POLL;
	r->tries = 0;
	err_clear(&r->last);
	again(r, p->retry_after > 0 ? (int64_t)p->retry_after * 1000 : POLL_DEFAULT, now);
}

/* A key that the challenge gave may be refused because of ourselves: older tries, long under way, have had it replaced. A few times a new
 * challenge is asked for. */
static int
is_doubtful(const struct dps_register *r)
{
	return r->challenged && r->doubts < DOUBTS_MOST && r->reply.status == 401;
}

static void
doubt(struct dps_register *r, const struct hf_error *why, struct moment now)
{
	r->doubts++;
	r->challenged = 0;
	r->token_until = 0;
	r->request.op = DPS_REGISTER;
	r->last = *why;
	again(r, backoff(r, 0), now);
}

void
dps_register_heard(struct dps_register *r, struct dps_reply *p, struct moment now)
{
	struct hf_error e = { 0 };

	if (r->step != HEAR || (p->rid[0] != '\0' && strcmp(p->rid, r->request.rid) != 0)) {
		dps_reply_fini(p);
		return;
	}
	dps_reply_fini(&r->reply);
	r->reply = *p;
	memset(p, 0, sizeof(*p));
	p = &r->reply;
	if (p->status == 401 && p->tpm_key != NULL && r->kind == HSM_TPM && !r->challenged) {
		r->challenged = 1;
		r->step = ACTIVATE;
		return;
	}
	if (p->status >= 300 || strcmp(p->state, "failed") == 0) {
		service_error(r, p, &e);
		if (is_doubtful(r)) {
			doubt(r, &e, now);
			return;
		}
		if (p->status != 429 && p->status < 500) {
			fail(r, &e);
			return;
		}
		r->last = e;
		again(r, backoff(r, p->retry_after), now);
		return;
	}
	if (strcmp(p->state, "assigned") == 0)
		assigned(r);
	else if (strcmp(p->state, "assigning") == 0)
		assigning(r, now);
	else
		broken_reply(r, "with a state that is not known here");
}
