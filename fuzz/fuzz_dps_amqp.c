/*
 * What DPS and a device, or put-token's two ends, say in AMQP: the first byte says as what the rest is read. What was read is put again, and must read the same.
 */
#include <stdlib.h>
#include <string.h>
#include "msg/dps.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int fine)
{
	if (!fine)
		abort();
}

static void
request(const uint8_t *p, size_t n)
{
	struct amqp_value correlation, other;
	struct hf_error err = { 0 };
	struct dps_request q, again;
	struct buf b = { 0 };

	if (dps_amqp_get_request(p, n, &q, &correlation, &err) == 0 &&
	    dps_amqp_put_request(&b, &q, q.id) == 0) {
		must(dps_amqp_get_request(buf_data(&b), buf_size(&b), &again, &other, &err) == 0);
		must(again.op == q.op && strcmp(again.rid, q.rid) == 0 &&
		     strcmp(again.operation, q.operation) == 0);
		dps_request_fini(&again);
	}
	dps_request_fini(&q);
	buf_free(&b);
}

static void
reply(const uint8_t *p, size_t n)
{
	struct hf_error err = { 0 };
	struct dps_reply r, again;
	struct buf b = { 0 };

	if (dps_amqp_get_reply(p, n, &r, &err) == 0 && dps_amqp_put_reply(&b, &r, NULL) == 0) {
		must(dps_amqp_get_reply(buf_data(&b), buf_size(&b), &again, &err) == 0);
		must(again.retry_after == r.retry_after && strcmp(again.state, r.state) == 0);
		dps_reply_fini(&again);
	}
	dps_reply_fini(&r);
	buf_free(&b);
}

static void
texts(const uint8_t *p, size_t n)
{
	char *s = malloc(n + 1);
	struct hf_error err = { 0 };
	struct dps_who who = { 0 };
	struct dps_reply r;
	char back[DPS_AMQP_ADDRESS];

	must(s != NULL);
	memcpy(s, p, n);
	s[n] = '\0';
	if (dps_amqp_get_address(s, &who, &err) == 0)
		must(dps_amqp_put_address(back, &who) == 0);
	if (dps_amqp_get_error("amqp:not-found", s, &r, &err) == 0)
		must(r.status >= 400 && r.message[0] != '\0');
	dps_reply_fini(&r);
	free(s);
}

static void
put_token(const uint8_t *p, size_t n)
{
	char description[100];
	struct hf_error err = { 0 };
	struct amqp_put_token t;
	struct buf b = { 0 };
	uint64_t id;
	int status;

	if (cbs_get(p, n, &t, &err) == 0) {
		must(cbs_put_reply(&b, &t.id, 200, "OK") == 0);
		err_clear(&err);
		must(cbs_get_reply(buf_data(&b), buf_size(&b), &id, &status, description, sizeof(description),
			 &err) == (t.id.type == AMQP_UINT ? 0 : HF_ERR_PROTOCOL));
	}
	buf_clear(&b);
	must(cbs_put(&b, n, "hub/devices/d", "token") == 0);
	err_clear(&err);
	must(cbs_get(buf_data(&b), buf_size(&b), &t, &err) == 0 && t.id.u == n);
	(void)cbs_get_reply(p, n, &id, &status, description, sizeof(description), &err);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const as[])(const uint8_t *, size_t) = { request, reply, texts, put_token };

	if (n > 0)
		as[p[0] & 3](p + 1, n - 1);
	return 0;
}
