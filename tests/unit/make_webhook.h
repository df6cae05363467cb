/* A webhook of the test's own, on loopback: it takes one call at a time, and answers when it is told to. */
#ifndef MAKE_WEBHOOK_H
#define MAKE_WEBHOOK_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "make_emulator.h"

struct hook {
	int door, fd;
	char url[64];
	struct buf heard;
};

static inline void
hook_open(struct hook *h)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;

	memset(h, 0, sizeof *h);
	h->fd = -1;
	h->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(h->door, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(h->door, 128), 0);
	assert_int_equal(getsockname(h->door, (struct sockaddr *)&at, &n), 0);
	snprintf(h->url, sizeof h->url, "http://127.0.0.1:%u/api/f?code=secret", ntohs(at.sin_port));
}

static inline void
hook_close(struct hook *h)
{
	if (h->fd >= 0)
		close(h->fd);
	if (h->door >= 0)
		close(h->door);
	buf_free(&h->heard);
}

static inline int
is_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* One turn of an emulator that nobody else talks to; waits a moment when there is nothing to do. */
static inline void
hook_turn(struct made *m, int ms)
{
	if (!webhook_step(&m->e))
		is_readable(webhook_fd(&m->e), ms);
}

/* Until a whole request is there; what is answered, is its body. */
static inline json_t *
hook_hear(struct made *m, struct hook *h)
{
	const char *head, *body = NULL, *length;
	int i;

	for (i = 0; i < 2000 && body == NULL; i++) {
		hook_turn(m, 1);
		if (h->fd < 0 && is_readable(h->door, 0))
			h->fd = accept(h->door, NULL, NULL);
		if (h->fd >= 0 && is_readable(h->fd, 0)) {
			ssize_t n = read(h->fd, buf_room(&h->heard, 4096), 4096);

			assert_true(n > 0);
			buf_add(&h->heard, (size_t)n);
		}
		head = buf_size(&h->heard) ? buf_str(&h->heard) : "";
		body = strstr(head, "\r\n\r\n");
		length = strstr(head, "Content-Length: ");
		if (body && length && strlen(body + 4) < (size_t)atoi(length + 16))
			body = NULL;
	}
	assert_non_null(body);
	return js_parse(body + 4, strlen(body + 4), "question", &m->err);
}

/* Says this, closes (unless it is to stay open), and lets the emulator take it in. */
static inline void
hook_say(struct made *m, struct hook *h, const char *status, const char *body)
{
	char text[1000];
	int n = snprintf(
	    text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);

	assert_int_equal(write(h->fd, text, (size_t)n), n);
	for (int i = 0; i < 50; i++)
		hook_turn(m, 1);
	close(h->fd);
	h->fd = -1;
	buf_clear(&h->heard);
}

static inline json_t *
with_webhook(const char *url)
{
	json_t *o = with_keys();

	json_object_set_new(o, "allocationPolicy", json_string("custom"));
	json_object_set_new(o, "customAllocationDefinition",
	    json_pack("{s:s, s:s}", "webhookUrl", url, "apiVersion", "2021-10-01"));
	return o;
}
#endif
