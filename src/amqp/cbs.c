#include <string.h>
#include "amqp/local.h"
#include "base/str.h"

#define TYPE "servicebus.windows.net:sastoken"

int
cbs_put(struct buf *b, uint64_t id, const char *name, const char *token)
{
	struct amqp_message m = { .has_value = 1, .to = { "$cbs", 4 }, .reply_to = { "$cbs", 4 } };
	struct amqp_pairs words = { 0 };
	struct buf key = { 0 }, body = { 0 };
	int r;

	amqp_pair_text(&words, "operation", "put-token");
	amqp_pair_text(&words, "type", TYPE);
	amqp_pair_text(&words, "name", name);
	if ((r = amqp_put_ulong(&key, id)) < 0 || (r = amqp_put_string(&body, token, strlen(token))) < 0)
		goto fail;
	m.id.whole = buf_data(&key);
	m.id.whole_len = buf_size(&key);
	m.value.whole = buf_data(&body);
	m.value.whole_len = buf_size(&body);
	m.put_application = &words;
	r = amqp_message_put(b, &m);
fail:
	buf_free(&words.b);
	buf_free(&key);
	buf_free(&body);
	return r;
}

int
cbs_get(const void *p, size_t n, struct amqp_put_token *t, struct hf_error *e)
{
	struct amqp_message m;
	struct amqp_value v;

	memset(t, 0, sizeof(*t));
	if (amqp_message_get(p, n, &m, e) < 0)
		return e->code;
	t->id = m.id;
	if (!amqp_find(&m.application, "operation", &v) || !amqp_is(&v, "put-token"))
		return err_set(e, HF_ERR_PROTOCOL, "what came to $cbs is not put-token");
	if (!amqp_find(&m.application, "type", &v) || amqp_copy(&v, t->type, sizeof(t->type)) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "put-token came without the token's type");
	if (!amqp_find(&m.application, "name", &v) || amqp_copy(&v, t->name, sizeof(t->name)) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "put-token came without a name");
	if (!m.has_value || m.value.type != AMQP_STRING)
		return err_set(e, HF_ERR_PROTOCOL, "put-token came without a token");
	t->token = m.value.bytes;
	return 0;
}

int
cbs_put_reply(struct buf *b, const struct amqp_value *id, int status, const char *description)
{
	struct amqp_message m = { .has_value = 1, .correlation_id = *id };
	struct amqp_pairs words = { 0 };
	int r;

	amqp_pair_int(&words, "status-code", status);
	amqp_pair_text(&words, "status-description", description);
	m.put_application = &words;
	r = amqp_message_put(b, &m);
	buf_free(&words.b);
	return r;
}

int
cbs_get_reply(
    const void *p, size_t n, uint64_t *id, int *status, char *description, size_t cap, struct hf_error *e)
{
	struct amqp_message m;
	struct amqp_value v;
	int64_t code;

	description[0] = '\0';
	if (amqp_message_get(p, n, &m, e) < 0)
		return e->code;
	if (m.correlation_id.type != AMQP_UINT)
		return err_set(e, HF_ERR_PROTOCOL, "an answer to put-token names no request of ours");
	if (!amqp_find(&m.application, "status-code", &v) || !amqp_number(&v, 999, &code))
		return err_set(e, HF_ERR_PROTOCOL, "an answer to put-token has no status");
	*id = m.correlation_id.u;
	*status = (int)code;
	if (amqp_find(&m.application, "status-description", &v))
		(void)amqp_copy(&v, description, cap);
	return 0;
}
