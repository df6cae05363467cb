#include <string.h>
#include "emulator.h"

#define RECORDS	   64 /* of one batch */
#define DELIVERIES 10

static int64_t
now_ms(const struct emulator *e)
{
	return e->now.wall * 1000;
}

int
feedback_take(struct emulator *e, const char *hub, char lock[37], json_t **records, struct hf_error *err)
{
	guid_new(lock);
	return registry_feedback_take(
	    e->registry, hub, lock, now_ms(e), now_ms(e) + C2D_LOCK_MS, RECORDS, records, err);
}

int
feedback_settle(
    struct emulator *e, const char *hub, const char *lock, enum hub_answer how, struct hf_error *err)
{
	int r;

	if (how != HUB_ABANDON)
		return registry_feedback_done(e->registry, hub, lock, now_ms(e), err);
	r = registry_feedback_back(e->registry, hub, lock, now_ms(e), 1, DELIVERIES, err);
	session_wake_owner(e, hub);
	return r;
}

void
feedback_give_back(struct emulator *e, const char *hub, const char *lock)
{
	struct hf_error ignored = { 0 };

	(void)registry_feedback_back(e->registry, hub, lock, now_ms(e), 0, DELIVERIES, &ignored);
	session_wake_owner(e, hub);
}

int64_t
feedback_next(struct emulator *e, const char *hub)
{
	struct hf_error ignored = { 0 };
	int64_t at;

	(void)registry_feedback_next(e->registry, hub, now_ms(e), &at, &ignored);
	return at == NEVER ? NEVER : e->now.ms + at - now_ms(e);
}
