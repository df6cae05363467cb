/* K and the service's key for a TPM, as the device takes it apart; anything else is a wrapped key as it is kept. */
#include <stdlib.h>
#include <string.h>
#include "hsm/tpm2.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

/* What is put must be heard as the same. */
static void
keep(const TPM2B_PUBLIC *area, const TPM2B_PRIVATE *private, struct buf *kept)
{
	struct hf_error e = { 0 };
	TPM2B_PUBLIC a;
	TPM2B_PRIVATE p;

	must(tpm2_put_wrapped(kept, area, private, &e) == 0);
	must(tpm2_get_wrapped(&a, &p, buf_data(kept), buf_size(kept), &e) == 0);
	must(p.size == private->size && memcmp(p.buffer, private->buffer, p.size) == 0);
	must(a.publicArea.unique.keyedHash.size == area->publicArea.unique.keyedHash.size &&
	     a.publicArea.objectAttributes == area->publicArea.objectAttributes);
}

static void
service_key(const uint8_t *p, size_t n)
{
	struct tpm2_parcel k;
	struct hf_error e = { 0 };
	struct buf kept = { 0 };

	if (tpm2_get_parcel(&k, p, n, &e) < 0)
		must(e.code == HF_ERR_PROTOCOL && e.text[0] != '\0');
	else
		keep(&k.area, &k.duplicate, &kept);
	buf_free(&kept);
}

static void
wrapped_key(const uint8_t *p, size_t n)
{
	struct hf_error e = { 0 };
	struct buf kept = { 0 };
	TPM2B_PUBLIC area;
	TPM2B_PRIVATE private;

	if (tpm2_get_wrapped(&area, &private, p, n, &e) < 0) {
		must(e.code == HF_ERR_STATE && e.text[0] != '\0');
		return;
	}
	keep(&area, &private, &kept);
	must(buf_size(&kept) == n && memcmp(buf_data(&kept), p, n) == 0);
	buf_free(&kept);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (p[0] == 'K')
		service_key(p + 1, n - 1);
	else
		wrapped_key(p + 1, n - 1);
	return 0;
}
