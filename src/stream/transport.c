#include <string.h>
#include "base/str.h"
#include "transport.h"

static const struct transport_row rows[] = {
	{ "mqtt", 8883, NULL, TRANSPORT_MQTT, HF_MQTT },
	{ "mqtt-ws", 443, "mqtt", TRANSPORT_MQTT_WS, HF_MQTT &&HF_WS },
	{ "amqp", 5671, NULL, TRANSPORT_AMQP, HF_AMQP },
	{ "amqp-ws", 443, "AMQPWSB10", TRANSPORT_AMQP_WS, HF_AMQP &&HF_WS },
	{ "http", 443, NULL, TRANSPORT_HTTP, HF_HTTP },
};

const struct transport_row *
transport_row(enum transport t)
{
	return &rows[t - 1];
}

/* The first that this build has. */
const char *
transport_usual(int tpm)
{
	if (tpm)
		return HF_HTTP ? "http" : HF_AMQP ? "amqp" : "mqtt";
	return HF_MQTT ? "mqtt" : HF_AMQP ? "amqp" : "http";
}

const char *
transport_name(enum transport t)
{
	return rows[t - 1].name;
}

int
transport_is_mqtt(enum transport t)
{
	return t == TRANSPORT_MQTT || t == TRANSPORT_MQTT_WS;
}

int
transport_is_amqp(enum transport t)
{
	return t == TRANSPORT_AMQP || t == TRANSPORT_AMQP_WS;
}

static enum transport
find(const char *name, size_t n)
{
	for (size_t i = 0; i < TRANSPORTS; i++)
		if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
			return rows[i].as;
	return 0;
}

static int
has(const struct transports *t, enum transport as)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->by[i] == as)
			return 1;
	return 0;
}

static int
add(struct transports *t, const char *name, size_t n, struct hf_error *e)
{
	enum transport as = find(name, n);

	if (as == 0)
		return err_set(e, HF_ERR_ARGS,
		    "transport \"%.*s\" is not known; there are mqtt, mqtt-ws, amqp, amqp-ws and http, or several of them with commas between",
		    (int)(n < 40 ? n : 40), name);
	if (has(t, as))
		return err_set(e, HF_ERR_ARGS, "transport %s is named twice", transport_name(as));
	if (!transport_row(as)->built)
		return err_set(
		    e, HF_ERR_UNSUPPORTED, "transport %s is not part of this build", transport_name(as));
	t->by[t->count++] = as;
	return 0;
}

int
transports_get(struct transports *t, const char *names, struct hf_error *e)
{
	struct transports got = { 0 };
	size_t n;

	for (;; names += n + 1) {
		n = strcspn(names, ",");
		if (add(&got, names, n, e) < 0)
			return e->code;
		if (names[n] == '\0')
			break;
	}
	*t = got;
	return 0;
}
