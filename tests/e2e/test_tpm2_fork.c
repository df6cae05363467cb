#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "hsm/key.h"
#include "tests/swtpm.h"

/*
 * A TPM that several may talk to at once, as they may to /dev/tpmrm0: a process between them and a swtpm, which serves
 * one. They come as to Microsoft's simulator, for swtpm's own TCTI makes a connection for each command. It counts, for each
 * of them, the words that it has heard, and notes when it ends.
 */
enum { LINES = 64, POWER_ON = 1, SEND_COMMAND = 8, NV_ON = 11, SESSION_END = 20 };
static struct board {
	atomic_int lines, words[LINES], ended[LINES];
} * board;

static char dir[] = "/tmp/holdfast-tpm2-fork-XXXXXX", tcti[300];
static pid_t chip, exchange;
static struct hf_error err;

static int
exactly(int fd, uint8_t *p, size_t n)
{
	for (ssize_t got; n > 0; p += got, n -= (size_t)got)
		if ((got = read(fd, p, n)) <= 0)
			return -1;
	return 0;
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int
say(int fd, const uint8_t *p, size_t n)
{
	return write(fd, p, n) == (ssize_t)n ? 0 : -1;
}

/* A command: where it comes from, how long it is, what it is; and the same of its answer, before a zero. */
static int
command(int client, int tpm)
{
	static const uint8_t zero[4];
	uint8_t head[5], m[4096];
	size_t n;

	if (exactly(client, head, 5) < 0 || (n = get32(head + 1)) > sizeof m || exactly(client, m, n) < 0 ||
	    say(tpm, m, n) < 0 || exactly(tpm, m, 10) < 0)
		return -1;
	n = get32(m + 2);
	if (n < 10 || n > sizeof m || exactly(tpm, m + 10, n - 10) < 0)
		return -1;
	return say(client, m + 2, 4) < 0 || say(client, m, n) < 0 || say(client, zero, 4) < 0 ? -1 : 0;
}

static int
answer(int client, int tpm, atomic_int *words)
{
	static const uint8_t zero[4];
	uint8_t word[4];

	if (exactly(client, word, 4) < 0)
		return -1;
	++*words;
	switch (get32(word)) {
	case SEND_COMMAND:
		return command(client, tpm);
	case POWER_ON:
	case NV_ON:
		return say(client, zero, 4);
	case SESSION_END:
		return 0;
	default:
		return -1;
	}
}

/* What switches the simulator on: a process of its own, as long as somebody holds its line. */
static void
power(int listener)
{
	atomic_int ignored = 0;
	int fd = accept(listener, NULL, NULL);

	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (answer(fd, -1, &ignored) == 0)
			;
		_exit(0);
	}
	close(fd);
}

static void
run_exchange(const int listener[2], int tpm)
{
	struct pollfd f[2 + LINES] = { { listener[0], POLLIN, 0 }, { listener[1], POLLIN, 0 } };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (int n = 0; poll(f, (nfds_t)n + 2, -1) >= 0; n = board->lines) {
		if (f[0].revents && n < LINES) {
			f[n + 2] = (struct pollfd){ .fd = accept(listener[0], NULL, NULL), .events = POLLIN };
			board->lines++;
		}
		if (f[1].revents)
			power(listener[1]);
		for (int i = 0; i < n; i++) {
			if (!f[i + 2].revents || answer(f[i + 2].fd, tpm, &board->words[i]) == 0)
				continue;
			close(f[i + 2].fd);
			f[i + 2].fd = -1;
			board->ended[i] = 1;
		}
	}
	_exit(0);
}

/* On loopback; port 0: any. */
static int
listen_at(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, LINES) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &n) == 0) {
		*port = ntohs(at.sin_port);
		return fd;
	}
	close(fd);
	return -1;
}

/* The simulator's two ports are neighbours. */
static int
listen_twice(int listener[2])
{
	uint16_t port, next;

	for (int i = 0; i < 100; i++) {
		port = 0;
		listener[0] = listen_at(&port);
		next = (uint16_t)(port + 1);
		listener[1] = next ? listen_at(&next) : -1;
		if (listener[1] >= 0)
			return port;
		close(listener[0]);
	}
	return -1;
}

static int
connect_to(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	return connect(fd, (struct sockaddr *)&at, sizeof at) < 0 ? -1 : fd;
}

#define OK(call)                                                                                             \
	do {                                                                                                 \
		if ((call) != 0)                                                                             \
			fail_msg("%s: %s", #call, err.text);                                                 \
	} while (0)

static int
make(void **state)
{
	char direct[200];
	int listener[2], tpm, port;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return -1;
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	chip = swtpm_start(dir, direct, sizeof direct);
	port = listen_twice(listener);
	if (chip <= 0 || port < 0)
		return -1;
	snprintf(tcti, sizeof tcti, "mssim:host=127.0.0.1,port=%d", port);
	tpm = connect_to(direct + strlen("swtpm:path="));
	exchange = fork();
	if (exchange == 0)
		run_exchange(listener, tpm);
	close(listener[0]);
	close(listener[1]);
	close(tpm);
	return exchange > 0 ? 0 : -1;
}

static int
clean(void **state)
{
	(void)state;
	kill(exchange, SIGTERM);
	waitpid(exchange, NULL, 0);
	swtpm_stop(chip);
	swtpm_remove(dir);
	return 0;
}

static EVP_PKEY *
open_key(const char *what)
{
	const struct key_kind p256 = { .group = "P-256" };
	const struct key_open how = { 0 };
	struct buf made = { 0 };
	EVP_PKEY *key = NULL;
	char text[700];
	struct uri u;

	err_clear(&err);
	snprintf(text, sizeof text, "tpm2:%s?tcti=%s", what, tcti);
	OK(uri_get(&u, text, &err));
	OK(key_tpm2_make(&u, &p256, &made, &err));
	OK(key_open(&key, buf_str(&made), &how, &err));
	uri_fini(&u);
	buf_free(&made);
	return key;
}

static int
signs(EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[200];
	size_t n = sizeof sig;
	int ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) > 0 &&
		 EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"holdfast", 8) > 0;

	EVP_MD_CTX_free(ctx);
	return ok;
}

/* The exit status of a child that signs, and lets go of its key. */
static int
in_child(EVP_PKEY *key)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		status = signs(key);
		EVP_PKEY_free(key);
		_exit(!status);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void
child_has_its_own(EVP_PKEY *key)
{
	int mine = board->lines - 1, before;

	assert_true(signs(key));
	before = board->words[mine];
	assert_int_equal(in_child(key), 0);
	assert_int_equal(board->lines, mine + 2);
	assert_true(board->words[mine + 1] > 0);
	assert_int_equal(board->words[mine], before); /* not a byte */
	assert_true(signs(key));
	assert_int_equal(board->lines, mine + 2);
	assert_true(board->words[mine] > before);
}

static void
handle_and_file(void **state)
{
	char file[200];
	EVP_PKEY *key;

	(void)state;
	key = open_key("handle=0x81000201");
	child_has_its_own(key);
	EVP_PKEY_free(key);
	snprintf(file, sizeof file, "file=%s/key.pem", dir);
	key = open_key(file);
	child_has_its_own(key);
	EVP_PKEY_free(key);
}

/* While a child lives, the parent can still hang up: nobody holds its line open. */
static void
parent_hangs_up(void **state)
{
	const struct timespec nap = { .tv_nsec = 2000000 };
	EVP_PKEY *key = open_key("handle=0x81000202");
	int line = board->lines - 1, end[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(end), 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		_exit(read(end[0], &c, 1) != 0);
	}
	assert_int_equal(board->ended[line], 0);
	EVP_PKEY_free(key);
	for (int i = 0; i < 1000 && !board->ended[line]; i++)
		nanosleep(&nap, NULL);
	assert_int_equal(board->ended[line], 1);
	close(end[0]);
	close(end[1]);
	waitpid(pid, NULL, 0);
}

static atomic_int stop, bad, done;

static void *
sign_on(void *key)
{
	for (; !stop; done++)
		bad += !signs(key);
	return NULL;
}

/* fork() comes at any moment of a signature. */
static void
in_the_middle(void **state)
{
	EVP_PKEY *key = open_key("handle=0x81000203");
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, sign_on, key), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(in_child(key), 0);
	stop = 1;
	pthread_join(t, NULL);
	assert_int_equal(bad, 0);
	assert_true(done > 0);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handle_and_file),
		cmocka_unit_test(parent_hangs_up),
		cmocka_unit_test(in_the_middle),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
