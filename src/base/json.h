/* Jansson with our errors. Objects are jansson's own; these only shorten what every message does. */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include <jansson.h>
#include "base/buf.h"
#include "base/err.h"
/* Parses a whole text (strict, any type at the top, duplicate keys refused); `what` names it in the
 * error. NULL: error set, HF_ERR_PROTOCOL. */
json_t *js_parse(const void *, size_t, const char *what, struct hf_error *);
/* The string, integer or boolean value of a key; the default when it is absent or of another type. Strings are lent. */
const char *js_str(const json_t *, const char *key, const char *or_else);
int64_t js_int(const json_t *, const char *key, int64_t or_else);
int js_bool(const json_t *, const char *key, int or_else);
const json_t *js_get(const json_t *, const char *key); /* a member of any type; NULL when absent or null */
/* Appends compact text. Reals are the shortest text that reads back the same. 0 or HF_ERR_MEMORY (that is also the
 * answer for NULL: jansson was out of memory). */
int js_put(struct buf *, const json_t *);
/* Gives back, like json_decref(), an object that holds secrets: all its strings are wiped. NULL is fine. */
void js_forget(json_t *);
#endif
