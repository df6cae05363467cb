#include <string.h>
#include "base/str.h"
#include "emulator.h"

#define DEEP	   50	       /* messages that wait */
#define BYTES	   65536       /* bytes of one */
#define TTL_MS	   3600000     /* where the sender says nothing */
#define TTL_MOST   (48 * 3600) /* seconds */
#define DELIVERIES 10	       /* abandoned that often, it is dead */

enum {
	TOO_MANY = 403004,
	BAD_EXPIRY = 403009,
	BAD_ACK = 400004,
	NO_HUB = 401001,
	NO_DEVICE = 404001,
	LOCK_LOST = 412002,
	TOO_LARGE = 413001
};

static int64_t
now_ms(const struct emulator *e)
{
	return e->now.wall * 1000;
}

static int
until(const struct emulator *e, const struct hub_c2d *c, int64_t *ms, struct hf_error *err)
{
	int64_t at;

	*ms = now_ms(e) + TTL_MS;
	if (c->message.expiry == NULL)
		return 0;
	at = clock_read(c->message.expiry);
	if (at == 0 || at > e->now.wall + TTL_MOST)
		return refuse(err, BAD_EXPIRY, "the message's expiry '%s' is no time within two days",
		    c->message.expiry);
	*ms = at * 1000;
	return 0;
}

static int
asks_well(const struct hub_c2d *c, struct hf_error *err)
{
	static const char *const word[] = { "", "none", "positive", "negative", "full" };

	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		if (strcmp(c->ack, word[i]) == 0)
			return 0;
	return refuse(err, BAD_ACK, "feedback is none, positive, negative or full, not '%s'", c->ack);
}

static int
known(struct emulator *e, const char *hub, const char *device, struct hf_error *err)
{
	json_t *json;
	int r = registry_device(e->registry, hub, device, &json, err);

	json_decref(json);
	if (r < 0)
		return r;
	return r > 0 ? 0 : refuse(err, NO_DEVICE, "hub %s has no device '%s'", hub, device);
}

static int
address(struct hub_c2d *c, const char *device, struct hf_error *err)
{
	char to[200];

	if (c->message.to != NULL)
		return 0;
	(void)str_fmt(to, sizeof(to), "/devices/%s/messages/devicebound", device);
	return str_set(&c->message.to, to) < 0 ? err_memory(err) : 0;
}

/* Where something is to be told, it can be told now. 0, or what was not 0 or 1. */
static int
told(struct emulator *e, const char *hub, int r)
{
	if (r > 0)
		session_wake_owner(e, hub);
	return r > 0 ? 0 : r;
}

int
c2d_expire(struct emulator *e, struct hf_error *err)
{
	int r = registry_c2d_expire(e->registry, now_ms(e), err);

	for (size_t i = 0; r > 0 && i < e->conf.hubs; i++)
		session_wake_owner(e, e->conf.hub[i]);
	return r > 0 ? 0 : r;
}

int
c2d_purge(struct emulator *e, const char *hub, const char *device, struct hf_error *err)
{
	return told(e, hub, registry_c2d_purge(e->registry, hub, device, now_ms(e), err));
}

int
c2d_put(struct emulator *e, const char *host, const char *device, struct hub_c2d *c, struct hf_error *err)
{
	const char *hub = hub_service_named(&e->conf, host);
	int64_t end;
	int r;

	if (hub == NULL)
		return refuse(err, NO_HUB, "there is no hub '%s'", host);
	if ((r = known(e, hub, device, err)) < 0 || (r = until(e, c, &end, err)) < 0 ||
	    (r = asks_well(c, err)) < 0)
		return r;
	if (hub_event_size(&c->message) > BYTES)
		return refuse(err, TOO_LARGE, "a message to a device has %d bytes at most, this one %zu",
		    BYTES, hub_event_size(&c->message));
	if ((r = c2d_expire(e, err)) < 0 || (r = registry_c2d_count(e->registry, hub, device, err)) < 0)
		return r;
	if (r >= DEEP)
		return refuse(err, TOO_MANY, "%d messages wait for device '%s' already", DEEP, device);
	c->enqueued_ms = now_ms(e);
	if ((r = address(c, device, err)) < 0 ||
	    (r = registry_c2d_put(e->registry, hub, device, c, end, err)) < 0)
		return r;
	session_wake_device(e, hub, device);
	return 0;
}

int
c2d_take(struct emulator *e, const struct hub_admission *a, struct hub_c2d *c, struct buf *body,
    struct hf_error *err)
{
	int r = registry_c2d_find(e->registry, a->hub, a->device, NULL, now_ms(e), c, body, err);

	if (r <= 0)
		return r;
	guid_new(c->lock);
	r = registry_c2d_lock(e->registry, c->sequence, c->lock, now_ms(e) + C2D_LOCK_MS, err);
	if (r == 0)
		return 1;
	hub_c2d_fini(c);
	return r;
}

/* 1: the sequence number of what is under the lock, and how often it was abandoned. */
static int
locked(struct emulator *e, const struct hub_admission *a, const char *lock, int64_t *sequence,
    int *deliveries, struct hf_error *err)
{
	struct buf body = { 0 };
	struct hub_c2d c;
	int r = registry_c2d_find(e->registry, a->hub, a->device, lock, now_ms(e), &c, &body, err);

	*sequence = c.sequence;
	*deliveries = c.deliveries;
	if (r > 0)
		hub_c2d_fini(&c);
	buf_free(&body);
	return r;
}

static const char *
status_of(enum hub_answer how)
{
	if (how == HUB_COMPLETE)
		return C2D_SUCCESS;
	return how == HUB_REJECT ? C2D_REJECTED : C2D_ABANDONED;
}

int
c2d_settle(struct emulator *e, const struct hub_admission *a, const char *lock, enum hub_answer how,
    struct hf_error *err)
{
	int64_t sequence;
	int deliveries, r = locked(e, a, lock, &sequence, &deliveries, err);

	if (r < 0)
		return r;
	if (r == 0)
		return refuse(
		    err, LOCK_LOST, "no message of device '%s' is locked under '%.60s'", a->device, lock);
	if (how != HUB_ABANDON || deliveries + 1 >= DELIVERIES) {
		r = registry_c2d_end(e->registry, sequence, status_of(how), now_ms(e), err);
		return told(e, a->hub, r);
	}
	r = registry_c2d_back(e->registry, sequence, 1, err);
	session_wake_device(e, a->hub, a->device);
	return r;
}

void
c2d_give_back(struct emulator *e, const struct hub_admission *a, const char *lock)
{
	struct hf_error ignored = { 0 };
	int64_t sequence;
	int deliveries;

	if (locked(e, a, lock, &sequence, &deliveries, &ignored) > 0)
		(void)registry_c2d_back(e->registry, sequence, 0, &ignored);
}

int64_t
c2d_next(struct emulator *e, const struct hub_admission *a)
{
	struct hf_error ignored = { 0 };
	int64_t at;

	(void)registry_c2d_next(e->registry, a->hub, a->device, now_ms(e), &at, &ignored);
	return at == NEVER ? NEVER : e->now.ms + at - now_ms(e);
}
