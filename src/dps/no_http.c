/* In the place of way_http.c, service.c, connection.c and enroll.c, in a build without HTTPS (use_http=OFF). */
#include "dps/dps_client.h"
#include "way.h"

int
dps_way_http(struct dps_way **out, const struct dps_way_settings *s)
{
	(void)out;
	(void)s;
	return HF_ERR_UNSUPPORTED;
}

static int
left_out(struct hf_error *e)
{
	return err_set(e, HF_ERR_UNSUPPORTED,
	    "this build of Holdfast was made without HTTPS (use_http=OFF), by which alone DPS takes enrollments");
}

int
dps_enroll_put(struct buf *path, struct buf *body, const struct hf_enrollment *n, struct hf_error *e)
{
	(void)path;
	(void)body;
	(void)n;
	return left_out(e);
}

int
dps_call_new(struct dps_call **out, const char *text, const struct hf_call *q, const char *more,
    const char *trust, struct net *net, struct work *work, struct moment now, struct hf_error *e)
{
	(void)out;
	(void)text;
	(void)q;
	(void)more;
	(void)trust;
	(void)net;
	(void)work;
	(void)now;
	return left_out(e);
}

void
dps_call_free(struct dps_call *c)
{
	(void)c;
}

int
dps_call_step(struct dps_call *c, struct moment now)
{
	(void)c;
	(void)now;
	return HF_ERR_UNSUPPORTED;
}

int64_t
dps_call_deadline(const struct dps_call *c)
{
	(void)c;
	return NEVER;
}

void
dps_call_watch(struct dps_call *c, struct watch *w)
{
	(void)c;
	(void)w;
}

const struct buf *
dps_call_answer(const struct dps_call *c)
{
	(void)c;
	return NULL;
}

const char *
dps_call_more(const struct dps_call *c)
{
	(void)c;
	return NULL;
}

const struct hf_error *
dps_call_error(const struct dps_call *c)
{
	(void)c;
	return NULL;
}
