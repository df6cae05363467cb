/* In the place of way_mqtt.c, in a build without MQTT (use_mqtt=OFF): nobody asks for it, the transport is not known there. */
#include "way.h"

int
dps_way_mqtt(struct dps_way **out, const struct dps_way_settings *s)
{
	(void)out;
	(void)s;
	return HF_ERR_UNSUPPORTED;
}
