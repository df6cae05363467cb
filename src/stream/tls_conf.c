#include "stream/tls_local.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "hsm/key.h"

static int
use_identity(SSL_CTX *ctx, STACK_OF(X509) * chain, EVP_PKEY *key, struct hf_error *err)
{
	X509 *leaf = sk_X509_value(chain, 0);
	struct remotekey_limits limits;
	char subject[200];
	int i;

	if (leaf == NULL || key == NULL)
		return err_set(err, HF_ERR_ARGS, "a certificate and its key are needed together");
	X509_NAME_oneline(X509_get_subject_name(leaf), subject, sizeof subject);
	remotekey_limits(key, &limits);
	if (X509_check_private_key(leaf, key) != 1)
		return err_ssl(err, HF_ERR_KEY, "the certificate for %s was not made for this key", subject);
	if (SSL_CTX_use_certificate(ctx, leaf) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		return err_ssl(err, HF_ERR_KEY, "the certificate for %s cannot be used in TLS", subject);
	/* Our own signatures alone: set1_sigalgs_list() would refuse servers too. */
	if (limits.sigalgs[0] != '\0' && SSL_CTX_set1_client_sigalgs_list(ctx, limits.sigalgs) != 1)
		return err_ssl(err, HF_ERR_KEY, "the key for %s has no algorithm that TLS knows", subject);
	if (limits.tls_max != 0 && SSL_CTX_set_max_proto_version(ctx, limits.tls_max) != 1)
		return err_ssl(
		    err, HF_ERR_KEY, "the key for %s needs TLS 1.2, which is switched off", subject);
	for (i = 1; i < sk_X509_num(chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) != 1)
			return err_ssl(err, HF_ERR_KEY, "the chain of the certificate for %s", subject);
	return 0;
}

static int
conf_new(struct tls_conf **out, int server, struct hf_error *err)
{
	struct tls_conf *c = calloc(1, sizeof *c);

	if (c == NULL)
		return err_memory(err);
	ERR_clear_error();
	pthread_mutex_init(&c->lock, NULL);
	c->refs = 1;
	c->server = server;
	c->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (c->ctx == NULL || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1) {
		err_ssl(err, HF_ERR_TLS, "cannot prepare TLS");
		tls_conf_free(c);
		return err->code;
	}
	SSL_CTX_set_mode(
	    c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(c->ctx, 1);
	*out = c;
	return 0;
}

int
tls_conf_client(
    struct tls_conf **out, const char *trust, STACK_OF(X509) * chain, EVP_PKEY *key, struct hf_error *err)
{
	struct tls_conf *c;

	if (conf_new(&c, 0, err) < 0)
		return err->code;
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	tls_session_init(c);
	if (chain != NULL && use_identity(c->ctx, chain, key, err) < 0)
		goto fail;
	if ((trust != NULL ? tls_trust_file(c, trust, err) : tls_trust_system(c, err)) < 0)
		goto fail;
	*out = c;
	return 0;
fail:
	tls_conf_free(c);
	return err->code;
}

/* Whoever serves judges the chain later, with more to judge by. */
static int
accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

int
tls_conf_server(struct tls_conf **out, STACK_OF(X509) * chain, EVP_PKEY *key, int max, struct hf_error *err)
{
	static const unsigned char id[] = "holdfast";
	struct tls_conf *c;

	if (conf_new(&c, 1, err) < 0)
		return err->code;
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ctx, accept_any, NULL);
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(c->ctx, 0);
	SSL_CTX_set_session_id_context(c->ctx, id, sizeof id - 1);
	if (use_identity(c->ctx, chain, key, err) < 0)
		goto fail;
	if (SSL_CTX_set_max_proto_version(c->ctx, max) != 1) {
		err_ssl(err, HF_ERR_ARGS, "TLS cannot be limited to version 0x%x", (unsigned)max);
		goto fail;
	}
	*out = c;
	return 0;
fail:
	tls_conf_free(c);
	return err->code;
}

void
tls_conf_free(struct tls_conf *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	SSL_SESSION_free(c->session);
	SSL_CTX_free(c->ctx);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
