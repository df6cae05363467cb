/*
 * "Who am I, where do I go?"  register.c decides (pure), client.c carries it out, service.c is the owner's side.
 */
#ifndef DPS_DPS_CLIENT_H
#define DPS_DPS_CLIENT_H
#include "base/clock.h"
#include "base/log.h"
#include "hsm/hsm.h"
#include "msg/dps.h"
#include "stream/pump.h"

/*
 * register.c: one registration, as a state machine that sees messages and moments. It asks, and is told.
 */
enum dps_ask { /* dps_register_next() answers what to do now; each is asked once */
	DPS_ASK_WAIT = 1, /* nothing until `deadline` */
	DPS_ASK_SIGN,	  /* a SAS token for the connection; then dps_register_signed() */
	DPS_ASK_SEND,	  /* say `request`, then dps_register_heard() with the reply, or dps_register_lost() */
	DPS_ASK_ACTIVATE, /* unpack `reply.tpm_key`, the challenge; then dps_register_signed() once a token is made with it */
	DPS_ASK_KEEP,	  /* unpack `reply.tpm_key`, the hub key, and keep it; then dps_register_kept() */
	DPS_ASSIGNED,	  /* done: reply.hub, reply.device */
	DPS_FAILED	  /* done: err */
};
struct dps_register {
	enum hsm_kind kind;
	int64_t started, limit;	 /* ms; the overall timeout */
	int64_t deadline;	 /* ms; when to call next() again at the latest */
	int64_t token_until;	 /* Unix seconds */
	struct dps_request request;
	struct dps_reply reply;
	struct hf_error err;
	struct coin coin;
	/* private */
	int step, tries, challenged, rid;
	int64_t at;
};
void dps_register_init(struct dps_register *, enum hsm_kind, uint64_t seed, int64_t timeout_ms, struct moment);
void dps_register_fini(struct dps_register *);
enum dps_ask dps_register_next(struct dps_register *, struct moment);
void dps_register_signed(struct dps_register *, int64_t token_until, struct moment);
/* Takes over the reply's memory. A reply to an older request is ignored. */
void dps_register_heard(struct dps_register *, struct dps_reply *, struct moment);
/* The connection is gone (or was never made): harmless between two HTTP polls, else it is made again after a while. */
void dps_register_lost(struct dps_register *, const struct hf_error *why, struct moment);
void dps_register_kept(struct dps_register *, struct moment);
/* Something that no second try will mend: the key said no, the answer could not be read. */
void dps_register_broke(struct dps_register *, const struct hf_error *why);

/*
 * client.c: a registration with a real transport and a real key.
 */
enum dps_transport { DPS_MQTT = 1, DPS_HTTP };
struct dps_settings {
	const char *endpoint, *scope, *registration_id, *payload; /* lent for the client's life */
	const char *trust;
	enum dps_transport transport;
	int64_t timeout_ms;
	uint64_t seed;
};
struct dps_assignment {
	char hub[256], device[129], substatus[48];
	char *payload;	      /* JSON or NULL */
	struct buf wrapped;   /* TPM: the hub key under the SRK, not yet persistent; empty otherwise */
};
struct dps_client;
/* hsm, net, work and log are lent. */
int dps_client_new(struct dps_client **, const struct dps_settings *, struct hsm *, struct net *, struct work *,
    const struct log *, struct moment, struct hf_error *);
void dps_client_free(struct dps_client *);
/* 1: done, assignment is there; 0: going on; negative: failed, sentence in dps_client_error(). */
int dps_client_step(struct dps_client *, struct moment);
int64_t dps_client_deadline(const struct dps_client *); /* ms or NEVER */
void dps_client_watch(struct dps_client *, struct watch *);
const struct dps_assignment *dps_client_assignment(const struct dps_client *);
const struct hf_error *dps_client_error(const struct dps_client *);

/* service.c: "HostName=..;SharedAccessKeyName=..;SharedAccessKey=.." */
struct dps_service_key {
	char host[256], name[128];
	struct buf key;
};
int dps_service_key_get(struct dps_service_key *, const char *connection_string, struct hf_error *);
void dps_service_key_fini(struct dps_service_key *);
/* The body of a PUT for this enrollment. Appends. */
int dps_enrollment_put(struct buf *, const struct hf_enrollment *, struct hf_error *);
#endif
