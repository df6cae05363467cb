#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include "base/str.h"
#include "hsm/foreign.h"

enum { NAME_MAX_LEN = 64, OBJECTS_MAX = 1000 };

/* Where such a key lives: an OpenSSL of its own, with the default provider and one more. One for each key: providers need not be
 * made for several threads. */
struct home {
	OSSL_LIB_CTX *ctx;
	OSSL_PROVIDER *usual, *foreign;
	struct foreign_pin pin;
};
/* What the URI names. */
struct wanted {
	char provider[NAME_MAX_LEN], folder[512]; /* "": OpenSSL's own */
	const char *uri;
	char name[128];
};

static void
drop_home(void *p)
{
	struct home *h = p;

	if (h->foreign)
		OSSL_PROVIDER_unload(h->foreign);
	if (h->usual)
		OSSL_PROVIDER_unload(h->usual);
	OSSL_LIB_CTX_free(h->ctx);
	foreign_pin_forget(&h->pin);
	free(h);
}

/* A provider's file has its name: OpenSSL is told the folder. */
static int
get_folder(struct wanted *w, const char *path, struct hf_error *err)
{
	char tail[NAME_MAX_LEN + 8];
	size_t n = strlen(path), k;
	int rc = uri_absolute(path, "provider: so-path", err);

	if (rc < 0)
		return rc;
	(void)str_fmt(tail, sizeof tail, "/%s.so", w->provider);
	k = strlen(tail);
	if (n > k && strcmp(path + n - k, tail) == 0 &&
	    str_copy(w->folder, sizeof w->folder, path, n - k) == 0)
		return 0;
	return err_set(err, HF_ERR_ARGS,
	    "provider %s: so-path \"%s\": the file of a provider has its name, here %s", w->provider, path,
	    tail + 1);
}

static int
get_wanted(struct wanted *w, const struct uri *u, struct hf_error *err)
{
	static const char *const known[] = { "so-path", "pin-source", "pin-value", "auth-source",
		"auth-value", NULL };
	const char *colon = strchr(u->path, ':'), *so = uri_query(u, "so-path");
	int rc = uri_only(u, known, err);

	if (rc < 0)
		return rc;
	if (!colon || colon == u->path || !colon[1])
		return err_set(err, HF_ERR_ARGS,
		    "provider: URI: its form is provider:NAME:URI, as in provider:tpm2:handle:0x81000201");
	if (str_copy(w->provider, sizeof w->provider, u->path, (size_t)(colon - u->path)) < 0 ||
	    strchr(w->provider, '/'))
		return err_set(err, HF_ERR_ARGS,
		    "provider: \"%.*s\" is not the name of a provider; ?so-path=/FOLDER/NAME.so says where one is",
		    (int)(colon - u->path), u->path);
	w->uri = colon + 1;
	foreign_name(w->name, sizeof w->name, "provider", w->provider, w->uri);
	return so ? get_folder(w, so, err) : 0;
}

static int
load_provider(struct home *h, const struct wanted *w, struct hf_error *err)
{
	h->ctx = OSSL_LIB_CTX_new();
	if (!h->ctx || (*w->folder && !OSSL_PROVIDER_set_default_search_path(h->ctx, w->folder)) ||
	    !(h->usual = OSSL_PROVIDER_load(h->ctx, "default")))
		return err_ssl(err, HF_ERR_MEMORY, "%s: no OpenSSL for it can be made", w->name);
	h->foreign = OSSL_PROVIDER_load(h->ctx, w->provider);
	if (h->foreign)
		return 0;
	return err_ssl(err, HF_ERR_KEY,
	    "provider %s: OpenSSL cannot load %s/%s.so; is it installed, and all that it needs?", w->provider,
	    *w->folder ? w->folder : OPENSSL_info(OPENSSL_INFO_MODULES_DIR), w->provider);
}

static EVP_PKEY *
next_key(OSSL_STORE_CTX *store)
{
	OSSL_STORE_INFO *info = OSSL_STORE_load(store);
	EVP_PKEY *key = NULL;

	if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
		key = OSSL_STORE_INFO_get1_PKEY(info);
	OSSL_STORE_INFO_free(info);
	return key;
}

static int
load_key(EVP_PKEY **key, struct home *h, const struct wanted *w, struct hf_error *err)
{
	OSSL_STORE_CTX *store;

	ERR_clear_error();
	store = OSSL_STORE_open_ex(w->uri, h->ctx, NULL, foreign_asker(), &h->pin, NULL, NULL, NULL);
	if (store && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY))
		for (int i = 0;
		     i < OBJECTS_MAX && !*key && !OSSL_STORE_eof(store) && !OSSL_STORE_error(store); i++)
			*key = next_key(store);
	if (store)
		OSSL_STORE_close(store);
	h->pin.proven = *key != NULL;
	return *key ? 0 : foreign_refused(&h->pin, w->name, ERR_peek_last_error_all, err);
}

int
key_provider_open(EVP_PKEY **out, const struct uri *u, const struct key_open *how, struct hf_error *err)
{
	struct home *h = calloc(1, sizeof *h);
	struct foreign f = { .drop = drop_home, .what = h };
	struct wanted w = { 0 };
	int rc;

	*out = NULL;
	if (!h)
		return err_memory(err);
	f.pub = how->cert ? X509_get0_pubkey(how->cert) : NULL;
	if ((rc = get_wanted(&w, u, err)) == 0 &&
	    (rc = foreign_pin_get(&h->pin, u, w.name, how->log, err)) == 0 &&
	    (rc = load_provider(h, &w, err)) == 0 && (rc = load_key(&f.key, h, &w, err)) == 0) {
		f.home = h->ctx;
		return foreign_wrap(out, &f, w.name, err);
	}
	drop_home(h);
	ERR_clear_error();
	return rc;
}
