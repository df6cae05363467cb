/*
 * Streams that a program may bring or stack: a table of functions, and a handle that calls them. Holdfast's own connections are not made
 * of these; the header is here for programs whose other parts are.
 *
 * Functions that answer an int answer 0 when it worked.
 */
#ifndef AZURE_C_SHARED_UTILITY_XIO_H
#define AZURE_C_SHARED_UTILITY_XIO_H
#include <stddef.h>
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct OPTIONHANDLER_HANDLE_DATA_TAG
    *OPTIONHANDLER_HANDLE; /* options to be carried over: as the concrete stream made it */
typedef struct XIO_INSTANCE_TAG *XIO_HANDLE;
typedef void *CONCRETE_IO_HANDLE;

#define IO_SEND_RESULT_VALUES IO_SEND_OK, IO_SEND_ERROR, IO_SEND_CANCELLED
MU_DEFINE_ENUM(IO_SEND_RESULT, IO_SEND_RESULT_VALUES);
#define IO_OPEN_RESULT_VALUES IO_OPEN_OK, IO_OPEN_ERROR, IO_OPEN_CANCELLED
MU_DEFINE_ENUM(IO_OPEN_RESULT, IO_OPEN_RESULT_VALUES);

typedef void (*ON_BYTES_RECEIVED)(void *context, const unsigned char *buffer, size_t size);
typedef void (*ON_SEND_COMPLETE)(void *context, IO_SEND_RESULT send_result);
typedef void (*ON_IO_OPEN_COMPLETE)(void *context, IO_OPEN_RESULT open_result);
typedef void (*ON_IO_CLOSE_COMPLETE)(void *context);
typedef void (*ON_IO_ERROR)(void *context);

typedef OPTIONHANDLER_HANDLE (*IO_RETRIEVEOPTIONS)(CONCRETE_IO_HANDLE concrete_io);
typedef CONCRETE_IO_HANDLE (*IO_CREATE)(void *io_create_parameters);
typedef void (*IO_DESTROY)(CONCRETE_IO_HANDLE concrete_io);
typedef int (*IO_OPEN)(CONCRETE_IO_HANDLE concrete_io, ON_IO_OPEN_COMPLETE on_io_open_complete,
    void *on_io_open_complete_context, ON_BYTES_RECEIVED on_bytes_received, void *on_bytes_received_context,
    ON_IO_ERROR on_io_error, void *on_io_error_context);
typedef int (*IO_CLOSE)(
    CONCRETE_IO_HANDLE concrete_io, ON_IO_CLOSE_COMPLETE on_io_close_complete, void *callback_context);
typedef int (*IO_SEND)(CONCRETE_IO_HANDLE concrete_io, const void *buffer, size_t size,
    ON_SEND_COMPLETE on_send_complete, void *callback_context);
typedef void (*IO_DOWORK)(CONCRETE_IO_HANDLE concrete_io);
typedef int (*IO_SETOPTION)(CONCRETE_IO_HANDLE concrete_io, const char *optionName, const void *value);

typedef struct IO_INTERFACE_DESCRIPTION_TAG { /* every function has to be there */
	IO_RETRIEVEOPTIONS concrete_io_retrieveoptions;
	IO_CREATE concrete_io_create;
	IO_DESTROY concrete_io_destroy;
	IO_OPEN concrete_io_open;
	IO_CLOSE concrete_io_close;
	IO_SEND concrete_io_send;
	IO_DOWORK concrete_io_dowork;
	IO_SETOPTION concrete_io_setoption;
} IO_INTERFACE_DESCRIPTION;

/* The table is not copied: it has to stay. NULL: it is incomplete, create failed, or out of memory. */
XIO_HANDLE
xio_create(const IO_INTERFACE_DESCRIPTION *io_interface_description, const void *io_create_parameters);
void xio_destroy(XIO_HANDLE xio);
int xio_open(XIO_HANDLE xio, ON_IO_OPEN_COMPLETE on_io_open_complete, void *on_io_open_complete_context,
    ON_BYTES_RECEIVED on_bytes_received, void *on_bytes_received_context, ON_IO_ERROR on_io_error,
    void *on_io_error_context);
int xio_close(XIO_HANDLE xio, ON_IO_CLOSE_COMPLETE on_io_close_complete, void *callback_context);
/* size is not 0. */
int xio_send(XIO_HANDLE xio, const void *buffer, size_t size, ON_SEND_COMPLETE on_send_complete,
    void *callback_context);
void xio_dowork(XIO_HANDLE xio);
int xio_setoption(XIO_HANDLE xio, const char *optionName, const void *value);
OPTIONHANDLER_HANDLE xio_retrieveoptions(XIO_HANDLE xio);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
