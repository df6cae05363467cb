#include "azure_c_shared_utility/xio.h"

#include <stdint.h>
#include <stdlib.h>

#include "azure_c_shared_utility/http_proxy_io.h"
#include "azure_c_shared_utility/platform.h"
#include "azure_c_shared_utility/xlogging.h"

struct XIO_INSTANCE_TAG {
	const IO_INTERFACE_DESCRIPTION *io;
	CONCRETE_IO_HANDLE concrete;
};

static int
is_whole(const IO_INTERFACE_DESCRIPTION *io)
{
	return io->concrete_io_retrieveoptions != NULL && io->concrete_io_create != NULL &&
	       io->concrete_io_destroy != NULL && io->concrete_io_open != NULL &&
	       io->concrete_io_close != NULL && io->concrete_io_send != NULL &&
	       io->concrete_io_dowork != NULL && io->concrete_io_setoption != NULL;
}

XIO_HANDLE
xio_create(const IO_INTERFACE_DESCRIPTION *io_interface_description, const void *io_create_parameters)
{
	XIO_HANDLE x;

	if (io_interface_description == NULL || !is_whole(io_interface_description))
		return NULL;
	if ((x = calloc(1, sizeof(*x))) == NULL)
		return NULL;
	x->io = io_interface_description;
	x->concrete = x->io->concrete_io_create((void *)(uintptr_t)io_create_parameters);
	if (x->concrete != NULL)
		return x;
	free(x);
	return NULL;
}

void
xio_destroy(XIO_HANDLE xio)
{
	if (xio == NULL)
		return;
	xio->io->concrete_io_destroy(xio->concrete);
	free(xio);
}

int
xio_open(XIO_HANDLE xio, ON_IO_OPEN_COMPLETE on_io_open_complete, void *on_io_open_complete_context,
    ON_BYTES_RECEIVED on_bytes_received, void *on_bytes_received_context, ON_IO_ERROR on_io_error,
    void *on_io_error_context)
{
	if (xio == NULL)
		return MU_FAILURE;
	return xio->io->concrete_io_open(xio->concrete, on_io_open_complete, on_io_open_complete_context,
	    on_bytes_received, on_bytes_received_context, on_io_error, on_io_error_context);
}

int
xio_close(XIO_HANDLE xio, ON_IO_CLOSE_COMPLETE on_io_close_complete, void *callback_context)
{
	if (xio == NULL)
		return MU_FAILURE;
	return xio->io->concrete_io_close(xio->concrete, on_io_close_complete, callback_context);
}

int
xio_send(XIO_HANDLE xio, const void *buffer, size_t size, ON_SEND_COMPLETE on_send_complete,
    void *callback_context)
{
	if (xio == NULL || buffer == NULL || size == 0)
		return MU_FAILURE;
	return xio->io->concrete_io_send(xio->concrete, buffer, size, on_send_complete, callback_context);
}

void
xio_dowork(XIO_HANDLE xio)
{
	if (xio != NULL)
		xio->io->concrete_io_dowork(xio->concrete);
}

int
xio_setoption(XIO_HANDLE xio, const char *optionName, const void *value)
{
	if (xio == NULL || optionName == NULL)
		return MU_FAILURE;
	return xio->io->concrete_io_setoption(xio->concrete, optionName, value);
}

OPTIONHANDLER_HANDLE
xio_retrieveoptions(XIO_HANDLE xio)
{
	return xio != NULL ? xio->io->concrete_io_retrieveoptions(xio->concrete) : NULL;
}

/*
 * Holdfast lends no stream of its own: tables that are whole, whose streams are never made.
 */
static CONCRETE_IO_HANDLE
none_create(void *parameters)
{
	(void)parameters;
	LogError(
	    "Holdfast does not lend its TLS and proxy streams; use OpenSSL, or a connection of Holdfast's");
	return NULL;
}

static OPTIONHANDLER_HANDLE
none_options(CONCRETE_IO_HANDLE h)
{
	(void)h;
	return NULL;
}

static void
none_void(CONCRETE_IO_HANDLE h)
{
	(void)h;
}

static int
none_open(CONCRETE_IO_HANDLE h, ON_IO_OPEN_COMPLETE opened, void *a, ON_BYTES_RECEIVED received, void *b,
    ON_IO_ERROR failed, void *c)
{
	(void)h, (void)opened, (void)a, (void)received, (void)b, (void)failed, (void)c;
	return MU_FAILURE;
}

static int
none_close(CONCRETE_IO_HANDLE h, ON_IO_CLOSE_COMPLETE closed, void *ctx)
{
	(void)h, (void)closed, (void)ctx;
	return MU_FAILURE;
}

static int
none_send(CONCRETE_IO_HANDLE h, const void *p, size_t n, ON_SEND_COMPLETE sent, void *ctx)
{
	(void)h, (void)p, (void)n, (void)sent, (void)ctx;
	return MU_FAILURE;
}

static int
none_setoption(CONCRETE_IO_HANDLE h, const char *name, const void *value)
{
	(void)h, (void)name, (void)value;
	return MU_FAILURE;
}

static const IO_INTERFACE_DESCRIPTION none = {
	.concrete_io_retrieveoptions = none_options,
	.concrete_io_create = none_create,
	.concrete_io_destroy = none_void,
	.concrete_io_open = none_open,
	.concrete_io_close = none_close,
	.concrete_io_send = none_send,
	.concrete_io_dowork = none_void,
	.concrete_io_setoption = none_setoption,
};

const IO_INTERFACE_DESCRIPTION *
http_proxy_io_get_interface_description(void)
{
	return &none;
}

const IO_INTERFACE_DESCRIPTION *
platform_get_default_tlsio(void)
{
	return &none;
}
