#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "session_amqp.h"

#define CONTAINER "holdfast-emulator"
#define MECHANISMS                                                                                           \
	"TPM PLAIN EXTERNAL ANONYMOUS MSSBCBS" /* the last is the C SDK's word for "a token will follow" */
#define IDLE_MS 480000			       /* the peer is told half of it, as by the services */

int
session_amqp_built(void)
{
	return 1;
}

int
amqp_session_speak(struct session *s)
{
	s->amqp_side = calloc(1, sizeof(*s->amqp_side));
	if (s->amqp_side == NULL || amqp_init(&s->amqp, 1, MAX_PACKET) < 0) {
		free(s->amqp_side);
		s->amqp_side = NULL;
		return HF_ERR_MEMORY;
	}
	s->amqp.mechanisms = MECHANISMS;
	s->amqp.bare = 1;
	s->amqp.idle_ms = IDLE_MS;
	return 0;
}

void
amqp_session_free(struct session *s)
{
	struct amqp_side *side = s->amqp_side;
	struct peer *p;

	if (side == NULL)
		return;
	while ((p = side->peers) != NULL) { /* of a login that no OPEN has followed */
		side->peers = p->next;
		free(p);
	}
	amqp_fini(&s->amqp);
	for (size_t i = 0; i < CBS_WAITING; i++)
		buf_free(&side->cbs_said[i]);
	str_free(&side->password);
	sasl_tpm_fini(&side->tpm);
	free(side);
	s->amqp_side = NULL;
}

void
amqp_decide(struct session *s, int code, const char *why)
{
	if (amqp_outcome(&s->amqp, code) < 0)
		session_end(s, "out of memory for the answer");
	else if (code != 0)
		session_finish(
		    s, "the login by %s was refused with SASL outcome %d: %s", s->amqp.mechanism, code, why);
}

/* Name and password of a hub's are judged here; of DPS with the request, as over MQTT. */
static void
plain(struct session *s, struct amqp_text init)
{
	struct amqp_side *side = s->amqp_side;
	const char *user, *password;
	struct hf_error err = { 0 };
	struct buf copy = { 0 };
	int r = amqp_get_plain(&copy, init, &user, &password, &err);

	if (r == 0 && str_fmt(side->user, sizeof(side->user), "%s", user) < 0)
		r = err_set(&err, HF_ERR_PROTOCOL, "the name is too long");
	if (r == 0 && str_set(&side->password, password) < 0)
		r = err_memory(&err);
	buf_free(&copy);
	if (r == 0 && hub_amqp_is_login(side->user))
		hub_amqp_login(s, side->user, side->password);
	else
		amqp_decide(s, r < 0, err.text);
}

static void
login(struct session *s, const struct amqp_event *ev)
{
	int shown = tls_peer(s->stream) != NULL;

	if (strcmp(ev->mechanism, SASL_TPM) == 0)
		dps_amqp_login(s, ev->bytes);
	else if (strcmp(ev->mechanism, "PLAIN") == 0)
		plain(s, ev->bytes);
	else
		amqp_decide(
		    s, strcmp(ev->mechanism, "EXTERNAL") == 0 && !shown, "no client certificate was shown");
}

static void
opened(struct session *s, const struct amqp_event *ev)
{
	const char *hub = hub_service_named(&s->e->conf, ev->text != NULL ? ev->text : "");

	if (s->amqp_side->hub != NULL && s->amqp_side->hub != hub) {
		(void)amqp_close(&s->amqp, "amqp:not-found", "this is another hub than the login's");
		session_finish(s, "it was let in by hub %s, and asked for another", s->amqp_side->hub);
		return;
	}
	s->amqp_side->hub = hub;
	s->role = hub != NULL ? HUB_AMQP : DPS_DEVICE;
	if (amqp_open(&s->amqp, CONTAINER, NULL, NULL, 0) < 0)
		session_end(s, "out of memory");
}

static void
event(struct session *s, const struct amqp_event *ev)
{
	switch (ev->what) {
	case AMQP_SASL_INIT:
		login(s, ev);
		return;
	case AMQP_SASL_RESPONSE:
		dps_amqp_login(s, ev->bytes);
		return;
	case AMQP_OPENED:
		opened(s, ev);
		return;
	case AMQP_CLOSED:
		session_finish(s, NULL);
		return;
	default:
		if (s->role == DPS_DEVICE)
			dps_amqp_event(s, ev);
		if (s->role == HUB_AMQP)
			hub_amqp_event(s, ev);
		return;
	}
}

int
amqp_session_next(struct session *s)
{
	struct amqp_event ev;
	int r = amqp_next(&s->amqp, &ev);

	if (r == 1)
		event(s, &ev);
	return r;
}
