/*
 * AMQP 1.0 (OASIS, 2012) on Qpid Proton's protocol engine, either end, no I/O. One connection, one session that we open (a peer's
 * sessions are answered, however many), links, deliveries. What is in a message is for msg/: here it is bytes, encoded and decoded
 * by Proton's <proton/message.h>.
 *
 * Bytes from the peer go in by engine.ops->in; frames for the peer pile up in engine.out. Tell the time (engine.ops->tick) first in each
 * turn: idle-timeouts, ours and the peer's, are kept from it.
 */
#ifndef AMQP_AMQP_H
#define AMQP_AMQP_H
#include "base/engine.h"

struct amqp_link; /* an engine's; until its AMQP_DETACHED has been taken, or amqp_fini() */

enum amqp_outcome { AMQP_ACCEPTED = 1, AMQP_REJECTED, AMQP_RELEASED, AMQP_MODIFIED };
/* An error of a link, a connection or a rejected message. */
struct amqp_condition {
	char name[80];	/* "amqp:not-found"; "" for none */
	char text[600]; /* description */
};

enum amqp_what {
	AMQP_SASL =
	    1, /* server: an initial response or a response has come: amqp_sasl_answer(). client: a challenge: the same */
	AMQP_OPENED,   /* the peer has said open. A server answers: amqp_open() or amqp_refuse() */
	AMQP_ATTACHED, /* client: the peer has answered an attach. server: the peer attaches a link: amqp_accept() or amqp_detach() */
	AMQP_CREDIT,   /* amqp_send() may go on: amqp_credit() has become more than 0 */
	AMQP_MESSAGE,  /* a whole message; to be answered by amqp_settle(), unless `settled` */
	AMQP_SETTLED,  /* what amqp_send() sent under `tag` was answered: `outcome` */
	AMQP_DETACHED, /* the link is over, `condition` may say why; answered already. A refused attach is told only by this */
	AMQP_CLOSED /* the connection is over, once: close, or the end of the stream. `condition` may say why */
};
struct amqp_event {
	enum amqp_what what;
	struct amqp_link *link; /* of ATTACHED, CREDIT, MESSAGE, SETTLED, DETACHED */
	const char *mechanism;	/* SASL, server: "PLAIN" */
	int first;		/* SASL, server: it is the initial response */
	const void *bytes;	/* SASL, MESSAGE: lent until the next call */
	size_t len;
	uint64_t tag;	 /* MESSAGE: for amqp_settle(). SETTLED: as given to amqp_send() */
	uint32_t format; /* MESSAGE: message-format, 0 for an ordinary one */
	int settled;	 /* MESSAGE: the sender wants no answer */
	enum amqp_outcome outcome;
	struct amqp_condition condition; /* SETTLED by AMQP_REJECTED, DETACHED, CLOSED */
};

struct amqp {
	struct engine engine;
	int server;
	struct amqp_state *state; /* amqp.c's: Proton's objects, and events that wait */
};
/* max_message: a larger one ends its link with amqp:link:message-size-exceeded. 0 or HF_ERR_MEMORY. */
int amqp_init(struct amqp *, int server, size_t max_message);
void amqp_fini(struct amqp *);
/* 1: an event; 0: none yet; HF_ERR_PROTOCOL, HF_ERR_AUTH (client: SASL's outcome; the sentence says which), HF_ERR_TIMEOUT (idle), HF_ERR_MEMORY or
 * HF_ERR_NET (the stream ended without a close): over, sentence in engine.err; send what is in out before closing. */
int amqp_next(struct amqp *, struct amqp_event *);

/* SASL, before anything else. client: asks for this mechanism, with this initial response (copied; wiped once sent). hostname may be NULL. A
 * client that does not call it speaks no SASL. server: offers these ("PLAIN EXTERNAL"); a client that speaks none is let in, for others to
 * judge by OPENED. */
int
amqp_sasl_client(struct amqp *, const char *mechanism, const void *response, size_t, const char *hostname);
int amqp_sasl_server(struct amqp *, const char *mechanisms);
/* client: the response to a challenge, now or later. server: a challenge (AMQP_SASL follows), or, with bytes NULL, the outcome: code 0 lets
 * the peer in, 1 (auth) and the others of section 5.3.3.6 do not. */
int amqp_sasl_answer(struct amqp *, const void *bytes, size_t, int code);
/* The mechanism that the peer came in by; NULL: without SASL. */
const char *amqp_mechanism(const struct amqp *);

/* Says open (and, client, begin: one flight). idle_ms: how long the peer may be silent, 0: for ever. */
int amqp_open(struct amqp *, const char *container, const char *hostname, unsigned idle_ms);
const char *amqp_hostname(const struct amqp *); /* as the peer's open says; "" when it does not */
/* server, instead of amqp_open(): open with this error among its properties (com.microsoft:open-error), then close with it. */
int amqp_refuse(struct amqp *, const char *container, const struct amqp_condition *);
/* Says close, with an error when there is one. CLOSED comes when the peer has answered. */
int amqp_close(struct amqp *, const struct amqp_condition *);

struct amqp_attach {
	int sender; /* we send */
	const char *name, *source, *target;
	/* Link properties, symbol to string: pairs, ended by NULL; NULL for none. */
	const char *const *properties;
	unsigned credit; /* of a receiver: kept topped up to it; 0: by amqp_flow() */
};
/* client: attaches a link. It may be called behind amqp_open() at once. NULL: out of memory. */
struct amqp_link *amqp_attach(struct amqp *, const struct amqp_attach *);
/* What the peer's attach says. Lent; "" when absent. */
const char *amqp_source(const struct amqp_link *);
const char *amqp_target(const struct amqp_link *);
int amqp_is_sender(const struct amqp_link *); /* do we send on it? */
int amqp_property(const struct amqp_link *, const char *name, char *dst,
    size_t cap);			    /* a link property of the peer's: 1 or 0 */
int amqp_dynamic(const struct amqp_link *); /* server: does the peer ask for a source address of ours? */
/* server: answers an attach, echoing source and target (address: the one of a dynamic source, or NULL); credit as above. */
int amqp_accept(struct amqp_link *, const char *address, unsigned credit);
/* Ends a link, or refuses an attach. condition NULL: nothing is wrong. */
int amqp_detach(struct amqp_link *, const struct amqp_condition *);
void amqp_flow(struct amqp_link *, unsigned credit); /* so many more */
int amqp_credit(const struct amqp_link *);	     /* messages that may be sent now */
void **amqp_link_host(struct amqp_link *);	     /* a pointer for whoever uses the link */

/* Sends an encoded message; `tag` is the caller's, unique among those unanswered. settled: no answer is wanted. 0, HF_ERR_MEMORY, HF_ERR_STATE (no credit, or
 * more than ENGINE_HIGH bytes are waiting: wait for CREDIT, or until out has sunk), HF_ERR_ARGS (longer than the peer takes). */
int amqp_send(struct amqp_link *, const void *message, size_t, uint64_t tag, int settled);
/* Answers a message. condition: of AMQP_REJECTED, or NULL. HF_ERR_ARGS: there is no such message. */
int amqp_settle(struct amqp_link *, uint64_t tag, enum amqp_outcome, const struct amqp_condition *);

/*
 * sasl_tpm.c: DPS's own SASL mechanism "TPM", both chairs of it. Bytes in, bytes out; docs/protocol.md has the exchange.
 */
struct sasl_tpm { /* of the client */
	struct buf blob;
	int step, sequence;
};
/* The initial response: scope, registration id, endorsement key (TPM2B_PUBLIC). Appends. */
int sasl_tpm_put_init(struct buf *, const char *scope, const char *id, const void *ek, size_t);
/* Takes a challenge. 1: `response` is the answer to it; 0: the blob is whole (t->blob), and the answer is a token; negative: HF_ERR_PROTOCOL. */
int sasl_tpm_challenge(struct sasl_tpm *, const void *, size_t, const void *srk, size_t srk_len,
    struct buf *response, struct hf_error *);
int sasl_tpm_put_token(struct buf *response, const char *token);
void sasl_tpm_fini(struct sasl_tpm *);

struct sasl_tpm_server {
	char scope[65], id[129];
	struct buf ek, srk; /* TPM2B_PUBLIC */
	struct buf blob;    /* to be set by the caller when WANT_BLOB */
	struct buf token;   /* a string */
	int step, sequence;
	size_t sent;
};
enum sasl_tpm_want { SASL_TPM_SAY = 1, SASL_TPM_WANT_BLOB, SASL_TPM_WANT_VERDICT };
/* Takes a response (the first: the initial one). SAY: `challenge` is to be said; WANT_BLOB: ek and srk are here, set blob, then
 * sasl_tpm_segment(); WANT_VERDICT: token is here; negative: HF_ERR_PROTOCOL. */
int
sasl_tpm_response(struct sasl_tpm_server *, const void *, size_t, struct buf *challenge, struct hf_error *);
int sasl_tpm_segment(
    struct sasl_tpm_server *, struct buf *challenge); /* the next piece of the blob, which travels in two */
void sasl_tpm_server_fini(struct sasl_tpm_server *);

/*
 * plain: RFC 4616. get: authcid and password are strings; 0 or HF_ERR_PROTOCOL.
 */
int sasl_plain_put(struct buf *, const char *authcid, const char *password);
int sasl_plain_get(const void *, size_t, char *authcid, size_t cap, struct buf *password, struct hf_error *);

/*
 * cbs.c: claims-based security, the way a token is put at a hub once the connection stands: a request on a link to $cbs, its answer on one
 * from there.
 */
struct cbs_request {
	const char *audience; /* what the token is for: put; of a get, lent from the struct */
	const char *token;
	struct buf text; /* get: owns the two */
	struct buf id;	 /* get: the message id, encoded, whatever its type: echoed by the answer */
};
struct cbs_reply {
	int status; /* 200; 401, 404 */
	char description[256];
	uint64_t id; /* get: of the request, as put: they are counted */
};
int cbs_put_request(struct buf *, const struct cbs_request *, uint64_t id);
int cbs_get_request(const void *, size_t, struct cbs_request *, struct hf_error *);
void cbs_request_fini(struct cbs_request *);
int cbs_put_reply(struct buf *, const struct cbs_request *, const struct cbs_reply *);
int cbs_get_reply(const void *, size_t, struct cbs_reply *, struct hf_error *);
#endif
