#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include "base/str.h"
#include "hsm/custom.h"

struct remote {
	struct signer signer;
	struct custom_session session;
	HSM_CLIENT_SIGN_DIGEST sign;
};
static const char *const names[][SIGN_HASHES] = {
	[SIGN_ECDSA] = { "ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512" },
	[SIGN_RSA_PKCS1] = { "rsa-pkcs1-sha256", "rsa-pkcs1-sha384", "rsa-pkcs1-sha512" },
	[SIGN_RSA_PSS] = { "rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512" },
};

/* Is that this key's signature? How PSS was salted is looked at elsewhere. */
static int
verifies(EVP_PKEY *pub, enum sign_alg alg, enum sign_hash hash, const uint8_t *digest, size_t n,
    const struct buf *sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pub, NULL);
	int padding = alg == SIGN_RSA_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING, ok;

	ok = ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, sign_md(hash)) == 1;
	if (ok && alg != SIGN_ECDSA)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1;
	if (ok && alg == SIGN_RSA_PSS)
		ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_AUTO) == 1;
	ok = ok && EVP_PKEY_verify(ctx, buf_data(sig), buf_size(sig), digest, n) == 1;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static int
sign(struct signer *signer, enum sign_alg alg, enum sign_hash hash, const uint8_t *digest, size_t n,
    uint8_t *sig, size_t *len, struct hf_error *err)
{
	struct remote *r = (struct remote *)signer;
	unsigned char *p = NULL;
	struct buf got = { 0 };
	size_t got_len = 0;
	int rc;

	custom_enter(r->session.lib);
	rc = r->sign(r->session.handle, names[alg][hash], digest, n, &p, &got_len);
	custom_leave(r->session.lib);
	rc = custom_take(&r->session, rc, p, got_len, "hsm_client_sign_digest", SIGN_MAX, &got, err);
	if (rc < 0)
		goto fail;
	if (buf_size(&got) > *len || !verifies(signer->pub, alg, hash, digest, n, &got)) {
		rc = err_set(err, HF_ERR_KEY,
		    "%s: hsm_client_sign_digest() returned %zu bytes that are no %s signature of its key's",
		    custom_name(r->session.lib), buf_size(&got), names[alg][hash]);
		goto fail;
	}
	memcpy(sig, buf_data(&got), buf_size(&got));
	*len = buf_size(&got);
fail:
	buf_free(&got);
	return rc;
}

static void
close_remote(struct signer *signer)
{
	struct remote *r = (struct remote *)signer;

	custom_end(&r->session);
	EVP_PKEY_free(signer->pub);
	free(r);
}

static const struct signer_ops ops = { .sign = sign, .close = close_remote };

/* The names in a text, as SIGN_BITs. */
static unsigned
read_algorithms(char *text)
{
	char *rest = NULL;
	unsigned can = 0;

	for (char *word = strtok_r(text, " \t\r\n,", &rest); word; word = strtok_r(NULL, " \t\r\n,", &rest))
		for (int a = SIGN_ECDSA; a <= SIGN_RSA_PSS; a++)
			for (int h = 0; h < SIGN_HASHES; h++)
				can |= str_eqi(word, names[a][h]) ? SIGN_BIT(a, h) : 0;
	return can;
}

static int
take_algorithms(struct custom_session *s, const HSM_CLIENT_X509_V2_INTERFACE *t, const EVP_PKEY *pub,
    unsigned *can, struct hf_error *err)
{
	unsigned fit = EVP_PKEY_is_a(pub, "EC") ? SIGN_ALL(SIGN_ECDSA)
						: SIGN_ALL(SIGN_RSA_PKCS1) | SIGN_ALL(SIGN_RSA_PSS);
	struct buf text = { 0 };
	char *words;
	int rc;

	rc = custom_text(s, t->hsm_client_get_algorithms, "hsm_client_get_algorithms", 4096, &text, err);
	words = rc == 0 ? buf_str(&text) : NULL;
	if (rc == 0 && !words)
		rc = err_memory(err);
	if (rc == 0)
		*can = read_algorithms(words) & fit;
	if (rc == 0 && *can == 0)
		rc = custom_fail(s->lib, err, "hsm_client_get_algorithms",
		    EVP_PKEY_is_a(pub, "EC")
			? "names nothing that its EC key could do, such as ecdsa-sha256"
			: "names nothing that its RSA key could do, such as rsa-pss-sha256");
	buf_free(&text);
	return rc;
}

static int
take_public(
    struct custom_session *s, const HSM_CLIENT_X509_V2_INTERFACE *t, EVP_PKEY **pub, struct hf_error *err)
{
	struct buf text = { 0 };
	BIO *bio = NULL;
	int rc;

	if (!t->hsm_client_get_public_key)
		return custom_fail(s->lib, err, "hsm_client_get_public_key", "is NULL in its table");
	rc = custom_ask(
	    s, t->hsm_client_get_public_key, "hsm_client_get_public_key", CUSTOM_TEXT_MAX, &text, err);
	if (rc == 0)
		rc = custom_fail(s->lib, err, "hsm_client_get_public_key",
		    "returned NULL: there is no key yet; make one with holdfast key, if it can");
	if (rc < 0)
		goto fail;
	bio = BIO_new_mem_buf(buf_data(&text), (int)buf_size(&text));
	*pub = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, (void *)"") : NULL;
	rc = *pub && (EVP_PKEY_is_a(*pub, "EC") || EVP_PKEY_is_a(*pub, "RSA"))
		 ? 0
		 : custom_fail(s->lib, err, "hsm_client_get_public_key",
		       "returned what is no EC or RSA public key in PEM (-----BEGIN PUBLIC KEY-----)");
	ERR_clear_error();
fail:
	BIO_free(bio);
	buf_free(&text);
	return rc;
}

int
custom_signer(
    EVP_PKEY **out, struct custom_session *s, const HSM_CLIENT_X509_V2_INTERFACE *t, struct hf_error *err)
{
	struct remote *r;
	int rc;

	if (!t->hsm_client_sign_digest)
		return custom_fail(s->lib, err, "hsm_client_sign_digest", "is NULL in its table");
	r = calloc(1, sizeof *r);
	if (!r)
		return err_memory(err);
	r->signer.ops = &ops;
	if ((rc = take_public(s, t, &r->signer.pub, err)) < 0 ||
	    (rc = take_algorithms(s, t, r->signer.pub, &r->signer.can, err)) < 0) {
		close_remote(&r->signer);
		return rc;
	}
	snprintf(r->signer.name, sizeof r->signer.name, "%s", custom_name(s->lib));
	r->sign = t->hsm_client_sign_digest;
	r->session = *s;
	*s = (struct custom_session){ 0 };
	return remotekey_new(out, &r->signer, err);
}
