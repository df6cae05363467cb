/*
 * One SQLite file in WAL mode. synchronous=FULL: a commit is on the disk when it returns, so that it outlives a power cut
 * too; one commit a turn pays for all that the turn stored.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "registry.h"

#define SCHEMA	 4
#define TEXT_(x) #x
#define TEXT(x)	 TEXT_(x)

/* Messages to devices: a number each, never used again, so that a lock's message is that one for ever. */
#define C2D                                                                                                  \
	"CREATE TABLE c2d (sequence INTEGER PRIMARY KEY AUTOINCREMENT, hub TEXT COLLATE NOCASE NOT NULL,"    \
	" device TEXT NOT NULL, body BLOB NOT NULL, properties TEXT NOT NULL, system TEXT NOT NULL,"         \
	" enqueued INTEGER NOT NULL, until INTEGER NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0,"         \
	" lock TEXT NOT NULL DEFAULT '', locked INTEGER NOT NULL DEFAULT 0);"                                \
	"CREATE INDEX c2d_of_device ON c2d (hub, device, sequence);"
/* What the owner of a hub is to be told of them. */
#define FEEDBACK                                                                                               \
	"CREATE TABLE feedback (sequence INTEGER PRIMARY KEY AUTOINCREMENT, hub TEXT COLLATE NOCASE NOT NULL," \
	" device TEXT NOT NULL, generation TEXT NOT NULL, message TEXT NOT NULL, status TEXT NOT NULL,"        \
	" enqueued INTEGER NOT NULL, until INTEGER NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0,"           \
	" lock TEXT NOT NULL DEFAULT '', locked INTEGER NOT NULL DEFAULT 0);"                                  \
	"CREATE INDEX feedback_of_hub ON feedback (hub, sequence);"                                            \
	"CREATE INDEX c2d_by_end ON c2d (until);"

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE enrollment (kind TEXT, id TEXT COLLATE NOCASE, json TEXT NOT NULL, PRIMARY KEY (kind, id))"
    " WITHOUT ROWID;"
    "CREATE TABLE registration (id TEXT COLLATE NOCASE PRIMARY KEY, json TEXT NOT NULL,"
    " enrolled TEXT COLLATE NOCASE NOT NULL DEFAULT '') WITHOUT ROWID;"
    "CREATE INDEX registration_of_group ON registration (enrolled, id);"
    "CREATE TABLE operation (id TEXT PRIMARY KEY, until INTEGER NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE challenge (id TEXT COLLATE NOCASE PRIMARY KEY, ek BLOB NOT NULL, key BLOB NOT NULL,"
    " until INTEGER NOT NULL, spent INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE device (hub TEXT COLLATE NOCASE, id TEXT, json TEXT NOT NULL, PRIMARY KEY (hub, id)) WITHOUT ROWID;"
    "CREATE TABLE filters (hub TEXT COLLATE NOCASE, client TEXT, json TEXT NOT NULL, PRIMARY KEY (hub, client))"
    " WITHOUT ROWID;"
    "CREATE TABLE event (sequence INTEGER PRIMARY KEY AUTOINCREMENT, hub TEXT NOT NULL, device TEXT NOT NULL,"
    " auth TEXT NOT NULL, generation TEXT NOT NULL, body BLOB NOT NULL, properties TEXT NOT NULL,"
    " system TEXT NOT NULL, enqueued INTEGER NOT NULL);" C2D FEEDBACK
    "PRAGMA user_version = " TEXT(SCHEMA) "; COMMIT;";
/* Version 1 did not know by which group a device was registered but in the JSON. */
static const char from_1[] =
    "BEGIN;"
    "ALTER TABLE registration ADD COLUMN enrolled TEXT COLLATE NOCASE NOT NULL DEFAULT '';"
    "UPDATE registration SET enrolled = coalesce(json_extract(json, '$.enrollmentGroupId'), '');"
    "CREATE INDEX registration_of_group ON registration (enrolled, id);"
    "PRAGMA user_version = 2; COMMIT;";
static const char from_2[] = "BEGIN;" C2D "PRAGMA user_version = 3; COMMIT;";
static const char from_3[] = "BEGIN;" FEEDBACK "PRAGMA user_version = 4; COMMIT;";

/* A record for each of these messages that asked for one: the status is ?1, ?2 what such a message asks for, ?3 the time. */
#define TELL(when)                                                                                           \
	"INSERT INTO feedback (hub, device, generation, message, status, enqueued, until)"                   \
	" SELECT hub, device, coalesce((SELECT json_extract(json, '$.generationId') FROM device"             \
	" WHERE device.hub = c2d.hub AND device.id = c2d.device), ''),"                                      \
	" coalesce(json_extract(system, '$.\"message-id\"'), ''), ?1, " when ", ?3 + 3600000 FROM c2d"       \
	" WHERE json_extract(system, '$.ack') IN (?2, 'full') AND "

/* Keys are ?1 and ?2, the JSON of a put is ?3. */
static const char *const sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[ENROLLMENT_GET] = "SELECT json FROM enrollment WHERE kind = ?1 AND id = ?2",
	[ENROLLMENT_PUT] = "INSERT OR REPLACE INTO enrollment VALUES (?1, ?2, ?3)",
	[ENROLLMENT_DELETE] = "DELETE FROM enrollment WHERE kind = ?1 AND id = ?2",
	[REGISTRATION_GET] = "SELECT json FROM registration WHERE id = ?1",
	[REGISTRATION_PUT] = "INSERT OR REPLACE INTO registration (id, enrolled, json) VALUES (?1, ?2, ?3)",
	[REGISTRATION_DELETE] = "DELETE FROM registration WHERE id = ?1",
	[OPERATION_GET] = "SELECT json FROM operation WHERE id = ?1",
	[OPERATION_PUT] = "INSERT OR REPLACE INTO operation VALUES (?1, ?2, ?3)",
	[OPERATION_EXPIRE] = "DELETE FROM operation WHERE until <= ?1",
	[CHALLENGE_GET] = "SELECT ek, key, until, spent FROM challenge WHERE id = ?1",
	[CHALLENGE_PUT] = "INSERT OR REPLACE INTO challenge VALUES (?1, ?2, ?3, ?4, ?5)",
	[CHALLENGE_EXPIRE] = "DELETE FROM challenge WHERE until <= ?1",
	[DEVICE_GET] = "SELECT json FROM device WHERE hub = ?1 AND id = ?2",
	[DEVICE_PUT] = "INSERT OR REPLACE INTO device VALUES (?1, ?2, ?3)",
	[DEVICE_DELETE] = "DELETE FROM device WHERE hub = ?1 AND id = ?2",
	[FILTERS_GET] = "SELECT json FROM filters WHERE hub = ?1 AND client = ?2",
	[FILTERS_PUT] = "INSERT OR REPLACE INTO filters VALUES (?1, ?2, ?3)",
	[FILTERS_DELETE] = "DELETE FROM filters WHERE hub = ?1 AND client = ?2",
	[EVENT_PUT] = "INSERT INTO event (hub, device, auth, generation, body, properties, system, enqueued)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[C2D_PUT] = "INSERT INTO c2d (hub, device, body, properties, system, enqueued, until)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[C2D_COUNT] = "SELECT count(*) FROM c2d WHERE hub = ?1 AND device = ?2",
	[C2D_FIRST] =
	    "SELECT sequence, body, properties, system, enqueued, deliveries FROM c2d"
	    " WHERE hub = ?1 AND device = ?2 AND locked <= ?3 AND until > ?3 ORDER BY sequence LIMIT 1",
	[C2D_LOCK] = "UPDATE c2d SET lock = ?2, locked = ?3 WHERE sequence = ?1",
	[C2D_BY_LOCK] = "SELECT sequence, body, properties, system, enqueued, deliveries FROM c2d"
			" WHERE hub = ?1 AND device = ?2 AND lock = ?4 AND locked > ?3",
	[C2D_BACK] = "UPDATE c2d SET lock = '', locked = 0, deliveries = deliveries + ?2 WHERE sequence = ?1",
	[C2D_DELETE] = "DELETE FROM c2d WHERE sequence = ?1",
	[C2D_PURGE] = "DELETE FROM c2d WHERE hub = ?1 AND device = ?2",
	[C2D_DUE] = "SELECT 1 FROM c2d WHERE until <= ?3 AND locked <= ?3 LIMIT 1",
	[C2D_EXPIRE] = "DELETE FROM c2d WHERE until <= ?3 AND locked <= ?3",
	[C2D_NEXT] = "SELECT min(locked) FROM c2d WHERE hub = ?1 AND device = ?2 AND locked > ?3",
	[FEEDBACK_OF] = TELL("?3") "sequence = ?4",
	[FEEDBACK_OF_DEVICE] = TELL("?3") "hub = ?4 AND device = ?5",
	[FEEDBACK_OF_EXPIRED] = TELL("until") "until <= ?3 AND locked <= ?3",
	[FEEDBACK_DUE] = "SELECT 1 FROM feedback WHERE until <= ?3 AND locked <= ?3 LIMIT 1",
	[FEEDBACK_EXPIRE] = "DELETE FROM feedback WHERE until <= ?3 AND locked <= ?3",
	/* The hub is ?1, the lock ?2, the time ?3. */
	[FEEDBACK_READY] = "SELECT 1 FROM feedback WHERE hub = ?1 AND locked <= ?3 AND until > ?3 LIMIT 1",
	[FEEDBACK_NEXT] = "SELECT min(locked) FROM feedback WHERE hub = ?1 AND locked > ?3",
	[FEEDBACK_LOCK] =
	    "UPDATE feedback SET lock = ?2, locked = ?4 WHERE sequence IN (SELECT sequence FROM feedback"
	    " WHERE hub = ?1 AND locked <= ?3 AND until > ?3 ORDER BY sequence LIMIT ?5)",
	[FEEDBACK_GET] = "SELECT message, status, enqueued, device, generation FROM feedback"
			 " WHERE hub = ?1 AND lock = ?2 ORDER BY sequence",
	[FEEDBACK_DONE] = "DELETE FROM feedback WHERE hub = ?1 AND lock = ?2 AND locked > ?3",
	[FEEDBACK_DROP] = "DELETE FROM feedback WHERE hub = ?1 AND lock = ?2 AND locked > ?3"
			  " AND deliveries + ?4 >= ?5",
	[FEEDBACK_BACK] = "UPDATE feedback SET lock = '', locked = 0, deliveries = deliveries + ?4"
			  " WHERE hub = ?1 AND lock = ?2 AND locked > ?3",
};
static const char each_enrollment[] = "SELECT id, json FROM enrollment WHERE kind = ?1 ORDER BY id";
/* Pages go on behind an id: what comes and goes in between neither shifts nor repeats the rest. */
static const char page_enrollment[] =
    "SELECT id, json FROM enrollment WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
static const char page_registration[] =
    "SELECT id, json FROM registration WHERE enrolled = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
static const char each_device[] =
    "SELECT hub, json FROM device WHERE ?1 IS NULL OR hub = ?1 COLLATE NOCASE ORDER BY hub, id";
static const char each_event[] =
    "SELECT sequence, hub, device, auth, generation, body, properties, system, enqueued FROM event"
    " WHERE sequence > ?1 AND (?2 IS NULL OR device = ?2) ORDER BY sequence";

int
registry_broken(struct registry *r, struct hf_error *err)
{
	errno = sqlite3_system_errno(r->db);
	if (errno == 0)
		return err_set(err, HF_ERR_IO, "registry %s: %s", r->path, sqlite3_errmsg(r->db));
	return err_sys(err, HF_ERR_IO, "registry %s: %s", r->path, sqlite3_errmsg(r->db));
}

/* A write that did not work spoils the whole turn. */
int
registry_spoiled(struct registry *r, struct hf_error *err)
{
	registry_broken(r, &r->failed);
	return err_set(err, HF_ERR_IO, "%s", r->failed.text);
}

int
registry_text(sqlite3_stmt *s, int at, const char *value)
{
	return value ? sqlite3_bind_text(s, at, value, -1, SQLITE_STATIC) : sqlite3_bind_null(s, at);
}

sqlite3_stmt *
registry_ready(struct registry *r, enum which w)
{
	if (!r->stmt[w])
		sqlite3_prepare_v3(r->db, sql[w], -1, SQLITE_PREPARE_PERSISTENT, &r->stmt[w], NULL);
	return r->stmt[w];
}

sqlite3_stmt *
registry_keyed(struct registry *r, enum which w, const char *a, const char *b)
{
	sqlite3_stmt *s = registry_ready(r, w);

	if (!s || registry_text(s, 1, a) != SQLITE_OK || (b && registry_text(s, 2, b) != SQLITE_OK))
		return NULL;
	return s;
}

/* Steps a statement that answers nothing and lets go of what is bound to it. */
int
registry_done(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int
simple(struct registry *r, enum which w)
{
	sqlite3_stmt *s = registry_ready(r, w);

	return s ? registry_done(s) : -1;
}

int
registry_begin(struct registry *r, struct hf_error *err)
{
	if (r->failed.code)
		return err_set(err, HF_ERR_IO, "%s", r->failed.text);
	if (r->writing)
		return 0;
	if (simple(r, BEGIN) < 0)
		return registry_spoiled(r, err);
	r->writing = 1;
	return 0;
}

static void
undo(struct registry *r)
{
	if (!sqlite3_get_autocommit(r->db))
		simple(r, ROLLBACK);
	r->writing = 0;
	r->version++;
}

int
registry_commit(struct registry *r, struct hf_error *err)
{
	if (r->failed.code) {
		err_set(err, HF_ERR_IO, "%s", r->failed.text);
		undo(r);
		err_clear(&r->failed);
		return HF_ERR_IO;
	}
	if (!r->writing)
		return 0;
	if (simple(r, COMMIT) < 0) {
		registry_broken(r, err);
		undo(r);
		return HF_ERR_IO;
	}
	r->writing = 0;
	return 0;
}

/* SQLite would make the file with mode 0644 less the umask; it holds keys. */
static int
touch(const char *path, struct hf_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, HF_ERR_IO, "cannot open registry %s", path);
	close(fd);
	return 0;
}

static int
user_version(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int v = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		v = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return v;
}

static int
set_up(struct registry *r, struct hf_error *err)
{
	int v;

	if (sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return registry_broken(r, err);
	sqlite3_busy_timeout(r->db, 2000);
	if (sqlite3_exec(r->db,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;", NULL,
		NULL, NULL) != SQLITE_OK)
		return registry_broken(r, err);
	v = user_version(r->db);
	if (v < 0)
		return registry_broken(r, err);
	if (v > SCHEMA)
		return err_set(err, HF_ERR_STATE,
		    "registry %s was made by a newer emulator (version %d, this one knows %d)", r->path, v,
		    SCHEMA);
	if ((v == 0 && sqlite3_exec(r->db, schema, NULL, NULL, NULL) != SQLITE_OK) ||
	    (v == 1 && sqlite3_exec(r->db, from_1, NULL, NULL, NULL) != SQLITE_OK) ||
	    ((v == 1 || v == 2) && sqlite3_exec(r->db, from_2, NULL, NULL, NULL) != SQLITE_OK) ||
	    (v >= 1 && v <= 3 && sqlite3_exec(r->db, from_3, NULL, NULL, NULL) != SQLITE_OK))
		return registry_broken(r, err);
	return 0;
}

int
registry_open(struct registry **out, const char *path, struct hf_error *err)
{
	struct registry *r;
	int rc;

	*out = NULL;
	rc = touch(path, err);
	if (rc < 0)
		return rc;
	r = calloc(1, sizeof *r);
	if (!r)
		return err_memory(err);
	r->version = 1;
	rc = str_fmt(r->path, sizeof r->path, "%s", path);
	if (rc < 0)
		err_set(err, HF_ERR_ARGS, "the path of the registry is too long");
	else
		rc = set_up(r, err);
	if (rc < 0) {
		registry_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
registry_close(struct registry *r)
{
	int i;

	if (!r)
		return;
	for (i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(r->stmt[i]);
	sqlite3_close(r->db);
	free(r);
}

int64_t
registry_version(struct registry *r)
{
	return r->version;
}

json_t *
registry_column(sqlite3_stmt *s, int at, struct hf_error *err)
{
	return js_parse(sqlite3_column_text(s, at), (size_t)sqlite3_column_bytes(s, at), "registry", err);
}

static int
get(struct registry *r, enum which w, const char *a, const char *b, json_t **json, struct hf_error *err)
{
	sqlite3_stmt *s = registry_keyed(r, w, a, b);
	int found = 0, rc;

	*json = NULL;
	if (!s)
		return registry_broken(r, err);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*json = registry_column(s, 0, err);
		found = *json ? 1 : err->code;
	} else if (rc != SQLITE_DONE)
		found = registry_broken(r, err);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return found;
}

static int
put(struct registry *r, enum which w, const char *a, const char *b, const json_t *json, struct hf_error *err)
{
	struct buf t = { 0 };
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	rc = js_put(&t, json);
	if (rc < 0) {
		rc = err_memory(err);
		goto fail;
	}
	s = registry_keyed(r, w, a, b);
	if (!s ||
	    sqlite3_bind_text(s, 3, (const char *)buf_data(&t), (int)buf_size(&t), SQLITE_STATIC) !=
		SQLITE_OK ||
	    registry_done(s) < 0)
		rc = registry_spoiled(r, err);
fail:
	buf_free(&t);
	return rc;
}

static int
drop(struct registry *r, enum which w, const char *a, const char *b, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = registry_keyed(r, w, a, b);
	if (!s || registry_done(s) < 0)
		return registry_spoiled(r, err);
	return sqlite3_changes(r->db) > 0;
}

static const char *
kind(int group)
{
	return group ? "group" : "individual";
}

int
registry_enrollment(struct registry *r, int group, const char *id, json_t **json, struct hf_error *err)
{
	return get(r, ENROLLMENT_GET, kind(group), id, json, err);
}

int
registry_enrollment_put(
    struct registry *r, int group, const char *id, const json_t *json, struct hf_error *err)
{
	r->version++;
	return put(r, ENROLLMENT_PUT, kind(group), id, json, err);
}

int
registry_enrollment_delete(struct registry *r, int group, const char *id, struct hf_error *err)
{
	r->version++;
	return drop(r, ENROLLMENT_DELETE, kind(group), id, err);
}

int
registry_registration(struct registry *r, const char *id, json_t **json, struct hf_error *err)
{
	return get(r, REGISTRATION_GET, id, NULL, json, err);
}

int
registry_registration_put(struct registry *r, const char *id, const json_t *json, struct hf_error *err)
{
	return put(r, REGISTRATION_PUT, id, js_str(json, "enrollmentGroupId", ""), json, err);
}

int
registry_registration_delete(struct registry *r, const char *id, struct hf_error *err)
{
	return drop(r, REGISTRATION_DELETE, id, NULL, err);
}

int
registry_operation(struct registry *r, const char *id, json_t **json, struct hf_error *err)
{
	return get(r, OPERATION_GET, id, NULL, json, err);
}

int
registry_operation_put(
    struct registry *r, const char *id, int64_t until, const json_t *json, struct hf_error *err)
{
	sqlite3_stmt *s = registry_ready(r, OPERATION_PUT);

	if (!s || sqlite3_bind_int64(s, 2, until) != SQLITE_OK)
		return registry_spoiled(r, err);
	return put(r, OPERATION_PUT, id, NULL, json, err);
}

int
registry_challenge(struct registry *r, const char *id, struct challenge *c, struct hf_error *err)
{
	sqlite3_stmt *s = registry_keyed(r, CHALLENGE_GET, id, NULL);
	int found = 0, rc;

	memset(c, 0, sizeof *c);
	if (!s)
		return registry_broken(r, err);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(s, 0) == sizeof c->ek &&
	    sqlite3_column_bytes(s, 1) == sizeof c->key) {
		memcpy(c->ek, sqlite3_column_blob(s, 0), sizeof c->ek);
		memcpy(c->key, sqlite3_column_blob(s, 1), sizeof c->key);
		c->until = sqlite3_column_int64(s, 2);
		c->spent = sqlite3_column_int(s, 3);
		found = 1;
	} else if (rc != SQLITE_DONE)
		found = registry_broken(r, err);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return found;
}

int
registry_challenge_put(struct registry *r, const char *id, const struct challenge *c, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = registry_keyed(r, CHALLENGE_PUT, id, NULL);
	if (!s || sqlite3_bind_blob(s, 2, c->ek, sizeof c->ek, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_blob(s, 3, c->key, sizeof c->key, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 4, c->until) != SQLITE_OK ||
	    sqlite3_bind_int(s, 5, c->spent) != SQLITE_OK || registry_done(s) < 0)
		return registry_spoiled(r, err);
	return 0;
}

static int
expire(struct registry *r, enum which w, int64_t wall)
{
	sqlite3_stmt *s = registry_ready(r, w);

	if (!s || sqlite3_bind_int64(s, 1, wall) != SQLITE_OK)
		return -1;
	return registry_done(s);
}

int
registry_expire(struct registry *r, int64_t wall, struct hf_error *err)
{
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	if (expire(r, OPERATION_EXPIRE, wall) < 0 || expire(r, CHALLENGE_EXPIRE, wall) < 0)
		return registry_spoiled(r, err);
	return 0;
}

int
registry_device(struct registry *r, const char *hub, const char *device, json_t **json, struct hf_error *err)
{
	return get(r, DEVICE_GET, hub, device, json, err);
}

int
registry_device_put(
    struct registry *r, const char *hub, const char *device, const json_t *json, struct hf_error *err)
{
	r->version++;
	return put(r, DEVICE_PUT, hub, device, json, err);
}

int
registry_device_delete(struct registry *r, const char *hub, const char *device, struct hf_error *err)
{
	int rc = drop(r, C2D_PURGE, hub, device, err);

	r->version++;
	return rc < 0 ? rc : drop(r, DEVICE_DELETE, hub, device, err);
}

int
registry_filters(struct registry *r, const char *hub, const char *client, json_t **json, struct hf_error *err)
{
	return get(r, FILTERS_GET, hub, client, json, err);
}

int
registry_filters_put(
    struct registry *r, const char *hub, const char *client, const json_t *json, struct hf_error *err)
{
	int rc;

	if (json)
		return put(r, FILTERS_PUT, hub, client, json, err);
	rc = drop(r, FILTERS_DELETE, hub, client, err);
	return rc < 0 ? rc : 0;
}

/* Walks have statements of their own, so that a walk's function may walk. */
static int
walk(struct registry *r, const char *query, const char *key, sqlite3_stmt **s, struct hf_error *err)
{
	if (sqlite3_prepare_v2(r->db, query, -1, s, NULL) == SQLITE_OK &&
	    registry_text(*s, 1, key) == SQLITE_OK)
		return 0;
	sqlite3_finalize(*s);
	return registry_broken(r, err);
}

/* The end of a walk: stopped says that the function did not want more. */
static int
walked(struct registry *r, sqlite3_stmt *s, int rc, int stopped, struct hf_error *err)
{
	int result = 0;

	if (!stopped && rc != SQLITE_DONE)
		result = registry_broken(r, err);
	sqlite3_finalize(s);
	return result;
}

/* Hands over the rows of a walk that has been prepared, and ends it. */
static int
rows(struct registry *r, sqlite3_stmt *s, int (*fn)(void *, const char *, const json_t *), void *ctx,
    struct hf_error *err)
{
	json_t *json;
	int rc = SQLITE_DONE, stop = 0;

	while (!stop && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		json = registry_column(s, 1, err);
		if (!json) {
			sqlite3_finalize(s);
			return err->code;
		}
		stop = fn(ctx, (const char *)sqlite3_column_text(s, 0), json);
		json_decref(json);
	}
	return walked(r, s, rc, stop, err);
}

static int
each(struct registry *r, const char *query, const char *key, int (*fn)(void *, const char *, const json_t *),
    void *ctx, struct hf_error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = walk(r, query, key, &s, err);

	return rc < 0 ? rc : rows(r, s, fn, ctx, err);
}

static int
page(struct registry *r, const char *query, const char *key, const char *after, int most,
    int (*fn)(void *, const char *, const json_t *), void *ctx, struct hf_error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = walk(r, query, key, &s, err);

	if (rc < 0)
		return rc;
	if (registry_text(s, 2, after) != SQLITE_OK || sqlite3_bind_int(s, 3, most) != SQLITE_OK)
		return walked(r, s, SQLITE_ERROR, 0, err);
	return rows(r, s, fn, ctx, err);
}

int
registry_enrollment_each(struct registry *r, int group, int (*fn)(void *, const char *id, const json_t *),
    void *ctx, struct hf_error *err)
{
	return each(r, each_enrollment, kind(group), fn, ctx, err);
}

int
registry_enrollment_page(struct registry *r, int group, const char *after, int most,
    int (*fn)(void *, const char *id, const json_t *), void *ctx, struct hf_error *err)
{
	return page(r, page_enrollment, kind(group), after, most, fn, ctx, err);
}

int
registry_registration_page(struct registry *r, const char *group, const char *after, int most,
    int (*fn)(void *, const char *id, const json_t *), void *ctx, struct hf_error *err)
{
	return page(r, page_registration, group, after, most, fn, ctx, err);
}

int
registry_device_each(struct registry *r, const char *hub, int (*fn)(void *, const char *hub, const json_t *),
    void *ctx, struct hf_error *err)
{
	return each(r, each_device, hub, fn, ctx, err);
}

int
registry_bind_json(sqlite3_stmt *s, int at, struct buf *t, const json_t *json)
{
	if (js_put(t, json) < 0)
		return SQLITE_NOMEM;
	return sqlite3_bind_text(s, at, (const char *)buf_data(t), (int)buf_size(t), SQLITE_STATIC);
}

int
registry_event_put(struct registry *r, const struct registry_event *ev, struct hf_error *err)
{
	struct buf properties = { 0 }, system = { 0 };
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = registry_keyed(r, EVENT_PUT, ev->hub, ev->device);
	if (!s || registry_text(s, 3, ev->auth) != SQLITE_OK ||
	    registry_text(s, 4, ev->generation) != SQLITE_OK ||
	    sqlite3_bind_blob(s, 5, ev->len ? ev->body : "", (int)ev->len, SQLITE_STATIC) != SQLITE_OK ||
	    registry_bind_json(s, 6, &properties, ev->properties) != SQLITE_OK ||
	    registry_bind_json(s, 7, &system, ev->system) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 8, ev->enqueued_ms) != SQLITE_OK || registry_done(s) < 0)
		rc = registry_spoiled(r, err);
	buf_free(&properties);
	buf_free(&system);
	return rc;
}

/* A body that is UTF-8 is shown as it is, another one as base64. */
static int
set_body(json_t *o, const void *body, size_t n)
{
	struct buf t = { 0 };
	json_t *plain = json_stringn(n ? body : "", n);
	int rc;

	if (plain)
		return json_object_set_new(o, "body", plain);
	rc = b64_put(&t, body, n);
	if (rc == 0)
		rc = json_object_set_new(
		    o, "bodyBase64", json_stringn((const char *)buf_data(&t), buf_size(&t)));
	buf_free(&t);
	return rc;
}

static json_t *
event_json(sqlite3_stmt *s, struct hf_error *err)
{
	char when[32];
	json_t *o, *auth;
	int64_t ms = sqlite3_column_int64(s, 8);

	clock_iso(ms / 1000, when);
	o = json_pack("{s:I, s:s, s:s, s:s, s:s}", "sequence", (json_int_t)sqlite3_column_int64(s, 0), "hub",
	    sqlite3_column_text(s, 1), "deviceId", sqlite3_column_text(s, 2), "generationId",
	    sqlite3_column_text(s, 4), "enqueuedTime", when);
	auth = registry_column(s, 3, err);
	if (set_body(o, sqlite3_column_blob(s, 5), (size_t)sqlite3_column_bytes(s, 5)) < 0 ||
	    json_object_set_new(o, "properties", registry_column(s, 6, err)) < 0 ||
	    json_object_set_new(o, "systemProperties", registry_column(s, 7, err)) < 0 ||
	    json_object_set_new(o, "authMethod", auth) < 0) {
		err_set(err, HF_ERR_PROTOCOL, "an event in the registry cannot be read");
		json_decref(o);
		return NULL;
	}
	return o;
}

int
registry_event_each(struct registry *r, int64_t after, const char *device,
    int (*fn)(void *, int64_t sequence, const json_t *), void *ctx, struct hf_error *err)
{
	sqlite3_stmt *s = NULL;
	json_t *json;
	int rc, stop = 0;

	rc = walk(r, each_event, NULL, &s, err);
	if (rc < 0)
		return rc;
	if (sqlite3_bind_int64(s, 1, after) != SQLITE_OK || registry_text(s, 2, device) != SQLITE_OK)
		return walked(r, s, SQLITE_ERROR, 0, err);
	while (!stop && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		json = event_json(s, err);
		if (!json) {
			sqlite3_finalize(s);
			return err->code;
		}
		stop = fn(ctx, sqlite3_column_int64(s, 0), json);
		json_decref(json);
	}
	return walked(r, s, rc, stop, err);
}
