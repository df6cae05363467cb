#include <string.h>
#include "base/str.h"
#include "session.h"

/* What may be spoken in a WebSocket. */
static const struct {
	const char *name;
	enum session_kind kind;
} protocols[] = { { "mqtt", SESSION_MQTT }, { "AMQPWSB10", SESSION_AMQP } };

static int
is_path(const char *target)
{
	return str_eqin(WS_PATH, target, strcspn(target, "?"));
}

int
ws_is(const struct http_message *m)
{
	return is_path(m->target) || http_has(m, "Upgrade", "websocket");
}

/* The first of a list that is known, spelt as it is offered. */
static enum session_kind
choose(const char *list, char spelt[32])
{
	size_t n, i;

	for (; *list != '\0'; list += n, list += strspn(list, ", \t")) {
		n = strcspn(list, ", \t");
		for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
			if (str_eqin(protocols[i].name, list, n) && str_copy(spelt, 32, list, n) == 0 &&
			    (protocols[i].kind != SESSION_AMQP || session_amqp_built()))
				return protocols[i].kind;
	}
	return 0;
}

static enum session_kind
choose_any(const struct http_message *m, char spelt[32])
{
	enum session_kind kind = 0;

	for (size_t i = 0; i < m->header_count && kind == 0; i++)
		if (str_eqi(m->header[i].name, "Sec-WebSocket-Protocol"))
			kind = choose(m->header[i].value, spelt);
	return kind;
}

static int
turn_away(struct http_message *out, int status, const char *why)
{
	out->status = status;
	out->header_count = 1;
	out->header[0] = (struct http_header){ "Content-Type", "text/plain" };
	if (status == 426) {
		out->header[out->header_count++] = (struct http_header){ "Upgrade", "websocket" };
		out->header[out->header_count++] = (struct http_header){ "Sec-WebSocket-Version", "13" };
	}
	out->body = why;
	out->len = strlen(why);
	return 0;
}

/* The answer to m: what is spoken from then on, or 0 with a refusal in out. */
static enum session_kind
agree(const struct http_message *m, struct http_message *out, char accept[29], char spelt[32])
{
	const char *version = http_header(m, "Sec-WebSocket-Version"),
		   *key = http_header(m, "Sec-WebSocket-Key");
	enum session_kind kind;

	if (!is_path(m->target))
		return turn_away(out, 404, "there is no WebSocket at this path");
	if (strcmp(m->method, "GET") != 0)
		return turn_away(out, 405, "a WebSocket begins with GET");
	if (!http_has(m, "Upgrade", "websocket") || !http_has(m, "Connection", "Upgrade"))
		return turn_away(out, 426, "at this path there is a WebSocket, and nothing else");
	if (version == NULL || strcmp(version, "13") != 0)
		return turn_away(out, 426, "the WebSocket's version has to be 13");
	if (key == NULL || ws_accept_key(key, accept) < 0)
		return turn_away(out, 400, "Sec-WebSocket-Key is not 16 bytes in base64");
	if ((kind = choose_any(m, spelt)) == 0)
		return turn_away(out, 400, "no subprotocol that is offered is known here");
	*out = (struct http_message){ .status = 101,
		.header_count = 4,
		.header = { { "Upgrade", "websocket" }, { "Connection", "Upgrade" },
		    { "Sec-WebSocket-Accept", accept }, { "Sec-WebSocket-Protocol", spelt } } };
	return kind;
}

void
ws_answer(struct session *s, const struct http_message *m)
{
	struct http_message out = { 0 };
	char accept[29], spelt[32];

	s->upgrade = agree(m, &out, accept, spelt);
	if (s->upgrade == 0)
		log_line(
		    &s->e->log, "a WebSocket is refused with %d: %s", out.status, (const char *)out.body);
	if (http_say(&s->http, &out) < 0)
		session_end(s, "the answer could not be written");
}

void
ws_begin(struct session *s)
{
	struct buf head = { 0 }, rest = { 0 };
	struct stream *stream = s->pump.stream;
	struct hf_error err = { 0 };

	if (http_rest(&s->http, &rest) < 0 ||
	    buf_put(&rest, buf_data(&s->pump.hold), buf_size(&s->pump.hold)) < 0) {
		buf_free(&rest);
		session_end(s, "out of memory");
		return;
	}
	s->pump.stream = NULL;
	pump_close(&s->pump);
	if (ws_accept(&stream, stream, &head, &rest, &err) < 0) {
		s->stream = NULL;
		session_end(s, "%s", err.text);
		return;
	}
	http_fini(&s->http);
	s->pump = (struct pump){ .stream = stream, .engine = &s->engine };
	s->in_ws = 1;
	s->opened = s->e->now.ms;
	if (session_speak(s, s->upgrade) < 0)
		session_end(s, "out of memory");
	s->upgrade = 0;
	session_wake(s);
}
