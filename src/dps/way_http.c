#include <stdlib.h>
#include "base/str.h"
#include "way.h"

#define BODY_MAX (128 * 1024) /* DPS messages are 96 KB at most */

struct way_http {
	struct dps_way way;
	struct http http;
	char host[256];
	int begun;
};

static int
say(struct dps_way *w, const struct dps_who *who, const struct dps_request *q)
{
	struct way_http *h = (struct way_http *)w;

	return dps_http_put_request(&h->http, who, q, h->host);
}

/* There is nothing to wait for. */
static int
next(struct dps_way *w, struct dps_way_event *ev)
{
	struct way_http *h = (struct way_http *)w;
	struct http_event in;
	int rc;

	if (!h->begun) {
		h->begun = 1;
		ev->what = DPS_WAY_READY;
		return 1;
	}
	if ((rc = http_next(&h->http, &in)) <= 0)
		return rc;
	ev->what = DPS_WAY_LOST;
	if (in.what == HTTP_CLOSED)
		return 1;
	ev->last = !in.message.keep;
	rc = dps_http_get_reply(&in.message, &ev->reply, &ev->err);
	ev->what = rc < 0 ? DPS_WAY_UNREAD : DPS_WAY_REPLY;
	return 1;
}

static void
end(struct dps_way *w)
{
	http_fini(&((struct way_http *)w)->http);
	free(w);
}

static const struct dps_way_ops ops = { say, next, NULL, end };

int
dps_way_http(struct dps_way **out, const struct dps_way_settings *s)
{
	struct way_http *h = calloc(1, sizeof(*h));

	if (h == NULL || http_init(&h->http, 0, BODY_MAX) < 0) {
		free(h);
		return HF_ERR_MEMORY;
	}
	h->way.ops = &ops;
	h->way.engine = &h->http.engine;
	(void)str_fmt(h->host, sizeof(h->host), "%s", s->host);
	*out = &h->way;
	return 0;
}
