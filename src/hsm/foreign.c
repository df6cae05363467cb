#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include "hsm/foreign.h"

struct kept {
	void (*drop)(void *what);
	void *what;
};
static pthread_mutex_t making =
    PTHREAD_MUTEX_INITIALIZER; /* of the two that OpenSSL gives, in a second try if need be */
static pthread_mutex_t pins = PTHREAD_MUTEX_INITIALIZER; /* a key may ask while it signs */
static int kept_index = -1;
static UI_METHOD *asker;

static void
swap_pin(struct foreign_pin *p, const struct foreign_pin *by)
{
	pthread_mutex_lock(&pins);
	buf_free(&p->secret);
	*p = *by;
	pthread_mutex_unlock(&pins);
}

int
foreign_pin_get(
    struct foreign_pin *p, const struct uri *u, const char *name, const struct log *log, struct hf_error *err)
{
	struct foreign_pin got = { 0 };
	char what[160];
	int rc;

	if (!foreign_asker()) /* without it, OpenSSL would ask at the terminal */
		return err_memory(err);
	snprintf(what, sizeof what, "PIN of the %s", name);
	rc = secret_of_uri(&got.secret, u, "pin-source", "pin-value", what, log, err);
	if (rc == 0)
		rc = secret_of_uri(&got.secret, u, "auth-source", "auth-value", what, log, err);
	if (rc < 0)
		return rc;
	got.known = rc;
	swap_pin(p, &got);
	return 0;
}

void
foreign_pin_forget(struct foreign_pin *p)
{
	swap_pin(p, &(const struct foreign_pin){ 0 });
}

static int
answer(UI *ui, UI_STRING *question)
{
	struct foreign_pin *p = UI_get0_user_data(ui);
	const char *secret = NULL;
	int ok;

	if (UI_get_string_type(question) != UIT_PROMPT)
		return 1;
	pthread_mutex_lock(&pins);
	if (p && (p->asked++ == 0 || p->proven) && p->known)
		secret = buf_str(&p->secret);
	ok = secret && UI_set_result(ui, question, secret) == 0;
	pthread_mutex_unlock(&pins);
	return ok;
}

UI_METHOD *
foreign_asker(void)
{
	UI_METHOD *made;

	pthread_mutex_lock(&making);
	if (!asker && (asker = UI_create_method("holdfast")))
		UI_method_set_reader(asker, answer);
	made = asker;
	pthread_mutex_unlock(&making);
	return made;
}

static const char *
reason_of(unsigned long e, char *room, size_t cap)
{
	const char *reason;

	if (e && ERR_SYSTEM_ERROR(e) && strerror_r(ERR_GET_REASON(e), room, cap) == 0)
		return room;
	reason = e ? ERR_reason_error_string(e) : NULL;
	return reason ? reason : "OpenSSL gives no reason";
}

/* Empties the queue. */
static int
memory_was_out(void)
{
	unsigned long e;
	int out = 0;

	while ((e = ERR_get_error()))
		out |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	return out;
}

int
foreign_fail(struct hf_error *err, int code, const char *name, const char *what, foreign_peek *peek)
{
	const char *data = NULL;
	char room[80], words[200];
	int flags = 0;
	unsigned long e = peek(NULL, NULL, NULL, &data, &flags);

	if (!(flags & ERR_TXT_STRING) || !data || !*data || strstr(data, "-value"))
		snprintf(words, sizeof words, "%s", reason_of(e, room, sizeof room));
	else
		snprintf(words, sizeof words, "%s: %s", reason_of(e, room, sizeof room), data);
	if (memory_was_out())
		return err_memory(err);
	return err_set(err, code, "%s: %s: %s", name, what, words);
}

int
foreign_refused(const struct foreign_pin *p, const char *name, foreign_peek *peek, struct hf_error *err)
{
	if (!p->asked || p->known)
		return foreign_fail(err, HF_ERR_KEY, name,
		    p->asked > 1 ? "it cannot be loaded with this PIN or password" : "it cannot be loaded",
		    peek);
	ERR_clear_error();
	return err_set(
	    err, HF_ERR_KEY, "%s: a PIN or password is asked for; say where it is: ?pin-source=FILE", name);
}

void
foreign_name(char *dst, size_t cap, const char *kind, const char *id, const char *key)
{
	if (key && *key && !strstr(key, "-value"))
		snprintf(dst, cap, "key %.70s of %s %.32s", key, kind, id);
	else
		snprintf(dst, cap, "key of %s %.64s", kind, id);
}

/* Called when any EVP_PKEY of the process is gone; most have nothing kept. */
static void
free_kept(void *key, void *value, CRYPTO_EX_DATA *data, int i, long l, void *p)
{
	struct kept *k = value;

	(void)key, (void)data, (void)i, (void)l, (void)p;
	if (k)
		k->drop(k->what);
	free(k);
}

/* A copy of the key keeps nothing. */
static int
copy_kept(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **value, int i, long l, void *p)
{
	(void)to, (void)from, (void)i, (void)l, (void)p;
	*value = NULL;
	return 1;
}

static int
index_of_kept(void)
{
	int made;

	pthread_mutex_lock(&making);
	if (kept_index < 0)
		kept_index =
		    CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY, 0, NULL, NULL, copy_kept, free_kept);
	made = kept_index;
	pthread_mutex_unlock(&making);
	return made;
}

/* At the public half, which is the signer's alone: engines may hold on to the other one. */
static int
keep(EVP_PKEY *pub, const struct foreign *f)
{
	int i = index_of_kept();
	struct kept *k = i < 0 ? NULL : malloc(sizeof *k);

	if (!k)
		return 0;
	*k = (struct kept){ f->drop, f->what };
	if (EVP_PKEY_set_ex_data(pub, i, k))
		return 1;
	free(k);
	return 0;
}

EVP_PKEY *
foreign_public(EVP_PKEY *key)
{
	uint8_t *der = NULL;
	const uint8_t *p;
	int n = i2d_PUBKEY(key, &der);
	EVP_PKEY *pub;

	p = der;
	pub = n > 0 ? d2i_PUBKEY(NULL, &p, n) : NULL;
	OPENSSL_free(der);
	ERR_clear_error();
	return pub;
}

/* What remotekey.c leaves on the queue is a sentence. */
static int
sign_once(EVP_PKEY *key, const uint8_t *text, size_t n, uint8_t *sig, size_t *len, struct hf_error *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const char *words = "";
	int flags, rc = 0;

	if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, "SHA256", remotekey_context(), NULL, key, NULL) != 1)
		rc = err_memory(err);
	else if (EVP_DigestSign(ctx, sig, len, text, n) != 1) {
		ERR_peek_error_all(NULL, NULL, NULL, &words, &flags);
		rc = err_set(err, HF_ERR_KEY, "%s", words);
	}
	EVP_MD_CTX_free(ctx);
	return rc;
}

static int
try_out(EVP_PKEY *key, EVP_PKEY *pub, const char *name, struct hf_error *err)
{
	static const uint8_t text[] = "holdfast";
	EVP_MD_CTX *ctx;
	uint8_t sig[SIGN_MAX];
	size_t len = sizeof sig;
	int rc = sign_once(key, text, sizeof text, sig, &len, err);

	if (rc < 0)
		return rc;
	ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, pub, NULL) != 1)
		rc = err_memory(err);
	else if (EVP_DigestVerify(ctx, sig, len, text, sizeof text) != 1)
		rc = err_set(err, HF_ERR_KEY, "%s: it signs, but not with the key of the certificate", name);
	EVP_MD_CTX_free(ctx);
	return rc;
}

void
foreign_leave(OSSL_LIB_CTX *home)
{
	if (home)
		OPENSSL_thread_stop_ex(home);
}

int
foreign_wrap(EVP_PKEY **out, const struct foreign *f, const char *name, struct hf_error *err)
{
	EVP_PKEY *told = f->bound ? NULL : foreign_public(f->key);
	EVP_PKEY *pub = told ? told : f->pub ? foreign_public(f->pub) : NULL;
	int rc;

	*out = NULL;
	foreign_leave(f->home);
	if (!pub || !keep(pub, f)) {
		rc =
		    pub ? err_memory(err)
			: err_set(err, HF_ERR_KEY,
			      "%s: it does not tell its public half; give the certificate that belongs to it",
			      name);
		EVP_PKEY_free(pub);
		EVP_PKEY_free(f->key);
		f->drop(f->what);
		return rc;
	}
	rc = remotekey_wrap(out, f->key, f->home, pub, name, 0, err);
	if (rc == 0 && !told && (rc = try_out(*out, f->pub, name, err)) < 0) {
		EVP_PKEY_free(*out);
		*out = NULL;
	}
	ERR_clear_error();
	return rc;
}
