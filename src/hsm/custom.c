#include <string.h>
#include "base/str.h"
#include "hsm/custom.h"

/* The kinds, in the order in which they are looked for when the URI names none. */
static const struct kind {
	const char *type, *getter;
	enum hsm_kind kind;
} kinds[] = {
	{ "x509", "hsm_client_x509_interface", HSM_X509 },
	{ "tpm", "hsm_client_tpm_interface", HSM_TPM },
	{ "symmetric", "hsm_client_key_interface", HSM_SYMMETRIC },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Asks the getters of one kind for their tables. 1: there is one. */
static int
ask(struct custom_choice *c, enum hsm_kind kind)
{
	const struct hf_hsm_table *t = custom_table(c->lib);

	c->kind = kind;
	custom_enter(c->lib);
	if (kind == HSM_X509 && t->x509_v2)
		c->x509_v2 = t->x509_v2();
	if (kind == HSM_X509 && t->x509)
		c->x509 = t->x509();
	if (kind == HSM_TPM && t->tpm)
		c->tpm = t->tpm();
	if (kind == HSM_SYMMETRIC && t->key)
		c->key = t->key();
	custom_leave(c->lib);
	return c->x509_v2 || c->x509 || c->tpm || c->key;
}

static int
is_there(const struct hf_hsm_table *t, enum hsm_kind kind)
{
	if (kind == HSM_X509)
		return t->x509_v2 || t->x509;
	return kind == HSM_TPM ? t->tpm != NULL : t->key != NULL;
}

/* Why there is no table of this kind. */
static int
no_table(const struct custom_choice *c, const struct kind *k, struct hf_error *err)
{
	const struct hf_hsm_table *t = custom_table(c->lib);
	const char *name = k->kind == HSM_X509 && !t->x509 ? "hsm_client_x509_v2_interface" : k->getter;

	if (is_there(t, k->kind))
		return custom_fail(c->lib, err, name, "returned NULL");
	return err_set(err, HF_ERR_KEY, "%s has no %s(), so it cannot be of type=%s", custom_name(c->lib),
	    k->getter, k->type);
}

static int
pick_table(struct custom_choice *c, const char *type, struct hf_error *err)
{
	const struct kind *first = NULL;

	for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
		if (type && strcmp(type, k->type) != 0)
			continue;
		if (ask(c, k->kind))
			return 0;
		if (!first && (type || is_there(custom_table(c->lib), k->kind)))
			first = k;
	}
	return no_table(c, first, err);
}

static int
check_uri(const struct uri *u, struct hf_error *err)
{
	static const char *const names[] = { "type", "engine", NULL };
	const char *type = uri_query(u, "type"), *engine = uri_query(u, "engine");

	if (uri_only(u, names, err) < 0)
		return err->code;
	if (type && strcmp(type, "x509") != 0 && strcmp(type, "tpm") != 0 && strcmp(type, "symmetric") != 0)
		return err_set(
		    err, HF_ERR_ARGS, "hsm: URI: type=%.40s: there are x509, tpm and symmetric", type);
	if (engine && (!*engine || strchr(engine, ':')))
		return err_set(err, HF_ERR_ARGS, "hsm: URI: engine=%.40s: that is no engine's id", engine);
	return 0;
}

int
custom_choose(struct custom_choice *c, const struct uri *u, const char *type, struct hf_error *err)
{
	int rc;

	*c = (struct custom_choice){ .engine = uri_query(u, "engine") };
	rc = check_uri(u, err);
	if (rc == 0)
		rc = custom_open(&c->lib, u->path, err);
	if (rc < 0)
		return rc;
	rc = pick_table(c, type, err);
	if (rc == 0 && c->engine && c->kind != HSM_X509)
		rc = err_set(err, HF_ERR_ARGS,
		    "hsm: URI: engine=%.40s: only an X.509 identity has a key in an engine", c->engine);
	else if (rc == 0 && c->engine && c->x509_v2)
		rc = err_set(err, HF_ERR_ARGS,
		    "%s signs itself (hsm_client_x509_v2_interface): its key is in no engine",
		    custom_name(c->lib));
	if (rc < 0)
		custom_close(c->lib);
	return rc;
}

#ifdef HF_HSM_X509
static int
open_x509(struct hsm **out, const struct custom_choice *c, struct hf_error *err)
{
	struct x509_source *source;
	int rc = custom_x509_source(&source, c, err);

	return rc < 0 ? rc : hsm_x509_new(out, source, err);
}
#else
#define open_x509(out, c, err) left_out(c, "X.509 (hsm_type_x509=OFF)", err)
#endif
#ifndef HF_HSM_SYMKEY
#define custom_symkey_open(out, c, err) left_out(c, "symmetric keys (hsm_type_symm_key=OFF)", err)
#endif
#if !defined(HF_HSM_X509) || !defined(HF_HSM_SYMKEY)
static int
left_out(const struct custom_choice *c, const char *what, struct hf_error *err)
{
	custom_close(c->lib);
	return err_set(err, HF_ERR_UNSUPPORTED, "this build of Holdfast was made without %s", what);
}
#endif
#ifndef HF_HSM_SYMKEY
int
hsm_custom_set_symmetric_key(struct hsm *h, const char *name, const char *key, struct hf_error *err)
{
	(void)h;
	(void)name;
	(void)key;
	return err_set(err, HF_ERR_UNSUPPORTED,
	    "this build of Holdfast was made without symmetric keys (hsm_type_symm_key=OFF)");
}
#endif

int
hsm_custom_open(struct hsm **out, const struct hsm_settings *s, struct hf_error *err)
{
	struct custom_choice c;
	struct uri u = { 0 };
	int rc;

	*out = NULL;
	rc = uri_get(&u, s->hsm, err);
	if (rc < 0)
		return rc;
	if (strcmp(u.scheme, "hsm") != 0)
		rc = err_set(err, HF_ERR_ARGS,
		    "a custom HSM is named \"hsm:\", for the one that is linked in, or \"hsm:/PATH/TO/IT.so\"");
	else
		rc = custom_choose(&c, &u, uri_query(&u, "type"), err);
	if (rc < 0)
		goto fail;
	c.id = s->registration_id;
	if (c.kind == HSM_X509)
		rc = open_x509(out, &c, err);
	else if (c.kind == HSM_TPM)
		rc = custom_tpm_open(out, &c, err);
	else
		rc = custom_symkey_open(out, &c, err);
fail:
	uri_fini(&u);
	return rc;
}
