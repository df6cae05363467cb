#include <string.h>
#include "base/str.h"
#include "session.h"

static const char *const said[] = {
	[DPS_REGISTER] = "register", [DPS_POLL] = "poll", [DPS_LOOKUP] = "look-up"
};

void
dps_log(struct emulator *e, const char *how, const char *id, const struct dps_request *q,
    const struct dps_reply *r)
{
	const char *what = q->op ? said[q->op] : "request";

	if (r->status == 401 && r->tpm_key != NULL)
		log_line(&e->log, "DPS over %s, registration %s: %s: challenged, the TPM is to show its key",
		    how, id, what);
	else if (r->status >= 300)
		log_line(&e->log,
		    "DPS over %s, registration %s: %s refused with %d (errorCode %d, tracking id %s): %s",
		    how, id, what, r->status, r->code, r->tracking, r->message);
	else if (strcmp(r->state, "failed") == 0)
		log_line(&e->log, "DPS over %s, registration %s: failed with errorCode %d: %s", how, id,
		    r->code, r->message);
	else if (strcmp(r->state, "assigned") == 0)
		log_line(&e->log, "DPS over %s, registration %s: assigned to hub %s as device %s", how, id,
		    r->hub, r->device);
	else if (q->op == DPS_REGISTER)
		log_line(&e->log, "DPS over %s, registration %s: register accepted, %s", how, id, r->state);
}

void
dps_bad_request(struct emulator *e, const struct hf_error *why, struct dps_reply *r)
{
	r->status = 400;
	r->code = 400004;
	str_fmt(r->message, sizeof(r->message), "%.250s", why->text);
	guid_new(r->tracking);
	clock_iso(e->now.wall, r->at);
}

void
dps_connect(struct session *s, const struct mqtt_connect *c)
{
	struct hf_error err = { 0 };

	if (dps_mqtt_get_who(c, &s->who, &err) < 0) {
		mqtt_say_connack(&s->mqtt, 0, 4);
		session_finish(s, "DPS refused it: %s", err.text);
		return;
	}
	s->role = DPS_DEVICE;
	mqtt_say_connack(&s->mqtt, 0, 0);
}

static int
is_ours(struct mqtt_text filter)
{
	return filter.len == strlen(DPS_MQTT_FILTER) && memcmp(filter.p, DPS_MQTT_FILTER, filter.len) == 0;
}

static void
subscribe(struct session *s, const struct mqtt_subscribe *want)
{
	struct mqtt_suback ack = { .id = want->id, .count = want->count };

	for (size_t i = 0; i < want->count; i++) {
		if (!is_ours(want->filter[i])) {
			session_finish(s, "DPS has nothing to subscribe to but " DPS_MQTT_FILTER);
			return;
		}
		s->granted = want->qos[i] > 0;
		ack.code[i] = (uint8_t)s->granted;
	}
	mqtt_suback(&s->mqtt, &ack);
}

static void
answer(struct session *s, const struct dps_request *q, const struct hf_error *err)
{
	struct dps_caller caller = { .who = &s->who, .chain = tls_peer(s->stream), .mqtt = 1 };
	struct dps_reply reply = { 0 };

	if (err->code != 0)
		dps_bad_request(s->e, err, &reply);
	else
		dps_service_answer(s->e, &caller, q, &reply);
	str_fmt(reply.rid, sizeof(reply.rid), "%s", q->rid);
	dps_log(s->e, "MQTT", s->who.id, q, &reply);
	if (s->granted >= 0 && dps_mqtt_put_reply(&s->mqtt, &reply, s->granted) < 0)
		session_end(s, "out of memory for the answer");
	dps_reply_fini(&reply);
}

/* QoS 2, retained messages and foreign topics end the connection; what only reads badly is answered. */
static void
publish(struct session *s, const struct mqtt_publish *p)
{
	struct hf_error err = { 0 };
	struct dps_request q;

	if (p->qos == 2 || p->retain) {
		session_finish(s, "it published %s, which DPS does not take",
		    p->retain ? "a retained message" : "at QoS 2");
		return;
	}
	dps_mqtt_get_request(p, &q, &err);
	if (q.op == 0) {
		session_finish(
		    s, "%s: %.*s", err.text, (int)(p->topic.len < 100 ? p->topic.len : 100), p->topic.p);
		return;
	}
	if (p->qos == 1)
		mqtt_puback(&s->mqtt, p->id);
	answer(s, &q, &err);
	dps_request_fini(&q);
}

void
dps_event(struct session *s, const struct mqtt_event *ev)
{
	switch (ev->type) {
	case MQTT_PUBLISH:
		publish(s, &ev->publish);
		return;
	case MQTT_SUBSCRIBE:
		subscribe(s, &ev->subscribe);
		return;
	case MQTT_UNSUBSCRIBE:
		s->granted = -1;
		mqtt_say(&s->mqtt, MQTT_UNSUBACK, ev->subscribe.id);
		return;
	case MQTT_DISCONNECT:
		session_finish(s, NULL);
		return;
	default:
		return;
	}
}
