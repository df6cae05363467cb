#include <string.h>
#include "amqp/local.h"
#include "base/str.h"

#define OPEN	 0x10
#define TRANSFER 0x14
#define FED_MAX	 (64 * 1024) /* Proton gets no more before its events have been taken */

static const char sasl_header[] = { 'A', 'M', 'Q', 'P', 3, 1, 0, 0 };
static const char amqp_header[] = { 'A', 'M', 'Q', 'P', 0, 1, 0, 0 };

static const char *
peer(const struct amqp *a)
{
	return a->server ? "client" : "server";
}

/* One SASL frame. */
static int
put_frame(struct amqp *a, uint8_t what, uint32_t count, const struct buf *fields)
{
	static const uint8_t lead[] = { 2, 1, 0, 0 };
	struct buf body = { 0 };
	int r = amqp_put_list(&body, what, count, fields);

	if (r == 0)
		r = buf_put32(&a->engine.out, (uint32_t)buf_size(&body) + 8);
	if (r == 0)
		r = buf_put(&a->engine.out, lead, sizeof(lead));
	if (r == 0)
		r = buf_put(&a->engine.out, buf_data(&body), buf_size(&body));
	buf_free(&body);
	return r < 0 ? amqp_fail(a, err_memory(&a->engine.err)) : 0;
}

static int
put_bytes_frame(struct amqp *a, uint8_t what, const void *p, size_t n)
{
	struct buf fields = { 0 };
	int r = amqp_put_binary(&fields, p, n);

	if (r == 0)
		r = put_frame(a, what, 1, &fields);
	buf_free(&fields);
	return r;
}

int
amqp_sasl(struct amqp *a, const char *mechanism, const void *init, size_t n, const char *host)
{
	if (n > AMQP_SASL_FRAME - 64)
		return HF_ERR_ARGS;
	if (str_fmt(a->mechanism, sizeof(a->mechanism), "%s", mechanism) < 0 ||
	    str_fmt(a->hostname, sizeof(a->hostname), "%s", host != NULL ? host : "") < 0)
		return HF_ERR_ARGS;
	a->layer = LAYER_HEADER;
	a->let_in = 0;
	a->outcome = init != NULL;
	if (n > 0 && buf_put(&a->init, init, n) < 0)
		return HF_ERR_MEMORY;
	return buf_put(&a->engine.out, sasl_header, 8);
}

static int
say_init(struct amqp *a)
{
	struct buf fields = { 0 };
	int r = amqp_put_symbol(&fields, a->mechanism, strlen(a->mechanism));

	if (r == 0)
		r = a->outcome ? amqp_put_binary(&fields, buf_data(&a->init), buf_size(&a->init))
			       : amqp_put_null(&fields);
	if (r == 0)
		r = a->hostname[0] != '\0' ? amqp_put_string(&fields, a->hostname, strlen(a->hostname))
					   : amqp_put_null(&fields);
	if (r == 0)
		r = put_frame(a, SASL_INIT, 3, &fields);
	buf_free(&fields);
	buf_free(&a->init);
	return r;
}

int
amqp_respond(struct amqp *a, const void *p, size_t n)
{
	if (a->server || a->layer != LAYER_SASL || !a->waits)
		return HF_ERR_STATE;
	if (n > AMQP_SASL_MAX - 64)
		return HF_ERR_ARGS;
	a->waits = 0;
	return put_bytes_frame(a, SASL_RESPONSE, p, n);
}

int
amqp_challenge(struct amqp *a, const void *p, size_t n)
{
	if (!a->server || a->layer != LAYER_SASL || !a->waits)
		return HF_ERR_STATE;
	if (n > AMQP_SASL_FRAME - 32)
		return HF_ERR_ARGS;
	a->waits = 0;
	return put_bytes_frame(a, SASL_CHALLENGE, p, n);
}

int
amqp_outcome(struct amqp *a, int code)
{
	struct buf fields = { 0 };
	int r;

	if (!a->server || a->layer != LAYER_SASL || !a->waits)
		return HF_ERR_STATE;
	a->waits = 0;
	r = buf_putc(&fields, 0x50) < 0 || buf_putc(&fields, (uint8_t)code) < 0 ? HF_ERR_MEMORY : 0;
	if (r == 0)
		r = put_frame(a, SASL_OUTCOME, 1, &fields);
	buf_free(&fields);
	a->layer = LAYER_HEADER_AGAIN;
	a->let_in = code == 0;
	a->closed = code != 0;
	return r;
}

int
amqp_put_plain(struct buf *b, const char *user, const char *password)
{
	if (buf_putc(b, 0) < 0 || buf_put(b, user, strlen(user) + 1) < 0)
		return HF_ERR_MEMORY;
	return buf_puts(b, password);
}

int
amqp_get_plain(
    struct buf *copy, struct amqp_text init, const char **user, const char **password, struct hf_error *e)
{
	const char *first = init.len > 0 ? memchr(init.p, '\0', init.len) : NULL, *second;
	size_t rest = first != NULL ? init.len - (size_t)(first + 1 - init.p) : 0;

	second = rest > 0 ? memchr(first + 1, '\0', rest) : NULL;
	if (second == NULL || memchr(second + 1, '\0', rest - (size_t)(second - first)) != NULL)
		return err_set(e, HF_ERR_PROTOCOL, "what came for PLAIN is not a name and a password");
	if (buf_put(copy, first + 1, rest) < 0 || buf_str(copy) == NULL)
		return err_memory(e);
	*user = (const char *)buf_data(copy);
	*password = *user + (second - first);
	return 0;
}

/* The next event lends from `taken`. */
static int
tell(struct amqp *a, const struct amqp_event *ev)
{
	a->sasl_event = *ev;
	a->pending = 1;
	return 0;
}

static int
broken(struct amqp *a, const char *what)
{
	return err_set(&a->engine.err, HF_ERR_PROTOCOL, "the AMQP %s sent %s", peer(a), what);
}

static void
add_name(struct amqp *a, const char *p, size_t n)
{
	size_t at = strlen(a->offered);

	if (n >= sizeof(a->offered) - at - 2)
		return;
	if (at > 0)
		a->offered[at++] = ' ';
	memcpy(a->offered + at, p, n);
	a->offered[at + n] = '\0';
	str_plain(a->offered);
}

static int
is_among(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; *p != '\0'; p += strcspn(p, " "), p += *p == ' ')
		if (strncmp(p, name, n) == 0 && (p[n] == ' ' || p[n] == '\0'))
			return 1;
	return 0;
}

/* An array of symbols with one byte of length each, or four; or one symbol. */
static int
get_names(struct amqp *a, const struct amqp_value *v)
{
	const uint8_t *p = (const uint8_t *)v->bytes.p, *end = p + v->bytes.len;
	size_t wide, n;

	if (v->type == AMQP_SYMBOL) {
		add_name(a, v->bytes.p, v->bytes.len);
		return 0;
	}
	if (v->type != AMQP_ARRAY || p == end || (*p != 0xA3 && *p != 0xB3))
		return HF_ERR_PROTOCOL;
	wide = *p++ == 0xA3 ? 1 : 4;
	for (uint32_t i = 0; i < v->count; i++) {
		if ((size_t)(end - p) < wide)
			return HF_ERR_PROTOCOL;
		n = p[wide - 1] +
		    (wide == 4 ? (size_t)p[2] << 8 | (size_t)p[1] << 16 | (size_t)p[0] << 24 : 0);
		p += wide;
		if (n > (size_t)(end - p))
			return HF_ERR_PROTOCOL;
		add_name(a, (const char *)p, n);
		p += n;
	}
	return 0;
}

static int
offered(struct amqp *a, const struct amqp_value *names)
{
	struct amqp_event ev = { .what = AMQP_REFUSED, .code = -1 };

	if (a->offered[0] != '\0' || get_names(a, names) < 0)
		return broken(a, "SASL mechanisms that cannot be read");
	if (is_among(a->offered, a->mechanism))
		return say_init(a);
	a->closed = 1;
	ev.bytes = (struct amqp_text){ a->offered, strlen(a->offered) };
	return tell(a, &ev);
}

static int
decided(struct amqp *a, const struct amqp_value *code)
{
	struct amqp_event ev = { .what = AMQP_LET_IN, .code = (int)code->u };

	if (code->type != AMQP_UINT)
		return broken(a, "a SASL outcome without a code");
	a->layer = LAYER_HEADER_AGAIN;
	a->let_in = ev.code == 0;
	a->closed = ev.code != 0;
	if (ev.code != 0)
		ev.what = AMQP_REFUSED;
	return tell(a, &ev);
}

static int
begun(struct amqp *a, struct amqp_walk *w, const struct amqp_value *mechanism)
{
	struct amqp_event ev = { .what = AMQP_SASL_INIT };
	struct amqp_value bytes = { 0 }, host = { 0 };

	if (a->mechanism[0] != '\0' || mechanism->type != AMQP_SYMBOL ||
	    amqp_copy(mechanism, a->mechanism, sizeof(a->mechanism)) < 0 || amqp_walk(w, &bytes) < 0 ||
	    amqp_walk(w, &host) < 0)
		return broken(a, "a SASL init that cannot be read");
	if (host.type == AMQP_STRING)
		(void)amqp_copy(&host, a->hostname, sizeof(a->hostname));
	a->waits = 1;
	if (!is_among(a->mechanisms, a->mechanism)) {
		(void)amqp_outcome(a, 1);
		return err_set(&a->engine.err, HF_ERR_PROTOCOL,
		    "the AMQP client wants the SASL mechanism %.31s, which is not offered", a->mechanism);
	}
	ev.mechanism = a->mechanism;
	ev.bytes = bytes.type == AMQP_BINARY ? bytes.bytes : (struct amqp_text){ NULL, 0 };
	ev.text = a->hostname;
	return tell(a, &ev);
}

/* A server is told of responses, a client of challenges. */
static int
went_on(struct amqp *a, const struct amqp_value *bytes)
{
	struct amqp_event ev = { .what = a->server ? AMQP_SASL_RESPONSE : AMQP_SASL_CHALLENGE,
		.bytes = bytes->bytes,
		.mechanism = a->mechanism };

	if (bytes->type != AMQP_BINARY)
		return broken(a, "a SASL frame without bytes");
	if (a->server ? a->mechanism[0] == '\0' : a->offered[0] == '\0')
		return broken(a, "a SASL frame before its time");
	a->waits = 1;
	return tell(a, &ev);
}

static int
sasl_frame(struct amqp *a)
{
	struct amqp_value list, first;
	struct amqp_walk w;
	const uint8_t *p;
	size_t lead;

	buf_free(&a->taken);
	a->taken = a->inbox;
	a->inbox = (struct buf){ 0 };
	p = buf_data(&a->taken);
	lead = (size_t)p[4] * 4;
	if (p[5] != 1 || lead < 8 || lead > buf_size(&a->taken) ||
	    amqp_get(p + lead, buf_size(&a->taken) - lead, &list) < 0 || list.type != AMQP_LIST)
		return broken(a, "what is not a SASL frame");
	w = amqp_inside(&list);
	if (amqp_walk(&w, &first) != 1)
		return broken(a, "an empty SASL frame");
	if (list.described == (a->server ? SASL_RESPONSE : SASL_CHALLENGE))
		return went_on(a, &first);
	if (!a->server && list.described == SASL_MECHANISMS)
		return offered(a, &first);
	if (!a->server && list.described == SASL_OUTCOME)
		return decided(a, &first);
	if (a->server && list.described == SASL_INIT)
		return begun(a, &w, &first);
	return broken(a, "a SASL frame that is not for it to say");
}

static int
offer(struct amqp *a)
{
	struct buf names = { 0 }, array = { 0 };
	uint32_t count = 0;
	int r = buf_put(&a->engine.out, sasl_header, 8);

	for (const char *s = a->mechanisms; *s != '\0' && r == 0; count++) {
		size_t n = strcspn(s, " ");

		r = buf_putc(&names, (uint8_t)n);
		if (r == 0)
			r = buf_put(&names, s, n);
		s += n;
		s += *s == ' ';
	}
	if (r == 0 && (buf_putc(&array, 0xE0) < 0 || buf_putc(&array, (uint8_t)(buf_size(&names) + 2)) < 0 ||
			  buf_putc(&array, (uint8_t)count) < 0 || buf_putc(&array, 0xA3) < 0 ||
			  buf_put(&array, buf_data(&names), buf_size(&names)) < 0))
		r = HF_ERR_MEMORY;
	if (r == 0)
		r = put_frame(a, SASL_MECHANISMS, 1, &array);
	buf_free(&names);
	buf_free(&array);
	a->layer = LAYER_SASL;
	return r;
}

/* Whoever does not speak as we do is shown how we do. */
static int
other_header(struct amqp *a, const uint8_t *p)
{
	const char *ours = a->layer == LAYER_HEADER && !a->bare ? sasl_header : amqp_header;
	char shown[17];

	if (a->server)
		(void)buf_put(&a->engine.out, ours, 8);
	str_hex(shown, p, 8);
	return err_set(&a->engine.err, HF_ERR_PROTOCOL, "the AMQP %s began with %s, which is not %s", peer(a),
	    shown, ours == sasl_header ? "SASL's header" : "AMQP 1.0's header");
}

static int
header(struct amqp *a)
{
	struct amqp_event ev = { .what = AMQP_LET_IN };
	const uint8_t *p = buf_data(&a->inbox);
	int is_sasl = memcmp(p, sasl_header, 8) == 0, is_amqp = memcmp(p, amqp_header, 8) == 0;
	int was = a->layer, r = 0;

	if (was == LAYER_HEADER && is_sasl && a->server && a->mechanisms != NULL)
		r = offer(a);
	else if (was == LAYER_HEADER && is_sasl && !a->server)
		a->layer = LAYER_SASL;
	else if (is_amqp && (was == LAYER_HEADER_AGAIN || (a->server && a->bare))) {
		a->layer = LAYER_AMQP;
		a->let_in = 1;
		r = amqp_feed(a, p, 8);
		if (r == 0 && !a->server && a->mechanism[0] == '\0')
			r = tell(a, &ev);
	} else
		return other_header(a, p);
	buf_clear(&a->inbox);
	return r;
}

/* Proton does not tell a message's format. A transfer that has one goes in alone, so that what happens then is about it. */
static int
frame(struct amqp *a)
{
	uint32_t format;
	int r = amqp_frame_check(buf_data(&a->inbox), buf_size(&a->inbox), &a->engine.err);

	if (r == TRANSFER && a->heard_open &&
	    (format = amqp_frame_format(buf_data(&a->inbox), buf_size(&a->inbox))) != 0) {
		if (a->fed > 0) {
			a->held = 1;
			return 0;
		}
		a->format = format;
		a->fed = FED_MAX;
	}
	if (r > 0 && (r == OPEN) == a->heard_open)
		r = broken(a, r == OPEN ? "a second open" : "something before its open");
	a->heard_open |= r == OPEN;
	if (r >= 0)
		r = amqp_feed(a, buf_data(&a->inbox), buf_size(&a->inbox));
	a->fed += buf_size(&a->inbox);
	buf_clear(&a->inbox);
	return r;
}

/* How many bytes make up what is coming, as far as is known. */
static ssize_t
whole(struct amqp *a)
{
	size_t most = a->layer == LAYER_SASL ? AMQP_SASL_MAX : AMQP_FRAME_MAX, n;
	const uint8_t *p = buf_data(&a->inbox);

	if (a->layer == LAYER_HEADER || a->layer == LAYER_HEADER_AGAIN)
		return 8;
	if (buf_size(&a->inbox) < 4)
		return 4;
	n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (n >= 8 && n <= most)
		return (ssize_t)n;
	return err_set(&a->engine.err, HF_ERR_PROTOCOL,
	    "the AMQP %s sent a frame of %zu bytes, where 8 to %zu are taken", peer(a), n, most);
}

static int
complete(struct amqp *a)
{
	if (a->layer == LAYER_SASL)
		return sasl_frame(a);
	return a->layer == LAYER_AMQP ? frame(a) : header(a);
}

ssize_t
amqp_take(struct amqp *a, const uint8_t *p, size_t n)
{
	size_t took = 0, some;
	ssize_t want;

	while (!a->pending && !a->waits && !a->closed && !a->deaf && !a->held && a->fed < FED_MAX) {
		if ((want = whole(a)) < 0)
			return want;
		some = (size_t)want - buf_size(&a->inbox);
		if (some == 0 && complete(a) < 0)
			return a->engine.err.code;
		if (some == 0)
			continue;
		if (took == n)
			break;
		some = some < n - took ? some : n - took;
		if (buf_put(&a->inbox, p + took, some) < 0)
			return err_memory(&a->engine.err);
		took += some;
	}
	return a->closed || a->deaf ? (ssize_t)n : (ssize_t)took;
}
