/*
 * What a PKCS#11 module says of the objects in a token. The first three bytes: how many objects of each class there are (private key,
 * public key, certificate). Then come attributes: object and a flag (it lies about the length), type, two bytes of length, value.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include "hsm/pkcs11.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { LIES = 128, HEAD = 3 };
static const uint8_t *input, *end;
static size_t class, told;

static void
must(int truth)
{
	if (!truth)
		abort();
}

static CK_RV
find_begin(CK_SESSION_HANDLE s, CK_ATTRIBUTE *want, CK_ULONG n)
{
	const CK_OBJECT_CLASS *c = want->pValue;

	must(s == 7 && n > 0 && want->type == CKA_CLASS);
	class = *c == CKO_PRIVATE_KEY ? 0 : *c == CKO_PUBLIC_KEY ? 1 : 2;
	told = 0;
	return input[class] == 255 ? CKR_SESSION_CLOSED : CKR_OK;
}

/* Three at a time. Handles are the class and a number. Of 254 it says so at once, room or not. */
static CK_RV
find_more(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *n)
{
	must(s == 7 && max > 0);
	for (*n = 0; *n < max && *n < 3 && told < input[class]; ++*n)
		found[*n] = class << 4 | (told++ & 15);
	if (input[class] == 254)
		*n = 254;
	return CKR_OK;
}

static CK_RV
find_end(CK_SESSION_HANDLE s)
{
	must(s == 7);
	return CKR_OK;
}

static const uint8_t *
look_up(CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, size_t *n)
{
	static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_ID, CKA_KEY_TYPE, CKA_MODULUS,
		CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS, CKA_EC_POINT, CKA_VALUE, CKA_ALWAYS_AUTHENTICATE };

	for (const uint8_t *at = input + HEAD; end - at >= 4; at += 4 + *n) {
		*n = (size_t)(at[2] << 8 | at[3]);
		if (*n > (size_t)(end - at - 4))
			*n = (size_t)(end - at - 4);
		if ((at[0] & ~LIES) == (int)o && types[at[1] % (sizeof types / sizeof *types)] == type)
			return at;
	}
	return NULL;
}

static CK_RV
get_value(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG count)
{
	size_t n = 0;
	const uint8_t *at = look_up(o, a->type, &n);
	CK_KEY_TYPE kind;

	must(s == 7 && count == 1);
	if (!at) {
		a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
	if (a->type == CKA_KEY_TYPE && n == 1 && a->ulValueLen == sizeof kind) {
		kind = at[4];
		memcpy(a->pValue, &kind, sizeof kind);
		return CKR_OK;
	}
	if (a->pValue) {
		memcpy(a->pValue, at + 4, n < a->ulValueLen ? n : a->ulValueLen);
		n += at[0] & LIES ? at[1] : 0;
	}
	a->ulValueLen = n;
	return CKR_OK;
}

/* The name that it is given must be one that is understood. */
static void
name(struct pkcs11 *p, CK_OBJECT_HANDLE o)
{
	P11KitUri *again = p11_kit_uri_new();
	struct hf_error e = { 0 };
	struct buf text = { 0 };
	struct uri u;

	must(again && pkcs11_put_uri(p, o, &text, &e) == 0 && buf_str(&text));
	must(p11_kit_uri_parse(buf_str(&text), P11_KIT_URI_FOR_ANY, again) == P11_KIT_URI_OK);
	must(!p11_kit_uri_any_unrecognized(again));
	must(uri_get(&u, buf_str(&text), &e) == 0 && strcmp(u.scheme, "pkcs11") == 0);
	uri_fini(&u);
	buf_free(&text);
	p11_kit_uri_free(again);
}

static void
look(struct pkcs11 *p)
{
	CK_OBJECT_HANDLE key = 99;
	struct hf_error e = { 0 };
	EVP_PKEY *pub = NULL;
	char label[64];
	int rc = pkcs11_find_key(p, &key, &e);

	if (rc < 0) {
		must(e.code == rc && *e.text);
		return;
	}
	pkcs11_label(p, key, label, sizeof label);
	must(*label && strlen(label) < sizeof label && strpbrk(label, "\r\n\033") == NULL);
	(void)pkcs11_get_flag(p, key, CKA_ALWAYS_AUTHENTICATE);
	name(p, key);
	rc = pkcs11_public(p, key, NULL, &pub, &e);
	must(rc == 0 ? pub != NULL : !pub && e.code == rc && *e.text);
	must(!pub || ((EVP_PKEY_is_a(pub, "RSA") || EVP_PKEY_is_a(pub, "EC")) && EVP_PKEY_get_bits(pub) > 0));
	EVP_PKEY_free(pub);
}

/* A module gives a signature as r and s. */
static void
signature(const uint8_t *p, size_t n)
{
	size_t room = p[0], len = room, half;
	uint8_t sig[256];
	const uint8_t *back = sig;
	ECDSA_SIG *both;
	BIGNUM *r;

	n = n > 144 ? 144 : n;
	half = n / 2;
	if (ecdsa_put(p, half, p + half, n - half, sig, &len) < 0)
		return;
	both = d2i_ECDSA_SIG(NULL, &back, (long)len);
	r = BN_bin2bn(p, (int)half, NULL);
	must(both && r && len <= room && back == sig + len && BN_cmp(r, ECDSA_SIG_get0_r(both)) == 0);
	ECDSA_SIG_free(both);
	BN_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static CK_FUNCTION_LIST module = { .C_FindObjectsInit = find_begin,
		.C_FindObjects = find_more,
		.C_FindObjectsFinal = find_end,
		.C_GetAttributeValue = get_value };
	static struct pkcs11_token token = { .module = &module };
	struct hf_error e = { 0 };
	struct uri from;
	struct pkcs11 p11 = { .at = &token, .m = &module, .session = 7, .name = "PKCS#11 token line7" };

	if (n < HEAD)
		return 0;
	input = p;
	end = p + n;
	memset(token.info.label, ' ', sizeof token.info.label);
	memcpy(token.info.label, "line7", 5);
	must(uri_get(&from, "pkcs11:token=line7?module-path=/m.so&pin-source=/p", &e) == 0);
	p11.from = &from;
	p11.uri = p11_kit_uri_new();
	must(p11.uri &&
	     p11_kit_uri_parse("pkcs11:token=line7", P11_KIT_URI_FOR_ANY, p11.uri) == P11_KIT_URI_OK);
	look(&p11);
	signature(p, n);
	p11_kit_uri_free(p11.uri);
	uri_fini(&from);
	ERR_clear_error();
	return 0;
}
