#include <stdlib.h>
#include "base/str.h"
#include "way.h"

#define KEEP_ALIVE 60
#define PACKET_MAX (128 * 1024) /* DPS messages are 96 KB at most */

struct way_mqtt {
	struct dps_way way;
	struct mqtt mqtt;
	char id[129], host[256];
	int early;
};

static int
say(struct dps_way *w, const struct dps_who *who, const struct dps_request *q)
{
	struct way_mqtt *m = (struct way_mqtt *)w;

	return dps_mqtt_put_request(&m->mqtt, q, who->id);
}

static int
refused(const struct way_mqtt *m, int code, struct dps_way_event *ev)
{
	if (code == 3) {
		err_set(&ev->err, HF_ERR_NET, "DPS at %s is not available now (MQTT code 3)", m->host);
		ev->what = DPS_WAY_LOST;
		return 1;
	}
	err_set(&ev->err, HF_ERR_AUTH,
	    "DPS at %s refused the connection of %s (MQTT code %d); check ID scope, key and clock", m->host,
	    m->id, code);
	ev->err.status = 401;
	ev->what = DPS_WAY_REFUSED;
	return 1;
}

static int
subscribed(const struct way_mqtt *m, const struct mqtt_suback *s, struct dps_way_event *ev)
{
	ev->what = DPS_WAY_READY;
	ev->let_in = 1;
	if (s->count == 1 && s->code[0] <= 1)
		return !m->early;
	err_set(&ev->err, HF_ERR_PROTOCOL, "DPS at %s refused the subscription to its answers", m->host);
	ev->what = DPS_WAY_LOST;
	return 1;
}

static int
published(struct way_mqtt *m, const struct mqtt_publish *p, struct dps_way_event *ev)
{
	if (p->qos > 0)
		(void)mqtt_puback(&m->mqtt, p->id);
	ev->what = dps_mqtt_get_reply(p, &ev->reply, &ev->err) < 0 ? DPS_WAY_UNREAD : DPS_WAY_REPLY;
	return 1;
}

/* 1: it means something to the caller. */
static int
heard(struct way_mqtt *m, const struct mqtt_event *in, struct dps_way_event *ev)
{
	switch (in->type) {
	case MQTT_CLOSED:
		ev->what = DPS_WAY_LOST;
		return 1;
	case MQTT_CONNACK:
		if (in->connack.code != 0)
			return refused(m, in->connack.code, ev);
		return m->early ? 0 : mqtt_subscribe(&m->mqtt, DPS_MQTT_FILTER, 1) < 0 ? HF_ERR_MEMORY : 0;
	case MQTT_SUBACK:
		return subscribed(m, &in->suback, ev);
	case MQTT_PUBLISH:
		return published(m, &in->publish, ev);
	default:
		return 0;
	}
}

static int
next(struct dps_way *w, struct dps_way_event *ev)
{
	struct way_mqtt *m = (struct way_mqtt *)w;
	struct mqtt_event in;
	int rc;

	if (m->early == 1) {
		m->early = 2;
		ev->what = DPS_WAY_READY;
		return 1;
	}
	while ((rc = mqtt_next(&m->mqtt, &in)) > 0)
		if ((rc = heard(m, &in, ev)) != 0)
			return rc;
	return rc;
}

static void
bye(struct dps_way *w)
{
	(void)mqtt_say(&((struct way_mqtt *)w)->mqtt, MQTT_DISCONNECT, 0);
}

static void
end(struct dps_way *w)
{
	mqtt_fini(&((struct way_mqtt *)w)->mqtt);
	free(w);
}

static const struct dps_way_ops ops = { say, next, bye, end };

int
dps_way_mqtt(struct dps_way **out, const struct dps_way_settings *s)
{
	struct way_mqtt *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return HF_ERR_MEMORY;
	mqtt_init(&m->mqtt, 0, PACKET_MAX);
	m->way.ops = &ops;
	m->way.engine = &m->mqtt.engine;
	m->way.token_opens = 1;
	m->early = s->early;
	(void)str_fmt(m->id, sizeof(m->id), "%s", s->who->id);
	(void)str_fmt(m->host, sizeof(m->host), "%s", s->host);
	if (dps_mqtt_put_who(&m->mqtt, s->who, KEEP_ALIVE) < 0 ||
	    (s->early && mqtt_subscribe(&m->mqtt, DPS_MQTT_FILTER, 1) < 0)) {
		end(&m->way);
		return HF_ERR_MEMORY;
	}
	*out = &m->way;
	return 0;
}
