/* A token, heard, then said again from what was heard. */
#include <stdlib.h>
#include <string.h>
#include "msg/sas.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct hf_error e = { 0 };
	struct sas s, again;
	struct buf b = { 0 };

	if (sas_get(&s, (const char *)p, n, &e) < 0)
		return 0;
	(void)sas_signed_by(&s, "key", 3);
	if (sas_put(&b, s.resource, s.expiry, s.mac, s.skn[0] != '\0' ? s.skn : NULL) < 0)
		abort();
	if (s.expiry < 1000000000000 && s.resource[0] != '\0') {
		if (sas_get(&again, (const char *)buf_data(&b), buf_size(&b), &e) < 0)
			abort();
		if (strcmp(again.resource, s.resource) != 0 || strcmp(again.skn, s.skn) != 0 ||
		    again.expiry != s.expiry || memcmp(again.mac, s.mac, sizeof(s.mac)) != 0)
			abort();
		sas_fini(&again);
	}
	buf_free(&b);
	sas_fini(&s);
	return 0;
}
