#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include "base/b64.h"
#include "base/file.h"
#include "base/str.h"
#include "hsm/hsm.h"

enum { KEY_MIN = 16, KEY_MAX = 64, FILE_MAX = 4096 };
struct symkey {
	struct hsm hsm;
	uint8_t key[KEY_MAX];
	size_t len;
};

static int
hmac(struct hsm *h, const void *data, size_t n, uint8_t mac[32], struct hf_error *err)
{
	struct symkey *k = (struct symkey *)h;

	if (!HMAC(EVP_sha256(), k->key, (int)k->len, data, n, mac, NULL))
		return err_ssl(err, HF_ERR_KEY, "cannot compute an HMAC-SHA256 with the symmetric key");
	return 0;
}

static void
close_key(struct hsm *h)
{
	OPENSSL_cleanse(h, sizeof(struct symkey));
	free(h);
}

static const struct hsm_ops ops = { .close = close_key, .hmac = hmac };

static int
set_key(struct symkey *k, const struct buf *text, const char *what, struct hf_error *err)
{
	struct buf raw = { 0 };
	int rc;

	rc = b64_get(&raw, (const char *)buf_data(text), buf_size(text));
	if (rc == HF_ERR_MEMORY) {
		err_memory(err);
		goto fail;
	}
	if (rc < 0) {
		rc = err_set(err, HF_ERR_ARGS, "%s: that is not base64 text", what);
		goto fail;
	}
	if (buf_size(&raw) < KEY_MIN || buf_size(&raw) > KEY_MAX) {
		rc = err_set(err, HF_ERR_ARGS, "%s: a key has %d to %d bytes, this one has %zu", what,
		    KEY_MIN, KEY_MAX, buf_size(&raw));
		goto fail;
	}
	k->len = buf_size(&raw);
	memcpy(k->key, buf_data(&raw), k->len);
fail:
	buf_free(&raw);
	return rc;
}

static int
read_key(struct symkey *k, const char *path, const char *what, struct hf_error *err)
{
	struct buf text = { 0 };
	char name[PATH_MAX + 32];
	int rc = file_read(&text, path, FILE_MAX, what, err);

	(void)str_fmt(name, sizeof name, "%s file %s", what, path);
	if (rc == 0)
		rc = set_key(k, &text, name, err);
	buf_free(&text);
	return rc;
}

/* A device of a group has HMAC-SHA256(group's key, registration id in lower case). */
static int
derive(struct symkey *k, const char *id, struct hf_error *err)
{
	uint8_t own[32], lower[128];
	size_t n = strlen(id);
	int rc;

	for (size_t i = 0; i < n; i++)
		lower[i] = (uint8_t)tolower((unsigned char)id[i]);
	rc = hmac(&k->hsm, lower, n, own, err);
	if (rc < 0)
		return rc;
	OPENSSL_cleanse(k->key, sizeof k->key);
	memcpy(k->key, own, sizeof own);
	k->len = sizeof own;
	OPENSSL_cleanse(own, sizeof own);
	return 0;
}

static int
finish(struct symkey *k, struct hsm **out, int rc, struct hf_error *err)
{
	static const char mark[] = "holdfast: which key is this?";

	if (rc == 0)
		rc = hmac(&k->hsm, mark, sizeof mark - 1, k->hsm.fingerprint, err);
	if (rc < 0)
		close_key(&k->hsm);
	else
		*out = &k->hsm;
	return rc;
}

static struct symkey *
make(void)
{
	struct symkey *k = calloc(1, sizeof *k);

	if (!k)
		return NULL;
	k->hsm.ops = &ops;
	k->hsm.kind = HSM_SYMMETRIC;
	return k;
}

int
hsm_symkey_new(struct hsm **out, const struct buf *text, const char *what, struct hf_error *err)
{
	struct symkey *k = make();

	*out = NULL;
	if (!k)
		return err_memory(err);
	return finish(k, out, set_key(k, text, what, err), err);
}

int
hsm_symkey_open(struct hsm **out, const char *file, const char *group_file, const char *registration_id,
    struct hf_error *err)
{
	const char *what = group_file ? "group key" : "symmetric key";
	struct symkey *k;
	int rc;

	*out = NULL;
	if (group_file && (!registration_id || !*registration_id))
		return err_set(err, HF_ERR_ARGS,
		    "the device's own key is derived from the group's and its name: give --registration-id");
	if (registration_id && !str_is_registration_id(registration_id))
		return err_set(err, HF_ERR_ARGS,
		    "\"%s\" is no registration id: 1 to 128 letters, digits, - . _ :, the last a letter, digit or dash",
		    registration_id);
	k = make();
	if (!k)
		return err_memory(err);
	rc = read_key(k, group_file ? group_file : file, what, err);
	if (rc == 0 && group_file)
		rc = derive(k, registration_id, err);
	return finish(k, out, rc, err);
}
