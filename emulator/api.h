/*
 * The service REST API, seen from the files that make it: api.c finds the handler and says errors, api_who.c judges the
 * token, api_one.c has what is done to one enrollment or registration, api_many.c queries and bulk operations.
 */
#ifndef EMULATOR_API_H
#define EMULATOR_API_H
#include "emulator.h"

enum {
	API_NO_VERSION = 400001,
	API_INVALID = 400004,
	API_UNREADABLE = 400006,
	API_UNAUTHORIZED = 401002,
	API_NO_ROUTE = 404000,
	API_NOT_FOUND = 404201,
	API_NO_METHOD = 405000,
	API_EXISTS = 409201,
	API_STALE = 412000,
	API_NOT_JSON = 415000,
	API_FAULT = 500001
};

struct call {
	struct emulator *e;
	const struct http_message *m;
	struct api_reply *reply;
	char id[129];
	int group;
	char policy[64]; /* by whose key the token is signed */
	unsigned rights;
	struct hf_error err;
};

/* Is the request's token by one of our policies, and for this path? Fills in policy and rights. 0 or refused. */
int api_authenticate(struct call *);

int api_put_enrollment(struct call *);
int api_get_enrollment(struct call *);
int api_delete_enrollment(struct call *);
int api_get_attestation(struct call *);
int api_get_registration(struct call *);
int api_delete_registration(struct call *);

int api_query_enrollments(struct call *);
int api_query_registrations(struct call *);
int api_bulk(struct call *);

/* What both have in common. The body as JSON, to be freed; NULL: refused. */
json_t *api_body(struct call *, const char *what);
/* The same enrollment as the API shows it, with its registration; NULL: an error. */
json_t *api_show(struct call *, const char *id, const json_t *enrollment);
json_t *api_show_record(const json_t *record);
/* Stores what was put for c->id: a new enrollment, or one that replaces `old`. *fresh is the caller's. */
int api_store(struct call *, const json_t *put, const json_t *old, json_t **fresh);
int api_remove(struct call *); /* c->id */
/* Finds c->id: 1 with *stored, or refused, also when there is none. */
int api_find(struct call *, json_t **stored);
#endif
