#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/err.h"

static void
keeps_the_first_cause(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, HF_ERR_NET, "cannot reach %s", "a.example"), HF_ERR_NET);
	assert_int_equal(err_set(&e, HF_ERR_IO, "later"), HF_ERR_NET);
	errno = ENOSPC;
	assert_int_equal(err_sys(&e, HF_ERR_IO, "later"), HF_ERR_NET);
	assert_int_equal(err_ssl(&e, HF_ERR_TLS, "later"), HF_ERR_NET);
	assert_int_equal(err_memory(&e), HF_ERR_NET);
	assert_int_equal(e.code, HF_ERR_NET);
	assert_string_equal(e.text, "cannot reach a.example");
}

static void
clears_everything(void **state)
{
	struct hf_error e = { .code = HF_ERR_AUTH, .status = 401, .tracking = "x", .text = "no" };

	(void)state;
	err_clear(&e);
	assert_int_equal(e.code, 0);
	assert_int_equal(e.status, 0);
	assert_string_equal(e.tracking, "");
	assert_string_equal(e.text, "");
	assert_int_equal(err_memory(&e), HF_ERR_MEMORY);
	assert_string_equal(e.text, "out of memory");
}

static void
says_what_the_system_said(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, HF_ERR_IO, "cannot open %s", "x"), HF_ERR_IO);
	assert_string_equal(e.text, "cannot open x: No such file or directory");
}

static void
cuts_the_sentence_not_the_reason(void **state)
{
	static const char reason[] = ": No such file or directory";
	struct hf_error e = { 0 };
	char path[2000];
	size_t n;

	(void)state;
	memset(path, 'p', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	errno = ENOENT;
	assert_int_equal(err_sys(&e, HF_ERR_IO, "cannot open %s", path), HF_ERR_IO);
	n = strlen(e.text);
	assert_int_equal(n, sizeof e.text - 1);
	assert_string_equal(e.text + n - strlen(reason), reason);
	err_clear(&e);
	assert_int_equal(err_set(&e, HF_ERR_IO, "%s", path), HF_ERR_IO);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void
takes_the_oldest_reason(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
	ERR_raise(ERR_LIB_EVP, EVP_R_UNSUPPORTED_CIPHER);
	assert_int_equal(err_ssl(&e, HF_ERR_KEY, "cannot read key"), HF_ERR_KEY);
	assert_string_equal(e.text, "cannot read key: bad decrypt");
	assert_int_equal(ERR_peek_error(), 0);
}

static void
empties_the_queue_even_when_set(void **state)
{
	struct hf_error e = { .code = HF_ERR_IO, .text = "first" };

	(void)state;
	ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
	assert_int_equal(err_ssl(&e, HF_ERR_KEY, "second"), HF_ERR_IO);
	assert_string_equal(e.text, "first");
	assert_int_equal(ERR_peek_error(), 0);
}

static void
knows_system_errors_of_openssl(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	ERR_raise(ERR_LIB_SYS, ECONNRESET);
	err_ssl(&e, HF_ERR_TLS, "cannot shake hands");
	assert_string_equal(e.text, "cannot shake hands: Connection reset by peer");
	err_clear(&e);
	err_ssl(&e, HF_ERR_TLS, "cannot shake hands");
	assert_string_equal(e.text, "cannot shake hands: OpenSSL gives no reason");
}

static void
tells_when_memory_was_out(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
	ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
	assert_int_equal(err_ssl(&e, HF_ERR_TLS, "cannot shake hands"), HF_ERR_MEMORY);
	assert_string_equal(e.text, "out of memory");
	assert_int_equal(ERR_peek_error(), 0);
}

static void
keeps_to_one_line(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	err_set(&e, HF_ERR_SERVICE, "DPS says: %s", "no\r\n\033[2Jforged\x7f");
	assert_string_equal(e.text, "DPS says: no   [2Jforged ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_first_cause),
		cmocka_unit_test(clears_everything),
		cmocka_unit_test(says_what_the_system_said),
		cmocka_unit_test(cuts_the_sentence_not_the_reason),
		cmocka_unit_test(takes_the_oldest_reason),
		cmocka_unit_test(empties_the_queue_even_when_set),
		cmocka_unit_test(knows_system_errors_of_openssl),
		cmocka_unit_test(tells_when_memory_was_out),
		cmocka_unit_test(keeps_to_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
