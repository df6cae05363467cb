#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "make_webhook.h"

static void
urls(void **state)
{
	static const char *const good[] = { "https://app.example",
		"https://app.example/api/f?code=a%2Fb==", "HTTPS://a:8443/", "https://a?x",
		"http://127.0.0.1/", "http://127.1.2.3:80/x", "http://localhost:7071/api/f",
		"http://[::1]:7071/", "https://[2001:db8::1]/x" };
	static const char *const bad[] = { "", "app.example", "ftp://127.0.0.1/", "http://app.example/",
		"http://128.0.0.1/", "http://localhost.example/", "https://", "https:///x",
		"https://user@app.example/", "https://a b/", "https://a/\r\nX: y", "https://a/#f",
		"https://a:0/", "https://a:x/", "https://a:70000/", "https://\xc3\xa4/",
		"http://127.0.0.1@evil.example/" };
	char *huge = calloc(1, 4000);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++)
		if (!webhook_is(good[i]))
			fail_msg("%s", good[i]);
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (webhook_is(bad[i]))
			fail_msg("%s", bad[i]);
	memset(huge, 'x', 3999);
	memcpy(huge, "https://a/", 10);
	assert_false(webhook_is(huge));
	free(huge);
}

static void
put_operation(struct made *m, const char *id)
{
	json_t *o = json_pack("{s:s}", "registrationId", "dev");

	assert_int_equal(registry_operation_put(m->e.registry, id, NOW + 600, o, &m->err), 0);
	json_decref(o);
}

static void
ask(struct made *m, const char *operation, const char *url)
{
	json_t *question = json_pack("{s:s}", "from", operation);

	webhook_ask(&m->e, operation, url, question);
	json_decref(question);
}

/* The answer that the operation has; waits for it. NULL: it does not come. */
static json_t *
answer_of(struct made *m, const char *operation)
{
	json_t *op, *answer = NULL;

	for (int i = 0; i < 500 && answer == NULL; i++) {
		hook_turn(m, 1);
		assert_int_equal(registry_operation(m->e.registry, operation, &op, &m->err), 1);
		answer = json_incref(json_object_get(op, "answer"));
		json_decref(op);
	}
	return answer;
}

static void
assert_error(struct made *m, const char *operation, const char *why)
{
	json_t *answer = answer_of(m, operation);
	const char *said = js_str(answer, "error", "nothing");

	if (!strstr(said, why) || strstr(said, "secret"))
		fail_msg("'%s' does not say '%s', or too much", said, why);
	json_decref(answer);
}

static void
asked_and_answered(void **state)
{
	struct made *m = *state;
	struct hook h;
	json_t *q, *a;

	hook_open(&h);
	put_operation(m, "4.a");
	ask(m, "4.a", h.url);
	ask(m, "4.a", h.url); /* that is being done already */
	q = hook_hear(m, &h);
	assert_string_equal(js_str(q, "from", ""), "4.a");
	assert_non_null(strstr(buf_str(&h.heard), "POST /api/f?code=secret HTTP/1.1\r\n"));
	assert_non_null(strstr(buf_str(&h.heard), "application/json"));
	assert_false(is_readable(h.door, 20));
	hook_say(m, &h, "200 OK", "{\"iotHubHostName\":\"x\"}");
	a = answer_of(m, "4.a");
	assert_int_equal(js_int(a, "status", 0), 200);
	assert_string_equal(js_str(js_get(a, "body"), "iotHubHostName", ""), "x");
	json_decref(q);
	json_decref(a);
	hook_close(&h);
}

static void
refusals(void **state)
{
	struct made *m = *state;
	struct hook h;
	json_t *a;

	hook_open(&h);
	put_operation(m, "4.a");
	put_operation(m, "4.b");
	ask(m, "4.a", h.url);
	json_decref(hook_hear(m, &h));
	hook_say(m, &h, "403 Forbidden", "<html>");
	a = answer_of(m, "4.a");
	assert_int_equal(js_int(a, "status", 0), 403);
	json_decref(a);
	ask(m, "4.b", h.url);
	json_decref(hook_hear(m, &h));
	hook_say(m, &h, "200 OK", "not JSON");
	assert_error(m, "4.b", "its answer");
	hook_close(&h);
}

static void
what_goes_wrong(void **state)
{
	struct made *m = *state;
	struct hook h;

	hook_open(&h);
	put_operation(m, "4.a");
	put_operation(m, "4.b");
	put_operation(m, "4.c");
	put_operation(m, "4.d");
	/* it hangs up */
	ask(m, "4.a", h.url);
	json_decref(hook_hear(m, &h));
	close(h.fd);
	h.fd = -1;
	buf_clear(&h.heard);
	assert_error(m, "4.a", "closed");
	/* it says what is not HTTP */
	ask(m, "4.b", h.url);
	json_decref(hook_hear(m, &h));
	assert_int_equal(write(h.fd, "rubbish\r\n\r\n", 11), 11);
	assert_error(m, "4.b", "127.0.0.1");
	close(h.fd);
	h.fd = -1;
	buf_clear(&h.heard);
	/* nobody is there any more */
	close(h.door);
	h.door = -1;
	ask(m, "4.c", h.url);
	assert_error(m, "4.c", "refused");
	/* a URL that somebody put into the registry by hand */
	ask(m, "4.d", "http://elsewhere.example/");
	assert_error(m, "4.d", "URL");
	hook_close(&h);
}

static void
silence(void **state)
{
	struct made *m = *state;
	struct hook h;

	hook_open(&h);
	m->e.now.ms = 5000;
	put_operation(m, "4.a");
	ask(m, "4.a", h.url);
	json_decref(hook_hear(m, &h));
	m->e.now.ms += 29999;
	for (int i = 0; i < 20; i++)
		hook_turn(m, 1);
	m->e.now.ms++;
	assert_error(m, "4.a", "30 s");
	hook_close(&h);
}

/* All at once, and one more than is possible: that one is for a later time. */
static void
many(void **state)
{
	struct made *m = *state;
	char id[16];
	struct hook h;
	int i, taken = 0;

	hook_open(&h);
	for (i = 0; i < 65; i++) {
		snprintf(id, sizeof id, "4.%d", i);
		put_operation(m, id);
		ask(m, id, h.url);
	}
	for (i = 0; i < 500 && taken < 64; i++) {
		hook_turn(m, 1);
		while (is_readable(h.door, 0)) {
			close(accept(h.door, NULL, NULL));
			taken++;
		}
	}
	for (i = 0; i < 64; i++) {
		snprintf(id, sizeof id, "4.%d", i);
		assert_error(m, id, "127.0.0.1");
	}
	assert_int_equal(taken, 64);
	ask(m, "4.64", h.url);
	json_decref(hook_hear(m, &h));
	hook_close(&h);
}

/* Over TLS, to who is not trusted: refused before anything is said. */
static void
tls(void **state)
{
	struct made *m = *state;
	char url[80];
	struct hook h;

	hook_open(&h);
	snprintf(url, sizeof url, "https%s", h.url + 4);
	put_operation(m, "4.a");
	strcpy(m->e.conf.webhook_trust, "/nowhere/ca.pem");
	ask(m, "4.a", url);
	assert_error(m, "4.a", "/nowhere/ca.pem");
	assert_false(is_readable(h.door, 20));
	hook_close(&h);
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		MADE(asked_and_answered),
		MADE(refusals),
		MADE(what_goes_wrong),
		MADE(silence),
		MADE(many),
		MADE(tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
