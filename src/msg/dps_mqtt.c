#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/url.h"
#include "msg/dps.h"

#define REQUEST	 "$dps/registrations/"
#define REGISTER REQUEST "PUT/iotdps-register/"
#define POLL	 REQUEST "GET/iotdps-get-operationstatus/"
#define REPLY	 REQUEST "res/"
#define CLIENT	 "holdfast%2F" HF_VERSION

static int
said(int rc)
{
	return rc < 0 ? rc : 0;
}

int
dps_mqtt_put_who(struct mqtt *m, const struct dps_who *w, unsigned keep_alive)
{
	struct mqtt_connect c = { .clean = 1, .keep_alive = keep_alive };
	char user[320];

	if (str_fmt(user, sizeof(user), "%s/registrations/%s/api-version=%s&ClientVersion=%s", w->scope,
		w->id, w->api[0] != '\0' ? w->api : DPS_API, CLIENT) < 0)
		return HF_ERR_ARGS;
	c.client_id = (struct mqtt_text){ w->id, strlen(w->id) };
	c.user = (struct mqtt_text){ user, strlen(user) };
	if (w->token != NULL)
		c.password = (struct mqtt_text){ w->token, strlen(w->token) };
	return said(mqtt_say_connect(m, &c));
}

/* The path's next segment, up to a slash or the end. */
static struct mqtt_text
segment(struct mqtt_text *in)
{
	const char *slash = memchr(in->p, '/', in->len);
	struct mqtt_text s = { in->p, slash == NULL ? in->len : (size_t)(slash - in->p) };
	size_t n = slash == NULL ? in->len : s.len + 1;

	in->p += n;
	in->len -= n;
	return s;
}

static int
get_api(struct dps_who *w, struct mqtt_text query, struct hf_error *e)
{
	const char *p = query.p;
	struct url_pair pair;

	while (url_next(&p, query.p + query.len, &pair) == 1) {
		if (!str_eqin("api-version", pair.key, pair.klen))
			continue;
		if (pair.vlen < sizeof(w->api) && dps_is_api(pair.value, pair.vlen))
			return str_copy(w->api, sizeof(w->api), pair.value, pair.vlen);
		return err_set(e, HF_ERR_PROTOCOL, "the username's api-version is not a date");
	}
	return err_set(e, HF_ERR_PROTOCOL, "the username has no api-version");
}

static int
get_token(char **token, struct mqtt_text password, struct hf_error *e)
{
	if (password.p == NULL || password.len == 0)
		return 0;
	if (memchr(password.p, '\0', password.len) != NULL)
		return err_set(e, HF_ERR_PROTOCOL, "the password is not a text");
	if ((*token = strndup(password.p, password.len)) == NULL)
		return err_memory(e);
	return 0;
}

int
dps_mqtt_get_who(const struct mqtt_connect *c, struct dps_who *w, struct hf_error *e)
{
	struct mqtt_text rest = c->user, scope, word, id;
	int rc;

	memset(w, 0, sizeof(*w));
	if (rest.p == NULL)
		return err_set(e, HF_ERR_PROTOCOL, "a device must have a username");
	scope = segment(&rest);
	word = segment(&rest);
	id = segment(&rest);
	if (!str_eqin("registrations", word.p, word.len))
		return err_set(
		    e, HF_ERR_PROTOCOL, "the username is not SCOPE/registrations/ID/api-version=DATE");
	if (scope.len == 0 || str_copy(w->scope, sizeof(w->scope), scope.p, scope.len) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "the username's scope cannot be one");
	if (id.len == 0 || str_copy(w->id, sizeof(w->id), id.p, id.len) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "the username's registration id cannot be one");
	if ((rc = get_api(w, rest, e)) < 0)
		return rc;
	if (!str_eqin(w->id, c->client_id.p, c->client_id.len))
		return err_set(e, HF_ERR_PROTOCOL, "client id and username name two registration ids");
	return get_token(&w->token, c->password, e);
}

int
dps_mqtt_put_request(struct mqtt *m, const struct dps_request *q, const char *id)
{
	struct buf topic = { 0 }, body = { 0 };
	struct mqtt_publish p = { .qos = 1 };
	int rc = HF_ERR_UNSUPPORTED;

	if (q->op == DPS_LOOKUP || q->ek != NULL)
		goto fail;
	if ((rc = buf_puts(&topic, q->op == DPS_POLL ? POLL : REGISTER)) < 0 ||
	    (rc = buf_fmt(&topic, "?$rid=%s", q->rid)) < 0 || (rc = dps_put_request_body(&body, q, id)) < 0)
		goto fail;
	if (q->op == DPS_POLL && ((rc = buf_puts(&topic, "&operationId=")) < 0 ||
				     (rc = url_put(&topic, q->operation, strlen(q->operation))) < 0))
		goto fail;
	p.topic = (struct mqtt_text){ (const char *)buf_data(&topic), buf_size(&topic) };
	p.len = buf_size(&body);
	p.body = p.len == 0 ? "" : (const void *)buf_data(&body);
	rc = said(mqtt_publish(m, &p));
fail:
	buf_free(&topic);
	buf_free(&body);
	return rc;
}

/* A topic's path without its last slash, and what stands behind its question mark. */
static void
split(struct mqtt_text topic, struct mqtt_text *path, struct mqtt_text *query)
{
	const char *mark = memchr(topic.p, '?', topic.len);

	*path = topic;
	*query = (struct mqtt_text){ topic.p + topic.len, 0 };
	if (mark != NULL) {
		path->len = (size_t)(mark - topic.p);
		*query = (struct mqtt_text){ mark + 1, topic.len - path->len - 1 };
	}
	if (path->len > 0 && path->p[path->len - 1] == '/')
		path->len--;
}

static int
is(struct mqtt_text path, const char *with_slash)
{
	size_t n = strlen(with_slash) - 1;

	return path.len == n && memcmp(path.p, with_slash, n) == 0;
}

static int
get_operation(struct dps_request *q, const struct url_pair *pair, struct hf_error *e)
{
	struct buf b = { 0 };
	int rc = url_get(&b, pair->value, pair->vlen);

	if (rc == 0)
		rc = str_copy(q->operation, sizeof(q->operation), buf_data(&b), buf_size(&b));
	buf_free(&b);
	if (rc == HF_ERR_MEMORY)
		return err_memory(e);
	return rc == 0 ? 0 : err_set(e, HF_ERR_PROTOCOL, "the topic's operationId cannot be one");
}

static int
get_request_query(struct dps_request *q, struct mqtt_text query, struct hf_error *e)
{
	const char *p = query.p;
	struct url_pair pair;
	int rc = 0;

	while (rc == 0 && url_next(&p, query.p + query.len, &pair) == 1) {
		if (pair.vlen == 0)
			continue;
		if (str_eqin("$rid", pair.key, pair.klen) &&
		    str_copy(q->rid, sizeof(q->rid), pair.value, pair.vlen) < 0)
			rc = err_set(e, HF_ERR_PROTOCOL, "the topic's $rid is too long");
		if (str_eqin("operationId", pair.key, pair.klen))
			rc = get_operation(q, &pair, e);
	}
	return rc;
}

int
dps_mqtt_get_request(const struct mqtt_publish *p, struct dps_request *q, struct hf_error *e)
{
	struct mqtt_text path, query;
	int rc;

	memset(q, 0, sizeof(*q));
	split(p->topic, &path, &query);
	if (is(path, REGISTER))
		q->op = DPS_REGISTER;
	else if (is(path, POLL))
		q->op = DPS_POLL;
	else
		return err_set(e, HF_ERR_PROTOCOL, "DPS has no such topic");
	if ((rc = get_request_query(q, query, e)) < 0)
		return rc;
	if (q->op == DPS_POLL && q->operation[0] == '\0')
		return err_set(e, HF_ERR_PROTOCOL, "the topic has no operationId");
	return dps_get_request_body(p->body, p->len, q, e);
}

int
dps_mqtt_put_reply(struct mqtt *m, const struct dps_reply *r, int qos)
{
	struct buf topic = { 0 }, body = { 0 };
	struct mqtt_publish p = { .qos = qos };
	int rc;

	if ((rc = buf_fmt(&topic, REPLY "%d/?$rid=%s", r->status, r->rid)) < 0 ||
	    (r->retry_after > 0 && (rc = buf_fmt(&topic, "&retry-after=%d", r->retry_after)) < 0) ||
	    (rc = dps_put_reply_body(&body, r)) < 0)
		goto fail;
	p.topic = (struct mqtt_text){ (const char *)buf_data(&topic), buf_size(&topic) };
	p.body = buf_data(&body);
	p.len = buf_size(&body);
	rc = said(mqtt_publish(m, &p));
fail:
	buf_free(&topic);
	buf_free(&body);
	return rc;
}

static void
get_reply_query(struct dps_reply *r, struct mqtt_text query)
{
	const char *p = query.p;
	struct url_pair pair;
	uint64_t seconds;

	while (url_next(&p, query.p + query.len, &pair) == 1) {
		if (str_eqin("$rid", pair.key, pair.klen) && pair.vlen > 0)
			(void)str_copy(r->rid, sizeof(r->rid), pair.value, pair.vlen);
		if (str_eqin("retry-after", pair.key, pair.klen) &&
		    str_u64(pair.value, pair.vlen, 86400, &seconds) == 0)
			r->retry_after = (int)seconds;
	}
}

int
dps_mqtt_get_reply(const struct mqtt_publish *p, struct dps_reply *r, struct hf_error *e)
{
	size_t lead = strlen(REPLY);
	struct mqtt_text path, query;
	uint64_t status;

	memset(r, 0, sizeof(*r));
	split(p->topic, &path, &query);
	if (path.len <= lead || memcmp(path.p, REPLY, lead) != 0 ||
	    str_u64(path.p + lead, path.len - lead, 599, &status) < 0 || status < 100)
		return err_set(e, HF_ERR_PROTOCOL, "DPS answered on a topic that it does not have");
	r->status = (int)status;
	get_reply_query(r, query);
	return dps_get_reply_body(p->body, p->len, r, e);
}
