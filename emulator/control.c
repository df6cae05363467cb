#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/event.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "process.h"

#define QUESTION_MAX 262144 /* a message to a device, in base64, with its properties */
#define CHUNK	     65536  /* gathered and sent before others get their turn */
#define LONGEST	     (8 * 1024 * 1024)

/*
 * After the last line of an answer comes "{}"; {"error": ...} stands for an answer that cannot be given.
 */
struct asker {
	struct control *c;
	int fd;
	struct event *event;
	struct buf in, out;
	int (*gather)(struct asker *,
	    struct hf_error *); /* the next chunk: 1 there is more, 0 that was all. NULL: not asked yet */
	json_t *question;
	int64_t after;
	char device[129], hub[256];
	int follow;
	size_t skip, at; /* devices: said already; seen in this walk */
	int more;	 /* to be gathered at once, not only when there is news */
	int finished;	 /* "{}" or an error is in out */
	struct asker *next;
};
struct control {
	struct emulator *e;
	struct event_base *base;
	char path[CONFIG_PATH];
	int fd;
	struct event *event;
	struct asker *askers;
};

/* A socket's path may have 107 characters only, a folder's more: so by way of the folder's descriptor. */
static int
socket_in(const char *folder, struct sockaddr_un *at, int *dir)
{
	memset(at, 0, sizeof(*at));
	at->sun_family = AF_UNIX;
	if ((*dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	snprintf(at->sun_path, sizeof(at->sun_path), "/proc/self/fd/%d/control", *dir);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void
leave(struct asker *a)
{
	struct asker **p;

	for (p = &a->c->askers; *p != NULL && *p != a; p = &(*p)->next)
		continue;
	if (*p == a)
		*p = a->next;
	if (a->event)
		event_free(a->event);
	close(a->fd);
	json_decref(a->question);
	buf_free(&a->in);
	buf_free(&a->out);
	free(a);
}

static int
put_line(struct asker *a, const json_t *json)
{
	return js_put(&a->out, json) < 0 || buf_putc(&a->out, '\n') < 0 ? HF_ERR_MEMORY : 0;
}

static void
sorry(struct asker *a, const char *sentence)
{
	json_t *o = json_pack("{s:s}", "error", sentence);

	put_line(a, o);
	json_decref(o);
	a->finished = 1;
}

static int
add_mapping(struct buf *b, const struct config *c, const char *name, unsigned port, unsigned real)
{
	const char *address = config_address(c, name), *comma = buf_size(b) > 0 ? "," : "";
	int v6 = strchr(address, ':') != NULL, name6 = strchr(name, ':') != NULL;

	return buf_fmt(b, "%s%s%s%s:%u=%s%s%s:%u", comma, name6 ? "[" : "", name, name6 ? "]" : "", port,
	    v6 ? "[" : "", address, v6 ? "]" : "", real);
}

static int
put_map(struct buf *b, const struct config *c)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->dps_names + c->hubs; i++) {
		const char *name = i < c->dps_names ? c->dps_name[i] : c->hub[i - c->dps_names];

		if ((r = add_mapping(b, c, name, 8883, c->mqtt_port)) == 0)
			r = add_mapping(b, c, name, 443, c->https_port);
		if (r == 0 && session_amqp_built())
			r = add_mapping(b, c, name, 5671, c->amqp_port);
	}
	return r;
}

static void
service_text(char dst[512], const char *host, const char *policy, const char *key)
{
	str_fmt(dst, 512, "HostName=%s;SharedAccessKeyName=%s;SharedAccessKey=%s", host, policy, key);
}

/* HOLDFAST_SERVICE_READER for a policy called reader. */
static int
add_policy(json_t *o, const struct config *c, const char *policy)
{
	char name[100] = "HOLDFAST_SERVICE_", key[96], text[512];
	size_t n = strlen(name);
	int r;

	for (const char *p = policy; *p != '\0' && n + 1 < sizeof(name); p++)
		name[n++] = (char)(*p == '-' ? '_' : toupper((unsigned char)*p));
	name[n] = '\0';
	if ((r = policy_key(c, policy, key)) < 0)
		return r;
	service_text(text, c->dps_name[0], policy, key);
	r = json_object_set_new(o, name, json_string(text));
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(text, sizeof(text));
	return r;
}

static int
gather_env(struct asker *a, struct hf_error *err)
{
	const struct config *c = &a->c->e->conf;
	char trust[CONFIG_PATH], service[512], hub[512];
	struct buf map = { 0 };
	json_t *o = NULL;
	int r = HF_ERR_MEMORY;

	config_path(c, CERT_TRUST, trust);
	service_text(service, c->dps_name[0], c->service_policy, c->service_key);
	service_text(hub, c->hub[0], c->hub_policy, c->hub_key);
	if (put_map(&map, c) == 0 && buf_str(&map) != NULL)
		o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "HOLDFAST_ID_SCOPE", c->scope, "HOLDFAST_ENDPOINT",
		    DPS_HOST, "HOLDFAST_CONNECT", buf_str(&map), "HOLDFAST_TRUST", trust, "HOLDFAST_SERVICE",
		    service, "HOLDFAST_HUB_SERVICE", hub);
	if (o != NULL)
		r = 0;
	for (size_t i = 0; r == 0 && i < c->policies; i++)
		r = add_policy(o, c, c->policy[i].name);
	if (r == 0)
		r = put_line(a, o);
	json_decref(o);
	buf_free(&map);
	OPENSSL_cleanse(service, sizeof(service));
	OPENSSL_cleanse(hub, sizeof(hub));
	return r < 0 ? err_memory(err) : 0;
}

static int
put_device(void *arg, const char *hub, const json_t *device)
{
	struct asker *a = arg;
	json_t *o;

	if (a->at++ < a->skip)
		return 0;
	o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:O*,s:O*}", "hub", hub, "deviceId",
	    js_str(device, "deviceId", ""), "status", js_str(device, "status", ""), "authentication",
	    js_str(js_get(device, "authentication"), "type", ""), "generationId",
	    js_str(device, "generationId", ""), "capabilities", js_get(device, "capabilities"), "twin",
	    js_get(device, "twin"));
	put_line(a, o);
	json_decref(o);
	a->skip++;
	return buf_size(&a->out) >= CHUNK;
}

static int
gather_devices(struct asker *a, struct hf_error *err)
{
	int r;

	a->at = 0;
	if ((r = registry_device_each(a->c->e->registry, NULL, put_device, a, err)) < 0)
		return r;
	return buf_size(&a->out) >= CHUNK;
}

static int
put_event(void *arg, int64_t sequence, const json_t *event)
{
	struct asker *a = arg;

	put_line(a, event);
	a->after = sequence;
	return buf_size(&a->out) >= CHUNK;
}

static int
gather_events(struct asker *a, struct hf_error *err)
{
	const char *device = a->device[0] ? a->device : NULL;
	int r = registry_event_each(a->c->e->registry, a->after, device, put_event, a, err);

	if (r < 0)
		return r;
	return buf_size(&a->out) >= CHUNK;
}

/* The hub that has the device, when none is named: the first one. */
static int
hub_of(void *arg, const char *hub, const json_t *device)
{
	struct asker *a = arg;

	if (strcmp(js_str(device, "deviceId", ""), a->device) != 0)
		return 0;
	return str_copy(a->hub, sizeof(a->hub), hub, strlen(hub)) == 0;
}

static int
read_message(const json_t *q, struct hub_c2d *c, struct buf *body, struct hf_error *err)
{
	const char *text = js_str(q, "body", ""), *ack = js_str(q, "ack", ""), *key, *value;
	struct hub_event *v = &c->message;
	int64_t ttl = js_int(q, "ttl", 0);
	char until[32];
	json_t *pair;
	size_t i;

	if (b64_get(body, text, strlen(text)) < 0)
		return err_set(err, HF_ERR_ARGS, "the message could not be read");
	v->body = buf_data(body);
	v->len = buf_size(body);
	(void)str_copy(c->ack, sizeof(c->ack), ack, strlen(ack));
	clock_iso(clock_now().wall + ttl, until);
	if (str_set(&v->message_id, js_str(q, "messageId", NULL)) < 0 ||
	    str_set(&v->content_type, js_str(q, "contentType", NULL)) < 0 ||
	    str_set(&v->expiry, ttl > 0 ? until : NULL) < 0)
		return err_memory(err);
	json_array_foreach(
	    js_get(q, "properties"), i, pair) if (json_unpack(pair, "[ss]", &key, &value) < 0 ||
						  hub_event_add(v, key, value) < 0) return err_set(err,
	    HF_ERR_ARGS, "a property of the message could not be read");
	return 0;
}

/* It is told once it is stored. */
static int
gather_c2d(struct asker *a, struct hf_error *err)
{
	struct emulator *e = a->c->e;
	struct hub_c2d c = { 0 };
	struct buf body = { 0 };
	json_t *o;
	int r;

	e->now = clock_now();
	str_fmt(a->hub, sizeof(a->hub), "%s", js_str(a->question, "hub", ""));
	if (a->hub[0] == '\0' && (r = registry_device_each(e->registry, NULL, hub_of, a, err)) < 0)
		return r;
	if (a->hub[0] == '\0')
		return err_set(err, HF_ERR_ARGS,
		    "no hub has a device '%s'; holdfast-emulator devices lists them", a->device);
	if ((r = read_message(a->question, &c, &body, err)) == 0 &&
	    (r = c2d_put(e, a->hub, a->device, &c, err)) == 0)
		r = registry_commit(e->registry, err);
	if (r == 0) {
		o = json_pack("{s:s,s:s}", "hub", a->hub, "deviceId", a->device);
		r = put_line(a, o);
		json_decref(o);
	}
	hub_c2d_fini(&c);
	buf_free(&body);
	return r;
}

static void
understand(struct asker *a)
{
	struct hf_error err = { 0 };
	json_t *q = a->question = js_parse(buf_data(&a->in), buf_size(&a->in), "the question", &err);
	const char *want = js_str(q, "want", "");

	a->after = js_int(q, "after", 0);
	a->follow = js_bool(q, "follow", 0);
	str_fmt(a->device, sizeof(a->device), "%s", js_str(q, "device", ""));
	if (strcmp(want, "env") == 0)
		a->gather = gather_env;
	else if (strcmp(want, "devices") == 0)
		a->gather = gather_devices;
	else if (strcmp(want, "events") == 0)
		a->gather = gather_events;
	else if (strcmp(want, "c2d") == 0)
		a->gather = gather_c2d;
	else
		sorry(a, "the emulator was asked for something that it does not have");
}

/* -1: the asker has left. */
static int
listen_to(struct asker *a)
{
	uint8_t some[4096];
	ssize_t n = recv(a->fd, some, sizeof(some), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0 || a->gather || a->finished)
		return n == 0 ? -1 : 0;
	if (buf_size(&a->in) + (size_t)n > QUESTION_MAX || buf_put(&a->in, some, (size_t)n) < 0)
		return -1;
	if (memchr(some, '\n', (size_t)n) != NULL)
		understand(a);
	return 0;
}

/* One chunk more into out. */
static void
gather(struct asker *a)
{
	struct hf_error err = { 0 };
	int r;

	if (a->gather == NULL || a->finished || buf_size(&a->out) >= CHUNK)
		return;
	if ((r = a->gather(a, &err)) < 0)
		sorry(a, err.text);
	a->more = r > 0;
	if (r == 0 && !a->follow)
		a->finished = buf_puts(&a->out, "{}\n") == 0;
}

/* -1: the asker has left, or has all that it wanted. */
static int
tell(struct asker *a)
{
	ssize_t n;

	if (buf_size(&a->out) == 0)
		return 0;
	n = send(a->fd, buf_data(&a->out), buf_size(&a->out), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	buf_eat(&a->out, (size_t)n);
	return a->finished && buf_size(&a->out) == 0 ? -1 : 0;
}

static void serve(evutil_socket_t, short, void *);

static void
wait_for(struct asker *a)
{
	short events = EV_READ | EV_PERSIST;

	if (buf_size(&a->out) > 0 || a->more)
		events |= EV_WRITE;
	event_del(a->event);
	event_assign(a->event, a->c->base, a->fd, events, serve, a);
	event_add(a->event, NULL);
}

static void
serve(evutil_socket_t fd, short what, void *arg)
{
	struct asker *a = arg;

	(void)fd;
	if ((what & EV_READ) && listen_to(a) < 0) {
		leave(a);
		return;
	}
	gather(a);
	if (tell(a) < 0) {
		leave(a);
		return;
	}
	wait_for(a);
}

static void
welcome(evutil_socket_t listening, short what, void *arg)
{
	struct control *c = arg;
	struct asker *a;
	int fd = accept(listening, NULL, NULL);

	(void)what;
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if ((a = calloc(1, sizeof(*a))) == NULL) {
		close(fd);
		return;
	}
	a->c = c;
	a->fd = fd;
	a->next = c->askers;
	c->askers = a;
	a->event = event_new(c->base, fd, EV_READ | EV_PERSIST, serve, a);
	if (a->event == NULL || event_add(a->event, NULL) < 0)
		leave(a);
}

int
control_open(struct control **out, struct emulator *e, struct event_base *base, struct hf_error *err)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un at;
	int dir = -1, r;

	*out = NULL;
	if (c == NULL)
		return err_memory(err);
	c->e = e;
	c->base = base;
	config_path(&e->conf, "control", c->path);
	unlink(c->path);
	c->fd = socket_in(e->conf.data, &at, &dir);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&at, sizeof(at)) < 0 || chmod(c->path, 0600) < 0 ||
	    fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || listen(c->fd, SOMAXCONN) < 0) {
		r = err_sys(err, HF_ERR_IO, "opening the control socket %s", c->path);
		goto fail;
	}
	c->event = event_new(base, c->fd, EV_READ | EV_PERSIST, welcome, c);
	if (c->event == NULL || event_add(c->event, NULL) < 0) {
		r = err_memory(err);
		goto fail;
	}
	close(dir);
	*out = c;
	return 0;
fail:
	if (dir >= 0)
		close(dir);
	control_close(c);
	return r;
}

void
control_news(struct control *c)
{
	struct asker *next;

	for (struct asker *a = c->askers; a != NULL; a = next) {
		next = a->next;
		if (a->follow)
			serve(a->fd, 0, a);
	}
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	while (c->askers)
		leave(c->askers);
	if (c->event)
		event_free(c->event);
	if (c->fd >= 0)
		close(c->fd);
	unlink(c->path);
	free(c);
}

static int
call(const struct config *conf, struct hf_error *err)
{
	struct sockaddr_un at;
	int dir = -1, fd = socket_in(conf->data, &at, &dir);
	int up = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;

	if (!up)
		err_sys(err, HF_ERR_NET,
		    "no emulator listens with the data folder %s (start one: holdfast-emulator --data %s)",
		    conf->data, conf->data);
	if (dir >= 0)
		close(dir);
	if (up)
		return fd;
	if (fd >= 0)
		close(fd);
	return err->code;
}

static int
ask(int fd, const json_t *question, struct hf_error *err)
{
	struct buf line = { 0 };
	int r = 0;

	if (js_put(&line, question) < 0 || buf_putc(&line, '\n') < 0)
		r = err_memory(err);
	else if (send(fd, buf_data(&line), buf_size(&line), MSG_NOSIGNAL) != (ssize_t)buf_size(&line))
		r = err_sys(err, HF_ERR_NET, "asking the emulator");
	buf_free(&line);
	return r;
}

/* 1: there may be more; 0: that was the last line. */
static int
hear(const char *line, int (*fn)(void *, const char *), void *ctx, struct hf_error *err)
{
	static const char trouble[] = "{\"error\":";
	json_t *o;

	if (strcmp(line, "{}") == 0)
		return 0;
	if (strncmp(line, trouble, sizeof(trouble) - 1) != 0)
		return fn(ctx, line) == 0;
	o = js_parse(line, strlen(line), "the emulator's answer", err);
	err_set(err, HF_ERR_SERVICE, "the emulator: %s", js_str(o, "error", line));
	json_decref(o);
	return err->code;
}

/* Hands over the whole lines that are in `in`. */
static int
hear_lines(struct buf *in, int (*fn)(void *, const char *), void *ctx, struct hf_error *err)
{
	uint8_t *end;
	int r = 1;

	while (r == 1 && buf_size(in) > 0 && (end = memchr(buf_data(in), '\n', buf_size(in))) != NULL) {
		*end = '\0';
		r = hear((const char *)buf_data(in), fn, ctx, err);
		buf_eat(in, (size_t)(end + 1 - buf_data(in)));
	}
	return r;
}

int
control_ask(const struct config *conf, const json_t *question, int (*fn)(void *, const char *line), void *ctx,
    struct hf_error *err)
{
	struct buf in = { 0 };
	int fd = call(conf, err), r;
	uint8_t *room;
	ssize_t n;

	if (fd < 0)
		return fd;
	if ((r = ask(fd, question, err)) < 0)
		goto fail;
	do {
		if ((room = buf_room(&in, CHUNK)) == NULL || buf_size(&in) > LONGEST) {
			r = err_memory(err);
			break;
		}
		if ((n = read(fd, room, CHUNK)) <= 0) {
			r = err_set(err, HF_ERR_NET, "the emulator went away before it had said all");
			break;
		}
		buf_add(&in, (size_t)n);
		r = hear_lines(&in, fn, ctx, err);
	} while (r == 1);
fail:
	buf_free(&in);
	close(fd);
	return r;
}
