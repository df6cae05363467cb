#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hsm/tpm2.h"

static const uint8_t signs[] = { 0, 8, 0, 0x0b, 0, 4, 4, 0x40, 0, 0, 0, 5, 0, 0x0b, 0, 2, 'i', 'd' };
static const uint8_t decrypts[] = { 0, 8, 0, 0x0b, 0, 6, 4, 0x40, 0, 0, 0, 5, 0, 0x0b, 0, 2, 'i', 'd' };
static const uint8_t sealed[] = { 0, 8, 0, 0x0b, 0, 0, 4, 0x40, 0, 0, 0, 0x10, 0, 2, 'i', 'd' };

static void
put2b(struct buf *b, const void *p, size_t n)
{
	assert_int_equal(buf_put16(b, (unsigned)n), 0);
	assert_int_equal(buf_put(b, p, n), 0);
}

static void
put_blob(struct buf *b, const void *area, size_t n)
{
	put2b(b, "credential", 10);
	put2b(b, "secret", 6);
	put2b(b, "duplicate", 9);
	put2b(b, "seed", 4);
	put2b(b, area, n);
	put2b(b, "extra", 5);
}

/* In memory of exactly that size, so that a byte too far is seen. */
static int
get(const struct buf *b, size_t n, struct tpm2_parcel *k, struct hf_error *err)
{
	uint8_t *copy = malloc(n ? n : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, buf_data(b), n);
	err_clear(err);
	r = tpm2_get_parcel(k, copy, n, err);
	free(copy);
	return r;
}

static void
a_key_comes(void **state)
{
	struct hf_error err = { 0 };
	struct tpm2_parcel k;
	struct buf b = { 0 };

	(void)state;
	put_blob(&b, signs, sizeof signs);
	assert_int_equal(get(&b, buf_size(&b), &k, &err), 0);
	assert_int_equal(k.credential.size, 10);
	assert_memory_equal(k.secret.secret, "secret", 6);
	assert_memory_equal(k.duplicate.buffer, "duplicate", 9);
	assert_int_equal(k.seed.size, 4);
	assert_memory_equal(k.area.publicArea.unique.keyedHash.buffer, "id", 2);
	for (size_t n = 0; n < buf_size(&b); n++) {
		assert_int_equal(get(&b, n, &k, &err), HF_ERR_PROTOCOL);
		assert_non_null(strstr(err.text, "six fields"));
	}
	assert_int_equal(buf_putc(&b, 0), 0);
	assert_int_equal(get(&b, buf_size(&b), &k, &err), HF_ERR_PROTOCOL);
	buf_free(&b);
}

static void
another_kind_of_key(void **state)
{
	struct hf_error err = { 0 };
	struct tpm2_parcel k;
	struct buf b = { 0 };

	(void)state;
	put_blob(&b, decrypts, sizeof decrypts);
	assert_int_equal(get(&b, buf_size(&b), &k, &err), HF_ERR_PROTOCOL);
	assert_non_null(strstr(err.text, "0x00060440"));
	buf_clear(&b);
	put_blob(&b, sealed, sizeof sealed);
	assert_int_equal(get(&b, buf_size(&b), &k, &err), HF_ERR_PROTOCOL);
	assert_non_null(strstr(err.text, "sealed data"));
	buf_free(&b);
}

static void
a_key_is_kept(void **state)
{
	struct hf_error err = { 0 };
	struct tpm2_parcel k;
	struct buf b = { 0 }, kept = { 0 };
	TPM2B_PUBLIC area;
	TPM2B_PRIVATE private;

	(void)state;
	put_blob(&b, signs, sizeof signs);
	assert_int_equal(get(&b, buf_size(&b), &k, &err), 0);
	assert_int_equal(tpm2_put_wrapped(&kept, &k.area, &k.duplicate, &err), 0);
	buf_clear(&b);
	put2b(&b, signs, sizeof signs);
	put2b(&b, "duplicate", 9);
	assert_int_equal(buf_size(&kept), buf_size(&b));
	assert_memory_equal(buf_data(&kept), buf_data(&b), buf_size(&b));
	assert_int_equal(tpm2_get_wrapped(&area, &private, buf_data(&b), buf_size(&b), &err), 0);
	assert_int_equal(private.size, 9);
	assert_true(tpm2_is_hmac_key(&area));
	for (size_t n = 0; n < buf_size(&b); n++) {
		err_clear(&err);
		assert_int_equal(tpm2_get_wrapped(&area, &private, buf_data(&b), n, &err), HF_ERR_STATE);
	}
	err_clear(&err);
	b.p[b.off + 7] ^= 2; /* decrypts, too */
	assert_int_equal(tpm2_get_wrapped(&area, &private, buf_data(&b), buf_size(&b), &err), HF_ERR_STATE);
	buf_free(&b);
	buf_free(&kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_comes),
		cmocka_unit_test(another_kind_of_key),
		cmocka_unit_test(a_key_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
