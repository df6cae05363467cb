#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/url.h"
#include "hsm/uri.h"

static const char *const schemes[] = { "file", "tpm2", "pkcs11", "provider", "engine", "hsm", "symkey" };

/* How long the scheme of a URI is ("pkcs11:..." has 6), 0 for a path. */
static size_t
scheme_len(const char *text)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*text))
		return 0;
	while (isalnum((unsigned char)text[n]) || (text[n] && strchr("+-.", text[n])))
		n++;
	return text[n] == ':' ? n : 0;
}

static const char *
known_scheme(const char *text, size_t n)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_eqin(schemes[i], text, n))
			return schemes[i];
	return NULL;
}

static int
decode(char **out, const char *text, size_t n, const char *scheme, struct hf_error *err)
{
	struct buf b = { 0 };
	int rc = url_get(&b, text, n);
	const char *s;

	if (rc == 0 && buf_size(&b) > 0 && memchr(buf_data(&b), 0, buf_size(&b)))
		rc = HF_ERR_ARGS;
	s = rc == 0 ? buf_str(&b) : NULL;
	if (rc == 0)
		rc = s ? str_set(out, s) : HF_ERR_MEMORY;
	buf_free(&b);
	if (rc == HF_ERR_MEMORY)
		return err_memory(err);
	return rc < 0 ? err_set(err, HF_ERR_ARGS,
			    "%s: URI: a %% stands before two hexadecimal digits, and not for a zero byte",
			    scheme)
		      : 0;
}

static int
get_query(struct uri *u, const char *q, struct hf_error *err)
{
	const char *end = q + strlen(q);
	struct url_pair p;
	int rc;

	while (url_next(&q, end, &p)) {
		struct uri_attribute *a = &u->query[u->count];

		if (u->count == URI_ATTRIBUTES)
			return err_set(err, HF_ERR_ARGS, "%s: URI: more than %d attributes behind its ?",
			    u->scheme, URI_ATTRIBUTES);
		if (memchr(p.key, '%', p.klen))
			return err_set(err, HF_ERR_ARGS,
			    "%s: URI: an attribute's name is written without any %%", u->scheme);
		u->count++;
		if ((rc = decode(&a->name, p.key, p.klen, u->scheme, err)) < 0 ||
		    (rc = decode(&a->value, p.value ? p.value : "", p.vlen, u->scheme, err)) < 0)
			return rc;
	}
	return 0;
}

/* What a foreign provider or an engine calls a key may have a ? of its own: there, ours is the last one, and only before a name of ours. */
static const char *
query_of(const struct uri *u, const char *rest)
{
	static const char *const ours[] = {
		"?so-path=", "?module-path=", "?pin-source=", "?auth-source=", "?pin-value=", "?auth-value="
	};
	const char *at, *found = NULL;

	if (strcmp(u->scheme, "provider") != 0 && strcmp(u->scheme, "engine") != 0)
		return strchr(rest, '?');
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		for (at = rest; (at = strstr(at, ours[i])); at++)
			found = at > found ? at : found;
	return found;
}

/* The path is handed on as it is where others take it apart. */
static int
keeps_encoding(const char *scheme)
{
	return strcmp(scheme, "pkcs11") == 0 || strcmp(scheme, "provider") == 0 ||
	       strcmp(scheme, "engine") == 0;
}

static int
get_parts(struct uri *u, const char *rest, struct hf_error *err)
{
	const char *q = query_of(u, rest);
	size_t n = q ? (size_t)(q - rest) : strlen(rest);
	int rc;

	if (!keeps_encoding(u->scheme))
		rc = decode(&u->path, rest, n, u->scheme, err);
	else if ((u->path = strndup(rest, n)))
		rc = 0;
	else
		rc = err_memory(err);
	return rc < 0 || !q ? rc : get_query(u, q + 1, err);
}

int
uri_get(struct uri *u, const char *text, struct hf_error *err)
{
	size_t n = scheme_len(text);
	const char *scheme = n ? known_scheme(text, n) : "file";
	int rc;

	*u = (struct uri){ 0 };
	if (!scheme)
		return err_set(err, HF_ERR_UNSUPPORTED,
		    "keys of the kind \"%.*s:\" are not known; there are file, tpm2, pkcs11, provider, engine, hsm and symkey: holdfast-hsm(7)",
		    (int)(n > 32 ? 32 : n), text);
	str_fmt(u->scheme, sizeof u->scheme, "%s", scheme);
	if (str_set(&u->text, text) < 0)
		return err_memory(err);
	if (n)
		rc = get_parts(u, text + n + 1, err);
	else
		rc = str_set(&u->path, text) < 0 ? err_memory(err) : 0;
	if (rc == 0 && !n && !*text)
		rc = err_set(err, HF_ERR_ARGS, "the name of a key is empty");
	if (rc < 0)
		uri_fini(u);
	return rc;
}

void
uri_fini(struct uri *u)
{
	for (size_t i = 0; i < u->count; i++) {
		str_free(&u->query[i].name);
		str_free(&u->query[i].value);
	}
	str_free(&u->path);
	str_free(&u->text);
	*u = (struct uri){ 0 };
}

const char *
uri_query(const struct uri *u, const char *name)
{
	for (size_t i = 0; i < u->count; i++)
		if (strcmp(u->query[i].name, name) == 0)
			return u->query[i].value;
	return NULL;
}

int
uri_only(const struct uri *u, const char *const *names, struct hf_error *err)
{
	for (size_t i = 0; i < u->count; i++) {
		size_t k = 0;

		while (names[k] && strcmp(names[k], u->query[i].name) != 0)
			k++;
		if (!names[k])
			return err_set(err, HF_ERR_ARGS,
			    "%s: URI: \"%.40s\" is not one of its attributes; holdfast-hsm(7) has them",
			    u->scheme, u->query[i].name);
	}
	return 0;
}

const char *
uri_path(const struct uri *u, const char *name)
{
	size_t n = strlen(name);

	return strncmp(u->path, name, n) == 0 && u->path[n] == '=' ? u->path + n + 1 : NULL;
}

int
uri_absolute(const char *path, const char *what, struct hf_error *err)
{
	if (*path == '/')
		return 0;
	return err_set(err, HF_ERR_ARGS, "%s \"%s\": what runs code is named by an absolute path, from / on",
	    what, path);
}

/* pin-value=1234 and auth-value=..., wherever they stand: up to the next attribute. In the path others may end it otherwise. */
#define SECRET "-value="

int
uri_tells_secret(const struct uri *u)
{
	return strstr(u->text, SECRET) != NULL;
}

static const char *
secret_end(const struct uri *u, const char *secret)
{
	size_t n = scheme_len(u->text);
	const char *query = n ? query_of(u, u->text + n + 1) : NULL;

	return secret + strcspn(secret, query && secret > query ? "&" : "&;?");
}

void
uri_show(const struct uri *u, char *dst, size_t cap)
{
	const char *at = u->text, *found;
	size_t n = 0, len;

	while (*at && n + 1 < cap) {
		found = strstr(at, SECRET);
		len = found ? (size_t)(found - at) + strlen(SECRET) : strlen(at);
		if (len > cap - n - 1)
			len = cap - n - 1;
		memcpy(dst + n, at, len);
		n += len;
		at += len;
		if (!found)
			continue;
		for (size_t i = 0; i < 3 && n + 1 < cap; i++)
			dst[n++] = '.';
		at = secret_end(u, found + strlen(SECRET));
	}
	dst[n] = '\0';
}
