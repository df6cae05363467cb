/*
 * A device at its hub, for programs that have a loop.
 *
 *	c = IoTHubDeviceClient_LL_CreateFromConnectionString("HostName=...;DeviceId=...;SharedAccessKey=...", MQTT_Protocol);
 *	IoTHubDeviceClient_LL_SendEventAsync(c, message, on_sent, ctx);
 *	while (running) {
 *		IoTHubDeviceClient_LL_DoWork(c);	everything happens in here, the callbacks too
 *		ThreadAPI_Sleep(10);
 *	}
 *	IoTHubDeviceClient_LL_Destroy(c);
 *
 * DoWork does not wait for the network or for a key: that is done by a thread of the handle's own. The connection is made by the first
 * DoWork, and made again when it is lost. A handle belongs to one thread at a time. In a callback every function but Destroy may be
 * called on it.
 *
 * IOTHUB_CLIENT_INVALID_ARG is the answer to a NULL, IOTHUB_CLIENT_ERROR to what cannot be done; the log (xlogging.h) says why, in a
 * sentence. What is given is copied. A callback may be NULL where it is only told something.
 */
#ifndef IOTHUB_DEVICE_CLIENT_LL_H
#define IOTHUB_DEVICE_CLIENT_LL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "iothub_client_core_common.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct IOTHUB_CLIENT_CORE_LL_HANDLE_DATA_TAG *IOTHUB_DEVICE_CLIENT_LL_HANDLE;
typedef IOTHUB_CLIENT_LL_UPLOADTOBLOB_CONTEXT_HANDLE IOTHUB_CLIENT_LL_AZURE_STORAGE_CLIENT_HANDLE;

/* NULL: something is NULL or makes no sense, or out of memory. The connection string has HostName and DeviceId, and SharedAccessKey,
 * SharedAccessSignature, x509=true (then the certificate is an option) or UseProvisioning=true (then the key is that of
 * iothub_security_init()); GatewayHostName, if need be. */
IOTHUB_DEVICE_CLIENT_LL_HANDLE IoTHubDeviceClient_LL_CreateFromConnectionString(
    const char *connectionString, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol);
IOTHUB_DEVICE_CLIENT_LL_HANDLE IoTHubDeviceClient_LL_Create(const IOTHUB_CLIENT_CONFIG *config);
/* A device of a shared connection: see IoTHubTransport_Create(). */
IOTHUB_DEVICE_CLIENT_LL_HANDLE
IoTHubDeviceClient_LL_CreateWithTransport(const IOTHUB_CLIENT_DEVICE_CONFIG *config);
/* With the key that registered: iothub_uri and device_id are what DPS told. */
IOTHUB_DEVICE_CLIENT_LL_HANDLE IoTHubDeviceClient_LL_CreateFromDeviceAuth(
    const char *iothub_uri, const char *device_id, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol);
/* Messages that are not acknowledged are confirmed with IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY. Does not wait. NULL is fine. */
void IoTHubDeviceClient_LL_Destroy(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle);
void IoTHubDeviceClient_LL_DoWork(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle);
/* The value is of the type that the option has (iothub_client_options.h, shared_util_options.h), and is copied. IOTHUB_CLIENT_INVALID_ARG:
 * there is no such option. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetOption(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, const char *optionName, const void *value);

/* Telemetry: a copy of the message is queued, and the callback tells how it ended. The second is the same under a newer name. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SendEventAsync(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SendTelemetryAsync(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, IOTHUB_MESSAGE_HANDLE telemetryMessageHandle,
    IOTHUB_CLIENT_TELEMETRY_CALLBACK telemetryConfirmationCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_GetSendStatus(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, IOTHUB_CLIENT_STATUS *iotHubClientStatus);

/* Messages from the cloud. NULL: no more of them. */
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetMessageCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC messageCallback, void *userContextCallback);
/* The late answer after IOTHUBMESSAGE_ASYNC_ACK. The message is destroyed. */
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SendMessageDisposition(IOTHUB_DEVICE_CLIENT_LL_HANDLE device_ll_handle,
    IOTHUB_MESSAGE_HANDLE message, IOTHUBMESSAGE_DISPOSITION_RESULT disposition);
/* IOTHUB_CLIENT_INDEFINITE_TIME: none yet. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_GetLastMessageReceiveTime(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, time_t *lastMessageReceiveTime);

/* The connection. Over HTTPS there is none, and the callback does not come. */
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetConnectionStatusCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK connectionStatusCallback, void *userContextCallback);
/* A limit of 0 seconds is none. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetRetryPolicy(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY retryPolicy, size_t retryTimeoutLimitInSeconds);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_GetRetryPolicy(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY *retryPolicy, size_t *retryTimeoutLimitInSeconds);

/* The twin: the whole of it first, then what the cloud changes; a patch of what the device reports, JSON; the whole of it on demand. */
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetDeviceTwinCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK deviceTwinCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SendReportedState(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, const unsigned char *reportedState, size_t size,
    IOTHUB_CLIENT_REPORTED_STATE_CALLBACK reportedStateCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_GetTwinAsync(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK deviceTwinCallback, void *userContextCallback);
/* The same as IoT Plug and Play has it. */
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SendPropertiesAsync(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    const unsigned char *properties, size_t propertiesLength,
    IOTHUB_CLIENT_PROPERTY_ACKNOWLEDGED_CALLBACK propertyAcknowledgedCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_GetPropertiesAsync(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_GetPropertiesAndSubscribeToUpdatesAsync(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyUpdateCallback, void *userContextCallback);

/* Direct methods: answered by the callback, or later by the second function. */
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetDeviceMethodCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC deviceMethodCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_DeviceMethodResponse(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    METHOD_HANDLE methodId, const unsigned char *response, size_t respSize, int statusCode);
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SubscribeToCommands(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC commandCallback, void *userContextCallback);

/* Uploads, in one call each. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_UploadToBlob(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    const char *destinationFileName, const unsigned char *source, size_t size);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_UploadMultipleBlocksToBlob(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, const char *destinationFileName,
    IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_CALLBACK_EX getDataCallbackEx, void *context);
/* Uploads, step by step: the hub gives an address, blocks are put there, the hub is told. The two strings are from malloc(). */
IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_AzureStorageInitializeBlobUpload(IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle,
    const char *destinationFileName, char **uploadCorrelationId, char **azureBlobSasUri);
IOTHUB_CLIENT_LL_AZURE_STORAGE_CLIENT_HANDLE IoTHubDeviceClient_LL_AzureStorageCreateClient(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, const char *azureBlobSasUri);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_AzureStoragePutBlock(
    IOTHUB_CLIENT_LL_AZURE_STORAGE_CLIENT_HANDLE azureStorageClientHandle, uint32_t blockNumber,
    const uint8_t *dataPtr, size_t dataSize);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_AzureStoragePutBlockList(
    IOTHUB_CLIENT_LL_AZURE_STORAGE_CLIENT_HANDLE azureStorageClientHandle);
void IoTHubDeviceClient_LL_AzureStorageDestroyClient(
    IOTHUB_CLIENT_LL_AZURE_STORAGE_CLIENT_HANDLE azureStorageClientHandle);
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_AzureStorageNotifyBlobUploadCompletion(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE iotHubClientHandle, const char *uploadCorrelationId, bool isSuccess,
    int responseCode, const char *responseMessage);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
