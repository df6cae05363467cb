/*
 * A key of each kind of hardware, against a key in software, and against the hardware by itself.
 *
 *	bench-keys FOLDER NAME URI
 *
 * FOLDER has ca.pem, server.pem and server.key, and the software keys ec.key and rsa.key. Prints, all of it in microseconds and
 * measured in turns, medians and the least:
 *
 *	NAME cpu OURS FLOOR LEAST-OURS LEAST-FLOOR	of a client's mutual TLS 1.3 handshake; floor: OpenSSL with the software key
 *	NAME wall ...					the same handshake, by the clock
 *	NAME sign ...					a signature; floor: raw.h
 */
#include <err.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "hsm/key.h"
#include "stream/tls_local.h"
#include "raw.h"

enum { WARM = 5, LEAST = 31, MOST = 1000, PATIENCE = 1000000 /* microseconds */ };

struct spent {
	double cpu, wall;
};
/* What is measured, and what it is measured against. */
struct race {
	void (*run)(void);
	void (*begin)(void), (*end)(void);
	struct spent spent[MOST];
	int count;
};

static const char *folder;
static EVP_PKEY *ours, *software;
static SSL_CTX *client, *plain;
static int line; /* to the server */
static int rsa;

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	ERR_print_errors_fp(stderr);
	errx(1, "%s", what);
}

static const char *
at(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* measuring */

static double
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
lap(struct race *r)
{
	struct spent s;

	if (r->begin)
		r->begin();
	s = (struct spent){ now(CLOCK_PROCESS_CPUTIME_ID), now(CLOCK_MONOTONIC) };
	r->run();
	s.wall = now(CLOCK_MONOTONIC) - s.wall;
	s.cpu = now(CLOCK_PROCESS_CPUTIME_ID) - s.cpu;
	if (r->end)
		r->end();
	r->spent[r->count++] = s;
}

/* One of each, again and again: what else the machine does meets both. */
static void
take_turns(struct race *figure, struct race *floor)
{
	double end;

	for (int i = 0; i < WARM; i++) {
		lap(figure);
		lap(floor);
	}
	figure->count = floor->count = 0;
	end = now(CLOCK_MONOTONIC) + PATIENCE;
	while (figure->count < MOST && (figure->count < LEAST || now(CLOCK_MONOTONIC) < end)) {
		lap(figure);
		lap(floor);
	}
}

static int
ascending(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void
sort(const struct race *r, int wall, double *sorted)
{
	for (int i = 0; i < r->count; i++)
		sorted[i] = wall ? r->spent[i].wall : r->spent[i].cpu;
	qsort(sorted, (size_t)r->count, sizeof *sorted, ascending);
}

static void
tell(const char *name, const char *what, const struct race *figure, const struct race *floor, int wall)
{
	double a[MOST], b[MOST];

	sort(figure, wall, a);
	sort(floor, wall, b);
	printf("%s\t%s\t%.2f\t%.2f\t%.2f\t%.2f\n", name, what, a[figure->count / 2], b[floor->count / 2],
	    a[0], b[0]);
}

/* handshakes */

static int
accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store, (void)arg;
	return 1;
}

static SSL_CTX *
server_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	check(ctx && SSL_CTX_use_certificate_chain_file(ctx, at("server.pem")) == 1 &&
		  SSL_CTX_use_PrivateKey_file(ctx, at("server.key"), SSL_FILETYPE_PEM) == 1,
	    "server");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

/* In a process of its own, so that its time is not the client's. */
static void
serve(int fd)
{
	SSL_CTX *ctx = server_context();
	SSL *ssl;
	int going = 1;

	while (going) {
		ssl = SSL_new(ctx);
		going = ssl && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 && SSL_write(ssl, "", 1) == 1;
		SSL_free(ssl);
	}
	_exit(0);
}

static void
start_server(void)
{
	int pair[2];
	pid_t pid;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	pid = fork();
	check(pid >= 0, "fork");
	line = pair[0];
	if (pid == 0) {
		close(pair[0]);
		serve(pair[1]);
	}
	close(pair[1]);
}

static void
shake(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);
	char byte;

	check(ssl && SSL_set_fd(ssl, line) == 1 && SSL_connect(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1,
	    "handshake");
	SSL_free(ssl);
}

static void
shake_ours(void)
{
	shake(client);
}

static void
shake_plain(void)
{
	shake(plain);
}

static EVP_PKEY *
read_key(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	check(key != NULL, path);
	return key;
}

/* The server looks at the key alone: whoever has signed is fine. */
static X509 *
certify(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	EVP_PKEY *by = read_key(at("server.key"));

	check(cert && X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
		  X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
		  X509_gmtime_adj(X509_getm_notAfter(cert), 86400) &&
		  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		      (const unsigned char *)"bench", -1, -1, 0) &&
		  X509_set_pubkey(cert, key) && X509_sign(cert, by, EVP_sha256()) > 0,
	    "certificate");
	EVP_PKEY_free(by);
	return cert;
}

static SSL_CTX *
our_context(void)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct hf_error why = { 0 };
	struct tls_conf *conf;

	check(chain && sk_X509_push(chain, certify(ours)), "chain");
	check(tls_conf_client(&conf, at("ca.pem"), chain, ours, &why) == 0, why.text);
	sk_X509_pop_free(chain, X509_free);
	return conf->ctx;
}

static SSL_CTX *
plain_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509 *cert = certify(software);

	check(ctx && SSL_CTX_load_verify_file(ctx, at("ca.pem")) == 1 &&
		  SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, software) == 1,
	    "context");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	X509_free(cert);
	return ctx;
}

/* signatures */

/* As TLS does it: begun anew for each, over what is said of a handshake. */
static void
sign_ours(void)
{
	static const uint8_t said[64 + 34 + 32];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	uint8_t sig[SIGN_MAX];
	size_t len = sizeof sig;

	check(md && EVP_DigestSignInit_ex(md, &ctx, "SHA256", NULL, NULL, ours, NULL) == 1, "DigestSignInit");
	check(!rsa || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
			  EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1),
	    "padding");
	check(EVP_DigestSign(md, sig, &len, said, sizeof said) == 1, "DigestSign");
	EVP_MD_CTX_free(md);
}

static void
sign_raw(void)
{
	static const uint8_t digest[32] = { 1 };

	raw_sign(digest);
}

int
main(int argc, char **argv)
{
	static struct race our_handshake = { .run = shake_ours }, handshake = { .run = shake_plain },
			   our_signature = { .run = sign_ours },
			   signature = { .run = sign_raw, .begin = raw_begin, .end = raw_end };
	struct hf_error why = { 0 };
	const struct key_open how = { 0 };

	if (argc != 4)
		errx(2, "usage: bench-keys FOLDER NAME URI");
	folder = argv[1];
	start_server();
	raw_prepare(argv[3]);
	check(key_open(&ours, argv[3], &how, &why) == 0, why.text);
	rsa = EVP_PKEY_is_a(ours, "RSA");
	software = read_key(at(rsa ? "rsa.key" : "ec.key"));
	client = our_context();
	plain = plain_context();
	take_turns(&our_handshake, &handshake);
	raw_open(rsa);
	take_turns(&our_signature, &signature);
	tell(argv[2], "cpu", &our_handshake, &handshake, 0);
	tell(argv[2], "wall", &our_handshake, &handshake, 1);
	tell(argv[2], "sign", &our_signature, &signature, 1);
	return 0;
}
