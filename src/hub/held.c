#include "held.h"
#include <inttypes.h>
#include <stdlib.h>

static void
drop(struct held *r)
{
	hub_c2d_fini(&r->c2d);
	buf_free(&r->body);
	free(r);
}

struct held *
held_add(struct helds *all, struct hub_way_event *ev, const struct hub_way *way, unsigned life)
{
	struct held *r = calloc(1, sizeof(*r)), **end = &all->first;

	if (r == NULL) {
		hub_c2d_fini(&ev->c2d);
		return NULL;
	}
	r->c2d = ev->c2d;
	if (buf_put(&r->body, ev->c2d.message.body, ev->c2d.message.len) < 0) {
		drop(r);
		return NULL;
	}
	r->c2d.message.body = buf_data(&r->body);
	r->tag = ++all->last_tag;
	r->delivery = ev->delivery;
	r->life = life;
	r->answers = way->answers;
	r->locks = way->locks;
	while (*end != NULL)
		end = &(*end)->next;
	*end = r;
	return r;
}

void
held_remove(struct helds *all, struct held *r)
{
	struct held **at = &all->first;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	drop(r);
}

void
held_fini(struct helds *all)
{
	while (all->first != NULL)
		held_remove(all, all->first);
}

struct held *
held_find(const struct helds *all, uint64_t tag)
{
	struct held *r = all->first;

	while (r != NULL && r->tag != tag)
		r = r->next;
	return r;
}

struct held *
held_answered(const struct helds *all, uint64_t delivery, unsigned life)
{
	struct held *r = all->first;

	while (r != NULL && (r->delivery != delivery || r->life != life || !r->said))
		r = r->next;
	return r;
}

int
held_reachable(const struct held *r, const struct hub_way *way, unsigned life)
{
	return r->locks ? way == NULL || way->locks : way != NULL && r->life == life;
}

void
held_lost(struct helds *all)
{
	for (struct held *r = all->first; r != NULL; r = r->next)
		r->said = 0;
}

int
held_settle(struct helds *all, uint64_t tag, enum hub_answer how, struct hf_error *e)
{
	struct held *r = held_find(all, tag);

	if (r == NULL || r->done)
		return err_set(
		    e, HF_ERR_ARGS, "no cloud-to-device message waits to be settled under tag %" PRIu64, tag);
	if (how != HUB_COMPLETE && !r->answers)
		return err_set(e, HF_ERR_UNSUPPORTED,
		    "a message that came over MQTT can only be completed; one that is not settled comes again after a while");
	r->done = how;
	return 0;
}
