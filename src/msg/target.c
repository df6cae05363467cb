#include <string.h>
#include "base/str.h"
#include "msg/dps.h"
#include "target.h"

int
target_get(struct target *t, const char *s)
{
	size_t path = strcspn(s, "?"), n;
	const char *stop = s + path;

	memset(t, 0, sizeof(*t));
	t->end = s + strlen(s);
	t->query = *stop == '?' ? stop + 1 : stop;
	while (s < stop && *s == '/') {
		s++;
		if (s == stop)
			break;
		if (t->count == TARGET_SEGMENTS)
			return 0;
		n = strcspn(s, "/?");
		t->segment[t->count++] = (struct url_pair){ .value = s, .vlen = n };
		s += n;
	}
	return s == stop;
}

int
target_is(const struct target *t, size_t i, const char *word)
{
	return i < t->count && str_eqin(word, t->segment[i].value, t->segment[i].vlen);
}

int
target_segment(const struct target *t, size_t i, char *dst, size_t cap, const char *what, struct hf_error *e)
{
	struct buf b = { 0 };
	int rc = url_get(&b, t->segment[i].value, t->segment[i].vlen);

	if (rc == 0 && buf_size(&b) == 0)
		rc = HF_ERR_ARGS;
	if (rc == 0)
		rc = str_copy(dst, cap, buf_data(&b), buf_size(&b));
	buf_free(&b);
	if (rc == HF_ERR_MEMORY)
		return err_memory(e);
	return rc == 0 ? 0 : err_set(e, HF_ERR_PROTOCOL, "the path's %s cannot be one", what);
}

int
target_api(const struct target *t, char dst[32], struct hf_error *e)
{
	const char *p = t->query;
	struct url_pair pair;

	while (url_next(&p, t->end, &pair) == 1) {
		if (!str_eqin("api-version", pair.key, pair.klen))
			continue;
		if (dps_is_api(pair.value, pair.vlen))
			return str_copy(dst, 32, pair.value, pair.vlen);
		return err_set(e, HF_ERR_PROTOCOL, "the query's api-version is not a date");
	}
	return err_set(e, HF_ERR_PROTOCOL, "the query has no api-version");
}

int
target_has(const struct target *t, const char *key)
{
	const char *p = t->query;
	struct url_pair pair;

	while (url_next(&p, t->end, &pair) == 1)
		if (str_eqin(key, pair.key, pair.klen))
			return 1;
	return 0;
}
