/* To a hub over AMQP over a WebSocket (port 443): for the functions that make a client. */
#ifndef IOTHUBTRANSPORTAMQP_WEBSOCKETS_H
#define IOTHUBTRANSPORTAMQP_WEBSOCKETS_H
#include "iothub_transport_ll.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Lent, for ever. */
const TRANSPORT_PROVIDER *AMQP_Protocol_over_WebSocketsTls(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
