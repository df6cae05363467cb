/*
 * A module of a device at its hub: the same as iothub_device_client.h, which tells it all, but for
 * inputs, outputs and methods of others.
 *
 * Holdfast connects devices and not modules yet. These functions are declared for programs that name them: those that make a client log
 * one sentence and answer NULL, all others take that NULL as INVALID_ARG.
 */
#ifndef IOTHUB_MODULE_CLIENT_H
#define IOTHUB_MODULE_CLIENT_H
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

typedef IOTHUB_CLIENT_CORE_HANDLE IOTHUB_MODULE_CLIENT_HANDLE;

/* ...FromEnvironment: as IoT Edge tells its modules. */
IOTHUB_MODULE_CLIENT_HANDLE IoTHubModuleClient_CreateFromConnectionString(
    const char *connectionString, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol);
void IoTHubModuleClient_Destroy(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetOption(
    IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle, const char *optionName, const void *value);
IOTHUB_MODULE_CLIENT_HANDLE
IoTHubModuleClient_CreateFromEnvironment(IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol);

IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendEventAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetSendStatus(
    IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle, IOTHUB_CLIENT_STATUS *IoTHubClientStatus);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SetMessageCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC messageCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SetConnectionStatusCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK connectionStatusCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetRetryPolicy(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY retryPolicy, size_t retryTimeoutLimitInSeconds);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetRetryPolicy(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_RETRY_POLICY *retryPolicy, size_t *retryTimeoutLimitInSeconds);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetLastMessageReceiveTime(
    IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle, time_t *lastMessageReceiveTime);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SetModuleTwinCallback(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK moduleTwinCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendReportedState(
    IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle, const unsigned char *reportedState, size_t size,
    IOTHUB_CLIENT_REPORTED_STATE_CALLBACK reportedStateCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetTwinAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK moduleTwinCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SetModuleMethodCallback(IOTHUB_MODULE_CLIENT_HANDLE IoTHubClientHandle,
    IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC methodCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SendMessageDisposition(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE message, IOTHUBMESSAGE_DISPOSITION_RESULT disposition);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_SendTelemetryAsync(
    IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle, IOTHUB_MESSAGE_HANDLE telemetryMessageHandle,
    IOTHUB_CLIENT_TELEMETRY_CALLBACK telemetryConfirmationCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SubscribeToCommands(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC commandCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SendPropertiesAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const unsigned char *properties, size_t propertiesLength,
    IOTHUB_CLIENT_PROPERTY_ACKNOWLEDGED_CALLBACK propertyAcknowledgedCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_GetPropertiesAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_GetPropertiesAndSubscribeToUpdatesAsync(
    IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK propertyUpdateCallback, void *userContextCallback);

/* Between modules: out by an output, in by an input. */
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_SendEventToOutputAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    IOTHUB_MESSAGE_HANDLE eventMessageHandle, const char *outputName,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK eventConfirmationCallback, void *userContextCallback);
IOTHUB_CLIENT_RESULT IoTHubModuleClient_SetInputMessageCallback(
    IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle, const char *inputName,
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC eventHandlerCallback, void *userContextCallback);

/* Calls a method of a device or of another module. timeout in seconds. */
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_DeviceMethodInvokeAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const char *deviceId, const char *methodName, const char *methodPayload, unsigned int timeout,
    IOTHUB_METHOD_INVOKE_CALLBACK methodInvokeCallback, void *context);
IOTHUB_CLIENT_RESULT
IoTHubModuleClient_ModuleMethodInvokeAsync(IOTHUB_MODULE_CLIENT_HANDLE iotHubModuleClientHandle,
    const char *deviceId, const char *moduleId, const char *methodName, const char *methodPayload,
    unsigned int timeout, IOTHUB_METHOD_INVOKE_CALLBACK methodInvokeCallback, void *context);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
