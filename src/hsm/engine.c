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

/* Engines stay for good once they are loaded: what they have registered with OpenSSL is called later. All keys of one share it,
 * since their code seldom expects to be two. */
struct engine {
	struct engine *next;
	char *id, *so, *module; /* as they were asked for; so and module may be NULL */
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
find_loaded(const struct wanted *w)
{
	ENGINE *e = w->so || w->module ? NULL : ENGINE_get_first();

	while (e && strcmp(ENGINE_get_id(e), w->id) != 0)
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
	    ENGINE_ctrl_cmd_string(e, "LIST_ADD", "0", 0) && ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0))
		return e;
	err_ssl(err, HF_ERR_KEY, "engine %s: OpenSSL cannot load %s as this engine", w->id, path);
	ENGINE_free(e);
	return NULL;
}

static int
set_module(ENGINE *e, const struct wanted *w, struct hf_error *err)
{
	if (!w->module)
		return 0;
	if (!has_command(e, "MODULE_PATH"))
		return err_set(err, HF_ERR_ARGS,
		    "engine %s: module-path is nothing for it: it has no MODULE_PATH", w->id);
	if (ENGINE_ctrl_cmd_string(e, "MODULE_PATH", w->module, 0))
		return 0;
	return err_ssl(err, HF_ERR_KEY, "engine %s: it does not take the module %s", w->id, w->module);
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

	if (!n || str_set(&n->id, w->id) < 0 || str_set(&n->so, w->so) < 0 ||
	    str_set(&n->module, w->module) < 0)
		goto fail;
	n->e = e;
	n->next = engines;
	*out = engines = n;
	return 0;
fail:
	if (n) {
		str_free(&n->id);
		str_free(&n->so);
	}
	free(n);
	return err_memory(err);
}

static int
get_engine(struct engine **out, const struct wanted *w, struct hf_error *err)
{
	struct engine *n = engines;
	ENGINE *e;
	int rc;

	while (n && !(same(n->id, w->id) && same(n->so, w->so) && same(n->module, w->module)))
		n = n->next;
	*out = n;
	if (n)
		return 0;
	e = find_loaded(w);
	if (!e && !(e = load_file(w, err)))
		return err->code;
	if ((rc = set_module(e, w, err)) < 0 || (rc = remember(out, e, w, err)) < 0)
		ENGINE_free(e);
	return rc;
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

/* A key as it comes out of the engine. */
struct taken {
	EVP_PKEY *key, *pub;
	int bound;
	struct hf_error why; /* it was not to be had by its name */
};

static void
take_by_name(struct taken *t, struct engine *n, const struct wanted *w)
{
	t->key = ENGINE_load_private_key(n->e, w->key, foreign_asker(), &n->pin);
	n->pin.proven = t->key != NULL;
	if (!t->key)
		foreign_refused(&n->pin, w->name, &t->why);
}

/* Without a name in the URI the certificate tells which key it is, if there is one. */
static int
take_key(struct taken *t, struct engine *n, const struct wanted *w, EVP_PKEY *certified, struct hf_error *err)
{
	if (ENGINE_get_load_privkey_function(n->e) && (*w->key || !certified))
		take_by_name(t, n, w);
	if (t->key)
		return 0;
	if (certified && EVP_PKEY_up_ref(certified))
		t->pub = certified;
	else
		t->pub = public_of(n->e, w);
	t->key = t->pub ? bind_key(n->e, t->pub) : NULL;
	t->bound = t->key != NULL;
	if (t->key)
		return 0;
	if (t->why.code)
		return err_set(err, t->why.code, "%s", t->why.text);
	if (!t->pub)
		return err_set(err, HF_ERR_KEY,
		    "%s: it does not tell its public half; give the certificate that belongs to it", w->name);
	return err_ssl(
	    err, HF_ERR_UNSUPPORTED, "%s: the engine has no keys of the certificate's kind", w->name);
}

static int
open_key(struct taken *t, const struct wanted *w, const struct uri *u, const struct key_open *how,
    struct hf_error *err)
{
	struct engine *n;
	int rc = get_engine(&n, w, err);

	if (rc < 0 || (rc = enter(n, err)) < 0)
		return rc;
	rc = set_pin(n, w, u, how->log, err);
	if (rc == 0)
		rc = take_key(t, n, w, how->cert ? X509_get0_pubkey(how->cert) : NULL, err);
	if (rc == 0 && foreign_keep(t->key, drop_key, n) < 0)
		rc = err_memory(err);
	if (rc < 0) {
		EVP_PKEY_free(t->key);
		t->key = NULL;
		leave(n);
	}
	return rc;
}

int
key_engine_open(EVP_PKEY **out, const struct uri *u, const struct key_open *how, struct hf_error *err)
{
	struct taken t = { 0 };
	struct wanted w = { 0 };
	int rc;

	*out = NULL;
	rc = get_wanted(&w, u, err);
	if (rc < 0)
		return rc;
	ERR_clear_error();
	pthread_mutex_lock(&lock);
	rc = open_key(&t, &w, u, how, err);
	pthread_mutex_unlock(&lock);
	if (rc == 0)
		rc = foreign_wrap(out, t.key, t.pub, t.bound, w.name, t.why.code ? &t.why : err);
	if (rc < 0 && t.why.code)
		err_set(err, t.why.code, "%s", t.why.text);
	EVP_PKEY_free(t.pub);
	ERR_clear_error();
	return rc;
}
#endif
