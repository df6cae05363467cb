/*
 * The TPM's login, either chair. The first byte is the chair; the rest is what the peer sends, each with two bytes of length in front. The
 * server's blob is of as many bytes as the second byte says, times eight.
 */
#include <stdlib.h>
#include "amqp/sasl_tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int fine)
{
	if (!fine)
		abort();
}

static int
client(struct sasl_tpm *t, struct amqp_text said, struct buf *answer, struct hf_error *err)
{
	int r = sasl_tpm_challenged(t, said, "srk", 3, answer, err);

	must(buf_size(&t->blob) <= SASL_TPM_BLOB);
	if (r == 2)
		must(sasl_tpm_put_token(answer, "token") == 0);
	return r;
}

static int
server(struct sasl_tpm *t, struct amqp_text said, size_t blob, struct buf *answer, struct hf_error *err)
{
	static const char zeros[256 * 8];
	int r = sasl_tpm_heard(t, said, answer, err);

	if (r == 2) {
		must(
		    buf_size(&t->ek) > 0 && buf_size(&t->srk) > 0 && t->id[0] != '\0' && t->scope[0] != '\0');
		must(buf_put(&t->blob, zeros, blob) == 0 && sasl_tpm_piece(t, answer) == 0);
	}
	must(r != 3 || t->token != NULL);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sasl_tpm t = { 0 };
	struct hf_error err = { 0 };
	struct buf answer = { 0 };
	const uint8_t *end = p + n;
	unsigned how;
	size_t blob;
	int r = 1;

	if (n < 2)
		return 0;
	how = *p++;
	blob = (size_t)*p++ * 8;
	while (r > 0 && end - p >= 2) {
		size_t len = (size_t)p[0] << 8 | p[1];
		struct amqp_text said;

		p += 2;
		len = len < (size_t)(end - p) ? len : (size_t)(end - p);
		said = (struct amqp_text){ (const char *)p, len };
		p += len;
		buf_clear(&answer);
		r = how & 1 ? server(&t, said, blob, &answer, &err) : client(&t, said, &answer, &err);
		must(r > 0 ? r == 3 || buf_size(&answer) > 0 : r == err.code);
		must(buf_size(&answer) <= 471);
	}
	sasl_tpm_fini(&t);
	buf_free(&answer);
	return 0;
}
