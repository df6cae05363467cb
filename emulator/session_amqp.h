/*
 * A connection over AMQP. session_amqp.c takes its login and its OPEN, whose hostname says who is meant: DPS (session_amqp_dps.c), or a
 * linked hub.
 */
#ifndef EMULATOR_SESSION_AMQP_H
#define EMULATOR_SESSION_AMQP_H
#include "amqp/sasl_tpm.h"
#include "session.h"

#define AMQP_CREDIT_GIVEN 100 /* to whoever sends to us */

struct amqp_side {
	char user[512];			      /* PLAIN's; "" when it came without a login */
	char *password;			      /* PLAIN's; NULL */
	struct sasl_tpm tpm;		      /* DPS's mechanism */
	struct amqp_link *requests, *answers; /* DPS */
};
/* session_amqp_dps.c: a step of the TPM's login; and what comes once DPS is meant. */
void dps_amqp_login(struct session *, struct amqp_text);
void dps_amqp_event(struct session *, const struct amqp_event *);
/* Ends the login: code 0 lets in; else why, for the log. */
void amqp_decide(struct session *, int code, const char *why);
#endif
