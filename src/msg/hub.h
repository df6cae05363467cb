/* What a device and its IoT Hub say to each other; hub_mqtt.c and hub_http.c say how it is written on each wire. */
#ifndef MSG_HUB_H
#define MSG_HUB_H
#include "base/buf.h"
#include "base/err.h"
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

/* A cloud-to-device message: written like telemetry. */
struct hub_c2d {
	struct hub_event message; /* `to` and `expiry` are among its system properties */
	char
	    ack[9]; /* the feedback that its sender wants: none, positive, negative, full; "" when not said */
	char lock[64];	     /* HTTPS: names this delivery in its answer; "" elsewhere */
	int64_t sequence;    /* HTTPS and AMQP: in the device's queue; 0 elsewhere */
	int64_t enqueued_ms; /* the same; Unix time */
	int deliveries;	     /* the same: how often it came before and was abandoned */
};
void hub_c2d_fini(struct hub_c2d *);
/* What a device says of one: done with; again later; never again. */
enum hub_answer { HUB_COMPLETE = 1, HUB_ABANDON, HUB_REJECT };
#define HUB_ANY (-1L) /* as a number of messages that are wanted: all that come */

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

/*
 * HTTPS: each request says who, and is answered by itself. Properties are headers, and so must be such as headers can carry; a batch
 * is JSON, which carries any text but has no system properties.
 */
#define HUB_BATCH_COUNT 500
#define HUB_BATCH_BYTES (255 * 1024) /* of JSON; the hub takes 256 KiB */
enum hub_http_op { HUB_HTTP_EVENT = 1, HUB_HTTP_BATCH, HUB_HTTP_RECEIVE, HUB_HTTP_SETTLE };
struct hub_http_request {
	enum hub_http_op op;
	enum hub_answer answer; /* SETTLE */
	char lock[64];		/* SETTLE */
};
int hub_http_is(const char *target); /* does it belong to a hub's device side? 1 or 0 */
/* Can it be said by headers (alone), or as an item of a batch? 1 or 0. */
int hub_http_in_headers(const struct hub_event *);
int hub_http_in_batch(const struct hub_event *);
/* Requests. 0, HF_ERR_MEMORY, or HF_ERR_STATE: wait, as http_say() does. */
int hub_http_put_event(struct http *, const struct hub_who *, const struct hub_event *);
int hub_http_put_batch(struct http *, const struct hub_who *, const struct buf *items);
int hub_http_put_receive(struct http *, const struct hub_who *);
int hub_http_put_settle(struct http *, const struct hub_who *, const char *lock, enum hub_answer);
/* Appends an item: items are an array without its brackets. 0 or HF_ERR_MEMORY. */
int hub_http_put_item(struct buf *items, const struct hub_event *);
/* What is asked, and who asks: host, device, module, token. */
int hub_http_get_request(
    const struct http_message *, struct hub_who *, struct hub_http_request *, struct hf_error *);
int hub_http_get_event(const struct http_message *, struct hub_event *, struct hf_error *);
/* Calls fn for each event of a batch, in order, until it answers non-zero, which is then the answer. */
int hub_http_get_batch(
    const struct http_message *, int (*fn)(void *, const struct hub_event *), void *, struct hf_error *);
/* Answers. A refusal has the service's code (its thousands are the status), its name and a sentence. */
int hub_http_put_done(struct http *); /* 204 */
int hub_http_put_c2d(struct http *, const struct hub_c2d *);
/* The lock is set whenever there is one. */
int hub_http_get_c2d(const struct http_message *, struct hub_c2d *, struct hf_error *);
int hub_http_put_refusal(struct http *, int service, const char *sentence, const char *tracking);
/* Of a status that is no success: code, status, service code and sentence into the error. */
int hub_http_get_refusal(const struct http_message *, struct hf_error *);

/*
 * AMQP. A device's links: by their addresses. A get takes a path alone or a URI before it, ids percent-encoded, letter case of the
 * fixed parts aside.
 */
#define HUB_AMQP_ADDRESS    600
#define HUB_AMQP_BATCH	    0x80013700u		    /* message format: each data section is a message */
#define HUB_AMQP_TO_DEVICES "/messages/devicebound" /* the owner's link to all devices */
enum hub_amqp_link { HUB_AMQP_EVENTS = 1, HUB_AMQP_BOUND };
int hub_amqp_put_address(char dst[HUB_AMQP_ADDRESS], const struct hub_who *, enum hub_amqp_link);
/* Device and module into who. The kind, or HF_ERR_PROTOCOL. */
int hub_amqp_get_address(const char *, struct hub_who *, struct hf_error *);
/* The device that a message of the owner's is for, by its `to`: /devices/ID/messages/devicebound. 0 or HF_ERR_PROTOCOL. */
int hub_amqp_get_to(const char *to, struct hub_who *, struct hf_error *);
/* Messages. A got event's body is lent from the bytes, or from `body`, which is emptied first, when it came in several sections. */
int hub_amqp_put_event(struct buf *, const struct hub_who *, const struct hub_event *);
int hub_amqp_get_event(const void *, size_t, struct hub_event *, struct buf *body, struct hf_error *);
/* Of format HUB_AMQP_BATCH: calls fn for each message in it, in order, until it answers non-zero, which is then the answer. */
int hub_amqp_get_batch(
    const void *, size_t, int (*fn)(void *, const struct hub_event *), void *, struct hf_error *);
/* With iothub-sequencenumber, iothub-enqueuedtime and iothub-deliverycount as annotations where they are not 0, iothub-ack as a property. */
int hub_amqp_put_c2d(struct buf *, const struct hub_c2d *);
int hub_amqp_get_c2d(const void *, size_t, struct hub_c2d *, struct buf *body, struct hf_error *);
/* The condition that stands for a service's code (amqp:not-found for 404001), and its description, JSON text; and back into an error
 * with status, service code, tracking id and a sentence that begins with `what`. */
const char *
hub_amqp_put_error(struct buf *description, int service, const char *sentence, const char *tracking);
int hub_amqp_get_error(const char *condition, const char *description, const char *what, struct hf_error *);
#endif
