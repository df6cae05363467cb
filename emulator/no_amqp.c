/* In the place of session_amqp*.c, in a build without AMQP (use_amqp=OFF). */
#include "session.h"

int
session_amqp_built(void)
{
	return 0;
}

int
amqp_session_speak(struct session *s)
{
	(void)s;
	return HF_ERR_UNSUPPORTED;
}

int
amqp_session_next(struct session *s)
{
	(void)s;
	return HF_ERR_UNSUPPORTED;
}

void
amqp_session_free(struct session *s)
{
	(void)s;
}

void
hub_amqp_check(struct session *s)
{
	(void)s;
}

void
hub_amqp_offer(struct session *s)
{
	(void)s;
}

void
hub_amqp_lost(struct session *s)
{
	(void)s;
}

int
hub_amqp_wake(struct session *s, const char *hub, const char *device)
{
	(void)s;
	(void)hub;
	(void)device;
	return 0;
}

int
hub_amqp_wake_owner(struct session *s, const char *hub)
{
	(void)s;
	(void)hub;
	return 0;
}

void
hub_amqp_replace(struct session *s, const char *hub, const char *device)
{
	(void)s;
	(void)hub;
	(void)device;
}

int64_t
hub_amqp_deadline(const struct session *s)
{
	(void)s;
	return NEVER;
}
