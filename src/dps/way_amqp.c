#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "amqp/sasl_tpm.h"
#include "base/b64.h"
#include "base/str.h"
#include "way.h"

#define MESSAGE_MAX (128 * 1024) /* DPS messages are 96 KB at most */
#define IDLE_MS	    480000	 /* the peer is told half of it */
#define CREDIT	    10
#define AGENT	    "holdfast/" HF_VERSION

/* How far it has come. A TPM's token is said in SASL, so its first request waits for SASL's end. */
enum step { LOGIN, CHALLENGED, TOLD, OPEN };

struct way_amqp {
	struct dps_way way;
	struct amqp amqp;
	struct sasl_tpm tpm;
	struct buf srk;	    /* TPM: raw */
	struct buf request; /* what is to be said once it can be */
	struct buf answer;  /* to a challenge */
	char rid[64], id[129], host[256], address[DPS_AMQP_ADDRESS];
	struct amqp_link *sender, *receiver;
	enum step step;
	int is_tpm, ready, early;
};

/* 1: it is on its way; 0: it waits for credit; or out of memory. */
static int
say_now(struct way_amqp *w)
{
	int rc;

	if (buf_size(&w->request) == 0 || !amqp_may_send(&w->amqp, w->sender))
		return 0;
	rc = amqp_send(&w->amqp, w->sender, buf_data(&w->request), buf_size(&w->request), NULL);
	buf_clear(&w->request);
	return rc < 0 ? rc : 1;
}

static int
answer_token(struct way_amqp *w, const char *token)
{
	int rc;

	buf_clear(&w->answer);
	w->step = TOLD;
	if ((rc = sasl_tpm_put_token(&w->answer, token)) == 0)
		rc = amqp_respond(&w->amqp, buf_data(&w->answer), buf_size(&w->answer));
	buf_clear(&w->answer);
	return rc;
}

static int
say(struct dps_way *way, const struct dps_who *who, const struct dps_request *q)
{
	struct way_amqp *w = (struct way_amqp *)way;
	int rc;

	(void)str_fmt(w->rid, sizeof(w->rid), "%s", q->rid);
	buf_clear(&w->request);
	if (w->is_tpm && w->step != OPEN && who->token == NULL)
		return 0; /* the challenge is its answer */
	if ((rc = dps_amqp_put_request(&w->request, q, who->id)) < 0)
		return rc;
	if (w->step == CHALLENGED && (rc = answer_token(w, who->token)) < 0)
		return rc;
	return (rc = say_now(w)) < 0 ? rc : 0;
}

static int
lost(const struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	ev->what = DPS_WAY_LOST;
	if (in->condition != NULL || in->description != NULL)
		err_set(&ev->err, HF_ERR_NET, "DPS at %s ended the conversation: %.60s %.200s", w->host,
		    in->condition != NULL ? in->condition : "",
		    in->description != NULL ? in->description : "");
	str_plain(ev->err.text);
	return 1;
}

/* A reason that says who is meant is an answer; what else ends a link or a connection loses it. */
static int
turned_away(struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	struct hf_error ignored = { 0 };

	if (in->condition == NULL ||
	    dps_amqp_get_error(in->condition, in->description, &ev->reply, &ignored) < 0)
		return lost(w, in, ev);
	if (ev->reply.status != 401 && ev->reply.status != 404) {
		dps_reply_fini(&ev->reply);
		return lost(w, in, ev);
	}
	(void)str_fmt(ev->reply.rid, sizeof(ev->reply.rid), "%s", w->rid);
	ev->what = DPS_WAY_REPLY;
	ev->last = 1;
	return 1;
}

static int
not_offered(const struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	err_set(&ev->err, HF_ERR_AUTH, "DPS at %s does not take the login of %s: it offers %.*s, not %s",
	    w->host, w->id, (int)in->bytes.len, in->bytes.p, w->amqp.mechanism);
	ev->what = DPS_WAY_REFUSED;
	return 1;
}

/* Codes 2 to 4 are the service's own trouble. A TPM's refusal may have another reason than the TPM: the register decides. */
static int
refused(const struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	if (in->code < 0)
		return not_offered(w, in, ev);
	if (in->code != 1) {
		err_set(&ev->err, HF_ERR_NET, "DPS at %s is not available now (SASL outcome %d)", w->host,
		    in->code);
		ev->what = DPS_WAY_LOST;
		return 1;
	}
	if (w->is_tpm) {
		ev->reply.status = 401;
		(void)str_fmt(ev->reply.rid, sizeof(ev->reply.rid), "%s", w->rid);
		(void)str_fmt(
		    ev->reply.message, sizeof(ev->reply.message), "the login was refused (SASL outcome 1)");
		ev->what = DPS_WAY_REPLY;
		ev->last = 1;
		return 1;
	}
	err_set(&ev->err, HF_ERR_AUTH,
	    "DPS at %s refused the login of %s (SASL outcome 1); check ID scope, key and clock", w->host,
	    w->id);
	ev->err.status = 401;
	ev->what = DPS_WAY_REFUSED;
	return 1;
}

/* The whole blob is what an HTTPS challenge carries: base64. */
static int
challenge_reply(struct way_amqp *w, struct dps_way_event *ev)
{
	struct buf b = { 0 };
	int rc = b64_put(&b, buf_data(&w->tpm.blob), buf_size(&w->tpm.blob));

	if (rc == 0)
		rc = buf_str(&b) == NULL ? HF_ERR_MEMORY : str_set(&ev->reply.tpm_key, buf_str(&b));
	buf_free(&b);
	if (rc < 0)
		return err_memory(&w->amqp.engine.err);
	w->step = CHALLENGED;
	ev->reply.status = 401;
	(void)str_fmt(ev->reply.rid, sizeof(ev->reply.rid), "%s", w->rid);
	ev->what = DPS_WAY_REPLY;
	return 1;
}

static int
challenged(struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	struct hf_error *e = &w->amqp.engine.err;
	int rc;

	buf_clear(&w->answer);
	if (!w->is_tpm)
		return err_set(e, HF_ERR_PROTOCOL, "the server challenged a login that wants no challenge");
	rc = sasl_tpm_challenged(&w->tpm, in->bytes, buf_data(&w->srk), buf_size(&w->srk), &w->answer, e);
	if (rc < 0)
		return rc;
	if (rc == 2)
		return challenge_reply(w, ev);
	if (amqp_respond(&w->amqp, buf_data(&w->answer), buf_size(&w->answer)) < 0)
		return err_memory(e);
	return 0;
}

static int
has_credit(struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	int rc;

	if (in->link != w->sender)
		return 0;
	w->step = OPEN;
	if (!w->ready) {
		w->ready = 1;
		ev->what = DPS_WAY_READY;
		ev->let_in = 1;
		return 1;
	}
	rc = say_now(w);
	return rc < 0 ? err_memory(&w->amqp.engine.err) : 0;
}

static int
message(struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	int rc = dps_amqp_get_reply(in->bytes.p, in->bytes.len, &ev->reply, &ev->err);

	(void)amqp_settle(&w->amqp, in->link, in->delivery, AMQP_ACCEPTED);
	(void)amqp_credit(&w->amqp, in->link, 1);
	ev->what = rc < 0 ? DPS_WAY_UNREAD : DPS_WAY_REPLY;
	return 1;
}

static int
settled(struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	if (in->outcome == AMQP_ACCEPTED)
		return 0;
	if (in->outcome != AMQP_REJECTED)
		return lost(w, in, ev);
	ev->what = dps_amqp_get_error(in->condition, in->description, &ev->reply, &ev->err) < 0
		       ? DPS_WAY_UNREAD
		       : DPS_WAY_REPLY;
	(void)str_fmt(ev->reply.rid, sizeof(ev->reply.rid), "%s", w->rid);
	return 1;
}

/* 1: it means something to the caller. */
static int
heard(struct way_amqp *w, const struct amqp_event *in, struct dps_way_event *ev)
{
	switch (in->what) {
	case AMQP_REFUSED:
		return refused(w, in, ev);
	case AMQP_SASL_CHALLENGE:
		return challenged(w, in, ev);
	case AMQP_CREDIT:
		return has_credit(w, in, ev);
	case AMQP_MESSAGE:
		return message(w, in, ev);
	case AMQP_SETTLED:
		return settled(w, in, ev);
	case AMQP_DETACHED:
	case AMQP_CLOSED:
		return turned_away(w, in, ev);
	default:
		return 0;
	}
}

/* With a TPM a request is to be said before anything else happens: its answer is the challenge. */
static int
next(struct dps_way *way, struct dps_way_event *ev)
{
	struct way_amqp *w = (struct way_amqp *)way;
	struct amqp_event in;
	int rc;

	if (!w->ready && (w->is_tpm || w->early)) {
		w->ready = 1;
		ev->what = DPS_WAY_READY;
		return 1;
	}
	while ((rc = amqp_next(&w->amqp, &in)) > 0)
		if ((rc = heard(w, &in, ev)) != 0)
			return rc;
	return rc;
}

static void
bye(struct dps_way *way)
{
	(void)amqp_close(&((struct way_amqp *)way)->amqp, NULL, NULL);
}

static void
end(struct dps_way *way)
{
	struct way_amqp *w = (struct way_amqp *)way;

	amqp_fini(&w->amqp);
	sasl_tpm_fini(&w->tpm);
	buf_free(&w->srk);
	buf_free(&w->request);
	buf_free(&w->answer);
	OPENSSL_cleanse(w, sizeof(*w));
	free(w);
}

static const struct dps_way_ops ops = { say, next, bye, end };

static int
log_in_tpm(struct way_amqp *w, const struct dps_who *who, const struct dps_request *q)
{
	struct buf ek = { 0 }, init = { 0 };
	int rc = b64_get(&ek, q->ek, strlen(q->ek));

	if (rc == 0)
		rc = b64_get(&w->srk, q->srk, strlen(q->srk));
	if (rc == 0)
		rc = sasl_tpm_put_init(&init, who->scope, who->id, buf_data(&ek), buf_size(&ek));
	if (rc == 0)
		rc = amqp_sasl(&w->amqp, SASL_TPM, buf_data(&init), buf_size(&init), w->address);
	buf_free(&ek);
	buf_free(&init);
	return rc;
}

static int
log_in_plain(struct way_amqp *w, const struct dps_who *who)
{
	struct buf init = { 0 };
	int rc = amqp_put_plain(&init, w->address, who->token);

	if (rc == 0)
		rc = amqp_sasl(&w->amqp, "PLAIN", buf_data(&init), buf_size(&init), NULL);
	buf_free(&init);
	return rc;
}

/* Open and both links go in one flight; the receiver first, so that no answer is early. */
static int
say_beginning(struct way_amqp *w)
{
	static const struct amqp_property property[] = { { "com.microsoft:api-version", DPS_API },
		{ "com.microsoft:client-version", AGENT } };
	int rc = amqp_open(&w->amqp, w->id, w->host, NULL, 0);

	if (rc < 0)
		return rc;
	w->receiver = amqp_attach(&w->amqp, 1, "answers", w->address, property, 2);
	w->sender = amqp_attach(&w->amqp, 0, "requests", w->address, property, 2);
	if (w->receiver == NULL || w->sender == NULL)
		return HF_ERR_MEMORY;
	return amqp_credit(&w->amqp, w->receiver, CREDIT);
}

int
dps_way_amqp(struct dps_way **out, const struct dps_way_settings *s)
{
	struct way_amqp *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL || amqp_init(&w->amqp, 0, MESSAGE_MAX) < 0) {
		free(w);
		return HF_ERR_MEMORY;
	}
	w->way.ops = &ops;
	w->way.engine = &w->amqp.engine;
	w->amqp.idle_ms = IDLE_MS;
	w->early = s->early;
	w->is_tpm = s->request->ek != NULL;
	w->way.token_opens = !w->is_tpm;
	w->way.token_once = w->is_tpm;
	(void)str_fmt(w->id, sizeof(w->id), "%s", s->who->id);
	(void)str_fmt(w->host, sizeof(w->host), "%s", s->host);
	rc = dps_amqp_put_address(w->address, s->who);
	if (rc == 0 && w->is_tpm)
		rc = log_in_tpm(w, s->who, s->request);
	else if (rc == 0 && s->who->token != NULL)
		rc = log_in_plain(w, s->who);
	if (rc == 0)
		rc = say_beginning(w);
	if (rc < 0) {
		end(&w->way);
		return rc;
	}
	*out = &w->way;
	return 0;
}
