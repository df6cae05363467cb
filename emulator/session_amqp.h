/*
 * A connection over AMQP. session_amqp.c takes its login and its OPEN, whose hostname says who is meant: DPS (session_amqp_dps.c), or a
 * linked hub (session_amqp_hub.c), where one connection may be several devices' (session_amqp_peer.c), or the owner's (session_amqp_owner.c).
 */
#ifndef EMULATOR_SESSION_AMQP_H
#define EMULATOR_SESSION_AMQP_H
#include "amqp/sasl_tpm.h"
#include "session.h"

#define AMQP_CREDIT_GIVEN 100 /* to whoever sends to us */

/* A device that is on the connection. */
#define PEER_LENT 50
struct peer_lent { /* a message that is on its way, until it is settled */
	uint32_t delivery;
	char lock[64];
	int64_t until; /* ms */
};
struct peer {
	struct hub_admission admission;
	struct amqp_link *events, *bound; /* NULL: not attached */
	struct peer_lent lent[PEER_LENT];
	size_t lents;
	int wanted;	   /* there may be a message for it */
	int64_t wanted_at; /* then there may be one again */
	int64_t version;   /* of the registry, when the admission was last looked at */
	struct peer *next;
};
#define CBS_WAITING   16
#define FEEDBACK_LENT 8
struct amqp_side {
	char user[512];			      /* PLAIN's; "" when it came without a login */
	char *password;			      /* PLAIN's; NULL */
	struct sasl_tpm tpm;		      /* DPS's mechanism */
	struct amqp_link *requests, *answers; /* DPS */
	const char *hub;		      /* that is meant; NULL: DPS */
	struct peer *peers;
	int64_t owner_until; /* Unix seconds: so long a policy's token gives the owner's rights */
	struct amqp_link *cbs_asked, *cbs_answers, *orders, *feedback;
	struct buf cbs_said[CBS_WAITING]; /* answers to tokens; they wait for a link, and for credit on it */
	size_t cbs_waiting;
	struct peer_lent lent[FEEDBACK_LENT]; /* feedback */
	size_t lents;
	int feedback_wanted;
	int64_t feedback_at;
};
/* session_amqp_dps.c: a step of the TPM's login; and what comes once DPS is meant. */
void dps_amqp_login(struct session *, struct amqp_text);
void dps_amqp_event(struct session *, const struct amqp_event *);
/* session_amqp_hub.c: is this login's name a hub's? Its judgement; and what comes once a hub is meant. */
int hub_amqp_is_login(const char *user);
void hub_amqp_login(struct session *, const char *user, const char *password);
/* How long the name is by which Azure calls a hub: the first label of its host's; an address is whole. */
size_t hub_amqp_short(const char *hub);
void hub_amqp_event(struct session *, const struct amqp_event *);
void hub_amqp_turn_away(struct session *, struct amqp_link *, int service, const char *why);
void hub_amqp_take(struct session *, struct amqp_link *, struct amqp_link **place);
void hub_amqp_reject(struct session *, const struct amqp_event *, const struct hf_error *); /* a message */
/* session_amqp_owner.c: what an owner's token opens. 1: the path is one of these. */
int owner_attach(struct session *, struct amqp_link *, const char *path);
void owner_order(struct session *, const struct amqp_event *);	 /* a message to a device */
void owner_settled(struct session *, const struct amqp_event *); /* feedback */
void owner_detached(struct session *, const struct amqp_link *);
void owner_check(struct session *);
void owner_offer(struct session *);
void owner_lost(struct session *);
int64_t owner_deadline(const struct session *);
/* A condition that stands for the service's code, and its description. NULL: out of memory. */
const char *amqp_condition(struct buf *text, int service, const char *sentence);
/* session_amqp_peer.c: the device of this name, NULL; the one that `who` proves to be, there from now on, or err. */
struct peer *peer_find(const struct session *, const char *device);
struct peer *peer_admit(struct session *, const struct hub_who *, struct hf_error *);
void peer_give_back(struct session *, struct peer *);		/* what is on its way to it */
void peer_settled(struct session *, const struct amqp_event *); /* it has answered a message */
void peer_detach(struct session *, struct amqp_link *, int service, const char *why); /* NULL: no link */
enum hub_answer peer_answer(enum amqp_outcome);
/* Ends the login: code 0 lets in; else why, for the log. */
void amqp_decide(struct session *, int code, const char *why);
#endif
