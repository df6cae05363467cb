#include "stream/tcp_race.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/str.h"

#define MOST	    16
#define DELAY_MS    250 /* Connection Attempt Delay */
#define SYN_RETRIES 3	/* an address that never answers is given up after 15 seconds */

struct attempt {
	const struct addrinfo *at; /* NULL: it has failed */
	int fd;			   /* -1: none */
};
struct race {
	struct addrinfo *list;
	const char *host;
	uint16_t port;
	struct attempt attempt[MOST]; /* in the order in which they are tried */
	size_t count, begun, failed;
	int epoll, timer; /* -1: there is but one address, and its socket is what is waited for */
	char told[300];	  /* what each said that failed */
	size_t untold;	  /* those that had no room there */
	int code;	  /* errno of the last one */
};

static const struct addrinfo *
next_of(const struct addrinfo *a, int family, int same)
{
	while (a != NULL && (a->ai_family == family) != same)
		a = a->ai_next;
	return a;
}

static void
arrange(struct race *r)
{
	int family = r->list->ai_family, same = 1;
	const struct addrinfo *next[2] = { next_of(r->list, family, 0), next_of(r->list, family, 1) };

	while (r->count < MOST && (next[0] != NULL || next[1] != NULL)) {
		if (next[same] == NULL)
			same = !same;
		r->attempt[r->count++] = (struct attempt){ next[same], -1 };
		next[same] = next_of(next[same]->ai_next, family, same);
		same = !same;
	}
}

static int
watch(const struct race *r, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e);
}

int
race_new(struct race **out, struct addrinfo *list, const char *host, uint16_t port, struct hf_error *err)
{
	struct race *r = calloc(1, sizeof *r);

	if (r == NULL) {
		freeaddrinfo(list);
		return err_memory(err);
	}
	r->list = list;
	r->host = host;
	r->port = port;
	r->epoll = r->timer = -1;
	arrange(r);
	if (r->count == 1)
		goto done;
	if ((r->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    (r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) < 0 ||
	    watch(r, r->timer, EPOLLIN) < 0) {
		err_sys(err, HF_ERR_NET, "connect to %s port %u: cannot wait for its %zu addresses", host,
		    port, r->count);
		race_free(r);
		return err->code;
	}
done:
	*out = r;
	return 0;
}

static void
put_address(const struct addrinfo *a, char dst[64])
{
	if (getnameinfo(a->ai_addr, a->ai_addrlen, dst, 64, NULL, 0, NI_NUMERICHOST) != 0)
		str_fmt(dst, 64, "?");
}

/* Its reason is kept for the sentence, as far as there is room. */
static void
give_up(struct race *r, struct attempt *a, int code)
{
	const char *before = r->count == 1 ? " (" : r->failed == 0 ? ": " : ", ";
	char address[64], reason[128];
	size_t n = strlen(r->told);

	put_address(a->at, address);
	if (strerror_r(code, reason, sizeof reason) != 0)
		str_fmt(reason, sizeof reason, "error %d", code);
	r->untold += r->untold > 0 || str_fmt(r->told + n, sizeof r->told - n, "%s%s%s: %s", before, address,
					  r->count == 1 ? ")" : "", reason) < 0;
	if (a->fd >= 0 && r->count > 1) { /* a lone one is still waited for by its number */
		close(a->fd);
		a->fd = -1;
	}
	a->at = NULL;
	r->code = code;
	r->failed++;
}

static const char *
hint(int code)
{
	switch (code) {
	case ECONNREFUSED:
		return "; is the service running there?";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "; is this machine on the network?";
	case ETIMEDOUT:
		return "; does a firewall stand between?";
	default:
		return "";
	}
}

static ssize_t
nobody(const struct race *r, struct hf_error *err)
{
	char more[32] = "";

	if (r->untold > 0)
		str_fmt(more, sizeof more, ", and %zu more", r->untold);
	err_set(
	    err, HF_ERR_NET, "connect to %s port %u%s%s%s", r->host, r->port, r->told, more, hint(r->code));
	return STREAM_ERR;
}

/* Starts the delay before the next one. */
static int
arm(const struct race *r)
{
	const struct itimerspec delay = { .it_value = { 0, DELAY_MS * 1000000L } };

	return r->begun == r->count ? 0 : timerfd_settime(r->timer, 0, &delay, NULL);
}

static int
is_due(const struct race *r)
{
	uint64_t times;

	if (r->begun == r->failed)
		return 1;
	return r->timer >= 0 && read(r->timer, &times, sizeof times) > 0;
}

/* 0 or errno. */
static int
begin(struct race *r)
{
	struct attempt *a = &r->attempt[r->begun++];
	const int on = 1, retries = SYN_RETRIES;

	a->fd = socket(a->at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0 || (r->epoll >= 0 && (watch(r, a->fd, EPOLLOUT) < 0 || arm(r) < 0)))
		return errno;
	setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(a->fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof retries);
	return 0;
}

/* Asked again while under way, connect() tells how it went. */
static int
ask(const struct attempt *a)
{
	if (connect(a->fd, a->at->ai_addr, a->at->ai_addrlen) == 0 || errno == EISCONN)
		return 0;
	return errno == EALREADY || errno == EINTR ? EINPROGRESS : errno;
}

static ssize_t
won(struct race *r, struct attempt *a, char name[400])
{
	char address[64];
	int fd = a->fd;

	put_address(a->at, address);
	str_fmt(name, 400, "%s port %u (%s)", r->host, r->port, address);
	a->fd = -1;
	return fd;
}

ssize_t
race_run(struct race *r, char name[400], struct hf_error *err)
{
	int due = is_due(r), code;
	struct attempt *a;

	for (size_t i = 0; i < r->count && (i < r->begun || due); i++) {
		a = &r->attempt[i];
		if (a->at == NULL)
			continue;
		code = 0;
		if (i == r->begun) {
			due = 0;
			code = begin(r);
		}
		if (code == 0 && (code = ask(a)) == 0)
			return won(r, a, name);
		if (code == EINPROGRESS)
			continue;
		give_up(r, a, code);
		due = 1;
	}
	return r->failed == r->count ? nobody(r, err) : STREAM_WANT_WRITE;
}

void
race_wait(const struct race *r, int *fd, short *events)
{
	*fd = r->epoll >= 0 ? r->epoll : r->attempt[0].fd;
	*events = r->epoll >= 0 ? POLLIN : POLLOUT;
}

void
race_free(struct race *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++)
		if (r->attempt[i].fd >= 0)
			close(r->attempt[i].fd);
	if (r->timer >= 0)
		close(r->timer);
	if (r->epoll >= 0)
		close(r->epoll);
	freeaddrinfo(r->list);
	free(r);
}
