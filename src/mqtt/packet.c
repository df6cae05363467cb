#include <string.h>
#include "mqtt/mqtt.h"

#define LENGTH_MAX 268435455 /* what four bytes of remaining length can say */
#define TEXT_MAX   65535

struct reader {
	const uint8_t *p, *end;
	const char
	    *wrong; /* NULL until more was asked for than there is; from then on all that is read is 0 */
};

static void
run_short(struct reader *r)
{
	r->wrong = "it ends too early";
	r->p = r->end;
}

static uint8_t
get8(struct reader *r)
{
	if (r->p == r->end) {
		run_short(r);
		return 0;
	}
	return *r->p++;
}

static uint16_t
get16(struct reader *r)
{
	unsigned high = get8(r);

	return (uint16_t)(high << 8 | get8(r));
}

static void
get_text(struct reader *r, struct mqtt_text *t)
{
	size_t n = get16(r);

	if (n > (size_t)(r->end - r->p)) {
		run_short(r);
		n = 0;
	}
	*t = (struct mqtt_text){ (const char *)r->p, n };
	r->p += n;
}

static uint8_t *
put8(uint8_t *p, unsigned v)
{
	*p = (uint8_t)v;
	return p + 1;
}

static uint8_t *
put16(uint8_t *p, unsigned v)
{
	return put8(put8(p, v >> 8), v & 0xff);
}

static uint8_t *
put_bytes(uint8_t *p, const void *src, size_t n)
{
	if (n > 0)
		memcpy(p, src, n);
	return p + n;
}

static uint8_t *
put_text(uint8_t *p, const struct mqtt_text *t)
{
	return put_bytes(put16(p, (unsigned)t->len), t->p, t->len);
}

/* Appends the fixed header and makes room for the rest, which starts at *body and can then be written without fail. */
static int
put_head(struct buf *b, unsigned first, size_t len, uint8_t **body)
{
	uint8_t head[5], *p = put8(head, first), *room;
	size_t left = len;

	if (len > LENGTH_MAX)
		return HF_ERR_ARGS;
	for (; left > 0x7f; left >>= 7)
		p = put8(p, 0x80 | (left & 0x7f));
	p = put8(p, (unsigned)left);
	room = buf_room(b, (size_t)(p - head) + len);
	if (room == NULL)
		return HF_ERR_MEMORY;
	buf_add(b, (size_t)(p - head) + len);
	*body = put_bytes(room, head, (size_t)(p - head));
	return 0;
}

/* The length of the fixed header; 0: not all of it is there; -1: it is none. */
static int
get_head(const uint8_t *p, size_t n, size_t *len)
{
	size_t i;

	*len = 0;
	for (i = 1; i <= 4 && i < n; i++) {
		*len |= (size_t)(p[i] & 0x7f) << 7 * (i - 1);
		if (p[i] == 0 && i > 1)
			return -1;
		if (p[i] < 0x80)
			return (int)i + 1;
	}
	return i > 4 ? -1 : 0;
}

/* How many bytes the character at p has; 0 when it is none that MQTT allows (NUL, surrogates, longer than need be). */
static size_t
utf8_char(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
	size_t size = *p < 0x80 ? 1 : *p < 0xc0 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf8 ? 4 : 0;
	uint32_t c = size > 1 ? *p & (0x7fu >> size) : *p;

	if (size == 0 || size > n)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : size;
}

static const char *
text_wrong(const struct mqtt_text *t)
{
	const uint8_t *p = (const uint8_t *)t->p;
	size_t i = 0, step;

	if (t->len > TEXT_MAX)
		return "a text in it is longer than 65,535 bytes";
	while (i < t->len) {
		step = p[i] > 0 && p[i] < 0x80 ? 1 : utf8_char(p + i, t->len - i);
		if (step == 0)
			return "a text in it has a NUL or is not UTF-8";
		i += step;
	}
	return NULL;
}

static const char *
topic_wrong(const struct mqtt_text *t)
{
	if (t->len == 0)
		return "its topic is empty";
	if (memchr(t->p, '+', t->len) != NULL || memchr(t->p, '#', t->len) != NULL)
		return "its topic has a wildcard";
	return text_wrong(t);
}

static const char *
filter_wrong(const struct mqtt_text *t)
{
	if (t->len == 0)
		return "a filter in it is empty";
	for (size_t i = 0; i < t->len; i++) {
		if (t->p[i] != '+' && t->p[i] != '#')
			continue;
		if (i > 0 && t->p[i - 1] != '/')
			return "a filter in it has a wildcard behind other characters";
		if (i + 1 < t->len && (t->p[i] == '#' || t->p[i + 1] != '/'))
			return "a filter in it has a wildcard before other characters";
	}
	return text_wrong(t);
}

enum { CLEAN = 0x02, WILL = 0x04, WILL_RETAIN = 0x20, PASSWORD = 0x40, USER = 0x80 };

static const char *
connect_wrong(const struct mqtt_connect *c)
{
	const char *wrong = text_wrong(&c->client_id);

	if (c->password.p != NULL && c->user.p == NULL)
		return "it has a password without a user name";
	if (c->will_topic.p == NULL && (c->will_qos != 0 || c->will_retain))
		return "it has flags of a will without a will";
	if (c->will_qos < 0 || c->will_qos > 2)
		return "its will has no valid QoS";
	if (c->keep_alive > 65535 || c->will_body.len > TEXT_MAX || c->password.len > TEXT_MAX)
		return "a value in it is above 65,535";
	if (wrong == NULL && c->user.p != NULL)
		wrong = text_wrong(&c->user);
	if (wrong == NULL && c->will_topic.p != NULL)
		wrong = topic_wrong(&c->will_topic);
	return wrong;
}

static int
put_connect(struct buf *b, const struct mqtt_connect *c)
{
	int will = c->will_topic.p != NULL, user = c->user.p != NULL, password = c->password.p != NULL;
	size_t len = 12 + c->client_id.len + (will ? 4 + c->will_topic.len + c->will_body.len : 0) +
		     (user ? 2 + c->user.len : 0) + (password ? 2 + c->password.len : 0);
	unsigned flags = (c->clean ? CLEAN : 0) | (will ? WILL : 0) | (unsigned)c->will_qos << 3 |
			 (c->will_retain ? WILL_RETAIN : 0) | (password ? PASSWORD : 0) | (user ? USER : 0);
	uint8_t *p;
	int r;

	if (connect_wrong(c) != NULL)
		return HF_ERR_ARGS;
	r = put_head(b, MQTT_CONNECT << 4, len, &p);
	if (r < 0)
		return r;
	p = put8(put_bytes(p, "\0\4MQTT\4", 7), flags);
	p = put_text(put16(p, c->keep_alive), &c->client_id);
	if (will)
		p = put_text(put_text(p, &c->will_topic), &c->will_body);
	if (user)
		p = put_text(p, &c->user);
	if (password)
		put_text(p, &c->password);
	return 0;
}

static const char *
get_connect(struct reader *r, struct mqtt_event *e)
{
	struct mqtt_connect *c = &e->connect;
	struct mqtt_text name;
	unsigned level, flags;

	get_text(r, &name);
	if (name.len != 4 || memcmp(name.p, "MQTT", 4) != 0)
		return "it is not for the protocol MQTT";
	level = get8(r);
	if (r->wrong == NULL && level != 4) {
		e->type = MQTT_CONNACK;
		e->connack = (struct mqtt_connack){ .code = 1 };
		return "its protocol level is not 4 (MQTT 3.1.1)";
	}
	flags = get8(r);
	if (flags & 1)
		return "a reserved flag is set";
	*c = (struct mqtt_connect){ .clean = (flags & CLEAN) != 0,
		.will_qos = flags >> 3 & 3,
		.will_retain = (flags & WILL_RETAIN) != 0,
		.keep_alive = get16(r) };
	get_text(r, &c->client_id);
	if (flags & WILL) {
		get_text(r, &c->will_topic);
		get_text(r, &c->will_body);
	}
	if (flags & USER)
		get_text(r, &c->user);
	if (flags & PASSWORD)
		get_text(r, &c->password);
	return r->wrong != NULL ? r->wrong : connect_wrong(c);
}

static const char *
connack_wrong(const struct mqtt_connack *c)
{
	if (c->code < 0 || c->code > 5)
		return "its return code is a reserved one";
	if (c->session != 0 && c->session != 1)
		return "a reserved flag is set";
	return c->session && c->code != 0 ? "it refuses, and yet has a session" : NULL;
}

static int
put_connack(struct buf *b, const struct mqtt_connack *c)
{
	uint8_t *p;
	int r;

	if (connack_wrong(c) != NULL)
		return HF_ERR_ARGS;
	r = put_head(b, MQTT_CONNACK << 4, 2, &p);
	if (r == 0)
		put8(put8(p, (unsigned)c->session), (unsigned)c->code);
	return r;
}

static const char *
get_connack(struct reader *r, struct mqtt_event *e)
{
	e->connack.session = get8(r);
	e->connack.code = get8(r);
	return r->wrong != NULL ? r->wrong : connack_wrong(&e->connack);
}

static const char *
publish_wrong(const struct mqtt_publish *m)
{
	if (m->qos < 0 || m->qos > 2)
		return "it has no valid QoS";
	if (m->qos == 0 && m->dup)
		return "it is a duplicate at QoS 0";
	if (m->qos > 0 && m->id == 0)
		return "its packet id is 0";
	if (m->len > LENGTH_MAX)
		return "it is too long";
	return topic_wrong(&m->topic);
}

static int
put_publish(struct buf *b, const struct mqtt_publish *m)
{
	unsigned first = MQTT_PUBLISH << 4 | (m->dup ? 8 : 0) | (unsigned)m->qos << 1 | (m->retain ? 1 : 0);
	uint8_t *p;
	int r;

	if (publish_wrong(m) != NULL)
		return HF_ERR_ARGS;
	r = put_head(b, first, 2 + m->topic.len + (m->qos > 0 ? 2 : 0) + m->len, &p);
	if (r < 0)
		return r;
	p = put_text(p, &m->topic);
	if (m->qos > 0)
		p = put16(p, m->id);
	put_bytes(p, m->body, m->len);
	return 0;
}

static const char *
get_publish(struct reader *r, unsigned flags, struct mqtt_publish *m)
{
	m->dup = flags >> 3;
	m->qos = flags >> 1 & 3;
	m->retain = flags & 1;
	get_text(r, &m->topic);
	m->id = m->qos > 0 ? get16(r) : 0;
	m->body = r->p;
	m->len = (size_t)(r->end - r->p);
	r->p = r->end;
	return r->wrong != NULL ? r->wrong : publish_wrong(m);
}

/* SUBSCRIBE, and UNSUBSCRIBE without the bytes of QoS. */
static const char *
subscribe_wrong(const struct mqtt_subscribe *s, int asks)
{
	const char *wrong = NULL;

	if (s->id == 0)
		return "its packet id is 0";
	if (s->count == 0 || s->count > MQTT_FILTERS)
		return "it has no filter, or more than 16";
	for (size_t i = 0; i < s->count && wrong == NULL; i++)
		wrong = asks && s->qos[i] > 2 ? "it asks for no valid QoS" : filter_wrong(&s->filter[i]);
	return wrong;
}

static int
put_subscribe(struct buf *b, enum mqtt_type type, const struct mqtt_subscribe *s)
{
	int asks = type == MQTT_SUBSCRIBE, r;
	size_t len = 2;
	uint8_t *p;

	if (subscribe_wrong(s, asks) != NULL)
		return HF_ERR_ARGS;
	for (size_t i = 0; i < s->count; i++)
		len += 2 + s->filter[i].len + (asks ? 1 : 0);
	r = put_head(b, (unsigned)type << 4 | 2, len, &p);
	if (r < 0)
		return r;
	p = put16(p, s->id);
	for (size_t i = 0; i < s->count; i++) {
		p = put_text(p, &s->filter[i]);
		if (asks)
			p = put8(p, s->qos[i]);
	}
	return 0;
}

static const char *
get_subscribe(struct reader *r, struct mqtt_event *e)
{
	struct mqtt_subscribe *s = &e->subscribe;
	int asks = e->type == MQTT_SUBSCRIBE;

	s->id = get16(r);
	for (s->count = 0; s->count < MQTT_FILTERS && r->p < r->end; s->count++) {
		get_text(r, &s->filter[s->count]);
		s->qos[s->count] = asks ? get8(r) : 0;
	}
	return r->wrong != NULL ? r->wrong : subscribe_wrong(s, asks);
}

static const char *
suback_wrong(const struct mqtt_suback *s)
{
	if (s->id == 0)
		return "its packet id is 0";
	if (s->count == 0 || s->count > MQTT_FILTERS)
		return "it has no return code, or more than 16";
	for (size_t i = 0; i < s->count; i++) {
		if (s->code[i] > 2 && s->code[i] != 0x80)
			return "it has a reserved return code";
	}
	return NULL;
}

static int
put_suback(struct buf *b, const struct mqtt_suback *s)
{
	uint8_t *p;
	int r;

	if (suback_wrong(s) != NULL)
		return HF_ERR_ARGS;
	r = put_head(b, MQTT_SUBACK << 4, 2 + s->count, &p);
	if (r == 0)
		put_bytes(put16(p, s->id), s->code, s->count);
	return r;
}

static const char *
get_suback(struct reader *r, struct mqtt_event *e)
{
	struct mqtt_suback *s = &e->suback;

	s->id = get16(r);
	for (s->count = 0; s->count < MQTT_FILTERS && r->p < r->end; s->count++)
		s->code[s->count] = get8(r);
	return r->wrong != NULL ? r->wrong : suback_wrong(s);
}

static int
put_id(struct buf *b, enum mqtt_type type, uint16_t id)
{
	uint8_t *p;
	int r;

	if (id == 0)
		return HF_ERR_ARGS;
	r = put_head(b, (unsigned)type << 4 | (type == MQTT_PUBREL ? 2 : 0), 2, &p);
	if (r == 0)
		put16(p, id);
	return r;
}

static const char *
get_id(struct reader *r, struct mqtt_event *e)
{
	e->id = get16(r);
	if (r->wrong == NULL && e->id == 0)
		return "its packet id is 0";
	return r->wrong;
}

int
mqtt_put(struct buf *b, const struct mqtt_event *e)
{
	uint8_t *p;

	switch (e->type) {
	case MQTT_CONNECT:
		return put_connect(b, &e->connect);
	case MQTT_CONNACK:
		return put_connack(b, &e->connack);
	case MQTT_PUBLISH:
		return put_publish(b, &e->publish);
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		return put_subscribe(b, e->type, &e->subscribe);
	case MQTT_SUBACK:
		return put_suback(b, &e->suback);
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
	case MQTT_UNSUBACK:
		return put_id(b, e->type, e->id);
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
	case MQTT_DISCONNECT:
		return put_head(b, (unsigned)e->type << 4, 0, &p);
	default:
		return HF_ERR_ARGS;
	}
}

static const char *
get_body(struct reader *r, unsigned flags, struct mqtt_event *e)
{
	switch (e->type) {
	case MQTT_CONNECT:
		return get_connect(r, e);
	case MQTT_CONNACK:
		return get_connack(r, e);
	case MQTT_PUBLISH:
		return get_publish(r, flags, &e->publish);
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		return get_subscribe(r, e);
	case MQTT_SUBACK:
		return get_suback(r, e);
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
	case MQTT_DISCONNECT:
		return NULL;
	default:
		return get_id(r, e);
	}
}

const char *
mqtt_name(enum mqtt_type type)
{
	static const char *const names[] = { "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL",
		"PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP",
		"DISCONNECT" };

	return type >= MQTT_CONNECT && type <= MQTT_DISCONNECT ? names[type - 1]
							       : "packet of a reserved type";
}

static ssize_t
refuse(struct hf_error *err, enum mqtt_type type, const char *wrong)
{
	return err_set(
	    err, HF_ERR_PROTOCOL, "the peer sent a %s that is not MQTT 3.1.1: %s", mqtt_name(type), wrong);
}

ssize_t
mqtt_get(const uint8_t *p, size_t n, size_t max_packet, struct mqtt_event *e, struct hf_error *err)
{
	struct reader r = { NULL, NULL, NULL };
	enum mqtt_type type;
	const char *wrong;
	unsigned flags;
	size_t len;
	int head;

	e->type = 0;
	if (n == 0)
		return 0;
	type = p[0] >> 4;
	flags = p[0] & 0xf;
	if (type < MQTT_CONNECT || type > MQTT_DISCONNECT)
		return refuse(err, type, "there is no such packet");
	if (type != MQTT_PUBLISH &&
	    flags != (type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE ? 2 : 0))
		return refuse(err, type, "reserved bits of its first byte are wrong");
	head = get_head(p, n, &len);
	if (head < 0)
		return refuse(err, type, "its remaining length is not well formed");
	if (head > 0 && (size_t)head + len > max_packet)
		return err_set(err, HF_ERR_PROTOCOL,
		    "the peer sent a %s of %zu bytes, and %zu are the most allowed here", mqtt_name(type),
		    (size_t)head + len, max_packet);
	if (head == 0 || n - (size_t)head < len)
		return 0;
	e->type = type;
	r.p = p + head;
	r.end = r.p + len;
	wrong = get_body(&r, flags, e);
	if (wrong == NULL && r.p != r.end)
		wrong = "it is longer than its contents";
	if (wrong == NULL)
		return (ssize_t)((size_t)head + len);
	e->type = e->type == type ? 0 : e->type;
	return refuse(err, type, wrong);
}

int
mqtt_match(const char *filter, size_t flen, const char *topic, size_t tlen)
{
	const char *f = filter, *fend = filter + flen, *t = topic, *tend = topic + tlen;

	if (tlen > 0 && *t == '$' && flen > 0 && (*f == '+' || *f == '#'))
		return 0;
	while (f < fend && *f != '#') {
		if (*f == '+') {
			while (t < tend && *t != '/')
				t++;
			f++;
		} else if (t < tend && *f == *t) {
			f++;
			t++;
		} else
			return t == tend && fend - f == 2 && f[0] == '/' && f[1] == '#';
	}
	return f < fend || t == tend;
}
