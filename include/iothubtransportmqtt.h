/* To a hub over MQTT (port 8883): for the functions that make a client. */
#ifndef IOTHUBTRANSPORTMQTT_H
#define IOTHUBTRANSPORTMQTT_H
#include "iothub_transport_ll.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Lent, for ever. */
const TRANSPORT_PROVIDER *MQTT_Protocol(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
