#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "base/str.h"
#include "check.h"
#include "hsm/custom.h"
#include "hsm/hsm.h"
#include "msg/tpm.h"

enum { MAC_LEN = 32 };

/* A library that is being checked. */
struct library {
	struct custom *lib;
	struct hf_hsm_table table;
	const char *type; /* the URI asks for this kind alone; NULL: all that there are */
};

/* c->hsm: the URI, for this kind. */
static int
choose(struct check *c, const struct library *l, const char *type, struct hf_error *err)
{
	struct buf b = { 0 };
	int rc = buf_puts(&b, c->uri);

	if (rc == 0 && !l->type)
		rc = buf_fmt(&b, "%ctype=%s", strchr(c->uri, '?') ? '&' : '?', type);
	if (rc == 0)
		rc = buf_str(&b) ? str_set(&c->hsm, buf_str(&b)) : HF_ERR_MEMORY;
	buf_free(&b);
	return rc < 0 ? err_memory(err) : 0;
}

static int
open_identity(struct check *c, struct hsm **h, struct buf *ek, struct buf *srk, struct hf_error *err)
{
	const struct hsm_settings s = { .hsm = c->hsm };
	int rc = hsm_open(h, &s, err);

	if (rc == 0)
		rc = (*h)->ops->identity(*h, 0, ek, srk, err);
	if (rc < 0) {
		hsm_close(*h);
		*h = NULL;
	}
	return rc;
}

static int
once(struct check *c, struct hf_error *err)
{
	struct buf ek = { 0 }, srk = { 0 };
	struct hsm *h = NULL;
	int rc = open_identity(c, &h, &ek, &srk, err);

	hsm_close(h);
	buf_free(&ek);
	buf_free(&srk);
	return rc;
}

static int
key_once(struct check *c, struct hf_error *err)
{
	const struct key_open how = { .log = NULL };
	EVP_PKEY *key = NULL;
	int rc = key_open(&key, c->hsm, &how, err);

	EVP_PKEY_free(key);
	return rc;
}

static void
tell(struct check *c, const struct hf_error *err)
{
	if (err->code < 0)
		check_failed(c, err);
	else
		check_say(c, HF_CHECK_OK, "%s", "");
}

/* X.509 */

static int
take_pair(struct check *c, struct hsm *h, struct hf_error *err)
{
	STACK_OF(X509) * chain;
	EVP_PKEY *key;

	if (h->ops->certificate(h, &chain, err) < 0 || h->ops->key(h, &key, err) < 0)
		return err->code;
	if ((!c->chain && !(c->chain = X509_chain_up_ref(chain))) || !EVP_PKEY_up_ref(key))
		return err_memory(err);
	c->key = key;
	return 0;
}

/* Version 2 may have none yet. 1, 0, or an error. */
static int
has_certificate(const struct library *l, struct hf_error *err)
{
	struct custom_session s = { .lib = custom_hold(l->lib) };
	const HSM_CLIENT_X509_V2_INTERFACE *t;
	struct buf text = { 0 };
	int rc;

	custom_enter(l->lib);
	t = l->table.x509_v2();
	custom_leave(l->lib);
	if (!t) {
		custom_end(&s);
		return 1; /* what is wrong here, is told elsewhere */
	}
	rc = custom_begin(&s, t->hsm_client_x509_create, t->hsm_client_x509_destroy, "hsm_client_x509", err);
	if (rc == 0)
		rc = custom_ask(
		    &s, t->hsm_client_get_cert, "hsm_client_get_cert", CUSTOM_TEXT_MAX, &text, err);
	custom_end(&s);
	buf_free(&text);
	return rc;
}

/* The key alone, for as long as there is no certificate. */
static void
open_bare(struct check *c)
{
	const struct key_open how = { .log = NULL };
	struct hf_error err = { 0 };

	check_say(c, HF_CHECK_CANNOT, "there is no certificate yet");
	check_try(c, "X.509: hands out its public key");
	(void)key_open(&c->key, c->hsm, &how, &err);
	tell(c, &err);
}

/* 1: there is a certificate, and a key. */
static int
open_pair(struct check *c, const struct library *l)
{
	struct hf_error err = { 0 };
	struct hsm *h = NULL;
	int some = 1;

	check_try(c, "X.509: hands out certificate, name and key");
	if (l->table.x509_v2)
		some = has_certificate(l, &err);
	if (some == 0) {
		open_bare(c);
		return 0;
	}
	if (some < 0 || open_identity(c, &h, NULL, NULL, &err) < 0 || take_pair(c, h, &err) < 0)
		check_failed(c, &err);
	else
		check_say(c, HF_CHECK_OK, "registration id %s, certificates: %d", h->registration_id,
		    sk_X509_num(c->chain));
	hsm_close(h);
	return 1;
}

/* A key that is there has to stay. */
static void
make_again(struct check *c, const struct library *l)
{
	const struct key_open how = { .log = NULL };
	struct hf_error err = { 0 }, no = { 0 };
	struct key_kind kind;
	struct buf made = { 0 };
	EVP_PKEY *now = NULL;

	if (!l->table.x509_v2)
		return;
	check_try(c, "X.509: refuses to make a key where there is one (hsm_client_make_key)");
	if (!c->asked->write) {
		check_say(c, HF_CHECK_CANNOT,
		    "not tried, since one at fault would lose the key; --write asks for it");
		return;
	}
	if (key_kind_get(&kind, "p256", &err) == 0 && key_make(c->hsm, &kind, &made, &no) == 0)
		err_set(&err, HF_ERR_KEY, "it has made one");
	else if (key_open(&now, c->hsm, &how, &err) == 0 && EVP_PKEY_eq(now, c->pub) != 1)
		err_set(&err, HF_ERR_KEY, "it says no, but the key is another one now");
	if (err.code < 0)
		check_failed(c, &err);
	else
		check_say(c, HF_CHECK_OK, "it says: %s", no.text);
	EVP_PKEY_free(now);
	buf_free(&made);
}

static void
forget_key(struct check *c)
{
	EVP_PKEY_free(c->key);
	EVP_PKEY_free(c->pub);
	sk_X509_pop_free(c->chain, X509_free);
	c->key = c->pub = NULL;
	c->chain = NULL;
}

static void
check_x509(struct check *c, const struct library *l)
{
	int whole = open_pair(c, l);

	if (!c->key)
		return;
	check_key(c);
	if (c->pub)
		make_again(c, l);
	check_leaks(c, whole ? once : key_once);
	forget_key(c);
}

/* TPM */

static int
look_at_public(const struct buf *b, const char *name, struct hf_error *err)
{
	struct hf_error why = { 0 };
	struct tpm_public area;

	if (tpm_get_public(buf_data(b), buf_size(b), &area, &why) == 0)
		return 0;
	return err_set(err, HF_ERR_KEY, "%s() returned what DPS will not take: %s", name, why.text);
}

static void
check_identity(struct check *c, struct hsm **h)
{
	struct buf ek = { 0 }, srk = { 0 };
	struct hf_error err = { 0 };

	check_try(c, "TPM: hands out its public keys (hsm_client_get_ek, hsm_client_get_srk)");
	if (open_identity(c, h, &ek, &srk, &err) == 0 && look_at_public(&ek, "hsm_client_get_ek", &err) == 0)
		(void)look_at_public(&srk, "hsm_client_get_srk", &err);
	if (err.code < 0)
		check_failed(c, &err);
	else
		check_say(c, HF_CHECK_OK, "registration id %s", (*h)->registration_id);
	buf_free(&ek);
	buf_free(&srk);
}

static void
check_activation(struct check *c, struct hsm *h)
{
	static const uint8_t no_blob[64] = "what is no key of the service's";
	struct hf_error err = { 0 };
	struct buf wrapped = { 0 };

	check_try(c, "TPM: refuses a key that is none (hsm_client_activate_identity_key)");
	if (h->ops->activate(h, no_blob, sizeof no_blob, &wrapped, &err) < 0)
		check_say(c, HF_CHECK_OK, "it says: %s", err.text);
	else
		check_say(c, HF_CHECK_FAILED, "it was taken");
	h->ops->forget(h);
	buf_free(&wrapped);
	check_try(c, "TPM: takes the service's key");
	check_say(c, HF_CHECK_CANNOT, "not tried, since DPS makes it: holdfast register");
}

/* Without a key of the service's it may refuse; but what it hands out has to be a MAC, and the same one each time. */
static int
sign_twice(struct custom_session *s, HSM_CLIENT_SIGN_WITH_IDENTITY sign, int *refused, struct hf_error *err)
{
	static const char name[] = "hsm_client_sign_with_identity";
	static const uint8_t data[] = "what is signed by the conformance kit";
	struct buf mac = { 0 };
	unsigned char *p;
	size_t n;
	int rc = 0, said = 0;

	for (int i = 0; i < 2 && rc == 0 && !*refused; i++) {
		p = NULL;
		n = 0;
		custom_enter(s->lib);
		*refused = said = sign(s->handle, data, sizeof data, &p, &n);
		custom_leave(s->lib);
		if (said == 0)
			rc = custom_take(s, said, p, n, name, MAC_LEN, &mac, err);
		if (rc == 0 && said == 0 && buf_size(&mac) != (size_t)(i + 1) * MAC_LEN)
			rc = custom_fail(
			    s->lib, err, name, "returned what is no HMAC-SHA256: that has 32 bytes");
	}
	if (rc == 0 && !*refused && memcmp(buf_data(&mac), buf_data(&mac) + MAC_LEN, MAC_LEN) != 0)
		rc = custom_fail(s->lib, err, name, "returned two results for the same data");
	buf_free(&mac);
	return rc;
}

static void
check_mac(struct check *c, const struct library *l)
{
	struct custom_session s = { .lib = custom_hold(l->lib) };
	const HSM_CLIENT_TPM_INTERFACE *t;
	struct hf_error err = { 0 };
	int refused = 0;

	check_try(c, "TPM: signs (hsm_client_sign_with_identity)");
	custom_enter(l->lib);
	t = l->table.tpm();
	custom_leave(l->lib);
	if (!t)
		(void)custom_fail(l->lib, &err, "hsm_client_tpm_interface", "returned NULL");
	else if (!t->hsm_client_sign_with_identity)
		(void)custom_fail(l->lib, &err, "hsm_client_sign_with_identity", "is NULL in its table");
	else if (custom_begin(
		     &s, t->hsm_client_tpm_create, t->hsm_client_tpm_destroy, "hsm_client_tpm", &err) == 0)
		(void)sign_twice(&s, t->hsm_client_sign_with_identity, &refused, &err);
	custom_end(&s);
	if (err.code < 0)
		check_failed(c, &err);
	else if (refused)
		check_say(c, HF_CHECK_CANNOT, "it has no key of the service's yet (it returned %d)", refused);
	else
		check_say(c, HF_CHECK_OK, "the same 32 bytes each time");
}

static void
check_tpm(struct check *c, const struct library *l)
{
	struct hsm *h = NULL;

	check_identity(c, &h);
	if (!h)
		return;
	check_activation(c, h);
	hsm_close(h);
	check_mac(c, l);
	check_leaks(c, once);
}

/* symmetric keys */

static int
mac_of(struct hsm *h, uint8_t mac[MAC_LEN], struct hf_error *err)
{
	return h->ops->hmac(h, "holdfast", 8, mac, err);
}

static void
check_set(struct check *c, struct hsm *h)
{
	static const char name[] = "conformance-kit", key[] = "Y29uZm9ybWFuY2Uta2l0LWNvbmZvcm1hbmNlLWtpdA==";
	struct hf_error err = { 0 };
	int rc;

	check_try(c, "symmetric key: takes another name and key (hsm_client_set_symm_key_info)");
	if (!c->asked->write) {
		check_say(c, HF_CHECK_CANNOT, "not tried, since it replaces the key; --write asks for it");
		return;
	}
	rc = hsm_custom_set_symmetric_key(h, name, key, &err);
	if (rc == HF_ERR_UNSUPPORTED) {
		check_say(c, HF_CHECK_CANNOT, "%s", err.text);
		return;
	}
	if (rc == 0 && h->ops->identity(h, 0, NULL, NULL, &err) == 0 && strcmp(h->registration_id, name) != 0)
		err_set(&err, HF_ERR_KEY, "hsm_client_get_registration_name() still returns %s",
		    h->registration_id);
	tell(c, &err);
}

static void
check_symmetric(struct check *c)
{
	struct hf_error err = { 0 };
	uint8_t mac[2][MAC_LEN];
	struct hsm *h = NULL, *again = NULL;

	check_try(c, "symmetric key: hands out name and key");
	if (open_identity(c, &h, NULL, NULL, &err) < 0) {
		check_failed(c, &err);
		return;
	}
	check_say(c, HF_CHECK_OK, "registration id %s", h->registration_id);
	check_try(c, "symmetric key: is the same in each session");
	if (open_identity(c, &again, NULL, NULL, &err) == 0 && mac_of(h, mac[0], &err) == 0 &&
	    mac_of(again, mac[1], &err) == 0 && memcmp(mac[0], mac[1], MAC_LEN) != 0)
		err_set(&err, HF_ERR_KEY, "hsm_client_get_symm_key() returned two different ones");
	tell(c, &err);
	OPENSSL_cleanse(mac, sizeof mac);
	check_leaks(c, once);
	check_set(c, h);
	hsm_close(again);
	hsm_close(h);
}

/* all of it */

static int
begin(struct check *c, const struct library *l, const char *type, int there, const char *getter)
{
	struct hf_error err = { 0 };

	if (l->type && strcmp(l->type, type) != 0)
		return 0;
	check_try(c, "has %s()", getter);
	if (!there) {
		check_say(c, HF_CHECK_CANNOT, "no");
		return 0;
	}
	if (choose(c, l, type, &err) < 0) {
		check_failed(c, &err);
		return 0;
	}
	check_say(c, HF_CHECK_OK, "%s", "");
	return 1;
}

static void
check_library(struct check *c, const struct library *l)
{
	const struct hf_hsm_table *t = &l->table;

	if (begin(c, l, "x509", t->x509_v2 || t->x509,
		t->x509_v2 ? "hsm_client_x509_v2_interface" : "hsm_client_x509_interface"))
		check_x509(c, l);
	if (begin(c, l, "tpm", t->tpm != NULL, "hsm_client_tpm_interface"))
		check_tpm(c, l);
	if (begin(c, l, "symmetric", t->key != NULL, "hsm_client_key_interface"))
		check_symmetric(c);
}

void
check_custom(struct check *c)
{
	struct hf_error err = { 0 };
	struct library l = { 0 };
	struct uri u;

	check_try(c, "is loaded, and begins");
	if (uri_get(&u, c->uri, &err) < 0) {
		check_failed(c, &err);
		return;
	}
	l.type = uri_query(&u, "type");
	if (custom_open(&l.lib, u.path, &err) < 0) {
		check_failed(c, &err);
		goto fail;
	}
	l.table = *custom_table(l.lib);
	check_say(c, HF_CHECK_OK, "%s", custom_name(l.lib));
	check_library(c, &l);
	custom_close(l.lib);
fail:
	uri_fini(&u);
}
