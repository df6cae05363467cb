#define OPENSSL_SUPPRESS_DEPRECATED /* engines are; in this file alone */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/foreign.h"

/* Where OpenSSL has none, engine: is a sentence. */
#if defined(OPENSSL_NO_ENGINE) || defined(OPENSSL_NO_DEPRECATED)
int
key_engine_open(EVP_PKEY **out, const struct uri *u, const struct key_open *how, struct hf_error *err)
{
	(void)u;
	(void)how;
	*out = NULL;
	return err_set(err, HF_ERR_UNSUPPORTED,
	    "engine: the OpenSSL of this build has no engines; ask the vendor for a provider, and name it by provider:NAME:URI");
}
#else
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/rsa.h>

/* Engines stay for good once they are loaded: what they have registered with OpenSSL is called later. All keys of one share it:
 * OpenSSL loads a file once. */
struct engine {
	struct engine *next;
	char *id, *so; /* as they were asked for; so may be NULL */
	char *module;  /* what it was told to use, or NULL */
	ENGINE *e;
	int keys;
	struct foreign_pin pin; /* engines ask again when a key signs; wiped with the last key */
};
static struct engine *engines;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all of it, while a key is opened or closed */

/* What the URI names. */
struct wanted {
	char id[64], name[128];
	const char *key; /* "": none */
	const char *so, *module;
};

static int
get_wanted(struct wanted *w, const struct uri *u, struct hf_error *err)
{
	static const char *const known[] = { "so-path", "module-path", "pin-source", "pin-value", NULL };
	size_t n = strcspn(u->path, ":");
	int rc = uri_only(u, known, err);

	if (rc < 0)
		return rc;
	if (n == 0)
		return err_set(err, HF_ERR_ARGS, "engine: URI: its form is engine:ID or engine:ID:KEY");
	if (str_copy(w->id, sizeof w->id, u->path, n) < 0 || strchr(w->id, '/'))
		return err_set(err, HF_ERR_ARGS,
		    "engine: \"%.*s\" is not the id of an engine; ?so-path=/ABS.so names its file", (int)n,
		    u->path);
	w->key = u->path[n] ? u->path + n + 1 : "";
	w->so = uri_query(u, "so-path");
	w->module = uri_query(u, "module-path");
	foreign_name(w->name, sizeof w->name, "engine", w->id, w->key);
	if (w->so && (rc = uri_absolute(w->so, "engine: so-path", err)) < 0)
		return rc;
	return w->module ? uri_absolute(w->module, "engine: module-path", err) : 0;
}

/* loading */

static int
has_command(ENGINE *e, const char *name)
{
	return ENGINE_ctrl(e, ENGINE_CTRL_GET_CMD_FROM_NAME, 0, (void *)(uintptr_t)name, NULL) > 0;
}

/* One that the application or openssl.cnf has loaded, or NULL. ENGINE_by_id() would load it into OpenSSL's list, where
 * ENGINE_register_all_complete(), which many a library calls, gives it all keys of the process. */
static ENGINE *
find_loaded(const char *id)
{
	ENGINE *e = ENGINE_get_first();

	while (e && strcmp(ENGINE_get_id(e), id) != 0)
		e = ENGINE_get_next(e);
	return e;
}

static ENGINE *
load_file(const struct wanted *w, struct hf_error *err)
{
	char path[512];
	ENGINE *e;

	if (w->so ? str_fmt(path, sizeof path, "%s", w->so)
		  : str_fmt(path, sizeof path, "%s/%s.so", OPENSSL_info(OPENSSL_INFO_ENGINES_DIR), w->id)) {
		err_set(err, HF_ERR_ARGS, "engine %s: the path of its file is too long", w->id);
		return NULL;
	}
	if (!file_exists(path)) {
		err_set(err, HF_ERR_KEY,
		    "engine %s: there is no file %s; ?so-path=/ABS.so says where the engine is", w->id, path);
		return NULL;
	}
	ENGINE_load_dynamic();
	e = ENGINE_by_id("dynamic");
	if (e && ENGINE_ctrl_cmd_string(e, "SO_PATH", path, 0) && ENGINE_ctrl_cmd_string(e, "ID", w->id, 0) &&
	    ENGINE_ctrl_cmd_string(e, "LIST_ADD", "0", 0) && ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0)) {
		ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 1); /* some talk to standard error */
		return e;
	}
	err_ssl(err, HF_ERR_KEY, "engine %s: OpenSSL cannot load %s as this engine", w->id, path);
	ENGINE_free(e);
	return NULL;
}

static int
same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int
remember(struct engine **out, ENGINE *e, const struct wanted *w, struct hf_error *err)
{
	struct engine *n = calloc(1, sizeof *n);

	if (!n || str_set(&n->id, w->id) < 0 || str_set(&n->so, w->so) < 0)
		goto fail;
	n->e = e;
	n->next = engines;
	*out = engines = n;
	return 0;
fail:
	ENGINE_free(e);
	if (n)
		str_free(&n->id);
	free(n);
	return err_memory(err);
}

static int
get_engine(struct engine **out, const struct wanted *w, struct hf_error *err)
{
	ENGINE *e;

	*out = engines;
	while (*out && !(same((*out)->id, w->id) && same((*out)->so, w->so)))
		*out = (*out)->next;
	if (*out)
		return 0;
	e = find_loaded(w->id);
	if (!e)
		e = load_file(w, err);
	return e ? remember(out, e, w, err) : err->code;
}

/* An engine has one module at a time. */
static int
set_module(struct engine *n, const char *module, struct hf_error *err)
{
	if (same(n->module, module))
		return 0;
	if (n->module && (n->keys > 0 || !module))
		return err_set(err, HF_ERR_STATE,
		    "engine %s: it uses the module %s, and takes no other one now; keys of two modules at a time are for pkcs11: URIs",
		    n->id, n->module);
	if (!has_command(n->e, "MODULE_PATH"))
		return err_set(err, HF_ERR_ARGS,
		    "engine %s: module-path is nothing for it: it has no MODULE_PATH", n->id);
	if (!ENGINE_ctrl_cmd_string(n->e, "MODULE_PATH", module, 0))
		return err_ssl(err, HF_ERR_KEY, "engine %s: it does not take the module %s", n->id, module);
	return str_set(&n->module, module) < 0 ? err_memory(err) : 0;
}

/* keys */

static int
enter(struct engine *n, struct hf_error *err)
{
	if (!ENGINE_init(n->e))
		return err_ssl(err, HF_ERR_KEY, "engine %s: it does not start", n->id);
	n->keys++;
	return 0;
}

static void
leave(struct engine *n)
{
	ENGINE_finish(n->e);
	if (--n->keys == 0)
		foreign_pin_forget(&n->pin);
}

static void
drop_key(void *p)
{
	pthread_mutex_lock(&lock);
	leave(p);
	pthread_mutex_unlock(&lock);
	ERR_clear_error();
}

/* Most engines ask; some are told. */
static int
set_pin(struct engine *n, const struct wanted *w, const struct uri *u, const struct log *log,
    struct hf_error *err)
{
	int rc = foreign_pin_get(&n->pin, u, w->name, log, err);

	if (rc < 0 || !n->pin.known || !has_command(n->e, "PIN"))
		return rc;
	n->pin.asked = 1;
	if (ENGINE_ctrl_cmd_string(n->e, "PIN", buf_str(&n->pin.secret), 0))
		return 0;
	return err_ssl(err, HF_ERR_KEY, "engine %s: it does not take a PIN", w->id);
}

/* The engine's one key, whatever it may be: OpenSSL's key with the engine's method and this public half. */
static EVP_PKEY *
bind_ec(ENGINE *e, const EC_KEY *pub)
{
	EVP_PKEY *key = EVP_PKEY_new();
	EC_KEY *ec = EC_KEY_new_method(e);

	if (key && ec && EC_KEY_set_group(ec, EC_KEY_get0_group(pub)) &&
	    EC_KEY_set_public_key(ec, EC_KEY_get0_public_key(pub)) && EVP_PKEY_assign_EC_KEY(key, ec))
		return key;
	EC_KEY_free(ec);
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *
bind_rsa(ENGINE *e, const RSA *pub)
{
	BIGNUM *n = BN_dup(RSA_get0_n(pub)), *x = BN_dup(RSA_get0_e(pub));
	EVP_PKEY *key = EVP_PKEY_new();
	RSA *rsa = RSA_new_method(e);
	int taken = key && rsa && n && x && RSA_set0_key(rsa, n, x, NULL);

	if (taken && EVP_PKEY_assign_RSA(key, rsa))
		return key;
	if (!taken) {
		BN_free(n);
		BN_free(x);
	}
	RSA_free(rsa);
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *
bind_key(ENGINE *e, EVP_PKEY *pub)
{
	if (EVP_PKEY_get_base_id(pub) == EVP_PKEY_EC && ENGINE_get_EC(e))
		return bind_ec(e, EVP_PKEY_get0_EC_KEY(pub));
	if (EVP_PKEY_get_base_id(pub) == EVP_PKEY_RSA && ENGINE_get_RSA(e))
		return bind_rsa(e, EVP_PKEY_get0_RSA(pub));
	return NULL;
}

/* Of an engine that has one key and hands none out. NULL: it does not tell. */
static EVP_PKEY *
public_of(ENGINE *e, const struct wanted *w)
{
	EVP_PKEY *told = NULL, *pub;

	if (ENGINE_get_load_pubkey_function(e) && !ENGINE_get_load_privkey_function(e))
		told = ENGINE_load_public_key(e, w->key, foreign_asker(), NULL);
	pub = told ? foreign_public(told) : NULL;
	EVP_PKEY_free(told);
	return pub;
}

/* `why`: it was not to be had by its name. */
static void
take_by_name(struct foreign *f, struct engine *n, const struct wanted *w, struct hf_error *why)
{
	f->key = ENGINE_load_private_key(n->e, w->key, foreign_asker(), &n->pin);
	n->pin.proven = f->key != NULL;
	if (!f->key)
		foreign_refused(&n->pin, w->name, ERR_peek_error_all, why);
}

/* Without a name in the URI the certificate tells which key it is, if there is one. */
static int
take_key(
    struct foreign *f, struct engine *n, const struct wanted *w, struct hf_error *why, struct hf_error *err)
{
	if (ENGINE_get_load_privkey_function(n->e) && (*w->key || !f->pub))
		take_by_name(f, n, w, why);
	if (f->key)
		return 0;
	if (!f->pub)
		f->pub = public_of(n->e, w);
	f->key = f->pub ? bind_key(n->e, f->pub) : NULL;
	f->bound = f->key != NULL;
	if (f->key)
		return 0;
	if (why->code)
		return err_set(err, why->code, "%s", why->text);
	if (!f->pub)
		return err_set(err, HF_ERR_KEY,
		    "%s: it does not tell its public half; give the certificate that belongs to it", w->name);
	return err_ssl(
	    err, HF_ERR_UNSUPPORTED, "%s: the engine has no keys of the certificate's kind", w->name);
}

static int
open_key(struct foreign *f, const struct wanted *w, const struct uri *u, const struct log *log,
    struct hf_error *why, struct hf_error *err)
{
	struct engine *n;
	int rc = get_engine(&n, w, err);

	if (rc < 0 || (rc = set_module(n, w->module, err)) < 0 || (rc = enter(n, err)) < 0)
		return rc;
	if ((rc = set_pin(n, w, u, log, err)) < 0 || (rc = take_key(f, n, w, why, err)) < 0)
		leave(n);
	f->what = n;
	return rc;
}

int
key_engine_open(EVP_PKEY **out, const struct uri *u, const struct key_open *how, struct hf_error *err)
{
	struct foreign f = { .drop = drop_key };
	struct hf_error why = { 0 };
	struct wanted w = { 0 };
	int rc;

	*out = NULL;
	rc = get_wanted(&w, u, err);
	if (rc < 0)
		return rc;
	f.pub = how->cert ? foreign_public(X509_get0_pubkey(how->cert)) : NULL;
	ERR_clear_error();
	pthread_mutex_lock(&lock);
	rc = open_key(&f, &w, u, how->log, &why, err);
	pthread_mutex_unlock(&lock);
	if (rc == 0)
		rc = foreign_wrap(out, &f, w.name, why.code ? &why : err);
	if (rc < 0 && why.code)
		err_set(err, why.code, "%s", why.text);
	EVP_PKEY_free(f.pub);
	ERR_clear_error();
	return rc;
}
#endif
