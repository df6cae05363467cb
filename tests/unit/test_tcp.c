#define _GNU_SOURCE /* syscall */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stream/pump.h"

/*
 * A resolver of our own in the place of libc's, so that no test asks a network. It counts the questions that libc would
 * have asked somebody.
 */
static sem_t gate, asked;
static _Atomic int questions, given_back;

static void
answer(struct addrinfo **list, const char *ip, const char *service)
{
	struct addrinfo *a = calloc(1, sizeof *a);
	struct sockaddr_in6 *v6 = calloc(1, sizeof *v6); /* the larger one */
	struct sockaddr_in *v4 = (struct sockaddr_in *)v6;
	int family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;

	if (family == AF_INET6) {
		v6->sin6_port = htons((uint16_t)atoi(service));
		assert_int_equal(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
	} else {
		v4->sin_port = htons((uint16_t)atoi(service));
		assert_int_equal(inet_pton(AF_INET, ip, &v4->sin_addr), 1);
	}
	v6->sin6_family = (sa_family_t)family;
	*a = (struct addrinfo){ .ai_family = family, .ai_socktype = SOCK_STREAM };
	a->ai_addrlen = family == AF_INET6 ? sizeof *v6 : sizeof *v4;
	a->ai_addr = (struct sockaddr *)v6;
	a->ai_next = *list;
	*list = a;
}

/* What a name stands for, last address first. */
static const struct {
	const char *name, *address[20];
} names[] = {
	{ "two.test", { "127.0.0.1", "127.0.0.9" } },
	{ "both.test", { "127.0.0.1", "::1" } },
	{ "mixed.test", { "127.0.0.10", "127.0.0.9", "127.0.0.8", "::1", "::1" } },
	{ "hanging.test", { "127.0.0.8", "127.0.0.9" } },
	{ "many.test",
	    { "127.0.0.40", "127.0.0.39", "127.0.0.38", "127.0.0.37", "127.0.0.36", "127.0.0.35",
		"127.0.0.34", "127.0.0.33", "127.0.0.32", "127.0.0.31", "127.0.0.30", "127.0.0.29",
		"127.0.0.28", "127.0.0.27", "127.0.0.26", "127.0.0.25", "127.0.0.24", "127.0.0.23" } },
};

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	struct in_addr in;
	size_t i, k;

	*list = NULL;
	if (inet_pton(AF_INET, host, &in) == 1) {
		answer(list, host, service);
		return 0;
	}
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	questions++;
	sem_post(&asked);
	sem_wait(&gate);
	errno = EIO;
	if (strcmp(host, "broken.test") == 0)
		return EAI_SYSTEM;
	for (i = 0; i < sizeof names / sizeof *names; i++)
		for (k = 0; strcmp(host, names[i].name) == 0 && names[i].address[k] != NULL; k++)
			answer(list, names[i].address[k], service);
	return *list == NULL ? EAI_NONAME : 0;
}

/* To whom a connection was begun, in this order: "6" or the last byte of an address of version 4. */
static char tried[200];

int
connect(int fd, const struct sockaddr *at, socklen_t n)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)at;
	int r = (int)syscall(SYS_connect, fd, at, n);
	size_t end = strlen(tried);

	if (r < 0 && errno == EINPROGRESS && at->sa_family == AF_INET6)
		snprintf(tried + end, sizeof tried - end, "6 ");
	else if (r < 0 && errno == EINPROGRESS)
		snprintf(tried + end, sizeof tried - end, "%u ", ntohl(in->sin_addr.s_addr) & 255);
	return r;
}

void
freeaddrinfo(struct addrinfo *list)
{
	struct addrinfo *next;

	for (; list != NULL; list = next) {
		next = list->ai_next;
		free(list->ai_addr);
		free(list);
	}
	given_back++;
}

static int
listen_on(const char *ip, uint16_t *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, ip, &in.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static int
wait_for(struct stream *s, ssize_t want)
{
	struct pollfd p = { .fd = -1 };

	stream_wait(s, (int)want, &p.fd, &p.events);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	return p.fd;
}

static ssize_t
read_all_ways(struct stream *s, void *p, size_t n)
{
	ssize_t r;

	while ((r = stream_read(s, p, n)) < 0 && r != STREAM_ERR)
		wait_for(s, r);
	return r;
}

static ssize_t
write_all_ways(struct stream *s, const void *p, size_t n)
{
	ssize_t r;

	while ((r = stream_write(s, p, n)) < 0 && r != STREAM_ERR)
		wait_for(s, r);
	return r;
}

static struct stream *
must_connect(struct work *w, const char *host, uint16_t port)
{
	struct hf_error err = { 0 };
	struct stream *s = NULL;

	assert_int_equal(tcp_connect(&s, w, host, port, &err), 0);
	return s;
}

static void
talk(struct work *w, int listener, const char *host, uint16_t port)
{
	struct stream *s = must_connect(w, host, port), *peer = NULL;
	struct hf_error err = { 0 };
	char got[8];
	int fd, on = 0;
	socklen_t len = sizeof on;

	assert_int_equal(write_all_ways(s, "hello", 5), 5);
	assert_int_equal(tcp_from_fd(&peer, accept(listener, NULL, NULL), "somebody", &err), 0);
	assert_int_equal(read_all_ways(peer, got, sizeof got), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(stream_read(peer, got, sizeof got), STREAM_WANT_READ);
	fd = wait_for(s, STREAM_WANT_WRITE);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	assert_int_equal(write_all_ways(peer, "bye", 3), 3);
	stream_close(peer);
	assert_int_equal(read_all_ways(s, got, sizeof got), 3);
	assert_int_equal(read_all_ways(s, got, sizeof got), 0);
	stream_close(s);
}

static void
numbers_and_localhost_ask_nobody(void **state)
{
	uint16_t port;
	int listener = listen_on("127.0.0.1", &port), before = questions;

	(void)state;
	talk(NULL, listener, "127.0.0.1", port);
	talk(NULL, listener, "localhost", port);
	talk(NULL, listener, "LocalHost", port);
	talk(NULL, listener, "hub-1.localhost", port);
	assert_int_equal(questions, before);
	close(listener);
}

static void
names_are_looked_up_on_the_worker_and_addresses_tried_in_order(void **state)
{
	struct hf_error err = { 0 };
	struct work *w;
	struct stream *s;
	uint16_t port;
	int listener = listen_on("127.0.0.1", &port), i, fd = -1;
	short events = 0;
	char c;

	(void)state;
	assert_int_equal(work_new(&w, &err), 0);
	s = must_connect(w, "two.test", port);
	sem_wait(&asked);
	for (i = 0; i < 100; i++) /* the loop goes on while the resolver thinks */
		assert_int_equal(stream_read(s, &c, 1), STREAM_WANT_WORK);
	stream_wait(s, STREAM_WANT_WORK, &fd, &events);
	assert_int_equal(fd, work_fd(w));
	assert_int_equal(events, POLLIN);
	sem_post(&gate);
	assert_int_equal(write_all_ways(s, "x", 1), 1);
	stream_close(s);
	work_free(w);
	close(listener);
}

/* A listener that lets nobody in: its queue is full. Answers the one who stands in it. */
static int
listen_and_fill(const char *ip, uint16_t port, int *listener)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*listener = socket(AF_INET, SOCK_STREAM, 0);
	inet_pton(AF_INET, ip, &in.sin_addr);
	assert_int_equal(bind(*listener, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(*listener, 0), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
	return fd;
}

static ssize_t
write_by_watch(struct watch *w, struct stream *s)
{
	struct pollfd p = { .fd = w->epoll, .events = POLLIN };
	ssize_t r = stream_write(s, "x", 1);
	short events;
	int fd;

	if (r >= 0 || r == STREAM_ERR)
		return r;
	stream_wait(s, (int)r, &fd, &events);
	watch_set(w, WATCH_STREAM, fd, events);
	assert_int_equal(poll(&p, 1, 8000), 1);
	return r;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Connects by a name that is looked up, here and now. */
static struct stream *
must_look_up(const char *host, uint16_t port)
{
	struct stream *s;

	sem_post(&gate);
	s = must_connect(NULL, host, port);
	sem_wait(&asked);
	tried[0] = '\0';
	return s;
}

/* The loser, too, is watched by one descriptor, and gone at the end. */
static void
the_next_address_runs_beside_one_that_hangs(void **state)
{
	struct hf_error err = { 0 };
	struct watch w;
	struct stream *s;
	uint16_t port;
	int second = listen_on("127.0.0.1", &port), first, in_first, before, turns;
	int64_t began, took;
	ssize_t r;

	(void)state;
	in_first = listen_and_fill("127.0.0.9", port, &first);
	assert_int_equal(watch_open(&w, &err), 0);
	before = descriptors();
	s = must_look_up("two.test", port);
	began = now_ms();
	for (turns = 0; (r = write_by_watch(&w, s)) == STREAM_WANT_WRITE; turns++)
		;
	took = now_ms() - began;
	assert_int_equal(r, 1);
	assert_in_range(took, 200, 2000);
	assert_in_range(turns, 1, 4);
	assert_string_equal(tried, "9 1 ");
	assert_int_equal(descriptors(), before + 1);
	stream_close(s);
	assert_int_equal(descriptors(), before);
	watch_close(&w);
	close(first);
	close(second);
	close(in_first);
}

static void
the_next_address_is_tried_at_once_when_one_refuses(void **state)
{
	struct stream *s;
	uint16_t port;
	int listener = listen_on("127.0.0.1", &port);
	int64_t began;

	(void)state;
	s = must_look_up("two.test", port);
	began = now_ms();
	assert_int_equal(write_all_ways(s, "x", 1), 1);
	assert_in_range(now_ms() - began, 0, 200);
	stream_close(s);
	close(listener);
}

static int
listen_on_v6(uint16_t port)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	in.sin6_port = htons(port);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 5) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
version_6_is_preferred_and_4_is_there(void **state)
{
	struct stream *s;
	uint16_t port;
	int v4 = listen_on("127.0.0.1", &port), v6 = listen_on_v6(port);

	(void)state;
	if (v6 < 0)
		skip();
	s = must_look_up("both.test", port);
	assert_int_equal(write_all_ways(s, "x", 1), 1);
	assert_string_equal(tried, "6 ");
	stream_close(s);
	close(v6);
	s = must_look_up("both.test", port);
	assert_int_equal(write_all_ways(s, "x", 1), 1);
	assert_string_equal(tried, "6 1 ");
	stream_close(s);
	close(v4);
}

static void
families_take_turns(void **state)
{
	struct stream *s;
	uint16_t port;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	char c, want[400];

	(void)state;
	if (fd < 0)
		skip();
	close(fd);
	close(listen_on("127.0.0.1", &port));
	s = must_look_up("mixed.test", port);
	assert_int_equal(read_all_ways(s, &c, 1), STREAM_ERR);
	assert_string_equal(tried, "6 8 6 9 10 ");
	snprintf(want, sizeof want,
	    "connect to mixed.test port %u: ::1: Connection refused, 127.0.0.8: Connection refused, "
	    "::1: Connection refused, 127.0.0.9: Connection refused, 127.0.0.10: Connection refused; "
	    "is the service running there?",
	    port);
	assert_string_equal(s->err.text, want);
	stream_close(s);
}

static void
no_more_than_sixteen_are_tried(void **state)
{
	struct stream *s;
	uint16_t port;
	char c;

	(void)state;
	close(listen_on("127.0.0.1", &port));
	s = must_look_up("many.test", port);
	assert_int_equal(read_all_ways(s, &c, 1), STREAM_ERR);
	assert_string_equal(tried, "23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 ");
	assert_non_null(strstr(s->err.text, ": 127.0.0.23: Connection refused, 127.0.0.24: Connection ref"));
	assert_non_null(strstr(s->err.text, "127.0.0.31: Connection refused, and 7 more; is the service"));
	stream_close(s);
}

static void
a_race_is_left_behind(void **state)
{
	struct stream *s;
	uint16_t port;
	int first, second, in_first, in_second, before;

	(void)state;
	close(listen_on("127.0.0.1", &port));
	in_first = listen_and_fill("127.0.0.9", port, &first);
	in_second = listen_and_fill("127.0.0.8", port, &second);
	before = descriptors();
	s = must_look_up("hanging.test", port);
	assert_int_equal(stream_write(s, "x", 1), STREAM_WANT_WRITE);
	wait_for(s, STREAM_WANT_WRITE); /* for 250 ms */
	assert_int_equal(stream_read(s, &(char){ 0 }, 1), STREAM_WANT_WRITE);
	assert_string_equal(tried, "9 8 ");
	assert_int_equal(descriptors(), before + 4); /* two sockets, a clock, and what watches them */
	stream_close(s);
	assert_int_equal(descriptors(), before);
	close(first);
	close(second);
	close(in_first);
	close(in_second);
}

/* How many more descriptors there may be. */
static void
leave_room(int n, struct rlimit *former)
{
	struct rlimit tight;
	int highest = dup(0);

	close(highest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, former), 0);
	tight = *former;
	tight.rlim_cur = (rlim_t)(highest + n);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
}

static void
descriptors_run_out(void **state)
{
	struct rlimit former;
	struct stream *s;
	uint16_t port;
	int listener = listen_on("127.0.0.1", &port), first, in_first, before;
	char c;

	(void)state;
	in_first = listen_and_fill("127.0.0.9", port, &first);
	before = descriptors();
	leave_room(1, &former); /* the second one that it takes to wait is missing */
	s = must_look_up("two.test", port);
	setrlimit(RLIMIT_NOFILE, &former);
	assert_int_equal(stream_write(s, "x", 1), STREAM_ERR);
	assert_int_equal(s->err.code, HF_ERR_NET);
	assert_non_null(strstr(s->err.text, "cannot wait for its 2 addresses: Too many open files"));
	stream_close(s);
	assert_int_equal(descriptors(), before);

	leave_room(3, &former); /* and here the second socket: the first may still do */
	s = must_look_up("two.test", port);
	assert_int_equal(stream_write(s, "x", 1), STREAM_WANT_WRITE);
	wait_for(s, STREAM_WANT_WRITE);
	assert_int_equal(stream_write(s, "x", 1), STREAM_WANT_WRITE);
	setrlimit(RLIMIT_NOFILE, &former);
	close(first);
	while (accept(first, NULL, NULL) >= 0)
		;
	close(in_first);
	assert_int_equal(read_all_ways(s, &c, 1), STREAM_ERR);
	assert_non_null(strstr(s->err.text, ": 127.0.0.1: Too many open files, 127.0.0.9: Connection re"));
	stream_close(s);
	assert_int_equal(descriptors(), before - 2);
	close(listener);
}

static void
a_lookup_is_left_behind(void **state)
{
	struct hf_error err = { 0 };
	struct work *w;
	struct stream *s;
	int i, before = given_back;

	(void)state;
	assert_int_equal(work_new(&w, &err), 0);
	s = must_connect(w, "two.test", 1);
	sem_wait(&asked);
	stream_close(s);
	sem_post(&gate);
	for (i = 0; i < 500 && given_back == before; i++)
		poll(NULL, 0, 10);
	assert_int_equal(given_back, before + 1);
	work_free(w);
}

static void
names_that_do_not_resolve(void **state)
{
	struct stream *s;
	char c;

	(void)state;
	sem_post(&gate);
	s = must_connect(NULL, "none.test", 1);
	assert_int_equal(stream_read(s, &c, 1), STREAM_ERR);
	assert_int_equal(stream_write(s, &c, 1), STREAM_ERR);
	assert_int_equal(s->err.code, HF_ERR_NET);
	assert_string_equal(s->err.text,
	    "look up none.test: Name or service not known; check the name and this machine's DNS");
	stream_close(s);
	sem_post(&gate);
	s = must_connect(NULL, "broken.test", 1);
	assert_int_equal(stream_write(s, &c, 1), STREAM_ERR);
	assert_non_null(strstr(s->err.text, "look up broken.test: Input/output error"));
	stream_close(s);
}

static void
nobody_listens(void **state)
{
	struct stream *s;
	uint16_t port;
	char c, want[200];

	(void)state;
	close(listen_on("127.0.0.1", &port));
	s = must_connect(NULL, "hub.localhost", port);
	assert_int_equal(read_all_ways(s, &c, 1), STREAM_ERR);
	assert_int_equal(s->err.code, HF_ERR_NET);
	snprintf(want, sizeof want,
	    "connect to hub.localhost port %u (127.0.0.1): Connection refused; is the service running there?",
	    port);
	assert_string_equal(s->err.text, want);
	assert_int_equal(stream_write(s, &c, 1), STREAM_ERR);
	stream_close(s);
}

static void
the_peer_goes_away(void **state)
{
	const struct linger abrupt = { 1, 0 };
	struct stream *s;
	uint16_t port;
	int listener = listen_on("127.0.0.1", &port), fd;
	char c;

	(void)state;
	s = must_connect(NULL, "127.0.0.1", port);
	assert_int_equal(write_all_ways(s, "x", 1), 1);
	fd = accept(listener, NULL, NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
	close(fd);
	assert_int_equal(read_all_ways(s, &c, 1), STREAM_ERR);
	assert_int_equal(s->err.code, HF_ERR_NET);
	assert_non_null(strstr(s->err.text, "lost while reading: Connection reset by peer"));
	assert_int_equal(write_all_ways(s, "x", 1), STREAM_ERR); /* and no SIGPIPE */
	stream_close(s);
	close(listener);
}

static void
the_peer_says_no_more_and_listens(void **state)
{
	struct stream *s;
	uint16_t port;
	int listener = listen_on("127.0.0.1", &port), fd;
	char c, got[8];

	(void)state;
	s = must_connect(NULL, "127.0.0.1", port);
	assert_int_equal(write_all_ways(s, "x", 1), 1);
	fd = accept(listener, NULL, NULL);
	shutdown(fd, SHUT_WR);
	assert_int_equal(read_all_ways(s, &c, 1), 0);
	assert_int_equal(write_all_ways(s, "more", 4), 4);
	assert_int_equal(read_all_ways(s, &c, 1), 0);
	assert_int_equal(recv(fd, got, sizeof got, MSG_WAITALL | MSG_DONTWAIT), 5);
	assert_memory_equal(got, "xmore", 5);
	stream_close(s);
	close(fd);
	close(listener);
}

static void
writing_stops_when_nobody_reads(void **state)
{
	static char megabyte[1 << 20];
	struct stream *s;
	uint16_t port;
	int listener = listen_on("127.0.0.1", &port), i, fd;
	ssize_t n = 1;

	(void)state;
	s = must_connect(NULL, "127.0.0.1", port);
	assert_int_equal(write_all_ways(s, "x", 1), 1);
	fd = accept(listener, NULL, NULL);
	for (i = 0; n > 0 && i < 1000; i++)
		n = stream_write(s, megabyte, sizeof megabyte);
	assert_int_equal(n, STREAM_WANT_WRITE);
	stream_close(s);
	close(fd);
	close(listener);
}

static void
names_that_cannot_be(void **state)
{
	struct hf_error err = { 0 };
	struct stream *s = NULL;
	char longest[400];

	(void)state;
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(tcp_connect(&s, NULL, longest, 1, &err), HF_ERR_ARGS);
	err = (struct hf_error){ 0 };
	assert_int_equal(tcp_connect(&s, NULL, "", 1, &err), HF_ERR_ARGS);
	err = (struct hf_error){ 0 };
	assert_int_equal(tcp_from_fd(&s, -1, "nobody", &err), HF_ERR_IO);
	assert_null(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_localhost_ask_nobody),
		cmocka_unit_test(names_are_looked_up_on_the_worker_and_addresses_tried_in_order),
		cmocka_unit_test(the_next_address_runs_beside_one_that_hangs),
		cmocka_unit_test(the_next_address_is_tried_at_once_when_one_refuses),
		cmocka_unit_test(version_6_is_preferred_and_4_is_there),
		cmocka_unit_test(families_take_turns),
		cmocka_unit_test(no_more_than_sixteen_are_tried),
		cmocka_unit_test(a_race_is_left_behind),
		cmocka_unit_test(descriptors_run_out),
		cmocka_unit_test(a_lookup_is_left_behind),
		cmocka_unit_test(names_that_do_not_resolve),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(the_peer_goes_away),
		cmocka_unit_test(the_peer_says_no_more_and_listens),
		cmocka_unit_test(writing_stops_when_nobody_reads),
		cmocka_unit_test(names_that_cannot_be),
	};

	sem_init(&gate, 0, 0);
	sem_init(&asked, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
