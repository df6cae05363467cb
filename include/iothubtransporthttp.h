/* To a hub over HTTPS (port 443): for the functions that make a client. Nothing holds a connection open: messages go in batches, and those for the device are asked for. */
#ifndef IOTHUBTRANSPORTHTTP_H
#define IOTHUBTRANSPORTHTTP_H
#include "iothub_transport_ll.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Lent, for ever. */
const TRANSPORT_PROVIDER *HTTP_Protocol(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
