#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "holdfast.h"

static void
sets_and_frees(void **state)
{
	char *s = NULL;

	(void)state;
	assert_int_equal(str_set(&s, "one"), 0);
	assert_string_equal(s, "one");
	assert_int_equal(str_set(&s, s + 1), 0);
	assert_string_equal(s, "ne");
	assert_int_equal(str_set(&s, NULL), 0);
	assert_null(s);
	assert_int_equal(str_set(&s, ""), 0);
	assert_string_equal(s, "");
	str_free(&s);
	assert_null(s);
	str_free(&s);
}

static void
formats_or_leaves_nothing(void **state)
{
	char s[6] = "xxxxx";

	(void)state;
	assert_int_equal(str_fmt(s, sizeof s, "%d", 12345), 0);
	assert_string_equal(s, "12345");
	assert_int_equal(str_fmt(s, sizeof s, "%d", 123456), HF_ERR_ARGS);
	assert_string_equal(s, "");
	assert_int_equal(str_fmt(s, 0, "%d", 1), HF_ERR_ARGS);
}

static void
copies_or_leaves_nothing(void **state)
{
	char s[4] = "xxx";

	(void)state;
	assert_int_equal(str_copy(s, sizeof s, "abcdef", 3), 0);
	assert_string_equal(s, "abc");
	assert_int_equal(str_copy(s, sizeof s, "abcd", 4), HF_ERR_ARGS);
	assert_string_equal(s, "");
	assert_int_equal(str_copy(s, sizeof s, "a\0b", 3), HF_ERR_ARGS);
	assert_string_equal(s, "");
	assert_int_equal(str_copy(s, sizeof s, NULL, 0), 0);
	assert_string_equal(s, "");
	assert_int_equal(str_copy(s, 0, "", 0), HF_ERR_ARGS);
}

static void
compares_without_case(void **state)
{
	(void)state;
	assert_true(str_eqi("Content-Length", "content-lengTH"));
	assert_true(str_eqi("", ""));
	assert_false(str_eqi("a", ""));
	assert_false(str_eqi("", "a"));
	assert_false(str_eqi("ab", "abc"));
	assert_false(str_eqi("@", "`"));
	assert_false(str_eqi("[", "{"));
	assert_false(str_eqi("\xc4", "\xe4"));
	assert_true(str_eqin("Host", "HOST: x", 4));
	assert_false(str_eqin("Host", "HOST: x", 3));
	assert_false(str_eqin("Host", "HOST: x", 5));
	assert_false(str_eqin("ab", "ab\0", 3));
}

static void
reads_numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616",
		"x" };
	uint64_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(str_u64(bad[i], strlen(bad[i]), UINT64_MAX, &v), HF_ERR_ARGS);
	assert_int_equal(v, 7);
	assert_int_equal(str_u64("18446744073709551615", 20, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_u64("65535", 5, 65535, &v), 0);
	assert_int_equal(v, 65535);
	assert_int_equal(str_u64("65536", 5, 65535, &v), HF_ERR_ARGS);
	assert_int_equal(str_u64("00080", 5, 80, &v), 0);
	assert_int_equal(v, 80);
	assert_int_equal(str_u64("5", 1, 3, &v), HF_ERR_ARGS);
	assert_int_equal(str_u64("3", 1, 3, &v), 0);
	assert_int_equal(str_u64("0", 1, 0, &v), 0);
	assert_int_equal(v, 0);
}

static void
reads_host_and_port(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
	} good[] = {
		{ "hub.example.net", "hub.example.net", 1 },
		{ "hub.example.net:8883", "hub.example.net", 8883 },
		{ "127.0.0.1:0", "127.0.0.1", 0 },
		{ "localhost:65535", "localhost", 65535 },
		{ "[::1]", "::1", 1 },
		{ "[::1]:443", "::1", 443 },
		{ "[fe80::1%eth0]:443", "fe80::1%eth0", 443 },
	};
	static const char *const bad[] = { "", ":", ":80", "host:", "host:65536", "host:80x", "host:-1",
		"::1", "::1:80", "[::1", "[::1]80", "[::1]:", "[]:80", "[host]:80", "[:[]:80", "ho st",
		"host/x", "user@host", "host\r\nX: y", "https://host", "host]", "host?x", "host#x",
		"0123456789012345678901234567890123" };
	char host[32];
	uint16_t port;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		port = 1;
		assert_int_equal(str_host_port(good[i].text, host, sizeof host, &port), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
	strcpy(host, "before");
	port = 1;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(str_host_port(bad[i], host, sizeof host, &port), HF_ERR_ARGS);
		assert_string_equal(host, "before");
		assert_int_equal(port, 1);
	}
}

static void
knows_registration_ids(void **state)
{
	static const char *const bad[] = { "", ".", "a.", "a_", "a:", "a b", "a/b", "a+", "\xc3\xa4", "a\n" };
	char s[130];
	size_t i;

	(void)state;
	assert_true(str_is_registration_id("a"));
	assert_true(str_is_registration_id("-"));
	assert_true(str_is_registration_id("Line-7.press_3:A-"));
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(str_is_registration_id(bad[i]));
	memset(s, 'x', sizeof s);
	s[128] = '\0';
	assert_true(str_is_registration_id(s));
	s[128] = 'x';
	s[129] = '\0';
	assert_false(str_is_registration_id(s));
}

static void
writes_hex(void **state)
{
	char s[9];

	(void)state;
	str_hex(s, "\x00\x9f\xa0\xff", 4);
	assert_string_equal(s, "009FA0FF");
	str_hex(s, NULL, 0);
	assert_string_equal(s, "");
}

static void
makes_plain(void **state)
{
	char s[] = "a\tb\r\nc\x1b[1m\x7f\xc3\xa9 ~";

	(void)state;
	str_plain(s);
	assert_string_equal(s, "a b  c [1m \xc3\xa9 ~");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_and_frees),
		cmocka_unit_test(formats_or_leaves_nothing),
		cmocka_unit_test(copies_or_leaves_nothing),
		cmocka_unit_test(compares_without_case),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(reads_host_and_port),
		cmocka_unit_test(knows_registration_ids),
		cmocka_unit_test(writes_hex),
		cmocka_unit_test(makes_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
