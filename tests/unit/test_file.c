#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char home[] = "/tmp/holdfast-file-XXXXXX";

static int
enter_folder(void **state)
{
	(void)state;
	return mkdtemp(home) == NULL || chdir(home) < 0 ? -1 : 0;
}

static int
leave_folder(void **state)
{
	(void)state;
	unlink("f");
	return chdir("/") < 0 || rmdir(home) < 0 ? -1 : 0; /* fails when a test has left something */
}

static void
assert_file(const char *path, const char *want)
{
	struct hf_error e = { 0 };
	struct buf b = { 0 };

	assert_int_equal(file_read(&b, path, 1000, "file", &e), 0);
	assert_string_equal(buf_str(&b), want);
	buf_free(&b);
}

static int
files_here(void)
{
	DIR *d = opendir(".");
	int n = -2; /* . and .. */

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
replaces_whole_files(void **state)
{
	struct hf_error e = { 0 };
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	assert_false(file_exists("f"));
	assert_int_equal(file_replace("f", "first", 5, "state file", &e), 0);
	assert_true(file_exists("f"));
	assert_file("f", "first");
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod("f", 0644), 0);
	snprintf(path, sizeof path, "%s/f", home);
	assert_int_equal(file_replace(path, "2", 1, "state file", &e), 0);
	assert_file("f", "2");
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_replace("./f", NULL, 0, "state file", &e), 0);
	assert_file("f", "");
	assert_int_equal(files_here(), 1);
	assert_int_equal(e.code, 0);
}

static void
keeps_the_old_file_when_the_disk_is_full(void **state)
{
	struct rlimit before, small = { 0 };
	struct hf_error e = { 0 };
	int r;

	(void)state;
	assert_int_equal(file_replace("f", "old", 3, "state file", &e), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	small.rlim_max = before.rlim_max;
	small.rlim_cur = 4; /* the first write is a short one, the second fails */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = file_replace("f", "new and longer", 14, "state file", &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(r, HF_ERR_IO);
	assert_string_equal(e.text, "cannot write state file f: File too large");
	assert_file("f", "old");
	assert_int_equal(files_here(), 1);
}

static void
keeps_the_old_thing_when_it_cannot_be_replaced(void **state)
{
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(file_replace("f", "old", 3, "state file", &e), 0);
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(file_replace("d", "new", 3, "state file", &e), HF_ERR_IO);
	assert_string_equal(e.text, "cannot write state file d: Is a directory");
	assert_int_equal(files_here(), 2);
	assert_int_equal(rmdir("d"), 0);
}

static void
says_which_folder_is_missing(void **state)
{
	struct hf_error e = { 0 };
	char path[PATH_MAX + 10];

	(void)state;
	assert_int_equal(file_replace("no/such", "x", 1, "state file", &e), HF_ERR_IO);
	assert_string_equal(
	    e.text, "cannot open the folder of state file no/such: No such file or directory");
	err_clear(&e);
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(file_replace(path, "x", 1, "state file", &e), HF_ERR_ARGS);
}

static void
is_not_stopped_by_what_a_crash_left(void **state)
{
	struct hf_error e = { 0 };
	char name[64];
	unsigned i;
	int fd;

	(void)state;
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "f.%ld-%u", (long)getpid(), i);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "torn", 4), 4);
		close(fd);
	}
	assert_int_equal(file_replace("f", "whole", 5, "state file", &e), 0);
	assert_file("f", "whole");
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "f.%ld-%u", (long)getpid(), i);
		unlink(name);
	}
}

static void
reads_up_to_the_limit(void **state)
{
	struct hf_error e = { 0 };
	struct buf b = { 0 };
	char big[9000];

	(void)state;
	memset(big, 'b', sizeof big);
	assert_int_equal(file_replace("f", big, sizeof big, "key file", &e), 0);
	assert_int_equal(buf_puts(&b, "kept"), 0);
	assert_int_equal(file_read(&b, "f", sizeof big - 1, "key file", &e), HF_ERR_ARGS);
	assert_string_equal(e.text, "key file f is larger than 8999 bytes: is it the right file?");
	assert_string_equal(buf_str(&b), "kept");
	err_clear(&e);
	assert_int_equal(file_read(&b, "f", sizeof big, "key file", &e), 0);
	assert_int_equal(buf_size(&b), 4 + sizeof big);
	assert_memory_equal(buf_data(&b) + 4, big, sizeof big);
	buf_free(&b);
}

static void
says_why_it_cannot_read(void **state)
{
	struct hf_error e = { 0 };
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(file_read(&b, "none", 10, "key file", &e), HF_ERR_IO);
	assert_string_equal(e.text, "cannot open key file none: No such file or directory");
	err_clear(&e);
	assert_int_equal(file_read(&b, ".", 10, "key file", &e), HF_ERR_IO);
	assert_string_equal(e.text, "cannot read key file .: Is a directory");
	assert_int_equal(buf_size(&b), 0);
	buf_free(&b);
}

static void
reads_standard_input(void **state)
{
	struct hf_error e = { 0 };
	struct buf b = { 0 };
	int pair[2], before = dup(STDIN_FILENO);

	(void)state;
	assert_true(before >= 0);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], "piped", 5), 5);
	close(pair[1]);
	assert_int_equal(dup2(pair[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(file_read(&b, "-", 5, "key file", &e), 0);
	assert_string_equal(buf_str(&b), "piped");
	assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
	close(before);
	close(pair[0]);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_whole_files),
		cmocka_unit_test(keeps_the_old_file_when_the_disk_is_full),
		cmocka_unit_test(keeps_the_old_thing_when_it_cannot_be_replaced),
		cmocka_unit_test(says_which_folder_is_missing),
		cmocka_unit_test(is_not_stopped_by_what_a_crash_left),
		cmocka_unit_test(reads_up_to_the_limit),
		cmocka_unit_test(says_why_it_cannot_read),
		cmocka_unit_test(reads_standard_input),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
