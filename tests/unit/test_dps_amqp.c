#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "msg/dps.h"

#define OPERATION "4.0123456789abcdef.11111111-2222-3333-4444-555555555555"

static void
address(void **state)
{
	static const char *const good[] = { "0ne1/registrations/dev:1", "/0ne1/registrations/dev:1",
		"amqps://global.azure-devices-provisioning.net/0ne1/registrations/dev:1",
		"0ne1/Registrations/dev:1" };
	static const char *const bad[] = { "", "/", "0ne1", "0ne1/registrations", "0ne1/registrations/",
		"0ne1/registration/dev", "/registrations/dev", "0ne1/registrations/dev/more", "amqps://host",
		"//registrations/dev" };
	struct dps_who who = { .scope = "0ne1", .id = "dev:1" };
	char text[DPS_AMQP_ADDRESS];
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(dps_amqp_put_address(text, &who), 0);
	assert_string_equal(text, good[0]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		memset(&who, 0, sizeof(who));
		assert_int_equal(dps_amqp_get_address(good[i], &who, &e), 0);
		assert_string_equal(who.scope, "0ne1");
		assert_string_equal(who.id, "dev:1");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		assert_int_equal(dps_amqp_get_address(bad[i], &who, &e), HF_ERR_PROTOCOL);
	}
	err_clear(&e);
	assert_int_equal(dps_amqp_get_address(NULL, &who, &e), HF_ERR_PROTOCOL);
}

static void
requests(void **state)
{
	struct dps_request q = { .op = DPS_REGISTER, .rid = "7" }, got;
	struct amqp_value correlation;
	struct hf_error e = { 0 };
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(str_set(&q.ek, "RUs="), 0);
	assert_int_equal(str_set(&q.srk, "U1JL"), 0);
	assert_int_equal(str_set(&q.payload, "{\"a\":1}"), 0);
	assert_int_equal(dps_amqp_put_request(&b, &q, "dev"), 0);
	assert_int_equal(dps_amqp_get_request(buf_data(&b), buf_size(&b), &got, &correlation, &e), 0);
	assert_int_equal(got.op, DPS_REGISTER);
	assert_string_equal(got.rid, "7");
	assert_string_equal(got.id, "dev");
	assert_string_equal(got.ek, "RUs=");
	assert_string_equal(got.srk, "U1JL");
	assert_string_equal(got.payload, "{\"a\":1}");
	dps_request_fini(&got);
	dps_request_fini(&q);
	buf_clear(&b);
	q = (struct dps_request){ .op = DPS_POLL, .rid = "8", .operation = OPERATION };
	assert_int_equal(dps_amqp_put_request(&b, &q, "dev"), 0);
	assert_int_equal(dps_amqp_get_request(buf_data(&b), buf_size(&b), &got, &correlation, &e), 0);
	assert_int_equal(got.op, DPS_POLL);
	assert_string_equal(got.operation, OPERATION);
	/* Every shorter one is refused, or means something else: none is read beyond its end. */
	for (size_t n = 0; n < buf_size(&b); n++) {
		uint8_t *exact = malloc(n + 1);

		assert_non_null(exact);
		memcpy(exact, buf_data(&b), n);
		err_clear(&e);
		(void)dps_amqp_get_request(exact, n, &got, &correlation, &e);
		dps_request_fini(&got);
		free(exact);
	}
	q.op = DPS_LOOKUP;
	assert_int_equal(dps_amqp_put_request(&b, &q, "dev"), HF_ERR_UNSUPPORTED);
	buf_free(&b);
}

/* As Microsoft's SDK for Node writes them: a correlation id that looks like a UUID is one, the poll's body is an empty text. */
static void
strangers_request(void **state)
{
	static const char poll[] = "\0\x53\x73\xc0\x17\6\x40\x40\x40\x40\x40\x98"
				   "0123456789abcdef"
				   "\0\x53\x74\xc1\x39\4"
				   "\xa1\x15iotdps-operation-type\xa1\x05other"
				   "\xa1\x13iotdps-operation-id\xa1\3op1"
				   "\0\x53\x77\xa1\0";
	struct dps_request got;
	struct amqp_value correlation;
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(
	    dps_amqp_get_request(poll, sizeof(poll) - 1, &got, &correlation, &e), HF_ERR_PROTOCOL);
	assert_non_null(strstr(e.text, "no such iotdps-operation-type"));
	assert_int_equal(correlation.type, AMQP_UUID);
	assert_string_equal(got.rid, "");
}

static void
replies(void **state)
{
	struct dps_reply r = { .status = 202,
		.retry_after = 3,
		.operation = OPERATION,
		.state = "assigning" },
			 got;
	struct buf b = { 0 }, id = { 0 };
	struct amqp_value correlation;
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(amqp_put_string(&id, "9", 1), 0);
	assert_int_equal(amqp_get(buf_data(&id), buf_size(&id), &correlation), 3);
	assert_int_equal(dps_amqp_put_reply(&b, &r, &correlation), 0);
	assert_int_equal(dps_amqp_get_reply(buf_data(&b), buf_size(&b), &got, &e), 0);
	assert_int_equal(got.status, 202);
	assert_int_equal(got.retry_after, 3);
	assert_string_equal(got.rid, "9");
	assert_string_equal(got.operation, OPERATION);
	dps_reply_fini(&got);
	buf_clear(&b);
	r = (struct dps_reply){ .status = 200,
		.operation = OPERATION,
		.state = "assigned",
		.id = "dev",
		.hub = "hub",
		.device = "d" };
	assert_int_equal(dps_amqp_put_reply(&b, &r, NULL), 0);
	assert_int_equal(dps_amqp_get_reply(buf_data(&b), buf_size(&b), &got, &e), 0);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.retry_after, 0);
	assert_string_equal(got.hub, "hub");
	dps_reply_fini(&got);
	assert_int_equal(dps_amqp_get_reply("x", 1, &got, &e), HF_ERR_PROTOCOL);
	buf_free(&b);
	buf_free(&id);
}

/* A number may be a text, and the name be written with capitals. */
static void
retry_after(void **state)
{
	struct amqp_pairs words = { 0 };
	struct amqp_message m = { .put_application = &words,
		.data = { "{\"operationId\":\"o\",\"status\":\"assigning\"}", 40 } };
	struct dps_reply got;
	struct hf_error e = { 0 };
	struct buf b = { 0 };

	(void)state;
	amqp_pair_text(&words, "Retry-After", "12");
	assert_int_equal(amqp_message_put(&b, &m), 0);
	assert_int_equal(dps_amqp_get_reply(buf_data(&b), buf_size(&b), &got, &e), 0);
	assert_int_equal(got.retry_after, 12);
	dps_reply_fini(&got);
	buf_free(&words.b);
	buf_free(&b);
}

static void
errors(void **state)
{
	static const struct {
		int status, code, heard;
		const char *condition;
	} rows[] = { { 401, 401002, 401, "amqp:unauthorized-access" }, { 404, 404201, 404, "amqp:not-found" },
		{ 429, 429001, 429, "com.microsoft:device-container-throttled" },
		{ 500, 500000, 500, "amqp:internal-error" }, { 503, 503000, 503, "amqp:internal-error" },
		{ 400, 400004, 400, "amqp:not-allowed" }, { 409, 409203, 409, "amqp:not-allowed" } };
	struct dps_reply got;
	struct hf_error e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dps_reply r = { .status = rows[i].status, .code = rows[i].code, .message = "no" };
		struct buf b = { 0 };

		assert_string_equal(dps_amqp_put_error(&b, &r), rows[i].condition);
		assert_int_equal(dps_amqp_get_error(rows[i].condition, buf_str(&b), &got, &e), 0);
		assert_int_equal(got.status, rows[i].heard);
		assert_int_equal(got.code, rows[i].code);
		assert_string_equal(got.message, "no");
		dps_reply_fini(&got);
		buf_free(&b);
	}
	assert_int_equal(dps_amqp_get_error("amqp:not-found", NULL, &got, &e), 0);
	assert_int_equal(got.status, 404);
	assert_string_equal(got.message, "amqp:not-found");
	assert_int_equal(dps_amqp_get_error(NULL, "gone\nfishing", &got, &e), 0);
	assert_int_equal(got.status, 400);
	assert_string_equal(got.message, "gone fishing");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(address), cmocka_unit_test(requests),
		cmocka_unit_test(strangers_request), cmocka_unit_test(replies), cmocka_unit_test(retry_after),
		cmocka_unit_test(errors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
