#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include "base/file.h"
#include "base/str.h"
#include "check.h"
#include "hsm/hsm.h"

enum { TIMES = 20, CERT_MAX = 256 * 1024 };

static void
tell(struct check *c, enum hf_verdict v, const char *line)
{
	c->count[v]++;
	if (c->asked->fn)
		c->asked->fn(c->asked->ctx, v, line);
}

void
check_try(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->trying, sizeof c->trying, fmt, ap);
	va_end(ap);
	tell(c, HF_CHECK_TRYING, c->trying);
}

void
check_say(struct check *c, enum hf_verdict v, const char *fmt, ...)
{
	char words[640], line[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line, "%s%s%s", c->trying, *words ? ": " : "", words);
	str_plain(line);
	tell(c, v, line);
}

void
check_failed(struct check *c, const struct hf_error *err)
{
	check_say(c, HF_CHECK_FAILED, "%s", err->text);
}

static int
open_key(struct check *c, EVP_PKEY **out, const char *uri, struct hf_error *err)
{
	const struct key_open how = { .cert = c->chain ? sk_X509_value(c->chain, 0) : NULL };
	int rc;

	*out = NULL;
	rc = key_open(out, uri, &how, err);
	ERR_clear_error();
	return rc;
}

/* The public half alone, in the application's own context: what signatures are judged by. */
static EVP_PKEY *
public_half(EVP_PKEY *key)
{
	const unsigned char *at;
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	EVP_PKEY *pub;

	at = der;
	pub = n > 0 ? d2i_PUBKEY(NULL, &at, n) : NULL;
	OPENSSL_free(der);
	return pub;
}

static void
look_at_public(struct check *c)
{
	struct hf_error err = { 0 };
	char group[40] = "";
	int bits;

	check_try(c, "has a public key");
	c->pub = public_half(c->key);
	if (!c->pub) {
		err_ssl(&err, HF_ERR_KEY, "it cannot be written");
		check_failed(c, &err);
		return;
	}
	bits = EVP_PKEY_get_bits(c->pub);
	(void)EVP_PKEY_get_group_name(c->pub, group, sizeof group, NULL);
	if (EVP_PKEY_get_base_id(c->pub) == EVP_PKEY_EC)
		check_say(c, HF_CHECK_OK, "EC P-%d (%s)", bits, group);
	else
		check_say(c, HF_CHECK_OK, "%s, %d bits", OBJ_nid2sn(EVP_PKEY_get_base_id(c->pub)), bits);
}

static void
look_for_private(struct check *c)
{
	OSSL_PARAM *params = NULL;
	int came;

	check_try(c, "keeps its private part to itself");
	came = EVP_PKEY_todata(c->key, EVP_PKEY_KEYPAIR, &params) == 1;
	OSSL_PARAM_free(params);
	ERR_clear_error();
	if (!came)
		check_say(c, HF_CHECK_OK, "%s", "");
	else if (remotekey_is(c->key))
		check_say(c, HF_CHECK_FAILED, "it can be exported");
	else
		check_say(c, HF_CHECK_CANNOT, "this key lives in the memory of its process");
}

static void
look_at_certificate(struct check *c)
{
	struct hf_error err = { 0 };

	if (!c->chain)
		return;
	check_try(c, "has a certificate");
	if (X509_check_private_key(sk_X509_value(c->chain, 0), c->key) == 1) {
		check_say(c, HF_CHECK_OK, "it was made for this key");
		return;
	}
	err_ssl(&err, HF_ERR_KEY, "it was not made for this key");
	check_failed(c, &err);
	sk_X509_pop_free(c->chain, X509_free); /* the rest is done with one that was */
	c->chain = NULL;
}

void
check_key(struct check *c)
{
	look_at_public(c);
	if (!c->pub)
		return;
	look_for_private(c);
	look_at_certificate(c);
	check_signatures(c);
	check_tls(c);
}

static int
open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static long
memory_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long all, resident = 0;

	if (f && fscanf(f, "%ld %ld", &all, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident;
}

void
check_leaks(struct check *c, int (*once)(struct check *, struct hf_error *))
{
	struct hf_error err = { 0 };
	int before, after;
	long pages;

	check_try(c, "is opened and closed %d times", TIMES);
	(void)once(c, &err); /* what is loaded with the first one stays */
	before = open_descriptors();
	pages = memory_pages();
	for (int i = 0; i < TIMES && err.code == 0; i++)
		(void)once(c, &err);
	after = open_descriptors();
	pages = (memory_pages() - pages) * (sysconf(_SC_PAGESIZE) / 1024);
	if (err.code < 0)
		check_failed(c, &err);
	else if (after > before)
		check_say(c, HF_CHECK_FAILED, "%d descriptors are left open", after - before);
	else
		check_say(c, HF_CHECK_OK, "no descriptor is left open, memory grew by %ld KiB",
		    pages > 0 ? pages : 0);
}

static int
open_and_close(struct check *c, struct hf_error *err)
{
	EVP_PKEY *key;
	int rc = open_key(c, &key, c->uri, err);

	EVP_PKEY_free(key);
	return rc;
}

/* What has to be refused by a sentence. */
static void
expect_refusal(struct check *c, int some, const struct buf *uri, struct hf_error *err)
{
	EVP_PKEY *key = NULL;

	if (some < 0) {
		check_failed(c, err);
		return;
	}
	if (!some) {
		check_say(c, HF_CHECK_CANNOT, "there is no such thing in this URI");
		return;
	}
	if (open_key(c, &key, (const char *)buf_data(uri), err) < 0)
		check_say(c, HF_CHECK_OK, "it says: %s", err->text);
	else
		check_say(c, HF_CHECK_FAILED, "it is opened");
	EVP_PKEY_free(key);
}

static void
look_for_nothing(struct check *c)
{
	struct hf_error err = { 0 };
	struct buf uri = { 0 };

	check_try(c, "refuses an object that is not there");
	expect_refusal(c, check_uri_missing(c, &uri, &err), &uri, &err);
	buf_free(&uri);
}

/* With nothing else open, since a token that somebody has logged in to asks nobody else. The right one comes after it, so that
 * the token's counter is at its beginning again. */
static void
refuse_wrong_secret(struct check *c, int some, const struct buf *uri, struct hf_error *err)
{
	EVP_PKEY_free(c->key);
	c->key = NULL;
	expect_refusal(c, some, uri, err);
	err_clear(err);
	check_try(c, "takes the right PIN after that");
	if (open_and_close(c, err) < 0)
		check_failed(c, err);
	else
		check_say(c, HF_CHECK_OK, "%s", "");
}

static void
try_wrong_secret(struct check *c)
{
	struct hf_error err = { 0 };
	struct buf uri = { 0 };
	int some;

	check_try(c, "refuses a wrong PIN");
	some = check_uri_wrong_secret(c, &uri, &err);
	if (some <= 0)
		expect_refusal(c, some, &uri, &err);
	else if (!c->asked->wrong_pin)
		check_say(
		    c, HF_CHECK_CANNOT, "not tried, since a token counts them; --wrong-pin asks for it");
	else
		refuse_wrong_secret(c, some, &uri, &err);
	buf_free(&uri);
}

static void
check_uri_key(struct check *c)
{
	struct hf_error err = { 0 };

	check_try(c, "opens");
	if (open_key(c, &c->key, c->uri, &err) < 0) {
		check_failed(c, &err);
		return;
	}
	check_say(c, HF_CHECK_OK, "%s", "");
	check_key(c);
	check_leaks(c, open_and_close);
	look_for_nothing(c);
	try_wrong_secret(c);
}

static int
load_certificate(struct check *c, struct hf_error *err)
{
	struct buf text = { 0 };
	char what[300];
	int rc;

	if (!c->asked->cert)
		return 0;
	snprintf(what, sizeof what, "certificate file %.260s", c->asked->cert);
	rc = file_read(&text, c->asked->cert, CERT_MAX, "certificate", err);
	if (rc == 0)
		rc = hsm_pem_chain(&c->chain, &text, what, err);
	buf_free(&text);
	return rc;
}

static int
verdict(const struct check *c, struct hf_error *err)
{
	unsigned bad = c->count[HF_CHECK_FAILED], good = c->count[HF_CHECK_OK];

	if (bad)
		return err_set(err, HF_ERR_KEY, "%u of %u checks failed", bad, bad + good);
	return good ? 0 : err_set(err, HF_ERR_UNSUPPORTED, "there was nothing that could be checked");
}

int
hf_hsm_check(struct hf *h, const struct hf_check *asked)
{
	struct check c = { .asked = asked, .secret = -1, .wrong = -1 };
	int rc = front_begin(h, &c.front);

	if (rc < 0)
		return rc;
	rc = check_uri_init(&c, c.front.err);
	if (rc == 0)
		rc = load_certificate(&c, c.front.err);
	if (rc < 0)
		goto fail;
	if (check_uri_is_custom(&c))
		check_custom(&c);
	else
		check_uri_key(&c);
	rc = verdict(&c, c.front.err);
fail:
	sk_X509_pop_free(c.chain, X509_free);
	EVP_PKEY_free(c.key);
	EVP_PKEY_free(c.pub);
	check_uri_fini(&c);
	return rc;
}
