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

static void
guids(void **state)
{
	char a[37], b[37];
	size_t i;

	(void)state;
	guid_new(a);
	guid_new(b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 36);
	for (i = 0; i < 36; i++)
		assert_non_null(
		    strchr(i == 8 || i == 13 || i == 18 || i == 23 ? "-" : "0123456789abcdef", a[i]));
	assert_int_equal(a[14], '4');
}

static void
tags(void **state)
{
	struct buf plain = { 0 };
	char etag[128], other[128], quoted[140];

	(void)state;
	etag_new(etag);
	etag_new(other);
	assert_int_equal(b64_get(&plain, etag, strlen(etag)), 0);
	assert_int_equal(buf_size(&plain), 38);
	assert_int_equal(buf_data(&plain)[0], '"');
	assert_true(etag_matches(etag, "*"));
	assert_true(etag_matches(etag, "\"*\""));
	assert_true(etag_matches(etag, etag));
	assert_true(etag_matches(etag, buf_str(&plain)));
	snprintf(quoted, sizeof quoted, "\"%s\"", etag);
	assert_true(etag_matches(etag, quoted));
	plain.p[plain.len - 1] = '\0';
	assert_true(etag_matches(etag, (char *)plain.p + 1));
	assert_false(etag_matches(etag, other));
	assert_false(etag_matches(etag, ""));
	assert_false(etag_matches(etag, "\""));
	assert_false(etag_matches("", "x"));
	buf_free(&plain);
}

static void
refusals(void **state)
{
	struct hf_error err = { 0 };

	(void)state;
	assert_int_equal(refuse(&err, 401002, "no %s", "way"), HF_ERR_AUTH);
	assert_int_equal(err.status, 401);
	assert_int_equal(err.service, 401002);
	assert_string_equal(err.text, "no way");
	assert_int_equal(refuse(&err, 500001, "later"), HF_ERR_AUTH);
	assert_int_equal(err.service, 401002);
	assert_string_equal(err.text, "no way");
	err = (struct hf_error){ 0 };
	assert_int_equal(refuse(&err, 400004, "bad"), HF_ERR_SERVICE);
	err = (struct hf_error){ 0 };
	err_set(&err, HF_ERR_IO, "disk");
	assert_int_equal(refuse(&err, 401002, "no"), HF_ERR_IO);
	assert_int_equal(err.service, 0);
	assert_int_equal(refuse_as(&err, 500001), HF_ERR_IO);
	assert_int_equal(err.status, 500);
	assert_int_equal(refuse_as(&err, 401002), HF_ERR_IO);
	assert_int_equal(err.status, 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guids),
		cmocka_unit_test(tags),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
