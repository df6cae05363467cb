/* Between message.c and session.c alone: one message while it is being read. */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H
#include "http/http.h"

enum {
	HTTP_HEAD = 1,
	HTTP_CONNECT = 2,
	HTTP_LAST = 4
}; /* of a request: its method; the connection ends with it */

struct http_parse {
	int server; /* reads requests */
	size_t max_body;
	struct hf_error *err;
	int asked;  /* client: what was asked, HTTP_HEAD or HTTP_CONNECT */
	int status; /* what a server has to answer after HF_ERR_PROTOCOL */
	int expect; /* the peer waits for 100 before it sends the body */
	enum { AT_HEAD, AT_LENGTH, AT_EOF, AT_CHUNK, AT_CHUNK_DATA, AT_CHUNK_END, AT_TRAILER, AT_DONE } at;
	size_t line, scanned;  /* AT_HEAD, in the inbox: where this line begins, how much was looked at */
	int blank;	       /* an empty line before the request was skipped */
	int minor;	       /* HTTP/1.minor */
	uint64_t left;	       /* bytes of the body or chunk still to come */
	size_t trailer;	       /* bytes of trailers so far */
	struct buf head, body; /* what the message borrows */
	struct http_message message;
};
/* Eats from `in`. 1: the message is whole; 0: more is needed (at the end: nothing has begun); HF_ERR_PROTOCOL, HF_ERR_MEMORY. */
int http_get(struct http_parse *, struct buf *in, int eof);
void http_reset(struct http_parse *); /* for the next message */
/* http_put, as the answer to HEAD (HTTP_HEAD: no body) and with Connection: close (HTTP_LAST). */
int http_put_as(struct buf *, const struct http_message *, int how);
#endif
