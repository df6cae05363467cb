#include <stdlib.h>
#include <string.h>
#include "hub/hub_client.h"

#define TOPIC_MAX  65535 /* MQTT's */
#define DEVICE_MAX 128

static size_t
text_size(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

static const char *
value_of(const struct hf_property *p)
{
	return p->value != NULL ? p->value : "";
}

static char *
take(char **at, const char *s)
{
	char *p = *at;

	if (s == NULL)
		return NULL;
	memcpy(p, s, strlen(s) + 1);
	*at += strlen(s) + 1;
	return p;
}

/* Properties stand percent-encoded in the topic, beside the name of whatever device it will be. */
static int
check_topic(const struct hub_event *v, struct hf_error *e)
{
	struct buf topic = { 0 };
	size_t n;
	int rc = 0;

	if (!HF_MQTT || hub_event_size(v) - v->len < TOPIC_MAX / 8)
		return 0;
	rc = hub_mqtt_put_topic(&topic, "", v);
	n = buf_size(&topic) + DEVICE_MAX;
	buf_free(&topic);
	if (rc < 0)
		return err_memory(e);
	return n <= TOPIC_MAX ? 0
			      : err_set(e, HF_ERR_ARGS,
				    "the message's properties take %zu bytes of an MQTT topic, which has %d",
				    n, TOPIC_MAX);
}

/* A hub hangs up on anything else, each time anew. */
static int
check_text(const struct hub_message *m, struct hf_error *e)
{
	const char *s = (const char *)m->event.body + m->event.len, *end = (const char *)m + m->size;

	for (; s < end; s += strlen(s) + 1)
		if (!hub_is_text(s, strlen(s)))
			return err_set(e, HF_ERR_ARGS, "a property of the message is not UTF-8: %.80s", s);
	return 0;
}

int
hub_message_new(struct hub_message **out, const struct hf_message *f, uint64_t tag, struct hf_error *e)
{
	size_t n = sizeof(struct hub_message) + f->property_count * sizeof(struct hub_property),
	       size = n + f->len;
	struct hub_message *m;
	struct hub_event *v;
	char *at;

	if (f->len > HUB_MAX_EVENT || f->property_count > 1000)
		return err_set(e, HF_ERR_ARGS,
		    "the message has %zu bytes and %zu properties; a hub takes %d bytes, all told", f->len,
		    f->property_count, HUB_MAX_EVENT);
	for (size_t i = 0; i < f->property_count; i++) {
		if (f->properties[i].key == NULL || f->properties[i].key[0] == '\0')
			return err_set(e, HF_ERR_ARGS, "property %zu of the message has no name", i + 1);
		size += text_size(f->properties[i].key) + text_size(value_of(&f->properties[i]));
	}
	size += text_size(f->message_id) + text_size(f->correlation_id) + text_size(f->content_type) +
		text_size(f->content_encoding);
	m = calloc(1, size);
	if (m == NULL)
		return err_memory(e);
	m->tag = tag;
	m->size = size;
	v = &m->event;
	v->property = (struct hub_property *)(m + 1);
	at = (char *)m + n;
	if (f->len > 0)
		memcpy(at, f->body, f->len);
	v->body = at;
	v->len = f->len;
	at += f->len;
	for (size_t i = 0; i < f->property_count; i++) {
		v->property[i].key = take(&at, f->properties[i].key);
		v->property[i].value = take(&at, value_of(&f->properties[i]));
	}
	v->property_count = f->property_count;
	v->message_id = take(&at, f->message_id);
	v->correlation_id = take(&at, f->correlation_id);
	v->content_type = take(&at, f->content_type);
	v->content_encoding = take(&at, f->content_encoding);
	if (hub_event_size(v) > HUB_MAX_EVENT)
		err_set(e, HF_ERR_ARGS, "the message has %zu bytes with its properties; a hub takes %d",
		    hub_event_size(v), HUB_MAX_EVENT);
	else if (check_text(m, e) == 0 && check_topic(v, e) == 0) {
		*out = m;
		return 0;
	}
	free(m);
	return e->code;
}
