#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/file.h"
#include "process.h"

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hf-cert-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

struct made {
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
};

static struct made
make(int64_t wall, const char *hub)
{
	struct hf_error err = { 0 };
	struct made m = { 0 };
	struct config c;

	config_init(&c);
	snprintf(c.data, sizeof(c.data), "%s", dir);
	config_add_dps(&c, NULL, &err);
	config_add_hub(&c, "127.0.0.2", &err);
	if (hub)
		assert_int_equal(config_add_hub(&c, hub, &err), 0);
	assert_int_equal(cert_open(&c, wall, &m.chain, &m.key, &err), 0);
	assert_int_equal(X509_check_private_key(sk_X509_value(m.chain, 0), m.key), 1);
	config_fini(&c);
	return m;
}

static void
drop(struct made *m)
{
	sk_X509_pop_free(m->chain, X509_free);
	EVP_PKEY_free(m->key);
}

static X509 *
trust(void)
{
	char path[100];
	FILE *f;
	X509 *x;

	snprintf(path, sizeof(path), "%s/%s", dir, CERT_TRUST);
	f = fopen(path, "r");
	assert_non_null(f);
	x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(x);
	return x;
}

/* What a TLS client would say: 0 or a reason (X509_V_ERR_*). */
static int
verify(X509 *leaf, const char *host, const char *ip)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE *store = X509_STORE_new();
	X509 *ca = trust();
	X509_VERIFY_PARAM *param;
	int r;

	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_STORE_CTX_set_default(ctx, "ssl_server");
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	if (host)
		X509_VERIFY_PARAM_set1_host(param, host, 0);
	if (ip)
		X509_VERIFY_PARAM_set1_ip_asc(param, ip);
	r = X509_verify_cert(ctx) == 1 ? 0 : X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(ca);
	return r;
}

static void
verifies(void **state)
{
	struct made m = make(time(NULL), "hub.localhost");
	X509 *leaf = sk_X509_value(m.chain, 0);

	(void)state;
	assert_int_equal(verify(leaf, DPS_HOST, NULL), 0);
	assert_int_equal(verify(leaf, "localhost", NULL), 0);
	assert_int_equal(verify(leaf, "hub.localhost", NULL), 0);
	assert_int_equal(verify(leaf, NULL, "127.0.0.1"), 0);
	assert_int_equal(verify(leaf, NULL, "127.0.0.2"), 0);
	assert_int_equal(verify(leaf, "127.0.0.2", NULL), 0);
	assert_int_equal(verify(leaf, NULL, "127.0.0.9"), X509_V_ERR_IP_ADDRESS_MISMATCH);
	assert_int_equal(verify(leaf, "example.com", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
	drop(&m);
}

/* Whoever steals the CA's key cannot be anybody else with it. */
static void
constrained(void **state)
{
	struct made m = make(time(NULL), NULL);
	X509 *leaf = X509_dup(sk_X509_value(m.chain, 0));
	X509_EXTENSION *san;
	EVP_PKEY *key;
	char path[100];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/ca-key.pem", dir);
	f = fopen(path, "r");
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	X509_EXTENSION_free(X509_delete_ext(leaf, X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1)));
	san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:example.com");
	X509_add_ext(leaf, san, -1);
	X509_EXTENSION_free(san);
	assert_true(X509_sign(leaf, key, EVP_sha256()) > 0);
	assert_int_equal(verify(leaf, "example.com", NULL), X509_V_ERR_PERMITTED_VIOLATION);
	X509_free(leaf);
	EVP_PKEY_free(key);
	drop(&m);
}

static void
stays_until(void **state)
{
	int64_t now = time(NULL);
	struct made first = make(now, NULL), again = make(now + 3600, NULL), other, late;
	X509 *ca = trust(), *wider;

	(void)state;
	assert_int_equal(X509_cmp(sk_X509_value(first.chain, 0), sk_X509_value(again.chain, 0)), 0);
	other = make(now, "hub.test");
	wider = trust();
	assert_int_not_equal(X509_cmp(sk_X509_value(first.chain, 0), sk_X509_value(other.chain, 0)), 0);
	assert_int_not_equal(X509_cmp(ca, wider), 0);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(ca), X509_get0_pubkey(wider)), 1);
	assert_int_equal(verify(sk_X509_value(other.chain, 0), "hub.test", NULL), 0);
	late = make(now + 800 * 86400, "hub.test");
	assert_int_not_equal(X509_cmp(sk_X509_value(late.chain, 0), sk_X509_value(other.chain, 0)), 0);
	X509_free(ca);
	X509_free(wider);
	drop(&first);
	drop(&again);
	drop(&other);
	drop(&late);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verifies, setup, teardown),
		cmocka_unit_test_setup_teardown(constrained, setup, teardown),
		cmocka_unit_test_setup_teardown(stays_until, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
