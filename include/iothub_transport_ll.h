/* What a protocol is to a hub's client: a function that one of the five iothubtransport....h declares. What it answers is Holdfast's own. */
#ifndef IOTHUB_TRANSPORT_LL_H
#define IOTHUB_TRANSPORT_LL_H
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef void *TRANSPORT_LL_HANDLE;
typedef void *IOTHUB_DEVICE_HANDLE;
typedef struct TRANSPORT_HANDLE_DATA_TAG *TRANSPORT_HANDLE;
typedef void *METHOD_HANDLE;
typedef struct TRANSPORT_PROVIDER_TAG TRANSPORT_PROVIDER;
typedef const TRANSPORT_PROVIDER *(*IOTHUB_CLIENT_TRANSPORT_PROVIDER)(void);

/* A connection for several devices to share. Holdfast gives each device its own: Create remembers protocol, hub and suffix for
 * ..._CreateWithTransport(), which need not name them again. NULL: an argument is, or out of memory. */
TRANSPORT_HANDLE IoTHubTransport_Create(
    IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol, const char *iotHubName, const char *iotHubSuffix);
/* After the clients that were made with it. NULL is fine. */
void IoTHubTransport_Destroy(TRANSPORT_HANDLE transportHandle);
/* For IOTHUB_CLIENT_DEVICE_CONFIG; lent. */
TRANSPORT_LL_HANDLE IoTHubTransport_GetLLTransport(TRANSPORT_HANDLE transportHandle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
