/* The service's key blob with any one bit turned over: the TPM takes none of it, and what it held before is untouched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/hmac.h>
#include "emulator.h"
#include "hsm/hsm.h"
#include "tests/swtpm.h"
#include "tests/tap.h"

enum { EXTRA_AT = 764 }; /* where the sixth field begins */
static char dir[] = "/tmp/holdfast-tamper-XXXXXX", tcti[200];
static pid_t chip;
static size_t share, shares = 1; /* this process looks at bits share, share + shares, ... */
static struct hsm *h;
static struct buf ek, srk, blob, wrapped;
static const uint8_t old_key[32] = "the key that was there before ..",
		     new_key[32] = "the key that the service sends .";
static struct hf_error err;

#define OK(call)                                                                                             \
	do {                                                                                                 \
		if ((call) != 0)                                                                             \
			fail_msg("%s: %s", #call, err.text);                                                 \
	} while (0)

static int
make(void **state)
{
	struct hsm_settings s = { .tpm = tcti };

	(void)state;
	if (!mkdtemp(dir) || (chip = swtpm_start(dir, tcti, sizeof tcti)) <= 0)
		return -1;
	return hsm_open(&h, &s, &err);
}

static int
clean(void **state)
{
	(void)state;
	hsm_close(h);
	swtpm_stop(chip);
	swtpm_remove(dir);
	buf_free(&ek);
	buf_free(&srk);
	buf_free(&blob);
	buf_free(&wrapped);
	return 0;
}

static void
make_blob(const uint8_t key[32])
{
	buf_clear(&blob);
	OK(attest_tpm_blob(
	    &blob, buf_data(&ek), buf_size(&ek), buf_data(&srk), buf_size(&srk), key, "a.hub/dev", &err));
}

static int
activate(void)
{
	buf_clear(&wrapped);
	return h->ops->activate(h, buf_data(&blob), buf_size(&blob), &wrapped, &err);
}

static void
signs_with(const uint8_t key[32])
{
	uint8_t mac[32], want[32];

	OK(h->ops->hmac(h, "hello", 5, mac, &err));
	HMAC(EVP_sha256(), key, 32, (const uint8_t *)"hello", 5, want, NULL);
	assert_memory_equal(mac, want, 32);
}

static void
nothing_is_left(void)
{
	assert_int_equal(tap_handles(TAP_TRANSIENT), 0);
	assert_int_equal(tap_handles(TAP_SESSIONS), 0);
	assert_int_equal(tap_handles(TAP_PERSISTENT), 3);
}

static void
turn(size_t bit)
{
	blob.p[blob.off + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* Content of the sixth field is the service's own business: taken without a look. */
static void
taken(size_t bit)
{
	if (activate() != 0)
		fail_msg("bit %zu: %s", bit, err.text);
	signs_with(new_key);
	h->ops->forget(h);
}

static void
refused(size_t bit)
{
	int rc = activate();

	if (rc != HF_ERR_KEY && rc != HF_ERR_PROTOCOL)
		fail_msg("bit %zu: %d", bit, rc);
	assert_int_equal(buf_size(&wrapped), 0);
	err_clear(&err);
}

static void
every_bit(void **state)
{
	size_t bits;

	(void)state;
	OK(h->ops->identity(h, 1, &ek, &srk, &err));
	make_blob(old_key);
	OK(activate());
	OK(h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err));
	make_blob(new_key);
	bits = 8 * buf_size(&blob);
	assert_int_equal(bits, 8 * (EXTRA_AT + 2 + 9));
	for (size_t bit = share; bit < bits; bit += shares) {
		turn(bit);
		if (bit < 8 * (EXTRA_AT + 2))
			refused(bit);
		else
			taken(bit);
		turn(bit);
		if (bit / shares % 64 == 0) {
			signs_with(old_key);
			nothing_is_left();
		}
	}
	signs_with(old_key);
	nothing_is_left();
	taken(bits); /* and the blob as it came is good */
	nothing_is_left();
}

static void
every_length(void **state)
{
	struct buf whole = { 0 };

	(void)state;
	OK(buf_put(&whole, buf_data(&blob), buf_size(&blob)));
	for (size_t n = 0; n < buf_size(&whole); n++) {
		buf_clear(&blob);
		OK(buf_put(&blob, buf_data(&whole), n));
		refused(n);
	}
	buf_clear(&blob);
	OK(buf_put(&blob, buf_data(&whole), buf_size(&whole)));
	OK(buf_putc(&blob, 0));
	refused(buf_size(&blob));
	nothing_is_left();
	buf_free(&whole);
}

/* Six thousand times two RSA operations: on all processors, each with a TPM of its own. */
int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_bit), cmocka_unit_test(every_length) };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t child[4] = { 0 };
	int status, bad = 0;

	shares = processors < 1 ? 1 : processors > 4 ? 4 : (size_t)processors;
	for (size_t i = 1; i < shares; i++) {
		child[i] = fork();
		if (child[i] < 0)
			return 1;
		if (child[i] == 0) {
			share = i;
			return cmocka_run_group_tests(tests, make, clean);
		}
	}
	bad = cmocka_run_group_tests(tests, make, clean);
	for (size_t i = 1; i < shares; i++)
		bad += waitpid(child[i], &status, 0) != child[i] || status != 0;
	return bad;
}
