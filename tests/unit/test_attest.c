#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/b64.h"
#include "emulator.h"
#include "make_cert.h"
#include "msg/sas.h"

#define NOW  1700000000
#define YEAR 31536000

static const char key1[] = "cHJpbWFyeSBrZXkgb2Ygc2l4dGVlbg==", key2[] = "c2Vjb25kYXJ5IGtleSwgbG9uZ2VyIQ==";

static char *
token(const char *resource, const char *key, int64_t expiry)
{
	struct buf raw = { 0 }, text = { 0 }, t = { 0 };
	uint8_t mac[32];
	char *s;

	assert_int_equal(b64_get(&raw, key, strlen(key)), 0);
	assert_int_equal(sas_put_text(&text, resource, expiry), 0);
	assert_int_equal(sas_hmac(buf_data(&raw), buf_size(&raw), buf_data(&text), buf_size(&text), mac), 0);
	assert_int_equal(sas_put(&t, resource, expiry, mac, "registration"), 0);
	s = strdup(buf_str(&t));
	buf_free(&raw);
	buf_free(&text);
	buf_free(&t);
	return s;
}

static int
judge(const char *t, const char *resource, const char *a, const char *b, char *why)
{
	struct hf_error err = { 0 };
	int r = attest_token(t, resource, a, b, NOW, &err);

	if (why)
		strcpy(why, err.text);
	return r;
}

static void
tokens(void **state)
{
	char *t = token("0ne1/registrations/Dev", key2, NOW + 10), *old = token("r", key1, NOW), why[600];

	(void)state;
	assert_int_equal(judge(t, "0ne1/registrations/dev", key1, key2, NULL), 0);
	assert_int_equal(judge(t, "0NE1/REGISTRATIONS/DEV", NULL, key2, NULL), 0);
	assert_int_equal(judge(t, "0ne1/registrations/dev2", key1, key2, why), HF_ERR_AUTH);
	assert_non_null(strstr(why, "is for '0ne1/registrations/Dev'"));
	assert_int_equal(judge(t, "0ne1/registrations/dev", key1, NULL, why), HF_ERR_AUTH);
	assert_non_null(strstr(why, "not signed"));
	assert_int_equal(judge(t, "0ne1/registrations/dev", NULL, NULL, NULL), HF_ERR_AUTH);
	assert_int_equal(judge(t, "0ne1/registrations/dev", "", "no base64 !", NULL), HF_ERR_AUTH);
	assert_int_equal(judge(old, "r", key1, key2, why), HF_ERR_AUTH);
	assert_non_null(strstr(why, "expired 0 s ago"));
	assert_int_equal(judge("", "r", key1, key2, NULL), HF_ERR_AUTH);
	assert_int_equal(judge("SharedAccessSignature sr=r", "r", key1, key2, why), HF_ERR_AUTH);
	assert_non_null(strstr(why, "cannot be read"));
	free(t);
	free(old);
}

static void
spelling_of_the_resource_is_what_is_signed(void **state)
{
	/* an unencoded sr is as good as an encoded one, but one may not be passed off as the other */
	struct buf raw = { 0 }, sig = { 0 }, t = { 0 };
	uint8_t mac[32];
	const char text[] = "a/registrations/b\n1800000000";

	(void)state;
	b64_get(&raw, key1, strlen(key1));
	sas_hmac(buf_data(&raw), buf_size(&raw), text, strlen(text), mac);
	b64_put(&sig, mac, sizeof mac);
	buf_fmt(&t, "SharedAccessSignature se=1800000000&sr=a/registrations/b&sig=%s", buf_str(&sig));
	assert_int_equal(judge(buf_str(&t), "a/registrations/b", key1, NULL, NULL), 0);
	buf_clear(&t);
	buf_fmt(&t, "SharedAccessSignature se=1800000000&sr=a%%2fregistrations%%2fb&sig=%s", buf_str(&sig));
	assert_int_equal(judge(buf_str(&t), "a/registrations/b", key1, NULL, NULL), HF_ERR_AUTH);
	buf_free(&raw);
	buf_free(&sig);
	buf_free(&t);
}

struct pki {
	EVP_PKEY *key;
	X509 *root, *inter, *leaf;
};

static int
open_pki(void **state)
{
	struct pki *p = calloc(1, sizeof *p);

	p->key = make_key();
	p->root = make_cert(&(struct cert_wish){ "root", 1, -1, NOW - YEAR, NOW + YEAR }, p->key, NULL, NULL);
	p->inter =
	    make_cert(&(struct cert_wish){ "inter", 1, -1, NOW - YEAR, NOW + YEAR }, p->key, p->root, p->key);
	p->leaf =
	    make_cert(&(struct cert_wish){ "dev-1", 0, -1, NOW - 60, NOW + 60 }, p->key, p->inter, p->key);
	*state = p;
	return 0;
}

static int
close_pki(void **state)
{
	struct pki *p = *state;

	X509_free(p->root);
	X509_free(p->inter);
	X509_free(p->leaf);
	EVP_PKEY_free(p->key);
	free(p);
	return 0;
}

static int
chain_of(X509 *ca, int64_t wall, char *why, X509 *a, X509 *b, X509 *c)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct hf_error err = { 0 };
	int r;

	sk_X509_push(chain, a);
	if (b)
		sk_X509_push(chain, b);
	if (c)
		sk_X509_push(chain, c);
	r = attest_chain(chain, ca, wall, &err);
	sk_X509_free(chain);
	if (why)
		strcpy(why, err.text);
	return r;
}

static void
chains(void **state)
{
	struct pki *p = *state;
	char why[600];

	assert_int_equal(chain_of(p->root, NOW, NULL, p->leaf, p->inter, NULL), 2);
	assert_int_equal(chain_of(p->root, NOW, NULL, p->leaf, p->inter, p->root), 2);
	assert_int_equal(chain_of(p->root, NOW, NULL, p->leaf, p->root, p->inter), 2);
	assert_int_equal(chain_of(p->inter, NOW, NULL, p->leaf, NULL, NULL), 1);
	assert_int_equal(chain_of(p->inter, NOW, NULL, p->leaf, p->inter, p->root), 1);
	assert_int_equal(chain_of(p->root, NOW, why, p->leaf, NULL, NULL), HF_ERR_AUTH);
	assert_non_null(strstr(why, "dev-1"));
	assert_int_equal(chain_of(p->root, NOW, why, p->root, NULL, NULL), HF_ERR_AUTH);
	assert_non_null(strstr(why, "CA's own"));
	assert_int_equal(chain_of(p->root, NOW + 61, why, p->leaf, p->inter, NULL), HF_ERR_AUTH);
	assert_non_null(strstr(why, "expired"));
	assert_int_equal(chain_of(p->root, NOW - 61, why, p->leaf, p->inter, NULL), HF_ERR_AUTH);
	assert_non_null(strstr(why, "not yet valid"));
}

static void
chains_that_lie(void **state)
{
	struct pki *p = *state;
	struct hf_error err = { 0 };
	EVP_PKEY *foreign = make_key();
	X509 *x, *plain, *tight, *below, *low;
	char why[600];

	assert_int_equal(attest_chain(NULL, p->root, NOW, &err), HF_ERR_AUTH);
	/* the right names, signed by another key */
	x = make_cert(&(struct cert_wish){ "dev-1", 0, -1, NOW - 60, NOW + 60 }, foreign, p->inter, foreign);
	assert_int_equal(chain_of(p->root, NOW, NULL, x, p->inter, NULL), HF_ERR_AUTH);
	X509_free(x);
	/* a device that issues certificates */
	x = make_cert(&(struct cert_wish){ "dev-2", 0, -1, NOW - 60, NOW + 60 }, p->key, p->leaf, p->key);
	assert_int_equal(chain_of(p->root, NOW, NULL, x, p->leaf, p->inter), HF_ERR_AUTH);
	assert_int_equal(chain_of(p->leaf, NOW, NULL, x, NULL, NULL), HF_ERR_AUTH);
	X509_free(x);
	/* an intermediate whose time is over */
	x = make_cert(&(struct cert_wish){ "inter", 1, -1, NOW - YEAR, NOW - 1 }, p->key, p->root, p->key);
	assert_int_equal(chain_of(p->root, NOW, why, p->leaf, x, NULL), HF_ERR_AUTH);
	assert_non_null(strstr(why, "inter"));
	X509_free(x);
	/* a path longer than its CA allows */
	tight = make_cert(&(struct cert_wish){ "tight", 1, 0, NOW - 60, NOW + 60 }, p->key, p->root, p->key);
	below = make_cert(&(struct cert_wish){ "below", 1, -1, NOW - 60, NOW + 60 }, p->key, tight, p->key);
	low = make_cert(&(struct cert_wish){ "low", 0, -1, NOW - 60, NOW + 60 }, p->key, below, p->key);
	assert_int_equal(chain_of(tight, NOW, NULL, low, below, NULL), HF_ERR_AUTH);
	assert_int_equal(chain_of(below, NOW, NULL, low, NULL, NULL), 1);
	/* signed by a key of the right name without being a CA at all */
	plain = make_cert(&(struct cert_wish){ "inter", 0, -1, NOW - 60, NOW + 60 }, p->key, p->root, p->key);
	assert_int_equal(chain_of(plain, NOW, NULL, p->leaf, NULL, NULL), HF_ERR_AUTH);
	X509_free(plain);
	X509_free(low);
	X509_free(below);
	X509_free(tight);
	EVP_PKEY_free(foreign);
}

static void
time_of_a_certificate(void **state)
{
	struct pki *p = *state;
	struct hf_error err = { 0 };

	assert_int_equal(attest_valid_now(p->leaf, NOW, &err), 0);
	assert_int_equal(attest_valid_now(p->leaf, NOW + 61, &err), HF_ERR_AUTH);
	assert_non_null(strstr(err.text, "dev-1 has expired"));
	err.code = 0;
	assert_int_equal(attest_valid_now(p->leaf, NOW - 61, &err), HF_ERR_AUTH);
	assert_non_null(strstr(err.text, "not yet valid"));
}

static void
names_and_thumbprints(void **state)
{
	struct pki *p = *state;
	char cn[129], sha1[41], sha256[65], tiny[5];
	X509 *nameless = make_cert(&(struct cert_wish){ "x", 0, -1, NOW, NOW + 1 }, p->key, NULL, NULL);

	assert_int_equal(attest_common_name(p->leaf, cn, sizeof cn), 0);
	assert_string_equal(cn, "dev-1");
	assert_int_equal(attest_common_name(p->leaf, tiny, sizeof tiny), HF_ERR_ARGS);
	X509_NAME_ENTRY_free(X509_NAME_delete_entry(X509_get_subject_name(nameless), 0));
	assert_int_equal(attest_common_name(nameless, cn, sizeof cn), HF_ERR_ARGS);
	attest_thumbprint(p->leaf, sha1, sha256);
	assert_int_equal(strlen(sha1), 40);
	assert_int_equal(strlen(sha256), 64);
	assert_null(strpbrk(sha256, "abcdef"));
	X509_free(nameless);
}

static void
certificates_as_text(void **state)
{
	struct pki *p = *state;
	struct hf_error err = { 0 };
	struct buf t = { 0 };
	unsigned char *der = NULL;
	char *pem = make_pem(p->leaf);
	int n = i2d_X509(p->leaf, &der);
	X509 *x;

	assert_int_equal(attest_certificate(pem, &x, &err), 0);
	assert_int_equal(X509_cmp(x, p->leaf), 0);
	X509_free(x);
	b64_put(&t, der, (size_t)n);
	assert_int_equal(attest_certificate(buf_str(&t), &x, &err), 0);
	assert_int_equal(X509_cmp(x, p->leaf), 0);
	X509_free(x);
	buf_clear(&t);
	b64_put(&t, pem, strlen(pem));
	assert_int_equal(attest_certificate(buf_str(&t), &x, &err), 0);
	assert_int_equal(X509_cmp(x, p->leaf), 0);
	X509_free(x);
	assert_int_equal(attest_certificate("aGVsbG8=", &x, &err), HF_ERR_ARGS);
	assert_null(x);
	err.code = 0;
	assert_int_equal(attest_certificate("", &x, &err), HF_ERR_ARGS);
	err.code = 0;
	assert_int_equal(attest_certificate("-----BEGIN CERTIFICATE-----\nAA\n", &x, &err), HF_ERR_ARGS);
	OPENSSL_free(der);
	free(pem);
	buf_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),
		cmocka_unit_test(spelling_of_the_resource_is_what_is_signed),
		cmocka_unit_test_setup_teardown(chains, open_pki, close_pki),
		cmocka_unit_test_setup_teardown(chains_that_lie, open_pki, close_pki),
		cmocka_unit_test_setup_teardown(time_of_a_certificate, open_pki, close_pki),
		cmocka_unit_test_setup_teardown(names_and_thumbprints, open_pki, close_pki),
		cmocka_unit_test_setup_teardown(certificates_as_text, open_pki, close_pki),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
