/*
 * How the devices of this process prove to their hub who they are, for the ..._CreateFromDeviceAuth() functions: with the key that
 * registered them. prov_dev_security_init() has set it already when the same process registered. From one thread.
 */
#ifndef AZURE_PROV_CLIENT_IOTHUB_SECURITY_FACTORY_H
#define AZURE_PROV_CLIENT_IOTHUB_SECURITY_FACTORY_H
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define IOTHUB_SECURITY_TYPE_VALUES                                                                          \
	IOTHUB_SECURITY_TYPE_UNKNOWN, IOTHUB_SECURITY_TYPE_SAS, IOTHUB_SECURITY_TYPE_X509,                   \
	    IOTHUB_SECURITY_TYPE_HTTP_EDGE, IOTHUB_SECURITY_TYPE_SYMMETRIC_KEY
MU_DEFINE_ENUM_WITHOUT_INVALID(IOTHUB_SECURITY_TYPE, IOTHUB_SECURITY_TYPE_VALUES);

/* 0. Anything else: this build cannot do that, or prov_dev_security_init() has chosen another kind. SAS is a TPM's. */
int iothub_security_init(IOTHUB_SECURITY_TYPE sec_type);
void iothub_security_deinit(void);
IOTHUB_SECURITY_TYPE iothub_security_type(void);
/* Opaque: not NULL once there is a choice. */
const void *iothub_security_interface(void);

/* For IOTHUB_SECURITY_TYPE_SYMMETRIC_KEY, as prov_dev_set_symmetric_key_info(). */
int iothub_security_set_symmetric_key_info(const char *registration_name, const char *symmetric_key);
const char *iothub_security_get_symmetric_key(void);
const char *iothub_security_get_symm_registration_name(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
