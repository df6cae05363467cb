#include <arpa/inet.h>
#include <string.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/file.h"
#include "process.h"

#define DAY	    (24 * 3600)
#define CA_DAYS	    3650
#define SERVER_DAYS 825
#define SPARE_DAYS  30 /* one that ends sooner is made anew */
#define PEM_MAX	    65536

static int
keep(BIO *pem, const char *path, const char *what, struct hf_error *err)
{
	char *p;
	long n = BIO_get_mem_data(pem, &p);

	return file_replace(path, p, (size_t)n, what, err);
}

static int
make_key(EVP_PKEY **key, const char *path, const char *what, struct hf_error *err)
{
	BIO *pem = BIO_new(BIO_s_mem());
	int r = 0;

	*key = EVP_EC_gen("P-256");
	if (pem == NULL || *key == NULL ||
	    PEM_write_bio_PrivateKey(pem, *key, NULL, NULL, 0, NULL, NULL) != 1)
		r = err_ssl(err, HF_ERR_OTHER, "making the %s", what);
	else
		r = keep(pem, path, what, err);
	BIO_free(pem);
	return r;
}

static int
read_key(EVP_PKEY **key, const char *path, const char *what, struct hf_error *err)
{
	struct buf text = { 0 };
	BIO *pem = NULL;
	int r;

	if ((r = file_read(&text, path, PEM_MAX, what, err)) < 0)
		goto fail;
	pem = BIO_new_mem_buf(buf_data(&text), (int)buf_size(&text));
	if (pem == NULL || (*key = PEM_read_bio_PrivateKey(pem, NULL, NULL, (void *)"")) == NULL)
		r = err_ssl(err, HF_ERR_STATE, "reading the %s %s", what, path);
fail:
	BIO_free(pem);
	buf_free(&text);
	return r;
}

static int
key_of(const struct config *c, const char *file, const char *what, EVP_PKEY **key, struct hf_error *err)
{
	char path[CONFIG_PATH];

	config_path(c, file, path);
	return file_exists(path) ? read_key(key, path, what, err) : make_key(key, path, what, err);
}

/* A certificate that cannot be read is as good as none: it is made anew. */
static X509 *
read_certificate(const char *path)
{
	struct hf_error ignored = { 0 };
	struct buf text = { 0 };
	X509 *x = NULL;
	BIO *pem;

	if (!file_exists(path) || file_read(&text, path, PEM_MAX, "certificate", &ignored) < 0)
		goto fail;
	if ((pem = BIO_new_mem_buf(buf_data(&text), (int)buf_size(&text))) != NULL)
		x = PEM_read_bio_X509(pem, NULL, NULL, (void *)"");
	BIO_free(pem);
	ERR_clear_error();
fail:
	buf_free(&text);
	return x;
}

static int
keep_certificate(X509 *x, const char *path, const char *what, struct hf_error *err)
{
	BIO *pem = BIO_new(BIO_s_mem());
	int r;

	if (pem == NULL || PEM_write_bio_X509(pem, x) != 1)
		r = err_ssl(err, HF_ERR_OTHER, "writing the %s", what);
	else
		r = keep(pem, path, what, err);
	BIO_free(pem);
	return r;
}

static int
put_name(struct buf *b, const char *before, const char *name, int constraint)
{
	uint8_t a[16];
	const char *comma = buf_size(b) > 0 ? "," : "";
	int v4 = inet_pton(AF_INET, name, a) == 1, v6 = !v4 && inet_pton(AF_INET6, name, a) == 1;
	const char *mask = !constraint ? ""
			   : v4	       ? "/255.255.255.255"
				       : "/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

	if ((v4 || v6) && buf_fmt(b, "%s%sIP:%s%s", comma, before, name, mask) < 0)
		return HF_ERR_MEMORY;
	if (v6)
		return 0;
	return buf_fmt(b, "%s%sDNS:%s", v4 ? "," : comma, before, name);
}

/* All names, as OpenSSL's configuration language writes them. An address stands there as a name too: some clients look for
 * any host among the DNS names. */
static int
put_names(struct buf *b, const struct config *c, int constraint)
{
	const char *before = constraint ? "permitted;" : "";
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->dps_names; i++)
		r = put_name(b, before, c->dps_name[i], constraint);
	for (size_t i = 0; r == 0 && i < c->hubs; i++)
		r = put_name(b, before, c->hub[i], constraint);
	return r;
}

static int
add(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	if ((ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
		return 0;
	ok = X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static int
begin(X509 *x, EVP_PKEY *key, const char *name, int64_t wall, int days)
{
	X509_NAME *subject = X509_get_subject_name(x);
	ASN1_INTEGER *serial = X509_get_serialNumber(x);
	BIGNUM *dice = BN_new();
	int ok;

	ok = dice != NULL && BN_rand(dice, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	     BN_to_ASN1_INTEGER(dice, serial) && X509_set_version(x, X509_VERSION_3) &&
	     X509_set_pubkey(x, key) &&
	     X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0) &&
	     ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(wall - DAY)) &&
	     ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(wall + (int64_t)days * DAY));
	BN_free(dice);
	return ok;
}

static X509 *
make_ca(EVP_PKEY *key, const char *names, int64_t wall)
{
	X509 *x = X509_new();

	if (x != NULL && begin(x, key, "Holdfast emulator CA", wall, CA_DAYS) &&
	    X509_set_issuer_name(x, X509_get_subject_name(x)) &&
	    add(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    add(x, x, NID_ext_key_usage, "serverAuth") && add(x, x, NID_name_constraints, names) &&
	    add(x, x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

static X509 *
make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *names, int64_t wall)
{
	X509 *x = X509_new();

	if (x != NULL && begin(x, key, "Holdfast emulator", wall, SERVER_DAYS) &&
	    X509_set_issuer_name(x, X509_get_subject_name(ca)) &&
	    add(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	    add(x, ca, NID_key_usage, "critical,digitalSignature") &&
	    add(x, ca, NID_ext_key_usage, "serverAuth") && add(x, ca, NID_subject_alt_name, names) &&
	    add(x, ca, NID_subject_key_identifier, "hash") &&
	    add(x, ca, NID_authority_key_identifier, "keyid:always") &&
	    X509_sign(x, ca_key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

static int
same_extension(const X509 *a, const X509 *b, int nid)
{
	X509_EXTENSION *x = X509_get_ext(a, X509_get_ext_by_NID(a, nid, -1));
	X509_EXTENSION *y = X509_get_ext(b, X509_get_ext_by_NID(b, nid, -1));

	return x && y && ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(x), X509_EXTENSION_get_data(y)) == 0;
}

/* May the old one stay, where the new one would say the same for longer? */
static int
still_good(X509 *old, X509 *fresh, EVP_PKEY *issuer_key, int nid, int64_t wall)
{
	time_t spare = (time_t)(wall + SPARE_DAYS * DAY);

	return old != NULL && same_extension(old, fresh, nid) &&
	       X509_cmp_time(X509_get0_notAfter(old), &spare) > 0 &&
	       EVP_PKEY_eq(X509_get0_pubkey(old), X509_get0_pubkey(fresh)) == 1 &&
	       X509_verify(old, issuer_key) == 1;
}

/* Takes `fresh`. What stands in the file stays there if it is still good. */
static int
settle(const struct config *c, const char *file, const char *what, X509 *fresh, EVP_PKEY *issuer_key, int nid,
    int64_t wall, X509 **out, struct hf_error *err)
{
	char path[CONFIG_PATH];
	X509 *old;

	if (fresh == NULL)
		return err_ssl(err, HF_ERR_OTHER, "making the %s", what);
	config_path(c, file, path);
	old = read_certificate(path);
	if (still_good(old, fresh, issuer_key, nid, wall)) {
		X509_free(fresh);
		*out = old;
		return 0;
	}
	ERR_clear_error();
	X509_free(old);
	*out = fresh;
	return keep_certificate(fresh, path, what, err);
}

int
cert_open(const struct config *c, int64_t wall, STACK_OF(X509) * *chain, EVP_PKEY **key, struct hf_error *err)
{
	struct buf names = { 0 }, limits = { 0 };
	EVP_PKEY *ca_key = NULL, *server_key = NULL;
	X509 *ca = NULL, *server = NULL;
	int r;

	if (buf_puts(&limits, "critical") < 0 || put_names(&limits, c, 1) < 0 ||
	    put_names(&names, c, 0) < 0 || buf_str(&limits) == NULL || buf_str(&names) == NULL) {
		r = err_memory(err);
		goto fail;
	}
	if ((r = key_of(c, "ca-key.pem", "CA's key", &ca_key, err)) < 0 ||
	    (r = key_of(c, "server-key.pem", "server's key", &server_key, err)) < 0)
		goto fail;
	r = settle(c, CERT_TRUST, "CA certificate", make_ca(ca_key, buf_str(&limits), wall), ca_key,
	    NID_name_constraints, wall, &ca, err);
	if (r < 0)
		goto fail;
	r = settle(c, "server.pem", "server certificate",
	    make_server(server_key, ca, ca_key, buf_str(&names), wall), ca_key, NID_subject_alt_name, wall,
	    &server, err);
	if (r < 0)
		goto fail;
	if ((*chain = sk_X509_new_null()) == NULL || sk_X509_push(*chain, server) == 0) {
		sk_X509_free(*chain);
		*chain = NULL;
		r = err_memory(err);
		goto fail;
	}
	server = NULL;
	*key = server_key;
	server_key = NULL;
fail:
	X509_free(server);
	X509_free(ca);
	EVP_PKEY_free(server_key);
	EVP_PKEY_free(ca_key);
	buf_free(&limits);
	buf_free(&names);
	return r;
}
