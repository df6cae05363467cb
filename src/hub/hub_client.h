/*
 * A device at its IoT Hub: device.c decides (pure: what is queued, in flight, acknowledged, when to try again), client.c carries
 * it out, and asks DPS again where the device belongs when its hub no longer takes it.
 */
#ifndef HUB_HUB_CLIENT_H
#define HUB_HUB_CLIENT_H
#include "dps/dps_client.h"
#include "msg/hub.h"

/* One queued message: a single allocation, `event` points into it. */
struct hub_message {
	uint64_t tag;
	size_t size; /* of the allocation */
	int acked, sent;
	struct hub_event event;
};
/* Copies a message of the application's. HF_ERR_ARGS: too large for a hub; HF_ERR_MEMORY. */
int hub_message_new(struct hub_message **, const struct hf_message *, uint64_t tag, struct hf_error *);

#define HUB_QUEUE_COUNT 100000
#define HUB_QUEUE_BYTES (64u << 20)
#define HUB_WINDOW	1000 /* in flight; ids are unique up to 32,768 */

enum hub_ask {
	HUB_ASK_WAIT = 1, /* nothing until `deadline` */
	HUB_ASK_SIGN,	  /* a token (kinds that have none are never asked); hub_device_signed() */
	HUB_ASK_OPEN,	  /* connect; hub_device_opened() or _lost() or _refused() */
	HUB_ASK_CLOSE,	  /* disconnect, to come back with the new token; hub_device_lost(NULL) */
	HUB_ASK_SEND,	  /* say `message` under packet id `id`; then hub_device_said() */
	HUB_ASK_REGISTER, /* ask DPS where the device belongs; hub_device_moved(), _unanswered() or _broke() */
	HUB_FAILED	  /* over: err */
};
struct hub_device {
	struct hf_error err, last;
	int64_t deadline; /* ms */
	struct hub_message *message;
	uint16_t id;
	int again; /* the message was said before: DUP */
	int fault; /* of ASK_CLOSE: the connection has gone bad, `last` says how */
	/* private */
	int step, tries, signs, may_register, asked_dps, up, early, awake;
	int64_t at, token_until, renew_at, ack_by, up_since, down_since;
	int64_t stale_ms, renew_ms; /* token_until and renew_at, by the clock that never jumps */
	struct coin coin;
	struct hub_message **ring; /* by sequence number, modulo cap (a power of two) */
	size_t cap, bytes;
	uint64_t head, next, tail; /* oldest not acknowledged; next to say; behind the newest */
};
/* signs: the key makes SAS tokens. may_register: there is a DPS to ask. */
void hub_device_init(struct hub_device *, int signs, int may_register, uint64_t seed, struct moment);
void hub_device_fini(struct hub_device *);
/* Takes the message. HF_ERR_STATE: the queue is full; HF_ERR_MEMORY. */
int hub_device_queue(struct hub_device *, struct hub_message *, struct hf_error *);
enum hub_ask hub_device_next(struct hub_device *, struct moment);
void hub_device_said(struct hub_device *, struct moment);
/* 1: this was an outstanding message, `tag` is its; it is forgotten. 0: not ours. */
int hub_device_acked(struct hub_device *, uint16_t id, uint64_t *tag, struct moment);
void hub_device_signed(struct hub_device *, int64_t signed_at, int64_t token_until, struct moment);
void hub_device_early(struct hub_device *); /* events may be sent before the hub has let us in */
void hub_device_waits(struct hub_device *, struct moment); /* opening goes on, over another transport */
void hub_device_opened(struct hub_device *, struct moment);
void
hub_device_welcome(struct hub_device *); /* the hub believes us: DPS may be asked again, should it cease to */
/* A new token that the hub heard at once, or hears with the next request. */
void hub_device_renewed(struct hub_device *, int64_t signed_at, int64_t token_until, struct moment);
/* The connection has ended, and is made again when there is something to send, or on waking. */
void hub_device_sleeps(struct hub_device *);
int hub_device_is_asleep(const struct hub_device *);
int hub_device_wake(struct hub_device *); /* 1: it was asleep */
int hub_device_is_up(const struct hub_device *);
void hub_device_lost(struct hub_device *, const struct hf_error *why, struct moment); /* why NULL: as asked */
void hub_device_refused(struct hub_device *, const struct hf_error *why, struct moment); /* "not you" */
void hub_device_moved(struct hub_device *, struct moment);
void hub_device_unanswered(
    struct hub_device *, const struct hf_error *why, struct moment); /* DPS could not be reached */
void hub_device_broke(struct hub_device *, const struct hf_error *why);
size_t hub_device_waiting(const struct hub_device *); /* not yet acknowledged */

struct hub_client;
struct hub_settings {
	const char *hub; /* HOST[:PORT] */
	const char *device;
	const char *trust;
	struct transports transports;
	int early;			/* MQTT: events travel behind CONNECT */
	int64_t poll_ms;		/* HTTPS: how often messages are asked for */
	const struct dps_settings *dps; /* NULL: DPS is never asked. Lent */
	const struct dps_state
	    *state;	  /* copied; its wrapped key is kept before the first signature. NULL: none */
	const char *file; /* where that state is stored; NULL: nowhere. Lent */
	uint64_t seed;
};
enum hub_happened {
	HUB_NOTHING,
	HUB_CONNECTED,
	HUB_DISCONNECTED,
	HUB_SENT,    /* the hub has stored it; or never will: why */
	HUB_C2D,     /* hub_client_c2d() has it */
	HUB_SETTLED, /* the answer is on its way to the hub; or not: why */
	HUB_MOVED,
	HUB_OVER
};
/* hsm, net, work and log are lent. */
int hub_client_new(struct hub_client **, const struct hub_settings *, struct hub_device *, struct hsm *,
    struct net *, struct work *, const struct log *, struct moment, struct hf_error *);
void hub_client_free(struct hub_client *);
/* Moves what can move. Never ends by itself: what happened is taken by hub_client_next() after it. */
void hub_client_step(struct hub_client *, struct moment);
/* One thing that happened, with its tag, and why (NULL, or lent until the next call). HUB_DISCONNECTED and HUB_OVER: the error is in the
 * device's last and err. HUB_MOVED: the assignment is new. */
enum hub_happened hub_client_next(struct hub_client *, uint64_t *tag, const struct hf_error **why);
/* Asks for so many messages from now on, HUB_ANY for all: 0 or HF_ERR_MEMORY. And how many of them have not come. */
int hub_client_receive(struct hub_client *, long most);
long hub_client_wants(const struct hub_client *);
/* Lent until it is settled. NULL: no such message. */
const struct hub_c2d *hub_client_c2d(const struct hub_client *, uint64_t tag);
/* The next step says so. HF_ERR_ARGS: no such message; HF_ERR_UNSUPPORTED: it cannot be said over MQTT. */
int hub_client_settle(struct hub_client *, uint64_t tag, enum hub_answer, struct hf_error *);
const struct dps_assignment *hub_client_assignment(const struct hub_client *);
int64_t hub_client_deadline(const struct hub_client *);
void hub_client_watch(struct hub_client *, struct watch *);
void hub_client_close(struct hub_client *, struct moment); /* says DISCONNECT, if that goes at once */
#endif
