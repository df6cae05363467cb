#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "way.h"

#define KEEP_ALIVE 240
#define PACKET_MAX (HUB_MAX_EVENT + 65536 + 1024)

struct way_mqtt {
	struct hub_way way;
	struct mqtt mqtt;
	const struct hub_who *who;
	struct buf topic;
	int receiving;
	struct buf settled; /* packet ids that were acknowledged, and are yet to be told */
};

static int
send_event(struct hub_way *w, const struct hub_event *v, uint16_t id, int again)
{
	struct way_mqtt *m = (struct way_mqtt *)w;
	struct mqtt_publish p = { .body = v->body, .len = v->len, .qos = 1, .dup = again, .id = id };
	int rc;

	buf_clear(&m->topic);
	if (hub_mqtt_put_topic(&m->topic, m->who->device, v) < 0)
		return HF_ERR_MEMORY;
	p.topic.p = (const char *)buf_data(&m->topic);
	p.topic.len = buf_size(&m->topic);
	rc = mqtt_publish(&m->mqtt, &p);
	return rc == HF_ERR_STATE ? 0 : rc < 0 ? rc : 1; /* the high-water mark: once it has sunk, again */
}

static int
receive(struct hub_way *w, long most)
{
	struct way_mqtt *m = (struct way_mqtt *)w;

	(void)most; /* the hub cannot be told */
	if (m->receiving)
		return 0;
	m->receiving = 1;
	buf_clear(&m->topic);
	if (hub_mqtt_put_filter(&m->topic, m->who->device) < 0 || buf_str(&m->topic) == NULL)
		return HF_ERR_MEMORY;
	return mqtt_subscribe(&m->mqtt, buf_str(&m->topic), 1) < 0 ? HF_ERR_MEMORY : 0;
}

static int
settle(struct hub_way *w, uint64_t delivery, const struct hub_c2d *c2d, enum hub_answer how)
{
	struct way_mqtt *m = (struct way_mqtt *)w;

	(void)c2d;
	(void)how;
	if (buf_put(&m->settled, &delivery, sizeof(delivery)) < 0)
		return HF_ERR_MEMORY;
	return delivery == 0 ? 0 : mqtt_puback(&m->mqtt, (uint16_t)delivery);
}

static int
connack(const struct way_mqtt *m, int code, struct hub_way_event *ev)
{
	ev->what = code == 0 ? HUB_WAY_OPENED : code == 3 ? HUB_WAY_LOST : HUB_WAY_REFUSED;
	if (code == 3)
		err_set(&ev->err, HF_ERR_NET, "hub %s is not available now (MQTT code 3)", m->who->host);
	else if (code != 0)
		err_set(&ev->err, HF_ERR_AUTH,
		    "hub %s refused device %s (MQTT code %d); was it deleted or disabled, is its key the hub's, is its clock right?",
		    m->who->host, m->who->device, code);
	ev->err.status = ev->what == HUB_WAY_REFUSED ? 401 : 0;
	return 1;
}

/* What is no message of this device's is acknowledged, or it would come again and again. */
static int
published(struct way_mqtt *m, const struct mqtt_publish *p, struct hub_way_event *ev)
{
	struct hf_error ignored = { 0 };
	int rc = hub_mqtt_get_c2d(p, m->who->device, &ev->c2d, &ignored);

	if (rc == HF_ERR_MEMORY)
		return rc;
	if (rc < 0) {
		if (p->qos > 0)
			(void)mqtt_puback(&m->mqtt, p->id);
		return 0;
	}
	ev->what = HUB_WAY_C2D;
	ev->delivery = p->qos > 0 ? p->id : 0;
	return 1;
}

static int
subscribed(const struct way_mqtt *m, const struct mqtt_suback *s, struct hub_way_event *ev)
{
	if (s->count == 1 && s->code[0] <= 1)
		return 0;
	err_set(&ev->err, HF_ERR_PROTOCOL, "hub %s refused the subscription to cloud-to-device messages",
	    m->who->host);
	ev->what = HUB_WAY_LOST;
	return 1;
}

static int
heard(struct way_mqtt *m, const struct mqtt_event *in, struct hub_way_event *ev)
{
	switch (in->type) {
	case MQTT_CLOSED:
		ev->what = HUB_WAY_LOST;
		return 1;
	case MQTT_CONNACK:
		return connack(m, in->connack.code, ev);
	case MQTT_SUBACK:
		return subscribed(m, &in->suback, ev);
	case MQTT_PUBACK:
		ev->what = HUB_WAY_SENT;
		ev->id = in->id;
		return 1;
	case MQTT_PUBLISH:
		return published(m, &in->publish, ev);
	default:
		return 0;
	}
}

static int
next(struct hub_way *w, struct hub_way_event *ev)
{
	struct way_mqtt *m = (struct way_mqtt *)w;
	struct mqtt_event in;
	int rc;

	if (buf_size(&m->settled) >= sizeof(ev->delivery)) {
		memcpy(&ev->delivery, buf_data(&m->settled), sizeof(ev->delivery));
		buf_eat(&m->settled, sizeof(ev->delivery));
		ev->what = HUB_WAY_SETTLED;
		return 1;
	}
	while ((rc = mqtt_next(&m->mqtt, &in)) > 0)
		if ((rc = heard(m, &in, ev)) != 0)
			return rc;
	return rc;
}

static void
bye(struct hub_way *w)
{
	(void)mqtt_say(&((struct way_mqtt *)w)->mqtt, MQTT_DISCONNECT, 0);
}

static void
end(struct hub_way *w)
{
	struct way_mqtt *m = (struct way_mqtt *)w;

	mqtt_fini(&m->mqtt);
	buf_free(&m->topic);
	buf_free(&m->settled);
	free(m);
}

static const struct hub_way_ops ops = {
	.send = send_event, .receive = receive, .settle = settle, .next = next, .bye = bye, .free = end
};

int
hub_way_mqtt(struct hub_way **out, const struct hub_way_settings *s)
{
	struct way_mqtt *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return HF_ERR_MEMORY;
	mqtt_init(&m->mqtt, 0, PACKET_MAX);
	m->who = s->who;
	m->way = (struct hub_way){ .ops = &ops, .engine = &m->mqtt.engine, .early = s->early };
	if (hub_mqtt_put_who(&m->mqtt, s->who, KEEP_ALIVE, 0) < 0) {
		end(&m->way);
		return HF_ERR_MEMORY;
	}
	*out = &m->way;
	return 0;
}
