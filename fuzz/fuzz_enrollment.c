/*
 * What an owner puts. The first byte is g for a group, the rest of its line the id; the next line is what is put, and the
 * one after that what is put over it. What is stored must be the same when it is put as it is shown.
 */
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char hub[] = "hub.example";
static const struct config conf = { .hub = { hub }, .hubs = 1 };

static void
must(int truth)
{
	if (!truth)
		abort();
}

static struct mqtt_text
line(struct mqtt_text *rest)
{
	const char *stop = memchr(rest->p, '\n', rest->len);
	struct mqtt_text first = { rest->p, stop == NULL ? rest->len : (size_t)(stop - rest->p) };

	rest->p += stop == NULL ? first.len : first.len + 1;
	rest->len -= stop == NULL ? first.len : first.len + 1;
	return first;
}

/* Stored, or NULL. */
static json_t *
put(int group, const char *id, struct mqtt_text text, const json_t *old)
{
	struct hf_error e = { 0 };
	json_t *in = js_parse(text.p, text.len, "input", &e), *out;
	int r;

	if (in == NULL)
		return NULL;
	r = enrollment_read(&conf, group, id, in, old, &out, &e);
	must(r == 0 ? out != NULL && e.code == 0 : out == NULL && e.code == r && e.status == 400);
	json_decref(in);
	return out;
}

static void
show(int group, const char *id, const json_t *stored)
{
	json_t *shown = enrollment_show(stored), *again;
	struct hf_error e = { 0 };
	X509 *cert;

	must(shown != NULL && enrollment_read(&conf, group, id, shown, stored, &again, &e) == 0);
	must(json_equal(stored, again));
	json_decref(shown);
	json_decref(again);
	if (enrollment_certificate(stored, "primary", &cert))
		X509_free(cert);
	if (enrollment_certificate(stored, "secondary", &cert))
		X509_free(cert);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct mqtt_text rest = { (const char *)p + 1, n - 1 }, name;
	json_t *first, *second;
	char id[256];
	int group;

	if (n == 0)
		return 0;
	group = p[0] == 'g';
	name = line(&rest);
	if (str_copy(id, sizeof id, name.p, name.len) < 0)
		return 0;
	first = put(group, id, line(&rest), NULL);
	if (first == NULL)
		return 0;
	show(group, id, first);
	second = put(group, id, rest, first);
	if (second != NULL)
		show(group, id, second);
	json_decref(first);
	json_decref(second);
	return 0;
}
