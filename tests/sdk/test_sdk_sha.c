#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "azure_c_shared_utility/buffer_.h"
#include "azure_c_shared_utility/hmacsha256.h"
#include "azure_c_shared_utility/sha.h"

static const EVP_MD *
md(int which)
{
	static const char *const names[] = { "SHA1", "SHA224", "SHA256", "SHA384", "SHA512" };

	return EVP_get_digestbyname(names[which]);
}

static int
hash_by_openssl(int which, const void *p, size_t n, uint8_t *digest)
{
	unsigned size = 0;

	assert_int_equal(EVP_Digest(p, n, digest, &size, md(which), NULL), 1);
	return (int)size;
}

static int
hmac_by_openssl(int which, const void *p, size_t n, const void *key, size_t key_n, uint8_t *digest)
{
	unsigned size = 0;

	assert_non_null(HMAC(md(which), key, (int)key_n, p, n, digest, &size));
	return (int)size;
}

static const uint8_t *
text(const char *s)
{
	return (const uint8_t *)s;
}

static void
fill(uint8_t *p, size_t n)
{
	uint32_t seed = 7;

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
}

/* Every length about the blocks' ends, whole and in two pieces. */
static void
hashes_as_openssl(void **state)
{
	uint8_t message[300], ours[USHAMaxHashSize], theirs[USHAMaxHashSize];
	USHAContext c;
	int size;

	(void)state;
	fill(message, sizeof(message));
	for (int which = SHA1; which <= SHA512; which++)
		for (unsigned n = 0; n <= sizeof(message); n++) {
			size = hash_by_openssl(which, message, n, theirs);
			assert_int_equal(size, USHAHashSize((SHAversion)which));
			assert_int_equal(USHAReset(&c, (SHAversion)which), shaSuccess);
			assert_int_equal(USHAInput(&c, message, n / 3), shaSuccess);
			assert_int_equal(USHAInput(&c, message + n / 3, n - n / 3), shaSuccess);
			assert_int_equal(USHAResult(&c, ours), shaSuccess);
			assert_memory_equal(ours, theirs, size);
		}
}

static void
has_each_by_name(void **state)
{
	uint8_t ours[USHAMaxHashSize], theirs[USHAMaxHashSize];
	SHA1Context c1;
	SHA224Context c224;
	SHA256Context c256;
	SHA384Context c384;
	SHA512Context c512;

	(void)state;
#define SAME(N)                                                                                              \
	assert_int_equal(SHA##N##Reset(&c##N) | SHA##N##Input(&c##N, text("abc"), 3) |                       \
			     SHA##N##Result(&c##N, ours) | SHA##N##Result(&c##N, ours),                      \
	    shaSuccess);                                                                                     \
	assert_memory_equal(ours, theirs, hash_by_openssl(SHA##N, "abc", 3, theirs));                        \
	assert_int_equal(SHA##N##Input(&c##N, text("abc"), 3), shaStateError);                               \
	assert_int_equal(SHA##N##Result(&c##N, ours), shaStateError);                                        \
	assert_int_equal(SHA##N##Reset(NULL), shaNull);                                                      \
	assert_int_equal(SHA##N##Input(NULL, text("a"), 1), shaNull);                                        \
	assert_int_equal(SHA##N##FinalBits(NULL, 0, 1), shaNull);                                            \
	assert_int_equal(SHA##N##Result(NULL, ours), shaNull);                                               \
	assert_int_equal(SHA##N##Reset(&c##N) | SHA##N##FinalBits(&c##N, 0xff, 0), shaSuccess);              \
	assert_int_equal(SHA##N##Result(&c##N, NULL), shaNull);                                              \
	assert_int_equal(SHA##N##Input(&c##N, NULL, 1), shaNull);                                            \
	assert_int_equal(SHA##N##FinalBits(&c##N, 0, 8), shaBadParam)
	SAME(1);
	SAME(224);
	SAME(256);
	SAME(384);
	SAME(512);
}

/* RFC 6234's messages of 5 bits. */
static void
hashes_bits(void **state)
{
	static const uint8_t sha1[] = { 0x29, 0x82, 0x6b, 0x00, 0x3b, 0x90, 0x6e, 0x66, 0x0e, 0xff, 0x40,
		0x27, 0xce, 0x98, 0xaf, 0x35, 0x31, 0xac, 0x75, 0xba };
	static const uint8_t sha256[] = { 0xd6, 0xd3, 0xe0, 0x2a, 0x31, 0xa8, 0x4a, 0x8c, 0xaa, 0x97, 0x18,
		0xed, 0x6c, 0x20, 0x57, 0xbe, 0x09, 0xdb, 0x45, 0xe7, 0x82, 0x3e, 0xb5, 0x07, 0x9c, 0xe7,
		0xa5, 0x73, 0xa3, 0x76, 0x0f, 0x95 };
	uint8_t digest[SHA256HashSize];
	SHA1Context c;
	SHA256Context d;

	(void)state;
	SHA1Reset(&c);
	assert_int_equal(SHA1FinalBits(&c, 0x98, 5), shaSuccess);
	assert_int_equal(SHA1Result(&c, digest), shaSuccess);
	assert_memory_equal(digest, sha1, sizeof(sha1));
	assert_int_equal(SHA1FinalBits(&c, 0x98, 5), shaStateError);
	SHA256Reset(&d);
	assert_int_equal(SHA256FinalBits(&d, 0x68, 5), shaSuccess);
	assert_int_equal(SHA256Result(&d, digest), shaSuccess);
	assert_memory_equal(digest, sha256, sizeof(sha256));
}

static void
knows_too_long(void **state)
{
	SHA256Context c;
	SHA512Context d;

	(void)state;
	SHA256Reset(&c);
	c.Length_High = c.Length_Low = UINT32_MAX;
	assert_int_equal(SHA256Input(&c, text("a"), 1), shaInputTooLong);
	SHA512Reset(&d);
	d.Length_High = d.Length_Low = UINT64_MAX;
	assert_int_equal(SHA512Input(&d, text("a"), 1), shaInputTooLong);
	assert_int_equal(SHA512Input(&d, text("a"), 1), shaInputTooLong);
}

static void
makes_hmacs(void **state)
{
	uint8_t message[200], key[200], ours[USHAMaxHashSize], theirs[USHAMaxHashSize];
	HMACContext c;

	(void)state;
	fill(message, sizeof(message));
	fill(key, sizeof(key));
	for (int which = SHA1; which <= SHA512; which++)
		for (int n = 1; n <= 200; n += 7) {
			int size = hmac_by_openssl(which, message, (size_t)n, key, (size_t)n, theirs);

			assert_int_equal(hmac((SHAversion)which, message, n, key, n, ours), shaSuccess);
			assert_memory_equal(ours, theirs, size);
			assert_int_equal(hmacReset(&c, (SHAversion)which, key, n), shaSuccess);
			assert_int_equal(hmacInput(&c, message, n / 2), shaSuccess);
			assert_int_equal(hmacInput(&c, message + n / 2, n - n / 2), shaSuccess);
			assert_int_equal(hmacResult(&c, ours), shaSuccess);
			assert_memory_equal(ours, theirs, size);
		}
	assert_int_equal(
	    hmacReset(&c, SHA256, key, 4) | hmacFinalBits(&c, 0x80, 1) | hmacResult(&c, ours), shaSuccess);
	assert_int_equal(hmacReset(NULL, SHA256, key, 1), shaNull);
	assert_int_equal(hmacReset(&c, SHA256, NULL, 1), shaNull);
	assert_int_equal(hmacReset(&c, SHA256, key, -1), shaBadParam);
	assert_int_equal(hmacReset(&c, (SHAversion)9, key, 1), shaBadParam);
	assert_int_equal(hmacInput(NULL, key, 1), shaNull);
	assert_int_equal(hmacFinalBits(NULL, 0, 1), shaNull);
	assert_int_equal(hmacResult(NULL, ours), shaNull);
}

static void
knows_no_other_hash(void **state)
{
	USHAContext c;
	uint8_t digest[USHAMaxHashSize];

	(void)state;
	assert_int_equal(USHAReset(NULL, SHA1), shaNull);
	assert_int_equal(USHAReset(&c, (SHAversion)5), shaBadParam);
	assert_int_equal(USHAInput(&c, text("a"), 1), shaBadParam);
	assert_int_equal(USHAFinalBits(&c, 0, 1), shaBadParam);
	assert_int_equal(USHAResult(&c, digest), shaBadParam);
	assert_int_equal(USHAInput(NULL, text("a"), 1), shaNull);
	assert_int_equal(USHABlockSize((SHAversion)5), 0);
	assert_int_equal(USHABlockSize(SHA384), 128);
	assert_int_equal(USHAHashSizeBits(SHA224), 224);
	assert_int_equal(USHAHashSizeBits((SHAversion)-1), 0);
}

static void
hmacs_into_a_buffer(void **state)
{
	BUFFER_HANDLE b = BUFFER_new();
	uint8_t theirs[USHAMaxHashSize];

	(void)state;
	assert_int_equal(HMACSHA256_ComputeHash(text("key"), 3, text("text"), 4, b), HMACSHA256_OK);
	assert_int_equal(BUFFER_length(b), 32);
	assert_memory_equal(BUFFER_u_char(b), theirs, hmac_by_openssl(SHA256, "text", 4, "key", 3, theirs));
	assert_int_equal(HMACSHA256_ComputeHash(NULL, 3, text("text"), 4, b), HMACSHA256_INVALID_ARG);
	assert_int_equal(HMACSHA256_ComputeHash(text("key"), 0, text("text"), 4, b), HMACSHA256_INVALID_ARG);
	assert_int_equal(HMACSHA256_ComputeHash(text("key"), 3, NULL, 4, b), HMACSHA256_INVALID_ARG);
	assert_int_equal(HMACSHA256_ComputeHash(text("key"), 3, text("text"), 0, b), HMACSHA256_INVALID_ARG);
	assert_int_equal(
	    HMACSHA256_ComputeHash(text("key"), 3, text("text"), 4, NULL), HMACSHA256_INVALID_ARG);
	BUFFER_delete(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_as_openssl),
		cmocka_unit_test(has_each_by_name),
		cmocka_unit_test(hashes_bits),
		cmocka_unit_test(knows_too_long),
		cmocka_unit_test(makes_hmacs),
		cmocka_unit_test(knows_no_other_hash),
		cmocka_unit_test(hmacs_into_a_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
