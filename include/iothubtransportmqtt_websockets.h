/* To a hub over MQTT over a WebSocket (port 443): for the functions that make a client. */
#ifndef IOTHUBTRANSPORTMQTT_WEBSOCKETS_H
#define IOTHUBTRANSPORTMQTT_WEBSOCKETS_H
#include "iothub_transport_ll.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Lent, for ever. */
const TRANSPORT_PROVIDER *MQTT_WebSocket_Protocol(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
