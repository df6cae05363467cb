/* What ws.c and proxy.c share: one HTTP request and its answer, on a stream that is something else afterwards. */
#ifndef STREAM_ASK_H
#define STREAM_ASK_H
#include "http/http.h"
#include "stream/stream.h"
struct ask {
	struct http http;
	size_t heard; /* bytes so far: an answer that never ends is refused */
};
int ask_init(struct ask *, const struct http_message *request); /* 0, HF_ERR_ARGS, HF_ERR_MEMORY */
/* 1: the answer is here, lent until ask_fini(); WANT_*; STREAM_ERR: ask_why() has the sentence. */
ssize_t ask_drive(struct ask *, struct stream *under, struct http_message *answer);
const struct hf_error *ask_why(const struct ask *, const struct stream *under);
void ask_fini(struct ask *);
#endif
