#include "stream/tls_local.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#define LAST_ALERT 255

static int
is_about_certificate(int alert)
{
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
		return 1;
	default:
		return 0;
	}
}

/* A key that cannot make TLS 1.3's signatures has kept us below it. */
static int
is_held_back(SSL *ssl)
{
	return !SSL_is_server(ssl) && SSL_get_max_proto_version(ssl) == TLS1_2_VERSION;
}

static void
alert_came(SSL *ssl, const char *peer, int alert, struct hf_error *err)
{
	const char *name = SSL_alert_desc_string_long(alert);

	if (alert == SSL_AD_PROTOCOL_VERSION && is_held_back(ssl))
		err_set(err, HF_ERR_TLS,
		    "%s wants TLS 1.3, and our key can only be used in TLS 1.2: its hardware makes no RSA-PSS signature that TLS takes; use an EC P-256 key (alert %d)",
		    peer, alert);
	else if (alert == SSL_AD_CERTIFICATE_REQUIRED)
		err_set(err, HF_ERR_TLS, "%s wants a certificate and was shown none: alert %d", peer, alert);
	else if (is_about_certificate(alert))
		err_set(err, HF_ERR_TLS, "%s refused our certificate: %s (alert %d)", peer, name, alert);
	else
		err_set(err, HF_ERR_TLS, "%s ended TLS: %s (alert %d)", peer, name, alert);
}

static void
not_trusted(const struct tls_core *c, long verdict, struct hf_error *err)
{
	const char *reason = X509_verify_cert_error_string(verdict), *peer = c->peer;

	switch (verdict) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		err_set(err, HF_ERR_TLS,
		    "the certificate of %s is made out to another name: %s; is it the right host?", peer,
		    reason);
		return;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		err_set(err, HF_ERR_TLS,
		    "the certificate of %s is refused: %s; is this machine's clock right?", peer, reason);
		return;
	default:
		err_set(err, HF_ERR_TLS,
		    "the certificate of %s is not trusted: %s (by the CAs in %s); give its CA with --trust",
		    peer, reason, c->conf->trust);
	}
}

/* Whoever holds the key has put the oldest error on the queue, perhaps with words. */
static void
key_failed(const char *peer, struct hf_error *err)
{
	const char *words;
	int flags;

	ERR_peek_error_all(NULL, NULL, NULL, &words, &flags);
	if ((flags & ERR_TXT_STRING) && words[0] != '\0')
		err_set(err, HF_ERR_KEY, "our key did not sign for TLS with %s: %s", peer, words);
	else
		err_ssl(err, HF_ERR_KEY, "our key did not sign for TLS with %s", peer);
}

void
tls_why(const struct tls_core *c, struct hf_error *err)
{
	SSL *ssl = c->ssl;
	const char *peer = c->peer;
	unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
	int reason = ERR_GET_REASON(first), alert = reason - SSL_AD_REASON_OFFSET;

	if (ERR_GET_LIB(first) == ERR_LIB_SSL && alert >= 0 && alert <= LAST_ALERT)
		alert_came(ssl, peer, alert, err);
	else if (ERR_GET_LIB(first) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
		not_trusted(c, SSL_get_verify_result(ssl), err);
	else if (ERR_GET_REASON(last) == ERR_R_EVP_LIB && SSL_get_privatekey(ssl) != NULL)
		key_failed(peer, err);
	else if (ERR_GET_LIB(first) == ERR_LIB_SSL && reason == SSL_R_WRONG_VERSION_NUMBER)
		err_ssl(err, HF_ERR_TLS, "%s does not speak TLS on this port", peer);
	else
		err_ssl(err, HF_ERR_TLS, "TLS with %s", peer);
	ERR_clear_error();
}
