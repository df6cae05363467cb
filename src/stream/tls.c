#include "stream/tls_local.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>

#define AT_ONCE	   (16 * 1024)
#define MAX_ROUNDS 64 /* handshake calls in one read or write */

struct tls {
	struct stream s;
	struct stream *under;
	struct work *work;
	struct tls_core *core;
	int away;		/* the core is with the worker */
	STACK_OF(X509) * chain; /* server: of the client, leaf first */
};

/* Hands on what waits. 0: nothing waits any more. */
static ssize_t
flush(struct tls *t)
{
	struct tls_core *c = t->core;
	ssize_t n;

	while (buf_size(&c->out) > 0 && !c->lost) {
		n = stream_write(t->under, buf_data(&c->out), buf_size(&c->out));
		if (n < 0) {
			c->want_out = (int)n;
			c->lost = n == STREAM_ERR;
			return n;
		}
		buf_eat(&c->out, (size_t)n);
	}
	buf_free(&c->out);
	return c->lost ? STREAM_ERR : 0;
}

static ssize_t
fail(struct tls *t, const struct hf_error *why)
{
	err_set(&t->s.err, why->code, "%s", why->text);
	return STREAM_ERR;
}

static ssize_t
out_of_memory(struct tls *t)
{
	err_memory(&t->s.err);
	return STREAM_ERR;
}

static ssize_t
closed(struct tls *t, const char *when)
{
	err_set(&t->s.err, HF_ERR_NET, "%s closed the connection %s", t->core->peer, when);
	return STREAM_ERR;
}

/* Bytes for the next handshake call: as many as there are. */
static ssize_t
fill(struct tls *t)
{
	struct tls_core *c = t->core;
	uint8_t bytes[AT_ONCE];
	ssize_t n = 0;

	while (buf_size(&c->in) < AT_ONCE && (n = stream_read(t->under, bytes, sizeof bytes)) > 0)
		if (buf_put(&c->in, bytes, (size_t)n) < 0)
			return out_of_memory(t);
	if (buf_size(&c->in) > 0)
		return 1;
	if (n == STREAM_ERR)
		return fail(t, &t->under->err);
	if (n == 0)
		return closed(t, "during the TLS handshake");
	return n;
}

/* Runs a handshake call, here or there. */
static ssize_t
call(struct tls *t)
{
	if (t->work == NULL) {
		t->core->job.run(&t->core->job);
		return 0;
	}
	if (work_post(t->work, &t->core->job, &t->s.err) < 0)
		return STREAM_ERR;
	t->away = 1;
	return 0;
}

/* What the handshake came to. */
static ssize_t
settle(struct tls *t)
{
	if (t->core->state == TLS_FAILED)
		return fail(t, &t->core->err);
	t->core->under = t->under;
	return 0;
}

/* Brings the handshake on. 0: it is over, and well. A peer that takes no more may still have said why. */
static ssize_t
drive(struct tls *t)
{
	struct tls_core *c = t->core;
	ssize_t out, in;
	int i;

	if (c->under != NULL)
		return c->state == TLS_FAILED ? STREAM_ERR : 0;
	if (t->s.err.code != 0)
		return STREAM_ERR;
	for (i = 0; i < MAX_ROUNDS; i++) {
		if (t->away && !job_done(t->work, &c->job))
			return STREAM_WANT_WORK;
		t->away = 0;
		out = flush(t);
		if (c->state != TLS_GOING)
			return settle(t);
		if (out < 0 && !c->lost)
			return out;
		if (c->want_in != 0 && (in = fill(t)) < 0)
			return c->lost ? fail(t, &t->under->err) : in;
		if (call(t) < 0)
			return STREAM_ERR;
	}
	return STREAM_WANT_READ;
}

static ssize_t
read_failed(struct tls *t)
{
	struct tls_core *c = t->core;

	c->state = TLS_FAILED;
	if (c->want_in == STREAM_ERR)
		return fail(t, &t->under->err);
	if (c->eof)
		return closed(t, "without TLS's goodbye");
	err_clear(&t->s.err); /* the peer's reason says more than that it took no more bytes */
	tls_why(c, &t->s.err);
	tls_session_drop(c);
	return STREAM_ERR;
}

/* SSL_get_error() looks at this thread's queue of errors, which clearing costs more than looking at. */
static void
forget_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

static ssize_t
tls_read(struct stream *s, void *p, size_t n)
{
	struct tls *t = (struct tls *)s;
	struct tls_core *c = t->core;
	ssize_t r = drive(t);
	size_t got = 0;
	int why;

	if (r < 0)
		return r;
	flush(t);
	if (buf_size(&c->in) == 0)
		buf_free(&c->in);
	forget_errors();
	if (SSL_read_ex(c->ssl, p, n, &got) == 1)
		return (ssize_t)got;
	why = SSL_get_error(c->ssl, 0);
	if (why == SSL_ERROR_WANT_READ)
		return c->want_in;
	if (why != SSL_ERROR_ZERO_RETURN)
		r = read_failed(t);
	ERR_clear_error();
	return r;
}

static ssize_t
write_failed(struct tls *t)
{
	struct tls_core *c = t->core;

	if (c->lost)
		return fail(t, &t->under->err);
	c->state = TLS_FAILED;
	if (c->err.code != 0)
		return fail(t, &c->err);
	tls_why(c, &t->s.err);
	tls_session_drop(c);
	return STREAM_ERR;
}

static ssize_t
tls_write(struct stream *s, const void *p, size_t n)
{
	struct tls *t = (struct tls *)s;
	struct tls_core *c = t->core;
	ssize_t r = drive(t);
	size_t done = 0, took = 0;

	if (r < 0)
		return r;
	if ((r = flush(t)) < 0)
		return c->lost ? write_failed(t) : r;
	forget_errors();
	while (done < n && buf_size(&c->out) == 0) {
		if (SSL_write_ex(c->ssl, (const char *)p + done, n - done, &took) != 1 || c->lost)
			return write_failed(t);
		done += took;
	}
	return (ssize_t)done;
}

static void
tls_wait(struct stream *s, int want, int *fd, short *events)
{
	struct tls *t = (struct tls *)s;
	int out_fd;
	short out_events;

	if (t->away) {
		*fd = work_fd(t->work);
		*events = POLLIN;
		return;
	}
	stream_wait(t->under, want, fd, events);
	if (buf_size(&t->core->out) == 0 || t->core->lost)
		return;
	stream_wait(t->under, t->core->want_out, &out_fd, &out_events);
	if (out_fd == *fd)
		*events = (short)(*events | out_events);
}

static void
say_goodbye(struct tls *t)
{
	struct tls_core *c = t->core;

	if (flush(t) < 0 || c->state != TLS_READY || c->under == NULL)
		return;
	SSL_shutdown(c->ssl);
	ERR_clear_error();
}

static void
tls_close(struct stream *s)
{
	struct tls *t = (struct tls *)s;

	if (t->core != NULL && t->away)
		job_drop(t->work, &t->core->job);
	else if (t->core != NULL) {
		say_goodbye(t);
		tls_core_free(t->core);
	}
	sk_X509_pop_free(t->chain, X509_free);
	stream_close(t->under);
	free(t);
}

static const struct stream_ops tls_ops = { tls_read, tls_write, tls_wait, tls_close };

int
tls_open(struct stream **out, struct tls_conf *conf, struct stream *under, const char *host,
    struct work *work, struct hf_error *err)
{
	struct tls *t = calloc(1, sizeof *t);

	if (t == NULL) {
		stream_close(under);
		return err_memory(err);
	}
	t->s.ops = &tls_ops;
	t->s.below = t->under = under;
	t->work = work;
	if (!conf->server && host == NULL) {
		err_set(err, HF_ERR_ARGS, "TLS needs the name of the host that it is to reach");
		goto fail;
	}
	if (tls_core_new(&t->core, conf, host, err) < 0)
		goto fail;
	*out = &t->s;
	return 0;
fail:
	tls_close(&t->s);
	return err->code;
}

int
tls_ready(struct stream *s)
{
	return s->ops != &tls_ops || ((struct tls *)s)->core->under != NULL;
}

const char *
tls_version(struct stream *s)
{
	return s->ops == &tls_ops && tls_ready(s) ? SSL_get_version(((struct tls *)s)->core->ssl) : NULL;
}

int
tls_resumed(struct stream *s)
{
	return s->ops == &tls_ops && tls_ready(s) && SSL_session_reused(((struct tls *)s)->core->ssl);
}

/* On a server OpenSSL keeps the leaf apart. */
static STACK_OF(X509) * whole_chain(SSL *ssl)
{
	X509 *leaf = SSL_get1_peer_certificate(ssl);
	STACK_OF(X509) *chain = NULL;

	if (leaf == NULL)
		return NULL;
	if (SSL_get_peer_cert_chain(ssl) != NULL)
		chain = X509_chain_up_ref(SSL_get_peer_cert_chain(ssl));
	else
		chain = sk_X509_new_null();
	if (chain != NULL && sk_X509_unshift(chain, leaf) > 0)
		return chain;
	sk_X509_pop_free(chain, X509_free);
	X509_free(leaf);
	return NULL;
}

STACK_OF(X509) * tls_peer(struct stream *s)
{
	struct tls *t = (struct tls *)s;

	if (s->ops != &tls_ops || !tls_ready(s))
		return NULL;
	if (!SSL_is_server(t->core->ssl))
		return SSL_get_peer_cert_chain(t->core->ssl);
	if (t->chain == NULL)
		t->chain = whole_chain(t->core->ssl);
	return t->chain;
}
