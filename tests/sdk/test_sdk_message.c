#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iothub_message.h"

typedef IOTHUB_MESSAGE_RESULT (*setter)(IOTHUB_MESSAGE_HANDLE, const char *);
typedef const char *(*getter)(IOTHUB_MESSAGE_HANDLE);
static const struct {
	setter set;
	getter get;
} properties[] = {
#define PROPERTY(name)                                                                                       \
	{                                                                                                    \
		IoTHubMessage_Set##name, IoTHubMessage_Get##name                                             \
	}
	PROPERTY(MessageId),
	PROPERTY(CorrelationId),
	PROPERTY(ContentTypeSystemProperty),
	PROPERTY(ContentEncodingSystemProperty),
	PROPERTY(MessageCreationTimeUtcSystemProperty),
	PROPERTY(MessageUserIdSystemProperty),
	PROPERTY(ComponentName),
	PROPERTY(OutputName),
	PROPERTY(InputName),
	PROPERTY(ConnectionModuleId),
	PROPERTY(ConnectionDeviceId),
};
enum { PROPERTIES = sizeof(properties) / sizeof(properties[0]) };

static void
has_a_body(void **state)
{
	IOTHUB_MESSAGE_HANDLE bytes = IoTHubMessage_CreateFromByteArray((const unsigned char *)"a\0b", 3);
	IOTHUB_MESSAGE_HANDLE text = IoTHubMessage_CreateFromString("text");
	IOTHUB_MESSAGE_HANDLE empty = IoTHubMessage_CreateFromByteArray(NULL, 0);
	const unsigned char *p = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(IoTHubMessage_GetContentType(bytes), IOTHUBMESSAGE_BYTEARRAY);
	assert_int_equal(IoTHubMessage_GetByteArray(bytes, &p, &n), IOTHUB_MESSAGE_OK);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "a\0b", 3);
	assert_null(IoTHubMessage_GetString(bytes));
	assert_int_equal(IoTHubMessage_GetContentType(text), IOTHUBMESSAGE_STRING);
	assert_string_equal(IoTHubMessage_GetString(text), "text");
	assert_int_equal(IoTHubMessage_GetByteArray(text, &p, &n), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_GetByteArray(empty, &p, &n), IOTHUB_MESSAGE_OK);
	assert_int_equal(n, 0);
	IoTHubMessage_Destroy(bytes);
	IoTHubMessage_Destroy(text);
	IoTHubMessage_Destroy(empty);
}

static void
keeps_what_the_hub_knows(void **state)
{
	IOTHUB_MESSAGE_HANDLE m = IoTHubMessage_CreateFromString("");
	char value[16];

	(void)state;
	for (int i = 0; i < PROPERTIES; i++) {
		assert_null(properties[i].get(m));
		snprintf(value, sizeof(value), "value %d", i);
		assert_int_equal(properties[i].set(m, value), IOTHUB_MESSAGE_OK);
	}
	for (int i = 0; i < PROPERTIES; i++) {
		snprintf(value, sizeof(value), "value %d", i);
		assert_string_equal(properties[i].get(m), value);
		assert_int_equal(properties[i].set(m, properties[i].get(m)), IOTHUB_MESSAGE_OK);
		assert_string_equal(properties[i].get(m), value);
		assert_int_equal(properties[i].set(m, NULL), IOTHUB_MESSAGE_INVALID_ARG);
		assert_int_equal(properties[i].set(NULL, value), IOTHUB_MESSAGE_INVALID_ARG);
		assert_null(properties[i].get(NULL));
		assert_string_equal(properties[i].get(m), value);
	}
	IoTHubMessage_Destroy(m);
}

static void
keeps_the_applications_properties(void **state)
{
	IOTHUB_MESSAGE_HANDLE m = IoTHubMessage_CreateFromString("");

	(void)state;
	assert_int_equal(IoTHubMessage_SetProperty(m, "alert", "no"), IOTHUB_MESSAGE_OK);
	assert_int_equal(IoTHubMessage_SetProperty(m, "alert", "yes ~"), IOTHUB_MESSAGE_OK);
	assert_string_equal(IoTHubMessage_GetProperty(m, "alert"), "yes ~");
	assert_string_equal(Map_GetValueFromKey(IoTHubMessage_Properties(m), "alert"), "yes ~");
	assert_int_equal(Map_Add(IoTHubMessage_Properties(m), "more", "1"), MAP_OK);
	assert_string_equal(IoTHubMessage_GetProperty(m, "more"), "1");
	assert_null(IoTHubMessage_GetProperty(m, "none"));
	assert_int_equal(IoTHubMessage_SetProperty(m, "caf\xc3\xa9", "1"), IOTHUB_MESSAGE_ERROR);
	assert_int_equal(IoTHubMessage_SetProperty(m, "a", "line\n"), IOTHUB_MESSAGE_ERROR);
	assert_int_equal(IoTHubMessage_SetProperty(m, "a", "\x7f"), IOTHUB_MESSAGE_ERROR);
	assert_int_equal(Map_Add(IoTHubMessage_Properties(m), "a", "\t"), MAP_FILTER_REJECT);
	assert_int_equal(IoTHubMessage_SetProperty(NULL, "a", "b"), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_SetProperty(m, NULL, "b"), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_SetProperty(m, "a", NULL), IOTHUB_MESSAGE_INVALID_ARG);
	assert_null(IoTHubMessage_GetProperty(NULL, "a"));
	assert_null(IoTHubMessage_GetProperty(m, NULL));
	assert_null(IoTHubMessage_Properties(NULL));
	IoTHubMessage_Destroy(m);
}

static void
keeps_diagnostics(void **state)
{
	IOTHUB_MESSAGE_HANDLE m = IoTHubMessage_CreateFromString("");
	char id[] = "12345678", when[] = "1506054225";
	IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA d = { id, when }, half = { id, NULL }, other = { NULL, when };
	const IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA *got;

	(void)state;
	assert_null(IoTHubMessage_GetDiagnosticPropertyData(m));
	assert_int_equal(IoTHubMessage_SetDiagnosticPropertyData(m, &half), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_SetDiagnosticPropertyData(m, &other), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_SetDiagnosticPropertyData(m, NULL), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_SetDiagnosticPropertyData(NULL, &d), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_SetDiagnosticPropertyData(m, &d), IOTHUB_MESSAGE_OK);
	id[0] = 'x';
	got = IoTHubMessage_GetDiagnosticPropertyData(m);
	assert_string_equal(got->diagnosticId, "12345678");
	assert_string_equal(got->diagnosticCreationTimeUtc, when);
	assert_int_equal(IoTHubMessage_SetDiagnosticPropertyData(m, got), IOTHUB_MESSAGE_OK);
	assert_string_equal(IoTHubMessage_GetDiagnosticPropertyData(m)->diagnosticId, "12345678");
	assert_null(IoTHubMessage_GetDiagnosticPropertyData(NULL));
	IoTHubMessage_Destroy(m);
}

static void
copies_all_of_it(void **state)
{
	IOTHUB_MESSAGE_HANDLE m = IoTHubMessage_CreateFromByteArray((const unsigned char *)"a\0b", 3), copy;
	IOTHUB_MESSAGE_DIAGNOSTIC_PROPERTY_DATA d = { (char *)(uintptr_t) "id", (char *)(uintptr_t) "0" };
	const unsigned char *p;
	size_t n;

	(void)state;
	for (int i = 0; i < PROPERTIES; i++)
		properties[i].set(m, "set");
	IoTHubMessage_SetProperty(m, "alert", "yes");
	IoTHubMessage_SetDiagnosticPropertyData(m, &d);
	assert_false(IoTHubMessage_IsSecurityMessage(m));
	assert_int_equal(IoTHubMessage_SetAsSecurityMessage(m), IOTHUB_MESSAGE_OK);
	copy = IoTHubMessage_Clone(m);
	IoTHubMessage_Destroy(m);
	assert_int_equal(IoTHubMessage_GetByteArray(copy, &p, &n), IOTHUB_MESSAGE_OK);
	assert_memory_equal(p, "a\0b", 3);
	for (int i = 0; i < PROPERTIES; i++)
		assert_string_equal(properties[i].get(copy), "set");
	assert_string_equal(IoTHubMessage_GetProperty(copy, "alert"), "yes");
	assert_int_equal(IoTHubMessage_SetProperty(copy, "a", "\n"), IOTHUB_MESSAGE_ERROR);
	assert_string_equal(IoTHubMessage_GetDiagnosticPropertyData(copy)->diagnosticId, "id");
	assert_true(IoTHubMessage_IsSecurityMessage(copy));
	IoTHubMessage_Destroy(copy);
}

static void
bears_nothing(void **state)
{
	IOTHUB_MESSAGE_HANDLE m = IoTHubMessage_CreateFromByteArray((const unsigned char *)"a", 1);
	const unsigned char *p;
	size_t n;

	(void)state;
	assert_null(IoTHubMessage_CreateFromByteArray(NULL, 1));
	assert_null(IoTHubMessage_CreateFromString(NULL));
	assert_null(IoTHubMessage_Clone(NULL));
	assert_null(IoTHubMessage_GetString(NULL));
	assert_int_equal(IoTHubMessage_GetContentType(NULL), IOTHUBMESSAGE_UNKNOWN);
	assert_int_equal(IoTHubMessage_GetByteArray(NULL, &p, &n), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_GetByteArray(m, NULL, &n), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_GetByteArray(m, &p, NULL), IOTHUB_MESSAGE_INVALID_ARG);
	assert_int_equal(IoTHubMessage_SetAsSecurityMessage(NULL), IOTHUB_MESSAGE_INVALID_ARG);
	assert_false(IoTHubMessage_IsSecurityMessage(NULL));
	IoTHubMessage_Destroy(m);
	IoTHubMessage_Destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_a_body),
		cmocka_unit_test(keeps_what_the_hub_knows),
		cmocka_unit_test(keeps_the_applications_properties),
		cmocka_unit_test(keeps_diagnostics),
		cmocka_unit_test(copies_all_of_it),
		cmocka_unit_test(bears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
