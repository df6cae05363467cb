/* Public keys and signatures, from numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/ec.h>
#include "hsm/key.h"

/* OpenSSL reads both numbers back, and would not write it otherwise. */
static void
is_der(const uint8_t *r, size_t rlen, const uint8_t *s, size_t slen)
{
	uint8_t sig[160], again[160], *q = again;
	const uint8_t *p = sig;
	size_t len = sizeof sig, room;
	BIGNUM *a = BN_bin2bn(r, (int)rlen, NULL), *b = BN_bin2bn(s, (int)slen, NULL);
	ECDSA_SIG *both;

	assert_int_equal(ecdsa_put(r, rlen, s, slen, sig, &len), 0);
	both = d2i_ECDSA_SIG(NULL, &p, (long)len);
	assert_non_null(both);
	assert_ptr_equal(p, sig + len);
	assert_int_equal(BN_cmp(ECDSA_SIG_get0_r(both), a), 0);
	assert_int_equal(BN_cmp(ECDSA_SIG_get0_s(both), b), 0);
	assert_int_equal(i2d_ECDSA_SIG(both, &q), (int)len);
	assert_memory_equal(sig, again, len);
	room = len;
	assert_int_equal(ecdsa_put(r, rlen, s, slen, again, &room), 0);
	room = len - 1;
	assert_int_equal(ecdsa_put(r, rlen, s, slen, again, &room), -1);
	ECDSA_SIG_free(both);
	BN_free(a);
	BN_free(b);
}

static void
signatures_are_der(void **state)
{
	static const uint8_t first[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	static const size_t size[] = { 1, 32, 48, 59, 60, 61, 62,
		66 }; /* about where a length needs a second byte */
	uint8_t r[66], s[66];

	(void)state;
	for (size_t n = 0; n < sizeof size / sizeof *size; n++)
		for (size_t i = 0; i < sizeof first; i++)
			for (size_t j = 0; j < sizeof first; j++) {
				memset(r, 0xa5, sizeof r);
				memset(s, 0x5a, sizeof s);
				r[0] = first[i];
				s[0] = first[j];
				is_der(r, size[n], s, size[n]);
			}
	memset(r, 0, sizeof r);
	is_der(r, sizeof r, s, sizeof s);
	is_der(r, 0, s, 1);
}

static void
what_is_too_long_is_refused(void **state)
{
	uint8_t part[67] = { 1 }, sig[160];
	size_t len = sizeof sig;

	(void)state;
	assert_int_equal(ecdsa_put(part, 67, part, 1, sig, &len), -1);
	assert_int_equal(ecdsa_put(part, 1, part, 67, sig, &len), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_der),
		cmocka_unit_test(what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
