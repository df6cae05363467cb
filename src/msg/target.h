/* TARGET: a request's path and query, taken apart. */
#ifndef MSG_TARGET_H
#define MSG_TARGET_H
#include "base/err.h"
#include "base/url.h"
#define TARGET_SEGMENTS 7
struct target {
	struct url_pair segment[TARGET_SEGMENTS]; /* value and vlen, as written */
	size_t count;
	const char *query, *end;
};
int target_get(struct target *, const char *);			  /* 1, or 0 when it has no such form */
int target_is(const struct target *, size_t i, const char *word); /* letter case aside: 1 or 0 */
/* Segment i, decoded. HF_ERR_PROTOCOL: it is empty, broken or too long; `what` names it. */
int
target_segment(const struct target *, size_t i, char *dst, size_t cap, const char *what, struct hf_error *);
/* The query's api-version; HF_ERR_PROTOCOL when there is none, or it is not a date. */
int target_api(const struct target *, char dst[32], struct hf_error *);
int
target_has(const struct target *, const char *key); /* is it in the query, with or without a value? 1 or 0 */
#endif
