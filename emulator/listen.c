#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>
#include "base/str.h"
#include "process.h"

#define MAX_ADDRESSES (2 * MAX_NAMES + 1)
#define TRIES	      50 /* for a free port that is free on every address */
#define AT_ONCE	      64 /* connections accepted before others get their turn */

struct door {
	struct listen *l;
	enum session_kind kind;
	int fd;
	struct event *event;
};
struct visitor {
	struct listen *l;
	struct session *session;
	int fd;
	short events; /* libevent's, as they are being waited for */
	struct event *event;
};
struct listen {
	struct emulator *e;
	struct tls_conf *tls;
	struct event_base *base;
	struct event *term, *interrupt, *second, *webhooks;
	struct control *control;
	const char *address[MAX_ADDRESSES];
	size_t addresses;
	struct door door[SESSION_KINDS * MAX_ADDRESSES];
	size_t doors;
	int64_t version; /* of the registry, at the last second's end */
	int stop;
};

static void
add_address(struct listen *l, const char *address)
{
	for (size_t i = 0; i < l->addresses; i++)
		if (strcmp(l->address[i], address) == 0)
			return;
	l->address[l->addresses++] = address;
}

/* Where we listen: --bind, and while that is a loopback address, at the loopback addresses among our names. */
static void
find_addresses(struct listen *l)
{
	const struct config *c = &l->e->conf;

	add_address(l, c->bind);
	if (!config_is_loopback(c->bind))
		return;
	for (size_t i = 0; i < c->dps_names; i++)
		add_address(l, config_address(c, c->dps_name[i]));
	for (size_t i = 0; i < c->hubs; i++)
		add_address(l, config_address(c, c->hub[i]));
}

static socklen_t
make_address(struct sockaddr_storage *dst, const char *address, uint16_t port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)dst;
	struct sockaddr_in *v4 = (struct sockaddr_in *)dst;

	memset(dst, 0, sizeof(*dst));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1)
		return 0;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static const struct {
	const char *name, *option;
} kinds[] = { [SESSION_MQTT] = { "MQTT", "--mqtt-port" },
	[SESSION_HTTP] = { "HTTPS", "--https-port" },
	[SESSION_AMQP] = { "AMQP", "--amqp-port" } };

static void
add_hint(struct hf_error *err, int code, enum session_kind kind)
{
	const char *why = code == EACCES       ? "ports below 1024 need privilege"
			  : code == EADDRINUSE ? "another program has it"
					       : NULL;
	size_t n = strlen(err->text);

	if (why != NULL)
		str_fmt(err->text + n, sizeof(err->text) - n, "; %s: say %s 0 for any free one", why,
		    kinds[kind].option);
}

/* A listening socket, with errno set where there is none. */
static int
bind_one(const char *address, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t n = make_address(&to, address, port);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, saved;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, (struct sockaddr *)&to, n) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &n) < 0)
		return 0;
	return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
					      : ((struct sockaddr_in *)&at)->sin_port);
}

static void
unbind(struct listen *l, size_t first)
{
	while (l->doors > first)
		close(l->door[--l->doors].fd);
}

/* One port on every address. 0, or the errno of the address that refused. */
static int
bind_all(struct listen *l, enum session_kind kind, uint16_t *port, const char **refused)
{
	size_t first = l->doors;
	uint16_t at = *port;
	int fd, saved;

	for (size_t i = 0; i < l->addresses; i++) {
		if ((fd = bind_one(l->address[i], at)) < 0) {
			saved = errno;
			*refused = l->address[i];
			unbind(l, first);
			return saved;
		}
		l->door[l->doors++] = (struct door){ .l = l, .kind = kind, .fd = fd };
		if (at == 0)
			at = port_of(fd);
	}
	*port = at;
	return 0;
}

/* A port that is free on one address may be taken on the next: another one then, unless it was asked for. */
static int
open_port(struct listen *l, enum session_kind kind, uint16_t *port, struct hf_error *err)
{
	const char *address = "";
	int code = EADDRINUSE;

	for (int i = 0; i < TRIES && code == EADDRINUSE; i++) {
		if ((code = bind_all(l, kind, port, &address)) == 0)
			return 0;
		if (*port != 0)
			break;
	}
	errno = code;
	err_sys(err, HF_ERR_NET, "listening for %s at %s port %u", kinds[kind].name, address, *port);
	add_hint(err, code, kind);
	return err->code;
}

static void
visit(evutil_socket_t fd, short what, void *arg)
{
	struct visitor *v = arg;

	(void)fd;
	(void)what;
	session_wake(v->session);
}

static void
leave(struct visitor *v)
{
	if (v->event)
		event_free(v->event);
	free(v);
}

/* After a turn: what does this session wait for now? */
static void
moved(struct session *s, int over)
{
	struct visitor *v = *session_host(s);
	int64_t left = session_deadline(s) - v->l->e->now.ms;
	struct timeval tv = { .tv_sec = left / 1000, .tv_usec = left % 1000 * 1000 };
	short want, events = EV_PERSIST;
	int fd;

	if (over) {
		leave(v);
		return;
	}
	session_wait(s, &fd, &want);
	if (fd >= 0)
		events |= (want & POLLIN ? EV_READ : 0) | (want & POLLOUT ? EV_WRITE : 0);
	if (events != v->events) {
		event_del(v->event);
		event_assign(v->event, v->l->base, v->fd, events, visit, v);
		v->events = events;
	}
	if (left < 0)
		tv = (struct timeval){ 0 };
	event_add(v->event, session_deadline(s) == NEVER ? NULL : &tv);
}

static void
welcome(struct door *d, int fd, const char *peer)
{
	struct hf_error err = { 0 };
	struct stream *stream = NULL;
	struct visitor *v = calloc(1, sizeof(*v));
	struct listen *l = d->l;

	if (v == NULL) {
		close(fd);
		return;
	}
	v->l = l;
	v->fd = fd;
	v->event = event_new(l->base, fd, 0, visit, v);
	if (tcp_from_fd(&stream, fd, peer, &err) < 0 ||
	    tls_open(&stream, l->tls, stream, NULL, NULL, &err) < 0 ||
	    session_new(&v->session, l->e, d->kind, stream, &err) < 0) {
		log_line(&l->e->log, "a connection from %s was not taken: %s", peer, err.text);
		leave(v);
		return;
	}
	*session_host(v->session) = v;
}

static void
put_peer(char dst[64], const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	char text[INET6_ADDRSTRLEN] = "";

	if (from->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
	str_fmt(dst, 64, "%s", text);
}

/* Out of descriptors: the door stays shut until the second is over, rather than to turn in circles. */
static void
answer_door(evutil_socket_t listening, short what, void *arg)
{
	struct sockaddr_storage from;
	struct door *d = arg;
	socklen_t n;
	char peer[64];
	int fd;

	(void)what;
	d->l->e->now = clock_now();
	for (int i = 0; i < AT_ONCE; i++) {
		n = sizeof(from);
		if ((fd = accept(listening, (struct sockaddr *)&from, &n)) < 0)
			break;
		put_peer(peer, &from);
		welcome(d, fd, peer);
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		event_del(d->event);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct listen *l = arg;

	(void)what;
	log_line(&l->e->log, "ending, for %s came", number == SIGINT ? "SIGINT" : "SIGTERM");
	l->stop = 1;
}

/* The turn that follows looks at them. */
static void
on_webhooks(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Opens doors that were shut; has everyone looked at when devices were disabled or deleted. */
static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct listen *l = arg;
	int64_t version = registry_version(l->e->registry);

	(void)fd;
	(void)what;
	for (size_t i = 0; i < l->doors; i++)
		if (!event_pending(l->door[i].event, EV_READ, NULL))
			event_add(l->door[i].event, NULL);
	if (version == l->version)
		return;
	l->version = version;
	for (struct session *s = l->e->sessions; s != NULL; s = session_next(s))
		session_wake(s);
}

static int
add_events(struct listen *l)
{
	struct timeval second = { .tv_sec = 1 };

	for (size_t i = 0; i < l->doors; i++) {
		struct door *d = &l->door[i];

		if ((d->event = event_new(l->base, d->fd, EV_READ | EV_PERSIST, answer_door, d)) == NULL ||
		    event_add(d->event, NULL) < 0)
			return -1;
	}
	l->term = evsignal_new(l->base, SIGTERM, on_signal, l);
	l->interrupt = evsignal_new(l->base, SIGINT, on_signal, l);
	l->second = event_new(l->base, -1, EV_PERSIST, on_second, l);
	l->webhooks = event_new(l->base, webhook_fd(l->e), EV_READ | EV_PERSIST, on_webhooks, l);
	if (l->term == NULL || l->interrupt == NULL || l->second == NULL || l->webhooks == NULL ||
	    event_add(l->webhooks, NULL) < 0)
		return -1;
	return event_add(l->term, NULL) | event_add(l->interrupt, NULL) | event_add(l->second, &second);
}

int
listen_open(struct listen **out, struct emulator *e, struct tls_conf *tls, struct hf_error *err)
{
	struct listen *l = calloc(1, sizeof(*l));
	int r;

	*out = NULL;
	if (l == NULL)
		return err_memory(err);
	l->e = e;
	l->tls = tls;
	e->moved = moved;
	find_addresses(l);
	if ((r = open_port(l, SESSION_MQTT, &e->conf.mqtt_port, err)) < 0 ||
	    (r = open_port(l, SESSION_HTTP, &e->conf.https_port, err)) < 0 ||
	    (session_amqp_built() && (r = open_port(l, SESSION_AMQP, &e->conf.amqp_port, err)) < 0))
		goto fail;
	if ((l->base = event_base_new()) == NULL || add_events(l) < 0) {
		r = err_set(err, HF_ERR_OTHER, "the event loop could not be made");
		goto fail;
	}
	if ((r = control_open(&l->control, e, l->base, err)) < 0)
		goto fail;
	*out = l;
	return 0;
fail:
	listen_close(l);
	return r;
}

int
listen_run(struct listen *l, struct hf_error *err)
{
	while (!l->stop) {
		if (event_base_loop(l->base, EVLOOP_ONCE | (l->e->ready ? EVLOOP_NONBLOCK : 0)) < 0)
			return err_set(err, HF_ERR_OTHER, "the event loop failed");
		emulator_step(l->e, clock_now());
		if (l->e->dirty)
			control_news(l->control);
		l->e->dirty = 0;
	}
	return 0;
}

static void
drop_event(struct event *event)
{
	if (event)
		event_free(event);
}

void
listen_close(struct listen *l)
{
	struct session *s;

	if (l == NULL)
		return;
	while ((s = l->e->sessions) != NULL) {
		leave(*session_host(s));
		session_free(s);
	}
	control_close(l->control);
	for (size_t i = 0; i < l->doors; i++)
		drop_event(l->door[i].event);
	unbind(l, 0);
	drop_event(l->term);
	drop_event(l->interrupt);
	drop_event(l->second);
	drop_event(l->webhooks);
	if (l->base)
		event_base_free(l->base);
	free(l);
}
