/*
 * A message of the SDK's interface, for those who carry it: IoTHubMessage_...() are its accessors.
 */
#ifndef SDK_MESSAGE_H
#define SDK_MESSAGE_H
#include "iothub_message.h"

enum message_property {
	MESSAGE_ID,
	MESSAGE_CORRELATION_ID,
	MESSAGE_CONTENT_TYPE,
	MESSAGE_CONTENT_ENCODING,
	MESSAGE_CREATION_TIME,
	MESSAGE_USER_ID,
	MESSAGE_COMPONENT,
	MESSAGE_OUTPUT,
	MESSAGE_INPUT,
	MESSAGE_CONNECTION_MODULE,
	MESSAGE_CONNECTION_DEVICE,
	MESSAGE_DIAGNOSTIC_ID,
	MESSAGE_DIAGNOSTIC_TIME,
	MESSAGE_PROPERTIES
};

struct IOTHUB_MESSAGE_HANDLE_DATA_TAG {
	IOTHUBMESSAGE_CONTENT_TYPE type; /* in which shape the body was given */
	unsigned char *body;		 /* with a NUL behind it */
	size_t size;			 /* without that */
	MAP_HANDLE application;		 /* the application's properties */
	char *system[MESSAGE_PROPERTIES];
	int security;
	IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA diagnostic; /* lent: what of `system` is about it */
};
#endif
