#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_api.h"

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

/* Without If-Match a PUT creates, and nothing is replaced by mistake. */
static void
create_is_not_update(void **state)
{
	struct made *m = *state;
	struct call c;
	char etag[128];

	expect(m, "PUT", "/enrollments/dev" V, with_keys(), 200, NULL);
	c = request(m, "PUT", "/enrollments/DEV" V, with_keys(), NULL);
	assert_error(&c, 409, "409201", "already exists");
	end(&c);
	expect(m, "PUT", "/enrollmentGroups/dev" V, with_keys(), 200, NULL);
	c = request(m, "GET", "/enrollmentGroups/dev" V, NULL, NULL);
	strcpy(etag, c.r.etag);
	end(&c);
	/* the same etag does not fit twice */
	c = request(m, "PUT", "/enrollmentGroups/dev" V, with_keys(), etag);
	assert_int_equal(c.r.status, 200);
	end(&c);
	c = request(m, "PUT", "/enrollmentGroups/dev" V, with_keys(), etag);
	assert_error(&c, 412, "412000", "another etag");
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

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(whole_life),
		MADE(etags),
		MADE(create_is_not_update),
		MADE(groups),
		MADE(registrations),
		MADE(bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
