/* Registering over MQTT over a WebSocket (port 443): for Prov_Device_LL_Create() and Prov_Device_Create(). DPS takes no TPM this way. */
#ifndef AZURE_PROV_CLIENT_PROV_TRANSPORT_MQTT_WS_CLIENT_H
#define AZURE_PROV_CLIENT_PROV_TRANSPORT_MQTT_WS_CLIENT_H
#include "azure_prov_client/prov_transport.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Lent, for ever. */
const PROV_DEVICE_TRANSPORT_PROVIDER *Prov_Device_MQTT_WS_Protocol(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
