/*
 * A custom HSM: your own code between Holdfast and the hardware that holds a device's identity.
 *
 * You write a library that has one to four *getters* (hsm_client_..._interface(), at the end). Each returns a table of
 * functions, or NULL; a getter that your hardware has no use for may be left out altogether. Names, types and the order in
 * the tables are those of azure-iot-sdk-c, so that a library written for that SDK works as it is.
 *
 * How it is found: linked into the program (CMake's -Dhsm_custom_lib=/ABS/lib.a, or holdfast_custom_hsm() of Holdfast's CMake
 * package), and then "hsm:" names it; or as a shared object at an absolute path, and then "hsm:/ABS/lib.so" does.
 * samples/custom_hsm has a library to begin with; holdfast-hsm(7) tells of the rest.
 *
 * Rules for all of it:
 *	- int: 0 is success, anything else is failure.
 *	- What a function hands out (char *, or unsigned char ** with its length) comes from malloc() and is ours from then on: we
 *	  wipe and free() it. Hand out a copy, never your own.
 *	- What a function is given (const) is yours to read until you return.
 *	- One call at a time for each library, not always from the same thread; a call may take as long as the hardware does.
 *	- create() makes one session and gives its handle, any pointer but NULL; all functions of that table get it, and
 *	  destroy() ends it. There may be several at a time.
 */
#ifndef HSM_CLIENT_DATA_H
#define HSM_CLIENT_DATA_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef void *HSM_CLIENT_HANDLE;

typedef HSM_CLIENT_HANDLE (*HSM_CLIENT_CREATE)(void); /* NULL: it did not work */
typedef void (*HSM_CLIENT_DESTROY)(HSM_CLIENT_HANDLE handle);

/*
 * TPM attestation.
 */
/* Takes the service's key, to sign with from now on: six TPM structures (docs/protocol.md, "The key blob") that only the TPM
 * with this EK and this SRK can unpack, as bytes, not base64. It is called for the challenge's key first and for the hub's
 * key next; later with the hub's key again, after a restart for instance. The last one counts. */
typedef int (*HSM_CLIENT_ACTIVATE_IDENTITY_KEY)(
    HSM_CLIENT_HANDLE handle, const unsigned char *key, size_t key_len);
/* The public keys, each as a whole TPM2B_PUBLIC. The EK is what the owner enrolls. */
typedef int (*HSM_CLIENT_GET_ENDORSEMENT_KEY)(HSM_CLIENT_HANDLE handle, unsigned char **key, size_t *key_len);
typedef int (*HSM_CLIENT_GET_STORAGE_ROOT_KEY)(
    HSM_CLIENT_HANDLE handle, unsigned char **key, size_t *key_len);
/* HMAC-SHA256 of data with the activated key: 32 bytes. */
typedef int (*HSM_CLIENT_SIGN_WITH_IDENTITY)(HSM_CLIENT_HANDLE handle, const unsigned char *data,
    size_t data_len, unsigned char **key, size_t *key_len);

/*
 * X.509 attestation.
 */
/* PEM: the device's certificate, then those between it and the root, if there are any. */
typedef char *(*HSM_CLIENT_GET_CERTIFICATE)(HSM_CLIENT_HANDLE handle);
/* What the certificate's private key is. One of:
 *	- the engine's own name for it, when the user named an engine beside the library ("hsm:...?engine=ID");
 *	- the key itself, PEM;
 *	- where it lives, as a key URI with a scheme: "engine:zymkey_ssl", "pkcs11:token=line7;object=id", "tpm2:handle=0x81000201"
 *	  (holdfast-hsm(7); "hsm:" may not be named from here). */
typedef char *(*HSM_CLIENT_GET_ALIAS_KEY)(HSM_CLIENT_HANDLE handle);
/* The registration id: by custom the certificate's common name. */
typedef char *(*HSM_CLIENT_GET_COMMON_NAME)(HSM_CLIENT_HANDLE handle);
/* PEM: the roots to trust. No table of ours has it; the name is here for code that uses it. */
typedef char *(*HSM_CLIENT_GET_TRUST_BUNDLE)(HSM_CLIENT_HANDLE handle);

/*
 * Symmetric keys.
 */
typedef char *(*HSM_CLIENT_GET_SYMMETRICAL_KEY)(HSM_CLIENT_HANDLE handle); /* base64 */
typedef char *(*HSM_CLIENT_GET_REGISTRATION_NAME)(HSM_CLIENT_HANDLE handle);
/* The application gives name and key itself; what the two above return from then on. */
typedef int (*HSM_CLIENT_SET_SYMMETRICAL_KEY_INFO)(
    HSM_CLIENT_HANDLE handle, const char *reg_name, const char *symm_key);

/*
 * The tables. Every function has to be there, but for hsm_client_set_symm_key_info.
 */
typedef struct HSM_CLIENT_TPM_INTERFACE_TAG {
	HSM_CLIENT_CREATE hsm_client_tpm_create;
	HSM_CLIENT_DESTROY hsm_client_tpm_destroy;
	HSM_CLIENT_ACTIVATE_IDENTITY_KEY hsm_client_activate_identity_key;
	HSM_CLIENT_GET_ENDORSEMENT_KEY hsm_client_get_ek;
	HSM_CLIENT_GET_STORAGE_ROOT_KEY hsm_client_get_srk;
	HSM_CLIENT_SIGN_WITH_IDENTITY hsm_client_sign_with_identity;
} HSM_CLIENT_TPM_INTERFACE;

typedef struct HSM_CLIENT_X509_INTERFACE_TAG {
	HSM_CLIENT_CREATE hsm_client_x509_create;
	HSM_CLIENT_DESTROY hsm_client_x509_destroy;
	HSM_CLIENT_GET_CERTIFICATE hsm_client_get_cert;
	HSM_CLIENT_GET_ALIAS_KEY hsm_client_get_key;
	HSM_CLIENT_GET_COMMON_NAME hsm_client_get_common_name;
} HSM_CLIENT_X509_INTERFACE;

typedef struct HSM_CLIENT_KEY_INTERFACE_TAG {
	HSM_CLIENT_CREATE hsm_client_key_create;
	HSM_CLIENT_DESTROY hsm_client_key_destroy;
	HSM_CLIENT_GET_SYMMETRICAL_KEY hsm_client_get_symm_key;
	HSM_CLIENT_GET_REGISTRATION_NAME hsm_client_get_registration_name;
	HSM_CLIENT_SET_SYMMETRICAL_KEY_INFO hsm_client_set_symm_key_info; /* NULL: cannot be told */
} HSM_CLIENT_KEY_INTERFACE;

/*
 * What a library has. At the start hsm_client_x509_init() and hsm_client_tpm_init() are called, whichever are there, whatever the
 * kind of identity; at the end their counterparts. They may be called again after that.
 */
int hsm_client_x509_init(void);
void hsm_client_x509_deinit(void);
int hsm_client_tpm_init(void);
void hsm_client_tpm_deinit(void);
const HSM_CLIENT_TPM_INTERFACE *hsm_client_tpm_interface(void);
const HSM_CLIENT_X509_INTERFACE *hsm_client_x509_interface(void);
const HSM_CLIENT_KEY_INTERFACE *hsm_client_key_interface(void);

/* These are not yours to write: an application of azure-iot-sdk-c's calls them to begin and to end. */
int initialize_hsm_system(void);
void deinitialize_hsm_system(void);

/*
 * X.509 for hardware that signs, and lets no key out: Holdfast's own second version of the table. A library may have both; then
 * this one is used, and the other is for the SDK.
 */
/* PEM SubjectPublicKeyInfo ("-----BEGIN PUBLIC KEY-----"); NULL: there is no key yet. */
typedef char *(*HSM_CLIENT_GET_PUBLIC_KEY)(HSM_CLIENT_HANDLE handle);
/* What sign() can do with this key, best first, with a blank between: names out of ecdsa-sha256, rsa-pkcs1-sha256, rsa-pss-sha256 and
 * the same with sha384 and sha512. Names that we do not know are passed over. */
typedef char *(*HSM_CLIENT_GET_ALGORITHMS)(HSM_CLIENT_HANDLE handle);
/* Signs a digest by one of those. ECDSA: DER, a SEQUENCE of r and s. RSA: as long as the modulus; PSS with MGF1 of the same hash and a
 * salt as long as the digest. */
typedef int (*HSM_CLIENT_SIGN_DIGEST)(HSM_CLIENT_HANDLE handle, const char *algorithm,
    const unsigned char *digest, size_t digest_len, unsigned char **signature, size_t *signature_len);
/* Makes the key: kind is p256, p384, p521, rsa2048, rsa3072 or rsa4096. A key that is there already must stay: that is a failure. */
typedef int (*HSM_CLIENT_MAKE_KEY)(HSM_CLIENT_HANDLE handle, const char *kind);

typedef struct HSM_CLIENT_X509_V2_INTERFACE_TAG {
	size_t size; /* sizeof(HSM_CLIENT_X509_V2_INTERFACE): how much of this table you know of */
	HSM_CLIENT_CREATE hsm_client_x509_create;
	HSM_CLIENT_DESTROY hsm_client_x509_destroy;
	HSM_CLIENT_GET_CERTIFICATE
	hsm_client_get_cert; /* may return NULL as long as there is none: a CSR needs none */
	HSM_CLIENT_GET_COMMON_NAME hsm_client_get_common_name; /* NULL, or returning it: the certificate's */
	HSM_CLIENT_GET_PUBLIC_KEY hsm_client_get_public_key;
	HSM_CLIENT_GET_ALGORITHMS hsm_client_get_algorithms;
	HSM_CLIENT_SIGN_DIGEST hsm_client_sign_digest;
	HSM_CLIENT_MAKE_KEY hsm_client_make_key; /* NULL: cannot */
} HSM_CLIENT_X509_V2_INTERFACE;

const HSM_CLIENT_X509_V2_INTERFACE *hsm_client_x509_v2_interface(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
