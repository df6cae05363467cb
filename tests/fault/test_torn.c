/*
 * test_torn [symmetric|tpm]: a device loses power while it onboards, at each call to the disk and to the TPM, and the disk
 * does what disks do: of what was not synced, any part may be there afterwards, in any order. Each state file that such a disk
 * could show at the next start must be the old one or the new one, whole, and the new one once the application knows; with
 * each of them, and the TPM as it was then, the device must find to its hub: with the new one without asking DPS.
 *
 * Of the calls to the TPM that change nothing in it for good, a few are taken, by HF_FAULT_SEED; with HF_FAULT=whole, all.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "dps/dps_client.h"
#include "world.h"

#define MOST_FILES  64
#define MOST_CALLS  4096
#define MOST_SHOWN  32
#define STATE_MAX   4096
#define AS_EXPECTED 7 /* the exit status of a process that came to its end */

/* What the next start may find. */
struct shown {
	int there, old; /* there is a file; it is what was there before */
	size_t n;
	uint8_t p[STATE_MAX];
};
/* What processes tell each other. */
struct board {
	struct trip_call calls[MOST_CALLS];
	size_t count;
	struct shown shown[MOST_SHOWN];
	size_t shown_count;
	int told; /* the application knows that the device is registered */
	unsigned bad;
};
static struct board *board;
static const char *what; /* for sentences */
static unsigned crashes, starts;

void
wrong(const char *how, const char *more)
{
	board->bad++;
	printf("%s: %s: %s%s%s\n", world.kind == HSM_TPM ? "tpm" : "symmetric", what, how,
	    more[0] != '\0' ? ": " : "", more);
	fflush(stdout);
}

/* the disk: files without names, and what the state file's name may stand for after a crash */

static struct {
	struct file {
		char path[200];
		struct buf data;
		int synced, fd;
	} file[MOST_FILES];
	int count, had;	       /* the first one was there before */
	int now;	       /* what the name stands for; -1: nothing */
	int could[MOST_FILES]; /* and what it may stand for, since the folder was last synced */
	int could_count;
	int folder; /* the folder's descriptor, -1 */
} disk;

static struct file *
by_fd(int fd)
{
	for (int i = disk.count; i-- > 0;)
		if (disk.file[i].fd == fd)
			return &disk.file[i];
	return NULL;
}

static void
stands_for(int file)
{
	disk.now = file;
	disk.could[disk.could_count++] = file;
}

static void
opened(int fd, const char *path, int flags)
{
	struct file *f = by_fd(fd);

	if (f != NULL)
		f->fd = -1;
	if (disk.folder == fd)
		disk.folder = -1;
	if (flags & O_DIRECTORY)
		disk.folder = fd;
	if (!(flags & O_CREAT))
		return;
	f = &disk.file[disk.count++];
	*f = (struct file){ .fd = fd };
	str_fmt(f->path, sizeof f->path, "%s", path);
}

static void
wrote(int fd, const void *p, size_t n)
{
	struct file *f = by_fd(fd);

	if (f == NULL)
		return;
	buf_put(&f->data, p, n);
	f->synced = 0;
}

static void
synced(int fd)
{
	struct file *f = by_fd(fd);

	if (f != NULL)
		f->synced = 1;
	if (fd != disk.folder)
		return;
	disk.could_count = 0;
	stands_for(disk.now);
}

static void
renamed(const char *from, const char *to)
{
	if (strcmp(to, world.state) != 0)
		return;
	for (int i = disk.count; i-- > 0;)
		if (strcmp(disk.file[i].path, from) == 0) {
			stands_for(i);
			return;
		}
}

static const struct trip_disk hooks = { opened, wrote, synced, renamed };

static void
insert_disk(void)
{
	struct hf_error err = { 0 };

	memset(&disk, 0, sizeof disk);
	disk.folder = -1;
	trip.disk = &hooks;
	if (!file_exists(world.state)) {
		stands_for(-1);
		return;
	}
	disk.count = disk.had = 1;
	disk.file[0] = (struct file){ .synced = 1, .fd = -1 };
	if (file_read(&disk.file[0].data, world.state, STATE_MAX, "state file", &err) < 0)
		world_die(err.text);
	stands_for(0);
}

static void
show(int there, int old, const void *p, size_t n)
{
	struct shown *s = board->shown;

	for (size_t i = 0; i < board->shown_count; i++)
		if (s[i].there == there && s[i].n == n && (n == 0 || memcmp(s[i].p, p, n) == 0))
			return;
	if (board->shown_count == MOST_SHOWN || n > STATE_MAX)
		world_die("the board is too small");
	s += board->shown_count++;
	*s = (struct shown){ .there = there, .old = old, .n = n };
	if (p != NULL)
		memcpy(s->p, p, n);
}

static void
show_all(void)
{
	static const uint8_t zeros[STATE_MAX];
	const struct file *f;
	size_t n;

	for (int i = 0; i < disk.could_count; i++) {
		if (disk.could[i] < 0) {
			show(0, 1, NULL, 0);
			continue;
		}
		f = &disk.file[disk.could[i]];
		n = buf_size(&f->data);
		show(1, disk.had && disk.could[i] == 0, buf_data(&f->data), n);
		if (f->synced)
			continue;
		show(1, 0, NULL, 0);
		show(1, 0, buf_data(&f->data), n / 2);
		show(1, 0, zeros, n);
	}
}

/* processes, each a life of the device's */

static void
lives(struct hf_error *err)
{
	board->told = 0;
	if (live(life_register, err) < 0)
		return;
	board->told = 1;
	live(life_at_hub, err);
}

static void
life_whole(const struct trip_call *c)
{
	struct hf_error err = { 0 };

	(void)c;
	trip.keep = 1;
	lives(&err);
	trip.keep = 0;
	if (err.code != 0)
		wrong("it does not do without a crash either", err.text);
	for (size_t i = 0; i < trip.count && board->count < MOST_CALLS; i++)
		if (trip_is_hardware(trip.calls[i].name) || trip_is_file(trip.calls[i].name))
			board->calls[board->count++] = trip.calls[i];
	free(trip.calls);
}

/* The TPM's keys change when the new one can be had from the disk, and no sooner. */
static int
evicts(int name)
{
	return strcmp(trip_name(name), "Esys_EvictControl") == 0;
}

static void
power_cut(void)
{
	show_all();
	for (size_t i = 0; i < board->shown_count; i++) {
		if (board->told && board->shown[i].old)
			wrong("what the application was told may be forgotten", "");
		if (evicts(trip.name) && board->shown[i].old)
			wrong("the TPM loses a key before the disk has the next", "");
	}
	_exit(AS_EXPECTED);
}

static void
life_cut(const struct trip_call *c)
{
	struct hf_error err = { 0 };

	insert_disk();
	trip.instead = power_cut;
	trip_arm(c->name, c->nth, 0);
	lives(&err);
	trip.instead = NULL;
	trip.disk = NULL;
	for (int i = 0; i < disk.count; i++)
		buf_free(&disk.file[i].data);
	if (err.code != 0)
		wrong("it failed before the power was cut", err.text);
}

static void
life_after(const struct trip_call *c)
{
	struct hf_error err = { 0 };
	struct dps_state s = { 0 };
	int there = dps_state_load(&s, world.state, &err);

	(void)c;
	dps_state_fini(&s);
	if (there < 0) {
		wrong("the state file is torn", err.text);
		return;
	}
	if (live(life_at_hub, &err) < 0)
		wrong("it did not find to its hub afterwards", err.text);
	for (int i = 0; i < WORLD_MESSAGES; i++)
		if (err.code == 0 && world.acked[i] != 1)
			wrong("a message was lost", "");
	if (dps_state_load(&s, world.state, &err) < 0 || buf_size(&s.wrapped) > 0)
		wrong("the key is not persistent in the end", err.text);
	dps_state_fini(&s);
}

static void
life_enrolls(const struct trip_call *c)
{
	(void)c;
	world_enroll();
}

static void
apart(void (*life)(const struct trip_call *), const struct trip_call *c)
{
	int status = 1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		world_open();
		life(c);
		world_close();
		_exit(AS_EXPECTED);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != AS_EXPECTED)
		wrong("a process ended badly", "");
}

/* the world, kept and brought back */

static void
copy(const char *from, const char *to)
{
	char line[300];

	str_fmt(line, sizeof line, "rm -rf %s && cp -a %s %s", to, from, to);
	if (system(line) != 0)
		world_die(line);
}

static void
back(const char *snapshot)
{
	world_power(0);
	copy(snapshot, world.dir);
	world_power(1);
}

static void
keep(const char *snapshot)
{
	world_power(0);
	copy(world.dir, snapshot);
	world_power(1);
}

static void
start_anew(const struct shown *s)
{
	starts++;
	unlink(world.state);
	if (s->there)
		world_put(world.state, s->p, s->n);
	world.alone = !s->old;
	apart(life_after, NULL);
	world.alone = 0;
}

static void
cut_at(const struct trip_call *c, const char *snapshot)
{
	char words[120], broken[100];

	str_fmt(words, sizeof words, "power cut at %s, call %u", trip_name(c->name), c->nth);
	what = words;
	str_fmt(broken, sizeof broken, "%s.broken", world.dir);
	back(snapshot);
	board->shown_count = 0;
	apart(life_cut, c);
	if (board->shown_count == 0)
		return;
	crashes++;
	keep(broken);
	for (size_t i = 0; i < board->shown_count; i++) {
		back(broken);
		start_anew(&board->shown[i]);
	}
}

static int
is_due(const struct trip_call *c, struct coin *coin)
{
	const char *how = getenv("HF_FAULT");

	if (trip_is_file(c->name) || evicts(c->name))
		return 1;
	return (how != NULL && strcmp(how, "whole") == 0) || coin_toss(coin) % 12 == 0;
}

static void
cut_everywhere(const char *snapshot)
{
	const char *seed = getenv("HF_FAULT_SEED");
	struct coin coin = { seed == NULL ? 1 : strtoull(seed, NULL, 10) };

	for (size_t i = 0; i < board->count; i++)
		if (is_due(&board->calls[i], &coin))
			cut_at(&board->calls[i], snapshot);
}

/* From a device that has never been anywhere, and from one that registers again. */
static void
onboard(enum hsm_kind kind, const char *name)
{
	char first[100], again[100], line[300];

	world_new(kind, "http", KEY_IN_FILE);
	str_fmt(first, sizeof first, "%s.first", world.dir);
	str_fmt(again, sizeof again, "%s.again", world.dir);
	what = "no power cut";
	world_power(1);
	apart(life_enrolls, NULL);
	board->count = 0;
	apart(life_whole, NULL);
	keep(again);
	unlink(world.state);
	keep(first);
	cut_everywhere(first);
	cut_everywhere(again);
	str_fmt(line, sizeof line, "rm -rf %s.*", world.dir);
	if (system(line) != 0)
		world_die(line);
	world_free();
	printf("%s: %u power cuts, %u starts afterwards; %u wrong\n", name, crashes, starts, board->bad);
}

int
main(int argc, char **argv)
{
	const int tpm = argc > 1 && strcmp(argv[1], "tpm") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return 1;
	onboard(tpm ? HSM_TPM : HSM_SYMMETRIC, tpm ? "tpm" : "symmetric");
	return board->bad == 0 ? 0 : 1;
}
