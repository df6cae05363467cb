#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/b64.h"
#include "base/str.h"
#include "msg/tpm.h"

#define BLOBS 3
static struct buf blob[BLOBS];

static int
setup(void **state)
{
	char path[1024], line[4096], *text;
	size_t lead = (size_t)(strrchr(__FILE__, '/') - __FILE__);
	FILE *f;
	int n = 0;

	(void)state;
	snprintf(path, sizeof(path), "%.*s/../vectors/dps_tpm_blobs.txt", (int)lead, __FILE__);
	if ((f = fopen(path, "r")) == NULL)
		return -1;
	while (n < BLOBS && fgets(line, sizeof(line), f) != NULL) {
		if (line[0] != '#' && (text = strstr(line, ": ")) != NULL)
			n += b64_get(&blob[n], text + 2, strlen(text + 2)) == 0;
	}
	fclose(f);
	return n == BLOBS ? 0 : -1;
}

static int
teardown(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < BLOBS; i++)
		buf_free(&blob[i]);
	return 0;
}

/* Hears from a block of exactly n bytes, so that a read behind its end is seen. */
static int
hear_blob(const void *p, size_t n)
{
	struct hf_error e = { 0 };
	struct tpm_blob b;
	void *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, p, n);
	rc = tpm_get_blob(copy, n, &b, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	assert_int_equal(rc == 0, e.text[0] == '\0');
	return rc;
}

static void
real_blobs(void **state)
{
	static const size_t extra[BLOBS] = { 108, 154, 190 };
	static const size_t len[] = { 52, 256, 142, 256, 48 };
	static const uint8_t area[] = { 0, 8, 0, 0x0b, 0, 4, 4, 0x40, 0, 0, 0, 5, 0, 0x0b, 0, 0x20 };
	struct hf_error e = { 0 };
	struct buf again = { 0 };
	struct tpm_blob b;
	int i, k;

	(void)state;
	for (i = 0; i < BLOBS; i++) {
		assert_int_equal(tpm_get_blob(buf_data(&blob[i]), buf_size(&blob[i]), &b, &e), 0);
		for (k = 0; k < 5; k++)
			assert_int_equal(b.part[k].len, len[k]);
		assert_int_equal(b.part[TPM_EXTRA].len, extra[i]);
		assert_memory_equal(b.part[TPM_PUBLIC].p, area, sizeof(area));
		buf_clear(&again);
		assert_int_equal(tpm_put_blob(&again, &b), 0);
		assert_int_equal(buf_size(&again), buf_size(&blob[i]));
		assert_memory_equal(buf_data(&again), buf_data(&blob[i]), buf_size(&again));
	}
	buf_free(&again);
}

static void
blob_to_the_last_byte(void **state)
{
	struct buf longer = { 0 };
	size_t n;
	int i;

	(void)state;
	for (i = 0; i < BLOBS; i++) {
		for (n = 0; n < buf_size(&blob[i]); n++)
			assert_int_equal(hear_blob(buf_data(&blob[i]), n), HF_ERR_PROTOCOL);
		buf_clear(&longer);
		assert_int_equal(buf_put(&longer, buf_data(&blob[i]), buf_size(&blob[i])), 0);
		assert_int_equal(buf_putc(&longer, 0), 0);
		assert_int_equal(hear_blob(buf_data(&longer), buf_size(&longer)), HF_ERR_PROTOCOL);
	}
	buf_free(&longer);
}

/* Every bit of all six lengths. */
static void
blob_lengths(void **state)
{
	static const size_t at[] = { 0, 54, 312, 456, 714, 764 };
	uint8_t copy[1024];
	size_t k, n;
	int i, bit;

	(void)state;
	for (i = 0; i < BLOBS; i++) {
		n = buf_size(&blob[i]);
		memcpy(copy, buf_data(&blob[i]), n);
		for (k = 0; k < 6; k++) {
			for (bit = 0; bit < 16; bit++) {
				copy[at[k] + (size_t)bit / 8] ^= (uint8_t)(1 << bit % 8);
				assert_int_equal(hear_blob(copy, n), HF_ERR_PROTOCOL);
				copy[at[k] + (size_t)bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
		}
		assert_int_equal(hear_blob(copy, n), 0);
		copy[717] ^= 1; /* no keyed hash */
		assert_int_equal(hear_blob(copy, n), HF_ERR_PROTOCOL);
	}
}

static void
blob_bounds(void **state)
{
	static const size_t max[TPM_PARTS] = { 132, 512, 1024, 512, 512, 1024 };
	static const uint8_t bytes[1025] = { 0, 8, 0, 0x0b };
	struct tpm_blob b;
	struct buf out = { 0 };
	int i, k;

	(void)state;
	for (i = 0; i < TPM_PARTS; i++) {
		for (k = 0; k < TPM_PARTS; k++)
			b.part[k] = (struct tpm_part){ bytes, 16 };
		b.part[i].len = max[i];
		buf_clear(&out);
		assert_int_equal(tpm_put_blob(&out, &b), 0);
		assert_int_equal(hear_blob(buf_data(&out), buf_size(&out)), 0);
		b.part[i].len = max[i] + 1;
		assert_int_equal(tpm_put_blob(&out, &b), HF_ERR_ARGS);
		b.part[i].len = 0;
		buf_clear(&out);
		assert_int_equal(tpm_put_blob(&out, &b), i == TPM_EXTRA ? 0 : HF_ERR_ARGS);
	}
	buf_free(&out);
}

/* A blob of six fields, one of them of a length that put refuses to say. */
static void
blob_bounds_heard(void **state)
{
	static const size_t max[TPM_PARTS] = { 132, 512, 1024, 512, 512, 1024 };
	static const uint8_t bytes[1025] = { 0, 8, 0, 0x0b };
	struct buf out = { 0 };
	size_t n;
	int i, k;

	(void)state;
	for (i = 0; i < TPM_PARTS * 2; i++) {
		buf_clear(&out);
		for (k = 0; k < TPM_PARTS; k++) {
			n = k != i / 2 ? 16 : i % 2 == 0 ? max[k] + 1 : 0;
			assert_int_equal(buf_put16(&out, (unsigned)n), 0);
			assert_int_equal(buf_put(&out, bytes, n), 0);
		}
		assert_int_equal(
		    hear_blob(buf_data(&out), buf_size(&out)), i == 2 * TPM_EXTRA + 1 ? 0 : HF_ERR_PROTOCOL);
	}
	buf_free(&out);
}

/* The keys of the reference: modulus 80..ff, 00..7f. */
static void
put_key(struct buf *b, uint32_t attributes, int with_policy)
{
	static const uint8_t policy[] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
		0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1,
		0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
	static const uint8_t rest[] = { 0, 6, 0, 0x80, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0, 1, 0 };
	int i;

	buf_clear(b);
	assert_int_equal(buf_put16(b, with_policy ? 314 : 282), 0);
	assert_int_equal(buf_put32(b, 0x0001000b), 0);
	assert_int_equal(buf_put32(b, attributes), 0);
	assert_int_equal(buf_put16(b, with_policy ? 32 : 0), 0);
	assert_int_equal(buf_put(b, policy, with_policy ? 32 : 0), 0);
	assert_int_equal(buf_put(b, rest, sizeof(rest)), 0);
	for (i = 0; i < 256; i++)
		assert_int_equal(buf_putc(b, (uint8_t)(0x80 + i)), 0);
}

static int
hear_key(const void *p, size_t n)
{
	struct hf_error e = { 0 };
	struct tpm_public k;
	void *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, p, n);
	rc = tpm_get_public(copy, n, &k, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	assert_int_equal(rc == 0, e.text[0] == '\0');
	return rc;
}

static void
reference_keys(void **state)
{
	struct hf_error e = { 0 };
	struct buf b = { 0 };
	struct tpm_public k;
	char id[53], name[69];

	(void)state;
	put_key(&b, 0x000300b2, 1);
	assert_int_equal(buf_size(&b), 316);
	assert_int_equal(tpm_get_public(buf_data(&b), buf_size(&b), &k, &e), 0);
	assert_int_equal(k.attributes, 0x000300b2);
	assert_int_equal(k.bits, 2048);
	assert_int_equal(k.sym_bits, 128);
	assert_int_equal(k.exponent, 65537);
	assert_int_equal(k.modulus.len, 256);
	assert_ptr_equal(k.modulus.p, buf_data(&b) + 60);
	assert_int_equal(tpm_registration_id(buf_data(&b), buf_size(&b), id), 0);
	assert_string_equal(id, "p5wury36jba6tuqfhtem5opj56kgmzqdljq2qrd22pb2n6f5nahq");

	put_key(&b, 0x00030472, 0);
	assert_int_equal(buf_size(&b), 284);
	assert_int_equal(tpm_get_public(buf_data(&b), buf_size(&b), &k, &e), 0);
	str_hex(name, k.name, sizeof(k.name));
	assert_string_equal(name, "000B477995561C815C4E3B015079B6C2C303664FAC0214D4B4CB5C7EDBBE56925868");
	buf_free(&b);
}

static void
key_to_the_last_byte(void **state)
{
	struct buf b = { 0 };
	size_t n;

	(void)state;
	put_key(&b, 0x00030472, 0);
	for (n = 0; n < buf_size(&b); n++) {
		assert_int_equal(hear_key(buf_data(&b), n), HF_ERR_PROTOCOL);
		b.p[0] = n < 2 ? 0 : (uint8_t)((n - 2) >> 8); /* and with a length that agrees */
		b.p[1] = n < 2 ? 0 : (uint8_t)(n - 2);
		assert_int_equal(hear_key(buf_data(&b), n), HF_ERR_PROTOCOL);
		b.p[0] = 1;
		b.p[1] = 0x1a;
	}
	assert_int_equal(buf_putc(&b, 0), 0);
	assert_int_equal(hear_key(buf_data(&b), buf_size(&b)), HF_ERR_PROTOCOL);
	b.p[1]++;
	assert_int_equal(hear_key(buf_data(&b), buf_size(&b)), HF_ERR_PROTOCOL);
	buf_free(&b);
}

static void
other_kinds_of_key(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} row[] = {
		{ 3, 0x23 },  /* ECC */
		{ 5, 0x0c },  /* SHA-384 */
		{ 7, 2 },     /* not restricted */
		{ 7, 1 },     /* cannot decrypt */
		{ 7, 7 },     /* signs too */
		{ 11, 1 },    /* a policy that is no digest */
		{ 13, 0x10 }, /* no symmetric cipher */
		{ 15, 0xc0 }, /* AES-192 */
		{ 17, 0x44 }, /* ECB */
		{ 19, 0x14 }, /* RSASSA */
		{ 20, 0x10 }, /* 4096 bits and a modulus of 2048 */
		{ 20, 0x02 }, /* 512 bits */
		{ 25, 2 },    /* an even exponent */
		{ 25, 1 },
		{ 26, 2 }, /* a modulus longer than the key */
		{ 27, 1 },
	};
	struct buf b = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		put_key(&b, 0x00030472, 0);
		assert_int_equal(hear_key(buf_data(&b), buf_size(&b)), 0);
		b.p[row[i].at] = row[i].value;
		assert_int_equal(hear_key(buf_data(&b), buf_size(&b)), HF_ERR_PROTOCOL);
	}
	put_key(&b, 0x00030472, 0);
	b.p[25] = 3;
	assert_int_equal(hear_key(buf_data(&b), buf_size(&b)), 0);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_blobs),
		cmocka_unit_test(blob_to_the_last_byte),
		cmocka_unit_test(blob_lengths),
		cmocka_unit_test(blob_bounds),
		cmocka_unit_test(blob_bounds_heard),
		cmocka_unit_test(reference_keys),
		cmocka_unit_test(key_to_the_last_byte),
		cmocka_unit_test(other_kinds_of_key),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
