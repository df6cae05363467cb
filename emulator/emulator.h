/*
 * The emulator of DPS and IoT Hub. It verifies as the services do, and never says yes to what they would refuse.
 *
 *	main config listen control	the process: options, data folder, sockets
 *	session				one connection: a stream, an engine, the messages of msg/
 *	dps_service hub_service api	what is decided (they read like the services' documentation)
 *	policy				what an owner may do
 *	enrollment			what an owner may enroll
 *	dps_claim			who DPS believes a caller to be
 *	c2d				messages to a device, by the hub's rules
 *	feedback			what their senders are told
 *	dps_allocate dps_assign		which hub, and its device there
 *	webhook				who is asked which hub
 *	attest attest_tpm		why a device is believed
 *	registry			what is remembered (all SQL)
 *
 * One turn of the loop: read from every ready connection and answer into its engine's buffer; commit once; only then
 * write. So nothing is acknowledged that a kill -9 could lose, and a full disk acknowledges nothing.
 */
#ifndef EMULATOR_EMULATOR_H
#define EMULATOR_EMULATOR_H
#include <jansson.h>
#include <openssl/x509.h>
#include "base/clock.h"
#include "base/log.h"
#include "msg/dps.h"
#include "msg/hub.h"
#include "stream/pump.h"

struct registry;
struct session;
struct webhooks;

#define MAX_NAMES 32
/* What a shared access policy of DPS may give. */
enum {
	SERVICE_CONFIG = 1,
	ENROLLMENT_READ = 2,
	ENROLLMENT_WRITE = 4,
	REGISTRATION_STATUS_READ = 8,
	REGISTRATION_STATUS_WRITE = 16
};
struct policy {
	char name[64];
	unsigned rights;
};
struct config { /* config.c; all made at first start and kept in the data folder, but for the options */
	char data[512];
	char scope[32];		   /* 0ne + 8 digits */
	char *dps_name[MAX_NAMES]; /* names of DPS, the first one for the service connection string */
	size_t dps_names;
	char *hub[MAX_NAMES]; /* linked hubs, in the order of the options */
	size_t hubs;
	char service_policy[32], service_key[96]; /* provisioningserviceowner, base64; has every right */
	struct policy policy[MAX_NAMES];	  /* more of them */
	size_t policies;
	char hub_policy[32], hub_key[96]; /* iothubowner, base64 */
	char nearest[256];		  /* the hub of the lowest latency; "": all are equally far */
	char webhook_trust[512];	  /* CA certificates; "": the system's */
	int retry_after;		  /* seconds that a device is told to wait, 3 */
	int tls_max;			  /* 0 or TLS1_2_VERSION */
	char bind[64];
	uint16_t mqtt_port, amqp_port, https_port; /* 0 until bound: any */
};
struct emulator {
	struct config conf;
	struct registry *registry;
	struct webhooks *webhooks; /* calls that are out; NULL: there was none yet */
	struct moment now;	   /* of this turn */
	struct session *sessions;  /* all connections */
	struct session *ready;	   /* those that the next turn looks at */
	void (*moved)(struct session *,
	    int over); /* told of each that a turn looked at; over: it is freed next. NULL: nobody */
	struct log log;
	int64_t swept; /* ms: when messages were last looked through for what has expired */
	int dirty;     /* events were stored since somebody last set this to 0 */
};

/*
 * dps_service.c: what DPS answers. A reply is always filled in: refusals are replies too. `challenge` keys and operations
 * live in the registry.
 */
struct dps_caller {
	const struct dps_who *who; /* as claimed */
	STACK_OF(X509) * chain;	   /* shown in TLS; NULL: none */
	int mqtt;		   /* TPM is refused there */
};
void dps_service_answer(
    struct emulator *, const struct dps_caller *, const struct dps_request *, struct dps_reply *);
/* A webhook has answered for this operation: it is kept, and the next poll carries it out. `answer` as in dps_answered(). */
void dps_service_told(struct emulator *, const char *operation, json_t *answer);

/*
 * dps_claim.c: whom DPS believes. A claim holds the enrollment that speaks for the caller; zero it before, fini it after.
 */
struct claim {
	const char *kind; /* attestation: "tpm", "x509", "symmetricKey"; static */
	char id[129];	  /* the registration id, as the enrollment spells it */
	char group[129];  /* "" for an individual enrollment */
	json_t *enrollment;
	char *key1, *key2; /* symmetricKey: the device's own keys, base64 */
};
/* 0: believed. 1: a TPM with the right endorsement key, yet to be challenged. Negative: refused, with status and service
 * code. */
int dps_claim(struct emulator *, const struct dps_caller *, const struct dps_request *, struct claim *,
    struct hf_error *);
void dps_claim_fini(struct claim *);

/*
 * dps_allocate.c: which hub.
 */
uint64_t dps_hash(const char *id); /* stable, letter case aside */
/* The linked hubs that an enrollment allows, and how many. */
size_t dps_candidates(const struct config *, const json_t *enrollment, const char *hub[MAX_NAMES]);
/* The one that the enrollment's policy chooses, when it is not `custom`. NULL: there is none. */
const char *dps_allocate(const struct config *, const struct claim *);
/* The one that its webhook has chosen. NULL: it has not, and why. An answer is {"status": 200, "body": {...}}, or {"error":
 * "..."} when none came. */
const char *
dps_answered(const struct config *, const struct claim *, const json_t *answer, char *why, size_t);
/* What that webhook is asked. NULL: out of memory. */
json_t *
dps_question(const struct config *, const struct claim *, const json_t *record, const json_t *payload);

/*
 * dps_assign.c: what follows. Writes hub, device id, substatus and payload (or why there is none) into the registration's record
 * and the device, with its twin, into the hub's registry. tpm_key: the 32 bytes that a TPM device gets for its hub.
 */
int dps_assign(struct emulator *, const struct claim *, const uint8_t tpm_key[32], const json_t *answer,
    json_t *record, struct hf_error *);
/* Must the enrollment's webhook be asked for this registration? Then `answer` is what it said. */
int dps_asks_webhook(const struct config *, const struct claim *, const json_t *record);

/*
 * webhook.c: asking one, while everything else goes on.
 */
int webhook_is(const char *url); /* https, or http to a loopback address: 1 or 0 */
/* Asks for this operation, unless that is being done already. Too many at once: the next time. */
void webhook_ask(struct emulator *, const char *operation, const char *url, const json_t *question);
/* Moves the calls, and hands what has come, or has not come in time, to dps_service_told(). 1: something moved. */
int webhook_step(struct emulator *);
int webhook_fd(struct emulator *); /* readable when there is something to move; -1: it cannot be made */
void webhook_close(struct emulator *);

/*
 * hub_service.c: the hub's side. Credentials are judged at the door; then events come.
 */
struct hub_admission {
	char hub[256], device[129];
	char auth[200]; /* iothub-connection-auth-method, JSON text */
	char generation[40];
	int64_t until; /* Unix seconds when the token ends (with the hub's slack); INT64_MAX: X.509 */
};
/* 0, or HF_ERR_AUTH with status, service code and sentence (for the log: MQTT only hears code 5). */
int hub_service_admit(
    struct emulator *, const struct hub_who *, STACK_OF(X509) *, struct hub_admission *, struct hf_error *);
/* Stores an event: part of this turn's commit. retain: MQTT's flag, passed on as the property mqtt-retain. */
int hub_service_store(
    struct emulator *, const struct hub_admission *, const struct hub_event *, int retain, struct hf_error *);
/* Is this a token of a policy that gives the owner's rights over the whole hub? 0 and until when (Unix seconds), or HF_ERR_AUTH. */
int
hub_service_owner(struct emulator *, const char *host, const char *token, int64_t *until, struct hf_error *);
/* Is the device still there and enabled? (asked when something in the registry has changed) */
int hub_service_still(struct emulator *, const struct hub_admission *);

const char *
hub_service_named(const struct config *, const char *host); /* the linked hub; NULL: none of ours */

/*
 * c2d.c: the queue of messages to a device, by the hub's rules. Refusals carry the service's code.
 */
#define C2D_LOCK_MS 60000
/* The message is the hub's from the commit on: HF_ERR_AUTH or HF_ERR_SERVICE otherwise. Wakes who waits for it. */
int c2d_put(struct emulator *, const char *hub, const char *device, struct hub_c2d *, struct hf_error *);
/* 1: the next one, locked under c2d->lock, and the caller's to give back (its bytes are body's); 0: there is none now. */
int c2d_take(
    struct emulator *, const struct hub_admission *, struct hub_c2d *, struct buf *body, struct hf_error *);
/* 412002: the lock no longer holds. */
int c2d_settle(
    struct emulator *, const struct hub_admission *, const char *lock, enum hub_answer, struct hf_error *);
/* It did not arrive: as if it had not been sent. */
void c2d_give_back(struct emulator *, const struct hub_admission *, const char *lock);
/* Those whose time is over go, and with them feedback that nobody has asked for. */
int c2d_expire(struct emulator *, struct hf_error *);
int
c2d_purge(struct emulator *, const char *hub, const char *device, struct hf_error *); /* it will be deleted */
/* When a message that is locked will be free again; NEVER. */
int64_t c2d_next(struct emulator *, const struct hub_admission *);

/*
 * feedback.c: what the owner of a hub is told of messages that asked for it: in batches, which are locked as messages are.
 */
#define C2D_SUCCESS   "Success"
#define C2D_EXPIRED   "Expired"
#define C2D_ABANDONED "DeliveryCountExceeded"
#define C2D_REJECTED  "Rejected"
#define C2D_PURGED    "Purged"
/* 1: an array of records, the caller's; 0: there are none now. */
int feedback_take(struct emulator *, const char *hub, char lock[37], json_t **records, struct hf_error *);
/* A lock that no longer holds settles nothing. */
int feedback_settle(struct emulator *, const char *hub, const char *lock, enum hub_answer, struct hf_error *);
void feedback_give_back(struct emulator *, const char *hub, const char *lock); /* it did not arrive */
int64_t feedback_next(struct emulator *, const char *hub);		       /* as c2d_next() */

/*
 * api.c: the service REST API (enrollments), a table of method, path, handler.
 */
struct api_reply {
	int status;
	json_t *body;		/* owned; NULL: none */
	char error_code[16];	/* x-ms-error-code; "" */
	char request_id[40];	/* x-ms-request-id */
	char etag[128];		/* "" */
	char continuation[200]; /* x-ms-continuation: there is another page; "" */
	const char *item_type;	/* x-ms-item-type, static; NULL */
};
void api_answer(struct emulator *, const struct http_message *, struct api_reply *);

/*
 * policy.c: the shared access policies of DPS. Their keys are derived from the owner's.
 */
int policy_add(struct config *, const char *text /* NAME=RIGHT[,RIGHT...] */, struct hf_error *);
int policy_key(const struct config *, const char *name, char key[96]); /* base64; 0 or an error */
/* 1: there is such a policy; 0: there is none. */
int policy_find(const struct config *, const char *name, unsigned *rights, char key[96]);
const char *policy_right(unsigned right); /* its name */

/*
 * enrollment.c: what an owner may enroll, and what is shown of it.
 */
/* Checks what was put and makes the enrollment that is stored, with defaults filled in; `old` (NULL: none) gives what was left
 * out: keys, and certificates shown as `info`. 0, or HF_ERR_SERVICE with status 400. */
int enrollment_read(const struct config *, int group, const char *id, const json_t *put, const json_t *old,
    json_t **, struct hf_error *);
json_t *enrollment_show(const json_t *);	/* without keys */
json_t *enrollment_attestation(const json_t *); /* its attestation, with keys */
/* The certificate that is "primary" or "secondary": 1, owned by the caller, or 0. */
int enrollment_certificate(const json_t *, const char *which, X509 **);

/*
 * reply.c: what all answers have in common.
 */
void guid_new(char dst[37]);
void etag_new(char dst[128]); /* base64 of a quoted GUID, as DPS writes them */
int etag_matches(
    const char *etag, const char *if_match); /* 1 or 0; as it was read, decoded, quoted or not, or "*" */
/* Sets an error with the service's code (and its status, code / 1000) unless there is one; returns HF_ERR_AUTH for 401, 403,
 * 404, else HF_ERR_SERVICE. */
int refuse(struct hf_error *, int service, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Gives the sentence that stands the service's code, if it has none. */
int refuse_as(struct hf_error *, int service);

/*
 * attest.c: verifying.
 */
/* Is the token signed by one of these base64 keys (NULL: not there), not expired, and for this resource (compared without
 * letter case)? 0, or HF_ERR_AUTH with a sentence for the log. */
int attest_token(const char *token, const char *resource, const char *key1, const char *key2, int64_t wall,
    struct hf_error *);
/* Is the certificate within its time now? */
int attest_valid_now(const X509 *, int64_t wall, struct hf_error *);
/* Does the chain reach this CA (signature by signature, each a CA, each in its time)? How many steps above the leaf: 1..; or
 * HF_ERR_AUTH. */
int attest_chain(STACK_OF(X509) * chain, X509 *ca, int64_t wall, struct hf_error *);
void attest_thumbprint(const X509 *, char sha1[41], char sha256[65]);
int attest_common_name(const X509 *, char *dst, size_t cap);
/* A certificate as enrollments carry it: PEM, base64 of DER, or base64 of PEM. 0 or HF_ERR_ARGS. */
int attest_certificate(const char *text, X509 **, struct hf_error *);

/*
 * attest_tpm.c: making a key blob that only the TPM with this EK and this SRK can use (OpenSSL alone, no TSS).
 * extra: a text encrypted under the inner key. 0 or an error: HF_ERR_ARGS for public keys of a wrong kind.
 */
int attest_tpm_blob(struct buf *blob, const void *ek, size_t, const void *srk, size_t, const uint8_t key[32],
    const char *extra, struct hf_error *);
/* The same with every random value given, for test vectors. */
struct tpm_seeds {
	uint8_t id_seed[32], inner[16], obfuscation[32], dup_seed[32];
};
struct tpm_public;
int attest_tpm_credential(struct buf *id_object, const struct tpm_public *srk, const struct tpm_seeds *);
int attest_tpm_duplicate(
    struct buf *public_area, struct buf *duplicate, const uint8_t key[32], const struct tpm_seeds *);

/*
 * registry.c: what outlives the process.
 */
int registry_open(struct registry **, const char *path, struct hf_error *);
void registry_close(struct registry *);
/* One transaction a turn: the first write begins it. commit: 0, or HF_ERR_IO (all of the turn is undone). */
int registry_commit(struct registry *, struct hf_error *);
/* Enrollments: JSON as in the service API with the keys in it. id is compared without letter case. 1 found, 0 not, negative
 * an error. *json is owned by the caller. */
int registry_enrollment(struct registry *, int group, const char *id, json_t **json, struct hf_error *);
int registry_enrollment_put(struct registry *, int group, const char *id, const json_t *, struct hf_error *);
int registry_enrollment_delete(struct registry *, int group, const char *id, struct hf_error *); /* 1 or 0 */
int registry_enrollment_each(struct registry *, int group, int (*fn)(void *, const char *id, const json_t *),
    void *, struct hf_error *);
/* At most so many, in the order of their ids, from behind `after` ("": from the first). */
int registry_enrollment_page(struct registry *, int group, const char *after, int most,
    int (*fn)(void *, const char *id, const json_t *), void *, struct hf_error *);
/* Registrations: the record of a device at DPS (state, hub, device id, operation). JSON; same rules. */
int registry_registration(struct registry *, const char *id, json_t **json, struct hf_error *);
int registry_registration_put(struct registry *, const char *id, const json_t *, struct hf_error *);
int registry_registration_delete(struct registry *, const char *id, struct hf_error *);
/* The same for those of a group: records whose enrollmentGroupId it is. */
int registry_registration_page(struct registry *, const char *group, const char *after, int most,
    int (*fn)(void *, const char *id, const json_t *), void *, struct hf_error *);
/* Operations of DPS: what a poll asks for, until a time (Unix seconds). */
int registry_operation(struct registry *, const char *id, json_t **json, struct hf_error *);
int
registry_operation_put(struct registry *, const char *id, int64_t until, const json_t *, struct hf_error *);
/* The key that a TPM was challenged to find, one for each registration id; a new challenge replaces it. */
struct challenge {
	uint8_t ek[32], key[32]; /* SHA-256 of the endorsement key; the key that signs the token */
	int64_t until;		 /* Unix seconds */
	int spent;		 /* a registration has been completed with it */
};
int registry_challenge(struct registry *, const char *id, struct challenge *, struct hf_error *); /* 1 or 0 */
int registry_challenge_put(struct registry *, const char *id, const struct challenge *, struct hf_error *);
/* Forgets operations and challenges whose time is over. */
int registry_expire(struct registry *, int64_t wall, struct hf_error *);
/* A hub's devices: JSON as in the hub's identity registry (deviceId, generationId, etag, status, authentication). Ids are
 * compared with letter case. */
int registry_device(struct registry *, const char *hub, const char *device, json_t **json, struct hf_error *);
int registry_device_put(
    struct registry *, const char *hub, const char *device, const json_t *, struct hf_error *);
int registry_device_delete(struct registry *, const char *hub, const char *device, struct hf_error *);
int registry_device_each(struct registry *, const char *hub /* NULL: all */,
    int (*fn)(void *, const char *hub, const json_t *), void *, struct hf_error *);
/* MQTT sessions: a JSON array of filters for each hub and client id. NULL json: delete. */
int
registry_filters(struct registry *, const char *hub, const char *client, json_t **json, struct hf_error *);
int registry_filters_put(
    struct registry *, const char *hub, const char *client, const json_t *, struct hf_error *);
/* Events, in sequence. `after`: sequence numbers above it; device NULL: all. The JSON is what `events` prints. fn may stop the
 * walk by returning non-zero. */
struct registry_event {
	const char *hub, *device, *auth, *generation;
	const void *body;
	size_t len;
	const json_t *properties, *system; /* objects of strings */
	int64_t enqueued_ms;		   /* Unix milliseconds */
};
int registry_event_put(struct registry *, const struct registry_event *, struct hf_error *);
int registry_event_each(struct registry *, int64_t after, const char *device,
    int (*fn)(void *, int64_t sequence, const json_t *), void *, struct hf_error *);
/* Messages to a device, in the order in which they came. Those that are locked are on their way to it. `body` is the message's. */
int registry_c2d_put(struct registry *, const char *hub, const char *device, const struct hub_c2d *,
    int64_t until_ms, struct hf_error *);
int registry_c2d_count(struct registry *, const char *hub, const char *device, struct hf_error *);
/* The one under this lock, as long as it holds; NULL: the first that is not locked. 1, and the caller's to give back, or 0. */
int registry_c2d_find(struct registry *, const char *hub, const char *device, const char *lock,
    int64_t now_ms, struct hub_c2d *, struct buf *body, struct hf_error *);
int
registry_c2d_lock(struct registry *, int64_t sequence, const char *lock, int64_t until_ms, struct hf_error *);
int registry_c2d_back(struct registry *, int64_t sequence, int abandoned, struct hf_error *); /* unlocks */
/* It is gone, by this status (or all of a device, by C2D_PURGED; or all that are too old, by C2D_EXPIRED). 1: there is feedback, as it was asked
 * for; 0: none was. */
int
registry_c2d_end(struct registry *, int64_t sequence, const char *status, int64_t now_ms, struct hf_error *);
int
registry_c2d_purge(struct registry *, const char *hub, const char *device, int64_t now_ms, struct hf_error *);
int registry_c2d_expire(struct registry *, int64_t now_ms, struct hf_error *); /* feedback goes too */
/* When the first lock ends; NEVER. */
int registry_c2d_next(
    struct registry *, const char *hub, const char *device, int64_t now_ms, int64_t *at, struct hf_error *);
/* Feedback of a hub: at most so many records, locked, as an array that is the caller's: 1; 0: there are none. Then they are done with, or go back
 * (counts 1: for the `most`th time they are dropped instead). */
int registry_feedback_take(struct registry *, const char *hub, const char *lock, int64_t now_ms,
    int64_t until_ms, int most, json_t **, struct hf_error *);
int registry_feedback_done(
    struct registry *, const char *hub, const char *lock, int64_t now_ms, struct hf_error *);
int registry_feedback_back(struct registry *, const char *hub, const char *lock, int64_t now_ms, int counts,
    int most, struct hf_error *);
int registry_feedback_next(
    struct registry *, const char *hub, int64_t now_ms, int64_t *at, struct hf_error *); /* as of c2d */
int64_t registry_version(struct registry *); /* changes whenever enrollments or devices do */

/*
 * session.c: one connection. A server makes one for each accepted stream; tests for one end of a pair.
 */
enum session_kind { SESSION_MQTT = 1, SESSION_HTTP, SESSION_AMQP };
#define SESSION_KINDS 3
int session_new(struct session **, struct emulator *, enum session_kind, struct stream *,
    struct hf_error *); /* takes the stream */
void session_free(struct session *);
int session_amqp_built(void); /* 0: this build has no AMQP */
/* The two halves of a turn, with registry_commit() between them. read: takes what has come and answers into the buffer. write:
 * sends it. Negative: the connection is over, free it. */
int session_read(struct session *);
int session_write(struct session *);
void session_wait(struct session *, int *fd, short *events);
int64_t session_deadline(const struct session *); /* ms or NEVER */
struct session *session_next(const struct session *);
void session_wake(struct session *); /* the next turn looks at it */
void
session_wake_device(struct emulator *, const char *hub, const char *device); /* there is a message for it */
void session_wake_owner(struct emulator *, const char *hub);		     /* there is feedback */
void **session_host(struct session *); /* a pointer for whoever made it */
/* A turn for the sessions that are ready: read all, commit, write all, free what is over. 1: something moved. */
int emulator_step(struct emulator *, struct moment);
int emulator_turn(struct emulator *, struct moment); /* the same for every session */
#endif
