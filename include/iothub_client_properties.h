/*
 * Properties of IoT Plug and Play: the JSON that a device reports them in, and what a twin says of them.
 *
 * These functions are declared for programs that name them. Holdfast does not write or read this JSON yet: they log one sentence and answer
 * IOTHUB_CLIENT_ERROR.
 */
#ifndef IOTHUB_CLIENT_PROPERTIES_H
#define IOTHUB_CLIENT_PROPERTIES_H
#include <stdbool.h>
#include <stddef.h>
#include "azure_macro_utils/macro_utils.h"
#include "iothub_client_core_common.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What the device says of itself. */
#define IOTHUB_CLIENT_PROPERTY_REPORTED_STRUCT_VERSION_1 1
typedef struct IOTHUB_CLIENT_PROPERTY_REPORTED_TAG {
	int structVersion;
	const char *name;
	const char *value; /* JSON */
} IOTHUB_CLIENT_PROPERTY_REPORTED;

/* Its answer to a property that the cloud has set. */
#define IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE_STRUCT_VERSION_1 1
typedef struct IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE_TAG {
	int structVersion;
	const char *name;
	const char *value;	 /* JSON */
	int result;		 /* as HTTP's: 200, 400 */
	int ackVersion;		 /* $version of what is answered */
	const char *description; /* NULL: none */
} IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE;

#define IOTHUB_CLIENT_PROPERTY_TYPE_VALUES                                                                   \
	IOTHUB_CLIENT_PROPERTY_TYPE_REPORTED_FROM_CLIENT, IOTHUB_CLIENT_PROPERTY_TYPE_WRITABLE
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_PROPERTY_TYPE, IOTHUB_CLIENT_PROPERTY_TYPE_VALUES);
#define IOTHUB_CLIENT_PROPERTY_VALUE_TYPE_VALUES IOTHUB_CLIENT_PROPERTY_VALUE_STRING
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_CLIENT_PROPERTY_VALUE_TYPE, IOTHUB_CLIENT_PROPERTY_VALUE_TYPE_VALUES);

/* One property out of a twin. */
#define IOTHUB_CLIENT_PROPERTY_PARSED_STRUCT_VERSION_1 1
typedef struct IOTHUB_CLIENT_PROPERTY_PARSED_TAG {
	int structVersion;
	IOTHUB_CLIENT_PROPERTY_TYPE propertyType;
	const char *componentName; /* NULL: the root component */
	const char *name;
	IOTHUB_CLIENT_PROPERTY_VALUE_TYPE valueType;
	union {
		const char *str; /* JSON */
	} value;
	size_t valueLength;
} IOTHUB_CLIENT_PROPERTY_PARSED;
typedef struct IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_TAG *IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE;

/* What they write is freed by the last one. */
IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_CreateReported(
    const IOTHUB_CLIENT_PROPERTY_REPORTED *properties, size_t numProperties, const char *componentName,
    unsigned char **serializedProperties, size_t *serializedPropertiesLength);
IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Serializer_CreateWritableResponse(
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *properties, size_t numProperties,
    const char *componentName, unsigned char **serializedProperties, size_t *serializedPropertiesLength);
void IoTHubClient_Properties_Serializer_Destroy(unsigned char *serializedProperties);

/* payloadType and payload are those of an IOTHUB_CLIENT_PROPERTIES_RECEIVED_CALLBACK. */
IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_Create(
    IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType, const unsigned char *payload, size_t payloadLength,
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE *propertiesDeserializerHandle);
IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_GetVersion(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle, int *propertiesVersion);
/* *propertySpecified is false at the end. */
IOTHUB_CLIENT_RESULT IoTHubClient_Properties_Deserializer_GetNext(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle,
    IOTHUB_CLIENT_PROPERTY_PARSED *property, bool *propertySpecified);
void IoTHubClient_Properties_DeserializerProperty_Destroy(IOTHUB_CLIENT_PROPERTY_PARSED *property);
void IoTHubClient_Properties_Deserializer_Destroy(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
