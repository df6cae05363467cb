#include "azure_c_shared_utility/xlogging.h"
#include "iothub_client_properties.h"

/* What is handed out is set, so that a program that does not look at the result finds nothing. */
static IOTHUB_CLIENT_RESULT
not_yet(void)
{
	LogError(
	    "Holdfast does not write or read the JSON of properties; SendReportedState() and the twin's callback take any");
	return IOTHUB_CLIENT_ERROR;
}

static IOTHUB_CLIENT_RESULT
write_none(const void *properties, size_t n, unsigned char **json, size_t *size)
{
	if (properties == NULL || n == 0 || json == NULL || size == NULL)
		return IOTHUB_CLIENT_INVALID_ARG;
	*json = NULL;
	*size = 0;
	return not_yet();
}

IOTHUB_CLIENT_RESULT
IoTHubClient_Properties_Serializer_CreateReported(const IOTHUB_CLIENT_PROPERTY_REPORTED *properties,
    size_t numProperties, const char *componentName, unsigned char **serializedProperties,
    size_t *serializedPropertiesLength)
{
	(void)componentName;
	return write_none(properties, numProperties, serializedProperties, serializedPropertiesLength);
}

IOTHUB_CLIENT_RESULT
IoTHubClient_Properties_Serializer_CreateWritableResponse(
    const IOTHUB_CLIENT_PROPERTY_WRITABLE_RESPONSE *properties, size_t numProperties,
    const char *componentName, unsigned char **serializedProperties, size_t *serializedPropertiesLength)
{
	(void)componentName;
	return write_none(properties, numProperties, serializedProperties, serializedPropertiesLength);
}

void
IoTHubClient_Properties_Serializer_Destroy(unsigned char *serializedProperties)
{
	(void)serializedProperties;
}

IOTHUB_CLIENT_RESULT
IoTHubClient_Properties_Deserializer_Create(IOTHUB_CLIENT_PROPERTY_PAYLOAD_TYPE payloadType,
    const unsigned char *payload, size_t payloadLength,
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE *propertiesDeserializerHandle)
{
	(void)payloadType;
	if (payload == NULL || payloadLength == 0 || propertiesDeserializerHandle == NULL)
		return IOTHUB_CLIENT_INVALID_ARG;
	*propertiesDeserializerHandle = NULL;
	return not_yet();
}

/* There is no handle that these could get. */
IOTHUB_CLIENT_RESULT
IoTHubClient_Properties_Deserializer_GetVersion(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle, int *propertiesVersion)
{
	(void)propertiesDeserializerHandle, (void)propertiesVersion;
	return IOTHUB_CLIENT_INVALID_ARG;
}

IOTHUB_CLIENT_RESULT
IoTHubClient_Properties_Deserializer_GetNext(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle,
    IOTHUB_CLIENT_PROPERTY_PARSED *property, bool *propertySpecified)
{
	(void)propertiesDeserializerHandle, (void)property;
	if (propertySpecified != NULL)
		*propertySpecified = false;
	return IOTHUB_CLIENT_INVALID_ARG;
}

void
IoTHubClient_Properties_DeserializerProperty_Destroy(IOTHUB_CLIENT_PROPERTY_PARSED *property)
{
	(void)property;
}

void
IoTHubClient_Properties_Deserializer_Destroy(
    IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE propertiesDeserializerHandle)
{
	(void)propertiesDeserializerHandle;
}
