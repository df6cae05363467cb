/* The registry, seen from the files that make it one: registry.c, registry_c2d.c for messages to devices, and registry_feedback.c for what their
 * senders are told. */
#ifndef EMULATOR_REGISTRY_H
#define EMULATOR_REGISTRY_H
#include <sqlite3.h>
#include "emulator.h"

enum which {
	BEGIN,
	COMMIT,
	ROLLBACK,
	ENROLLMENT_GET,
	ENROLLMENT_PUT,
	ENROLLMENT_DELETE,
	REGISTRATION_GET,
	REGISTRATION_PUT,
	REGISTRATION_DELETE,
	OPERATION_GET,
	OPERATION_PUT,
	OPERATION_EXPIRE,
	CHALLENGE_GET,
	CHALLENGE_PUT,
	CHALLENGE_EXPIRE,
	DEVICE_GET,
	DEVICE_PUT,
	DEVICE_DELETE,
	FILTERS_GET,
	FILTERS_PUT,
	FILTERS_DELETE,
	EVENT_PUT,
	C2D_PUT,
	C2D_COUNT,
	C2D_FIRST,
	C2D_LOCK,
	C2D_BY_LOCK,
	C2D_BACK,
	C2D_DELETE,
	C2D_PURGE,
	C2D_DUE,
	C2D_EXPIRE,
	C2D_NEXT,
	FEEDBACK_OF,
	FEEDBACK_OF_DEVICE,
	FEEDBACK_OF_EXPIRED,
	FEEDBACK_DUE,
	FEEDBACK_EXPIRE,
	FEEDBACK_READY,
	FEEDBACK_NEXT,
	FEEDBACK_LOCK,
	FEEDBACK_GET,
	FEEDBACK_DONE,
	FEEDBACK_DROP,
	FEEDBACK_BACK,
	STATEMENTS
};
struct registry {
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	char path[512];
	int64_t version;
	int writing;		/* a transaction is open */
	struct hf_error failed; /* why this turn cannot be stored */
};

int registry_broken(struct registry *, struct hf_error *);
int registry_spoiled(
    struct registry *, struct hf_error *); /* a write did not work, and so nothing of this turn does */
int registry_begin(struct registry *, struct hf_error *); /* before each write */
/* A statement with its first two texts bound (b NULL: one). NULL: it cannot be had. */
sqlite3_stmt *registry_ready(struct registry *, enum which);
sqlite3_stmt *registry_keyed(struct registry *, enum which, const char *a, const char *b);
int registry_text(sqlite3_stmt *, int at, const char *value);
int registry_bind_json(
    sqlite3_stmt *, int at, struct buf *, const json_t *); /* the buffer outlives the binding */
json_t *registry_column(sqlite3_stmt *, int at, struct hf_error *);
int registry_done(sqlite3_stmt *); /* steps one that answers nothing, and lets go of what is bound to it */
#endif
