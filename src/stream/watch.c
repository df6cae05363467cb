#include "stream/pump.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

int
watch_open(struct watch *w, struct hf_error *err)
{
	int i;

	for (i = 0; i < WATCH_SLOTS; i++) {
		w->fd[i] = -1;
		w->events[i] = 0;
	}
	w->blind = 0;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	return w->epoll < 0 ? err_sys(err, HF_ERR_IO, "cannot make an epoll descriptor") : 0;
}

/* Brings the kernel's view of a descriptor in line with all the slots that hold it. -1: it has no room for it. */
static int
sync_fd(struct watch *w, int fd)
{
	struct epoll_event e = { .data.fd = fd };
	short events = 0;
	int i;

	if (fd < 0)
		return 0;
	for (i = 0; i < WATCH_SLOTS; i++)
		if (w->fd[i] == fd)
			events |= w->events[i];
	if (events & POLLIN)
		e.events |= EPOLLIN;
	if (events & POLLOUT)
		e.events |= EPOLLOUT;
	if (e.events == 0)
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, &e);
	else if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, fd, &e) < 0)
		return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e);
	return 0;
}

void
watch_set(struct watch *w, int slot, int fd, short events)
{
	int old = w->fd[slot];

	w->blind &= ~(1u << slot);
	if (old == fd && w->events[slot] == events)
		return;
	w->fd[slot] = fd;
	w->events[slot] = events;
	if (old != fd)
		sync_fd(w, old);
	if (sync_fd(w, fd) == 0)
		return;
	w->fd[slot] = -1;
	w->blind |= 1u << slot;
}

void
watch_forget(struct watch *w, int slot)
{
	w->fd[slot] = -1;
	w->events[slot] = 0;
	w->blind &= ~(1u << slot);
}

void
watch_close(struct watch *w)
{
	if (w->epoll >= 0)
		close(w->epoll);
	w->epoll = -1;
}
