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

#include "base/str.h"
#include "make_cert.h"
#include "stream/net_local.h"

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

static void
which_texts_are_proxies(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		const char *user;
	} good[] = {
		{ "http://proxy.example:3128", "proxy.example", 3128, NULL },
		{ "HTTP://proxy.example", "proxy.example", 80, NULL },
		{ "proxy.example:8080/", "proxy.example", 8080, NULL },
		{ "http://[::1]:3128/", "::1", 3128, NULL },
		{ "http://name:pass@proxy:1", "proxy", 1, "name:pass" },
		{ "http://n%40me:p%3a%2Fss%25@proxy:1", "proxy", 1, "n@me:p:/ss%" },
		{ "http://name:p@ss/word@proxy:1", "proxy", 1, "name:p@ss/word" },
		{ "http://name@proxy:1", "proxy", 1, "name:" },
	};
	static const char *bad[] = { "http://", "https://proxy:1", "socks5://secret@proxy:1",
		"http://proxy:0", "http://proxy:65536", "http://proxy:x", "http://proxy:1/path", "http://::1",
		"pro xy", "http://name:secret%4@proxy:1", "http://name:secret%00@proxy:1",
		"http://name:secret@", "http://name:secret@proxy:port" };
	struct net net = { 0 };
	struct hf_error err;
	struct proxy_at at;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		err = (struct hf_error){ 0 };
		net = (struct net){ .proxy = good[i].text };
		assert_int_equal(net_proxy_check(good[i].text, &err), 0);
		assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 1);
		assert_string_equal(at.host, good[i].host);
		assert_int_equal(at.port, good[i].port);
		assert_string_equal(at.user ? at.user : "none", good[i].user ? good[i].user : "none");
		str_free(&at.user);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = (struct hf_error){ 0 };
		net = (struct net){ .proxy = bad[i], .proxy_user = "a:b" };
		assert_int_equal(net_proxy_check(bad[i], &err), HF_ERR_ARGS);
		assert_non_null(strstr(err.text, "http://[NAME:PASSWORD@]HOST[:PORT]"));
		assert_null(strstr(err.text, "secret"));
		err = (struct hf_error){ 0 };
		assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), HF_ERR_ARGS);
		assert_null(at.user);
	}
	err = (struct hf_error){ 0 };
	assert_int_equal(net_proxy_check("", &err), 0);
	net = (struct net){ .proxy = "http://a:b@proxy:1", .proxy_user = "c:d" };
	assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 1);
	assert_string_equal(at.user, "c:d");
	str_free(&at.user);
}

static void
who_is_spared(void **state)
{
	static const struct {
		const char *list, *host;
		int spared;
	} rows[] = {
		{ "", "hub.example", 0 },
		{ "*", "hub.example", 1 },
		{ "a,*", "hub.example", 0 },
		{ "hub.example", "HUB.example", 1 },
		{ "example", "hub.example", 1 },
		{ ".example", "hub.example", 1 },
		{ ".hub.example", "hub.example", 1 },
		{ "example.", "hub.example.", 1 },
		{ "ample", "hub.example", 0 },
		{ "my.hub.example", "hub.example", 0 },
		{ "a, b hub.example,c", "hub.example", 1 },
		{ " ,,a, ,hub.example", "hub.example", 1 },
		{ "127.0.0.1", "127.0.0.1", 1 },
		{ "127.0.0.1", "127.0.0.2", 0 },
		{ "127.0.0.0/8", "127.5.6.7", 1 },
		{ "127.0.0.0/8", "128.0.0.1", 0 },
		{ "10.0.0.0/9", "10.127.0.1", 1 },
		{ "10.0.0.0/9", "10.128.0.1", 0 },
		{ "10.0.0.0/33", "10.0.0.0", 0 },
		{ "10.0.0.0/", "10.0.0.0", 0 },
		{ "0.0.0.0/0", "10.0.0.0", 1 },
		{ "::1", "::1", 1 },
		{ "fe80::/10", "fe80::1:2", 1 },
		{ "fe80::/10", "fd00::1", 0 },
		{ "127.0.0.0/8", "hub.example", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(proxy_spares(rows[i].list, rows[i].host), rows[i].spared);
}

static void
what_the_environment_says(void **state)
{
	struct net net = { 0 };
	struct hf_error err = { 0 };
	struct proxy_at at;

	(void)state;
	unsetenv("https_proxy");
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	unsetenv("HTTPS_PROXY");
	assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 0);
	setenv("HTTPS_PROXY", "http://big:1", 1);
	assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 1);
	assert_string_equal(at.host, "big");
	setenv("https_proxy", "http://small:1", 1);
	assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 1);
	assert_string_equal(at.host, "small");
	setenv("https_proxy", "", 1);
	assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 1);
	assert_string_equal(at.host, "big");
	setenv("NO_PROXY", "example", 1);
	assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 0);
	assert_int_equal(proxy_pick(&net, "127.0.0.1", &at, &err), 1);
	net.proxy = "http://given:1";
	assert_int_equal(proxy_pick(&net, "hub.example", &at, &err), 1);
	assert_string_equal(at.host, "given");
	net.proxy = "";
	assert_int_equal(proxy_pick(&net, "127.0.0.1", &at, &err), 0);
	net.proxy = NULL;
	setenv("HTTPS_PROXY", "ftp://secret", 1);
	assert_int_equal(proxy_pick(&net, "hub.other", &at, &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "HTTPS_PROXY"));
	assert_null(strstr(err.text, "secret"));
	unsetenv("HTTPS_PROXY");
	unsetenv("NO_PROXY");
}

/* The proxy is asked for what the map leads to, and is itself reached without it; then comes TLS. */
static void
through_a_proxy(void **state)
{
	static const char request[] = "CONNECT 127.0.0.9:5 HTTP/1.1\r\nHost: 127.0.0.9:5\r\n"
				      "Proxy-Authorization: Basic YTpi\r\n\r\n";
	char map[] = ":443=127.0.0.9:5,:=127.0.0.8:9", proxy[60], heard[300] = "";
	struct net net = { .open = net_open, .connect = map, .proxy = proxy };
	struct hf_error err = { 0 };
	struct tls_conf *conf;
	struct stream *s;
	uint8_t hello[3] = { 0 };
	uint16_t port;
	int listener = listen_here(AF_INET, &port), fd;
	size_t n = 0;
	ssize_t r;
	char c;

	(void)state;
	snprintf(proxy, sizeof proxy, "http://a:b@127.0.0.1:%u", port);
	assert_int_equal(tls_conf_client(&conf, trust, NULL, NULL, &err), 0);
	assert_int_equal(
	    net.open(&net, &s, &(struct dial){ "hub.example", 443, conf, "mqtt" }, NULL, &err), 0);
	tls_conf_free(conf);
	while ((r = stream_read(s, &c, 1)) == STREAM_WANT_WRITE)
		poll(NULL, 0, 5);
	assert_int_equal(r, STREAM_WANT_READ);
	fd = accept(listener, NULL, NULL);
	for (int i = 0; i < 200 && n < sizeof request - 1; i++, poll(NULL, 0, 5))
		if ((r = recv(fd, heard + n, sizeof heard - 1 - n, MSG_DONTWAIT)) > 0)
			n += (size_t)r;
	assert_string_equal(heard, request);
	assert_int_equal(send(fd, "HTTP/1.1 200 OK\r\n\r\n", 19, 0), 19);
	for (int i = 0; i < 200 && recv(fd, hello, 3, MSG_DONTWAIT | MSG_PEEK) != 3; i++, poll(NULL, 0, 5))
		stream_read(s, &c, 1);
	assert_int_equal(hello[0], 22);
	stream_close(s);
	close(fd);
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_texts_are_maps),
		cmocka_unit_test(the_first_rule_that_fits_is_taken),
		cmocka_unit_test(addresses_of_version_6),
		cmocka_unit_test(a_bad_map_is_refused),
		cmocka_unit_test(which_texts_are_proxies),
		cmocka_unit_test(who_is_spared),
		cmocka_unit_test(what_the_environment_says),
		cmocka_unit_test(through_a_proxy),
	};

	return cmocka_run_group_tests(tests, make_trust, remove_trust);
}
