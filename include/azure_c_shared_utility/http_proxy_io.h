/*
 * How a program names a proxy to a stack of XIO_HANDLEs. Holdfast's own connections take theirs from OPTION_HTTP_PROXY
 * (shared_util_options.h) and are not stacked from such pieces.
 */
#ifndef AZURE_C_SHARED_UTILITY_HTTP_PROXY_IO_H
#define AZURE_C_SHARED_UTILITY_HTTP_PROXY_IO_H
#include "azure_c_shared_utility/xio.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct HTTP_PROXY_IO_CONFIG_TAG {
	const char *hostname; /* the host beyond the proxy */
	int port;
	const char *proxy_hostname;
	int proxy_port;
	const char *username; /* with password: for the proxy; both NULL when it asks for none */
	const char *password;
} HTTP_PROXY_IO_CONFIG;

/* A table for xio_create(). Holdfast lends no stream of its own: its create function logs that, and answers NULL. */
const IO_INTERFACE_DESCRIPTION *http_proxy_io_get_interface_description(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
