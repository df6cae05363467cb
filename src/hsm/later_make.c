#include "hsm/key.h"
int
key_tpm2_make(const struct uri *u, const struct key_kind *k, struct buf *made, struct hf_error *err)
{
	(void)u;
	(void)k;
	(void)made;
	return err_set(err, HF_ERR_UNSUPPORTED, "keys of the kind tpm2: are not in this build");
}
int
key_tpm2_each(const struct uri *u, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	(void)u;
	(void)fn;
	(void)ctx;
	return err_set(err, HF_ERR_UNSUPPORTED, "keys of the kind tpm2: are not in this build");
}
