/* Preloaded: the wall clock is SKEW seconds off, or so many as stand in SKEW_FILE at the moment. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t
skew(void)
{
	const char *s = getenv("SKEW"), *path = getenv("SKEW_FILE");
	char text[32] = "";
	int fd;

	if (path != NULL && (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		s = read(fd, text, sizeof(text) - 1) > 0 ? text : s;
		close(fd);
	}
	return s == NULL ? 0 : (time_t)atoll(s);
}

int clock_gettime(clockid_t, struct timespec *);
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (real == NULL)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	r = real(id, ts);
	if (r == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += skew();
	return r;
}

time_t time(time_t *);
time_t
time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
