#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>
#include "base/b64.h"
#include "base/str.h"
#include "stream/ask.h"

#define HEAD_MAX    14
#define FRAME_MAX   (16 * 1024 - HEAD_MAX) /* it fits one TLS record */
#define OUT_HIGH    (16 * 1024)		   /* above this much unsent, pongs wait, and so does reading */
#define IDLE_TALK   (1024 * 1024) /* bytes in one read without a byte of data: nobody pings so much */
#define CONTROL_MAX 125
#define ACCEPT_SIZE 29

enum {
	CLOSE_NORMAL = 1000,
	CLOSE_PROTOCOL = 1002,
	CLOSE_UNSUPPORTED = 1003,
	CLOSE_NONE = 1005, /* stands for a close frame without a code */
	CLOSE_POLICY = 1008
};

/* A client's handshake. */
struct hello {
	struct ask ask;
	char accept[ACCEPT_SIZE];
	char protocol[64];
};
struct ws {
	struct stream s;
	struct stream *under;
	struct hello *hello; /* NULL once it is over */
	wslay_frame_context_ptr frames;
	char peer[280]; /* for sentences */
	int server;
	struct buf in,
	    out; /* what came behind the handshake; frames that the stream below did not take yet */
	int want_in, want_out;
	int eof, lost;	     /* the stream below: has ended; cannot be written to any more */
	int no_memory;	     /* a callback's */
	int inside;	     /* a message that is not over */
	uint64_t got;	     /* bytes of the frame that is coming */
	size_t owed;	     /* of the frame in out: bytes that are not yet told to be written */
	int farewell;	     /* a close frame was put into out */
	int ended;	     /* theirs has come */
	size_t idle;	     /* bytes since the read began */
	const uint8_t *data; /* of the frame that came last, lent by `frames` */
	size_t left;
	uint8_t control[CONTROL_MAX];
	size_t control_len;
};

/* From below, what came behind the handshake first. */
static ssize_t
on_receive(uint8_t *dst, size_t n, int flags, void *arg)
{
	struct ws *w = arg;
	ssize_t r;

	(void)flags;
	if (buf_size(&w->in) > 0) {
		n = n < buf_size(&w->in) ? n : buf_size(&w->in);
		memcpy(dst, buf_data(&w->in), n);
		buf_eat(&w->in, n);
		r = (ssize_t)n;
	} else {
		buf_free(&w->in);
		r = stream_read(w->under, dst, n);
	}
	w->want_in = r < 0 ? (int)r : 0;
	w->eof = r == 0;
	w->idle += r > 0 ? (size_t)r : 0;
	return r > 0 ? r : -1;
}

static ssize_t
on_send(const uint8_t *src, size_t n, int flags, void *arg)
{
	struct ws *w = arg;

	(void)flags;
	w->no_memory |= buf_put(&w->out, src, n) < 0;
	return w->no_memory ? -1 : (ssize_t)n;
}

static int
on_mask(uint8_t *dst, size_t n, void *arg)
{
	(void)arg;
	return RAND_bytes(dst, (int)n) == 1 ? 0 : -1;
}

static ssize_t
fail(struct ws *w, const struct hf_error *why)
{
	err_set(&w->s.err, why->code, "%s", why->text);
	return STREAM_ERR;
}

/* Hands on what waits. 0: nothing waits any more. */
static ssize_t
flush(struct ws *w)
{
	ssize_t n;

	while (buf_size(&w->out) > 0 && !w->lost) {
		n = stream_write(w->under, buf_data(&w->out), buf_size(&w->out));
		if (n < 0) {
			w->want_out = (int)n;
			w->lost = n == STREAM_ERR;
			return n;
		}
		buf_eat(&w->out, (size_t)n);
	}
	buf_free(&w->out);
	return w->lost ? STREAM_ERR : 0;
}

/* A whole frame, into out. */
static ssize_t
put_frame(struct ws *w, uint8_t opcode, const void *p, size_t n)
{
	struct wslay_frame_iocb f = { .fin = 1,
		.opcode = opcode,
		.payload_length = n,
		.mask = !w->server,
		.data = p,
		.data_length = n };

	w->no_memory = buf_room(&w->out, n + HEAD_MAX) == NULL;
	if (!w->no_memory && wslay_frame_send(w->frames, &f) == (ssize_t)n)
		return 0;
	if (w->no_memory)
		err_memory(&w->s.err);
	else
		err_ssl(&w->s.err, HF_ERR_OTHER, "OpenSSL gives no random numbers for WebSocket's masks");
	return STREAM_ERR;
}

static void
say_goodbye(struct ws *w, unsigned code)
{
	const uint8_t status[] = { code >> 8 & 0xff, code & 0xff };

	if (w->farewell)
		return;
	w->farewell = 1;
	if (put_frame(w, WSLAY_CONNECTION_CLOSE, status, code == CLOSE_NONE ? 0 : sizeof status) == 0)
		flush(w);
}

/* The peer broke a rule, and is told so. */
static ssize_t
broke(struct ws *w, unsigned code, const char *what)
{
	err_set(&w->s.err, HF_ERR_PROTOCOL, "%s broke WebSocket's rules: %s; it was closed with %u", w->peer,
	    what, code);
	say_goodbye(w, code);
	return STREAM_ERR;
}

/* Codes that may be sent (RFC 6455, 7.4). */
static int
is_code(unsigned code)
{
	if (code >= 1000 && code <= 1014)
		return code != 1004 && code != 1005 && code != 1006;
	return code >= 3000 && code <= 4999;
}

/* Words in ASCII are kept: they go into a sentence. */
static void
close_reason(const struct ws *w, char dst[CONTROL_MAX])
{
	size_t i, n = w->control_len - 2;

	for (i = 0; i < n; i++)
		dst[i] = (char)(w->control[i + 2] < 0x80 && w->control[i + 2] != 0 ? w->control[i + 2] : '?');
	dst[n] = '\0';
}

static ssize_t
got_close(struct ws *w)
{
	unsigned code = CLOSE_NONE;
	char reason[CONTROL_MAX] = "";

	if (w->control_len == 1)
		return broke(w, CLOSE_PROTOCOL, "a close frame has half a code");
	if (w->control_len > 1) {
		code = (unsigned)w->control[0] << 8 | w->control[1];
		close_reason(w, reason);
	}
	if (w->control_len > 1 && !is_code(code))
		return broke(w, CLOSE_PROTOCOL, "a close frame has a code that does not exist");
	w->ended = 1;
	if (code != CLOSE_NORMAL && code != CLOSE_NONE)
		err_set(&w->s.err, HF_ERR_NET, "%s closed the WebSocket with code %u%s%s", w->peer, code,
		    reason[0] != '\0' ? ": " : "", reason);
	say_goodbye(w, code);
	return 0;
}

/* Once nothing can be said any more, nobody waits for a pong. */
static ssize_t
got_control(struct ws *w, uint8_t opcode)
{
	ssize_t r = 0;

	if (opcode == WSLAY_CONNECTION_CLOSE)
		r = got_close(w);
	else if (opcode == WSLAY_PING && !w->farewell && !w->lost)
		r = put_frame(w, WSLAY_PONG, w->control, w->control_len);
	w->control_len = 0;
	return r;
}

/* Which frames may come, whatever is in them. NULL: this one may. */
static const char *
objection(const struct ws *w, const struct wslay_frame_iocb *f, int begins)
{
	if (f->rsv != 0)
		return "a frame uses reserved bits";
	if (w->server && !f->mask)
		return "a client's frame is not masked";
	if (!w->server && f->mask)
		return "a server's frame is masked";
	switch (f->opcode) {
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		return NULL;
	case WSLAY_CONTINUATION_FRAME:
		return w->inside ? NULL : "a frame goes on with a message that has not begun";
	case WSLAY_BINARY_FRAME:
	case WSLAY_TEXT_FRAME:
		return begins && w->inside ? "a message begins inside another" : NULL;
	default:
		return "a frame's kind does not exist";
	}
}

/* Some of a frame has come, perhaps all. */
static ssize_t
got_frame(struct ws *w, const struct wslay_frame_iocb *f)
{
	const char *why = objection(w, f, w->got == 0);
	int whole = w->got + f->data_length == f->payload_length;

	if (why != NULL)
		return broke(w, CLOSE_PROTOCOL, why);
	if (f->opcode == WSLAY_TEXT_FRAME)
		return broke(w, CLOSE_UNSUPPORTED, "it sent text where only bytes are understood");
	w->got = whole ? 0 : w->got + f->data_length;
	if (wslay_is_ctrl_frame(f->opcode)) {
		memcpy(w->control + w->control_len, f->data, f->data_length);
		w->control_len += f->data_length;
		return whole ? got_control(w, f->opcode) : 0;
	}
	w->data = f->data;
	w->left = f->data_length;
	if (whole)
		w->inside = !f->fin;
	return 0;
}

/* 0: there is something new, or may be at once. */
static ssize_t
next_frame(struct ws *w)
{
	struct wslay_frame_iocb f;
	ssize_t r;

	if (w->idle > IDLE_TALK)
		return broke(w, CLOSE_POLICY, "it sends frames without end and no data");
	if ((r = wslay_frame_recv(w->frames, &f)) >= 0)
		return got_frame(w, &f);
	if (r != WSLAY_ERR_WANT_READ)
		return broke(w, CLOSE_PROTOCOL, "a frame's length is not legal");
	if (w->want_in == STREAM_ERR)
		return fail(w, &w->under->err);
	if (!w->eof)
		return w->want_in;
	err_set(&w->s.err, HF_ERR_NET, "%s closed the connection without WebSocket's goodbye", w->peer);
	return STREAM_ERR;
}

static ssize_t
broken(struct ws *w, const char *what)
{
	err_set(&w->s.err, HF_ERR_PROTOCOL, "%s agreed to a WebSocket, but %s", w->peer, what);
	return STREAM_ERR;
}

static ssize_t
refused(struct ws *w, const struct http_message *m)
{
	int code = HF_ERR_SERVICE;
	const char *next = "is that an IoT hub or a DPS?";

	if (m->status == 408 || m->status == 429 || m->status / 100 == 5) {
		code = HF_ERR_NET;
		next = "try again later";
	} else if (m->status == 401 || m->status == 403) {
		code = HF_ERR_AUTH;
		next = "may this device come here?";
	}
	err_set(&w->s.err, code, "%s opened no WebSocket: HTTP %d%s%.80s; %s", w->peer, m->status,
	    m->reason[0] != '\0' ? " " : "", m->reason, next);
	return STREAM_ERR;
}

static ssize_t
check(struct ws *w, const struct http_message *m)
{
	const char *accept = http_header(m, "Sec-WebSocket-Accept");
	const char *protocol = http_header(m, "Sec-WebSocket-Protocol");

	if (m->status != 101)
		return refused(w, m);
	if (!http_has(m, "Upgrade", "websocket") || !http_has(m, "Connection", "Upgrade"))
		return broken(w, "its answer upgrades to something else");
	if (accept == NULL || strcmp(accept, w->hello->accept) != 0)
		return broken(w, "its Sec-WebSocket-Accept is not the one that belongs to our key");
	if (protocol == NULL || !str_eqi(protocol, w->hello->protocol))
		return broken(w, "not to the subprotocol that was asked for");
	if (http_header(m, "Sec-WebSocket-Extensions") != NULL)
		return broken(w, "with extensions that nobody asked for");
	return 0;
}

static void
hello_free(struct ws *w)
{
	if (w->hello != NULL)
		ask_fini(&w->hello->ask);
	free(w->hello);
	w->hello = NULL;
}

static ssize_t
hello_failed(struct ws *w)
{
	const struct hf_error *why = ask_why(&w->hello->ask, w->under);

	if (why == &w->under->err)
		return fail(w, why);
	err_set(&w->s.err, why->code, "opening a WebSocket with %s: %s", w->peer, why->text);
	return STREAM_ERR;
}

/* Brings the handshake on. 0: it is over, and well. */
static ssize_t
drive(struct ws *w)
{
	struct http_message m;
	ssize_t r;

	if (w->hello == NULL)
		return 0;
	if (w->s.err.code != 0)
		return STREAM_ERR;
	if ((r = ask_drive(&w->hello->ask, w->under, &m)) == STREAM_ERR)
		return hello_failed(w);
	if (r < 0 || (r = check(w, &m)) < 0)
		return r;
	if (http_rest(&w->hello->ask.http, &w->in) < 0) {
		err_memory(&w->s.err);
		return STREAM_ERR;
	}
	hello_free(w);
	return 0;
}

static ssize_t
ws_read(struct stream *s, void *dst, size_t n)
{
	struct ws *w = (struct ws *)s;
	ssize_t r = drive(w);

	w->idle = 0;
	while (r == 0 && w->left == 0) {
		flush(w);
		if (w->ended)
			return 0;
		if (w->s.err.code != 0)
			return STREAM_ERR;
		if (buf_size(&w->out) > OUT_HIGH && !w->lost)
			return w->want_out;
		r = next_frame(w);
	}
	if (r < 0)
		return r;
	n = n < w->left ? n : w->left;
	memcpy(dst, w->data, n);
	w->data += n;
	w->left -= n;
	return (ssize_t)n;
}

/* Bytes count as written once their whole frame has gone, so that who closes then has lost none; until then they are to be offered again. */
static ssize_t
ws_write(struct stream *s, const void *src, size_t n)
{
	struct ws *w = (struct ws *)s;
	ssize_t r = drive(w);

	if (r < 0)
		return r;
	if (w->farewell)
		err_set(&w->s.err, HF_ERR_NET, "%s has closed the WebSocket", w->peer);
	if (w->s.err.code != 0)
		return STREAM_ERR;
	r = flush(w);
	if (r == 0 && w->owed == 0) {
		w->owed = n < FRAME_MAX ? n : FRAME_MAX;
		if (put_frame(w, WSLAY_BINARY_FRAME, src, w->owed) < 0)
			return STREAM_ERR;
		r = flush(w);
	}
	if (r < 0)
		return w->lost ? fail(w, &w->under->err) : r;
	r = (ssize_t)w->owed;
	w->owed = 0;
	return r;
}

static void
ws_wait(struct stream *s, int want, int *fd, short *events)
{
	struct ws *w = (struct ws *)s;
	int out_fd;
	short out_events;

	stream_wait(w->under, want, fd, events);
	if (buf_size(&w->out) == 0 || w->lost)
		return;
	stream_wait(w->under, w->want_out, &out_fd, &out_events);
	if (out_fd == *fd)
		*events = (short)(*events | out_events);
}

static void
ws_free(struct ws *w)
{
	hello_free(w);
	wslay_frame_context_free(w->frames);
	buf_free(&w->in);
	buf_free(&w->out);
	OPENSSL_cleanse(w->control, sizeof w->control);
	stream_close(w->under);
	free(w);
}

static void
ws_close(struct stream *s)
{
	struct ws *w = (struct ws *)s;

	if (w->hello == NULL) {
		say_goodbye(w, CLOSE_NORMAL);
		flush(w);
	}
	ws_free(w);
}

static const struct stream_ops ws_ops = { ws_read, ws_write, ws_wait, ws_close };

/* Takes `under`, at failure too. */
static struct ws *
ws_new(struct stream *under, int server, const char *peer, struct hf_error *err)
{
	const struct wslay_frame_callbacks calls = { on_send, on_receive, on_mask };
	struct ws *w = calloc(1, sizeof *w);

	if (w == NULL) {
		stream_close(under);
		err_memory(err);
		return NULL;
	}
	w->s.ops = &ws_ops;
	w->s.below = w->under = under;
	w->server = server;
	str_fmt(w->peer, sizeof w->peer, "%.270s", peer);
	if (wslay_frame_context_init(&w->frames, &calls, w) == 0)
		return w;
	err_memory(err);
	ws_free(w);
	return NULL;
}

/* 16 random bytes as text, and what the server has to answer to them. */
static int
hello_key(struct buf *key, char accept[ACCEPT_SIZE], struct hf_error *err)
{
	uint8_t random[16];

	if (RAND_bytes(random, sizeof random) != 1)
		return err_ssl(err, HF_ERR_OTHER, "OpenSSL gives no random numbers for a WebSocket's key");
	if (b64_put(key, random, sizeof random) < 0 || buf_str(key) == NULL)
		return err_memory(err);
	switch (ws_accept_key(buf_str(key), accept)) {
	case 0:
		return 0;
	case HF_ERR_OTHER:
		return err_ssl(err, HF_ERR_OTHER, "OpenSSL gives no SHA-1 for a WebSocket's key");
	default:
		return err_memory(err);
	}
}

static int
hello_begin(struct hello *h, const char *host, const char *path, const char *protocol, struct hf_error *err)
{
	struct http_message m = { .method = "GET",
		.target = path,
		.header_count = 6,
		.header = { { "Host", host }, { "Upgrade", "websocket" }, { "Connection", "Upgrade" },
		    { "Sec-WebSocket-Version", "13" }, { "Sec-WebSocket-Protocol", protocol } } };
	struct buf key = { 0 };
	int r = hello_key(&key, h->accept, err);

	if (r == 0) {
		m.header[5] = (struct http_header){ "Sec-WebSocket-Key", buf_str(&key) };
		r = ask_init(&h->ask, &m);
	}
	buf_free(&key);
	if (r == HF_ERR_MEMORY)
		return err_memory(err);
	if (r < 0)
		return err_set(err, r, "no WebSocket can be asked for at '%.200s'", host);
	return 0;
}

int
ws_connect(struct stream **out, struct stream *under, const char *host, const char *path,
    const char *protocol, struct hf_error *err)
{
	struct ws *w = ws_new(under, 0, host, err);

	if (w == NULL)
		return err->code;
	if ((w->hello = calloc(1, sizeof *w->hello)) == NULL) {
		err_memory(err);
		goto fail;
	}
	str_fmt(w->hello->protocol, sizeof w->hello->protocol, "%s", protocol);
	if (hello_begin(w->hello, host, path, protocol, err) < 0)
		goto fail;
	*out = &w->s;
	return 0;
fail:
	ws_free(w);
	return err->code;
}

static void
move(struct buf *dst, struct buf *src)
{
	*dst = *src;
	*src = (struct buf){ 0 };
}

int
ws_accept(struct stream **out, struct stream *under, struct buf *head, struct buf *rest, struct hf_error *err)
{
	struct ws *w = ws_new(under, 1, "the client", err);

	if (w == NULL) {
		buf_free(head);
		buf_free(rest);
		return err->code;
	}
	move(&w->out, head);
	move(&w->in, rest);
	*out = &w->s;
	return 0;
}

int
ws_accept_key(const char *key, char accept[ACCEPT_SIZE])
{
	static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	struct buf b = { 0 };
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	int r = HF_ERR_ARGS;

	if (strlen(key) != 24 || b64_get(&b, key, 24) < 0 || buf_size(&b) != 16)
		goto done;
	buf_clear(&b);
	r = HF_ERR_MEMORY;
	if (buf_puts(&b, key) < 0 || buf_puts(&b, suffix) < 0)
		goto done;
	r = HF_ERR_OTHER;
	if (EVP_Digest(buf_data(&b), buf_size(&b), hash, &len, EVP_sha1(), NULL) != 1)
		goto done;
	buf_clear(&b);
	r = HF_ERR_MEMORY;
	if (b64_put(&b, hash, len) == 0)
		r = str_copy(accept, ACCEPT_SIZE, buf_data(&b), buf_size(&b));
done:
	buf_free(&b);
	return r;
}
