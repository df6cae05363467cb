#include <ctype.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"
#include "msg/sas.h"
#include "msg/tpm.h"

enum { UNREADABLE = 400004, UNAUTHORIZED = 401002, NO_ENROLLMENT = 404201 };

void
dps_claim_fini(struct claim *claim)
{
	json_decref(claim->enrollment);
	str_free(&claim->key1);
	str_free(&claim->key2);
	memset(claim, 0, sizeof *claim);
}

static int
enabled(const struct claim *claim, struct hf_error *err)
{
	if (strcmp(js_str(claim->enrollment, "provisioningStatus", ""), "enabled") == 0)
		return 0;
	return refuse(err, UNAUTHORIZED, "Unauthorized: the enrollment %s is disabled",
	    *claim->group ? claim->group : claim->id);
}

static int
check_token(
    struct emulator *e, const struct dps_who *who, const char *key1, const char *key2, struct hf_error *err)
{
	char resource[256];

	if (!who->token)
		return refuse(err, UNAUTHORIZED, "Unauthorized: no SAS token came");
	str_fmt(resource, sizeof resource, "%s/registrations/%s", who->scope, who->id);
	if (attest_token(who->token, resource, key1, key2, e->now.wall, err) < 0)
		return refuse_as(err, UNAUTHORIZED);
	return 0;
}

static int
by_key(struct emulator *e, const struct dps_caller *c, struct claim *claim, struct hf_error *err)
{
	const json_t *keys = js_get(js_get(claim->enrollment, "attestation"), "symmetricKey");

	if (str_set(&claim->key1, js_str(keys, "primaryKey", "")) < 0 ||
	    str_set(&claim->key2, js_str(keys, "secondaryKey", "")) < 0)
		return err_memory(err);
	return check_token(e, c->who, claim->key1, claim->key2, err);
}

/* The certificate shown, when its name is the caller's and its time is now. */
static X509 *
own_certificate(struct emulator *e, const struct dps_caller *c, struct hf_error *err)
{
	X509 *leaf = c->chain ? sk_X509_value(c->chain, 0) : NULL;
	char cn[129] = "";

	if (!leaf) {
		refuse(err, UNAUTHORIZED, "Unauthorized: no client certificate was shown");
		return NULL;
	}
	if (attest_common_name(leaf, cn, sizeof cn) < 0 || !str_eqi(cn, c->who->id)) {
		refuse(err, UNAUTHORIZED,
		    "Invalid certificate: its common name is '%s', the registration id is '%s'", cn,
		    c->who->id);
		return NULL;
	}
	if (attest_valid_now(leaf, e->now.wall, err) < 0) {
		refuse_as(err, UNAUTHORIZED);
		return NULL;
	}
	return leaf;
}

static int
is_enrolled(const json_t *enrollment, const char *which, const X509 *leaf)
{
	X509 *mine;
	int same;

	if (!enrollment_certificate(enrollment, which, &mine))
		return 0;
	same = X509_cmp(mine, leaf) == 0;
	X509_free(mine);
	return same;
}

static int
by_certificate(struct emulator *e, const struct dps_caller *c, struct claim *claim, struct hf_error *err)
{
	X509 *leaf = own_certificate(e, c, err);

	if (!leaf)
		return err->code;
	if (is_enrolled(claim->enrollment, "primary", leaf) ||
	    is_enrolled(claim->enrollment, "secondary", leaf))
		return 0;
	return refuse(err, UNAUTHORIZED, "Invalid certificate: it is not the one that '%s' is enrolled with",
	    claim->id);
}

static int
get_public(struct buf *raw, const char *text, const char *what, struct hf_error *err)
{
	struct hf_error why = { 0 };
	struct tpm_public pub;

	if (!text || b64_get(raw, text, strlen(text)) < 0 || buf_size(raw) == 0)
		return refuse(err, UNREADABLE, "%s is missing, or not base64", what);
	if (tpm_get_public(buf_data(raw), buf_size(raw), &pub, &why) < 0)
		return refuse(err, UNREADABLE, "%s cannot be one: %s", what, why.text);
	return 0;
}

/* A register request shows both public keys; the endorsement key has to be the enrolled one. */
static int
check_public(const struct dps_request *q, const struct buf *enrolled, struct hf_error *err)
{
	struct buf ek = { 0 }, srk = { 0 };
	int r;

	if (!q->ek)
		return refuse(err, UNAUTHORIZED,
		    "Unauthorized: the enrollment is for a TPM, and no endorsementKey came");
	r = get_public(&ek, q->ek, "endorsementKey", err);
	if (r == 0)
		r = get_public(&srk, q->srk, "storageRootKey", err);
	if (r == 0 && (buf_size(&ek) != buf_size(enrolled) ||
			  memcmp(buf_data(&ek), buf_data(enrolled), buf_size(&ek)) != 0))
		r = refuse(
		    err, UNAUTHORIZED, "Unauthorized: the endorsement key is not the one that was enrolled");
	buf_free(&ek);
	buf_free(&srk);
	return r;
}

static int
check_nonce(struct emulator *e, const struct dps_caller *c, const struct dps_request *q, const struct buf *ek,
    struct hf_error *err)
{
	struct challenge challenge;
	struct buf key = { 0 };
	uint8_t hash[32];
	int r;

	r = registry_challenge(e->registry, c->who->id, &challenge, err);
	if (r < 0)
		return r;
	if (r == 0)
		return refuse(
		    err, UNAUTHORIZED, "Unauthorized: a token came, but no challenge has been given");
	if (challenge.until <= e->now.wall)
		r = refuse(
		    err, UNAUTHORIZED, "Unauthorized: the challenge has expired; register without a token");
	else if (challenge.spent && q->op == DPS_REGISTER)
		r = refuse(
		    err, UNAUTHORIZED, "Unauthorized: the challenge has been used; register without a token");
	else if (EVP_Digest(buf_data(ek), buf_size(ek), hash, NULL, EVP_sha256(), NULL) != 1 ||
		 memcmp(hash, challenge.ek, sizeof hash) != 0)
		r = refuse(err, UNAUTHORIZED, "Unauthorized: the challenge was for another endorsement key");
	else if (b64_put(&key, challenge.key, sizeof challenge.key) < 0 || !buf_str(&key))
		r = err_memory(err);
	else
		r = check_token(e, c->who, (const char *)buf_data(&key), NULL, err);
	OPENSSL_cleanse(&challenge, sizeof challenge);
	buf_free(&key);
	return r;
}

static int
by_tpm(struct emulator *e, const struct dps_caller *c, const struct dps_request *q, struct claim *claim,
    struct hf_error *err)
{
	const json_t *tpm = js_get(js_get(claim->enrollment, "attestation"), "tpm");
	const char *text = js_str(tpm, "endorsementKey", "");
	struct buf ek = { 0 };
	int r = 0;

	if (c->mqtt)
		return refuse(err, UNAUTHORIZED, "Unauthorized: DPS takes no TPM over MQTT; use HTTPS");
	if (b64_get(&ek, text, strlen(text)) < 0)
		r = err_memory(err);
	else if (q->op == DPS_REGISTER)
		r = check_public(q, &ek, err);
	if (r == 0 && q->op == DPS_REGISTER && !c->who->token)
		r = 1;
	if (r == 0)
		r = check_nonce(e, c, q, &ek, err);
	buf_free(&ek);
	return r;
}

static int
individual(struct emulator *e, const struct dps_caller *c, const struct dps_request *q, struct claim *claim,
    struct hf_error *err)
{
	const char *type = js_str(js_get(claim->enrollment, "attestation"), "type", "");
	int r, off;

	str_fmt(claim->id, sizeof claim->id, "%s", js_str(claim->enrollment, "registrationId", c->who->id));
	if (strcmp(type, "tpm") == 0) {
		claim->kind = "tpm";
		r = by_tpm(e, c, q, claim, err);
	} else if (strcmp(type, "x509") == 0) {
		claim->kind = "x509";
		r = by_certificate(e, c, claim, err);
	} else {
		claim->kind = "symmetricKey";
		r = by_key(e, c, claim, err);
	}
	if (r < 0)
		return r;
	off = enabled(claim, err);
	return off < 0 ? off : r;
}

/* The walk over the groups: the CA nearest above the leaf decides. */
struct nearest {
	STACK_OF(X509) * chain;
	int64_t wall;
	int steps; /* 0: none yet */
	struct claim *claim;
	struct hf_error why; /* the first reason against a group */
};

static int
steps_to(struct nearest *n, const json_t *group, const char *which)
{
	struct hf_error why = { 0 };
	X509 *ca;
	int steps;

	if (!enrollment_certificate(group, which, &ca))
		return 0;
	steps = attest_chain(n->chain, ca, n->wall, &why);
	X509_free(ca);
	if (steps < 0 && !n->why.code)
		n->why = why;
	return steps > 0 ? steps : 0;
}

static void
take_group(struct claim *claim, const char *id, const json_t *group)
{
	json_decref(claim->enrollment);
	claim->enrollment = json_deep_copy(group);
	str_fmt(claim->group, sizeof claim->group, "%s", js_str(group, "enrollmentGroupId", id));
}

static int
try_chain(void *ctx, const char *id, const json_t *group)
{
	static const char *const both[] = { "primary", "secondary" };
	struct nearest *n = ctx;
	int i, steps;

	for (i = 0; i < 2; i++) {
		steps = steps_to(n, group, both[i]);
		if (steps == 0 || (n->steps && steps >= n->steps))
			continue;
		n->steps = steps;
		take_group(n->claim, id, group);
	}
	return 0;
}

static int
group_by_chain(struct emulator *e, const struct dps_caller *c, struct claim *claim, struct hf_error *err)
{
	struct nearest n = { .chain = c->chain, .wall = e->now.wall, .claim = claim };
	int r;

	if (!own_certificate(e, c, err))
		return err->code;
	claim->kind = "x509";
	r = registry_enrollment_each(e->registry, 1, try_chain, &n, err);
	if (r < 0)
		return r;
	if (n.steps)
		return enabled(claim, err);
	if (n.why.code)
		return refuse(
		    err, UNAUTHORIZED, "Invalid certificate: it leads to no enrolled CA (%s)", n.why.text);
	return refuse(err, UNAUTHORIZED, "Unauthorized: '%s' is not enrolled, and there is no group of a CA",
	    claim->id);
}

/* The walk over the groups with keys: that one fits whose key, derived for this device, has signed the token. */
struct derived {
	struct emulator *e;
	const struct dps_who *who;
	struct claim *claim;
	int found, off;
	struct hf_error why; /* the last reason against the token */
};

static int
derive(char **key, const char *group_key, const char *id)
{
	struct buf raw = { 0 }, text = { 0 };
	uint8_t own[32];
	int r;

	r = b64_get(&raw, group_key, strlen(group_key));
	if (r == 0)
		r = sas_derive(buf_data(&raw), buf_size(&raw), id, own);
	if (r == 0)
		r = b64_put(&text, own, sizeof own);
	if (r == 0)
		r = buf_str(&text) ? str_set(key, (const char *)buf_data(&text)) : HF_ERR_MEMORY;
	OPENSSL_cleanse(own, sizeof own);
	buf_free(&raw);
	buf_free(&text);
	return r;
}

static int
fits(struct derived *d, const json_t *keys, const char *id)
{
	struct claim *claim = d->claim;

	err_clear(&d->why);
	if (derive(&claim->key1, js_str(keys, "primaryKey", ""), id) < 0 ||
	    derive(&claim->key2, js_str(keys, "secondaryKey", ""), id) < 0)
		return 0;
	return check_token(d->e, d->who, claim->key1, claim->key2, &d->why) == 0;
}

/* Ids have no letter case at DPS, HMACs do: devices derive from the lower-case id, or from the id as they write it. */
static int
try_key(void *ctx, const char *id, const json_t *group)
{
	struct derived *d = ctx;
	const json_t *keys = js_get(js_get(group, "attestation"), "symmetricKey");
	char low[129];
	size_t i;

	if (!keys)
		return 0;
	for (i = 0; d->who->id[i]; i++)
		low[i] = (char)tolower((unsigned char)d->who->id[i]);
	low[i] = '\0';
	if (!fits(d, keys, low) && !fits(d, keys, d->who->id))
		return 0;
	take_group(d->claim, id, group);
	d->found = enabled(d->claim, &d->why) == 0;
	d->off = !d->found;
	return d->found;
}

static int
group_by_key(struct emulator *e, const struct dps_caller *c, struct claim *claim, struct hf_error *err)
{
	struct derived d = { .e = e, .who = c->who, .claim = claim };
	int r;

	claim->kind = "symmetricKey";
	r = registry_enrollment_each(e->registry, 1, try_key, &d, err);
	if (r < 0)
		return r;
	if (d.found)
		return 0;
	if (d.off)
		return refuse(err, UNAUTHORIZED, "Unauthorized: the enrollment %s is disabled", claim->group);
	if (d.why.code)
		return refuse(err, UNAUTHORIZED, "Unauthorized: '%s' is not enrolled, and for its groups: %s",
		    claim->id, d.why.text);
	return refuse(err, UNAUTHORIZED,
	    "Unauthorized: '%s' is not enrolled, and there is no group with a key", claim->id);
}

int
dps_claim(struct emulator *e, const struct dps_caller *c, const struct dps_request *q, struct claim *claim,
    struct hf_error *err)
{
	const char *id = c->who->id;
	int r;

	str_fmt(claim->id, sizeof claim->id, "%s", id);
	r = registry_enrollment(e->registry, 0, id, &claim->enrollment, err);
	if (r < 0)
		return r;
	if (r > 0)
		return individual(e, c, q, claim, err);
	if (c->who->token && !q->ek)
		return group_by_key(e, c, claim, err);
	if (c->chain && sk_X509_num(c->chain) > 0)
		return group_by_chain(e, c, claim, err);
	if (q->ek)
		return refuse(err, NO_ENROLLMENT, "no enrollment for '%s'; TPMs are enrolled one by one", id);
	return refuse(err, UNAUTHORIZED, "Unauthorized: neither a SAS token nor a client certificate came");
}
