/* In the place of ws.c, in a build without WebSockets (use_wsio=OFF). */
#include "stream/stream.h"

static int
left_out(struct stream *under, struct hf_error *err)
{
	stream_close(under);
	return err_set(
	    err, HF_ERR_UNSUPPORTED, "this build of Holdfast was made without WebSockets (use_wsio=OFF)");
}

int
ws_connect(struct stream **out, struct stream *under, const char *host, const char *path,
    const char *protocol, struct hf_error *err)
{
	(void)out;
	(void)host;
	(void)path;
	(void)protocol;
	return left_out(under, err);
}

int
ws_accept(struct stream **out, struct stream *under, struct buf *head, struct buf *rest, struct hf_error *err)
{
	(void)out;
	buf_free(head);
	buf_free(rest);
	return left_out(under, err);
}

int
ws_accept_key(const char *key, char accept[29])
{
	(void)key;
	accept[0] = '\0';
	return HF_ERR_UNSUPPORTED;
}
