#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
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
	char hex[65];

	(void)state;
	assert_int_equal(hsm_open(&h, &s, &err), 0);
	assert_int_equal(h->kind, HSM_TPM);
	assert_int_equal(h->blocks, 1);
	assert_int_equal(hsm_fingerprint(h, hex, &err), HF_ERR_STATE);
	err_clear(&err);
	assert_int_equal(h->ops->identity(h, 0, &ek, &srk, &err), HF_ERR_KEY);
	assert_non_null(strstr(err.text, "swtpm:path=/nonexistent/tpm"));
	hsm_close(h);
	hsm_close(NULL);
}

static void
lives_as_long_as_it_is_held(void **state)
{
	char path[] = "/tmp/holdfast-open-XXXXXX", one[65], two[65], uri[64];
	const struct hsm_settings device = { .symmetric_key = path, .registration_id = "dev-1" };
	const struct hsm_settings group = { .group_key = path, .registration_id = "dev-1" };
	struct hf_error err = { 0 };
	struct hsm *h = NULL;
	uint8_t mac[32];
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "CwsLCwsLCwsLCwsLCwsLCwsLCws=", 28), 28);
	close(fd);
	assert_int_equal(hsm_open(&h, &device, &err), 0);
	assert_int_equal(hsm_fingerprint(h, one, &err), 0);
	assert_ptr_equal(hsm_hold(h), h);
	hsm_close(h);
	assert_int_equal(h->ops->hmac(h, "x", 1, mac, &err), 0);
	hsm_close(h);
	snprintf(uri, sizeof uri, "symkey:%s", path);
	assert_int_equal(
	    hsm_open(&h, &(struct hsm_settings){ .key = uri, .registration_id = "dev-1" }, &err), 0);
	assert_int_equal(h->kind, HSM_SYMMETRIC);
	assert_int_equal(hsm_fingerprint(h, two, &err), 0);
	assert_string_equal(one, two);
	hsm_close(h);
	assert_int_equal(hsm_open(&h, &group, &err), 0);
	assert_int_equal(hsm_fingerprint(h, two, &err), 0);
	assert_string_not_equal(one, two);
	assert_int_equal(strlen(two), 64);
	hsm_close(h);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wants_exactly_one),
		cmocka_unit_test(picks_the_backend),
		cmocka_unit_test(opens_a_tpm_lazily),
		cmocka_unit_test(lives_as_long_as_it_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
