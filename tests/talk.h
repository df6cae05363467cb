/*
 * A device and the emulator in one process: streams in memory, one thread but for the worker's jobs, and a clock that moves
 * only when neither side has anything left to do.
 */
#ifndef TESTS_TALK_H
#define TESTS_TALK_H
#include "emu.h"
#include "hub/hub_client.h"
#include "script.h"

struct talk_net {
	struct net net; /* the first member: what a device is given */
	struct net *to; /* where it leads; TLS is done on the caller's thread */
};
struct talk {
	char dir[64], state[80];
	struct emu *emu;
	struct talk_net net;
	struct work *work;
	struct script *script; /* NULL: DPS is the emulator */
	struct hsm *hsm;
	struct dps_settings set; /* filled in but for the transport; a test may change it */
	struct dps_client *dps;
	int registered; /* what its step answered last */
	struct dps_assignment got;
	struct hub_device device;
	struct hub_client *hub;
	enum transport hub_transport;		  /* 0: MQTT */
	int connected, disconnected, moved, over; /* how often */
	size_t sent;				  /* acknowledged, each tag once and never another */
	uint8_t acknowledged[4096];		  /* by tag */
	struct hf_error err;
	struct log log;
	struct buf lines; /* that the device logged */
};
/* cap, chunk: of the streams, see emu.h. Fails the test when it cannot be made. */
struct talk *talk_new(size_t cap, size_t chunk);
void talk_free(struct talk *);
/* Key files for the device; opens its identity. */
void talk_symmetric(struct talk *, const char *id, const char *key, int group);
/* A certificate by `issuer` (NULL: self-signed), the chain's other certificates behind it. */
struct talk_ca {
	EVP_PKEY *key;
	X509 *cert;
	char *pem;
};
void talk_ca_new(struct talk_ca *, const char *cn, const struct talk_ca *issuer);
void talk_ca_free(struct talk_ca *);
/* Answers the leaf's PEM text, to be freed by free(). */
char *talk_x509(struct talk *, const char *cn, const struct talk_ca *issuer);
void
talk_follow(struct talk *, struct script *, int http, const struct script_line *, size_t count); /* lent */
void talk_use(struct talk *, struct hsm *); /* an identity of the test's own; taken over */

void talk_turn(struct talk *); /* each side has its turn, at the present moment */
/* Turns and time, until it is done or so much time has passed. 1: done. */
int talk_until(struct talk *, int (*done)(struct talk *), int64_t ms);
void talk_hold_on(struct talk *, int64_t ms); /* the same, for so long */
/* A whole registration. 1, or the error, which is in err. */
int talk_register(struct talk *, enum transport);
void talk_register_begin(struct talk *, enum transport);
/* Connects to the hub of the last registration. */
void talk_connect(struct talk *);
void talk_disconnect(struct talk *);
void talk_send(struct talk *, uint64_t tag); /* its body is "message TAG" */
int talk_all_sent(struct talk *);	     /* everything queued was acknowledged */
/* Fails the test unless the events are those of tags 0 to n - 1, in their order, each at least once; answers how many there
 * are. */
size_t talk_check_events(struct talk *, size_t n, const char *device);
#endif
