#include <string.h>
#include "mqtt/mqtt.h"

#define INBOX_EXTRA (64 * 1024) /* what the inbox takes beyond one packet of the greatest size */
#define PING_WAIT   80000
#define BIT(type)   (1u << (type))

enum {
	BOTH_SAY =
	    BIT(MQTT_PUBLISH) | BIT(MQTT_PUBACK) | BIT(MQTT_PUBREC) | BIT(MQTT_PUBREL) | BIT(MQTT_PUBCOMP),
	CLIENT_SAYS = BOTH_SAY | BIT(MQTT_CONNECT) | BIT(MQTT_SUBSCRIBE) | BIT(MQTT_UNSUBSCRIBE) |
		      BIT(MQTT_PINGREQ) | BIT(MQTT_DISCONNECT),
	SERVER_SAYS =
	    BOTH_SAY | BIT(MQTT_CONNACK) | BIT(MQTT_SUBACK) | BIT(MQTT_UNSUBACK) | BIT(MQTT_PINGRESP),
	BARE = BIT(MQTT_PUBACK) | BIT(MQTT_PUBREC) | BIT(MQTT_PUBREL) | BIT(MQTT_PUBCOMP) |
	       BIT(MQTT_UNSUBACK) | BIT(MQTT_PINGREQ) | BIT(MQTT_PINGRESP) | BIT(MQTT_DISCONNECT)
};

/* While an event is lent its bytes must stay where they are, so no more is taken than fits behind them. */
static ssize_t
in(struct engine *engine, const void *p, size_t n)
{
	struct mqtt *m = (struct mqtt *)engine;
	size_t high = m->max_packet + INBOX_EXTRA, size = buf_size(&m->inbox), room;

	if (m->failed < 0)
		return m->failed;
	if (p == NULL) {
		m->eof = 1;
		return 0;
	}
	m->last_in = m->now;
	if (m->over)
		return (ssize_t)n;
	room = size < high ? high - size : 0;
	if (m->taken > 0 && room > m->inbox.cap - m->inbox.len)
		room = m->inbox.cap - m->inbox.len;
	if (n > room)
		n = room;
	if (n > 0 && buf_put(&m->inbox, p, n) < 0)
		return m->failed = err_memory(&m->engine.err);
	return (ssize_t)n;
}

static int64_t
ping_due(const struct mqtt *m)
{
	return m->last_out + (int64_t)m->keep_alive * 1000;
}

/* When the peer's silence has become too long. */
static int64_t
silence_ends(const struct mqtt *m)
{
	if (m->server)
		return m->last_in + (int64_t)m->keep_alive * 1500;
	return m->ping_sent == 0 ? NEVER : m->ping_sent + sooner(PING_WAIT, (int64_t)m->keep_alive * 500);
}

static int64_t
tick(struct engine *engine, int64_t now)
{
	struct mqtt *m = (struct mqtt *)engine;

	if (m->now == 0)
		m->last_in = m->last_out = now;
	m->now = now;
	if (m->failed < 0 || m->eof || !m->connected || m->keep_alive == 0)
		return NEVER;
	if (!m->server && m->ping_sent == 0 && now >= ping_due(m) && mqtt_say(m, MQTT_PINGREQ, 0) < 0)
		m->failed = err_memory(&m->engine.err);
	return m->server || m->ping_sent != 0 ? silence_ends(m) : ping_due(m);
}

static const struct engine_ops ops = { in, tick };

void
mqtt_init(struct mqtt *m, int server, size_t max_packet)
{
	memset(m, 0, sizeof(*m));
	m->engine.ops = &ops;
	m->server = server;
	m->max_packet = max_packet;
}

void
mqtt_fini(struct mqtt *m)
{
	buf_free(&m->inbox);
	buf_free(&m->engine.out);
}

/* May the peer say this now? */
static int
judge(struct mqtt *m, enum mqtt_type type)
{
	const char *peer = m->server ? "client" : "server";
	enum mqtt_type first = m->server ? MQTT_CONNECT : MQTT_CONNACK;

	if (!(BIT(type) & (m->server ? CLIENT_SAYS : SERVER_SAYS)))
		return err_set(&m->engine.err, HF_ERR_PROTOCOL,
		    "the MQTT %s sent a %s, which is not for it to say", peer, mqtt_name(type));
	if (!m->connected && type != first)
		return err_set(&m->engine.err, HF_ERR_PROTOCOL, "the MQTT %s sent a %s before its %s", peer,
		    mqtt_name(type), mqtt_name(first));
	if (m->connected && type == first)
		return err_set(
		    &m->engine.err, HF_ERR_PROTOCOL, "the MQTT %s sent a second %s", peer, mqtt_name(type));
	return 0;
}

/* Does what a packet asks of the session itself. 1: the caller is to see it too. */
static int
heed(struct mqtt *m, const struct mqtt_event *e)
{
	switch (e->type) {
	case MQTT_CONNECT:
		m->connected = 1;
		m->keep_alive = e->connect.keep_alive;
		return 1;
	case MQTT_CONNACK:
		m->connected = e->connack.code == 0;
		m->over = e->connack.code != 0;
		return 1;
	case MQTT_DISCONNECT:
		m->over = 1;
		return 1;
	case MQTT_PINGREQ:
		return mqtt_say(m, MQTT_PINGRESP, 0) < 0 ? err_memory(&m->engine.err) : 0;
	case MQTT_PINGRESP:
		m->ping_sent = 0;
		return 0;
	default:
		return 1;
	}
}

/* Takes one packet off the inbox. 1: to be shown; 0: no whole one is there, or it was for the session alone. */
static int
take(struct mqtt *m, struct mqtt_event *e)
{
	ssize_t n;
	int r;

	if (buf_size(&m->inbox) == 0)
		return 0;
	n = mqtt_get(buf_data(&m->inbox), buf_size(&m->inbox), m->max_packet, e, &m->engine.err);
	if (n < 0 && m->server && e->type != 0)
		(void)mqtt_put(&m->engine.out, e);
	if (n <= 0)
		return (int)n;
	r = judge(m, e->type);
	if (r == 0)
		r = heed(m, e);
	if (r == 0)
		buf_eat(&m->inbox, (size_t)n);
	else
		m->taken = (size_t)n;
	return r;
}

static int
ended(struct mqtt *m, struct mqtt_event *e)
{
	if (m->closed)
		return 0;
	if (buf_size(&m->inbox) > 0)
		err_set(
		    &m->engine.err, HF_ERR_NET, "the MQTT connection was closed in the middle of a packet");
	m->closed = 1;
	e->type = MQTT_CLOSED;
	return 1;
}

static int
overdue(struct mqtt *m)
{
	if (!m->connected || m->keep_alive == 0 || m->now < silence_ends(m))
		return 0;
	if (m->server)
		return err_set(&m->engine.err, HF_ERR_TIMEOUT,
		    "the MQTT client was silent for more than 1.5 times its keep-alive of %u s",
		    m->keep_alive);
	return err_set(&m->engine.err, HF_ERR_TIMEOUT,
	    "the MQTT server did not answer PINGREQ (keep-alive %u s): the connection is dead",
	    m->keep_alive);
}

int
mqtt_next(struct mqtt *m, struct mqtt_event *e)
{
	size_t before;
	int r = 0;

	if (m->failed < 0)
		return m->failed;
	buf_eat(&m->inbox, m->over ? buf_size(&m->inbox) : m->taken);
	m->taken = 0;
	do {
		before = buf_size(&m->inbox);
		r = take(m, e);
	} while (r == 0 && buf_size(&m->inbox) < before);
	if (r == 0)
		r = m->eof ? ended(m, e) : overdue(m);
	if (r < 0)
		m->failed = r;
	return r;
}

static int
say(struct mqtt *m, const struct mqtt_event *e)
{
	int r = mqtt_put(&m->engine.out, e);

	if (r == 0)
		m->last_out = m->now;
	return r;
}

static int
full(const struct mqtt *m)
{
	return buf_size(&m->engine.out) > ENGINE_HIGH;
}

static uint16_t
fresh_id(const struct mqtt *m)
{
	return m->last_id == UINT16_MAX ? 1 : m->last_id + 1;
}

int
mqtt_say_connect(struct mqtt *m, const struct mqtt_connect *c)
{
	struct mqtt_event e;
	int r;

	if (full(m))
		return HF_ERR_STATE;
	e.type = MQTT_CONNECT;
	e.connect = *c;
	r = say(m, &e);
	if (r == 0)
		m->keep_alive = c->keep_alive;
	return r;
}

int
mqtt_say_connack(struct mqtt *m, int session, int code)
{
	struct mqtt_event e;
	int r;

	e.type = MQTT_CONNACK;
	e.connack = (struct mqtt_connack){ session, code };
	r = say(m, &e);
	if (r == 0)
		m->over = code != 0;
	return r;
}

int
mqtt_publish(struct mqtt *m, const struct mqtt_publish *p)
{
	struct mqtt_event e;
	int r;

	if (full(m))
		return HF_ERR_STATE;
	e.type = MQTT_PUBLISH;
	e.publish = *p;
	if (p->qos == 0)
		return say(m, &e);
	if (p->id == 0)
		e.publish.id = fresh_id(m);
	r = say(m, &e);
	if (r < 0)
		return r;
	m->last_id = e.publish.id;
	return e.publish.id;
}

int
mqtt_puback(struct mqtt *m, uint16_t id)
{
	return mqtt_say(m, MQTT_PUBACK, id);
}

int
mqtt_subscribe(struct mqtt *m, const char *filter, int qos)
{
	struct mqtt_event e;
	int r;

	if (full(m))
		return HF_ERR_STATE;
	if (qos < 0 || qos > 2)
		return HF_ERR_ARGS;
	e.type = MQTT_SUBSCRIBE;
	e.subscribe.id = fresh_id(m);
	e.subscribe.count = 1;
	e.subscribe.filter[0] = (struct mqtt_text){ filter, strlen(filter) };
	e.subscribe.qos[0] = (uint8_t)qos;
	r = say(m, &e);
	if (r < 0)
		return r;
	m->last_id = e.subscribe.id;
	return m->last_id;
}

int
mqtt_suback(struct mqtt *m, const struct mqtt_suback *s)
{
	struct mqtt_event e;

	e.type = MQTT_SUBACK;
	e.suback = *s;
	return say(m, &e);
}

int
mqtt_say(struct mqtt *m, enum mqtt_type type, uint16_t id)
{
	struct mqtt_event e;
	int r;

	if (type < MQTT_CONNECT || type > MQTT_DISCONNECT || !(BIT(type) & BARE))
		return HF_ERR_ARGS;
	e.type = type;
	e.id = id;
	r = say(m, &e);
	if (r == 0 && type == MQTT_PINGREQ)
		m->ping_sent = m->now;
	if (r == 0 && type == MQTT_DISCONNECT)
		m->keep_alive = 0;
	return r;
}
