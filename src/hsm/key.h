/*
 * Private keys, wherever they live. A key is a URI, the same one everywhere (holdfast-hsm(7)):
 *
 *	file:PATH or PATH		a PEM file
 *	tpm2:handle=0x81..., tpm2:file=	a key in a TPM
 *	pkcs11:...			a key in a token (RFC 7512)
 *	provider:NAME:URI		a key of another OpenSSL provider
 *	engine:ID[:KEY]			a key of an OpenSSL engine
 *	hsm:[PATH.so]			the key of a custom HSM
 *
 * Inside, a key is an EVP_PKEY that signs, and nobody asks where it lives. A backend makes a *signer*: something that
 * signs a digest; remotekey.c turns it into an EVP_PKEY.
 */
#ifndef HSM_KEY_H
#define HSM_KEY_H
#include <openssl/evp.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "hsm/uri.h"

/* What is signed, and how: a digest of this hash, as ECDSA (RFC 3279: DER), RSASSA-PKCS1-v1_5 or RSASSA-PSS with MGF1 of the same
 * hash and a salt as long as the digest (RFC 8017; what TLS 1.3 wants). */
enum sign_alg { SIGN_ECDSA, SIGN_RSA_PKCS1, SIGN_RSA_PSS };
enum sign_hash { SIGN_SHA256, SIGN_SHA384, SIGN_SHA512, SIGN_HASHES };
#define SIGN_BIT(alg, hash) (1u << ((alg)*SIGN_HASHES + (hash)))
#define SIGN_ALL(alg)	    (7u << ((alg)*SIGN_HASHES))
#define SIGN_MAX	    1024 /* bytes of the longest signature */
const EVP_MD *sign_md(enum sign_hash);

/*
 * A backend's key: its own structure begins with this one. One call at a time, unless `shared` is set.
 */
struct signer;
struct signer_ops {
	/* *len is the room in `sig`, then the signature's length. HF_ERR_UNSUPPORTED: the key cannot do this, others it may. Of
	 * another failure the sentence names what the hardware said. */
	int (*sign)(struct signer *, enum sign_alg, enum sign_hash, const uint8_t *digest, size_t n,
	    uint8_t *sig, size_t *len, struct hf_error *);
	/* RSA: em^d mod n, for keys whose hardware salts PSS as it likes. NULL: cannot. `em` and `out` are as long as the modulus. */
	int (*raw)(struct signer *, const uint8_t *em, size_t n, uint8_t *out, struct hf_error *);
	void (*close)(struct signer *);
	/* It does its own locking, and after a fork() makes a connection of its own. Others' keys belong to the process that opened
	 * them: in a child they fail with a sentence, and are not closed. */
	int shared;
};
struct signer {
	const struct signer_ops *ops;
	EVP_PKEY *pub;	/* owned */
	unsigned can;	/* SIGN_BITs; of RSA-PSS as far as the hardware says so itself: it is tried out */
	char name[128]; /* for sentences: "TPM handle 0x81000201"; never with a secret */
};

/* remotekey.c: takes the signer, at failure too. An RSA key signs once here, to see how its hardware salts PSS. */
int remotekey_new(EVP_PKEY **, struct signer *, struct hf_error *);
/* What TLS may ask of this key: a list for SSL_CTX_set1_client_sigalgs_list() ("": OpenSSL's own), and the highest version (0: any).
 * Of a key that is no remote one: "" and 0. */
struct remotekey_limits {
	char sigalgs[256];
	int tls_max;
};
void remotekey_limits(const EVP_PKEY *, struct remotekey_limits *);
int remotekey_is(const EVP_PKEY *); /* does it live elsewhere? */
/* Something that signs, made of a key of another OpenSSL library context, provider or engine. Takes both references.
 * home: the context that `private` lives in; it has to outlive it (NULL: the application's).
 * shared: after fork() it may go on. */
int remotekey_wrap(EVP_PKEY **, EVP_PKEY *private, OSSL_LIB_CTX *home, EVP_PKEY *pub, const char *name,
    int shared, struct hf_error *);
/* Our library context: OpenSSL's default provider, and ours. The application's is never touched. NULL: out of memory. */
OSSL_LIB_CTX *remotekey_context(void);
/* Public keys from numbers, in the application's context. Big-endian; an EC point is uncompressed. NULL: they are none. */
EVP_PKEY *pubkey_rsa(const uint8_t *n, size_t nlen, const uint8_t *e, size_t elen);
EVP_PKEY *pubkey_ec(const char *group, const uint8_t *point, size_t len);
/* r and s, big-endian, as DER. 0, or -1 when they do not fit. */
int ecdsa_put(const uint8_t *r, size_t rlen, const uint8_t *s, size_t slen, uint8_t *sig, size_t *len);

/* key.c: opens whatever the URI names. May block for as long as the hardware takes. cert: a certificate whose public key is the
 * key's (an engine cannot always tell); NULL: not known. `inside`: the URI came out of a custom HSM, which may not name another. */
struct key_open {
	X509 *cert;
	int inside;
	const struct log *log; /* where warnings go; NULL: nowhere */
};
int key_open(EVP_PKEY **, const char *uri, const struct key_open *, struct hf_error *);
int key_is_local(const char *uri); /* a file: opening it does not wait for hardware */

/* The backends: a parsed URI, an EVP_PKEY. */
int key_file_open(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);
int key_tpm2_open(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);
int key_pkcs11_open(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);
int key_provider_open(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);
int key_engine_open(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);
int key_custom_open(EVP_PKEY **, const struct uri *, const struct key_open *, struct hf_error *);

/*
 * make.c: keys that are made in hardware, and looked at.
 */
struct key_kind {
	int rsa_bits; /* 0: EC */
	const char *group;
};
int key_kind_get(struct key_kind *, const char *name,
    struct hf_error *); /* "p256", "p384", "rsa2048", "rsa3072", "rsa4096" */
/* Makes a key where the URI says: tpm2:handle=..., tpm2:file=NEW.pem, pkcs11:token=..;object=... What is there already is not
 * replaced. `made` gets the URI that names the key. */
int key_make(const char *uri, const struct key_kind *, struct buf *made, struct hf_error *);
int key_tpm2_make(const struct uri *, const struct key_kind *, struct buf *made, struct hf_error *);
int key_pkcs11_make(const struct uri *, const struct key_kind *, struct buf *made, struct hf_error *);
int key_custom_make(const struct uri *, const struct key_kind *, struct buf *made, struct hf_error *);
/* Calls fn for each key that can sign in the TPM ("tpm2:", with tcti) or token ("pkcs11:..."): its URI and what it is ("EC P-256"). */
typedef int key_each_fn(void *ctx, const char *uri, const char *what);
int key_each(const char *where, key_each_fn *, void *ctx, struct hf_error *);
int key_tpm2_each(const struct uri *, key_each_fn *, void *ctx, struct hf_error *);
int key_pkcs11_each(const struct uri *, key_each_fn *, void *ctx, struct hf_error *);

/*
 * request.c: what is signed with a key to get a certificate. subject: "/CN=device-1/O=Example" or "CN=device-1". PEM, appended.
 */
int request_put(struct buf *, EVP_PKEY *, const char *subject, struct hf_error *);
int self_signed_put(struct buf *, EVP_PKEY *, const char *subject, int days, struct hf_error *);
/* "cannot sign <what>: <why>", when OpenSSL has just said no: in the hardware's own words, where it has some. HF_ERR_KEY; the queue is
 * empty then. */
int request_why(const char *what, struct hf_error *);
#endif
