#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY_METHOD: a key that takes its time */
#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "make_cert.h"
#include "stream/stream.h"

static EVP_PKEY *ca_key, *server_key, *device_key, *other_key;
static X509 *ca;
static STACK_OF(X509) * server_chain, *device_chain;
static char trust[] = "/tmp/holdfast-tls-XXXXXX", other_trust[] = "/tmp/holdfast-tls-XXXXXX";

static X509 *
with_names(X509 *x, EVP_PKEY *issuer_key, const char *names)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	X509_sign(x, issuer_key, EVP_sha256());
	return x;
}

static STACK_OF(X509) * chain_of(X509 *leaf, X509 *issuer)
{
	STACK_OF(X509) *chain = sk_X509_new_null();

	sk_X509_push(chain, leaf);
	if (issuer != NULL && X509_up_ref(issuer))
		sk_X509_push(chain, issuer);
	return chain;
}

static STACK_OF(X509) * server_cert(const char *names, int64_t from, int64_t to)
{
	struct cert_wish wish = { "server", 0, -1, from, to };

	return chain_of(with_names(make_cert(&wish, server_key, ca, ca_key), ca_key, names), NULL);
}

static void
drop(STACK_OF(X509) * chain)
{
	sk_X509_pop_free(chain, X509_free);
}

static void
write_pem(char *path, X509 *x)
{
	FILE *f = fdopen(mkstemp(path), "w");

	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
}

static int
make_all(void **state)
{
	int64_t now = time(NULL);
	struct cert_wish wish = { "CA", 1, -1, now - 60, now + 3600 };
	X509 *other;

	(void)state;
	ca_key = make_key();
	server_key = make_key();
	device_key = make_key();
	other_key = make_key();
	ca = make_cert(&wish, ca_key, NULL, NULL);
	wish.cn = "other CA";
	other = make_cert(&wish, other_key, NULL, NULL);
	write_pem(trust, ca);
	write_pem(other_trust, other);
	X509_free(other);
	server_chain =
	    server_cert("DNS:hub.test,DNS:*.wild.test,DNS:f*.part.test,IP:127.0.0.1", now - 60, now + 3600);
	wish = (struct cert_wish){ "device-1", 0, -1, now - 60, now + 3600 };
	device_chain = chain_of(make_cert(&wish, device_key, ca, ca_key), ca);
	return 0;
}

static int
free_all(void **state)
{
	(void)state;
	drop(server_chain);
	drop(device_chain);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(server_key);
	EVP_PKEY_free(device_key);
	EVP_PKEY_free(other_key);
	unlink(other_trust);
	return unlink(trust);
}

/* Two ends over a memory pair. */
struct scene {
	struct tls_conf *client_conf, *server_conf;
	struct stream *client, *server;
	struct stream *wire[2]; /* below the client, below the server */
	struct work *work;
};
struct wish {
	const char *host, *trust;
	STACK_OF(X509) * chain, *server_chain;
	EVP_PKEY *key;
	size_t cap, chunk;
	int max, on_worker;
};

static void
open_scene(struct scene *s, const struct wish *w)
{
	struct hf_error err = { 0 };
	size_t cap = w->cap == 0 ? 64 * 1024 : w->cap;

	memset(s, 0, sizeof *s);
	assert_int_equal(
	    tls_conf_client(&s->client_conf, w->trust ? w->trust : trust, w->chain, w->key, &err), 0);
	assert_int_equal(tls_conf_server(&s->server_conf, w->server_chain ? w->server_chain : server_chain,
			     server_key, w->max, &err),
	    0);
	if (w->on_worker)
		assert_int_equal(work_new(&s->work, &err), 0);
	assert_int_equal(pair_new(&s->wire[0], &s->wire[1], cap, w->chunk), 0);
	assert_int_equal(tls_open(&s->client, s->client_conf, s->wire[0], w->host, s->work, &err), 0);
	assert_int_equal(tls_open(&s->server, s->server_conf, s->wire[1], NULL, s->work, &err), 0);
	tls_conf_free(s->client_conf);
	tls_conf_free(s->server_conf);
}

static void
close_scene(struct scene *s)
{
	stream_close(s->client);
	stream_close(s->server);
	work_free(s->work);
}

/* Nothing moves here until the worker has something. */
static void
rest(struct scene *s, ssize_t want)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };

	if (want != STREAM_WANT_WORK)
		return;
	p.fd = work_fd(s->work);
	assert_int_equal(poll(&p, 1, 5000), 1);
	work_clear(s->work);
}

/* Writes from one end and reads at the other until all has come; what the reader said last when it does not. */
static ssize_t
carry(struct scene *s, struct stream *from, struct stream *to, const void *p, size_t n)
{
	uint8_t *got = malloc(n);
	size_t wrote = 0, read = 0;
	char c;
	ssize_t w = 0, r = 0;
	int i;

	for (i = 0; read < n && i < 1000000; i++) {
		if (wrote < n && (w = stream_write(from, (const uint8_t *)p + wrote, n - wrote)) > 0)
			wrote += (size_t)w;
		if (wrote == n) /* any call hands on what waits below */
			stream_read(from, &c, 1);
		if ((r = stream_read(to, got + read, n - read)) > 0)
			read += (size_t)r;
		if (w == STREAM_ERR || r == STREAM_ERR || r == 0)
			break;
		if (w == STREAM_WANT_WORK || r == STREAM_WANT_WORK)
			rest(s, STREAM_WANT_WORK);
	}
	if (read == n && memcmp(p, got, n) != 0)
		r = STREAM_ERR;
	free(got);
	return read == n ? (ssize_t)n : w == STREAM_ERR ? w : r;
}

static void
must_talk(const struct wish *w)
{
	static uint8_t much[100 * 1000];
	struct scene s;
	size_t i, n = w->chunk == 0 ? sizeof much : 3000;

	for (i = 0; i < sizeof much; i++)
		much[i] = (uint8_t)(i * 7 + i / 256);
	open_scene(&s, w);
	assert_false(tls_ready(s.client));
	assert_null(tls_peer(s.server));
	assert_null(tls_version(s.server));
	assert_int_equal(carry(&s, s.client, s.server, "hello", 5), 5);
	assert_int_equal(carry(&s, s.server, s.client, much, n), (ssize_t)n);
	assert_int_equal(carry(&s, s.client, s.server, much, n), (ssize_t)n);
	assert_true(tls_ready(s.client));
	assert_true(tls_ready(s.server));
	assert_non_null(tls_peer(s.client));
	assert_string_equal(tls_version(s.server), w->max == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
	assert_string_equal(tls_version(s.client), tls_version(s.server));
	if (w->chain == NULL)
		assert_null(tls_peer(s.server));
	else
		assert_int_equal(sk_X509_num(tls_peer(s.server)), sk_X509_num(w->chain));
	if (w->chain != NULL)
		assert_int_equal(
		    X509_cmp(sk_X509_value(tls_peer(s.server), 0), sk_X509_value(w->chain, 0)), 0);
	close_scene(&s);
}

static void
all_ways_of_talking(void **state)
{
	static const struct {
		size_t cap, chunk;
	} size[] = { { 0, 0 }, { 0, 1 }, { 1, 1 }, { 7, 3 }, { 100, 0 }, { 5000, 17 } };
	static const int max[] = { 0, TLS1_2_VERSION };
	size_t i, j, k;

	(void)state;
	for (i = 0; i < sizeof size / sizeof *size; i++) {
		for (j = 0; j < 8; j++) {
			struct wish w = { .host = "hub.test", .cap = size[i].cap, .chunk = size[i].chunk };

			k = j & 1;
			w.max = max[k];
			w.chain = j & 2 ? device_chain : NULL;
			w.key = j & 2 ? device_key : NULL;
			w.on_worker = (j & 4) != 0;
			must_talk(&w);
		}
	}
}

static void
the_peer_says_goodbye(void **state)
{
	const struct wish w = { .host = "hub.test" };
	struct scene s;
	char c;

	(void)state;
	open_scene(&s, &w);
	assert_int_equal(carry(&s, s.client, s.server, "x", 1), 1);
	stream_close(s.client);
	s.client = NULL;
	assert_int_equal(stream_read(s.server, &c, 1), 0);
	close_scene(&s);
}

static void
a_cut_is_no_goodbye(void **state)
{
	const struct wish w = { .host = "hub.test" };
	struct scene s;
	char c;

	(void)state;
	open_scene(&s, &w);
	assert_int_equal(carry(&s, s.client, s.server, "x", 1), 1);
	pair_cut(s.wire[0], 0);
	assert_int_equal(stream_read(s.server, &c, 1), STREAM_ERR);
	assert_int_equal(s.server->err.code, HF_ERR_NET);
	assert_int_equal(stream_write(s.client, "y", 1), STREAM_ERR);
	assert_int_equal(s.client->err.code, HF_ERR_NET);
	assert_int_equal(stream_read(s.client, &c, 1), STREAM_ERR);
	close_scene(&s);
}

/* What one end wrote can be read though the other can write no more. */
static void
last_words_come_through(void **state)
{
	const struct wish w = { .host = "hub.test" };
	struct scene s;
	char got[8];

	(void)state;
	open_scene(&s, &w);
	assert_int_equal(carry(&s, s.client, s.server, "x", 1), 1);
	assert_int_equal(stream_write(s.server, "refused", 7), 7);
	stream_close(s.server);
	s.server = NULL;
	assert_int_equal(stream_write(s.client, "more", 4), STREAM_ERR);
	assert_int_equal(stream_read(s.client, got, sizeof got), 7);
	assert_memory_equal(got, "refused", 7);
	assert_int_equal(stream_read(s.client, got, sizeof got), 0);
	close_scene(&s);
}

static void
what_waits_below_is_asked_for(void **state)
{
	struct wish w = { .host = "hub.test", .cap = 4096 };
	struct scene s;
	static uint8_t much[50000];
	ssize_t n;
	size_t total = 0;
	char c;

	(void)state;
	open_scene(&s, &w);
	assert_int_equal(carry(&s, s.client, s.server, "x", 1), 1);
	n = stream_write(s.client, much, sizeof much);
	assert_in_range(n, 1, 16 * 1024); /* one record: part of it waits, and it is counted once */
	assert_int_equal(stream_write(s.client, much, sizeof much), STREAM_WANT_WRITE);
	while (total < (size_t)n) { /* reading hands on what waits */
		if (stream_read(s.server, much, 1) == 1)
			total++;
		assert_int_equal(stream_read(s.client, &c, 1), STREAM_WANT_READ);
	}
	assert_int_equal(stream_read(s.server, much, 1), STREAM_WANT_READ);
	close_scene(&s);
}

/* Runs a handshake that must fail; answers the client's error and the server's. */
static void
must_fail(const struct wish *w, struct hf_error *client, struct hf_error *server)
{
	struct scene s;
	ssize_t r = 0, q = 0;
	char c;
	int i;

	open_scene(&s, w);
	for (i = 0; (r != STREAM_ERR || q != STREAM_ERR) && i < 1000; i++) {
		r = stream_read(s.client, &c, 1);
		q = stream_read(s.server, &c, 1);
		if (r == STREAM_WANT_WORK || q == STREAM_WANT_WORK)
			rest(&s, STREAM_WANT_WORK);
	}
	assert_int_equal(r, STREAM_ERR);
	assert_int_equal(q, STREAM_ERR);
	assert_int_equal(stream_read(s.client, &c, 1), STREAM_ERR);
	assert_int_equal(stream_write(s.client, &c, 1), STREAM_ERR);
	assert_false(tls_ready(s.client));
	*client = s.client->err;
	*server = s.server->err;
	close_scene(&s);
}

static void
certificates_that_are_not_trusted(void **state)
{
	int64_t now = time(NULL);
	STACK_OF(X509) *old = server_cert("DNS:hub.test", now - 7200, now - 3600),
		       *early = server_cert("DNS:hub.test", now + 3600, now + 7200);
	const struct {
		struct wish wish;
		const char *said;
	} row[] = {
		{ { .host = "hub.test", .trust = other_trust },
		    "the certificate of hub.test is not trusted: unable to get local issuer certificate (by the CAs in " },
		{ { .host = "wrong.test" },
		    "the certificate of wrong.test is made out to another name: hostname "
		    "mismatch; is it the right host?" },
		{ { .host = "127.0.0.2" },
		    "the certificate of 127.0.0.2 is made out to another name: IP address "
		    "mismatch; is it the right host?" },
		{ { .host = "foo.part.test" }, "made out to another name" },
		{ { .host = "a.b.wild.test" }, "made out to another name" },
		{ { .host = "hub.test", .server_chain = old },
		    "the certificate of hub.test is refused: certificate has expired; is this machine's clock right?" },
		{ { .host = "hub.test", .server_chain = early }, "certificate is not yet valid" },
	};
	struct hf_error client, server;
	struct wish wish;
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < sizeof row / sizeof *row; i++) {
		for (k = 0; k < 4; k++) {
			wish = row[i].wish;
			wish.max = k & 1 ? TLS1_2_VERSION : 0;
			wish.on_worker = k & 2;
			must_fail(&wish, &client, &server);
			assert_int_equal(client.code, HF_ERR_TLS);
			assert_non_null(strstr(client.text, row[i].said));
			assert_int_equal(server.code, HF_ERR_TLS);
			assert_non_null(strstr(server.text, "the client refused our certificate: "));
		}
	}
	drop(old);
	drop(early);
}

static void
names_that_are_trusted(void **state)
{
	(void)state;
	must_talk(&(struct wish){ .host = "127.0.0.1" });
	must_talk(&(struct wish){ .host = "HUB.test" });
	must_talk(&(struct wish){ .host = "any.wild.test" });
}

/* A server that is stricter than ours: it refuses certificates, or the lack of one. */
static void
refuse(struct stream *wire, int max, int want_certificate, const char **alert)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct hf_error err = { 0 };
	struct tls_conf *conf;
	struct stream *client;
	char *p, buf[4096], c;
	ssize_t r = 0;
	long n;
	int i;

	SSL_CTX_use_certificate(ctx, sk_X509_value(server_chain, 0));
	SSL_CTX_use_PrivateKey(ctx, server_key);
	SSL_CTX_load_verify_file(ctx, other_trust);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | (want_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	SSL_CTX_set_max_proto_version(ctx, max);
	ssl = SSL_new(ctx);
	SSL_set_bio(ssl, in, out);
	SSL_set_accept_state(ssl);
	assert_int_equal(tls_conf_client(&conf, trust, want_certificate ? NULL : device_chain,
			     want_certificate ? NULL : device_key, &err),
	    0);
	assert_int_equal(pair_new(&client, &wire, 64 * 1024, 0), 0);
	assert_int_equal(tls_open(&client, conf, client, "hub.test", NULL, &err), 0);
	tls_conf_free(conf);
	for (i = 0; i < 20 && r != STREAM_ERR; i++) {
		r = stream_read(client, &c, 1);
		while ((n = stream_read(wire, buf, sizeof buf)) > 0)
			BIO_write(in, buf, (int)n);
		SSL_do_handshake(ssl);
		if ((n = BIO_get_mem_data(out, &p)) > 0)
			assert_int_equal(stream_write(wire, p, (size_t)n), n);
		(void)BIO_reset(out);
		ERR_clear_error();
	}
	assert_int_equal(r, STREAM_ERR);
	assert_int_equal(client->err.code, HF_ERR_TLS);
	*alert = strdup(client->err.text);
	stream_close(client);
	stream_close(wire);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void
our_certificate_is_refused(void **state)
{
	static const int max[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	const char *said;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		refuse(NULL, max[i], 0, &said);
		assert_string_equal(said, "hub.test refused our certificate: unknown CA (alert 48)");
		free((char *)said);
	}
	refuse(NULL, TLS1_3_VERSION, 1, &said);
	assert_string_equal(said, "hub.test wants a certificate and was shown none: alert 116");
	free((char *)said);
}

static void
not_tls_at_all(void **state)
{
	struct hf_error err = { 0 };
	struct tls_conf *conf;
	struct stream *s, *peer;
	char c;

	(void)state;
	assert_int_equal(tls_conf_client(&conf, trust, NULL, NULL, &err), 0);
	assert_int_equal(pair_new(&s, &peer, 4096, 0), 0);
	assert_int_equal(tls_open(&s, conf, s, "hub.test", NULL, &err), 0);
	assert_int_equal(stream_write(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
	assert_int_equal(stream_read(s, &c, 1), STREAM_ERR);
	assert_int_equal(s->err.code, HF_ERR_TLS);
	assert_non_null(strstr(s->err.text, "hub.test does not speak TLS on this port"));
	stream_close(s);
	stream_close(peer);

	assert_int_equal(pair_new(&s, &peer, 4096, 0), 0);
	assert_int_equal(tls_open(&s, conf, s, "hub.test", NULL, &err), 0);
	assert_int_equal(stream_read(s, &c, 1), STREAM_WANT_READ);
	stream_close(peer);
	assert_int_equal(stream_read(s, &c, 1), STREAM_ERR);
	assert_int_equal(s->err.code, HF_ERR_NET);
	assert_string_equal(s->err.text, "hub.test closed the connection during the TLS handshake");
	stream_close(s);
	tls_conf_free(conf);
}

static void
settings_that_cannot_be(void **state)
{
	struct hf_error err = { 0 };
	struct tls_conf *conf = NULL;
	struct stream *a, *b, *s = NULL;
	char empty[] = "/tmp/holdfast-tls-XXXXXX";

	(void)state;
	assert_int_equal(tls_conf_client(&conf, trust, device_chain, server_key, &err), HF_ERR_KEY);
	assert_string_equal(
	    err.text, "the certificate for /CN=device-1 was not made for this key: key values mismatch");
	err = (struct hf_error){ 0 };
	assert_int_equal(tls_conf_client(&conf, trust, device_chain, NULL, &err), HF_ERR_ARGS);
	err = (struct hf_error){ 0 };
	assert_int_equal(tls_conf_server(&conf, server_chain, device_key, 0, &err), HF_ERR_KEY);
	err = (struct hf_error){ 0 };
	assert_int_equal(tls_conf_client(&conf, "/nonexistent/ca.pem", NULL, NULL, &err), HF_ERR_IO);
	assert_string_equal(err.text, "trust: cannot read /nonexistent/ca.pem: No such file or directory");
	err = (struct hf_error){ 0 };
	close(mkstemp(empty));
	assert_int_equal(tls_conf_client(&conf, empty, NULL, NULL, &err), HF_ERR_ARGS);
	unlink(empty);
	assert_null(conf);
	err = (struct hf_error){ 0 };
	assert_int_equal(tls_conf_client(&conf, trust, NULL, NULL, &err), 0);
	assert_int_equal(pair_new(&a, &b, 10, 0), 0);
	assert_int_equal(
	    tls_open(&s, conf, a, NULL, NULL, &err), HF_ERR_ARGS); /* no name: nothing to verify */
	assert_null(s);
	assert_int_equal(stream_read(b, empty, 1), 0);
	stream_close(b);
	tls_conf_free(conf);
	tls_conf_free(NULL);
}

/* Two that meet more than once. */
struct pals {
	struct tls_conf *client, *server;
};

static struct pals
make_pals(int max, long sessions, int with_certificate)
{
	struct hf_error err = { 0 };
	struct pals p;

	assert_int_equal(tls_conf_client(&p.client, trust, with_certificate ? device_chain : NULL,
			     with_certificate ? device_key : NULL, &err),
	    0);
	assert_int_equal(tls_conf_server(&p.server, server_chain, server_key, max, &err), 0);
	if (sessions > 0)
		tls_conf_resume(p.server, sessions, 60);
	return p;
}

static void
part(struct pals *p)
{
	tls_conf_free(p->client);
	tls_conf_free(p->server);
}

static void
begin_to_meet(struct scene *s, const struct pals *p, const char *host)
{
	struct hf_error err = { 0 };

	memset(s, 0, sizeof *s);
	assert_int_equal(pair_new(&s->wire[0], &s->wire[1], 64 * 1024, 0), 0);
	assert_int_equal(tls_open(&s->client, p->client, s->wire[0], host, NULL, &err), 0);
	assert_int_equal(tls_open(&s->server, p->server, s->wire[1], NULL, NULL, &err), 0);
}

/* Asks whom the system trusts, with these two variables (NULL: not set). NULL: the server; else why not, to be freed. */
static char *
by_the_system(const char *dir, const char *file)
{
	struct hf_error err = { 0 };
	struct pals p;
	struct scene s;
	char *said = NULL, c;
	ssize_t r = 0;
	int i;

	unsetenv("SSL_CERT_DIR");
	unsetenv("SSL_CERT_FILE");
	if (dir != NULL)
		setenv("SSL_CERT_DIR", dir, 1);
	if (file != NULL)
		setenv("SSL_CERT_FILE", file, 1);
	if (tls_conf_client(&p.client, NULL, NULL, NULL, &err) < 0)
		return strdup(err.text);
	assert_int_equal(tls_conf_server(&p.server, server_chain, server_key, 0, &err), 0);
	begin_to_meet(&s, &p, "hub.test");
	for (i = 0; r != STREAM_ERR && !tls_ready(s.client) && i < 20; i++) {
		r = stream_read(s.client, &c, 1);
		stream_read(s.server, &c, 1);
	}
	if (r == STREAM_ERR)
		said = strdup(s.client->err.text);
	close_scene(&s);
	part(&p);
	return said;
}

static void
says(char *said, const char *part)
{
	assert_non_null(said);
	if (strstr(said, part) == NULL)
		fail_msg("%s", said);
	free(said);
}

/* A folder in which our CA has the name that is made of its subject. */
static void
make_folder(char *dir, int hashed)
{
	char path[100];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/%08lx.0", dir, X509_subject_name_hash(ca));
	if (!hashed)
		snprintf(path, sizeof path, "%s/ca.pem", dir);
	f = fopen(path, "w");
	assert_int_equal(PEM_write_X509(f, ca), 1);
	fclose(f);
}

static void
remove_folder(const char *dir, int hashed)
{
	char path[100];

	snprintf(path, sizeof path, "%s/%08lx.0", dir, X509_subject_name_hash(ca));
	if (!hashed)
		snprintf(path, sizeof path, "%s/ca.pem", dir);
	unlink(path);
	rmdir(dir);
}

/* The variables mean what they mean to OpenSSL; what was believed stands in the refusal. */
static void
the_systems_trust_is_where_openssl_looks(void **state)
{
	char hashed[] = "/tmp/holdfast-hashed-XXXXXX", plain[] = "/tmp/holdfast-plain-XXXXXX", both[100];
	const char *dir = getenv("SSL_CERT_DIR"), *file = getenv("SSL_CERT_FILE");
	char *former[2] = { dir != NULL ? strdup(dir) : NULL, file != NULL ? strdup(file) : NULL };

	(void)state;
	make_folder(hashed, 1);
	make_folder(plain, 0);
	snprintf(both, sizeof both, "%s:%s", plain, hashed);
	assert_null(by_the_system(hashed, NULL));
	assert_null(by_the_system(both, NULL));
	assert_null(by_the_system(plain, trust));
	assert_null(by_the_system(NULL, trust));
	assert_null(by_the_system(hashed, other_trust));
	says(
	    by_the_system(plain, other_trust), "unable to get local issuer certificate (by the CAs in /tmp/");
	says(by_the_system(plain, other_trust), other_trust);
	says(by_the_system(NULL, NULL), "give ");
	says(by_the_system(plain, NULL), X509_get_default_cert_file());
	says(by_the_system(hashed, "/nonexistent"), "trust: cannot read /nonexistent: No such file");
	remove_folder(hashed, 1);
	says(by_the_system(hashed, NULL), "give ");
	remove_folder(plain, 0);
	unsetenv("SSL_CERT_DIR");
	unsetenv("SSL_CERT_FILE");
	if (former[0] != NULL)
		setenv("SSL_CERT_DIR", former[0], 1);
	if (former[1] != NULL)
		setenv("SSL_CERT_FILE", former[1], 1);
	free(former[0]);
	free(former[1]);
}

static void
the_systems_trust_does_not_know_our_ca(void **state)
{
	struct hf_error err = { 0 };
	struct tls_conf *conf, *server;
	struct stream *a, *b;
	ssize_t r = 0;
	char c;
	int i;

	(void)state;
	if (tls_conf_client(&conf, NULL, NULL, NULL, &err) < 0) { /* a machine without any CA says so */
		assert_int_equal(err.code, HF_ERR_IO);
		assert_non_null(strstr(err.text, "give a file with --trust"));
		return;
	}
	assert_int_equal(tls_conf_server(&server, server_chain, server_key, 0, &err), 0);
	assert_int_equal(pair_new(&a, &b, 64 * 1024, 0), 0);
	assert_int_equal(tls_open(&a, conf, a, "hub.test", NULL, &err), 0);
	assert_int_equal(tls_open(&b, server, b, NULL, NULL, &err), 0);
	for (i = 0; i < 10 && r != STREAM_ERR; i++) {
		r = stream_read(a, &c, 1);
		stream_read(b, &c, 1);
	}
	assert_int_equal(r, STREAM_ERR);
	assert_non_null(strstr(a->err.text, "is not trusted"));
	stream_close(a);
	stream_close(b);
	tls_conf_free(conf);
	tls_conf_free(server);
}

/* Says something each way; both ends agree on whether it was resumed. */
static int
meet(struct scene *s, const struct pals *p, const char *host)
{
	begin_to_meet(s, p, host);
	assert_int_equal(carry(s, s->client, s->server, "hello", 5), 5);
	assert_int_equal(carry(s, s->server, s->client, "hello", 5), 5);
	assert_int_equal(tls_resumed(s->client), tls_resumed(s->server));
	return tls_resumed(s->server);
}

static int
resumes(const struct pals *p, const char *host)
{
	struct scene s;
	int yes = meet(&s, p, host);

	close_scene(&s);
	return yes;
}

/* As often as one likes, and the server sees whom it saw at first. */
static void
the_same_host_is_resumed(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct scene s;
	struct pals p;
	int i, k, certificate;

	(void)state;
	for (k = 0; k < 4; k++) {
		certificate = k & 1;
		p = make_pals(max[k / 2], 100, certificate);
		for (i = 0; i < 5; i++) {
			assert_int_equal(meet(&s, &p, i == 3 ? "HUB.test" : "hub.test"), i > 0);
			assert_int_equal(sk_X509_num(tls_peer(s.client)), 1);
			if (certificate) {
				assert_int_equal(sk_X509_num(tls_peer(s.server)), 2);
				assert_int_equal(X509_cmp(sk_X509_value(tls_peer(s.server), 0),
						     sk_X509_value(device_chain, 0)),
				    0);
				assert_int_equal(X509_cmp(sk_X509_value(tls_peer(s.server), 1), ca), 0);
			} else
				assert_null(tls_peer(s.server));
			close_scene(&s);
		}
		part(&p);
	}
}

static void
another_host_is_not_resumed(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct hf_error err = { 0 };
	struct pals p, other;
	size_t k;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 100, 1);
		assert_false(resumes(&p, "hub.test"));
		assert_false(resumes(&p, "a.wild.test"));
		assert_true(resumes(&p, "a.wild.test"));
		assert_false(resumes(&p, "hub.test"));
		assert_false(resumes(&p, "127.0.0.1"));
		assert_true(resumes(&p, "127.0.0.1"));
		other = (struct pals){ NULL, p.server }; /* nor is another's session */
		assert_int_equal(tls_conf_client(&other.client, trust, NULL, NULL, &err), 0);
		assert_false(resumes(&other, "127.0.0.1"));
		tls_conf_free(other.client);
		part(&p);
	}
}

/* The name that is asked for is verified, whatever was resumed. */
static void
a_session_vouches_for_no_other_name(void **state)
{
	struct pals p = make_pals(0, 100, 0);
	struct scene s;
	ssize_t r = 0;
	char c;
	int i;

	(void)state;
	assert_false(resumes(&p, "hub.test"));
	begin_to_meet(&s, &p, "wrong.test");
	for (i = 0; r != STREAM_ERR && i < 10; i++) {
		r = stream_read(s.client, &c, 1);
		stream_read(s.server, &c, 1);
	}
	assert_non_null(strstr(s.client->err.text, "made out to another name"));
	close_scene(&s);
	part(&p);
}

static void
what_was_cut_is_resumed(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct scene s;
	struct pals p;
	size_t k;
	char c;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 100, 1);
		meet(&s, &p, "hub.test");
		pair_cut(s.wire[0], 0);
		assert_int_equal(stream_read(s.server, &c, 1), STREAM_ERR);
		assert_int_equal(stream_read(s.client, &c, 1), STREAM_ERR);
		close_scene(&s);
		assert_true(resumes(&p, "hub.test"));
		part(&p);
	}
}

/* What was offered and came to nothing is not offered again. */
static void
a_session_that_failed_is_dropped(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct scene s;
	struct pals p;
	size_t k;
	char c;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 100, 1);
		assert_false(resumes(&p, "hub.test"));
		begin_to_meet(&s, &p, "hub.test");
		assert_int_equal(stream_read(s.client, &c, 1), STREAM_WANT_READ);
		pair_cut(s.wire[0], 0);
		assert_int_equal(stream_read(s.client, &c, 1), STREAM_ERR);
		close_scene(&s);
		assert_false(resumes(&p, "hub.test"));
		assert_true(resumes(&p, "hub.test"));
		part(&p);
	}
}

static void
servers_that_do_not_resume(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct hf_error err = { 0 };
	struct pals p;
	size_t k;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 0, 1);
		assert_false(resumes(&p, "hub.test"));
		assert_false(resumes(&p, "hub.test"));
		part(&p);
		p = make_pals(max[k], 100, 1); /* one that began anew knows nobody */
		assert_false(resumes(&p, "hub.test"));
		tls_conf_free(p.server);
		assert_int_equal(tls_conf_server(&p.server, server_chain, server_key, max[k], &err), 0);
		tls_conf_resume(p.server, 100, 60);
		assert_false(resumes(&p, "hub.test"));
		assert_true(resumes(&p, "hub.test"));
		part(&p);
	}
}

/* One conversation with a server that is OpenSSL as it comes, which puts its sessions into tickets. 1: resumed. */
static int
meet_stranger(SSL_CTX *ctx, struct tls_conf *conf)
{
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct hf_error err = { 0 };
	struct stream *client, *wire;
	char bytes[8192], c, *p;
	int i, resumed;
	ssize_t n;

	SSL_set_bio(ssl, in, out);
	SSL_set_accept_state(ssl);
	assert_int_equal(pair_new(&client, &wire, 64 * 1024, 0), 0);
	assert_int_equal(tls_open(&client, conf, client, "hub.test", NULL, &err), 0);
	for (i = 0; i < 6; i++) {
		assert_int_equal(stream_read(client, &c, 1), STREAM_WANT_READ);
		while ((n = stream_read(wire, bytes, sizeof bytes)) > 0)
			BIO_write(in, bytes, (int)n);
		SSL_do_handshake(ssl);
		if ((n = BIO_get_mem_data(out, &p)) > 0)
			assert_int_equal(stream_write(wire, p, (size_t)n), n);
		(void)BIO_reset(out);
		ERR_clear_error();
	}
	assert_true(tls_ready(client));
	resumed = tls_resumed(client);
	assert_int_equal(resumed, SSL_session_reused(ssl));
	stream_close(client);
	stream_close(wire);
	SSL_free(ssl);
	return resumed;
}

static void
servers_with_tickets(void **state)
{
	static const int max[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	struct hf_error err = { 0 };
	struct tls_conf *conf;
	SSL_CTX *ctx;
	size_t k;
	int i;

	(void)state;
	for (k = 0; k < 2; k++) {
		ctx = SSL_CTX_new(TLS_server_method());
		SSL_CTX_use_certificate(ctx, sk_X509_value(server_chain, 0));
		SSL_CTX_use_PrivateKey(ctx, server_key);
		SSL_CTX_load_verify_file(ctx, trust);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"x", 1);
		SSL_CTX_set_max_proto_version(ctx, max[k]);
		assert_int_equal(tls_conf_client(&conf, trust, device_chain, device_key, &err), 0);
		for (i = 0; i < 4; i++)
			assert_int_equal(meet_stranger(ctx, conf), i > 0);
		tls_conf_free(conf);
		SSL_CTX_free(ctx);
	}
}

static void
the_oldest_sessions_are_forgotten(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct hf_error err = { 0 };
	struct pals p, other[3];
	size_t k, i;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 3, 1);
		assert_false(resumes(&p, "hub.test"));
		for (i = 0; i < 3; i++) {
			other[i].server = p.server;
			assert_int_equal(
			    tls_conf_client(&other[i].client, trust, device_chain, device_key, &err), 0);
			assert_false(resumes(&other[i], "hub.test"));
		}
		assert_true(resumes(&other[2], "hub.test"));
		assert_false(resumes(&p, "hub.test"));
		for (i = 0; i < 3; i++)
			tls_conf_free(other[i].client);
		part(&p);
	}
}

/* Though its session has not: OpenSSL would go on with it. */
static void
a_certificate_that_has_ended_is_not_resumed(void **state)
{
	int64_t now = time(NULL);
	STACK_OF(X509) *brief = server_cert("DNS:hub.test", now - 60, now + 2);
	struct pals p = make_pals(0, 100, 0);
	struct hf_error err = { 0 };
	struct scene s;
	ssize_t r = 0;
	char c;
	int i;

	(void)state;
	tls_conf_free(p.server);
	assert_int_equal(tls_conf_server(&p.server, brief, server_key, 0, &err), 0);
	tls_conf_resume(p.server, 100, 60);
	assert_false(resumes(&p, "hub.test"));
	assert_true(resumes(&p, "hub.test"));
	while (time(NULL) <= now + 2)
		poll(NULL, 0, 50);
	begin_to_meet(&s, &p, "hub.test");
	for (i = 0; r != STREAM_ERR && i < 10; i++) {
		r = stream_read(s.client, &c, 1);
		stream_read(s.server, &c, 1);
	}
	assert_non_null(strstr(s.client->err.text, "certificate has expired"));
	close_scene(&s);
	part(&p);
	drop(brief);
}

/*
 * A key whose signature waits at a gate, like a slow TPM's, or fails.
 */
static sem_t gate, signing, freed;
static int broken;

static ECDSA_SIG *
slow_sign(const unsigned char *digest, int n, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	ECDSA_SIG *(*sign)(const unsigned char *, int, const BIGNUM *, const BIGNUM *, EC_KEY *);

	if (broken) {
		ERR_raise_data(ERR_LIB_EC, EC_R_CANNOT_INVERT, "the TPM is on fire (0x123)");
		return NULL;
	}
	sem_post(&signing);
	sem_wait(&gate);
	EC_KEY_METHOD_get_sign(EC_KEY_OpenSSL(), NULL, NULL, &sign);
	return sign(digest, n, kinv, r, key);
}

static void
key_gone(EC_KEY *key)
{
	(void)key;
	sem_post(&freed);
}

static EVP_PKEY *
slow_key(EC_KEY_METHOD **method)
{
	EC_KEY *ec = EC_KEY_dup(EVP_PKEY_get0_EC_KEY(device_key));
	EVP_PKEY *key = EVP_PKEY_new();
	int (*sign)(int, const unsigned char *, int, unsigned char *, unsigned *, const BIGNUM *,
	    const BIGNUM *, EC_KEY *);

	*method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	EC_KEY_METHOD_get_sign(EC_KEY_OpenSSL(), &sign, NULL, NULL);
	EC_KEY_METHOD_set_sign(*method, sign, NULL, slow_sign);
	EC_KEY_METHOD_set_init(*method, NULL, key_gone, NULL, NULL, NULL, NULL);
	assert_int_equal(EC_KEY_set_method(ec, *method), 1);
	assert_int_equal(EVP_PKEY_assign_EC_KEY(key, ec), 1);
	return key;
}

/* The server has no worker here: only the client's key is slow. */
static void
open_slow(struct scene *s, EVP_PKEY *key, struct work *w)
{
	struct hf_error err = { 0 };

	memset(s, 0, sizeof *s);
	s->work = w;
	assert_int_equal(tls_conf_client(&s->client_conf, trust, device_chain, key, &err), 0);
	assert_int_equal(tls_conf_server(&s->server_conf, server_chain, server_key, 0, &err), 0);
	assert_int_equal(pair_new(&s->wire[0], &s->wire[1], 64 * 1024, 0), 0);
	assert_int_equal(tls_open(&s->client, s->client_conf, s->wire[0], "hub.test", w, &err), 0);
	assert_int_equal(tls_open(&s->server, s->server_conf, s->wire[1], NULL, NULL, &err), 0);
	tls_conf_free(s->client_conf);
	tls_conf_free(s->server_conf);
}

static void
until_it_signs(struct scene *s)
{
	char c;

	while (sem_trywait(&signing) != 0) {
		assert_int_not_equal(stream_read(s->client, &c, 1), STREAM_ERR);
		assert_int_not_equal(stream_read(s->server, &c, 1), STREAM_ERR);
		poll(NULL, 0, 1);
	}
}

static void
the_loop_goes_on_while_a_key_signs(void **state)
{
	struct hf_error err = { 0 };
	EC_KEY_METHOD *method;
	EVP_PKEY *key = slow_key(&method);
	struct work *w;
	struct scene slow, quick;
	short events;
	int i, fd;
	char c;

	(void)state;
	assert_int_equal(work_new(&w, &err), 0);
	open_slow(&slow, key, w);
	until_it_signs(&slow);
	open_scene(&quick, &(struct wish){ .host = "hub.test" });
	for (i = 0; i < 100; i++) {
		assert_int_equal(stream_read(slow.client, &c, 1), STREAM_WANT_WORK);
		assert_int_equal(stream_write(slow.client, &c, 1), STREAM_WANT_WORK);
		assert_int_equal(carry(&quick, quick.client, quick.server, "message", 7), 7);
	}
	stream_wait(slow.client, STREAM_WANT_WORK, &fd, &events);
	assert_int_equal(fd, work_fd(w));
	assert_int_equal(events, POLLIN);
	close_scene(&quick);
	sem_post(&gate);
	assert_int_equal(carry(&slow, slow.client, slow.server, "at last", 7), 7);
	assert_int_equal(sk_X509_num(tls_peer(slow.server)), 2);
	close_scene(&slow);
	EVP_PKEY_free(key);
	sem_wait(&freed);
	EC_KEY_METHOD_free(method);
}

static void
closing_does_not_wait_for_the_key(void **state)
{
	struct hf_error err = { 0 };
	EC_KEY_METHOD *method;
	EVP_PKEY *key = slow_key(&method);
	struct work *w;
	struct scene s;

	(void)state;
	assert_int_equal(work_new(&w, &err), 0);
	open_slow(&s, key, w);
	until_it_signs(&s);
	EVP_PKEY_free(key);
	close_scene(&s); /* the worker holds all that the signature needs */
	assert_int_not_equal(sem_trywait(&freed), 0);
	sem_post(&gate);
	sem_wait(&freed);
	poll(NULL, 0, 20);
	EC_KEY_METHOD_free(method);
}

static void
a_key_that_fails_is_named(void **state)
{
	struct hf_error err = { 0 };
	EC_KEY_METHOD *method;
	EVP_PKEY *key = slow_key(&method);
	struct work *w;
	struct scene s;
	ssize_t r;
	char c;

	(void)state;
	broken = 1;
	assert_int_equal(work_new(&w, &err), 0);
	open_slow(&s, key, w);
	while ((r = stream_read(s.client, &c, 1)) != STREAM_ERR) {
		stream_read(s.server, &c, 1);
		rest(&s, r);
	}
	assert_int_equal(s.client->err.code, HF_ERR_KEY);
	assert_string_equal(
	    s.client->err.text, "our key did not sign for TLS with hub.test: the TPM is on fire (0x123)");
	close_scene(&s);
	EVP_PKEY_free(key);
	sem_wait(&freed);
	EC_KEY_METHOD_free(method);
	broken = 0;
}

/* The same over real sockets, as two programs would. */
static int
loopback(uint16_t *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static void
over_sockets(void **state)
{
	static uint8_t much[300 * 1000];
	struct hf_error err = { 0 };
	struct tls_conf *cc, *sc;
	struct stream *tcp;
	struct scene s = { 0 };
	struct pollfd p;
	uint16_t port;
	int listener = loopback(&port), on_worker;
	char c;

	(void)state;
	for (on_worker = 0; on_worker < 2; on_worker++) {
		s.work = NULL;
		if (on_worker)
			assert_int_equal(work_new(&s.work, &err), 0);
		assert_int_equal(tls_conf_client(&cc, trust, device_chain, device_key, &err), 0);
		assert_int_equal(tls_conf_server(&sc, server_chain, server_key, 0, &err), 0);
		assert_int_equal(tcp_connect(&tcp, s.work, "127.0.0.1", port, &err), 0);
		assert_int_equal(tls_open(&s.client, cc, tcp, "127.0.0.1", s.work, &err), 0);
		assert_true(stream_read(s.client, &c, 1) < 0);
		p = (struct pollfd){ listener, POLLIN, 0 };
		while (poll(&p, 1, 1) != 1)
			stream_read(s.client, &c, 1);
		assert_int_equal(tcp_from_fd(&tcp, accept(listener, NULL, NULL), "the device", &err), 0);
		assert_int_equal(tls_open(&s.server, sc, tcp, NULL, s.work, &err), 0);
		tls_conf_free(cc);
		tls_conf_free(sc);
		assert_int_equal(carry(&s, s.client, s.server, much, sizeof much), sizeof much);
		assert_int_equal(carry(&s, s.server, s.client, much, sizeof much), sizeof much);
		assert_int_equal(stream_read(s.client, &c, 1), STREAM_WANT_READ);
		stream_wait(s.client, STREAM_WANT_READ, &p.fd, &p.events);
		assert_int_equal(p.events, POLLIN);
		while (stream_write(s.client, much, sizeof much) != STREAM_WANT_WRITE)
			;
		stream_wait(s.client, STREAM_WANT_READ, &p.fd, &p.events); /* for what waits below, too */
		assert_int_equal(p.events, POLLIN | POLLOUT);
		close_scene(&s);
	}
	close(listener);
}

/* All names have two addresses, and nobody is at the first. */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	static struct sockaddr_in in[2];
	static struct addrinfo a[2];
	int i, numeric = inet_addr(host) != INADDR_NONE;

	if (!numeric && (hints->ai_flags & AI_NUMERICHOST))
		return EAI_NONAME;
	for (i = 0; i < 2; i++) {
		in[i] =
		    (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(service)) };
		in[i].sin_addr.s_addr = inet_addr(i == 0 ? "127.0.0.9" : "127.0.0.1");
		a[i] = (struct addrinfo){ .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
		a[i].ai_addrlen = sizeof in[i];
		a[i].ai_addr = (struct sockaddr *)&in[i];
	}
	a[0].ai_next = &a[1];
	*list = numeric ? &a[1] : &a[0];
	return 0;
}

void
freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

/* Dials by a name and answers at the second address. The client's last word; `hello`: what it began with. */
static ssize_t
dial(struct scene *s, const struct pals *p, const char *host, char hello[2000])
{
	struct net net = { .open = net_open, .proxy = "" };
	struct hf_error err = { 0 };
	struct stream *tcp;
	struct pollfd waits;
	uint16_t port;
	int listener = loopback(&port), i, fd;
	ssize_t n, r = 0;
	char c;

	assert_int_equal(
	    net.open(&net, &s->client, &(struct dial){ host, port, p->client, NULL }, NULL, &err), 0);
	waits = (struct pollfd){ listener, POLLIN, 0 };
	while (poll(&waits, 1, 1) != 1)
		assert_int_not_equal(stream_read(s->client, &c, 1), STREAM_ERR);
	fd = accept(listener, NULL, NULL);
	close(listener);
	while ((n = recv(fd, hello, 1999, MSG_PEEK | MSG_DONTWAIT)) < 100)
		stream_read(s->client, &c, 1);
	hello[n] = '\0';
	assert_int_equal(tcp_from_fd(&tcp, fd, "the device", &err), 0);
	assert_int_equal(tls_open(&s->server, p->server, tcp, NULL, NULL, &err), 0);
	for (i = 0; i < 1000 && r != STREAM_ERR && !tls_ready(s->client); i++, poll(NULL, 0, 1)) {
		r = stream_read(s->client, &c, 1);
		stream_read(s->server, &c, 1);
	}
	for (i = 0; i < (int)n; i++)
		hello[i] = hello[i] == '\0' ? ' ' : hello[i];
	return r;
}

/* Whichever address it was: the name is what is sent and verified. */
static void
the_name_is_the_one_that_was_asked_for(void **state)
{
	struct pals p = make_pals(0, 100, 0);
	struct scene s = { 0 };
	char hello[2000];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) { /* and when it is resumed */
		assert_int_equal(dial(&s, &p, "hub.test", hello), STREAM_WANT_READ);
		assert_non_null(strstr(hello, "hub.test"));
		assert_int_equal(carry(&s, s.server, s.client, "hello", 5), 5);
		assert_int_equal(tls_resumed(s.client), i);
		close_scene(&s);
	}
	assert_int_equal(dial(&s, &p, "elsewhere.test", hello), STREAM_ERR);
	assert_non_null(strstr(hello, "elsewhere.test"));
	assert_non_null(strstr(s.client->err.text, "elsewhere.test is made out to another name"));
	close_scene(&s);
	part(&p);
}

/*
 * A client on a socket; the server is in memory, and what it says is handed over by hand.
 */
struct handed {
	struct scene s;
	struct stream *wire; /* the server's other end */
	int fd;		     /* the client's */
};

/* Hands over all that there is, but for so many bytes at its end. How many that was. */
static size_t
hand_over(struct handed *h, size_t but)
{
	static uint8_t bytes[64 * 1024];
	ssize_t n = stream_read(h->wire, bytes, sizeof bytes);

	if (n <= 0)
		return 0;
	assert_true((size_t)n >= but);
	assert_int_equal(send(h->fd, bytes, (size_t)n - but, 0), n - (ssize_t)but);
	return (size_t)n;
}

/* And what the client said, to the server. */
static void
hand_back(struct handed *h)
{
	uint8_t bytes[16 * 1024];
	ssize_t n = recv(h->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		assert_int_equal(stream_write(h->wire, bytes, (size_t)n), n);
}

static void
open_handed(struct handed *h, const struct pals *p)
{
	struct hf_error err = { 0 };
	struct stream *under;
	int fd[2], i;
	char c;

	memset(h, 0, sizeof *h);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	h->fd = fd[0];
	assert_int_equal(pair_new(&h->s.wire[1], &h->wire, 64 * 1024, 0), 0);
	assert_int_equal(tcp_from_fd(&under, fd[1], "the server", &err), 0);
	assert_int_equal(tls_open(&h->s.client, p->client, under, "hub.test", NULL, &err), 0);
	assert_int_equal(tls_open(&h->s.server, p->server, h->s.wire[1], NULL, NULL, &err), 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(stream_read(h->s.client, &c, 1), STREAM_WANT_READ);
		hand_back(h);
		assert_int_equal(stream_read(h->s.server, &c, 1), STREAM_WANT_READ);
		hand_over(h, 0);
	}
	assert_true(tls_ready(h->s.client) && tls_ready(h->s.server));
}

static void
close_handed(struct handed *h)
{
	close_scene(&h->s);
	stream_close(h->wire);
	close(h->fd);
}

/* Wherever it ends: within a record's head, its body, or behind it; before a goodbye, that is an error. */
static void
an_end_without_goodbye_is_no_end(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct handed h;
	struct pals p;
	size_t k, but, whole = 100;
	ssize_t r;
	char got[8];

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 0, 1);
		for (but = 0; but < whole; but++) {
			open_handed(&h, &p);
			assert_int_equal(stream_write(h.s.server, "message", 7), 7);
			whole = hand_over(&h, but);
			shutdown(h.fd, SHUT_WR);
			r = stream_read(h.s.client, got, sizeof got);
			if (but == 0) {
				assert_int_equal(r, 7);
				r = stream_read(h.s.client, got, sizeof got);
			}
			assert_int_equal(r, STREAM_ERR);
			assert_int_equal(h.s.client->err.code, HF_ERR_NET);
			assert_string_equal(
			    h.s.client->err.text, "hub.test closed the connection without TLS's goodbye");
			assert_int_equal(stream_read(h.s.client, got, sizeof got), STREAM_ERR);
			assert_int_equal(stream_write(h.s.client, got, 1), STREAM_ERR);
			close_handed(&h);
		}
		assert_in_range(whole, 20, 99);
		whole = 100;
		part(&p);
	}
}

/* To OpenSSL, what ends like that has spoilt its session; it is what a lost connection looks like. */
static void
a_session_outlives_an_end_without_goodbye(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct handed h;
	struct pals p;
	size_t k;
	char c;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 100, 1);
		open_handed(&h, &p);
		assert_false(tls_resumed(h.s.client));
		shutdown(h.fd, SHUT_WR);
		assert_int_equal(stream_read(h.s.client, &c, 1), STREAM_ERR);
		stream_close(h.wire);
		h.wire = NULL;
		assert_int_equal(stream_read(h.s.server, &c, 1), STREAM_ERR);
		assert_string_equal(
		    h.s.server->err.text, "the client closed the connection without TLS's goodbye");
		close_handed(&h);
		open_handed(&h, &p);
		assert_true(tls_resumed(h.s.client));
		close_handed(&h);
		part(&p);
	}
}

/* Who has said goodbye may still listen. */
static void
a_peer_that_says_no_more_is_spoken_to(void **state)
{
	static const int max[] = { 0, TLS1_2_VERSION };
	struct handed h;
	struct pals p;
	size_t k;
	uint8_t got[100];
	char c;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 0, 1);
		open_handed(&h, &p);
		part(&p);
		stream_close(h.s.server);
		h.s.server = NULL;
		assert_in_range(hand_over(&h, 0), 10, 60);
		shutdown(h.fd, SHUT_WR);
		assert_int_equal(stream_read(h.s.client, &c, 1), 0);
		assert_int_equal(stream_write(h.s.client, "more", 4), 4);
		assert_int_equal(stream_read(h.s.client, &c, 1), 0);
		assert_in_range(recv(h.fd, got, sizeof got, MSG_DONTWAIT), 20, 60);
		assert_int_equal(got[0], SSL3_RT_APPLICATION_DATA);
		close_handed(&h);
	}
}

/* No signal ends the process, and the sentence says what happened to the connection. */
static void
a_reset_while_writing(void **state)
{
	static uint8_t much[1000 * 1000];
	static const struct linger abrupt = { 1, 0 };
	static const int max[] = { 0, TLS1_2_VERSION };
	struct hf_error err = { 0 };
	struct stream *tcp;
	struct scene s = { 0 };
	struct pals p;
	uint16_t port;
	size_t k;
	ssize_t r;
	int listener = loopback(&port), fd, i;
	char c;

	(void)state;
	for (k = 0; k < 2; k++) {
		p = make_pals(max[k], 0, 1);
		assert_int_equal(tcp_connect(&tcp, NULL, "127.0.0.1", port, &err), 0);
		assert_int_equal(tls_open(&s.client, p.client, tcp, "127.0.0.1", NULL, &err), 0);
		assert_true(stream_read(s.client, &c, 1) < 0);
		fd = accept(listener, NULL, NULL);
		assert_int_equal(tcp_from_fd(&tcp, fd, "the device", &err), 0);
		assert_int_equal(tls_open(&s.server, p.server, tcp, NULL, NULL, &err), 0);
		part(&p);
		assert_int_equal(carry(&s, s.client, s.server, much, 1000), 1000);
		while (stream_write(s.client, much, sizeof much) != STREAM_WANT_WRITE)
			;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
		dup2(listener, fd); /* closes it, without a goodbye */
		stream_close(s.server);
		for (i = 0, r = 0; r != STREAM_ERR && i < 100; i++, poll(NULL, 0, 1))
			r = stream_write(s.client, much, sizeof much);
		assert_int_equal(r, STREAM_ERR);
		assert_int_equal(s.client->err.code, HF_ERR_NET);
		assert_non_null(strstr(s.client->err.text, " lost while writing: "));
		assert_int_equal(stream_read(s.client, &c, 1), STREAM_ERR);
		assert_int_equal(stream_write(s.client, &c, 1), STREAM_ERR);
		stream_close(s.client);
	}
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ways_of_talking),
		cmocka_unit_test(the_peer_says_goodbye),
		cmocka_unit_test(a_cut_is_no_goodbye),
		cmocka_unit_test(last_words_come_through),
		cmocka_unit_test(what_waits_below_is_asked_for),
		cmocka_unit_test(certificates_that_are_not_trusted),
		cmocka_unit_test(names_that_are_trusted),
		cmocka_unit_test(our_certificate_is_refused),
		cmocka_unit_test(not_tls_at_all),
		cmocka_unit_test(settings_that_cannot_be),
		cmocka_unit_test(the_systems_trust_is_where_openssl_looks),
		cmocka_unit_test(the_systems_trust_does_not_know_our_ca),
		cmocka_unit_test(the_same_host_is_resumed),
		cmocka_unit_test(another_host_is_not_resumed),
		cmocka_unit_test(a_session_vouches_for_no_other_name),
		cmocka_unit_test(what_was_cut_is_resumed),
		cmocka_unit_test(a_session_that_failed_is_dropped),
		cmocka_unit_test(servers_that_do_not_resume),
		cmocka_unit_test(servers_with_tickets),
		cmocka_unit_test(the_oldest_sessions_are_forgotten),
		cmocka_unit_test(a_certificate_that_has_ended_is_not_resumed),
		cmocka_unit_test(the_loop_goes_on_while_a_key_signs),
		cmocka_unit_test(closing_does_not_wait_for_the_key),
		cmocka_unit_test(a_key_that_fails_is_named),
		cmocka_unit_test(over_sockets),
		cmocka_unit_test(the_name_is_the_one_that_was_asked_for),
		cmocka_unit_test(an_end_without_goodbye_is_no_end),
		cmocka_unit_test(a_session_outlives_an_end_without_goodbye),
		cmocka_unit_test(a_peer_that_says_no_more_is_spoken_to),
		cmocka_unit_test(a_reset_while_writing),
	};

	sem_init(&gate, 0, 0);
	sem_init(&signing, 0, 0);
	sem_init(&freed, 0, 0);
	return cmocka_run_group_tests(tests, make_all, free_all);
}
