#define _GNU_SOURCE /* memfd_create */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/str.h"
#include "base/url.h"
#include "check.h"

/* Where the kinds of keys say where their secret is, and the secret itself. */
static const struct {
	const char *source, *value;
} secrets[] = {
	{ "pin-source", "pin-value" },
	{ "auth-source", "auth-value" },
	{ "passphrase-source", "passphrase-value" },
};
#define SECRETS (sizeof secrets / sizeof *secrets)
static const char nothing[] = "holdfast-check-nothing", wrong[] = "holdfast-check";

static int
is_program(const char *path)
{
	char head[4] = "";
	FILE *f = fopen(path, "rbe");
	size_t n = f ? fread(head, 1, sizeof head, f) : 0, len = strlen(path);

	if (f)
		fclose(f);
	return (n == sizeof head && memcmp(head, "\177ELF", sizeof head) == 0) ||
	       (len > 3 && strcmp(path + len - 3, ".so") == 0);
}

/* A library by its bare path is that custom HSM. */
static int
take_text(struct check *c, const char *given, struct hf_error *err)
{
	struct buf b = { 0 };
	char whole[PATH_MAX];
	struct uri u;
	int rc, bare;

	if (uri_get(&u, given, err) < 0)
		return err->code;
	bare = strcmp(u.path, given) == 0;
	uri_fini(&u);
	if (!bare || !is_program(given))
		return str_set(&c->uri, given) < 0 ? err_memory(err) : 0;
	if (!realpath(given, whole))
		return err_sys(err, HF_ERR_IO, "library %s", given);
	rc = buf_puts(&b, "hsm:");
	for (const char *p = whole; *p && rc == 0; p++)
		rc = *p == '%' || *p == '?' ? buf_fmt(&b, "%%%02X", (unsigned)*p) : buf_putc(&b, (uint8_t)*p);
	if (rc == 0)
		rc = buf_str(&b) ? str_set(&c->uri, buf_str(&b)) : HF_ERR_MEMORY;
	buf_free(&b);
	return rc < 0 ? err_memory(err) : 0;
}

/* How long the URI is up to its query; a path that is kept encoded may have a ? of its own. */
static size_t
head_of(const struct uri *u)
{
	size_t n = strlen(u->scheme) + 1 + strlen(u->path);
	int kept = strcmp(u->scheme, "provider") == 0 || strcmp(u->scheme, "engine") == 0;

	return kept ? n : strcspn(u->text, "?");
}

/* The URI with this attribute in place of its secrets. */
static int
put_with_secret(struct buf *b, const struct uri *u, const char *name, const char *value)
{
	size_t head = head_of(u);
	const char *end = u->text + strlen(u->text), *at = u->text + head;
	struct url_pair p;
	char mark = '?';
	int rc = buf_put(b, u->text, head);

	at += *at == '?';

	while (rc == 0 && url_next(&at, end, &p)) {
		int secret = 0;

		for (size_t i = 0; i < SECRETS; i++)
			secret |= str_eqin(secrets[i].source, p.key, p.klen) ||
				  str_eqin(secrets[i].value, p.key, p.klen);
		if (secret)
			continue;
		rc = buf_putc(b, (uint8_t)mark);
		if (rc == 0)
			rc = buf_put(b, p.key, p.klen);
		if (rc == 0 && p.value)
			rc = buf_putc(b, '=');
		if (rc == 0 && p.value)
			rc = buf_put(b, p.value, p.vlen);
		mark = '&';
	}
	return rc < 0 ? rc : buf_fmt(b, "%c%s=%s", mark, name, value);
}

/* A file in memory, which can be read as often as it takes. */
static int
keep(int *fd, const void *p, size_t n, char *path, size_t cap, struct hf_error *err)
{
	*fd = memfd_create("secret", MFD_CLOEXEC);
	if (*fd < 0 || write(*fd, p, n) != (ssize_t)n)
		return err_sys(err, HF_ERR_IO, "cannot keep a secret in memory");
	snprintf(path, cap, "/proc/self/fd/%d", *fd);
	return 0;
}

static int
keep_secret(struct check *c, const struct uri *u, const char *name, const char *source, struct hf_error *err)
{
	struct buf secret = { 0 }, b = { 0 };
	char path[40];
	int rc = secret_get(&secret, source, "secret of the key", err);

	if (rc == 0)
		rc = keep(&c->secret, buf_data(&secret), buf_size(&secret), path, sizeof path, err);
	if (rc == 0 &&
	    (put_with_secret(&b, u, name, path) < 0 || !buf_str(&b) || str_set(&c->uri, buf_str(&b)) < 0))
		rc = err_memory(err);
	buf_free(&secret);
	buf_free(&b);
	return rc;
}

static int
is_read_once(const char *source)
{
	return source && (strncmp(source, "fd:", 3) == 0 || strcmp(source, "prompt:") == 0);
}

static int
keep_secret_of(struct check *c, const struct uri *u, struct hf_error *err)
{
	const char *source;

	if (is_read_once(uri_query(u, "parent-auth-source")))
		return err_set(err, HF_ERR_ARGS,
		    "parent-auth-source: the key is opened many times, so its parent's password has to be in a file");
	for (size_t i = 0; i < SECRETS; i++) {
		source = uri_query(u, secrets[i].source);
		if (is_read_once(source))
			return keep_secret(c, u, secrets[i].source, source, err);
	}
	return 0;
}

int
check_uri_init(struct check *c, struct hf_error *err)
{
	struct uri u;
	int rc;

	c->secret = c->wrong = -1;
	rc = take_text(c, c->asked->uri, err);
	if (rc == 0)
		rc = uri_get(&u, c->uri, err);
	if (rc < 0)
		return rc;
	rc = keep_secret_of(c, &u, err);
	uri_fini(&u);
	return rc;
}

void
check_uri_fini(struct check *c)
{
	str_free(&c->uri);
	str_free(&c->hsm);
	if (c->secret >= 0)
		close(c->secret);
	if (c->wrong >= 0)
		close(c->wrong);
}

int
check_uri_is_custom(const struct check *c)
{
	return strlen(c->uri) >= 4 && str_eqin("hsm:", c->uri, 4);
}

int
check_uri_wrong_secret(struct check *c, struct buf *b, struct hf_error *err)
{
	const char *name = NULL;
	char path[40];
	struct uri u;
	int rc = uri_get(&u, c->uri, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < SECRETS && !name; i++)
		if (uri_query(&u, secrets[i].source) || uri_query(&u, secrets[i].value))
			name = secrets[i].source;
	if (name)
		rc = keep(&c->wrong, wrong, sizeof wrong - 1, path, sizeof path, err);
	if (name && rc == 0)
		rc = put_with_secret(b, &u, name, path) == 0 && buf_str(b) ? 1 : err_memory(err);
	uri_fini(&u);
	return rc;
}

/* pkcs11: by another label; what else would name the object is left out. */
static int
put_other_object(struct buf *b, const char *path, size_t n)
{
	size_t len;
	int rc = buf_puts(b, "pkcs11:");

	for (; n > 0 && rc == 0; path += len, n -= len) {
		const char *semicolon = memchr(path, ';', n);

		len = semicolon ? (size_t)(semicolon - path) + 1 : n;
		if (strncmp(path, "object=", 7) != 0 && strncmp(path, "id=", 3) != 0)
			rc = buf_put(b, path, len);
	}
	if (rc == 0 && b->p[b->len - 1] != ';' && b->p[b->len - 1] != ':')
		rc = buf_putc(b, ';');
	return rc < 0 ? rc : buf_fmt(b, "object=%s", nothing);
}

int
check_uri_missing(const struct check *c, struct buf *b, struct hf_error *err)
{
	const char *q = strchr(c->uri, '?');
	size_t n = q ? (size_t)(q - c->uri) : strlen(c->uri);
	struct uri u;
	int rc = uri_get(&u, c->uri, err), some = 1;

	if (rc < 0)
		return rc;
	if (strcmp(u.scheme, "pkcs11") == 0)
		rc = put_other_object(b, c->uri + 7, n - 7);
	else if (strcmp(u.scheme, "tpm2") == 0 && uri_path(&u, "handle"))
		rc = buf_puts(b, "tpm2:handle=0x8101fffe");
	else if (strcmp(u.scheme, "provider") == 0 || strcmp(u.scheme, "engine") == 0)
		some = 0;
	else if ((rc = buf_put(b, c->uri, n)) == 0)
		rc = buf_fmt(b, ".%s", nothing);
	if (rc == 0 && some && q)
		rc = buf_puts(b, q);
	uri_fini(&u);
	if (rc < 0 || !buf_str(b))
		return err_memory(err);
	return some;
}
