/*
 * AMQP at either end. The first byte of the input is a seed, the chair (lowest bit) and a client's login (the next: SASL, or none); the rest
 * is what the peer sends. It goes in whole, and again in pieces cut by the seed while the clock goes on: both must tell the same story, unless
 * the peer said what it might have said a moment later, when it had heard us: Proton ends such a conversation.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "amqp/message.h"

#define MAX_MESSAGE 4096

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int fine)
{
	if (!fine)
		abort();
}

static void
note(struct buf *story, const char *text)
{
	must(buf_fmt(story, "%s;", text != NULL ? text : "-") == 0);
}

/* As a caller that answers everything. */
static void
answer(struct amqp *a, const struct amqp_event *ev, struct buf *story)
{
	const char *user, *password;
	struct hf_error err = { 0 };
	struct amqp_message m;
	struct buf copy = { 0 };
	char text[64];

	switch (ev->what) {
	case AMQP_SASL_INIT:
		note(story, ev->mechanism);
		(void)amqp_get_plain(&copy, ev->bytes, &user, &password, &err);
		buf_free(&copy);
		must(ev->bytes.len % 2 ? amqp_challenge(a, "\0", 1) == 0 : amqp_outcome(a, 0) == 0);
		return;
	case AMQP_SASL_RESPONSE:
		must(amqp_outcome(a, ev->bytes.len == 3) == 0);
		return;
	case AMQP_SASL_CHALLENGE:
		must(amqp_respond(a, ev->bytes.p, ev->bytes.len < 100 ? ev->bytes.len : 100) == 0);
		return;
	case AMQP_OPENED:
		note(story, ev->container);
		note(story, ev->text);
		must(!a->server || amqp_open(a, "server", NULL, NULL, 0) == 0);
		return;
	case AMQP_LINK:
		note(story, amqp_link_address(ev->link));
		(void)amqp_link_property(ev->link, "key", text, sizeof(text));
		note(story, text);
		if (ev->source == NULL && ev->target == NULL) {
			must(amqp_refuse(a, ev->link, "amqp:not-found", "nothing") == 0);
			return;
		}
		must(amqp_accept(a, ev->link) == 0);
		must(!ev->link->receiver || amqp_credit(a, ev->link, 10) == 0);
		return;
	case AMQP_CREDIT:
		(void)amqp_send(a, ev->link, "x", 1, NULL);
		return;
	case AMQP_MESSAGE:
		must(ev->bytes.len <= MAX_MESSAGE);
		(void)amqp_message_get(ev->bytes.p, ev->bytes.len, &m, &err);
		if (ev->bytes.len == 5)
			must(amqp_detach(a, ev->link, "amqp:not-allowed", "no") == 0);
		else if (ev->bytes.len % 3 == 0)
			must(amqp_reject(a, ev->link, ev->delivery, "amqp:not-allowed", "{}", 3) == 0);
		else
			must(amqp_settle(a, ev->link, ev->delivery, AMQP_RELEASED) == 0);
		return;
	default:
		return;
	}
}

static void
take_events(struct amqp *a, struct buf *story)
{
	struct amqp_event ev;
	int r;

	while ((r = amqp_next(a, &ev)) == 1) {
		if (ev.what != AMQP_CREDIT && ev.what != AMQP_SETTLED)
			must(buf_fmt(story, "%d:%.*s;", ev.what, (int)ev.bytes.len, ev.bytes.p) == 0);
		answer(a, &ev, story);
	}
	must(r == 0 || (r == a->engine.err.code && a->engine.err.text[0] != '\0'));
}

static void
begin(struct amqp *a, unsigned how)
{
	struct amqp_link *l;

	must(amqp_init(a, how & 1, MAX_MESSAGE) == 0);
	a->mechanisms = "TPM PLAIN";
	a->bare = 1;
	a->idle_ms = 100000;
	if (a->server)
		return;
	if (how & 2)
		must(amqp_sasl(a, "TPM", "abc", 3, "host") == 0);
	must(amqp_open(a, "client", "host", NULL, 0) == 0);
	l = amqp_attach(a, 1, "in", "address", NULL, 0);
	must(l != NULL && amqp_credit(a, l, 5) == 0);
	must(amqp_attach(a, 0, "out", "address", NULL, 0) != NULL);
}

static void
run(const uint8_t *p, size_t n, unsigned how, uint64_t seed, struct buf *story)
{
	struct coin coin = { seed };
	struct amqp a;
	int64_t now = 1;
	size_t piece;
	ssize_t took;

	begin(&a, how);
	while (n > 0) {
		must(a.engine.ops->tick(&a.engine, now) > 0);
		now += seed % 3;
		piece = seed == 0 ? n : 1 + coin_toss(&coin) % (n < 9 ? n : 9);
		took = a.engine.ops->in(&a.engine, p, piece);
		if (took < 0)
			break;
		p += took;
		n -= (size_t)took;
		take_events(&a, story);
		buf_clear(&a.engine.out);
	}
	(void)a.engine.ops->in(&a.engine, NULL, 0);
	take_events(&a, story);
	must(buf_fmt(story, "%d %s", a.engine.err.code, a.engine.err.text) == 0);
	amqp_fini(&a);
}

static int
too_early(struct buf *story)
{
	static const char words[] = "broke the protocol";

	return memmem(buf_data(story), buf_size(story), words, sizeof(words) - 1) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole = { 0 }, pieces = { 0 };

	if (n == 0)
		return 0;
	run(p + 1, n - 1, p[0], 0, &whole);
	run(p + 1, n - 1, p[0], p[0] + 1, &pieces);
	if (!too_early(&whole))
		must(buf_size(&whole) == buf_size(&pieces) &&
		     memcmp(buf_data(&whole), buf_data(&pieces), buf_size(&whole)) == 0);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
