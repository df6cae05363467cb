/* A key that lives elsewhere, as an EVP_PKEY: an OpenSSL provider in this process, in a library context of its own, whose keys
 * hold a signer and a public key. Nothing of it is ever loaded into the application's context. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include "base/str.h"
#include "hsm/guard.h"
#include "hsm/key.h"
#include "hsm/pss.h"

#define NAME	     "holdfast"
#define OURS	     "provider=" NAME
#define PARAM_SIGNER "holdfast-signer"	/* a pointer, by which a signer comes in */
#define PARAM_LIMIT  "holdfast-sigalgs" /* what of TLS the key can do, */
#define PARAM_MAX    "holdfast-tls-max" /* and up to which version */

struct remote {
	atomic_int refs;
	struct signer *signer;
	pthread_mutex_t lock; /* one call at a time, unless the signer is shared */
	pid_t owner;
	unsigned can;
	int raw_pss; /* the hardware's own salt is of another length: we pad */
};
/* One signature being made. */
struct making {
	struct remote *key;
	EVP_MD_CTX *md;
	EVP_MD *hash;
	int padding, salt;
};

static OSSL_LIB_CTX *context;
static EVP_MD *fetched[SIGN_HASHES]; /* of that context: to fetch one for each signature takes its time */

static const struct {
	enum sign_hash hash;
	const char *name, *tls;
} hashes[SIGN_HASHES] = {
	{ SIGN_SHA256, "SHA256", "SHA256" },
	{ SIGN_SHA384, "SHA384", "SHA384" },
	{ SIGN_SHA512, "SHA512", "SHA512" },
};

const EVP_MD *
sign_md(enum sign_hash h)
{
	return h == SIGN_SHA256 ? EVP_sha256() : h == SIGN_SHA384 ? EVP_sha384() : EVP_sha512();
}

static int
is_ec(const struct remote *r)
{
	return EVP_PKEY_get_base_id(r->signer->pub) == EVP_PKEY_EC;
}

/* signing */

static int
foreign_process(const struct remote *r)
{
	return !r->signer->ops->shared && r->owner != getpid();
}

/* The hardware's answer, or ours with a salt of the right length. */
static int
call(struct remote *r, enum sign_alg alg, enum sign_hash h, const uint8_t *digest, size_t n, uint8_t *sig,
    size_t *len, struct hf_error *err)
{
	uint8_t padded[SIGN_MAX];
	size_t size = (size_t)EVP_PKEY_get_size(r->signer->pub);

	if (alg != SIGN_RSA_PSS || !r->raw_pss)
		return r->signer->ops->sign(r->signer, alg, h, digest, n, sig, len, err);
	if (size > sizeof padded || size > *len)
		return err_set(err, HF_ERR_UNSUPPORTED, "%s: an RSA key of %zu bytes is too long",
		    r->signer->name, size);
	if (pss_put(padded, (size_t)EVP_PKEY_get_bits(r->signer->pub), sign_md(h), digest, n) < 0)
		return err_ssl(err, HF_ERR_KEY, "%s: cannot pad for RSA-PSS", r->signer->name);
	*len = size;
	return r->signer->ops->raw(r->signer, padded, size, sig, err);
}

static int
sign(struct remote *r, enum sign_alg alg, enum sign_hash h, const uint8_t *digest, size_t n, uint8_t *sig,
    size_t *len, struct hf_error *err)
{
	struct guard guard;
	int rc;

	if (foreign_process(r))
		return err_set(err, HF_ERR_KEY,
		    "%s: the key was opened before fork(), by process %ld; it goes on there, and this process has to open it anew",
		    r->signer->name, (long)r->owner);
	if (!(r->can & SIGN_BIT(alg, h)))
		return err_set(err, HF_ERR_UNSUPPORTED, "%s: the key cannot make %s signatures with %s",
		    r->signer->name,
		    alg == SIGN_ECDSA	  ? "ECDSA"
		    : alg == SIGN_RSA_PSS ? "RSA-PSS"
					  : "RSA PKCS#1",
		    hashes[h].name);
	if (!r->signer->ops->shared)
		pthread_mutex_lock(&r->lock);
	guard_begin(&guard);
	rc = call(r, alg, h, digest, n, sig, len, err);
	guard_end(&guard);
	if (!r->signer->ops->shared)
		pthread_mutex_unlock(&r->lock);
	if (rc < 0 && err->code == 0)
		err_set(err, HF_ERR_KEY, "%s: the key did not sign, and did not say why", r->signer->name);
	return rc;
}

static void
release(void *p)
{
	struct remote *r = p;
	struct guard guard;

	if (!r || atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	guard_begin(&guard);
	if (r->signer && !foreign_process(r))
		r->signer->ops->close(r->signer);
	guard_end(&guard);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *
hold(struct remote *r)
{
	atomic_fetch_add(&r->refs, 1);
	return r;
}

/* keys */

static void *
key_new(void *provider)
{
	struct remote *r = calloc(1, sizeof *r);

	(void)provider;
	if (r && pthread_mutex_init(&r->lock, NULL) != 0) {
		free(r);
		return NULL;
	}
	if (r)
		r->refs = 1;
	return r;
}

static int
key_has(const void *key, int selection)
{
	(void)selection;
	return ((const struct remote *)key)->signer != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	(void)selection;
	return EVP_PKEY_eq(
		   ((const struct remote *)a)->signer->pub, ((const struct remote *)b)->signer->pub) == 1;
}

/* A plain public key is nothing for us: only what remotekey_new() hands over comes in. */
static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_SIGNER);
	struct remote *r = key, *from;

	(void)selection;
	if (!p || p->data_type != OSSL_PARAM_OCTET_STRING || p->data_size != sizeof from)
		return 0;
	memcpy(&from, p->data, sizeof from);
	r->signer = from->signer;
	r->owner = from->owner;
	r->can = from->can;
	r->raw_pss = from->raw_pss;
	from->signer = NULL; /* it is this key's now, whatever OpenSSL goes on to do with it */
	return 1;
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_octet_string(PARAM_SIGNER, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return types;
}

/* Whenever a private half is asked for, no: else OpenSSL would keep the public half and sign with the default provider. */
static int
key_export(void *key, int selection, OSSL_CALLBACK *fn, void *arg)
{
	OSSL_PARAM *params = NULL;
	int ok;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return 0;
	if (EVP_PKEY_todata(((struct remote *)key)->signer->pub, EVP_PKEY_PUBLIC_KEY, &params) != 1 ||
	    params == NULL) /* it says yes, and has run out of memory */
		return 0;
	ok = fn(params, arg);
	OSSL_PARAM_free(params);
	return ok;
}

static const OSSL_PARAM *
export_types_ec(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END };

	return selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? NULL : types;
}

static const OSSL_PARAM *
export_types_rsa(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END };

	return selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? NULL : types;
}

/* The hash that goes with a curve in TLS 1.3. */
static enum sign_hash
own_hash(const struct remote *r)
{
	int bits = EVP_PKEY_get_bits(r->signer->pub);

	if (!is_ec(r))
		return SIGN_SHA256;
	return bits <= 256 ? SIGN_SHA256 : bits <= 384 ? SIGN_SHA384 : SIGN_SHA512;
}

static int
can_with(const struct remote *r, enum sign_hash h)
{
	return (r->can &
		   (SIGN_BIT(SIGN_ECDSA, h) | SIGN_BIT(SIGN_RSA_PKCS1, h) | SIGN_BIT(SIGN_RSA_PSS, h))) != 0;
}

static const char *
usual_hash(const struct remote *r)
{
	if (can_with(r, own_hash(r)))
		return hashes[own_hash(r)].name;
	for (int h = 0; h < SIGN_HASHES; h++)
		if (can_with(r, (enum sign_hash)h))
			return hashes[h].name;
	return "SHA256";
}

/* In the order in which TLS is to prefer them. */
static void
sigalgs(const struct remote *r, char *dst, size_t cap)
{
	static const struct {
		enum sign_alg alg;
		const char *format;
	} row[] = { { SIGN_ECDSA, "%s%sECDSA+%s" }, { SIGN_RSA_PSS, "%s%sRSA-PSS+%s" },
		{ SIGN_RSA_PKCS1, "%s%sRSA+%s" } };
	char so_far[256] = "";

	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		for (int h = 0; h < SIGN_HASHES; h++) {
			if (!(r->can & SIGN_BIT(row[i].alg, h)))
				continue;
			(void)str_fmt(dst, cap, row[i].format, so_far, *so_far ? ":" : "", hashes[h].tls);
			(void)str_fmt(so_far, sizeof so_far, "%s", dst);
		}
}

/* TLS 1.3 takes no PKCS#1, and of ECDSA only the curve's own hash (RFC 8446, 4.2.3). */
static int
tls_max(const struct remote *r)
{
	unsigned needed = is_ec(r) ? SIGN_BIT(SIGN_ECDSA, own_hash(r)) : SIGN_ALL(SIGN_RSA_PSS);

	return r->can & needed ? 0 : TLS1_2_VERSION;
}

static int
key_get_params(void *key, OSSL_PARAM params[])
{
	struct remote *r = key;
	char list[256] = "";
	OSSL_PARAM *p;

	if ((p = OSSL_PARAM_locate(params, PARAM_LIMIT))) {
		sigalgs(r, list, sizeof list);
		if (!OSSL_PARAM_set_utf8_string(p, list))
			return 0;
	}
	if ((p = OSSL_PARAM_locate(params, PARAM_MAX)) && !OSSL_PARAM_set_int(p, tls_max(r)))
		return 0;
	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST)) &&
	    !OSSL_PARAM_set_utf8_string(p, usual_hash(r)))
		return 0;
	return EVP_PKEY_get_params(r->signer->pub, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM table[] = { OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(PARAM_LIMIT, NULL, 0), OSSL_PARAM_int(PARAM_MAX, NULL),
		OSSL_PARAM_END };

	(void)provider;
	return table;
}

static const char *
signs_as_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const char *
signs_as_rsa(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

#define ENTRY(id, fn)                                                                                        \
	{                                                                                                    \
		id, (void (*)(void))(fn)                                                                     \
	}
#define KEYS(kind)                                                                                           \
	{                                                                                                    \
		ENTRY(OSSL_FUNC_KEYMGMT_NEW, key_new), ENTRY(OSSL_FUNC_KEYMGMT_FREE, release),               \
		    ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has), ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match),        \
		    ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                             \
		    ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),                                 \
		    ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                             \
		    ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, export_types_##kind),                              \
		    ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                     \
		    ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),                                  \
		    ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, signs_as_##kind),                          \
		{                                                                                            \
			0, NULL                                                                              \
		}                                                                                            \
	}
static const OSSL_DISPATCH ec_keys[] = KEYS(ec), rsa_keys[] = KEYS(rsa);

/* signatures */

static void *
making_new(void *provider, const char *properties)
{
	struct making *m = calloc(1, sizeof *m);

	(void)provider;
	(void)properties;
	if (m) {
		m->padding = RSA_PKCS1_PADDING;
		m->salt = RSA_PSS_SALTLEN_DIGEST;
	}
	return m;
}

static void
making_free(void *p)
{
	struct making *m = p;

	if (!m)
		return;
	EVP_MD_CTX_free(m->md);
	EVP_MD_free(m->hash);
	release(m->key);
	free(m);
}

static void *
making_dup(void *p)
{
	struct making *m = p, *d = making_new(NULL, NULL);

	if (!d)
		return NULL;
	d->padding = m->padding;
	d->salt = m->salt;
	d->key = m->key ? hold(m->key) : NULL;
	d->hash = m->hash && EVP_MD_up_ref(m->hash) ? m->hash : NULL;
	d->md = m->md ? EVP_MD_CTX_new() : NULL;
	if (!m->md || (d->md && EVP_MD_CTX_copy_ex(d->md, m->md)))
		return d;
	making_free(d);
	return NULL;
}

static int
set_hash(struct making *m, const char *name)
{
	EVP_MD_free(m->hash);
	m->hash = NULL;
	for (int h = 0; h < SIGN_HASHES && !m->hash; h++)
		if (EVP_MD_is_a(fetched[h], name) && EVP_MD_up_ref(fetched[h]))
			m->hash = fetched[h];
	if (!m->hash)
		m->hash = EVP_MD_fetch(context, name, NULL);
	return m->hash != NULL;
}

static int
set_padding(struct making *m, const OSSL_PARAM *p)
{
	if (p->data_type == OSSL_PARAM_INTEGER)
		return OSSL_PARAM_get_int(p, &m->padding) &&
		       (m->padding == RSA_PKCS1_PADDING || m->padding == RSA_PKCS1_PSS_PADDING);
	if (p->data_type != OSSL_PARAM_UTF8_STRING)
		return 0;
	m->padding =
	    strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
	return m->padding == RSA_PKCS1_PSS_PADDING || strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0;
}

/* Only a salt as long as the digest is made: what TLS wants. */
static int
set_salt(struct making *m, const OSSL_PARAM *p)
{
	if (p->data_type != OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_int(p, &m->salt);
	m->salt = RSA_PSS_SALTLEN_DIGEST;
	return strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
}

/* MGF1's hash is the digest's: another one is refused. */
static int
fits_hash(const struct making *m, const OSSL_PARAM *p)
{
	return p->data_type == OSSL_PARAM_UTF8_STRING && m->hash && EVP_MD_is_a(m->hash, p->data);
}

static int
making_set(void *making, const OSSL_PARAM params[])
{
	struct making *m = making;
	const OSSL_PARAM *p;
	char name[64], *at = name;

	if (!params)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
	if (p && (!OSSL_PARAM_get_utf8_string(p, &at, sizeof name) || !set_hash(m, name)))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p && !set_padding(m, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p && !set_salt(m, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
	return !p || fits_hash(m, p);
}

static const OSSL_PARAM *
making_settable(void *making, void *provider)
{
	static const OSSL_PARAM table[] = { OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END };

	(void)making;
	(void)provider;
	return table;
}

/* What a certificate or a request says of its signature (RFC 4055, RFC 5758). */
static X509_ALGOR *
algorithm(const struct making *m)
{
	X509_ALGOR *a = X509_ALGOR_new();
	int id, key = is_ec(m->key) ? NID_X9_62_id_ecPublicKey : NID_rsaEncryption;

	if (a && m->hash && OBJ_find_sigid_by_algs(&id, EVP_MD_get_type(m->hash), key) &&
	    X509_ALGOR_set0(a, OBJ_nid2obj(id), is_ec(m->key) ? V_ASN1_UNDEF : V_ASN1_NULL, NULL))
		return a;
	X509_ALGOR_free(a);
	return NULL;
}

static int
put_algorithm(const struct making *m, OSSL_PARAM *p)
{
	X509_ALGOR *a = NULL;
	uint8_t *der = NULL;
	int n, ok;

	if (m->padding == RSA_PKCS1_PSS_PADDING)
		n = pss_algorithm(m->hash, &der);
	else {
		a = algorithm(m);
		n = a ? i2d_X509_ALGOR(a, &der) : -1;
	}
	ok = n > 0 && OSSL_PARAM_set_octet_string(p, der, (size_t)n);
	OPENSSL_free(der);
	X509_ALGOR_free(a);
	return ok;
}

static int
making_get(void *making, OSSL_PARAM params[])
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);

	return !p || put_algorithm(making, p);
}

static const OSSL_PARAM *
making_gettable(void *making, void *provider)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0), OSSL_PARAM_END
	};

	(void)making;
	(void)provider;
	return table;
}

static int
begin(void *making, void *key, const OSSL_PARAM params[])
{
	struct making *m = making;

	if (key) {
		hold(key);
		release(m->key);
		m->key = key;
	}
	return m->key && making_set(m, params);
}

static int
begin_digest(void *making, const char *hash, void *key, const OSSL_PARAM params[])
{
	struct making *m = making;

	if (!begin(m, key, NULL) || !set_hash(m, hash && *hash ? hash : usual_hash(m->key)))
		return 0;
	EVP_MD_CTX_free(m->md);
	m->md = EVP_MD_CTX_new();
	return m->md && EVP_DigestInit_ex2(m->md, m->hash, NULL) && making_set(m, params);
}

static int
update(void *making, const unsigned char *data, size_t n)
{
	return EVP_DigestUpdate(((struct making *)making)->md, data, n);
}

/* Words on OpenSSL's queue: whoever reads it first shows them as they are. */
static int
refuse(const struct hf_error *why)
{
	ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "%s", why->text);
	return 0;
}

static int
which_hash(const EVP_MD *md, enum sign_hash *h)
{
	for (int i = 0; md && i < SIGN_HASHES; i++)
		if (EVP_MD_is_a(md, hashes[i].name)) {
			*h = (enum sign_hash)i;
			return 1;
		}
	return 0;
}

static int
is_salt_as_long(const struct making *m, size_t n)
{
	return m->salt == RSA_PSS_SALTLEN_DIGEST || m->salt == RSA_PSS_SALTLEN_AUTO || m->salt == (int)n;
}

static int
sign_digest(void *making, unsigned char *sig, size_t *len, size_t cap, const unsigned char *digest, size_t n)
{
	struct making *m = making;
	struct hf_error err = { 0 };
	size_t need = (size_t)EVP_PKEY_get_size(m->key->signer->pub);
	enum sign_alg alg = is_ec(m->key)			  ? SIGN_ECDSA
			    : m->padding == RSA_PKCS1_PSS_PADDING ? SIGN_RSA_PSS
								  : SIGN_RSA_PKCS1;
	enum sign_hash h;

	if (!sig) {
		*len = need;
		return 1;
	}
	if (!which_hash(m->hash, &h) || n != (size_t)EVP_MD_get_size(m->hash) || cap < need ||
	    (alg == SIGN_RSA_PSS && !is_salt_as_long(m, n))) {
		err_set(&err, HF_ERR_UNSUPPORTED,
		    "%s: such a signature is not made: a SHA-2 digest, and for RSA-PSS a salt as long, are needed",
		    m->key->signer->name);
		return refuse(&err);
	}
	*len = cap;
	return sign(m->key, alg, h, digest, n, sig, len, &err) == 0 ? 1 : refuse(&err);
}

static int
finish(void *making, unsigned char *sig, size_t *len, size_t cap)
{
	struct making *m = making;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!sig)
		return sign_digest(m, NULL, len, 0, NULL, 0);
	return EVP_DigestFinal_ex(m->md, digest, &n) && sign_digest(m, sig, len, cap, digest, n);
}

static const OSSL_DISPATCH signatures[] = { ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, making_new),
	ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, making_free), ENTRY(OSSL_FUNC_SIGNATURE_DUPCTX, making_dup),
	ENTRY(OSSL_FUNC_SIGNATURE_SIGN_INIT, begin), ENTRY(OSSL_FUNC_SIGNATURE_SIGN, sign_digest),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, begin_digest),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, update),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, finish),
	ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, making_set),
	ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, making_settable),
	ENTRY(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, making_get),
	ENTRY(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, making_gettable), { 0, NULL } };

/* the provider and its context */

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = { { "EC:id-ecPublicKey:1.2.840.10045.2.1", OURS, ec_keys, NULL },
		{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", OURS, rsa_keys, NULL },
		{ NULL, NULL, NULL, NULL } };
	static const OSSL_ALGORITHM signs[] = { { "ECDSA", OURS, signatures, NULL },
		{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", OURS, signatures, NULL },
		{ NULL, NULL, NULL, NULL } };

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signs : NULL;
}

static int
provider_init(
    const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH dispatch[] = { ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		{ 0, NULL } };

	(void)in;
	*provider = (void *)(uintptr_t)handle;
	*out = dispatch;
	return 1;
}

static int
fetch_hashes(OSSL_LIB_CTX *from)
{
	int ok = 1;

	for (int h = 0; h < SIGN_HASHES && ok; h++) {
		fetched[h] = EVP_MD_fetch(from, hashes[h].name, NULL);
		ok = fetched[h] != NULL;
	}
	for (int h = 0; h < SIGN_HASHES && !ok; h++) {
		EVP_MD_free(fetched[h]);
		fetched[h] = NULL;
	}
	return ok;
}

/* The default provider comes first: the other way round OpenSSL would not load it by itself any more. Keys may outlive every
 * device, so the context stays. */
OSSL_LIB_CTX *
remotekey_context(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	OSSL_PROVIDER *base, *own = NULL;
	OSSL_LIB_CTX *made;

	pthread_mutex_lock(&lock);
	made = context ? NULL : OSSL_LIB_CTX_new();
	base = made ? OSSL_PROVIDER_load(made, "default") : NULL;
	if (base && OSSL_PROVIDER_add_builtin(made, NAME, provider_init))
		own = OSSL_PROVIDER_load(made, NAME);
	if (own && fetch_hashes(made)) {
		context = made;
		made = NULL;
	}
	if (made && own) /* a context does not do it at its end */
		OSSL_PROVIDER_unload(own);
	if (made && base)
		OSSL_PROVIDER_unload(base);
	OSSL_LIB_CTX_free(made);
	made = context;
	pthread_mutex_unlock(&lock);
	return made;
}

/* making one */

/* What becomes of a test signature: 1 its salt is as long as the digest, 0 it is not, negative: error. */
static int
try_pss(struct remote *r, enum sign_hash h, struct hf_error *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE] = { 0 }, sig[SIGN_MAX];
	size_t n = (size_t)EVP_MD_get_size(sign_md(h)), len = sizeof sig;
	EVP_PKEY_CTX *ctx;
	int rc = sign(r, SIGN_RSA_PSS, h, digest, n, sig, &len, err), good;

	if (rc < 0)
		return rc;
	ERR_set_mark();
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, r->signer->pub, NULL);
	good = ctx && EVP_PKEY_verify_init(ctx) == 1 &&
	       EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(ctx, sign_md(h)) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
	       EVP_PKEY_verify(ctx, sig, len, digest, n) == 1;
	ERR_pop_to_mark();
	EVP_PKEY_CTX_free(ctx);
	return good;
}

/* RSA: TLS wants a PSS salt as long as the digest; some chips take the longest one that fits. */
static int
look_at_salt(struct remote *r, struct hf_error *err)
{
	struct hf_error why = { 0 };
	int h = 0, good;

	if (!(r->can & SIGN_ALL(SIGN_RSA_PSS)))
		return 0;
	while (!(r->can & SIGN_BIT(SIGN_RSA_PSS, h)))
		h++;
	good = try_pss(r, (enum sign_hash)h, &why);
	if (good == 1)
		return 0;
	if (good < 0 && why.code != HF_ERR_UNSUPPORTED)
		return err_set(err, why.code, "%s", why.text);
	r->raw_pss = r->signer->ops->raw != NULL;
	if (r->raw_pss && try_pss(r, (enum sign_hash)h, &why) == 1)
		return 0;
	r->raw_pss = 0;
	r->can &= ~SIGN_ALL(SIGN_RSA_PSS);
	if (r->can)
		return 0;
	return err_set(err, HF_ERR_UNSUPPORTED,
	    "%s: the key can sign by RSA-PSS alone, and with a salt that TLS refuses (its length is not the digest's); use an EC P-256 key",
	    r->signer->name);
}

static int
make(EVP_PKEY **out, struct remote *from)
{
	const char *type = is_ec(from) ? "EC" : "RSA";
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(context, type, OURS);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(PARAM_SIGNER, &from, sizeof from),
		OSSL_PARAM_END };
	int ok = ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
		 EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEYPAIR, params) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

int
remotekey_new(EVP_PKEY **out, struct signer *s, struct hf_error *err)
{
	struct remote *r = NULL;
	char name[sizeof s->name];
	int kind = EVP_PKEY_get_base_id(s->pub), rc;

	*out = NULL;
	if (!remotekey_context() || !(r = key_new(NULL))) {
		s->ops->close(s);
		return err_memory(err);
	}
	r->signer = s;
	r->owner = getpid();
	r->can = s->can & (kind == EVP_PKEY_EC ? SIGN_ALL(SIGN_ECDSA)
					       : SIGN_ALL(SIGN_RSA_PKCS1) | SIGN_ALL(SIGN_RSA_PSS));
	if ((kind != EVP_PKEY_EC && kind != EVP_PKEY_RSA) || !r->can)
		rc = err_set(err, HF_ERR_UNSUPPORTED,
		    "%s: TLS needs a key that signs with SHA-256, SHA-384 or SHA-512, by ECDSA or RSA; this one cannot",
		    s->name);
	else
		rc = look_at_salt(r, err);
	(void)str_fmt(name, sizeof name, "%s", s->name);
	if (rc == 0 && !make(out, r))
		rc = err_ssl(err, HF_ERR_KEY, "%s: OpenSSL does not take the key", name);
	release(r);
	return rc;
}

int
remotekey_is(const EVP_PKEY *key)
{
	const OSSL_PROVIDER *p = key ? EVP_PKEY_get0_provider(key) : NULL;

	return p && strcmp(OSSL_PROVIDER_get0_name(p), NAME) == 0;
}

void
remotekey_limits(const EVP_PKEY *key, struct remotekey_limits *limits)
{
	*limits = (struct remotekey_limits){ 0 };
	if (!remotekey_is(key))
		return;
	(void)EVP_PKEY_get_utf8_string_param(key, PARAM_LIMIT, limits->sigalgs, sizeof limits->sigalgs, NULL);
	(void)EVP_PKEY_get_int_param(key, PARAM_MAX, &limits->tls_max);
}
