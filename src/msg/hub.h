/*
 * What a device and its IoT Hub say to each other, once; hub_mqtt.c, hub_amqp.c and hub_http.c say how it is written on each wire.
 */
#ifndef MSG_HUB_H
#define MSG_HUB_H
#include "base/buf.h"
#include "base/err.h"
#include "amqp/amqp.h"
#include "http/http.h"
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

/*
 * Cloud to device: a message that the hub's queue hands out, locked for a minute, until the device settles it. Event's body and properties
 * are the message's; iothub-ack is one of the properties.
 */
#define HUB_MAX_C2D 65536 /* body and properties */
struct hub_c2d {
	struct hub_event event;
	char lock[40];	     /* lock token: HTTPS's ETag; "" elsewhere */
	int64_t sequence;    /* of the hub; 0: not said */
	int64_t enqueued_ms; /* Unix milliseconds; 0: not said */
	int deliveries;	     /* how often it was handed out before; 0: never, or not said */
};
void hub_c2d_fini(struct hub_c2d *);
enum hub_outcome { HUB_COMPLETE = 1, HUB_ABANDON, HUB_REJECT };

/*
 * MQTT. The connection says who. A message to the device is completed by its PUBACK; there is neither abandon nor reject.
 */
int hub_mqtt_put_who(struct mqtt *, const struct hub_who *, unsigned keep_alive, int clean);
int hub_mqtt_get_who(const struct mqtt_connect *, struct hub_who *, struct hf_error *);
/* Telemetry's topic; the same for each message without properties, so callers may keep it. Appends. */
int hub_mqtt_put_topic(struct buf *, const char *device, const struct hub_event *);
/* Reads topic and body. 0; HF_ERR_PROTOCOL: not a telemetry topic of this device, or malformed. */
int
hub_mqtt_get_event(const struct mqtt_publish *, const char *device, struct hub_event *, struct hf_error *);
/* The filter under which a device hears: devices/ID/messages/devicebound/#. Appends. */
int hub_mqtt_put_filter(struct buf *, const char *device);
/* The topic of a message to the device; appends. get: body is lent from the packet. HF_ERR_PROTOCOL: not such a topic, or malformed. */
int hub_mqtt_put_c2d(struct buf *topic, const char *device, const struct hub_c2d *);
int hub_mqtt_get_c2d(const struct mqtt_publish *, const char *device, struct hub_c2d *, struct hf_error *);

/*
 * AMQP. CBS or the certificate says who (or SASL PLAIN: DEVICE@sas.HUB); links are found by their addresses:
 * [amqps://HOST]/devices/ID/messages/events, .../messages/devicebound; a service's are /messages/devicebound.
 */
enum hub_address {
	HUB_EVENTS = 1,
	HUB_DEVICEBOUND,
	HUB_CBS,
	HUB_SERVICEBOUND_FEEDBACK,
	HUB_SERVICE_DEVICEBOUND
};
int hub_amqp_put_address(char dst[512], enum hub_address, const char *device);
/* 0 when it is none of these. device: of the first two, else "". */
enum hub_address hub_amqp_get_address(const char *address, char device[129], char module[129]);
/* An event, encoded; appends. get takes an ordinary message; of the batched format (HUB_AMQP_BATCH) hub_amqp_next() gives one message after the
 * other: 1 with it in *p, *n; 0 at the end; HF_ERR_PROTOCOL. Text and body of a got event are owned by it (bodies by hub_event.body's buffer `keep`). */
#define HUB_AMQP_BATCH 0x80013700u
int hub_amqp_put_event(struct buf *, const struct hub_event *);
int hub_amqp_get_event(const void *, size_t, struct hub_event *, struct buf *keep, struct hf_error *);
int hub_amqp_next(const void **at, size_t *left, const void **p, size_t *n, struct hf_error *);
/* A message to the device: from a service (its `to` names the device) and from the hub. `keep` holds the body. */
int hub_amqp_put_c2d(struct buf *, const char *device, const struct hub_c2d *);
int hub_amqp_get_c2d(const void *, size_t, struct hub_c2d *, struct buf *keep, struct hf_error *);
/* The device in a service's `to`: /devices/ID/messages/deviceBound, letter case aside but for the id. 0 or HF_ERR_PROTOCOL. */
int hub_amqp_get_to(const char *to, char device[129], char module[129]);
/* The hub's errors as conditions: HF_ERR_AUTH for unauthorized-access and not-found, HF_ERR_SERVICE otherwise, with errorCode and tracking id when the
 * description is JSON. put: by the service code in err. */
void hub_amqp_put_condition(struct amqp_condition *, const struct hf_error *);
int hub_amqp_get_condition(const struct amqp_condition *, struct hf_error *);

/*
 * HTTPS. Each request says who: Authorization, or the certificate.
 */
enum hub_http_op { HUB_HTTP_EVENT = 1, HUB_HTTP_BATCH, HUB_HTTP_TAKE, HUB_HTTP_SETTLE };
struct hub_http_request { /* a struct of what was got; fini it */
	enum hub_http_op op;
	struct hub_who who;
	struct hub_event event;	 /* EVENT; its body is lent from the message */
	struct hub_event *batch; /* BATCH; owned, bodies in `keep` */
	size_t batch_count;
	struct buf keep;
	char lock[40]; /* SETTLE */
	enum hub_outcome outcome;
};
void hub_http_request_fini(struct hub_http_request *);
int hub_http_put_event(struct http *, const struct hub_who *, const struct hub_event *);
/* Several at once; only for events that have no system property. */
int hub_http_put_batch(struct http *, const struct hub_who *, const struct hub_event *const *, size_t count);
int hub_http_put_take(struct http *, const struct hub_who *);
int hub_http_put_settle(struct http *, const struct hub_who *, const char *lock, enum hub_outcome);
int hub_http_get_request(const struct http_message *, struct hub_http_request *, struct hf_error *);
/* Answers: 204 (done, or no message), 200 with a message (TAKE), or an error: its status, service code and sentence. */
int hub_http_put_done(struct http *);
int hub_http_put_c2d(struct http *, const struct hub_c2d *);
int hub_http_put_error(struct http *, const struct hf_error *);
/* What an answer says: 1: a message to the device (lent body) in *c; 0: done, or there is none; negative: refused, with the hub's status, errorCode
 * and tracking id: HF_ERR_AUTH for 401, 403, 404; HF_ERR_SERVICE; retry_after when it is said. */
int hub_http_get_answer(const struct http_message *, struct hub_c2d *, struct hf_error *);
/* Does this request line belong to a hub's device side? 1 or 0. */
int hub_http_is(const char *target);
#endif
