#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "msg/dps.h"

#define OPERATION "4.0123456789abcdef.11111111-2222-3333-4444-555555555555"

/* Takes the one packet that was said. It borrows the engine's bytes. */
static struct mqtt_event
said(struct mqtt *m, enum mqtt_type type)
{
	struct hf_error e = { 0 };
	struct mqtt_event ev;
	size_t n = buf_size(&m->engine.out);

	assert_int_equal(mqtt_get(buf_data(&m->engine.out), n, 65536, &ev, &e), n);
	assert_int_equal(ev.type, type);
	return ev;
}

static void
expect_text(struct mqtt_text t, const char *s)
{
	assert_int_equal(t.len, strlen(s));
	assert_memory_equal(t.p, s, t.len);
}

static void
says_who(void **state)
{
	struct dps_who w = { .scope = "0ne1", .id = "dev1" }, back;
	struct mqtt_event ev;
	struct hf_error e = { 0 };
	char token[] = "SharedAccessSignature sr=x";
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 0, 65536);
	assert_int_equal(dps_mqtt_put_who(&m, &w, 60), 0);
	ev = said(&m, MQTT_CONNECT);
	expect_text(ev.connect.client_id, "dev1");
	expect_text(ev.connect.user,
	    "0ne1/registrations/dev1/api-version=" DPS_API "&ClientVersion=holdfast%2F" HF_VERSION);
	assert_null(ev.connect.password.p);
	assert_int_equal(ev.connect.clean, 1);
	assert_int_equal(ev.connect.keep_alive, 60);
	mqtt_fini(&m);

	w.token = token;
	mqtt_init(&m, 0, 65536);
	assert_int_equal(dps_mqtt_put_who(&m, &w, 60), 0);
	ev = said(&m, MQTT_CONNECT);
	assert_int_equal(dps_mqtt_get_who(&ev.connect, &back, &e), 0);
	assert_string_equal(back.scope, "0ne1");
	assert_string_equal(back.id, "dev1");
	assert_string_equal(back.api, DPS_API);
	assert_string_equal(back.token, token);
	dps_who_fini(&back);
	mqtt_fini(&m);
}

/* Hears a username from a block of exactly its size. */
static int
hear_who(const char *client, const char *user, size_t n, struct dps_who *w)
{
	struct mqtt_connect c = { .client_id = { client, strlen(client) } };
	struct hf_error e = { 0 };
	char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, user, n);
	c.user = (struct mqtt_text){ copy, n };
	rc = dps_mqtt_get_who(&c, w, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	return rc;
}

static void
hears_every_client(void **state)
{
	static const struct {
		const char *client, *user, *id, *api;
	} row[] = {
		{ "dev1", "0ne1/registrations/dev1/api-version=2021-06-01&ClientVersion=1.15.0", "dev1",
		    "2021-06-01" },
		{ "dev1",
		    "0ne1/registrations/dev1/api-version=2019-03-31&ClientVersion=azure-iot-provisioning-device%2F1.9.2",
		    "dev1", "2019-03-31" },
		{ "Dev:1",
		    "0ne1/registrations/Dev:1/api-version=2019-03-31&ClientVersion=azure-iot-device-provisioning-py%2F2.14.0%28"
		    "3.11.2%3BLinux%3Bx86_64%29",
		    "Dev:1", "2019-03-31" },
		{ "dev1", "0ne1/registrations/dev1/api-version=2019-03-31", "dev1", "2019-03-31" },
		{ "dev1", "0ne1/registrations/dev1/ClientVersion=x&api-version=2025-07-01-preview", "dev1",
		    "2025-07-01-preview" },
		{ "DEV1", "0ne1/registrations/dev1/api-version=2017-11-15", "dev1", "2017-11-15" },
	};
	struct dps_who w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(hear_who(row[i].client, row[i].user, strlen(row[i].user), &w), 0);
		assert_string_equal(w.scope, "0ne1");
		assert_string_equal(w.id, row[i].id);
		assert_string_equal(w.api, row[i].api);
		assert_null(w.token);
	}
}

static void
refuses_who(void **state)
{
	static const char *const bad[] = { "", "0ne1", "0ne1/registrations", "0ne1/registrations/dev1",
		"0ne1/registrations/dev1/",
		"0ne1/registrations/dev1/api-version=", "0ne1/registrations/dev1/api-version=1",
		"0ne1/registrations/dev1/ClientVersion=1", "/registrations/dev1/api-version=2019-03-31",
		"0ne1/registrations//api-version=2019-03-31",
		"0ne1/registrations/dev2/api-version=2019-03-31", "0ne1/devices/dev1/api-version=2019-03-31",
		"hub.example/dev1/?api-version=2021-04-12",
		"0123456789012345678901234567890123456789012345678901234567890123456789/registrations/dev1/"
		"api-version=2019-03-31" };
	static const char good[] = "0ne1/registrations/dev1/api-version=2019-03-31";
	struct mqtt_connect c = {
		.client_id = { "dev1", 4 }, .user = { good, sizeof(good) - 1 }, .password = { "a\0b", 3 }
	};
	struct hf_error e = { 0 };
	struct dps_who w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hear_who("dev1", bad[i], strlen(bad[i]), &w), HF_ERR_PROTOCOL);
	for (i = 0; i < strlen(good); i++)
		assert_int_equal(hear_who("dev1", good, i, &w), HF_ERR_PROTOCOL);
	assert_int_equal(dps_mqtt_get_who(&c, &w, &e), HF_ERR_PROTOCOL);
	c.user.p = NULL;
	e = (struct hf_error){ 0 };
	assert_int_equal(dps_mqtt_get_who(&c, &w, &e), HF_ERR_PROTOCOL);
}

static void
says_requests(void **state)
{
	struct dps_request q = { .op = DPS_REGISTER, .rid = "7" }, back;
	struct hf_error e = { 0 };
	struct mqtt_event ev;
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 0, 65536);
	assert_int_equal(dps_mqtt_put_request(&m, &q, "dev1"), 0);
	ev = said(&m, MQTT_PUBLISH);
	expect_text(ev.publish.topic, "$dps/registrations/PUT/iotdps-register/?$rid=7");
	assert_int_equal(ev.publish.qos, 1);
	assert_int_equal(dps_mqtt_get_request(&ev.publish, &back, &e), 0);
	assert_int_equal(back.op, DPS_REGISTER);
	assert_string_equal(back.rid, "7");
	assert_string_equal(back.id, "dev1");
	dps_request_fini(&back);
	mqtt_fini(&m);

	q.op = DPS_POLL;
	strcpy(q.operation, OPERATION);
	mqtt_init(&m, 0, 65536);
	assert_int_equal(dps_mqtt_put_request(&m, &q, "dev1"), 0);
	ev = said(&m, MQTT_PUBLISH);
	expect_text(ev.publish.topic,
	    "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=7&operationId=" OPERATION);
	assert_int_equal(ev.publish.len, 0);
	assert_int_equal(dps_mqtt_get_request(&ev.publish, &back, &e), 0);
	assert_int_equal(back.op, DPS_POLL);
	assert_string_equal(back.operation, OPERATION);
	mqtt_fini(&m);
}

/* DPS takes no TPM over MQTT and has no look-up there. */
static void
says_no_tpm(void **state)
{
	struct dps_request q = { .op = DPS_REGISTER, .rid = "7" };
	char ek[] = "RUs=";
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 0, 65536);
	q.ek = ek;
	assert_int_equal(dps_mqtt_put_request(&m, &q, "dev1"), HF_ERR_UNSUPPORTED);
	q.ek = NULL;
	q.op = DPS_LOOKUP;
	assert_int_equal(dps_mqtt_put_request(&m, &q, "dev1"), HF_ERR_UNSUPPORTED);
	assert_int_equal(buf_size(&m.engine.out), 0);
	mqtt_fini(&m);
}

static int
hear_request(const char *topic, size_t n, const char *body, struct dps_request *q)
{
	struct mqtt_publish p = { .body = body, .len = strlen(body), .qos = 1 };
	struct hf_error e = { 0 };
	char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, topic, n);
	p.topic = (struct mqtt_text){ copy, n };
	rc = dps_mqtt_get_request(&p, q, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	return rc;
}

static void
hears_requests(void **state)
{
	static const struct {
		const char *topic, *body;
		enum dps_op op;
		const char *rid, *operation;
	} row[] = {
		{ "$dps/registrations/PUT/iotdps-register/?$rid=1", "{\"registrationId\":\"d\"}",
		    DPS_REGISTER, "1", "" },
		{ "$dps/registrations/PUT/iotdps-register/", "", DPS_REGISTER, "", "" },
		{ "$dps/registrations/PUT/iotdps-register/?$rid=", "", DPS_REGISTER, "", "" },
		{ "$dps/registrations/PUT/iotdps-register?$rid=a-b", "", DPS_REGISTER, "a-b", "" },
		{ "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=" OPERATION, " ",
		    DPS_POLL, "2", OPERATION },
		{ "$dps/registrations/GET/iotdps-get-operationstatus/?operationId=4%2E1&$rid=2",
		    "{\"registrationId\":", DPS_POLL, "2", "4.1" },
	};
	struct dps_request q;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(hear_request(row[i].topic, strlen(row[i].topic), row[i].body, &q), 0);
		assert_int_equal(q.op, row[i].op);
		assert_string_equal(q.rid, row[i].rid);
		assert_string_equal(q.operation, row[i].operation);
		dps_request_fini(&q);
	}
}

/* A fault of the request itself leaves what a refusal needs: op and $rid. */
static void
refuses_requests(void **state)
{
	static const char reg[] = "$dps/registrations/PUT/iotdps-register/?$rid=1";
	static const char *const nowhere[] = { "", "$dps", "$dps/registrations/res/202/?$rid=1",
		"$dps/registrations/PUT/iotdps-registe", "$dps/registrations/PUT/iotdps-register/x?$rid=1",
		"devices/d/messages/events/" };
	static const char *const poll[] = { "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=9",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=9&operationId=",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=9&operationId=%2",
		"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=9&operationId=a%00b" };
	struct dps_request q;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		assert_int_equal(hear_request(nowhere[i], strlen(nowhere[i]), "", &q), HF_ERR_PROTOCOL);
		assert_int_equal(q.op, 0);
	}
	for (i = 0; i < sizeof(poll) / sizeof(poll[0]); i++) {
		assert_int_equal(hear_request(poll[i], strlen(poll[i]), "", &q), HF_ERR_PROTOCOL);
		assert_int_equal(q.op, DPS_POLL);
		assert_string_equal(q.rid, "9");
	}
	assert_int_equal(hear_request(reg, strlen(reg), "{", &q), HF_ERR_PROTOCOL);
	assert_int_equal(q.op, DPS_REGISTER);
	assert_string_equal(q.rid, "1");
	for (i = 0; i < strlen(reg); i++) {
		if (hear_request(reg, i, "", &q) == 0)
			assert_true(i >= strlen("$dps/registrations/PUT/iotdps-register"));
	}
}

static void
says_replies(void **state)
{
	struct dps_reply r = {
		.status = 202, .rid = "7", .retry_after = 3, .operation = OPERATION, .state = "assigning"
	};
	struct dps_reply back;
	struct hf_error e = { 0 };
	struct mqtt_event ev;
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 1, 65536);
	assert_int_equal(dps_mqtt_put_reply(&m, &r, 1), 0);
	ev = said(&m, MQTT_PUBLISH);
	expect_text(ev.publish.topic, "$dps/registrations/res/202/?$rid=7&retry-after=3");
	assert_int_equal(ev.publish.qos, 1);
	assert_int_equal(dps_mqtt_get_reply(&ev.publish, &back, &e), 0);
	assert_int_equal(back.status, 202);
	assert_int_equal(back.retry_after, 3);
	assert_string_equal(back.rid, "7");
	assert_string_equal(back.operation, OPERATION);
	mqtt_fini(&m);

	r = (struct dps_reply){ .status = 401, .code = 401002, .message = "no" };
	mqtt_init(&m, 1, 65536);
	assert_int_equal(dps_mqtt_put_reply(&m, &r, 0), 0);
	ev = said(&m, MQTT_PUBLISH);
	expect_text(ev.publish.topic, "$dps/registrations/res/401/?$rid=");
	assert_true(ev.publish.len > 2);
	assert_int_equal(dps_mqtt_get_reply(&ev.publish, &back, &e), 0);
	assert_int_equal(back.code, 401002);
	mqtt_fini(&m);
}

static int
hear_reply(const char *topic, size_t n, const char *body, struct dps_reply *r)
{
	struct mqtt_publish p = { .body = body, .len = strlen(body), .qos = 1 };
	struct hf_error e = { 0 };
	char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, topic, n);
	p.topic = (struct mqtt_text){ copy, n };
	rc = dps_mqtt_get_reply(&p, r, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	return rc;
}

static void
hears_replies(void **state)
{
	static const char ok[] = "{\"operationId\":\"4.1\",\"status\":\"assigning\"}";
	static const struct {
		const char *topic;
		int status, retry_after;
		const char *rid;
	} row[] = {
		{ "$dps/registrations/res/202/?$rid=7&retry-after=3", 202, 3, "7" },
		{ "$dps/registrations/res/202/?retry-after=3&$rid=7", 202, 3, "7" },
		{ "$dps/registrations/res/202/?$rid=7&Retry-After=30", 202, 30, "7" },
		{ "$dps/registrations/res/200?$rid=7", 200, 0, "7" },
		{ "$dps/registrations/res/200/", 200, 0, "" },
		{ "$dps/registrations/res/202/?$rid=7&retry-after=soon", 202, 0, "7" },
		{ "$dps/registrations/res/202/?$rid=7&retry-after=99999999999999999999", 202, 0, "7" },
	};
	static const char *const bad[] = { "", "$dps/registrations/res/", "$dps/registrations/res//?$rid=7",
		"$dps/registrations/res/2x/?$rid=7", "$dps/registrations/res/99/?$rid=7",
		"$dps/registrations/res/600/?$rid=7", "$iothub/twin/res/200/?$rid=7" };
	struct dps_reply r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(hear_reply(row[i].topic, strlen(row[i].topic), ok, &r), 0);
		assert_int_equal(r.status, row[i].status);
		assert_int_equal(r.retry_after, row[i].retry_after);
		assert_string_equal(r.rid, row[i].rid);
		dps_reply_fini(&r);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hear_reply(bad[i], strlen(bad[i]), ok, &r), HF_ERR_PROTOCOL);
	for (i = 0; i < strlen(row[0].topic); i++)
		(void)hear_reply(row[0].topic, i, "{", &r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_who),
		cmocka_unit_test(hears_every_client),
		cmocka_unit_test(refuses_who),
		cmocka_unit_test(says_requests),
		cmocka_unit_test(says_no_tpm),
		cmocka_unit_test(hears_requests),
		cmocka_unit_test(refuses_requests),
		cmocka_unit_test(says_replies),
		cmocka_unit_test(hears_replies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
