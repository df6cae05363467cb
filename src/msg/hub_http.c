#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "msg/hub.h"
#include "target.h"

#define BATCH "application/vnd.microsoft.iothub.json"
#define APP   "iothub-app-"
#define OWN   16 /* headers that are no application's */

/* By which header each system property travels; the order is that of the struct. */
static const char *const system_header[HUB_SYSTEM] = { "iothub-messageid", "iothub-correlationid",
	"iothub-userid", "iothub-to", "iothub-expiry", "iothub-contenttype", "iothub-contentencoding",
	"iothub-creationtimeutc", "iothub-outputname", "dt-subject", "iothub-interface-id" };

static void
add(struct http_message *m, const char *name, const char *value)
{
	if (m->header_count < HTTP_HEADERS)
		m->header[m->header_count++] = (struct http_header){ name, value };
}

/* Visible ASCII, with blanks only inside. */
static int
is_value(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return 0;
	return n == 0 || (s[0] != ' ' && s[n - 1] != ' ');
}

static int
is_name(const char *s)
{
	static const char more[] = "!#$%&'*+-.^_`|~";

	for (; *s != '\0'; s++)
		if (!((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			strchr(more, *s) != NULL))
			return 0;
	return 1;
}

static const char *
system_value(const struct hub_event *v, size_t i)
{
	return *hub_event_system((struct hub_event *)v, i);
}

int
hub_http_in_headers(const struct hub_event *v)
{
	const char *s;

	if (v->property_count > HTTP_HEADERS - OWN - HUB_SYSTEM)
		return 0;
	for (size_t i = 0; i < v->property_count; i++)
		if (!is_name(v->property[i].key) || !is_value(v->property[i].value))
			return 0;
	for (size_t i = 0; i < HUB_SYSTEM; i++)
		if ((s = system_value(v, i)) != NULL && !is_value(s))
			return 0;
	return 1;
}

int
hub_http_in_batch(const struct hub_event *v)
{
	for (size_t i = 0; i < HUB_SYSTEM; i++)
		if (system_value(v, i) != NULL)
			return 0;
	return 1;
}

static int
put_id(struct buf *b, const char *word, const char *id)
{
	int rc = buf_puts(b, word);

	return rc < 0 ? rc : url_put(b, id, strlen(id));
}

static int
put_target(struct buf *b, const struct hub_who *w, const char *path)
{
	int rc;

	if ((rc = put_id(b, "/devices/", w->device)) < 0 ||
	    (w->module[0] != '\0' && (rc = put_id(b, "/modules/", w->module)) < 0))
		return rc;
	return buf_fmt(b, "/messages/%s%capi-version=%s", path, strchr(path, '?') != NULL ? '&' : '?',
	    w->api[0] != '\0' ? w->api : HUB_API);
}

/* Says a request to a path below the device's messages; its own headers are in m. */
static int
say(struct http *h, const struct hub_who *w, const char *method, const char *path, struct http_message *m)
{
	struct buf target = { 0 };
	int rc;

	m->method = method;
	if ((rc = put_target(&target, w, path)) < 0)
		goto fail;
	if ((m->target = buf_str(&target)) == NULL) {
		rc = HF_ERR_MEMORY;
		goto fail;
	}
	add(m, "Host", w->host);
	add(m, "User-Agent", w->agent[0] != '\0' ? w->agent : "holdfast/" HF_VERSION);
	if (w->token != NULL)
		add(m, "Authorization", w->token);
	rc = http_say(h, m);
fail:
	buf_free(&target);
	return rc;
}

/* What no header can carry is left out: a device asks hub_http_in_headers() before. */
static int
fits(const struct hub_property *p)
{
	const char *s = p->value;

	while (*s != '\0' && ((uint8_t)*s >= ' ' || *s == '\t') && *s != 0x7f)
		s++;
	return *s == '\0' && is_name(p->key);
}

/* Properties as headers; the names that had to be put together are in `names`. */
static int
add_properties(struct http_message *m, const struct hub_event *v, struct buf *names)
{
	size_t at[HTTP_HEADERS];
	int rc;

	for (size_t i = 0; i < HUB_SYSTEM; i++)
		if (system_value(v, i) != NULL)
			add(m, system_header[i], system_value(v, i));
	for (size_t i = 0; i < v->property_count && i < HTTP_HEADERS; i++) {
		at[i] = buf_size(names);
		if ((rc = buf_fmt(names, APP "%s", v->property[i].key)) < 0 ||
		    (rc = buf_putc(names, '\0')) < 0)
			return rc;
	}
	for (size_t i = 0; i < v->property_count && i < HTTP_HEADERS; i++)
		if (fits(&v->property[i]))
			add(m, (const char *)buf_data(names) + at[i], v->property[i].value);
	return 0;
}

int
hub_http_put_event(struct http *h, const struct hub_who *w, const struct hub_event *v)
{
	struct http_message m = { .body = v->body, .len = v->len };
	struct buf names = { 0 };
	char to[160];
	int rc;

	if ((rc = add_properties(&m, v, &names)) < 0)
		goto fail;
	(void)str_fmt(to, sizeof(to), "/devices/%s/messages/events", w->device);
	if (v->to == NULL)
		add(&m, "iothub-to", to);
	add(&m, "Content-Type", "application/octet-stream");
	rc = say(h, w, "POST", "events", &m);
fail:
	buf_free(&names);
	return rc;
}

static json_t *
item(const struct hub_event *v)
{
	json_t *o = json_object(), *p = json_object();
	struct buf b = { 0 }, name = { 0 };
	int bad = b64_put(&b, v->body, v->len) < 0;

	bad |= json_object_set_new(o, "body", json_stringn((const char *)buf_data(&b), buf_size(&b)));
	for (size_t i = 0; i < v->property_count && !bad; i++) {
		buf_clear(&name);
		bad |= buf_fmt(&name, APP "%s", v->property[i].key) < 0 || buf_str(&name) == NULL ||
		       json_object_set_new(p, buf_str(&name), json_string(v->property[i].value));
	}
	if (v->property_count > 0)
		bad |= json_object_set(o, "properties", p);
	json_decref(p);
	buf_free(&b);
	buf_free(&name);
	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

int
hub_http_put_item(struct buf *items, const struct hub_event *v)
{
	struct buf one = { 0 };
	json_t *o = item(v);
	int rc = js_put(&one, o);

	if (rc == 0 && buf_size(items) > 0)
		rc = buf_putc(items, ',');
	if (rc == 0)
		rc = buf_put(items, buf_data(&one), buf_size(&one));
	json_decref(o);
	buf_free(&one);
	return rc;
}

int
hub_http_put_batch(struct http *h, const struct hub_who *w, const struct buf *items)
{
	struct http_message m = { 0 };
	struct buf body = { 0 };
	int rc;

	if ((rc = buf_putc(&body, '[')) < 0 || (rc = buf_put(&body, buf_data(items), buf_size(items))) < 0 ||
	    (rc = buf_putc(&body, ']')) < 0)
		goto fail;
	m.body = buf_data(&body);
	m.len = buf_size(&body);
	add(&m, "Content-Type", BATCH);
	rc = say(h, w, "POST", "events", &m);
fail:
	buf_free(&body);
	return rc;
}

int
hub_http_put_receive(struct http *h, const struct hub_who *w)
{
	struct http_message m = { 0 };

	return say(h, w, "GET", "devicebound", &m);
}

int
hub_http_put_settle(struct http *h, const struct hub_who *w, const char *lock, enum hub_answer how)
{
	static const char *const form[] = { [HUB_COMPLETE] = "devicebound/%s",
		[HUB_ABANDON] = "devicebound/%s/abandon",
		[HUB_REJECT] = "devicebound/%s?reject" };
	struct http_message m = { 0 };
	struct buf escaped = { 0 };
	char path[256];
	int rc;

	if ((rc = url_put(&escaped, lock, strlen(lock))) < 0)
		goto fail;
	if (buf_str(&escaped) == NULL) {
		rc = HF_ERR_MEMORY;
		goto fail;
	}
	(void)str_fmt(path, sizeof(path), form[how], buf_str(&escaped));
	add(&m, "If-Match", lock);
	rc = say(h, w, how == HUB_ABANDON ? "POST" : "DELETE", path, &m);
fail:
	buf_free(&escaped);
	return rc;
}

/* Where "messages" stands in the path of a device's or a module's request; 0: nowhere. */
static size_t
messages(const struct target *t)
{
	size_t at = target_is(t, 2, "modules") ? 4 : 2;

	return target_is(t, 0, "devices") && target_is(t, at, "messages") ? at : 0;
}

int
hub_http_is(const char *target)
{
	struct target t;

	return target_get(&t, target) && target_is(&t, 0, "devices") && t.count > 2;
}

static enum hub_http_op
op_of(const struct target *t, size_t at, const struct http_message *m)
{
	const char *type = http_header(m, "Content-Type");
	int post = strcmp(m->method, "POST") == 0,
	    batch = type != NULL && str_eqin(BATCH, type, strcspn(type, "; "));

	if (post && t->count == at + 2 && target_is(t, at + 1, "events"))
		return batch ? HUB_HTTP_BATCH : HUB_HTTP_EVENT;
	if (!target_is(t, at + 1, "devicebound"))
		return 0;
	if (t->count == at + 2)
		return strcmp(m->method, "GET") == 0 ? HUB_HTTP_RECEIVE : 0;
	if (post)
		return t->count == at + 4 && target_is(t, at + 3, "abandon") ? HUB_HTTP_SETTLE : 0;
	return t->count == at + 3 && strcmp(m->method, "DELETE") == 0 ? HUB_HTTP_SETTLE : 0;
}

static int
get_settle(const struct target *t, size_t at, const struct http_message *m, struct hub_http_request *q,
    struct hf_error *e)
{
	q->answer = m->method[0] == 'P' ? HUB_ABANDON : target_has(t, "reject") ? HUB_REJECT : HUB_COMPLETE;
	return target_segment(t, at + 2, q->lock, sizeof(q->lock), "lock token", e);
}

int
hub_http_get_request(
    const struct http_message *m, struct hub_who *w, struct hub_http_request *q, struct hf_error *e)
{
	const char *token = http_header(m, "Authorization"), *host = http_header(m, "Host");
	struct target t;
	size_t at;
	int rc;

	memset(w, 0, sizeof(*w));
	memset(q, 0, sizeof(*q));
	if (!target_get(&t, m->target) || (at = messages(&t)) == 0 || (q->op = op_of(&t, at, m)) == 0)
		return err_set(e, HF_ERR_PROTOCOL, "the hub has no such method and path for devices");
	if (host == NULL || str_fmt(w->host, sizeof(w->host), "%s", host) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "the Host header is not a hub's name");
	if ((rc = target_segment(&t, 1, w->device, sizeof(w->device), "device id", e)) < 0 ||
	    (at == 4 && (rc = target_segment(&t, 3, w->module, sizeof(w->module), "module id", e)) < 0) ||
	    (rc = target_api(&t, w->api, e)) < 0)
		return rc;
	if (q->op == HUB_HTTP_SETTLE && (rc = get_settle(&t, at, m, q, e)) < 0)
		return rc;
	if (token != NULL && token[0] != '\0' && str_set(&w->token, token) < 0)
		return err_memory(e);
	return 0;
}

/* Whose property a header is; NULL: it is none of the message. */
static char **
system_place(struct hub_event *v, const char *name)
{
	for (size_t i = 0; i < HUB_SYSTEM; i++)
		if (str_eqi(name, system_header[i]))
			return hub_event_system(v, i);
	return NULL;
}

static int
get_property(struct hub_event *v, const char *name, const char *value, struct hf_error *e)
{
	char **place = system_place(v, name);
	int rc = 0;

	if (!hub_is_text(value, strlen(value)) || !hub_is_text(name, strlen(name)))
		return err_set(e, HF_ERR_PROTOCOL, "the property %.80s is not UTF-8", name);
	if (place != NULL)
		rc = str_set(place, value);
	else if (str_eqin(APP, name, sizeof(APP) - 1) && name[sizeof(APP) - 1] != '\0')
		rc = hub_event_add(v, name + sizeof(APP) - 1, value);
	return rc < 0 ? err_memory(e) : 0;
}

int
hub_http_get_event(const struct http_message *m, struct hub_event *v, struct hf_error *e)
{
	int rc = 0;

	memset(v, 0, sizeof(*v));
	for (size_t i = 0; i < m->header_count && rc == 0; i++)
		rc = strlen(m->header[i].name) < sizeof(APP) - 1 && system_place(v, m->header[i].name) == NULL
			 ? 0
			 : get_property(v, m->header[i].name, m->header[i].value, e);
	v->body = m->body;
	v->len = m->len;
	if (rc < 0)
		hub_event_fini(v);
	return rc;
}

static int
get_item_properties(const json_t *p, struct hub_event *v, struct hf_error *e)
{
	const char *name;
	json_t *value;
	int rc;

	if (p != NULL && !json_is_object(p))
		return err_set(e, HF_ERR_PROTOCOL, "the properties of an item of the batch are no object");
	json_object_foreach((json_t *)p, name, value)
	{
		if (!json_is_string(value))
			return err_set(e, HF_ERR_PROTOCOL,
			    "the property %.80s of an item of the batch is no string", name);
		if ((rc = get_property(v, name, json_string_value(value), e)) < 0)
			return rc;
	}
	return 0;
}

/* Its bytes are in `body`. */
static int
get_item(const json_t *o, struct hub_event *v, struct buf *body, struct hf_error *e)
{
	const json_t *text = js_get(o, "body");
	const char *s = json_string_value(text);
	size_t n = json_string_length(text);
	int rc;

	if (!json_is_object(o) || s == NULL)
		return err_set(e, HF_ERR_PROTOCOL, "an item of the batch has no \"body\"");
	rc = js_bool(o, "base64Encoded", 1) ? b64_get(body, s, n) : buf_put(body, s, n);
	if (rc == HF_ERR_ARGS)
		return err_set(e, HF_ERR_PROTOCOL, "the \"body\" of an item of the batch is not base64");
	if (rc < 0)
		return err_memory(e);
	v->body = buf_data(body);
	v->len = buf_size(body);
	return get_item_properties(js_get(o, "properties"), v, e);
}

int
hub_http_get_batch(
    const struct http_message *m, int (*fn)(void *, const struct hub_event *), void *ctx, struct hf_error *e)
{
	json_t *list = js_parse(m->body, m->len, "the batch", e), *o;
	struct buf body = { 0 };
	int rc = list == NULL ? e->code : 0;
	size_t i;

	if (list != NULL &&
	    (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > HUB_BATCH_COUNT))
		rc = err_set(e, HF_ERR_PROTOCOL, "a batch is an array of 1 to %d messages", HUB_BATCH_COUNT);
	json_array_foreach(list, i, o)
	{
		struct hub_event v = { 0 };

		if (rc != 0)
			break;
		buf_clear(&body);
		if ((rc = get_item(o, &v, &body, e)) == 0)
			rc = fn(ctx, &v);
		hub_event_fini(&v);
	}
	buf_free(&body);
	json_decref(list);
	return rc;
}

int
hub_http_put_done(struct http *h)
{
	return http_say(h, &(struct http_message){ .status = 204 });
}

int
hub_http_put_c2d(struct http *h, const struct hub_c2d *c)
{
	struct http_message m = { .status = 200, .body = c->message.body, .len = c->message.len };
	char tag[80], sequence[24], deliveries[16], when[32];
	struct hub_event carried = c->message;
	struct buf names = { 0 };
	int rc;

	(void)str_fmt(tag, sizeof(tag), "\"%s\"", c->lock);
	(void)str_fmt(sequence, sizeof(sequence), "%" PRId64, c->sequence);
	(void)str_fmt(deliveries, sizeof(deliveries), "%d", c->deliveries);
	clock_iso(c->enqueued_ms / 1000, when);
	add(&m, "ETag", tag);
	add(&m, "iothub-sequencenumber", sequence);
	add(&m, "iothub-enqueuedtime", when);
	add(&m, "iothub-deliverycount", deliveries);
	if (c->ack[0] != '\0')
		add(&m, "iothub-ack", c->ack);
	if (c->message.content_type != NULL)
		add(&m, "ContentType", c->message.content_type);
	if (c->message.content_encoding != NULL)
		add(&m, "ContentEncoding", c->message.content_encoding);
	if ((rc = add_properties(&m, &carried, &names)) == 0)
		rc = http_say(h, &m);
	buf_free(&names);
	return rc;
}

/* The ETag without its quotes. */
static int
get_lock(const struct http_message *m, struct hub_c2d *c)
{
	const char *tag = http_header(m, "ETag");
	size_t n = tag != NULL ? strlen(tag) : 0;

	if (n > 2 && tag[0] == '"' && tag[n - 1] == '"')
		return str_copy(c->lock, sizeof(c->lock), tag + 1, n - 2);
	return n > 0 ? str_copy(c->lock, sizeof(c->lock), tag, n) : HF_ERR_ARGS;
}

static int64_t
number(const struct http_message *m, const char *name)
{
	const char *s = http_header(m, name);
	uint64_t n = 0;

	if (s != NULL)
		(void)str_u64(s, strlen(s), INT64_MAX, &n);
	return (int64_t)n;
}

static int
get_content(const struct http_message *m, struct hub_event *v)
{
	const char *type = http_header(m, "ContentType"), *encoding = http_header(m, "ContentEncoding");

	if (v->content_type == NULL && type != NULL && str_set(&v->content_type, type) < 0)
		return HF_ERR_MEMORY;
	if (v->content_encoding == NULL && encoding != NULL && str_set(&v->content_encoding, encoding) < 0)
		return HF_ERR_MEMORY;
	return 0;
}

int
hub_http_get_c2d(const struct http_message *m, struct hub_c2d *c, struct hf_error *e)
{
	const char *ack = http_header(m, "iothub-ack"), *when = http_header(m, "iothub-enqueuedtime");
	int rc;

	memset(c, 0, sizeof(*c));
	if (get_lock(m, c) < 0)
		return err_set(
		    e, HF_ERR_PROTOCOL, "the hub's message has no ETag, by which it could be settled");
	if ((rc = hub_http_get_event(m, &c->message, e)) < 0)
		return rc;
	if (get_content(m, &c->message) < 0) {
		hub_c2d_fini(c);
		return err_memory(e);
	}
	if (ack != NULL)
		(void)str_copy(c->ack, sizeof(c->ack), ack, strlen(ack));
	c->sequence = number(m, "iothub-sequencenumber");
	c->deliveries = (int)sooner(number(m, "iothub-deliverycount"), INT32_MAX);
	c->enqueued_ms = when != NULL ? clock_read(when) * 1000 : 0;
	return 0;
}

/* The services' words for their codes. */
static const struct {
	int code;
	const char *name;
} names[] = { { 400001, "InvalidProtocolVersion" }, { 400004, "ArgumentInvalid" },
	{ 400006, "IotHubFormatError" }, { 401001, "IotHubNotFound" }, { 401002, "IotHubUnauthorizedAccess" },
	{ 401003, "IotHubUnauthorized" }, { 403004, "DeviceMaximumQueueDepthExceeded" },
	{ 403012, "DeviceDisabled" }, { 404001, "DeviceNotFound" }, { 404010, "ModuleNotFound" },
	{ 412002, "DeviceMessageLockLost" }, { 413001, "MessageTooLarge" }, { 500001, "ServerError" },
	{ 503001, "ServiceUnavailable" } };

static const char *
code_name(int code)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "ServerError";
}

int
hub_http_put_refusal(struct http *h, int service, const char *sentence, const char *tracking)
{
	struct http_message m = { .status = service / 1000 };
	json_t *o =
	    json_pack("{s:o,s:o}", "Message", json_sprintf("ErrorCode:%s;%s", code_name(service), sentence),
		"ExceptionMessage", json_sprintf("Tracking ID:%s", tracking));
	struct buf body = { 0 };
	int rc = js_put(&body, o);

	add(&m, "Content-Type", "application/json; charset=utf-8");
	add(&m, "iothub-errorcode", code_name(service));
	m.body = buf_data(&body);
	m.len = buf_size(&body);
	if (rc == 0)
		rc = http_say(h, &m);
	json_decref(o);
	buf_free(&body);
	return rc;
}

static int
code_of(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == n && memcmp(names[i].name, name, n) == 0)
			return names[i].code;
	return 0;
}

int
hub_http_get_refusal(const struct http_message *m, struct hf_error *e)
{
	static const char before[] = "ErrorCode:";
	const char *after = http_header(m, "Retry-After"), *text, *semicolon, *id;
	struct hf_error ignored = { 0 };
	json_t *o = js_parse(m->body, m->len, "the hub's answer", &ignored);
	uint64_t seconds;

	text = js_str(o, "Message", "");
	id = strchr(js_str(o, "ExceptionMessage", ""), ':');
	if (strncmp(text, before, sizeof(before) - 1) == 0 && (semicolon = strchr(text, ';')) != NULL) {
		text += sizeof(before) - 1;
		e->service = code_of(text, (size_t)(semicolon - text));
		text = semicolon + 1;
	}
	e->status = m->status;
	if (id != NULL)
		(void)str_copy(e->tracking, sizeof(e->tracking), id + 1, strcspn(id + 1, ", "));
	if (after != NULL && str_u64(after, strlen(after), 86400, &seconds) == 0)
		e->retry_after = (int)seconds;
	err_set(e, m->status == 401 || m->status == 404 ? HF_ERR_AUTH : HF_ERR_SERVICE, "status %d%s%.200s",
	    m->status, text[0] != '\0' ? ": " : "", text);
	str_plain(e->text);
	json_decref(o);
	return e->code;
}
