#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
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
	struct sockaddr_in *in = calloc(1, sizeof *in);

	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)atoi(service));
	assert_int_equal(inet_pton(AF_INET, ip, &in->sin_addr), 1);
	*a = (struct addrinfo){ .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_addrlen = sizeof *in };
	a->ai_addr = (struct sockaddr *)in;
	a->ai_next = *list;
	*list = a;
}

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	struct in_addr in;

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
	if (strcmp(host, "two.test") != 0)
		return EAI_NONAME;
	answer(list, "127.0.0.1", service);
	answer(list, "127.0.0.9", service); /* the first one to try: nobody listens there */
	return 0;
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

/* Each takes its time, the first one in vain. Whoever waits for the socket must see that there is another now. */
static void
the_next_address_is_watched_too(void **state)
{
	struct hf_error err = { 0 };
	struct watch w;
	struct stream *s;
	uint16_t port;
	int first, second, in_first, in_second;
	ssize_t r;

	(void)state;
	close(listen_on("127.0.0.1", &port));
	in_first = listen_and_fill("127.0.0.9", port, &first);
	in_second = listen_and_fill("127.0.0.1", port, &second);
	assert_int_equal(watch_open(&w, &err), 0);
	sem_post(&gate);
	s = must_connect(NULL, "two.test", port);
	sem_wait(&asked);
	assert_int_equal(stream_write(s, "x", 1), STREAM_WANT_WRITE);
	dup2(in_first, first); /* closed, but its number is not free */
	assert_int_equal(write_by_watch(&w, s), STREAM_WANT_WRITE);
	assert_int_equal(stream_write(s, "x", 1), STREAM_WANT_WRITE);
	close(accept(second, NULL, NULL));
	while ((r = write_by_watch(&w, s)) < 0)
		assert_int_equal(r, STREAM_WANT_WRITE);
	assert_int_equal(r, 1);
	stream_close(s);
	watch_close(&w);
	close(first);
	close(second);
	close(in_first);
	close(in_second);
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
		cmocka_unit_test(the_next_address_is_watched_too),
		cmocka_unit_test(a_lookup_is_left_behind),
		cmocka_unit_test(names_that_do_not_resolve),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(the_peer_goes_away),
		cmocka_unit_test(writing_stops_when_nobody_reads),
		cmocka_unit_test(names_that_cannot_be),
	};

	sem_init(&gate, 0, 0);
	sem_init(&asked, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
