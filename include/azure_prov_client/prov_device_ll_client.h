/*
 * "Who am I, where do I go?": registers this device with DPS, which tells its hub and its name there.
 *
 *	prov_dev_security_init(SECURE_DEVICE_TYPE_X509);	how it proves itself: prov_security_factory.h
 *	h = Prov_Device_LL_Create("global.azure-devices-provisioning.net", "0ne00000000", Prov_Device_HTTP_Protocol);
 *	Prov_Device_LL_Register_Device(h, on_registered, ctx, NULL, NULL);
 *	while (!done) {
 *		Prov_Device_LL_DoWork(h);			everything happens in here, the callbacks too
 *		ThreadAPI_Sleep(10);
 *	}
 *	Prov_Device_LL_Destroy(h);
 *
 * DoWork never waits for the network or for a key: that is done by a thread of the handle's own. A handle belongs to one thread at a
 * time. In a callback every function but Destroy may be called on it.
 *
 * PROV_DEVICE_RESULT_INVALID_ARG is the answer to a NULL and to a value that makes no sense. What else went wrong is told by the log
 * (xlogging.h), in a sentence.
 */
#ifndef AZURE_PROV_CLIENT_PROV_DEVICE_LL_CLIENT_H
#define AZURE_PROV_CLIENT_PROV_DEVICE_LL_CLIENT_H
#include "azure_macro_utils/macro_utils.h"
#include "azure_prov_client/prov_transport.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct PROV_INSTANCE_INFO_TAG *PROV_DEVICE_LL_HANDLE;

/* The names of these two are not in the library: a program that wants them writes, once,
 * MU_DEFINE_ENUM_STRINGS_WITHOUT_INVALID(PROV_DEVICE_RESULT, PROV_DEVICE_RESULT_VALUE). */
#define PROV_DEVICE_RESULT_VALUE                                                                             \
	PROV_DEVICE_RESULT_OK, PROV_DEVICE_RESULT_INVALID_ARG, PROV_DEVICE_RESULT_SUCCESS,                   \
	    PROV_DEVICE_RESULT_MEMORY, PROV_DEVICE_RESULT_PARSING, PROV_DEVICE_RESULT_TRANSPORT,             \
	    PROV_DEVICE_RESULT_INVALID_STATE, PROV_DEVICE_RESULT_DEV_AUTH_ERROR, PROV_DEVICE_RESULT_TIMEOUT, \
	    PROV_DEVICE_RESULT_KEY_ERROR, PROV_DEVICE_RESULT_ERROR, PROV_DEVICE_RESULT_HUB_NOT_SPECIFIED,    \
	    PROV_DEVICE_RESULT_UNAUTHORIZED, PROV_DEVICE_RESULT_DISABLED
MU_DEFINE_ENUM_WITHOUT_INVALID(PROV_DEVICE_RESULT, PROV_DEVICE_RESULT_VALUE);
#define PROV_DEVICE_REG_STATUS_VALUES                                                                        \
	PROV_DEVICE_REG_STATUS_CONNECTED, PROV_DEVICE_REG_STATUS_REGISTERING,                                \
	    PROV_DEVICE_REG_STATUS_ASSIGNING, PROV_DEVICE_REG_STATUS_ASSIGNED, PROV_DEVICE_REG_STATUS_ERROR, \
	    PROV_DEVICE_REG_HUB_NOT_SPECIFIED
MU_DEFINE_ENUM_WITHOUT_INVALID(PROV_DEVICE_REG_STATUS, PROV_DEVICE_REG_STATUS_VALUES);

/* The end of a registration: PROV_DEVICE_RESULT_OK with hub and device id, lent until it returns; else what it failed of, and NULLs. */
typedef void (*PROV_DEVICE_CLIENT_REGISTER_DEVICE_CALLBACK)(
    PROV_DEVICE_RESULT register_result, const char *iothub_uri, const char *device_id, void *user_context);
/* On the way: connected, registering, assigning. */
typedef void (*PROV_DEVICE_CLIENT_REGISTER_STATUS_CALLBACK)(
    PROV_DEVICE_REG_STATUS reg_status, void *user_context);
/* One of Prov_Device_..._Protocol. */
typedef const PROV_DEVICE_TRANSPORT_PROVIDER *(*PROV_DEVICE_TRANSPORT_PROVIDER_FUNCTION)(void);

/* Options beside those of shared_util_options.h. All are for before Register. */
#define PROV_REGISTRATION_ID                                                                                 \
	"registration_id" /* char *. Without it: what the key says, such as the certificate's common name */
#define PROV_OPTION_LOG_TRACE "logtrace"	     /* bool *: a line for everything that happens */
#define PROV_OPTION_TIMEOUT   "provisioning_timeout" /* uint8_t *, seconds for the whole registration */
#ifndef OPTION_X509_CERT			     /* iothub_client_options.h has these two as well */
#define OPTION_X509_CERT "x509certificate"	     /* char *, PEM */
#define OPTION_X509_PRIVATE_KEY                                                                              \
	"x509privatekey" /* char *, PEM, an engine's name for it, or a key URI (holdfast-hsm(7)) */
#endif

/* uri: a host name, with ":PORT" if need be, no scheme. NULL: an argument is NULL or makes no sense, prov_dev_security_init() was not called,
 * or out of memory. */
PROV_DEVICE_LL_HANDLE Prov_Device_LL_Create(
    const char *uri, const char *scope_id, PROV_DEVICE_TRANSPORT_PROVIDER_FUNCTION protocol);
/* Waits for nothing; no callback comes any more. NULL is fine. */
void Prov_Device_LL_Destroy(PROV_DEVICE_LL_HANDLE handle);
/* Begins. The status callback may be NULL. Once more after the end registers again; before it: PROV_DEVICE_RESULT_ERROR. */
PROV_DEVICE_RESULT Prov_Device_LL_Register_Device(PROV_DEVICE_LL_HANDLE handle,
    PROV_DEVICE_CLIENT_REGISTER_DEVICE_CALLBACK register_callback, void *user_context,
    PROV_DEVICE_CLIENT_REGISTER_STATUS_CALLBACK reg_status_cb, void *status_user_ctext);
void Prov_Device_LL_DoWork(PROV_DEVICE_LL_HANDLE handle);
/* The value is copied. PROV_DEVICE_RESULT_ERROR: there is no such option, or it comes too late. */
PROV_DEVICE_RESULT
Prov_Device_LL_SetOption(PROV_DEVICE_LL_HANDLE handle, const char *optionName, const void *value);
/* The version of the interface. */
const char *Prov_Device_LL_GetVersionString(void);

/* JSON for the owner's allocation webhook, copied; and what that answered: lent, NULL when there is none (yet). */
PROV_DEVICE_RESULT Prov_Device_LL_Set_Provisioning_Payload(PROV_DEVICE_LL_HANDLE handle, const char *json);
const char *Prov_Device_LL_Get_Provisioning_Payload(PROV_DEVICE_LL_HANDLE handle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
