#include <poll.h>
#include <string.h>
#include "base/str.h"
#include "transport.h"

#define TRY_LIMIT  10000 /* ms for a transport behind which there is another */
#define OPEN_LIMIT 30000 /* for the last one */

void
line_init(struct line *l, struct net *net, struct work *work, const struct log *log, const char *whom)
{
	memset(l, 0, sizeof(*l));
	l->net = net;
	l->work = work;
	l->log = log;
	l->whom = whom;
	l->left = 1;
}

int
line_name(struct line *l, const char *host_port, struct hf_error *e)
{
	l->port = 0;
	if (str_host_port(host_port, l->host, sizeof(l->host), &l->port) == 0)
		return 0;
	return err_set(e, HF_ERR_ARGS, "%s \"%s\" is not HOST or HOST:PORT", l->whom, host_port);
}

enum transport
line_transport(const struct line *l)
{
	return l->way.by[l->at];
}

int
line_dial(struct line *l, struct tls_conf *tls, struct engine *engine, struct moment now, struct hf_error *e)
{
	const struct transport_row *t = transport_row(line_transport(l));
	struct dial d = { l->host, l->port != 0 ? l->port : t->port, tls, t->ws };

	memset(&l->pump, 0, sizeof(l->pump));
	l->pump.engine = engine;
	l->until = now.ms + (l->failures + 1 < l->way.count ? TRY_LIMIT : OPEN_LIMIT);
	if (l->net->open(l->net, &l->pump.stream, &d, l->work, e) < 0)
		return e->code;
	l->state = LINE_OPENING;
	return 0;
}

/* What worked comes first from now on, the others keep their order behind it. */
static void
prefer(struct transports *t, size_t at)
{
	enum transport first = t->by[at];

	memmove(t->by + 1, t->by, at * sizeof(t->by[0]));
	t->by[0] = first;
}

int
line_stands(const struct line *l)
{
	return l->state == LINE_OPENING && tls_ready(l->pump.stream);
}

void
line_ready(struct line *l)
{
	if (l->state == LINE_CLOSED)
		return;
	l->state = LINE_READY;
	prefer(&l->way, l->at);
	l->at = l->failures = 0;
	err_clear(&l->last);
}

void
line_close(struct line *l)
{
	if (l->state == LINE_CLOSED)
		return;
	pump_close(&l->pump);
	l->state = LINE_CLOSED;
	l->left = 1;
}

/* The story so far, and the next failure; all but the sentence is that of the last one. */
static void
tell(struct line *l, const struct hf_error *why)
{
	struct hf_error all = { 0 };
	const char *name = transport_name(line_transport(l));

	if (l->failures == 0)
		err_set(&all, why->code, "%s: %s", name, why->text);
	else
		err_set(&all, why->code, "%s; %s: %s", l->last.text, name, why->text);
	l->last = *why;
	memcpy(l->last.text, all.text, sizeof(all.text));
}

int
line_failed(struct line *l, struct hf_error *why)
{
	if (l->way.count == 1)
		return 0;
	tell(l, why);
	if (++l->failures < l->way.count) {
		log_line(l->log, "%s: %s; trying %s", transport_name(l->way.by[l->at]), why->text,
		    transport_name(l->way.by[l->at + 1]));
		l->at++;
		return 1;
	}
	*why = l->last;
	l->at = l->failures = 0;
	err_clear(&l->last);
	return 0;
}

int
line_late(const struct line *l, struct moment now, struct hf_error *why)
{
	if (l->state != LINE_OPENING || now.ms < l->until)
		return 0;
	err_set(why, HF_ERR_NET, "%s %s did not accept a connection over %s in %d s%s", l->whom, l->host,
	    transport_name(line_transport(l)),
	    (l->failures + 1 < l->way.count ? TRY_LIMIT : OPEN_LIMIT) / 1000, stream_late(l->pump.stream));
	return 1;
}

int64_t
line_deadline(struct line *l, struct moment now)
{
	int64_t at;

	if (l->state == LINE_CLOSED)
		return NEVER;
	at = l->pump.engine->ops->tick(l->pump.engine, now.ms);
	return l->state == LINE_OPENING ? sooner(at, l->until) : at;
}

void
line_watch(struct line *l, struct watch *w)
{
	int fd = -1;
	short events = 0;

	if (l->left)
		watch_forget(w, WATCH_STREAM);
	l->left = 0;
	if (l->state != LINE_CLOSED)
		pump_wait(&l->pump, &fd, &events);
	watch_set(w, WATCH_STREAM, fd, events);
	watch_set(w, WATCH_WORK, work_fd(l->work), POLLIN);
}
