#include "amqp/sasl_tpm.h"
#include <string.h>
#include "base/str.h"

enum { SEGMENT = 0x80, LAST = 0x40, SEQUENCE = 0x03 };
enum { BEGIN, AWAITS_SRK, AWAITS_BLOB, SENDS_BLOB, AWAITS_TOKEN, END };
#define PIECE_MAX  470 /* what the SDKs' frames take */
#define PUBLIC_MAX 1024

void
sasl_tpm_fini(struct sasl_tpm *t)
{
	buf_free(&t->blob);
	buf_free(&t->ek);
	buf_free(&t->srk);
	str_free(&t->token);
}

int
sasl_tpm_put_init(struct buf *b, const char *scope, const char *id, const void *ek, size_t n)
{
	if (1 + strlen(scope) + 1 + strlen(id) + 1 + n > PIECE_MAX)
		return HF_ERR_ARGS;
	if (buf_putc(b, 0) < 0 || buf_put(b, scope, strlen(scope) + 1) < 0 ||
	    buf_put(b, id, strlen(id) + 1) < 0)
		return HF_ERR_MEMORY;
	return buf_put(b, ek, n);
}

static int
wrong(struct hf_error *e, const char *what)
{
	return err_set(e, HF_ERR_PROTOCOL, "SASL TPM: %s", what);
}

/* A piece of the blob. Both SDKs and service count them from 0. */
static int
piece(struct sasl_tpm *t, struct amqp_text c, struct buf *answer, struct hf_error *e)
{
	uint8_t control = (uint8_t)c.p[0];

	if ((control & SEQUENCE) != (t->seq & SEQUENCE))
		return wrong(e, "a piece of the challenge is missing");
	if (c.len - 1 > SASL_TPM_BLOB - buf_size(&t->blob))
		return wrong(e, "the challenge is too long");
	if (buf_put(&t->blob, c.p + 1, c.len - 1) < 0)
		return err_memory(e);
	t->seq++;
	if (control & LAST) {
		t->step = END;
		return 2;
	}
	return buf_putc(answer, 0) < 0 ? err_memory(e) : 1;
}

int
sasl_tpm_challenged(
    struct sasl_tpm *t, struct amqp_text c, const void *srk, size_t n, struct buf *answer, struct hf_error *e)
{
	if (c.len == 0 || t->step == END)
		return wrong(e, "a challenge came that does not belong here");
	if ((uint8_t)c.p[0] & SEGMENT)
		return t->step == AWAITS_BLOB ? piece(t, c, answer, e)
					      : wrong(e, "the challenge came too early");
	if (t->step != BEGIN || c.len != 1)
		return wrong(e, "a challenge came that does not belong here");
	t->step = AWAITS_BLOB;
	return buf_putc(answer, 0) < 0 || buf_put(answer, srk, n) < 0 ? err_memory(e) : 1;
}

int
sasl_tpm_put_token(struct buf *b, const char *token)
{
	int r = buf_putc(b, 0);

	return r < 0 ? r : buf_puts(b, token);
}

/* A text up to its NUL. */
static int
take_text(struct amqp_text *c, char *dst, size_t cap)
{
	const char *end = c->len > 0 ? memchr(c->p, '\0', c->len) : NULL;
	size_t n = end != NULL ? (size_t)(end - c->p) : 0;

	if (n == 0 || str_copy(dst, cap, c->p, n) < 0)
		return HF_ERR_PROTOCOL;
	c->p += n + 1;
	c->len -= n + 1;
	return 0;
}

static int
begin(struct sasl_tpm *t, struct amqp_text c, struct buf *challenge, struct hf_error *e)
{
	c.p++;
	c.len--;
	if (take_text(&c, t->scope, sizeof(t->scope)) < 0 || take_text(&c, t->id, sizeof(t->id)) < 0)
		return wrong(e, "the init names no ID scope and registration id");
	if (c.len == 0 || c.len > PUBLIC_MAX)
		return wrong(e, "the init has no endorsement key");
	t->step = AWAITS_SRK;
	return buf_put(&t->ek, c.p, c.len) < 0 || buf_putc(challenge, 0) < 0 ? err_memory(e) : 1;
}

static int
token(struct sasl_tpm *t, struct amqp_text c, struct hf_error *e)
{
	if (c.len < 2 || c.len > 1024 || memchr(c.p + 1, '\0', c.len - 1) != NULL)
		return wrong(e, "the token is not one");
	t->step = END;
	if ((t->token = strndup(c.p + 1, c.len - 1)) == NULL)
		return err_memory(e);
	return 3;
}

int
sasl_tpm_heard(struct sasl_tpm *t, struct amqp_text c, struct buf *challenge, struct hf_error *e)
{
	if (c.len == 0 || c.p[0] != 0)
		return wrong(e, "a response does not begin as one");
	switch (t->step) {
	case BEGIN:
		return begin(t, c, challenge, e);
	case AWAITS_SRK:
		if (c.len < 2 || c.len > PUBLIC_MAX)
			return wrong(e, "the response has no storage root key");
		t->step = SENDS_BLOB;
		return buf_put(&t->srk, c.p + 1, c.len - 1) < 0 ? err_memory(e) : 2;
	case SENDS_BLOB:
		if (c.len != 1)
			return wrong(e, "a response came between the challenge's pieces");
		return sasl_tpm_piece(t, challenge) < 0 ? err_memory(e) : 1;
	case AWAITS_TOKEN:
		return token(t, c, e);
	default:
		return wrong(e, "a response came that does not belong here");
	}
}

/* Two pieces of about the same length, as one SDK insists on; more only where they do not fit. */
int
sasl_tpm_piece(struct sasl_tpm *t, struct buf *challenge)
{
	size_t all = buf_size(&t->blob), pieces = all > 2 * PIECE_MAX ? (all + PIECE_MAX - 1) / PIECE_MAX : 2;
	size_t n = (all + pieces - 1) / pieces, left = all - t->at;
	int last = left <= n;

	if (last)
		n = left;
	if (buf_putc(challenge, (uint8_t)(SEGMENT | (last ? LAST : 0) | (t->seq & SEQUENCE))) < 0 ||
	    (n > 0 && buf_put(challenge, buf_data(&t->blob) + t->at, n) < 0))
		return HF_ERR_MEMORY;
	t->at += n;
	t->seq++;
	if (last)
		t->step = AWAITS_TOKEN;
	return 0;
}
