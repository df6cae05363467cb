#include <stdlib.h>
#include <string.h>
#include "hub/hub_client.h"

static size_t
text_size(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
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
		size += text_size(f->properties[i].key) + text_size(f->properties[i].value);
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
		v->property[i].value = take(&at, f->properties[i].value);
	}
	v->property_count = f->property_count;
	v->message_id = take(&at, f->message_id);
	v->correlation_id = take(&at, f->correlation_id);
	v->content_type = take(&at, f->content_type);
	v->content_encoding = take(&at, f->content_encoding);
	if (hub_event_size(v) > HUB_MAX_EVENT) {
		err_set(e, HF_ERR_ARGS, "the message has %zu bytes with its properties; a hub takes %d",
		    hub_event_size(v), HUB_MAX_EVENT);
		free(m);
		return HF_ERR_ARGS;
	}
	*out = m;
	return 0;
}
