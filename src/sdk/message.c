#include "sdk/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Printable ASCII is what every protocol carries in a property. */
static int
is_printable(const char *s)
{
	while (*s >= ' ' && *s <= '~')
		s++;
	return *s == '\0';
}

static int
refuses(const char *key, const char *value)
{
	return !is_printable(key) || !is_printable(value);
}

static IOTHUB_MESSAGE_HANDLE
make(IOTHUBMESSAGE_CONTENT_TYPE type, const void *body, size_t size)
{
	IOTHUB_MESSAGE_HANDLE m = calloc(1, sizeof(*m));

	if (m == NULL || size >= PTRDIFF_MAX || (m->body = malloc(size + 1)) == NULL)
		goto fail;
	if (size > 0)
		memcpy(m->body, body, size);
	m->body[size] = '\0';
	m->size = size;
	m->type = type;
	if ((m->application = Map_Create(refuses)) == NULL)
		goto fail;
	return m;
fail:
	IoTHubMessage_Destroy(m);
	return NULL;
}

IOTHUB_MESSAGE_HANDLE
IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray, size_t size)
{
	return byteArray != NULL || size == 0 ? make(IOTHUBMESSAGE_BYTEARRAY, byteArray, size) : NULL;
}

IOTHUB_MESSAGE_HANDLE
IoTHubMessage_CreateFromString(const char *source)
{
	return source != NULL ? make(IOTHUBMESSAGE_STRING, source, strlen(source)) : NULL;
}

void
IoTHubMessage_Destroy(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	IOTHUB_MESSAGE_HANDLE m = iotHubMessageHandle;

	if (m == NULL)
		return;
	for (size_t i = 0; i < MESSAGE_PROPERTIES; i++)
		str_free(&m->system[i]);
	Map_Destroy(m->application);
	free(m->body);
	free(m);
}

IOTHUB_MESSAGE_HANDLE
IoTHubMessage_Clone(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	IOTHUB_MESSAGE_HANDLE from = iotHubMessageHandle, m;
	MAP_HANDLE map;

	if (from == NULL || (m = make(from->type, from->body, from->size)) == NULL)
		return NULL;
	if ((map = Map_Clone(from->application)) == NULL)
		goto fail;
	Map_Destroy(m->application);
	m->application = map;
	for (size_t i = 0; i < MESSAGE_PROPERTIES; i++)
		if (str_set(&m->system[i], from->system[i]) < 0)
			goto fail;
	m->security = from->security;
	return m;
fail:
	IoTHubMessage_Destroy(m);
	return NULL;
}

IOTHUBMESSAGE_CONTENT_TYPE
IoTHubMessage_GetContentType(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return iotHubMessageHandle != NULL ? iotHubMessageHandle->type : IOTHUBMESSAGE_UNKNOWN;
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_GetByteArray(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const unsigned char **buffer, size_t *size)
{
	IOTHUB_MESSAGE_HANDLE m = iotHubMessageHandle;

	if (m == NULL || buffer == NULL || size == NULL || m->type != IOTHUBMESSAGE_BYTEARRAY)
		return IOTHUB_MESSAGE_INVALID_ARG;
	*buffer = m->body;
	*size = m->size;
	return IOTHUB_MESSAGE_OK;
}

const char *
IoTHubMessage_GetString(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	IOTHUB_MESSAGE_HANDLE m = iotHubMessageHandle;

	return m != NULL && m->type == IOTHUBMESSAGE_STRING ? (const char *)m->body : NULL;
}

MAP_HANDLE
IoTHubMessage_Properties(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return iotHubMessageHandle != NULL ? iotHubMessageHandle->application : NULL;
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key, const char *value)
{
	if (iotHubMessageHandle == NULL || key == NULL || value == NULL)
		return IOTHUB_MESSAGE_INVALID_ARG;
	return Map_AddOrUpdate(iotHubMessageHandle->application, key, value) == MAP_OK ? IOTHUB_MESSAGE_OK
										       : IOTHUB_MESSAGE_ERROR;
}

const char *
IoTHubMessage_GetProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *key)
{
	return iotHubMessageHandle != NULL ? Map_GetValueFromKey(iotHubMessageHandle->application, key)
					   : NULL;
}

static IOTHUB_MESSAGE_RESULT
set(IOTHUB_MESSAGE_HANDLE m, enum message_property which, const char *value)
{
	if (m == NULL || value == NULL)
		return IOTHUB_MESSAGE_INVALID_ARG;
	return str_set(&m->system[which], value) == 0 ? IOTHUB_MESSAGE_OK : IOTHUB_MESSAGE_ERROR;
}

static const char *
get(IOTHUB_MESSAGE_HANDLE m, enum message_property which)
{
	return m != NULL ? m->system[which] : NULL;
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetMessageId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *messageId)
{
	return set(iotHubMessageHandle, MESSAGE_ID, messageId);
}

const char *
IoTHubMessage_GetMessageId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_ID);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetCorrelationId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *correlationId)
{
	return set(iotHubMessageHandle, MESSAGE_CORRELATION_ID, correlationId);
}

const char *
IoTHubMessage_GetCorrelationId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_CORRELATION_ID);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *contentType)
{
	return set(iotHubMessageHandle, MESSAGE_CONTENT_TYPE, contentType);
}

const char *
IoTHubMessage_GetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_CONTENT_TYPE);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetContentEncodingSystemProperty(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *contentEncoding)
{
	return set(iotHubMessageHandle, MESSAGE_CONTENT_ENCODING, contentEncoding);
}

const char *
IoTHubMessage_GetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_CONTENT_ENCODING);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetMessageCreationTimeUtcSystemProperty(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *messageCreationTimeUtc)
{
	return set(iotHubMessageHandle, MESSAGE_CREATION_TIME, messageCreationTimeUtc);
}

const char *
IoTHubMessage_GetMessageCreationTimeUtcSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_CREATION_TIME);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetMessageUserIdSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *userId)
{
	return set(iotHubMessageHandle, MESSAGE_USER_ID, userId);
}

const char *
IoTHubMessage_GetMessageUserIdSystemProperty(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_USER_ID);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetComponentName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *componentName)
{
	return set(iotHubMessageHandle, MESSAGE_COMPONENT, componentName);
}

const char *
IoTHubMessage_GetComponentName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_COMPONENT);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetOutputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *outputName)
{
	return set(iotHubMessageHandle, MESSAGE_OUTPUT, outputName);
}

const char *
IoTHubMessage_GetOutputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_OUTPUT);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetInputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *inputName)
{
	return set(iotHubMessageHandle, MESSAGE_INPUT, inputName);
}

const char *
IoTHubMessage_GetInputName(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_INPUT);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetConnectionModuleId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *connectionModuleId)
{
	return set(iotHubMessageHandle, MESSAGE_CONNECTION_MODULE, connectionModuleId);
}

const char *
IoTHubMessage_GetConnectionModuleId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_CONNECTION_MODULE);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetConnectionDeviceId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const char *connectionDeviceId)
{
	return set(iotHubMessageHandle, MESSAGE_CONNECTION_DEVICE, connectionDeviceId);
}

const char *
IoTHubMessage_GetConnectionDeviceId(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return get(iotHubMessageHandle, MESSAGE_CONNECTION_DEVICE);
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetAsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	if (iotHubMessageHandle == NULL)
		return IOTHUB_MESSAGE_INVALID_ARG;
	iotHubMessageHandle->security = 1;
	return IOTHUB_MESSAGE_OK;
}

bool
IoTHubMessage_IsSecurityMessage(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	return iotHubMessageHandle != NULL && iotHubMessageHandle->security;
}

IOTHUB_MESSAGE_RESULT
IoTHubMessage_SetDiagnosticPropertyData(
    IOTHUB_MESSAGE_HANDLE iotHubMessageHandle, const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *diagnosticData)
{
	IOTHUB_MESSAGE_HANDLE m = iotHubMessageHandle;
	char *id = NULL, *when = NULL;

	if (m == NULL || diagnosticData == NULL || diagnosticData->diagnosticId == NULL ||
	    diagnosticData->diagnosticCreationTimeUtc == NULL)
		return IOTHUB_MESSAGE_INVALID_ARG;
	if (str_set(&id, diagnosticData->diagnosticId) < 0 ||
	    str_set(&when, diagnosticData->diagnosticCreationTimeUtc) < 0) {
		str_free(&id);
		return IOTHUB_MESSAGE_ERROR;
	}
	str_free(&m->system[MESSAGE_DIAGNOSTIC_ID]);
	str_free(&m->system[MESSAGE_DIAGNOSTIC_TIME]);
	m->system[MESSAGE_DIAGNOSTIC_ID] = id;
	m->system[MESSAGE_DIAGNOSTIC_TIME] = when;
	return IOTHUB_MESSAGE_OK;
}

const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *
IoTHubMessage_GetDiagnosticPropertyData(IOTHUB_MESSAGE_HANDLE iotHubMessageHandle)
{
	IOTHUB_MESSAGE_HANDLE m = iotHubMessageHandle;

	if (m == NULL || m->system[MESSAGE_DIAGNOSTIC_ID] == NULL)
		return NULL;
	m->diagnostic.diagnosticId = m->system[MESSAGE_DIAGNOSTIC_ID];
	m->diagnostic.diagnosticCreationTimeUtc = m->system[MESSAGE_DIAGNOSTIC_TIME];
	return &m->diagnostic;
}
