/* Requests to the service REST API, answered without a wire. */
#ifndef MAKE_API_H
#define MAKE_API_H
#include "make_cert.h"
#include "make_emulator.h"

#define V "?api-version=2021-10-01"

struct call {
	struct http_message m;
	struct api_reply r;
	char *token;
};

static inline void
begin(struct call *c, const char *method, const char *target)
{
	memset(c, 0, sizeof *c);
	c->m.method = method;
	c->m.target = target;
	c->token = make_token(DPS, OWNER, NOW + 600, "provisioningserviceowner");
}

static inline void
header(struct call *c, const char *name, const char *value)
{
	c->m.header[c->m.header_count++] = (struct http_header){ name, value };
}

static inline void
ask(struct made *m, struct call *c)
{
	if (c->token)
		header(c, "authorization", c->token);
	api_answer(&m->e, &c->m, &c->r);
	assert_int_equal(strlen(c->r.request_id), 36);
}

static inline void
end(struct call *c)
{
	json_decref(c->r.body);
	free(c->token);
}

static inline void
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
static inline struct call
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

static inline void
expect(struct made *m, const char *method, const char *target, json_t *body, int status, const char *code)
{
	struct call c = request(m, method, target, body, NULL);

	if (status >= 300)
		assert_error(&c, status, code, "");
	else
		assert_int_equal(c.r.status, status);
	end(&c);
}

#endif
