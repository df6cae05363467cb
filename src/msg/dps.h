/*
 * What a device and DPS say to each other, once; dps_mqtt.c, dps_http.c and dps_amqp.c say how it is written on each wire. A struct is
 * zeroed by its get and given back by its fini; strings in it are owned ("" or NULL where absent).
 */
#ifndef MSG_DPS_H
#define MSG_DPS_H
#include "amqp/message.h"
#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"
#include "mqtt/mqtt.h"

#define DPS_API	 "2021-06-01"
#define DPS_HOST "global.azure-devices-provisioning.net"

/* Who speaks: told once for an MQTT connection, with each request over HTTPS. */
struct dps_who {
	char scope[65], id[129];
	char api[32];
	char *token; /* SAS; NULL: the certificate speaks, or nothing yet */
};
void dps_who_fini(struct dps_who *);

enum dps_op { DPS_REGISTER = 1, DPS_POLL, DPS_LOOKUP };
struct dps_request {
	enum dps_op op;
	char rid[64];	     /* MQTT, AMQP: echoed in the reply */
	char operation[160]; /* POLL */
	char id[129];	     /* as the body says; "" when it does not */
	char *ek, *srk;	     /* REGISTER by TPM: base64 TPM2B_PUBLIC; NULL */
	char *payload;	     /* REGISTER: JSON text; NULL */
};
void dps_request_fini(struct dps_request *);

struct dps_reply {
	int status;	 /* 200, 202, 401, 429, ... */
	int retry_after; /* seconds; 0: not said */
	char rid[64];
	char operation[160];
	char state[16]; /* "assigning", "assigned", "failed"; "" in an error */
	/* registrationState; valid when state is not "" */
	char id[129], hub[256], device[129], substatus[48];
	char created[32], updated[32], etag[128];
	char group[129];	 /* enrollmentGroupId; "" for an individual enrollment */
	const char *attestation; /* "tpm", "x509", "symmetricKey": static text; NULL when not said */
	char *tpm_key;		 /* base64 blob: the hub key (assigned), or the challenge (401); NULL */
	char *payload;		 /* JSON text; NULL */
	/* an error, of the request (status >= 300) or of the registration (state "failed") */
	int code;
	char tracking[80], message[300], at[32];
};
void dps_reply_fini(struct dps_reply *);

/* Is this an api-version: YYYY-MM-DD or YYYY-MM-DD-preview? 1 or 0. */
int dps_is_api(const char *, size_t);

/* The JSON bodies, the same on every wire. A reply without `id` is just the operation and its state, as a register is
 * answered; one without `operation` is just the registrationState, as a look-up is. The gets add to a struct that is zero
 * but for what the wire has said (op, status). */
int dps_put_request_body(struct buf *, const struct dps_request *, const char *id);
int dps_get_request_body(const void *, size_t, struct dps_request *, struct hf_error *);
int dps_put_reply_body(struct buf *, const struct dps_reply *);
int dps_get_reply_body(const void *, size_t, struct dps_reply *, struct hf_error *);

/* MQTT. The connection says who. */
#define DPS_MQTT_FILTER "$dps/registrations/res/#"
int dps_mqtt_put_who(struct mqtt *, const struct dps_who *, unsigned keep_alive);
int dps_mqtt_get_who(const struct mqtt_connect *, struct dps_who *, struct hf_error *);
int dps_mqtt_put_request(struct mqtt *, const struct dps_request *, const char *id);
int dps_mqtt_get_request(const struct mqtt_publish *, struct dps_request *, struct hf_error *);
int dps_mqtt_put_reply(struct mqtt *, const struct dps_reply *, int qos);
int dps_mqtt_get_reply(const struct mqtt_publish *, struct dps_reply *, struct hf_error *);

/* HTTPS. host: for the Host header. */
int dps_http_put_request(struct http *, const struct dps_who *, const struct dps_request *, const char *host);
int
dps_http_get_request(const struct http_message *, struct dps_who *, struct dps_request *, struct hf_error *);
int dps_http_put_reply(struct http *, const struct dps_reply *);
int dps_http_get_reply(const struct http_message *, struct dps_reply *, struct hf_error *);
/* AMQP. Both links have one address, SCOPE/registrations/ID, which says who; SASL has proved it, or a certificate does. A request is a
 * message, and so is a reply, unless it is an error: then the request is rejected, and this is the condition and description. */
#define DPS_AMQP_ADDRESS 256
int dps_amqp_put_address(char dst[DPS_AMQP_ADDRESS], const struct dps_who *);
/* With amqps://HOST/ or a slash in front, or not. */
int dps_amqp_get_address(const char *, struct dps_who *, struct hf_error *);
/* Append a message. */
int dps_amqp_put_request(struct buf *, const struct dps_request *, const char *id);
int dps_amqp_put_reply(struct buf *, const struct dps_reply *, const struct amqp_value *correlation);
/* correlation: lent from the message, to be echoed; of any type. */
int dps_amqp_get_request(
    const void *, size_t, struct dps_request *, struct amqp_value *correlation, struct hf_error *);
int dps_amqp_get_reply(const void *, size_t, struct dps_reply *, struct hf_error *);
const char *dps_amqp_put_error(struct buf *description, const struct dps_reply *); /* NULL: out of memory */
int dps_amqp_get_error(const char *condition, const char *description, struct dps_reply *, struct hf_error *);

/* Does this request line belong to DPS's device side? 1 or 0. */
int dps_http_is(const char *target);
#endif
