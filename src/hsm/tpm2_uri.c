#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "base/str.h"
#include "base/url.h"
#include "hsm/tpm2.h"

static const char *const names[] = { "tcti", "auth-source", "auth-value", "parent-auth-source",
	"parent-auth-value", NULL };

static int
get_handle(TPM2_HANDLE *handle, const char *text, struct hf_error *err)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 16);
	if (errno || *end || strncmp(text, "0x", 2) != 0 || n < TPM2_PERSISTENT_MIN ||
	    n > TPM2_PERSISTENT_MAX)
		return err_set(err, HF_ERR_ARGS,
		    "tpm2:handle=%s: a persistent handle is 0x81000000 to 0x81ffffff", text);
	*handle = (TPM2_HANDLE)n;
	return 0;
}

/* cmd: runs a program, a name with a slash is a library, and pcap: hands on to another. */
static int
check_tcti(const char *tcti, struct hf_error *err)
{
	size_t n;

	while (strncmp(tcti, "pcap:", 5) == 0)
		tcti += 5;
	if (strncmp(tcti, "cmd:", 4) == 0)
		return uri_absolute(tcti + 4, "program of the TCTI cmd:", err);
	n = strcspn(tcti, ":");
	if (memchr(tcti, '/', n))
		return uri_absolute(tcti, "TCTI library", err);
	return 0;
}

static int
get_auth(TPM2B_AUTH *auth, const struct uri *u, const char *source, const char *value, const char *what,
    const struct log *log, struct hf_error *err)
{
	struct buf text = { 0 };
	int rc = secret_of_uri(&text, u, source, value, what, log, err);

	if (rc <= 0)
		goto fail;
	if (buf_size(&text) > sizeof auth->buffer) {
		rc = err_set(err, HF_ERR_ARGS, "%s: a TPM takes passwords of %zu bytes at most, not %zu",
		    what, sizeof auth->buffer, buf_size(&text));
		goto fail;
	}
	auth->size = (UINT16)buf_size(&text);
	if (auth->size)
		memcpy(auth->buffer, buf_data(&text), auth->size);
fail:
	buf_free(&text);
	return rc < 0 ? rc : 0;
}

int
tpm2_uri_get(struct tpm2_uri *w, const struct uri *u, const struct log *log, struct hf_error *err)
{
	const char *handle = uri_path(u, "handle");
	int rc;

	memset(w, 0, sizeof *w);
	rc = uri_only(u, names, err);
	if (rc < 0)
		return rc;
	w->file = uri_path(u, "file");
	w->tcti = uri_query(u, "tcti");
	if (!w->tcti)
		w->tcti = "";
	if ((handle && (rc = get_handle(&w->handle, handle, err)) < 0) || (rc = check_tcti(w->tcti, err)) < 0)
		return rc;
	rc = get_auth(&w->auth, u, "auth-source", "auth-value", "password of the TPM key", log, err);
	if (rc == 0)
		rc = get_auth(&w->parent_auth, u, "parent-auth-source", "parent-auth-value",
		    "password of what the TPM key hangs on", log, err);
	if (rc < 0)
		OPENSSL_cleanse(w, sizeof *w);
	return rc;
}

/* What may stand in a query as it is, stays legible: "swtpm:path=/run/t.sock". */
static int
put_value(struct buf *b, const char *value)
{
	int bad = 0;

	for (; *value && !bad; value++)
		bad = strchr("/:,=@", *value) ? buf_putc(b, (uint8_t)*value) : url_put(b, value, 1);
	return bad;
}

int
tpm2_uri_put(struct buf *b, const struct uri *u, TPM2_HANDLE handle, const char *file, struct hf_error *err)
{
	static const char *const kept[] = { "tcti", "auth-source", "parent-auth-source" };
	const char *value;
	char before = '?';
	int bad;

	if (file)
		bad = buf_puts(b, "tpm2:file=") < 0 || put_value(b, file) < 0;
	else
		bad = buf_fmt(b, "tpm2:handle=0x%08x", (unsigned)handle) < 0;
	for (size_t i = 0; i < (file ? 3 : 2) && !bad; i++) {
		value = uri_query(u, kept[i]);
		if (!value)
			continue;
		bad = buf_fmt(b, "%c%s=", before, kept[i]) < 0 || put_value(b, value) < 0;
		before = '&';
	}
	return bad ? err_memory(err) : 0;
}
