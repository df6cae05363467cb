#include "hsm/hsm.h"

int
hsm_open(struct hsm **out, const struct hsm_settings *s, struct hf_error *err)
{
	const char *tpm = s->tpm ? " --tpm" : "";
	const char *x509 = s->cert || s->key ? " --cert/--key" : "";
	const char *device = s->symmetric_key ? " --symmetric-key" : "";
	const char *group = s->group_key ? " --group-key" : "";
	int given = !!*tpm + !!*x509 + !!*device + !!*group;

	*out = NULL;
	if (given == 0)
		return err_set(err, HF_ERR_ARGS,
		    "no identity is given: give --tpm, or --cert and --key, or --symmetric-key, or --group-key");
	if (given > 1)
		return err_set(err, HF_ERR_ARGS,
		    "a device has one identity, but %d are given:%s%s%s%s; keep one of them", given, tpm,
		    x509, device, group);
	if (s->tpm)
		return hsm_tpm2_open(out, s, err);
	if (*x509)
		return hsm_file_open(out, s->cert, s->key, err);
	return hsm_symkey_open(out, s->symmetric_key, s->group_key, s->registration_id, err);
}

void
hsm_close(struct hsm *h)
{
	if (h)
		h->ops->close(h);
}
