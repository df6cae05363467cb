/* A key of another library context, provider or engine, as a signer. */
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include "base/str.h"
#include "hsm/foreign.h"

struct wrap {
	struct signer signer;
	EVP_PKEY *private;
	OSSL_LIB_CTX *home;
};

/* The key's own provider goes before others: OpenSSL might find that those have the same algorithm, and a public half to sign with. */
static EVP_PKEY_CTX *
begin(const struct wrap *w)
{
	const OSSL_PROVIDER *p = EVP_PKEY_get0_provider(w->private);
	char first[128];

	if (!p || str_fmt(first, sizeof first, "?provider=%s", OSSL_PROVIDER_get0_name(p)) < 0)
		return EVP_PKEY_CTX_new(w->private, NULL);
	return EVP_PKEY_CTX_new_from_pkey(w->home, w->private, first);
}

static int
prepare(EVP_PKEY_CTX *ctx, enum sign_alg alg, enum sign_hash h)
{
	if (!ctx || EVP_PKEY_sign_init(ctx) != 1)
		return 0;
	if (alg != SIGN_ECDSA && EVP_PKEY_CTX_set_rsa_padding(ctx,
				     alg == SIGN_RSA_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1)
		return 0;
	if (EVP_PKEY_CTX_set_signature_md(ctx, sign_md(h)) != 1)
		return 0;
	return alg != SIGN_RSA_PSS || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/* What cannot be prepared, the key cannot do; what fails after it, it did not want to. */
static int
sign(struct signer *s, enum sign_alg alg, enum sign_hash h, const uint8_t *digest, size_t n, uint8_t *sig,
    size_t *len, struct hf_error *err)
{
	struct wrap *w = (struct wrap *)s;
	EVP_PKEY_CTX *ctx;
	int ready, done;

	ERR_clear_error();
	ctx = begin(w);
	ready = prepare(ctx, alg, h);
	done = ready && EVP_PKEY_sign(ctx, sig, len, digest, n) == 1;
	EVP_PKEY_CTX_free(ctx);
	foreign_leave(w->home);
	if (done)
		return 0;
	if (ready)
		return foreign_fail(err, HF_ERR_KEY, s->name, "the key did not sign", ERR_peek_error_all);
	return foreign_fail(
	    err, HF_ERR_UNSUPPORTED, s->name, "such a signature is not made", ERR_peek_error_all);
}

static void
close_wrap(struct signer *s)
{
	EVP_PKEY_free(((struct wrap *)s)->private);
	EVP_PKEY_free(s->pub);
	free(s);
}

static const struct signer_ops ops = { .sign = sign, .close = close_wrap },
			       shared_ops = { .sign = sign, .close = close_wrap, .shared = 1 };

int
remotekey_wrap(EVP_PKEY **out, EVP_PKEY *private, OSSL_LIB_CTX *home, EVP_PKEY *pub, const char *name,
    int shared, struct hf_error *err)
{
	struct wrap *w = calloc(1, sizeof *w);

	*out = NULL;
	if (!w) {
		EVP_PKEY_free(private);
		EVP_PKEY_free(pub);
		return err_memory(err);
	}
	w->signer.ops = shared ? &shared_ops : &ops;
	w->signer.pub = pub;
	w->signer.can = SIGN_ALL(SIGN_ECDSA) | SIGN_ALL(SIGN_RSA_PKCS1) | SIGN_ALL(SIGN_RSA_PSS);
	w->private = private;
	w->home = home;
	(void)str_fmt(w->signer.name, sizeof w->signer.name, "%.120s", name);
	return remotekey_new(out, &w->signer, err);
}
