/* engine: where OpenSSL has no engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#define OPENSSL_NO_ENGINE
#define key_engine_open key_engine_open_without
#include "hsm/engine.c"

static void
refuses(void **state)
{
	struct key_open how = { 0 };
	struct hf_error err = { 0 };
	EVP_PKEY *key = (EVP_PKEY *)&how;
	struct uri u;

	(void)state;
	assert_int_equal(uri_get(&u, "engine:pkcs11:line7", &err), 0);
	assert_int_equal(key_engine_open(&key, &u, &how, &err), HF_ERR_UNSUPPORTED);
	assert_null(key);
	assert_non_null(strstr(err.text, "has no engines"));
	uri_fini(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refuses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
