/* The transports: what stream/ itself knows of each. */
#ifndef STREAM_TRANSPORT_H
#define STREAM_TRANSPORT_H
#include "stream/line.h"
struct transport_row {
	const char *name;
	uint16_t port;
	const char *ws; /* the WebSocket's subprotocol; NULL: none */
	enum transport as;
	int built; /* 0 where it was left out */
};
const struct transport_row *transport_row(enum transport);
#endif
