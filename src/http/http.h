/*
 * HTTP/1.1 (RFC 9112), either end, no I/O. Whole messages: a request or a response is an event once its last byte
 * is in (Content-Length or chunked; a body ends with the stream only in a response without either). Bytes behind an upgrade are
 * handed on by http_rest().
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H
#include "base/engine.h"
#define HTTP_HEADERS 64
struct http_header {
	const char *name, *value; /* NUL-terminated, lent */
};
struct http_message {
	/* request */
	const char *method, *target; /* NULL in a response */
	/* response */
	int status; /* 0 in a request */
	const char *reason;
	size_t header_count;
	struct http_header header[HTTP_HEADERS];
	const void *body;
	size_t len;
	int keep; /* received: the connection may carry more. To end it, put a header Connection: close */
};
/* A header's value by name, letter case aside; NULL when absent. */
const char *http_header(const struct http_message *, const char *name);
/* 1 when the token is in one of the comma-separated lists under this name, letter case aside. */
int http_has(const struct http_message *, const char *name, const char *token);
/* message.c. put appends head and body; Content-Length is added by put and must not be among the headers. Names and values are
 * checked: HF_ERR_ARGS for a line break or an illegal name. A response to `bodiless` (204, 304) carries none. */
int http_put(struct buf *, const struct http_message *);

enum http_what { HTTP_MESSAGE = 1, HTTP_CLOSED };
struct http_event {
	enum http_what what;
	struct http_message message; /* lent until the next call */
};
#define HTTP_PIPE 8 /* requests that a client may have unanswered */
struct http {
	struct engine engine;
	int server;
	size_t max_body; /* larger ones are refused: HF_ERR_PROTOCOL; a server has put 413 into out before */
	struct buf inbox;
	struct http_parse *parse; /* message.c's */
	int waiting;		  /* unanswered requests; a server hands out one at a time */
	uint8_t asked[HTTP_PIPE]; /* what is to be known of each, the oldest first */
	int upgraded;		  /* 101: what comes now is for http_rest() */
	int closing;		  /* no more will be said or heard: close once engine.out is empty */
	int eof, closed, failed;
	int64_t now,
	    deadline; /* a server's: a request is whole within a minute, the next begins within two */
};
int http_init(struct http *, int server, size_t max_body); /* 0 or HF_ERR_MEMORY */
void http_fini(struct http *);
/* 1: an event; 0: none yet; HF_ERR_PROTOCOL, HF_ERR_NET (the stream ended in the middle of a message) or (a server's)
 * HF_ERR_TIMEOUT: over, sentence in engine.err; a server has put 400, 408, 413, 431 or 505 into out, to be written before
 * it closes. CLOSED comes once, when the peer has ended. A server gets the next request only after it has answered the
 * former. */
int http_next(struct http *, struct http_event *);
/* Says a request (client) or the response to the oldest unanswered request (server). 0, HF_ERR_ARGS, HF_ERR_MEMORY,
 * HF_ERR_STATE (the high-water mark or HTTP_PIPE is reached: wait; or the connection is over; or nothing is to be
 * answered). A client's request needs a Host. A server's answer gets Connection: close where the request asked. */
int http_say(struct http *, const struct http_message *);
/* Moves the bytes that came behind the last message to the end of buf. 0 or HF_ERR_MEMORY. */
int http_rest(struct http *, struct buf *);
#endif
