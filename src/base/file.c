#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define CHUNK 4096

/* Appends until the end or until there is more than max. */
static int
read_all(struct buf *b, int fd, size_t max, size_t *total)
{
	uint8_t *room;
	ssize_t n;

	for (*total = 0; *total <= max; *total += (size_t)n) {
		if ((room = buf_room(b, CHUNK)) == NULL)
			return HF_ERR_MEMORY;
		do
			n = read(fd, room, CHUNK);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return n < 0 ? HF_ERR_IO : 0;
		buf_add(b, (size_t)n);
	}
	return HF_ERR_ARGS;
}

int
file_read(struct buf *b, const char *path, size_t max, const char *what, struct hf_error *err)
{
	int from_stdin = strcmp(path, "-") == 0, fd = STDIN_FILENO, r;
	size_t had = buf_size(b), total;

	if (from_stdin)
		path = "(standard input)";
	else if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
		return err_sys(err, HF_ERR_IO, "cannot open %s %s", what, path);
	r = read_all(b, fd, max, &total);
	if (r == HF_ERR_MEMORY)
		r = err_memory(err);
	else if (r == HF_ERR_IO)
		r = err_sys(err, r, "cannot read %s %s", what, path);
	else if (r == HF_ERR_ARGS)
		r = err_set(err, r, "%s %s is larger than %zu bytes: is it the right file?", what, path, max);
	if (!from_stdin)
		close(fd);
	if (r < 0)
		b->len = b->off + had;
	return r;
}

/* The path is known to fit, since a longer one has been made of it. */
static int
open_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";

	if (slash != NULL)
		str_copy(folder, sizeof folder, path, slash == path ? 1 : (size_t)(slash - path));
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* One of the same name is what a crash left behind: a process in a container gets the same number each time. */
static int
open_new(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 || errno != EEXIST || unlink(path) < 0)
		return fd;
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	ssize_t w;

	for (; n > 0; p += w, n -= (size_t)w) {
		do
			w = write(fd, p, n);
		while (w < 0 && errno == EINTR);
		if (w < 0)
			return -1;
	}
	return fsync(fd);
}

int
file_replace(const char *path, const void *p, size_t n, const char *what, struct hf_error *err)
{
	static atomic_uint turn;
	char temp[PATH_MAX];
	int folder = -1, fd = -1, r;

	if (str_fmt(temp, sizeof temp, "%s.%ld-%u", path, (long)getpid(), atomic_fetch_add(&turn, 1)) < 0)
		return err_set(err, HF_ERR_ARGS, "cannot write %s %s: the name is too long", what, path);
	if ((folder = open_folder(path)) < 0) {
		r = err_sys(err, HF_ERR_IO, "cannot open the folder of %s %s", what, path);
		goto done;
	}
	if ((fd = open_new(temp)) < 0) {
		r = err_sys(err, HF_ERR_IO, "cannot make %s, to become %s %s", temp, what, path);
		goto done;
	}
	if (write_all(fd, p, n) < 0 || rename(temp, path) < 0) {
		r = err_sys(err, HF_ERR_IO, "cannot write %s %s", what, path);
		unlink(temp);
		goto done;
	}
	r = fsync(folder) < 0 ? err_sys(err, HF_ERR_IO, "cannot sync the folder of %s %s", what, path) : 0;
done:
	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	return r;
}

int
file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}
