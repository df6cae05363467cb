#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "azure_c_shared_utility/http_proxy_io.h"
#include "azure_c_shared_utility/platform.h"
#include "azure_c_shared_utility/tlsio.h"
#include "azure_c_shared_utility/xlogging.h"
#include "iothub.h"
#include "iothub_client_version.h"
#include "iothub_client_properties.h"

static char logged[4096];
static LOG_CATEGORY last;

static void
keep(LOG_CATEGORY category, const char *file, const char *func, int line, unsigned int options,
    const char *format, ...)
{
	size_t n = strlen(logged);
	va_list ap;

	(void)file, (void)func, (void)line;
	last = category;
	va_start(ap, format);
	vsnprintf(logged + n, sizeof(logged) - n, format, ap);
	va_end(ap);
	if (options & LOG_LINE)
		strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

static int
setup(void **state)
{
	(void)state;
	logged[0] = '\0';
	xlogging_set_log_function(keep);
	return 0;
}

static void
logs(void **state)
{
	(void)state;
	LogInfo("%d devices", 3);
	assert_int_equal(last, AZ_LOG_INFO);
	LogError("plain");
	assert_int_equal(last, AZ_LOG_ERROR);
	LOG(AZ_LOG_TRACE, LOG_NONE, "a");
	LOG(AZ_LOG_TRACE, LOG_LINE, "b");
	assert_string_equal(logged, "3 devices\nplain\nab\n");
	xlogging_set_log_function(NULL);
	assert_null(xlogging_get_log_function());
	LogError("unheard");
	assert_null(strstr(logged, "unheard"));
}

static void
logs_bytes(void **state)
{
	(void)state;
	LogBinary("got", "0123456789abcdef\x01\xff", 18);
	assert_non_null(strstr(logged, "got 18 bytes\n"));
	assert_non_null(
	    strstr(logged, "30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n"));
	assert_non_null(strstr(logged, "01 ff "));
	assert_non_null(strstr(logged, " ..\n"));
	LogBinary(NULL, NULL, 18);
	assert_non_null(strstr(logged, " 0 bytes\n"));
}

/* A stream that counts what is asked of it. */
static int asked;

static CONCRETE_IO_HANDLE
make(void *ctx)
{
	return ctx;
}

static void
none(CONCRETE_IO_HANDLE h)
{
	assert_ptr_equal(h, &asked);
	asked++;
}

static OPTIONHANDLER_HANDLE
options(CONCRETE_IO_HANDLE h)
{
	none(h);
	return NULL;
}

static int
opens(CONCRETE_IO_HANDLE h, ON_IO_OPEN_COMPLETE a, void *b, ON_BYTES_RECEIVED c, void *d, ON_IO_ERROR e,
    void *f)
{
	(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	none(h);
	return 0;
}

static int
closes(CONCRETE_IO_HANDLE h, ON_IO_CLOSE_COMPLETE a, void *b)
{
	(void)a, (void)b;
	none(h);
	return 0;
}

static int
sends(CONCRETE_IO_HANDLE h, const void *p, size_t n, ON_SEND_COMPLETE a, void *b)
{
	(void)p, (void)n, (void)a, (void)b;
	none(h);
	return 0;
}

static int
sets(CONCRETE_IO_HANDLE h, const char *name, const void *value)
{
	(void)name, (void)value;
	none(h);
	return 0;
}

static void
calls_a_stream(void **state)
{
	IO_INTERFACE_DESCRIPTION io = { options, make, none, opens, closes, sends, none, sets };
	XIO_HANDLE x = xio_create(&io, &asked);

	(void)state;
	assert_non_null(x);
	assert_int_equal(xio_open(x, NULL, NULL, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(xio_send(x, "a", 1, NULL, NULL), 0);
	assert_int_equal(xio_setoption(x, "a", NULL), 0);
	assert_null(xio_retrieveoptions(x));
	xio_dowork(x);
	assert_int_equal(xio_close(x, NULL, NULL), 0);
	assert_int_equal(asked, 6);
	assert_int_not_equal(xio_send(x, NULL, 1, NULL, NULL), 0);
	assert_int_not_equal(xio_send(x, "a", 0, NULL, NULL), 0);
	assert_int_not_equal(xio_setoption(x, NULL, NULL), 0);
	xio_destroy(x);
	assert_int_equal(asked, 7);
	assert_null(xio_create(NULL, NULL));
	assert_null(xio_create(&io, NULL));
	io.concrete_io_send = NULL;
	assert_null(xio_create(&io, &asked));
	assert_int_not_equal(xio_open(NULL, NULL, NULL, NULL, NULL, NULL, NULL), 0);
	assert_int_not_equal(xio_close(NULL, NULL, NULL), 0);
	assert_int_not_equal(xio_send(NULL, "a", 1, NULL, NULL), 0);
	assert_int_not_equal(xio_setoption(NULL, "a", NULL), 0);
	assert_null(xio_retrieveoptions(NULL));
	xio_dowork(NULL);
	xio_destroy(NULL);
}

static void
lends_no_stream(void **state)
{
	TLSIO_CONFIG tls = { "localhost", 443, NULL, NULL, false };
	HTTP_PROXY_IO_CONFIG proxy = { "localhost", 443, "localhost", 3128, NULL, NULL };

	(void)state;
	assert_null(xio_create(platform_get_default_tlsio(), &tls));
	assert_non_null(strstr(logged, "does not lend"));
	assert_null(xio_create(http_proxy_io_get_interface_description(), &proxy));
}

static void
begins_and_ends(void **state)
{
	STRING_HANDLE s = platform_get_platform_info(PLATFORM_INFO_OPTION_DEFAULT);

	(void)state;
	assert_non_null(strstr(STRING_c_str(s), "Linux"));
	STRING_delete(s);
	assert_int_equal(platform_init(), 0);
	platform_deinit();
	assert_int_equal(IoTHub_Init(), 0);
	IoTHub_Deinit();
	assert_string_equal(IoTHubClient_GetVersionString(), "1.15.0");
}

static void
writes_no_properties(void **state)
{
	IOTHUB_CLIENT_PROPERTY_REPORTED r = { 1, "t", "21" };
	IOTHUB_CLIENT_PROPERTIES_DESERIALIZER_HANDLE h = NULL;
	unsigned char *json = (unsigned char *)logged;
	bool more = true;
	size_t n = 7;

	(void)state;
	assert_int_equal(
	    IoTHubClient_Properties_Serializer_CreateReported(&r, 1, NULL, &json, &n), IOTHUB_CLIENT_ERROR);
	assert_true(json == NULL && n == 0 && logged[0] != '\0');
	assert_int_equal(IoTHubClient_Properties_Serializer_CreateReported(NULL, 1, NULL, &json, &n),
	    IOTHUB_CLIENT_INVALID_ARG);
	assert_int_equal(IoTHubClient_Properties_Serializer_CreateWritableResponse(NULL, 1, NULL, &json, &n),
	    IOTHUB_CLIENT_INVALID_ARG);
	assert_int_equal(IoTHubClient_Properties_Deserializer_Create(
			     IOTHUB_CLIENT_PROPERTY_PAYLOAD_ALL, (const unsigned char *)"{}", 2, &h),
	    IOTHUB_CLIENT_ERROR);
	assert_null(h);
	assert_int_equal(
	    IoTHubClient_Properties_Deserializer_GetNext(h, NULL, &more), IOTHUB_CLIENT_INVALID_ARG);
	assert_false(more);
	assert_int_equal(IoTHubClient_Properties_Deserializer_GetVersion(h, NULL), IOTHUB_CLIENT_INVALID_ARG);
	IoTHubClient_Properties_Serializer_Destroy(json);
	IoTHubClient_Properties_DeserializerProperty_Destroy(NULL);
	IoTHubClient_Properties_Deserializer_Destroy(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(logs, setup),
		cmocka_unit_test_setup(logs_bytes, setup),
		cmocka_unit_test_setup(calls_a_stream, setup),
		cmocka_unit_test_setup(lends_no_stream, setup),
		cmocka_unit_test_setup(begins_and_ends, setup),
		cmocka_unit_test_setup(writes_no_properties, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
