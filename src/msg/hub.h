/* What a device and its IoT Hub say to each other; hub_mqtt.c says how it is written in MQTT. */
#ifndef MSG_HUB_H
#define MSG_HUB_H
#include "base/buf.h"
#include "base/err.h"
#include "mqtt/mqtt.h"

#define HUB_API	      "2021-04-12"
#define HUB_MAX_EVENT 262144 /* body and properties */

struct hub_who {
	char host[256], device[129], module[129];
	char api[32], agent[128], model[256];
	char *token; /* SAS; NULL: the certificate speaks */
};
void hub_who_fini(struct hub_who *);

/* Telemetry. Properties are pairs; a system property has its own place. */
struct hub_property {
	char *key, *value;
};
struct hub_event {
	const void *body; /* put: the caller's. get: lent from the packet */
	size_t len;
	struct hub_property *property; /* owned */
	size_t property_count;
	char *message_id, *correlation_id, *user_id, *to, *expiry, *content_type, *content_encoding,
	    *creation_time, *output_name, *component, *interface_id; /* owned; NULL: absent */
};
void hub_event_fini(struct hub_event *);
/* Copies; value NULL is "". 0, HF_ERR_MEMORY, HF_ERR_ARGS for an empty key. */
int hub_event_add(struct hub_event *, const char *key, const char *value);
/* The place of system property i, in the order of the struct, from 0 to HUB_SYSTEM - 1. */
#define HUB_SYSTEM 11
char **hub_event_system(struct hub_event *, size_t i);
size_t hub_event_size(const struct hub_event *); /* as the hub counts it against HUB_MAX_EVENT */
int hub_is_text(const char *, size_t); /* 1: UTF-8 without a NUL, as a property's name and value are */

/* A cloud-to-device message: written like telemetry. */
struct hub_c2d {
	struct hub_event message; /* `to` and `expiry` are among its system properties */
	char
	    ack[9]; /* the feedback that its sender wants: none, positive, negative, full; "" when not said */
};
void hub_c2d_fini(struct hub_c2d *);

int hub_mqtt_put_who(struct mqtt *, const struct hub_who *, unsigned keep_alive, int clean);
int hub_mqtt_get_who(const struct mqtt_connect *, struct hub_who *, struct hf_error *);
/* Telemetry's topic; the same for each message without properties, so callers may keep it. Appends. */
int hub_mqtt_put_topic(struct buf *, const char *device, const struct hub_event *);
/* Reads topic and body. 0; HF_ERR_PROTOCOL: not a telemetry topic of this device, or malformed. */
int
hub_mqtt_get_event(const struct mqtt_publish *, const char *device, struct hub_event *, struct hf_error *);
/* Cloud-to-device messages: the filter that a device subscribes to, and a message's topic. Append. */
int hub_mqtt_put_filter(struct buf *, const char *device);
int hub_mqtt_put_c2d(struct buf *, const char *device, const struct hub_c2d *);
/* Reads topic and body. 0; HF_ERR_PROTOCOL: no message for this device, or malformed; HF_ERR_MEMORY. */
int hub_mqtt_get_c2d(const struct mqtt_publish *, const char *device, struct hub_c2d *, struct hf_error *);
#endif
