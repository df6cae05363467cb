#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "base/str.h"
#include "session_amqp.h"

/* What the TPM's login has shown, as a register request does. */
static int
add_keys(struct session *s, struct dps_request *q)
{
	struct sasl_tpm *tpm = &s->amqp_side->tpm;
	struct buf ek = { 0 }, srk = { 0 };
	int r = 0;

	if (q->op != DPS_REGISTER || q->ek != NULL || buf_size(&tpm->ek) == 0)
		return 0;
	if (b64_put(&ek, buf_data(&tpm->ek), buf_size(&tpm->ek)) < 0 ||
	    b64_put(&srk, buf_data(&tpm->srk), buf_size(&tpm->srk)) < 0 || buf_str(&ek) == NULL ||
	    buf_str(&srk) == NULL || str_set(&q->ek, buf_str(&ek)) < 0 || str_set(&q->srk, buf_str(&srk)) < 0)
		r = HF_ERR_MEMORY;
	buf_free(&ek);
	buf_free(&srk);
	return r;
}

static struct dps_caller
caller(const struct session *s)
{
	return (struct dps_caller){ .who = &s->who, .chain = tls_peer(s->stream) };
}

/* The challenge is what DPS answers a register request without a token. */
static void
challenge(struct session *s, struct buf *piece)
{
	struct sasl_tpm *tpm = &s->amqp_side->tpm;
	struct dps_request q = { .op = DPS_REGISTER };
	struct dps_caller c = caller(s);
	struct dps_reply reply = { 0 };

	str_fmt(s->who.scope, sizeof(s->who.scope), "%s", tpm->scope);
	str_fmt(s->who.id, sizeof(s->who.id), "%s", tpm->id);
	str_fmt(s->who.api, sizeof(s->who.api), "%s", DPS_API);
	if (add_keys(s, &q) < 0) {
		session_end(s, "out of memory");
		goto fail;
	}
	dps_service_answer(s->e, &c, &q, &reply);
	dps_log(s->e, "AMQP", s->who.id, &q, &reply);
	if (reply.tpm_key == NULL)
		amqp_decide(s, reply.status >= 500 || reply.status == 429 ? 2 : 1, reply.message);
	else if (b64_get(&tpm->blob, reply.tpm_key, strlen(reply.tpm_key)) < 0 ||
		 sasl_tpm_piece(tpm, piece) < 0)
		session_end(s, "out of memory");
fail:
	dps_request_fini(&q);
	dps_reply_fini(&reply);
}

/* The token is believed here, and again with each request. */
static void
verify(struct session *s)
{
	struct sasl_tpm *tpm = &s->amqp_side->tpm;
	struct dps_request q = { .op = DPS_REGISTER };
	struct dps_caller c = caller(s);
	struct claim claim = { 0 };
	struct hf_error err = { 0 };
	int r = str_set(&s->who.token, tpm->token);

	if (r == 0)
		r = add_keys(s, &q);
	if (r == 0)
		r = dps_claim(s->e, &c, &q, &claim, &err);
	amqp_decide(s, r < 0, err.text);
	dps_claim_fini(&claim);
	dps_request_fini(&q);
}

void
dps_amqp_login(struct session *s, struct amqp_text came)
{
	struct hf_error err = { 0 };
	struct buf piece = { 0 };
	int r = sasl_tpm_heard(&s->amqp_side->tpm, came, &piece, &err);

	if (r < 0)
		amqp_decide(s, 1, err.text);
	if (r == 2)
		challenge(s, &piece);
	if (r == 3)
		verify(s);
	if (buf_size(&piece) > 0 && amqp_challenge(&s->amqp, buf_data(&piece), buf_size(&piece)) < 0)
		session_end(s, "out of memory for the challenge");
	buf_free(&piece);
}

/* Whoever the login has named is who the links have to name; without a name in it, the first link does. */
static int
is_theirs(struct session *s, const struct dps_who *named, struct hf_error *err)
{
	struct amqp_side *side = s->amqp_side;
	struct dps_who login = { 0 };

	if (s->who.id[0] == '\0' && side->user[0] != '\0') {
		if (dps_amqp_get_address(side->user, &login, err) < 0)
			return err->code;
		str_fmt(s->who.scope, sizeof(s->who.scope), "%s", login.scope);
		str_fmt(s->who.id, sizeof(s->who.id), "%s", login.id);
		if (str_set(&s->who.token, side->password[0] != '\0' ? side->password : NULL) < 0)
			return err_memory(err);
	}
	if (s->who.id[0] == '\0') {
		str_fmt(s->who.scope, sizeof(s->who.scope), "%s", named->scope);
		str_fmt(s->who.id, sizeof(s->who.id), "%s", named->id);
	}
	if (str_eqi(named->scope, s->who.scope) && str_eqi(named->id, s->who.id))
		return 0;
	return err_set(err, HF_ERR_AUTH, "the link names another registration than the login");
}

static int
get_api(struct session *s, const struct amqp_link *l, struct hf_error *err)
{
	char api[32];

	if (!amqp_link_property(l, "com.microsoft:api-version", api, sizeof(api)) ||
	    !dps_is_api(api, strlen(api)))
		return err_set(err, HF_ERR_PROTOCOL, "the link's com.microsoft:api-version is not a date");
	return str_fmt(s->who.api, sizeof(s->who.api), "%s", api);
}

static void
turn_away(struct session *s, struct amqp_link *l, const struct hf_error *err)
{
	struct dps_reply reply = { 0 };
	struct buf text = { 0 };
	const char *condition;

	dps_bad_request(s->e, err, &reply);
	reply.status = err->code == HF_ERR_AUTH ? 401 : 400;
	reply.code = err->code == HF_ERR_AUTH ? 401002 : 400004;
	condition = dps_amqp_put_error(&text, &reply);
	log_line(&s->e->log, "DPS over AMQP: a link to %.200s was refused: %s",
	    amqp_link_address(l) != NULL ? amqp_link_address(l) : "nothing", err->text);
	if (condition == NULL || amqp_refuse(&s->amqp, l, condition, buf_str(&text)) < 0)
		session_end(s, "out of memory");
	buf_free(&text);
}

static void
attached(struct session *s, struct amqp_link *l)
{
	struct amqp_link **place = l->receiver ? &s->amqp_side->requests : &s->amqp_side->answers;
	struct dps_who named = { 0 };
	struct hf_error err = { 0 };

	if (*place != NULL)
		err_set(&err, HF_ERR_PROTOCOL, "there is such a link already");
	else if (dps_amqp_get_address(amqp_link_address(l), &named, &err) == 0 && get_api(s, l, &err) == 0)
		(void)is_theirs(s, &named, &err);
	if (err.code != 0) {
		turn_away(s, l, &err);
		return;
	}
	*place = l;
	if (amqp_accept(&s->amqp, l) < 0 || (l->receiver && amqp_credit(&s->amqp, l, AMQP_CREDIT_GIVEN) < 0))
		session_end(s, "out of memory");
}

/* What is refused is so by its delivery; what is not is accepted first, and then answered. */
static int
say(struct session *s, uint32_t delivery, const struct dps_reply *reply, const struct amqp_value *correlation)
{
	struct amqp_side *side = s->amqp_side;
	struct buf text = { 0 };
	const char *condition;
	int r = HF_ERR_MEMORY;

	if (reply->status >= 300) {
		if ((condition = dps_amqp_put_error(&text, reply)) != NULL)
			r = amqp_reject(&s->amqp, side->requests, delivery, condition, buf_str(&text),
			    reply->retry_after);
	} else if ((r = amqp_settle(&s->amqp, side->requests, delivery, AMQP_ACCEPTED)) == 0 &&
		   (r = dps_amqp_put_reply(&text, reply, correlation)) == 0)
		r = amqp_send(&s->amqp, side->answers, buf_data(&text), buf_size(&text), NULL);
	buf_free(&text);
	return r;
}

static void
request(struct session *s, const struct amqp_event *ev)
{
	struct dps_caller c = caller(s);
	struct dps_reply reply = { 0 };
	struct hf_error err = { 0 };
	struct amqp_value correlation;
	struct dps_request q;

	if (dps_amqp_get_request(ev->bytes.p, ev->bytes.len, &q, &correlation, &err) < 0)
		dps_bad_request(s->e, &err, &reply);
	else if (add_keys(s, &q) == 0)
		dps_service_answer(s->e, &c, &q, &reply);
	dps_log(s->e, "AMQP", s->who.id, &q, &reply);
	if (say(s, ev->delivery, &reply, &correlation) < 0)
		session_end(s, "the answer could not be written");
	dps_reply_fini(&reply);
	dps_request_fini(&q);
}

/* Without a place for the answer there is none: the request is handed back. */
static void
message(struct session *s, const struct amqp_event *ev)
{
	struct amqp_side *side = s->amqp_side;

	if (ev->link != side->requests)
		return;
	if (side->answers == NULL || amqp_may_send(&s->amqp, side->answers) == 0)
		(void)amqp_settle(&s->amqp, ev->link, ev->delivery, AMQP_RELEASED);
	else
		request(s, ev);
	(void)amqp_credit(&s->amqp, ev->link, 1);
}

void
dps_amqp_event(struct session *s, const struct amqp_event *ev)
{
	struct amqp_side *side = s->amqp_side;

	if (ev->what == AMQP_LINK)
		attached(s, ev->link);
	if (ev->what == AMQP_MESSAGE)
		message(s, ev);
	if (ev->what != AMQP_DETACHED)
		return;
	if (ev->link == side->requests)
		side->requests = NULL;
	if (ev->link == side->answers)
		side->answers = NULL;
}
