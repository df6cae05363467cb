/* PUMP: the only place that knows both a stream and an engine. */
#ifndef STREAM_PUMP_H
#define STREAM_PUMP_H
#include "base/engine.h"
#include "stream/stream.h"
struct pump {
	struct stream *stream; /* owned: pump_close() ends it */
	struct engine *engine; /* lent */
	struct hf_error err;   /* why it ended */
	int want_in, want_out; /* what the stream answered last; 0: nothing pending */
	int eof, stalled;      /* the peer has ended; the engine took less than offered */
	int hold_out;	       /* 1: do not write yet (a server commits first, then answers) */
	struct buf hold;       /* read but not yet taken by the engine */
};
/* Moves what can move, in bounded steps, never blocks. 1: something moved; 0: nothing; negative HF_*: the connection is
 * over (HF_ERR_NET lost, HF_ERR_TLS, HF_ERR_PROTOCOL) with the sentence in err. The caller takes the engine's events after
 * each step, and steps again while 1 is answered. */
int pump_step(struct pump *, int64_t now_ms);
/* 1: after this step nothing more can move before the stream is ready; a step would answer 0. */
int pump_idle(const struct pump *);
/* What it waits for, when it is idle or a step answered 0: at most one descriptor and its poll(2) events (-1: none). */
void pump_wait(struct pump *, int *fd, short *events);
void pump_close(struct pump *);

/* The descriptors that one client waits for, behind one epoll descriptor. Slots are few and fixed. When a descriptor
 * is closed, its slot is set to -1 before or forgotten after it: the next one may get the same number. */
enum { WATCH_STREAM, WATCH_WORK, WATCH_SLOTS };
struct watch {
	int epoll;
	int fd[WATCH_SLOTS];
	short events[WATCH_SLOTS];
	unsigned blind; /* slots (bits) that the system would not watch: look again soon */
};
int watch_open(struct watch *, struct hf_error *);
/* fd -1: nothing. A change costs a call, the same costs none. */
void watch_set(struct watch *, int slot, int fd, short events);
void watch_forget(struct watch *, int slot); /* its descriptor has been closed, which took it out of epoll */
void watch_close(struct watch *);
#endif
