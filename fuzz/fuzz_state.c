/* A state file. What is read is saved and read again, and must be the same. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "dps/dps_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int fsync(int);

/* It is not the disk that is tried here. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

static void
must(int truth)
{
	if (!truth)
		abort();
}

static void
write_file(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

static int
same(const struct dps_state *a, const struct dps_state *b)
{
	return strcmp(a->scope, b->scope) == 0 && strcmp(a->registration_id, b->registration_id) == 0 &&
	       strcmp(a->hub, b->hub) == 0 && strcmp(a->device, b->device) == 0 &&
	       strcmp(a->identity, b->identity) == 0 && strcmp(a->handle, b->handle) == 0 && a->at == b->at &&
	       buf_size(&a->wrapped) == buf_size(&b->wrapped) &&
	       (buf_size(&a->wrapped) == 0 ||
		   memcmp(buf_data(&a->wrapped), buf_data(&b->wrapped), buf_size(&a->wrapped)) == 0);
}

static void
fits(const struct dps_state *s, const char *path)
{
	struct hf_error e = { 0 };

	must(dps_state_fits(s, path, s->scope, s->registration_id, s->identity, &e) == 0);
	must(dps_state_fits(s, path, NULL, "", s->identity, &e) == 0);
	must(dps_state_fits(s, path, "0ne00000000", s->registration_id, s->identity, &e) == 0 ||
	     e.code == HF_ERR_STATE);
	err_clear(&e);
	must(dps_state_fits(s, path, s->scope, "dev", s->identity, &e) == 0 || e.code == HF_ERR_STATE);
	err_clear(&e);
	must(dps_state_fits(s, path, s->scope, s->registration_id, "ab", &e) == 0 || e.code == HF_ERR_STATE);
}

static void
save_again(const struct dps_state *s, const char *path)
{
	struct dps_state copy = { 0 }, again = { 0 };
	struct hf_error e = { 0 };

	must(dps_state_copy(&copy, s) == 0 && same(&copy, s));
	must(dps_state_save(&copy, path, &e) == 0);
	must(dps_state_load(&again, path, &e) == 1 && same(&again, s));
	dps_state_fini(&copy);
	dps_state_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char dir[] = "/dev/shm/fuzz_state.XXXXXX", path[64];
	struct dps_state s = { 0 };
	struct hf_error e = { 0 };

	must(mkdtemp(dir) != NULL && str_fmt(path, sizeof path, "%s/state", dir) == 0);
	must(dps_state_load(&s, path, &e) == 0);
	write_file(path, p, n);
	if (dps_state_load(&s, path, &e) == 1) {
		fits(&s, path);
		save_again(&s, path);
	} else
		must(e.code == HF_ERR_STATE && s.hub[0] == '\0' && buf_size(&s.wrapped) == 0);
	dps_state_fini(&s);
	must(unlink(path) == 0 && rmdir(dir) == 0);
	return 0;
}
