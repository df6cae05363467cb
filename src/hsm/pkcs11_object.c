#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include "base/str.h"
#include "hsm/pkcs11.h"

#define VALUE_MAX 16384 /* of the longest attribute that we ask for: a certificate */

static CK_RV
collect(struct pkcs11 *p, CK_OBJECT_HANDLE *found, size_t max, size_t *n)
{
	CK_ULONG more = 1;
	CK_RV rv = CKR_OK;

	for (*n = 0; rv == CKR_OK && more > 0 && *n < max; *n += more) {
		more = 0;
		rv = p->m->C_FindObjects(p->session, found + *n, max - *n, &more);
		if (rv == CKR_OK && more > max - *n)
			return CKR_GENERAL_ERROR;
	}
	return rv;
}

int
pkcs11_find(struct pkcs11 *p, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id,
    CK_OBJECT_HANDLE *found, size_t max, struct hf_error *err)
{
	CK_ATTRIBUTE want[3] = { { CKA_CLASS, &class, sizeof class } };
	CK_ULONG count = 1;
	size_t n = 0;
	CK_RV rv;

	if (label)
		want[count++] = *label;
	if (id)
		want[count++] = *id;
	rv = p->m->C_FindObjectsInit(p->session, want, count);
	if (rv == CKR_OK) {
		rv = collect(p, found, max, &n);
		p->m->C_FindObjectsFinal(p->session);
	}
	return rv == CKR_OK ? (int)n : pkcs11_fail(p, rv, err, "look for objects");
}

int
pkcs11_get(struct pkcs11 *p, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, struct buf *out)
{
	CK_ATTRIBUTE a = { type, NULL, 0 };
	CK_ULONG room;

	buf_clear(out);
	if (p->m->C_GetAttributeValue(p->session, o, &a, 1) != CKR_OK || a.ulValueLen > VALUE_MAX)
		return HF_ERR_KEY;
	room = a.ulValueLen;
	if (room == 0)
		return 0;
	a.pValue = buf_room(out, room);
	if (!a.pValue)
		return HF_ERR_MEMORY;
	if (p->m->C_GetAttributeValue(p->session, o, &a, 1) != CKR_OK || a.ulValueLen > room)
		return HF_ERR_KEY;
	buf_add(out, a.ulValueLen);
	return 0;
}

static int
get_small(struct pkcs11 *p, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, void *value, size_t n)
{
	CK_ATTRIBUTE a = { type, value, n };

	return p->m->C_GetAttributeValue(p->session, o, &a, 1) == CKR_OK && a.ulValueLen == n ? 0
											      : HF_ERR_KEY;
}

int
pkcs11_get_flag(struct pkcs11 *p, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type)
{
	CK_BBOOL yes = CK_FALSE;

	return get_small(p, o, type, &yes, sizeof yes) == 0 && yes == CK_TRUE;
}

void
pkcs11_label(struct pkcs11 *p, CK_OBJECT_HANDLE o, char *dst, size_t cap)
{
	struct buf value = { 0 };
	char hex[2 * 20 + 1] = "";

	if (pkcs11_get(p, o, CKA_LABEL, &value) == 0 && buf_size(&value) > 0 &&
	    str_copy(dst, cap, buf_data(&value), buf_size(&value)) == 0) {
		str_plain(dst);
		goto done;
	}
	if (pkcs11_get(p, o, CKA_ID, &value) == 0 && buf_size(&value) <= 20 && buf_size(&value) > 0)
		str_hex(hex, buf_data(&value), buf_size(&value));
	snprintf(dst, cap, *hex ? "with id %s" : "without a label", hex);
done:
	buf_free(&value);
}

/* "dev, line7" */
static void
list_labels(struct pkcs11 *p, const CK_OBJECT_HANDLE *o, int n, struct buf *out)
{
	char label[64];

	for (int i = 0; i < n && i < 8; i++) {
		pkcs11_label(p, o[i], label, sizeof label);
		if (buf_fmt(out, "%s%s", i > 0 ? ", " : "", label) < 0)
			return;
	}
	if (n > 8)
		buf_puts(out, ", ...");
}

static int
no_key(struct pkcs11 *p, struct hf_error *err)
{
	CK_OBJECT_HANDLE all[PKCS11_OBJECTS] = { 0 };
	int n = pkcs11_find(p, CKO_PRIVATE_KEY, NULL, NULL, all, PKCS11_OBJECTS, err), rc;
	struct buf names = { 0 };

	if (n < 0)
		return n;
	list_labels(p, all, n, &names);
	rc = err_set(err, HF_ERR_KEY, "%s: no private key is there that fits the URI; %s%s", p->name,
	    n > 0 ? "there are: " : "in fact there is none at all",
	    n > 0 && buf_str(&names) ? buf_str(&names) : "");
	buf_free(&names);
	return rc;
}

/* "dev id=%01, dev id=%02": labels do not always tell them apart */
static int
list_ids(struct pkcs11 *p, const CK_OBJECT_HANDLE *o, int n, struct buf *out)
{
	struct buf id = { 0 };
	char label[64];
	int rc = 0;

	for (int i = 0; i < n && i < 8 && rc == 0; i++) {
		pkcs11_label(p, o[i], label, sizeof label);
		rc = buf_fmt(out, "%s%s", i > 0 ? ", " : "", label);
		if (rc < 0 || pkcs11_get(p, o[i], CKA_ID, &id) < 0 || buf_size(&id) == 0)
			continue;
		rc = buf_puts(out, " id=");
		for (size_t k = 0; k < buf_size(&id) && k < 20 && rc == 0; k++)
			rc = buf_fmt(out, "%%%02X", buf_data(&id)[k]);
	}
	buf_free(&id);
	return rc;
}

static int
many_keys(struct pkcs11 *p, const CK_OBJECT_HANDLE *found, int n, struct hf_error *err)
{
	struct buf names = { 0 };
	int rc;

	if (list_ids(p, found, n, &names) < 0 || !buf_str(&names))
		rc = err_memory(err);
	else
		rc = err_set(err, HF_ERR_KEY,
		    "%s: %d private keys fit the URI (%s%s); say which one is meant: object=LABEL or id=",
		    p->name, n, buf_str(&names), n > 8 ? ", ..." : "");
	buf_free(&names);
	return rc;
}

int
pkcs11_find_key(struct pkcs11 *p, CK_OBJECT_HANDLE *key, struct hf_error *err)
{
	const CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(p->uri, CKA_CLASS);
	CK_OBJECT_HANDLE found[PKCS11_OBJECTS] = { 0 };
	int n;

	if (class && *(const CK_OBJECT_CLASS *)class->pValue != CKO_PRIVATE_KEY)
		return err_set(
		    err, HF_ERR_ARGS, "%s: the URI's type= has to be private, it is to sign", p->name);
	n = pkcs11_find(p, CKO_PRIVATE_KEY, p11_kit_uri_get_attribute(p->uri, CKA_LABEL),
	    p11_kit_uri_get_attribute(p->uri, CKA_ID), found, PKCS11_OBJECTS, err);
	if (n < 0)
		return n;
	if (n == 0)
		return no_key(p, err);
	*key = found[0];
	return n == 1 ? 0 : many_keys(p, found, n, err);
}

/* The one object of this class that goes with the key: it has the same id, or else the same label. 1 or 0. */
static int
find_partner(struct pkcs11 *p, CK_OBJECT_HANDLE key, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *partner)
{
	static const CK_ATTRIBUTE_TYPE by[] = { CKA_ID, CKA_LABEL };
	struct buf value = { 0 };
	struct hf_error ignored = { 0 };
	int n = 0;

	for (size_t i = 0; i < 2 && n <= 0; i++) {
		CK_ATTRIBUTE a = { by[i], NULL, 0 };

		if (pkcs11_get(p, key, by[i], &value) < 0 || buf_size(&value) == 0)
			continue;
		a.pValue = (void *)(uintptr_t)buf_data(&value);
		a.ulValueLen = buf_size(&value);
		n = pkcs11_find(p, class, i == 1 ? &a : NULL, i == 0 ? &a : NULL, partner, 1, &ignored);
	}
	buf_free(&value);
	return n > 0;
}

static EVP_PKEY *
rsa_of(struct pkcs11 *p, CK_OBJECT_HANDLE o)
{
	struct buf n = { 0 }, e = { 0 };
	EVP_PKEY *pub = NULL;

	if (pkcs11_get(p, o, CKA_MODULUS, &n) == 0 && pkcs11_get(p, o, CKA_PUBLIC_EXPONENT, &e) == 0 &&
	    buf_size(&n) > 0 && buf_size(&e) > 0)
		pub = pubkey_rsa(buf_data(&n), buf_size(&n), buf_data(&e), buf_size(&e));
	buf_free(&n);
	buf_free(&e);
	return pub;
}

/* CKA_EC_PARAMS: the OID of a named curve. NULL: another kind. */
static const char *
group_of(const struct buf *params)
{
	const unsigned char *at = buf_data(params);
	ASN1_OBJECT *oid = d2i_ASN1_OBJECT(NULL, &at, (long)buf_size(params));
	int nid = oid ? OBJ_obj2nid(oid) : NID_undef;

	ASN1_OBJECT_free(oid);
	return nid == NID_undef ? NULL : OBJ_nid2sn(nid);
}

/* CKA_EC_POINT is an OCTET STRING with the point in it; some tokens give the point itself. */
static EVP_PKEY *
point_key(const char *group, const struct buf *point)
{
	const unsigned char *at = buf_data(point);
	ASN1_OCTET_STRING *in = d2i_ASN1_OCTET_STRING(NULL, &at, (long)buf_size(point));
	EVP_PKEY *pub = NULL;

	if (in && at == buf_data(point) + buf_size(point))
		pub = pubkey_ec(group, ASN1_STRING_get0_data(in), (size_t)ASN1_STRING_length(in));
	ASN1_OCTET_STRING_free(in);
	return pub ? pub : pubkey_ec(group, buf_data(point), buf_size(point));
}

static EVP_PKEY *
ec_of(struct pkcs11 *p, CK_OBJECT_HANDLE o)
{
	struct buf params = { 0 }, point = { 0 };
	const char *group = NULL;
	EVP_PKEY *pub = NULL;

	if (pkcs11_get(p, o, CKA_EC_PARAMS, &params) == 0 && buf_size(&params) > 0)
		group = group_of(&params);
	if (group && pkcs11_get(p, o, CKA_EC_POINT, &point) == 0 && buf_size(&point) > 0)
		pub = point_key(group, &point);
	buf_free(&params);
	buf_free(&point);
	return pub;
}

static EVP_PKEY *
certificate_of(struct pkcs11 *p, CK_OBJECT_HANDLE o)
{
	struct buf value = { 0 };
	const unsigned char *at;
	X509 *cert = NULL;
	EVP_PKEY *pub = NULL;

	if (pkcs11_get(p, o, CKA_VALUE, &value) == 0 && buf_size(&value) > 0) {
		at = buf_data(&value);
		cert = d2i_X509(NULL, &at, (long)buf_size(&value));
	}
	if (cert)
		pub = X509_get_pubkey(cert);
	X509_free(cert);
	buf_free(&value);
	return pub;
}

static EVP_PKEY *
only(EVP_PKEY *pub, CK_KEY_TYPE type)
{
	if (!pub || EVP_PKEY_is_a(pub, type == CKK_RSA ? "RSA" : "EC"))
		return pub;
	EVP_PKEY_free(pub);
	return NULL;
}

int
pkcs11_public(struct pkcs11 *p, CK_OBJECT_HANDLE key, X509 *cert, EVP_PKEY **pub, struct hf_error *err)
{
	EVP_PKEY *(*of)(struct pkcs11 *, CK_OBJECT_HANDLE);
	CK_OBJECT_HANDLE partner = 0;
	CK_KEY_TYPE type;
	char label[64];

	pkcs11_label(p, key, label, sizeof label);
	if (get_small(p, key, CKA_KEY_TYPE, &type, sizeof type) < 0)
		type = CKK_VENDOR_DEFINED; /* whatever it has written there */
	if (type != CKK_RSA && type != CKK_EC)
		return err_set(err, HF_ERR_UNSUPPORTED,
		    "%s: key %s is neither an RSA nor an EC key (CKA_KEY_TYPE 0x%lx)", p->name, label, type);
	of = type == CKK_RSA ? rsa_of : ec_of;
	*pub = of(p, key);
	if (!*pub && find_partner(p, key, CKO_PUBLIC_KEY, &partner))
		*pub = of(p, partner);
	if (!*pub && find_partner(p, key, CKO_CERTIFICATE, &partner))
		*pub = only(certificate_of(p, partner), type);
	if (!*pub && cert)
		*pub = only(X509_get_pubkey(cert), type);
	if (*pub)
		return 0;
	return err_set(err, HF_ERR_KEY,
	    "%s: key %s has no public key beside it that can be read, nor a certificate; store its certificate in the token, with the key's id",
	    p->name, label);
}

static int
copy_attribute(struct pkcs11 *p, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, struct buf *value, P11KitUri *to)
{
	CK_ATTRIBUTE a = { type, NULL, 0 };

	if (pkcs11_get(p, o, type, value) < 0 || buf_size(value) == 0)
		return P11_KIT_URI_OK;
	a.pValue = (void *)(uintptr_t)buf_data(value);
	a.ulValueLen = buf_size(value);
	return p11_kit_uri_set_attribute(to, &a);
}

int
pkcs11_put_uri(struct pkcs11 *p, CK_OBJECT_HANDLE o, struct buf *out, struct hf_error *err)
{
	CK_OBJECT_CLASS private = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE class = { CKA_CLASS, &private, sizeof private };
	P11KitUri *uri = p11_kit_uri_new();
	struct buf value = { 0 };
	char *text = NULL;
	int rc = HF_ERR_MEMORY;

	if (!uri)
		goto fail;
	*p11_kit_uri_get_token_info(uri) = p->at->info;
	p11_kit_uri_set_module_path(uri, uri_query(p->from, "module-path"));
	p11_kit_uri_set_module_name(uri, uri_query(p->from, "module-name"));
	p11_kit_uri_set_pin_source(uri, uri_query(p->from, "pin-source"));
	if (p11_kit_uri_set_attribute(uri, &class) == P11_KIT_URI_OK &&
	    copy_attribute(p, o, CKA_LABEL, &value, uri) == P11_KIT_URI_OK &&
	    copy_attribute(p, o, CKA_ID, &value, uri) == P11_KIT_URI_OK &&
	    p11_kit_uri_format(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text) == P11_KIT_URI_OK)
		rc = buf_puts(out, text);
fail:
	free(text);
	buf_free(&value);
	p11_kit_uri_free(uri);
	return rc < 0 ? err_memory(err) : 0;
}
