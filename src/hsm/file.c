#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/hsm.h"

enum { FILE_MAX = 256 * 1024 };
struct file {
	struct hsm hsm;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
};

static int
certificate(struct hsm *h, STACK_OF(X509) * *chain, struct hf_error *err)
{
	(void)err;
	*chain = ((struct file *)h)->chain;
	return 0;
}

static int
key(struct hsm *h, EVP_PKEY **pkey, struct hf_error *err)
{
	(void)err;
	*pkey = ((struct file *)h)->key;
	return 0;
}

static void
close_file(struct hsm *h)
{
	struct file *f = (struct file *)h;

	sk_X509_pop_free(f->chain, X509_free);
	EVP_PKEY_free(f->key);
	free(f);
}

static const struct hsm_ops ops = { .close = close_file, .certificate = certificate, .key = key };

static int
open_pem(BIO **bio, struct buf *text, const char *path, const char *what, struct hf_error *err)
{
	int rc = file_read(text, path, FILE_MAX, what, err);

	if (rc < 0)
		return rc;
	*bio = BIO_new_mem_buf(buf_data(text), (int)buf_size(text));
	return *bio ? 0 : err_memory(err);
}

static int
read_chain(struct file *f, const char *path, struct hf_error *err)
{
	struct buf text = { 0 };
	BIO *bio = NULL;
	X509 *x;
	int rc;

	f->chain = sk_X509_new_null();
	if (!f->chain)
		return err_memory(err);
	rc = open_pem(&bio, &text, path, "certificate", err);
	if (rc < 0)
		goto fail;
	ERR_clear_error();
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (sk_X509_push(f->chain, x) > 0)
			continue;
		X509_free(x);
		rc = err_memory(err);
		goto fail;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		rc = err_ssl(err, HF_ERR_KEY, "certificate file %s: certificate %d cannot be read", path,
		    sk_X509_num(f->chain) + 1);
		goto fail;
	}
	ERR_clear_error();
	if (sk_X509_num(f->chain) == 0)
		rc = err_set(err, HF_ERR_KEY, "certificate file %s: there is no PEM certificate in it", path);
fail:
	BIO_free(bio);
	buf_free(&text);
	return rc;
}

static int
no_passphrase(char *dst, int cap, int writing, void *asked)
{
	(void)dst;
	(void)cap;
	(void)writing;
	*(int *)asked = 1;
	return -1;
}

static int
read_key(struct file *f, const char *path, struct hf_error *err)
{
	struct buf text = { 0 };
	int rc, asked = 0;

	rc = file_read(&text, path, FILE_MAX, "key", err);
	if (rc < 0)
		goto fail;
	f->key = hsm_pem_key(&text, no_passphrase, &asked);
	if (asked)
		rc = err_set(err, HF_ERR_UNSUPPORTED,
		    "key file %s: the key is encrypted, and passphrases are not supported; decrypt it with openssl pkey",
		    path);
	else if (!f->key)
		rc = err_ssl(err, HF_ERR_KEY, "key file %s: no PEM private key can be read from it", path);
	ERR_clear_error();
fail:
	buf_free(&text);
	return rc;
}

/* The subject's CN is the registration id; a certificate may do without. */
static int
read_name(struct file *f, const char *path, struct hf_error *err)
{
	const X509_NAME *subject = X509_get_subject_name(sk_X509_value(f->chain, 0));
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *cn;

	if (at < 0)
		return 0;
	cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	if (str_copy(f->hsm.registration_id, sizeof f->hsm.registration_id, ASN1_STRING_get0_data(cn),
		(size_t)ASN1_STRING_length(cn)) == 0)
		return 0;
	return err_set(
	    err, HF_ERR_KEY, "certificate file %s: the subject's CN cannot be a registration id", path);
}

static int
set_fingerprint(struct file *f, struct hf_error *err)
{
	uint8_t *der = NULL;
	int n = i2d_PUBKEY(f->key, &der), ok;

	ok = n > 0 && EVP_Digest(der, (size_t)n, f->hsm.fingerprint, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	return ok ? 0 : err_ssl(err, HF_ERR_KEY, "cannot hash the public key");
}

/* How long the scheme of a URI is ("pkcs11:..." has 6), 0 for a path. */
static int
scheme_len(const char *uri)
{
	int n = 0;

	if (!isalpha((unsigned char)*uri))
		return 0;
	while (isalnum((unsigned char)uri[n]) || (uri[n] && strchr("+-.", uri[n])))
		n++;
	return uri[n] == ':' ? n : 0;
}

int
hsm_file_open(struct hsm **out, const char *cert_file, const char *key_uri, struct hf_error *err)
{
	struct file *f;
	int rc, n;

	*out = NULL;
	if (!cert_file || !key_uri)
		return err_set(err, HF_ERR_ARGS, "a certificate and its key go together: %s is missing",
		    cert_file ? "--key" : "--cert");
	n = scheme_len(key_uri);
	if (n && !str_eqin("file", key_uri, (size_t)n))
		return err_set(err, HF_ERR_UNSUPPORTED,
		    "keys of the kind \"%.*s:\" are not supported; give a PEM file, as file:PATH or PATH", n,
		    key_uri);
	f = calloc(1, sizeof *f);
	if (!f)
		return err_memory(err);
	f->hsm.ops = &ops;
	f->hsm.kind = HSM_X509;
	if ((rc = read_chain(f, cert_file, err)) < 0 || (rc = read_name(f, cert_file, err)) < 0 ||
	    (rc = read_key(f, n ? key_uri + n + 1 : key_uri, err)) < 0)
		goto fail;
	if (!X509_check_private_key(sk_X509_value(f->chain, 0), f->key)) {
		rc = err_ssl(err, HF_ERR_KEY,
		    "the key %s does not belong to the certificate %s (its first one)", key_uri, cert_file);
		goto fail;
	}
	rc = set_fingerprint(f, err);
	if (rc < 0)
		goto fail;
	*out = &f->hsm;
	return 0;
fail:
	close_file(&f->hsm);
	return rc;
}
