/*
 * An ENGINE is a conversation without I/O; either end of it. Four verbs:
 *
 *	in	what the peer sent; may take less than offered (an event is waiting). in(NULL, 0) is the end of the
 *		stream. Negative: the peer broke the rules, and error() has the sentence.
 *	out	what the peer should get: a buffer that whoever writes eats from
 *	next	what happened; typed, so each engine has its own (mqtt_next, http_next). An event borrows its
 *		bytes until the next call
 *	tick	what the time is; answers when it wants to hear again
 *
 * The three that a pump needs stand in a table. Every engine has a `struct engine` as its first member.
 */
#ifndef BASE_ENGINE_H
#define BASE_ENGINE_H
#include <sys/types.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#define ENGINE_HIGH (256 * 1024) /* above this much of `out`, a put says "wait" and the pump stops reading */
struct engine;
struct engine_ops {
	ssize_t (*in)(struct engine *, const void *, size_t);
	int64_t (*tick)(struct engine *, int64_t now_ms); /* deadline in ms, or NEVER */
};
struct engine {
	const struct engine_ops *ops;
	struct buf out;
	struct hf_error err;
};
#endif
