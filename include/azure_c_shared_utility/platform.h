/* What a program calls first and last. Holdfast has nothing to set up for the whole process: neither signals nor OpenSSL are touched. */
#ifndef AZURE_C_SHARED_UTILITY_PLATFORM_H
#define AZURE_C_SHARED_UTILITY_PLATFORM_H
#include "azure_c_shared_utility/strings.h"
#include "azure_c_shared_utility/xio.h"
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define PLATFORM_INFO_OPTION_VALUES PLATFORM_INFO_OPTION_DEFAULT, PLATFORM_INFO_OPTION_RETRIEVE_SQM
MU_DEFINE_ENUM(PLATFORM_INFO_OPTION, PLATFORM_INFO_OPTION_VALUES);

#define GUID_LENGTH 64 /* room for a machine's id */

/* 0. It may be called more than once, and need not be called at all. */
int platform_init(void);
void platform_deinit(void);
/* A table for xio_create() with a TLSIO_CONFIG. Holdfast lends no stream of its own: its create function logs that, and answers NULL. */
const IO_INTERFACE_DESCRIPTION *platform_get_default_tlsio(void);
/* "(native; Linux; x86_64)": the system's name and the machine's kind; the caller's, for STRING_delete(). NULL: out of memory. */
STRING_HANDLE platform_get_platform_info(PLATFORM_INFO_OPTION options);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
