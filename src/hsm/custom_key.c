#include <string.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include "base/str.h"
#include "hsm/custom.h"

/* A key to sign certificates and requests with is an X.509 identity's. */
static int
choose_key(struct custom_choice *c, const struct uri *u, struct hf_error *err)
{
	const char *type = uri_query(u, "type");

	if (type && strcmp(type, "x509") != 0)
		return err_set(err, HF_ERR_ARGS,
		    "hsm: URI: type=%.40s: only type=x509 has a private key of that kind", type);
	return custom_choose(c, u, "x509", err);
}

int
key_custom_open(EVP_PKEY **out, const struct uri *u, const struct key_open *o, struct hf_error *err)
{
	static const struct key_open none;
	struct custom_choice c;
	int rc;

	*out = NULL;
	if (o && o->inside)
		return err_set(err, HF_ERR_ARGS, "a custom HSM may not name another one (hsm:) as its key");
	rc = choose_key(&c, u, err);
	return rc < 0 ? rc : custom_x509_key(out, &c, o ? o : &none, err);
}

int
key_custom_make(const struct uri *u, const struct key_kind *k, struct buf *made, struct hf_error *err)
{
	int nid = k->rsa_bits ? 0 : EC_curve_nist2nid(k->group);
	struct custom_choice c;
	char kind[16];
	int rc;

	if (!k->rsa_bits && nid == NID_undef)
		nid = OBJ_sn2nid(k->group);
	if (k->rsa_bits)
		rc = str_fmt(kind, sizeof kind, "rsa%d", k->rsa_bits);
	else
		rc = str_fmt(kind, sizeof kind, "p%d",
		    nid == NID_secp521r1   ? 521
		    : nid == NID_secp384r1 ? 384
					   : 256);
	if (rc < 0)
		return err_set(err, HF_ERR_ARGS, "there is no such kind of key");
	rc = choose_key(&c, u, err);
	if (rc == 0)
		rc = custom_x509_make(&c, kind, err);
	if (rc == 0 && buf_puts(made, u->text) < 0)
		rc = err_memory(err);
	return rc;
}
