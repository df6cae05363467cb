/* What the files of TLS share: tls_conf.c what is wanted, tls_core.c OpenSSL on memory, tls.c the stream, tls_why.c the
 * sentences. */
#ifndef STREAM_TLS_LOCAL_H
#define STREAM_TLS_LOCAL_H
#include "base/buf.h"
#include "stream/stream.h"
struct tls_conf {
	SSL_CTX *ctx; /* each stream's SSL holds it too */
	int server;
};
/*
 * What a handshake call works on, here or on the worker: nothing in it is the loop's while the call is out. Until the
 * handshake is over, `under` is NULL and bytes go through `in` and `out`; after it they go straight to and from the
 * stream below, but for those that it did not take at once, which wait in `out`.
 */
struct tls_core {
	struct job job;
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
int tls_core_new(struct tls_core **, const struct tls_conf *, const char *host, struct hf_error *);
void tls_core_free(struct tls_core *);
/* Says why an SSL call failed, from this thread's OpenSSL queue, which is emptied. */
void tls_why(SSL *, const char *peer, struct hf_error *);
#endif
