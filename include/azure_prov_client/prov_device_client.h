/*
 * prov_device_ll_client.h for programs without a loop: a thread, begun by Prov_Device_Register_Device(), does the work and makes the
 * callbacks. All of it may be called from any thread, and from the callbacks; Prov_Device_Destroy() not from those, for it waits for the thread.
 */
#ifndef AZURE_PROV_CLIENT_PROV_DEVICE_CLIENT_H
#define AZURE_PROV_CLIENT_PROV_DEVICE_CLIENT_H
#include "azure_prov_client/prov_device_ll_client.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct PROV_DEVICE_INSTANCE_TAG *PROV_DEVICE_HANDLE;

#define PROV_OPTION_DO_WORK_FREQUENCY_IN_MS                                                                  \
	"do_work_freq_ms" /* uint16_t *: how often the thread looks at the longest */

/* Arguments, results and ownership are those of the functions with LL_ in their names. */
PROV_DEVICE_HANDLE
Prov_Device_Create(const char *uri, const char *scope_id, PROV_DEVICE_TRANSPORT_PROVIDER_FUNCTION protocol);
void Prov_Device_Destroy(PROV_DEVICE_HANDLE prov_device_handle);
PROV_DEVICE_RESULT Prov_Device_Register_Device(PROV_DEVICE_HANDLE prov_device_handle,
    PROV_DEVICE_CLIENT_REGISTER_DEVICE_CALLBACK register_callback, void *user_context,
    PROV_DEVICE_CLIENT_REGISTER_STATUS_CALLBACK register_status_callback, void *status_user_context);
PROV_DEVICE_RESULT
Prov_Device_SetOption(PROV_DEVICE_HANDLE prov_device_handle, const char *optionName, const void *value);
const char *Prov_Device_GetVersionString(void);
PROV_DEVICE_RESULT Prov_Device_Set_Provisioning_Payload(PROV_DEVICE_HANDLE handle, const char *json);
const char *Prov_Device_Get_Provisioning_Payload(PROV_DEVICE_HANDLE handle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
