/* A custom HSM that keeps its key where world.pem is: what a vendor would write. wrap.c puts its calls in between. */
#ifndef VENDOR_H
#define VENDOR_H
#include "holdfast.h"
#include "hsm_client_data.h"
int vendor_init(void);
HSM_CLIENT_HANDLE vendor_create(void);
void vendor_destroy(HSM_CLIENT_HANDLE);
char *vendor_get_cert(HSM_CLIENT_HANDLE);
char *vendor_get_common_name(HSM_CLIENT_HANDLE);
char *vendor_get_public_key(HSM_CLIENT_HANDLE);
char *vendor_get_algorithms(HSM_CLIENT_HANDLE);
int vendor_sign_digest(
    HSM_CLIENT_HANDLE, const char *how, const unsigned char *, size_t, unsigned char **sig, size_t *len);
int device_hsm_link(const struct hf_hsm_table *); /* the device's hf_hsm_link() */
#endif
