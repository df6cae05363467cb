/*
 * A STREAM is bytes, stacked: tls(tcp), or tls(pair) in a test. It may say "not yet", and which way it waits.
 *
 *	read/write	n > 0 | 0 at the end (read) | WANT_READ | WANT_WRITE | WANT_WORK | STREAM_ERR (sentence in err)
 *	wait		the descriptor and the direction after a WANT_*; -1 for none (memory)
 *	close		ends it, the ones below too, and frees it; never blocks
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H
#include <sys/types.h>
#include <openssl/ssl.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/work.h"
enum { STREAM_WANT_READ = -1, STREAM_WANT_WRITE = -2, STREAM_WANT_WORK = -3, STREAM_ERR = -4 };
struct stream;
struct stream_ops {
	ssize_t (*read)(struct stream *, void *, size_t);
	ssize_t (*write)(struct stream *, const void *, size_t);
	void (*wait)(
	    struct stream *, int want, int *fd, short *events); /* want: what read or write answered */
	void (*close)(struct stream *);
};
struct stream {
	const struct stream_ops *ops;
	struct hf_error err;
	struct stream *below; /* NULL: none, or it has nothing to say */
	const char *
	    late; /* who has not answered yet, where it is not the peer: ", for the proxy P has not answered" */
};
ssize_t stream_read(struct stream *, void *, size_t);
ssize_t stream_write(struct stream *, const void *, size_t);
void stream_wait(struct stream *, int want, int *fd, short *events);
void stream_close(struct stream *);		/* NULL is fine */
const char *stream_late(const struct stream *); /* the first such word from the top; or "". Lent */

/* tcp.c: a connection made by name. getaddrinfo runs on the worker (NULL: here). Of several addresses the first that takes the connection
 * is used: families take turns, and the next is tried at once when one fails, or beside it after 250 ms (RFC 8305; tcp_race.c).
 * `*.localhost` is loopback without asking (RFC 6761). TCP_NODELAY always. The error sentence names host, port and addresses. */
int tcp_connect(struct stream **, struct work *, const char *host, uint16_t port, struct hf_error *);
int tcp_from_fd(struct stream **, int fd, const char *peer, struct hf_error *); /* takes the descriptor */

/* pair.c: two ends in memory, for tests. Each read and write moves at most `chunk` bytes (0: any); a ring holds `cap`. */
int pair_new(struct stream **a, struct stream **b, size_t cap, size_t chunk);
void
pair_cut(struct stream *, int64_t after_bytes); /* both ends fail once so many more bytes were written here;
							 * those that got through can still be read */

/*
 * tls.c: TLS on memory BIOs over any stream.
 */
struct tls_conf; /* counted: free it any time, streams made from it keep what they need */
/* Client. trust: CA file replacing the system's, or NULL. chain/key: our certificate (leaf first) and key, or NULL. The
 * certificate is checked against the key here, before any socket is opened. A connection to the same host as the one before it is offered
 * that one's session. */
int tls_conf_client(
    struct tls_conf **, const char *trust, STACK_OF(X509) * chain, EVP_PKEY *key, struct hf_error *);
/* Server. Asks for a client certificate, takes any or none: tls_peer() hands it to whoever judges. max: 0, or
 * TLS1_2_VERSION. Each connection has a whole handshake, until tls_conf_resume(). */
int tls_conf_server(struct tls_conf **, STACK_OF(X509) * chain, EVP_PKEY *key, int max, struct hf_error *);
/* Server: sessions may be resumed for so many seconds. They are kept here, the client's chain with them, the oldest of more than so many
 * is forgotten; tls_peer() answers as at the first handshake, and whoever judges judges anew. */
void tls_conf_resume(struct tls_conf *, long sessions, long seconds);
void tls_conf_free(struct tls_conf *);
/* Takes `under`, at failure too. host: the name to verify and to ask for (SNI; an IP address is verified as one), NULL on a
 * server. work: handshake calls run there (a key that blocks); NULL: on the caller's thread. */
int tls_open(struct stream **, struct tls_conf *, struct stream *under, const char *host, struct work *,
    struct hf_error *);
/* The peer's certificates, leaf first; NULL when it showed none. Lent. */
STACK_OF(X509) * tls_peer(struct stream *);
int tls_ready(struct stream *); /* 1 once the handshake is over, or where there is none, for it is not TLS */
const char *tls_version(struct stream *); /* "TLSv1.3"; NULL before that, and of what is no TLS. Lent. */
int tls_resumed(struct stream *);	  /* 1 after a handshake that went on with an earlier session */

/*
 * proxy.c: a tunnel through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6). Takes `under`, a connection with the proxy, at failure too.
 * proxy: its HOST:PORT, for sentences. user: "NAME:PASSWORD" for Basic authentication, or NULL; sent at once, never shown, not kept. The
 * proxy's own refusal is HF_ERR_NET (407 and 401, when it wants other credentials: HF_ERR_ARGS), and its sentence says that it was the proxy.
 */
int proxy_open(struct stream **, struct stream *under, const char *proxy, const char *user, const char *host,
    uint16_t port, struct hf_error *);

/*
 * ws.c: WebSocket (RFC 6455) over any stream. Binary messages are one run of bytes, whatever the frames; pings are answered; a close frame is the
 * end of the stream, its code and reason are in the sentence when it is not 1000. A peer that breaks the rules is told so (1002, 1003 for text,
 * 1008 for a megabyte without data) and is HF_ERR_PROTOCOL. Takes `under`, at failure too.
 *
 * A server that opens none: 401, 403 are HF_ERR_AUTH; 408, 429, 5xx HF_ERR_NET (try again); all else HF_ERR_SERVICE. An upgrade that is not what
 * was asked for: HF_ERR_PROTOCOL.
 */
/* Client: asks for `path` with this subprotocol; host: for the Host header ("NAME" or "NAME:PORT"). */
int ws_connect(struct stream **, struct stream *under, const char *host, const char *path,
    const char *protocol, struct hf_error *);
/* Server, once a request to upgrade has been answered: head are bytes yet to be written (that answer), rest those that came behind the
 * request; both are taken. */
int ws_accept(struct stream **, struct stream *under, struct buf *head, struct buf *rest, struct hf_error *);
/* The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key. 0; HF_ERR_ARGS: that is no key; HF_ERR_OTHER: OpenSSL has no SHA-1; HF_ERR_MEMORY. */
int ws_accept_key(const char *key, char accept[29]);

/*
 * net.c: how a conversation reaches the world. Tests put their own in its place.
 */
struct dial {
	const char *host;
	uint16_t port;
	struct tls_conf *tls;
	const char *ws; /* WebSocket's subprotocol, at WS_PATH; NULL: none */
};
#define WS_PATH "/$iothub/websocket"
struct net {
	int (*open)(struct net *, struct stream **, const struct dial *, struct work *, struct hf_error *);
	char *
	    connect; /* HOST:PORT=ADDR:PORT[,...] as curl's --connect-to; an empty HOST or PORT fits any. NULL: none */
	const char *
	    proxy; /* http://[NAME:PASSWORD@]HOST[:PORT], port 80 when none is written; "": none; NULL: as the environment says */
	const char *proxy_user; /* NAME:PASSWORD, instead of one in `proxy`; NULL: none */
};
/*
 * The real one: ws(tls(proxy(tcp))), as far as is wanted, going where the connect map says. As with curl, the map is about where bytes go: a proxy is
 * asked for what the map leads to, and is itself found without it; TLS and WebSocket name the host.
 *
 * The environment: https_proxy, or HTTPS_PROXY where that is empty; not in a program that runs with another's rights. no_proxy, or NO_PROXY, lists hosts that
 * are reached without, by commas or blanks, by curl's rules: a name stands for itself and all below it, with or without a dot in front; an address
 * for itself, ADDRESS/BITS for a network; "*" alone for all. Loopback is no exception. A proxy that is given by name is used for every host.
 */
int net_open(struct net *, struct stream **, const struct dial *, struct work *, struct hf_error *);
int net_map_check(const char *map, struct hf_error *);	   /* is this text a connect map? */
int net_proxy_check(const char *proxy, struct hf_error *); /* is this text a proxy's address? */
#endif
