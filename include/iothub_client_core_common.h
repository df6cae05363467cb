/*
 * Types that all clients of a hub share: results, callbacks, and how a client is told who it is.
 *
 * Not here yet: modules, uploads, shared connections and the serializer of properties. Their functions are declared; they log one sentence
 * and answer IOTHUB_CLIENT_ERROR, or NULL.
 */
#ifndef IOTHUB_CLIENT_CORE_COMMON_H
#define IOTHUB_CLIENT_CORE_COMMON_H
#include <stddef.h>
#include <stdint.h>
#include "azure_macro_utils/macro_utils.h"
#include "iothub_message.h"
#include "iothub_transport_ll.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct IOTHUB_CLIENT_CORE_INSTANCE_TAG *IOTHUB_CLIENT_CORE_HANDLE;	    /* with a thread */
typedef struct IOTHUB_CLIENT_CORE_LL_HANDLE_DATA_TAG *IOTHUB_CLIENT_CORE_LL_HANDLE; /* without one: LL_ */
typedef struct IOTHUBTRANSPORT_CONFIG_TAG IOTHUBTRANSPORT_CONFIG;
typedef struct IOTHUB_CLIENT_LL_UPLOADTOBLOB_CONTEXT_STRUCT *IOTHUB_CLIENT_LL_UPLOADTOBLOB_CONTEXT_HANDLE;

/*
 * Results.
 */
/* INVALID_ARG: a NULL, or something that makes no sense. INDEFINITE_TIME: it has not happened yet. */
#define IOTHUB_CLIENT_RESULT_VALUES                                                                          \
	IOTHUB_CLIENT_OK, IOTHUB_CLIENT_INVALID_ARG, IOTHUB_CLIENT_ERROR, IOTHUB_CLIENT_INVALID_SIZE,        \
	    IOTHUB_CLIENT_INDEFINITE_TIME
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_RESULT_VALUES);
/* BUSY: some message is not acknowledged yet. */
#define IOTHUB_CLIENT_STATUS_VALUES IOTHUB_CLIENT_SEND_STATUS_IDLE, IOTHUB_CLIENT_SEND_STATUS_BUSY
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_STATUS, IOTHUB_CLIENT_STATUS_VALUES);
/* How a message ended. OK: the hub has it. BECAUSE_DESTROY: nobody knows. */
#define IOTHUB_CLIENT_CONFIRMATION_RESULT_VALUES                                                             \
	IOTHUB_CLIENT_CONFIRMATION_OK, IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY,                           \
	    IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT, IOTHUB_CLIENT_CONFIRMATION_ERROR
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_CONFIRMATION_RESULT, IOTHUB_CLIENT_CONFIRMATION_RESULT_VALUES);
#define IOTHUB_CLIENT_CONNECTION_STATUS_VALUES                                                               \
	IOTHUB_CLIENT_CONNECTION_AUTHENTICATED, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_CONNECTION_STATUS, IOTHUB_CLIENT_CONNECTION_STATUS_VALUES);
/* Why: OK comes with AUTHENTICATED, all others with UNAUTHENTICATED. */
#define IOTHUB_CLIENT_CONNECTION_STATUS_REASON_VALUES                                                        \
	IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN, IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED,                \
	    IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL, IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED,                 \
	    IOTHUB_CLIENT_CONNECTION_NO_NETWORK, IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR,               \
	    IOTHUB_CLIENT_CONNECTION_OK, IOTHUB_CLIENT_CONNECTION_NO_PING_RESPONSE,                          \
	    IOTHUB_CLIENT_CONNECTION_QUOTA_EXCEEDED
MU_DEFINE_ENUM_WITHOUT_INVALID(
    IOTHUB_CLIENT_CONNECTION_STATUS_REASON, IOTHUB_CLIENT_CONNECTION_STATUS_REASON_VALUES);
/* How long to wait before it is tried again. Holdfast does not let go of the hub's own wishes (retry-after) for any of them. */
#define IOTHUB_CLIENT_RETRY_POLICY_VALUES                                                                    \
	IOTHUB_CLIENT_RETRY_NONE, IOTHUB_CLIENT_RETRY_IMMEDIATE, IOTHUB_CLIENT_RETRY_INTERVAL,               \
	    IOTHUB_CLIENT_RETRY_LINEAR_BACKOFF, IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF,                     \
	    IOTHUB_CLIENT_RETRY_EXPONENTIAL_BACKOFF_WITH_JITTER, IOTHUB_CLIENT_RETRY_RANDOM
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_RETRY_POLICY, IOTHUB_CLIENT_RETRY_POLICY_VALUES);
/* What a device does with a message from the cloud: done with it; refused, it goes to the dead letters; given back, it comes again; or
 * "I shall tell later", by IoTHubDeviceClient_LL_SendMessageDisposition(). */
#define IOTHUBMESSAGE_DISPOSITION_RESULT_VALUES                                                              \
	IOTHUBMESSAGE_ACCEPTED, IOTHUBMESSAGE_REJECTED, IOTHUBMESSAGE_ABANDONED, IOTHUBMESSAGE_ASYNC_ACK
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUBMESSAGE_DISPOSITION_RESULT, IOTHUBMESSAGE_DISPOSITION_RESULT_VALUES);
/* A whole twin, or what was changed in it. */
#define DEVICE_TWIN_UPDATE_STATE_VALUES DEVICE_TWIN_UPDATE_COMPLETE, DEVICE_TWIN_UPDATE_PARTIAL
MU_DEFINE_ENUM_WITHOUT_INVALID(DEVICE_TWIN_UPDATE_STATE, DEVICE_TWIN_UPDATE_STATE_VALUES);
#define IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE_VALUES                                                           \
	IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL, IOTHUB_CLIENT_PROPERTY_PAYLOAD_WRITABLE_UPDATES
MU_DEFINE_ENUM_WITHOUT_INVALID(
    IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE, IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE_VALUES);
#define IOTHUB_CLIENT_FILE_UPLOAD_RESULT_VALUES FILE_UPLOAD_OK, FILE_UPLOAD_ERROR
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_FILE_UPLOAD_RESULT, IOTHUB_CLIENT_FILE_UPLOAD_RESULT_VALUES);
#define IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_RESULT_VALUES                                                     \
	IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_OK, IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_ABORT
MU_DEFINE_ENUM_WITHOUT_INVALID(
    IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_RESULT, IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_RESULT_VALUES);

/* For programs that name them; Holdfast has no use for these. */
#define IOTHUB_CLIENT_IOTHUB_METHOD_STATUS_VALUES                                                            \
	IOTHUB_CLIENT_IOTHUB_METHOD_STATUS_SUCCESS, IOTHUB_CLIENT_IOTHUB_METHOD_STATUS_ERROR
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_IOTHUB_METHOD_STATUS, IOTHUB_CLIENT_IOTHUB_METHOD_STATUS_VALUES);
#define IOTHUB_IDENTITY_TYPE_VALUE                                                                           \
	IOTHUB_TYPE_TELEMETRY, IOTHUB_TYPE_DEVICE_TWIN, IOTHUB_TYPE_DEVICE_METHODS, IOTHUB_TYPE_EVENT_QUEUE
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_IDENTITY_TYPE, IOTHUB_IDENTITY_TYPE_VALUE);
#define IOTHUB_PROCESS_ITEM_RESULT_VALUE                                                                     \
	IOTHUB_PROCESS_OK, IOTHUB_PROCESS_ERROR, IOTHUB_PROCESS_NOT_CONNECTED, IOTHUB_PROCESS_CONTINUE
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_PROCESS_ITEM_RESULT, IOTHUB_PROCESS_ITEM_RESULT_VALUE);
#define TRANSPORT_TYPE_VALUES TRANSPORT_LL, TRANSPORT_THREADED
MU_DEFINE_ENUM_WITHOUT_INVALID(TRANSPORT_TYPE, TRANSPORT_TYPE_VALUES);

/*
 * Callbacks. They come from DoWork or, with a thread, from that thread. userContextCallback is what was given with the function. What
 * they are handed is lent until they return.
 */
/* A message has ended. */
typedef void (*IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK)(
    IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_TELEMETRY_CALLBACK)(
    IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK)(IOTHUB_CLIENT_CONNECTION_STATUS result,
    IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *userContextCallback);
/* A message from the cloud. It is the client's, but after IOTHUBMESSAGE_ASYNC_ACK: then it is the program's until
 * ...SendMessageDisposition() takes it. */
typedef IOTHUBMESSAGE_DISPOSITION_RESULT (*IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC)(
    IOTHUB_MESSAGE_HANDLE message, void *userContextCallback);
/* The twin as JSON, not ended by a NUL. */
typedef void (*IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK)(DEVICE_TWIN_UPDATE_STATE update_state,
    const unsigned char *payLoad, size_t size, void *userContextCallback);
/* The hub's status for what was reported, such as 204. */
typedef void (*IOTHUB_CLIENT_REPORTED_STATE_CALLBACK)(int status_code, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_PROPERTY_ACKNOWLEDGED_CALLBACK)(int statusCode, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK)(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType,
    const unsigned char *payload, size_t payloadLength, void *userContextCallback);
/* A direct method. Returns its status; *response is JSON from malloc(), which the client frees. */
typedef int (*IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC)(const char *method_name,
    const unsigned char *payload, size_t size, unsigned char **response, size_t *response_size,
    void *userContextCallback);
/* The same for who answers later, by ...DeviceMethodResponse() with this method_id. Returns 0 when it will. */
typedef int (*IOTHUB_CLIENT_INBOUND_DEVICE_METHOD_CALLBACK)(const char *method_name,
    const unsigned char *payload, size_t size, METHOD_HANDLE method_id, void *userContextCallback);
typedef void (*IOTHUB_METHOD_INVOKE_CALLBACK)(IOTHUB_CLIENT_RESULT result, int responseStatus,
    unsigned char *responsePayload, size_t responsePayloadSize, void *context);
/* Uploads: the end; the next block. */
typedef void (*IOTHUB_CLIENT_FILE_UPLOAD_CALLBACK)(
    IOTHUB_CLIENT_FILE_UPLOAD_RESULT result, void *userContextCallback);
typedef void (*IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_CALLBACK)(
    IOTHUB_CLIENT_FILE_UPLOAD_RESULT result, unsigned char const **data, size_t *size, void *context);
typedef IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_RESULT (*IOTHUB_CLIENT_FILE_UPLOAD_GET_DATA_CALLBACK_EX)(
    IOTHUB_CLIENT_FILE_UPLOAD_RESULT result, unsigned char const **data, size_t *size, void *context);

/* A command is a direct method with a component's name apart. */
#define IOTHUB_CLIENT_COMMAND_REQUEST_STRUCT_VERSION_1 1
typedef struct IOTHUB_CLIENT_COMMAND_REQUEST_TAG {
	int structVersion;
	const char *componentName; /* NULL: the root component */
	const char *commandName;
	const unsigned char *payload;
	size_t payloadLength;
} IOTHUB_CLIENT_COMMAND_REQUEST;
#define IOTHUB_CLIENT_COMMAND_RESPONSE_STRUCT_VERSION_1 1
typedef struct IOTHUB_CLIENT_COMMAND_RESPONSE_TAG {
	int structVersion;
	unsigned char *payload; /* JSON from malloc(), which the client frees; NULL: none */
	size_t payloadLength;
	int statusCode;
} IOTHUB_CLIENT_COMMAND_RESPONSE;
typedef void (*IOTHUB_CLIENT_COMMAND_CALLBACK_ASYNC)(const IOTHUB_CLIENT_COMMAND_REQUEST *commandRequest,
    IOTHUB_CLIENT_COMMAND_RESPONSE *commandResponse, void *userContextCallback);

/*
 * Who a device is, when it is not told by a connection string. Strings are copied.
 */
typedef struct IOTHUB_CLIENT_CONFIG_TAG {
	IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol;
	const char *deviceId;
	const char *deviceKey;	    /* base64; or the next one, or neither with a certificate */
	const char *deviceSasToken; /* a token that the program renews itself */
	const char *iotHubName;	    /* the hub's host name is iotHubName.iotHubSuffix */
	const char *iotHubSuffix;
	const char *protocolGatewayHostName; /* who is connected to in the hub's place; NULL: the hub */
} IOTHUB_CLIENT_CONFIG;

typedef struct IOTHUB_CLIENT_DEVICE_CONFIG_TAG {
	IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol;
	void *transportHandle; /* IoTHubTransport_GetLLTransport(), which knows the hub */
	const char *deviceId;
	const char *deviceKey;
	const char *deviceSasToken;
} IOTHUB_CLIENT_DEVICE_CONFIG;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
