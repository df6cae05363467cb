#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/hsm.h"
#include "hsm/key.h"

enum { FILE_MAX = 256 * 1024 };
struct x509 {
	struct hsm hsm;
	struct x509_source *source;
	STACK_OF(X509) * chain; /* NULL: not loaded yet */
	EVP_PKEY *key;
};

static int
certificate(struct hsm *h, STACK_OF(X509) * *chain, struct hf_error *err)
{
	*chain = ((struct x509 *)h)->chain;
	return *chain ? 0 : err_set(err, HF_ERR_STATE, "the certificate has not been loaded yet");
}

static int
key(struct hsm *h, EVP_PKEY **pkey, struct hf_error *err)
{
	*pkey = ((struct x509 *)h)->key;
	return *pkey ? 0 : err_set(err, HF_ERR_STATE, "the key has not been opened yet");
}

static void
unload(struct x509 *x)
{
	sk_X509_pop_free(x->chain, X509_free);
	EVP_PKEY_free(x->key);
	x->chain = NULL;
	x->key = NULL;
}

static void
close_x509(struct hsm *h)
{
	struct x509 *x = (struct x509 *)h;

	unload(x);
	x->source->close(x->source);
	free(x);
}

/* The subject's CN is the registration id; a certificate may do without. */
static int
read_name(struct x509 *x, struct hf_error *err)
{
	const X509_NAME *subject = X509_get_subject_name(sk_X509_value(x->chain, 0));
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *cn;

	if (at < 0 || *x->hsm.registration_id)
		return 0;
	cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	if (str_copy(x->hsm.registration_id, sizeof x->hsm.registration_id, ASN1_STRING_get0_data(cn),
		(size_t)ASN1_STRING_length(cn)) == 0)
		return 0;
	return err_set(
	    err, HF_ERR_KEY, "the certificate's subject has a CN that cannot be a registration id");
}

static int
set_fingerprint(struct x509 *x, struct hf_error *err)
{
	uint8_t *der = NULL;
	int n = i2d_PUBKEY(X509_get0_pubkey(sk_X509_value(x->chain, 0)), &der), ok;

	ok = n > 0 && EVP_Digest(der, (size_t)n, x->hsm.fingerprint, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	return ok ? 0 : err_ssl(err, HF_ERR_KEY, "cannot hash the public key");
}

static int
load(struct x509 *x, struct hf_error *err)
{
	int rc = x->source->load(x->source, &x->chain, &x->key, x->hsm.registration_id, err);

	if (rc == 0)
		rc = read_name(x, err);
	if (rc == 0 && X509_check_private_key(sk_X509_value(x->chain, 0), x->key) != 1)
		rc = err_ssl(err, HF_ERR_KEY, "the key does not belong to the certificate (its first one)");
	if (rc == 0)
		rc = set_fingerprint(x, err);
	ERR_clear_error();
	if (rc < 0)
		unload(x);
	return rc;
}

/* Asked for by a job: opening the key may take as long as the hardware does. */
static int
identity(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *err)
{
	struct x509 *x = (struct x509 *)h;

	(void)persist;
	(void)ek;
	(void)srk;
	return x->chain ? 0 : load(x, err);
}

static const struct hsm_ops ops = {
	.close = close_x509, .certificate = certificate, .key = key, .identity = identity
};

int
hsm_x509_new(struct hsm **out, struct x509_source *source, struct hf_error *err)
{
	struct x509 *x = calloc(1, sizeof *x);
	int rc = 0;

	*out = NULL;
	if (!x) {
		source->close(source);
		return err_memory(err);
	}
	x->hsm.ops = &ops;
	x->hsm.kind = HSM_X509;
	x->hsm.blocks = source->blocks;
	x->source = source;
	if (!source->blocks)
		rc = load(x, err);
	if (rc < 0)
		close_x509(&x->hsm);
	else
		*out = &x->hsm;
	return rc;
}

int
hsm_pem_chain(STACK_OF(X509) * *chain, const struct buf *text, const char *what, struct hf_error *err)
{
	BIO *bio = BIO_new_mem_buf(buf_data(text), (int)buf_size(text));
	X509 *x;
	int rc = 0;

	*chain = sk_X509_new_null();
	if (!bio || !*chain) {
		rc = err_memory(err);
		goto fail;
	}
	ERR_clear_error();
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, (void *)""))) { /* nobody is asked for a passphrase */
		if (sk_X509_push(*chain, x) > 0)
			continue;
		X509_free(x);
		rc = err_memory(err);
		goto fail;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		rc = err_ssl(
		    err, HF_ERR_KEY, "%s: certificate %d cannot be read", what, sk_X509_num(*chain) + 1);
		goto fail;
	}
	ERR_clear_error();
	if (sk_X509_num(*chain) == 0)
		rc = err_set(err, HF_ERR_KEY, "%s: there is no PEM certificate in it", what);
fail:
	BIO_free(bio);
	if (rc < 0) {
		sk_X509_pop_free(*chain, X509_free);
		*chain = NULL;
	}
	return rc;
}

/* A certificate file, and the key that a URI names. */
struct pair {
	struct x509_source source;
	char *cert, *key;
};

static int
load_pair(struct x509_source *s, STACK_OF(X509) * *chain, EVP_PKEY **pkey, char *id, struct hf_error *err)
{
	struct pair *p = (struct pair *)s;
	struct buf text = { 0 };
	char what[300];
	struct key_open open = { 0 };
	int rc = file_read(&text, p->cert, FILE_MAX, "certificate", err);

	(void)id;
	(void)str_fmt(what, sizeof what, "certificate file %.250s", p->cert);
	if (rc == 0)
		rc = hsm_pem_chain(chain, &text, what, err);
	buf_free(&text);
	if (rc < 0)
		return rc;
	open.cert = sk_X509_value(*chain, 0);
	rc = key_open(pkey, p->key, &open, err);
	if (rc == 0 && X509_check_private_key(open.cert, *pkey) != 1) {
		struct uri u;

		if (uri_get(&u, p->key, err) < 0)
			return err->code;
		uri_show(&u, what, sizeof what);
		uri_fini(&u);
		rc = err_ssl(err, HF_ERR_KEY,
		    "the key %s does not belong to the certificate %s (its first one)", what, p->cert);
	}
	return rc;
}

static void
close_pair(struct x509_source *s)
{
	struct pair *p = (struct pair *)s;

	str_free(&p->cert);
	str_free(&p->key);
	free(p);
}

int
hsm_x509_open(
    struct hsm **out, const char *cert_file, const char *key_uri, const struct log *log, struct hf_error *err)
{
	struct pair *p;
	struct uri u;

	int rc = 0;

	*out = NULL;
	if (!cert_file || !key_uri)
		return err_set(err, HF_ERR_ARGS, "a certificate and its key go together: %s is missing",
		    cert_file ? "--key" : "--cert");
	if (uri_get(&u, key_uri, err) < 0)
		return err->code;
	if (strcmp(u.scheme, "symkey") == 0)
		rc = err_set(err, HF_ERR_ARGS, "a symmetric key (symkey:) does not sign for a certificate");
	if (rc == 0 && uri_tells_secret(&u))
		log_line(log,
		    "warning: a PIN or password stands in the key's URI, where others can see it; pin-source=FILE and auth-source=FILE are safer");
	uri_fini(&u);
	if (rc < 0)
		return rc;
	p = calloc(1, sizeof *p);
	if (!p)
		return err_memory(err);
	p->source =
	    (struct x509_source){ .load = load_pair, .close = close_pair, .blocks = !key_is_local(key_uri) };
	if (str_set(&p->cert, cert_file) < 0 || str_set(&p->key, key_uri) < 0) {
		close_pair(&p->source);
		return err_memory(err);
	}
	return hsm_x509_new(out, &p->source, err);
}
