/*
 * LINE: a connection with a service, over one of the transports that are tried in turn.
 *
 * Whoever owns it makes an engine and dials; from then on the pump moves, and the owner takes the engine's events. A dialling that
 * fails is told to line_failed(), which says whether there is another transport to try at once.
 */
#ifndef STREAM_LINE_H
#define STREAM_LINE_H
#include "base/log.h"
#include "stream/pump.h"

enum transport { TRANSPORT_MQTT = 1, TRANSPORT_MQTT_WS, TRANSPORT_AMQP, TRANSPORT_AMQP_WS, TRANSPORT_HTTP };
#define TRANSPORTS 5
struct transports { /* in the order in which they are tried */
	enum transport by[TRANSPORTS];
	size_t count;
};
/* "amqp,amqp-ws". HF_ERR_ARGS: a name that is not known, or comes twice, or none; HF_ERR_UNSUPPORTED: not in this build. */
int transports_get(struct transports *, const char *names, struct hf_error *);
const char *transport_usual(int tpm);	    /* when none is named; tpm: to DPS, which takes none over MQTT */
const char *transport_name(enum transport); /* "amqp-ws" */
int transport_is_mqtt(enum transport);	    /* in a WebSocket or not */
int transport_is_amqp(enum transport);

enum line_state { LINE_CLOSED, LINE_OPENING, LINE_READY };
struct line {
	/* the owner's */
	struct net *net;
	struct work *work;
	const struct log *log;
	const char *whom; /* "DPS at", "hub"; static */
	char host[256];
	uint16_t port; /* 0: each transport's own */
	struct transports way;
	/* to be read */
	enum line_state state;
	struct pump pump;
	/* private */
	size_t at, failures;
	int64_t until;
	int left;	      /* what watch last saw is closed */
	struct hf_error last; /* the failures since a line was ready, as one sentence */
};
void line_init(struct line *, struct net *, struct work *, const struct log *, const char *whom);
/* HOST or HOST:PORT, with a port for every transport. HF_ERR_ARGS. */
int line_name(struct line *, const char *host_port, struct hf_error *);
enum transport line_transport(const struct line *); /* that which is tried, or in use */
/* Opens. The engine is lent until line_close(). */
int line_dial(struct line *, struct tls_conf *, struct engine *, struct moment, struct hf_error *);
int line_stands(const struct line *); /* it is opening, and the peer can be spoken to: 1 or 0 */
/* The service has let us in: this transport is the first to be tried from now on. */
void line_ready(struct line *);
void line_close(struct line *);
/* An attempt has failed, and the line is closed. 1: there is another transport, dial again. 0: this was the last of them; `why` has become a
 * sentence about all of them. */
int line_failed(struct line *, struct hf_error *why);
/* 1: it is opening, and takes too long: `why` says so. */
int line_late(const struct line *, struct moment, struct hf_error *why);
int64_t line_deadline(struct line *, struct moment); /* NEVER when it is closed */
void line_watch(struct line *, struct watch *);
#endif
