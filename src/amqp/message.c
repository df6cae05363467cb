#include <string.h>
#include "amqp/local.h"
#include "base/str.h"

#define SECTIONS 65536 /* more than a message of any size that is taken needs */

/* The fields of the properties section, in their order. */
enum {
	P_ID,
	P_USER,
	P_TO,
	P_SUBJECT,
	P_REPLY_TO,
	P_CORRELATION,
	P_TYPE,
	P_ENCODING,
	P_EXPIRY,
	P_CREATED,
	P_FIELDS
};

static struct amqp_text *
text_field(struct amqp_message *m, int field)
{
	switch (field) {
	case P_USER:
		return &m->user_id;
	case P_TO:
		return &m->to;
	case P_SUBJECT:
		return &m->subject;
	case P_REPLY_TO:
		return &m->reply_to;
	case P_TYPE:
		return &m->content_type;
	case P_ENCODING:
		return &m->content_encoding;
	default:
		return NULL;
	}
}

static int
put_text(struct buf *b, int field, const struct amqp_text *t)
{
	if (t->p == NULL)
		return amqp_put_null(b);
	if (field == P_USER)
		return amqp_put_binary(b, t->p, t->len);
	if (field != P_TYPE && field != P_ENCODING)
		return amqp_put_string(b, t->p, t->len);
	return amqp_put_symbol(b, t->p, t->len);
}

static int
put_field(struct buf *b, const struct amqp_message *m, int field)
{
	const struct amqp_value *v = field == P_ID ? &m->id : &m->correlation_id;
	int64_t at = field == P_EXPIRY ? m->expiry : m->created;

	if (field == P_EXPIRY || field == P_CREATED)
		return at == 0 ? amqp_put_null(b) : amqp_put_timestamp(b, at);
	if (field != P_ID && field != P_CORRELATION)
		return put_text(b, field, text_field((struct amqp_message *)m, field));
	return v->whole == NULL ? amqp_put_null(b) : buf_put(b, v->whole, v->whole_len);
}

static int
has_field(const struct amqp_message *m, int field)
{
	const struct amqp_text *t = text_field((struct amqp_message *)m, field);

	if (t != NULL)
		return t->p != NULL;
	if (field == P_EXPIRY || field == P_CREATED)
		return (field == P_EXPIRY ? m->expiry : m->created) != 0;
	return (field == P_ID ? &m->id : &m->correlation_id)->whole != NULL;
}

/* Up to the last field that is there. */
static int
put_properties(struct buf *b, const struct amqp_message *m)
{
	struct buf list = { 0 };
	int last = P_FIELDS, r = 0;

	while (last > 0 && !has_field(m, last - 1))
		last--;
	for (int i = 0; i < last && r == 0; i++)
		r = put_field(&list, m, i);
	if (r == 0 && last > 0)
		r = amqp_put_list(b, AMQP_PROPERTIES_SECTION, (uint32_t)last, &list);
	buf_free(&list);
	return r;
}

static int
put_pairs(struct buf *b, uint8_t section, const struct amqp_pairs *p)
{
	if (p == NULL || p->count == 0)
		return 0;
	return p->failed != 0 ? p->failed : amqp_put_map(b, section, p->count, &p->b);
}

static int
put_body(struct buf *b, const struct amqp_message *m)
{
	const uint8_t data[] = { 0, 0x53, AMQP_DATA }, value[] = { 0, 0x53, AMQP_VALUE };
	int r;

	if (m->has_value) {
		r = buf_put(b, value, sizeof(value));
		if (r < 0)
			return r;
		return m->value.whole == NULL ? amqp_put_null(b)
					      : buf_put(b, m->value.whole, m->value.whole_len);
	}
	r = buf_put(b, data, sizeof(data));
	return r < 0 ? r : amqp_put_binary(b, m->data.p, m->data.len);
}

int
amqp_message_put(struct buf *b, const struct amqp_message *m)
{
	int r = put_pairs(b, AMQP_MESSAGE_ANNOTATIONS, m->put_annotations);

	if (r == 0)
		r = put_properties(b, m);
	if (r == 0)
		r = put_pairs(b, AMQP_APPLICATION, m->put_application);
	return r == 0 ? put_body(b, m) : r;
}

static int
broken(struct hf_error *e, const char *what)
{
	return err_set(e, HF_ERR_PROTOCOL, "an AMQP message's %s cannot be read", what);
}

static int
get_text(struct amqp_text *t, int field, const struct amqp_value *v)
{
	int is_text = v->type == AMQP_STRING || v->type == AMQP_SYMBOL;

	if (v->type == AMQP_NULL)
		return 0;
	if (!is_text && !(field == P_USER && v->type == AMQP_BINARY))
		return HF_ERR_PROTOCOL;
	*t = v->bytes;
	return 0;
}

static int
is_id(const struct amqp_value *v)
{
	return v->described == 0 && (v->type == AMQP_UINT || v->type == AMQP_UUID || v->type == AMQP_BINARY ||
					v->type == AMQP_STRING);
}

static int
get_field(struct amqp_message *m, int field, const struct amqp_value *v)
{
	struct amqp_text *t = text_field(m, field);

	if (t != NULL)
		return get_text(t, field, v);
	if (v->type == AMQP_NULL)
		return 0;
	if (field == P_ID || field == P_CORRELATION) {
		*(field == P_ID ? &m->id : &m->correlation_id) = *v;
		return is_id(v) ? 0 : HF_ERR_PROTOCOL;
	}
	if (field == P_EXPIRY || field == P_CREATED) {
		*(field == P_EXPIRY ? &m->expiry : &m->created) = v->i;
		return v->code == 0x83 ? 0 : HF_ERR_PROTOCOL;
	}
	return 0;
}

static int
get_properties(struct amqp_message *m, const struct amqp_value *list, struct hf_error *e)
{
	struct amqp_walk w = amqp_inside(list);
	struct amqp_value v;
	int r = 0;

	if (list->type != AMQP_LIST)
		return broken(e, "properties");
	for (int i = 0; (r = amqp_walk(&w, &v)) == 1; i++)
		if (get_field(m, i, &v) < 0)
			return broken(e, "properties");
	return r < 0 ? broken(e, "properties") : 0;
}

/* Every pair has to be one; keys are texts, but for annotations, whose keys may be numbers. */
static int
get_map(struct amqp_value *dst, const struct amqp_value *v, const char *what, struct hf_error *e)
{
	struct amqp_walk w = amqp_inside(v);
	struct amqp_value k, x;
	uint32_t n = 0;
	int r;

	if (v->type == AMQP_NULL)
		return 0;
	if (v->type != AMQP_MAP || v->count % 2 != 0)
		return broken(e, what);
	for (; (r = amqp_walk(&w, &k)) == 1; n += 2)
		if (amqp_walk(&w, &x) != 1 ||
		    (k.type != AMQP_STRING && k.type != AMQP_SYMBOL && k.type != AMQP_UINT))
			return broken(e, what);
	if (r < 0 || n != v->count)
		return broken(e, what);
	*dst = *v;
	return 0;
}

static int
get_section(struct amqp_message *m, const struct amqp_value *v, struct hf_error *e)
{
	switch (v->described) {
	case AMQP_HEADER:
	case AMQP_DELIVERY_ANNOTATIONS:
	case AMQP_FOOTER:
		return 0;
	case AMQP_MESSAGE_ANNOTATIONS:
		return get_map(&m->annotations, v, "annotations", e);
	case AMQP_PROPERTIES_SECTION:
		return get_properties(m, v, e);
	case AMQP_APPLICATION:
		return get_map(&m->application, v, "application properties", e);
	case AMQP_DATA:
		if (v->type != AMQP_BINARY)
			return broken(e, "body");
		if (m->data_sections++ == 0)
			m->data = v->bytes;
		return 0;
	case AMQP_VALUE:
		m->has_value = 1;
		m->value = *v;
		m->value.described = 0;
		return 0;
	default:
		return broken(e, "sections");
	}
}

int
amqp_message_get(const void *p, size_t n, struct amqp_message *m, struct hf_error *e)
{
	struct amqp_walk w = { p, n };
	struct amqp_value v;
	int r;

	memset(m, 0, sizeof(*m));
	for (int i = 0; (r = amqp_walk(&w, &v)) == 1; i++)
		if (i == SECTIONS || get_section(m, &v, e) < 0)
			return broken(e, "sections");
	return r < 0 ? broken(e, "sections") : 0;
}

int
amqp_message_data(struct amqp_walk *w, struct amqp_text *data)
{
	struct amqp_value v;

	while (amqp_walk(w, &v) == 1)
		if (v.described == AMQP_DATA && v.type == AMQP_BINARY) {
			*data = v.bytes;
			return 1;
		}
	return 0;
}
