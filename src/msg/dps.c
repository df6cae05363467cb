#include <ctype.h>
#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "msg/dps.h"

void
dps_who_fini(struct dps_who *w)
{
	str_free(&w->token);
}

void
dps_request_fini(struct dps_request *q)
{
	str_free(&q->ek);
	str_free(&q->srk);
	str_free(&q->payload);
}

void
dps_reply_fini(struct dps_reply *r)
{
	str_free(&r->tpm_key);
	str_free(&r->payload);
}

int
dps_is_api(const char *p, size_t n)
{
	static const char form[] = "dddd-dd-dd", preview[] = "-preview";
	size_t i;

	if (n != sizeof(form) - 1 && n != sizeof(form) + sizeof(preview) - 2)
		return 0;
	for (i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)p[i]) : p[i] != form[i])
			return 0;
	}
	return n == i || str_eqin(preview, p + i, n - i);
}

static int
is_blank(const char *p, size_t n)
{
	while (n > 0 && isspace((unsigned char)*p)) {
		p++;
		n--;
	}
	return n == 0;
}

/* Text for people: control characters become blanks; what does not fit is cut, between two characters. */
static void
put_words(char *dst, size_t cap, const char *src)
{
	size_t i;

	for (i = 0; src[i] != '\0' && i < cap - 1; i++)
		dst[i] = iscntrl((unsigned char)src[i]) ? ' ' : src[i];
	while (src[i] != '\0' && i > 0 && ((unsigned char)src[i] & 0xc0) == 0x80)
		i--;
	dst[i] = '\0';
}

/* JSON text of any value, as an owned string. */
static int
text_of(char **dst, const json_t *value, struct hf_error *e)
{
	struct buf b = { 0 };
	char *s;
	int rc = 0;

	if (js_put(&b, value) < 0 || (s = buf_str(&b)) == NULL || str_set(dst, s) < 0)
		rc = err_memory(e);
	buf_free(&b);
	return rc;
}

/* Says a member unless the value is absent: no client takes null for a string. */
static int
add(json_t *o, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return 0;
	return json_object_set_new(o, key, json_string(value));
}

static int
add_json(json_t *o, const char *key, const char *text)
{
	struct hf_error e = { 0 };

	if (text == NULL)
		return 0;
	return json_object_set_new(o, key, js_parse(text, strlen(text), key, &e));
}

/* Hears a member that must fit; absent is fine. */
static int
get(char *dst, size_t cap, const json_t *o, const char *key, struct hf_error *e)
{
	const char *s = js_str(o, key, "");

	if (str_copy(dst, cap, s, strlen(s)) == 0)
		return 0;
	return err_set(
	    e, HF_ERR_PROTOCOL, "%s has more than the %zu characters that it may have", key, cap - 1);
}

static int
get_own(char **dst, const json_t *o, const char *key, struct hf_error *e)
{
	const char *s = js_str(o, key, NULL);

	return s == NULL || str_set(dst, s) == 0 ? 0 : err_memory(e);
}

static int
put_object(struct buf *b, json_t *o, int bad)
{
	int rc = bad ? HF_ERR_ARGS : js_put(b, o);

	json_decref(o);
	return rc;
}

int
dps_put_request_body(struct buf *b, const struct dps_request *q, const char *id)
{
	json_t *o, *tpm;
	int bad;

	if (q->op == DPS_POLL)
		return 0;
	if ((o = json_object()) == NULL)
		return HF_ERR_MEMORY;
	bad = add(o, "registrationId", id);
	if (q->op == DPS_REGISTER && q->ek != NULL) {
		tpm = json_object();
		bad |= add(tpm, "endorsementKey", q->ek) | add(tpm, "storageRootKey", q->srk);
		bad |= json_object_set_new(o, "tpm", tpm);
	}
	if (q->op == DPS_REGISTER)
		bad |= add_json(o, "payload", q->payload);
	return put_object(b, o, bad);
}

int
dps_get_request_body(const void *p, size_t n, struct dps_request *q, struct hf_error *e)
{
	const json_t *tpm, *payload;
	json_t *o;
	int rc;

	if (q->op == DPS_POLL || is_blank(p, n))
		return 0;
	if ((o = js_parse(p, n, "the request's body", e)) == NULL)
		return e->code;
	if (!json_is_object(o)) {
		rc = err_set(e, HF_ERR_PROTOCOL, "the request's body is not a JSON object");
		goto fail;
	}
	if ((rc = get(q->id, sizeof(q->id), o, "registrationId", e)) < 0)
		goto fail;
	tpm = json_object_get(o, "tpm");
	if ((rc = get_own(&q->ek, tpm, "endorsementKey", e)) < 0 ||
	    (rc = get_own(&q->srk, tpm, "storageRootKey", e)) < 0)
		goto fail;
	payload = json_object_get(o, "payload");
	if (payload != NULL && !json_is_null(payload) && (rc = text_of(&q->payload, payload, e)) < 0)
		goto fail;
	json_decref(o);
	return 0;
fail:
	json_decref(o);
	dps_request_fini(q);
	return rc;
}

static int
put_challenge(struct buf *b, const struct dps_reply *r)
{
	json_t *o = json_object();
	int bad;

	bad = add(o, "message", "Authorization required, resend request using supplied key");
	bad |= add(o, "authenticationKey", r->tpm_key);
	bad |= json_object_set_new(o, "unencryptedAuthenticationKey", json_null());
	bad |= add(o, "keyName", "registration");
	return put_object(b, o, bad);
}

static int
put_error(struct buf *b, const struct dps_reply *r)
{
	json_t *o = json_object();
	int bad;

	bad = json_object_set_new(o, "errorCode", json_integer(r->code != 0 ? r->code : r->status * 1000));
	bad |= add(o, "trackingId", r->tracking);
	bad |= json_object_set_new(o, "message", json_string(r->message));
	bad |= add(o, "timestampUtc", r->at);
	return put_object(b, o, bad);
}

static int
add_attestation(json_t *state, const struct dps_reply *r)
{
	json_t *o;
	int bad;

	if (r->attestation == NULL)
		return 0;
	o = json_object();
	bad = add(o, "enrollmentGroupId", r->group) | add(o, "authenticationKey", r->tpm_key);
	return bad | json_object_set_new(state, r->attestation, o);
}

static json_t *
new_state(const struct dps_reply *r)
{
	json_t *o = json_object();
	int bad;

	bad = add_attestation(o, r) | add(o, "registrationId", r->id) |
	      add(o, "createdDateTimeUtc", r->created);
	if (r->hub[0] != '\0' && r->device[0] != '\0')
		bad |= add(o, "assignedHub", r->hub) | add(o, "deviceId", r->device);
	bad |= add(o, "status", r->state) | add(o, "substatus", r->substatus);
	if (strcmp(r->state, "failed") == 0)
		bad |= json_object_set_new(o, "errorCode", json_integer(r->code)) |
		       add(o, "errorMessage", r->message);
	bad |= add(o, "lastUpdatedDateTimeUtc", r->updated) | add(o, "etag", r->etag);
	bad |= add_json(o, "payload", r->payload);
	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

static int
is_state(const char *s)
{
	return strcmp(s, "assigning") == 0 || strcmp(s, "assigned") == 0 || strcmp(s, "failed") == 0;
}

int
dps_put_reply_body(struct buf *b, const struct dps_reply *r)
{
	json_t *o;
	int bad;

	if (r->status == 401 && r->tpm_key != NULL)
		return put_challenge(b, r);
	if (r->status >= 300)
		return put_error(b, r);
	if (!is_state(r->state))
		return HF_ERR_ARGS;
	if (r->operation[0] == '\0')
		return (o = new_state(r)) == NULL ? HF_ERR_ARGS : put_object(b, o, 0);
	o = json_object();
	bad = add(o, "operationId", r->operation) | add(o, "status", r->state);
	if (r->id[0] != '\0')
		bad |= json_object_set_new(o, "registrationState", new_state(r));
	return put_object(b, o, bad);
}

static int
get_error(const json_t *o, struct dps_reply *r, struct hf_error *e)
{
	r->code = (int)js_int(o, "errorCode", 0);
	put_words(r->tracking, sizeof(r->tracking), js_str(o, "trackingId", ""));
	put_words(r->message, sizeof(r->message), js_str(o, "message", ""));
	put_words(r->at, sizeof(r->at), js_str(o, "timestampUtc", ""));
	return get_own(&r->tpm_key, o, "authenticationKey", e);
}

static int
get_attestation(const json_t *state, struct dps_reply *r, struct hf_error *e)
{
	static const char *const name[] = { "tpm", "x509", "symmetricKey" };
	const json_t *o;
	size_t i;

	for (i = 0; i < 3; i++) {
		if ((o = js_get(state, name[i])) == NULL)
			continue;
		r->attestation = name[i];
		put_words(r->group, sizeof(r->group), js_str(o, "enrollmentGroupId", ""));
		return get_own(&r->tpm_key, o, "authenticationKey", e);
	}
	return 0;
}

static int
get_state(const json_t *o, struct dps_reply *r, struct hf_error *e)
{
	const json_t *payload = json_object_get(o, "payload");
	int rc;

	if ((rc = get(r->id, sizeof(r->id), o, "registrationId", e)) < 0 ||
	    (rc = get(r->hub, sizeof(r->hub), o, "assignedHub", e)) < 0 ||
	    (rc = get(r->device, sizeof(r->device), o, "deviceId", e)) < 0 ||
	    (rc = get_attestation(o, r, e)) < 0)
		return rc;
	put_words(r->substatus, sizeof(r->substatus), js_str(o, "substatus", ""));
	put_words(r->created, sizeof(r->created), js_str(o, "createdDateTimeUtc", ""));
	put_words(r->updated, sizeof(r->updated), js_str(o, "lastUpdatedDateTimeUtc", ""));
	put_words(r->etag, sizeof(r->etag), js_str(o, "etag", ""));
	put_words(r->message, sizeof(r->message), js_str(o, "errorMessage", ""));
	r->code = (int)js_int(o, "errorCode", 0);
	return payload == NULL || json_is_null(payload) ? 0 : text_of(&r->payload, payload, e);
}

static int
get_progress(const json_t *o, struct dps_reply *r, struct hf_error *e)
{
	const json_t *state = json_object_get(o, "registrationState");
	int rc;

	if ((rc = get(r->operation, sizeof(r->operation), o, "operationId", e)) < 0 ||
	    (rc = get(r->state, sizeof(r->state), o, "status", e)) < 0)
		return rc;
	if (r->state[0] == '\0')
		return err_set(e, HF_ERR_PROTOCOL, "DPS answered %d without a status in the body", r->status);
	if (!json_is_object(state))
		state = o;
	return get_state(state, r, e);
}

/* A gateway's page, say: its first words are all that there is to tell. */
static void
get_page(const char *p, size_t n, struct dps_reply *r)
{
	size_t i;

	for (i = 0; i < n && i < 200; i++)
		r->message[i] = isprint((unsigned char)p[i])   ? p[i]
				: isspace((unsigned char)p[i]) ? ' '
							       : '?';
	r->message[i] = '\0';
}

int
dps_get_reply_body(const void *p, size_t n, struct dps_reply *r, struct hf_error *e)
{
	struct hf_error why = { 0 };
	json_t *o;
	int rc;

	if (is_blank(p, n) && r->status >= 300)
		return 0;
	o = js_parse(p, n, "DPS's answer", &why);
	if (!json_is_object(o)) {
		json_decref(o);
		err_set(&why, HF_ERR_PROTOCOL, "DPS's answer is not a JSON object");
		if (r->status < 300 || why.code == HF_ERR_MEMORY)
			return err_set(e, why.code, "%s", why.text);
		get_page(p, n, r);
		return 0;
	}
	rc = r->status >= 300 ? get_error(o, r, e) : get_progress(o, r, e);
	json_decref(o);
	if (rc < 0)
		dps_reply_fini(r);
	return rc;
}
