#include "stream/tcp_race.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

struct lookup {
	struct job job;
	char host[256];
	uint16_t port;
	struct addrinfo *list;
	int code, saved_errno;
};
struct tcp {
	struct stream s;
	struct work *work;
	struct lookup *lookup; /* out on the worker */
	struct race *race;     /* while it is not connected */
	char host[256];
	char name[400]; /* HOST port N (ADDR), for sentences */
	uint16_t port;
	int fd;
};

static int
resolve(const char *host, uint16_t port, int flags, struct addrinfo **list)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags };
	char service[8];

	str_fmt(service, sizeof service, "%u", port);
	return getaddrinfo(host, service, &hints, list);
}

static void
lookup_run(struct job *job)
{
	struct lookup *l = (struct lookup *)job;

	l->code = resolve(l->host, l->port, 0, &l->list);
	l->saved_errno = errno;
}

static void
lookup_free(struct job *job)
{
	struct lookup *l = (struct lookup *)job;

	if (l->list != NULL)
		freeaddrinfo(l->list);
	free(l);
}

static int
is_localhost(const char *host)
{
	static const char suffix[] = ".localhost";
	size_t n = strlen(host), tail = sizeof suffix - 1;

	return str_eqi(host, suffix + 1) || (n > tail && str_eqi(host + n - tail, suffix));
}

/* Takes the answer of the resolver. */
static int
looked_up(struct tcp *t)
{
	struct lookup *l = t->lookup;
	struct addrinfo *list = l->list;
	const char *reason = gai_strerror(l->code);
	char text[128];

	t->lookup = NULL;
	l->list = NULL;
	if (l->code == EAI_SYSTEM && strerror_r(l->saved_errno, text, sizeof text) == 0)
		reason = text;
	if (l->code != 0)
		err_set(&t->s.err, HF_ERR_NET, "look up %s: %s; check the name and this machine's DNS",
		    t->host, reason);
	else
		race_new(&t->race, list, t->host, t->port, &t->s.err);
	lookup_free(&l->job);
	return t->race == NULL ? STREAM_ERR : 0;
}

/* The race is freed only once there is a socket that has another number: whoever waits shall see that it is new. */
static ssize_t
drive(struct tcp *t)
{
	ssize_t r;

	if (t->fd >= 0)
		return 0;
	if (t->lookup != NULL && !job_done(t->work, &t->lookup->job))
		return STREAM_WANT_WORK;
	if (t->lookup != NULL && looked_up(t) < 0)
		return STREAM_ERR;
	if (t->s.err.code != 0)
		return STREAM_ERR;
	if ((r = race_run(t->race, t->name, &t->s.err)) < 0)
		return r;
	t->fd = (int)r;
	race_free(t->race);
	t->race = NULL;
	return 0;
}

static ssize_t
lost(struct tcp *t, const char *doing)
{
	err_sys(&t->s.err, HF_ERR_NET, "connection with %s lost while %s", t->name, doing);
	return STREAM_ERR;
}

static ssize_t
tcp_read(struct stream *s, void *p, size_t n)
{
	struct tcp *t = (struct tcp *)s;
	ssize_t r = drive(t);

	if (r < 0)
		return r;
	do
		r = recv(t->fd, p, n, 0);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	return errno == EAGAIN ? STREAM_WANT_READ : lost(t, "reading");
}

static ssize_t
tcp_write(struct stream *s, const void *p, size_t n)
{
	struct tcp *t = (struct tcp *)s;
	ssize_t r = drive(t);

	if (r < 0)
		return r;
	do
		r = send(t->fd, p, n, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	return errno == EAGAIN ? STREAM_WANT_WRITE : lost(t, "writing");
}

static void
tcp_wait(struct stream *s, int want, int *fd, short *events)
{
	struct tcp *t = (struct tcp *)s;

	if (t->race != NULL) {
		race_wait(t->race, fd, events);
		return;
	}
	*fd = want == STREAM_WANT_WORK ? work_fd(t->work) : t->fd;
	*events = want == STREAM_WANT_WRITE ? POLLOUT : POLLIN;
}

static void
tcp_close(struct stream *s)
{
	struct tcp *t = (struct tcp *)s;

	if (t->lookup != NULL)
		job_drop(t->work, &t->lookup->job);
	race_free(t->race);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static const struct stream_ops tcp_ops = { tcp_read, tcp_write, tcp_wait, tcp_close };

static int
ask_resolver(struct tcp *t, struct hf_error *err)
{
	struct lookup *l = calloc(1, sizeof *l);

	if (l == NULL)
		return err_memory(err);
	l->job.run = lookup_run;
	l->job.free = lookup_free;
	l->job.loose = 1;
	l->port = t->port;
	str_fmt(l->host, sizeof l->host, "%s", t->host);
	t->lookup = l;
	if (t->work != NULL)
		return work_post(t->work, &l->job, err);
	lookup_run(&l->job);
	looked_up(t);
	return 0;
}

int
tcp_connect(struct stream **out, struct work *work, const char *host, uint16_t port, struct hf_error *err)
{
	struct tcp *t = calloc(1, sizeof *t);
	struct addrinfo *list;
	int r;

	if (t == NULL)
		return err_memory(err);
	t->s.ops = &tcp_ops;
	t->work = work;
	t->port = port;
	t->fd = -1;
	if (str_fmt(t->host, sizeof t->host, "%s", host) < 0 || host[0] == '\0') {
		err_set(err, HF_ERR_ARGS, "'%.300s' cannot be a host's name", host);
		goto fail;
	}
	if (resolve(is_localhost(host) ? "127.0.0.1" : host, port, AI_NUMERICHOST, &list) != 0)
		r = ask_resolver(t, err);
	else
		r = race_new(&t->race, list, t->host, port, err);
	if (r < 0)
		goto fail;
	*out = &t->s;
	return 0;
fail:
	tcp_close(&t->s);
	return err->code;
}

int
tcp_from_fd(struct stream **out, int fd, const char *peer, struct hf_error *err)
{
	struct tcp *t = calloc(1, sizeof *t);
	const int on = 1;
	int flags;

	if (t == NULL) {
		close(fd);
		return err_memory(err);
	}
	t->s.ops = &tcp_ops;
	t->fd = fd;
	str_fmt(t->name, sizeof t->name, "%s", peer);
	if ((flags = fcntl(fd, F_GETFL)) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		err_sys(err, HF_ERR_IO, "connection with %s", peer);
		tcp_close(&t->s);
		return err->code;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*out = &t->s;
	return 0;
}
