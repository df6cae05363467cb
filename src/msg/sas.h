/*
 * Shared access signatures: "SharedAccessSignature sr=RESOURCE&sig=SIGNATURE&se=EXPIRY[&skn=NAME]", where the signature is
 * base64(HMAC-SHA256(key, sr "\n" se)) over exactly the text that stands behind sr= and se=.
 */
#ifndef MSG_SAS_H
#define MSG_SAS_H
#include "base/buf.h"
#include "base/err.h"
/* What is to be signed: the percent-encoded resource, a newline, the expiry (Unix seconds). Appends. */
int sas_put_text(struct buf *, const char *resource, int64_t expiry);
/* The token, from that same resource and expiry, and the 32-byte MAC. skn NULL: none. Appends; buf_str() makes it a string. */
int sas_put(struct buf *, const char *resource, int64_t expiry, const uint8_t mac[32], const char *skn);

struct sas {
	char resource[512]; /* decoded */
	char skn[128];	    /* decoded; "" when absent or empty */
	uint8_t mac[32];
	int64_t expiry;	 /* Unix seconds */
	struct buf text; /* what was signed, as it stood in the token */
};
/* Reads a token: fields in any order, with or without the leading word, `se` in milliseconds understood. 0 or HF_ERR_PROTOCOL. */
int sas_get(struct sas *, const char *token, size_t, struct hf_error *);
void sas_fini(struct sas *);
/* Is it signed by this key? 1 or 0, in constant time. */
int sas_signed_by(const struct sas *, const void *key, size_t);
/* HMAC-SHA256 by OpenSSL. 0 or HF_ERR_OTHER. */
int sas_hmac(const void *key, size_t klen, const void *data, size_t n, uint8_t mac[32]);
/* base64(HMAC(group key, registration id)): a device's key in a group. Appends raw 32 bytes. */
int sas_derive(const void *group_key, size_t, const char *registration_id, uint8_t key[32]);
#endif
