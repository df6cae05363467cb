/* In the place of x509.c, key.c and all behind them, in a build without X.509 (hsm_type_x509=OFF). */
#include "hsm/hsm.h"
#include "hsm/key.h"

static int
left_out(struct hf_error *err)
{
	return err_set(err, HF_ERR_UNSUPPORTED,
	    "this build of Holdfast was made without X.509 (hsm_type_x509=OFF), and so without its keys");
}

int
key_open(EVP_PKEY **out, const char *uri, const struct key_open *o, struct hf_error *err)
{
	(void)uri;
	(void)o;
	*out = NULL;
	return left_out(err);
}

int
key_make(const char *uri, const struct key_kind *kind, struct buf *made, struct hf_error *err)
{
	(void)uri;
	(void)kind;
	(void)made;
	return left_out(err);
}

int
key_each(const char *where, key_each_fn *fn, void *ctx, struct hf_error *err)
{
	(void)where;
	(void)fn;
	(void)ctx;
	return left_out(err);
}

int
hsm_pem_chain(STACK_OF(X509) * *chain, const struct buf *text, const char *what, struct hf_error *err)
{
	(void)text;
	(void)what;
	*chain = NULL;
	return left_out(err);
}

int
key_kind_get(struct key_kind *kind, const char *name, struct hf_error *err)
{
	(void)name;
	*kind = (struct key_kind){ 0 };
	return left_out(err);
}
