#include <string.h>
#include "base/b64.h"
#include "base/str.h"
#include "hsm/hsm.h"

/* What a build leaves out (CMake: hsm_type_...) is refused by name. */
#if !defined(HF_HSM_TPM) || !defined(HF_HSM_X509) || !defined(HF_HSM_SYMKEY)
static int
left_out(const char *what, struct hf_error *err)
{
	return err_set(err, HF_ERR_UNSUPPORTED, "this build of Holdfast was made without %s", what);
}
#endif

#ifndef HF_HSM_TPM
#define hsm_tpm2_open(out, s, err) ((void)(out), left_out("TPM (hsm_type_sastoken=OFF)", err))
#endif
#ifndef HF_HSM_X509
#define hsm_x509_open(out, cert, key, log, err) ((void)(out), left_out("X.509 (hsm_type_x509=OFF)", err))
#endif
#ifndef HF_HSM_SYMKEY
#define hsm_symkey_open(out, key, group, id, err)                                                            \
	((void)(out), left_out("symmetric keys (hsm_type_symm_key=OFF)", err))
#endif

#define SYMKEY "symkey:" /* a key without a certificate: a symmetric one */

static int
pick(struct hsm **out, const struct hsm_settings *s, struct hf_error *err)
{
	int symkey = s->key && !s->cert && strncmp(s->key, SYMKEY, strlen(SYMKEY)) == 0;
	const char *tpm = s->tpm ? " --tpm" : "";
	const char *x509 = s->cert || s->key ? " --cert/--key" : "";
	const char *device = s->symmetric_key ? " --symmetric-key" : "";
	const char *group = s->group_key ? " --group-key" : "";
	const char *custom = s->hsm ? " --hsm" : "";
	int given = !!*tpm + !!*x509 + !!*device + !!*group + !!*custom;

	if (given == 0)
		return err_set(err, HF_ERR_ARGS,
		    "no identity is given: give --tpm, or --cert and --key, or --hsm, or --symmetric-key, or --group-key");
	if (given > 1)
		return err_set(err, HF_ERR_ARGS,
		    "a device has one identity, but %d are given:%s%s%s%s%s; keep one of them", given, tpm,
		    x509, custom, device, group);
	if (s->tpm)
		return hsm_tpm2_open(out, s, err);
	if (symkey)
		return hsm_symkey_open(out, s->key + strlen(SYMKEY), NULL, s->registration_id, err);
	if (*x509)
		return hsm_x509_open(out, s->cert, s->key, s->log, err);
	if (*custom)
		return hsm_custom_open(out, s, err);
	return hsm_symkey_open(out, s->symmetric_key, s->group_key, s->registration_id, err);
}

int
hsm_open(struct hsm **out, const struct hsm_settings *s, struct hf_error *err)
{
	int rc;

	*out = NULL;
	rc = pick(out, s, err);
	if (rc == 0)
		hsm_hold(*out);
	return rc;
}

struct hsm *
hsm_hold(struct hsm *h)
{
	atomic_fetch_add(&h->holders, 1);
	return h;
}

void
hsm_close(struct hsm *h)
{
	if (h && atomic_fetch_sub(&h->holders, 1) <= 1)
		h->ops->close(h);
}

int
hsm_fingerprint(struct hsm *h, char hex[65], struct hf_error *err)
{
	static const uint8_t unknown[sizeof h->fingerprint];

	if (memcmp(h->fingerprint, unknown, sizeof unknown) == 0)
		return err_set(err, HF_ERR_STATE, "the TPM has not been asked yet who it is");
	str_hex(hex, h->fingerprint, sizeof h->fingerprint);
	return 0;
}

int
hsm_name_tpm(struct hsm *h, const uint8_t *ek, size_t n, struct hf_error *err)
{
	size_t head = n > 2 && (size_t)(ek[0] << 8 | ek[1]) == n - 2 ? 2 : 0;
	struct buf id = { 0 };
	uint8_t hash[32];
	int rc;

	if (!EVP_Digest(ek, n, hash, NULL, EVP_sha256(), NULL) ||
	    !EVP_Digest(ek + head, n - head, h->fingerprint, NULL, EVP_sha256(), NULL))
		return err_ssl(err, HF_ERR_OTHER, "cannot hash the endorsement key");
	rc = b32_put(&id, hash, sizeof hash);
	if (rc == 0)
		rc = str_copy(h->registration_id, sizeof h->registration_id, buf_data(&id), buf_size(&id));
	buf_free(&id);
	return rc < 0 ? err_memory(err) : 0;
}
