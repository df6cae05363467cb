#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/url.h"
#include "msg/dps.h"
#include "msg/hub.h"

#define EVENTS "/messages/events"
#define BOUND  "/messages/devicebound"
#define ACK    "iothub-ack" /* a property like the application's */

/* By which name each system property travels; the order is that of the struct. */
static const char *const system_key[HUB_SYSTEM] = { "$.mid", "$.cid", "$.uid", "$.to", "$.exp", "$.ct",
	"$.ce", "$.ctime", "$.on", "$.sub", "$.ifid" };

static int
put_client(struct buf *b, const struct hub_who *w)
{
	return w->module[0] == '\0' ? buf_puts(b, w->device) : buf_fmt(b, "%s/%s", w->device, w->module);
}

static int
put_user(struct buf *b, const struct hub_who *w)
{
	int rc;

	if ((rc = buf_fmt(b, "%s/", w->host)) < 0 || (rc = put_client(b, w)) < 0 ||
	    (rc = buf_fmt(b, "/?api-version=%s", w->api[0] != '\0' ? w->api : HUB_API)) < 0)
		return rc;
	if (w->agent[0] != '\0' && ((rc = buf_puts(b, "&DeviceClientType=")) < 0 ||
				       (rc = url_put(b, w->agent, strlen(w->agent))) < 0))
		return rc;
	if (w->model[0] != '\0' &&
	    ((rc = buf_puts(b, "&model-id=")) < 0 || (rc = url_put(b, w->model, strlen(w->model))) < 0))
		return rc;
	return 0;
}

int
hub_mqtt_put_who(struct mqtt *m, const struct hub_who *w, unsigned keep_alive, int clean)
{
	struct mqtt_connect c = { .clean = clean, .keep_alive = keep_alive };
	struct buf client = { 0 }, user = { 0 };
	int rc;

	if ((rc = put_client(&client, w)) < 0 || (rc = put_user(&user, w)) < 0)
		goto fail;
	c.client_id = (struct mqtt_text){ (const char *)buf_data(&client), buf_size(&client) };
	c.user = (struct mqtt_text){ (const char *)buf_data(&user), buf_size(&user) };
	if (w->token != NULL)
		c.password = (struct mqtt_text){ w->token, strlen(w->token) };
	rc = mqtt_say_connect(m, &c);
fail:
	buf_free(&client);
	buf_free(&user);
	return rc < 0 ? rc : 0;
}

/* Where the query begins: behind "/?", at the old form's "api-version=", or at the end. *id then stops before. */
static const char *
find_query(struct mqtt_text *id)
{
	static const char old[] = "/api-version=";
	size_t i, n = id->len;

	for (i = 0; i < n; i++) {
		if (id->p[i] != '/')
			continue;
		id->len = i;
		if (i + 1 == n || id->p[i + 1] == '?')
			return id->p + (i + 1 == n ? n : i + 2);
		if (n - i >= sizeof(old) - 1 && str_eqin(old, id->p + i, sizeof(old) - 1))
			return id->p + i + 1;
	}
	id->len = n;
	return id->p + n;
}

static int
get_client(struct hub_who *w, struct mqtt_text id, struct hf_error *e)
{
	const char *slash = memchr(id.p, '/', id.len);
	size_t n = slash == NULL ? id.len : (size_t)(slash - id.p);

	if (n == 0 || str_copy(w->device, sizeof(w->device), id.p, n) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "the username's device id cannot be one");
	if (slash != NULL &&
	    (id.len == n + 1 || str_copy(w->module, sizeof(w->module), slash + 1, id.len - n - 1) < 0 ||
		strchr(w->module, '/') != NULL))
		return err_set(e, HF_ERR_PROTOCOL, "the username's module id cannot be one");
	return 0;
}

/* Text that only informs: left out when it cannot be read or is too long. */
static void
get_note(char *dst, size_t cap, const struct url_pair *pair)
{
	struct buf b = { 0 };

	if (pair->vlen > 0 && url_get(&b, pair->value, pair->vlen) == 0)
		(void)str_copy(dst, cap, buf_data(&b), buf_size(&b));
	buf_free(&b);
}

static int
get_user_query(struct hub_who *w, const char *p, const char *end, struct hf_error *e)
{
	struct url_pair pair;

	while (url_next(&p, end, &pair) == 1) {
		if (str_eqin("DeviceClientType", pair.key, pair.klen))
			get_note(w->agent, sizeof(w->agent), &pair);
		if (str_eqin("model-id", pair.key, pair.klen))
			get_note(w->model, sizeof(w->model), &pair);
		if (!str_eqin("api-version", pair.key, pair.klen))
			continue;
		if (!dps_is_api(pair.value, pair.vlen))
			return err_set(e, HF_ERR_PROTOCOL, "the username's api-version is not a date");
		(void)str_copy(w->api, sizeof(w->api), pair.value, pair.vlen);
	}
	return 0;
}

int
hub_mqtt_get_who(const struct mqtt_connect *c, struct hub_who *w, struct hf_error *e)
{
	const char *end, *slash, *query;
	struct mqtt_text id;
	int rc;

	memset(w, 0, sizeof(*w));
	if (c->user.p == NULL || (slash = memchr(c->user.p, '/', c->user.len)) == NULL)
		return err_set(e, HF_ERR_PROTOCOL, "the username is not HUB/DEVICE/?api-version=DATE");
	end = c->user.p + c->user.len;
	if (slash == c->user.p ||
	    str_copy(w->host, sizeof(w->host), c->user.p, (size_t)(slash - c->user.p)) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "the username's hub cannot be one");
	id = (struct mqtt_text){ slash + 1, (size_t)(end - slash - 1) };
	query = find_query(&id);
	if (id.len != c->client_id.len || memcmp(id.p, c->client_id.p, id.len) != 0)
		return err_set(e, HF_ERR_PROTOCOL, "client id and username name two devices");
	if ((rc = get_client(w, id, e)) < 0 || (rc = get_user_query(w, query, end, e)) < 0)
		return rc;
	if (c->password.p == NULL || c->password.len == 0)
		return 0;
	if (memchr(c->password.p, '\0', c->password.len) != NULL)
		return err_set(e, HF_ERR_PROTOCOL, "the password is not a text");
	if ((w->token = strndup(c->password.p, c->password.len)) == NULL)
		return err_memory(e);
	return 0;
}

static int
put_pair(struct buf *b, int *first, const char *key, const char *value)
{
	int rc;

	if (!*first && (rc = buf_putc(b, '&')) < 0)
		return rc;
	*first = 0;
	if ((rc = url_put(b, key, strlen(key))) < 0 || (rc = buf_putc(b, '=')) < 0)
		return rc;
	return url_put(b, value, strlen(value));
}

static int
put_topic(struct buf *b, const char *device, const char *kind, const struct hub_event *ev, int *first)
{
	int rc;
	const char *value;
	size_t i;

	if ((rc = buf_fmt(b, "devices/%s%s/", device, kind)) < 0)
		return rc;
	for (i = 0; i < HUB_SYSTEM; i++) {
		value = *hub_event_system((struct hub_event *)ev, i);
		if (value != NULL && (rc = put_pair(b, first, system_key[i], value)) < 0)
			return rc;
	}
	for (i = 0; i < ev->property_count; i++) {
		if ((rc = put_pair(b, first, ev->property[i].key, ev->property[i].value)) < 0)
			return rc;
	}
	return 0;
}

int
hub_mqtt_put_topic(struct buf *b, const char *device, const struct hub_event *ev)
{
	int first = 1;

	return put_topic(b, device, EVENTS, ev, &first);
}

/* Decodes into an emptied buffer, lent as a string. Clients that do not encode send lone percent signs: they stay. */
static char *
decode(struct buf *b, const char *p, size_t n, struct hf_error *e)
{
	char *s;

	buf_eat(b, buf_size(b));
	if (url_get(b, p, n) == HF_ERR_ARGS)
		(void)buf_put(b, p, n);
	if ((s = buf_str(b)) == NULL)
		err_memory(e);
	else if (!hub_is_text(s, buf_size(b))) {
		err_set(e, HF_ERR_PROTOCOL, "a property in the topic is not UTF-8");
		return NULL;
	}
	return s;
}

static int
get_pair(
    struct hub_event *ev, const struct url_pair *pair, struct buf *kb, struct buf *vb, struct hf_error *e)
{
	const char *key, *value;
	size_t i;

	if ((key = decode(kb, pair->key, pair->klen, e)) == NULL ||
	    (value = decode(vb, pair->value, pair->vlen, e)) == NULL)
		return e->code;
	for (i = 0; i < HUB_SYSTEM; i++) {
		if (strcmp(key, system_key[i]) == 0)
			return str_set(hub_event_system(ev, i), value) < 0 ? err_memory(e) : 0;
	}
	if (key[0] == '\0')
		return 0;
	return hub_event_add(ev, key, value) < 0 ? err_memory(e) : 0;
}

static int
get_bag(struct hub_event *ev, const char *p, const char *end, struct hf_error *e)
{
	struct buf kb = { 0 }, vb = { 0 };
	struct url_pair pair;
	int rc = 0;

	while (rc == 0 && url_next(&p, end, &pair) == 1)
		rc = get_pair(ev, &pair, &kb, &vb, e);
	buf_free(&kb);
	buf_free(&vb);
	return rc;
}

static int
skip(struct mqtt_text *t, const char *word)
{
	size_t n = strlen(word);

	if (t->len < n || memcmp(t->p, word, n) != 0)
		return 0;
	t->p += n;
	t->len -= n;
	return 1;
}

/* The properties of a message with a topic of this kind. -1: it is another's. */
static int
get_topic(const struct mqtt_publish *p, const char *device, const char *kind, struct hub_event *ev,
    struct hf_error *e)
{
	struct mqtt_text t = p->topic;
	int rc;

	if (!skip(&t, "devices/") || !skip(&t, device) || !skip(&t, kind) || (t.len > 0 && !skip(&t, "/")))
		return -1;
	if (t.len > 0 && t.p[t.len - 1] == '/')
		t.len--;
	if ((rc = get_bag(ev, t.p, t.p + t.len, e)) < 0) {
		hub_event_fini(ev);
		return rc;
	}
	ev->body = p->body;
	ev->len = p->len;
	return 0;
}

int
hub_mqtt_get_event(const struct mqtt_publish *p, const char *device, struct hub_event *ev, struct hf_error *e)
{
	int rc;

	memset(ev, 0, sizeof(*ev));
	rc = get_topic(p, device, EVENTS, ev, e);
	return rc == -1 ? err_set(e, HF_ERR_PROTOCOL, "%s may not publish on this topic", device) : rc;
}

int
hub_mqtt_put_filter(struct buf *b, const char *device)
{
	return buf_fmt(b, "devices/%s" BOUND "/#", device);
}

int
hub_mqtt_put_c2d(struct buf *b, const char *device, const struct hub_c2d *c2d)
{
	int first = 1, rc = put_topic(b, device, BOUND, &c2d->message, &first);

	return rc == 0 && c2d->ack[0] != '\0' ? put_pair(b, &first, ACK, c2d->ack) : rc;
}

/* The feedback wish travels among the application's properties; it is none of them. */
static void
take_ack(struct hub_c2d *c2d)
{
	struct hub_event *v = &c2d->message;
	size_t i = 0;

	while (i < v->property_count && strcmp(v->property[i].key, ACK) != 0)
		i++;
	if (i == v->property_count || str_fmt(c2d->ack, sizeof(c2d->ack), "%s", v->property[i].value) < 0)
		return;
	str_free(&v->property[i].key);
	str_free(&v->property[i].value);
	v->property_count--;
	memmove(v->property + i, v->property + i + 1, (v->property_count - i) * sizeof(v->property[0]));
}

int
hub_mqtt_get_c2d(const struct mqtt_publish *p, const char *device, struct hub_c2d *c2d, struct hf_error *e)
{
	int rc;

	memset(c2d, 0, sizeof(*c2d));
	rc = get_topic(p, device, BOUND, &c2d->message, e);
	if (rc == -1)
		return err_set(e, HF_ERR_PROTOCOL, "this is no message for %s", device);
	if (rc == 0)
		take_ack(c2d);
	return rc;
}
