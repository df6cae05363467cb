/* The version of the interface: that of the SDK whose programs link with this. Holdfast's own is HF_VERSION in holdfast.h. */
#ifndef IOTHUB_CLIENT_VERSION_H
#define IOTHUB_CLIENT_VERSION_H
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define IOTHUB_SDK_VERSION "1.15.0"

const char *IoTHubClient_GetVersionString(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
