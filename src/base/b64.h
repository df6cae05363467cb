#ifndef BASE_B64_H
#define BASE_B64_H
#include "base/buf.h"
/* RFC 4648 base64 with padding. Appends. 0 or HF_ERR_MEMORY. */
int b64_put(struct buf *, const void *, size_t);
/* Appends the bytes. Strict alphabet and padding; ASCII white space around and between is skipped. 0, HF_ERR_ARGS,
 * HF_ERR_MEMORY; on an error nothing is appended. */
int b64_get(struct buf *, const char *, size_t);
/* RFC 4648 base32, lower case, no padding. Appends. */
int b32_put(struct buf *, const void *, size_t);
#endif
