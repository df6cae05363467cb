/* To a hub over AMQP (port 5671): for the functions that make a client. */
#ifndef IOTHUBTRANSPORTAMQP_H
#define IOTHUBTRANSPORTAMQP_H
#include "iothub_transport_ll.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Lent, for ever. */
const TRANSPORT_PROVIDER *AMQP_Protocol(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
