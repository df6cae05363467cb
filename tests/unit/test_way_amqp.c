/* A device's side of a hub over AMQP, and a hub in the other chair that answers as each test wants; the clock is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "amqp/amqp.h"
#include "amqp/message.h"
#include "base/str.h"
#include "hub/way.h"

#define SEEN 200

static struct world {
	size_t chunk;
	int early, certificate;
	struct hub_who who;
	struct hub_way *way;
	struct amqp hub;
	int64_t now;
	int no_open, no_attach, no_reply, no_credit,
	    status; /* what the hub does not do; what it says of a token */
	struct amqp_link *asks, *replies, *events, *bound; /* as the hub has them */
	int puts, closed, bound_credit;
	char token[100], name[300];
	uint32_t seen[SEEN]; /* deliveries of events, and their bodies */
	char body[SEEN][16];
	size_t count;
	enum amqp_outcome said; /* of the last message to the device */
	int answers;
	struct hub_way_event ev;
} w;

static void
open_way(void)
{
	struct hub_way_settings s = { .who = &w.who, .early = w.early };

	assert_int_equal(hub_way_amqp(&w.way, &s), 0);
	assert_int_equal(amqp_init(&w.hub, 1, 400000), 0);
	w.hub.bare = 1;
	w.hub.idle_ms = 120000;
	assert_true(w.way->answers);
	assert_false(w.way->locks || w.way->asks);
}

static void
begin_as(size_t chunk, int certificate, int early)
{
	memset(&w, 0, sizeof(w));
	w.chunk = chunk;
	w.now = 1000;
	w.status = 200;
	w.early = early;
	w.certificate = certificate;
	(void)str_fmt(w.who.host, sizeof(w.who.host), "hub.example");
	(void)str_fmt(w.who.device, sizeof(w.who.device), "lamp");
	if (!certificate)
		assert_int_equal(str_set(&w.who.token, "SharedAccessSignature one"), 0);
	open_way();
}

static void
begin(size_t chunk)
{
	begin_as(chunk, 0, 0);
}

static void
hang_up(void)
{
	w.way->ops->free(w.way);
	amqp_fini(&w.hub);
	w.asks = w.replies = w.events = w.bound = NULL;
}

static void
end(void)
{
	hang_up();
	hub_who_fini(&w.who);
	hub_c2d_fini(&w.ev.c2d);
}

static size_t
carry(struct engine *from, struct engine *to)
{
	size_t n = buf_size(&from->out);
	ssize_t took;

	if (w.chunk != 0 && n > w.chunk)
		n = w.chunk;
	if (n == 0)
		return 0;
	took = to->ops->in(to, buf_data(&from->out), n);
	if (took <= 0)
		return 0;
	buf_eat(&from->out, (size_t)took);
	return (size_t)took;
}

/* the hub */

static void
attached(struct amqp_link *l)
{
	const char *address = amqp_link_address(l);
	int cbs = strcmp(address, "$cbs") == 0;

	if (cbs && l->receiver)
		w.asks = l;
	else if (cbs)
		w.replies = l;
	else if (l->receiver)
		w.events = l;
	else
		w.bound = l;
	assert_string_equal(address, cbs	   ? "$cbs"
				     : l->receiver ? "/devices/lamp/messages/events"
						   : "/devices/lamp/messages/devicebound");
	if (w.no_attach)
		return;
	assert_int_equal(amqp_accept(&w.hub, l), 0);
	if (l->receiver && !(w.no_credit && l == w.events))
		assert_int_equal(amqp_credit(&w.hub, l, 50), 0);
}

static void
reply(const struct amqp_value *id, int status)
{
	struct buf b = { 0 };

	assert_int_equal(cbs_put_reply(&b, id, status, "as I said"), 0);
	assert_int_equal(amqp_send(&w.hub, w.replies, buf_data(&b), buf_size(&b), NULL), 0);
	buf_free(&b);
}

static void
put(const struct amqp_event *in)
{
	struct amqp_put_token t;
	struct hf_error e = { 0 };

	assert_int_equal(cbs_get(in->bytes.p, in->bytes.len, &t, &e), 0);
	(void)str_fmt(w.token, sizeof(w.token), "%.*s", (int)t.token.len, t.token.p);
	(void)str_fmt(w.name, sizeof(w.name), "%s", t.name);
	w.puts++;
	assert_int_equal(amqp_settle(&w.hub, in->link, in->delivery, AMQP_ACCEPTED), 0);
	if (!w.no_reply)
		reply(&t.id, w.status);
}

static void
event_came(const struct amqp_event *in)
{
	struct hub_event v;
	struct hf_error e = { 0 };
	struct buf body = { 0 };

	assert_true(w.count < SEEN);
	assert_int_equal(hub_amqp_get_event(in->bytes.p, in->bytes.len, &v, &body, &e), 0);
	(void)str_fmt(
	    w.body[w.count], sizeof(w.body[0]), "%.*s", (int)(v.len < 15 ? v.len : 15), (const char *)v.body);
	w.seen[w.count++] = in->delivery;
	hub_event_fini(&v);
	buf_free(&body);
}

static void
hub_hears(const struct amqp_event *in)
{
	switch (in->what) {
	case AMQP_OPENED:
		assert_string_equal(in->text, "hub.example");
		assert_string_equal(in->container, "lamp");
		if (!w.no_open)
			assert_int_equal(amqp_open(&w.hub, "hub", NULL, NULL, 0), 0);
		return;
	case AMQP_LINK:
		attached(in->link);
		return;
	case AMQP_MESSAGE:
		if (in->link == w.asks)
			put(in);
		else
			event_came(in);
		return;
	case AMQP_CREDIT:
		if (in->link == w.bound)
			w.bound_credit = in->credit;
		return;
	case AMQP_SETTLED:
		if (in->link == w.bound) {
			w.said = in->outcome;
			w.answers++;
		}
		return;
	case AMQP_CLOSED:
		w.closed = 1;
		return;
	default:
		return;
	}
}

static int
next(void)
{
	hub_c2d_fini(&w.ev.c2d);
	memset(&w.ev, 0, sizeof(w.ev));
	return w.way->ops->next(w.way, &w.ev);
}

/* Moves what can move until the way tells something: what next() answered. */
static int
turn(void)
{
	struct amqp_event in;
	size_t moved;
	int rc;

	do {
		(void)w.way->engine->ops->tick(w.way->engine, w.now);
		(void)w.hub.engine.ops->tick(&w.hub.engine, w.now);
		moved = carry(w.way->engine, &w.hub.engine);
		while (amqp_next(&w.hub, &in) == 1) {
			hub_hears(&in);
			moved++;
		}
		moved += carry(&w.hub.engine, w.way->engine);
		if ((rc = next()) != 0)
			return rc;
	} while (moved > 0);
	return 0;
}

static void
told(enum hub_way_what what)
{
	assert_int_equal(turn(), 1);
	assert_int_equal(w.ev.what, what);
}

static void
told_id(enum hub_way_what what, uint16_t id)
{
	told(what);
	assert_int_equal(w.ev.id, id);
}

static void
silent(void)
{
	assert_int_equal(turn(), 0);
}

static void
says(const char *words)
{
	if (strstr(w.ev.err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", w.ev.err.text, words);
}

static void
open_up(size_t chunk)
{
	begin(chunk);
	told(HUB_WAY_OPENED);
}

static int
send(const char *body, uint16_t id)
{
	struct hub_event v = { .body = body, .len = strlen(body) };

	return w.way->ops->send(w.way, &v, id, 0);
}

static void
settle(size_t i, enum amqp_outcome how)
{
	assert_int_equal(amqp_settle(&w.hub, w.events, w.seen[i], how), 0);
}

static void
reject(size_t i, const char *condition, const char *description)
{
	assert_int_equal(amqp_reject(&w.hub, w.events, w.seen[i], condition, description, 0), 0);
}

static const size_t chunks[] = { 0, 1, 7, 1000 };
#define EACH_CHUNK(i) for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)

/* the tests */

static void
opens_with_a_token(void **state)
{
	(void)state;
	EACH_CHUNK(i)
	{
		begin(chunks[i]);
		assert_int_equal(send("too early", 1), 0);
		told(HUB_WAY_OPENED);
		assert_int_equal(w.puts, 1);
		assert_string_equal(w.token, "SharedAccessSignature one");
		assert_string_equal(w.name, "hub.example/devices/lamp");
		silent();
		w.way->ops->bye(w.way);
		told(HUB_WAY_LOST);
		assert_int_equal(w.closed, 1);
		end();
	}
}

static void
opens_with_a_certificate(void **state)
{
	(void)state;
	EACH_CHUNK(i)
	{
		begin_as(chunks[i], 1, 0);
		told(HUB_WAY_OPENED);
		assert_int_equal(w.puts, 0);
		assert_int_equal(w.way->ops->renew(w.way), 0);
		silent();
		assert_int_equal(w.puts, 0);
		assert_null(w.asks);
		end();
	}
}

static void
what_does_not_come_does_not_open(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		begin(0);
		w.no_open = i == 0;
		w.no_attach = i == 1;
		w.no_reply = i == 2;
		w.no_credit = i == 3;
		silent();
		assert_int_equal(w.puts, i > 1);
		assert_int_equal(send("x", 1), 0);
		end();
	}
}

/* What is said early counts only once the token is believed. */
static void
early(void **state)
{
	struct amqp_value one = { .type = AMQP_UINT, .u = 1 };
	struct buf key = { 0 };

	(void)state;
	assert_int_equal(amqp_put_ulong(&key, 1), 0);
	one.whole = buf_data(&key);
	one.whole_len = buf_size(&key);
	for (int i = 0; i < 2; i++) {
		begin_as(0, 0, 1);
		w.no_reply = 1;
		silent();
		assert_int_equal(w.puts, 1);
		assert_non_null(w.events);
		assert_int_equal(send("a", 1), 1);
		silent();
		assert_int_equal(w.count, 1);
		settle(0, AMQP_ACCEPTED);
		told_id(HUB_WAY_SENT, 1);
		reply(&one, i == 0 ? 200 : 401);
		told(i == 0 ? HUB_WAY_OPENED : HUB_WAY_REFUSED);
		end();
	}
	buf_free(&key);
}

static void
a_token_is_not_taken(void **state)
{
	static const struct {
		int status;
		enum hub_way_what what;
		int code;
	} row[] = { { 401, HUB_WAY_REFUSED, HF_ERR_AUTH }, { 403, HUB_WAY_REFUSED, HF_ERR_AUTH },
		{ 404, HUB_WAY_REFUSED, HF_ERR_AUTH }, { 429, HUB_WAY_LOST, HF_ERR_NET },
		{ 500, HUB_WAY_LOST, HF_ERR_NET } };

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		begin(0);
		w.status = row[i].status;
		told(row[i].what);
		assert_int_equal(w.ev.err.code, row[i].code);
		assert_int_equal(w.ev.err.status, row[i].status);
		says("did not take the token of device lamp");
		says("as I said");
		end();
	}
}

static void
an_answer_to_put_token_that_is_none(void **state)
{
	(void)state;
	begin(0);
	w.no_reply = 1;
	silent();
	assert_int_equal(amqp_send(&w.hub, w.replies, "\x00Ss", 3, NULL), 0);
	told(HUB_WAY_LOST);
	assert_int_equal(w.ev.err.code, HF_ERR_PROTOCOL);
	end();
}

static void
events_are_settled_in_any_order(void **state)
{
	(void)state;
	EACH_CHUNK(i)
	{
		open_up(chunks[i]);
		for (uint16_t id = 1; id <= 5; id++)
			assert_int_equal(send("body", id), 1);
		silent();
		assert_int_equal(w.count, 5);
		assert_string_equal(w.body[0], "body");
		settle(3, AMQP_ACCEPTED);
		told_id(HUB_WAY_SENT, 4);
		settle(0, AMQP_ACCEPTED);
		told_id(HUB_WAY_SENT, 1);
		settle(4, AMQP_ACCEPTED);
		settle(1, AMQP_ACCEPTED);
		told_id(HUB_WAY_SENT, 5);
		told_id(HUB_WAY_SENT, 2);
		settle(2, AMQP_ACCEPTED);
		told_id(HUB_WAY_SENT, 3);
		silent();
		end();
	}
}

static void
no_more_than_there_is_credit(void **state)
{
	uint16_t id = 0;

	(void)state;
	open_up(0);
	while (send("x", (uint16_t)(id + 1)) == 1)
		id++;
	assert_int_equal(id, 50);
	silent();
	assert_int_equal(amqp_credit(&w.hub, w.events, 2), 0);
	silent();
	assert_int_equal(send("x", 51), 1);
	assert_int_equal(send("x", 52), 1);
	assert_int_equal(send("x", 53), 0);
	end();
}

static void
handed_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		open_up(0);
		assert_int_equal(send("a", 1), 1);
		silent();
		if (i < 2)
			settle(0, i == 0 ? AMQP_RELEASED : AMQP_MODIFIED);
		else
			settle(0, AMQP_REJECTED); /* without a word why */
		told(HUB_WAY_LOST);
		assert_int_equal(w.ev.err.code, HF_ERR_NET);
		says("sent again");
		end();
	}
}

static const struct ending {
	const char *condition, *description;
	enum hub_way_what what;
	int code, status;
} endings[] = {
	{ "amqp:unauthorized-access", NULL, HUB_WAY_REFUSED, HF_ERR_AUTH, 401 },
	{ "amqp:unauthorized-access", "{\"errorCode\":403012,\"trackingId\":\"t\",\"message\":\"disabled\"}",
	    HUB_WAY_REFUSED, HF_ERR_SERVICE, 403 },
	{ "amqp:not-found", "{\"errorCode\":404001,\"message\":\"no such device\"}", HUB_WAY_REFUSED,
	    HF_ERR_AUTH, 404 },
	{ "amqp:resource-limit-exceeded", "too many", HUB_WAY_LOST, HF_ERR_SERVICE, 403 },
	{ "amqp:link:detach-forced", "maintenance", HUB_WAY_LOST, HF_ERR_SERVICE, 400 },
	{ "amqp:connection:forced", NULL, HUB_WAY_LOST, HF_ERR_SERVICE, 400 },
	{ "amqp:internal-error", NULL, HUB_WAY_LOST, HF_ERR_SERVICE, 500 },
	{ "com.microsoft:timeout", "{}", HUB_WAY_LOST, HF_ERR_SERVICE, 503 },
	{ "com.microsoft:device-container-throttled", "[1]", HUB_WAY_LOST, HF_ERR_SERVICE, 429 },
	{ "com.microsoft:message-lock-lost", NULL, HUB_WAY_LOST, HF_ERR_SERVICE, 412 },
	{ "com.microsoft:who-knows", "words\x07 with a bell", HUB_WAY_LOST, HF_ERR_SERVICE, 400 },
};
#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

static void
ended_as(const struct ending *e)
{
	told(e->what);
	assert_int_equal(w.ev.err.code, e->code);
	assert_int_equal(w.ev.err.status, e->status);
	says("hub hub.example ended the conversation with lamp: ");
	says(e->condition);
	for (const char *s = w.ev.err.text; *s != '\0'; s++)
		assert_true((unsigned char)*s >= ' ');
}

static void
links_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDINGS; i++)
		for (int which = 0; which < 3; which++) {
			open_up(0);
			assert_int_equal(w.way->ops->receive(w.way, 1), 0);
			assert_int_equal(send("a", 1), 1);
			silent();
			assert_int_equal(amqp_detach(&w.hub,
					     which == 0	  ? w.events
					     : which == 1 ? w.bound
							  : w.replies,
					     endings[i].condition, endings[i].description),
			    0);
			ended_as(&endings[i]);
			end();
		}
}

static void
the_connection_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDINGS; i++) {
		open_up(0);
		assert_int_equal(amqp_close(&w.hub, endings[i].condition, endings[i].description), 0);
		ended_as(&endings[i]);
		end();
	}
	for (int how = 0; how < 3; how++) {
		open_up(0);
		if (how == 0)
			assert_int_equal(amqp_close(&w.hub, NULL, NULL), 0);
		else if (how == 1)
			assert_int_equal(amqp_detach(&w.hub, w.events, NULL, NULL), 0);
		else
			assert_int_equal(w.way->engine->ops->in(w.way->engine, NULL, 0), 0);
		told(HUB_WAY_LOST);
		assert_int_equal(w.ev.err.code, 0);
		end();
	}
}

static void
links_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDINGS; i++) {
		begin_as(0, 1, 0);
		w.no_attach = 1;
		silent();
		assert_int_equal(
		    amqp_refuse(&w.hub, w.events, endings[i].condition, endings[i].description), 0);
		ended_as(&endings[i]);
		end();
	}
}

static void
rejected_for_a_while(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDINGS; i++) {
		open_up(0);
		assert_int_equal(send("a", 1), 1);
		silent();
		reject(0, endings[i].condition, endings[i].description);
		ended_as(&endings[i]);
		end();
	}
}

static void
rejected_for_good(void **state)
{
	static const char *const words[] = { "amqp:link:message-size-exceeded",
		"com.microsoft:argument-error", "com.microsoft:argument-out-of-range", "amqp:decode-error",
		"amqp:invalid-field", "amqp:not-allowed" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		open_up(0);
		for (uint16_t id = 1; id <= 3; id++)
			assert_int_equal(send("a", id), 1);
		silent();
		reject(1, words[i], "{\"errorCode\":400004,\"message\":\"bad\"}");
		told_id(HUB_WAY_UNSENT, 2);
		assert_int_equal(w.ev.err.code, HF_ERR_SERVICE);
		assert_int_equal(w.ev.err.service, 400004);
		says("hub hub.example does not take the message: ");
		settle(2, AMQP_ACCEPTED);
		settle(0, AMQP_ACCEPTED);
		told_id(HUB_WAY_SENT, 3);
		told_id(HUB_WAY_SENT, 1);
		silent();
		end();
	}
}

/* Of those in flight it can only be the largest; all others are said again, on a new line. */
static void
a_link_ends_for_a_large_message(void **state)
{
	(void)state;
	open_up(0);
	assert_int_equal(send("small", 1), 1);
	assert_int_equal(send("quite a bit larger than the others are", 2), 1);
	assert_int_equal(send("small again", 3), 1);
	silent();
	assert_int_equal(amqp_detach(&w.hub, w.events, "amqp:link:message-size-exceeded", "too long"), 0);
	told_id(HUB_WAY_UNSENT, 2);
	says("too long");
	assert_int_equal(send("x", 4), 0);
	told(HUB_WAY_LOST);
	says("too large");
	end();
	open_up(0); /* where none is in flight, it is a link's end like any other */
	assert_int_equal(amqp_detach(&w.hub, w.events, "amqp:link:message-size-exceeded", "too long"), 0);
	told(HUB_WAY_LOST);
	end();
}

static void
bring(const char *body)
{
	struct hub_c2d c = {
		.message = { .body = body, .len = strlen(body) }, .sequence = 3, .deliveries = 1
	};
	struct buf b = { 0 };

	assert_int_equal(hub_amqp_put_c2d(&b, &c), 0);
	assert_int_equal(amqp_send(&w.hub, w.bound, buf_data(&b), buf_size(&b), NULL), 0);
	buf_free(&b);
}

static void
answered_as(enum hub_answer how, enum amqp_outcome outcome)
{
	uint64_t delivery = w.ev.delivery;
	int before = w.answers;

	assert_int_equal(w.way->ops->settle(w.way, delivery, &w.ev.c2d, how), 0);
	told(HUB_WAY_SETTLED);
	assert_int_equal(w.ev.delivery, delivery);
	assert_int_equal(w.ev.err.code, 0);
	silent();
	assert_int_equal(w.answers, before + 1);
	assert_int_equal(w.said, outcome);
}

static void
messages_come_and_are_settled(void **state)
{
	(void)state;
	EACH_CHUNK(i)
	{
		open_up(chunks[i]);
		assert_null(w.bound);
		assert_int_equal(w.way->ops->receive(w.way, HUB_ANY), 0);
		silent();
		assert_int_equal(w.bound_credit, 50);
		bring("one");
		told(HUB_WAY_C2D);
		assert_int_equal(w.ev.c2d.message.len, 3);
		assert_memory_equal(w.ev.c2d.message.body, "one", 3);
		assert_int_equal(w.ev.c2d.sequence, 3);
		assert_int_equal(w.ev.c2d.deliveries, 1);
		answered_as(HUB_COMPLETE, AMQP_ACCEPTED);
		assert_int_equal(w.bound_credit, 50);
		bring("two");
		told(HUB_WAY_C2D);
		answered_as(HUB_ABANDON, AMQP_RELEASED);
		bring("three");
		told(HUB_WAY_C2D);
		answered_as(HUB_REJECT, AMQP_REJECTED);
		end();
	}
}

static void
no_more_come_than_are_wanted(void **state)
{
	(void)state;
	open_up(0);
	assert_int_equal(w.way->ops->receive(w.way, 0), 0);
	silent();
	assert_null(w.bound);
	assert_int_equal(w.way->ops->receive(w.way, 2), 0);
	silent();
	assert_int_equal(w.bound_credit, 2);
	bring("one");
	bring("two");
	told(HUB_WAY_C2D);
	told(HUB_WAY_C2D);
	silent();
	assert_int_equal(amqp_may_send(&w.hub, w.bound), 0);
	assert_int_equal(w.way->ops->receive(w.way, 3), 0);
	silent();
	assert_int_equal(w.bound_credit, 3);
	assert_int_equal(w.way->ops->receive(w.way, 1000), 0);
	silent();
	assert_int_equal(w.bound_credit, 50);
	end();
}

/* It would come for ever. */
static void
an_unreadable_message_is_rejected(void **state)
{
	(void)state;
	open_up(0);
	assert_int_equal(w.way->ops->receive(w.way, 1), 0);
	silent();
	assert_int_equal(amqp_send(&w.hub, w.bound, "\x00\x53\x99", 3, NULL), 0);
	silent();
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.said, AMQP_REJECTED);
	bring("one"); /* and another may come in its place */
	told(HUB_WAY_C2D);
	end();
}

static void
a_token_is_renewed_on_the_open_line(void **state)
{
	(void)state;
	EACH_CHUNK(i)
	{
		open_up(chunks[i]);
		assert_int_equal(send("a", 1), 1);
		for (int n = 2; n < 30; n++) { /* more than the link for answers had credit at first */
			assert_int_equal(str_set(&w.who.token, n % 2 ? "SharedAccessSignature odd"
								     : "SharedAccessSignature even"),
			    0);
			assert_int_equal(w.way->ops->renew(w.way), 0);
			silent();
			assert_int_equal(w.puts, n);
			assert_string_equal(w.token, w.who.token);
		}
		settle(0, AMQP_ACCEPTED);
		told_id(HUB_WAY_SENT, 1);
		assert_int_equal(send("b", 2), 1);
		silent();
		assert_int_equal(w.count, 2);
		end();
	}
}

static void
a_renewed_token_is_not_taken(void **state)
{
	(void)state;
	open_up(0);
	w.status = 401;
	assert_int_equal(w.way->ops->renew(w.way), 0);
	told(HUB_WAY_REFUSED);
	assert_int_equal(w.ev.err.code, HF_ERR_AUTH);
	says("did not take the token");
	end();
}

/* The hub gives no credit for the next token: it is put when it does. */
static void
a_token_waits_for_credit(void **state)
{
	(void)state;
	open_up(0);
	w.no_reply = 1;
	for (int n = 0; n < 49; n++) {
		assert_int_equal(w.way->ops->renew(w.way), 0);
		silent();
	}
	assert_int_equal(w.puts, 50);
	assert_int_equal(w.way->ops->renew(w.way), 0);
	silent();
	assert_int_equal(w.puts, 50);
	assert_int_equal(amqp_credit(&w.hub, w.asks, 1), 0);
	silent();
	assert_int_equal(w.puts, 51);
	end();
}

static void
hear(const void *bytes, size_t n)
{
	(void)w.way->engine->ops->in(w.way->engine, bytes, n);
}

static void
broken(const void *bytes, size_t n)
{
	int rc;

	hear(bytes, n);
	while ((rc = next()) > 0)
		;
	assert_int_equal(rc, HF_ERR_PROTOCOL);
	assert_int_equal(w.way->engine->err.code, HF_ERR_PROTOCOL);
	assert_true(w.way->engine->err.text[0] != '\0');
}

static void
frames_that_break_the_rules(void **state)
{
	static const uint8_t huge[] = { 0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0 };
	static const uint8_t larger[] = { 0, 1, 0, 1, 2, 0, 0, 0 };
	static const uint8_t tiny[] = { 0, 0, 0, 3, 2, 0, 0, 0 };
	static const uint8_t offset[] = { 0, 0, 0, 8, 9, 0, 0, 0 };
	static const uint8_t unknown[] = { 0, 0, 0, 12, 2, 0, 0, 0, 0x00, 0x53, 0x55, 0x45 };
	static const uint8_t no_list[] = { 0, 0, 0, 12, 2, 0, 0, 0, 0x00, 0x53, 0x10, 0x40 };
	static const uint8_t sasl[] = { 0, 0, 0, 12, 2, 1, 0, 0, 0x00, 0x53, 0x44, 0x45 };
	static const struct {
		const void *p;
		size_t n;
	} frames[] = { { huge, sizeof(huge) }, { larger, sizeof(larger) }, { tiny, sizeof(tiny) },
		{ offset, sizeof(offset) }, { unknown, sizeof(unknown) }, { no_list, sizeof(no_list) },
		{ sasl, sizeof(sasl) } };

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		open_up(0);
		broken(frames[i].p, frames[i].n);
		end();
		begin(0);
		hear("AMQP\0\1\0\0", 8);
		assert_int_equal(next(), 0);
		broken(frames[i].p, frames[i].n);
		end();
	}
	begin(0);
	broken("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	end();
	begin(0);
	broken("AMQP\3\1\0\0", 8); /* it insists on SASL */
	end();
	open_up(0);
	hear("\0\0\0\x20\2\0", 6);
	(void)w.way->engine->ops->in(w.way->engine, NULL, 0);
	told(HUB_WAY_LOST);
	end();
}

static void
silence_ends_it(void **state)
{
	(void)state;
	open_up(0);
	w.now += 200000;
	silent(); /* each end has said that it is there */
	w.now += 100000;
	silent();
	for (int i = 0; i < 10; i++) {
		w.now += 60000;
		(void)w.way->engine->ops->tick(w.way->engine, w.now);
		buf_clear(&w.way->engine->out);
	}
	assert_int_equal(next(), HF_ERR_TIMEOUT);
	assert_non_null(strstr(w.way->engine->err.text, "silent"));
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_with_a_token),
		cmocka_unit_test(opens_with_a_certificate),
		cmocka_unit_test(what_does_not_come_does_not_open),
		cmocka_unit_test(early),
		cmocka_unit_test(a_token_is_not_taken),
		cmocka_unit_test(an_answer_to_put_token_that_is_none),
		cmocka_unit_test(events_are_settled_in_any_order),
		cmocka_unit_test(no_more_than_there_is_credit),
		cmocka_unit_test(handed_back),
		cmocka_unit_test(links_end),
		cmocka_unit_test(the_connection_ends),
		cmocka_unit_test(links_are_refused),
		cmocka_unit_test(rejected_for_a_while),
		cmocka_unit_test(rejected_for_good),
		cmocka_unit_test(a_link_ends_for_a_large_message),
		cmocka_unit_test(messages_come_and_are_settled),
		cmocka_unit_test(no_more_come_than_are_wanted),
		cmocka_unit_test(an_unreadable_message_is_rejected),
		cmocka_unit_test(a_token_is_renewed_on_the_open_line),
		cmocka_unit_test(a_renewed_token_is_not_taken),
		cmocka_unit_test(a_token_waits_for_credit),
		cmocka_unit_test(frames_that_break_the_rules),
		cmocka_unit_test(silence_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
