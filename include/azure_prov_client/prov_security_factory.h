/*
 * How the devices of this process prove to DPS who they are: chosen once, before the first Prov_Device_LL_Create(). From one thread.
 */
#ifndef AZURE_PROV_CLIENT_PROV_SECURITY_FACTORY_H
#define AZURE_PROV_CLIENT_PROV_SECURITY_FACTORY_H
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define SECURE_DEVICE_TYPE_VALUES                                                                            \
	SECURE_DEVICE_TYPE_UNKNOWN, SECURE_DEVICE_TYPE_TPM, SECURE_DEVICE_TYPE_X509,                         \
	    SECURE_DEVICE_TYPE_HTTP_EDGE, SECURE_DEVICE_TYPE_SYMMETRIC_KEY
MU_DEFINE_ENUM_WITHOUT_INVALID(SECURE_DEVICE_TYPE, SECURE_DEVICE_TYPE_VALUES);

/* 0. Anything else: this build cannot do that, or iothub_security_init() has chosen another kind. SECURE_DEVICE_TYPE_HTTP_EDGE is not done. */
int prov_dev_security_init(SECURE_DEVICE_TYPE hsm_type);
void prov_dev_security_deinit(void);
SECURE_DEVICE_TYPE prov_dev_security_get_type(void);

/* For SECURE_DEVICE_TYPE_SYMMETRIC_KEY: the registration id, and the base64 key (a group's key is not for a device; derive its own).
 * 0, or anything else for a NULL or an empty string. Copied, and wiped by deinit. */
int prov_dev_set_symmetric_key_info(const char *registration_name, const char *symmetric_key);
/* As set: lent, NULL when nothing is. */
const char *prov_dev_get_symmetric_key(void);
const char *prov_dev_get_symm_registration_name(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
