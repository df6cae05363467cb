#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <locale.h>

#include "base/json.h"

static void
assert_again(const char *text, const char *want)
{
	struct hf_error e = { 0 };
	struct buf b = { 0 };
	json_t *v = js_parse(text, strlen(text), "text", &e);

	assert_non_null(v);
	assert_int_equal(js_put(&b, v), 0);
	assert_string_equal(buf_str(&b), want);
	json_decref(v);
	buf_free(&b);
}

static void
keeps_order_and_types(void **state)
{
	(void)state;
	assert_again("{ \"z\": 1, \"a\": [true, false, null, \"x\", {}, []], \"m\": { \"k\": -0.5 } }",
	    "{\"z\":1,\"a\":[true,false,null,\"x\",{},[]],\"m\":{\"k\":-0.5}}");
	assert_again(
	    "[9223372036854775807,-9223372036854775808,0]", "[9223372036854775807,-9223372036854775808,0]");
	assert_again("\"alone\"", "\"alone\"");
	assert_again(" 7\n", "7");
}

static void
writes_reals_short_and_true(void **state)
{
	(void)state;
	assert_again("[0.1,21.7,1.0,-0.0,100.0]", "[0.1,21.7,1.0,-0.0,100.0]");
	assert_again("[0.30000000000000004,3.141592653589793]", "[0.30000000000000004,3.141592653589793]");
	assert_again("[1.7976931348623157e308,1e22,4.94065645841247e-324]",
	    "[1.7976931348623157e308,1e22,4.94065645841247e-324]");
}

static void
writes_reals_in_any_locale(void **state)
{
	(void)state;
	if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
		skip();
	assert_again("[21.7]", "[21.7]");
	setlocale(LC_NUMERIC, "C");
}

static void
escapes_what_it_must(void **state)
{
	(void)state;
	assert_again("{\"q\\\"\\\\k\":\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\/\\u00e9\xe2\x82\xac\"}",
	    "{\"q\\\"\\\\k\":\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\xc3\xa9\xe2\x82\xac\"}");
}

static void
writes_a_nul_inside_a_string(void **state)
{
	json_t *v = json_stringn("a\0b", 3);
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(js_put(&b, v), 0);
	assert_string_equal(buf_str(&b), "\"a\\u0000b\"");
	json_decref(v);
	buf_free(&b);
}

static void
takes_nothing_for_no_memory(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_puts(&b, "kept"), 0);
	assert_int_equal(js_put(&b, NULL), HF_ERR_MEMORY);
	assert_string_equal(buf_str(&b), "kept");
	buf_free(&b);
}

static void
refuses_what_is_not_json(void **state)
{
	static const char *const bad[] = { " ", "{", "{\"a\":1", "{\"a\":1}x", "{\"a\":1,}", "{a:1}", "[01]",
		"[1.]", "tru", "[\"\\u0000\"]", "[\"\xff\"]", "{\"a\":1,\"a\":2}", "[9223372036854775808]",
		"[1e999]", "'a'", "NaN" };
	struct hf_error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		err_clear(&e);
		assert_null(js_parse(bad[i], strlen(bad[i]), "DPS's answer", &e));
		assert_int_equal(e.code, HF_ERR_PROTOCOL);
		assert_non_null(strstr(e.text, "DPS's answer is not JSON: line 1"));
	}
	err_clear(&e);
	assert_null(js_parse(NULL, 0, "DPS's answer", &e));
	assert_int_equal(e.code, HF_ERR_PROTOCOL);
	err_clear(&e);
	assert_null(js_parse("{}\0", 3, "DPS's answer", &e));
	assert_int_equal(e.code, HF_ERR_PROTOCOL);
}

static void
does_not_quote_a_secret(void **state)
{
	static const char text[] = "{\"primaryKey\" \"c2VjcmV0\"}";
	struct hf_error e = { 0 };

	(void)state;
	assert_null(js_parse(text, strlen(text), "answer", &e));
	assert_null(strstr(e.text, "c2VjcmV0"));
}

static void
survives_deep_nesting(void **state)
{
	enum { DEEP = 100000 };
	struct hf_error e = { 0 };
	char *s = malloc(DEEP);

	(void)state;
	assert_non_null(s);
	memset(s, '[', DEEP);
	assert_null(js_parse(s, DEEP, "text", &e));
	assert_int_equal(e.code, HF_ERR_PROTOCOL);
	free(s);
}

static void
lends_members(void **state)
{
	static const char text[] =
	    "{\"s\":\"x\",\"i\":5,\"r\":1.5,\"t\":true,\"f\":false,\"n\":null,\"o\":{\"k\":1},\"a\":[1]}";
	struct hf_error e = { 0 };
	json_t *o = js_parse(text, strlen(text), "text", &e);

	(void)state;
	assert_non_null(o);
	assert_string_equal(js_str(o, "s", "d"), "x");
	assert_string_equal(js_str(o, "i", "d"), "d");
	assert_null(js_str(o, "none", NULL));
	assert_int_equal(js_int(o, "i", -1), 5);
	assert_int_equal(js_int(o, "r", -1), -1);
	assert_int_equal(js_int(o, "s", -1), -1);
	assert_int_equal(js_int(js_get(o, "o"), "k", -1), 1);
	assert_int_equal(js_bool(o, "t", -1), 1);
	assert_int_equal(js_bool(o, "f", -1), 0);
	assert_int_equal(js_bool(o, "i", -1), -1);
	assert_int_equal(json_array_size(js_get(o, "a")), 1);
	assert_null(js_get(o, "n"));
	assert_null(js_get(o, "none"));
	assert_null(js_get(NULL, "none"));
	assert_int_equal(js_int(js_get(o, "a"), "k", -1), -1);
	json_decref(o);
}

static void
forgets_secrets(void **state)
{
	json_t *secret = json_string("hunter2"), *kept = json_string("open");
	json_t *v = json_pack("{s:O, s:[O, i], s:n}", "key", secret, "keys", secret, 1, "none");

	(void)state;
	js_forget(v);
	js_forget(NULL);
	assert_memory_equal(json_string_value(secret), "\0\0\0\0\0\0\0", 7);
	assert_string_equal(json_string_value(kept), "open");
	json_decref(secret);
	json_decref(kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_and_types),
		cmocka_unit_test(writes_reals_short_and_true),
		cmocka_unit_test(writes_reals_in_any_locale),
		cmocka_unit_test(escapes_what_it_must),
		cmocka_unit_test(writes_a_nul_inside_a_string),
		cmocka_unit_test(takes_nothing_for_no_memory),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(does_not_quote_a_secret),
		cmocka_unit_test(survives_deep_nesting),
		cmocka_unit_test(lends_members),
		cmocka_unit_test(forgets_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
