/*
 * The PKCS#11 backend's own header.
 *
 *	pkcs11.c	a private key that signs
 *	pkcs11_token.c	the way to it: modules, the one token that a URI means, a session, the PIN
 *	pkcs11_object.c	what is in the token: keys, their public halves, their names
 *	pkcs11_error.c	what a module said, as a sentence
 *	pkcs11_make.c	keys that are made, and looked at
 *
 * p11-kit counts who uses a module and initializes it once in a process. Whether the user is logged in belongs to the process and
 * the token, not to a session: nobody here logs out; the token does it when its last session is closed.
 */
#ifndef HSM_PKCS11_H
#define HSM_PKCS11_H
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include "hsm/guard.h"
#include "hsm/key.h"

#define PKCS11_MODULES 32 /* as many as are used at once */
#define PKCS11_TOKENS  32
#define PKCS11_OBJECTS 64
struct pkcs11_token {
	CK_FUNCTION_LIST *module;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
};
struct pkcs11 {
	P11KitUri *uri;				 /* what is looked for; without its query, so without a PIN */
	const struct uri *from;			 /* lent, while something is opened */
	CK_FUNCTION_LIST **configured, *by_path; /* what was loaded: one of the two */
	CK_FUNCTION_LIST *up[PKCS11_MODULES];	 /* those of them that are initialized */
	size_t ups;
	struct pkcs11_token token[PKCS11_TOKENS]; /* those that the URI means */
	size_t tokens;
	struct pkcs11_token *at; /* the one with the session; NULL: no session */
	CK_FUNCTION_LIST *m;	 /* its module */
	CK_SESSION_HANDLE session;
	int refused;   /* the PIN was: whoever tries it again locks the token */
	char name[72]; /* for sentences: "PKCS#11 token line7" */
};

/* pkcs11_token.c: modules and tokens. Zero-initialise; closing is fine after a failure, and twice. */
int pkcs11_open(struct pkcs11 *, const struct uri *, struct hf_error *);
void pkcs11_close(struct pkcs11 *);
int pkcs11_one_token(struct pkcs11 *, struct hf_error *);		    /* is it exactly one? */
void pkcs11_token_name(const struct pkcs11_token *, char *dst, size_t cap); /* harmless to print */
/* flags: 0 or CKF_RW_SESSION. A session that is open is closed. */
int pkcs11_session(struct pkcs11 *, struct pkcs11_token *, CK_FLAGS, struct hf_error *);
/* The PIN that the URI names. 1: there is one; 0: none is named. */
int pkcs11_pin(struct pkcs11 *, struct buf *, const struct log *, struct hf_error *);
/* CKU_USER, or CKU_CONTEXT_SPECIFIC for the signature that has begun. pin NULL: at the token's own keypad. */
int pkcs11_login(struct pkcs11 *, CK_USER_TYPE, const struct buf *pin, struct hf_error *);
int pkcs11_has_keypad(const struct pkcs11 *);
/* Logs in when the token wants it and nobody in this process has: with the URI's PIN, or at its keypad. 1: it needs a PIN, and none
 * is named. */
int pkcs11_enter(struct pkcs11 *, const struct log *, struct hf_error *);
int pkcs11_no_pin(struct pkcs11 *, struct hf_error *); /* the sentence for that */

/* pkcs11_object.c */
/* Objects of this class, and of this label and id where given (NULL: any). How many, at most `max` of them in `found`; or an error. */
int pkcs11_find(struct pkcs11 *, CK_OBJECT_CLASS, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id,
    CK_OBJECT_HANDLE *found, size_t max, struct hf_error *);
/* The one private key that the URI means. */
int pkcs11_find_key(struct pkcs11 *, CK_OBJECT_HANDLE *, struct hf_error *);
/* The value, in place of what was in the buffer; HF_ERR_KEY when the object has none, or none that can be. */
int pkcs11_get(struct pkcs11 *, CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE, struct buf *);
int pkcs11_get_flag(struct pkcs11 *, CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE); /* 1 only when it says so */
/* Its public key: from the key itself, its public object, its certificate in the token, or `cert` (NULL: none). */
int pkcs11_public(struct pkcs11 *, CK_OBJECT_HANDLE, X509 *cert, EVP_PKEY **, struct hf_error *);
void pkcs11_label(
    struct pkcs11 *, CK_OBJECT_HANDLE, char *dst, size_t cap); /* "dev", or "id 0a1b"; harmless to print */
/* Appends the URI that names this object, with the module and the PIN's source as they were named. */
int pkcs11_put_uri(struct pkcs11 *, CK_OBJECT_HANDLE, struct buf *, struct hf_error *);

/* pkcs11_error.c: "<name>: cannot <words>: CKR_...: <what it means>; <what to do>". HF_ERR_KEY, or
 * HF_ERR_UNSUPPORTED where the token cannot do such a thing. */
int pkcs11_fail(struct pkcs11 *, CK_RV, struct hf_error *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
const char *pkcs11_error(CK_RV, char hex[32]); /* "CKR_PIN_LOCKED", or its number */
int pkcs11_is_lost(CK_RV);		       /* does a new session help? */
#endif
