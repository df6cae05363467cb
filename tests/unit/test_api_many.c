#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_api.h"

/* The ids of a page, with blanks between them; and its continuation. */
static void
page_of(
    struct made *m, const char *target, const char *size, const char *from, char ids[1000], char next[200])
{
	static const char *const names[] = { "registrationId", "enrollmentGroupId" };
	static const char text[] = "{\"query\":\"SELECT * FROM enrollments\"}";
	const json_t *o;
	struct call c;
	size_t i;

	begin(&c, "POST", target);
	if (size)
		header(&c, "X-MS-Max-Item-Count", size);
	if (from)
		header(&c, "X-MS-Continuation", from);
	c.m.body = text;
	c.m.len = sizeof text - 1;
	ask(m, &c);
	assert_int_equal(c.r.status, 200);
	assert_true(json_is_array(c.r.body));
	ids[0] = '\0';
	json_array_foreach(c.r.body, i, o)
	{
		strcat(ids, js_str(o, names[0], js_str(o, names[1], "?")));
		strcat(ids, " ");
	}
	strcpy(next, c.r.continuation);
	if (strstr(target, "registrations"))
		assert_string_equal(c.r.item_type, "DeviceRegistration");
	else
		assert_string_equal(
		    c.r.item_type, strstr(target, "Groups") ? "EnrollmentGroup" : "Enrollment");
	end(&c);
}

static void
pages(void **state)
{
	struct made *m = *state;
	char ids[1000], next[200], after[200];

	page_of(m, "/enrollments/query" V, NULL, NULL, ids, next);
	assert_string_equal(ids, "");
	assert_string_equal(next, "");
	enroll(m, 0, "b", with_keys());
	enroll(m, 0, "A", with_keys());
	enroll(m, 0, "d", with_keys());
	enroll(m, 0, "c:x", with_keys());
	enroll(m, 1, "g", with_keys());
	page_of(m, "/enrollments/query" V, NULL, NULL, ids, next);
	assert_string_equal(ids, "A b c:x d ");
	assert_string_equal(next, "");
	page_of(m, "/enrollments/query" V, "4", NULL, ids, next);
	assert_string_equal(ids, "A b c:x d ");
	assert_string_equal(next, "");
	page_of(m, "/enrollments/query" V, "2", NULL, ids, next);
	assert_string_equal(ids, "A b ");
	assert_string_not_equal(next, "");
	/* what comes and goes in between neither shifts nor repeats the rest */
	assert_int_equal(registry_enrollment_delete(m->e.registry, 0, "b", &m->err), 1);
	enroll(m, 0, "aa", with_keys());
	enroll(m, 0, "cc", with_keys());
	strcpy(after, next);
	page_of(m, "/enrollments/query" V, "2", after, ids, next);
	assert_string_equal(ids, "c:x cc ");
	strcpy(after, next);
	page_of(m, "/Enrollments/Query" V, "2", after, ids, next);
	assert_string_equal(ids, "d ");
	assert_string_equal(next, "");
	page_of(m, "/enrollmentGroups/query" V, NULL, NULL, ids, next);
	assert_string_equal(ids, "g ");
}

static void
put_record(struct made *m, const char *id, const char *group)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "registrationId", id, "status", "assigned",
	    "attestation", "x509", "enrollmentGroupId", group);

	assert_int_equal(registry_registration_put(m->e.registry, id, o, &m->err), 0);
	json_decref(o);
}

static void
registrations_of_a_group(void **state)
{
	struct made *m = *state;
	char ids[1000], next[200], after[200];

	enroll(m, 1, "Line", with_keys());
	enroll(m, 1, "other", with_keys());
	put_record(m, "d1", "Line");
	put_record(m, "d2", "Line");
	put_record(m, "d3", "line");
	put_record(m, "d4", "other");
	put_record(m, "d5", "");
	page_of(m, "/registrations/line/query" V, NULL, NULL, ids, next);
	assert_string_equal(ids, "d1 d2 d3 ");
	page_of(m, "/registrations/line/query" V, "2", NULL, ids, next);
	assert_string_equal(ids, "d1 d2 ");
	strcpy(after, next);
	page_of(m, "/registrations/line/query" V, "2", after, ids, next);
	assert_string_equal(ids, "d3 ");
	expect(m, "POST", "/registrations/nobody/query" V, json_pack("{s:s}", "query", "*"), 404, "404201");
	/* a device that changes its group is in that one alone */
	put_record(m, "d1", "other");
	page_of(m, "/registrations/other/query" V, NULL, NULL, ids, next);
	assert_string_equal(ids, "d1 d4 ");
}

/* A page shows what a single enrollment shows: no keys, and the registration. */
static void
what_a_page_shows(void **state)
{
	struct made *m = *state;
	const json_t *o;
	struct call c;

	enroll(m, 0, "d", with_keys());
	put_record(m, "d", "");
	c = request(m, "POST", "/enrollments/query" V, json_pack("{s:s}", "query", "*"), NULL);
	o = json_array_get(c.r.body, 0);
	assert_null(js_get(js_get(o, "attestation"), "symmetricKey"));
	assert_string_equal(js_str(js_get(o, "registrationState"), "status", ""), "assigned");
	assert_null(js_get(js_get(o, "registrationState"), "attestation"));
	end(&c);
}

static void
queries(void **state)
{
	static const char *const good[] = { "*", "SELECT * FROM enrollments",
		" select  *  from\tenrollmentGroups ; ", "select * from x" },
				 *const bad[] = { "", "SELECT", "SELECT * FROM enrollments WHERE 1=1",
					 "DELETE", "**", "select * fro" };
	struct made *m = *state;
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++)
		expect(m, "POST", "/enrollments/query" V, json_pack("{s:s}", "query", good[i]), 200, NULL);
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		expect(m, "POST", "/enrollments/query" V, json_pack("{s:s}", "query", bad[i]), 400, "400004");
	expect(m, "POST", "/enrollments/query" V, json_object(), 400, "400004");
	expect(m, "POST", "/enrollments/query" V, NULL, 400, "400006");
}

static void
bad_headers(void **state)
{
	static const struct {
		const char *name, *value;
	} c[] = { { "x-ms-max-item-count", "0" }, { "x-ms-max-item-count", "many" },
		{ "x-ms-max-item-count", "-1" }, { "x-ms-continuation", "?" }, { "x-ms-continuation", "" },
		{ "x-ms-continuation", "LyAv" } };
	static const char text[] = "{\"query\":\"*\"}";
	struct made *m = *state;
	struct call call;
	size_t i;

	for (i = 0; i < sizeof c / sizeof *c; i++) {
		begin(&call, "POST", "/enrollments/query" V);
		header(&call, c[i].name, c[i].value);
		call.m.body = text;
		call.m.len = sizeof text - 1;
		ask(m, &call);
		assert_error(&call, 400, "400004", "x-ms-");
		assert_null(call.r.item_type);
		end(&call);
	}
}

static json_t *
named(const char *id, const char *etag)
{
	json_t *o = with_keys();

	json_object_set_new(o, "registrationId", json_string(id));
	if (etag)
		json_object_set_new(o, "etag", json_string(etag));
	return o;
}

/* The errors of a bulk operation as "id code id code "; "" when it was successful. */
static void
bulk(struct made *m, const char *mode, json_t *items, char errors[1000])
{
	struct call c = request(
	    m, "POST", "/enrollments/" V, json_pack("{s:s, s:o}", "mode", mode, "enrollments", items), NULL);
	const json_t *list = js_get(c.r.body, "errors"), *o;
	size_t i;

	assert_int_equal(c.r.status, 200);
	errors[0] = '\0';
	json_array_foreach(list, i, o)
	{
		assert_string_not_equal(js_str(o, "errorStatus", ""), "");
		sprintf(errors + strlen(errors), "%s %d ", js_str(o, "registrationId", "?"),
		    (int)js_int(o, "errorCode", 0));
	}
	assert_int_equal(js_bool(c.r.body, "isSuccessful", -1), errors[0] == '\0');
	end(&c);
}

static void
in_bulk(void **state)
{
	struct made *m = *state;
	char errors[1000], etag[128];
	struct call c;

	bulk(m, "create", json_pack("[o, o]", named("a", NULL), named("b", NULL)), errors);
	assert_string_equal(errors, "");
	expect(m, "GET", "/enrollments/b" V, NULL, 200, NULL);
	/* the refused ones are named, the others count */
	bulk(m, "CREATE",
	    json_pack("[o, o, o, o]", named("A", NULL), named("c", NULL), json_object(), named("x/", NULL)),
	    errors);
	assert_string_equal(errors, "A 409201  400004 x/ 400004 ");
	expect(m, "GET", "/enrollments/c" V, NULL, 200, NULL);
	bulk(m, "update", json_pack("[o, o]", named("a", "old"), named("nobody", NULL)), errors);
	assert_string_equal(errors, "nobody 404201 ");
	c = request(m, "GET", "/enrollments/a" V, NULL, NULL);
	strcpy(etag, c.r.etag);
	end(&c);
	bulk(m, "updateIfMatchEtag",
	    json_pack("[o, o, o]", named("a", etag), named("b", "old"), named("c", NULL)), errors);
	assert_string_equal(errors, "b 412000 c 400004 ");
	bulk(m, "updateIfMatchETag", json_pack("[o]", named("a", etag)), errors);
	assert_string_equal(errors, "a 412000 ");
	put_record(m, "a", "");
	bulk(m, "delete",
	    json_pack(
		"[{s:s}, {s:s}, {s:s}]", "registrationId", "a", "registrationId", "b", "registrationId", "z"),
	    errors);
	assert_string_equal(errors, "z 404201 ");
	expect(m, "GET", "/enrollments/a" V, NULL, 404, "404201");
	expect(m, "GET", "/registrations/a" V, NULL, 404, "404201");
	expect(m, "GET", "/enrollments/c" V, NULL, 200, NULL);
}

static void
groups_in_bulk(void **state)
{
	struct made *m = *state;
	json_t *g = with_keys();
	struct call c;

	json_object_set_new(g, "enrollmentGroupId", json_string("g"));
	c = request(m, "POST", "/enrollmentGroups" V,
	    json_pack("{s:s, s:[O, O]}", "mode", "create", "enrollmentGroups", g, g), NULL);
	assert_int_equal(c.r.status, 200);
	assert_false(js_bool(c.r.body, "isSuccessful", -1));
	assert_string_equal(
	    js_str(json_array_get(js_get(c.r.body, "errors"), 0), "enrollmentGroupId", ""), "g");
	end(&c);
	expect(m, "GET", "/enrollmentGroups/g" V, NULL, 200, NULL);
	json_decref(g);
}

static void
bulk_limits(void **state)
{
	struct made *m = *state;
	json_t *many = json_array();
	char id[16];
	int i;

	for (i = 0; i < 11; i++) {
		snprintf(id, sizeof id, "d%d", i);
		json_array_append_new(many, named(id, NULL));
	}
	expect(m, "POST", "/enrollments" V, json_pack("{s:s, s:O}", "mode", "create", "enrollments", many),
	    400, "400004");
	expect(m, "GET", "/enrollments/d0" V, NULL, 404, "404201");
	json_array_remove(many, 10);
	expect(m, "POST", "/enrollments" V, json_pack("{s:s, s:O}", "mode", "create", "enrollments", many),
	    200, NULL);
	expect(m, "POST", "/enrollments" V, json_pack("{s:s, s:O}", "mode", "upsert", "enrollments", many),
	    400, "400004");
	expect(m, "POST", "/enrollments" V, json_pack("{s:O}", "enrollments", many), 400, "400004");
	expect(m, "POST", "/enrollments" V, json_pack("{s:s, s:[]}", "mode", "create", "enrollments"), 400,
	    "400004");
	expect(m, "POST", "/enrollments" V, json_pack("{s:s}", "mode", "create"), 400, "400004");
	expect(m, "POST", "/enrollments" V, json_pack("{s:s, s:[i]}", "mode", "create", "enrollments", 1),
	    200, NULL);
	expect(m, "POST", "/enrollments" V, NULL, 400, "400006");
	json_decref(many);
}

static void
broken_bulk(void **state)
{
	struct made *m = *state;

	registry_operation_put(m->e.registry, NULL, 0, json_null(), &m->err);
	expect(m, "POST", "/enrollments" V,
	    json_pack("{s:s, s:[o]}", "mode", "create", "enrollments", named("a", NULL)), 500, "500001");
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(pages),
		MADE(registrations_of_a_group),
		MADE(what_a_page_shows),
		MADE(queries),
		MADE(bad_headers),
		MADE(in_bulk),
		MADE(groups_in_bulk),
		MADE(bulk_limits),
		MADE(broken_bulk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
