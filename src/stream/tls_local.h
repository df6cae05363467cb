/* What the files of TLS share: tls_conf.c what is wanted, tls_trust.c whom to believe, tls_session.c what is resumed, tls_core.c OpenSSL
 * on memory, tls.c the stream, tls_why.c the sentences. */
#ifndef STREAM_TLS_LOCAL_H
#define STREAM_TLS_LOCAL_H
#include <pthread.h>
#include <stdatomic.h>
#include "base/buf.h"
#include "stream/stream.h"
struct tls_conf {
	SSL_CTX *ctx;
	int server;
	atomic_uint refs;
	char trust[400]; /* client: where our CA certificates are from */
	pthread_mutex_t lock;
	SSL_SESSION
	*session; /* client: for the next connection to `host`, or NULL; these two under the lock */
	char host[256];
};
/*
 * What a handshake call works on, here or on the worker: nothing in it is the loop's while the call is out. Until the
 * handshake is over, `under` is NULL and bytes go through `in` and `out`; after it they go straight to and from the
 * stream below, but for those that it did not take at once, which wait in `out`.
 */
struct tls_core {
	struct job job;
	struct tls_conf *conf; /* held */
	SSL *ssl;
	struct stream *under;
	struct buf in, out;
	int want_in, want_out; /* what the stream below answered last; 0: not asked yet */
	int eof;	       /* it has ended */
	int lost;	       /* it cannot be written to any more; what is written is thrown away */
	enum { TLS_GOING, TLS_READY, TLS_FAILED } state;
	char peer[256]; /* for sentences: a host's name, or "the client" */
	struct hf_error err;
};
int tls_core_new(struct tls_core **, struct tls_conf *, const char *host, struct hf_error *);
void tls_core_free(struct tls_core *);
/* Says why an SSL call failed, from this thread's OpenSSL queue, which is emptied. */
void tls_why(const struct tls_core *, struct hf_error *);

/* CAs from this file, in the place of the system's. */
int tls_trust_file(struct tls_conf *, const char *file, struct hf_error *);
/* The system's, by OpenSSL's rules for SSL_CERT_FILE and SSL_CERT_DIR. A bundle is read where folders have nothing. */
int tls_trust_system(struct tls_conf *, struct hf_error *);

/*
 * A client keeps the last session, and offers it once, to the same host. So one that does harm is gone by the next attempt; TLS 1.3 gives a new one for
 * each connection, TLS 1.2 does not, and there it is kept again. What the peer proved when it was made still holds: its name is the same.
 */
void tls_session_init(struct tls_conf *);
void tls_session_offer(struct tls_core *);
void tls_session_again(struct tls_core *); /* the handshake is over */
void tls_session_drop(struct tls_core *);  /* the peer has ended TLS by an alert */
#endif
