#include <inttypes.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"

#define CHALLENGE_SECONDS 600
#define OPERATION_SECONDS 3600

enum { INVALID = 400004, UNAUTHORIZED = 401002, NOT_FOUND = 404201, NO_SCOPE = 404202, FAULT = 500001 };

/* The text that travels in a TPM's blob beside the key. */
static void
where(const struct emulator *e, const struct dps_who *who, char dst[512])
{
	str_fmt(dst, 512, "https://%s/%s/registrations/%s",
	    e->conf.dps_names ? e->conf.dps_name[0] : DPS_HOST, who->scope, who->id);
}

/* Wraps a key for the TPM of a request, as base64. */
static int
blob(struct emulator *e, const struct dps_who *who, const char *ek, const char *srk, const uint8_t key[32],
    char **text, struct hf_error *err)
{
	struct buf a = { 0 }, b = { 0 }, out = { 0 }, coded = { 0 };
	char extra[512];
	int r = 0;

	where(e, who, extra);
	if (b64_get(&a, ek, strlen(ek)) < 0 || b64_get(&b, srk, strlen(srk)) < 0)
		r = refuse(err, INVALID, "the TPM's public keys are not base64");
	else if (attest_tpm_blob(
		     &out, buf_data(&a), buf_size(&a), buf_data(&b), buf_size(&b), key, extra, err) < 0)
		r = refuse_as(err, INVALID);
	else if (b64_put(&coded, buf_data(&out), buf_size(&out)) < 0 || !buf_str(&coded) ||
		 str_set(text, (const char *)buf_data(&coded)) < 0)
		r = err_memory(err);
	buf_free(&a);
	buf_free(&b);
	buf_free(&out);
	buf_free(&coded);
	return r;
}

/* The first half of TPM attestation: only the TPM that has this endorsement key finds the key in what is sent back. */
static int
challenge(struct emulator *e, const struct dps_caller *c, const struct dps_request *q,
    struct dps_reply *reply, struct hf_error *err)
{
	struct challenge ch = { .until = e->now.wall + CHALLENGE_SECONDS };
	struct buf ek = { 0 };
	int r;

	if (RAND_priv_bytes(ch.key, sizeof ch.key) != 1)
		return err_ssl(err, HF_ERR_OTHER, "no random numbers");
	r = blob(e, c->who, q->ek, q->srk, ch.key, &reply->tpm_key, err);
	if (r == 0 && (b64_get(&ek, q->ek, strlen(q->ek)) < 0 ||
			  EVP_Digest(buf_data(&ek), buf_size(&ek), ch.ek, NULL, EVP_sha256(), NULL) != 1))
		r = err_memory(err);
	if (r == 0)
		r = registry_expire(e->registry, e->now.wall, err);
	if (r == 0)
		r = registry_challenge_put(e->registry, c->who->id, &ch, err);
	reply->status = 401;
	OPENSSL_cleanse(&ch, sizeof ch);
	buf_free(&ek);
	return r;
}

/* The registration's record with a new tag and date; made when there is none. */
static int
open_record(struct emulator *e, const char *id, json_t **record, struct hf_error *err)
{
	char now[32];
	int r = registry_registration(e->registry, id, record, err);

	if (r != 0)
		return r < 0 ? r : 0;
	clock_iso(e->now.wall, now);
	*record = json_pack("{s:s, s:s}", "registrationId", id, "createdDateTimeUtc", now);
	return *record ? 0 : err_memory(err);
}

static int
put_record(struct emulator *e, const char *id, json_t *record, struct hf_error *err)
{
	char now[32], etag[128];

	clock_iso(e->now.wall, now);
	etag_new(etag);
	if (json_object_set_new(record, "lastUpdatedDateTimeUtc", json_string(now)) < 0 ||
	    json_object_set_new(record, "etag", json_string(etag)) < 0)
		return err_memory(err);
	return registry_registration_put(e->registry, id, record, err);
}

static int
begin_record(struct emulator *e, const struct claim *claim, json_t **record, struct hf_error *err)
{
	int r = open_record(e, claim->id, record, err);

	if (r < 0)
		return r;
	json_object_del(*record, "errorCode");
	json_object_del(*record, "errorMessage");
	if (json_object_set_new(*record, "status", json_string("assigning")) < 0 ||
	    json_object_set_new(*record, "attestation", json_string(claim->kind)) < 0 ||
	    json_object_set_new(*record, "enrollmentGroupId", json_string(claim->group)) < 0)
		return err_memory(err);
	return put_record(e, claim->id, *record, err);
}

static void
assigning(struct emulator *e, const char *operation, struct dps_reply *reply)
{
	reply->status = 202;
	reply->retry_after = e->conf.retry_after;
	str_fmt(reply->operation, sizeof reply->operation, "%s", operation);
	str_fmt(reply->state, sizeof reply->state, "assigning");
}

/* 1: the webhook of the enrollment has to say where, and has not yet. It is being asked; also when a poll finds that it is not,
 * since the emulator has been started anew. */
static int
waits_for_webhook(struct emulator *e, const struct claim *claim, const char *operation, const json_t *op,
    const json_t *record)
{
	const json_t *custom = js_get(claim->enrollment, "customAllocationDefinition");
	json_t *question;

	if (js_get(op, "answer") || !dps_asks_webhook(&e->conf, claim, record))
		return 0;
	question = dps_question(&e->conf, claim, record, js_get(op, "payload"));
	webhook_ask(e, operation, js_str(custom, "webhookUrl", ""), question);
	json_decref(question);
	return 1;
}

static json_t *
new_operation(const struct emulator *e, const struct dps_request *q, const struct claim *claim)
{
	struct hf_error ignored = { 0 };
	json_t *payload = q->payload ? js_parse(q->payload, strlen(q->payload), "payload", &ignored) : NULL;

	return json_pack("{s:s, s:I, s:s*, s:s*, s:o*}", "registrationId", claim->id, "created",
	    (json_int_t)e->now.wall, "ek", q->ek, "srk", q->srk, "payload", payload);
}

static int
start(struct emulator *e, const struct dps_request *q, const struct claim *claim, struct dps_reply *reply,
    struct hf_error *err)
{
	char guid[37], id[64];
	json_t *op = new_operation(e, q, claim), *record = NULL;
	int r;

	guid_new(guid);
	str_fmt(id, sizeof id, "4.%016" PRIx64 ".%s", dps_hash(claim->id), guid);
	r = op ? registry_expire(e->registry, e->now.wall, err) : err_memory(err);
	if (r == 0)
		r = begin_record(e, claim, &record, err);
	if (r == 0)
		r = registry_operation_put(e->registry, id, e->now.wall + OPERATION_SECONDS, op, err);
	if (r == 0)
		waits_for_webhook(e, claim, id, op, record);
	json_decref(op);
	json_decref(record);
	assigning(e, id, reply);
	return r;
}

void
dps_service_told(struct emulator *e, const char *operation, json_t *answer)
{
	struct hf_error err = { 0 };
	json_t *op = NULL;
	int r = registry_operation(e->registry, operation, &op, &err);

	if (r > 0)
		r = json_object_set(op, "answer", answer);
	if (r == 0 && op)
		r = registry_operation_put(e->registry, operation, e->now.wall + OPERATION_SECONDS, op, &err);
	if (r < 0)
		log_line(&e->log, "what a webhook said is lost: %s", err.text);
	json_decref(op);
}

static int
to_register(struct emulator *e, const struct dps_caller *c, const struct dps_request *q,
    struct dps_reply *reply, struct hf_error *err)
{
	struct claim claim = { 0 };
	int r = dps_claim(e, c, q, &claim, err);

	if (r == 1)
		r = challenge(e, c, q, reply, err);
	else if (r == 0)
		r = start(e, q, &claim, reply, err);
	dps_claim_fini(&claim);
	return r;
}

static void
copy(char *dst, size_t cap, const json_t *o, const char *key)
{
	str_fmt(dst, cap, "%s", js_str(o, key, ""));
}

static const char *
kind_of(const json_t *record)
{
	static const char *const kinds[] = { "tpm", "x509", "symmetricKey" };
	const char *said = js_str(record, "attestation", "");
	size_t i;

	for (i = 0; i < 3; i++) {
		if (strcmp(kinds[i], said) == 0)
			return kinds[i];
	}
	return NULL;
}

static int
tell_payload(const json_t *payload, struct dps_reply *reply)
{
	struct buf text = { 0 };
	int r = 0;

	if (payload)
		r = js_put(&text, payload) < 0 || !buf_str(&text) ? HF_ERR_MEMORY
								  : str_set(&reply->payload, buf_str(&text));
	buf_free(&text);
	return r;
}

static int
tell(const json_t *record, struct dps_reply *reply, struct hf_error *err)
{
	reply->status = 200;
	copy(reply->state, sizeof reply->state, record, "status");
	copy(reply->id, sizeof reply->id, record, "registrationId");
	copy(reply->created, sizeof reply->created, record, "createdDateTimeUtc");
	copy(reply->updated, sizeof reply->updated, record, "lastUpdatedDateTimeUtc");
	copy(reply->etag, sizeof reply->etag, record, "etag");
	if (strcmp(reply->state, "failed") == 0) {
		reply->code = (int)js_int(record, "errorCode", 0);
		copy(reply->message, sizeof reply->message, record, "errorMessage");
		return 0;
	}
	copy(reply->hub, sizeof reply->hub, record, "assignedHub");
	copy(reply->device, sizeof reply->device, record, "deviceId");
	copy(reply->substatus, sizeof reply->substatus, record, "substatus");
	copy(reply->group, sizeof reply->group, record, "enrollmentGroupId");
	reply->attestation = kind_of(record);
	return tell_payload(js_get(record, "payload"), reply) < 0 ? err_memory(err) : 0;
}

/* A TPM's hub key: made now, kept by the hub, handed over in a blob that stays with the operation. The challenge has done its
 * work: it still signs polls, but begins no other registration. */
static int
hub_key(struct emulator *e, const struct dps_who *who, json_t *op, uint8_t key[32], struct hf_error *err)
{
	struct challenge ch;
	char *text = NULL;
	int r;

	if (RAND_priv_bytes(key, 32) != 1)
		return err_ssl(err, HF_ERR_OTHER, "no random numbers");
	r = blob(e, who, js_str(op, "ek", ""), js_str(op, "srk", ""), key, &text, err);
	if (r == 0 && json_object_set_new(op, "blob", json_string(text)) < 0)
		r = err_memory(err);
	if (r == 0)
		r = registry_challenge(e->registry, who->id, &ch, err);
	if (r == 1) {
		ch.spent = 1;
		r = registry_challenge_put(e->registry, who->id, &ch, err);
		OPENSSL_cleanse(&ch, sizeof ch);
	}
	str_free(&text);
	return r;
}

static int
settle(struct emulator *e, const struct dps_who *who, const struct claim *claim, const char *operation,
    json_t *op, json_t *record, struct hf_error *err)
{
	uint8_t key[32] = { 0 };
	int r = 0;

	if (strcmp(claim->kind, "tpm") == 0)
		r = hub_key(e, who, op, key, err);
	if (r == 0)
		r = dps_assign(e, claim, key, js_get(op, "answer"), record, err);
	if (r == 0)
		r = put_record(e, claim->id, record, err);
	if (r == 0 && json_object_set_new(op, "done", json_true()) < 0)
		r = err_memory(err);
	if (r == 0)
		r = registry_operation_put(e->registry, operation, e->now.wall + OPERATION_SECONDS, op, err);
	OPENSSL_cleanse(key, sizeof key);
	return r;
}

static int
too_early(const struct emulator *e, const json_t *op)
{
	int64_t since = e->now.wall - js_int(op, "created", 0);

	return since >= 0 && since < e->conf.retry_after;
}

static int
progress(struct emulator *e, const struct dps_who *who, const struct claim *claim, const char *operation,
    json_t *op, json_t *record, struct dps_reply *reply, struct hf_error *err)
{
	const char *key;
	int r = 0;

	if (!js_bool(op, "done", 0) &&
	    (waits_for_webhook(e, claim, operation, op, record) || too_early(e, op))) {
		assigning(e, operation, reply);
		copy(reply->id, sizeof reply->id, record, "registrationId");
		return 0;
	}
	if (!js_bool(op, "done", 0))
		r = settle(e, who, claim, operation, op, record, err);
	if (r < 0)
		return r;
	str_fmt(reply->operation, sizeof reply->operation, "%s", operation);
	if (tell(record, reply, err) < 0)
		return err->code;
	key = js_str(op, "blob", NULL);
	return str_set(&reply->tpm_key, key) < 0 ? err_memory(err) : 0;
}

static int
to_poll(struct emulator *e, const struct dps_caller *c, const struct dps_request *q, struct dps_reply *reply,
    struct hf_error *err)
{
	struct claim claim = { 0 };
	json_t *op = NULL, *record = NULL;
	int r = dps_claim(e, c, q, &claim, err);

	if (r < 0)
		goto fail;
	r = registry_operation(e->registry, q->operation, &op, err);
	if (r == 0)
		r = refuse(err, NOT_FOUND, "there is no operation '%s'", q->operation);
	else if (r > 0 && !str_eqi(js_str(op, "registrationId", ""), claim.id))
		r = refuse(err, UNAUTHORIZED, "Unauthorized: the operation is another registration's");
	if (r < 0)
		goto fail;
	r = registry_registration(e->registry, claim.id, &record, err);
	if (r == 0)
		r = refuse(
		    err, NOT_FOUND, "the registration '%s' has been deleted; register again", claim.id);
	if (r > 0)
		r = progress(e, c->who, &claim, q->operation, op, record, reply, err);
fail:
	json_decref(op);
	json_decref(record);
	dps_claim_fini(&claim);
	return r;
}

static int
to_look_up(struct emulator *e, const struct dps_caller *c, const struct dps_request *q,
    struct dps_reply *reply, struct hf_error *err)
{
	struct claim claim = { 0 };
	json_t *record = NULL;
	int r = dps_claim(e, c, q, &claim, err);

	if (r == 0)
		r = registry_registration(e->registry, claim.id, &record, err);
	if (r == 0)
		r = refuse(err, NOT_FOUND, "'%s' has not registered", c->who->id);
	if (r > 0)
		r = tell(record, reply, err);
	json_decref(record);
	dps_claim_fini(&claim);
	return r;
}

static int
decide(struct emulator *e, const struct dps_caller *c, const struct dps_request *q, struct dps_reply *reply,
    struct hf_error *err)
{
	if (!str_eqi(c->who->scope, e->conf.scope))
		return refuse(err, NO_SCOPE, "the ID scope '%s' is not known", c->who->scope);
	if (!str_is_registration_id(c->who->id))
		return refuse(err, INVALID, "the registration id '%s' cannot be one", c->who->id);
	if (*q->id && !str_eqi(q->id, c->who->id))
		return refuse(err, INVALID, "the body is for the registration id '%s', the request for '%s'",
		    q->id, c->who->id);
	if (q->op == DPS_REGISTER)
		return to_register(e, c, q, reply, err);
	return q->op == DPS_POLL ? to_poll(e, c, q, reply, err) : to_look_up(e, c, q, reply, err);
}

void
dps_service_answer(
    struct emulator *e, const struct dps_caller *c, const struct dps_request *q, struct dps_reply *reply)
{
	struct hf_error err = { 0 };

	memset(reply, 0, sizeof *reply);
	if (decide(e, c, q, reply, &err) < 0) {
		dps_reply_fini(reply);
		memset(reply, 0, sizeof *reply);
		refuse_as(&err, FAULT);
		reply->status = err.status;
		reply->code = err.service;
		snprintf(reply->message, sizeof reply->message, "%.299s", err.text);
	}
	str_fmt(reply->rid, sizeof reply->rid, "%s", q->rid);
	guid_new(reply->tracking);
	clock_iso(e->now.wall, reply->at);
}
