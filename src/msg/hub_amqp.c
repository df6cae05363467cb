#include <inttypes.h>
#include <string.h>
#include "amqp/message.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "msg/hub.h"

#define CREATED	   "iothub-creation-time-utc"
#define OUTPUT	   "iothub-outputname"
#define ACK	   "iothub-ack"
#define COMPONENT  "dt-subject"
#define INTERFACE  "iothub-interface-id"
#define SEQUENCE   "iothub-sequencenumber"
#define ENQUEUED   "iothub-enqueuedtime"
#define DELIVERIES "iothub-deliverycount"
#define SECTIONS   65536

static const char *const tails[] = {
	[HUB_AMQP_EVENTS] = "/messages/events", [HUB_AMQP_BOUND] = HUB_AMQP_TO_DEVICES
};

static int
put_id(struct buf *b, const char *word, const char *id)
{
	int rc = buf_puts(b, word);

	return rc < 0 ? rc : url_put(b, id, strlen(id));
}

int
hub_amqp_put_address(char dst[HUB_AMQP_ADDRESS], const struct hub_who *w, enum hub_amqp_link link)
{
	struct buf b = { 0 };
	int rc = put_id(&b, "/devices/", w->device);

	if (rc == 0 && w->module[0] != '\0')
		rc = put_id(&b, "/modules/", w->module);
	if (rc == 0)
		rc = buf_puts(&b, tails[link]);
	if (rc == 0)
		rc = buf_str(&b) == NULL ? HF_ERR_MEMORY : str_fmt(dst, HUB_AMQP_ADDRESS, "%s", buf_str(&b));
	buf_free(&b);
	return rc;
}

/* Does it begin so, letter case aside? Then it goes on behind. */
static int
skip(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strlen(*s) < n || !str_eqin(word, *s, n))
		return 0;
	*s += n;
	return 1;
}

/* An id up to the next slash, decoded. */
static int
get_id(const char **s, char *dst, size_t cap)
{
	size_t n = strcspn(*s, "/");
	struct buf b = { 0 };
	int rc = url_get(&b, *s, n);

	if (rc == 0)
		rc = buf_size(&b) == 0 ? HF_ERR_ARGS : str_copy(dst, cap, buf_data(&b), buf_size(&b));
	buf_free(&b);
	*s += n;
	return rc;
}

/* The path of a URI, or of what is one already. */
static const char *
path_of(const char *s)
{
	const char *colon = strstr(s, "://");

	return colon != NULL ? colon + 3 + strcspn(colon + 3, "/") : s;
}

/* A device, perhaps with a module, at the start of the path. 1: it is there. */
static int
get_who(const char **s, struct hub_who *w)
{
	*s = path_of(*s);
	(void)skip(s, "/");
	if (!skip(s, "devices/") || get_id(s, w->device, sizeof(w->device)) < 0)
		return 0;
	w->module[0] = '\0';
	return !skip(s, "/modules/") || get_id(s, w->module, sizeof(w->module)) == 0;
}

int
hub_amqp_get_address(const char *address, struct hub_who *w, struct hf_error *e)
{
	const char *s = address != NULL ? address : "";

	if (get_who(&s, w)) {
		if (str_eqi(s, tails[HUB_AMQP_EVENTS]))
			return HUB_AMQP_EVENTS;
		if (str_eqi(s, tails[HUB_AMQP_BOUND]))
			return HUB_AMQP_BOUND;
	}
	return err_set(e, HF_ERR_PROTOCOL,
	    "The link address '%.200s' did not match any of the expected formats.",
	    address != NULL ? address : "");
}

int
hub_amqp_get_to(const char *to, struct hub_who *w, struct hf_error *e)
{
	const char *s = to;

	if (get_who(&s, w) && str_eqi(s, HUB_AMQP_TO_DEVICES))
		return 0;
	return err_set(e, HF_ERR_PROTOCOL,
	    "the message is to \"%.200s\", where /devices/ID/messages/devicebound was expected", to);
}

static struct amqp_text
text(const char *s)
{
	return (struct amqp_text){ s, s != NULL ? strlen(s) : 0 };
}

static void
add(struct amqp_pairs *p, const char *key, const char *value)
{
	if (value != NULL)
		amqp_pair_text(p, key, value);
}

/* A message's parts while it is put. */
struct parts {
	struct amqp_message m;
	struct amqp_pairs annotations, words;
	struct buf id, correlation;
};

static void
parts_fini(struct parts *p)
{
	buf_free(&p->annotations.b);
	buf_free(&p->words.b);
	buf_free(&p->id);
	buf_free(&p->correlation);
}

static int
put_key(struct amqp_value *v, struct buf *b, const char *s)
{
	if (s == NULL)
		return 0;
	if (amqp_put_string(b, s, strlen(s)) < 0)
		return HF_ERR_MEMORY;
	v->whole = buf_data(b);
	v->whole_len = buf_size(b);
	return 0;
}

static int
parts_of(struct parts *p, const struct hub_event *v)
{
	memset(p, 0, sizeof(*p));
	p->annotations.symbols = 1;
	p->m.put_annotations = &p->annotations;
	p->m.put_application = &p->words;
	p->m.user_id = text(v->user_id);
	p->m.to = text(v->to);
	p->m.content_type = text(v->content_type);
	p->m.content_encoding = text(v->content_encoding);
	p->m.expiry = v->expiry != NULL ? clock_read(v->expiry) * 1000 : 0;
	p->m.data = (struct amqp_text){ v->body, v->len };
	add(&p->words, CREATED, v->creation_time);
	add(&p->words, OUTPUT, v->output_name);
	add(&p->annotations, COMPONENT, v->component);
	add(&p->annotations, INTERFACE, v->interface_id);
	for (size_t i = 0; i < v->property_count; i++)
		amqp_pair_text(&p->words, v->property[i].key, v->property[i].value);
	if (put_key(&p->m.id, &p->id, v->message_id) < 0)
		return HF_ERR_MEMORY;
	return put_key(&p->m.correlation_id, &p->correlation, v->correlation_id);
}

int
hub_amqp_put_event(struct buf *b, const struct hub_who *w, const struct hub_event *v)
{
	char to[HUB_AMQP_ADDRESS];
	struct parts p;
	int rc = parts_of(&p, v);

	if (rc == 0 && v->to == NULL) {
		rc = hub_amqp_put_address(to, w, HUB_AMQP_EVENTS);
		p.m.to = text(to);
	}
	if (rc == 0)
		rc = amqp_message_put(b, &p.m);
	parts_fini(&p);
	return rc;
}

int
hub_amqp_put_c2d(struct buf *b, const struct hub_c2d *c)
{
	struct parts p;
	int rc = parts_of(&p, &c->message);

	if (c->ack[0] != '\0')
		amqp_pair_text(&p.words, ACK, c->ack);
	if (c->sequence != 0)
		amqp_pair_long(&p.annotations, SEQUENCE, c->sequence);
	if (c->enqueued_ms != 0)
		amqp_pair_time(&p.annotations, ENQUEUED, c->enqueued_ms);
	if (c->deliveries != 0)
		amqp_pair_int(&p.annotations, DELIVERIES, c->deliveries);
	if (rc == 0)
		rc = amqp_message_put(b, &p.m);
	parts_fini(&p);
	return rc;
}

static int
put_uuid(struct buf *b, const uint8_t *p)
{
	int rc = 0;

	for (int i = 0; i < 16 && rc == 0; i++)
		rc = buf_fmt(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", p[i]);
	return rc;
}

/* A value of any simple type as text. HF_ERR_UNSUPPORTED: it has none. */
static int
put_text(struct buf *b, const struct amqp_value *v)
{
	switch (v->type) {
	case AMQP_BOOL:
		return buf_puts(b, v->u ? "true" : "false");
	case AMQP_UINT:
		return buf_fmt(b, "%" PRIu64, v->u);
	case AMQP_INT:
		return buf_fmt(b, "%" PRId64, v->i);
	case AMQP_UUID:
		return put_uuid(b, (const uint8_t *)v->bytes.p);
	case AMQP_STRING:
	case AMQP_SYMBOL:
	case AMQP_BINARY:
		return buf_put(b, v->bytes.p, v->bytes.len);
	default:
		return HF_ERR_UNSUPPORTED;
	}
}

/* As an owned string, in *dst. */
static int
get_text(char **dst, const struct amqp_value *v, const char *what, struct hf_error *e)
{
	struct buf b = { 0 };
	int rc = put_text(&b, v);

	if (rc == 0)
		rc = buf_str(&b) == NULL ? HF_ERR_MEMORY : 0;
	if (rc == 0 && !hub_is_text(buf_str(&b), buf_size(&b)))
		rc = HF_ERR_UNSUPPORTED;
	if (rc == 0)
		rc = str_set(dst, buf_str(&b));
	buf_free(&b);
	if (rc == HF_ERR_UNSUPPORTED)
		return err_set(e, HF_ERR_PROTOCOL, "the message's %s is not UTF-8", what);
	return rc < 0 ? err_memory(e) : 0;
}

static int
get_field(char **dst, struct amqp_text t, const char *what, struct hf_error *e)
{
	struct amqp_value v = { .type = AMQP_STRING, .bytes = t };

	return t.p == NULL ? 0 : get_text(dst, &v, what, e);
}

static int
get_key(char **dst, const struct amqp_value *v, const char *what, struct hf_error *e)
{
	return v->type == AMQP_NULL ? 0 : get_text(dst, v, what, e);
}

static int
get_expiry(struct hub_event *v, int64_t ms, struct hf_error *e)
{
	char iso[32];

	if (ms <= 0)
		return 0;
	clock_iso(ms / 1000, iso);
	return str_set(&v->expiry, iso) < 0 ? err_memory(e) : 0;
}

static int
get_properties(struct hub_event *v, const struct amqp_message *m, struct hf_error *e)
{
	int rc;

	if ((rc = get_key(&v->message_id, &m->id, "message id", e)) < 0 ||
	    (rc = get_key(&v->correlation_id, &m->correlation_id, "correlation id", e)) < 0 ||
	    (rc = get_field(&v->user_id, m->user_id, "user id", e)) < 0 ||
	    (rc = get_field(&v->to, m->to, "destination", e)) < 0 ||
	    (rc = get_field(&v->content_type, m->content_type, "content type", e)) < 0 ||
	    (rc = get_field(&v->content_encoding, m->content_encoding, "content encoding", e)) < 0)
		return rc;
	return get_expiry(v, m->expiry, e);
}

static int
get_annotations(struct hub_event *v, const struct amqp_value *map, struct hf_error *e)
{
	struct amqp_value x;
	int rc = 0;

	if (amqp_find(map, COMPONENT, &x))
		rc = get_key(&v->component, &x, "component", e);
	if (rc == 0 && amqp_find(map, INTERFACE, &x))
		rc = get_key(&v->interface_id, &x, "interface id", e);
	return rc;
}

/* One of the application's, or one that only looks like it. */
static int
get_word(struct hub_event *v, const struct amqp_value *k, const struct amqp_value *x, struct hf_error *e)
{
	char *key = NULL, *value = NULL;
	int rc;

	if (k->bytes.len == 0)
		return 0;
	if (amqp_is(k, CREATED))
		return get_key(&v->creation_time, x, "creation time", e);
	if (amqp_is(k, OUTPUT))
		return get_key(&v->output_name, x, "output name", e);
	rc = get_text(&key, k, "property", e);
	if (rc == 0)
		rc = get_key(&value, x, "property", e);
	if (rc == 0 && hub_event_add(v, key, value) < 0)
		rc = err_memory(e);
	str_free(&key);
	str_free(&value);
	return rc;
}

static int
get_words(struct hub_event *v, const struct amqp_value *map, int is_c2d, struct hf_error *e)
{
	struct amqp_walk w = amqp_inside(map);
	struct amqp_value k, x;
	int rc = 0;

	while (rc == 0 && amqp_walk(&w, &k) == 1 && amqp_walk(&w, &x) == 1)
		if (!is_c2d || !amqp_is(&k, ACK))
			rc = get_word(v, &k, &x, e);
	return rc;
}

/* Lent where it is in one piece. */
static int
get_body(struct hub_event *v, const void *p, size_t n, const struct amqp_message *m, struct buf *body,
    struct hf_error *e)
{
	struct amqp_walk w = { p, n };
	struct amqp_text piece = m->data;

	if (m->has_value && (m->value.type == AMQP_STRING || m->value.type == AMQP_BINARY))
		piece = m->value.bytes;
	v->body = piece.p != NULL ? piece.p : "";
	v->len = piece.len;
	if (m->data_sections < 2)
		return 0;
	while (amqp_message_data(&w, &piece))
		if (buf_put(body, piece.p, piece.len) < 0)
			return err_memory(e);
	v->body = buf_size(body) > 0 ? (const void *)buf_data(body) : "";
	v->len = buf_size(body);
	return 0;
}

static int
get_message(const void *p, size_t n, struct amqp_message *m, struct hub_event *v, int is_c2d,
    struct buf *body, struct hf_error *e)
{
	int rc;

	memset(v, 0, sizeof(*v));
	buf_clear(body);
	if ((rc = amqp_message_get(p, n, m, e)) < 0)
		return rc;
	rc = get_properties(v, m, e);
	if (rc == 0)
		rc = get_annotations(v, &m->annotations, e);
	if (rc == 0)
		rc = get_words(v, &m->application, is_c2d, e);
	if (rc == 0)
		rc = get_body(v, p, n, m, body, e);
	if (rc < 0)
		hub_event_fini(v);
	return rc;
}

int
hub_amqp_get_event(const void *p, size_t n, struct hub_event *v, struct buf *body, struct hf_error *e)
{
	struct amqp_message m;

	return get_message(p, n, &m, v, 0, body, e);
}

int
hub_amqp_get_batch(
    const void *p, size_t n, int (*fn)(void *, const struct hub_event *), void *ctx, struct hf_error *e)
{
	struct amqp_walk w = { p, n };
	struct amqp_value section;
	struct hub_event v = { 0 };
	struct buf body = { 0 };
	int rc = 0, walked = 1;

	for (int i = 0; rc == 0 && i < SECTIONS && (walked = amqp_walk(&w, &section)) == 1; i++) {
		if (section.described != AMQP_DATA)
			continue;
		if (section.type != AMQP_BINARY)
			rc = err_set(e, HF_ERR_PROTOCOL, "a batch's data section is not binary");
		if (rc == 0)
			rc = hub_amqp_get_event(section.bytes.p, section.bytes.len, &v, &body, e);
		if (rc == 0)
			rc = fn(ctx, &v);
		hub_event_fini(&v);
	}
	buf_free(&body);
	return walked < 0 ? err_set(e, HF_ERR_PROTOCOL, "a batch's sections cannot be read") : rc;
}

static void
get_notes(struct hub_c2d *c, const struct amqp_value *map)
{
	struct amqp_value v;
	int64_t n;

	if (amqp_find(map, SEQUENCE, &v) && amqp_number(&v, INT64_MAX, &n))
		c->sequence = n;
	if (amqp_find(map, ENQUEUED, &v) && amqp_number(&v, INT64_MAX, &n))
		c->enqueued_ms = n;
	if (amqp_find(map, DELIVERIES, &v) && amqp_number(&v, INT32_MAX, &n))
		c->deliveries = (int)n;
}

int
hub_amqp_get_c2d(const void *p, size_t n, struct hub_c2d *c, struct buf *body, struct hf_error *e)
{
	struct amqp_message m;
	struct amqp_value v;
	int rc;

	memset(c, 0, sizeof(*c));
	if ((rc = get_message(p, n, &m, &c->message, 1, body, e)) < 0)
		return rc;
	if (amqp_find(&m.application, ACK, &v))
		(void)amqp_copy(&v, c->ack, sizeof(c->ack));
	get_notes(c, &m.annotations);
	return 0;
}

/* The first row of a code, or of its thousands, counts; the first row of a condition tells the status where no code is said. */
static const struct {
	int service;
	const char *condition;
} conditions[] = { { 400027, "amqp:link:detach-forced" }, { 403002, "amqp:resource-limit-exceeded" },
	{ 403004, "amqp:resource-limit-exceeded" }, { 412002, "com.microsoft:message-lock-lost" },
	{ 401, "amqp:unauthorized-access" }, { 403, "amqp:unauthorized-access" }, { 404, "amqp:not-found" },
	{ 412, "com.microsoft:precondition-failed" }, { 413, "amqp:link:message-size-exceeded" },
	{ 429, "com.microsoft:device-container-throttled" }, { 501, "amqp:not-implemented" },
	{ 503, "com.microsoft:timeout" }, { 500, "amqp:internal-error" },
	{ 400, "com.microsoft:argument-error" }, { 400, "amqp:not-allowed" } };
#define CONDITIONS (sizeof(conditions) / sizeof(conditions[0]))

static const char *
condition_of(int service)
{
	for (size_t i = 0; i < CONDITIONS; i++)
		if (conditions[i].service == service || conditions[i].service == service / 1000)
			return conditions[i].condition;
	return service >= 500000 ? "amqp:internal-error" : "amqp:not-allowed";
}

static int
status_of(const char *condition)
{
	for (size_t i = 0; condition != NULL && i < CONDITIONS; i++)
		if (strcmp(conditions[i].condition, condition) == 0)
			return conditions[i].service > 1000 ? conditions[i].service / 1000
							    : conditions[i].service;
	return 400;
}

const char *
hub_amqp_put_error(struct buf *description, int service, const char *sentence, const char *tracking)
{
	json_t *o =
	    json_pack("{s:i,s:s,s:s}", "errorCode", service, "trackingId", tracking, "message", sentence);
	int rc = js_put(description, o);

	json_decref(o);
	return rc < 0 || buf_str(description) == NULL ? NULL : condition_of(service);
}

int
hub_amqp_get_error(const char *condition, const char *description, const char *what, struct hf_error *e)
{
	struct hf_error ignored = { 0 };
	const char *words = description != NULL ? description : "";
	json_t *o = js_parse(words, strlen(words), "the hub's reason", &ignored);
	int code;

	e->service = (int)js_int(o, "errorCode", 0);
	e->status =
	    e->service / 1000 >= 400 && e->service / 1000 < 600 ? e->service / 1000 : status_of(condition);
	(void)str_fmt(e->tracking, sizeof(e->tracking), "%.*s", (int)sizeof(e->tracking) - 1,
	    js_str(o, "trackingId", ""));
	if (json_is_object(o))
		words = js_str(o, "message", "");
	code = e->status == 401 || e->status == 404 ? HF_ERR_AUTH : HF_ERR_SERVICE;
	err_set(e, code, "%s: %.80s%s%.200s", what, condition != NULL ? condition : "no condition given",
	    words[0] != '\0' ? ": " : "", words);
	str_plain(e->text);
	json_decref(o);
	return e->code;
}
