#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "make_cert.h"
#include "stream/stream.h"

static char trust[] = "/tmp/holdfast-net-XXXXXX";

static int
make_trust(void **state)
{
	EVP_PKEY *key = make_key();
	X509 *ca = make_cert(&(struct cert_wish){ "CA", 1, -1, 0, INT32_MAX }, key, NULL, NULL);
	FILE *f = fdopen(mkstemp(trust), "w");

	(void)state;
	PEM_write_X509(f, ca);
	X509_free(ca);
	EVP_PKEY_free(key);
	return fclose(f);
}

static int
remove_trust(void **state)
{
	(void)state;
	return unlink(trust);
}

static void
which_texts_are_maps(void **state)
{
	static const char *good[] = { "a:1=b:2", "hub.example:8883=127.0.0.1:18883", ":8883=127.0.0.1:18883",
		"hub:=127.0.0.2:", ":=:", "[::1]:1=[fe80::2]:2", "a:1=b:2,c:3=d:4", "a:65535=b:1" };
	static const char *bad[] = { "", ",", "a", "a:1", "a=b", "a:1=", "=b:1", "a:1=b", "a:1=b:2,",
		",a:1=b:2", "a:1=b:2,,c:3=d:4", "a:0=b:1", "a:65536=b:1", "a:x=b:1", "a:1=b:1=c:1",
		"::1:1=b:2", "a:1=b:2 " };
	struct hf_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		err = (struct hf_error){ 0 };
		assert_int_equal(net_map_check(good[i], &err), 0);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = (struct hf_error){ 0 };
		assert_int_equal(net_map_check(bad[i], &err), HF_ERR_ARGS);
		assert_non_null(strstr(err.text, "HOST:PORT=ADDR:PORT"));
	}
}

static int
listen_here(int family, uint16_t *port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, a, len) < 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, a, &len), 0);
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

/* Does a connection for host and port, with this map, arrive at the listener, and is TLS what is spoken there? */
static int
arrives(int listener, char *map, const char *host, uint16_t port)
{
	struct net net = { .open = net_open, .connect = map };
	struct hf_error err = { 0 };
	struct tls_conf *conf;
	struct stream *s;
	struct pollfd p = { listener, POLLIN, 0 };
	uint8_t hello[3] = { 0 };
	char c;
	int fd, i, there = 0;

	assert_int_equal(tls_conf_client(&conf, trust, NULL, NULL, &err), 0);
	assert_int_equal(net.open(&net, &s, &(struct dial){ host, port, conf, NULL }, NULL, &err), 0);
	tls_conf_free(conf);
	for (i = 0; i < 3; i++)
		stream_read(s, &c, 1);
	if (poll(&p, 1, 0) == 1) {
		fd = accept(listener, NULL, NULL);
		for (i = 0; i < 100 && recv(fd, hello, sizeof hello, MSG_DONTWAIT | MSG_PEEK) != sizeof hello;
		     i++) {
			stream_read(s, &c, 1);
			poll(NULL, 0, 5);
		}
		there = hello[0] == 22 && hello[1] == 3;
		close(fd);
	}
	stream_close(s);
	return there;
}

static void
the_first_rule_that_fits_is_taken(void **state)
{
	uint16_t port;
	int listener = listen_here(AF_INET, &port);
	char map[300];

	(void)state;
	snprintf(map, sizeof map,
	    "other.localhost:8883=127.0.0.3:9,Hub.localhost:8883=127.0.0.1:%u,:8883=127.0.0.4:9", port);
	assert_true(arrives(listener, map, "hub.localhost", 8883));
	assert_false(arrives(listener, map, "other.localhost", 8883));
	assert_false(arrives(listener, map, "hub.localhost", 443));
	snprintf(map, sizeof map, ":443=127.0.0.1:%u", port);
	assert_true(arrives(listener, map, "127.0.0.77", 443));
	assert_false(arrives(listener, map, "127.0.0.77", 8883));
	snprintf(map, sizeof map, "127.0.0.77:=:%u,:=127.0.0.1:", port);
	assert_true(arrives(listener, map, "127.0.0.1", port));
	assert_true(arrives(listener, map, "127.0.0.78", port));
	assert_false(arrives(listener, map, "127.0.0.77", 443));
	assert_true(arrives(listener, NULL, "127.0.0.1", port));
	close(listener);
}

static void
addresses_of_version_6(void **state)
{
	uint16_t port = 0;
	int listener = listen_here(AF_INET6, &port);
	char map[100];

	(void)state;
	if (listener < 0)
		skip();
	snprintf(map, sizeof map, "[::2]:1=[::1]:%u", port);
	assert_true(arrives(listener, map, "::2", 1));
	close(listener);
}

static void
a_bad_map_is_refused(void **state)
{
	char map[] = "nonsense";
	struct net net = { .open = net_open, .connect = map };
	struct hf_error err = { 0 };
	struct tls_conf *conf;
	struct stream *s = NULL;

	(void)state;
	assert_int_equal(tls_conf_client(&conf, trust, NULL, NULL, &err), 0);
	assert_int_equal(
	    net.open(&net, &s, &(struct dial){ "127.0.0.1", 1, conf, NULL }, NULL, &err), HF_ERR_ARGS);
	assert_null(s);
	tls_conf_free(conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_texts_are_maps),
		cmocka_unit_test(the_first_rule_that_fits_is_taken),
		cmocka_unit_test(addresses_of_version_6),
		cmocka_unit_test(a_bad_map_is_refused),
	};

	return cmocka_run_group_tests(tests, make_trust, remove_trust);
}
