#include "stream/tls_local.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static int
bio_read(BIO *b, char *p, int n)
{
	struct tls_core *c = BIO_get_data(b);
	ssize_t r;

	BIO_clear_retry_flags(b);
	if (buf_size(&c->in) > 0) {
		r = buf_size(&c->in) < (size_t)n ? (int)buf_size(&c->in) : n;
		memcpy(p, buf_data(&c->in), (size_t)r);
		buf_eat(&c->in, (size_t)r);
		return (int)r;
	}
	r = c->under == NULL ? STREAM_WANT_READ : stream_read(c->under, p, (size_t)n);
	if (r > 0)
		return (int)r;
	c->eof = r == 0;
	c->want_in = (int)r;
	if (r != 0 && r != STREAM_ERR)
		BIO_set_retry_read(b);
	return r == 0 ? 0 : -1;
}

static int
bio_write(BIO *b, const char *p, int n)
{
	struct tls_core *c = BIO_get_data(b);
	size_t left = (size_t)n;
	ssize_t r = 0;
	int straight = c->under != NULL && !c->lost && buf_size(&c->out) == 0;

	BIO_clear_retry_flags(b);
	while (straight && left > 0 && (r = stream_write(c->under, p + n - left, left)) >= 0)
		left -= (size_t)r;
	if (r < 0)
		c->want_out = (int)r;
	if (r == STREAM_ERR)
		c->lost = 1;
	if (!c->lost && buf_put(&c->out, p + n - left, left) < 0) {
		err_memory(&c->err);
		return -1;
	}
	return n;
}

/* No BIO_CTRL_EOF: OpenSSL would send an alert, and a server would forget the session; an end without a goodbye is told by `eof`. */
static long
bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *
make_method(void)
{
	int index = BIO_get_new_index();
	BIO_METHOD *m = index < 0 ? NULL : BIO_meth_new(index | BIO_TYPE_SOURCE_SINK, "holdfast");

	if (m == NULL)
		return NULL;
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

/* One for the process; where memory was out, the next stream tries again. */
static const BIO_METHOD *
bio_method(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static BIO_METHOD *method;
	const BIO_METHOD *m;

	pthread_mutex_lock(&lock);
	if (method == NULL)
		method = make_method();
	m = method;
	pthread_mutex_unlock(&lock);
	return m;
}

static BIO *
bio_new(struct tls_core *c)
{
	const BIO_METHOD *method = bio_method();
	BIO *b = method == NULL ? NULL : BIO_new(method);

	if (b == NULL)
		return NULL;
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	return b;
}

/* One handshake call, as far as the bytes in `in` reach. */
static void
handshake(struct job *job)
{
	struct tls_core *c = (struct tls_core *)job;
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(c->ssl);
	if (r == 1)
		c->state = TLS_READY;
	else if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ)
		c->state = TLS_FAILED;
	if (c->state == TLS_FAILED)
		tls_why(c, &c->err);
	else if (c->state == TLS_READY)
		tls_session_again(c);
	ERR_clear_error();
}

/* What is lost without a goodbye may be resumed since TLS 1.1 (RFC 4346, section 7.2.1); OpenSSL would forget it. */
void
tls_core_free(struct tls_core *c)
{
	if (c->ssl != NULL)
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	tls_conf_free(c->conf);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void
job_free(struct job *job)
{
	tls_core_free((struct tls_core *)job);
}

/* The name that the certificate must have; only names, not addresses, are sent in the hello. */
static int
expect(SSL *ssl, const char *host)
{
	uint8_t ip[16];

	if (inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

int
tls_core_new(struct tls_core **out, struct tls_conf *conf, const char *host, struct hf_error *err)
{
	struct tls_core *c = calloc(1, sizeof *c);
	BIO *bio;

	if (c == NULL)
		return err_memory(err);
	c->job.run = handshake;
	c->job.free = job_free;
	c->conf = conf;
	conf->refs++;
	ERR_clear_error();
	c->ssl = SSL_new(conf->ctx);
	bio = c->ssl == NULL ? NULL : bio_new(c);
	if (bio == NULL) {
		err_ssl(err, HF_ERR_MEMORY, "cannot begin TLS");
		goto fail;
	}
	SSL_set_bio(c->ssl, bio, bio);
	if (conf->server)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	str_fmt(c->peer, sizeof c->peer, "%s", conf->server ? "the client" : host);
	if (!conf->server && !expect(c->ssl, host)) {
		err_ssl(err, HF_ERR_ARGS, "'%s' cannot be a host's name", host);
		goto fail;
	}
	if (!conf->server)
		tls_session_offer(c);
	*out = c;
	return 0;
fail:
	tls_core_free(c);
	return err->code;
}
