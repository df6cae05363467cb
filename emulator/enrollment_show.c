#include <string.h>
#include <time.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"

static json_t *
name_text(const X509_NAME *name)
{
	BIO *b = BIO_new(BIO_s_mem());
	json_t *text;
	char *p;
	long n;

	X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	n = BIO_get_mem_data(b, &p);
	text = json_stringn(p, (size_t)n);
	BIO_free(b);
	return text;
}

static json_t *
time_text(const ASN1_TIME *when)
{
	struct tm tm = { 0 };
	char text[32];

	ASN1_TIME_to_tm(when, &tm);
	clock_iso((int64_t)timegm(&tm), text);
	return json_string(text);
}

static json_t *
serial_text(const X509 *cert)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = BN_bn2hex(n);
	json_t *text = json_string(hex);

	OPENSSL_free(hex);
	BN_free(n);
	return text;
}

static json_t *
info(const json_t *certificate)
{
	struct hf_error why = { 0 };
	char sha1[41], sha256[65];
	X509 *cert;
	json_t *o;

	if (attest_certificate(js_str(certificate, "certificate", ""), &cert, &why) < 0)
		return json_object();
	attest_thumbprint(cert, sha1, sha256);
	o = json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:i}", "subjectName",
	    name_text(X509_get_subject_name(cert)), "sha1Thumbprint", sha1, "sha256Thumbprint", sha256,
	    "issuerName", name_text(X509_get_issuer_name(cert)), "notBeforeUtc",
	    time_text(X509_get0_notBefore(cert)), "notAfterUtc", time_text(X509_get0_notAfter(cert)),
	    "serialNumber", serial_text(cert), "version", (int)X509_get_version(cert) + 1);
	X509_free(cert);
	return json_pack("{s:o}", "info", o);
}

json_t *
enrollment_attestation(const json_t *enrollment)
{
	json_t *o = json_deep_copy(js_get(enrollment, "attestation")), *kinds = json_object_get(o, "x509"),
	       *certs, *v;
	const char *kind, *which;

	json_object_foreach(kinds, kind, certs) json_object_foreach(certs, which, v)
	    json_object_set_new(certs, which, info(v));
	return o;
}

json_t *
enrollment_show(const json_t *enrollment)
{
	json_t *o = json_deep_copy(enrollment), *attestation = enrollment_attestation(enrollment);

	json_object_del(attestation, "symmetricKey");
	json_object_set_new(o, "attestation", attestation);
	return o;
}

int
enrollment_certificate(const json_t *enrollment, const char *which, X509 **cert)
{
	const json_t *x509 = js_get(js_get(enrollment, "attestation"), "x509"), *certs;
	const char *text;
	struct hf_error why = { 0 };

	certs = js_get(x509, "signingCertificates");
	if (!certs)
		certs = js_get(x509, "clientCertificates");
	text = js_str(js_get(certs, which), "certificate", NULL);
	return text && attest_certificate(text, cert, &why) == 0;
}
