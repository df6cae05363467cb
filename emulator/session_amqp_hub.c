#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "amqp/message.h"
#include "base/str.h"
#include "base/url.h"
#include "session_amqp.h"

enum {
	BAD = 400004,
	NO_HUB = 401001,
	UNAUTHORIZED = 401002,
	NO_ADDRESS = 404006,
	NO_MODULE = 404010,
	BROKEN = 500001
};

static struct amqp_side *
side(const struct session *s)
{
	return s->amqp_side;
}

/* What a condition says beside its word. */
const char *
amqp_condition(struct buf *text, int service, const char *sentence)
{
	char tracking[37];

	guid_new(tracking);
	return hub_amqp_put_error(text, service, sentence, tracking);
}

/* A name and a password are a device's, or a policy's: ID@sas.HUB, POLICY@sas.root.HUB, the hub by the first label of its name. */
int
hub_amqp_is_login(const char *user)
{
	return strstr(user, "@sas.") != NULL;
}

size_t
hub_amqp_short(const char *hub)
{
	size_t n = strlen(hub);
	int is_address = strchr(hub, ':') != NULL || isdigit((unsigned char)hub[n - 1]);

	return is_address ? n : strcspn(hub, ".");
}

/* By its short name; the whole one is refused, as by the hub. */
static const char *
hub_called(const struct config *c, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < c->hubs; i++)
		if (n == hub_amqp_short(c->hub[i]) && str_eqin(name, c->hub[i], n))
			return c->hub[i];
	return NULL;
}

void
hub_amqp_login(struct session *s, const char *user, const char *password)
{
	static const char root[] = "root.";
	const char *at = strstr(user, "@sas.") + 5, *hub;
	struct hf_error err = { 0 };
	struct hub_who who = { .token = (char *)(uintptr_t)password };
	int owner = strncmp(at, root, sizeof(root) - 1) == 0;

	hub = hub_called(&s->e->conf, owner ? at + sizeof(root) - 1 : at);
	if (hub == NULL)
		refuse(&err, NO_HUB, "there is no hub of this name");
	else if (owner)
		(void)hub_service_owner(s->e, hub, password, &side(s)->owner_until, &err);
	else if (str_fmt(who.host, sizeof(who.host), "%s", hub) < 0 ||
		 str_copy(who.device, sizeof(who.device), user, (size_t)(at - 5 - user)) < 0)
		refuse(&err, UNAUTHORIZED, "the name cannot be a device's");
	else
		(void)peer_admit(s, &who, &err);
	side(s)->hub = hub;
	amqp_decide(s, err.code < 0, err.text);
}

void
hub_amqp_turn_away(struct session *s, struct amqp_link *l, int service, const char *why)
{
	struct buf text = { 0 };
	const char *word = amqp_condition(&text, service, why);

	log_line(&s->e->log, "hub over AMQP: a link to %.200s was refused: %s (%d)",
	    amqp_link_address(l) != NULL ? amqp_link_address(l) : "nothing", why, service);
	if (word == NULL || amqp_refuse(&s->amqp, l, word, buf_str(&text)) < 0)
		session_end(s, "out of memory");
	buf_free(&text);
}

void
hub_amqp_take(struct session *s, struct amqp_link *l, struct amqp_link **place)
{
	*place = l;
	if (amqp_accept(&s->amqp, l) < 0 || (l->receiver && amqp_credit(&s->amqp, l, AMQP_CREDIT_GIVEN) < 0))
		session_end(s, "out of memory");
}

/* Without a token of its own, a device is who its certificate says. */
static struct peer *
whose(struct session *s, struct hub_who *who, struct hf_error *err)
{
	struct peer *p = peer_find(s, who->device);

	if (p != NULL || tls_peer(s->stream) == NULL)
		return p;
	(void)str_fmt(who->host, sizeof(who->host), "%s", side(s)->hub);
	return peer_admit(s, who, err);
}

static void
attach_device(struct session *s, struct amqp_link *l, struct hub_who *who, enum hub_amqp_link kind)
{
	struct hf_error err = { 0 };
	struct peer *p = whose(s, who, &err);
	struct amqp_link **place;

	if (p == NULL) {
		hub_amqp_turn_away(s, l, err.service != 0 ? err.service : UNAUTHORIZED,
		    err.code != 0 ? err.text : "no token for this device was put before");
		return;
	}
	place = kind == HUB_AMQP_EVENTS ? &p->events : &p->bound;
	if (*place != NULL || l->receiver != (kind == HUB_AMQP_EVENTS)) {
		hub_amqp_turn_away(s, l, BAD, "there is such a link already, or it goes the wrong way");
		return;
	}
	l->owner = p;
	p->wanted = 1;
	hub_amqp_take(s, l, place);
}

static const char *
path_of(const char *address)
{
	const char *host = strstr(address, "://");

	return host == NULL ? address : host + 3 + strcspn(host + 3, "/");
}

static void
attached(struct session *s, struct amqp_link *l)
{
	const char *address = amqp_link_address(l) != NULL ? amqp_link_address(l) : "",
		   *path = path_of(address);
	struct hf_error err = { 0 };
	struct hub_who who = { 0 };
	int kind;

	if (strcmp(address, "$cbs") == 0)
		hub_amqp_take(s, l, l->receiver ? &side(s)->cbs_asked : &side(s)->cbs_answers);
	else if (owner_attach(s, l, path))
		return;
	else if ((kind = hub_amqp_get_address(address, &who, &err)) < 0)
		hub_amqp_turn_away(s, l, NO_ADDRESS, "the hub has no such address");
	else if (who.module[0] != '\0')
		hub_amqp_turn_away(s, l, NO_MODULE, "modules are not emulated");
	else
		attach_device(s, l, &who, (enum hub_amqp_link)kind);
}

/* cbs */

/* "HOST/devices/ID", percent-encoded or not, or HOST alone: then the device is "". */
static int
get_audience(const char *name, struct hub_who *who, struct hf_error *err)
{
	struct buf b = { 0 };
	const char *path;
	int kind = 0;
	char address[HUB_AMQP_ADDRESS];

	if (url_get(&b, name, strlen(name)) < 0 || buf_str(&b) == NULL) {
		buf_free(&b);
		return refuse(err, BAD, "the token's name cannot be read");
	}
	path = buf_str(&b) + strcspn(buf_str(&b), "/");
	if (str_copy(who->host, sizeof(who->host), buf_str(&b), (size_t)(path - buf_str(&b))) < 0)
		refuse(err, NO_HUB, "the token's name begins with no hub");
	else if (path[strspn(path, "/")] != '\0') {
		(void)str_fmt(address, sizeof(address), "%s/messages/events", path);
		kind = hub_amqp_get_address(address, who, err);
	}
	buf_free(&b);
	return kind < 0 ? refuse(err, BAD, "the token's name is no device's") : err->code;
}

static void
take_token(struct session *s, const struct amqp_put_token *t, struct hf_error *err)
{
	struct hub_who who = { 0 };

	if (get_audience(t->name, &who, err) < 0)
		return;
	if (hub_service_named(&s->e->conf, who.host) != side(s)->hub) {
		(void)refuse(
		    err, NO_HUB, "the token is for %.200s, the connection with %s", who.host, side(s)->hub);
		return;
	}
	if ((who.token = strndup(t->token.p, t->token.len)) == NULL) {
		err_memory(err);
		return;
	}
	if (who.device[0] == '\0')
		(void)hub_service_owner(s->e, who.host, who.token, &side(s)->owner_until, err);
	else
		(void)peer_admit(s, &who, err);
	hub_who_fini(&who);
}

/* Some clients ask before they give the link for the answer any credit. */
static void
say_answers(struct session *s)
{
	struct amqp_side *own = side(s);
	struct buf *first = own->cbs_said;

	while (own->cbs_waiting > 0 && own->cbs_answers != NULL &&
	       amqp_may_send(&s->amqp, own->cbs_answers) > 0) {
		if (amqp_send(&s->amqp, own->cbs_answers, buf_data(first), buf_size(first), NULL) < 0) {
			session_end(s, "the answer could not be written");
			return;
		}
		buf_free(first);
		memmove(first, first + 1, --own->cbs_waiting * sizeof(*first));
		memset(first + own->cbs_waiting, 0, sizeof(*first));
	}
}

static int
status_of(const struct hf_error *err)
{
	if (err->code == 0)
		return 200;
	return err->status != 0 ? err->status : 500;
}

/* The request is settled before it is answered: some clients take it for failed otherwise. */
static void
put_token(struct session *s, const struct amqp_event *ev)
{
	struct amqp_side *own = side(s);
	struct hf_error err = { 0 };
	struct amqp_put_token t;

	if (own->cbs_waiting == CBS_WAITING) {
		(void)amqp_settle(&s->amqp, ev->link, ev->delivery, AMQP_RELEASED);
		return;
	}
	if (cbs_get(ev->bytes.p, ev->bytes.len, &t, &err) < 0)
		(void)refuse(&err, BAD, "%s", "the request cannot be read");
	else
		take_token(s, &t, &err);
	if (err.code != 0)
		log_line(&s->e->log, "the hub refused a token for %.200s over AMQP: %s (%d)", t.name,
		    err.text, err.service);
	if (amqp_settle(&s->amqp, ev->link, ev->delivery, AMQP_ACCEPTED) < 0 ||
	    cbs_put_reply(&own->cbs_said[own->cbs_waiting++], &t.id, status_of(&err),
		err.code == 0 ? "OK" : err.text) < 0)
		session_end(s, "out of memory");
	else
		say_answers(s);
}

/* telemetry */

struct intake {
	struct session *s;
	const struct peer *p;
	struct hf_error err;
	size_t bytes;
};

static int
weigh(void *arg, const struct hub_event *v)
{
	struct intake *in = arg;

	in->bytes += hub_event_size(v);
	return in->bytes <= HUB_MAX_EVENT
		   ? 0
		   : refuse(&in->err, 413001, "it has more than %d bytes", HUB_MAX_EVENT);
}

static int
store(void *arg, const struct hub_event *v)
{
	struct intake *in = arg;

	in->s->e->dirty = 1;
	return hub_service_store(in->s->e, &in->p->admission, v, 0, &in->err);
}

static int
take_one(struct intake *in, const struct amqp_event *ev)
{
	struct buf body = { 0 };
	struct hub_event v;
	int r = hub_amqp_get_event(ev->bytes.p, ev->bytes.len, &v, &body, &in->err);

	if (r == 0) {
		r = weigh(in, &v) < 0 ? in->err.code : store(in, &v);
		hub_event_fini(&v);
	}
	buf_free(&body);
	return r;
}

/* All of a batch or nothing: it is read to its end before anything is stored. */
static int
take_batch(struct intake *in, const struct amqp_event *ev)
{
	int r = hub_amqp_get_batch(ev->bytes.p, ev->bytes.len, weigh, in, &in->err);

	return r < 0 ? r : hub_amqp_get_batch(ev->bytes.p, ev->bytes.len, store, in, &in->err);
}

void
hub_amqp_reject(struct session *s, const struct amqp_event *ev, const struct hf_error *err)
{
	int service = err->service != 0 ? err->service : err->code == HF_ERR_PROTOCOL ? BAD : BROKEN;
	struct buf text = { 0 };
	const char *word = amqp_condition(&text, service, err->text);

	log_line(&s->e->log, "the hub refused a message over AMQP: %s (%d)", err->text, service);
	if (word == NULL || amqp_reject(&s->amqp, ev->link, ev->delivery, word, buf_str(&text), 0) < 0)
		session_end(s, "out of memory");
	buf_free(&text);
}

static void
event(struct session *s, struct peer *p, const struct amqp_event *ev)
{
	struct intake in = { .s = s, .p = p };
	int r = ev->format == HUB_AMQP_BATCH ? take_batch(&in, ev) : take_one(&in, ev);

	if (r < 0)
		hub_amqp_reject(s, ev, &in.err);
	else
		(void)amqp_settle(&s->amqp, ev->link, ev->delivery, AMQP_ACCEPTED);
	(void)amqp_credit(&s->amqp, ev->link, 1);
}

static void
detached(struct session *s, const struct amqp_link *l)
{
	struct amqp_link **own[] = { &side(s)->cbs_asked, &side(s)->cbs_answers };

	owner_detached(s, l);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (*own[i] == l)
			*own[i] = NULL;
	for (struct peer *p = side(s)->peers; p != NULL; p = p->next) {
		if (p->events == l)
			p->events = NULL;
		if (p->bound != l)
			continue;
		p->bound = NULL;
		peer_give_back(s, p);
	}
}

static void
message(struct session *s, const struct amqp_event *ev)
{
	struct peer *p = side(s)->peers;

	while (p != NULL && p->events != ev->link)
		p = p->next;
	if (ev->link == side(s)->cbs_asked) {
		put_token(s, ev);
		(void)amqp_credit(&s->amqp, ev->link, 1);
	} else if (ev->link == side(s)->orders)
		owner_order(s, ev);
	else if (p != NULL)
		event(s, p, ev);
}

void
hub_amqp_event(struct session *s, const struct amqp_event *ev)
{
	struct peer *p;

	switch (ev->what) {
	case AMQP_LINK:
		attached(s, ev->link);
		return;
	case AMQP_MESSAGE:
		message(s, ev);
		return;
	case AMQP_SETTLED:
		if (ev->link == side(s)->feedback)
			owner_settled(s, ev);
		else
			peer_settled(s, ev);
		return;
	case AMQP_CREDIT:
		for (p = side(s)->peers; p != NULL; p = p->next)
			p->wanted |= p->bound == ev->link;
		if (ev->link == side(s)->cbs_answers)
			say_answers(s);
		side(s)->feedback_wanted |= ev->link == side(s)->feedback;
		return;
	case AMQP_DETACHED:
		detached(s, ev->link);
		return;
	default:
		return;
	}
}
