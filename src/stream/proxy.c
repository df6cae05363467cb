#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "base/str.h"
#include "stream/ask.h"

struct proxy {
	struct stream s;
	struct stream *under;
	struct ask *ask; /* NULL once the way is open */
	struct buf rest; /* what came behind the proxy's answer */
	char name[280], target[280], late[340];
	int named; /* a name and a password were sent */
};

static ssize_t
lost(struct proxy *p, const struct hf_error *why)
{
	err_set(&p->s.err, why->code, "the proxy %s: %s", p->name, why->text);
	return STREAM_ERR;
}

/* A list of challenges: a scheme and its parameters, where a parameter looks like a scheme to whoever only looks for one. */
static int
has_basic(const char *s)
{
	static const char basic[] = "Basic";

	for (; *s != '\0'; s += strcspn(s, ","), s += strspn(s, ", \t"))
		if (str_eqin(basic, s, strcspn(s, " ,")))
			return 1;
	return 0;
}

/* Does the proxy take Basic, among others? Without a word about it: it may. */
static int
takes_basic(const struct http_message *m)
{
	static const char name[] = "Proxy-Authenticate";

	for (size_t i = 0; i < m->header_count; i++)
		if (str_eqi(m->header[i].name, name) && has_basic(m->header[i].value))
			return 1;
	return http_header(m, name) == NULL;
}

static ssize_t
wants_another(struct proxy *p, const struct http_message *m)
{
	const char *what = "wants a name and a password";
	const char *next =
	    "put them into its address, http://NAME:PASSWORD@HOST:PORT, or into the setting for them";

	if (!takes_basic(m)) {
		what = "does not want a name and a password, but to be shown otherwise who we are";
		next = "ask who runs it for a way in by Basic";
	} else if (p->named) {
		what = "does not take the name and the password that it was given";
		next = "check them";
	}
	err_set(&p->s.err, HF_ERR_ARGS, "the proxy %s %s (HTTP %d): %s", p->name, what, m->status, next);
	return STREAM_ERR;
}

/* 401 is what tinyproxy says to a wrong password. */
static ssize_t
refused(struct proxy *p, const struct http_message *m)
{
	const char *next = m->status / 100 == 5 ? "can it reach that host?" : "ask who runs it";

	if (m->status == 407 || m->status == 401)
		return wants_another(p, m);
	err_set(&p->s.err, HF_ERR_NET, "the proxy %s opened no way to %s: HTTP %d%s%.80s; %s", p->name,
	    p->target, m->status, m->reason[0] != '\0' ? " " : "", m->reason, next);
	return STREAM_ERR;
}

/* Brings the request and its answer on. 0: the way is open. */
static ssize_t
drive(struct proxy *p)
{
	struct http_message m;
	ssize_t r;

	if (p->ask == NULL)
		return 0;
	if (p->s.err.code != 0)
		return STREAM_ERR;
	if ((r = ask_drive(p->ask, p->under, &m)) == STREAM_ERR)
		return lost(p, ask_why(p->ask, p->under));
	if (r < 0)
		return r;
	if (m.status / 100 != 2)
		return refused(p, &m);
	if (http_rest(&p->ask->http, &p->rest) < 0) {
		err_memory(&p->s.err);
		return STREAM_ERR;
	}
	ask_fini(p->ask);
	free(p->ask);
	p->ask = NULL;
	p->s.late = NULL;
	return 0;
}

/* The stream below speaks for itself. */
static ssize_t
hand_on(struct proxy *p, ssize_t r)
{
	if (r == STREAM_ERR)
		err_set(&p->s.err, p->under->err.code, "%s", p->under->err.text);
	return r;
}

static ssize_t
proxy_read(struct stream *s, void *dst, size_t n)
{
	struct proxy *p = (struct proxy *)s;
	ssize_t r = drive(p);

	if (r < 0)
		return r;
	if (buf_size(&p->rest) == 0)
		return hand_on(p, stream_read(p->under, dst, n));
	if (n > buf_size(&p->rest))
		n = buf_size(&p->rest);
	memcpy(dst, buf_data(&p->rest), n);
	buf_eat(&p->rest, n);
	if (buf_size(&p->rest) == 0)
		buf_free(&p->rest);
	return (ssize_t)n;
}

static ssize_t
proxy_write(struct stream *s, const void *src, size_t n)
{
	struct proxy *p = (struct proxy *)s;
	ssize_t r = drive(p);

	return r < 0 ? r : hand_on(p, stream_write(p->under, src, n));
}

static void
proxy_wait(struct stream *s, int want, int *fd, short *events)
{
	stream_wait(((struct proxy *)s)->under, want, fd, events);
}

static void
proxy_close(struct stream *s)
{
	struct proxy *p = (struct proxy *)s;

	if (p->ask != NULL)
		ask_fini(p->ask);
	free(p->ask);
	buf_free(&p->rest);
	stream_close(p->under);
	free(p);
}

static const struct stream_ops proxy_ops = { proxy_read, proxy_write, proxy_wait, proxy_close };

static int
put_request(struct proxy *p, const char *user)
{
	struct http_message m = { .method = "CONNECT",
		.target = p->target,
		.header_count = 1,
		.header = { { "Host", p->target } } };
	struct buf basic = { 0 };
	int r = 0;

	if (user != NULL && (r = buf_puts(&basic, "Basic ")) == 0)
		r = b64_put(&basic, user, strlen(user));
	if (r == 0 && user != NULL) {
		m.header[1] = (struct http_header){ "Proxy-Authorization", buf_str(&basic) };
		m.header_count = 2;
		r = m.header[1].value == NULL ? HF_ERR_MEMORY : 0;
	}
	if (r == 0)
		r = ask_init(p->ask, &m);
	buf_free(&basic);
	return r;
}

int
proxy_open(struct stream **out, struct stream *under, const char *proxy, const char *user, const char *host,
    uint16_t port, struct hf_error *err)
{
	const char *form = strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u";
	struct proxy *p = calloc(1, sizeof *p);
	int r;

	if (p == NULL) {
		stream_close(under);
		return err_memory(err);
	}
	p->s.ops = &proxy_ops;
	p->s.below = p->under = under;
	p->named = user != NULL;
	str_fmt(p->name, sizeof p->name, "%s", proxy);
	str_fmt(p->target, sizeof p->target, form, host, port);
	str_fmt(p->late, sizeof p->late, ", for the proxy %s has not answered", p->name);
	p->s.late = p->late;
	if ((p->ask = calloc(1, sizeof *p->ask)) == NULL || (r = put_request(p, user)) == HF_ERR_MEMORY) {
		err_memory(err);
		goto fail;
	}
	if (r < 0) {
		err_set(err, HF_ERR_ARGS, "the proxy %s cannot be asked for '%.300s'", proxy, host);
		goto fail;
	}
	*out = &p->s;
	return 0;
fail:
	proxy_close(&p->s);
	return err->code;
}
