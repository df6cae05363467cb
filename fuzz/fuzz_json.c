/* JSON from outside: what js_parse() takes, js_put() writes so that it reads back equal, and again to the same text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static json_t *
say_and_hear(const json_t *v, struct buf *text)
{
	struct hf_error err = { 0 };
	json_t *heard;

	must(js_put(text, v) == 0);
	heard = js_parse(buf_data(text), buf_size(text), "our own text", &err);
	must(heard != NULL && json_equal(v, heard));
	return heard;
}

/* What is asked of an object by key; a value of another type is none. */
static void
ask(const json_t *o)
{
	const json_t *v = js_get(o, "k");
	const char *s = js_str(o, "k", NULL);

	must(v == NULL || v == json_object_get(o, "k"));
	must((s != NULL) == json_is_string(v));
	must(js_int(o, "k", 7) == (json_is_integer(v) ? json_integer_value(v) : 7));
	must(js_bool(o, "k", 2) == (json_is_boolean(v) ? json_is_true(v) : 2));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct hf_error err = { 0 };
	struct buf text = { 0 }, again = { 0 };
	json_t *v = js_parse(p, n, "input", &err), *heard;

	must((v == NULL) == (err.code != 0));
	if (v == NULL)
		return 0;
	ask(v);
	heard = say_and_hear(v, &text);
	must(js_put(&again, heard) == 0);
	must(buf_size(&text) == buf_size(&again) &&
	     memcmp(buf_data(&text), buf_data(&again), buf_size(&text)) == 0);
	json_decref(v);
	js_forget(heard);
	buf_free(&text);
	buf_free(&again);
	return 0;
}
