/*
 * One connection, seen from the files that make it one: session.c reads, writes and ends it, session_dps.c, session_hub.c,
 * session_http.c, session_http_hub.c and session_amqp*.c answer what came, session_c2d.c brings messages to a device, session_ws.c makes a WebSocket
 * of it.
 */
#ifndef EMULATOR_SESSION_H
#define EMULATOR_SESSION_H
#include "emulator.h"

#define MAX_BODY   (HUB_MAX_EVENT + 1024)  /* an HTTP request's */
#define MAX_PACKET (HUB_MAX_EVENT + 65536) /* body, topic, and some air */

enum session_role { NOBODY, DPS_DEVICE, HUB_DEVICE, HUB_AMQP };
struct will {
	char *topic; /* NULL: none */
	struct buf body;
	int retain;
};
/* A message that is on its way to a device over MQTT, until its PUBACK. */
#define LENT_MOST 20
struct lent {
	uint16_t id;
	char lock[64];
	int64_t until; /* ms */
};
struct session {
	struct emulator *e;
	enum session_kind kind;
	enum session_role role;
	enum session_kind upgrade; /* HTTP: what is spoken once all is sent; 0: HTTP */
	int in_ws;		   /* in a WebSocket */
	struct stream *stream; /* TLS, with the peer's certificate; the pump's, or below it in a WebSocket */
	struct pump pump;
	union {
		struct engine engine; /* the first member of each */
		struct mqtt mqtt;
		struct http http;
		struct amqp amqp;
	};
	struct amqp_side *amqp_side;	/* AMQP: session_amqp.h */
	struct dps_who who;		/* DPS_DEVICE */
	int granted;			/* DPS_DEVICE: QoS for the answers; -1: they are not subscribed to */
	struct hub_admission admission; /* HUB_DEVICE */
	char client[260];
	int clean;
	json_t *filters; /* HUB_DEVICE: objects of filter and qos */
	struct will will;
	struct lent lent[LENT_MOST];
	size_t lents;
	int wanted;	   /* HUB_DEVICE: there may be a message for it */
	int64_t wanted_at; /* then there may be one again */
	int64_t version;   /* of the registry, when the admission was last looked at */
	int64_t opened, deadline;
	size_t unsent; /* bytes of out when the turn began */
	int stuck;     /* events wait for room in out */
	int more;      /* the last step moved something: there may be more to do */
	int heard;     /* HTTP: a request has come */
	int finishing; /* ends once all is sent */
	int over;
	int ready;
	struct session *next_ready, *next_turn, *next;
	void *host;
};

int session_speak(struct session *, enum session_kind); /* makes its engine; 0 or HF_ERR_MEMORY */
/* Ends at once, or once everything is sent, with a line in the log (fmt NULL: none). */
void session_end(struct session *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void session_finish(struct session *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *session_subject(const struct session *, char dst[600]); /* "hub 127.0.0.2, device d1" */

void dps_connect(struct session *, const struct mqtt_connect *);
void dps_event(struct session *, const struct mqtt_event *);
void dps_log(
    struct emulator *, const char *how, const char *id, const struct dps_request *, const struct dps_reply *);
/* A request that cannot be read is answered too. */
void dps_bad_request(struct emulator *, const struct hf_error *why, struct dps_reply *);

void hub_connect(struct session *, const struct mqtt_connect *);
void hub_event(struct session *, const struct mqtt_event *);
void hub_offer(struct session *); /* messages, if there are any and it wants them */
void hub_check(struct session *); /* has the token ended, is the device gone? */
void hub_lost(struct session *);  /* the link is gone without a goodbye: the will is an event now */

void c2d_lend(struct session *, int qos); /* brings what waits for the device */
void c2d_acked(struct session *, uint16_t id);
void c2d_lost(struct session *); /* the link is gone: what is on its way goes back */

void http_answer(struct session *, const struct http_message *);
void http_hub_answer(struct session *, const struct http_message *);

/* session_amqp.c, or no_amqp.c in its place. 0 or HF_ERR_MEMORY; as amqp_next(). */
int amqp_session_speak(struct session *);
int amqp_session_next(struct session *);
void amqp_session_free(struct session *);
/* The same as hub_check() and the like, of each device on a connection over AMQP. */
void hub_amqp_check(struct session *);
void hub_amqp_offer(struct session *);
void hub_amqp_lost(struct session *);
int hub_amqp_wake(struct session *, const char *hub, const char *device); /* 1: it is here */
int hub_amqp_wake_owner(struct session *, const char *hub);		  /* 1: it listens for feedback */
void hub_amqp_replace(struct session *, const char *hub, const char *device);
int64_t hub_amqp_deadline(const struct session *); /* ms or NEVER */

int
ws_is(const struct http_message *); /* does it ask for a WebSocket, or for what is at the WebSocket's path? */
void ws_answer(struct session *, const struct http_message *);
void ws_begin(struct session *); /* the answer was yes, and has been sent */
#endif
