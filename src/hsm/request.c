#include <string.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include "base/str.h"
#include "hsm/key.h"

enum { SERIAL_BITS = 127, SLOW_CLOCK = 3600, DAYS_MAX = 36500 };

/* One attribute of a subject. */
struct part {
	const char *text; /* as it is written, for sentences */
	int len;
	char type[64];
	char value[256];
	size_t n;
};

static int
bad_part(const struct part *p, const char *why, struct hf_error *err)
{
	return err_set(err, HF_ERR_ARGS, "subject: \"%.*s\" %s", p->len, p->text, why);
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

/* What stands behind a backslash: two hex digits (RFC 4514), or one character as it is. */
static char
unescape(const char **at, int hex)
{
	const char *p = *at;
	int high = hex ? hex_digit(p[0]) : -1, low = high < 0 ? -1 : hex_digit(p[1]);

	*at += low < 0 ? 1 : 2;
	return low < 0 ? *p : (char)(high * 16 + low);
}

/* The value, up to `end` or the last byte of the text; *at is left there. */
static int
get_value(struct part *p, const char **at, char end, struct hf_error *err)
{
	char c;

	for (p->n = 0; **at && **at != end; p->value[p->n++] = c) {
		c = *(*at)++;
		if (c == '+')
			return bad_part(
			    p, "is more than one attribute; a plus in a value is written \\+", err);
		if (c == '\\' && !**at)
			return bad_part(p, "ends with a backslash", err);
		if (c == '\\')
			c = unescape(at, end == ',');
		if (!c)
			return bad_part(p, "has a zero byte in it", err);
		if (p->n == sizeof p->value)
			return bad_part(p, "is longer than 256 bytes", err);
	}
	p->len = (int)(*at - p->text);
	return p->n ? 0 : bad_part(p, "has no value", err);
}

static int
get_part(struct part *p, const char **at, char end, struct hf_error *err)
{
	const char stop[] = { '=', end, 0 };
	size_t n;

	p->text = *at += strspn(*at, " ");
	n = strcspn(p->text, stop);
	p->len = (int)strcspn(p->text, stop + 1);
	if (p->text[n] != '=')
		return bad_part(p, "is not of the form NAME=VALUE", err);
	if (str_copy(p->type, sizeof p->type, p->text, n) < 0)
		return bad_part(p, "has a name that is too long", err);
	*at = p->text + n + 1;
	return get_value(p, at, end, err);
}

/* OpenSSL's form names the outermost part first, RFC 4514's the innermost. */
static int
subject_get(X509_NAME *name, const char *subject, struct hf_error *err)
{
	char end = *subject == '/' ? '/' : ',';
	const char *at = subject + (end == '/');
	struct part p = { 0 };

	if (!*at)
		return err_set(err, HF_ERR_ARGS, "the subject is empty; give one such as /CN=device-1");
	for (;; at++) {
		if (get_part(&p, &at, end, err) < 0)
			return err->code;
		ERR_clear_error();
		if (X509_NAME_add_entry_by_txt(name, p.type, MBSTRING_UTF8, (const unsigned char *)p.value,
			(int)p.n, end == '/' ? -1 : 0, 0) != 1)
			return err_ssl(err, HF_ERR_ARGS, "subject: \"%.*s\" cannot be taken", p.len, p.text);
		if (!*at)
			return 0;
	}
}

/* How a key signs: as strong as it is, as far as it knows the hash, and with PSS only when it cannot do otherwise. */
struct way {
	const EVP_MD *md; /* NULL: the key has its own (Ed25519) */
	int pss;
};

static int
knows(const struct remotekey_limits *l, const char *what)
{
	return !*l->sigalgs || strstr(l->sigalgs, what) != NULL;
}

static void
find_way(struct way *w, const EVP_PKEY *key)
{
	struct remotekey_limits l;
	int ec = EVP_PKEY_is_a(key, "EC"), rsa = EVP_PKEY_is_a(key, "RSA"), bits = EVP_PKEY_get_bits(key);

	remotekey_limits(key, &l);
	w->pss = rsa && !knows(&l, "RSA+SHA");
	w->md = ec || rsa || EVP_PKEY_is_a(key, "RSA-PSS") ? EVP_sha256() : NULL;
	if (ec && bits > 384 && knows(&l, "SHA512"))
		w->md = EVP_sha512();
	else if ((ec && bits > 256 && knows(&l, "SHA384")) || (w->md && !knows(&l, "SHA256")))
		w->md = knows(&l, "SHA384") ? EVP_sha384() : EVP_sha512();
}

/* NULL: out of memory, or the key will not sign; OpenSSL's queue says why. */
static EVP_MD_CTX *
begin(EVP_PKEY *key)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	struct way w;

	find_way(&w, key);
	if (m && EVP_DigestSignInit(m, &how, w.md, NULL, key) == 1 &&
	    (!w.pss || (EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) > 0 &&
			   EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) > 0)))
		return m;
	EVP_MD_CTX_free(m);
	return NULL;
}

int
request_why(const char *what, struct hf_error *err)
{
	const char *words;
	int flags;
	unsigned long e = ERR_peek_error_all(NULL, NULL, NULL, &words, &flags);

	if (ERR_GET_LIB(e) != ERR_LIB_USER || !(flags & ERR_TXT_STRING) || !*words)
		return err_ssl(err, HF_ERR_KEY, "cannot sign %s", what);
	err_set(err, HF_ERR_KEY, "cannot sign %s: %s", what, words);
	ERR_clear_error();
	return err->code;
}

/* The PEM text of what write() writes. */
static int
put_pem(struct buf *out, int (*write)(BIO *, const void *), const void *thing, struct hf_error *err)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;
	int rc;

	if (!b || !write(b, thing)) {
		rc = err_memory(err);
	} else {
		n = BIO_get_mem_data(b, &text);
		rc = buf_put(out, text, (size_t)n) < 0 ? err_memory(err) : 0;
	}
	BIO_free(b);
	return rc;
}

static int
write_request(BIO *b, const void *request)
{
	return PEM_write_bio_X509_REQ(b, request);
}

static int
write_certificate(BIO *b, const void *certificate)
{
	return PEM_write_bio_X509(b, certificate);
}

static int
sign_request(X509_REQ *r, EVP_PKEY *key, struct hf_error *err)
{
	EVP_MD_CTX *m = NULL;
	int ok;

	ERR_clear_error();
	ok = X509_REQ_set_version(r, X509_REQ_VERSION_1) && X509_REQ_set_pubkey(r, key) && (m = begin(key)) &&
	     X509_REQ_sign_ctx(r, m) > 0;
	EVP_MD_CTX_free(m);
	return ok ? 0 : request_why("a certificate request", err);
}

int
request_put(struct buf *out, EVP_PKEY *key, const char *subject, struct hf_error *err)
{
	X509_REQ *r = X509_REQ_new();
	int rc;

	if (!r)
		return err_memory(err);
	rc = subject_get(X509_REQ_get_subject_name(r), subject, err);
	if (rc == 0)
		rc = sign_request(r, key, err);
	if (rc == 0)
		rc = put_pem(out, write_request, r, err);
	X509_REQ_free(r);
	return rc;
}

/* A number that nobody has given before: 127 random bits, the first of them set. */
static int
set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	int ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		 BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));

	BN_free(n);
	return ok;
}

/* From an hour ago, since a device's clock may be slow. */
static int
set_times(X509 *x, int days)
{
	return X509_gmtime_adj(X509_getm_notBefore(x), -SLOW_CLOCK) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), days, 0, NULL);
}

static int
set_extensions(X509 *x)
{
	static const struct {
		int nid;
		const char *value;
	} list[] = { { NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" }, { NID_ext_key_usage, "clientAuth" },
		{ NID_subject_key_identifier, "hash" } };
	X509_EXTENSION *e;
	X509V3_CTX ctx;
	int ok = 1;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	for (size_t i = 0; ok && i < sizeof list / sizeof *list; i++) {
		e = X509V3_EXT_conf_nid(NULL, &ctx, list[i].nid, list[i].value);
		ok = e && X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	return ok;
}

static int
sign_certificate(X509 *x, EVP_PKEY *key, int days, struct hf_error *err)
{
	EVP_MD_CTX *m = NULL;
	int ok;

	ERR_clear_error();
	ok = X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_times(x, days) &&
	     X509_set_issuer_name(x, X509_get_subject_name(x)) && X509_set_pubkey(x, key) &&
	     set_extensions(x) && (m = begin(key)) && X509_sign_ctx(x, m) > 0;
	EVP_MD_CTX_free(m);
	return ok ? 0 : request_why("a certificate", err);
}

int
self_signed_put(struct buf *out, EVP_PKEY *key, const char *subject, int days, struct hf_error *err)
{
	X509 *x;
	int rc;

	if (days < 1 || days > DAYS_MAX)
		return err_set(
		    err, HF_ERR_ARGS, "a certificate is valid for 1 to %d days, not for %d", DAYS_MAX, days);
	x = X509_new();
	if (!x)
		return err_memory(err);
	rc = subject_get(X509_get_subject_name(x), subject, err);
	if (rc == 0)
		rc = sign_certificate(x, key, days, err);
	if (rc == 0)
		rc = put_pem(out, write_certificate, x, err);
	X509_free(x);
	return rc;
}
