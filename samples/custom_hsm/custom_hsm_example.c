/*
 * A custom HSM to begin with. Put your device's values, and then your hardware's functions, in the place of those here.
 * hsm_client_data.h says what each function owes; what you do not need may go, with its table and its getter.
 */
#include <stdlib.h>
#include <string.h>
#include "hsm_client_data.h"
#include "soft_tpm.h"

/*
 * X.509: the registration id, the certificate (each line of it with its "\n"), and the key: a PEM text, or where the key lives, such as
 * "engine:zymkey_ssl", "pkcs11:token=line7;object=id" or "tpm2:handle=0x81000201".
 */
static const char *const COMMON_NAME = "<COMMON_NAME_ON_CERT>";
static const char *const CERTIFICATE = "-----BEGIN CERTIFICATE-----\n"
				       "<the certificate's lines>\n"
				       "-----END CERTIFICATE-----\n";
static const char *const PRIVATE_KEY = "<the key, or its URI>";

/*
 * TPM: two RSA keys of 2048 bits, PEM, for a TPM that is nothing but software. Good to try things out with; a real one keeps them inside.
 */
static const char *const ENDORSEMENT_KEY = "<openssl genrsa 2048>";
static const char *const STORAGE_ROOT_KEY = "<openssl genrsa 2048>";

/*
 * Symmetric key: the registration id, and the enrollment's primary key as base64.
 */
static const char *const REGISTRATION_NAME = "<REGISTRATION_ID>";
static const char *const SYMMETRIC_KEY = "<PRIMARY_KEY>";

/* One session. Real hardware has its connection here. */
struct custom_hsm {
	char *registration_name, *symmetric_key; /* as told by set_symmetric_key_info; NULL: the ones above */
};

/* What the TPM signs with. It is the chip's and not a session's: all sessions find it here. */
static struct soft_tpm_key identity;

int
hsm_client_x509_init(void)
{
	return 0;
}

void
hsm_client_x509_deinit(void)
{
}

int
hsm_client_tpm_init(void)
{
	return 0;
}

void
hsm_client_tpm_deinit(void)
{
	soft_tpm_forget(&identity);
}

static HSM_CLIENT_HANDLE
custom_hsm_create(void)
{
	return calloc(1, sizeof(struct custom_hsm));
}

static void
custom_hsm_destroy(HSM_CLIENT_HANDLE handle)
{
	struct custom_hsm *h = handle;

	free(h->registration_name);
	free(h->symmetric_key);
	free(h);
}

/*
 * X.509
 */
static char *
custom_hsm_get_certificate(HSM_CLIENT_HANDLE handle)
{
	(void)handle;
	return strdup(CERTIFICATE);
}

static char *
custom_hsm_get_alias_key(HSM_CLIENT_HANDLE handle)
{
	(void)handle;
	return strdup(PRIVATE_KEY);
}

static char *
custom_hsm_get_common_name(HSM_CLIENT_HANDLE handle)
{
	(void)handle;
	return strdup(COMMON_NAME);
}

/*
 * TPM
 */
static int
custom_hsm_get_endorsement_key(HSM_CLIENT_HANDLE handle, unsigned char **key, size_t *key_len)
{
	(void)handle;
	return soft_tpm_public(ENDORSEMENT_KEY, SOFT_TPM_EK, key, key_len);
}

static int
custom_hsm_get_storage_root_key(HSM_CLIENT_HANDLE handle, unsigned char **key, size_t *key_len)
{
	(void)handle;
	return soft_tpm_public(STORAGE_ROOT_KEY, SOFT_TPM_SRK, key, key_len);
}

static int
custom_hsm_import_key(HSM_CLIENT_HANDLE handle, const unsigned char *key, size_t key_len)
{
	(void)handle;
	return soft_tpm_import(ENDORSEMENT_KEY, STORAGE_ROOT_KEY, key, key_len, &identity);
}

static int
hsm_client_sign_with_identity(HSM_CLIENT_HANDLE handle, const unsigned char *data, size_t data_len,
    unsigned char **signed_value, size_t *signed_len)
{
	(void)handle;
	return soft_tpm_sign(&identity, data, data_len, signed_value, signed_len);
}

/*
 * Symmetric key
 */
static char *
hsm_client_get_symmetric_key(HSM_CLIENT_HANDLE handle)
{
	const struct custom_hsm *h = handle;

	return strdup(h->symmetric_key != NULL ? h->symmetric_key : SYMMETRIC_KEY);
}

static char *
hsm_client_get_registration_name(HSM_CLIENT_HANDLE handle)
{
	const struct custom_hsm *h = handle;

	return strdup(h->registration_name != NULL ? h->registration_name : REGISTRATION_NAME);
}

static int
hsm_client_set_symmetric_key_info(HSM_CLIENT_HANDLE handle, const char *reg_name, const char *symm_key)
{
	struct custom_hsm *h = handle;
	char *name, *key;

	if (reg_name == NULL || symm_key == NULL)
		return 1;
	name = strdup(reg_name);
	key = strdup(symm_key);
	if (name == NULL || key == NULL) {
		free(name);
		free(key);
		return 1;
	}
	free(h->registration_name);
	free(h->symmetric_key);
	h->registration_name = name;
	h->symmetric_key = key;
	return 0;
}

/*
 * The tables.
 */
static const HSM_CLIENT_X509_INTERFACE x509_interface = {
	custom_hsm_create,
	custom_hsm_destroy,
	custom_hsm_get_certificate,
	custom_hsm_get_alias_key,
	custom_hsm_get_common_name,
};

static const HSM_CLIENT_TPM_INTERFACE tpm_interface = {
	custom_hsm_create,
	custom_hsm_destroy,
	custom_hsm_import_key,
	custom_hsm_get_endorsement_key,
	custom_hsm_get_storage_root_key,
	hsm_client_sign_with_identity,
};

static const HSM_CLIENT_KEY_INTERFACE key_interface = {
	custom_hsm_create,
	custom_hsm_destroy,
	hsm_client_get_symmetric_key,
	hsm_client_get_registration_name,
	hsm_client_set_symmetric_key_info,
};

const HSM_CLIENT_X509_INTERFACE *
hsm_client_x509_interface(void)
{
	return &x509_interface;
}

const HSM_CLIENT_TPM_INTERFACE *
hsm_client_tpm_interface(void)
{
	return &tpm_interface;
}

const HSM_CLIENT_KEY_INTERFACE *
hsm_client_key_interface(void)
{
	return &key_interface;
}
