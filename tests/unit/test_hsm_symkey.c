#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/hmac.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/hsm.h"

static char path[] = "/tmp/holdfast-symkey-XXXXXX";
static struct hf_error err;

static void
put(const char *text)
{
	assert_int_equal(file_replace(path, text, strlen(text), "test file", &err), 0);
}

static int
make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int
clean(void **state)
{
	(void)state;
	return unlink(path);
}

static int
reset(void **state)
{
	(void)state;
	err_clear(&err);
	return 0;
}

static void
signs_with_the_key(void **state)
{
	/* RFC 4231, case 2 has a key of 4 bytes; case 1 has one of 20. */
	static const char want[] = "B0344C61D8DB38535CA8AFCEAF0BF12B881DC200C9833DA726E9376C2E32CFF7";
	struct hsm *h = NULL;
	uint8_t mac[32];
	char hex[65];

	(void)state;
	put("CwsLCwsLCwsLCwsLCwsLCwsLCws=\n");
	assert_int_equal(hsm_symkey_open(&h, path, NULL, "dev-1", &err), 0);
	assert_int_equal(h->kind, HSM_SYMMETRIC);
	assert_int_equal(h->blocks, 0);
	assert_string_equal(h->registration_id, "");
	assert_null(h->ops->certificate);
	assert_null(h->ops->activate);
	assert_int_equal(h->ops->hmac(h, "Hi There", 8, mac, &err), 0);
	str_hex(hex, mac, sizeof mac);
	assert_string_equal(hex, want);
	hsm_close(h);
}

static void
derives_from_the_group_key(void **state)
{
	static const uint8_t group[32] = "group-key-of-thirty-two-bytes-42";
	uint8_t own[32], want[32], mac[32], again[32];
	struct hsm *h = NULL;

	(void)state;
	put("Z3JvdXAta2V5LW9mLXRoaXJ0eS10d28tYnl0ZXMtNDI=");
	HMAC(EVP_sha256(), group, 32, (const uint8_t *)"line7-press.3", 13, own, NULL);
	HMAC(EVP_sha256(), own, 32, (const uint8_t *)"x", 1, want, NULL);
	assert_int_equal(hsm_symkey_open(&h, NULL, path, "line7-press.3", &err), 0);
	assert_int_equal(h->ops->hmac(h, "x", 1, mac, &err), 0);
	assert_memory_equal(mac, want, 32);
	hsm_close(h);
	assert_int_equal(hsm_symkey_open(&h, NULL, path, "LINE7-Press.3", &err), 0);
	assert_int_equal(h->ops->hmac(h, "x", 1, again, &err), 0);
	assert_memory_equal(again, want, 32);
	hsm_close(h);
	assert_int_equal(hsm_symkey_open(&h, NULL, path, "line7-press.4", &err), 0);
	assert_int_equal(h->ops->hmac(h, "x", 1, again, &err), 0);
	assert_memory_not_equal(again, want, 32);
	hsm_close(h);
}

/* A device's own key needs no name for the hub; a derived one does. */
static void
needs_a_name_to_derive(void **state)
{
	struct hsm *h = NULL;

	(void)state;
	put("Z3JvdXAta2V5LW9mLXRoaXJ0eS10d28tYnl0ZXMtNDI=");
	assert_int_equal(hsm_symkey_open(&h, path, NULL, NULL, &err), 0);
	hsm_close(h);
	assert_int_equal(hsm_symkey_open(&h, NULL, path, NULL, &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "--registration-id"));
	err_clear(&err);
	assert_int_equal(hsm_symkey_open(&h, NULL, path, "", &err), HF_ERR_ARGS);
	assert_null(h);
}

static void
refused(int code, const char *words, const char *id)
{
	struct hsm *h = (struct hsm *)&err;

	err_clear(&err);
	assert_int_equal(hsm_symkey_open(&h, path, NULL, id, &err), code);
	assert_null(h);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
refuses_what_is_no_key(void **state)
{
	char big[5001];

	(void)state;
	put("AAAAAAAAAAAAAAAAAAAA"); /* 15 bytes */
	refused(HF_ERR_ARGS, "15", "dev-1");
	put("AAAAAAAAAAAAAAAAAAAAAA=="); /* 16 bytes */
	refused(HF_ERR_ARGS, "a b", "a b");
	put("not base64!");
	refused(HF_ERR_ARGS, "base64", "dev-1");
	put("");
	refused(HF_ERR_ARGS, "0", "dev-1");
	memset(big, 'A', 88);
	big[88] = 0; /* 66 bytes */
	put(big);
	refused(HF_ERR_ARGS, "66", "dev-1");
	memset(big, 'A', 5000);
	big[5000] = 0;
	put(big);
	err_clear(&err);
	struct hsm *h;
	assert_true(hsm_symkey_open(&h, path, NULL, "dev-1", &err) < 0);
	err_clear(&err);
	assert_int_equal(hsm_symkey_open(&h, "/nonexistent/key", NULL, "dev-1", &err), HF_ERR_IO);
	assert_non_null(strstr(err.text, "/nonexistent/key"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(signs_with_the_key, reset),
		cmocka_unit_test_setup(derives_from_the_group_key, reset),
		cmocka_unit_test_setup(needs_a_name_to_derive, reset),
		cmocka_unit_test_setup(refuses_what_is_no_key, reset),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
