#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "hsm/uri.h"

static struct hf_error err;
static char said[2048];

static struct uri
get(const char *text)
{
	struct uri u;

	err_clear(&err);
	if (uri_get(&u, text, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return u;
}

static void
takes_apart(void **state)
{
	static const struct {
		const char *text, *scheme, *path, *name, *value;
	} is[] = {
		{ "/etc/k.pem", "file", "/etc/k.pem", NULL, NULL },
		{ "odd?name%.pem", "file", "odd?name%.pem", NULL, NULL },
		{ "./a:b", "file", "./a:b", NULL, NULL },
		{ "FILE:a%20b.pem?passphrase-source=%2Fp", "file", "a b.pem", "passphrase-source", "/p" },
		{ "tpm2:handle=0x81000201?tcti=swtpm:path=/run/t.sock&auth-source=/a", "tpm2",
		    "handle=0x81000201", "tcti", "swtpm:path=/run/t.sock" },
		{ "pkcs11:token=a%20b;object=c?module-path=/m.so", "pkcs11", "token=a%20b;object=c",
		    "module-path", "/m.so" },
		{ "provider:tpm2:handle:0x81000201", "provider", "tpm2:handle:0x81000201", NULL, NULL },
		{ "engine:zymkey_ssl", "engine", "zymkey_ssl", NULL, NULL },
		{ "engine:pkcs11:pkcs11:token=a?x=1?so-path=/e.so&pin-source=/p", "engine",
		    "pkcs11:pkcs11:token=a?x=1", "pin-source", "/p" },
		{ "provider:tpm2:handle:1?auth-value=a", "provider", "tpm2:handle:1", "auth-value", "a" },
		{ "hsm:", "hsm", "", NULL, NULL },
		{ "hsm:/v/lib.so?type=x509&engine=e", "hsm", "/v/lib.so", "engine", "e" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
		struct uri u = get(is[i].text);

		assert_string_equal(u.scheme, is[i].scheme);
		assert_string_equal(u.path, is[i].path);
		if (is[i].name)
			assert_string_equal(uri_query(&u, is[i].name), is[i].value);
		else
			assert_int_equal(u.count, 0);
		uri_fini(&u);
	}
}

static void
names_within_the_path(void **state)
{
	struct uri u = get("tpm2:handle=0x81000201");

	(void)state;
	assert_string_equal(uri_path(&u, "handle"), "0x81000201");
	assert_null(uri_path(&u, "file"));
	assert_null(uri_path(&u, "hand"));
	uri_fini(&u);
}

static void
refuses(void **state)
{
	static const struct {
		const char *text, *words;
	} is[] = { { "", "empty" }, { "vault:x", "\"vault:\"" }, { "file:a%zz", "hexadecimal" },
		{ "file:a%00b", "zero" }, { "tpm2:handle=1?a=%", "hexadecimal" },
		{ "tpm2:handle=1?auth%2Dvalue=a", "without any %" },
		{ "hsm:?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", "more than 16" } };
	struct uri u;

	(void)state;
	for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
		err_clear(&err);
		assert_true(uri_get(&u, is[i].text, &err) < 0);
		if (!strstr(err.text, is[i].words))
			fail_msg("\"%s\" does not say \"%s\"", err.text, is[i].words);
	}
}

static void
hides_secrets(void **state)
{
	static const struct {
		const char *text, *shown;
	} is[] = {
		{ "pkcs11:token=a?pin-value=1234&module-path=/m",
		    "pkcs11:token=a?pin-value=...&module-path=/m" },
		{ "engine:pkcs11:pkcs11:token=a;pin-value=1234;object=b",
		    "engine:pkcs11:pkcs11:token=a;pin-value=...;object=b" },
		{ "tpm2:handle=0x81000201?auth-value=geheim", "tpm2:handle=0x81000201?auth-value=..." },
		{ "tpm2:handle=1?auth-value=a?b;c&tcti=d", "tpm2:handle=1?auth-value=...&tcti=d" },
		{ "provider:tpm2:handle:1?auth-value=a;b?c", "provider:tpm2:handle:1?auth-value=..." },
		{ "/etc/k.pem", "/etc/k.pem" },
	};
	char shown[200];

	(void)state;
	for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
		struct uri u = get(is[i].text);

		uri_show(&u, shown, sizeof shown);
		assert_string_equal(shown, is[i].shown);
		assert_int_equal(uri_tells_secret(&u), strstr(is[i].text, "-value=") != NULL);
		for (size_t cap = 1; cap < 60; cap++) {
			uri_show(&u, shown, cap);
			assert_true(strlen(shown) < cap);
		}
		uri_fini(&u);
	}
}

static void
attributes(void **state)
{
	static const char *const names[] = { "tcti", "auth-source", NULL };
	struct uri u = get("tpm2:handle=1?tcti=a&auth-surce=b");

	(void)state;
	assert_int_equal(uri_only(&u, names, &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "auth-surce"));
	uri_fini(&u);
	err_clear(&err);
	assert_int_equal(uri_absolute("/lib/x.so", "module", &err), 0);
	assert_int_equal(uri_absolute("x.so", "module", &err), HF_ERR_ARGS);
}

/* secret.c */

static void
write_file(char *path, const char *text, size_t n)
{
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, n), (ssize_t)n);
	close(fd);
}

static void
is_secret(const char *source, const char *text)
{
	struct buf b = { 0 };

	err_clear(&err);
	if (secret_get(&b, source, "PIN", &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_str(&b), text);
	buf_free(&b);
}

static void
no_secret(const char *source, int code, const char *words)
{
	struct buf b = { 0 };

	err_clear(&err);
	assert_int_equal(secret_get(&b, source, "PIN of token t", &err), code);
	assert_int_equal(buf_size(&b), 0);
	if (!strstr(err.text, words) || !strstr(err.text, "PIN of token t"))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	buf_free(&b);
}

static void
secrets(void **state)
{
	char file[] = "/tmp/holdfast-secret-XXXXXX", odd[] = "/tmp/holdfast-secret-XXXXXX", text[100];
	int fd[2];

	(void)state;
	write_file(file, "1234\n", 5);
	write_file(odd, "12\0", 3);
	is_secret(file, "1234");
	snprintf(text, sizeof text, "file:%s", file);
	is_secret(text, "1234");
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "9876", 4), 4);
	close(fd[1]);
	snprintf(text, sizeof text, "fd:%d", fd[0]);
	is_secret(text, "9876");
	close(fd[0]);
	setenv("CREDENTIALS_DIRECTORY", "/tmp", 1);
	snprintf(text, sizeof text, "cred:%s", strrchr(file, '/') + 1);
	is_secret(text, "1234");
	no_secret("cred:../etc/passwd", HF_ERR_ARGS, "not the name");
	unsetenv("CREDENTIALS_DIRECTORY");
	no_secret("cred:pin", HF_ERR_ARGS, "LoadCredential");
	no_secret("fd:x", HF_ERR_ARGS, "file descriptor");
	no_secret("fd:987", HF_ERR_IO, "/dev/fd/987");
	no_secret("/nonexistent/pin", HF_ERR_IO, "/nonexistent/pin");
	no_secret("|cat /etc/pin", HF_ERR_UNSUPPORTED, "not run");
	no_secret(odd, HF_ERR_ARGS, "zero byte");
	unlink(file);
	unlink(odd);
}

static void
hear(void *ctx, const char *line)
{
	(void)ctx;
	snprintf(said, sizeof said, "%s", line);
}

static void
secrets_of_uris(void **state)
{
	const struct log log = { hear, NULL };
	struct uri u = get("pkcs11:token=a?pin-value=1234");
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(secret_of_uri(&b, &u, "pin-source", "pin-value", "PIN", &log, &err), 1);
	assert_string_equal(buf_str(&b), "1234");
	assert_non_null(strstr(said, "pin-source=FILE"));
	assert_null(strstr(said, "1234"));
	buf_free(&b);
	uri_fini(&u);
	u = get("pkcs11:token=a");
	assert_int_equal(secret_of_uri(&b, &u, "pin-source", "pin-value", "PIN", &log, &err), 0);
	uri_fini(&u);
	u = get("pkcs11:token=a?pin-value=1&pin-source=/x");
	assert_int_equal(secret_of_uri(&b, &u, "pin-source", "pin-value", "PIN", &log, &err), HF_ERR_ARGS);
	uri_fini(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(takes_apart),
		cmocka_unit_test(names_within_the_path), cmocka_unit_test(refuses),
		cmocka_unit_test(hides_secrets), cmocka_unit_test(attributes), cmocka_unit_test(secrets),
		cmocka_unit_test(secrets_of_uris) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
