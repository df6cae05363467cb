/*
 * let_go TASK NAME=VALUE...: a program that works with secrets, lets go of them by hf_free(), and then looks for them in all
 * its memory. What to look for comes on standard input once the work is done, masked, so that looking does not plant it:
 * lines of a name and the bytes in hex, each with MASK. Exit status 1: something was found.
 *
 * Tasks: identify, register, send, fail (to register in vain), enroll; hold (as send, but nothing is let go of).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <holdfast.h>

#define MASK	0x5a
#define NEEDLES 400
#define LARGEST                                                                                              \
	((size_t)1 << 27) /* of what is looked through; a sanitizer's tables are larger, and hold no data */

static struct needle {
	char name[60];
	uint8_t masked[100];
	size_t len;
} needle[NEEDLES];
static size_t needles;
void __asan_describe_address(void *) __attribute__((weak)); /* who had allocated that? */
static uint8_t first[65536];				    /* which two bytes some of them begin with */

static int
read_needles(void)
{
	char line[600];
	struct needle *n;
	const char *p;
	unsigned byte;

	while (needles < NEEDLES && fgets(line, sizeof line, stdin) != NULL) {
		n = &needle[needles];
		if (sscanf(line, "%59s", n->name) != 1 || (p = strchr(line, ' ')) == NULL)
			return -1;
		for (p++; n->len < sizeof n->masked && sscanf(p, "%2x", &byte) == 1; p += 2)
			n->masked[n->len++] = (uint8_t)byte;
		if (n->len < 8)
			return -1;
		first[n->masked[0] << 8 | n->masked[1]] = 1;
		needles++;
	}
	return needles > 0 ? 0 : -1;
}

__attribute__((no_sanitize("address"))) static int
is_here(const struct needle *n, const volatile uint8_t *p, const volatile uint8_t *end)
{
	size_t i;

	for (i = 0; i < n->len && p + i < end && (p[i] ^ MASK) == n->masked[i]; i++)
		;
	return i == n->len;
}

__attribute__((no_sanitize("address"))) static int
look(const volatile uint8_t *p, const volatile uint8_t *end, const char *where)
{
	int found = 0;

	for (; p + 1 < end; p++) {
		if (!first[(p[0] ^ MASK) << 8 | (p[1] ^ MASK)])
			continue;
		for (size_t i = 0; i < needles; i++) {
			if (!is_here(&needle[i], p, end))
				continue;
			fprintf(
			    stderr, "%s at %p in %s\n", needle[i].name, (const void *)(uintptr_t)p, where);
			if (__asan_describe_address != NULL && found == 0)
				__asan_describe_address((void *)(uintptr_t)p);
			found++;
		}
	}
	return found;
}

static int
look_everywhere(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[600], where[400];
	unsigned long from, to;
	int found = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		where[0] = '\0';
		if (sscanf(line, "%lx-%lx rw%*s %*s %*s %*s %399s", &from, &to, where) < 2 ||
		    strstr(line, " rw") == NULL)
			continue;
		if (to - from <= LARGEST)
			found += look((const uint8_t *)from, (const uint8_t *)to,
			    where[0] != '\0' ? where : "(anonymous)");
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static int
complain(const struct hf *h)
{
	fprintf(stderr, "let_go: %s\n", hf_error(h)->text);
	return -1;
}

static void
talk(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

static int
send_one(struct hf *h)
{
	struct hf_message m = { .body = "hello", .len = 5 };

	if (hf_send(h, &m, 1) < 0 || hf_connect(h) < 0 || hf_wait(h, HF_SENT, 30000, NULL) < 0)
		return complain(h);
	return hf_disconnect(h);
}

static int
identify(struct hf *h)
{
	struct hf_who who;

	return hf_identify(h, &who) < 0 ? complain(h) : 0;
}

static int
enter(struct hf *h)
{
	return hf_register(h) < 0 || hf_wait(h, HF_REGISTERED, 30000, NULL) < 0 ? complain(h) : 0;
}

/* What comes back is an error, and in that no secret either. */
static int
fail(struct hf *h)
{
	if (hf_register(h) == 0 && hf_wait(h, HF_REGISTERED, 30000, NULL) == 0)
		return -1;
	complain(h);
	return 0;
}

static int
read_secret(const char *path, char *dst, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, dst, cap - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? 0 : -1;
}

static int
enroll(struct hf *h)
{
	char service[600] = "", key[200] = "", *answer = NULL;
	struct hf_enrollment n = { .kind = HF_ENROLL_SYMMETRIC, .id = "let-go", .symmetric_key = key };
	int r = -1;

	if (read_secret("service", service, sizeof service) == 0 &&
	    read_secret("meter.key", key, sizeof key) == 0)
		r = hf_enroll(h, service, &n, &answer);
	if (r < 0)
		complain(h);
	explicit_bzero(service, sizeof service);
	explicit_bzero(key, sizeof key);
	free(answer);
	return r;
}

static const struct {
	const char *name;
	int (*run)(struct hf *);
} tasks[] = { { "identify", identify }, { "register", enter }, { "send", send_one }, { "fail", fail },
	{ "enroll", enroll }, { "hold", send_one } };
#define TASKS (sizeof tasks / sizeof tasks[0])

static struct hf *held;

static int
work(const char *task, char **setting)
{
	struct hf *h = hf_new();
	char *value;
	int r = h == NULL ? -1 : 0;

	if (r == 0)
		hf_log(h, talk, NULL);
	for (; r == 0 && *setting != NULL; setting++) {
		value = strchr(*setting, '=');
		*value++ = '\0';
		r = hf_set(h, *setting, value);
	}
	for (size_t i = 0; i < TASKS && r == 0; i++)
		if (strcmp(tasks[i].name, task) == 0)
			r = tasks[i].run(h);
	if (strcmp(task, "hold") == 0)
		held = h;
	else
		hf_free(h);
	return r;
}

int
main(int argc, char **argv)
{
	const struct timespec nap = { .tv_nsec = 200000000 };
	time_t began = time(NULL);

	if (argc < 2 || work(argv[1], argv + 2) < 0)
		return 2;
	nanosleep(&nap, NULL); /* its thread ends by itself */
	printf("%lld %lld\n", (long long)began, (long long)time(NULL));
	fflush(stdout);
	if (read_needles() < 0)
		return 3;
	return look_everywhere() > 0;
}
