#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_cert.h"
#include "make_emulator.h"

struct call {
	struct http_message m;
	struct api_reply r;
	char *token;
};

static void
begin(struct call *c, const char *method, const char *target)
{
	memset(c, 0, sizeof *c);
	c->m.method = method;
	c->m.target = target;
	c->token = make_token(DPS, OWNER, NOW + 600, "provisioningserviceowner");
}

static void
header(struct call *c, const char *name, const char *value)
{
	c->m.header[c->m.header_count++] = (struct http_header){ name, value };
}

static void
ask(struct made *m, struct call *c)
{
	if (c->token)
		header(c, "authorization", c->token);
	api_answer(&m->e, &c->m, &c->r);
	assert_int_equal(strlen(c->r.request_id), 36);
}

static void
end(struct call *c)
{
	json_decref(c->r.body);
	free(c->token);
}

static void
assert_error(const struct call *c, int status, const char *code, const char *why)
{
	const char *said = js_str(c->r.body, "message", "");

	assert_int_equal(c->r.status, status);
	assert_string_equal(c->r.error_code, code);
	assert_int_equal(js_int(c->r.body, "errorCode", 0), atoi(code));
	assert_string_equal(js_str(c->r.body, "trackingId", ""), c->r.request_id);
	assert_int_equal(strlen(js_str(c->r.body, "timestampUtc", "")), 28);
	if (!strstr(said, why))
		fail_msg("'%s' does not say '%s'", said, why);
}

/* One request; the caller ends it. `body` (taken) and `match` may be NULL. */
static struct call
request(struct made *m, const char *method, const char *target, json_t *body, const char *match)
{
	struct call c;
	char *text = body ? json_dumps(body, 0) : NULL;

	begin(&c, method, target);
	if (match)
		header(&c, "If-Match", match);
	if (text) {
		header(&c, "Content-Type", "application/json; charset=utf-8");
		c.m.body = text;
		c.m.len = strlen(text);
	}
	ask(m, &c);
	free(text);
	json_decref(body);
	return c;
}

static void
expect(struct made *m, const char *method, const char *target, json_t *body, int status, const char *code)
{
	struct call c = request(m, method, target, body, NULL);

	if (status >= 300)
		assert_error(&c, status, code, "");
	else
		assert_int_equal(c.r.status, status);
	end(&c);
}

#define V "?api-version=2021-10-01"

static void
whole_life(void **state)
{
	struct made *m = *state;
	struct call c;
	char etag[128];

	expect(m, "GET", "/enrollments/dev" V, NULL, 404, "404201");
	c = request(m, "PUT", "/enrollments/Dev" V, with_keys(), NULL);
	assert_int_equal(c.r.status, 200);
	assert_string_equal(js_str(c.r.body, "registrationId", ""), "Dev");
	assert_string_equal(js_str(c.r.body, "provisioningStatus", ""), "enabled");
	assert_string_equal(js_str(c.r.body, "createdDateTimeUtc", ""), "2023-11-14T22:13:20.0000000Z");
	assert_string_equal(js_str(c.r.body, "etag", ""), c.r.etag);
	assert_null(js_get(js_get(c.r.body, "attestation"), "symmetricKey"));
	strcpy(etag, c.r.etag);
	end(&c);
	m->e.now.wall += 60;
	c = request(m, "GET", "/enrollments/dEV" V, NULL, NULL);
	assert_int_equal(c.r.status, 200);
	assert_string_equal(c.r.etag, etag);
	assert_string_equal(js_str(js_get(c.r.body, "attestation"), "type", ""), "symmetricKey");
	assert_null(js_get(js_get(c.r.body, "attestation"), "symmetricKey"));
	end(&c);
	c = request(m, "POST", "/Enrollments/dev/attestationMechanism" V, NULL, NULL);
	assert_string_equal(js_str(js_get(c.r.body, "symmetricKey"), "primaryKey", ""), KEY_A);
	end(&c);
	/* an update keeps the first date and the keys that it does not name */
	c = request(m, "PUT", "/enrollments/dev" V,
	    json_pack("{s:s, s:{s:s}}", "deviceId", "d-1", "attestation", "type", "symmetricKey"), etag);
	assert_int_equal(c.r.status, 200);
	assert_string_equal(js_str(c.r.body, "createdDateTimeUtc", ""), "2023-11-14T22:13:20.0000000Z");
	assert_string_equal(js_str(c.r.body, "lastUpdatedDateTimeUtc", ""), "2023-11-14T22:14:20.0000000Z");
	assert_string_not_equal(c.r.etag, etag);
	end(&c);
	c = request(m, "POST", "/enrollments/dev/attestationmechanism" V, NULL, NULL);
	assert_string_equal(js_str(js_get(c.r.body, "symmetricKey"), "primaryKey", ""), KEY_A);
	end(&c);
	c = request(m, "DELETE", "/enrollments/dev" V, NULL, etag);
	assert_error(&c, 412, "412000", "another etag");
	end(&c);
	c = request(m, "DELETE", "/enrollments/dev" V, NULL, "*");
	assert_int_equal(c.r.status, 204);
	assert_null(c.r.body);
	end(&c);
	expect(m, "DELETE", "/enrollments/dev" V, NULL, 404, "404201");
	expect(m, "POST", "/enrollments/dev/attestationmechanism" V, NULL, 404, "404201");
}

static void
etags(void **state)
{
	struct made *m = *state;
	struct call c = request(m, "PUT", "/enrollments/dev" V, with_keys(), "*");

	assert_error(&c, 412, "412000", "not there");
	end(&c);
	expect(m, "PUT", "/enrollments/dev" V, with_keys(), 200, NULL);
	c = request(m, "PUT", "/enrollments/dev" V, with_keys(), "\"old\"");
	assert_error(&c, 412, "412000", "another etag");
	end(&c);
	c = request(m, "PUT", "/enrollments/dev" V, with_keys(), "\"*\"");
	assert_int_equal(c.r.status, 200);
	end(&c);
}

static void
groups(void **state)
{
	struct made *m = *state;
	EVP_PKEY *key = make_key();
	X509 *ca = make_cert(&(struct cert_wish){ "ca", 1, -1, NOW - YEAR, NOW + YEAR }, key, NULL, NULL);
	char *pem = make_pem(ca);
	struct call c = request(m, "PUT", "/enrollmentGroups/line-1" V, with_certificate(1, pem), NULL);
	const json_t *info;

	assert_int_equal(c.r.status, 200);
	assert_string_equal(js_str(c.r.body, "enrollmentGroupId", ""), "line-1");
	info = js_get(
	    js_get(js_get(js_get(js_get(c.r.body, "attestation"), "x509"), "signingCertificates"), "primary"),
	    "info");
	assert_string_equal(js_str(info, "subjectName", ""), "CN=ca");
	end(&c);
	expect(m, "GET", "/enrollmentgroups/LINE-1" V, NULL, 200, NULL);
	expect(m, "GET", "/enrollments/line-1" V, NULL, 404, "404201");
	expect(m, "POST", "/enrollmentgroups/line-1/attestationmechanism" V, NULL, 200, NULL);
	expect(m, "PUT", "/enrollmentGroups/tpms" V, with_ek("AAAA"), 400, "400004");
	expect(m, "DELETE", "/enrollmentGroups/line-1" V, NULL, 204, NULL);
	expect(m, "DELETE", "/enrollmentGroups/line-1" V, NULL, 404, "404201");
	X509_free(ca);
	EVP_PKEY_free(key);
	free(pem);
}

static void
registrations(void **state)
{
	struct made *m = *state;
	json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "registrationId", "dev", "status",
	    "assigned", "assignedHub", "h", "etag", "abcd", "attestation", "tpm", "enrollmentGroupId", "");
	struct call c;

	expect(m, "PUT", "/enrollments/dev" V, with_keys(), 200, NULL);
	expect(m, "GET", "/registrations/dev" V, NULL, 404, "404201");
	registry_registration_put(m->e.registry, "dev", record, &m->err);
	c = request(m, "GET", "/registrations/DEV" V, NULL, NULL);
	assert_int_equal(c.r.status, 200);
	assert_string_equal(c.r.etag, "abcd");
	assert_string_equal(js_str(c.r.body, "assignedHub", ""), "h");
	assert_null(js_get(c.r.body, "attestation"));
	end(&c);
	c = request(m, "GET", "/enrollments/dev" V, NULL, NULL);
	assert_string_equal(js_str(js_get(c.r.body, "registrationState"), "status", ""), "assigned");
	end(&c);
	c = request(m, "DELETE", "/registrations/dev" V, NULL, "other");
	assert_error(&c, 412, "412000", "another");
	end(&c);
	expect(m, "DELETE", "/registrations/dev" V, NULL, 204, NULL);
	expect(m, "DELETE", "/registrations/dev" V, NULL, 404, "404201");
	/* an individual's registration goes with its enrollment */
	registry_registration_put(m->e.registry, "dev", record, &m->err);
	expect(m, "DELETE", "/enrollments/dev" V, NULL, 204, NULL);
	expect(m, "GET", "/registrations/dev" V, NULL, 404, "404201");
	json_decref(record);
}

static void
unauthorized(struct made *m, char *token, const char *why)
{
	struct call c;

	begin(&c, "GET", "/enrollments/dev" V);
	free(c.token);
	c.token = token;
	ask(m, &c);
	assert_error(&c, 401, "401002", why);
	end(&c);
}

static void
who_may(void **state)
{
	struct made *m = *state;
	struct call c;

	unauthorized(m, NULL, "no Authorization");
	unauthorized(m, strdup("Bearer abc"), "lacks");
	unauthorized(
	    m, make_token("other.net", OWNER, NOW + 60, "provisioningserviceowner"), "is for 'other.net'");
	unauthorized(m, make_token(DPS, KEY_A, NOW + 60, "provisioningserviceowner"), "not signed");
	unauthorized(m, make_token(DPS, OWNER, NOW, "provisioningserviceowner"), "expired");
	unauthorized(m, make_token(DPS, OWNER, NOW + 60, "owner"), "no policy 'owner'");
	unauthorized(m, make_token(DPS, OWNER, NOW + 60, NULL), "no policy ''");
	/* the name in any letter case, with a port or without */
	begin(&c, "GET", "/enrollments/dev" V);
	free(c.token);
	c.token = make_token("DPS.localhost:8443", OWNER, NOW + 60, "provisioningserviceowner");
	ask(m, &c);
	assert_error(&c, 404, "404201", "");
	end(&c);
}

static void
paths_and_methods(void **state)
{
	struct made *m = *state;
	char long_id[300];

	expect(m, "GET", "/enrollments/dev", NULL, 400, "400001");
	expect(m, "GET", "/enrollments/dev?api-version=", NULL, 400, "400001");
	expect(m, "GET", "/enrollments/dev?api-version=soon", NULL, 400, "400001");
	expect(m, "GET", "/enrollments/dev?x=1&API-VERSION=2025-07-01-preview", NULL, 404, "404201");
	expect(m, "GET", "/" V, NULL, 404, "404000");
	expect(m, "GET", "/nothing/here" V, NULL, 404, "404000");
	expect(m, "GET", "/enrollments/dev/nothing" V, NULL, 404, "404000");
	expect(m, "POST", "/enrollments/dev/attestationmechanism/more" V, NULL, 404, "404000");
	expect(m, "PUT", "/enrollments" V, with_keys(), 405, "405000");
	expect(m, "PUT", "/enrollments/" V, with_keys(), 405, "405000");
	expect(m, "PATCH", "/enrollments/dev" V, NULL, 405, "405000");
	expect(m, "PUT", "/registrations/dev" V, with_keys(), 405, "405000");
	expect(m, "GET", "/enrollments/%zz" V, NULL, 404, "404000");
	expect(m, "GET", "/enrollments/a%00b" V, NULL, 404, "404000");
	expect(m, "PUT", "/enrollments/a%3Ab" V, with_keys(), 200, NULL);
	expect(m, "GET", "/enrollments/a:b" V, NULL, 200, NULL);
	memset(long_id, 'x', sizeof long_id);
	memcpy(long_id, "/enrollments/", 13);
	strcpy(long_id + 200, V);
	expect(m, "GET", long_id, NULL, 404, "404000");
}

static void
bodies(void **state)
{
	struct made *m = *state;
	static const char *const bad[] = { "", "{", "nonsense", "{\"a\":1,\"a\":2}", "[]", "\"text\"",
		"null" };
	struct call c;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		begin(&c, "PUT", "/enrollments/dev" V);
		c.m.body = bad[i];
		c.m.len = strlen(bad[i]);
		ask(m, &c);
		assert_error(&c, 400, "400006", "");
		end(&c);
	}
	begin(&c, "PUT", "/enrollments/dev" V);
	header(&c, "Content-Type", "text/plain");
	c.m.body = "{}";
	c.m.len = 2;
	ask(m, &c);
	assert_error(&c, 415, "415000", "application/json");
	end(&c);
}

static void
broken_registry(void **state)
{
	struct made *m = *state;

	registry_operation_put(m->e.registry, NULL, 0, json_null(), &m->err);
	expect(m, "PUT", "/enrollments/dev" V, with_keys(), 500, "500001");
	err_clear(&m->err);
	assert_int_equal(registry_commit(m->e.registry, &m->err), HF_ERR_IO);
	expect(m, "GET", "/enrollments/dev" V, NULL, 404, "404201");
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(whole_life),
		MADE(etags),
		MADE(groups),
		MADE(registrations),
		MADE(who_may),
		MADE(paths_and_methods),
		MADE(bodies),
		MADE(broken_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
