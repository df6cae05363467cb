#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "dps/dps_client.h"
#include "msg/sas.h"

#define SERVICE_API "2021-10-01"
#define TOKEN_LIFE  600
#define LIMIT	    30000 /* ms for the whole request */
#define BODY_MAX    (8 * 1024 * 1024)

struct dps_call {
	char host[256];
	uint16_t port;
	struct tls_conf *tls;
	struct work *work;
	struct pump pump;
	struct http http;
	int open;
	int64_t limit, deadline;
	char what[160]; /* "GET /enrollments/ID", for sentences */
	struct buf answer;
	char *more; /* where the next page begins */
	struct hf_error err;
};

static int
token_put(struct buf *out, const struct dps_service_key *k, struct moment now)
{
	struct buf text = { 0 };
	uint8_t mac[32];
	int rc = sas_put_text(&text, k->host, now.wall + TOKEN_LIFE);

	if (rc == 0)
		rc = sas_hmac(buf_data(&k->key), buf_size(&k->key), buf_data(&text), buf_size(&text), mac);
	if (rc == 0)
		rc = sas_put(out, k->host, now.wall + TOKEN_LIFE, mac, k->name);
	buf_free(&text);
	return rc;
}

static int
check(const struct hf_call *q, struct hf_error *e)
{
	static const char *const methods[] = { "GET", "PUT", "POST", "DELETE" };
	size_t i = 0, n = strlen(q->path);

	while (i < 4 && strcmp(methods[i], q->method) != 0)
		i++;
	if (i == 4)
		return err_set(e, HF_ERR_ARGS, "\"%s\" is not a method of DPS's service API", q->method);
	for (i = 0; i < n && q->path[i] > ' ' && q->path[i] < 127 && strchr("?#", q->path[i]) == NULL; i++)
		continue;
	if (q->path[0] == '/' && i == n)
		return 0;
	return err_set(
	    e, HF_ERR_ARGS, "\"%s\" is not a path of DPS's service API; one is /enrollments/ID", q->path);
}

static void
add(struct http_message *m, const char *name, const char *value)
{
	if (value != NULL)
		m->header[m->header_count++] = (struct http_header){ name, value };
}

static int
request(struct dps_call *c, const struct dps_service_key *k, const struct hf_call *q, const char *more,
    struct moment now)
{
	struct buf target = { 0 }, token = { 0 };
	struct http_message m = { .method = q->method };
	int rc = HF_ERR_MEMORY;

	if (buf_fmt(&target, "%s?api-version=" SERVICE_API, q->path) < 0 || token_put(&token, k, now) < 0)
		goto fail;
	m.target = buf_str(&target);
	add(&m, "Host", k->host);
	add(&m, "Authorization", buf_str(&token));
	add(&m, "Accept", "application/json");
	add(&m, "If-Match", q->match);
	add(&m, "x-ms-continuation", more);
	if (q->body != NULL) {
		add(&m, "Content-Type", "application/json; charset=utf-8");
		m.body = q->body;
		m.len = strlen(q->body);
	}
	if (m.target != NULL && buf_str(&token) != NULL)
		rc = http_say(&c->http, &m);
fail:
	buf_free(&target);
	buf_free(&token);
	return rc < 0 ? err_set(&c->err, rc, "%s: the request could not be made", c->what) : 0;
}

int
dps_call_new(struct dps_call **out, const char *text, const struct hf_call *q, const char *more,
    const char *trust, struct net *net, struct work *work, struct moment now, struct hf_error *e)
{
	struct dps_call *c = calloc(1, sizeof(*c));
	struct dps_service_key k = { 0 };

	if (c == NULL)
		return err_memory(e);
	c->work = work;
	c->limit = now.ms + LIMIT;
	c->port = 443;
	if (check(q, &c->err) < 0 || dps_service_key_get(&k, text, &c->err) < 0)
		goto fail;
	(void)snprintf(c->what, sizeof(c->what), "%s %s", q->method, q->path);
	if (str_host_port(k.host, c->host, sizeof(c->host), &c->port) < 0) {
		err_set(&c->err, HF_ERR_ARGS,
		    "\"%s\" in the service's connection string is not HOST or HOST:PORT", k.host);
		goto fail;
	}
	if (tls_conf_client(&c->tls, trust, NULL, NULL, &c->err) < 0)
		goto fail;
	if (http_init(&c->http, 0, BODY_MAX) < 0) {
		err_memory(&c->err);
		goto fail;
	}
	c->open = 1;
	c->pump.engine = &c->http.engine;
	if (request(c, &k, q, more, now) < 0 ||
	    net->open(net, &c->pump.stream, &(struct dial){ c->host, c->port, c->tls, NULL }, work, &c->err) <
		0)
		goto fail;
	dps_service_key_fini(&k);
	*out = c;
	return 0;
fail:
	if (e->code == 0)
		*e = c->err;
	dps_service_key_fini(&k);
	dps_call_free(c);
	return e->code;
}

void
dps_call_free(struct dps_call *c)
{
	if (c == NULL)
		return;
	if (c->open) {
		pump_close(&c->pump);
		http_fini(&c->http);
	}
	tls_conf_free(c->tls);
	buf_free(&c->answer);
	str_free(&c->more);
	free(c);
}

static const char *
advice(int status)
{
	switch (status) {
	case 401:
	case 403:
		return "; is the service's connection string right, and may its policy do that?";
	case 409:
		return "; it is there already: update it, or delete it first";
	case 412:
		return "; somebody has changed it since it was read: read it again, and change that";
	default:
		return "";
	}
}

static int
refused(struct dps_call *c, const struct http_message *m)
{
	struct dps_reply p = { 0 };
	struct hf_error ignored = { 0 };
	int code = m->status == 401 || m->status == 403 ? HF_ERR_AUTH : HF_ERR_SERVICE;

	p.status = m->status;
	(void)dps_get_reply_body(m->body, m->len, &p, &ignored);
	c->err.status = m->status;
	c->err.service = p.code;
	(void)str_fmt(c->err.tracking, sizeof(c->err.tracking), "%s", p.tracking);
	err_set(&c->err, code, "DPS at %s refused %s: %s (status %d, errorCode %d, tracking id %s)%s",
	    c->host, c->what, p.message[0] != '\0' ? p.message : "no reason given", m->status, p.code,
	    p.tracking[0] != '\0' ? p.tracking : "none", advice(m->status));
	dps_reply_fini(&p);
	return code;
}

static int
heard(struct dps_call *c)
{
	struct http_event ev;
	int rc = http_next(&c->http, &ev);

	if (rc < 0)
		return err_set(&c->err, rc, "DPS at %s: %s", c->host, c->http.engine.err.text);
	if (rc == 0)
		return 0;
	if (ev.what == HTTP_CLOSED)
		return err_set(
		    &c->err, HF_ERR_NET, "DPS at %s closed the connection before it answered", c->host);
	if (ev.message.status < 200 || ev.message.status > 299)
		return refused(c, &ev.message);
	if (buf_put(&c->answer, ev.message.body, ev.message.len) < 0 ||
	    str_set(&c->more, http_header(&ev.message, "x-ms-continuation")) < 0)
		return err_memory(&c->err);
	return 1;
}

int
dps_call_step(struct dps_call *c, struct moment now)
{
	int moved, rc;

	if (now.ms >= c->limit)
		return err_set(&c->err, HF_ERR_TIMEOUT, "%s: DPS at %s did not answer in %d s", c->what,
		    c->host, LIMIT / 1000);
	do {
		moved = pump_step(&c->pump, now.ms);
		rc = heard(c);
	} while (rc == 0 && moved > 0);
	if (rc == 0 && moved < 0)
		rc = err_set(&c->err, moved, "%s", c->pump.err.text);
	c->deadline = sooner(c->limit, c->http.engine.ops->tick(&c->http.engine, now.ms));
	return rc;
}

int64_t
dps_call_deadline(const struct dps_call *c)
{
	return c->deadline;
}

void
dps_call_watch(struct dps_call *c, struct watch *w)
{
	int fd;
	short events;

	pump_wait(&c->pump, &fd, &events);
	watch_set(w, WATCH_STREAM, fd, events);
	watch_set(w, WATCH_WORK, work_fd(c->work), POLLIN);
}

const struct buf *
dps_call_answer(const struct dps_call *c)
{
	return &c->answer;
}

const char *
dps_call_more(const struct dps_call *c)
{
	return c->more;
}

const struct hf_error *
dps_call_error(const struct dps_call *c)
{
	return &c->err;
}
