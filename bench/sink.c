/*
 * A bare TLS server: shakes hands with whoever the CA vouches for, reads, and forgets what it reads.
 *
 *	bench-sink CA CERT KEY [lean]	prints its port; lean: takes as little memory as OpenSSL can, and no certificate
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *ctx;
static int loop;

static void
die(const char *what)
{
	ERR_print_errors_fp(stderr);
	errx(1, "%s", what);
}

static void
prepare(char **argv)
{
	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL || SSL_CTX_load_verify_file(ctx, argv[1]) != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1)
		die("context");
	if (argv[4] != NULL)
		SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	else
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
}

static int
listen_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) < 0)
		err(1, "listen");
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

static void
watch(int fd, void *what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e) < 0)
		err(1, "epoll");
}

static void
welcome(int listening)
{
	const int on = 1;
	SSL *ssl;
	int fd;

	while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		ssl = SSL_new(ctx);
		if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
			die("connection");
		SSL_set_accept_state(ssl);
		watch(fd, ssl);
	}
}

static void
hear(SSL *ssl)
{
	char bytes[16384];
	int fd = SSL_get_fd(ssl), n;

	ERR_clear_error();
	do
		n = SSL_read(ssl, bytes, sizeof bytes);
	while (n > 0);
	if (SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ)
		return;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

int
main(int argc, char **argv)
{
	struct epoll_event e[64];
	int listening, i, n;

	if (argc != 4 && argc != 5)
		errx(2, "usage: bench-sink CA CERT KEY [lean]");
	prepare(argv);
	loop = epoll_create1(0);
	listening = listen_somewhere();
	watch(listening, NULL);
	for (;;) {
		n = epoll_wait(loop, e, 64, -1);
		if (n < 0 && errno != EINTR)
			err(1, "epoll");
		for (i = 0; i < n; i++) {
			if (e[i].data.ptr == NULL)
				welcome(listening);
			else
				hear(e[i].data.ptr);
		}
	}
}
