#include <stdlib.h>
#include <string.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/condition.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/logger.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>
#include "amqp/local.h"
#include "base/str.h"

#define WIRE_LINKS (4 * AMQP_LINKS) /* with those whose end the peer has not confirmed */

struct amqp_proton {
	pn_connection_driver_t driver;
	pn_session_t *session; /* the client's */
	int wire_links;
	pn_delivery_t *told; /* of the last SETTLED, which lends from it */
};

static void
silent(intptr_t ctx, pn_log_subsystem_t subsystem, pn_log_level_t level, const char *message)
{
	(void)ctx;
	(void)subsystem;
	(void)level;
	(void)message;
}

int
amqp_fail(struct amqp *a, int code)
{
	if (a->failed == 0)
		a->failed = code;
	return code;
}

/* Proton's frames go to `out` at once, but not before SASL has let the client in. */
static int
flush(struct amqp *a)
{
	pn_connection_driver_t *d = &a->proton->driver;
	pn_bytes_t b;

	if (!a->let_in)
		return 0;
	for (b = pn_connection_driver_write_buffer(d); b.size > 0; b = pn_connection_driver_write_buffer(d)) {
		if (buf_put(&a->engine.out, b.start, b.size) < 0)
			return amqp_fail(a, err_memory(&a->engine.err));
		(void)pn_connection_driver_write_done(d, b.size);
	}
	return 0;
}

int
amqp_feed(struct amqp *a, const uint8_t *p, size_t n)
{
	pn_connection_driver_t *d = &a->proton->driver;

	while (n > 0) {
		pn_rwbytes_t room = pn_connection_driver_read_buffer(d);
		size_t some = room.size < n ? room.size : n;

		if (some == 0)
			break;
		memcpy(room.start, p, some);
		pn_connection_driver_read_done(d, some);
		p += some;
		n -= some;
	}
	a->deaf = pn_connection_driver_read_closed(d); /* it is over, which an event tells */
	return flush(a);
}

/* What is broken is told behind what came before it. */
static ssize_t
take(struct amqp *a, const uint8_t *p, size_t n)
{
	ssize_t took = amqp_take(a, p, n);

	if (took >= 0 || a->failed < 0)
		return took;
	a->broken = (int)took;
	a->late = a->engine.err;
	err_clear(&a->engine.err);
	return took;
}

static ssize_t
in(struct engine *engine, const void *p, size_t n)
{
	struct amqp *a = (struct amqp *)engine;
	ssize_t took;

	if (a->failed < 0)
		return a->failed;
	if (p == NULL) {
		a->eof = 1;
		return 0;
	}
	if (a->broken < 0)
		return (ssize_t)n;
	took = take(a, p, n);
	return took < 0 ? (ssize_t)n : took;
}

static int64_t
tick(struct engine *engine, int64_t now)
{
	struct amqp *a = (struct amqp *)engine;
	int64_t at;

	if (a->failed < 0 || a->broken < 0 || a->closed || !a->let_in)
		return NEVER;
	at = pn_transport_tick(a->proton->driver.transport, now);
	(void)flush(a);
	return at == 0 ? NEVER : at;
}

static const struct engine_ops ops = { in, tick };

int
amqp_init(struct amqp *a, int server, size_t max_message)
{
	struct amqp_proton *p = calloc(1, sizeof(*p));
	pn_transport_t *t;

	memset(a, 0, sizeof(*a));
	if (p == NULL || pn_connection_driver_init(&p->driver, NULL, NULL) != 0) {
		free(p);
		return HF_ERR_MEMORY;
	}
	(void)pn_connection_driver_bind(&p->driver);
	t = p->driver.transport;
	pn_transport_trace(t, PN_TRACE_OFF);
	pn_logger_set_log_sink(pn_transport_logger(t), silent, 0);
	pn_transport_set_max_frame(t, AMQP_FRAME_MAX);
	(void)pn_transport_set_channel_max(t, AMQP_SESSIONS - 1);
	if (server)
		pn_transport_set_server(t);
	a->engine.ops = &ops;
	a->server = server;
	a->max_message = max_message;
	a->proton = p;
	a->layer = server ? LAYER_HEADER : LAYER_HEADER_AGAIN;
	a->let_in = !server;
	return 0;
}

static void
link_free(struct amqp *a, struct amqp_link *l)
{
	struct amqp_link **p;

	for (p = &a->links; *p != NULL && *p != l; p = &(*p)->next)
		continue;
	if (*p != NULL)
		*p = l->next;
	if (l->pn != NULL)
		pn_link_set_context(l->pn, NULL);
	buf_free(&l->inbox);
	free(l);
	a->link_count--;
}

void
amqp_fini(struct amqp *a)
{
	if (a->proton == NULL)
		return;
	while (a->links != NULL)
		link_free(a, a->links);
	pn_connection_driver_destroy(&a->proton->driver);
	free(a->proton);
	a->proton = NULL;
	buf_free(&a->inbox);
	buf_free(&a->taken);
	buf_free(&a->init);
	buf_free(&a->engine.out);
}

static struct amqp_link *
link_new(struct amqp *a, pn_link_t *pn, int ours)
{
	struct amqp_link *l = a->link_count < AMQP_LINKS ? calloc(1, sizeof(*l)) : NULL;

	if (l == NULL)
		return NULL;
	l->pn = pn;
	l->ours = ours;
	l->receiver = pn_link_is_receiver(pn);
	l->next = a->links;
	a->links = l;
	a->link_count++;
	pn_link_set_context(pn, l);
	return l;
}

static void
put_properties(pn_data_t *d, const struct amqp_property *property, size_t n)
{
	if (n == 0)
		return;
	pn_data_put_map(d);
	pn_data_enter(d);
	for (size_t i = 0; i < n; i++) {
		pn_data_put_symbol(d, pn_bytes(strlen(property[i].key), property[i].key));
		pn_data_put_string(d, pn_bytes(strlen(property[i].value), property[i].value));
	}
	pn_data_exit(d);
}

int
amqp_open(struct amqp *a, const char *container, const char *hostname, const struct amqp_property *property,
    size_t count)
{
	pn_connection_t *c = a->proton->driver.connection;

	pn_transport_set_idle_timeout(a->proton->driver.transport, a->idle_ms);
	pn_connection_set_container(c, container);
	if (hostname != NULL)
		pn_connection_set_hostname(c, hostname);
	put_properties(pn_connection_properties(c), property, count);
	pn_connection_open(c);
	a->opened = 1;
	if (!a->server) {
		if ((a->proton->session = pn_session(c)) == NULL)
			return HF_ERR_MEMORY;
		pn_session_open(a->proton->session);
	}
	return flush(a);
}

static void
set_condition(pn_condition_t *c, const char *condition, const char *description)
{
	if (condition == NULL)
		return;
	(void)pn_condition_set_name(c, condition);
	if (description != NULL)
		(void)pn_condition_set_description(c, description);
}

int
amqp_close(struct amqp *a, const char *condition, const char *description)
{
	pn_connection_t *c = a->proton->driver.connection;

	if (a->closing)
		return 0;
	a->closing = 1;
	if (!a->opened)
		(void)amqp_open(a, "holdfast", NULL, NULL, 0);
	set_condition(pn_connection_condition(c), condition, description);
	pn_connection_close(c);
	return flush(a);
}

struct amqp_link *
amqp_attach(struct amqp *a, int receiver, const char *name, const char *address,
    const struct amqp_property *property, size_t count)
{
	pn_session_t *s = a->proton->session;
	pn_link_t *pn;
	struct amqp_link *l;

	if (s == NULL || a->link_count == AMQP_LINKS)
		return NULL;
	pn = receiver ? pn_receiver(s, name) : pn_sender(s, name);
	if (pn == NULL || (l = link_new(a, pn, 1)) == NULL)
		return NULL;
	(void)pn_terminus_set_address(pn_link_source(pn), receiver ? address : name);
	(void)pn_terminus_set_address(pn_link_target(pn), receiver ? name : address);
	put_properties(pn_link_properties(pn), property, count);
	if (receiver)
		pn_link_set_max_message_size(pn, a->max_message);
	pn_link_open(pn);
	(void)flush(a);
	return l;
}

int
amqp_accept(struct amqp *a, struct amqp_link *l)
{
	if (l->pn == NULL)
		return 0;
	(void)pn_terminus_copy(pn_link_source(l->pn), pn_link_remote_source(l->pn));
	(void)pn_terminus_copy(pn_link_target(l->pn), pn_link_remote_target(l->pn));
	if (l->receiver)
		pn_link_set_max_message_size(l->pn, a->max_message);
	pn_link_open(l->pn);
	return flush(a);
}

int
amqp_detach(struct amqp *a, struct amqp_link *l, const char *condition, const char *description)
{
	if (l->pn != NULL) {
		set_condition(pn_link_condition(l->pn), condition, description);
		pn_link_close(l->pn);
	}
	link_free(a, l);
	return flush(a);
}

/* As the specification wants it: an attach without a terminus, and a detach behind it. */
int
amqp_refuse(struct amqp *a, struct amqp_link *l, const char *condition, const char *description)
{
	if (l->pn != NULL) {
		(void)pn_terminus_set_type(pn_link_source(l->pn), PN_UNSPECIFIED);
		(void)pn_terminus_set_type(pn_link_target(l->pn), PN_UNSPECIFIED);
		pn_link_open(l->pn);
	}
	return amqp_detach(a, l, condition, description);
}

/* The value behind a key of Proton's map, as text. */
static int
find_text(pn_data_t *d, const char *key, char *dst, size_t cap)
{
	size_t n = strlen(key), pairs;
	pn_bytes_t k, v;

	dst[0] = '\0';
	pn_data_rewind(d);
	if (!pn_data_next(d) || pn_data_type(d) != PN_MAP)
		return 0;
	pairs = pn_data_get_map(d) / 2;
	pn_data_enter(d);
	while (pairs-- > 0 && pn_data_next(d)) {
		k = pn_data_type(d) == PN_SYMBOL ? pn_data_get_symbol(d) : pn_data_get_string(d);
		if (!pn_data_next(d))
			return 0;
		if (k.size != n || memcmp(k.start, key, n) != 0)
			continue;
		v = pn_data_type(d) == PN_SYMBOL ? pn_data_get_symbol(d) : pn_data_get_string(d);
		return v.start != NULL && str_copy(dst, cap, v.start, v.size) == 0;
	}
	return 0;
}

int
amqp_link_property(const struct amqp_link *l, const char *key, char *dst, size_t cap)
{
	pn_data_t *d = l->pn != NULL ? pn_link_remote_properties(l->pn) : NULL;

	dst[0] = '\0';
	return d != NULL && find_text(d, key, dst, cap);
}

const char *
amqp_link_address(const struct amqp_link *l)
{
	pn_link_t *pn = l->pn;

	if (pn == NULL)
		return NULL;
	if (l->ours)
		return pn_terminus_get_address(l->receiver ? pn_link_source(pn) : pn_link_target(pn));
	return pn_terminus_get_address(l->receiver ? pn_link_remote_target(pn) : pn_link_remote_source(pn));
}

int
amqp_credit(struct amqp *a, struct amqp_link *l, int more)
{
	if (l->pn == NULL || !l->receiver)
		return 0;
	pn_link_flow(l->pn, more);
	return flush(a);
}

int
amqp_may_send(const struct amqp *a, const struct amqp_link *l)
{
	int credit = l->pn != NULL && !l->receiver ? pn_link_credit(l->pn) : 0;

	return credit > 0 && a->let_in && !a->closing && buf_size(&a->engine.out) <= ENGINE_HIGH ? credit : 0;
}

int
amqp_send(struct amqp *a, struct amqp_link *l, const void *p, size_t n, uint32_t *delivery)
{
	uint32_t id = a->last_delivery + 1 != 0 ? a->last_delivery + 1 : 1;
	pn_delivery_t *d;

	if (amqp_may_send(a, l) == 0)
		return HF_ERR_STATE;
	if ((d = pn_delivery(l->pn, pn_dtag((const char *)&id, sizeof(id)))) == NULL)
		return HF_ERR_MEMORY;
	pn_delivery_set_context(d, (void *)(uintptr_t)id);
	if (pn_link_send(l->pn, p, n) != (ssize_t)n)
		return amqp_fail(a, err_memory(&a->engine.err));
	(void)pn_link_advance(l->pn);
	a->last_delivery = id;
	if (delivery != NULL)
		*delivery = id;
	return flush(a);
}

static pn_delivery_t *
find_delivery(const struct amqp_link *l, uint32_t id)
{
	pn_delivery_t *d = l->pn != NULL && id != 0 ? pn_unsettled_head(l->pn) : NULL;

	while (d != NULL && (uint32_t)(uintptr_t)pn_delivery_get_context(d) != id)
		d = pn_unsettled_next(d);
	return d;
}

static uint64_t
state_of(enum amqp_outcome outcome)
{
	static const uint64_t states[] = { 0, PN_ACCEPTED, PN_REJECTED, PN_RELEASED, PN_MODIFIED };

	return states[outcome];
}

int
amqp_settle(struct amqp *a, struct amqp_link *l, uint32_t delivery, enum amqp_outcome outcome)
{
	pn_delivery_t *d = find_delivery(l, delivery);

	if (d == NULL)
		return 0;
	if (outcome == AMQP_MODIFIED)
		pn_disposition_set_failed(pn_delivery_local(d), true);
	pn_delivery_update(d, state_of(outcome));
	pn_delivery_settle(d);
	return flush(a);
}

int
amqp_reject(struct amqp *a, struct amqp_link *l, uint32_t delivery, const char *condition,
    const char *description, int retry_after)
{
	pn_delivery_t *d = find_delivery(l, delivery);
	pn_condition_t *c;
	pn_data_t *info;

	if (d == NULL)
		return 0;
	c = pn_disposition_condition(pn_delivery_local(d));
	set_condition(c, condition, description);
	info = pn_condition_info(c);
	if (retry_after > 0) {
		pn_data_put_map(info);
		pn_data_enter(info);
		pn_data_put_symbol(info, pn_bytes(11, "retry-after"));
		pn_data_put_int(info, retry_after);
		pn_data_put_symbol(info, pn_bytes(11, "Retry-After"));
		pn_data_put_int(info, retry_after);
		pn_data_exit(info);
	}
	pn_delivery_update(d, PN_REJECTED);
	pn_delivery_settle(d);
	return flush(a);
}

static void
tell_condition(struct amqp_event *ev, pn_condition_t *c)
{
	if (c == NULL || !pn_condition_is_set(c))
		return;
	ev->condition = pn_condition_get_name(c);
	ev->description = pn_condition_get_description(c);
}

static int
resources(struct amqp *a, const char *what)
{
	(void)amqp_close(a, "amqp:resource-limit-exceeded", what);
	return err_set(&a->engine.err, HF_ERR_PROTOCOL, "the AMQP peer wants more than is given: %s", what);
}

static int
remote_open(struct amqp *a, struct amqp_event *ev)
{
	pn_connection_t *c = a->proton->driver.connection;

	ev->what = AMQP_OPENED;
	ev->container = pn_connection_remote_container(c);
	ev->text = pn_connection_remote_hostname(c);
	return 1;
}

static int
remote_attach(struct amqp *a, pn_link_t *pn, struct amqp_event *ev)
{
	struct amqp_link *l = pn_link_get_context(pn);
	pn_terminus_t *source = pn_link_remote_source(pn), *target = pn_link_remote_target(pn);

	ev->source = pn_terminus_get_address(source);
	ev->target = pn_terminus_get_address(target);
	a->proton->wire_links++;
	if (l != NULL) {
		/* Without a terminus it is a refusal; the reason comes with the detach. */
		if (pn_terminus_get_type(l->receiver ? source : target) == PN_UNSPECIFIED)
			return 0;
		ev->what = AMQP_LINK_OPEN;
		ev->link = l;
		return 1;
	}
	if (!(pn_link_state(pn) & PN_LOCAL_UNINIT))
		return 0; /* detached by us in the meantime */
	if (a->proton->wire_links > WIRE_LINKS || a->link_count == AMQP_LINKS)
		return resources(a, "too many links");
	if ((l = link_new(a, pn, 0)) == NULL)
		return err_memory(&a->engine.err);
	ev->what = AMQP_LINK;
	ev->link = l;
	return 1;
}

static int
remote_flow(struct amqp_link *l, struct amqp_event *ev)
{
	if (l == NULL || l->receiver || pn_link_credit(l->pn) <= 0)
		return 0;
	ev->what = AMQP_CREDIT;
	ev->link = l;
	ev->credit = pn_link_credit(l->pn);
	return 1;
}

/* The link ends here; its last event is this one. */
static int
last_of(struct amqp_link *l, struct amqp_event *ev)
{
	ev->what = AMQP_DETACHED;
	ev->link = l;
	l->shown = 1;
	return 1;
}

static int
remote_detach(struct amqp *a, pn_link_t *pn, struct amqp_event *ev)
{
	struct amqp_link *l = pn_link_get_context(pn);

	a->proton->wire_links--;
	pn_link_close(pn);
	(void)flush(a);
	if (l == NULL) {
		pn_link_free(pn);
		return 0;
	}
	tell_condition(ev, pn_link_remote_condition(pn));
	return last_of(l, ev);
}

/* Its links are told of one by one, by gone_links(). */
static int
remote_end(struct amqp *a, pn_session_t *s)
{
	pn_connection_t *c = a->proton->driver.connection;
	struct amqp_link *l;

	for (pn_link_t *pn = pn_link_head(c, 0); pn != NULL; pn = pn_link_next(pn, 0)) {
		if (pn_link_session(pn) != s)
			continue;
		if (pn_link_state(pn) & PN_REMOTE_ACTIVE)
			a->proton->wire_links--;
		if ((l = pn_link_get_context(pn)) == NULL)
			continue;
		pn_link_set_context(pn, NULL);
		l->pn = NULL;
		l->gone = 1;
	}
	if (a->proton->session == s)
		a->proton->session = NULL;
	pn_session_close(s);
	(void)flush(a);
	pn_session_free(s);
	return 0;
}

static int
too_long(struct amqp *a, struct amqp_link *l, struct amqp_event *ev)
{
	ev->condition = "amqp:link:message-size-exceeded";
	ev->description = "the message is longer than this link takes";
	set_condition(pn_link_condition(l->pn), ev->condition, ev->description);
	pn_link_set_context(l->pn, NULL);
	pn_link_close(l->pn);
	l->pn = NULL;
	(void)flush(a);
	return last_of(l, ev);
}

/* Pieces of a message are taken as they come. */
static int
receive(struct amqp *a, struct amqp_link *l, pn_delivery_t *d, struct amqp_event *ev)
{
	size_t n = pn_delivery_pending(d);
	uint32_t id = a->last_delivery + 1 != 0 ? a->last_delivery + 1 : 1;
	uint8_t *room;

	if (pn_delivery_aborted(d)) {
		buf_clear(&l->inbox);
		l->format = 0;
		pn_delivery_settle(d);
		return 0;
	}
	if (a->format != 0)
		l->format = a->format;
	if (n > a->max_message - buf_size(&l->inbox))
		return too_long(a, l, ev);
	if (n > 0) {
		if ((room = buf_room(&l->inbox, n)) == NULL ||
		    pn_link_recv(l->pn, (char *)room, n) != (ssize_t)n)
			return err_memory(&a->engine.err);
		buf_add(&l->inbox, n);
	}
	if (pn_delivery_partial(d))
		return 0;
	buf_free(&a->taken);
	a->taken = l->inbox;
	l->inbox = (struct buf){ 0 };
	ev->what = AMQP_MESSAGE;
	ev->link = l;
	ev->format = l->format;
	l->format = 0;
	ev->bytes = (struct amqp_text){ (const char *)buf_data(&a->taken), buf_size(&a->taken) };
	if (pn_delivery_settled(d)) {
		pn_delivery_settle(d);
		return 1;
	}
	ev->delivery = a->last_delivery = id;
	pn_delivery_set_context(d, (void *)(uintptr_t)id);
	(void)pn_link_advance(l->pn);
	return 1;
}

static int
settled(struct amqp *a, pn_delivery_t *d, struct amqp_link *l, struct amqp_event *ev)
{
	uint64_t state = pn_delivery_remote_state(d);

	if (!pn_delivery_updated(d) || (!pn_delivery_settled(d) && state < PN_ACCEPTED))
		return 0;
	a->proton->told = d;
	ev->what = AMQP_SETTLED;
	ev->link = l;
	ev->delivery = (uint32_t)(uintptr_t)pn_delivery_get_context(d);
	ev->outcome = state == PN_ACCEPTED   ? AMQP_ACCEPTED
		      : state == PN_REJECTED ? AMQP_REJECTED
		      : state == PN_MODIFIED ? AMQP_MODIFIED
					     : AMQP_RELEASED;
	if (state == PN_REJECTED)
		tell_condition(ev, pn_disposition_condition(pn_delivery_remote(d)));
	return 1;
}

static int
delivery(struct amqp *a, pn_delivery_t *d, struct amqp_event *ev)
{
	struct amqp_link *l = pn_link_get_context(pn_delivery_link(d));

	if (l == NULL || l->pn == NULL)
		return 0;
	if (!l->receiver)
		return settled(a, d, l, ev);
	return pn_delivery_current(d) && pn_delivery_get_context(d) == NULL ? receive(a, l, d, ev) : 0;
}

static int
transport_error(struct amqp *a, pn_transport_t *t)
{
	pn_condition_t *c = pn_transport_condition(t);
	const char *name = pn_condition_get_name(c), *why = pn_condition_get_description(c);
	int silence = why != NULL && strstr(why, "idle") != NULL;
	char said[200];

	(void)flush(a);
	if (silence)
		return err_set(&a->engine.err, HF_ERR_TIMEOUT, "the AMQP %s was silent for more than %u s",
		    a->server ? "client" : "server", (unsigned)(a->idle_ms / 1000));
	(void)str_fmt(said, sizeof(said), "%.180s", why != NULL ? why : name != NULL ? name : "no reason");
	str_plain(said);
	return err_set(&a->engine.err, HF_ERR_PROTOCOL, "the AMQP %s broke the protocol: %s",
	    a->server ? "client" : "server", said);
}

static int
remote_close(struct amqp *a, struct amqp_event *ev)
{
	tell_condition(ev, pn_connection_remote_condition(a->proton->driver.connection));
	(void)amqp_close(a, NULL, NULL);
	a->closed = 1;
	ev->what = AMQP_CLOSED;
	return 1;
}

/* 1: the caller is to see it. */
static int
heard(struct amqp *a, pn_event_t *e, struct amqp_event *ev)
{
	pn_session_t *s;

	switch (pn_event_type(e)) {
	case PN_CONNECTION_REMOTE_OPEN:
		return remote_open(a, ev);
	case PN_CONNECTION_REMOTE_CLOSE:
		return remote_close(a, ev);
	case PN_SESSION_REMOTE_OPEN:
		s = pn_event_session(e);
		if (pn_session_state(s) & PN_LOCAL_UNINIT)
			pn_session_open(s);
		return 0;
	case PN_SESSION_REMOTE_CLOSE:
		return remote_end(a, pn_event_session(e));
	case PN_LINK_REMOTE_OPEN:
		return remote_attach(a, pn_event_link(e), ev);
	case PN_LINK_REMOTE_CLOSE:
	case PN_LINK_REMOTE_DETACH:
		return remote_detach(a, pn_event_link(e), ev);
	case PN_LINK_FLOW:
		return remote_flow(pn_link_get_context(pn_event_link(e)), ev);
	case PN_DELIVERY:
		return delivery(a, pn_event_delivery(e), ev);
	case PN_TRANSPORT_ERROR:
		return transport_error(a, pn_event_transport(e));
	default:
		return 0;
	}
}

/* What the last event lent, or was about, goes. */
static void
sweep(struct amqp *a)
{
	struct amqp_link *l = a->links, *next;
	pn_link_t *pn;

	buf_free(&a->taken);
	for (; l != NULL; l = next) {
		next = l->next;
		if (!l->shown)
			continue;
		pn = l->pn;
		link_free(a, l);
		if (pn != NULL)
			pn_link_free(pn);
	}
	if (a->proton->told != NULL)
		pn_delivery_settle(a->proton->told);
	a->proton->told = NULL;
}

static int
gone_links(struct amqp *a, struct amqp_event *ev)
{
	for (struct amqp_link *l = a->links; l != NULL; l = l->next)
		if (l->gone)
			return last_of(l, ev);
	return 0;
}

static int
ended(struct amqp *a, struct amqp_event *ev)
{
	if (!a->eof || a->closed)
		return 0;
	if (buf_size(&a->inbox) > 0)
		err_set(
		    &a->engine.err, HF_ERR_NET, "the AMQP connection was closed in the middle of a frame");
	a->closed = 1;
	ev->what = AMQP_CLOSED;
	return 1;
}

static int
next_event(struct amqp *a, struct amqp_event *ev)
{
	pn_event_t *e;
	int r;

	while (!a->closed && (e = pn_connection_driver_next_event(&a->proton->driver)) != NULL) {
		memset(ev, 0, sizeof(*ev));
		if ((r = heard(a, e, ev)) != 0)
			return r;
		if ((r = gone_links(a, ev)) != 0)
			return r;
	}
	a->fed = 0;
	a->format = 0;
	return 0;
}

static int
take_event(struct amqp *a, struct amqp_event *ev)
{
	int r;

	if (a->pending) {
		*ev = a->sasl_event;
		a->pending = 0;
		return 1;
	}
	if ((r = gone_links(a, ev)) == 0)
		r = next_event(a, ev);
	while (r == 0 && a->held) {
		a->held = 0;
		(void)take(a, NULL, 0);
		r = next_event(a, ev);
	}
	if (r != 0)
		return r;
	if (a->broken < 0)
		return err_set(&a->engine.err, a->broken, "%s", a->late.text);
	return ended(a, ev);
}

int
amqp_next(struct amqp *a, struct amqp_event *ev)
{
	int r;

	if (a->failed < 0)
		return a->failed;
	memset(ev, 0, sizeof(*ev));
	if (!a->pending)
		sweep(a);
	r = take_event(a, ev);
	if (r < 0)
		return amqp_fail(a, r);
	return flush(a) < 0 ? a->failed : r;
}
