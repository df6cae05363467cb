#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "hsm/hsm.h"

static void
refused(const struct hsm_settings *s, int code, const char *words)
{
	struct hf_error err = { 0 };
	struct hsm *h = (struct hsm *)&err;

	assert_int_equal(hsm_open(&h, s, &err), code);
	assert_null(h);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
wants_exactly_one(void **state)
{
	const struct hsm_settings none = { .registration_id = "dev-1" };
	const struct hsm_settings two = { .tpm = "", .cert = "c.pem", .key = "k.pem" };
	const struct hsm_settings keys = {
		.symmetric_key = "a", .group_key = "b", .registration_id = "dev-1"
	};
	const struct hsm_settings all = { .tpm = "", .cert = "c", .symmetric_key = "a", .group_key = "b" };

	(void)state;
	refused(&none, HF_ERR_ARGS, "no identity");
	refused(&two, HF_ERR_ARGS, "2 are given: --tpm --cert/--key;");
	refused(&keys, HF_ERR_ARGS, "2 are given: --symmetric-key --group-key;");
	refused(&all, HF_ERR_ARGS, "4 are given");
}

static void
picks_the_backend(void **state)
{
	const struct hsm_settings cert = { .cert = "/nonexistent/c.pem", .key = "k.pem" };
	const struct hsm_settings half = { .key = "k.pem" };
	const struct hsm_settings device = { .symmetric_key = "/nonexistent/key",
		.registration_id = "dev-1" };
	const struct hsm_settings group = { .group_key = "/nonexistent/group", .registration_id = "dev-1" };
	const struct hsm_settings handle = { .tpm = "", .ek_handle = "0x40000001" };

	(void)state;
	refused(&cert, HF_ERR_IO, "/nonexistent/c.pem");
	refused(&half, HF_ERR_ARGS, "--cert is missing");
	refused(&device, HF_ERR_IO, "/nonexistent/key");
	refused(&group, HF_ERR_IO, "/nonexistent/group");
	refused(&handle, HF_ERR_ARGS, "--ek-handle");
}

static void
opens_a_tpm_lazily(void **state)
{
	const struct hsm_settings s = { .tpm = "swtpm:path=/nonexistent/tpm" };
	struct hf_error err = { 0 };
	struct buf ek = { 0 }, srk = { 0 };
	struct hsm *h = NULL;

	(void)state;
	assert_int_equal(hsm_open(&h, &s, &err), 0);
	assert_int_equal(h->kind, HSM_TPM);
	assert_int_equal(h->blocks, 1);
	assert_int_equal(h->ops->identity(h, 0, &ek, &srk, &err), HF_ERR_KEY);
	assert_non_null(strstr(err.text, "swtpm:path=/nonexistent/tpm"));
	hsm_close(h);
	hsm_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wants_exactly_one),
		cmocka_unit_test(picks_the_backend),
		cmocka_unit_test(opens_a_tpm_lazily),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
