#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include "base/clock.h"
#include "base/work.h"
#include "check.h"

enum { MANY = 100, THREADS = 4, OF_EACH = 10, PATIENCE = 100000 /* ms */ };

/* A kind of signature. */
struct kind {
	enum sign_alg alg;
	enum sign_hash hash;
};
static const char *const alg_names[] = { "ECDSA", "RSA PKCS#1", "RSA-PSS" };
static const char *const tls_names[] = { "ECDSA", "RSA", "RSA-PSS" };
static const unsigned hash_bits[] = { 256, 384, 512 };
static const char text[] = "what is signed by the conformance kit";

static int
set_padding(EVP_PKEY_CTX *how, enum sign_alg alg)
{
	if (alg == SIGN_ECDSA)
		return 1;
	if (alg == SIGN_RSA_PKCS1)
		return EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static int
verifies(EVP_PKEY *pub, const struct kind *k, const uint8_t *sig, size_t n)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	int ok = m && EVP_DigestVerifyInit(m, &how, sign_md(k->hash), NULL, pub) == 1 &&
		 set_padding(how, k->alg) &&
		 EVP_DigestVerify(m, sig, n, (const uint8_t *)text, sizeof text) == 1;

	EVP_MD_CTX_free(m);
	return ok;
}

/* Signs, and looks at the signature with the public key alone. */
static int
sign_once(EVP_PKEY *key, EVP_PKEY *pub, const struct kind *k, struct hf_error *err)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	uint8_t sig[SIGN_MAX];
	size_t n = sizeof sig;
	EVP_PKEY_CTX *how;
	int ok;

	ERR_clear_error();
	ok = m && EVP_DigestSignInit(m, &how, sign_md(k->hash), NULL, key) == 1 && set_padding(how, k->alg) &&
	     EVP_DigestSign(m, sig, &n, (const uint8_t *)text, sizeof text) == 1;
	EVP_MD_CTX_free(m);
	if (!ok)
		return request_why("this", err);
	if (!verifies(pub, k, sig, n))
		return err_ssl(err, HF_ERR_KEY, "a signature was made, but the public key does not fit it%s",
		    k->alg == SIGN_RSA_PSS ? " (is its salt as long as the digest?)" : "");
	return 0;
}

/* One of TLS's list, as "RSA-PSS+SHA256"; a list that is empty has all. */
static int
is_claimed(const struct remotekey_limits *l, const struct kind *k)
{
	char name[32];
	int n = snprintf(name, sizeof name, "%s+SHA%u", tls_names[k->alg], hash_bits[k->hash]);
	const char *at = l->sigalgs;

	if (!*at)
		return 1;
	while ((at = strstr(at, name)) && at != l->sigalgs && at[-1] != ':')
		at += n;
	return at != NULL;
}

/* Each kind that the key claims; the first one is what the rest is done with. */
static void
each_kind(struct check *c, struct kind *first, int *found)
{
	int type = EVP_PKEY_get_base_id(c->pub), ec = type == EVP_PKEY_EC;
	int kinds = ec || type == EVP_PKEY_RSA_PSS ? 1 : type == EVP_PKEY_RSA ? 2 : 0;
	struct remotekey_limits limits;
	struct hf_error err;
	struct kind k;

	remotekey_limits(c->key, &limits);
	*found = 0;
	for (int i = 0; i < kinds * SIGN_HASHES; i++) {
		k.alg = ec ? SIGN_ECDSA : i < SIGN_HASHES ? SIGN_RSA_PSS : SIGN_RSA_PKCS1;
		k.hash = (enum sign_hash)(i % SIGN_HASHES);
		check_try(c, "signs with %s and SHA-%u", alg_names[k.alg], hash_bits[k.hash]);
		err_clear(&err);
		if (!is_claimed(&limits, &k)) {
			check_say(c, HF_CHECK_CANNOT, "the key does not offer it");
			continue;
		}
		if (sign_once(c->key, c->pub, &k, &err) < 0) {
			check_failed(c, &err);
			continue;
		}
		check_say(c, HF_CHECK_OK, "%s", "");
		if (!*found)
			*first = k;
		*found = 1;
	}
}

static void
many(struct check *c, const struct kind *k)
{
	int64_t start = clock_now().ms, ms;
	struct hf_error err = { 0 };

	check_try(c, "makes %d signatures, one after the other", MANY);
	for (int i = 0; i < MANY; i++)
		if (sign_once(c->key, c->pub, k, &err) < 0) {
			check_say(c, HF_CHECK_FAILED, "number %d: %s", i + 1, err.text);
			return;
		}
	ms = clock_now().ms - start;
	check_say(
	    c, HF_CHECK_OK, "%lld in a second", (long long)(ms > 0 ? MANY * 1000LL / ms : MANY * 1000LL));
}

struct hand {
	struct job job;
	EVP_PKEY *key, *pub; /* held */
	struct kind kind;
	struct hf_error err;
};

static void
sign_some(struct job *job)
{
	struct hand *h = (struct hand *)job;

	for (int i = 0; i < OF_EACH && h->err.code == 0; i++)
		(void)sign_once(h->key, h->pub, &h->kind, &h->err);
}

static void
free_hand(struct job *job)
{
	struct hand *h = (struct hand *)job;

	EVP_PKEY_free(h->key);
	EVP_PKEY_free(h->pub);
	free(h);
}

static int
start_hand(struct check *c, const struct kind *k, struct work **w, struct hand **out, struct hf_error *err)
{
	struct hand *h = calloc(1, sizeof *h);

	*out = h;
	if (!h)
		return err_memory(err);
	h->job.run = sign_some;
	h->job.free = free_hand;
	h->job.loose = 1; /* one that hangs is not waited for */
	h->kind = *k;
	if (EVP_PKEY_up_ref(c->key))
		h->key = c->key;
	if (EVP_PKEY_up_ref(c->pub))
		h->pub = c->pub;
	if (work_new(w, err) < 0)
		return err->code;
	return work_post(*w, &h->job, err);
}

/* 0: it has ended, and well. */
static int
await_hand(struct work *w, struct hand *h, int64_t limit, struct hf_error *err)
{
	struct pollfd p = { .fd = work_fd(w), .events = POLLIN };
	int64_t left;

	while (!job_done(w, &h->job)) {
		left = limit - clock_now().ms;
		if (left <= 0)
			return err_set(err, HF_ERR_TIMEOUT,
			    "not done after %d seconds: do they wait for each other?", PATIENCE / 1000);
		(void)poll(&p, 1, (int)left);
		work_clear(w);
	}
	return h->err.code == 0 ? 0 : err_set(err, h->err.code, "%s", h->err.text);
}

static void
from_threads(struct check *c, const struct kind *k)
{
	struct work *w[THREADS] = { 0 };
	struct hand *h[THREADS] = { 0 };
	struct hf_error err = { 0 };
	int64_t limit = clock_now().ms + PATIENCE;
	int i;

	check_try(c, "signs from %d threads at once", THREADS);
	for (i = 0; i < THREADS && err.code == 0; i++)
		(void)start_hand(c, k, &w[i], &h[i], &err);
	for (i = 0; i < THREADS && err.code == 0; i++)
		(void)await_hand(w[i], h[i], limit, &err);
	for (i = 0; i < THREADS; i++) {
		if (w[i])
			job_drop(w[i], h[i] ? &h[i]->job : NULL);
		else if (h[i])
			free_hand(&h[i]->job);
		work_free(w[i]);
	}
	if (err.code < 0)
		check_failed(c, &err);
	else
		check_say(c, HF_CHECK_OK, "%d signatures", THREADS * OF_EACH);
}

void
check_signatures(struct check *c)
{
	struct kind k;
	int found;

	each_kind(c, &k, &found);
	if (!found) {
		check_try(c, "signs by ECDSA or RSA");
		check_say(c, HF_CHECK_FAILED, "it has no signature that the services take");
		return;
	}
	many(c, &k);
	from_threads(c, &k);
}
