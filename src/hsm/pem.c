#include <string.h>
#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include "hsm/hsm.h"

enum { RSA_NUMBERS = 8, PARAMS = RSA_NUMBERS + 1 };

/* A run of DER, eaten from the front. */
struct der {
	const uint8_t *p, *end;
};

/* The next element's content, if it is of this kind; content may be d itself. class 0: universal. */
static int
take(struct der *d, int class, int tag, struct der *content)
{
	const uint8_t *p = d->p;
	int got_tag, got_class;
	long len;

	if (d->p == d->end)
		return 0;
	if ((ASN1_get_object(&p, &len, &got_tag, &got_class, d->end - d->p) & ~V_ASN1_CONSTRUCTED) != 0 ||
	    got_tag != tag || got_class != class)
		return 0;
	d->p = p + len;
	*content = (struct der){ p, p + len };
	return 1;
}

static int
take_oid(struct der *d, int *nid)
{
	const uint8_t *from = d->p, *p = from;
	struct der content;
	ASN1_OBJECT *o;

	if (!take(d, 0, V_ASN1_OBJECT, &content))
		return 0;
	o = d2i_ASN1_OBJECT(NULL, &p, d->p - from);
	*nid = o ? OBJ_obj2nid(o) : NID_undef;
	ASN1_OBJECT_free(o);
	return *nid != NID_undef;
}

/* A big-endian number as OpenSSL wants it: in the machine's own order, in memory that stays. */
static int
put_number(struct buf *numbers, const struct der *n, OSSL_PARAM *param, const char *name)
{
	size_t len = (size_t)(n->end - n->p);
	uint8_t *room = buf_room(numbers, len);

	if (!room || len == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		room[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? len - 1 - i : i] = n->p[i];
	buf_add(numbers, len);
	*param = OSSL_PARAM_construct_BN(name, room, len);
	return 1;
}

static EVP_PKEY *
make(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* RSAPrivateKey (RFC 8017): a version and eight numbers. */
static EVP_PKEY *
rsa(struct der d, struct buf *numbers)
{
	static const char *const names[RSA_NUMBERS] = { OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1 };
	OSSL_PARAM params[PARAMS] = { OSSL_PARAM_END };
	struct der n;

	if (!take(&d, 0, V_ASN1_SEQUENCE, &d) || !take(&d, 0, V_ASN1_INTEGER, &n))
		return NULL;
	for (int i = 0; i < RSA_NUMBERS; i++)
		if (!take(&d, 0, V_ASN1_INTEGER, &n) || !put_number(numbers, &n, &params[i], names[i]))
			return NULL;
	params[RSA_NUMBERS] = OSSL_PARAM_construct_end();
	return d.p == d.end ? make("RSA", params) : NULL;
}

/* ECPrivateKey (RFC 5915): a version, the number, the curve (unless it is known) and the public key. */
static EVP_PKEY *
ec(struct der d, int curve, struct buf *numbers)
{
	OSSL_PARAM params[PARAMS] = { OSSL_PARAM_END };
	struct der n, number, bits;

	if (!take(&d, 0, V_ASN1_SEQUENCE, &d) || !take(&d, 0, V_ASN1_INTEGER, &n) ||
	    !take(&d, 0, V_ASN1_OCTET_STRING, &number))
		return NULL;
	if (take(&d, V_ASN1_CONTEXT_SPECIFIC, 0, &n) && !take_oid(&n, &curve))
		return NULL;
	if (curve == NID_undef || !take(&d, V_ASN1_CONTEXT_SPECIFIC, 1, &n) ||
	    !take(&n, 0, V_ASN1_BIT_STRING, &bits) || bits.end - bits.p < 2 || *bits.p != 0)
		return NULL;
	if (!put_number(numbers, &number, &params[0], OSSL_PKEY_PARAM_PRIV_KEY))
		return NULL;
	params[1] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)(bits.p + 1), (size_t)(bits.end - bits.p - 1));
	params[2] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)OBJ_nid2sn(curve), 0);
	params[3] = OSSL_PARAM_construct_end();
	return make("EC", params);
}

/* PrivateKeyInfo (RFC 5208): a version, the kind of key, the key as it would stand alone. */
static EVP_PKEY *
wrapped(struct der d, struct buf *numbers)
{
	int kind, curve = NID_undef;
	struct der version, algorithm, key;

	if (!take(&d, 0, V_ASN1_SEQUENCE, &d) || !take(&d, 0, V_ASN1_INTEGER, &version) ||
	    !take(&d, 0, V_ASN1_SEQUENCE, &algorithm) || !take_oid(&algorithm, &kind) ||
	    !take(&d, 0, V_ASN1_OCTET_STRING, &key))
		return NULL;
	if (kind == NID_rsaEncryption)
		return rsa(key, numbers);
	if (kind != NID_X9_62_id_ecPublicKey || !take_oid(&algorithm, &curve))
		return NULL;
	return ec(key, curve, numbers);
}

static BIO *
open_text(const struct buf *text)
{
	return BIO_new_mem_buf(buf_data(text), (int)buf_size(text));
}

/* RSA keys, and EC keys on a named curve: taken apart here, in memory that is wiped. NULL: another kind, or none. */
static EVP_PKEY *
known_kind(const struct buf *text, pem_password_cb *ask, void *arg)
{
	BIO *bio = open_text(text);
	struct buf numbers = { 0 };
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	char *name = NULL;
	struct der d;
	long len = 0;

	if (!bio || !PEM_bytes_read_bio_secmem(&der, &len, &name, PEM_STRING_EVP_PKEY, bio, ask, arg))
		goto fail;
	d = (struct der){ der, der + len };
	if (!buf_room(&numbers, (size_t)len))
		goto fail;
	if (strcmp(name, PEM_STRING_PKCS8INF) == 0)
		key = wrapped(d, &numbers);
	else if (strcmp(name, PEM_STRING_RSA) == 0)
		key = rsa(d, &numbers);
	else if (strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0)
		key = ec(d, NID_undef, &numbers);
fail:
	OPENSSL_secure_clear_free(der, (size_t)len);
	OPENSSL_secure_free(name);
	BIO_free(bio);
	buf_free(&numbers);
	return key;
}

EVP_PKEY *
hsm_pem_key(const struct buf *text, pem_password_cb *ask, void *arg)
{
	EVP_PKEY *key;
	BIO *bio;

	ERR_clear_error();
	key = known_kind(text, ask, arg);
	if (key)
		return key;
	ERR_clear_error();
	bio = open_text(text);
	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, ask, arg);
	BIO_free(bio);
	return key;
}
