#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include "hsm/key.h"
#include "tests/softhsm.h"

/* What a token's key is to a process: threads, forks, ends. */
static char dir[] = "/tmp/holdfast-pkcs11-XXXXXX";

static EVP_PKEY *
open_by(const char *module, const char *label)
{
	struct hf_error err = { 0 };
	EVP_PKEY *key = NULL;
	char uri[300];

	snprintf(uri, sizeof uri, "pkcs11:token=line7;object=%s?module-path=%s&pin-source=%s/pin", label,
	    module, dir);
	if (key_open(&key, uri, &(struct key_open){ 0 }, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	return key;
}

static EVP_PKEY *
open_key(const char *label)
{
	return open_by(SOFTHSM_MODULE, label);
}

/* 1 when the signature is good. */
static int
signs(EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[SIGN_MAX];
	size_t n = sizeof sig;
	int ok = EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
		 EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"abc", 3) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static int
make(void **state)
{
	char path[100];
	FILE *f;

	(void)state;
	if (!mkdtemp(dir) || softhsm_start(dir) < 0 || softhsm_token(dir, "line7") < 0)
		return -1;
	snprintf(path, sizeof path, "%s/pin", dir);
	f = fopen(path, "w");
	fputs(SOFTHSM_PIN "\n", f);
	fclose(f);
	if (softhsm_tool(dir, "--keypairgen --key-type EC:prime256v1 --label ec --id 01 --usage-sign") < 0)
		return -1;
	return softhsm_tool(dir, "--keypairgen --key-type RSA:2048 --label rsa --id 02 --usage-sign");
}

static int
clean(void **state)
{
	(void)state;
	softhsm_remove(dir);
	return 0;
}

static int
verdict(pid_t pid)
{
	int status = -1;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* A program that just ends. SoftHSM takes itself down while OpenSSL does. */
static void
ends_with_a_key_open(void **state)
{
	static EVP_PKEY *ec, *rsa;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		ec = open_key("ec");
		rsa = open_key("rsa");
		exit(ec && rsa && signs(ec) && signs(rsa) ? 0 : 1);
	}
	assert_int_equal(verdict(pid), 0);
}

/* The key is the process's that opened it. The child may open its own, and neither takes the token from the other. */
static void
forks(void **state)
{
	EVP_PKEY *key = open_key("ec"), *own;
	pid_t pid;

	(void)state;
	assert_non_null(key);
	assert_int_equal(signs(key), 1);
	pid = fork();
	if (pid == 0) {
		if (signs(key))
			_exit(1);
		ERR_clear_error();
		own = open_key("ec");
		if (!own || !signs(own))
			_exit(2);
		EVP_PKEY_free(own);
		EVP_PKEY_free(key);
		_exit(signs(own = open_key("rsa")) ? 0 : 3);
	}
	assert_int_equal(verdict(pid), 0);
	assert_int_equal(signs(key), 1);
	EVP_PKEY_free(key);
}

struct worker {
	pthread_t thread;
	EVP_PKEY *shared;
	int good;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	EVP_PKEY *own;

	for (int i = 0; i < 10; i++) {
		own = open_key(i % 2 ? "ec" : "rsa");
		w->good += own && signs(own) && signs(w->shared);
		EVP_PKEY_free(own);
	}
	return NULL;
}

/* Threads share a key, and open and close others beside it. */
static void
is_used_by_threads(void **state)
{
	struct worker w[4] = { { .good = 0 } };
	EVP_PKEY *key = open_key("ec");

	(void)state;
	assert_non_null(key);
	for (int i = 0; i < 4; i++) {
		w[i].shared = key;
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].good, 10);
	}
	EVP_PKEY_free(key);
}

/* The same without anybody who keeps the token open: it is opened for the first time and closed for the last all the time. */
static void
comes_and_goes_in_threads(void **state)
{
	struct worker w[4] = { { .good = 0 } };

	(void)state;
	for (int i = 0; i < 4; i++) {
		w[i].shared = EVP_EC_gen("P-256");
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(w[i].thread, NULL);
		EVP_PKEY_free(w[i].shared);
		assert_int_equal(w[i].good, 10);
	}
}

/* A socket that is bound is not yet listened at. */
static int
answers(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), ok;

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	ok = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
	close(fd);
	return ok;
}

/* p11-kit's server shows the token to other processes; it and the helpers that it starts are one group. */
static pid_t
serve(const char *path)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	pid_t pid;

	unlink(path);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		execlp("p11-kit", "p11-kit", "server", "--foreground", "--name", path, "--provider",
		    SOFTHSM_MODULE, "pkcs11:token=line7", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 2000 && !answers(path); i++)
		nanosleep(&nap, NULL);
	return pid;
}

static void
stop(pid_t pid)
{
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The process that has the token is gone in the middle, and comes back. */
static void
outlives_the_server(void **state)
{
	char path[100], address[120];
	const char *words = NULL;
	EVP_PKEY *key;
	int flags;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof path, "%s/socket", dir);
	snprintf(address, sizeof address, "unix:path=%s", path);
	setenv("P11_KIT_SERVER_ADDRESS", address, 1);
	pid = serve(path);
	key = open_by(CLIENT_MODULE, "ec");
	assert_non_null(key);
	assert_int_equal(signs(key), 1);
	stop(pid);
	assert_int_equal(signs(key), 0);
	ERR_peek_error_all(NULL, NULL, NULL, &words, &flags);
	assert_non_null(strstr(words, "CKR_DEVICE_"));
	ERR_clear_error();
	assert_int_equal(signs(key), 0);
	ERR_clear_error();
	pid = serve(path);
	assert_int_equal(signs(key), 1);
	EVP_PKEY_free(key);
	key = open_by(CLIENT_MODULE, "rsa");
	assert_int_equal(signs(key), 1);
	EVP_PKEY_free(key);
	stop(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_with_a_key_open),
		cmocka_unit_test(forks),
		cmocka_unit_test(is_used_by_threads),
		cmocka_unit_test(comes_and_goes_in_threads),
		cmocka_unit_test(outlives_the_server),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
