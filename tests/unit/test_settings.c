#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "settings.h"

static struct hf_error err;

static const char *const name[] = { "id-scope", "endpoint", "connect", "transport", "hub-transport", "proxy",
	"proxy-auth-file", "poll", "early", "trust", "registration-id", "state", "payload", "timeout", "hub",
	"device-id", "tpm", "cert", "key", "symmetric-key", "group-key", "hsm", "ek-handle", "srk-handle",
	"key-handle", "owner-auth-file", "endorsement-auth-file", "ek-template", "force" };
#define COUNT (sizeof name / sizeof name[0])

static const char *
value_of(size_t i)
{
	if (strcmp(name[i], "connect") == 0)
		return "a:1=b:2";
	if (strcmp(name[i], "transport") == 0)
		return "http";
	if (strcmp(name[i], "hub-transport") == 0)
		return "mqtt-ws,mqtt";
	if (strcmp(name[i], "proxy") == 0)
		return "http://p:1";
	if (strcmp(name[i], "payload") == 0)
		return "{}";
	return strcmp(name[i], "timeout") == 0 || strcmp(name[i], "poll") == 0 ? "5" : name[i];
}

static int
set(struct settings *s, const char *n, const char *v)
{
	err_clear(&err);
	return settings_set(s, n, v, &err);
}

static void
every_name_has_a_place_of_its_own(void **state)
{
	struct settings s = { 0 }, copy = { 0 }, empty = { 0 };

	(void)state;
	assert_int_equal(sizeof s / sizeof(char *), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(set(&s, name[i], value_of(i)), 0);
	assert_string_equal(s.id_scope, "id-scope");
	assert_string_equal(s.connect, "a:1=b:2");
	assert_string_equal(s.tpm, "tpm");
	assert_string_equal(s.force, "force");
	assert_string_equal(s.endorsement_auth_file, "endorsement-auth-file");
	assert_int_equal(settings_copy(&copy, &s), 0);
	settings_fini(&s);
	assert_memory_equal(&s, &empty, sizeof s);
	assert_string_equal(copy.id_scope, "id-scope");
	assert_string_equal(copy.ek_template, "ek-template");
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(set(&copy, name[i], NULL), 0);
	assert_memory_equal(&copy, &empty, sizeof copy);
}

static void
a_new_value_replaces_the_old(void **state)
{
	struct settings s = { 0 };

	(void)state;
	assert_int_equal(set(&s, "hub", "a"), 0);
	assert_int_equal(set(&s, "hub", "b"), 0);
	assert_string_equal(s.hub, "b");
	assert_int_equal(set(&s, "transport", "http"), 0);
	assert_int_equal(set(&s, "transport", "ftp"), HF_ERR_ARGS);
	assert_string_equal(s.transport, "http");
	settings_fini(&s);
}

static void
unknown_names_are_refused(void **state)
{
	static const char *const bad[] = { "", "Hub", "hub ", "id_scope", "id-scop", "id-scopes" };
	struct settings s = { 0 }, empty = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(set(&s, bad[i], "x"), HF_ERR_ARGS);
		assert_non_null(strstr(err.text, "holdfast(1)"));
	}
	assert_memory_equal(&s, &empty, sizeof s);
}

static void
values_that_cannot_be_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "transport", "" },
		{ "transport", "MQTT" },
		{ "transport", "mqtt," },
		{ "transport", "mqtt,mqtt" },
		{ "hub-transport", "mqtt;http" },
		{ "proxy", "p:1:2" },
		{ "timeout", "" },
		{ "timeout", "0" },
		{ "timeout", "-1" },
		{ "timeout", "1.5" },
		{ "timeout", "1000001" },
		{ "timeout", "60s" },
		{ "poll", "0" },
		{ "payload", "" },
		{ "payload", "{" },
		{ "payload", "{\"a\":1,\"a\":2}" },
		{ "payload", "{} {}" },
		{ "connect", "" },
		{ "connect", "a" },
		{ "connect", "a:1" },
		{ "connect", "a:1=b" },
	};
	static const char *const good[][2] = {
		{ "transport", "mqtt" },
		{ "transport", "http,mqtt-ws,mqtt" },
		{ "hub-transport", "mqtt-ws,http" },
		{ "proxy", "" },
		{ "timeout", "1" },
		{ "timeout", "1000000" },
		{ "payload", "3" },
		{ "payload", "[{\"a\":null}]" },
		{ "connect", "a:1=b:2,:=127.0.0.1:" },
		{ "tpm", "" },
	};
	struct settings s = { 0 }, empty = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(set(&s, bad[i][0], bad[i][1]), HF_ERR_ARGS);
		assert_true(err.text[0] != '\0');
	}
	assert_memory_equal(&s, &empty, sizeof s);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_int_equal(set(&s, good[i][0], good[i][1]), 0);
	settings_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_has_a_place_of_its_own),
		cmocka_unit_test(a_new_value_replaces_the_old),
		cmocka_unit_test(unknown_names_are_refused),
		cmocka_unit_test(values_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
