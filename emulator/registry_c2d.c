#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "registry.h"

/* By which word each system property is kept; the order is that of the struct. */
static const char *const system_word[HUB_SYSTEM] = { "message-id", "correlation-id", "user-id", "to",
	"absolute-expiry-time", "content-type", "content-encoding", "creation-time", "output-name", "subject",
	"interface-id" };

static json_t *
put_system(const struct hub_c2d *c)
{
	json_t *o = json_object();
	const char *value;

	for (size_t i = 0; i < HUB_SYSTEM; i++)
		if ((value = *hub_event_system((struct hub_event *)&c->message, i)) != NULL)
			json_object_set_new(o, system_word[i], json_string(value));
	if (c->ack[0] != '\0')
		json_object_set_new(o, "ack", json_string(c->ack));
	return o;
}

/* Pairs, in their order: a name may come twice. */
static json_t *
put_properties(const struct hub_event *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->property_count; i++)
		json_array_append_new(list, json_pack("[ss]", v->property[i].key, v->property[i].value));
	return list;
}

static int
get_system(const json_t *o, struct hub_c2d *c)
{
	const char *value, *ack = js_str(o, "ack", "");

	for (size_t i = 0; i < HUB_SYSTEM; i++) {
		value = js_str(o, system_word[i], NULL);
		if (value != NULL && str_set(hub_event_system(&c->message, i), value) < 0)
			return HF_ERR_MEMORY;
	}
	(void)str_copy(c->ack, sizeof(c->ack), ack, strlen(ack));
	return 0;
}

static int
get_properties(const json_t *list, struct hub_event *v)
{
	const char *key, *value;
	json_t *pair;
	size_t i;
	int rc = 0;

	json_array_foreach(list, i, pair) if (rc == 0 && json_unpack(pair, "[ss]", &key, &value) == 0) rc =
	    hub_event_add(v, key, value);
	return rc;
}

int
registry_c2d_put(struct registry *r, const char *hub, const char *device, const struct hub_c2d *c,
    int64_t until_ms, struct hf_error *err)
{
	json_t *properties = put_properties(&c->message), *system = put_system(c);
	const struct hub_event *v = &c->message;
	struct buf p = { 0 }, y = { 0 };
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		goto fail;
	s = registry_keyed(r, C2D_PUT, hub, device);
	if (s == NULL ||
	    sqlite3_bind_blob(s, 3, v->len ? v->body : "", (int)v->len, SQLITE_STATIC) != SQLITE_OK ||
	    registry_bind_json(s, 4, &p, properties) != SQLITE_OK ||
	    registry_bind_json(s, 5, &y, system) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 6, c->enqueued_ms) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 7, until_ms) != SQLITE_OK || registry_done(s) < 0)
		rc = registry_spoiled(r, err);
fail:
	json_decref(properties);
	json_decref(system);
	buf_free(&p);
	buf_free(&y);
	return rc;
}

/* One number that a question about a device's queue is answered with; or_else when it is answered with none. */
static int
ask(struct registry *r, enum which w, const char *hub, const char *device, int64_t now_ms, int64_t or_else,
    int64_t *out, struct hf_error *err)
{
	sqlite3_stmt *s = registry_keyed(r, w, hub, device);
	int rc = 0;

	*out = or_else;
	if (s == NULL || (w == C2D_NEXT && sqlite3_bind_int64(s, 3, now_ms) != SQLITE_OK))
		return registry_broken(r, err);
	if (sqlite3_step(s) != SQLITE_ROW)
		rc = registry_broken(r, err);
	else if (sqlite3_column_type(s, 0) != SQLITE_NULL)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc;
}

int
registry_c2d_count(struct registry *r, const char *hub, const char *device, struct hf_error *err)
{
	int64_t n;
	int rc = ask(r, C2D_COUNT, hub, device, 0, 0, &n, err);

	return rc < 0 ? rc : (int)n;
}

int
registry_c2d_next(struct registry *r, const char *hub, const char *device, int64_t now_ms, int64_t *at,
    struct hf_error *err)
{
	return ask(r, C2D_NEXT, hub, device, now_ms, NEVER, at, err);
}

static int
read_row(sqlite3_stmt *s, struct hub_c2d *c, struct buf *body, struct hf_error *err)
{
	json_t *properties = registry_column(s, 2, err), *system = registry_column(s, 3, err);
	int rc = properties == NULL || system == NULL ? err->code : 0;

	if (rc == 0 && (buf_put(body, sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1)) < 0 ||
			   get_system(system, c) < 0 || get_properties(properties, &c->message) < 0))
		rc = err_memory(err);
	c->sequence = sqlite3_column_int64(s, 0);
	c->enqueued_ms = sqlite3_column_int64(s, 4);
	c->deliveries = sqlite3_column_int(s, 5);
	c->message.body = buf_data(body);
	c->message.len = buf_size(body);
	json_decref(properties);
	json_decref(system);
	return rc;
}

int
registry_c2d_find(struct registry *r, const char *hub, const char *device, const char *lock, int64_t now_ms,
    struct hub_c2d *c, struct buf *body, struct hf_error *err)
{
	sqlite3_stmt *s = registry_keyed(r, lock != NULL ? C2D_BY_LOCK : C2D_FIRST, hub, device);
	int found = 0, rc;

	memset(c, 0, sizeof(*c));
	if (s == NULL || sqlite3_bind_int64(s, 3, now_ms) != SQLITE_OK ||
	    (lock != NULL && registry_text(s, 4, lock) != SQLITE_OK))
		return registry_broken(r, err);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		found = read_row(s, c, body, err) < 0 ? err->code : 1;
	else if (rc != SQLITE_DONE)
		found = registry_broken(r, err);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	if (found < 0)
		hub_c2d_fini(c);
	return found;
}

int
registry_c2d_lock(
    struct registry *r, int64_t sequence, const char *lock, int64_t until_ms, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = registry_ready(r, C2D_LOCK);
	if (s == NULL || sqlite3_bind_int64(s, 1, sequence) != SQLITE_OK ||
	    registry_text(s, 2, lock) != SQLITE_OK || sqlite3_bind_int64(s, 3, until_ms) != SQLITE_OK ||
	    registry_done(s) < 0)
		return registry_spoiled(r, err);
	return 0;
}

static int
numbered(struct registry *r, enum which w, int64_t sequence, int also, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = registry_ready(r, w);
	if (s == NULL || sqlite3_bind_int64(s, 1, sequence) != SQLITE_OK ||
	    (w == C2D_BACK && sqlite3_bind_int(s, 2, also) != SQLITE_OK) || registry_done(s) < 0)
		return registry_spoiled(r, err);
	return 0;
}

int
registry_c2d_back(struct registry *r, int64_t sequence, int abandoned, struct hf_error *err)
{
	return numbered(r, C2D_BACK, sequence, abandoned, err);
}

/* Writes what the sender is to be told of it, if anything: 1, or 0. */
static int
tell(struct registry *r, sqlite3_stmt *s, const char *status, int64_t now_ms, struct hf_error *err)
{
	const char *wanted = strcmp(status, C2D_SUCCESS) == 0 ? "positive" : "negative";

	if (s == NULL || registry_text(s, 1, status) != SQLITE_OK ||
	    registry_text(s, 2, wanted) != SQLITE_OK || sqlite3_bind_int64(s, 3, now_ms) != SQLITE_OK ||
	    registry_done(s) < 0)
		return registry_spoiled(r, err);
	return sqlite3_changes(r->db) > 0;
}

int
registry_c2d_end(
    struct registry *r, int64_t sequence, const char *status, int64_t now_ms, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err), told;

	if (rc < 0)
		return rc;
	s = registry_ready(r, FEEDBACK_OF);
	if (s != NULL && sqlite3_bind_int64(s, 4, sequence) != SQLITE_OK)
		s = NULL;
	if ((told = tell(r, s, status, now_ms, err)) < 0)
		return told;
	rc = numbered(r, C2D_DELETE, sequence, 0, err);
	return rc < 0 ? rc : told;
}

int
registry_c2d_purge(
    struct registry *r, const char *hub, const char *device, int64_t now_ms, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err), told;

	if (rc < 0)
		return rc;
	s = registry_ready(r, FEEDBACK_OF_DEVICE);
	if (s != NULL && (registry_text(s, 4, hub) != SQLITE_OK || registry_text(s, 5, device) != SQLITE_OK))
		s = NULL;
	if ((told = tell(r, s, C2D_PURGED, now_ms, err)) < 0)
		return told;
	s = registry_keyed(r, C2D_PURGE, hub, device);
	return s == NULL || registry_done(s) < 0 ? registry_spoiled(r, err) : told;
}

/* Is there anything? That is asked often, and is no write. */
static int
due(struct registry *r, enum which w, int64_t now_ms, struct hf_error *err)
{
	sqlite3_stmt *s = registry_ready(r, w);
	int rc;

	if (s == NULL || sqlite3_bind_int64(s, 3, now_ms) != SQLITE_OK)
		return registry_broken(r, err);
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		registry_broken(r, err);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : err->code;
}

static int
over(struct registry *r, enum which w, int64_t now_ms, struct hf_error *err)
{
	sqlite3_stmt *s;
	int rc = registry_begin(r, err);

	if (rc < 0)
		return rc;
	s = registry_ready(r, w);
	if (s == NULL || sqlite3_bind_int64(s, 3, now_ms) != SQLITE_OK || registry_done(s) < 0)
		return registry_spoiled(r, err);
	return 0;
}

int
registry_c2d_expire(struct registry *r, int64_t now_ms, struct hf_error *err)
{
	int rc = due(r, FEEDBACK_DUE, now_ms, err), told;

	if (rc > 0)
		rc = over(r, FEEDBACK_EXPIRE, now_ms, err);
	if (rc < 0 || (rc = due(r, C2D_DUE, now_ms, err)) <= 0 || (rc = registry_begin(r, err)) < 0)
		return rc;
	if ((told = tell(r, registry_ready(r, FEEDBACK_OF_EXPIRED), C2D_EXPIRED, now_ms, err)) < 0)
		return told;
	rc = over(r, C2D_EXPIRE, now_ms, err);
	return rc < 0 ? rc : told;
}
