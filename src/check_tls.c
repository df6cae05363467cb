#define _GNU_SOURCE /* memfd_create */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "check.h"
#include "hsm/hsm.h"
#include "stream/stream.h"

enum { RING = 64 * 1024, ROUNDS = 1000, DAYS = 1 };

/* The server that the key's owner meets: a key and a certificate of the moment. */
struct peer {
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
	int trust; /* a descriptor: the certificate, as the file that the client trusts */
};
struct meeting {
	struct tls_conf *client_conf, *server_conf;
	struct stream *client, *server;
};

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = x ? X509_get_subject_name(x) : NULL;

	if (x && X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
	    X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_UTF8, (const unsigned char *)"localhost", -1, -1, 0) &&
	    X509_set_issuer_name(x, name) && X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400) && X509_set_pubkey(x, key) &&
	    X509_sign(x, key, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}

static int
put_trust(int fd, X509 *x)
{
	BIO *b = BIO_new_fd(fd, BIO_NOCLOSE);
	int ok = b && PEM_write_bio_X509(b, x);

	BIO_free(b);
	return ok;
}

static int
peer_init(struct peer *p, struct hf_error *err)
{
	X509 *x;

	*p = (struct peer){ .trust = memfd_create("trust", MFD_CLOEXEC) };
	if (p->trust < 0)
		return err_sys(err, HF_ERR_IO, "cannot make a file in memory");
	p->key = EVP_EC_gen("P-256");
	p->chain = sk_X509_new_null();
	x = p->key && p->chain ? make_certificate(p->key) : NULL;
	if (!x || !sk_X509_push(p->chain, x)) {
		X509_free(x);
		return err_ssl(err, HF_ERR_OTHER, "cannot make a certificate for the test's own server");
	}
	return put_trust(p->trust, x) ? 0 : err_ssl(err, HF_ERR_IO, "cannot write a file in memory");
}

static void
peer_fini(struct peer *p)
{
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	if (p->trust >= 0)
		close(p->trust);
}

static int
begin(struct check *c, struct meeting *m, const struct peer *p, int max, struct hf_error *err)
{
	struct stream *a, *b;
	char trust[40];

	snprintf(trust, sizeof trust, "/proc/self/fd/%d", p->trust);
	if (tls_conf_client(&m->client_conf, trust, c->chain, c->key, err) < 0 ||
	    tls_conf_server(&m->server_conf, p->chain, p->key, max, err) < 0)
		return err->code;
	if (pair_new(&a, &b, RING, 0) < 0)
		return err_memory(err);
	if (tls_open(&m->client, m->client_conf, a, "localhost", NULL, err) < 0) {
		stream_close(b);
		return err->code;
	}
	return tls_open(&m->server, m->server_conf, b, NULL, NULL, err);
}

static void
end(struct meeting *m)
{
	stream_close(m->client);
	stream_close(m->server);
	tls_conf_free(m->client_conf);
	tls_conf_free(m->server_conf);
}

/* The server greets, once it has seen who it is. */
static int
greet(struct meeting *m, struct hf_error *err)
{
	char byte;
	ssize_t n;
	int sent = 0;

	for (int i = 0; i < ROUNDS; i++) {
		n = stream_read(m->client, &byte, 1);
		if (n == 1)
			return 0;
		if (n == 0 || n == STREAM_ERR)
			return err_set(err, HF_ERR_TLS, "%s", n == 0 ? "closed" : m->client->err.text);
		n = sent ? 0 : stream_write(m->server, "", 1);
		if (n == STREAM_ERR)
			return err_set(err, HF_ERR_TLS, "%s", m->server->err.text);
		sent |= n == 1;
	}
	return err_set(err, HF_ERR_TLS, "the handshake comes to no end");
}

/* TLS itself has proved that the client has the key of this certificate. */
static int
saw_key(struct check *c, struct meeting *m, struct hf_error *err)
{
	STACK_OF(X509) *chain = tls_peer(m->server);
	X509 *leaf = chain ? sk_X509_value(chain, 0) : NULL;

	if (!leaf)
		return err_set(err, HF_ERR_TLS, "the client has shown no certificate");
	if (EVP_PKEY_eq(X509_get0_pubkey(leaf), c->pub) != 1)
		return err_set(err, HF_ERR_TLS, "the client has shown a certificate of another key");
	return 0;
}

static void
meet(struct check *c, const struct peer *p, int max, const char *version)
{
	struct meeting m = { 0 };
	struct hf_error err = { 0 };

	check_try(c, "%s handshake as a client", version);
	if (begin(c, &m, p, max, &err) == 0 && greet(&m, &err) == 0)
		(void)saw_key(c, &m, &err);
	end(&m);
	ERR_clear_error();
	if (err.code < 0)
		check_failed(c, &err);
	else
		check_say(c, HF_CHECK_OK, "the server has seen the certificate of this key");
}

/* Both are made for every key, and read back. */
static int
try_request(struct check *c, struct hf_error *err)
{
	struct buf pem = { 0 };
	X509_REQ *r = NULL;
	BIO *b = NULL;
	int rc = request_put(&pem, c->key, "/CN=conformance-kit", err);

	if (rc == 0 && (b = BIO_new_mem_buf(buf_data(&pem), (int)buf_size(&pem))))
		r = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);
	if (rc == 0 && (!r || X509_REQ_verify(r, c->pub) != 1))
		rc = err_ssl(err, HF_ERR_KEY, "the public key does not fit the request's signature");
	X509_REQ_free(r);
	BIO_free(b);
	buf_free(&pem);
	return rc;
}

static int
try_self_signed(struct check *c, struct hf_error *err)
{
	STACK_OF(X509) *chain = NULL;
	struct buf pem = { 0 };
	int rc = self_signed_put(&pem, c->key, "/CN=conformance-kit", DAYS, err);

	if (rc == 0)
		rc = hsm_pem_chain(&chain, &pem, "the certificate", err);
	if (rc == 0 && X509_verify(sk_X509_value(chain, 0), c->pub) != 1)
		rc = err_ssl(err, HF_ERR_KEY, "the public key does not fit the certificate's signature");
	if (rc == 0 && !c->chain)
		c->chain = chain;
	else
		sk_X509_pop_free(chain, X509_free);
	buf_free(&pem);
	return rc;
}

static void
tell(struct check *c, int rc, const struct hf_error *err)
{
	if (rc < 0)
		check_failed(c, err);
	else
		check_say(c, HF_CHECK_OK, "%s", "");
}

void
check_tls(struct check *c)
{
	struct remotekey_limits limits;
	struct hf_error err = { 0 };
	struct peer p;

	check_try(c, "signs a certificate request");
	tell(c, try_request(c, &err), &err);
	err_clear(&err);
	check_try(c, "signs a certificate for itself");
	tell(c, try_self_signed(c, &err), &err);
	err_clear(&err);
	if (!c->chain)
		return;
	check_try(c, "meets a TLS server");
	if (peer_init(&p, &err) < 0) {
		check_failed(c, &err);
		goto fail;
	}
	remotekey_limits(c->key, &limits);
	meet(c, &p, TLS1_2_VERSION, "TLS 1.2");
	if (limits.tls_max == 0 || limits.tls_max >= TLS1_3_VERSION) {
		meet(c, &p, 0, "TLS 1.3");
		goto fail;
	}
	check_try(c, "TLS 1.3 handshake as a client");
	check_say(c, HF_CHECK_CANNOT, "the key makes no signature that TLS 1.3 takes (%s); TLS 1.2 is used",
	    limits.sigalgs);
fail:
	peer_fini(&p);
}
