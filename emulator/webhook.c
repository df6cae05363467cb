#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/json.h"
#include "base/str.h"
#include "process.h"

#define TEXT_(x)   #x
#define TEXT(x)	   TEXT_(x)
#define PATIENCE   30 /* seconds */
#define AT_ONCE	   64
#define STEPS	   16
#define ANSWER_MAX 131072

struct url {
	int plain; /* http, to loopback */
	char host[256], authority[300];
	uint16_t port;
	char target[2000];
};

struct call {
	char operation[160];
	char host[256]; /* for sentences: the rest of a URL may hold a key */
	struct pump pump;
	struct http http;
	struct watch watch;
	int64_t until;
	struct call *next;
};

struct webhooks {
	struct work *work;
	struct net net;
	struct tls_conf *tls;
	int epoll; /* of all calls' watches */
	struct call *list;
	size_t count;
};

static int
is_loopback(const char *host)
{
	return config_is_loopback(host) || str_eqi(host, "localhost");
}

static int
read_url(struct url *u, const char *text)
{
	const char *p = text;
	size_t n;

	memset(u, 0, sizeof(*u));
	for (n = 0; text[n] > ' ' && text[n] < 127; n++)
		continue;
	if (text[n] != '\0' || strchr(text, '#') != NULL)
		return HF_ERR_ARGS;
	u->plain = strncasecmp(p, "http://", 7) == 0;
	if (!u->plain && strncasecmp(p, "https://", 8) != 0)
		return HF_ERR_ARGS;
	p += u->plain ? 7 : 8;
	n = strcspn(p, "/?");
	u->port = u->plain ? 80 : 443;
	if (str_copy(u->authority, sizeof(u->authority), p, n) < 0 || strchr(u->authority, '@') != NULL ||
	    str_host_port(u->authority, u->host, sizeof(u->host), &u->port) < 0 || u->port == 0 ||
	    u->host[0] == '\0')
		return HF_ERR_ARGS;
	if (u->plain && !is_loopback(u->host))
		return HF_ERR_ARGS;
	return str_fmt(u->target, sizeof(u->target), "%s%s", p[n] == '/' ? "" : "/", p + n);
}

int
webhook_is(const char *url)
{
	struct url u;

	return read_url(&u, url) == 0;
}

static int
open_all(struct webhooks *w, struct hf_error *err)
{
	w->net.open = net_open;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return err_sys(err, HF_ERR_IO, "cannot make an epoll descriptor");
	return work_new(&w->work, err);
}

static struct webhooks *
hooks(struct emulator *e)
{
	struct hf_error err = { 0 };

	if (e->webhooks)
		return e->webhooks;
	e->webhooks = calloc(1, sizeof(*e->webhooks));
	if (e->webhooks && open_all(e->webhooks, &err) == 0)
		return e->webhooks;
	log_line(&e->log, "webhooks cannot be asked: %s", err.text);
	if (e->webhooks)
		webhook_close(e);
	return NULL;
}

int
webhook_fd(struct emulator *e)
{
	struct webhooks *w = hooks(e);

	return w ? w->epoll : -1;
}

static void
drop(struct call *c)
{
	watch_close(&c->watch);
	pump_close(&c->pump);
	http_fini(&c->http);
	free(c);
}

void
webhook_close(struct emulator *e)
{
	struct webhooks *w = e->webhooks;
	struct call *next;

	if (w == NULL)
		return;
	for (struct call *c = w->list; c != NULL; c = next) {
		next = c->next;
		drop(c);
	}
	work_free(w->work);
	tls_conf_free(w->tls);
	if (w->epoll >= 0)
		close(w->epoll);
	free(w);
	e->webhooks = NULL;
}

static int
dial(struct emulator *e, struct webhooks *w, struct call *c, const struct url *u, struct hf_error *err)
{
	const char *trust = e->conf.webhook_trust[0] != '\0' ? e->conf.webhook_trust : NULL;

	if (u->plain)
		return tcp_connect(&c->pump.stream, w->work, u->host, u->port, err);
	if (w->tls == NULL && tls_conf_client(&w->tls, trust, NULL, NULL, err) < 0)
		return err->code;
	return w->net.open(
	    &w->net, &c->pump.stream, &(struct dial){ u->host, u->port, w->tls, NULL }, w->work, err);
}

static int
say(struct call *c, const struct url *u, const json_t *question, struct hf_error *err)
{
	struct http_message m = { .method = "POST", .target = u->target };
	struct buf body = { 0 };
	int r = js_put(&body, question);

	m.header[m.header_count++] = (struct http_header){ "Host", u->authority };
	m.header[m.header_count++] =
	    (struct http_header){ "Content-Type", "application/json; charset=utf-8" };
	m.header[m.header_count++] = (struct http_header){ "Accept", "application/json" };
	m.header[m.header_count++] = (struct http_header){ "Connection", "close" };
	m.body = buf_data(&body);
	m.len = buf_size(&body);
	if (r == 0)
		r = http_say(&c->http, &m);
	buf_free(&body);
	return r < 0 ? err_set(err, r, "the question could not be written") : 0;
}

static int
begin(struct emulator *e, struct webhooks *w, struct call *c, const struct url *u, const json_t *question,
    struct hf_error *err)
{
	struct epoll_event ev = { .events = EPOLLIN };

	c->until = e->now.ms + PATIENCE * 1000;
	c->pump.engine = &c->http.engine;
	str_fmt(c->host, sizeof(c->host), "%s", u->host);
	if (say(c, u, question, err) < 0 || watch_open(&c->watch, err) < 0 || dial(e, w, c, u, err) < 0)
		return err->code;
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->watch.epoll, &ev) < 0)
		return err_sys(err, HF_ERR_IO, "watching it");
	return 0;
}

static struct call *
find(struct webhooks *w, const char *operation)
{
	struct call *c = w->list;

	while (c != NULL && strcmp(c->operation, operation) != 0)
		c = c->next;
	return c;
}

static void
finish(struct emulator *e, struct call *c, json_t *answer)
{
	log_line(&e->log, "webhook at %s, operation %s: %s %d", c->host, c->operation,
	    js_str(answer, "error", "status"), (int)js_int(answer, "status", 0));
	dps_service_told(e, c->operation, answer);
	json_decref(answer);
}

static json_t *
no_answer(const struct call *c, const char *why)
{
	char text[300];

	snprintf(text, sizeof(text), "the webhook at %.100s was not heard: %.150s", c->host, why);
	return json_pack("{s:s%}", "error", text, strlen(text));
}

void
webhook_ask(struct emulator *e, const char *operation, const char *url, const json_t *question)
{
	struct webhooks *w = hooks(e);
	struct hf_error err = { 0 };
	struct url u;
	struct call *c;

	if (w == NULL || find(w, operation) != NULL || w->count == AT_ONCE ||
	    (c = calloc(1, sizeof(*c))) == NULL)
		return;
	c->watch.epoll = -1;
	str_fmt(c->operation, sizeof(c->operation), "%s", operation);
	if (http_init(&c->http, 0, ANSWER_MAX) < 0) {
		free(c);
		return;
	}
	if (read_url(&u, url) < 0)
		err_set(&err, HF_ERR_ARGS, "its URL cannot be one");
	else
		begin(e, w, c, &u, question, &err);
	if (err.code != 0) {
		finish(e, c, no_answer(c, err.text));
		drop(c);
		return;
	}
	c->next = w->list;
	w->list = c;
	w->count++;
}

/* What has come; NULL: nothing yet. */
static json_t *
heard(struct call *c)
{
	struct hf_error err = { 0 };
	struct http_event ev;
	json_t *body;
	int r = http_next(&c->http, &ev);

	if (r == 0)
		return NULL;
	if (r < 0)
		return no_answer(c, c->http.engine.err.text);
	if (ev.what == HTTP_CLOSED)
		return no_answer(c, "it closed the connection");
	if (ev.message.status < 200 || ev.message.status > 299)
		return json_pack("{s:i}", "status", ev.message.status);
	body = js_parse(ev.message.body, ev.message.len, "its answer", &err);
	if (body == NULL)
		return no_answer(c, err.text);
	return json_pack("{s:i, s:o}", "status", ev.message.status, "body", body);
}

/* What it waits for now. A descriptor may be another one under the same number: so it is always set anew. */
static void
wait_for(struct webhooks *w, struct call *c)
{
	short events;
	int fd;

	pump_wait(&c->pump, &fd, &events);
	watch_set(&c->watch, WATCH_STREAM, -1, 0);
	watch_set(&c->watch, WATCH_STREAM, fd, events);
	watch_set(&c->watch, WATCH_WORK, work_fd(w->work), POLLIN);
}

static json_t *
step(struct emulator *e, struct call *c, int *moved)
{
	json_t *answer = NULL;
	int r = 1;

	for (int i = 0; i < STEPS && r == 1 && answer == NULL; i++) {
		r = pump_step(&c->pump, e->now.ms);
		*moved |= r != 0;
		answer = heard(c);
	}
	if (answer == NULL && r < 0)
		answer = no_answer(c, c->pump.err.text);
	if (answer == NULL && e->now.ms >= c->until)
		answer = no_answer(c, "no answer within " TEXT(PATIENCE) " s");
	return answer;
}

int
webhook_step(struct emulator *e)
{
	struct webhooks *w = e->webhooks;
	struct call **p, *c;
	json_t *answer;
	int moved = 0;

	if (w == NULL || w->list == NULL)
		return 0;
	work_clear(w->work);
	for (p = &w->list; (c = *p) != NULL;) {
		answer = step(e, c, &moved);
		if (answer == NULL) {
			wait_for(w, c);
			p = &c->next;
			continue;
		}
		*p = c->next;
		w->count--;
		finish(e, c, answer);
		drop(c);
	}
	return moved;
}
