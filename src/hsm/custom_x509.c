#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "base/str.h"
#include "hsm/custom.h"

/* Version 1 and what it takes from a library; version 2 shares its head. */
struct source {
	struct x509_source source;
	struct custom *lib;
	struct custom_session session; /* has a hold of its own: it goes with a key that signs */
	const HSM_CLIENT_X509_INTERFACE *v1;
	HSM_CLIENT_X509_V2_INTERFACE v2;
	char *engine, *id;
};

/*
 * Version 1: what get_key() returns is one of three things.
 */
static int
no_passphrase(char *dst, int cap, int writing, void *asked)
{
	(void)dst;
	(void)cap;
	(void)writing;
	*(int *)asked = 1;
	return -1;
}

static int
pem_key(EVP_PKEY **out, const struct custom *lib, const struct buf *text, struct hf_error *err)
{
	int asked = 0, rc = 0;

	*out = hsm_pem_key(text, no_passphrase, &asked);
	if (asked)
		rc = custom_fail(lib, err, "hsm_client_get_key",
		    "returned an encrypted PEM key, and there is nobody to ask for its passphrase");
	else if (!*out)
		rc = err_ssl(err, HF_ERR_KEY,
		    "%s: hsm_client_get_key() returned PEM that holds no private key", custom_name(lib));
	ERR_clear_error();
	return rc;
}

/* The engine's own name for the key is handed on as it is, whatever stands in it. */
static int
engine_key(
    EVP_PKEY **out, const char *engine, const char *name, const struct key_open *o, struct hf_error *err)
{
	struct uri u = { .scheme = "engine" };
	struct buf path = { 0 };
	int rc;

	rc = buf_fmt(&path, "%s:%s", engine, name);
	if (rc < 0 || !buf_str(&path) || str_set(&u.path, buf_str(&path)) < 0 || str_set(&u.text, u.path) < 0)
		rc = err_memory(err);
	else
		rc = key_engine_open(out, &u, o, err);
	uri_fini(&u);
	buf_free(&path);
	return rc;
}

static int
has_scheme(const struct uri *u, const char *text)
{
	size_t n = strlen(u->scheme);

	return str_eqin(u->scheme, text, n) && text[n] == ':';
}

static int
uri_key(EVP_PKEY **out, const struct custom *lib, const char *text, const struct key_open *o,
    struct hf_error *err)
{
	struct hf_error why = { 0 };
	struct uri u = { 0 };
	int rc = uri_get(&u, text, &why), known = rc == 0 && has_scheme(&u, text);

	uri_fini(&u);
	if (rc == HF_ERR_MEMORY)
		return err_memory(err);
	if (rc == HF_ERR_ARGS)
		return err_set(err, HF_ERR_KEY,
		    "%s: hsm_client_get_key() returned a key URI that is none: %s", custom_name(lib),
		    why.text);
	if (known)
		return key_open(out, text, o, err);
	return custom_fail(lib, err, "hsm_client_get_key",
	    "returned neither a PEM key nor a key URI with a scheme (engine:, pkcs11:, ...); "
	    "if that is an engine's name for the key, name the engine: \"hsm:...?engine=ID\"");
}

static int
alias_key(EVP_PKEY **out, const struct source *s, struct buf *text, X509 *cert, const struct log *log,
    struct hf_error *err)
{
	const struct key_open o = { .cert = cert, .inside = 1, .log = log };
	const char *t = buf_str(text);
	int pem;

	if (!t)
		return err_memory(err);
	pem = strstr(t, "-----BEGIN ") != NULL;
	if (s->engine && pem) /* a key's name stands in sentences, and a key may not */
		return custom_fail(s->lib, err, "hsm_client_get_key",
		    "returned PEM, which is no engine's name for a key; do without engine=");
	if (s->engine)
		return engine_key(out, s->engine, t, &o, err);
	if (pem)
		return pem_key(out, s->lib, text, err);
	return uri_key(out, s->lib, t, &o, err);
}

static int
begin(struct source *s, struct hf_error *err)
{
	HSM_CLIENT_CREATE create = s->v1 ? s->v1->hsm_client_x509_create : s->v2.hsm_client_x509_create;
	HSM_CLIENT_DESTROY destroy = s->v1 ? s->v1->hsm_client_x509_destroy : s->v2.hsm_client_x509_destroy;

	if (!s->session.lib)
		s->session.lib = custom_hold(s->lib);
	return custom_begin(&s->session, create, destroy, "hsm_client_x509", err);
}

static int
chain_of(STACK_OF(X509) * *chain, const struct custom *lib, const struct buf *text, struct hf_error *err)
{
	struct buf what = { 0 };
	int rc = HF_ERR_MEMORY;

	*chain = NULL;
	if (buf_fmt(&what, "%s: hsm_client_get_cert()", custom_name(lib)) == 0 && buf_str(&what))
		rc = hsm_pem_chain(chain, text, buf_str(&what), err);
	buf_free(&what);
	return rc == HF_ERR_MEMORY ? err_memory(err) : rc;
}

static int
take_name(struct source *s, char *id, struct hf_error *err)
{
	struct buf name = { 0 };
	int rc = 1;

	*id = '\0';
	if (s->id)
		return str_copy(id, CUSTOM_NAME_MAX + 1, s->id, strlen(s->id)) < 0
			   ? err_set(err, HF_ERR_ARGS, "the registration id is longer than %d characters",
				 CUSTOM_NAME_MAX)
			   : 0;
	if (s->v1)
		rc = custom_text(&s->session, s->v1->hsm_client_get_common_name, "hsm_client_get_common_name",
		    CUSTOM_NAME_MAX, &name, err);
	else
		rc = custom_ask(&s->session, s->v2.hsm_client_get_common_name, "hsm_client_get_common_name",
		    CUSTOM_NAME_MAX, &name, err);
	if (rc >= 0 && buf_size(&name) > 0 &&
	    (str_copy(id, CUSTOM_NAME_MAX + 1, buf_data(&name), buf_size(&name)) < 0 ||
		!str_is_registration_id(id)))
		rc = custom_fail(s->lib, err, "hsm_client_get_common_name",
		    "returned what is no registration id: 1 to 128 letters, digits, - . _ :, the last a letter, digit or dash");
	if (rc < 0)
		*id = '\0';
	buf_free(&name);
	return rc < 0 ? rc : 0;
}

static int
check_pair(const struct source *s, STACK_OF(X509) * chain, EVP_PKEY **key, struct hf_error *err)
{
	if (X509_check_private_key(sk_X509_value(chain, 0), *key) == 1)
		return 0;
	EVP_PKEY_free(*key);
	*key = NULL;
	ERR_clear_error();
	return err_set(err, HF_ERR_KEY,
	    "%s: its key does not belong to the certificate of hsm_client_get_cert() (the first one)",
	    custom_name(s->lib));
}

static int
load_v1(struct x509_source *source, STACK_OF(X509) * *chain, EVP_PKEY **key, char *id, struct hf_error *err)
{
	struct source *s = (struct source *)source;
	struct buf cert = { 0 }, text = { 0 };
	int rc;

	*chain = NULL;
	if ((rc = begin(s, err)) < 0 ||
	    (rc = custom_text(&s->session, s->v1->hsm_client_get_cert, "hsm_client_get_cert", CUSTOM_TEXT_MAX,
		 &cert, err)) < 0 ||
	    (rc = custom_text(&s->session, s->v1->hsm_client_get_key, "hsm_client_get_key", CUSTOM_KEY_MAX,
		 &text, err)) < 0 ||
	    (rc = take_name(s, id, err)) < 0 || (rc = chain_of(chain, s->lib, &cert, err)) < 0)
		goto fail;
	rc = alias_key(key, s, &text, sk_X509_value(*chain, 0), NULL, err);
	if (rc == 0)
		rc = check_pair(s, *chain, key, err);
fail:
	if (rc < 0) {
		sk_X509_pop_free(*chain, X509_free);
		*chain = NULL;
	}
	buf_free(&cert);
	buf_free(&text);
	return rc;
}

static int
load_v2(struct x509_source *source, STACK_OF(X509) * *chain, EVP_PKEY **key, char *id, struct hf_error *err)
{
	struct source *s = (struct source *)source;
	struct buf cert = { 0 };
	int rc;

	*chain = NULL;
	if ((rc = begin(s, err)) < 0 || (rc = custom_ask(&s->session, s->v2.hsm_client_get_cert,
					     "hsm_client_get_cert", CUSTOM_TEXT_MAX, &cert, err)) < 0)
		goto fail;
	if (rc == 0)
		rc = custom_fail(s->lib, err, "hsm_client_get_cert",
		    "returned NULL: there is no certificate yet; ask for one with holdfast csr");
	if (rc < 0 || (rc = take_name(s, id, err)) < 0 || (rc = chain_of(chain, s->lib, &cert, err)) < 0)
		goto fail;
	rc = custom_signer(key, &s->session, &s->v2, err);
	if (rc == 0)
		rc = check_pair(s, *chain, key, err);
fail:
	if (rc < 0) {
		sk_X509_pop_free(*chain, X509_free);
		*chain = NULL;
	}
	buf_free(&cert);
	return rc;
}

static void
close_source(struct x509_source *source)
{
	struct source *s = (struct source *)source;

	custom_end(&s->session);
	custom_close(s->lib);
	str_free(&s->engine);
	str_free(&s->id);
	free(s);
}

/* What an older table does not have is NULL; the functions that were there from the beginning have to be in it. */
static int
copy_v2(struct source *s, const HSM_CLIENT_X509_V2_INTERFACE *t, struct hf_error *err)
{
	if (t->size < offsetof(HSM_CLIENT_X509_V2_INTERFACE, hsm_client_make_key) || t->size > 65536 ||
	    t->size % sizeof t->hsm_client_make_key != 0)
		return custom_fail(s->lib, err, "hsm_client_x509_v2_interface",
		    "returned a table whose size cannot be; its first member is sizeof(HSM_CLIENT_X509_V2_INTERFACE)");
	memcpy(&s->v2, t, t->size < sizeof s->v2 ? t->size : sizeof s->v2);
	return 0;
}

static int
source_new(struct source **out, const struct custom_choice *c, struct hf_error *err)
{
	struct source *s = calloc(1, sizeof *s);
	int rc = 0;

	if (!s) {
		custom_close(c->lib);
		return err_memory(err);
	}
	s->source = (struct x509_source){ c->x509_v2 ? load_v2 : load_v1, close_source, 1 };
	s->lib = c->lib;
	s->v1 = c->x509_v2 ? NULL : c->x509;
	if (c->x509_v2)
		rc = copy_v2(s, c->x509_v2, err);
	if (rc == 0 && (str_set(&s->engine, c->engine) < 0 || str_set(&s->id, c->id) < 0))
		rc = err_memory(err);
	if (rc < 0)
		close_source(&s->source);
	else
		*out = s;
	return rc;
}

int
custom_x509_source(struct x509_source **out, const struct custom_choice *c, struct hf_error *err)
{
	struct source *s = NULL;
	int rc = source_new(&s, c, err);

	*out = rc == 0 ? &s->source : NULL;
	return rc;
}

/* The key's certificate helps where an engine cannot tell the public key; the user's own comes first, and there may be none. */
static int
key_v1(EVP_PKEY **out, struct source *s, const struct key_open *o, struct hf_error *err)
{
	struct hf_error ignored = { 0 };
	struct buf cert = { 0 }, text = { 0 };
	STACK_OF(X509) *chain = NULL;
	X509 *leaf = o->cert;
	int rc;

	rc = custom_text(
	    &s->session, s->v1->hsm_client_get_key, "hsm_client_get_key", CUSTOM_KEY_MAX, &text, err);
	if (rc < 0)
		goto fail;
	if (!leaf &&
	    custom_ask(&s->session, s->v1->hsm_client_get_cert, "hsm_client_get_cert", CUSTOM_TEXT_MAX, &cert,
		&ignored) == 1 &&
	    chain_of(&chain, s->lib, &cert, &ignored) == 0)
		leaf = sk_X509_value(chain, 0);
	rc = alias_key(out, s, &text, leaf, o->log, err);
fail:
	sk_X509_pop_free(chain, X509_free);
	buf_free(&cert);
	buf_free(&text);
	return rc;
}

int
custom_x509_key(EVP_PKEY **out, const struct custom_choice *c, const struct key_open *o, struct hf_error *err)
{
	struct source *s;
	int rc = source_new(&s, c, err);

	if (rc < 0)
		return rc;
	rc = begin(s, err);
	if (rc == 0)
		rc = s->v1 ? key_v1(out, s, o, err) : custom_signer(out, &s->session, &s->v2, err);
	close_source(&s->source);
	return rc;
}

static int
make(struct source *s, const char *kind, struct hf_error *err)
{
	int rc = begin(s, err);

	if (rc < 0)
		return rc;
	if (!s->v2.hsm_client_make_key)
		return err_set(err, HF_ERR_UNSUPPORTED, "%s makes no keys: it has no hsm_client_make_key()",
		    custom_name(s->lib));
	custom_enter(s->lib);
	rc = s->v2.hsm_client_make_key(s->session.handle, kind);
	custom_leave(s->lib);
	if (rc == 0)
		return 0;
	return err_set(err, HF_ERR_KEY, "%s: hsm_client_make_key() failed to make a %s key (it returned %d)",
	    custom_name(s->lib), kind, rc);
}

int
custom_x509_make(const struct custom_choice *c, const char *kind, struct hf_error *err)
{
	struct source *s;
	int rc = source_new(&s, c, err);

	if (rc < 0)
		return rc;
	rc = make(s, kind, err);
	close_source(&s->source);
	return rc;
}
