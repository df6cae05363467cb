/*
 * Key URIs. The first two bytes are a place and another byte for it, the rest is the text. What is taken apart is put together again
 * and is the same; and two texts that differ in nothing but a secret are shown alike.
 */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/url.h"
#include "hsm/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static int
is_secret(const char *name)
{
	size_t n = strlen(name);

	return n >= 6 && strcmp(name + n - 6, "-value") == 0;
}

/* The same but for secrets? */
static int
alike(const struct uri *a, const struct uri *b, int secrets)
{
	if (strcmp(a->scheme, b->scheme) != 0 || strcmp(a->path, b->path) != 0 || a->count != b->count)
		return 0;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->query[i].name, b->query[i].name) != 0 ||
		    ((secrets || !is_secret(a->query[i].name)) &&
			strcmp(a->query[i].value, b->query[i].value) != 0))
			return 0;
	return 1;
}

static int
get(struct uri *u, const char *text)
{
	struct hf_error e = { 0 };
	int rc = uri_get(u, text, &e);

	if (rc == 0) {
		must(e.code == 0 && strcmp(u->text, text) == 0 && *u->scheme && u->path);
		return 1;
	}
	must(e.code == rc && (rc == HF_ERR_ARGS || rc == HF_ERR_UNSUPPORTED) && *e.text);
	must(!u->text && !u->path && u->count == 0);
	return 0;
}

static void
put(struct buf *text, const struct uri *u, int raw)
{
	must(buf_fmt(text, "%s:", u->scheme) == 0);
	must((raw ? buf_puts(text, u->path) : url_put(text, u->path, strlen(u->path))) == 0);
	for (size_t i = 0; i < u->count; i++) {
		const struct uri_attribute *a = &u->query[i];

		must(buf_fmt(text, "%c%s%s", i == 0 ? '?' : '&', a->name,
			 i == 0 || !*a->name || *a->value ? "=" : "") == 0);
		must(url_put(text, a->value, strlen(a->value)) == 0);
	}
}

static void
again(const struct uri *u)
{
	int raw = strcmp(u->scheme, "pkcs11") == 0 || strcmp(u->scheme, "provider") == 0 ||
		  strcmp(u->scheme, "engine") == 0;
	struct buf text = { 0 };
	struct uri same;

	put(&text, u, raw);
	must(buf_str(&text) != NULL && get(&same, buf_str(&text)) && alike(u, &same, 1));
	uri_fini(&same);
	buf_free(&text);
}

static void
look(const struct uri *u)
{
	static const char *const names[] = { "tcti", "pin-value", NULL };
	static const char *const parts[] = { "handle", "file" };
	struct hf_error e = { 0 };
	const char *value;

	for (size_t i = 0; i < u->count; i++) {
		value = uri_query(u, u->query[i].name);
		must(value != NULL && (!is_secret(u->query[i].name) || !*value || uri_tells_secret(u)));
	}
	for (size_t i = 0; i < 2; i++)
		if ((value = uri_path(u, parts[i])))
			must(value > u->path && value[-1] == '=' && value <= u->path + strlen(u->path));
	must(uri_query(u, "%") == NULL);
	if (uri_only(u, names, &e) == 0)
		for (size_t i = 0; i < u->count; i++)
			must(strcmp(u->query[i].name, "tcti") == 0 || is_secret(u->query[i].name));
	e = (struct hf_error){ 0 };
	must((uri_absolute(u->path, "it", &e) == 0) == (*u->path == '/'));
}

static void
show(const struct uri *u, char *whole, size_t cap, size_t small)
{
	char part[64];

	uri_show(u, whole, cap);
	small = 1 + small % sizeof part;
	uri_show(u, part, small);
	must(strlen(whole) < cap && strlen(part) < small && strncmp(part, whole, strlen(part)) == 0);
	must(uri_tells_secret(u) || strncmp(whole, u->text, cap - 1) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char text[8192], shown[2][8192];
	struct uri u, other;
	size_t at;

	if (n < 3 || str_copy(text, sizeof text, p + 2, n - 2) < 0)
		return 0;
	if (!get(&u, text))
		return 0;
	show(&u, shown[0], sizeof shown[0], p[0]);
	again(&u);
	look(&u);
	at = p[0] % (n - 2);
	if (text[at] == '&' || p[1] == '&' || p[1] == '\0')
		goto fail;
	text[at] = (char)p[1];
	if (get(&other, text)) {
		show(&other, shown[1], sizeof shown[1], p[0]);
		if (alike(&u, &other, 0) && !alike(&u, &other, 1))
			must(strcmp(shown[0], shown[1]) == 0);
		uri_fini(&other);
	}
fail:
	uri_fini(&u);
	return 0;
}
