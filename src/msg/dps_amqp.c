#include <string.h>
#include "base/str.h"
#include "msg/dps.h"

#define OPERATION    "iotdps-operation-type"
#define OPERATION_ID "iotdps-operation-id"
#define REGISTER     "iotdps-register"
#define POLL	     "iotdps-get-operationstatus"
#define AFTER_MAX    86400

int
dps_amqp_put_address(char dst[DPS_AMQP_ADDRESS], const struct dps_who *w)
{
	return str_fmt(dst, DPS_AMQP_ADDRESS, "%s/registrations/%s", w->scope, w->id);
}

/* What stands before a slash; then behind it. */
static int
segment(const char **s, char *dst, size_t cap)
{
	size_t n = strcspn(*s, "/");
	int rc = n == 0 ? HF_ERR_ARGS : str_copy(dst, cap, *s, n);

	*s += n;
	*s += **s == '/';
	return rc;
}

int
dps_amqp_get_address(const char *address, struct dps_who *w, struct hf_error *e)
{
	const char *s = address != NULL ? address : "";
	char word[16];

	if (strncmp(s, "amqps://", 8) == 0) {
		s += 8;
		s += strcspn(s, "/");
	}
	s += *s == '/';
	if (segment(&s, w->scope, sizeof(w->scope)) < 0 || segment(&s, word, sizeof(word)) < 0 ||
	    !str_eqi(word, "registrations") || segment(&s, w->id, sizeof(w->id)) < 0 || *s != '\0')
		return err_set(e, HF_ERR_PROTOCOL, "the link's address is not SCOPE/registrations/ID");
	return 0;
}

static struct amqp_text
text(const struct buf *b)
{
	return (struct amqp_text){ (const char *)buf_data(b), buf_size(b) };
}

int
dps_amqp_put_request(struct buf *b, const struct dps_request *q, const char *id)
{
	struct buf rid = { 0 }, body = { 0 };
	struct amqp_pairs words = { 0 };
	struct amqp_message m = { .put_application = &words };
	int rc = HF_ERR_UNSUPPORTED;

	if (q->op == DPS_LOOKUP)
		return rc;
	amqp_pair_text(&words, OPERATION, q->op == DPS_POLL ? POLL : REGISTER);
	if (q->op == DPS_POLL)
		amqp_pair_text(&words, OPERATION_ID, q->operation);
	if ((rc = dps_put_request_body(&body, q, id)) < 0 ||
	    (rc = amqp_put_string(&rid, q->rid, strlen(q->rid))) < 0)
		goto fail;
	m.correlation_id.whole = buf_data(&rid);
	m.correlation_id.whole_len = buf_size(&rid);
	m.data = text(&body);
	rc = amqp_message_put(b, &m);
fail:
	buf_free(&words.b);
	buf_free(&rid);
	buf_free(&body);
	return rc;
}

/* As bytes, or as a text in a value. */
static struct amqp_text
body_of(const struct amqp_message *m)
{
	if (m->has_value && (m->value.type == AMQP_STRING || m->value.type == AMQP_BINARY))
		return m->value.bytes;
	return m->data;
}

static int
get_op(struct dps_request *q, const struct amqp_value *words, struct hf_error *e)
{
	struct amqp_value v;

	if (!amqp_find(words, OPERATION, &v))
		return err_set(e, HF_ERR_PROTOCOL, "the message has no " OPERATION);
	if (amqp_is(&v, REGISTER))
		q->op = DPS_REGISTER;
	else if (amqp_is(&v, POLL))
		q->op = DPS_POLL;
	else
		return err_set(e, HF_ERR_PROTOCOL, "DPS has no such " OPERATION);
	if (q->op == DPS_POLL &&
	    (!amqp_find(words, OPERATION_ID, &v) || amqp_copy(&v, q->operation, sizeof(q->operation)) < 0 ||
		q->operation[0] == '\0'))
		return err_set(e, HF_ERR_PROTOCOL, "the message has no " OPERATION_ID " that can be one");
	return 0;
}

int
dps_amqp_get_request(
    const void *p, size_t n, struct dps_request *q, struct amqp_value *correlation, struct hf_error *e)
{
	struct amqp_message m;
	struct amqp_text body;
	int rc;

	memset(q, 0, sizeof(*q));
	memset(correlation, 0, sizeof(*correlation));
	if ((rc = amqp_message_get(p, n, &m, e)) < 0)
		return rc;
	*correlation = m.correlation_id;
	(void)amqp_copy(&m.correlation_id, q->rid, sizeof(q->rid));
	if ((rc = get_op(q, &m.application, e)) < 0)
		return rc;
	body = body_of(&m);
	return dps_get_request_body(body.p != NULL ? body.p : "", body.len, q, e);
}

/* The number that some look for with a capital, some without. */
int
dps_amqp_put_reply(struct buf *b, const struct dps_reply *r, const struct amqp_value *correlation)
{
	struct amqp_pairs words = { 0 };
	struct amqp_message m = { .put_application = &words };
	struct buf body = { 0 };
	int rc = dps_put_reply_body(&body, r);

	if (r->retry_after > 0) {
		amqp_pair_int(&words, "retry-after", r->retry_after);
		amqp_pair_int(&words, "Retry-After", r->retry_after);
	}
	if (correlation != NULL)
		m.correlation_id = *correlation;
	m.data = text(&body);
	if (rc == 0)
		rc = amqp_message_put(b, &m);
	buf_free(&words.b);
	buf_free(&body);
	return rc;
}

/* The reply's status is not said, but follows. */
int
dps_amqp_get_reply(const void *p, size_t n, struct dps_reply *r, struct hf_error *e)
{
	struct amqp_message m;
	struct amqp_value v;
	struct amqp_text body;
	int64_t seconds;
	int rc;

	memset(r, 0, sizeof(*r));
	r->status = 200;
	if ((rc = amqp_message_get(p, n, &m, e)) < 0)
		return rc;
	body = body_of(&m);
	if ((rc = dps_get_reply_body(body.p != NULL ? body.p : "", body.len, r, e)) < 0)
		return rc;
	if (strcmp(r->state, "assigning") == 0)
		r->status = 202;
	(void)amqp_copy(&m.correlation_id, r->rid, sizeof(r->rid));
	if ((amqp_find(&m.application, "retry-after", &v) || amqp_find(&m.application, "Retry-After", &v)) &&
	    amqp_number(&v, AFTER_MAX, &seconds))
		r->retry_after = (int)seconds;
	return 0;
}

static const struct {
	int status;
	const char *condition;
} conditions[] = { { 401, "amqp:unauthorized-access" }, { 403, "amqp:unauthorized-access" },
	{ 404, "amqp:not-found" }, { 412, "com.microsoft:precondition-failed" },
	{ 429, "com.microsoft:device-container-throttled" }, { 500, "amqp:internal-error" },
	{ 400, "amqp:not-allowed" } };
#define CONDITIONS (sizeof(conditions) / sizeof(conditions[0]))

const char *
dps_amqp_put_error(struct buf *description, const struct dps_reply *r)
{
	int status = r->status > 500 ? 500 : r->status;
	size_t i = 0;

	while (i < CONDITIONS - 1 && conditions[i].status != status)
		i++;
	if (dps_put_reply_body(description, r) < 0 || buf_str(description) == NULL)
		return NULL;
	return conditions[i].condition;
}

/* The description is the error as a reply's body would have it; the condition says the rest. */
int
dps_amqp_get_error(const char *condition, const char *description, struct dps_reply *r, struct hf_error *e)
{
	size_t i = 0;
	int rc;

	memset(r, 0, sizeof(*r));
	while (condition != NULL && i < CONDITIONS && strcmp(conditions[i].condition, condition) != 0)
		i++;
	r->status = condition == NULL || i == CONDITIONS ? 400 : conditions[i].status;
	if (description == NULL)
		description = "";
	if ((rc = dps_get_reply_body(description, strlen(description), r, e)) < 0)
		return rc;
	if (r->code / 1000 >= 400 && r->code / 1000 < 600)
		r->status = r->code / 1000;
	if (r->message[0] == '\0')
		(void)str_fmt(r->message, sizeof(r->message), "%.250s",
		    condition != NULL ? condition : "no reason given");
	str_plain(r->message);
	return 0;
}
