/* A file with a key for a TPM. D: the DER alone, in the text that we put around it; anything else is the text. */
#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "hsm/tpm2.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

/* What is put must be heard as the same, and be written as the same again. */
static void
again(const struct tpm2_file *f)
{
	struct buf text = { 0 }, more = { 0 };
	struct hf_error e = { 0 };
	struct tpm2_file g;

	must(tpm2_put_pem(&text, f, &e) == 0);
	must(tpm2_get_pem(&g, buf_data(&text), buf_size(&text), "it", &e) == 0);
	must(g.parent == f->parent && g.empty_auth == f->empty_auth);
	must(g.private.size == f->private.size &&
	     memcmp(g.private.buffer, f->private.buffer, g.private.size) == 0);
	must(tpm2_put_pem(&more, &g, &e) == 0);
	must(buf_size(&text) == buf_size(&more) &&
	     memcmp(buf_data(&text), buf_data(&more), buf_size(&text)) == 0);
	buf_free(&text);
	buf_free(&more);
}

static void
file(const void *p, size_t n)
{
	struct hf_error e = { 0 };
	struct tpm2_file f;
	char what[64];

	if (tpm2_get_pem(&f, p, n, "it", &e) < 0) {
		must((e.code == HF_ERR_KEY || e.code == HF_ERR_UNSUPPORTED) && e.text[0] != '\0');
		return;
	}
	again(&f);
	if (!tpm2_why_not(&f.area))
		tpm2_what(&f.area, what, sizeof what);
}

static void
der(const uint8_t *p, size_t n)
{
	struct buf text = { 0 };

	must(buf_puts(&text, "-----BEGIN TSS2 PRIVATE KEY-----\n") == 0);
	for (; n > 0; p += n < 48 ? n : 48, n -= n < 48 ? n : 48)
		must(b64_put(&text, p, n < 48 ? n : 48) == 0 && buf_putc(&text, '\n') == 0);
	must(buf_puts(&text, "-----END TSS2 PRIVATE KEY-----\n") == 0);
	file(buf_data(&text), buf_size(&text));
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 0 && p[0] == 'D')
		der(p + 1, n - 1);
	else
		file(p, n);
	return 0;
}
