/* In the place of way_mqtt.c, in a build without MQTT (use_mqtt=OFF): nobody asks for it, the transport is not known there. */
#include "way.h"

int
hub_way_mqtt(struct hub_way **out, const struct hub_way_settings *s)
{
	(void)out;
	(void)s;
	return HF_ERR_UNSUPPORTED;
}
