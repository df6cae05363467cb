/*
 * A message between a device and its hub: a body, properties of the application's, and properties that the hub knows.
 *
 *	IOTHUB_MESSAGE_HANDLE m = IoTHubMessage_CreateFromString("{\"t\":21.5}");
 *	IoTHubMessage_SetContentTypeSystemProperty(m, "application%2fjson");
 *	IoTHubMessage_SetProperty(m, "alert", "true");
 *	IoTHubDeviceClient_LL_SendEventAsync(client, m, on_sent, ctx);	keeps a copy of its own
 *	IoTHubMessage_Destroy(m);
 *
 * What is set is copied. What is got is lent, until it is set anew or the message destroyed, and NULL when it is not set. One thread
 * at a time.
 *
 * Functions that answer an IOTHUB_MESSAGE_RESULT: IOTHUB_MESSAGE_INVALID_ARG for a NULL, IOTHUB_MESSAGE_ERROR when out of memory; the
 * message is then as it was.
 */
#ifndef IOTHUB_MESSAGE_H
#define IOTHUB_MESSAGE_H
#include <stdbool.h>
#include <stddef.h>
#include "azure_c_shared_utility/map.h"
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define IOTHUB_MESSAGE_RESULT_VALUES                                                                         \
	IOTHUB_MESSAGE_OK, IOTHUB_MESSAGE_INVALID_ARG, IOTHUB_MESSAGE_INVALID_TYPE, IOTHUB_MESSAGE_ERROR,    \
	    IOTHUB_MESSAGE_BECAUSE_DESTROY
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_MESSAGE_RESULT, IOTHUB_MESSAGE_RESULT_VALUES);
#define IOTHUBMESSAGE_CONTENT_TYPE_VALUES IOTHUBMESSAGE_BYTEARRAY, IOTHUBMESSAGE_STRING, IOTHUBMESSAGE_UNKNOWN
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUBMESSAGE_CONTENT_TYPE, IOTHUBMESSAGE_CONTENT_TYPE_VALUES);
typedef struct IOTHUB_MESSAGE_HANDLE_DATA_TAG *IOTHUB_MESSAGE_HANDLE;

typedef struct IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA_TAG {
	char *diagnosticId;
	char *diagnosticCreationTimeUtc; /* seconds since 1970, as text */
} IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA, *IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA_HANDLE;

/* The body, copied. NULL: byteArray is (and size not 0), source is, or out of memory. */
IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray, size_t size);
IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromString(const char *source);
/* A copy of all of it. */
IOTHUB_MESSAGE_HANDLE IoTHubMessage_Clone(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
/* NULL is fine. */
void IoTHubMessage_Destroy(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);

/* The body, in the shape in which it was given: IOTHUBMESSAGE_UNKNOWN for a NULL. Asked for in the other shape:
 * IOTHUB_MESSAGE_INVALID_ARG, and NULL. */
IOTHUBMESSAGE_CONTENT_TYPE IoTHubMessage_GetContentType(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT IoTHubMessage_GetByteArray(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const unsigned char **buffer, size_t *size);
const char *IoTHubMessage_GetString(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);

/* The application's properties: printable ASCII; other values are refused with IOTHUB_MESSAGE_ERROR, and MAP_FILTER_REJECT in the map.
 * The map is lent and may be written to. */
IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key, const char *value);
const char *IoTHubMessage_GetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key);
MAP_HANDLE IoTHubMessage_Properties(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);

/* What the hub knows of a message. */
IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetMessageId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *messageId);
const char *IoTHubMessage_GetMessageId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetCorrelationId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *correlationId);
const char *IoTHubMessage_GetCorrelationId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentTypeSystemProperty(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *contentType);
const char *IoTHubMessage_GetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentEncodingSystemProperty(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *contentEncoding);
const char *IoTHubMessage_GetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetMessageCreationTimeUtcSystemProperty(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *messageCreationTimeUtc);
const char *IoTHubMessage_GetMessageCreationTimeUtcSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetMessageUserIdSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *userId);
const char *IoTHubMessage_GetMessageUserIdSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
/* Routes it to the hub's security service. There is no way back. */
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetAsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
bool IoTHubMessage_IsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
/* The IoT Plug and Play component that it is about. */
IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetComponentName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *componentName);
const char *IoTHubMessage_GetComponentName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);

/* Between modules: where it leaves, where it came in, and who sent it. */
IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetOutputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *outputName);
const char *IoTHubMessage_GetOutputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetInputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *inputName);
const char *IoTHubMessage_GetInputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetConnectionModuleId(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *connectionModuleId);
const char *IoTHubMessage_GetConnectionModuleId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetConnectionDeviceId(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *connectionDeviceId);
const char *IoTHubMessage_GetConnectionDeviceId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);

/* Distributed tracing. Both strings have to be there, or it is IOTHUB_MESSAGE_INVALID_ARG. */
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetDiagnosticPropertyData(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *diagnosticData);
const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *
IoTHubMessage_GetDiagnosticPropertyData(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
