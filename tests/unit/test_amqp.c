#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "amqp/amqp.h"

#define MAX	  (128 * 1024)
#define WHOLE	  SIZE_MAX
#define TOKEN	  "SharedAccessSignature sr=x"
#define SAY(a, s) hear(a, s, sizeof(s) - 1)

/* Two ends, and what they have told. */
struct pair {
	struct amqp client, server;
	size_t chunk;
	struct amqp_event last; /* of the client; its texts are copied below */
	char condition[128], description[256], address[128];
	int let_in, refused, opened, links, opens, messages, settled, detached, closed, credit;
	size_t length;
	enum amqp_outcome outcome;
	const char *answer; /* to SASL: what the server expects as its password */
	enum amqp_outcome verdict;
	struct amqp_link *peer; /* the server's last link */
	uint32_t delivery;
	int hold; /* the server does not settle */
};

static void
begin(struct pair *p, size_t chunk)
{
	memset(p, 0, sizeof(*p));
	p->chunk = chunk;
	p->verdict = AMQP_ACCEPTED;
	assert_int_equal(amqp_init(&p->client, 0, MAX), 0);
	assert_int_equal(amqp_init(&p->server, 1, MAX), 0);
	p->server.mechanisms = "TPM PLAIN EXTERNAL ANONYMOUS";
	p->server.bare = 1;
}

static void
end(struct pair *p)
{
	amqp_fini(&p->client);
	amqp_fini(&p->server);
}

static void
keep(char *dst, size_t n, const char *s)
{
	snprintf(dst, n, "%s", s != NULL ? s : "");
}

static void
log_in(struct pair *p, const struct amqp_event *ev)
{
	const char *user, *password;
	struct hf_error e = { 0 };
	struct buf copy = { 0 };
	int code = 0;

	if (strcmp(ev->mechanism, "PLAIN") == 0) {
		assert_int_equal(amqp_get_plain(&copy, ev->bytes, &user, &password, &e), 0);
		assert_string_equal(user, "who");
		code = strcmp(password, p->answer) != 0;
		buf_free(&copy);
	}
	if (strcmp(ev->mechanism, "TPM") == 0)
		assert_int_equal(amqp_challenge(&p->server, "\0", 1), 0);
	else
		assert_int_equal(amqp_outcome(&p->server, code), 0);
}

static void
server_event(struct pair *p, const struct amqp_event *ev)
{
	struct amqp *a = &p->server;

	switch (ev->what) {
	case AMQP_SASL_INIT:
		log_in(p, ev);
		return;
	case AMQP_SASL_RESPONSE:
		assert_int_equal(ev->bytes.len, 300);
		assert_int_equal(amqp_outcome(a, 0), 0);
		return;
	case AMQP_OPENED:
		assert_string_equal(ev->text, "dps");
		assert_int_equal(amqp_open(a, "emulator", NULL, NULL, 0), 0);
		return;
	case AMQP_LINK:
		p->peer = ev->link;
		p->links++;
		keep(p->address, sizeof(p->address), amqp_link_address(ev->link));
		if (strcmp(p->address, "nowhere") == 0) {
			assert_int_equal(amqp_refuse(a, ev->link, "amqp:not-found", "no such place"), 0);
			return;
		}
		assert_int_equal(amqp_accept(a, ev->link), 0);
		if (ev->link->receiver)
			assert_int_equal(amqp_credit(a, ev->link, 100), 0);
		return;
	case AMQP_MESSAGE:
		p->messages++;
		p->length = ev->bytes.len;
		p->delivery = ev->delivery;
		if (p->hold)
			return;
		if (p->verdict == AMQP_REJECTED)
			assert_int_equal(amqp_reject(a, ev->link, ev->delivery, "amqp:not-allowed",
					     "{\"errorCode\":400}", 3),
			    0);
		else
			assert_int_equal(amqp_settle(a, ev->link, ev->delivery, p->verdict), 0);
		return;
	default:
		return;
	}
}

static void
client_event(struct pair *p, const struct amqp_event *ev)
{
	static const char srk[300];

	p->last = *ev;
	if (ev->condition != NULL || ev->description != NULL) {
		keep(p->condition, sizeof(p->condition), ev->condition);
		keep(p->description, sizeof(p->description), ev->description);
	}
	p->let_in += ev->what == AMQP_LET_IN;
	p->refused += ev->what == AMQP_REFUSED;
	p->opened += ev->what == AMQP_OPENED;
	p->opens += ev->what == AMQP_LINK_OPEN;
	p->settled += ev->what == AMQP_SETTLED;
	p->detached += ev->what == AMQP_DETACHED;
	p->closed += ev->what == AMQP_CLOSED;
	if (ev->what == AMQP_CREDIT)
		p->credit = ev->credit;
	if (ev->what == AMQP_SETTLED)
		p->outcome = ev->outcome;
	if (ev->what == AMQP_SASL_CHALLENGE)
		assert_int_equal(amqp_respond(&p->client, srk, sizeof(srk)), 0);
	if (ev->what == AMQP_MESSAGE) {
		p->messages++;
		p->length = ev->bytes.len;
		assert_int_equal(amqp_settle(&p->client, ev->link, ev->delivery, AMQP_ACCEPTED), 0);
	}
}

static int
events(struct pair *p, struct amqp *a)
{
	struct amqp_event ev;
	int n = 0, r;

	while ((r = amqp_next(a, &ev)) == 1) {
		n++;
		if (a == &p->client)
			client_event(p, &ev);
		else
			server_event(p, &ev);
	}
	return n;
}

/* What one has said, at most `chunk` bytes at a time, in memory of exactly that size. */
static int
carry(struct pair *p, struct amqp *from, struct amqp *to)
{
	struct buf *b = &from->engine.out;
	size_t n = buf_size(b) < p->chunk ? buf_size(b) : p->chunk;
	uint8_t *exact = malloc(n + 1);
	ssize_t took = 0;

	assert_non_null(exact);
	if (n > 0) {
		memcpy(exact, buf_data(b), n);
		took = to->engine.ops->in(&to->engine, exact, n);
		buf_eat(b, took < 0 ? n : (size_t)took);
	}
	free(exact);
	return took > 0;
}

static void
run(struct pair *p)
{
	int moved = 1;

	while (moved) {
		moved = carry(p, &p->client, &p->server) | carry(p, &p->server, &p->client);
		moved |= events(p, &p->server) | events(p, &p->client);
	}
}

static void
open_client(struct pair *p)
{
	assert_int_equal(amqp_open(&p->client, "device", "dps", NULL, 0), 0);
}

static const size_t chunks[] = { WHOLE, 1, 7 };
#define EACH_CHUNK for (size_t i = 0; i < 3; i++)

static void
mechanisms(void **state)
{
	static const char *const names[] = { "EXTERNAL", "ANONYMOUS", "TPM", "PLAIN" };
	struct buf plain = { 0 };
	struct pair p;

	(void)state;
	assert_int_equal(amqp_put_plain(&plain, "who", "secret"), 0);
	EACH_CHUNK for (size_t k = 0; k < 4; k++)
	{
		begin(&p, chunks[i]);
		p.answer = "secret";
		assert_int_equal(amqp_sasl(&p.client, names[k], k == 3 ? buf_data(&plain) : NULL,
				     k == 3 ? buf_size(&plain) : 0, "here"),
		    0);
		open_client(&p);
		assert_int_equal(buf_size(&p.client.engine.out), 8); /* nothing of AMQP before the outcome */
		run(&p);
		assert_int_equal(p.let_in, 1);
		assert_int_equal(p.opened, 1);
		assert_string_equal(p.server.mechanism, names[k]);
		assert_string_equal(p.server.hostname, "here");
		end(&p);
	}
	buf_free(&plain);
}

static void
bare(void **state)
{
	struct pair p;

	(void)state;
	EACH_CHUNK
	{
		begin(&p, chunks[i]);
		open_client(&p);
		run(&p);
		assert_int_equal(p.let_in, 1);
		assert_int_equal(p.opened, 1);
		assert_string_equal(p.server.mechanism, "");
		end(&p);
	}
}

static void
wrong_password(void **state)
{
	struct buf plain = { 0 };
	struct pair p;

	(void)state;
	assert_int_equal(amqp_put_plain(&plain, "who", "guess"), 0);
	begin(&p, 1);
	p.answer = "secret";
	assert_int_equal(amqp_sasl(&p.client, "PLAIN", buf_data(&plain), buf_size(&plain), NULL), 0);
	open_client(&p);
	run(&p);
	assert_int_equal(p.refused, 1);
	assert_int_equal(p.last.code, 1);
	assert_int_equal(p.opened, 0);
	end(&p);
	buf_free(&plain);
}

static void
not_offered(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, WHOLE);
	assert_int_equal(amqp_sasl(&p.client, "GSSAPI", NULL, 0, NULL), 0);
	run(&p);
	assert_int_equal(p.refused, 1);
	assert_int_equal(p.last.code, -1);
	assert_string_equal(p.client.offered, "TPM PLAIN EXTERNAL ANONYMOUS");
	end(&p);
}

static void
hear(struct amqp *a, const char *bytes, size_t n)
{
	size_t at = 0;
	struct amqp_event ev;
	ssize_t took = 1;

	while (at < n && took > 0) {
		took = a->engine.ops->in(&a->engine, bytes + at, n - at);
		at += took > 0 ? (size_t)took : 0;
		while (amqp_next(a, &ev) == 1)
			continue;
	}
}

static void
broke(struct amqp *a, const char *words)
{
	struct amqp_event ev;

	assert_int_equal(amqp_next(a, &ev), HF_ERR_PROTOCOL);
	if (strstr(a->engine.err.text, words) == NULL)
		fail_msg("%s", a->engine.err.text);
	assert_int_equal(a->engine.ops->in(&a->engine, "x", 1), HF_ERR_PROTOCOL);
	assert_true(a->engine.ops->tick(&a->engine, 5) == NEVER);
	amqp_fini(a);
}

#define SASL_HEADER "AMQP\3\1\0\0"
#define AMQP_HEADER "AMQP\0\1\0\0"

static void
server(struct amqp *a)
{
	assert_int_equal(amqp_init(a, 1, MAX), 0);
	a->mechanisms = "PLAIN";
	a->bare = 1;
}

static void
bad_beginnings(void **state)
{
	struct amqp a;

	(void)state;
	server(&a);
	SAY(&a, "GET / HT");
	assert_memory_equal(buf_data(&a.engine.out), AMQP_HEADER, 8);
	broke(&a, "474554202F204854");
	server(&a);
	a.bare = 0;
	SAY(&a, AMQP_HEADER);
	assert_memory_equal(buf_data(&a.engine.out), SASL_HEADER, 8);
	broke(&a, "SASL's header");
	server(&a);
	a.mechanisms = NULL;
	SAY(&a, SASL_HEADER);
	broke(&a, "AMQP 1.0's header");
	server(&a);
	SAY(&a, SASL_HEADER "\0\0\x10\1\2\1\0\0");
	broke(&a, "frame of 4097 bytes, where 8 to 4096 are taken");
	server(&a);
	SAY(&a, SASL_HEADER "\0\0\0\x0b\2\1\0\0\0S\x40");
	broke(&a, "not a SASL frame");
	server(&a); /* init of a mechanism that is not offered */
	SAY(&a, SASL_HEADER "\0\0\0\x18\2\1\0\0\0SA\xc0\x0b\3\xa3\3TPM\xa0\1\0\x40\x40");
	broke(&a, "mechanism TPM, which is not offered");
}

static void
bad_frames(void **state)
{
	struct amqp a;

	(void)state;
	server(&a);
	SAY(&a, AMQP_HEADER "\0\0\0\7\2\0\0\0");
	broke(&a, "frame of 7 bytes");
	server(&a);
	SAY(&a, AMQP_HEADER "\0\1\0\1\2\0\0\0");
	broke(&a, "frame of 65537 bytes");
	server(&a);
	SAY(&a, AMQP_HEADER "\0\0\0\x08\3\0\0\0");
	broke(&a, "does not begin within it");
	server(&a);
	SAY(&a, AMQP_HEADER "\0\0\0\x0c\2\1\0\0\0S\x10\x45");
	broke(&a, "type 1");
	server(&a);
	SAY(&a, AMQP_HEADER "\0\0\0\x0c\2\0\0\0\0S\x55\x45");
	broke(&a, "nothing that AMQP knows");
	server(&a); /* lists in lists, without end */
	SAY(&a, AMQP_HEADER "\0\0\0\x1a\2\0\0\0\0S\x10\xc0\x0d\1\xc0\x0a\1\xc0\x07\1\xc0\4\1\xc0\5\1");
	broke(&a, "cannot be read");
	server(&a); /* a begin before an open */
	SAY(&a, AMQP_HEADER "\0\0\0\x0c\2\0\0\0\0S\x11\x45");
	broke(&a, "before its open");
}

static struct amqp_link *
attach(struct pair *p, int receiver, const char *address)
{
	static const struct amqp_property property[] = { { "com.microsoft:api-version", "2021-06-01" } };
	struct amqp_link *l =
	    amqp_attach(&p->client, receiver, receiver ? "in" : "out", address, property, 1);

	assert_non_null(l);
	return l;
}

static void
messages(void **state)
{
	char *big = calloc(1, MAX + 1), version[16];
	struct amqp_link *l;
	struct pair p;
	uint32_t id = 0;

	(void)state;
	assert_non_null(big);
	EACH_CHUNK
	{
		begin(&p, chunks[i]);
		open_client(&p);
		l = attach(&p, 0, "scope/registrations/id");
		assert_int_equal(amqp_may_send(&p.client, l), 0);
		assert_int_equal(amqp_send(&p.client, l, "x", 1, &id), HF_ERR_STATE);
		run(&p);
		assert_int_equal(p.opens, 1);
		assert_int_equal(p.credit, 100);
		assert_string_equal(p.address, "scope/registrations/id");
		assert_true(
		    amqp_link_property(p.peer, "com.microsoft:api-version", version, sizeof(version)));
		assert_string_equal(version, "2021-06-01");
		assert_false(amqp_link_property(p.peer, "com.microsoft:other", version, sizeof(version)));
		for (enum amqp_outcome o = AMQP_ACCEPTED; o <= AMQP_MODIFIED; o++) {
			p.verdict = o;
			assert_int_equal(amqp_send(&p.client, l, big, MAX, &id), 0);
			run(&p);
			assert_int_equal(p.length, MAX);
			assert_int_equal(p.settled, o);
			assert_int_equal(p.outcome, o);
			assert_int_equal(p.last.delivery, id);
		}
		assert_string_equal(p.condition, "amqp:not-allowed");
		assert_string_equal(p.description, "{\"errorCode\":400}");
		end(&p);
	}
	free(big);
}

static void
to_client(void **state)
{
	struct amqp_link *l;
	struct pair p;

	(void)state;
	EACH_CHUNK
	{
		begin(&p, chunks[i]);
		open_client(&p);
		l = attach(&p, 1, "answers");
		assert_int_equal(amqp_credit(&p.client, l, 2), 0);
		run(&p);
		assert_int_equal(amqp_may_send(&p.server, p.peer), 2);
		assert_int_equal(amqp_send(&p.server, p.peer, "hello", 5, NULL), 0);
		assert_int_equal(amqp_send(&p.server, p.peer, "again", 5, NULL), 0);
		assert_int_equal(amqp_send(&p.server, p.peer, "more", 4, NULL), HF_ERR_STATE);
		run(&p);
		assert_int_equal(p.messages, 2);
		end(&p);
	}
}

static void
too_long(void **state)
{
	char *big = calloc(1, MAX + 1);
	struct amqp_link *l;
	struct pair p;

	(void)state;
	begin(&p, 10000);
	open_client(&p);
	l = attach(&p, 0, "a");
	run(&p);
	assert_int_equal(amqp_send(&p.client, l, big, MAX + 1, NULL), 0);
	run(&p);
	assert_int_equal(p.messages, 0);
	assert_int_equal(p.detached, 1);
	assert_string_equal(p.condition, "amqp:link:message-size-exceeded");
	assert_int_equal(p.client.link_count, 0);
	assert_int_equal(p.server.link_count, 0);
	end(&p);
	free(big);
}

static void
detaches(void **state)
{
	struct amqp_link *l;
	struct pair p;

	(void)state;
	EACH_CHUNK
	{
		begin(&p, chunks[i]);
		open_client(&p);
		(void)attach(&p, 0, "nowhere");
		run(&p);
		assert_int_equal(p.opens, 0);
		assert_int_equal(p.detached, 1);
		assert_string_equal(p.condition, "amqp:not-found");
		assert_string_equal(p.description, "no such place");
		l = attach(&p, 1, "answers");
		run(&p);
		assert_int_equal(amqp_detach(&p.server, p.peer, "amqp:link:detach-forced", "go"), 0);
		run(&p);
		assert_int_equal(p.detached, 2);
		assert_string_equal(p.condition, "amqp:link:detach-forced");
		l = attach(&p, 0, "again");
		run(&p);
		assert_int_equal(amqp_detach(&p.client, l, NULL, NULL), 0);
		run(&p);
		assert_int_equal(p.client.link_count, 0);
		assert_int_equal(p.server.link_count, 0);
		end(&p);
	}
}

static void
closes(void **state)
{
	struct pair p;

	(void)state;
	EACH_CHUNK
	{
		begin(&p, chunks[i]);
		open_client(&p);
		(void)attach(&p, 0, "a");
		run(&p);
		assert_int_equal(amqp_close(&p.server, "amqp:unauthorized-access", "not you"), 0);
		run(&p);
		assert_int_equal(p.closed, 1);
		assert_string_equal(p.condition, "amqp:unauthorized-access");
		assert_string_equal(p.description, "not you");
		end(&p);
	}
}

/* One that Microsoft's C SDK has invented: it stands in the transfer, behind handle, id and tag; ours says none. */
static void
formats(void **state)
{
	static const char word[] = { 0x70, (char)0x80, 1, 0x37, 0 };
	struct amqp_event ev;
	struct amqp_link *l;
	struct buf frames = { 0 };
	struct pair p;
	int seen = 0;

	(void)state;
	begin(&p, WHOLE);
	open_client(&p);
	l = attach(&p, 0, "a");
	run(&p);
	for (int i = 0; i < 4; i++) {
		const uint8_t *b;
		size_t n, at;

		assert_int_equal(amqp_send(&p.client, l, i % 2 ? "odd" : "even", i % 2 ? 3 : 4, NULL), 0);
		b = buf_data(&p.client.engine.out);
		n = buf_size(&p.client.engine.out);
		/* size, head, 00 53 14 C0 size count, handle 43, id, tag A0 04 ...., format */
		assert_int_equal(b[14], 0x43);
		at = b[15] == 0x43 ? 16 : 17;
		assert_int_equal(b[at], 0xA0);
		at += 6;
		assert_int_equal(b[at], 0x43);
		if (i % 2) {
			assert_int_equal(buf_put32(&frames, (uint32_t)n + 4), 0);
			assert_int_equal(buf_put(&frames, b + 4, 8), 0);
			assert_int_equal(buf_putc(&frames, b[12] + 4), 0);
			assert_int_equal(buf_put(&frames, b + 13, at - 13), 0);
			assert_int_equal(buf_put(&frames, word, sizeof(word)), 0);
			assert_int_equal(buf_put(&frames, b + at + 1, n - at - 1), 0);
		} else
			assert_int_equal(buf_put(&frames, b, n), 0);
		buf_clear(&p.client.engine.out);
	}
	while (buf_size(&frames) > 0) {
		buf_eat(&frames,
		    (size_t)p.server.engine.ops->in(&p.server.engine, buf_data(&frames), buf_size(&frames)));
		while (amqp_next(&p.server, &ev) == 1) {
			assert_int_equal(ev.what, AMQP_MESSAGE);
			assert_int_equal(ev.bytes.len, seen % 2 ? 3 : 4);
			assert_int_equal(ev.format, seen % 2 ? 0x80013700 : 0);
			seen++;
		}
	}
	assert_int_equal(seen, 4);
	buf_free(&frames);
	end(&p);
}

static void
ends(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, WHOLE);
	open_client(&p);
	run(&p);
	assert_int_equal(p.client.engine.ops->in(&p.client.engine, "\0\0", 2), 2);
	assert_int_equal(p.client.engine.ops->in(&p.client.engine, NULL, 0), 0);
	run(&p);
	assert_int_equal(p.closed, 1);
	assert_int_equal(p.client.engine.err.code, HF_ERR_NET);
	end(&p);
}

static void
silence(void **state)
{
	struct amqp_event ev;
	struct pair p;
	int64_t at;

	(void)state;
	begin(&p, WHOLE);
	p.client.idle_ms = 60000; /* announced: 30 s */
	p.client.engine.ops->tick(&p.client.engine, 1000);
	p.server.engine.ops->tick(&p.server.engine, 1000);
	open_client(&p);
	run(&p);
	p.client.engine.ops->tick(&p.client.engine, 1000);
	at = p.server.engine.ops->tick(&p.server.engine, 1000);
	assert_in_range(at, 2000, 31000);
	p.server.engine.ops->tick(&p.server.engine, at);
	assert_int_equal(buf_size(&p.server.engine.out), 8); /* an empty frame */
	run(&p);
	p.client.engine.ops->tick(&p.client.engine, at);
	p.client.engine.ops->tick(&p.client.engine, at + 59000);
	assert_int_equal(amqp_next(&p.client, &ev), 0);
	p.client.engine.ops->tick(&p.client.engine, at + 61000);
	assert_int_equal(amqp_next(&p.client, &ev), HF_ERR_TIMEOUT);
	assert_string_equal(p.client.engine.err.text, "the AMQP server was silent for more than 60 s");
	end(&p);
}

static void
limits(void **state)
{
	struct pair p;
	char name[16];

	(void)state;
	begin(&p, WHOLE);
	open_client(&p);
	for (int i = 0; i < AMQP_LINKS; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		assert_non_null(amqp_attach(&p.client, 0, name, "a", NULL, 0));
	}
	assert_null(amqp_attach(&p.client, 0, "more", "a", NULL, 0));
	run(&p);
	assert_int_equal(p.opens, AMQP_LINKS);
	end(&p);
}

/* Whoever does not listen is not sent more. */
static void
back_pressure(void **state)
{
	static char big[60000];
	struct amqp_link *l;
	struct pair p;
	int n = 0, r;

	(void)state;
	begin(&p, WHOLE);
	open_client(&p);
	l = attach(&p, 0, "a");
	run(&p);
	while ((r = amqp_send(&p.client, l, big, sizeof(big), NULL)) == 0)
		n++;
	assert_int_equal(r, HF_ERR_STATE);
	assert_int_equal(n, 5);
	run(&p);
	assert_int_equal(p.messages, 5);
	assert_int_equal(p.settled, 5);
	assert_int_equal(amqp_send(&p.client, l, big, sizeof(big), NULL), 0);
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(mechanisms), cmocka_unit_test(bare),
		cmocka_unit_test(wrong_password), cmocka_unit_test(not_offered),
		cmocka_unit_test(bad_beginnings), cmocka_unit_test(bad_frames), cmocka_unit_test(messages),
		cmocka_unit_test(to_client), cmocka_unit_test(too_long), cmocka_unit_test(detaches),
		cmocka_unit_test(closes), cmocka_unit_test(formats), cmocka_unit_test(ends),
		cmocka_unit_test(silence), cmocka_unit_test(limits), cmocka_unit_test(back_pressure) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
