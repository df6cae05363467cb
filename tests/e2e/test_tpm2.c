#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <tss2/tss2_tpm2_types.h>
#include "base/b64.h"
#include "base/file.h"
#include "emulator.h"
#include "hsm/hsm.h"
#include "msg/tpm.h"
#include "tests/swtpm.h"
#include "tests/tap.h"

static char dir[] = "/tmp/holdfast-tpm2-XXXXXX", tcti[200];
static pid_t chip;
static struct buf ek, srk; /* of the TPM, once they are persistent */
static struct hf_error err;

#define OK(call)                                                                                             \
	do {                                                                                                 \
		if ((call) != 0)                                                                             \
			fail_msg("%s: %s", #call, err.text);                                                 \
	} while (0)

static void
says(const char *words)
{
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

/* A stranger's command, of tpm2-tools, with nobody else at the TPM. */
static void
tool(const char *fmt, ...)
{
	char args[300], line[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof args, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line, "cd %s && TPM2TOOLS_TCTI=%s tpm2_%s >/dev/null", dir, tcti, args);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static struct hsm *
open_with(struct hsm_settings s)
{
	struct hsm *h = NULL;

	err_clear(&err);
	s.tpm = tcti;
	OK(hsm_open(&h, &s, &err));
	return h;
}

static struct hsm *
open_tpm(void)
{
	return open_with((struct hsm_settings){ 0 });
}

static void
clean_inside(void)
{
	assert_int_equal(tap_handles(TAP_TRANSIENT), 0);
	assert_int_equal(tap_handles(TAP_SESSIONS), 0);
}

static void
make_blob(struct buf *blob, uint8_t key[32])
{
	RAND_bytes(key, 32);
	OK(attest_tpm_blob(
	    blob, buf_data(&ek), buf_size(&ek), buf_data(&srk), buf_size(&srk), key, "hub/dev", &err));
}

static int
signs_with(struct hsm *h, const uint8_t key[32], size_t n)
{
	static uint8_t data[8192];
	uint8_t mac[32], want[32];

	RAND_bytes(data, (int)n);
	OK(h->ops->hmac(h, data, n, mac, &err));
	HMAC(EVP_sha256(), key, 32, data, n, want, NULL);
	return memcmp(mac, want, 32) == 0;
}

static void
activate(struct hsm *h, uint8_t key[32], struct buf *wrapped)
{
	struct buf blob = { 0 };

	make_blob(&blob, key);
	OK(h->ops->activate(h, buf_data(&blob), buf_size(&blob), wrapped, &err));
	buf_free(&blob);
}

static void
keep_new(struct hsm *h, uint8_t key[32])
{
	struct buf wrapped = { 0 };

	activate(h, key, &wrapped);
	OK(h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err));
	buf_free(&wrapped);
}

static int
make(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	chip = swtpm_start(dir, tcti, sizeof tcti);
	return chip > 0 ? 0 : -1;
}

static int
clean(void **state)
{
	(void)state;
	swtpm_stop(chip);
	swtpm_remove(dir);
	buf_free(&ek);
	buf_free(&srk);
	return 0;
}

static void
identity_leaves_nothing(void **state)
{
	struct buf a = { 0 }, b = { 0 }, file = { 0 };
	struct tpm_public pub;
	struct hsm *h = open_tpm();
	char id[53], path[300];

	(void)state;
	assert_string_equal(h->registration_id, "");
	assert_int_equal(h->ops->has_key(h, &err), 0);
	OK(h->ops->identity(h, 0, &ek, &srk, &err));
	assert_int_equal(buf_size(&ek), 316);
	assert_int_equal(buf_size(&srk), 284);
	OK(tpm_get_public(buf_data(&ek), buf_size(&ek), &pub, &err));
	assert_int_equal(pub.attributes, 0x000300b2);
	OK(tpm_registration_id(buf_data(&ek), buf_size(&ek), id));
	assert_string_equal(h->registration_id, id);
	assert_memory_equal(h->fingerprint, pub.name + 2, 32);
	OK(tpm_get_public(buf_data(&srk), buf_size(&srk), &pub, &err));
	assert_int_equal(pub.attributes, 0x00030472);
	clean_inside();
	assert_int_equal(tap_handles(TAP_PERSISTENT), 0);
	hsm_close(h);

	/* tpm2-tools follows the same TCG template. */
	tool("createek -G rsa -c ek.ctx -f tss -u ek.pub");
	tool("flushcontext -t");
	snprintf(path, sizeof path, "%s/ek.pub", dir);
	OK(file_read(&file, path, 4096, "public key", &err));
	assert_int_equal(buf_size(&file), buf_size(&ek));
	assert_memory_equal(buf_data(&file), buf_data(&ek), buf_size(&ek));

	h = open_with((struct hsm_settings){ .ek_template = "sdk" });
	OK(h->ops->identity(h, 0, &a, &b, &err));
	assert_int_equal(buf_size(&a), 316);
	assert_memory_not_equal(buf_data(&a), buf_data(&ek), 316);
	assert_memory_equal(buf_data(&b), buf_data(&srk), 284);
	hsm_close(h);
	buf_free(&a);
	buf_free(&b);
	buf_free(&file);
}

static void
identity_persists(void **state)
{
	struct buf a = { 0 }, b = { 0 };
	struct hsm *h = open_tpm();

	(void)state;
	OK(h->ops->identity(h, 1, &a, &b, &err));
	assert_memory_equal(buf_data(&a), buf_data(&ek), 316);
	assert_memory_equal(buf_data(&b), buf_data(&srk), 284);
	assert_int_equal(tap_handles(TAP_PERSISTENT), 2);
	clean_inside();
	hsm_close(h);
	buf_clear(&a);
	buf_clear(&b);
	h = open_with((struct hsm_settings){ .ek_template = "sdk" }); /* the one that is there wins */
	tap.generated = 0;
	OK(h->ops->identity(h, 1, &a, &b, &err));
	assert_memory_equal(buf_data(&a), buf_data(&ek), 316);
	assert_int_equal(tap.generated, 0);
	hsm_close(h);
	buf_free(&a);
	buf_free(&b);
}

static void
signs_any_length(void **state)
{
	static const size_t sizes[] = { 0, 1, 64, 255, 256, 257, 1023, 1024, 1025, 2048, 2049, 5000 };
	struct buf wrapped = { 0 };
	struct hsm *h = open_tpm();
	uint8_t key[32], mac[32];

	(void)state;
	assert_int_equal(h->ops->hmac(h, "x", 1, mac, &err), HF_ERR_KEY);
	says("TPM handle 0x81000100: no such object (0x18b)");
	err_clear(&err);
	activate(h, key, &wrapped);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_true(signs_with(h, key, sizes[i]));
	assert_int_equal(tap_handles(TAP_TRANSIENT), 1);
	h->ops->forget(h);
	h->ops->forget(h);
	clean_inside();
	assert_int_equal(h->ops->hmac(h, "x", 1, mac, &err), HF_ERR_KEY);
	err_clear(&err);

	/* a wrapped key survives in a file: another process makes it persistent */
	hsm_close(h);
	h = open_tpm();
	OK(h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err));
	OK(h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err)); /* kept already */
	clean_inside();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_true(signs_with(h, key, sizes[i]));
	hsm_close(h);
	h = open_tpm();
	assert_int_equal(h->ops->has_key(h, &err), 1);
	assert_true(signs_with(h, key, 100));
	hsm_close(h);
	buf_free(&wrapped);
}

/* With everything in place: two keys from the service, the second one kept in place of an old one. */
static void
onboarding_is_lean(void **state)
{
	struct buf a = { 0 }, b = { 0 }, wrapped = { 0 };
	uint8_t nonce[32], key[32];
	struct hsm *h = open_tpm();

	(void)state;
	memset(&tap, 0, sizeof tap);
	OK(h->ops->identity(h, 1, &a, &b, &err));
	activate(h, nonce, &wrapped);
	assert_true(signs_with(h, nonce, 200));
	buf_clear(&wrapped);
	activate(h, key, &wrapped);
	OK(h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err));
	assert_true(signs_with(h, key, 200));
	printf("onboarding: %d TPM commands, %d RSA operations:", tap.commands, tap.rsa);
	for (int i = 0; i < tap.commands; i++)
		printf(" %s", tap_name(tap.code[i]));
	printf("\n");
	assert_in_range(tap.commands, 1, 22);
	assert_int_equal(tap.rsa, 4);
	assert_int_equal(tap.generated, 0);
	clean_inside();
	assert_int_equal(tap_handles(TAP_PERSISTENT), 3);
	hsm_close(h);
	buf_free(&a);
	buf_free(&b);
	buf_free(&wrapped);
}

/* identity, activate, keep; `wrapped` has the key if it came so far. */
static int
onboard(struct hsm *h, uint8_t key[32], struct buf *wrapped)
{
	struct buf a = { 0 }, b = { 0 }, blob = { 0 };
	int rc;

	make_blob(&blob, key);
	buf_clear(wrapped);
	rc = h->ops->identity(h, 1, &a, &b, &err);
	if (rc == 0)
		rc = h->ops->activate(h, buf_data(&blob), buf_size(&blob), wrapped, &err);
	if (rc == 0)
		rc = h->ops->keep(h, buf_data(wrapped), buf_size(wrapped), &err);
	buf_free(&a);
	buf_free(&b);
	buf_free(&blob);
	return rc;
}

/* Every command of an onboarding fails once: the TPM is left clean, and the old key stays at its handle; but for the
 * moment between the two evictions, when the wrapped one can still be kept. */
static void
any_command_may_fail(void **state)
{
	struct buf wrapped = { 0 };
	uint8_t old[32], key[32];
	struct hsm *h = open_tpm();
	int rc = -1, evictions = 0, bare;

	(void)state;
	keep_new(h, old);
	for (int i = 1; rc != 0; i++) {
		hsm_close(h);
		tool("flushcontext -t"); /* a FlushContext that failed */
		h = open_tpm();
		tap = (struct tap){ .fail_at = i, .fail_count = 1, .fail_with = 0x101 };
		rc = onboard(h, key, &wrapped);
		assert_in_range(tap.commands, i - 1, 22);
		bare = tap.code[i - 1] == TPM2_CC_EvictControl && ++evictions == 2;
		if (rc == 0 && tap.code[i - 1] == TPM2_CC_FlushContext)
			rc = -1;
		else if (rc < 0)
			says("0x101");
		err_clear(&err);
		tap = (struct tap){ 0 };
		h->ops->forget(h);
		if (rc == 0 || buf_size(&wrapped) == 0) {
			clean_inside();
			assert_true(signs_with(h, rc == 0 ? key : old, 50));
			continue;
		}
		assert_int_equal(h->ops->has_key(h, &err), !bare);
		OK(h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err));
		assert_true(signs_with(h, key, 50));
		memcpy(old, key, 32);
	}
	assert_int_equal(evictions, 2);
	hsm_close(h);
	buf_free(&wrapped);
}

/* The connection is cut at every command: the next try connects anew and gets through. */
static void
any_command_may_be_cut_off(void **state)
{
	struct buf wrapped = { 0 };
	struct hsm *h;
	uint8_t key[32];
	int rc = -1;

	(void)state;
	for (int i = 1; rc != 0; i++) {
		h = open_tpm();
		tap = (struct tap){ .fail_at = i, .fail_count = 1 };
		rc = onboard(h, key, &wrapped);
		if (rc == 0 && tap.commands >= i) /* the last one is a flush */
			rc = -1;
		err_clear(&err);
		tap = (struct tap){ 0 };
		OK(onboard(h, key, &wrapped));
		assert_true(signs_with(h, key, 50));
		hsm_close(h);
		tool("flushcontext -t"); /* what no resource manager has cleared away */
		tool("flushcontext -l");
	}
	buf_free(&wrapped);
}

/* A TPM may ask to be asked again; and it may have been switched on without a TPM2_Startup. */
static void
asks_again(void **state)
{
	struct hsm *h = open_tpm();
	uint8_t key[32];

	(void)state;
	keep_new(h, key);
	tap = (struct tap){ .fail_at = 1, .fail_count = 2, .fail_with = TPM2_RC_RETRY };
	assert_true(signs_with(h, key, 50));
	assert_int_equal(tap.commands, 3);
	tap = (struct tap){ 0 };
	hsm_close(h);
	swtpm_stop(chip);
	chip = swtpm_start_raw(dir, tcti, sizeof tcti);
	assert_true(chip > 0);
	h = open_tpm();
	assert_int_equal(h->ops->has_key(h, &err), 1);
	assert_true(signs_with(h, key, 50));
	hsm_close(h);
}

/* The TPM goes away and comes back: one call fails, the next one connects anew, and an active key is loaded again. */
static void
connects_anew(void **state)
{
	struct buf wrapped = { 0 };
	struct hsm *h = open_tpm(), *other = open_tpm();
	uint8_t kept[32], active[32], mac[32];

	(void)state;
	keep_new(h, kept);
	activate(h, active, &wrapped);
	assert_true(signs_with(other, kept, 20));
	swtpm_stop(chip);
	assert_int_equal(h->ops->hmac(h, "x", 1, mac, &err), HF_ERR_KEY);
	err_clear(&err);
	assert_int_equal(h->ops->hmac(h, "x", 1, mac, &err), HF_ERR_KEY);
	says("is it running");
	err_clear(&err);
	chip = swtpm_start(dir, tcti, sizeof tcti);
	assert_true(chip > 0);
	assert_true(signs_with(h, active, 20));
	assert_true(signs_with(other, kept, 20));
	hsm_close(h);
	clean_inside();
	assert_true(signs_with(other, kept, 20));
	hsm_close(other);
	buf_free(&wrapped);
}

struct party {
	struct hsm *h;
	uint8_t key[32];
	int bad;
};

static void *
sign_much(void *arg)
{
	struct party *p = arg;
	struct hf_error mine = { 0 };
	uint8_t mac[32], want[32];

	HMAC(EVP_sha256(), p->key, 32, (const uint8_t *)"hello", 5, want, NULL);
	for (int i = 0; i < 200; i++)
		p->bad += p->h->ops->hmac(p->h, "hello", 5, mac, &mine) != 0 || memcmp(mac, want, 32) != 0;
	return NULL;
}

static void
is_shared_by_threads(void **state)
{
	struct party p[2] = { { .h = open_tpm() },
		{ .h = open_with((struct hsm_settings){ .key_handle = "0x81000101" }) } };
	pthread_t thread[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		keep_new(p[i].h, p[i].key);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, sign_much, &p[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(p[i].bad, 0);
		hsm_close(p[i].h);
	}
	tool("evictcontrol -C o -c 0x81000101");
}

static void
keep_refused(struct hsm *h, const char *words)
{
	struct buf wrapped = { 0 };
	uint8_t key[32];

	activate(h, key, &wrapped);
	assert_int_equal(h->ops->keep(h, buf_data(&wrapped), buf_size(&wrapped), &err), HF_ERR_KEY);
	says(words);
	err_clear(&err);
	h->ops->forget(h);
	clean_inside();
	buf_free(&wrapped);
}

static void
replaces_only_its_own(void **state)
{
	const struct hsm_settings at = { .key_handle = "0x81000105" },
				  by_force = { .key_handle = "0x81000105", .force = "1" };
	struct hsm *h;
	uint8_t key[32], mac[32];

	(void)state;
	tool("createprimary -C o -G ecc -c ecc.ctx");
	tool("evictcontrol -C o -c ecc.ctx 0x81000105");
	tool("flushcontext -t");
	h = open_with(at);
	keep_refused(h, "TPM handle 0x81000105: there is an ECC key");
	assert_int_equal(h->ops->has_key(h, &err), 0);
	assert_int_equal(h->ops->hmac(h, "x", 1, mac, &err), HF_ERR_KEY);
	says("an ECC key");
	hsm_close(h);
	h = open_with(by_force);
	keep_new(h, key);
	assert_true(signs_with(h, key, 10));
	hsm_close(h);

	/* an HMAC key of somebody else's, with a name that is not a SHA-256 one */
	tool("evictcontrol -C o -c 0x81000105");
	tool("create -C 0x81000001 -g sha384 -G hmac:sha256 -u k.pub -r k.priv");
	tool("load -C 0x81000001 -u k.pub -r k.priv -c k.ctx");
	tool("evictcontrol -C o -c k.ctx 0x81000105");
	tool("flushcontext -t");
	h = open_with(at);
	assert_int_equal(h->ops->has_key(h, &err), 1);
	OK(h->ops->hmac(h, "x", 1, mac, &err));
	keep_refused(h, "--force");
	hsm_close(h);
	tool("evictcontrol -C o -c 0x81000105");
}

static void
primaries_must_fit(void **state)
{
	struct buf a = { 0 }, b = { 0 };
	struct hsm *h;

	(void)state;
	tool("createprimary -C o -G ecc -c ecc.ctx");
	tool("evictcontrol -C o -c ecc.ctx 0x81000105");
	tool("flushcontext -t");
	h = open_with((struct hsm_settings){ .ek_handle = "0x81000105" });
	assert_int_equal(h->ops->identity(h, 1, &a, &b, &err), HF_ERR_KEY);
	says("0x81000105: there is an ECC key");
	says("--ek-handle");
	hsm_close(h);
	h = open_with((struct hsm_settings){ .srk_handle = "0x81000105" });
	assert_int_equal(h->ops->identity(h, 1, &a, &b, &err), HF_ERR_KEY);
	says("--srk-handle");
	hsm_close(h);
	tool("evictcontrol -C o -c 0x81000105");
	buf_free(&a);
	buf_free(&b);
}

static void
password_file(const char *name, const char *text, char path[300])
{
	snprintf(path, 300, "%s/%s", dir, name);
	OK(file_replace(path, text, strlen(text), "password", &err));
}

static void
hierarchies_may_have_passwords(void **state)
{
	struct buf blob = { 0 }, wrapped = { 0 };
	char owner[300], endorsement[300], wrong[300];
	struct hsm *h;
	uint8_t key[32];

	(void)state;
	password_file("owner", "for-the-owner\n", owner);
	password_file("endorsement", "for-the-endorsement", endorsement);
	password_file("wrong", "no", wrong);
	tool("changeauth -c o for-the-owner");
	tool("changeauth -c e for-the-endorsement");
	make_blob(&blob, key);
	h = open_tpm();
	assert_int_equal(h->ops->activate(h, buf_data(&blob), buf_size(&blob), &wrapped, &err), HF_ERR_KEY);
	says("--endorsement-auth-file");
	clean_inside();
	hsm_close(h);
	h = open_with(
	    (struct hsm_settings){ .endorsement_auth_file = endorsement, .owner_auth_file = wrong });
	keep_refused(h, "--owner-auth-file");
	hsm_close(h);
	h = open_with(
	    (struct hsm_settings){ .endorsement_auth_file = endorsement, .owner_auth_file = owner });
	keep_new(h, key);
	assert_true(signs_with(h, key, 10));
	hsm_close(h);
	tool("changeauth -c o -p for-the-owner");
	tool("changeauth -c e -p for-the-endorsement");
	buf_free(&blob);
	buf_free(&wrapped);
}

static void
another_tpm_is_refused(void **state)
{
	struct buf blob = { 0 }, wrapped = { 0 }, a = { 0 }, b = { 0 };
	struct hsm *h;
	uint8_t key[32];

	(void)state;
	/* the service believes in another EK */
	h = open_with((struct hsm_settings){ .ek_template = "sdk", .ek_handle = "0x81010005" });
	OK(h->ops->identity(h, 0, &a, &b, &err));
	hsm_close(h);
	RAND_bytes(key, 32);
	OK(attest_tpm_blob(&blob, buf_data(&a), buf_size(&a), buf_data(&srk), buf_size(&srk), key, "", &err));
	h = open_tpm();
	assert_int_equal(h->ops->activate(h, buf_data(&blob), buf_size(&blob), &wrapped, &err), HF_ERR_KEY);
	says("ActivateCredential");
	assert_int_equal(buf_size(&wrapped), 0);
	clean_inside();
	err_clear(&err);
	assert_int_equal(h->ops->activate(h, "", 0, &wrapped, &err), HF_ERR_PROTOCOL);
	err_clear(&err);
	assert_int_equal(h->ops->keep(h, "damaged", 7, &err), HF_ERR_STATE);
	says("register again");
	hsm_close(h);
	buf_free(&a);
	buf_free(&b);
	buf_free(&blob);
	buf_free(&wrapped);
}

static void
says_what_to_do_without_a_tpm(void **state)
{
	struct hsm_settings s = { .tpm = "device:/nonexistent/tpm" };
	struct hsm *h = NULL;

	(void)state;
	err_clear(&err);
	OK(hsm_open(&h, &s, &err));
	assert_int_equal(h->ops->has_key(h, &err), HF_ERR_KEY);
	says("there is no /nonexistent/tpm");
	hsm_close(h);
	err_clear(&err);
	s.tpm = "nosuchmodule:x";
	OK(hsm_open(&h, &s, &err));
	assert_int_equal(h->ops->has_key(h, &err), HF_ERR_KEY);
	says("TPM nosuchmodule:x: cannot connect");
	hsm_close(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_leaves_nothing),
		cmocka_unit_test(identity_persists),
		cmocka_unit_test(signs_any_length),
		cmocka_unit_test(onboarding_is_lean),
		cmocka_unit_test(any_command_may_fail),
		cmocka_unit_test(any_command_may_be_cut_off),
		cmocka_unit_test(asks_again),
		cmocka_unit_test(connects_anew),
		cmocka_unit_test(is_shared_by_threads),
		cmocka_unit_test(replaces_only_its_own),
		cmocka_unit_test(primaries_must_fit),
		cmocka_unit_test(hierarchies_may_have_passwords),
		cmocka_unit_test(another_tpm_is_refused),
		cmocka_unit_test(says_what_to_do_without_a_tpm),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
