/*
 * A TPM in software, as the library sees one: what only the chip can do is done by OpenSSL, independently of the library's own
 * code. The chip outlives the devices that open it.
 */
#ifndef TESTS_SOFT_HSM_H
#define TESTS_SOFT_HSM_H
#include "hsm/hsm.h"
#include "unit/make_tpm.h"

struct soft_chip {
	struct soft_tpm keys;
	uint8_t kept[32];
	int has_kept;
	int cut; /* keep() fails, as when the chip is cut off */
	int failures;
};
/* Zero it before. Making its keys takes a while: only when they are needed. */
void soft_chip_need(struct soft_chip *);
void soft_chip_fini(struct soft_chip *);
void soft_chip_clear(struct soft_chip *); /* as it was when new */
int soft_hsm_open(struct hsm **, struct soft_chip *, struct hf_error *);
#endif
