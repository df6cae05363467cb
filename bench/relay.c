/*
 * A long way: runs a program, and hands on every byte that it says and hears so many milliseconds later.
 *
 *	bench-relay MS ADDR:PORT... -- PROGRAM ARG...
 *
 * In an ARG, @ADDR:PORT becomes the address that leads there. Prints "opened T" for each connection, in milliseconds of the
 * monotonic clock. The kernel's handshake is over at once, so a connection's first bytes are held back for the two ways that it
 * would take; there is no limit to how much is on its way. SIGUSR1 cuts every connection off. Ends with the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DOORS 12
#define CONNS 64
#define PIECE 16384

struct piece {
	struct piece *next;
	int64_t due;
	size_t len; /* 0: the end */
	char bytes[];
};
struct lane {
	int from, to, ended;
	struct piece *first, **last;
};
struct conn {
	int open;
	int64_t since;
	struct lane up, down;
};

static struct door {
	const char *name; /* ADDR:PORT */
	struct sockaddr_in at;
	uint16_t here;
	int fd;
} door[DOORS];
static int doors;
static struct conn conn[CONNS];
static int64_t delay;
static volatile sig_atomic_t cut;

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct sockaddr_in
place(const char *name)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	const char *colon = strchr(name, ':');
	char addr[32];

	snprintf(addr, sizeof addr, "%.*s", colon != NULL ? (int)(colon - name) : 0, name);
	if (inet_pton(AF_INET, addr, &at.sin_addr) != 1)
		errx(2, "%s is not ADDR:PORT", name);
	at.sin_port = htons((uint16_t)atoi(colon + 1));
	return at;
}

static void
open_door(const char *name)
{
	struct sockaddr_in at = place("127.0.0.1:0");
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (doors == DOORS)
		errx(2, "too many places");
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) < 0)
		err(1, "listen");
	door[doors++] = (struct door){ name, place(name), ntohs(at.sin_port), fd };
}

/* The argument, with our addresses in it. */
static char *
aim(const char *arg)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int i;

	while (f != NULL && *arg != '\0') {
		for (i = 0; *arg == '@' && i < doors; i++)
			if (strncmp(arg + 1, door[i].name, strlen(door[i].name)) == 0 &&
			    !isdigit((unsigned char)arg[1 + strlen(door[i].name)]))
				break;
		if (*arg != '@' || i == doors) {
			fputc(*arg++, f);
			continue;
		}
		fprintf(f, "127.0.0.1:%u", door[i].here);
		arg += 1 + strlen(door[i].name);
	}
	if (f == NULL || fclose(f) != 0)
		err(1, "memory");
	return text;
}

static void
lane_init(struct lane *l, int from, int to)
{
	*l = (struct lane){ .from = from, .to = to };
	l->last = &l->first;
}

static void
welcome(const struct door *d)
{
	const int on = 1;
	int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC), to, i = 0;

	if (fd < 0)
		return;
	while (i < CONNS && conn[i].open)
		i++;
	to = socket(AF_INET, SOCK_STREAM, 0);
	if (i == CONNS || to < 0 || connect(to, (const struct sockaddr *)&d->at, sizeof d->at) < 0)
		err(1, "%s", d->name);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	conn[i].open = 1;
	conn[i].since = now();
	printf("opened %lld\n", (long long)conn[i].since);
	fflush(stdout);
	lane_init(&conn[i].up, fd, to);
	lane_init(&conn[i].down, to, fd);
}

static void
hear(struct lane *l, int64_t due)
{
	struct piece *p = malloc(sizeof *p + PIECE);
	ssize_t n;

	if (p == NULL)
		err(1, "memory");
	n = read(l->from, p->bytes, PIECE);
	*p = (struct piece){ .due = due, .len = n > 0 ? (size_t)n : 0 };
	l->ended = n <= 0;
	*l->last = p;
	l->last = &p->next;
}

static void
say(struct lane *l)
{
	struct piece *p;
	size_t done;
	ssize_t n;

	while ((p = l->first) != NULL && p->due <= now()) {
		for (done = 0; done < p->len; done += (size_t)n)
			if ((n = send(l->to, p->bytes + done, p->len - done, MSG_NOSIGNAL)) <= 0)
				break;
		if (p->len == 0)
			shutdown(l->to, SHUT_WR);
		if ((l->first = p->next) == NULL)
			l->last = &l->first;
		free(p);
	}
}

static void
lane_fini(struct lane *l)
{
	struct piece *p;

	while ((p = l->first) != NULL) {
		l->first = p->next;
		free(p);
	}
	close(l->from);
}

static void
hang_up(struct conn *c)
{
	lane_fini(&c->up);
	lane_fini(&c->down);
	c->open = 0;
}

static void
conn_turn(struct conn *c, const struct pollfd *p)
{
	int64_t t = now(), stands = c->since + 2 * delay;

	if (p[0].revents != 0)
		hear(&c->up, (t > stands ? t : stands) + delay);
	if (p[1].revents != 0)
		hear(&c->down, t + delay);
	say(&c->up);
	say(&c->down);
	if (!c->up.ended || !c->down.ended || c->up.first != NULL || c->down.first != NULL)
		return;
	hang_up(c);
}

static int64_t
sooner(const struct lane *l, int64_t at)
{
	return l->first != NULL && l->first->due < at ? l->first->due : at;
}

static void
turn(const sigset_t *mask)
{
	struct pollfd p[DOORS + 2 * CONNS];
	int64_t t = now(), at = t + 60000, left;
	int i, ready;

	for (i = 0; i < doors; i++)
		p[i] = (struct pollfd){ .fd = door[i].fd, .events = POLLIN };
	for (i = 0; i < CONNS; i++) {
		struct conn *c = &conn[i];
		struct pollfd *two = &p[doors + 2 * i];

		two[0] = (struct pollfd){ .fd = c->open && !c->up.ended ? c->up.from : -1, .events = POLLIN };
		two[1] =
		    (struct pollfd){ .fd = c->open && !c->down.ended ? c->down.from : -1, .events = POLLIN };
		if (c->open)
			at = sooner(&c->down, sooner(&c->up, at));
	}
	left = at > t ? at - t : 0;
	ready = ppoll(
	    p, (nfds_t)(doors + 2 * CONNS), &(struct timespec){ left / 1000, left % 1000 * 1000000 }, mask);
	for (i = 0; cut && i < CONNS; i++)
		if (conn[i].open)
			hang_up(&conn[i]);
	cut = 0;
	if (ready < 0)
		return;
	for (i = 0; i < CONNS; i++)
		if (conn[i].open)
			conn_turn(&conn[i], &p[doors + 2 * i]);
	for (i = 0; i < doors; i++)
		if (p[i].revents != 0)
			welcome(&door[i]);
}

static void
noted(int signal)
{
	if (signal == SIGUSR1)
		cut = 1;
}

/* Signals come while we wait, and not before. */
static void
listen_to_signals(sigset_t *before)
{
	struct sigaction act = { .sa_handler = noted };
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &both, before) < 0 || sigaction(SIGUSR1, &act, NULL) < 0 ||
	    sigaction(SIGCHLD, &act, NULL) < 0)
		err(1, "signals");
}

static pid_t
run(char **argv, const sigset_t *mask)
{
	pid_t pid = fork();
	int i;

	if (pid < 0)
		err(1, "fork");
	if (pid > 0)
		return pid;
	for (i = 0; argv[i] != NULL; i++)
		argv[i] = aim(argv[i]);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(argv[0], argv);
	err(127, "%s", argv[0]);
}

int
main(int argc, char **argv)
{
	sigset_t mask;
	pid_t child;
	int i, status;

	if (argc < 5 || (delay = atol(argv[1])) <= 0)
		errx(2, "usage: bench-relay MS ADDR:PORT... -- PROGRAM ARG...");
	for (i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		open_door(argv[i]);
	if (i + 1 >= argc)
		errx(2, "no program");
	listen_to_signals(&mask);
	child = run(argv + i + 1, &mask);
	while (waitpid(child, &status, WNOHANG) == 0)
		turn(&mask);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
