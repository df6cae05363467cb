#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/str.h"
#include "process.h"

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hf-config-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void
kept(void **state)
{
	struct hf_error err = { 0 };
	struct config a, b;
	struct stat st;
	int lock;

	(void)state;
	config_init(&a);
	snprintf(a.data, sizeof(a.data), "%s/data", dir);
	assert_int_equal(config_open(&a, &lock, &err), 0);
	close(lock);
	assert_int_equal(stat(a.data, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(strlen(a.scope), 11);
	assert_memory_equal(a.scope, "0ne", 3);
	assert_int_equal(strlen(a.service_key), 44);
	assert_string_not_equal(a.service_key, a.hub_key);
	assert_string_equal(a.dps_name[0], DPS_HOST);
	assert_int_equal(a.hubs, 2);
	assert_string_equal(a.hub[1], "127.0.0.3");

	config_init(&b);
	snprintf(b.data, sizeof(b.data), "%s/data", dir);
	assert_int_equal(config_open(&b, &lock, &err), 0);
	close(lock);
	assert_string_equal(a.scope, b.scope);
	assert_string_equal(a.service_key, b.service_key);
	assert_string_equal(a.hub_key, b.hub_key);
	config_fini(&a);
	config_fini(&b);
}

static void
refused(void **state)
{
	static const char *bad[] = { "", "a b", "a,b", "-a", "a..b", "a.", "a/b", "hub:1", "h\xc3\xbc" };
	struct hf_error err = { 0 };
	struct config c;
	char path[CONFIG_PATH];
	int lock;

	(void)state;
	config_init(&c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(config_add_hub(&c, bad[i], &(struct hf_error){ 0 }), HF_ERR_ARGS);
	assert_int_equal(config_add_hub(&c, "Hub.Localhost", &err), 0);
	assert_int_equal(config_add_hub(&c, "hub.localhost", &err), 0);
	assert_int_equal(c.hubs, 1);
	assert_string_equal(c.hub[0], "hub.localhost");
	for (int i = 1; i < MAX_NAMES; i++) {
		snprintf(path, sizeof(path), "hub%d", i);
		assert_int_equal(config_add_hub(&c, path, &err), 0);
	}
	assert_int_equal(config_add_hub(&c, "one.more", &err), HF_ERR_ARGS);

	memset(&err, 0, sizeof(err));
	snprintf(c.data, sizeof(c.data), "%s", dir);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(config_open(&c, &lock, &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "chmod 700"));
	assert_int_equal(lock, -1);
	assert_int_equal(chmod(dir, 0700), 0);

	memset(&err, 0, sizeof(err));
	config_path(&c, "config.json", path);
	assert_int_equal(file_replace(path, "{\"scope\":\"0ne1\"}", 16, "test", &err), 0);
	assert_int_equal(config_open(&c, &lock, &err), HF_ERR_STATE);
	config_fini(&c);
}

static void
locked(void **state)
{
	struct hf_error err = { 0 };
	struct config c;
	int lock, status;
	pid_t child;

	(void)state;
	config_init(&c);
	snprintf(c.data, sizeof(c.data), "%s", dir);
	assert_int_equal(config_open(&c, &lock, &err), 0);
	if ((child = fork()) == 0) {
		int second;

		_exit(config_open(&c, &second, &err) == HF_ERR_STATE && strstr(err.text, "process ") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(lock);
	config_fini(&c);
}

static void
the_nearest_is_a_hub(void **state)
{
	struct hf_error err = { 0 };
	struct config c;
	int lock;

	(void)state;
	config_init(&c);
	snprintf(c.data, sizeof(c.data), "%s/data", dir);
	strcpy(c.nearest, "127.0.0.4");
	assert_int_equal(config_open(&c, &lock, &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "127.0.0.4"));
	strcpy(c.nearest, "127.0.0.3");
	err = (struct hf_error){ 0 };
	assert_int_equal(config_open(&c, &lock, &err), 0);
	close(lock);
	config_fini(&c);
}

static void
addresses(void **state)
{
	struct config c;

	(void)state;
	config_init(&c);
	assert_string_equal(config_address(&c, "127.0.0.2"), "127.0.0.2");
	assert_string_equal(config_address(&c, "hub.localhost"), "127.0.0.1");
	assert_string_equal(config_address(&c, "10.0.0.1"), "127.0.0.1");
	str_fmt(c.bind, sizeof(c.bind), "0.0.0.0");
	assert_string_equal(config_address(&c, "127.0.0.2"), "127.0.0.2");
	assert_string_equal(config_address(&c, "hub.localhost"), "127.0.0.1");
	str_fmt(c.bind, sizeof(c.bind), "10.1.2.3");
	assert_string_equal(config_address(&c, "127.0.0.2"), "10.1.2.3");
	assert_int_equal(config_is_loopback("127.9.9.9"), 1);
	assert_int_equal(config_is_loopback("::1"), 1);
	assert_int_equal(config_is_loopback("128.0.0.1"), 0);
	config_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kept, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(locked, setup, teardown),
		cmocka_unit_test_setup_teardown(the_nearest_is_a_hub, setup, teardown),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
