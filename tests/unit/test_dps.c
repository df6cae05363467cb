#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/json.h"
#include "base/str.h"
#include "msg/dps.h"

#define OPERATION "4.0123456789abcdef.11111111-2222-3333-4444-555555555555"

static int
hear_reply(struct dps_reply *r, int status, const char *body, size_t n, struct hf_error *e)
{
	char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, body, n);
	memset(r, 0, sizeof(*r));
	*e = (struct hf_error){ 0 };
	r->status = status;
	rc = dps_get_reply_body(copy, n, r, e);
	free(copy);
	assert_int_equal(e->code, rc);
	return rc;
}

static void
expect_reply(const struct dps_reply *r, const char *text)
{
	struct buf b = { 0 };

	assert_int_equal(dps_put_reply_body(&b, r), 0);
	assert_string_equal(buf_str(&b), text);
	buf_free(&b);
}

static void
says_requests(void **state)
{
	struct dps_request q = { .op = DPS_REGISTER };
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(dps_put_request_body(&b, &q, "dev1"), 0);
	assert_string_equal(buf_str(&b), "{\"registrationId\":\"dev1\"}");
	buf_clear(&b);
	assert_int_equal(
	    str_set(&q.ek, "RUs=") | str_set(&q.srk, "U1JL") | str_set(&q.payload, "{\"a\":[1,null]}"), 0);
	assert_int_equal(dps_put_request_body(&b, &q, "dev1"), 0);
	assert_string_equal(buf_str(&b), "{\"registrationId\":\"dev1\",\"tpm\":{\"endorsementKey\":\"RUs=\","
					 "\"storageRootKey\":\"U1JL\"},\"payload\":{\"a\":[1,null]}}");
	buf_clear(&b);
	q.op = DPS_LOOKUP;
	assert_int_equal(dps_put_request_body(&b, &q, "dev1"), 0);
	assert_string_equal(buf_str(&b), "{\"registrationId\":\"dev1\"}");
	buf_clear(&b);
	q.op = DPS_POLL;
	assert_int_equal(dps_put_request_body(&b, &q, "dev1"), 0);
	assert_int_equal(buf_size(&b), 0);
	q.op = DPS_REGISTER;
	assert_int_equal(str_set(&q.payload, "{no json"), 0);
	assert_int_equal(dps_put_request_body(&b, &q, "dev1"), HF_ERR_ARGS);
	assert_int_equal(buf_size(&b), 0);
	dps_request_fini(&q);
	buf_free(&b);
}

static void
hears_requests(void **state)
{
	static const struct {
		const char *body, *id, *ek, *srk, *payload;
	} row[] = {
		{ "", "", NULL, NULL, NULL },
		{ " \r\n", "", NULL, NULL, NULL },
		{ "{}", "", NULL, NULL, NULL },
		{ "{\"payload\":null,\"registrationId\":\"dev1\"}", "dev1", NULL, NULL, NULL },
		{ "{\"payload\":{\"b\":1.5}}", "", NULL, NULL, "{\"b\":1.5}" },
		{ "{\"payload\":\"text\",\"registrationId\":\"d\"}", "d", NULL, NULL, "\"text\"" },
		{ "{\"registrationId\":\"d\",\"tpm\":{\"endorsementKey\":\"RUs=\",\"storageRootKey\":\"U1JL\"}}",
		    "d", "RUs=", "U1JL", NULL },
		{ "{\"registrationId\":\"d\",\"tpm\":{\"endorsementKey\":\"RUs=\"},\"csr\":\"x\"}", "d",
		    "RUs=", NULL, NULL },
	};
	struct hf_error e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct dps_request q = { .op = DPS_REGISTER };

		assert_int_equal(dps_get_request_body(row[i].body, strlen(row[i].body), &q, &e), 0);
		assert_string_equal(q.id, row[i].id);
		assert_int_equal(q.ek == NULL, row[i].ek == NULL);
		assert_string_equal(q.ek == NULL ? "" : q.ek, row[i].ek == NULL ? "" : row[i].ek);
		assert_string_equal(q.srk == NULL ? "" : q.srk, row[i].srk == NULL ? "" : row[i].srk);
		assert_string_equal(
		    q.payload == NULL ? "" : q.payload, row[i].payload == NULL ? "" : row[i].payload);
		dps_request_fini(&q);
	}
}

static void
refuses_requests(void **state)
{
	static const char *const bad[] = { "{", "[]", "\"x\"", "null", "{\"registrationId\":\"d\"} x",
		"{\"registrationId\":\"a\",\"registrationId\":\"b\"}", "{\"registrationId\":\"\xff\"}" };
	struct dps_request q = { .op = DPS_REGISTER, .rid = "7" };
	struct hf_error e = { 0 };
	char wide[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e = (struct hf_error){ 0 };
		assert_int_equal(dps_get_request_body(bad[i], strlen(bad[i]), &q, &e), HF_ERR_PROTOCOL);
		assert_string_equal(q.rid, "7");
	}
	snprintf(wide, sizeof(wide), "{\"registrationId\":\"%0129d\"}", 0);
	e = (struct hf_error){ 0 };
	assert_int_equal(dps_get_request_body(wide, strlen(wide), &q, &e), HF_ERR_PROTOCOL);
	e = (struct hf_error){ 0 };
	q.op = DPS_POLL; /* its body says nothing */
	assert_int_equal(dps_get_request_body("{", 1, &q, &e), 0);
}

static void
says_and_hears_assigning(void **state)
{
	static const char first[] = "{\"operationId\":\"" OPERATION "\",\"status\":\"assigning\"}";
	struct dps_reply r = { .status = 202, .operation = OPERATION, .state = "assigning" }, back;
	struct hf_error e;

	(void)state;
	expect_reply(&r, first);
	assert_int_equal(hear_reply(&back, 202, first, strlen(first), &e), 0);
	assert_string_equal(back.operation, OPERATION);
	assert_string_equal(back.state, "assigning");
	assert_string_equal(back.id, "");
	dps_reply_fini(&back);

	strcpy(r.id, "dev1");
	expect_reply(&r, "{\"operationId\":\"" OPERATION "\",\"status\":\"assigning\","
			 "\"registrationState\":{\"registrationId\":\"dev1\",\"status\":\"assigning\"}}");
}

static void
says_and_hears_assigned(void **state)
{
	static const char text[] =
	    "{\"operationId\":\"" OPERATION "\",\"status\":\"assigned\",\"registrationState\":{"
	    "\"symmetricKey\":{\"enrollmentGroupId\":\"g\"},\"registrationId\":\"dev1\","
	    "\"createdDateTimeUtc\":\"2026-11-22T10:00:00.0000000Z\",\"assignedHub\":\"127.0.0.2\","
	    "\"deviceId\":\"dev-one\",\"status\":\"assigned\",\"substatus\":\"initialAssignment\","
	    "\"lastUpdatedDateTimeUtc\":\"2026-11-22T10:00:01.0000000Z\",\"etag\":\"IjAi\","
	    "\"payload\":{\"x\":[1,2.5,\"\\u0001\"]}}}";
	struct dps_reply r;
	struct hf_error e;
	size_t n;

	(void)state;
	assert_int_equal(hear_reply(&r, 200, text, strlen(text), &e), 0);
	assert_string_equal(r.state, "assigned");
	assert_string_equal(r.attestation, "symmetricKey");
	assert_string_equal(r.group, "g");
	assert_string_equal(r.id, "dev1");
	assert_string_equal(r.hub, "127.0.0.2");
	assert_string_equal(r.device, "dev-one");
	assert_string_equal(r.substatus, "initialAssignment");
	assert_string_equal(r.etag, "IjAi");
	assert_string_equal(r.payload, "{\"x\":[1,2.5,\"\\u0001\"]}");
	expect_reply(&r, text);
	dps_reply_fini(&r);
	for (n = 0; n < strlen(text); n++)
		assert_int_equal(hear_reply(&r, 200, text, n, &e), HF_ERR_PROTOCOL);
}

/* hub and device id go together, or not at all; attestation of an individual enrollment is an empty object. */
static void
says_what_is_known(void **state)
{
	struct dps_reply r = {
		.status = 200, .operation = "4.1", .state = "assigned", .id = "d", .hub = "h", .device = "d"
	};

	(void)state;
	r.attestation = "x509";
	expect_reply(&r,
	    "{\"operationId\":\"4.1\",\"status\":\"assigned\",\"registrationState\":{\"x509\":{},"
	    "\"registrationId\":\"d\",\"assignedHub\":\"h\",\"deviceId\":\"d\",\"status\":\"assigned\"}}");
	r.hub[0] = '\0';
	r.attestation = NULL;
	expect_reply(&r, "{\"operationId\":\"4.1\",\"status\":\"assigned\",\"registrationState\":{"
			 "\"registrationId\":\"d\",\"status\":\"assigned\"}}");
	r.operation[0] = '\0';
	expect_reply(&r, "{\"registrationId\":\"d\",\"status\":\"assigned\"}");
}

static void
says_only_three_states(void **state)
{
	static const char *const bad[] = { "", "unassigned", "disabled", "registering", "Assigned" };
	struct dps_reply r = { .status = 200, .operation = "4.1", .id = "d" };
	struct buf b = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(r.state, bad[i]);
		assert_int_equal(dps_put_reply_body(&b, &r), HF_ERR_ARGS);
		assert_int_equal(buf_size(&b), 0);
	}
	strcpy(r.state, "assigned");
	strcpy(r.id, "\xc3");
	assert_int_equal(dps_put_reply_body(&b, &r), HF_ERR_ARGS);
	assert_int_equal(buf_size(&b), 0);
	buf_free(&b);
}

static void
tpm_keys(void **state)
{
	static const char challenge[] =
	    "{\"message\":\"Authorization required, resend request using supplied key\","
	    "\"authenticationKey\":\"QkxPQg==\",\"unencryptedAuthenticationKey\":null,\"keyName\":\"registration\"}";
	static const char done[] =
	    "{\"operationId\":\"4.1\",\"status\":\"assigned\",\"registrationState\":{"
	    "\"tpm\":{\"authenticationKey\":\"QkxPQg==\"},\"registrationId\":\"d\",\"assignedHub\":\"h\","
	    "\"deviceId\":\"d\",\"status\":\"assigned\"}}";
	struct dps_reply r;
	struct hf_error e;
	char key[] = "QkxPQg==";

	(void)state;
	expect_reply(&(struct dps_reply){ .status = 401, .tpm_key = key }, challenge);
	assert_null(strstr(challenge, "status"));
	assert_int_equal(hear_reply(&r, 401, challenge, strlen(challenge), &e), 0);
	assert_string_equal(r.tpm_key, key);
	assert_string_equal(r.state, "");
	dps_reply_fini(&r);
	assert_int_equal(hear_reply(&r, 200, done, strlen(done), &e), 0);
	assert_string_equal(r.attestation, "tpm");
	assert_string_equal(r.tpm_key, key);
	expect_reply(&r, done);
	dps_reply_fini(&r);
}

static void
says_and_hears_errors(void **state)
{
	static const char text[] =
	    "{\"errorCode\":401002,\"trackingId\":\"t-1\",\"message\":\"Invalid certificate.\","
	    "\"timestampUtc\":\"2026-11-22T10:00:00.0000000Z\"}";
	struct dps_reply r;
	struct hf_error e;

	(void)state;
	assert_int_equal(hear_reply(&r, 401, text, strlen(text), &e), 0);
	assert_int_equal(r.status, 401);
	assert_int_equal(r.code, 401002);
	assert_string_equal(r.tracking, "t-1");
	assert_string_equal(r.message, "Invalid certificate.");
	assert_string_equal(r.at, "2026-11-22T10:00:00.0000000Z");
	assert_null(r.tpm_key);
	expect_reply(&r, text);
	expect_reply(&(struct dps_reply){ .status = 429 }, "{\"errorCode\":429000,\"message\":\"\"}");
}

static void
says_and_hears_failure(void **state)
{
	static const char text[] = "{\"operationId\":\"4.1\",\"status\":\"failed\",\"registrationState\":{"
				   "\"registrationId\":\"d\",\"status\":\"failed\",\"errorCode\":400207,"
				   "\"errorMessage\":\"Custom allocation failed.\"}}";
	struct dps_reply r;
	struct hf_error e;

	(void)state;
	assert_int_equal(hear_reply(&r, 200, text, strlen(text), &e), 0);
	assert_string_equal(r.state, "failed");
	assert_int_equal(r.code, 400207);
	assert_string_equal(r.message, "Custom allocation failed.");
	expect_reply(&r, text);
}

static void
hears_other_servers(void **state)
{
	static const char page[] = "<html>\r\n\x1b[31m502\tBad Gateway \xe2\x80\xa6</html>";
	char wide[1000];
	struct dps_reply r;
	struct hf_error e;
	size_t i;

	(void)state;
	assert_int_equal(hear_reply(&r, 502, page, strlen(page), &e), 0);
	assert_int_equal(r.status, 502);
	assert_string_equal(r.message, "<html>  ?[31m502 Bad Gateway ??"
				       "?</html>");
	memset(wide, 'w', sizeof(wide));
	assert_int_equal(hear_reply(&r, 503, wide, sizeof(wide), &e), 0);
	assert_int_equal(strlen(r.message), 200);
	assert_int_equal(hear_reply(&r, 500, "", 0, &e), 0);
	assert_string_equal(r.message, "");
	assert_int_equal(hear_reply(&r, 500, "[1]", 3, &e), 0);
	assert_string_equal(r.message, "[1]");
	assert_int_equal(hear_reply(&r, 200, page, strlen(page), &e), HF_ERR_PROTOCOL);
	assert_int_equal(hear_reply(&r, 200, "", 0, &e), HF_ERR_PROTOCOL);
	assert_int_equal(hear_reply(&r, 200, "[1]", 3, &e), HF_ERR_PROTOCOL);
	assert_int_equal(hear_reply(&r, 200, "{}", 2, &e), HF_ERR_PROTOCOL);
	assert_int_equal(hear_reply(&r, 202, "{\"status\":5}", 12, &e), HF_ERR_PROTOCOL);

	/* words are cut between characters and cannot move a terminal's cursor; names must fit */
	i = (size_t)snprintf(wide, sizeof(wide), "{\"message\":\"\\u001b%0297d\xe2\x82\xac\"}", 0);
	assert_int_equal(hear_reply(&r, 400, wide, i, &e), 0);
	assert_int_equal(strlen(r.message), 298);
	assert_int_equal(r.message[0], ' ');
	i = (size_t)snprintf(wide, sizeof(wide),
	    "{\"status\":\"assigned\",\"registrationState\":{\"assignedHub\":\"%0256d\",\"deviceId\":\"d\"}}",
	    0);
	assert_int_equal(hear_reply(&r, 200, wide, i, &e), HF_ERR_PROTOCOL);
}

/* What the SDKs' own tests and captures show: members in any order, unknown ones, null where nothing is known. */
static void
hears_leniently(void **state)
{
	static const char text[] =
	    "{\"new\":[],\"registrationState\":{\"payload\":null,\"assignedHub\":\"h\",\"deviceId\":\"d\","
	    "\"substatus\":null,\"errorCode\":null,\"x509\":null,\"tpm\":{}},\"status\":\"assigned\","
	    "\"operationId\":null}";
	static const char look[] =
	    "{\"registrationId\":\"d\",\"status\":\"assigned\",\"assignedHub\":\"h\",\"deviceId\":\"d\"}";
	struct dps_reply r;
	struct hf_error e;

	(void)state;
	assert_int_equal(hear_reply(&r, 200, text, strlen(text), &e), 0);
	assert_string_equal(r.hub, "h");
	assert_string_equal(r.operation, "");
	assert_string_equal(r.attestation, "tpm");
	assert_null(r.payload);
	assert_null(r.tpm_key);
	assert_int_equal(hear_reply(&r, 200, look, strlen(look), &e), 0);
	assert_string_equal(r.id, "d");
	assert_string_equal(r.hub, "h");
}

static void
api_versions(void **state)
{
	static const char *const good[] = { "2017-08-31-preview", "2019-03-31", "2021-06-01",
		"2031-12-31-preview" };
	static const char *const bad[] = { "", "2019", "2019-03-31-", "2019-03-31-beta", "2019-3-31",
		"2019-03-3x", "2019-03-31-previewx", "x019-03-31" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(dps_is_api(good[i], strlen(good[i])), 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(dps_is_api(bad[i], strlen(bad[i])), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_requests),
		cmocka_unit_test(hears_requests),
		cmocka_unit_test(refuses_requests),
		cmocka_unit_test(says_and_hears_assigning),
		cmocka_unit_test(says_and_hears_assigned),
		cmocka_unit_test(says_what_is_known),
		cmocka_unit_test(says_only_three_states),
		cmocka_unit_test(tpm_keys),
		cmocka_unit_test(says_and_hears_errors),
		cmocka_unit_test(says_and_hears_failure),
		cmocka_unit_test(hears_other_servers),
		cmocka_unit_test(hears_leniently),
		cmocka_unit_test(api_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
