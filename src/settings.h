/* The settings of holdfast.h, by name. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include "base/err.h"
struct settings { /* owned; NULL: not set */
	char *id_scope, *endpoint, *connect, *transport, *hub_transport, *proxy, *proxy_auth_file, *poll,
	    *early, *trust, *registration_id, *state, *payload, *timeout, *hub, *device_id;
	char *tpm, *cert, *key, *symmetric_key, *group_key, *hsm;
	char *ek_handle, *srk_handle, *key_handle, *owner_auth_file, *endorsement_auth_file, *ek_template,
	    *force;
};
int settings_set(struct settings *, const char *name, const char *value, struct hf_error *);
int settings_copy(
    struct settings *dst, const struct settings *src); /* dst is empty; HF_ERR_MEMORY leaves it so */
void settings_fini(struct settings *);
#endif
