#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "hsm/pkcs11.h"

#define SLOTS 64

/* Those that stand behind the "?"; p11-kit would take them before it too. */
static const char *const behind[] = { "module-path", "module-name", "pin-source", "pin-value", NULL };

static int
is_misplaced(const char *path, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = path; at; at = (at = strchr(at, ';')) ? at + 1 : NULL)
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return 1;
	return 0;
}

static int
check_uri(const struct uri *u, const char *shown, struct hf_error *err)
{
	for (const char *const *name = behind; *name; name++)
		if (is_misplaced(u->path, *name))
			return err_set(err, HF_ERR_ARGS,
			    "key URI %s: RFC 7512 has %s behind the question mark: pkcs11:token=...?%s=...",
			    shown, *name, *name);
	return uri_only(u, behind, err);
}

static int
get_uri(struct pkcs11 *p, struct hf_error *err)
{
	struct buf text = { 0 };
	char shown[200];
	int rc;

	uri_show(p->from, shown, sizeof shown);
	if ((rc = check_uri(p->from, shown, err)) < 0)
		return rc;
	p->uri = p11_kit_uri_new();
	if (!p->uri || buf_fmt(&text, "pkcs11:%s", p->from->path) < 0 || !buf_str(&text)) {
		buf_free(&text);
		return err_memory(err);
	}
	rc = p11_kit_uri_parse(buf_str(&text), P11_KIT_URI_FOR_ANY, p->uri);
	buf_free(&text);
	if (rc != P11_KIT_URI_OK)
		return err_set(err, HF_ERR_ARGS, "key URI %s: this is not how RFC 7512 writes it: %s", shown,
		    p11_kit_uri_message(rc));
	if (p11_kit_uri_any_unrecognized(p->uri))
		return err_set(err, HF_ERR_ARGS,
		    "key URI %s: an attribute in it is none of RFC 7512's (token, object, id, serial, slot-id, ...)",
		    shown);
	return 0;
}

static int
load_path(struct pkcs11 *p, const char *path, struct hf_error *err)
{
	const char *why;
	int rc = uri_absolute(path, "module-path", err);

	if (rc < 0)
		return rc;
	p->by_path = p11_kit_module_load(path, 0);
	if (p->by_path)
		return 0;
	why = p11_kit_message();
	return err_set(err, HF_ERR_KEY, "PKCS#11 module %s: cannot load it: %s", path,
	    why ? why : "it is no PKCS#11 module");
}

/* Modules that only tell whom to trust hold no keys. */
static int
is_trust(CK_FUNCTION_LIST *m)
{
	char *policy = p11_kit_config_option(m, "trust-policy");
	int yes = policy && strcmp(policy, "yes") == 0;

	free(policy);
	return yes;
}

static CK_RV
start(struct pkcs11 *p, CK_FUNCTION_LIST *m)
{
	CK_RV rv;

	if (p->ups == PKCS11_MODULES)
		return CKR_HOST_MEMORY;
	rv = p11_kit_module_initialize(m);
	if (rv == CKR_OK)
		p->up[p->ups++] = m;
	return rv;
}

static int
start_one(struct pkcs11 *p, CK_FUNCTION_LIST *m, const char *name, struct hf_error *err)
{
	CK_RV rv = start(p, m);

	snprintf(p->name, sizeof p->name, "PKCS#11 module %s", name);
	return rv == CKR_OK
		   ? 0
		   : pkcs11_fail(p, rv, err, "start it (is it configured, may this user read what it uses?)");
}

/* One that does not start is of no use, and no harm to the others. */
static int
start_all(struct pkcs11 *p, struct hf_error *err)
{
	CK_RV rv, last = CKR_OK;

	for (CK_FUNCTION_LIST **m = p->configured; *m; m++) {
		rv = is_trust(*m) ? CKR_OK : start(p, *m);
		last = rv == CKR_OK ? last : rv;
	}
	if (p->ups > 0)
		return 0;
	if (last != CKR_OK)
		return pkcs11_fail(p, last, err, "start any of the modules that p11-kit is configured with");
	return err_set(err, HF_ERR_KEY,
	    "PKCS#11: p11-kit is configured with no module that may hold keys; name one: ?module-path=/ABS/MODULE.so");
}

static int
load(struct pkcs11 *p, struct hf_error *err)
{
	const char *path = uri_query(p->from, "module-path"), *name = uri_query(p->from, "module-name");
	CK_FUNCTION_LIST *m;
	int rc;

	if (path)
		return (rc = load_path(p, path, err)) < 0 ? rc : start_one(p, p->by_path, path, err);
	p->configured = p11_kit_modules_load(NULL, 0);
	if (!p->configured)
		return err_set(err, HF_ERR_KEY, "PKCS#11: p11-kit's configuration cannot be read: %s",
		    p11_kit_message() ? p11_kit_message() : "it does not say why");
	if (!name)
		return start_all(p, err);
	m = p11_kit_module_for_name(p->configured, name);
	if (!m)
		return err_set(err, HF_ERR_KEY,
		    "PKCS#11 module %s: p11-kit is not configured with it; p11-kit list-modules shows what there is",
		    name);
	return start_one(p, m, name, err);
}

static int
fits(struct pkcs11 *p, CK_FUNCTION_LIST *m, CK_SLOT_ID slot, CK_TOKEN_INFO *token)
{
	CK_SLOT_ID want = p11_kit_uri_get_slot_id(p->uri);
	CK_SLOT_INFO info = { 0 };

	if (want != (CK_SLOT_ID)-1 && want != slot)
		return 0;
	if (m->C_GetSlotInfo(slot, &info) != CKR_OK || !p11_kit_uri_match_slot_info(p->uri, &info))
		return 0;
	return m->C_GetTokenInfo(slot, token) == CKR_OK && (token->flags & CKF_TOKEN_INITIALIZED) &&
	       p11_kit_uri_match_token_info(p->uri, token);
}

static CK_RV
look_at(struct pkcs11 *p, CK_FUNCTION_LIST *m)
{
	CK_SLOT_ID slot[SLOTS] = { 0 };
	CK_ULONG n = SLOTS;
	CK_INFO info = { 0 };
	CK_RV rv = m->C_GetInfo(&info);

	if (rv != CKR_OK || !p11_kit_uri_match_module_info(p->uri, &info))
		return rv;
	rv = m->C_GetSlotList(CK_TRUE, slot, &n);
	if (rv == CKR_OK && n > SLOTS)
		rv = CKR_GENERAL_ERROR; /* a module that has lost its mind */
	for (CK_ULONG i = 0; rv == CKR_OK && i < n && p->tokens < PKCS11_TOKENS; i++) {
		struct pkcs11_token t = { .module = m, .slot = slot[i] };

		if (fits(p, m, slot[i], &t.info))
			p->token[p->tokens++] = t;
	}
	return rv;
}

int
pkcs11_open(struct pkcs11 *p, const struct uri *uri, struct hf_error *err)
{
	CK_RV rv, last = CKR_OK;
	int rc;

	p->from = uri;
	str_fmt(p->name, sizeof p->name, "PKCS#11");
	if ((rc = get_uri(p, err)) < 0 || (rc = load(p, err)) < 0)
		return rc;
	for (size_t i = 0; i < p->ups; i++) {
		rv = look_at(p, p->up[i]);
		last = rv == CKR_OK ? last : rv;
	}
	if (p->tokens == 0 && last != CKR_OK)
		return pkcs11_fail(p, last, err, "see which tokens there are");
	return 0;
}

static void
end_session(struct pkcs11 *p)
{
	if (p->m)
		p->m->C_CloseSession(p->session);
	p->m = NULL;
	p->at = NULL;
}

void
pkcs11_close(struct pkcs11 *p)
{
	end_session(p);
	while (p->ups > 0)
		p11_kit_module_finalize(p->up[--p->ups]);
	if (p->by_path)
		p11_kit_module_release(p->by_path);
	if (p->configured)
		p11_kit_modules_release(p->configured);
	p11_kit_uri_free(p->uri);
	p->by_path = NULL;
	p->configured = NULL;
	p->uri = NULL;
	p->tokens = 0;
}

void
pkcs11_token_name(const struct pkcs11_token *t, char *dst, size_t cap)
{
	size_t n = p11_kit_space_strlen(t->info.label, sizeof t->info.label);

	if (n == 0 || str_copy(dst, cap, t->info.label, n) < 0)
		snprintf(dst, cap, "in slot %lu", t->slot);
	str_plain(dst);
}

/* "line7, line8" */
static void
list_tokens(const struct pkcs11_token *t, size_t n, struct buf *out)
{
	char name[40];

	for (size_t i = 0; i < n && i < 8; i++) {
		pkcs11_token_name(&t[i], name, sizeof name);
		if (buf_fmt(out, "%s%s", i > 0 ? ", " : "", name) < 0)
			return;
	}
	if (n > 8)
		buf_puts(out, ", ...");
}

/* All that there are, whatever the URI asks for. */
static int
no_token(struct pkcs11 *p, struct hf_error *err)
{
	P11KitUri *any = p11_kit_uri_new(), *mine = p->uri;
	struct buf names = { 0 };
	int rc;

	if (!any)
		return err_memory(err);
	p->uri = any;
	for (size_t i = 0; i < p->ups; i++)
		look_at(p, p->up[i]);
	p->uri = mine;
	p11_kit_uri_free(any);
	list_tokens(p->token, p->tokens, &names);
	rc = err_set(err, HF_ERR_KEY, "%s: no token is there that fits the URI; %s%s", p->name,
	    p->tokens ? "there are: " : "in fact there is none at all: is it plugged in, is it initialized?",
	    p->tokens && buf_str(&names) ? buf_str(&names) : "");
	p->tokens = 0;
	buf_free(&names);
	return rc;
}

int
pkcs11_one_token(struct pkcs11 *p, struct hf_error *err)
{
	struct buf names = { 0 };
	int rc;

	if (p->tokens == 1)
		return 0;
	if (p->tokens == 0)
		return no_token(p, err);
	list_tokens(p->token, p->tokens, &names);
	rc = err_set(err, HF_ERR_KEY,
	    "%s: %zu tokens fit the URI (%s); say which one is meant: token=, serial= or slot-id=", p->name,
	    p->tokens, buf_str(&names) ? buf_str(&names) : "");
	buf_free(&names);
	return rc;
}

int
pkcs11_session(struct pkcs11 *p, struct pkcs11_token *t, CK_FLAGS flags, struct hf_error *err)
{
	CK_RV rv;
	char name[40];

	end_session(p);
	pkcs11_token_name(t, name, sizeof name);
	snprintf(p->name, sizeof p->name, "PKCS#11 token %s", name);
	rv = t->module->C_OpenSession(t->slot, CKF_SERIAL_SESSION | flags, NULL, NULL, &p->session);
	if (rv != CKR_OK)
		return pkcs11_fail(p, rv, err, "open a session");
	p->at = t;
	p->m = t->module;
	return 0;
}

int
pkcs11_pin(struct pkcs11 *p, struct buf *pin, const struct log *log, struct hf_error *err)
{
	char what[100];
	int rc;

	snprintf(what, sizeof what, "PIN of %s", p->name);
	rc = secret_of_uri(pin, p->from, "pin-source", "pin-value", what, log, err);
	if (rc == 1 && buf_size(pin) == 0)
		return err_set(err, HF_ERR_KEY, "%s is empty", what);
	return rc;
}

/* What the token tells of the tries that are left. */
static int
refused(struct pkcs11 *p, CK_RV rv, struct hf_error *err)
{
	CK_TOKEN_INFO info = { 0 };
	const char *left = "";
	char hex[32];

	p->refused = 1;
	p->m->C_GetTokenInfo(p->at->slot, &info);
	if (info.flags & CKF_USER_PIN_COUNT_LOW)
		left = "; a wrong PIN was tried before: few tries are left until the token locks it";
	if (info.flags & CKF_USER_PIN_FINAL_TRY)
		left = "; one try is left: another wrong PIN, and the token locks it";
	if (info.flags & CKF_USER_PIN_LOCKED)
		left = "; it is locked now: unlock it with the security officer's PIN";
	return err_set(err, HF_ERR_KEY, "%s: the PIN is wrong: %s%s", p->name, pkcs11_error(rv, hex), left);
}

int
pkcs11_login(struct pkcs11 *p, CK_USER_TYPE who, const struct buf *pin, struct hf_error *err)
{
	CK_UTF8CHAR *text = pin ? (CK_UTF8CHAR *)(uintptr_t)buf_data(pin) : NULL;
	CK_RV rv = p->m->C_Login(p->session, who, text, pin ? buf_size(pin) : 0);

	switch (rv) {
	case CKR_OK:
	case CKR_USER_ALREADY_LOGGED_IN:
		return 0;
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		return refused(p, rv, err);
	case CKR_PIN_LOCKED:
		p->refused = 1;
		break;
	}
	return pkcs11_fail(p, rv, err, "log in");
}

int
pkcs11_has_keypad(const struct pkcs11 *p)
{
	return (p->at->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
}

static int
needs_login(struct pkcs11 *p)
{
	CK_SESSION_INFO now = { 0 };

	if (!(p->at->info.flags & CKF_LOGIN_REQUIRED))
		return 0;
	return p->m->C_GetSessionInfo(p->session, &now) != CKR_OK ||
	       (now.state != CKS_RO_USER_FUNCTIONS && now.state != CKS_RW_USER_FUNCTIONS);
}

int
pkcs11_enter(struct pkcs11 *p, const struct log *log, struct hf_error *err)
{
	struct buf pin = { 0 };
	int rc;

	if (!needs_login(p))
		return 0;
	if (pkcs11_has_keypad(p))
		return pkcs11_login(p, CKU_USER, NULL, err);
	rc = pkcs11_pin(p, &pin, log, err);
	if (rc == 1)
		rc = pkcs11_login(p, CKU_USER, &pin, err);
	else if (rc == 0)
		rc = 1;
	buf_free(&pin);
	return rc;
}

int
pkcs11_no_pin(struct pkcs11 *p, struct hf_error *err)
{
	return err_set(err, HF_ERR_KEY,
	    "%s: it wants a PIN before it shows its keys (CKF_LOGIN_REQUIRED), and the URI names none; add ?pin-source=FILE",
	    p->name);
}
