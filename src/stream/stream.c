#include "stream/stream.h"

ssize_t
stream_read(struct stream *s, void *p, size_t n)
{
	return s->ops->read(s, p, n);
}

ssize_t
stream_write(struct stream *s, const void *p, size_t n)
{
	return s->ops->write(s, p, n);
}

void
stream_wait(struct stream *s, int want, int *fd, short *events)
{
	s->ops->wait(s, want, fd, events);
}

void
stream_close(struct stream *s)
{
	if (s != NULL)
		s->ops->close(s);
}

const char *
stream_late(const struct stream *s)
{
	while (s != NULL && s->late == NULL)
		s = s->below;
	return s != NULL ? s->late : "";
}
