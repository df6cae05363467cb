/* How a program says to an XIO_HANDLE with whom it wants to speak TLS; see platform_get_default_tlsio(). */
#ifndef AZURE_C_SHARED_UTILITY_TLSIO_H
#define AZURE_C_SHARED_UTILITY_TLSIO_H
#include <stdbool.h>
#include "azure_c_shared_utility/xio.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct TLSIO_CONFIG_TAG {
	const char *hostname;
	int port;
	const IO_INTERFACE_DESCRIPTION *underlying_io_interface; /* NULL: TCP */
	void *underlying_io_parameters;
	bool invoke_on_send_complete_callback_for_fragments;
} TLSIO_CONFIG;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
