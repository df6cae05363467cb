/* Between net.c and net_proxy.c alone: which proxy is taken. */
#ifndef STREAM_NET_LOCAL_H
#define STREAM_NET_LOCAL_H
#include "stream/stream.h"
struct proxy_at {
	char host[256];
	uint16_t port;
	char *user; /* NAME:PASSWORD; NULL: none. str_free() it */
};
/* 1: the host is reached through this proxy; 0: without one; HF_ERR_ARGS, HF_ERR_MEMORY. */
int proxy_pick(const struct net *, const char *host, struct proxy_at *, struct hf_error *);
/* Does a NO_PROXY like this spare the host? */
int proxy_spares(const char *list, const char *host);
#endif
