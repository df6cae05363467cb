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
