#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "hub/hub_client.h"

#define RETRY_FIRST 1000
#define RETRY_MOST  60000
#define STEADY	    60000	 /* ms that make a connection one that holds */
#define ACK_LIMIT   60000	 /* ms without a PUBACK while some are due */
#define OPEN_LIMIT  30000	 /* ms for a connection to be made */
#define DRAIN_LIMIT 10000	 /* ms for what is in flight, before a planned reconnect */
#define DPS_AFTER   (20 * 60000) /* ms without a hub before DPS is asked again */
#define ID_SPAN	    65535

enum step {
	SIGN,
	SIGNING,
	OPEN,
	OPENING,
	UP,
	RENEWING,
	DRAIN,
	CLOSING,
	ASLEEP,
	REGISTER,
	REGISTERING,
	BROKEN
};

void
hub_device_init(struct hub_device *d, int signs, int may_register, uint64_t seed, struct moment now)
{
	d->step = signs ? SIGN : OPEN;
	d->signs = signs;
	d->may_register = may_register;
	d->asked_dps = 0;
	d->tries = 0;
	d->token_until = 0;
	d->coin.seed = seed;
	d->at = now.ms;
	d->down_since = now.ms;
	d->next = d->head;
	d->up = d->fault = 0;
	err_clear(&d->err);
	err_clear(&d->last);
}

void
hub_device_fini(struct hub_device *d)
{
	for (; d->head != d->tail; d->head++)
		free(d->ring[d->head & (d->cap - 1)]);
	free(d->ring);
	memset(d, 0, sizeof(*d));
}

static struct hub_message **
slot(struct hub_device *d, uint64_t seq)
{
	return &d->ring[seq & (d->cap - 1)];
}

static int
grow(struct hub_device *d)
{
	size_t cap = d->cap == 0 ? 64 : d->cap * 2;
	struct hub_message **ring = calloc(cap, sizeof(*ring));

	if (ring == NULL)
		return HF_ERR_MEMORY;
	for (uint64_t s = d->head; s != d->tail; s++)
		ring[s & (cap - 1)] = *slot(d, s);
	free(d->ring);
	d->ring = ring;
	d->cap = cap;
	return 0;
}

int
hub_device_queue(struct hub_device *d, struct hub_message *m, struct hf_error *e)
{
	if (d->tail - d->head >= HUB_QUEUE_COUNT || d->bytes + m->size > HUB_QUEUE_BYTES)
		return err_set(e, HF_ERR_STATE,
		    "the queue is full (%zu messages, %zu bytes wait for the hub); take HF_SENT events before sending more",
		    hub_device_waiting(d), d->bytes);
	if (d->tail - d->head == d->cap && grow(d) < 0)
		return err_memory(e);
	*slot(d, d->tail++) = m;
	d->bytes += m->size;
	return 0;
}

size_t
hub_device_waiting(const struct hub_device *d)
{
	return (size_t)(d->tail - d->head);
}

static int64_t
backoff(struct hub_device *d)
{
	int64_t ms = RETRY_FIRST << (d->tries < 6 ? d->tries : 6);

	d->tries++;
	if (ms > RETRY_MOST)
		ms = RETRY_MOST;
	return ms * 3 / 4 + (int64_t)(coin_toss(&d->coin) % (uint64_t)(ms / 2));
}

/* The service may say itself how long it wants to be left alone. */
static int64_t
pause_after(struct hub_device *d, const struct hf_error *why)
{
	int64_t ms = backoff(d), wanted = why != NULL ? (int64_t)why->retry_after * 1000 : 0;

	return wanted < ms ? ms : wanted + (int64_t)(coin_toss(&d->coin) % 500);
}

static enum hub_ask
wait_until(struct hub_device *d, int64_t at)
{
	d->deadline = at;
	return HUB_ASK_WAIT;
}

static enum hub_ask
ask(struct hub_device *d, int step, enum hub_ask what)
{
	d->step = step;
	return what;
}

/* Ends a connection that has gone bad. */
static enum hub_ask
give_up(struct hub_device *d, const struct hf_error *why)
{
	d->last = *why;
	d->fault = 1;
	return ask(d, CLOSING, HUB_ASK_CLOSE);
}

/* A planned reconnect waits for what is in flight, so that nothing is said twice. */
static enum hub_ask
drain(struct hub_device *d, struct moment now)
{
	if (d->head != d->next && now.ms < d->at)
		return wait_until(d, d->at);
	return ask(d, CLOSING, HUB_ASK_CLOSE);
}

static enum hub_ask
not_heard(struct hub_device *d)
{
	struct hf_error e = { 0 };

	err_set(&e, HF_ERR_NET, "the hub acknowledged nothing for %d s; connecting anew", ACK_LIMIT / 1000);
	return give_up(d, &e);
}

static enum hub_ask
not_opened(struct hub_device *d)
{
	struct hf_error e = { 0 };

	err_set(&e, HF_ERR_NET, "the hub did not accept a connection in %d s", OPEN_LIMIT / 1000);
	return give_up(d, &e);
}

static enum hub_ask
say_next(struct hub_device *d)
{
	while (d->next != d->tail && (*slot(d, d->next))->acked)
		d->next++;
	if (d->next == d->tail || d->next - d->head >= HUB_WINDOW)
		return HUB_ASK_WAIT;
	d->message = *slot(d, d->next);
	d->id = (uint16_t)(d->next % ID_SPAN + 1);
	d->again = d->message->sent;
	return HUB_ASK_SEND;
}

/* The wall clock may be set back, and then it is the other one that tells the token's age. */
static int64_t
renew_at(const struct hub_device *d, struct moment now)
{
	return sooner(d->renew_ms, now.ms + (d->renew_at - now.wall) * 1000);
}

static int
is_stale(const struct hub_device *d, struct moment now)
{
	return now.wall + 60 >= d->token_until || now.ms + 60000 >= d->stale_ms;
}

static enum hub_ask
send_next(struct hub_device *d, struct moment now)
{
	if (d->signs && now.ms >= renew_at(d, now))
		return ask(d, RENEWING, HUB_ASK_SIGN);
	if (d->head != d->next && now.ms >= d->ack_by)
		return not_heard(d);
	d->deadline = d->signs ? renew_at(d, now) : NEVER;
	if (d->head != d->next)
		d->deadline = sooner(d->deadline, d->ack_by);
	return say_next(d);
}

static enum hub_ask
opening(struct hub_device *d, struct moment now)
{
	if (now.ms >= d->at)
		return not_opened(d);
	d->deadline = d->at;
	return d->early ? say_next(d) : HUB_ASK_WAIT;
}

/* Where to go on from, once there is no connection. */
static void
come_back(struct hub_device *d, int64_t at, struct moment now)
{
	d->step = d->signs && is_stale(d, now) ? SIGN : OPEN;
	d->at = at;
}

static enum hub_ask
asleep(struct hub_device *d, struct moment now)
{
	if (d->next == d->tail && !d->awake)
		return wait_until(d, NEVER);
	come_back(d, now.ms, now);
	return hub_device_next(d, now);
}

enum hub_ask
hub_device_next(struct hub_device *d, struct moment now)
{
	switch (d->step) {
	case SIGN:
		return now.ms < d->at ? wait_until(d, d->at) : ask(d, SIGNING, HUB_ASK_SIGN);
	case OPEN:
		if (now.ms < d->at)
			return wait_until(d, d->at);
		d->at = now.ms + OPEN_LIMIT;
		d->early = 0;
		return ask(d, OPENING, HUB_ASK_OPEN);
	case OPENING:
		return opening(d, now);
	case DRAIN:
		return drain(d, now);
	case UP:
		return send_next(d, now);
	case ASLEEP:
		return asleep(d, now);
	case REGISTER:
		return ask(d, REGISTERING, HUB_ASK_REGISTER);
	case BROKEN:
		return HUB_FAILED;
	default:
		return wait_until(d, NEVER);
	}
}

void
hub_device_said(struct hub_device *d, struct moment now)
{
	if (d->head == d->next)
		d->ack_by = now.ms + ACK_LIMIT;
	d->message->sent = 1;
	d->next++;
}

int
hub_device_acked(struct hub_device *d, uint16_t id, uint64_t *tag, struct moment now)
{
	uint64_t off = ((uint64_t)id - 1 + ID_SPAN - d->head % ID_SPAN) % ID_SPAN;
	struct hub_message *m;

	if (id == 0 || d->head + off >= d->next)
		return 0;
	m = *slot(d, d->head + off);
	if (m->acked)
		return 0;
	m->acked = 1;
	*tag = m->tag;
	d->tries = 0;
	if (d->last.code != 0)
		err_clear(&d->last);
	d->ack_by = now.ms + ACK_LIMIT;
	for (; d->head != d->next && (m = *slot(d, d->head))->acked; d->head++) {
		d->bytes -= m->size;
		free(m);
	}
	return 1;
}

static void
keep_times(struct hub_device *d, int64_t signed_at, int64_t token_until, struct moment now)
{
	d->token_until = token_until;
	d->renew_at = signed_at + (token_until - signed_at) * 4 / 5;
	d->stale_ms = now.ms + (token_until - signed_at) * 1000;
	d->renew_ms = now.ms + (d->renew_at - signed_at) * 1000;
}

void
hub_device_signed(struct hub_device *d, int64_t signed_at, int64_t token_until, struct moment now)
{
	if (d->step == ASLEEP)
		keep_times(d, signed_at, token_until, now);
	if (d->step != SIGNING && d->step != RENEWING)
		return;
	keep_times(d, signed_at, token_until, now);
	d->step = d->step == RENEWING ? DRAIN : OPEN;
	d->at = d->step == DRAIN ? now.ms + DRAIN_LIMIT : now.ms;
}

void
hub_device_opened(struct hub_device *d, struct moment now)
{
	d->step = UP;
	d->up = 1;
	d->up_since = now.ms;
	if (!d->early)
		d->next = d->head;
}

void
hub_device_welcome(struct hub_device *d)
{
	d->asked_dps = 0;
}

void
hub_device_renewed(struct hub_device *d, int64_t signed_at, int64_t token_until, struct moment now)
{
	if (d->step != RENEWING)
		return;
	keep_times(d, signed_at, token_until, now);
	d->step = UP;
}

void
hub_device_sleeps(struct hub_device *d)
{
	d->step = ASLEEP;
	d->awake = 0;
	d->next = d->head;
}

int
hub_device_is_asleep(const struct hub_device *d)
{
	return d->step == ASLEEP && !d->awake;
}

int
hub_device_wake(struct hub_device *d)
{
	int asleep = hub_device_is_asleep(d);

	d->awake = 1;
	return asleep;
}

void
hub_device_early(struct hub_device *d)
{
	d->early = 1;
}

void
hub_device_waits(struct hub_device *d, struct moment now)
{
	d->next = d->head;
	d->early = 0;
	if (d->step == OPENING)
		d->at = now.ms + OPEN_LIMIT;
}

int
hub_device_is_up(const struct hub_device *d)
{
	return d->up;
}

/* After a while without any hub, DPS may know a better one. */
static int
ask_dps(struct hub_device *d, struct moment now)
{
	if (!d->may_register || now.ms - d->down_since < DPS_AFTER)
		return 0;
	d->down_since = now.ms;
	d->step = REGISTER;
	return 1;
}

void
hub_device_lost(struct hub_device *d, const struct hf_error *why, struct moment now)
{
	int planned = why == NULL && !d->fault, opening = d->step == OPENING;

	if (d->step < OPENING || d->step > CLOSING)
		return;
	if (why != NULL)
		d->last = *why;
	if (d->up)
		d->down_since = now.ms;
	if (d->up && now.ms - d->up_since >= STEADY)
		d->tries = 0;
	d->up = d->fault = 0;
	d->next = d->head;
	if (opening && why != NULL && (why->code == HF_ERR_TLS || why->code == HF_ERR_ARGS))
		hub_device_broke(d, why);
	else if (d->step == RENEWING)
		d->step = SIGNING;
	else if (planned)
		come_back(d, now.ms, now);
	else if (!ask_dps(d, now))
		come_back(d, now.ms + pause_after(d, why), now);
}

void
hub_device_refused(struct hub_device *d, const struct hf_error *why, struct moment now)
{
	(void)now;
	d->last = *why;
	d->next = d->head;
	d->up = 0;
	if (!d->may_register || d->asked_dps) {
		hub_device_broke(d, why);
		return;
	}
	d->asked_dps = 1;
	d->step = REGISTER;
}

void
hub_device_moved(struct hub_device *d, struct moment now)
{
	d->step = d->signs ? SIGN : OPEN;
	d->token_until = 0;
	d->at = now.ms;
	d->down_since = now.ms;
}

void
hub_device_unanswered(struct hub_device *d, const struct hf_error *why, struct moment now)
{
	if (d->step != REGISTERING)
		return;
	d->last = *why;
	d->asked_dps = 0;
	come_back(d, now.ms + backoff(d), now);
}

void
hub_device_broke(struct hub_device *d, const struct hf_error *why)
{
	d->err = *why;
	d->step = BROKEN;
}
