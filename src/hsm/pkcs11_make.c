#include <stdio.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include "hsm/pkcs11.h"

#define ID_SIZE 16
#define OID_MAX 32

/* What the URI names, or chance does. */
struct name {
	const CK_ATTRIBUTE *label; /* NULL: none */
	CK_ATTRIBUTE id;
	uint8_t random[ID_SIZE];
};

static int
is_free(struct pkcs11 *p, const char *what, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id,
    struct hf_error *err)
{
	static const CK_OBJECT_CLASS classes[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE };
	CK_OBJECT_HANDLE there;
	int n;

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		n = pkcs11_find(p, classes[i], label, id, &there, 1, err);
		if (n < 0)
			return n;
		if (n > 0)
			return err_set(err, HF_ERR_STATE,
			    "%s: an object of this %s is there already, and is not replaced; choose another, or delete it with the token's own tool",
			    p->name, what);
	}
	return 0;
}

static int
choose_name(struct pkcs11 *p, struct name *name, struct hf_error *err)
{
	const CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(p->uri, CKA_ID);
	CK_RV rv;
	int rc;

	name->label = p11_kit_uri_get_attribute(p->uri, CKA_LABEL);
	if (!name->label && !id)
		return err_set(
		    err, HF_ERR_ARGS, "%s: say what the key is to be called: object=LABEL", p->name);
	if (name->label && (rc = is_free(p, "label", name->label, NULL, err)) < 0)
		return rc;
	if (id) {
		name->id = *id;
		return is_free(p, "id", NULL, id, err);
	}
	rv = p->m->C_GenerateRandom(p->session, name->random, sizeof name->random);
	if (rv != CKR_OK)
		return pkcs11_fail(p, rv, err, "make a random id for the key");
	name->id = (CK_ATTRIBUTE){ CKA_ID, name->random, sizeof name->random };
	return 0;
}

/* A template grows at its end. */
struct template
{
	CK_ATTRIBUTE a[12];
	CK_ULONG n;
};

static void
add(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t n)
{
	t->a[t->n++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, n };
}

static void
add_name(struct template *t, const struct name *name)
{
	add(t, CKA_ID, name->id.pValue, name->id.ulValueLen);
	if (name->label)
		add(t, CKA_LABEL, name->label->pValue, name->label->ulValueLen);
}

static int
add_kind(struct template *t, const struct key_kind *kind, CK_ULONG *bits, unsigned char der[OID_MAX])
{
	static const uint8_t exponent[] = { 1, 0, 1 };
	unsigned char *at = der;
	int nid, n;

	if (kind->rsa_bits) {
		*bits = (CK_ULONG)kind->rsa_bits;
		add(t, CKA_MODULUS_BITS, bits, sizeof *bits);
		add(t, CKA_PUBLIC_EXPONENT, exponent, sizeof exponent);
		return 0;
	}
	nid = EC_curve_nist2nid(kind->group);
	if (nid == NID_undef)
		nid = OBJ_sn2nid(kind->group);
	if (nid == NID_undef || i2d_ASN1_OBJECT(OBJ_nid2obj(nid), NULL) > OID_MAX)
		return HF_ERR_UNSUPPORTED;
	n = i2d_ASN1_OBJECT(OBJ_nid2obj(nid), &at);
	if (n <= 0)
		return HF_ERR_UNSUPPORTED;
	add(t, CKA_EC_PARAMS, der, (size_t)n);
	return 0;
}

static int
generate(struct pkcs11 *p, const struct key_kind *kind, const struct name *name, CK_OBJECT_HANDLE *key,
    struct hf_error *err)
{
	static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_MECHANISM how = { kind->rsa_bits ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	struct template public = { 0 }, private = { 0 };
	CK_OBJECT_HANDLE pub = 0;
	unsigned char der[OID_MAX];
	CK_ULONG bits;
	CK_RV rv;

	if (add_kind(&public, kind, &bits, der) < 0)
		return err_set(err, HF_ERR_UNSUPPORTED, "%s: there is no curve %s", p->name, kind->group);
	add(&public, CKA_TOKEN, &yes, sizeof yes);
	add(&public, CKA_PRIVATE, &no, sizeof no);
	add(&public, CKA_VERIFY, &yes, sizeof yes);
	add_name(&public, name);
	add(&private, CKA_TOKEN, &yes, sizeof yes);
	add(&private, CKA_PRIVATE, &yes, sizeof yes);
	add(&private, CKA_SENSITIVE, &yes, sizeof yes);
	add(&private, CKA_EXTRACTABLE, &no, sizeof no);
	add(&private, CKA_SIGN, &yes, sizeof yes);
	add_name(&private, name);
	rv = p->m->C_GenerateKeyPair(p->session, &how, public.a, public.n, private.a, private.n, &pub, key);
	return rv == CKR_OK ? 0 : pkcs11_fail(p, rv, err, "make a key");
}

static int
make(struct pkcs11 *p, const struct uri *uri, const struct key_kind *kind, struct buf *made,
    struct hf_error *err)
{
	CK_OBJECT_HANDLE key = 0;
	struct name name = { 0 };
	int rc;

	if ((rc = pkcs11_open(p, uri, err)) < 0 || (rc = pkcs11_one_token(p, err)) < 0 ||
	    (rc = pkcs11_session(p, &p->token[0], CKF_RW_SESSION, err)) < 0 ||
	    (rc = pkcs11_enter(p, NULL, err)) < 0)
		return rc;
	if (rc == 1)
		return pkcs11_no_pin(p, err);
	if ((rc = choose_name(p, &name, err)) < 0 || (rc = generate(p, kind, &name, &key, err)) < 0)
		return rc;
	return pkcs11_put_uri(p, key, made, err);
}

int
key_pkcs11_make(const struct uri *uri, const struct key_kind *kind, struct buf *made, struct hf_error *err)
{
	struct guard guard;
	struct pkcs11 p = { 0 };
	int rc;

	guard_begin(&guard);
	rc = make(&p, uri, kind, made, err);
	pkcs11_close(&p);
	guard_end(&guard);
	return rc;
}

/* "EC P-256", "RSA 2048" */
static void
describe(EVP_PKEY *pub, char *dst, size_t cap)
{
	char group[40] = "";
	const char *nist;

	if (EVP_PKEY_is_a(pub, "RSA")) {
		snprintf(dst, cap, "RSA %d", EVP_PKEY_get_bits(pub));
		return;
	}
	EVP_PKEY_get_group_name(pub, group, sizeof group, NULL);
	nist = EC_curve_nid2nist(OBJ_txt2nid(group));
	snprintf(dst, cap, "EC %s", nist ? nist : group);
}

static int
tell(struct pkcs11 *p, CK_OBJECT_HANDLE o, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	struct hf_error ignored = { 0 };
	struct buf uri = { 0 };
	EVP_PKEY *pub = NULL;
	char what[64] = "its public key cannot be read";
	int rc = pkcs11_put_uri(p, o, &uri, err);

	if (rc == 0 && pkcs11_public(p, o, NULL, &pub, &ignored) == 0)
		describe(pub, what, sizeof what);
	if (rc == 0)
		rc = buf_str(&uri) ? fn(ctx, buf_str(&uri), what) : err_memory(err);
	EVP_PKEY_free(pub);
	buf_free(&uri);
	return rc;
}

/* How many were told, or an error. *locked: without a PIN it shows none. */
static int
tell_token(
    struct pkcs11 *p, struct pkcs11_token *t, key_each_fn *fn, void *ctx, int *locked, struct hf_error *err)
{
	CK_OBJECT_HANDLE key[PKCS11_OBJECTS] = { 0 };
	int rc, n;

	if ((rc = pkcs11_session(p, t, 0, err)) < 0 || (rc = pkcs11_enter(p, NULL, err)) < 0)
		return rc;
	n = pkcs11_find(p, CKO_PRIVATE_KEY, p11_kit_uri_get_attribute(p->uri, CKA_LABEL),
	    p11_kit_uri_get_attribute(p->uri, CKA_ID), key, PKCS11_OBJECTS, err);
	*locked = n == 0 && rc == 1;
	for (int i = 0; i < n; i++)
		if ((rc = tell(p, key[i], fn, ctx, err)) != 0)
			return rc < 0 ? rc : HF_ERR_OTHER;
	return n;
}

static int
each(struct pkcs11 *p, const struct uri *uri, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	int told = 0, locked = 0, hides = 0, rc;

	if ((rc = pkcs11_open(p, uri, err)) < 0)
		return rc;
	/* one PIN is for one token, and tried nowhere else */
	if ((p->tokens == 0 || uri_query(uri, "pin-source") || uri_query(uri, "pin-value")) &&
	    (rc = pkcs11_one_token(p, err)) < 0)
		return rc;
	for (size_t i = 0; i < p->tokens; i++) {
		rc = tell_token(p, &p->token[i], fn, ctx, &locked, err);
		if (rc < 0)
			return rc;
		told += rc;
		hides |= locked;
	}
	return told == 0 && hides ? pkcs11_no_pin(p, err) : 0;
}

int
key_pkcs11_each(const struct uri *uri, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	struct guard guard;
	struct pkcs11 p = { 0 };
	int rc;

	guard_begin(&guard);
	rc = each(&p, uri, fn, ctx, err);
	pkcs11_close(&p);
	guard_end(&guard);
	return rc;
}
