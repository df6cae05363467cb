#include <string.h>
#include "hsm/guard.h"
#include "hsm/key.h"

/* What a build leaves out is refused by name. */
#ifndef HF_HSM_TPM
#define key_tpm2_open NULL
#endif
#ifndef HF_HSM_PKCS11
#define key_pkcs11_open NULL
#endif

static const struct {
	const char *scheme;
	int (*open)(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);
} backends[] = {
	{ "file", key_file_open },
	{ "tpm2", key_tpm2_open },
	{ "pkcs11", key_pkcs11_open },
	{ "provider", key_provider_open },
	{ "engine", key_engine_open },
	{ "hsm", key_custom_open },
};

static int
open_parsed(EVP_PKEY **out, const struct uri *u, const struct key_open *o, struct hf_error *err)
{
	if (o->inside && strcmp(u->scheme, "hsm") == 0)
		return err_set(err, HF_ERR_ARGS,
		    "a custom HSM names another one as its key's place; that is not followed");
	for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
		if (strcmp(backends[i].scheme, u->scheme) != 0)
			continue;
		if (!backends[i].open)
			return err_set(err, HF_ERR_UNSUPPORTED,
			    "this build of Holdfast was made without %s keys", u->scheme);
		return backends[i].open(out, u, o, err);
	}
	return err_set(
	    err, HF_ERR_ARGS, "a key of the kind \"%s:\" does not sign for a certificate", u->scheme);
}

int
key_open(EVP_PKEY **out, const char *text, const struct key_open *o, struct hf_error *err)
{
	struct guard guard;
	struct uri u;
	int rc = uri_get(&u, text, err);

	*out = NULL;
	if (rc < 0)
		return rc;
	guard_begin(&guard);
	rc = open_parsed(out, &u, o, err);
	guard_end(&guard);
	uri_fini(&u);
	return rc;
}

int
key_is_local(const char *text)
{
	struct hf_error ignored = { 0 };
	struct uri u;
	int local;

	if (uri_get(&u, text, &ignored) < 0)
		return 1;
	local = strcmp(u.scheme, "file") == 0 && !uri_query(&u, "passphrase-source");
	uri_fini(&u);
	return local;
}
