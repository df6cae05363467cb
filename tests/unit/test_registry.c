#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include "base/str.h"
#include "emulator.h"

struct place {
	char dir[64], path[96];
	struct registry *r;
	struct hf_error err;
};

static int
open_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	strcpy(p->dir, "/tmp/registry-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof p->path, "%s/registry.db", p->dir);
	assert_int_equal(registry_open(&p->r, p->path, &p->err), 0);
	*state = p;
	return 0;
}

static int
close_place(void **state)
{
	static const char *const tail[] = { "", "-wal", "-shm" };
	struct place *p = *state;
	char name[128];
	size_t i;

	registry_close(p->r);
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s%s", p->path, tail[i]);
		unlink(name);
	}
	rmdir(p->dir);
	free(p);
	return 0;
}

static void
again(struct place *p)
{
	registry_close(p->r);
	p->r = NULL;
	assert_int_equal(registry_open(&p->r, p->path, &p->err), 0);
}

static void
put_enrollment(struct place *p, int group, const char *id, const char *note)
{
	json_t *o = json_pack("{s:s}", "note", note);

	assert_int_equal(registry_enrollment_put(p->r, group, id, o, &p->err), 0);
	json_decref(o);
}

static void
assert_note(struct place *p, int group, const char *id, const char *note)
{
	json_t *o = NULL;

	assert_int_equal(registry_enrollment(p->r, group, id, &o, &p->err), note != NULL);
	if (note)
		assert_string_equal(json_string_value(json_object_get(o, "note")), note);
	else
		assert_null(o);
	json_decref(o);
}

static int
count_id(void *ctx, const char *id, const json_t *o)
{
	strcat(ctx, id);
	assert_true(json_is_object(o));
	return strcmp(id, "stop") == 0;
}

static void
enrollments(void **state)
{
	struct place *p = *state;
	int64_t version = registry_version(p->r);
	char ids[64] = "";

	assert_note(p, 0, "dev", NULL);
	put_enrollment(p, 0, "Dev", "a");
	assert_true(registry_version(p->r) != version);
	assert_note(p, 0, "dEV", "a");
	assert_note(p, 1, "dev", NULL);
	put_enrollment(p, 1, "dev", "group");
	put_enrollment(p, 0, "DEV", "b");
	assert_note(p, 0, "dev", "b");
	assert_note(p, 1, "DEV", "group");
	put_enrollment(p, 0, "stop", "");
	put_enrollment(p, 0, "z", "");
	assert_int_equal(registry_enrollment_each(p->r, 0, count_id, ids, &p->err), 0);
	assert_string_equal(ids, "DEVstop");
	assert_int_equal(registry_enrollment_delete(p->r, 0, "dev", &p->err), 1);
	assert_int_equal(registry_enrollment_delete(p->r, 0, "dev", &p->err), 0);
	assert_note(p, 1, "dev", "group");
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	again(p);
	assert_note(p, 1, "dev", "group");
	assert_note(p, 0, "dev", NULL);
}

static void
registrations_and_operations(void **state)
{
	struct place *p = *state;
	json_t *o = json_pack("{s:i}", "n", 1), *got;

	assert_int_equal(registry_registration_put(p->r, "A", o, &p->err), 0);
	assert_int_equal(registry_registration(p->r, "a", &got, &p->err), 1);
	assert_true(json_equal(o, got));
	json_decref(got);
	assert_int_equal(registry_registration_delete(p->r, "a", &p->err), 1);
	assert_int_equal(registry_registration(p->r, "a", &got, &p->err), 0);
	assert_int_equal(registry_operation_put(p->r, "4.x", 100, o, &p->err), 0);
	assert_int_equal(registry_operation_put(p->r, "4.y", 101, o, &p->err), 0);
	assert_int_equal(registry_operation(p->r, "4.X", &got, &p->err), 0);
	assert_int_equal(registry_operation(p->r, "4.x", &got, &p->err), 1);
	json_decref(got);
	assert_int_equal(registry_expire(p->r, 100, &p->err), 0);
	assert_int_equal(registry_operation(p->r, "4.x", &got, &p->err), 0);
	assert_int_equal(registry_operation(p->r, "4.y", &got, &p->err), 1);
	json_decref(got);
	json_decref(o);
	assert_int_equal(registry_commit(p->r, &p->err), 0);
}

static int
list_ids(void *ctx, const char *id, const json_t *o)
{
	(void)o;
	strcat(ctx, id);
	return strlen(ctx) >= 4;
}

static void
pages(void **state)
{
	static const char *const id[] = { "c", "a", "B", "d" };
	struct place *p = *state;
	json_t *mine = json_pack("{s:s}", "enrollmentGroupId", "G"), *none = json_object();
	char all[64] = "", group[64] = "", few[64] = "";
	int i;

	for (i = 0; i < 4; i++) {
		registry_enrollment_put(p->r, 0, id[i], none, &p->err);
		registry_registration_put(p->r, id[i], i % 2 ? mine : none, &p->err);
	}
	registry_enrollment_put(p->r, 1, "x", none, &p->err);
	assert_int_equal(registry_enrollment_page(p->r, 0, "", 10, list_ids, all, &p->err), 0);
	assert_string_equal(all, "aBcd");
	assert_int_equal(registry_enrollment_page(p->r, 0, "A", 2, list_ids, few, &p->err), 0);
	assert_string_equal(few, "Bc");
	assert_int_equal(registry_registration_page(p->r, "g", "", 10, list_ids, group, &p->err), 0);
	assert_string_equal(group, "ad");
	group[0] = '\0';
	assert_int_equal(registry_registration_page(p->r, "", "B", 10, list_ids, group, &p->err), 0);
	assert_string_equal(group, "c");
	assert_int_equal(p->err.code, 0);
	json_decref(mine);
	json_decref(none);
}

/* A registry of the first version, as it was made then. */
static void
from_version_1(void **state)
{
	struct place *p = *state;
	char group[64] = "";
	sqlite3 *db;

	registry_close(p->r);
	p->r = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db,
		"DROP TABLE registration; CREATE TABLE registration (id TEXT COLLATE NOCASE PRIMARY KEY, json TEXT NOT NULL)"
		" WITHOUT ROWID; INSERT INTO registration VALUES ('a', '{\"enrollmentGroupId\":\"G\"}'), ('b', '{}');"
		"DROP TABLE c2d; DROP TABLE feedback; PRAGMA user_version = 1",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	again(p);
	assert_int_equal(registry_registration_page(p->r, "g", "", 10, list_ids, group, &p->err), 0);
	assert_int_equal(registry_registration_page(p->r, "", "", 10, list_ids, group, &p->err), 0);
	assert_string_equal(group, "ab");
	assert_int_equal(registry_c2d_count(p->r, "h", "d", &p->err), 0);
	again(p);
}

/* Messages to a device: in order, under a lock or free, until their time is over. */
static void
messages_to_a_device(void **state)
{
	struct hub_c2d put = { .message = { .body = "one", .len = 3 }, .ack = "full", .enqueued_ms = 5 }, got;
	struct place *p = *state;
	struct buf body = { 0 };
	int64_t at, first;

	assert_int_equal(str_set(&put.message.message_id, "m1"), 0);
	assert_int_equal(hub_event_add(&put.message, "k", "v"), 0);
	assert_int_equal(hub_event_add(&put.message, "k", "w"), 0);
	assert_int_equal(registry_c2d_put(p->r, "Hub", "d", &put, 100, &p->err), 0);
	put.message.body = "two";
	assert_int_equal(registry_c2d_put(p->r, "hub", "d", &put, 200, &p->err), 0);
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	again(p);
	assert_int_equal(registry_c2d_count(p->r, "hub", "d", &p->err), 2);
	assert_int_equal(registry_c2d_count(p->r, "hub", "D", &p->err), 0);
	assert_int_equal(registry_c2d_find(p->r, "hub", "d", NULL, 10, &got, &body, &p->err), 1);
	assert_memory_equal(got.message.body, "one", 3);
	assert_string_equal(got.message.message_id, "m1");
	assert_string_equal(got.ack, "full");
	assert_int_equal(got.message.property_count, 2);
	assert_string_equal(got.message.property[1].value, "w");
	assert_int_equal(got.enqueued_ms, 5);
	assert_int_equal(got.deliveries, 0);
	first = got.sequence;
	hub_c2d_fini(&got);
	buf_clear(&body);
	assert_int_equal(registry_c2d_lock(p->r, first, "L", 60, &p->err), 0);
	assert_int_equal(registry_c2d_next(p->r, "hub", "d", 10, &at, &p->err), 0);
	assert_int_equal(at, 60);
	assert_int_equal(registry_c2d_find(p->r, "hub", "d", NULL, 10, &got, &body, &p->err), 1);
	assert_memory_equal(got.message.body, "two", 3);
	hub_c2d_fini(&got);
	buf_clear(&body);
	assert_int_equal(registry_c2d_find(p->r, "hub", "d", "L", 60, &got, &body, &p->err), 0);
	assert_int_equal(registry_c2d_find(p->r, "hub", "d", "L", 59, &got, &body, &p->err), 1);
	hub_c2d_fini(&got);
	assert_int_equal(registry_c2d_back(p->r, first, 1, &p->err), 0);
	buf_clear(&body);
	assert_int_equal(registry_c2d_find(p->r, "hub", "d", NULL, 10, &got, &body, &p->err), 1);
	assert_int_equal(got.sequence, first);
	assert_int_equal(got.deliveries, 1);
	hub_c2d_fini(&got);
	buf_clear(&body);
	assert_int_equal(registry_c2d_find(p->r, "hub", "d", NULL, 100, &got, &body, &p->err), 1);
	assert_memory_equal(got.message.body, "two", 3);
	hub_c2d_fini(&got);
	assert_int_equal(registry_c2d_expire(p->r, 100, &p->err), 1);
	assert_int_equal(registry_c2d_count(p->r, "hub", "d", &p->err), 1);
	assert_int_equal(registry_device_delete(p->r, "hub", "d", &p->err), 0);
	assert_int_equal(registry_c2d_count(p->r, "hub", "d", &p->err), 0);
	assert_int_equal(registry_c2d_next(p->r, "hub", "d", 10, &at, &p->err), 0);
	assert_int_equal(at, NEVER);
	hub_c2d_fini(&put);
	buf_free(&body);
}

/* One of the second version, which knew no messages to devices. */
static void
from_version_2(void **state)
{
	struct place *p = *state;
	sqlite3 *db;

	registry_close(p->r);
	p->r = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE c2d; DROP TABLE feedback; PRAGMA user_version = 2",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	again(p);
	assert_int_equal(registry_c2d_count(p->r, "h", "d", &p->err), 0);
	again(p);
}

/* A message to device d that asks for feedback; its number. */
static int64_t
put_asking(struct place *p, const char *id, const char *ack, int64_t until)
{
	struct hub_c2d put = { .message = { .body = "x", .len = 1 } }, got;
	struct buf body = { 0 };
	int64_t sequence;

	strcpy(put.ack, ack);
	assert_int_equal(str_set(&put.message.message_id, id), 0);
	assert_int_equal(registry_c2d_put(p->r, "hub", "d", &put, until, &p->err), 0);
	hub_c2d_fini(&put);
	assert_int_equal(registry_c2d_find(p->r, "hub", "d", NULL, 1, &got, &body, &p->err), 1);
	sequence = got.sequence;
	hub_c2d_fini(&got);
	buf_free(&body);
	return sequence;
}

/* Takes all there is at this time; "m1 Success m2 Rejected ". */
static const char *
told(struct place *p, const char *lock, int64_t now, int most)
{
	static char all[400];
	json_t *list, *o;
	size_t i;

	all[0] = '\0';
	if (registry_feedback_take(p->r, "HUB", lock, now, now + 60, most, &list, &p->err) == 0)
		return all;
	json_array_foreach(list, i, o)
	{
		strcat(strcat(all, json_string_value(json_object_get(o, "originalMessageId"))), " ");
		strcat(strcat(all, json_string_value(json_object_get(o, "statusCode"))), " ");
	}
	json_decref(list);
	return all;
}

/* Who asks for it is told how a message has ended, in order, under a lock, for an hour. */
static void
feedback(void **state)
{
	static const char *const ack[] = { "", "none", "positive", "negative", "full" };
	static const int on_success[] = { 0, 0, 1, 0, 1 }, on_rejection[] = { 0, 0, 0, 1, 1 };
	json_t *device = json_pack("{s:s}", "generationId", "g7"), *list;
	struct place *p = *state;
	int64_t at;

	assert_int_equal(registry_device_put(p->r, "hub", "d", device, &p->err), 0);
	json_decref(device);
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    registry_c2d_end(p->r, put_asking(p, "s", ack[i], 900), C2D_SUCCESS, 10, &p->err),
		    on_success[i]);
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    registry_c2d_end(p->r, put_asking(p, "r", ack[i], 900), C2D_REJECTED, 10, &p->err),
		    on_rejection[i]);
	assert_int_equal(registry_c2d_count(p->r, "hub", "d", &p->err), 0);
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	again(p);
	assert_string_equal(told(p, "A", 20, 3), "s Success s Success r Rejected ");
	assert_string_equal(told(p, "B", 20, 3), "r Rejected ");
	assert_string_equal(told(p, "C", 20, 3), "");
	assert_int_equal(registry_feedback_next(p->r, "hub", 20, &at, &p->err), 0);
	assert_int_equal(at, 80);
	assert_int_equal(registry_feedback_done(p->r, "hub", "A", 80, &p->err), 0); /* too late */
	assert_int_equal(registry_feedback_done(p->r, "hub", "B", 79, &p->err), 0);
	assert_int_equal(registry_feedback_take(p->r, "hub", "D", 80, 140, 9, &list, &p->err), 1);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(list, 0), "deviceGenerationId")), "g7");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "deviceId")), "d");
	json_decref(list);
	assert_int_equal(registry_feedback_back(p->r, "hub", "D", 90, 0, 2, &p->err), 0);
	assert_string_not_equal(told(p, "E", 90, 9), "");
	assert_int_equal(registry_feedback_back(p->r, "hub", "E", 90, 1, 2, &p->err), 0);
	assert_string_not_equal(told(p, "F", 90, 9), "");
	assert_int_equal(registry_feedback_back(p->r, "hub", "F", 90, 1, 2, &p->err), 0);
	assert_string_equal(told(p, "G", 90, 9), ""); /* the second time was the last */
	assert_int_equal(registry_feedback_next(p->r, "hub", 20, &at, &p->err), 0);
	assert_int_equal(at, NEVER);
}

static void
feedback_of_many(void **state)
{
	struct place *p = *state;
	int64_t locked = put_asking(p, "locked", "negative", 100);

	assert_int_equal(registry_c2d_lock(p->r, locked, "L", 500, &p->err), 0);
	(void)put_asking(p, "old", "negative", 100);
	(void)put_asking(p, "young", "full", 9000000);
	assert_int_equal(registry_c2d_expire(p->r, 99, &p->err), 0);
	assert_int_equal(registry_c2d_expire(p->r, 100, &p->err), 1);
	assert_string_equal(told(p, "A", 200, 9), "old Expired ");
	assert_int_equal(registry_c2d_expire(p->r, 500, &p->err), 1);
	assert_string_equal(told(p, "B", 500, 9), "old Expired locked Expired ");
	assert_int_equal(registry_c2d_purge(p->r, "hub", "e", 600, &p->err), 0);
	assert_int_equal(registry_c2d_purge(p->r, "hub", "d", 3600400, &p->err), 1);
	assert_int_equal(registry_c2d_count(p->r, "hub", "d", &p->err), 0);
	assert_string_equal(told(p, "C", 3600100, 9), "locked Expired young Purged ");
	assert_int_equal(registry_c2d_expire(p->r, 3600500, &p->err), 0);
	assert_string_equal(told(p, "D", 3600500, 9), "young Purged ");
}

/* One of the third, which told nobody. Its messages tell from then on. */
static void
from_version_3(void **state)
{
	struct place *p = *state;
	int64_t sequence = put_asking(p, "m", "full", 900);
	sqlite3 *db;

	assert_int_equal(registry_commit(p->r, &p->err), 0);
	registry_close(p->r);
	p->r = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(
		db, "DROP TABLE feedback; DROP INDEX c2d_by_end; PRAGMA user_version = 3", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	again(p);
	assert_int_equal(registry_c2d_end(p->r, sequence, C2D_SUCCESS, 10, &p->err), 1);
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	again(p);
	assert_string_equal(told(p, "A", 20, 9), "m Success ");
}

static void
challenges(void **state)
{
	struct place *p = *state;
	struct challenge c = { { 1 }, { 2 }, 500, 0 }, got;

	assert_int_equal(registry_challenge(p->r, "dev", &got, &p->err), 0);
	assert_int_equal(registry_challenge_put(p->r, "Dev", &c, &p->err), 0);
	assert_int_equal(registry_challenge(p->r, "dev", &got, &p->err), 1);
	assert_memory_equal(&got, &c, offsetof(struct challenge, spent));
	assert_int_equal(got.spent, c.spent);
	c.key[0] = 3;
	c.spent = 1;
	assert_int_equal(registry_challenge_put(p->r, "dev", &c, &p->err), 0);
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	again(p);
	assert_int_equal(registry_challenge(p->r, "dev", &got, &p->err), 1);
	assert_memory_equal(&got, &c, offsetof(struct challenge, spent));
	assert_int_equal(got.spent, c.spent);
	assert_int_equal(registry_expire(p->r, 500, &p->err), 0);
	assert_int_equal(registry_challenge(p->r, "dev", &got, &p->err), 0);
}

static int
count_hub(void *ctx, const char *hub, const json_t *o)
{
	strcat(ctx, hub);
	strcat(ctx, json_string_value(json_object_get(o, "deviceId")));
	return 0;
}

static void
devices(void **state)
{
	struct place *p = *state;
	json_t *o = json_pack("{s:s}", "deviceId", "d"), *got;
	char all[64] = "", one[64] = "";
	int64_t version;

	assert_int_equal(registry_device_put(p->r, "hub1", "d", o, &p->err), 0);
	assert_int_equal(registry_device_put(p->r, "hub2", "d", o, &p->err), 0);
	assert_int_equal(registry_device(p->r, "HUB1", "d", &got, &p->err), 1);
	json_decref(got);
	assert_int_equal(registry_device(p->r, "hub1", "D", &got, &p->err), 0);
	assert_int_equal(registry_device_each(p->r, NULL, count_hub, all, &p->err), 0);
	assert_string_equal(all, "hub1dhub2d");
	assert_int_equal(registry_device_each(p->r, "Hub2", count_hub, one, &p->err), 0);
	assert_string_equal(one, "hub2d");
	version = registry_version(p->r);
	assert_int_equal(registry_device_delete(p->r, "hub1", "d", &p->err), 1);
	assert_true(registry_version(p->r) != version);
	json_decref(o);
}

static void
filters(void **state)
{
	struct place *p = *state;
	json_t *a = json_pack("[s,s]", "devices/d/#", "x"), *got;

	assert_int_equal(registry_filters(p->r, "h", "d", &got, &p->err), 0);
	assert_int_equal(registry_filters_put(p->r, "h", "d", a, &p->err), 0);
	assert_int_equal(registry_filters(p->r, "H", "d", &got, &p->err), 1);
	assert_true(json_equal(a, got));
	json_decref(got);
	assert_int_equal(registry_filters_put(p->r, "h", "d", NULL, &p->err), 0);
	assert_int_equal(registry_filters_put(p->r, "h", "d", NULL, &p->err), 0);
	assert_int_equal(registry_filters(p->r, "h", "d", &got, &p->err), 0);
	json_decref(a);
}

static int
put_event(struct place *p, const char *device, const void *body, size_t n)
{
	json_t *props = json_pack("{s:s}", "color", "blue"), *sys = json_pack("{s:s}", "message-id", "m1");
	struct registry_event ev = { .hub = "h",
		.device = device,
		.auth = "{\"type\":\"sas\"}",
		.generation = "7",
		.body = body,
		.len = n,
		.properties = props,
		.system = sys,
		.enqueued_ms = 1700000000000 };
	int r = registry_event_put(p->r, &ev, &p->err);

	json_decref(props);
	json_decref(sys);
	return r;
}

struct seen {
	int n, stop;
	int64_t last;
	char text[2000];
};

static int
see(void *ctx, int64_t sequence, const json_t *o)
{
	struct seen *s = ctx;
	char *line = json_dumps(o, JSON_COMPACT);

	s->last = sequence;
	assert_int_equal(json_integer_value(json_object_get(o, "sequence")), sequence);
	snprintf(s->text, sizeof s->text, "%s", line);
	free(line);
	return ++s->n == s->stop;
}

static void
events(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 }, t = { .stop = 1 }, u = { 0 };

	assert_int_equal(put_event(p, "a", "{\"t\":1}", 7), 0);
	assert_int_equal(put_event(p, "b", "\xff\x00", 2), 0);
	assert_int_equal(put_event(p, "a", NULL, 0), 0);
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	assert_int_equal(registry_event_each(p->r, 0, NULL, see, &s, &p->err), 0);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.text,
	    "{\"sequence\":3,\"hub\":\"h\",\"deviceId\":\"a\",\"generationId\":\"7\","
	    "\"enqueuedTime\":\"2023-11-14T22:13:20.0000000Z\",\"body\":\"\","
	    "\"properties\":{\"color\":\"blue\"},\"systemProperties\":{\"message-id\":\"m1\"},"
	    "\"authMethod\":{\"type\":\"sas\"}}");
	assert_int_equal(registry_event_each(p->r, 1, NULL, see, &t, &p->err), 0);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.last, 2);
	assert_non_null(strstr(t.text, "\"bodyBase64\":\"/wA=\""));
	assert_int_equal(registry_event_each(p->r, 1, "a", see, &u, &p->err), 0);
	assert_int_equal(u.n, 1);
	assert_int_equal(u.last, 3);
}

static void
files_are_private(void **state)
{
	struct place *p = *state;
	char wal[128];
	struct stat st;

	put_enrollment(p, 0, "a", "b");
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof wal, "%s-wal", p->path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
an_uncommitted_turn_is_lost_and_no_other(void **state)
{
	struct place *p = *state;
	struct registry *r;
	struct hf_error err = { 0 };
	struct place child;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		child = *p;
		if (registry_open(&r, p->path, &err) < 0)
			_exit(1);
		child.r = r;
		put_enrollment(&child, 0, "kept", "1");
		if (registry_commit(r, &err) < 0)
			_exit(2);
		put_enrollment(&child, 0, "lost", "1");
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_note(p, 0, "kept", "1");
	assert_note(p, 0, "lost", NULL);
}

/* A disk that is full: nothing of the turn is left, the sentence says why, and the next turn works again. */
static void
full_disk(void **state)
{
	struct place *p = *state;
	struct rlimit old, tight;
	char *big = malloc(300000);
	struct seen s = { 0 };

	put_enrollment(p, 0, "before", "1");
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	memset(big, 'x', 300000);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 200000;
	setrlimit(RLIMIT_FSIZE, &tight);
	put_enrollment(p, 0, "same turn", "1");
	put_event(p, "d", big, 300000);
	err_clear(&p->err);
	assert_int_equal(registry_commit(p->r, &p->err), HF_ERR_IO);
	assert_non_null(strstr(p->err.text, p->path));
	setrlimit(RLIMIT_FSIZE, &old);
	err_clear(&p->err);
	assert_note(p, 0, "same turn", NULL);
	assert_note(p, 0, "before", "1");
	put_enrollment(p, 0, "after", "1");
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	assert_note(p, 0, "after", "1");
	assert_int_equal(registry_event_each(p->r, 0, NULL, see, &s, &p->err), 0);
	assert_int_equal(s.n, 0);
	free(big);
}

static void
a_write_that_fails_spoils_its_turn(void **state)
{
	struct place *p = *state;
	json_t *o = json_pack("{}");
	sqlite3 *other;

	put_enrollment(p, 0, "a", "1");
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	assert_int_equal(sqlite3_open(p->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "DROP TABLE registration", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	put_enrollment(p, 0, "b", "1");
	assert_int_equal(registry_registration_put(p->r, "x", o, &p->err), HF_ERR_IO);
	assert_non_null(strstr(p->err.text, "no such table"));
	err_clear(&p->err);
	assert_int_equal(registry_enrollment_put(p->r, 0, "c", o, &p->err), HF_ERR_IO);
	err_clear(&p->err);
	assert_int_equal(registry_commit(p->r, &p->err), HF_ERR_IO);
	err_clear(&p->err);
	assert_note(p, 0, "a", "1");
	assert_note(p, 0, "b", NULL);
	assert_note(p, 0, "c", NULL);
	assert_int_equal(registry_commit(p->r, &p->err), 0);
	json_decref(o);
}

static void
what_cannot_be_opened(void **state)
{
	struct place *p = *state;
	struct hf_error err = { 0 };
	struct registry *r;
	sqlite3 *other;

	assert_int_equal(registry_open(&r, "/nowhere/registry.db", &err), HF_ERR_IO);
	assert_null(r);
	assert_non_null(strstr(err.text, "/nowhere/registry.db"));
	registry_close(p->r);
	p->r = NULL;
	assert_int_equal(sqlite3_open(p->path, &other), SQLITE_OK);
	sqlite3_exec(other, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(other);
	err_clear(&err);
	assert_int_equal(registry_open(&r, p->path, &err), HF_ERR_STATE);
	assert_non_null(strstr(err.text, "newer"));
	assert_int_equal(truncate(p->path, 0), 0);
	{
		FILE *f = fopen(p->path, "w");
		int i;

		for (i = 0; i < 2000; i++)
			fputs("not a database ", f);
		fclose(f);
	}
	err_clear(&err);
	assert_int_equal(registry_open(&r, p->path, &err), HF_ERR_IO);
	assert_null(r);
	registry_close(NULL);
}

int
main(void)
{
#define PLACE(f) cmocka_unit_test_setup_teardown(f, open_place, close_place)
	const struct CMUnitTest tests[] = {
		PLACE(enrollments),
		PLACE(registrations_and_operations),
		PLACE(pages),
		PLACE(from_version_1),
		PLACE(from_version_2),
		PLACE(from_version_3),
		PLACE(messages_to_a_device),
		PLACE(feedback),
		PLACE(feedback_of_many),
		PLACE(challenges),
		PLACE(devices),
		PLACE(filters),
		PLACE(events),
		PLACE(files_are_private),
		PLACE(an_uncommitted_turn_is_lost_and_no_other),
		PLACE(full_disk),
		PLACE(a_write_that_fails_spoils_its_turn),
		PLACE(what_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
