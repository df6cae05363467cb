/*
 * "Who am I, where do I go?"  register.c decides (pure), client.c carries it out, connection.c,
 * service.c and enroll.c are the owner's side.
 */
#ifndef DPS_DPS_CLIENT_H
#define DPS_DPS_CLIENT_H
#include "base/clock.h"
#include "base/log.h"
#include "base/work.h"
#include "hsm/hsm.h"
#include "msg/dps.h"
#include "stream/line.h"

/*
 * register.c: one registration, as a state machine that sees messages and moments. It asks, and is told.
 */
enum dps_ask {		  /* dps_register_next() answers what to do now; each is asked once */
	DPS_ASK_WAIT = 1, /* nothing until `deadline` */
	DPS_ASK_SIGN,	  /* a SAS token for the connection; then dps_register_signed() */
	DPS_ASK_SEND, /* say `request`, then dps_register_heard() with the reply, or dps_register_lost() */
	DPS_ASK_ACTIVATE, /* unpack `reply.tpm_key`, the challenge; then dps_register_signed() once a token is made with it */
	DPS_ASK_KEEP, /* make the assignment in `reply` durable, with the TPM's hub key; then dps_register_kept() */
	DPS_ASSIGNED, /* done: reply.hub, reply.device */
	DPS_FAILED    /* done: err */
};
struct dps_register {
	enum hsm_kind kind;
	const char *id;		/* for sentences; lent */
	int64_t started, limit; /* ms; the overall timeout */
	int64_t deadline;	/* ms; when to call next() again at the latest */
	int64_t token_until;	/* Unix seconds */
	struct dps_request request;
	struct dps_reply reply;
	struct hf_error err;
	struct coin coin;
	/* private */
	int step, tries, challenged, doubts;
	unsigned rid;
	int64_t at;
	struct hf_error last; /* the failure that is being mended */
};
/* tpm: endorsement and storage root key, base64; NULL for other kinds. payload: JSON or NULL. Copied. */
int dps_register_init(struct dps_register *, enum hsm_kind, const char *id, const char *ek, const char *srk,
    const char *payload, uint64_t seed, int64_t timeout_ms, struct moment);
void dps_register_fini(struct dps_register *);
enum dps_ask dps_register_next(struct dps_register *, struct moment);
void dps_register_signed(struct dps_register *, int64_t token_until, struct moment);
/* Takes over the reply's memory. A reply to an older request is ignored. */
void dps_register_heard(struct dps_register *, struct dps_reply *, struct moment);
/* The connection is gone (or was never made): harmless between two HTTP polls, else it is made again after a while. */
void dps_register_lost(struct dps_register *, const struct hf_error *why, struct moment);
/* The token went with the connection, and so did the challenge that gave it: the next one is answered again. */
void dps_register_token_gone(struct dps_register *);
/* The request is on its way anew, over another transport: it has its whole time again. */
void dps_register_waits(struct dps_register *, struct moment);
void dps_register_kept(struct dps_register *, struct moment);
/* Something that no second try will mend: the key said no, the answer could not be read. */
void dps_register_broke(struct dps_register *, const struct hf_error *why);

/*
 * state.c: the assignment in a file. Bound to the identity: another key with this file is refused. No secret is in it; `wrapped`
 * is a key under this TPM's SRK, and only while it is not yet persistent; a custom HSM's stays.
 */
struct dps_state {
	char scope[65], registration_id[129], hub[256], device[129];
	char identity[65];  /* hsm_fingerprint() */
	char handle[16];    /* TPM: where the hub key is */
	int64_t at;	    /* Unix seconds of the assignment */
	struct buf wrapped; /* see hsm.h; empty once kept */
};
void dps_state_fini(struct dps_state *);
int dps_state_copy(struct dps_state *, const struct dps_state *);
/* 1: read; 0: there is no such file; negative: unreadable (HF_ERR_IO), not a state file (HF_ERR_STATE). */
int dps_state_load(struct dps_state *, const char *path, struct hf_error *);
int dps_state_save(const struct dps_state *, const char *path, struct hf_error *);
/* Is it this identity's? HF_ERR_STATE with a sentence when not. scope or id NULL or "": not compared. */
int dps_state_fits(const struct dps_state *, const char *path, const char *scope, const char *id,
    const char *identity, struct hf_error *);

/*
 * key.c: what is asked of a key, as jobs. They run on the worker when the hsm blocks or a file is written, else at once.
 */
enum key_what {
	KEY_IDENTITY = 1, /* open: EK and SRK (persistent when `persist`), registration id, fingerprint */
	KEY_SIGN, /* a token for `resource` until `expiry`; after keeping `state.wrapped` when there is one */
	KEY_ACTIVATE, /* unpack `blob`, sign with what was in it, forget it */
	KEY_KEEP      /* unpack `blob` (TPM), save `state`, make the key persistent, save again */
};
struct key_job {
	struct job job;
	enum key_what what;
	struct hsm *hsm;
	/* in */
	int persist;
	char resource[512], skn[32];
	int64_t expiry;
	struct buf blob;
	struct dps_state state; /* in and out */
	char path[512];		/* state file; "" for none */
	/* out */
	struct buf ek, srk; /* base64 */
	struct buf token;
	int rc;
	struct hf_error err;
};
struct key_job *key_job_new(enum key_what, struct hsm *); /* NULL: out of memory */
void key_job_free(struct key_job *);
/* Starts it: on the worker, or at once. */
int key_job_start(struct key_job *, struct work *, struct hf_error *);
int key_job_done(struct key_job *, struct work *); /* 1: finished; rc and err say how */
void key_job_drop(struct key_job *, struct work *);

/*
 * client.c: a registration with a real transport and a real key.
 */
struct dps_settings { /* strings are lent for the client's life; NULL: not set */
	const char *endpoint, *scope, *registration_id, *payload, *trust, *state;
	struct transports transports;
	int early; /* MQTT: the subscription and the request travel behind CONNECT */
	int64_t timeout_ms;
	uint64_t seed;
};
struct dps_assignment {
	char registration_id[129], hub[256], device[129], substatus[48];
	char *payload; /* JSON or NULL */
	struct dps_state state;
};
struct dps_client;
/* hsm, net, work and log are lent; the hsm is held by jobs that are out. */
int dps_client_new(struct dps_client **, const struct dps_settings *, struct hsm *, struct net *,
    struct work *, const struct log *, struct moment, struct hf_error *);
void dps_client_free(struct dps_client *);
/* 1: done, assignment is there; 0: going on; negative: failed, sentence in dps_client_error(). */
int dps_client_step(struct dps_client *, struct moment);
int64_t dps_client_deadline(const struct dps_client *); /* ms or NEVER */
void dps_client_watch(struct dps_client *, struct watch *);
const struct dps_assignment *dps_client_assignment(const struct dps_client *);
const struct hf_error *dps_client_error(const struct dps_client *);

/* connection.c: what the owner is given. "HostName=..;SharedAccessKeyName=..;SharedAccessKey=.." */
struct dps_service_key {
	char host[256], name[128];
	struct buf key;
};
int dps_service_key_get(struct dps_service_key *, const char *connection_string, struct hf_error *);
void dps_service_key_fini(struct dps_service_key *);

/* service.c: one request of the service REST API, as a conversation. more: where a query's page begins; NULL: at the first. */
struct dps_call;
int dps_call_new(struct dps_call **, const char *connection_string, const struct hf_call *, const char *more,
    const char *trust, struct net *, struct work *, struct moment, struct hf_error *);
void dps_call_free(struct dps_call *);
int dps_call_step(struct dps_call *, struct moment); /* 1 done, 0 going on, negative: failed */
int64_t dps_call_deadline(const struct dps_call *);
void dps_call_watch(struct dps_call *, struct watch *);
const struct buf *dps_call_answer(const struct dps_call *);
const char *dps_call_more(const struct dps_call *); /* where the next page begins; NULL: this was the last */
const struct hf_error *dps_call_error(const struct dps_call *);

/* enroll.c: the path and the body with which an enrollment is put. Both are strings then. */
int dps_enroll_put(struct buf *path, struct buf *body, const struct hf_enrollment *, struct hf_error *);
#endif
