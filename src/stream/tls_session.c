#include "stream/tls_local.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/str.h"

/* Takes the session, NULL for none. */
static void
put(struct tls_conf *c, const char *host, SSL_SESSION *session)
{
	SSL_SESSION *former;

	pthread_mutex_lock(&c->lock);
	former = c->session;
	c->session = session;
	str_fmt(c->host, sizeof c->host, "%s", host);
	pthread_mutex_unlock(&c->lock);
	SSL_SESSION_free(former);
}

/* A copy of its own: OpenSSL spoils the connection's when that ends without a goodbye, as lost ones do. Without memory for it
 * there is none. */
static void
keep(struct tls_conf *c, const char *host, SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	if (copy == NULL)
		ERR_clear_error();
	else
		put(c, host, copy);
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_core *core = BIO_get_data(SSL_get_rbio(ssl));

	keep(core->conf, core->peer, session);
	return 0;
}

/* It is as old as the handshake that made it: a certificate that has ended since is to be refused now. */
static int
still_good(SSL_SESSION *session)
{
	const X509 *peer = SSL_SESSION_get0_peer(session);

	return peer != NULL && X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

static SSL_SESSION *
take(struct tls_conf *c, const char *host)
{
	SSL_SESSION *session = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->session != NULL && str_eqi(c->host, host)) {
		session = c->session;
		c->session = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	return session;
}

void
tls_session_init(struct tls_conf *c)
{
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, on_session);
}

void
tls_session_offer(struct tls_core *core)
{
	SSL_SESSION *session = take(core->conf, core->peer);

	if (session != NULL && still_good(session) && SSL_set_session(core->ssl, session) != 1)
		ERR_clear_error();
	SSL_SESSION_free(session);
}

void
tls_session_again(struct tls_core *core)
{
	SSL *ssl = core->ssl;

	if (!SSL_is_server(ssl) && SSL_session_reused(ssl) && SSL_version(ssl) == TLS1_2_VERSION)
		keep(core->conf, core->peer, SSL_get_session(ssl));
}

void
tls_session_drop(struct tls_core *core)
{
	SSL_SESSION_free(take(core->conf, core->peer));
}

void
tls_conf_resume(struct tls_conf *c, long sessions, long seconds)
{
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_SERVER);
	SSL_CTX_sess_set_cache_size(c->ctx, sessions);
	SSL_CTX_set_timeout(c->ctx, seconds);
	SSL_CTX_set_num_tickets(c->ctx, 1);
}
