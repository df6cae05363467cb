#include "amqp/local.h"

#define DEPTH 16 /* of lists and maps in one another; Proton reads them by recursion */

struct level {
	struct amqp_walk in;
	uint32_t left;
};

/* Elements that are all alike, none with values inside. */
static int
check_array(const struct amqp_value *v)
{
	const uint8_t *p = (const uint8_t *)v->bytes.p;
	static const int width[] = { 0, 1, 2, 4, 8, 16 };
	size_t n = v->bytes.len, size, wide;

	if (n == 0 || p[0] < 0x40 || p[0] >= 0xC0)
		return HF_ERR_PROTOCOL;
	wide = p[0] & 0x10 ? 4 : 1;
	if (p[0] < 0xA0) {
		size = p[0] >> 4 <= 9 ? (size_t)width[(p[0] >> 4) - 4] : n;
		return (uint64_t)size * v->count == n - 1 && v->count <= AMQP_FRAME_MAX ? 0 : HF_ERR_PROTOCOL;
	}
	n--;
	p++;
	for (uint32_t i = 0; i < v->count; i++) {
		if (n < wide)
			return HF_ERR_PROTOCOL;
		size = wide == 1 ? p[0] : (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		if (size > n - wide)
			return HF_ERR_PROTOCOL;
		p += wide + size;
		n -= wide + size;
	}
	return n == 0 ? 0 : HF_ERR_PROTOCOL;
}

static int
check_inside(const struct amqp_value *list)
{
	struct level at[DEPTH] = { { amqp_inside(list), list->count } };
	struct amqp_value v;
	int depth = 0, r;

	while (depth >= 0) {
		if ((r = amqp_walk(&at[depth].in, &v)) < 0 || (r == 1) != (at[depth].left > 0))
			return HF_ERR_PROTOCOL;
		if (r == 0) {
			depth--;
			continue;
		}
		at[depth].left--;
		if (v.type == AMQP_ARRAY && check_array(&v) < 0)
			return HF_ERR_PROTOCOL;
		if (v.type != AMQP_LIST && v.type != AMQP_MAP)
			continue;
		if (++depth == DEPTH || (v.type == AMQP_MAP && v.count % 2 != 0))
			return HF_ERR_PROTOCOL;
		at[depth] = (struct level){ amqp_inside(&v), v.count };
	}
	return 0;
}

uint32_t
amqp_frame_format(const uint8_t *p, size_t n)
{
	size_t lead = (size_t)p[4] * 4;
	struct amqp_value list, v = { 0 };
	struct amqp_walk w;

	if (amqp_get(p + lead, n - lead, &list) < 0)
		return 0;
	w = amqp_inside(&list);
	for (int i = 0; i < 4; i++)
		if (amqp_walk(&w, &v) != 1)
			return 0;
	return v.type == AMQP_UINT ? (uint32_t)v.u : 0;
}

int
amqp_frame_check(const uint8_t *p, size_t n, struct hf_error *e)
{
	size_t lead = n > 4 ? (size_t)p[4] * 4 : 0;
	struct amqp_value v;

	if (lead < 8 || lead > n)
		return err_set(e, HF_ERR_PROTOCOL, "an AMQP frame's body does not begin within it");
	if (p[5] != 0)
		return err_set(
		    e, HF_ERR_PROTOCOL, "a frame of type %u came where AMQP was to be spoken", p[5]);
	if (lead == n)
		return 0;
	if (amqp_get(p + lead, n - lead, &v) < 0 || v.type != AMQP_LIST || v.described < 0x10 ||
	    v.described > 0x18)
		return err_set(e, HF_ERR_PROTOCOL, "an AMQP frame holds nothing that AMQP knows");
	if (check_inside(&v) < 0)
		return err_set(e, HF_ERR_PROTOCOL, "an AMQP frame's values cannot be read");
	return (int)v.described;
}
