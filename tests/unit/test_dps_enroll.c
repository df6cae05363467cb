#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/b64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "dps/dps_client.h"
#include "make_cert.h"
#include "msg/sas.h"

#define KEY	"c2VydmljZS1rZXktb2YtMzItYnl0ZXMtYWxsLXRvbGQh"
#define SERVICE "HostName=dps.example:4443;SharedAccessKeyName=owner;SharedAccessKey=" KEY

static char trust[] = "/tmp/holdfast-trust-XXXXXX";
static struct hf_error err;
static struct moment now;

/* A service at the other end of a stream in memory, which answers with what it was given. */
static struct service {
	struct net net;
	size_t chunk;
	int refuse; /* connections fail */
	char host[256];
	uint16_t port;
	struct stream *theirs;
	struct pump pump;
	struct http http;
	int up;
	int status;
	const char *body, *request_id;
	const char *next; /* x-ms-continuation of the answer */
	char method[8], target[400], host_header[256], token[700], match[200], more[200];
	json_t *asked;
} service;

static int
open_pair(struct net *net, struct stream **out, const struct dial *to, struct work *work, struct hf_error *e)
{
	struct service *s = (struct service *)net;

	(void)work;
	assert_non_null(to->tls);
	if (s->refuse)
		return err_set(e, HF_ERR_NET, "nobody is there");
	assert_int_equal(pair_new(out, &s->theirs, 4096, s->chunk), 0);
	snprintf(s->host, sizeof s->host, "%s", to->host);
	s->port = to->port;
	assert_int_equal(http_init(&s->http, 1, 100000), 0);
	s->pump.engine = &s->http.engine;
	s->pump.stream = s->theirs;
	s->up = 1;
	return 0;
}

static void
service_end(struct service *s)
{
	if (s->up) {
		pump_close(&s->pump);
		http_fini(&s->http);
	}
	json_decref(s->asked);
	memset(s, 0, sizeof *s);
}

static void
service_begin(int status, const char *body)
{
	service_end(&service);
	service.net.open = open_pair;
	service.status = status;
	service.body = body;
	err_clear(&err);
	now = (struct moment){ .ms = 1000, .wall = 1700000000 };
}

static void
take(struct service *s, const struct http_message *m)
{
	struct http_message a = { .status = s->status, .body = s->body, .len = strlen(s->body) };

	snprintf(s->method, sizeof s->method, "%s", m->method);
	snprintf(s->target, sizeof s->target, "%s", m->target);
	snprintf(s->host_header, sizeof s->host_header, "%s", http_header(m, "Host"));
	snprintf(s->token, sizeof s->token, "%s", http_header(m, "Authorization"));
	snprintf(s->match, sizeof s->match, "%s",
	    http_header(m, "If-Match") ? http_header(m, "If-Match") : "none");
	snprintf(s->more, sizeof s->more, "%s",
	    http_header(m, "x-ms-continuation") ? http_header(m, "x-ms-continuation") : "none");
	if (m->len > 0) {
		assert_string_equal(http_header(m, "Content-Type"), "application/json; charset=utf-8");
		s->asked = js_parse(m->body, m->len, "request", &err);
		assert_non_null(s->asked);
	}
	if (s->next != NULL)
		a.header[a.header_count++] = (struct http_header){ "x-ms-continuation", s->next };
	if (s->request_id != NULL)
		a.header[a.header_count++] = (struct http_header){ "x-ms-request-id", s->request_id };
	if (s->status != 0)
		assert_int_equal(http_say(&s->http, &a), 0);
}

static void
serve(struct service *s)
{
	struct http_event ev;

	(void)pump_step(&s->pump, now.ms);
	if (http_next(&s->http, &ev) == 1 && ev.what == HTTP_MESSAGE)
		take(s, &ev.message);
	(void)pump_step(&s->pump, now.ms);
}

/* Until it is done, one way or the other. */
static int
converse(struct dps_call *c)
{
	int rc = 0;

	for (int i = 0; i < 100000 && rc == 0; i++) {
		rc = dps_call_step(c, now);
		if (rc == 0)
			serve(&service);
	}
	return rc;
}

static int
enroll(const struct hf_enrollment *n, const char *connection, struct dps_call **c)
{
	struct buf path = { 0 }, body = { 0 };
	struct hf_call q = { .method = "PUT" };
	int rc = dps_enroll_put(&path, &body, n, &err);

	*c = NULL;
	q.path = buf_str(&path);
	q.body = buf_str(&body);
	if (rc == 0)
		rc = dps_call_new(c, connection, &q, NULL, trust, &service.net, NULL, now, &err);
	buf_free(&path);
	buf_free(&body);
	return rc;
}

static json_t *
at(const char *path)
{
	char key[100];
	json_t *j = service.asked;

	while (*path != '\0') {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof key, "%.*s", (int)n, path);
		j = json_object_get(j, key);
		path += n + (path[n] == '.');
	}
	return j;
}

static void
assert_asked(const char *path, const char *want)
{
	assert_string_equal(json_string_value(at(path)), want);
}

static void
assert_token(void)
{
	struct sas s = { 0 };
	struct buf key = { 0 };

	assert_int_equal(b64_get(&key, KEY, strlen(KEY)), 0);
	assert_int_equal(sas_get(&s, service.token, strlen(service.token), &err), 0);
	assert_true(sas_signed_by(&s, buf_data(&key), buf_size(&key)));
	assert_string_equal(s.resource, "dps.example:4443");
	assert_string_equal(s.skn, "owner");
	assert_in_range(s.expiry, now.wall + 60, now.wall + 3600);
	sas_fini(&s);
	buf_free(&key);
}

static void
put(const struct hf_enrollment *n, const char *target)
{
	struct dps_call *c;

	for (size_t chunk = 0; chunk < 8; chunk += 1 + chunk * 6) {
		service_begin(200, "{\"etag\":\"1\"}");
		service.chunk = chunk;
		assert_int_equal(enroll(n, SERVICE, &c), 0);
		assert_int_equal(converse(c), 1);
		assert_string_equal(service.host, "dps.example");
		assert_int_equal(service.port, 4443);
		assert_string_equal(service.method, "PUT");
		assert_string_equal(service.target, target);
		assert_string_equal(service.host_header, "dps.example:4443");
		assert_token();
		assert_asked("provisioningStatus", "enabled");
		assert_int_equal(buf_size(dps_call_answer(c)), 12);
		assert_memory_equal(buf_data(dps_call_answer(c)), "{\"etag\":\"1\"}", 12);
		dps_call_free(c);
	}
}

static void
each_kind_has_its_body(void **state)
{
	struct hf_enrollment n = {
		.kind = HF_ENROLL_TPM, .id = "tpm-1", .device_id = "d/1", .endorsement_key = "AToAAQ"
	};

	(void)state;
	put(&n, "/enrollments/tpm-1?api-version=2021-10-01");
	assert_asked("registrationId", "tpm-1");
	assert_asked("deviceId", "d/1");
	assert_asked("attestation.type", "tpm");
	assert_asked("attestation.tpm.endorsementKey", "AToAAQ");

	n = (struct hf_enrollment){ .kind = HF_ENROLL_X509, .id = "x:1", .certificate = "PEM\n" };
	put(&n, "/enrollments/x%3A1?api-version=2021-10-01");
	assert_asked("attestation.type", "x509");
	assert_asked("attestation.x509.clientCertificates.primary.certificate", "PEM\n");
	assert_null(at("deviceId"));

	n = (struct hf_enrollment){ .kind = HF_ENROLL_SYMMETRIC, .id = "s", .symmetric_key = "a2V5" };
	put(&n, "/enrollments/s?api-version=2021-10-01");
	assert_asked("attestation.type", "symmetricKey");
	assert_asked("attestation.symmetricKey.primaryKey", "a2V5");
	assert_asked("attestation.symmetricKey.secondaryKey", "a2V5");

	n.symmetric_key = NULL;
	put(&n, "/enrollments/s?api-version=2021-10-01");
	assert_null(at("attestation.symmetricKey"));

	n = (struct hf_enrollment){ .kind = HF_ENROLL_GROUP_X509, .id = "line", .certificate = "PEM" };
	put(&n, "/enrollmentGroups/line?api-version=2021-10-01");
	assert_asked("enrollmentGroupId", "line");
	assert_null(at("registrationId"));
	assert_asked("attestation.x509.signingCertificates.primary.certificate", "PEM");

	n = (struct hf_enrollment){
		.kind = HF_ENROLL_GROUP_SYMMETRIC, .id = "line", .symmetric_key = "a2V5"
	};
	put(&n, "/enrollmentGroups/line?api-version=2021-10-01");
	assert_asked("attestation.symmetricKey.primaryKey", "a2V5");
}

static void
what_cannot_be_enrolled(void **state)
{
	static const struct {
		struct hf_enrollment n;
		const char *says;
	} row[] = {
		{ { .kind = HF_ENROLL_TPM, .id = "t" }, "endorsement key" },
		{ { .kind = HF_ENROLL_X509, .id = "x" }, "certificate" },
		{ { .kind = HF_ENROLL_GROUP_X509, .id = "x" }, "certificate" },
		{ { .kind = HF_ENROLL_SYMMETRIC, .id = "" }, "registration id" },
		{ { .kind = HF_ENROLL_SYMMETRIC }, "registration id" },
		{ { .kind = HF_ENROLL_SYMMETRIC, .id = "a/b" }, "registration id" },
		{ { .kind = HF_ENROLL_SYMMETRIC, .id = "a." }, "registration id" },
		{ { .kind = HF_ENROLL_GROUP_SYMMETRIC, .id = "g", .device_id = "d" }, "group" },
	};
	struct dps_call *c;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		service_begin(200, "{}");
		assert_int_equal(enroll(&row[i].n, SERVICE, &c), HF_ERR_ARGS);
		assert_null(c);
		assert_non_null(strstr(err.text, row[i].says));
		assert_false(service.up);
	}
}

static const struct hf_enrollment plain = { .kind = HF_ENROLL_SYMMETRIC, .id = "s-1" };

static void
connection_strings(void **state)
{
	static const char *const good[] = {
		SERVICE,
		SERVICE "\n",
		"  \n" SERVICE "\r\n",
		SERVICE ";",
		"SharedAccessKey=" KEY ";SharedAccessKeyName=owner;HostName=dps.example:4443",
		"EntityPath=x;" SERVICE,
	};
	static const char *const bad[] = {
		"",
		"dps.example",
		"HostName=dps.example",
		"HostName=;SharedAccessKeyName=owner;SharedAccessKey=" KEY,
		"HostName=dps.example;SharedAccessKey=" KEY,
		"HostName=dps.example;SharedAccessKeyName=owner",
		"HostName=dps.example;SharedAccessKeyName=owner;SharedAccessKey=",
		"HostName=dps.example;SharedAccessKeyName=owner;SharedAccessKey=!!",
		"HostName=dps.example;SharedAccessKeyName=owner;SharedAccessKey=c2VjcmV0c2VjcmV0=",
		"XHostName=dps.example;SharedAccessKeyName=owner;SharedAccessKey=" KEY,
		"HostName=a b;SharedAccessKeyName=owner;SharedAccessKey=" KEY,
		"HostName=dps.example:x;SharedAccessKeyName=owner;SharedAccessKey=" KEY,
		"HostName=dps.example:70000;SharedAccessKeyName=owner;SharedAccessKey=" KEY,
	};
	struct dps_service_key k;
	struct dps_call *c;
	char *much = calloc(1, 1000);

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		err_clear(&err);
		assert_int_equal(dps_service_key_get(&k, good[i], &err), 0);
		assert_string_equal(k.host, "dps.example:4443");
		assert_string_equal(k.name, "owner");
		assert_int_equal(buf_size(&k.key), 33);
		dps_service_key_fini(&k);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		service_begin(200, "{}");
		assert_int_equal(enroll(&plain, bad[i], &c), HF_ERR_ARGS);
		assert_null(c);
		assert_non_null(strstr(err.text, "connection string"));
		assert_null(strstr(err.text, "c2Vj"));
	}
	snprintf(much, 1000, "HostName=%0300d;SharedAccessKeyName=owner;SharedAccessKey=" KEY, 1);
	err_clear(&err);
	assert_int_equal(dps_service_key_get(&k, much, &err), HF_ERR_ARGS);
	free(much);
}

static void
refusals_carry_the_codes(void **state)
{
	static const char body[] =
	    "{\"errorCode\":%d,\"trackingId\":\"t-9\",\"message\":\"Enough.\",\"timestampUtc\":\"x\"}";
	static const struct {
		int status, code, want;
	} row[] = { { 401, 401003, HF_ERR_AUTH }, { 403, 403000, HF_ERR_AUTH },
		{ 404, 404201, HF_ERR_SERVICE }, { 409, 409001, HF_ERR_SERVICE },
		{ 412, 412001, HF_ERR_SERVICE }, { 429, 429001, HF_ERR_SERVICE },
		{ 500, 500001, HF_ERR_SERVICE } };
	const struct hf_error *e;
	struct dps_call *c;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		snprintf(text, sizeof text, body, row[i].code);
		service_begin(row[i].status, text);
		assert_int_equal(enroll(&plain, SERVICE, &c), 0);
		assert_int_equal(converse(c), row[i].want);
		e = dps_call_error(c);
		assert_int_equal(e->code, row[i].want);
		assert_int_equal(e->status, row[i].status);
		assert_int_equal(e->service, row[i].code);
		assert_string_equal(e->tracking, "t-9");
		assert_non_null(strstr(e->text, "Enough."));
		assert_non_null(strstr(e->text, "s-1"));
		assert_null(strstr(e->text, KEY));
		assert_int_equal(buf_size(dps_call_answer(c)), 0);
		dps_call_free(c);
	}
}

static void
a_gateway_may_refuse_too(void **state)
{
	struct dps_call *c;

	(void)state;
	service_begin(502, "<html>Bad Gateway</html>");
	assert_int_equal(enroll(&plain, SERVICE, &c), 0);
	assert_int_equal(converse(c), HF_ERR_SERVICE);
	assert_int_equal(dps_call_error(c)->status, 502);
	assert_non_null(strstr(dps_call_error(c)->text, "Bad Gateway"));
	dps_call_free(c);
}

static void
nobody_there(void **state)
{
	struct dps_call *c;

	(void)state;
	service_begin(200, "{}");
	service.refuse = 1;
	assert_int_equal(enroll(&plain, SERVICE, &c), HF_ERR_NET);
	assert_null(c);
}

static void
the_line_is_lost(void **state)
{
	struct dps_call *c;

	(void)state;
	for (int cut = 0; cut < 2; cut++) {
		service_begin(0, "");
		assert_int_equal(enroll(&plain, SERVICE, &c), 0);
		assert_int_equal(dps_call_step(c, now), 0);
		if (cut)
			pair_cut(service.theirs, 0);
		else {
			serve(&service);
			pump_close(&service.pump);
			http_fini(&service.http);
			service.up = 0;
		}
		assert_int_equal(dps_call_step(c, now), HF_ERR_NET);
		assert_int_equal(dps_call_error(c)->code, HF_ERR_NET);
		dps_call_free(c);
	}
}

static void
silence_ends_after_half_a_minute(void **state)
{
	struct dps_call *c;

	(void)state;
	service_begin(0, "");
	assert_int_equal(enroll(&plain, SERVICE, &c), 0);
	assert_int_equal(dps_call_step(c, now), 0);
	serve(&service);
	assert_int_equal(dps_call_deadline(c), now.ms + 30000);
	now.ms += 29999;
	assert_int_equal(dps_call_step(c, now), 0);
	now.ms++;
	assert_int_equal(dps_call_step(c, now), HF_ERR_TIMEOUT);
	assert_non_null(strstr(dps_call_error(c)->text, "s-1"));
	dps_call_free(c);
}

static void
freed_at_any_moment(void **state)
{
	struct dps_call *c;

	(void)state;
	for (int steps = 0; steps < 200; steps += 7) {
		service_begin(200, "{}");
		service.chunk = 5;
		assert_int_equal(enroll(&plain, SERVICE, &c), 0);
		for (int i = 0, rc = 0; i < steps && rc == 0; i++) {
			rc = dps_call_step(c, now);
			serve(&service);
		}
		dps_call_free(c);
	}
	dps_call_free(NULL);
}

static struct dps_call *
call(const struct hf_call *q, const char *more, int want)
{
	struct dps_call *c = NULL;

	assert_int_equal(dps_call_new(&c, SERVICE, q, more, trust, &service.net, NULL, now, &err), 0);
	assert_int_equal(converse(c), want);
	assert_string_equal(service.method, q->method);
	return c;
}

static void
any_request(void **state)
{
	struct dps_call *c;

	(void)state;
	service_begin(204, "");
	c = call(
	    &(struct hf_call){ .method = "DELETE", .path = "/enrollments/a:b", .match = "\"e\"" }, NULL, 1);
	assert_string_equal(service.target, "/enrollments/a:b?api-version=2021-10-01");
	assert_string_equal(service.match, "\"e\"");
	assert_null(service.asked);
	assert_int_equal(buf_size(dps_call_answer(c)), 0);
	assert_null(dps_call_more(c));
	dps_call_free(c);

	service_begin(200, "[]");
	service.next = "QQ==";
	c = call(&(struct hf_call){ "POST", "/enrollments/query", "{\"query\":\"*\"}", NULL }, NULL, 1);
	assert_string_equal(service.more, "none");
	assert_string_equal(service.match, "none");
	assert_asked("query", "*");
	assert_string_equal(dps_call_more(c), "QQ==");
	dps_call_free(c);

	service_begin(200, "[]");
	c = call(&(struct hf_call){ "POST", "/enrollments/query", "{\"query\":\"*\"}", NULL }, "QQ==", 1);
	assert_string_equal(service.more, "QQ==");
	assert_null(dps_call_more(c));
	dps_call_free(c);
}

static void
conflicts_are_explained(void **state)
{
	static const struct {
		int status;
		const char *says;
	} row[] = { { 401, "policy" }, { 403, "policy" }, { 409, "there already" },
		{ 412, "somebody has changed it" } };
	struct dps_call *c;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		service_begin(row[i].status, "{}");
		c = call(&(struct hf_call){ "PUT", "/enrollments/d", "{}", "e" }, NULL,
		    row[i].status < 404 ? HF_ERR_AUTH : HF_ERR_SERVICE);
		assert_non_null(strstr(dps_call_error(c)->text, row[i].says));
		assert_non_null(strstr(dps_call_error(c)->text, "PUT /enrollments/d"));
		dps_call_free(c);
	}
}

static void
what_cannot_be_asked(void **state)
{
	static const struct hf_call row[] = { { .method = "get", .path = "/enrollments/d" },
		{ .method = "TRACE", .path = "/" }, { .method = "GET", .path = "" },
		{ .method = "GET", .path = "enrollments/d" }, { .method = "GET", .path = "/enrollments/d e" },
		{ .method = "GET", .path = "/enrollments/d?x=1" }, { .method = "GET", .path = "/a\r\nX: y" },
		{ .method = "GET", .path = "/\xc3\xa4" } };
	struct dps_call *c = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		service_begin(200, "{}");
		assert_int_equal(
		    dps_call_new(&c, SERVICE, &row[i], NULL, trust, &service.net, NULL, now, &err),
		    HF_ERR_ARGS);
		assert_null(c);
		assert_false(service.up);
	}
	service_begin(200, "{}");
	assert_int_equal(dps_call_new(&c, SERVICE, &(struct hf_call){ "GET", "/x", NULL, "a\r\nb: c" }, NULL,
			     trust, &service.net, NULL, now, &err),
	    HF_ERR_ARGS);
}

static int
make(void **state)
{
	EVP_PKEY *key = make_key();
	X509 *ca = make_cert(&(struct cert_wish){ "test CA", 1, -1, 0, 4000000000 }, key, NULL, NULL);
	char *pem = make_pem(ca);
	int fd = mkstemp(trust), rc = fd < 0 || write(fd, pem, strlen(pem)) < 0;

	(void)state;
	close(fd);
	free(pem);
	X509_free(ca);
	EVP_PKEY_free(key);
	return rc;
}

static int
clean(void **state)
{
	(void)state;
	service_end(&service);
	return unlink(trust);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_body),
		cmocka_unit_test(what_cannot_be_enrolled),
		cmocka_unit_test(connection_strings),
		cmocka_unit_test(refusals_carry_the_codes),
		cmocka_unit_test(a_gateway_may_refuse_too),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(the_line_is_lost),
		cmocka_unit_test(silence_ends_after_half_a_minute),
		cmocka_unit_test(any_request),
		cmocka_unit_test(conflicts_are_explained),
		cmocka_unit_test(what_cannot_be_asked),
		cmocka_unit_test(freed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
