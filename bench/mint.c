/*
 * Certificates for many devices: ca.pem and ca.key, and for each of COUNT devices N.pem and N.key, whose subject is
 * CN=bench-N; server.pem and server.key for 127.0.0.1.
 *
 *	bench-mint FOLDER COUNT
 */
#include <err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct pair {
	X509 *cert;
	EVP_PKEY *key;
};

static void
extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (x == NULL || X509_add_ext(cert, x, -1) != 1)
		errx(1, "extension %s", value);
	X509_EXTENSION_free(x);
}

static struct pair
make(const char *name, long serial, const struct pair *issuer, const char *constraints, const char *address)
{
	struct pair p = { X509_new(), EVP_EC_gen("P-256") };
	const struct pair *by = issuer != NULL ? issuer : &p;

	if (p.cert == NULL || p.key == NULL)
		errx(1, "key");
	X509_set_version(p.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(p.cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(p.cert), 86400);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(p.cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(p.cert, X509_get_subject_name(by->cert));
	X509_set_pubkey(p.cert, p.key);
	extend(p.cert, NID_basic_constraints, constraints);
	if (address != NULL)
		extend(p.cert, NID_subject_alt_name, address);
	if (X509_sign(p.cert, by->key, EVP_sha256()) == 0)
		errx(1, "sign");
	return p;
}

static void
save(const struct pair *p, const char *name)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "%s.pem", name);
	if ((f = fopen(path, "w")) == NULL || PEM_write_X509(f, p->cert) != 1 || fclose(f) != 0)
		err(1, "%s", path);
	snprintf(path, sizeof path, "%s.key", name);
	if ((f = fopen(path, "w")) == NULL ||
	    PEM_write_PrivateKey(f, p->key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(f) != 0)
		err(1, "%s", path);
}

static void
drop(struct pair *p)
{
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
}

int
main(int argc, char **argv)
{
	struct pair ca, p;
	char name[40], file[32];
	long i;

	if (argc != 3 || chdir(argv[1]) < 0)
		errx(2, "usage: bench-mint FOLDER COUNT");
	umask(077);
	ca = make("bench CA", 1, NULL, "critical,CA:TRUE", NULL);
	save(&ca, "ca");
	p = make("127.0.0.1", 2, &ca, "critical,CA:FALSE", "IP:127.0.0.1");
	save(&p, "server");
	drop(&p);
	for (i = 0; i < atol(argv[2]); i++) {
		snprintf(name, sizeof name, "bench-%ld", i);
		snprintf(file, sizeof file, "%ld", i);
		p = make(name, i + 3, &ca, "critical,CA:FALSE", NULL);
		save(&p, file);
		drop(&p);
	}
	drop(&ca);
	return 0;
}
