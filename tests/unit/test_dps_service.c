#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_cert.h"
#include "make_emulator.h"
#include "make_tpm.h"
#include "make_webhook.h"

/* One device's words to DPS. */
struct talk {
	struct dps_who who;
	struct dps_request q;
	struct dps_caller c;
	struct dps_reply reply;
};

static void
begin(struct talk *t, const char *id, int mqtt)
{
	memset(t, 0, sizeof *t);
	strcpy(t->who.scope, SCOPE);
	strcpy(t->who.id, id);
	t->c.who = &t->who;
	t->c.mqtt = mqtt;
	t->q.op = DPS_REGISTER;
	strcpy(t->q.rid, "r1");
}

static void
end(struct talk *t)
{
	dps_who_fini(&t->who);
	dps_request_fini(&t->q);
	dps_reply_fini(&t->reply);
	sk_X509_free(t->c.chain);
}

static void
sign(struct talk *t, const char *key, int64_t expiry)
{
	char resource[256];

	snprintf(resource, sizeof resource, "%s/registrations/%s", t->who.scope, t->who.id);
	str_free(&t->who.token);
	t->who.token = make_token(resource, key, expiry, "registration");
}

static void
ask(struct made *m, struct talk *t)
{
	dps_reply_fini(&t->reply);
	dps_service_answer(&m->e, &t->c, &t->q, &t->reply);
	assert_string_equal(t->reply.rid, "r1");
	assert_int_equal(strlen(t->reply.tracking), 36);
	assert_int_equal(strlen(t->reply.at), 28);
}

static void
assert_refused(struct made *m, struct talk *t, int status, int code, const char *why)
{
	ask(m, t);
	assert_int_equal(t->reply.status, status);
	assert_int_equal(t->reply.code, code);
	if (!strstr(t->reply.message, why))
		fail_msg("'%s' does not say '%s'", t->reply.message, why);
	assert_null(t->reply.tpm_key);
	assert_string_equal(t->reply.state, "");
}

static void
assert_accepted(struct made *m, struct talk *t)
{
	ask(m, t);
	if (t->reply.status != 202)
		fail_msg("%d %d %s", t->reply.status, t->reply.code, t->reply.message);
	assert_string_equal(t->reply.state, "assigning");
	assert_int_equal(t->reply.retry_after, 3);
	assert_int_equal(strncmp(t->reply.operation, "4.", 2), 0);
	assert_int_equal(strlen(t->reply.operation), 2 + 16 + 1 + 36);
	strcpy(t->q.operation, t->reply.operation);
	t->q.op = DPS_POLL;
}

static void
assert_assigned(struct made *m, struct talk *t, const char *substatus)
{
	ask(m, t);
	if (t->reply.status != 200)
		fail_msg("%d %d %s", t->reply.status, t->reply.code, t->reply.message);
	assert_string_equal(t->reply.state, "assigned");
	assert_string_equal(t->reply.operation, t->q.operation);
	assert_string_equal(t->reply.substatus, substatus);
	assert_int_equal(t->reply.retry_after, 0);
	assert_true(
	    *t->reply.hub && *t->reply.device && *t->reply.etag && *t->reply.created && *t->reply.updated);
}

static json_t *
device(struct made *m, const char *hub, const char *id)
{
	json_t *o = NULL;

	registry_device(m->e.registry, hub, id, &o, &m->err);
	return o;
}

static void
whole_registration(void **state)
{
	struct made *m = *state;
	struct talk t;
	json_t *o;

	enroll(m, 0, "Dev-1", with_keys());
	begin(&t, "dev-1", 1);
	sign(&t, KEY_A, NOW + 60);
	assert_accepted(m, &t);
	assert_string_equal(t.reply.id, "");
	/* too early */
	m->e.now.wall += 2;
	ask(m, &t);
	assert_int_equal(t.reply.status, 202);
	assert_string_equal(t.reply.state, "assigning");
	assert_string_equal(t.reply.id, "Dev-1");
	assert_int_equal(t.reply.retry_after, 3);
	assert_null(device(m, "127.0.0.2", "Dev-1"));
	m->e.now.wall++;
	assert_assigned(m, &t, "initialAssignment");
	assert_string_equal(t.reply.device, "Dev-1");
	assert_string_equal(t.reply.attestation, "symmetricKey");
	assert_string_equal(t.reply.group, "");
	o = device(m, t.reply.hub, "Dev-1");
	assert_string_equal(
	    js_str(js_get(js_get(o, "authentication"), "symmetricKey"), "primaryKey", ""), KEY_A);
	assert_string_equal(
	    js_str(js_get(js_get(o, "authentication"), "symmetricKey"), "secondaryKey", ""), KEY_B);
	assert_string_equal(js_str(o, "status", ""), "enabled");
	json_decref(o);
	/* the answer was lost: the same once more */
	assert_assigned(m, &t, "initialAssignment");
	/* and a look-up of the record, signed with the other key */
	t.q.op = DPS_LOOKUP;
	sign(&t, KEY_B, NOW + 60);
	ask(m, &t);
	assert_int_equal(t.reply.status, 200);
	assert_string_equal(t.reply.operation, "");
	assert_string_equal(t.reply.state, "assigned");
	end(&t);
}

static void
second_registration(void **state)
{
	struct made *m = *state;
	struct talk t;
	char hub[256], generation[40];
	json_t *o;

	enroll(m, 0, "dev", with_keys());
	m->e.conf.retry_after = 0;
	begin(&t, "dev", 0);
	sign(&t, KEY_A, NOW + 60);
	ask(m, &t);
	assert_int_equal(t.reply.status, 202);
	strcpy(t.q.operation, t.reply.operation);
	t.q.op = DPS_POLL;
	assert_assigned(m, &t, "initialAssignment");
	strcpy(hub, t.reply.hub);
	o = device(m, hub, "dev");
	strcpy(generation, js_str(o, "generationId", ""));
	json_decref(o);
	m->e.conf.retry_after = 3;
	t.q.op = DPS_REGISTER;
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	assert_assigned(m, &t, "reprovisionedToInitialAssignment");
	assert_string_equal(t.reply.hub, hub);
	o = device(m, hub, "dev");
	assert_string_equal(js_str(o, "generationId", ""), generation);
	json_decref(o);
	end(&t);
}

static void
poll_waits(struct made *m, struct talk *t)
{
	ask(m, t);
	assert_int_equal(t->reply.status, 202);
	assert_string_equal(t->reply.state, "assigning");
	assert_int_equal(t->reply.retry_after, 3);
}

/* The webhook is told what the device has said, and the device what the webhook has said; meanwhile DPS is assigning. */
static void
by_webhook(void **state)
{
	struct made *m = *state;
	struct hook h;
	struct talk t;
	json_t *q, *o;

	hook_open(&h);
	enroll(m, 0, "dev", with_webhook(h.url));
	begin(&t, "dev", 0);
	sign(&t, KEY_A, NOW + 600);
	t.q.payload = strdup("{\"model\":\"x7\"}");
	assert_accepted(m, &t);
	q = hook_hear(m, &h);
	assert_string_equal(js_str(js_get(js_get(q, "deviceRuntimeContext"), "payload"), "model", ""), "x7");
	assert_null(js_get(js_get(q, "deviceRuntimeContext"), "currentDeviceId"));
	assert_string_equal(js_str(js_get(q, "individualEnrollment"), "registrationId", ""), "dev");
	json_decref(q);
	m->e.now.wall += 100;
	poll_waits(m, &t);
	poll_waits(m, &t);
	hook_say(m, &h, "200 OK",
	    "{\"iotHubHostName\":\"Hub.Example.net\",\"payload\":{\"a\":[1.5,null]},\"initialTwin\":{\"tags\":{\"t\":1}}}");
	assert_assigned(m, &t, "initialAssignment");
	assert_string_equal(t.reply.hub, "Hub.Example.net");
	assert_string_equal(t.reply.payload, "{\"a\":[1.5,null]}");
	assert_assigned(m, &t, "initialAssignment");
	o = device(m, "Hub.Example.net", "dev");
	assert_int_equal(js_int(js_get(js_get(o, "twin"), "tags"), "t", 0), 1);
	json_decref(o);
	assert_false(is_readable(h.door, 20));
	t.q.op = DPS_LOOKUP;
	ask(m, &t);
	assert_string_equal(t.reply.payload, "{\"a\":[1.5,null]}");
	end(&t);
	hook_close(&h);
}

static void
a_webhook_refuses(void **state)
{
	struct made *m = *state;
	struct hook h;
	struct talk t;

	hook_open(&h);
	enroll(m, 0, "dev", with_webhook(h.url));
	begin(&t, "dev", 0);
	sign(&t, KEY_A, NOW + 600);
	assert_accepted(m, &t);
	json_decref(hook_hear(m, &h));
	hook_say(m, &h, "400 Bad Request", "no");
	m->e.now.wall += 3;
	ask(m, &t);
	assert_int_equal(t.reply.status, 200);
	assert_string_equal(t.reply.state, "failed");
	assert_int_equal(t.reply.code, 400207);
	assert_string_equal(t.reply.message, "Custom allocation failed with status code: 400");
	end(&t);
	hook_close(&h);
}

/* The emulator ended while the webhook was being asked: the next poll asks again. */
static void
a_webhook_is_asked_again(void **state)
{
	struct made *m = *state;
	struct hook h;
	struct talk t;

	hook_open(&h);
	enroll(m, 0, "dev", with_webhook(h.url));
	begin(&t, "dev", 0);
	sign(&t, KEY_A, NOW + 600);
	assert_accepted(m, &t);
	json_decref(hook_hear(m, &h));
	webhook_close(&m->e);
	close(h.fd);
	h.fd = -1;
	buf_clear(&h.heard);
	poll_waits(m, &t);
	json_decref(hook_hear(m, &h));
	hook_say(m, &h, "200 OK", "{\"iotHubHostName\":\"127.0.0.2\"}");
	m->e.now.wall += 3;
	assert_assigned(m, &t, "initialAssignment");
	assert_null(t.reply.payload);
	end(&t);
	hook_close(&h);
}

static json_t *
on_hub(const char *hub, int update, int migrate)
{
	json_t *o = with_keys();

	json_object_set_new(o, "iotHubs", json_pack("[s]", hub));
	json_object_set_new(o, "reprovisionPolicy",
	    json_pack("{s:b, s:b}", "updateHubAssignment", update, "migrateDeviceData", migrate));
	return o;
}

static void
register_once(struct made *m, const char *id, const char *key, const char *substatus, const char *hub)
{
	struct talk t;

	begin(&t, id, 1);
	sign(&t, key, m->e.now.wall + 60);
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	assert_assigned(m, &t, substatus);
	assert_string_equal(t.reply.hub, hub);
	end(&t);
}

static void
moving_to_another_hub(void **state)
{
	struct made *m = *state;
	json_t *o;

	enroll(m, 0, "dev", on_hub("127.0.0.2", 1, 1));
	register_once(m, "dev", KEY_A, "initialAssignment", "127.0.0.2");
	enroll(m, 0, "dev", on_hub("hub.example.net", 0, 0));
	register_once(m, "dev", KEY_A, "reprovisionedToInitialAssignment", "127.0.0.2");
	enroll(m, 0, "dev", on_hub("hub.example.net", 1, 1));
	register_once(m, "dev", KEY_A, "deviceDataMigrated", "Hub.Example.net");
	assert_null(device(m, "127.0.0.2", "dev"));
	enroll(m, 0, "dev", on_hub("127.0.0.2", 1, 0));
	register_once(m, "dev", KEY_A, "deviceDataReset", "127.0.0.2");
	o = device(m, "127.0.0.2", "dev");
	assert_non_null(o);
	json_decref(o);
	assert_null(device(m, "hub.example.net", "dev"));
}

static void
wrong_identities(void **state)
{
	struct made *m = *state;
	struct talk t, other;

	enroll(m, 0, "dev", with_keys());
	enroll(m, 0, "dev-2", with_keys());
	begin(&t, "dev", 1);
	assert_refused(m, &t, 401, 401002, "no SAS token");
	sign(&t, OWNER, NOW + 60);
	assert_refused(m, &t, 401, 401002, "not signed");
	sign(&t, KEY_A, NOW);
	assert_refused(m, &t, 401, 401002, "expired");
	sign(&t, KEY_A, NOW + 60);
	strcpy(t.who.scope, "0ne00000002");
	assert_refused(m, &t, 404, 404202, "scope");
	strcpy(t.who.scope, SCOPE);
	strcpy(t.who.id, "dev-3");
	assert_refused(m, &t, 401, 401002, "not enrolled");
	strcpy(t.who.id, "dev-2");
	assert_refused(m, &t, 401, 401002, "is for '0ne00000001/registrations/dev'");
	strcpy(t.who.id, "dev/2");
	assert_refused(m, &t, 400, 400004, "cannot be one");
	strcpy(t.who.id, "dev");
	strcpy(t.q.id, "dev-2");
	assert_refused(m, &t, 400, 400004, "the body is for");
	strcpy(t.q.id, "DEV");
	assert_accepted(m, &t);
	/* polls */
	m->e.now.wall += 3;
	begin(&other, "dev-2", 1);
	sign(&other, KEY_A, NOW + 60);
	other.q.op = DPS_POLL;
	strcpy(other.q.operation, t.q.operation);
	assert_refused(m, &other, 401, 401002, "another registration");
	strcpy(other.q.operation, "4.0000000000000000.nothing");
	assert_refused(m, &other, 404, 404201, "no operation");
	other.q.op = DPS_LOOKUP;
	assert_refused(m, &other, 404, 404201, "not registered");
	sign(&t, OWNER, NOW + 60);
	assert_refused(m, &t, 401, 401002, "not signed");
	end(&t);
	end(&other);
}

static void
disabled_or_gone_meanwhile(void **state)
{
	struct made *m = *state;
	json_t *off = with_keys();
	struct talk t;

	json_object_set_new(off, "provisioningStatus", json_string("disabled"));
	enroll(m, 0, "dev", with_keys());
	begin(&t, "dev", 1);
	sign(&t, KEY_A, NOW + 60);
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	enroll(m, 0, "dev", off);
	assert_refused(m, &t, 401, 401002, "disabled");
	registry_enrollment_delete(m->e.registry, 0, "dev", &m->err);
	assert_refused(m, &t, 401, 401002, "not enrolled");
	enroll(m, 0, "dev", with_keys());
	registry_registration_delete(m->e.registry, "dev", &m->err);
	assert_refused(m, &t, 404, 404201, "register again");
	end(&t);
}

static void
no_hub_to_go_to(void **state)
{
	struct made *m = *state;
	struct talk t;

	enroll(m, 0, "dev", on_hub("hub.example.net", 1, 1));
	m->e.conf.hubs = 1;
	begin(&t, "dev", 1);
	sign(&t, KEY_A, NOW + 60);
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	ask(m, &t);
	assert_int_equal(t.reply.status, 200);
	assert_string_equal(t.reply.state, "failed");
	assert_int_equal(t.reply.code, 400208);
	assert_true(*t.reply.message);
	assert_string_equal(t.reply.hub, "");
	end(&t);
}

static char *
derived(const char *group_key, const char *id)
{
	struct buf raw = { 0 }, text = { 0 };
	uint8_t key[32];
	char *s;

	b64_get(&raw, group_key, strlen(group_key));
	sas_derive(buf_data(&raw), buf_size(&raw), id, key);
	b64_put(&text, key, sizeof key);
	s = strdup(buf_str(&text));
	buf_free(&raw);
	buf_free(&text);
	return s;
}

static void
group_of_keys(void **state)
{
	struct made *m = *state;
	char *low = derived(KEY_A, "sn-7"), *mixed = derived(KEY_B, "SN-7"),
	     *foreign = derived(OWNER, "sn-7");
	json_t *off = with_keys(), *o;
	struct talk t;

	json_object_set_new(off, "provisioningStatus", json_string("disabled"));
	enroll(m, 1, "Line", with_keys());
	begin(&t, "SN-7", 1);
	sign(&t, foreign, NOW + 60);
	assert_refused(m, &t, 401, 401002, "not signed");
	sign(&t, KEY_A, NOW + 60);
	assert_refused(m, &t, 401, 401002, "not signed");
	sign(&t, low, NOW + 60);
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	sign(&t, mixed, NOW + 60);
	assert_assigned(m, &t, "initialAssignment");
	assert_string_equal(t.reply.group, "Line");
	assert_string_equal(t.reply.device, "SN-7");
	assert_string_equal(t.reply.attestation, "symmetricKey");
	o = device(m, t.reply.hub, "SN-7");
	assert_string_equal(
	    js_str(js_get(js_get(o, "authentication"), "symmetricKey"), "secondaryKey", ""), mixed);
	json_decref(o);
	end(&t);
	/* the same device, written otherwise, is still that device */
	begin(&t, "sn-7", 1);
	sign(&t, low, NOW + 60);
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	assert_assigned(m, &t, "reprovisionedToInitialAssignment");
	assert_string_equal(t.reply.device, "SN-7");
	enroll(m, 1, "Line", off);
	assert_refused(m, &t, 401, 401002, "disabled");
	end(&t);
	free(low);
	free(mixed);
	free(foreign);
}

static void
individual_before_group(void **state)
{
	struct made *m = *state;
	char *key = derived(KEY_A, "dev");
	struct talk t;

	enroll(m, 1, "line", with_keys());
	enroll(m, 0, "dev", with_keys());
	begin(&t, "dev", 1);
	sign(&t, key, NOW + 60);
	assert_refused(m, &t, 401, 401002, "not signed");
	end(&t);
	free(key);
}

static X509 *
cert(const char *cn, int ca, EVP_PKEY *key, X509 *issuer, int64_t from, int64_t to)
{
	return make_cert(&(struct cert_wish){ cn, ca, -1, from, to }, key, issuer, key);
}

static void
show(struct talk *t, X509 *a, X509 *b)
{
	sk_X509_free(t->c.chain);
	t->c.chain = sk_X509_new_null();
	sk_X509_push(t->c.chain, a);
	if (b)
		sk_X509_push(t->c.chain, b);
}

static void
enroll_cert(struct made *m, int group, const char *id, X509 *x, const char *status)
{
	char *pem = make_pem(x);
	json_t *o = with_certificate(group, pem);

	json_object_set_new(o, "provisioningStatus", json_string(status));
	enroll(m, group, id, o);
	free(pem);
}

static void
certificate_of_its_own(void **state)
{
	struct made *m = *state;
	EVP_PKEY *key = make_key();
	X509 *mine = cert("dev", 0, key, NULL, NOW - 60, NOW + 60),
	     *other = cert("dev", 0, key, NULL, NOW - 60, NOW + 60),
	     *named = cert("other", 0, key, NULL, NOW - 60, NOW + 60);
	char sha1[41], sha256[65];
	struct talk t;
	json_t *o;

	enroll_cert(m, 0, "dev", mine, "enabled");
	begin(&t, "dev", 1);
	assert_refused(m, &t, 401, 401002, "no client certificate");
	show(&t, other, NULL);
	assert_refused(m, &t, 401, 401002, "not the one");
	show(&t, named, NULL);
	assert_refused(m, &t, 401, 401002, "common name is 'other'");
	show(&t, mine, NULL);
	m->e.now.wall = NOW - 61;
	assert_refused(m, &t, 401, 401002, "not yet valid");
	m->e.now.wall = NOW + 61;
	assert_refused(m, &t, 401, 401002, "expired");
	m->e.now.wall = NOW;
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	assert_assigned(m, &t, "initialAssignment");
	assert_string_equal(t.reply.attestation, "x509");
	o = device(m, t.reply.hub, "dev");
	attest_thumbprint(mine, sha1, sha256);
	assert_string_equal(js_str(js_get(o, "authentication"), "type", ""), "selfSigned");
	assert_string_equal(
	    js_str(js_get(js_get(o, "authentication"), "x509Thumbprint"), "primaryThumbprint", ""), sha256);
	json_decref(o);
	end(&t);
	X509_free(mine);
	X509_free(other);
	X509_free(named);
	EVP_PKEY_free(key);
}

static void
groups_of_certificates(void **state)
{
	struct made *m = *state;
	EVP_PKEY *key = make_key();
	X509 *root = cert("root", 1, key, NULL, NOW - YEAR, NOW + YEAR),
	     *mid = cert("mid", 1, key, root, NOW - 60, NOW + 60),
	     *leaf = cert("dev-9", 0, key, mid, NOW - 60, NOW + 60);
	struct talk t;
	json_t *o;

	begin(&t, "dev-9", 1);
	show(&t, leaf, mid);
	assert_refused(m, &t, 401, 401002, "not enrolled");
	enroll_cert(m, 1, "far", root, "enabled");
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	assert_assigned(m, &t, "initialAssignment");
	assert_string_equal(t.reply.group, "far");
	assert_string_equal(t.reply.device, "dev-9");
	o = device(m, t.reply.hub, "dev-9");
	assert_string_equal(js_str(js_get(o, "authentication"), "type", ""), "certificateAuthority");
	assert_int_equal(json_array_size(js_get(o, "authorities")), 1);
	json_decref(o);
	/* without the intermediate the chain leads nowhere */
	t.q.op = DPS_REGISTER;
	show(&t, leaf, NULL);
	assert_refused(m, &t, 401, 401002, "leads to no enrolled CA");
	/* the nearer CA decides, for better or worse */
	show(&t, leaf, mid);
	enroll_cert(m, 1, "a-near", mid, "enabled");
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	assert_assigned(m, &t, "reprovisionedToInitialAssignment");
	assert_string_equal(t.reply.group, "a-near");
	enroll_cert(m, 1, "a-near", mid, "disabled");
	t.q.op = DPS_REGISTER;
	assert_refused(m, &t, 401, 401002, "a-near is disabled");
	/* an expired intermediate */
	registry_enrollment_delete(m->e.registry, 1, "a-near", &m->err);
	X509_free(leaf);
	leaf = cert("dev-9", 0, key, mid, NOW - 60, NOW + YEAR);
	show(&t, leaf, mid);
	m->e.now.wall = NOW + 100;
	assert_refused(m, &t, 401, 401002, "expired");
	end(&t);
	X509_free(root);
	X509_free(mid);
	X509_free(leaf);
	EVP_PKEY_free(key);
}

/* RSA keys take their time: two TPMs serve all tests. */
static struct soft_tpm tpms[2];

static int
open_tpms(void **state)
{
	(void)state;
	make_tpm(&tpms[0]);
	make_tpm(&tpms[1]);
	return 0;
}

static int
close_tpms(void **state)
{
	(void)state;
	drop_tpm(&tpms[0]);
	drop_tpm(&tpms[1]);
	return 0;
}

static void
show_tpm(struct talk *t, const struct soft_tpm *tpm)
{
	str_set(&t->q.ek, (const char *)buf_data(&tpm->ek_text));
	str_set(&t->q.srk, (const char *)buf_data(&tpm->srk_text));
}

static void
take_challenge(struct made *m, struct talk *t, const struct soft_tpm *tpm, char key[64])
{
	struct buf text = { 0 };
	uint8_t raw[32];

	str_free(&t->who.token);
	t->q.op = DPS_REGISTER;
	ask(m, t);
	assert_int_equal(t->reply.status, 401);
	assert_int_equal(t->reply.code, 0);
	assert_non_null(t->reply.tpm_key);
	assert_true(activate(tpm, t->reply.tpm_key, raw));
	b64_put(&text, raw, sizeof raw);
	strcpy(key, buf_str(&text));
	buf_free(&text);
}

static void
tpm(void **state)
{
	struct made *m = *state;
	struct talk t;
	char key[64], *hub_blob;
	uint8_t raw[32];
	struct buf want = { 0 };
	json_t *o;

	enroll(m, 0, "chip", with_ek((const char *)buf_data(&tpms[0].ek_text)));
	begin(&t, "chip", 0);
	show_tpm(&t, &tpms[0]);
	take_challenge(m, &t, &tpms[0], key);
	assert_false(activate(&tpms[1], t.reply.tpm_key, raw));
	sign(&t, key, NOW + 60);
	assert_accepted(m, &t);
	/* a poll carries the token alone */
	str_free(&t.q.ek);
	str_free(&t.q.srk);
	m->e.now.wall += 3;
	assert_assigned(m, &t, "initialAssignment");
	assert_string_equal(t.reply.attestation, "tpm");
	assert_non_null(t.reply.tpm_key);
	hub_blob = strdup(t.reply.tpm_key);
	assert_true(activate(&tpms[0], hub_blob, raw));
	b64_put(&want, raw, sizeof raw);
	assert_string_not_equal(buf_str(&want), key);
	o = device(m, t.reply.hub, "chip");
	assert_string_equal(
	    js_str(js_get(js_get(o, "authentication"), "symmetricKey"), "primaryKey", ""), buf_str(&want));
	json_decref(o);
	/* the same poll gives the same blob, so that a lost answer costs nothing */
	assert_assigned(m, &t, "initialAssignment");
	assert_string_equal(t.reply.tpm_key, hub_blob);
	/* the used challenge begins no other registration */
	t.q.op = DPS_REGISTER;
	show_tpm(&t, &tpms[0]);
	assert_refused(m, &t, 401, 401002, "has been used");
	take_challenge(m, &t, &tpms[0], key);
	sign(&t, key, NOW + 60);
	assert_accepted(m, &t);
	m->e.now.wall += 3;
	assert_assigned(m, &t, "reprovisionedToInitialAssignment");
	assert_string_not_equal(t.reply.tpm_key, hub_blob);
	free(hub_blob);
	buf_free(&want);
	end(&t);
}

static void
tpm_refused(void **state)
{
	struct made *m = *state;
	struct talk t;
	char key[64], stale[64];

	enroll(m, 0, "chip", with_ek((const char *)buf_data(&tpms[0].ek_text)));
	begin(&t, "chip", 0);
	assert_refused(m, &t, 401, 401002, "no endorsementKey");
	show_tpm(&t, &tpms[1]);
	assert_refused(m, &t, 401, 401002, "not the one that was enrolled");
	show_tpm(&t, &tpms[0]);
	t.c.mqtt = 1;
	assert_refused(m, &t, 401, 401002, "MQTT");
	t.c.mqtt = 0;
	sign(&t, KEY_A, NOW + 60);
	assert_refused(m, &t, 401, 401002, "no challenge");
	take_challenge(m, &t, &tpms[0], stale);
	take_challenge(m, &t, &tpms[0], key);
	sign(&t, stale, NOW + 60);
	assert_refused(m, &t, 401, 401002, "not signed");
	sign(&t, key, NOW + 6000);
	m->e.now.wall = NOW + 600;
	assert_refused(m, &t, 401, 401002, "challenge has expired");
	m->e.now.wall = NOW + 599;
	str_set(&t.q.ek, (const char *)buf_data(&tpms[1].ek_text));
	assert_refused(m, &t, 401, 401002, "not the one that was enrolled");
	str_set(&t.q.ek, "AToAAQ==");
	assert_refused(m, &t, 400, 400004, "endorsementKey");
	show_tpm(&t, &tpms[0]);
	str_free(&t.q.srk);
	assert_refused(m, &t, 400, 400004, "storageRootKey");
	show_tpm(&t, &tpms[0]);
	assert_accepted(m, &t);
	str_free(&t.who.token);
	assert_refused(m, &t, 401, 401002, "no SAS token");
	/* not enrolled at all */
	strcpy(t.who.id, "chip-2");
	t.q.op = DPS_REGISTER;
	assert_refused(m, &t, 404, 404201, "no enrollment");
	end(&t);
}

/* The registry cannot be written: no yes comes out, and the commit says so. */
static void
broken_registry(void **state)
{
	struct made *m = *state;
	struct talk t;

	enroll(m, 0, "dev", with_keys());
	assert_int_equal(registry_commit(m->e.registry, &m->err), 0);
	begin(&t, "dev", 1);
	sign(&t, KEY_A, NOW + 60);
	registry_operation_put(m->e.registry, NULL, 0, json_null(), &m->err);
	assert_refused(m, &t, 500, 500001, "registry");
	err_clear(&m->err);
	assert_int_equal(registry_commit(m->e.registry, &m->err), HF_ERR_IO);
	assert_accepted(m, &t);
	end(&t);
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(whole_registration),
		MADE(second_registration),
		MADE(by_webhook),
		MADE(a_webhook_refuses),
		MADE(a_webhook_is_asked_again),
		MADE(moving_to_another_hub),
		MADE(wrong_identities),
		MADE(disabled_or_gone_meanwhile),
		MADE(no_hub_to_go_to),
		MADE(group_of_keys),
		MADE(individual_before_group),
		MADE(certificate_of_its_own),
		MADE(groups_of_certificates),
		MADE(broken_registry),
		MADE(tpm),
		MADE(tpm_refused),
	};

	return cmocka_run_group_tests(tests, open_tpms, close_tpms);
}
