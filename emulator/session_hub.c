#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "session.h"

#define KEEP_ALIVE_MAX 1177 /* seconds; 1.5 times it is the longest silence that the hub bears */

static int
is(struct mqtt_text t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.p, word, t.len) == 0;
}

static int
begins(struct mqtt_text t, const char *word)
{
	return t.len >= strlen(word) && memcmp(t.p, word, strlen(word)) == 0;
}

/* A clean session forgets; another one finds what it once subscribed to, and is told so. */
static int
recall(struct session *s, int clean, int *found, struct hf_error *err)
{
	struct registry *r = s->e->registry;

	s->clean = clean;
	*found = clean ? 0 : registry_filters(r, s->admission.hub, s->client, &s->filters, err);
	if (*found < 0)
		return *found;
	if (*found == 0 && (s->filters = json_array()) == NULL)
		return err_memory(err);
	return *found ? 0
		      : registry_filters_put(r, s->admission.hub, s->client, clean ? NULL : s->filters, err);
}

static int
remember(struct session *s, struct hf_error *err)
{
	return s->clean ? 0
			: registry_filters_put(s->e->registry, s->admission.hub, s->client, s->filters, err);
}

/* A device has one connection: the newest. */
static void
replace_others(struct session *s)
{
	for (struct session *o = s->e->sessions; o != NULL; o = o->next) {
		if (o == s || o->role != HUB_DEVICE || o->over || strcmp(o->client, s->client) != 0 ||
		    !str_eqi(o->admission.hub, s->admission.hub))
			continue;
		session_end(o, "closed, for the same device has connected anew (400027)");
	}
	for (struct session *o = s->e->sessions; o != NULL; o = o->next)
		hub_amqp_replace(o, s->admission.hub, s->admission.device);
}

static int
keep_will(struct session *s, const struct mqtt_connect *c, struct hf_error *err)
{
	struct mqtt_publish as_event = {
		.topic = c->will_topic, .body = c->will_body.p, .len = c->will_body.len
	};
	struct hub_event ev;
	int r;

	if (c->will_topic.p == NULL)
		return 0;
	if (c->will_qos == 2)
		return err_set(err, HF_ERR_PROTOCOL, "its will has QoS 2");
	if ((r = hub_mqtt_get_event(&as_event, s->admission.device, &ev, err)) < 0)
		return r;
	hub_event_fini(&ev);
	if ((s->will.topic = strndup(c->will_topic.p, c->will_topic.len)) == NULL ||
	    buf_put(&s->will.body, c->will_body.p, c->will_body.len) < 0)
		return err_memory(err);
	s->will.retain = c->will_retain;
	return 0;
}

static int
admit(struct session *s, const struct mqtt_connect *c, int *found, struct hf_error *err)
{
	struct hub_who who;
	int r;

	if ((r = hub_mqtt_get_who(c, &who, err)) < 0)
		goto fail;
	if ((r = hub_service_admit(s->e, &who, tls_peer(s->stream), &s->admission, err)) < 0)
		goto fail;
	if ((r = str_copy(s->client, sizeof(s->client), c->client_id.p, c->client_id.len)) < 0)
		goto fail;
	if ((r = keep_will(s, c, err)) < 0)
		goto fail;
	r = recall(s, c->clean, found, err);
fail:
	hub_who_fini(&who);
	return r;
}

void
hub_connect(struct session *s, const struct mqtt_connect *c)
{
	const char *tls = tls_version(s->stream);
	struct hf_error err = { 0 };
	int found = 0;

	if (admit(s, c, &found, &err) < 0) {
		str_free(&s->will.topic);
		mqtt_say_connack(&s->mqtt, 0, 5);
		session_finish(s, "the hub refused %.*s: %s (status %d, errorCode %d)",
		    (int)sooner(c->client_id.len, 128), c->client_id.p, err.text, err.status, err.service);
		return;
	}
	s->role = HUB_DEVICE;
	s->version = registry_version(s->e->registry);
	replace_others(s);
	s->wanted = 1;
	if (s->mqtt.keep_alive == 0 || s->mqtt.keep_alive > KEEP_ALIVE_MAX)
		s->mqtt.keep_alive = KEEP_ALIVE_MAX;
	mqtt_say_connack(&s->mqtt, found, 0);
	log_line(&s->e->log, "hub %s, device %s: connected by %s%s%s", s->admission.hub, s->client,
	    tls ? tls : "no TLS", tls_resumed(s->stream) ? " (resumed)" : "",
	    found ? ", session resumed" : "");
}

static int
is_devicebound(const struct session *s, struct mqtt_text filter)
{
	char own[300];

	str_fmt(own, sizeof(own), "devices/%s/messages/devicebound/#", s->admission.device);
	return is(filter, own) || is(filter, "devices/+/messages/devicebound/#");
}

void
hub_offer(struct session *s)
{
	const char *filter;
	const json_t *o;
	size_t i;

	if (s->over || s->finishing)
		return;
	if (s->role == HUB_AMQP)
		hub_amqp_offer(s);
	if (s->role != HUB_DEVICE)
		return;
	json_array_foreach(s->filters, i, o)
	{
		filter = js_str(o, "filter", "");
		if (is_devicebound(s, (struct mqtt_text){ filter, strlen(filter) }))
			c2d_lend(s, (int)js_int(o, "qos", 0));
	}
}

static int
is_known(const struct session *s, struct mqtt_text filter)
{
	return is(filter, "$iothub/twin/res/#") || is(filter, "$iothub/twin/PATCH/properties/desired/#") ||
	       is(filter, "$iothub/methods/POST/#") || is_devicebound(s, filter);
}

static void
forget_filter(struct session *s, struct mqtt_text filter)
{
	for (size_t i = json_array_size(s->filters); i-- > 0;)
		if (is(filter, js_str(json_array_get(s->filters, i), "filter", "")))
			json_array_remove(s->filters, i);
}

static int
add_filter(struct session *s, struct mqtt_text filter, int qos)
{
	forget_filter(s, filter);
	return json_array_append_new(
	    s->filters, json_pack("{s:s%,s:i}", "filter", filter.p, filter.len, "qos", qos));
}

static void
subscribe(struct session *s, const struct mqtt_subscribe *want)
{
	struct mqtt_suback ack = { .id = want->id, .count = want->count };
	struct hf_error err = { 0 };

	for (size_t i = 0; i < want->count; i++) {
		if (!is_known(s, want->filter[i])) {
			session_finish(s, "the hub has nothing to subscribe to at %.*s",
			    (int)sooner(want->filter[i].len, 200), want->filter[i].p);
			return;
		}
		ack.code[i] = want->qos[i] > 0;
		if (add_filter(s, want->filter[i], ack.code[i]) < 0)
			err_memory(&err);
	}
	if (err.code != 0 || remember(s, &err) < 0) {
		session_end(s, "%s", err.text);
		return;
	}
	mqtt_suback(&s->mqtt, &ack);
	s->wanted = 1;
}

static void
unsubscribe(struct session *s, const struct mqtt_subscribe *no_more)
{
	struct hf_error err = { 0 };

	for (size_t i = 0; i < no_more->count; i++)
		forget_filter(s, no_more->filter[i]);
	if (remember(s, &err) < 0) {
		session_end(s, "%s", err.text);
		return;
	}
	mqtt_say(&s->mqtt, MQTT_UNSUBACK, no_more->id);
}

static void
publish(struct session *s, const struct mqtt_publish *p)
{
	struct hf_error err = { 0 };
	struct hub_event ev;

	if (p->qos == 2) {
		session_finish(s, "it published at QoS 2, which the hub does not take");
		return;
	}
	if (begins(p->topic, "$iothub/")) {
		session_finish(s, "twins and methods are not emulated: %.*s", (int)sooner(p->topic.len, 200),
		    p->topic.p);
		return;
	}
	if (hub_mqtt_get_event(p, s->admission.device, &ev, &err) < 0 ||
	    hub_service_store(s->e, &s->admission, &ev, p->retain, &err) < 0)
		session_finish(s, "%s", err.text);
	else if (p->qos == 1)
		mqtt_puback(&s->mqtt, p->id);
	s->e->dirty = 1;
	hub_event_fini(&ev);
}

void
hub_event(struct session *s, const struct mqtt_event *ev)
{
	switch (ev->type) {
	case MQTT_PUBLISH:
		publish(s, &ev->publish);
		return;
	case MQTT_SUBSCRIBE:
		subscribe(s, &ev->subscribe);
		return;
	case MQTT_UNSUBSCRIBE:
		unsubscribe(s, &ev->subscribe);
		return;
	case MQTT_PUBACK:
		c2d_acked(s, ev->id);
		return;
	case MQTT_DISCONNECT:
		str_free(&s->will.topic);
		session_finish(s, "disconnected");
		return;
	default:
		return;
	}
}

void
hub_check(struct session *s)
{
	int64_t version = registry_version(s->e->registry);

	if (s->e->now.wall >= s->admission.until) {
		session_end(s, "closed, for its token has expired (401003)");
		return;
	}
	if (version != s->version && !hub_service_still(s->e, &s->admission))
		session_end(s, "closed, for the device is no longer there, or disabled (404001)");
	s->version = version;
}

void
hub_lost(struct session *s)
{
	struct mqtt_publish as_event = { .topic.p = s->will.topic, .body = buf_data(&s->will.body) };
	struct hf_error err = { 0 };
	struct hub_event ev;

	if (s->role == HUB_DEVICE)
		c2d_lost(s);
	if (s->role != HUB_DEVICE || s->will.topic == NULL)
		return;
	as_event.topic.len = strlen(s->will.topic);
	as_event.len = buf_size(&s->will.body);
	if (hub_mqtt_get_event(&as_event, s->admission.device, &ev, &err) < 0 ||
	    hub_event_add(&ev, "iothub-MessageType", "Will") < 0 ||
	    hub_service_store(s->e, &s->admission, &ev, s->will.retain, &err) < 0)
		log_line(&s->e->log, "hub %s, device %s: its will is lost: %s", s->admission.hub, s->client,
		    err.text);
	s->e->dirty = 1;
	str_free(&s->will.topic);
	hub_event_fini(&ev);
}
