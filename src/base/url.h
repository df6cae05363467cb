#ifndef BASE_URL_H
#define BASE_URL_H
#include "base/buf.h"
/* Percent-encodes all but letters, digits and - . _ ~ with upper-case hex. Appends. 0 or HF_ERR_MEMORY. */
int url_put(struct buf *, const char *, size_t);
/* Appends the decoded bytes; '+' stays '+'. 0, HF_ERR_ARGS (bad escape; nothing is appended), HF_ERR_MEMORY. */
int url_get(struct buf *, const char *, size_t);
/* Walks "k=v&k2=v2" (k without = has value NULL, vlen 0). Start with *p at the text; 1 for each pair, then 0.
 * Nothing between two & is no pair. */
struct url_pair {
	const char *key, *value;
	size_t klen, vlen;
};
int url_next(const char **p, const char *end, struct url_pair *);
#endif
