/*
 * An OpenSSL engine like that of a Zymkey: one EC key inside, which nobody can read; a key's name means nothing to it. The key
 * comes from the PEM file that ZYMKEY_KEY names when the engine starts, or is made. Its ids are ways to behave:
 *
 *	zymkey_ssl	gives out no keys: whatever is bound to its EC method is its key
 *	zymkey_loads	gives out its key, whatever the name, with its public half
 *	zymkey_empty	would give out keys, but has none
 *	zymkey_dead	does not start
 *	zymkey_rsa	an RSA key, which ZYMKEY_KEY has to name, and no other
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdlib.h>
#include <string.h>
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

int zymkey_signatures, zymkey_users; /* for tests */
static EC_KEY *inside;
static EC_KEY_METHOD *method;
static RSA *rsa_inside;
static RSA_METHOD *rsa_method;

static EC_KEY *
read_key(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");
	EC_KEY *key = bio ? PEM_read_bio_ECPrivateKey(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return key;
}

static EC_KEY *
make_key(void)
{
	EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);

	if (key && EC_KEY_generate_key(key))
		return key;
	EC_KEY_free(key);
	return NULL;
}

static int
read_rsa(const char *path)
{
	BIO *bio = path ? BIO_new_file(path, "r") : NULL;

	rsa_inside = bio ? PEM_read_bio_RSAPrivateKey(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	return rsa_inside != NULL;
}

static int
start(ENGINE *e)
{
	const char *path = getenv("ZYMKEY_KEY");

	if (strcmp(ENGINE_get_id(e), "zymkey_dead") == 0) {
		ERR_raise_data(ERR_LIB_ENGINE, ENGINE_R_INIT_FAILED, "i2c");
		return 0;
	}
	if (strcmp(ENGINE_get_id(e), "zymkey_rsa") == 0)
		return rsa_inside || read_rsa(path);
	if (!inside)
		inside = path ? read_key(path) : make_key();
	if (inside)
		EC_KEY_set_method(inside, EC_KEY_OpenSSL());
	zymkey_users += inside != NULL;
	return inside != NULL;
}

static int
finish(ENGINE *e)
{
	(void)e;
	zymkey_users--;
	return 1;
}

/* The caller's key is not looked at. */
static ECDSA_SIG *
sign(const unsigned char *digest, int n, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	(void)kinv;
	(void)r;
	(void)key;
	zymkey_signatures++;
	return ECDSA_do_sign(digest, n, inside);
}

static int
rsa_sign(int n, const unsigned char *from, unsigned char *to, RSA *key, int padding)
{
	(void)key;
	zymkey_signatures++;
	return RSA_private_encrypt(n, from, to, rsa_inside, padding);
}

static EVP_PKEY *
give_key(ENGINE *e, const char *name, UI_METHOD *ui, void *arg)
{
	EC_KEY *key = EC_KEY_new_method(e);
	EVP_PKEY *pkey = EVP_PKEY_new();

	(void)name;
	(void)ui;
	(void)arg;
	EC_KEY_set_group(key, EC_KEY_get0_group(inside));
	EC_KEY_set_public_key(key, EC_KEY_get0_public_key(inside));
	EVP_PKEY_assign_EC_KEY(pkey, key);
	return pkey;
}

static EVP_PKEY *
give_none(ENGINE *e, const char *name, UI_METHOD *ui, void *arg)
{
	(void)e;
	(void)name;
	(void)ui;
	(void)arg;
	ERR_raise(ERR_LIB_ENGINE, ENGINE_R_FAILED_LOADING_PRIVATE_KEY);
	return NULL;
}

static int
destroy(ENGINE *e)
{
	(void)e;
	EC_KEY_METHOD_free(method);
	EC_KEY_free(inside);
	method = NULL;
	inside = NULL;
	return 1;
}

static int
bind_rsa(ENGINE *e, const char *id)
{
	if (!rsa_method && !(rsa_method = RSA_meth_dup(RSA_PKCS1_OpenSSL())))
		return 0;
	return RSA_meth_set_priv_enc(rsa_method, rsa_sign) && ENGINE_set_id(e, id) &&
	       ENGINE_set_name(e, "an RSA key in a chip") && ENGINE_set_RSA(e, rsa_method) &&
	       ENGINE_set_init_function(e, start);
}

static int
is(const char *id, const char *name)
{
	return id && strcmp(id, name) == 0;
}

static int
bind(ENGINE *e, const char *id)
{
	int (*sign_der)(int, const unsigned char *, int, unsigned char *, unsigned *, const BIGNUM *,
	    const BIGNUM *, EC_KEY *);
	int (*setup)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **);

	if (is(id, "zymkey_rsa"))
		return bind_rsa(e, id);
	if (!is(id, "zymkey_ssl") && !is(id, "zymkey_loads") && !is(id, "zymkey_empty") &&
	    !is(id, "zymkey_dead"))
		return 0;
	if (!method && !(method = EC_KEY_METHOD_new(EC_KEY_OpenSSL())))
		return 0;
	EC_KEY_METHOD_get_sign(method, &sign_der, &setup, NULL);
	EC_KEY_METHOD_set_sign(method, sign_der, setup, sign);
	if (is(id, "zymkey_loads") && !ENGINE_set_load_privkey_function(e, give_key))
		return 0;
	if (is(id, "zymkey_empty") && !ENGINE_set_load_privkey_function(e, give_none))
		return 0;
	return ENGINE_set_id(e, id) && ENGINE_set_name(e, "a key in a chip") && ENGINE_set_EC(e, method) &&
	       ENGINE_set_init_function(e, start) && ENGINE_set_finish_function(e, finish) &&
	       ENGINE_set_destroy_function(e, destroy);
}

IMPLEMENT_DYNAMIC_BIND_FN(bind)
IMPLEMENT_DYNAMIC_CHECK_FN()
