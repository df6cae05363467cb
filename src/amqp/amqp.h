/*
 * AMQP 1.0 (OASIS, 2012), either end, no I/O. What stands behind SASL is Qpid Proton's engine; SASL itself, and a look at each frame before
 * Proton sees it, are ours: so passwords and tokens in SASL never reach Proton, and a peer cannot make it allocate without end.
 *
 *	sasl.c		the header, SASL, frames
 *	amqp.c		the engine: connection, links, deliveries
 *	value.c		values as they are encoded;  message.c: messages made of them
 *	cbs.c		put-token;  sasl_tpm.c: DPS's mechanism for TPMs
 *
 * Bytes from the peer go in by engine.ops->in; frames for the peer pile up in engine.out. Tell the time (engine.ops->tick) first in each turn.
 *
 * A client says all it wants at once: amqp_sasl(), amqp_open(), amqp_attach()... Frames leave when SASL has let it in, in one flight.
 * A server is asked: SASL_INIT, then OPENED (answer: amqp_open, or amqp_close), LINK (amqp_accept, or amqp_refuse), MESSAGE (amqp_settle).
 * Sessions are not seen: a client has one, those that a peer begins are begun here too.
 */
#ifndef AMQP_AMQP_H
#define AMQP_AMQP_H
#include "base/engine.h"

#define AMQP_FRAME_MAX	65536
#define AMQP_SASL_FRAME 512 /* section 5.3.1; we take MAX, say no more than this */
#define AMQP_SASL_MAX	4096
#define AMQP_LINKS	32 /* of one connection */
#define AMQP_SESSIONS	8
#define AMQP_PROPERTIES 8 /* of a link, ours */

/* Text and bytes are pointer and length, lent: when put, the caller's; in an event, the engine's until the next call of amqp_next(). */
struct amqp_text {
	const char *p;
	size_t len;
};
struct amqp_property {
	const char *key, *value;
};
enum amqp_outcome { AMQP_ACCEPTED = 1, AMQP_REJECTED, AMQP_RELEASED, AMQP_MODIFIED /* failed */ };
struct amqp_link {
	int receiver; /* 1: what is sent comes to us */
	void *owner;  /* the caller's */
	/* private */
	struct pn_link_t *pn;
	struct buf inbox; /* of the delivery that is coming in */
	uint32_t format;  /* of that delivery */
	int ours, gone, shown;
	struct amqp_link *next;
};

enum amqp_what {
	AMQP_LET_IN = 1, /* client: SASL is over, or none was wanted and the peer has shown its header */
	AMQP_REFUSED, /* client: SASL says no: `code`, or -1 when the mechanism is not offered (bytes: what is) */
	AMQP_SASL_CHALLENGE, /* client: answer with amqp_respond(), when you can */
	AMQP_SASL_INIT, /* server: mechanism, bytes, text (the host's name). amqp_challenge() or amqp_outcome() */
	AMQP_SASL_RESPONSE, /* server: the same */
	AMQP_OPENED,	    /* container, hostname */
	AMQP_LINK,	    /* the peer attaches: source, target */
	AMQP_LINK_OPEN,	    /* the peer has attached to our link */
	AMQP_CREDIT,	    /* our sender may send: credit */
	AMQP_MESSAGE,	    /* link, bytes, delivery (0: it is settled already) */
	AMQP_SETTLED,	    /* link, delivery, outcome, condition and description when rejected */
	AMQP_DETACHED,	    /* link, condition, description; the link is gone with the next call */
	AMQP_CLOSED /* condition, description; or NULL: the stream has ended. Nothing comes behind it */
};
struct amqp_event {
	enum amqp_what what;
	struct amqp_link *link;
	struct amqp_text bytes;
	const char *text, *mechanism, *container, *source, *target, *condition,
	    *description; /* NULL: absent */
	enum amqp_outcome outcome;
	uint32_t delivery, format; /* format: a MESSAGE's; 0 but for those who have invented one */
	int code, credit;
};
struct amqp_proton;
struct amqp {
	struct engine engine;
	int server;		/* which chair */
	const char *mechanisms; /* server: "TPM PLAIN"; NULL: no SASL is offered. Static */
	int bare;		/* server: a peer may do without SASL */
	size_t max_message;	/* larger ones are refused, and their link with them */
	uint32_t
	    idle_ms; /* when the peer has said nothing for so long, it is gone; 0: never. Set before amqp_open() */
	char mechanism[32]; /* server: what the peer has chosen; "" when it did without */
	/* private */
	struct amqp_proton *proton;
	struct buf inbox; /* of what is coming: a header, or a frame */
	struct buf taken; /* what the last event lends */
	struct buf init;  /* client: what SASL begins with */
	char hostname[256];
	char offered[160];
	int layer, waits, pending, outcome, let_in; /* of SASL */
	int opened, closing, closed, eof, failed, broken, deaf, held, heard_open;
	struct hf_error late; /* for `broken` */
	size_t fed;
	uint32_t format; /* of the transfer that Proton has now */
	uint32_t last_delivery;
	struct amqp_link *links;
	size_t link_count;
	struct amqp_event sasl_event;
};
int amqp_init(struct amqp *, int server,
    size_t max_message); /* 0 or HF_ERR_MEMORY, and then there is nothing to fini */
void amqp_fini(struct amqp *);
/* 1: an event; 0: none yet; HF_ERR_PROTOCOL, HF_ERR_TIMEOUT (silence) or HF_ERR_MEMORY: over, sentence in engine.err (send what is in out
 * before closing). Take events until there is none. */
int amqp_next(struct amqp *, struct amqp_event *);

/* SASL. Client: before anything else; without it, none is spoken. init: the first response (NULL: none), copied. host: NULL when it is not
 * to be named. HF_ERR_ARGS: longer than a SASL frame. */
int amqp_sasl(struct amqp *, const char *mechanism, const void *init, size_t n, const char *host);
int amqp_respond(struct amqp *, const void *, size_t);
/* PLAIN's first response. Appends. */
int amqp_put_plain(struct buf *, const char *user, const char *password);
/* 0, or HF_ERR_PROTOCOL. The strings point into a copy that the caller wipes. */
int amqp_get_plain(
    struct buf *copy, struct amqp_text init, const char **user, const char **password, struct hf_error *);
int amqp_challenge(struct amqp *, const void *, size_t);
int amqp_outcome(struct amqp *, int code); /* 0: let in; 1: no; 2: not now (a failure of ours) */

/* The connection. A server answers OPENED by its own, and may have said it wants an end in the same breath: amqp_close(). */
int
amqp_open(struct amqp *, const char *container, const char *hostname, const struct amqp_property *, size_t);
/* condition NULL: no error. What is in out then says goodbye. */
int amqp_close(struct amqp *, const char *condition, const char *description);

/* Links. A client's: NULL is out of memory, or one more than AMQP_LINKS. `address` is the target's of a sender, the source's of a receiver. */
struct amqp_link *amqp_attach(
    struct amqp *, int receiver, const char *name, const char *address, const struct amqp_property *, size_t);
/* A server's answers to LINK. The peer may attach to what it asked for; messages up to max_message are taken. */
int amqp_accept(struct amqp *, struct amqp_link *);
int amqp_refuse(struct amqp *, struct amqp_link *, const char *condition, const char *description);
/* What the peer's attach carries as com.microsoft:...; 1: there is one, as text; 0. */
int amqp_link_property(const struct amqp_link *, const char *key, char *dst, size_t);
const char *amqp_link_address(const struct amqp_link *);	  /* as the peer, or we, named it; NULL */
int amqp_credit(struct amqp *, struct amqp_link *, int more);	  /* the peer may send so many more */
int amqp_may_send(const struct amqp *, const struct amqp_link *); /* how many messages; 0: wait */
/* The link is not the caller's any more. condition NULL: no error. */
int amqp_detach(struct amqp *, struct amqp_link *, const char *condition, const char *description);

/* Deliveries. Returns HF_ERR_STATE ("wait": more than ENGINE_HIGH bytes are waiting, or there is no credit), HF_ERR_MEMORY, or 0. */
int amqp_send(struct amqp *, struct amqp_link *, const void *, size_t, uint32_t *delivery);
int amqp_settle(struct amqp *, struct amqp_link *, uint32_t delivery, enum amqp_outcome);
/* Rejects, and says why. retry_after 0: not said; else in the error's info, as int. */
int amqp_reject(struct amqp *, struct amqp_link *, uint32_t delivery, const char *condition,
    const char *description, int retry_after);
#endif
