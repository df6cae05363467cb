#include <string.h>
#include "hsm/key.h"

#if !defined(HF_HSM_TPM) || !defined(HF_HSM_PKCS11)
static int
left_out(const char *what, struct hf_error *err)
{
	return err_set(err, HF_ERR_UNSUPPORTED, "this build of Holdfast was made without %s", what);
}
#endif

#ifndef HF_HSM_TPM
#define TPM_LEFT_OUT		       "TPM (hsm_type_sastoken=OFF)"
#define key_tpm2_make(u, k, made, err) left_out(TPM_LEFT_OUT, err)
#define key_tpm2_each(u, fn, ctx, err) ((void)(fn), (void)(ctx), left_out(TPM_LEFT_OUT, err))
#endif
#ifndef HF_HSM_PKCS11
#define PKCS11_LEFT_OUT			 "PKCS#11 (HF_PKCS11=OFF)"
#define key_pkcs11_make(u, k, made, err) left_out(PKCS11_LEFT_OUT, err)
#define key_pkcs11_each(u, fn, ctx, err) ((void)(fn), (void)(ctx), left_out(PKCS11_LEFT_OUT, err))
#endif

static const struct {
	const char *name;
	struct key_kind kind;
} kinds[] = {
	{ "p256", { 0, "P-256" } },
	{ "p384", { 0, "P-384" } },
	{ "p521", { 0, "P-521" } },
	{ "rsa2048", { 2048, NULL } },
	{ "rsa3072", { 3072, NULL } },
	{ "rsa4096", { 4096, NULL } },
};

int
key_kind_get(struct key_kind *kind, const char *name, struct hf_error *err)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0) {
			*kind = kinds[i].kind;
			return 0;
		}
	return err_set(err, HF_ERR_ARGS,
	    "keys of type \"%.40s\" are not made; there are p256 (which suits every hardware), p384, p521, rsa2048, rsa3072 and rsa4096",
	    name);
}

/* Where keys are not ours to make: who makes them. */
static int
made_elsewhere(const struct uri *u, struct hf_error *err)
{
	if (strcmp(u->scheme, "file") == 0)
		return err_set(err, HF_ERR_UNSUPPORTED,
		    "key in a file: openssl makes it: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %.200s",
		    u->path);
	if (strcmp(u->scheme, "symkey") == 0)
		return err_set(err, HF_ERR_UNSUPPORTED,
		    "symmetric key: DPS makes it at enrollment, or openssl: openssl rand -base64 32");
	return err_set(err, HF_ERR_UNSUPPORTED,
	    "%s: keys of another %s are made by its own tools; here they are made in tpm2:, pkcs11: and hsm:",
	    u->scheme, u->scheme);
}

int
key_make(const char *uri, const struct key_kind *kind, struct buf *made, struct hf_error *err)
{
	struct uri u;
	int rc;

	if (uri_get(&u, uri, err) < 0)
		return err->code;
	if (strcmp(u.scheme, "tpm2") == 0)
		rc = key_tpm2_make(&u, kind, made, err);
	else if (strcmp(u.scheme, "pkcs11") == 0)
		rc = key_pkcs11_make(&u, kind, made, err);
	else if (strcmp(u.scheme, "hsm") == 0)
		rc = key_custom_make(&u, kind, made, err);
	else
		rc = made_elsewhere(&u, err);
	uri_fini(&u);
	return rc;
}

int
key_each(const char *where, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	struct uri u;
	int rc;

	if (uri_get(&u, where, err) < 0)
		return err->code;
	if (strcmp(u.scheme, "tpm2") == 0)
		rc = key_tpm2_each(&u, fn, ctx, err);
	else if (strcmp(u.scheme, "pkcs11") == 0)
		rc = key_pkcs11_each(&u, fn, ctx, err);
	else
		rc = err_set(err, HF_ERR_UNSUPPORTED,
		    "%s: only what is in a TPM (tpm2:) or in a token (pkcs11:) can be listed", u.scheme);
	uri_fini(&u);
	return rc;
}
