#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <tss2/tss2_mu.h>
#include "hsm/tpm2.h"

#define LABEL "TSS2 PRIVATE KEY"
enum { PEM_OBJECTS = 16, DER_MAX = 8192 };
enum {
	T_BOOLEAN = 0x01,
	T_INTEGER = 0x02,
	T_OCTETS = 0x04,
	T_OID = 0x06,
	T_SEQUENCE = 0x30,
	T_CONTEXT = 0xa0
};

/* 2.23.133.10.1.x: 3 loadable, 4 importable, 5 sealed data. */
static const uint8_t oid[] = { 0x67, 0x81, 0x05, 0x0a, 0x01, 3 };

/* A run of DER, eaten from the front. */
struct der {
	const uint8_t *p, *end;
};

static size_t
left(const struct der *d)
{
	return (size_t)(d->end - d->p);
}

/* A length, as short as it can be written, of what is there. */
static int
take_length(struct der *d, size_t *n)
{
	size_t more;

	if (left(d) == 0)
		return 0;
	*n = *d->p++;
	if (*n < 0x80)
		return *n <= left(d);
	more = *n & 0x7f;
	if (more < 1 || more > 2 || more > left(d))
		return 0;
	*n = more == 1 ? d->p[0] : (size_t)d->p[0] << 8 | d->p[1];
	d->p += more;
	return *n >= (more == 1 ? 0x80 : 0x100) && *n <= left(d);
}

/* The next element's content, if it has this tag; content may be d itself. */
static int
take(struct der *d, int tag, struct der *content)
{
	struct der at = *d;
	size_t n;

	if (left(&at) == 0 || *at.p++ != tag || !take_length(&at, &n))
		return 0;
	d->p = at.p + n;
	*content = (struct der){ at.p, at.p + n };
	return 1;
}

static int
get_boolean(struct der d, int *truth)
{
	if (!take(&d, T_BOOLEAN, &d) || left(&d) != 1)
		return 0;
	*truth = *d.p != 0;
	return 1;
}

/* Four bytes, or five with a zero in front; a machine of 32 bits wrote the handles above 0x7fffffff as negative numbers. */
static int
get_handle(struct der d, TPM2_HANDLE *handle)
{
	if (left(&d) == 5 && *d.p == 0)
		d.p++;
	if (left(&d) < 1 || left(&d) > 4)
		return 0;
	for (*handle = 0; d.p < d.end; d.p++)
		*handle = *handle << 8 | *d.p;
	if (*handle == 0)
		*handle = TPM2_RH_OWNER;
	return 1;
}

static int
get_structures(struct tpm2_file *f, struct der area, struct der private)
{
	size_t at = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(area.p, left(&area), &at, &f->area) || at != left(&area))
		return 0;
	at = 0;
	return !Tss2_MU_TPM2B_PRIVATE_Unmarshal(private.p, left(&private), &at, &f->private) &&
	       at == left(&private);
}

static int
unsupported(const char *path, const char *why, struct hf_error *err)
{
	return err_set(err, HF_ERR_UNSUPPORTED, "TPM key file %s: %s", path, why);
}

static int
check_kind(struct der kind, const char *path, struct hf_error *err)
{
	if (left(&kind) != sizeof oid || memcmp(kind.p, oid, sizeof oid - 1) != 0)
		return unsupported(path, "its type is not one of the TPM's keys (2.23.133.10.1.3)", err);
	if (kind.p[sizeof oid - 1] == 4)
		return unsupported(path,
		    "it is still to be imported into its TPM (2.23.133.10.1.4); "
		    "make a loadable one of it with tpm2_import and tpm2_encodeobject",
		    err);
	if (kind.p[sizeof oid - 1] != oid[sizeof oid - 1])
		return unsupported(
		    path, "it holds sealed data, and not a key that is loaded (2.23.133.10.1.3)", err);
	return 0;
}

/* The optional fields: at most one of each, in their order. 1: well-formed. */
static int
get_options(struct tpm2_file *f, struct der *d, const char **cannot)
{
	struct der field;
	int rsa = 0;

	if (take(d, T_CONTEXT | 0, &field) && !get_boolean(field, &f->empty_auth))
		return 0;
	if (take(d, T_CONTEXT | 1, &field))
		*cannot = "it is used under a policy, which Holdfast does not do; it does passwords";
	if (take(d, T_CONTEXT | 2, &field))
		*cannot = "it is still to be imported into its TPM";
	if (take(d, T_CONTEXT | 3, &field))
		*cannot = "it is used under a signed policy, which Holdfast does not do; it does passwords";
	take(d, T_CONTEXT | 4, &field);
	if (take(d, T_CONTEXT | 5, &field) && !get_boolean(field, &rsa))
		return 0;
	if (rsa)
		*cannot = "it hangs on an RSA primary key, which takes a TPM seconds each time; "
			  "keep that at a handle, and name it as the parent";
	return 1;
}

static int
get_der(struct tpm2_file *f, struct der d, const char *path, struct hf_error *err)
{
	struct der body, kind, parent, area, private;
	const char *cannot = NULL;
	int rc;

	if (!take(&d, T_SEQUENCE, &body) || left(&d) || !take(&body, T_OID, &kind))
		goto damaged;
	rc = check_kind(kind, path, err);
	if (rc < 0)
		return rc;
	if (!get_options(f, &body, &cannot))
		goto damaged;
	if (cannot)
		return unsupported(path, cannot, err);
	if (take(&body, T_INTEGER, &parent) && take(&body, T_OCTETS, &area) &&
	    take(&body, T_OCTETS, &private) && !left(&body) && get_handle(parent, &f->parent) &&
	    get_structures(f, area, private))
		return 0;
damaged:
	return err_set(
	    err, HF_ERR_KEY, "TPM key file %s: what stands between its lines \"" LABEL "\" is damaged", path);
}

/* The first key of a TPM's among the objects of the text. */
static int
find_key(BIO *in, unsigned char **der, long *len)
{
	char *name = NULL, *header = NULL;
	int found = 0;

	for (int i = 0; i < PEM_OBJECTS && !found; i++) {
		if (!PEM_read_bio(in, &name, &header, der, len))
			break;
		found = strcmp(name, LABEL) == 0 && *header == '\0';
		OPENSSL_free(name);
		OPENSSL_free(header);
		if (found)
			break;
		OPENSSL_clear_free(*der, (size_t)*len); /* it may be somebody's key */
		*der = NULL;
	}
	ERR_clear_error();
	return found;
}

int
tpm2_get_pem(struct tpm2_file *f, const void *text, size_t n, const char *path, struct hf_error *err)
{
	BIO *in = BIO_new_mem_buf(text, (int)n);
	unsigned char *der = NULL;
	long len = 0;
	int rc;

	memset(f, 0, sizeof *f);
	if (!in)
		return err_memory(err);
	if (!find_key(in, &der, &len))
		rc = err_set(err, HF_ERR_KEY,
		    "TPM key file %s: there is no \"-----BEGIN " LABEL "-----\" in it", path);
	else if (len > DER_MAX)
		rc = err_set(err, HF_ERR_KEY, "TPM key file %s: it is longer than such a key can be", path);
	else
		rc = get_der(f, (struct der){ der, der + len }, path, err);
	OPENSSL_free(der);
	BIO_free(in);
	return rc;
}

static int
put(struct buf *b, int tag, const void *content, size_t n)
{
	int bad = buf_putc(b, (uint8_t)tag);

	if (n >= 0x100)
		bad = bad || buf_putc(b, 0x82) || buf_put16(b, (unsigned)n);
	else
		bad = bad || (n >= 0x80 && buf_putc(b, 0x81)) || buf_putc(b, (uint8_t)n);
	return bad || buf_put(b, content, n);
}

static int
put_handle(struct buf *b, TPM2_HANDLE handle)
{
	const uint8_t n[5] = { 0, (uint8_t)(handle >> 24), (uint8_t)(handle >> 16), (uint8_t)(handle >> 8),
		(uint8_t)handle };
	size_t skip = 0;

	while (skip < 4 && n[skip] == 0 && n[skip + 1] < 0x80)
		skip++;
	return put(b, T_INTEGER, n + skip, sizeof n - skip);
}

static int
put_der(struct buf *der, const struct tpm2_file *f)
{
	const uint8_t empty_auth[] = { T_BOOLEAN, 1,
		f->empty_auth ? 0xff : 0 }; /* tpm2-openssl 1.1 needs a no */
	uint8_t area[sizeof f->area], private[sizeof f->private];
	size_t area_len = 0, private_len = 0;
	struct buf body = { 0 };
	int bad;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(&f->area, area, sizeof area, &area_len) ||
	    Tss2_MU_TPM2B_PRIVATE_Marshal(&f->private, private, sizeof private, &private_len))
		return -1;
	bad = put(&body, T_OID, oid, sizeof oid) ||
	      put(&body, T_CONTEXT | 0, empty_auth, sizeof empty_auth) || put_handle(&body, f->parent) ||
	      put(&body, T_OCTETS, area, area_len) || put(&body, T_OCTETS, private, private_len) ||
	      put(der, T_SEQUENCE, buf_data(&body), buf_size(&body));
	buf_free(&body);
	return bad ? -1 : 0;
}

int
tpm2_put_pem(struct buf *b, const struct tpm2_file *f, struct hf_error *err)
{
	BIO *out = BIO_new(BIO_s_mem());
	struct buf der = { 0 };
	char *text;
	long n;
	int rc = 0;

	if (!out || put_der(&der, f) < 0 ||
	    !PEM_write_bio(out, LABEL, "", buf_data(&der), (long)buf_size(&der)) ||
	    (n = BIO_get_mem_data(out, &text)) <= 0 || buf_put(b, text, (size_t)n) < 0)
		rc = err_memory(err);
	buf_free(&der);
	BIO_free(out);
	return rc;
}
