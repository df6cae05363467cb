#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "msg/dps.h"

#define OPERATION "4.0123456789abcdef.11111111-2222-3333-4444-555555555555"
#define QUERY	  "?api-version=2021-06-01"

/* Hands what one end says to the other, `step` bytes at a time, and takes the message. */
static void
carry(struct http *from, struct http *to, size_t step, struct http_event *ev)
{
	struct buf *out = &from->engine.out;
	size_t n;
	int rc = 0;

	while (rc == 0 && buf_size(out) > 0) {
		n = buf_size(out) < step ? buf_size(out) : step;
		assert_int_equal(to->engine.ops->in(&to->engine, buf_data(out), n), n);
		buf_eat(out, n);
		rc = http_next(to, ev);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(ev->what, HTTP_MESSAGE);
	assert_int_equal(buf_size(out), 0);
}

struct line {
	struct http device, server;
};

static int
setup(void **state)
{
	struct line *l = calloc(1, sizeof(*l));

	*state = l;
	return l == NULL || http_init(&l->device, 0, 65536) < 0 || http_init(&l->server, 1, 65536) < 0 ? -1
												       : 0;
}

static int
teardown(void **state)
{
	struct line *l = *state;

	http_fini(&l->device);
	http_fini(&l->server);
	free(l);
	return 0;
}

static void
converses(void **state)
{
	struct line *l = *state;
	struct dps_who w = { .scope = "0ne1", .id = "dev:1" }, who;
	struct dps_request q = { .op = DPS_REGISTER }, request;
	struct dps_reply r = { .status = 202,
		.retry_after = 3,
		.operation = OPERATION,
		.state = "assigning",
		.tracking = "t-1" };
	struct dps_reply reply;
	struct hf_error e = { 0 };
	struct http_event ev;
	char token[] = "SharedAccessSignature sr=x";

	assert_int_equal(dps_http_put_request(&l->device, &w, &q, "dps.example"), 0);
	carry(&l->device, &l->server, 1, &ev);
	assert_string_equal(ev.message.method, "PUT");
	assert_string_equal(ev.message.target, "/0ne1/registrations/dev%3A1/register?api-version=" DPS_API);
	assert_string_equal(http_header(&ev.message, "host"), "dps.example");
	assert_string_equal(http_header(&ev.message, "accept"), "application/json");
	assert_string_equal(http_header(&ev.message, "content-type"), "application/json; charset=utf-8");
	assert_null(http_header(&ev.message, "authorization"));
	assert_int_equal(dps_http_get_request(&ev.message, &who, &request, &e), 0);
	assert_string_equal(who.scope, "0ne1");
	assert_string_equal(who.id, "dev:1");
	assert_string_equal(who.api, DPS_API);
	assert_null(who.token);
	assert_int_equal(request.op, DPS_REGISTER);
	assert_string_equal(request.id, "dev:1");
	dps_request_fini(&request);
	dps_who_fini(&who);

	assert_int_equal(dps_http_put_reply(&l->server, &r), 0);
	carry(&l->server, &l->device, 1, &ev);
	assert_int_equal(ev.message.status, 202);
	assert_string_equal(http_header(&ev.message, "retry-after"), "3");
	assert_string_equal(http_header(&ev.message, "x-ms-request-id"), "t-1");
	assert_string_equal(http_header(&ev.message, "content-type"), "application/json; charset=utf-8");
	assert_null(http_header(&ev.message, "x-ms-error-code"));
	assert_int_equal(dps_http_get_reply(&ev.message, &reply, &e), 0);
	assert_int_equal(reply.status, 202);
	assert_int_equal(reply.retry_after, 3);
	assert_string_equal(reply.operation, OPERATION);
	dps_reply_fini(&reply);

	q.op = DPS_POLL;
	strcpy(q.operation, OPERATION);
	w.token = token;
	strcpy(w.api, "2019-03-31");
	assert_int_equal(dps_http_put_request(&l->device, &w, &q, "dps.example"), 0);
	carry(&l->device, &l->server, 7, &ev);
	assert_string_equal(ev.message.method, "GET");
	assert_string_equal(
	    ev.message.target, "/0ne1/registrations/dev%3A1/operations/" OPERATION "?api-version=2019-03-31");
	assert_int_equal(ev.message.len, 0);
	assert_int_equal(dps_http_get_request(&ev.message, &who, &request, &e), 0);
	assert_int_equal(request.op, DPS_POLL);
	assert_string_equal(request.operation, OPERATION);
	assert_string_equal(who.token, token);
	dps_who_fini(&who);

	r = (struct dps_reply){ .status = 401, .code = 401002, .message = "Unauthorized", .tracking = "t-2" };
	assert_int_equal(dps_http_put_reply(&l->server, &r), 0);
	carry(&l->server, &l->device, 7, &ev);
	assert_string_equal(http_header(&ev.message, "x-ms-error-code"), "401002");
	assert_int_equal(dps_http_get_reply(&ev.message, &reply, &e), 0);
	assert_int_equal(reply.code, 401002);
	assert_string_equal(reply.tracking, "t-2");

	q.op = DPS_LOOKUP;
	assert_int_equal(dps_http_put_request(&l->device, &w, &q, "dps.example"), 0);
	carry(&l->device, &l->server, 3, &ev);
	assert_string_equal(ev.message.method, "POST");
	assert_string_equal(ev.message.target, "/0ne1/registrations/dev%3A1?api-version=2019-03-31");
	assert_int_equal(dps_http_get_request(&ev.message, &who, &request, &e), 0);
	assert_int_equal(request.op, DPS_LOOKUP);
	dps_request_fini(&request);
	dps_who_fini(&who);
}

/* A token that would break the line is no header. */
static void
says_no_broken_line(void **state)
{
	struct line *l = *state;
	char token[] = "x\r\nevil: 1";
	struct dps_who w = { .scope = "0ne1", .id = "d", .token = token };
	struct dps_request q = { .op = DPS_REGISTER };

	assert_int_equal(dps_http_put_request(&l->device, &w, &q, "h"), HF_ERR_ARGS);
	assert_int_equal(buf_size(&l->device.engine.out), 0);
}

static int
hear(const char *method, const char *target, const char *body, struct dps_who *w, struct dps_request *q)
{
	struct http_message m = { .method = method, .target = target, .body = body, .len = strlen(body) };
	struct hf_error e = { 0 };
	char *copy = strdup(target);
	int rc;

	m.target = copy;
	rc = dps_http_get_request(&m, w, q, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	return rc;
}

static void
hears_requests(void **state)
{
	static const struct {
		const char *method, *target, *body;
		enum dps_op op;
	} row[] = {
		{ "PUT", "/0ne1/registrations/d/register" QUERY "&forceRegistration=true",
		    "{\"registrationId\":\"d\"}", DPS_REGISTER },
		{ "PUT", "/0ne1/Registrations/d/Register/" QUERY, "", DPS_REGISTER },
		{ "GET", "/0ne1/registrations/d/operations/4.1" QUERY, "{}", DPS_POLL },
		{ "POST", "/0ne1/registrations/%64?x=1&api-version=2025-07-01-preview", "{}", DPS_LOOKUP },
	};
	struct dps_request q;
	struct dps_who w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(dps_http_is(row[i].target), 1);
		assert_int_equal(hear(row[i].method, row[i].target, row[i].body, &w, &q), 0);
		assert_int_equal(q.op, row[i].op);
		assert_string_equal(w.scope, "0ne1");
		assert_string_equal(w.id, "d");
		dps_request_fini(&q);
	}
}

static void
refuses_requests(void **state)
{
	static const struct {
		const char *method, *target;
	} row[] = {
		{ "POST", "/0ne1/registrations/d/register" QUERY },
		{ "PUT", "/0ne1/registrations/d" QUERY },
		{ "GET", "/0ne1/registrations/d/operations" QUERY },
		{ "GET", "/0ne1/registrations/d/operations/" QUERY },
		{ "GET", "/0ne1/registrations/d/operations/a/b" QUERY },
		{ "GET", "/0ne1/registrations/d/operations/%2" QUERY },
		{ "PUT", "/0ne1/registrations/d%00/register" QUERY },
		{ "PUT", "//registrations/d/register" QUERY },
		{ "PUT", "/0ne1/registrations//register" QUERY },
		{ "PUT", "/0ne1/registrations/d/register" },
		{ "PUT", "/0ne1/registrations/d/register?api-version=" },
		{ "PUT", "/0ne1/registrations/d/register?api-version=latest" },
		{ "PUT", "" },
		{ "OPTIONS", "*" },
	};
	static const char whole[] = "/0ne1/registrations/d/operations/4.1?api-version=2021-06-01";
	char target[sizeof(whole)];
	struct dps_request q;
	struct dps_who w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_int_equal(hear(row[i].method, row[i].target, "", &w, &q), HF_ERR_PROTOCOL);
	for (i = 0; i < strlen(whole); i++) {
		memcpy(target, whole, i);
		target[i] = '\0';
		assert_int_equal(hear("GET", target, "", &w, &q), HF_ERR_PROTOCOL);
	}
	assert_int_equal(hear("PUT", "/0ne1/registrations/d/register" QUERY, "{", &w, &q), HF_ERR_PROTOCOL);
	assert_int_equal(q.op, DPS_REGISTER);
}

static void
knows_its_targets(void **state)
{
	static const char *const others[] = { "", "/", "*", "/0ne1", "/0ne1/registrations",
		"/registrations/d?api-version=x", "/registrations/registrations/query",
		"/enrollments/registrations/attestationmechanism", "/enrollmentGroups/registrations/x",
		"/enrollments/d", "/0ne1/devices/d", "/a/registrations/b/c/d/e", "0ne1/registrations/d" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(dps_http_is(others[i]), 0);
	assert_int_equal(dps_http_is("/0ne1/registrations/d"), 1);
}

/* What a gateway between us and DPS may answer. */
static void
hears_other_servers(void **state)
{
	struct http_message m = { .status = 503, .body = "<html>busy</html>", .len = 17 };
	struct hf_error e = { 0 };
	struct dps_reply r;

	(void)state;
	m.header_count = 3;
	m.header[0] = (struct http_header){ "Retry-After", "120" };
	m.header[1] = (struct http_header){ "x-ms-request-id", "t-3" };
	m.header[2] = (struct http_header){ "x-ms-error-code", "503001" };
	assert_int_equal(dps_http_get_reply(&m, &r, &e), 0);
	assert_int_equal(r.status, 503);
	assert_int_equal(r.retry_after, 120);
	assert_string_equal(r.tracking, "t-3");
	assert_int_equal(r.code, 503001);
	assert_string_equal(r.message, "<html>busy</html>");
	m.header[0].value = "Sun, 22 Nov 2026 10:00:00 GMT";
	m.header[2].value = "ServerBusy";
	assert_int_equal(dps_http_get_reply(&m, &r, &e), 0);
	assert_int_equal(r.retry_after, 0);
	assert_int_equal(r.code, 0);
	m.status = 200;
	assert_int_equal(dps_http_get_reply(&m, &r, &e), HF_ERR_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(converses, setup, teardown),
		cmocka_unit_test_setup_teardown(says_no_broken_line, setup, teardown),
		cmocka_unit_test(hears_requests),
		cmocka_unit_test(refuses_requests),
		cmocka_unit_test(knows_its_targets),
		cmocka_unit_test(hears_other_servers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
