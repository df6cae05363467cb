/* In the place of way_amqp.c, in a build without AMQP (use_amqp=OFF): nobody asks for it, the transport is not known there. */
#include "way.h"

int
hub_way_amqp(struct hub_way **out, const struct hub_way_settings *s)
{
	(void)out;
	(void)s;
	return HF_ERR_UNSUPPORTED;
}
