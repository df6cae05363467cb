#include <string.h>
#include <openssl/err.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/hsm.h"
#include "hsm/key.h"

enum { FILE_MAX = 256 * 1024 };

/* What is asked for a passphrase while the PEM text is read. */
struct ask {
	const struct uri *uri;
	int asked;
	struct hf_error err;
};

static int
passphrase(char *dst, int cap, int writing, void *arg)
{
	struct ask *a = arg;
	const char *source = uri_query(a->uri, "passphrase-source");
	char what[200];
	struct buf b = { 0 };
	int n = -1;

	(void)writing;
	a->asked = 1;
	(void)str_fmt(what, sizeof what, "passphrase of %.180s", a->uri->path);
	if (!source)
		err_set(&a->err, HF_ERR_KEY,
		    "key file %s: the key is encrypted; say where its passphrase is: file:%s?passphrase-source=FILE (or prompt:)",
		    a->uri->path, a->uri->path);
	else if (secret_get(&b, source, what, &a->err) == 0 && buf_size(&b) <= (size_t)cap) {
		n = (int)buf_size(&b);
		memcpy(dst, buf_data(&b), (size_t)n);
	}
	buf_free(&b);
	return n;
}

static int
why_not(struct ask *a, struct hf_error *err)
{
	if (a->err.code)
		return err_set(err, a->err.code, "%s", a->err.text);
	if (a->asked)
		return err_ssl(err, HF_ERR_KEY, "key file %s: the passphrase does not open it", a->uri->path);
	return err_ssl(err, HF_ERR_KEY, "key file %s: no PEM private key can be read from it", a->uri->path);
}

int
key_file_open(EVP_PKEY **out, const struct uri *u, const struct key_open *o, struct hf_error *err)
{
	static const char *const names[] = { "passphrase-source", NULL };
	struct ask ask = { .uri = u };
	struct buf text = { 0 };
	int rc = uri_only(u, names, err);

	(void)o;
	if (rc == 0)
		rc = file_read(&text, u->path, FILE_MAX, "key", err);
	if (rc < 0)
		goto fail;
	*out = hsm_pem_key(&text, passphrase, &ask);
	if (!*out)
		rc = why_not(&ask, err);
	ERR_clear_error();
fail:
	buf_free(&text);
	return rc;
}
