#include "hsm/hsm.h"
#include "hsm/key.h"
#define BACKEND(name)                                                                                        \
	int name(EVP_PKEY **out, const struct uri *u, const struct key_open *o, struct hf_error *err)        \
	{                                                                                                    \
		(void)o;                                                                                     \
		*out = NULL;                                                                                 \
		return err_set(                                                                              \
		    err, HF_ERR_UNSUPPORTED, "keys of the kind %s: are not in this build", u->scheme);       \
	}
BACKEND(key_tpm2_open)
BACKEND(key_provider_open)
BACKEND(key_engine_open)
BACKEND(key_custom_open)
int
hsm_custom_open(struct hsm **out, const struct hsm_settings *s, struct hf_error *err)
{
	*out = NULL;
	return err_set(err, HF_ERR_UNSUPPORTED, "%s: custom HSMs are not in this build", s->hsm);
}
