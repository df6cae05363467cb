/*
 * The floor: what a program that has nothing but OpenSSL needs for the same bytes.
 *
 *	bench-floor handshakes HOST PORT CA CERT KEY COUNT	that many mutual handshakes, one after another
 *	bench-floor write      HOST PORT CA CERT KEY COUNT	that many packets of telemetry, one SSL_write() each
 *	bench-floor hold       HOST PORT CA CERT KEY COUNT	that many connections beyond the first, held
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "usage.h"

#define TOPIC "devices/bench-0/messages/events/"
#define BODY  100

static const char *host;
static uint16_t port;

static void
die(const char *what)
{
	ERR_print_errors_fp(stderr);
	errx(1, "%s", what);
}

static SSL_CTX *
context(const char *ca, const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_load_verify_file(ctx, ca) != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("context");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	return ctx;
}

static SSL *
shake(SSL_CTX *ctx)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	const int on = 1;
	SSL *ssl = SSL_new(ctx);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, host, &to.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		err(1, "connect to %s port %u", host, port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (ssl == NULL || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1 ||
	    SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		die("handshake");
	return ssl;
}

static void
hang_up(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

static void
handshakes(SSL_CTX *ctx, long count)
{
	while (count-- > 0)
		hang_up(shake(ctx));
	printf("cpu %ld\n", usage_cpu());
}

static void
telemetry(SSL_CTX *ctx, long count)
{
	unsigned char packet[4 + sizeof TOPIC + 1 + BODY] = { 0x32 }, *p = packet;
	size_t left = sizeof packet - 3;
	SSL *ssl = shake(ctx);
	struct timespec began, end;
	long i;

	packet[1] = (unsigned char)(0x80 | (left & 0x7f));
	packet[2] = (unsigned char)(left >> 7);
	packet[4] = sizeof TOPIC - 1;
	p = memcpy(packet + 5, TOPIC, sizeof TOPIC - 1);
	p += sizeof TOPIC - 1;
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (i = 0; i < count; i++) {
		p[0] = (unsigned char)(i >> 8);
		p[1] = (unsigned char)i;
		if (SSL_write(ssl, packet, sizeof packet) != sizeof packet)
			die("write");
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("rate %.0f\n", (double)count / ((double)(end.tv_sec - began.tv_sec) +
						  (double)(end.tv_nsec - began.tv_nsec) / 1e9));
	if (SSL_shutdown(ssl) == 0) /* and once it has read all that, it says goodbye too */
		SSL_shutdown(ssl);
	hang_up(ssl);
}

static void
hold(SSL_CTX *ctx, long count)
{
	struct usage_memory one, all;
	SSL **held = calloc((size_t)count + 1, sizeof *held);
	long i;

	if (held == NULL)
		err(1, "memory");
	held[count] = shake(ctx);
	one = usage_memory();
	for (i = 0; i < count; i++)
		held[i] = shake(ctx);
	all = usage_memory();
	printf("resident %ld private %ld further %.1f\n", one.resident, one.private,
	    count == 0 ? 0 : (double)(all.private - one.private) / (double)count);
	for (i = 0; i <= count; i++)
		hang_up(held[i]);
	free(held);
}

int
main(int argc, char **argv)
{
	SSL_CTX *ctx;

	if (argc != 8)
		errx(2, "usage: bench-floor handshakes|write|hold HOST PORT CA CERT KEY COUNT");
	host = argv[2];
	port = (uint16_t)atoi(argv[3]);
	ctx = context(argv[4], argv[5], argv[6]);
	if (strcmp(argv[1], "handshakes") == 0)
		handshakes(ctx, atol(argv[7]));
	else if (strcmp(argv[1], "write") == 0)
		telemetry(ctx, atol(argv[7]));
	else
		hold(ctx, atol(argv[7]));
	SSL_CTX_free(ctx);
	return 0;
}
