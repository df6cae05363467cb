/* The first byte says what the rest is: W a username, else a telemetry topic. Both are heard as device d's, then said again. */
#include <stdlib.h>
#include <string.h>
#include "msg/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
hear_who(const char *p, size_t n)
{
	struct mqtt_connect c = { .client_id = { "d", 1 }, .user = { p, n }, .password = { p, n } };
	struct hf_error e = { 0 };
	struct hub_who w;
	struct mqtt m;

	if (hub_mqtt_get_who(&c, &w, &e) < 0)
		return;
	mqtt_init(&m, 0, 65536);
	(void)hub_mqtt_put_who(&m, &w, 60, 0);
	mqtt_fini(&m);
	hub_who_fini(&w);
}

static void
hear_event(const char *p, size_t n)
{
	struct mqtt_publish pub = { .topic = { p, n } };
	struct hub_event ev, again;
	struct hf_error e = { 0 };
	struct buf b = { 0 };
	size_t i;

	if (hub_mqtt_get_event(&pub, "d", &ev, &e) < 0)
		return;
	if (hub_mqtt_put_topic(&b, "d", &ev) < 0)
		abort();
	pub.topic = (struct mqtt_text){ (const char *)buf_data(&b), buf_size(&b) };
	if (hub_mqtt_get_event(&pub, "d", &again, &e) < 0)
		abort();
	if (again.property_count != ev.property_count || hub_event_size(&again) != hub_event_size(&ev))
		abort();
	for (i = 0; i < ev.property_count; i++) {
		if (strcmp(ev.property[i].key, again.property[i].key) != 0 ||
		    strcmp(ev.property[i].value, again.property[i].value) != 0)
			abort();
	}
	hub_event_fini(&again);
	hub_event_fini(&ev);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (p[0] == 'W')
		hear_who((const char *)p + 1, n - 1);
	else
		hear_event((const char *)p + 1, n - 1);
	return 0;
}
