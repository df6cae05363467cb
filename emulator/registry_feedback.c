#include <string.h>
#include "base/json.h"
#include "registry.h"

/* With hub, lock (NULL: none is asked for) and time bound. NULL: it cannot be had. */
static sqlite3_stmt *
of_hub(struct registry *r, enum which w, const char *hub, const char *lock, int64_t now_ms)
{
	sqlite3_stmt *s = registry_keyed(r, w, hub, lock);

	return s != NULL && sqlite3_bind_int64(s, 3, now_ms) == SQLITE_OK ? s : NULL;
}

/* One number, or or_else. */
static int
ask(struct registry *r, sqlite3_stmt *s, int64_t or_else, int64_t *out, struct hf_error *err)
{
	int rc = s == NULL ? SQLITE_ERROR : sqlite3_step(s);

	*out = or_else;
	if (rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		*out = sqlite3_column_int64(s, 0);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		registry_broken(r, err);
	sqlite3_reset(s);
	if (s != NULL)
		sqlite3_clear_bindings(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : err->code;
}

static int
ready(struct registry *r, const char *hub, int64_t now_ms, struct hf_error *err)
{
	int64_t one;
	int rc = ask(r, of_hub(r, FEEDBACK_READY, hub, NULL, now_ms), 0, &one, err);

	return rc < 0 ? rc : (int)one;
}

int
registry_feedback_next(struct registry *r, const char *hub, int64_t now_ms, int64_t *at, struct hf_error *err)
{
	return ask(r, of_hub(r, FEEDBACK_NEXT, hub, NULL, now_ms), NEVER, at, err);
}

/* The record as its reader sees it. */
static json_t *
read_row(sqlite3_stmt *s)
{
	const char *status = (const char *)sqlite3_column_text(s, 1);
	char when[32];

	clock_iso(sqlite3_column_int64(s, 2) / 1000, when);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "originalMessageId", sqlite3_column_text(s, 0),
	    "description", status, "deviceGenerationId", sqlite3_column_text(s, 4), "deviceId",
	    sqlite3_column_text(s, 3), "enqueuedTimeUtc", when, "statusCode", status);
}

static int
read_rows(struct registry *r, sqlite3_stmt *s, json_t **list, struct hf_error *err)
{
	int rc = SQLITE_ERROR, bad = (*list = json_array()) == NULL;

	while (s != NULL && !bad && (rc = sqlite3_step(s)) == SQLITE_ROW)
		bad = json_array_append_new(*list, read_row(s)) < 0;
	if (bad)
		err_memory(err);
	else if (rc != SQLITE_DONE)
		registry_broken(r, err);
	sqlite3_reset(s);
	if (s != NULL)
		sqlite3_clear_bindings(s);
	if (!bad && rc == SQLITE_DONE)
		return 1;
	json_decref(*list);
	*list = NULL;
	return err->code;
}

int
registry_feedback_take(struct registry *r, const char *hub, const char *lock, int64_t now_ms,
    int64_t until_ms, int most, json_t **list, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = ready(r, hub, now_ms, err);

	*list = NULL;
	if (rc <= 0 || (rc = registry_begin(r, err)) < 0)
		return rc;
	s = of_hub(r, FEEDBACK_LOCK, hub, lock, now_ms);
	if (s == NULL || sqlite3_bind_int64(s, 4, until_ms) != SQLITE_OK ||
	    sqlite3_bind_int(s, 5, most) != SQLITE_OK || registry_done(s) < 0)
		return registry_spoiled(r, err);
	return read_rows(r, registry_keyed(r, FEEDBACK_GET, hub, lock), list, err);
}

int
registry_feedback_done(
    struct registry *r, const char *hub, const char *lock, int64_t now_ms, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = of_hub(r, FEEDBACK_DONE, hub, lock, now_ms);
	return s == NULL || registry_done(s) < 0 ? registry_spoiled(r, err) : 0;
}

int
registry_feedback_back(struct registry *r, const char *hub, const char *lock, int64_t now_ms, int counts,
    int most, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = of_hub(r, FEEDBACK_DROP, hub, lock, now_ms);
	if (s == NULL || sqlite3_bind_int(s, 4, counts) != SQLITE_OK ||
	    sqlite3_bind_int(s, 5, most) != SQLITE_OK || registry_done(s) < 0)
		return registry_spoiled(r, err);
	s = of_hub(r, FEEDBACK_BACK, hub, lock, now_ms);
	if (s == NULL || sqlite3_bind_int(s, 4, counts) != SQLITE_OK || registry_done(s) < 0)
		return registry_spoiled(r, err);
	return 0;
}
