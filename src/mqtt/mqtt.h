/*
 * MQTT 3.1.1 (OASIS, 2014), either end, no I/O. One struct for each packet that carries something, its put and get side
 * by side in packet.c; session.c is the engine: keep-alive, order, who may say what.
 *
 * Bytes from the peer go in by engine.ops->in; packets for the peer pile up in engine.out. Tell the time (engine.ops->tick)
 * first in each turn: what comes or is said then counts as of that moment.
 */
#ifndef MQTT_MQTT_H
#define MQTT_MQTT_H
#include "base/engine.h"

enum mqtt_type {
	MQTT_CONNECT = 1,
	MQTT_CONNACK,
	MQTT_PUBLISH,
	MQTT_PUBACK,
	MQTT_PUBREC,
	MQTT_PUBREL,
	MQTT_PUBCOMP,
	MQTT_SUBSCRIBE,
	MQTT_SUBACK,
	MQTT_UNSUBSCRIBE,
	MQTT_UNSUBACK,
	MQTT_PINGREQ,
	MQTT_PINGRESP,
	MQTT_DISCONNECT,
	MQTT_CLOSED /* not a packet: the stream has ended */
};
/* Text and bytes are pointer and length, lent: when put, the caller's; in an event, the engine's until the next call. */
struct mqtt_text {
	const char *p;
	size_t len;
};
struct mqtt_connect {
	struct mqtt_text client_id, user, password; /* p NULL: absent */
	struct mqtt_text will_topic, will_body;	    /* p NULL: no will */
	int will_qos, will_retain;
	int clean;
	unsigned keep_alive; /* seconds; 0: none */
};
struct mqtt_connack {
	int session, code; /* code 0: accepted; 1-5 as in section 3.2.2.3 */
};
struct mqtt_publish {
	struct mqtt_text topic;
	const void *body;
	size_t len;
	int qos, retain, dup;
	uint16_t id; /* qos > 0 */
};
#define MQTT_FILTERS 16
struct mqtt_subscribe { /* SUBSCRIBE, and UNSUBSCRIBE without qos */
	uint16_t id;
	size_t count;
	struct mqtt_text filter[MQTT_FILTERS];
	uint8_t qos[MQTT_FILTERS]; /* asked, 0-2 */
};
struct mqtt_suback {
	uint16_t id;
	size_t count;
	uint8_t code[MQTT_FILTERS]; /* granted 0-2, or 0x80 */
};
struct mqtt_event {
	enum mqtt_type type;
	union {
		struct mqtt_connect connect;
		struct mqtt_connack connack;
		struct mqtt_publish publish;
		struct mqtt_subscribe subscribe; /* SUBSCRIBE and UNSUBSCRIBE */
		struct mqtt_suback suback;
		uint16_t id; /* PUBACK, UNSUBACK, PUBREC, PUBREL, PUBCOMP */
	};
};
/* packet.c. put appends a whole packet to a buffer: 0, HF_ERR_MEMORY, or HF_ERR_ARGS (what get would refuse: a text over
 * 65,535 bytes, a topic with wildcards, packet id 0; the buffer is then as it was). get reads one packet from the start of
 * p: its length in bytes, 0 when more bytes are needed, HF_ERR_PROTOCOL with a sentence. In that last case the event is
 * what to answer before closing (CONNACK code 1, to another protocol level), or has type 0. */
int mqtt_put(struct buf *, const struct mqtt_event *);
ssize_t mqtt_get(const uint8_t *p, size_t n, size_t max_packet, struct mqtt_event *, struct hf_error *);
const char *mqtt_name(enum mqtt_type); /* "PUBLISH" */

struct mqtt {
	struct engine engine;
	struct buf inbox;
	size_t taken;	     /* bytes of the packet that the last event borrows */
	size_t max_packet;   /* larger ones, header included, are refused as HF_ERR_PROTOCOL */
	int server;	     /* which chair */
	int connected;	     /* client: CONNACK 0 seen; server: CONNECT seen */
	int over;	     /* DISCONNECT heard, or a refusing CONNACK: what follows is not listened to */
	int eof, closed;     /* the stream has ended; and MQTT_CLOSED was shown */
	int failed;	     /* 0, or the HF_ERR_* that ended it */
	unsigned keep_alive; /* seconds, in force; a server may lower or raise it once CONNECT is seen */
	int64_t last_in, last_out, ping_sent; /* ms; ping_sent 0: no answer is awaited */
	uint16_t last_id;
	int64_t now;
};
void mqtt_init(struct mqtt *, int server, size_t max_packet);
void mqtt_fini(struct mqtt *);
/* 1: an event; 0: none yet; HF_ERR_PROTOCOL, HF_ERR_TIMEOUT (keep-alive) or HF_ERR_MEMORY: over, sentence in engine.err
 * (send what is in out before closing). Take events until there is none. PINGs are answered and never shown. A server says its
 * own CONNACK, SUBACK and PUBACK; a client its own PUBACK. MQTT_CLOSED comes once, behind the last whole packet; engine.err
 * has a sentence (HF_ERR_NET) only if the stream ended in the middle of a packet.
 * Keep-alive: a client that has said nothing for that long says PINGREQ, and gives up when half of it, at most 80 s,
 * passes without a PINGRESP. A server gives up after 1.5 times the keep-alive without a byte. Until it is connected neither
 * end watches the time: that is for whoever opened or accepted. */
int mqtt_next(struct mqtt *, struct mqtt_event *);
/* Says one packet. publish with qos > 0 and subscribe take a fresh packet id, which is never 0, and return it (> 0); the
 * others return 0. HF_ERR_MEMORY, HF_ERR_ARGS, or, from connect, publish and subscribe, HF_ERR_STATE ("wait": more than
 * ENGINE_HIGH bytes are waiting). Answers never have to wait: there can be no more of them than was taken in. */
int mqtt_say_connect(struct mqtt *, const struct mqtt_connect *);
int mqtt_say_connack(struct mqtt *, int session, int code);
/* id 0 and qos > 0: a fresh id; else the given one (said again after a reconnect, dup set), and fresh ones go on from there.
 * Returns the id, or 0 at QoS 0. */
int mqtt_publish(struct mqtt *, const struct mqtt_publish *);
int mqtt_puback(struct mqtt *, uint16_t id);
int mqtt_subscribe(struct mqtt *, const char *filter, int qos); /* asks for one filter; returns the id */
int mqtt_suback(struct mqtt *, const struct mqtt_suback *);
int mqtt_say(struct mqtt *, enum mqtt_type, uint16_t id); /* those with nothing but an id, or not even that */
/* Does a subscription's filter (+, #; section 4.7) fit this topic? 1 or 0. */
int mqtt_match(const char *filter, size_t flen, const char *topic, size_t tlen);
#endif
