/*
 * A DPS that follows a script: it answers each request with the next line, over MQTT or HTTP, without TLS. For what the emulator
 * never does: 429 and 5xx, silence, noise.
 */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H
#include "msg/dps.h"
#include "stream/pump.h"

enum script_act {
	SAY,	   /* a reply of this status and state */
	CHALLENGE, /* 401 with something for a TPM to unpack */
	STALE,	   /* a reply, but to another request (MQTT) */
	SILENCE,   /* nothing at all */
	HANG_UP,   /* closes the connection */
	LAST,	   /* a reply, and that this was the last thing on this connection (HTTP) */
	PAGE,	   /* a gateway's page instead of JSON (HTTP) */
	NOISE	   /* bytes that are neither MQTT nor HTTP */
};
struct script_line {
	enum script_act act;
	int status, retry_after;
	const char *state; /* NULL: an error */
};
#define SCRIPT_MAX 64
struct script {
	struct net net; /* the first member */
	struct moment *now;
	int http;
	size_t chunk;
	const struct script_line *line;
	size_t count, at;
	int connack[SCRIPT_MAX], suback[SCRIPT_MAX]; /* by connection: codes, 0 is well */
	struct {
		int64_t ms;
		enum dps_op op;
		int opened, token; /* which connection; whether a token came */
	} asked[SCRIPT_MAX];
	size_t heard;
	int opened;
	/* private */
	struct pump pump;
	struct mqtt mqtt;
	struct http message;
	int up, token;
};
void script_init(
    struct script *, int http, size_t chunk, struct moment *now, const struct script_line *, size_t count);
void script_fini(struct script *);
int script_turn(struct script *); /* 1: something moved */
#endif
