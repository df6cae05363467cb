#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "msg/hub.h"

static const size_t place[HUB_SYSTEM] = {
	offsetof(struct hub_event, message_id),
	offsetof(struct hub_event, correlation_id),
	offsetof(struct hub_event, user_id),
	offsetof(struct hub_event, to),
	offsetof(struct hub_event, expiry),
	offsetof(struct hub_event, content_type),
	offsetof(struct hub_event, content_encoding),
	offsetof(struct hub_event, creation_time),
	offsetof(struct hub_event, output_name),
	offsetof(struct hub_event, component),
	offsetof(struct hub_event, interface_id),
};

void
hub_who_fini(struct hub_who *w)
{
	str_free(&w->token);
}

char **
hub_event_system(struct hub_event *ev, size_t i)
{
	return (char **)((char *)ev + place[i]);
}

void
hub_event_fini(struct hub_event *ev)
{
	size_t i;

	for (i = 0; i < ev->property_count; i++) {
		str_free(&ev->property[i].key);
		str_free(&ev->property[i].value);
	}
	free(ev->property);
	ev->property = NULL;
	ev->property_count = 0;
	for (i = 0; i < HUB_SYSTEM; i++)
		str_free(hub_event_system(ev, i));
}

void
hub_c2d_fini(struct hub_c2d *c2d)
{
	hub_event_fini(&c2d->message);
}

/* The array has room for a power of two; it is full when the count is one. */
static int
grow(struct hub_event *ev)
{
	size_t n = ev->property_count;
	struct hub_property *p;

	if ((n & (n - 1)) != 0)
		return 0;
	if ((p = realloc(ev->property, (n == 0 ? 1 : 2 * n) * sizeof(*p))) == NULL)
		return HF_ERR_MEMORY;
	ev->property = p;
	return 0;
}

int
hub_event_add(struct hub_event *ev, const char *key, const char *value)
{
	struct hub_property p = { 0 };

	if (key[0] == '\0')
		return HF_ERR_ARGS;
	if (grow(ev) < 0 || str_set(&p.key, key) < 0 || str_set(&p.value, value == NULL ? "" : value) < 0) {
		str_free(&p.key);
		return HF_ERR_MEMORY;
	}
	ev->property[ev->property_count++] = p;
	return 0;
}

size_t
hub_event_size(const struct hub_event *ev)
{
	size_t n = ev->len, i;
	const char *s;

	for (i = 0; i < ev->property_count; i++)
		n += strlen(ev->property[i].key) + strlen(ev->property[i].value);
	for (i = 0; i < HUB_SYSTEM; i++) {
		s = *hub_event_system((struct hub_event *)ev, i);
		n += s == NULL ? 0 : strlen(s);
	}
	return n;
}

/* How many bytes the UTF-8 character at the start of p has; 0: none, or NUL. */
static size_t
character(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, i;
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);

	if (len > n || (p[0] & 0xc0) == 0x80 || p[0] > 0xf4)
		return 0;
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

int
hub_is_text(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t len;

	for (; n > 0; p += len, n -= len) {
		if ((len = character(p, n)) == 0)
			return 0;
	}
	return 1;
}
