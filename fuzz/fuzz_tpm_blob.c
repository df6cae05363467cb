/* A key blob, and the same bytes as a public key. What is heard is said again byte for byte. */
#include <stdlib.h>
#include <string.h>
#include "msg/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct hf_error e = { 0 };
	struct tpm_blob blob;
	struct tpm_public key;
	struct buf b = { 0 };
	char id[53];

	if (tpm_get_blob(p, n, &blob, &e) == 0) {
		if (tpm_put_blob(&b, &blob) < 0 || buf_size(&b) != n || memcmp(buf_data(&b), p, n) != 0)
			abort();
	}
	e = (struct hf_error){ 0 };
	if (tpm_get_public(p, n, &key, &e) == 0) {
		if (key.exponent == 0 || key.modulus.len * 8 != key.bits || tpm_registration_id(p, n, id) < 0)
			abort();
	}
	buf_free(&b);
	return 0;
}
