#include "vendor.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "world.h"

static int sessions; /* that are open */

int
vendor_init(void)
{
	return sessions;
}

HSM_CLIENT_HANDLE
vendor_create(void)
{
	sessions++;
	return &sessions;
}

void
vendor_destroy(HSM_CLIENT_HANDLE h)
{
	(void)h;
	sessions--;
}

/* What the device will free. */
static char *
give(const void *p, size_t n)
{
	char *copy = calloc(1, n + 1);

	memcpy(copy, p, n);
	trip_given();
	return copy;
}

static char *
give_file(const char *path)
{
	struct buf text = { 0 };
	struct hf_error err = { 0 };
	char *copy;

	if (file_read(&text, path, 65536, "vendor's file", &err) < 0)
		world_die(err.text);
	copy = give(buf_data(&text), buf_size(&text));
	buf_free(&text);
	return copy;
}

static EVP_PKEY *
read_key(void)
{
	FILE *f = fopen(world.pem, "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);

	fclose(f);
	return key;
}

char *
vendor_get_cert(HSM_CLIENT_HANDLE h)
{
	(void)h;
	return give_file(world.cert);
}

/* The certificate says it. */
char *
vendor_get_common_name(HSM_CLIENT_HANDLE h)
{
	(void)h;
	return NULL;
}

char *
vendor_get_public_key(HSM_CLIENT_HANDLE h)
{
	EVP_PKEY *key = read_key();
	BIO *text = BIO_new(BIO_s_mem());
	char *p, *copy;
	long n;

	(void)h;
	PEM_write_bio_PUBKEY(text, key);
	n = BIO_get_mem_data(text, &p);
	copy = give(p, (size_t)n);
	BIO_free(text);
	EVP_PKEY_free(key);
	return copy;
}

char *
vendor_get_algorithms(HSM_CLIENT_HANDLE h)
{
	static const char names[] = "ecdsa-sha256 ecdsa-sha384";

	(void)h;
	return give(names, strlen(names));
}

int
vendor_sign_digest(HSM_CLIENT_HANDLE h, const char *how, const unsigned char *digest, size_t n,
    unsigned char **sig, size_t *len)
{
	EVP_PKEY *key = read_key();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int ok = EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, NULL, len, digest, n) == 1;

	(void)h;
	(void)how;
	if (ok && (*sig = malloc(*len)) != NULL)
		trip_given();
	ok = ok && EVP_PKEY_sign(ctx, *sig, len, digest, n) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0 : 1;
}
