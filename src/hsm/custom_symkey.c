#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "hsm/custom.h"

/* The key itself is the symmetric backend's, made when it is first asked for. */
struct symkey {
	struct hsm hsm;
	struct custom_session session;
	const HSM_CLIENT_KEY_INTERFACE *table;
	char *id; /* the user's own; NULL: the library's */
	struct hsm *key;
};

static int
take_name(struct symkey *k, struct hf_error *err)
{
	static const char name[] = "hsm_client_get_registration_name";
	struct buf text = { 0 };
	int rc;

	rc = custom_text(
	    &k->session, k->table->hsm_client_get_registration_name, name, CUSTOM_NAME_MAX, &text, err);
	if (rc == 0 && (str_copy(k->hsm.registration_id, sizeof k->hsm.registration_id, buf_data(&text),
			    buf_size(&text)) < 0 ||
			   !str_is_registration_id(k->hsm.registration_id)))
		rc = custom_fail(k->session.lib, err, name,
		    "returned what is no registration id: 1 to 128 letters, digits, - . _ :, the last a letter, digit or dash");
	if (rc < 0)
		*k->hsm.registration_id = '\0';
	buf_free(&text);
	return rc;
}

static int
take_key(struct symkey *k, struct hf_error *err)
{
	struct buf text = { 0 }, what = { 0 };
	struct hf_error why = { 0 };
	int rc;

	rc = custom_text(&k->session, k->table->hsm_client_get_symm_key, "hsm_client_get_symm_key",
	    CUSTOM_KEY_MAX, &text, err);
	if (rc == 0 && (buf_fmt(&what, "%s: hsm_client_get_symm_key()", custom_name(k->session.lib)) < 0 ||
			   !buf_str(&what)))
		rc = err_memory(err);
	if (rc == 0 && hsm_symkey_new(&k->key, &text, buf_str(&what), &why) < 0)
		rc = why.code == HF_ERR_MEMORY ? err_memory(err) : err_set(err, HF_ERR_KEY, "%s", why.text);
	buf_free(&text);
	buf_free(&what);
	return rc;
}

static int
load(struct symkey *k, struct hf_error *err)
{
	int rc;

	if (k->key)
		return 0;
	rc = custom_begin(&k->session, k->table->hsm_client_key_create, k->table->hsm_client_key_destroy,
	    "hsm_client_key", err);
	if (rc == 0 && !k->id)
		rc = take_name(k, err);
	if (rc == 0)
		rc = take_key(k, err);
	if (rc == 0)
		memcpy(k->hsm.fingerprint, k->key->fingerprint, sizeof k->hsm.fingerprint);
	return rc;
}

static int
identity(struct hsm *h, int persist, struct buf *ek, struct buf *srk, struct hf_error *err)
{
	(void)persist;
	(void)ek;
	(void)srk;
	return load((struct symkey *)h, err);
}

static int
hmac(struct hsm *h, const void *data, size_t n, uint8_t mac[32], struct hf_error *err)
{
	struct symkey *k = (struct symkey *)h;
	int rc = load(k, err);

	return rc < 0 ? rc : k->key->ops->hmac(k->key, data, n, mac, err);
}

static void
close_symkey(struct hsm *h)
{
	struct symkey *k = (struct symkey *)h;

	hsm_close(k->key);
	custom_end(&k->session);
	str_free(&k->id);
	free(k);
}

static const struct hsm_ops ops = { .close = close_symkey, .identity = identity, .hmac = hmac };

int
custom_symkey_open(struct hsm **out, const struct custom_choice *c, struct hf_error *err)
{
	struct symkey *k = calloc(1, sizeof *k);

	*out = NULL;
	if (!k) {
		custom_close(c->lib);
		return err_memory(err);
	}
	k->hsm.ops = &ops;
	k->hsm.kind = HSM_SYMMETRIC;
	k->hsm.blocks = 1;
	k->session.lib = c->lib;
	k->table = c->key;
	if (str_set(&k->id, c->id) < 0) {
		close_symkey(&k->hsm);
		return err_memory(err);
	}
	*out = &k->hsm;
	return 0;
}

int
hsm_custom_set_symmetric_key(struct hsm *h, const char *name, const char *key, struct hf_error *err)
{
	struct symkey *k = (struct symkey *)h;
	HSM_CLIENT_SET_SYMMETRICAL_KEY_INFO fn = k->table->hsm_client_set_symm_key_info;
	int rc;

	rc = custom_begin(&k->session, k->table->hsm_client_key_create, k->table->hsm_client_key_destroy,
	    "hsm_client_key", err);
	if (rc < 0)
		return rc;
	if (!fn)
		return err_set(err, HF_ERR_UNSUPPORTED,
		    "%s cannot be told a symmetric key: it has no hsm_client_set_symm_key_info()",
		    custom_name(k->session.lib));
	custom_enter(k->session.lib);
	rc = fn(k->session.handle, name, key);
	custom_leave(k->session.lib);
	if (rc != 0)
		return err_set(err, HF_ERR_KEY, "%s: hsm_client_set_symm_key_info() failed (it returned %d)",
		    custom_name(k->session.lib), rc);
	hsm_close(k->key);
	k->key = NULL;
	return 0;
}
