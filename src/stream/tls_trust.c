#define _GNU_SOURCE /* secure_getenv */
#include "stream/tls_local.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define HASH 8 /* hexadecimal digits of a name that openssl-rehash(1) gives */

/* Where the systems that we know keep all in one file, should the folder have no hashed names. */
static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };

static int
load_file(struct tls_conf *c, const char *file, struct hf_error *err)
{
	if (access(file, R_OK) < 0)
		return err_sys(err, HF_ERR_IO, "trust: cannot read %s", file);
	if (SSL_CTX_load_verify_file(c->ctx, file) != 1)
		return err_ssl(err, HF_ERR_ARGS, "trust: no CA certificates (PEM) in %s", file);
	str_fmt(c->trust, sizeof c->trust, "%.190s", file);
	return 0;
}

static int
has_hashes(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int found = 0;

	if (d == NULL)
		return 0;
	while (!found && (e = readdir(d)) != NULL)
		found = strspn(e->d_name, "0123456789abcdef") == HASH && e->d_name[HASH] == '.';
	closedir(d);
	return found;
}

/* A list of folders, as OpenSSL takes it. */
static int
any_has_hashes(const char *dirs)
{
	char dir[256];
	size_t n;

	for (; *dirs != '\0'; dirs += n + (dirs[n] == ':')) {
		n = strcspn(dirs, ":");
		if (str_copy(dir, sizeof dir, dirs, n) == 0 && has_hashes(dir))
			return 1;
	}
	return 0;
}

/* 1: some are there. Certificates are read from hashed names one at a time, when they are needed. */
static int
load_folders(struct tls_conf *c, const char *dirs, struct hf_error *err)
{
	const char *before = c->trust[0] != '\0' ? " and " : "";
	size_t n = strlen(c->trust);

	if (!any_has_hashes(dirs))
		return 0;
	if (SSL_CTX_load_verify_dir(c->ctx, dirs) != 1)
		return err_ssl(err, HF_ERR_IO, "trust: cannot use the folder %s", dirs);
	str_fmt(c->trust + n, sizeof c->trust - n, "%s%.190s", before, dirs);
	return 1;
}

/* Dear: each certificate in it is parsed. Without a folder that was asked for, only OpenSSL's own file may stand for it. */
static int
load_bundle(struct tls_conf *c, int any, struct hf_error *err)
{
	const char *file = X509_get_default_cert_file();

	for (size_t i = 0; any && access(file, R_OK) < 0 && i < sizeof bundles / sizeof *bundles; i++)
		file = bundles[i];
	if (access(file, R_OK) == 0)
		return load_file(c, file, err);
	return 0;
}

static const char *
wish(const char *name)
{
	const char *value = secure_getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

int
tls_trust_file(struct tls_conf *c, const char *file, struct hf_error *err)
{
	if (load_file(c, file, err) < 0)
		return err->code;
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c->ctx), X509_V_FLAG_PARTIAL_CHAIN);
	return 0;
}

int
tls_trust_system(struct tls_conf *c, struct hf_error *err)
{
	const char *file = wish(X509_get_default_cert_file_env()),
		   *dirs = wish(X509_get_default_cert_dir_env());
	int any = file == NULL && dirs == NULL, r;

	dirs = dirs != NULL ? dirs : X509_get_default_cert_dir();
	if (file != NULL && load_file(c, file, err) < 0)
		return err->code;
	if ((r = load_folders(c, dirs, err)) != 0 || file != NULL)
		return r < 0 ? r : 0;
	if (load_bundle(c, any, err) < 0)
		return err->code;
	if (c->trust[0] != '\0')
		return 0;
	return err_set(err, HF_ERR_IO,
	    "this machine has no CA certificates: none by hashed names in %s, and no %s; give a file with --trust",
	    dirs, X509_get_default_cert_file());
}
