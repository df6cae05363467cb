/* What a protocol is to a provisioning client: a name that the five prov_transport_..._client.h lend. What is in it is Holdfast's. */
#ifndef AZURE_PROV_CLIENT_PROV_TRANSPORT_H
#define AZURE_PROV_CLIENT_PROV_TRANSPORT_H
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct PROV_DEVICE_TRANSPORT_PROVIDER_TAG PROV_DEVICE_TRANSPORT_PROVIDER;
typedef void *PROV_DEVICE_TRANSPORT_HANDLE;

#define TRANSPORT_HSM_TYPE_VALUES TRANSPORT_HSM_TYPE_TPM, TRANSPORT_HSM_TYPE_X509, TRANSPORT_HSM_TYPE_SYMM_KEY
MU_DEFINE_ENUM_WITHOUT_INVALID(TRANSPORT_HSM_TYPE, TRANSPORT_HSM_TYPE_VALUES);
#define PROV_DEVICE_TRANSPORT_RESULT_VALUES                                                                  \
	PROV_DEVICE_TRANSPORT_RESULT_OK, PROV_DEVICE_TRANSPORT_RESULT_UNAUTHORIZED,                          \
	    PROV_DEVICE_TRANSPORT_RESULT_ERROR
MU_DEFINE_ENUM_WITHOUT_INVALID(PROV_DEVICE_TRANSPORT_RESULT, PROV_DEVICE_TRANSPORT_RESULT_VALUES);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
