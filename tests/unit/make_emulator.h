/* An emulator without its process, for tests: a registry in a folder of its own, two hubs, a fixed time. */
#ifndef MAKE_EMULATOR_H
#define MAKE_EMULATOR_H
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"
#include "msg/sas.h"

#define NOW	  1700000000
#define YEAR	  31536000
#define SCOPE	  "0ne00000001"
#define DPS	  "dps.localhost"
#define KEY_A	  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B	  "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define OWNER	  "b3duZXIgb3duZXIgb3duZXIgb3duZXI="
#define HUB_OWNER "aHViIGh1YiBodWIgaHViIGh1YiBodWI="

struct made {
	struct emulator e;
	char dir[64], path[96];
	struct hf_error err;
};

static inline int
open_made(void **state)
{
	struct made *m = calloc(1, sizeof *m);
	struct config *c = &m->e.conf;

	strcpy(m->dir, "/tmp/emulator-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	snprintf(m->path, sizeof m->path, "%s/registry.db", m->dir);
	assert_int_equal(registry_open(&m->e.registry, m->path, &m->err), 0);
	strcpy(c->scope, SCOPE);
	str_set(&c->dps_name[0], DPS);
	c->dps_names = 1;
	str_set(&c->hub[0], "127.0.0.2");
	str_set(&c->hub[1], "Hub.Example.net");
	c->hubs = 2;
	strcpy(c->service_policy, "provisioningserviceowner");
	strcpy(c->service_key, OWNER);
	strcpy(c->hub_policy, "iothubowner");
	strcpy(c->hub_key, HUB_OWNER);
	c->retry_after = 3;
	m->e.now.wall = NOW;
	*state = m;
	return 0;
}

static inline int
close_made(void **state)
{
	static const char *const tail[] = { "", "-wal", "-shm" };
	struct made *m = *state;
	char name[128];
	size_t i;

	webhook_close(&m->e);
	registry_close(m->e.registry);
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s%s", m->path, tail[i]);
		unlink(name);
	}
	rmdir(m->dir);
	str_free(&m->e.conf.dps_name[0]);
	str_free(&m->e.conf.hub[0]);
	str_free(&m->e.conf.hub[1]);
	free(m);
	return 0;
}

/* A token by a base64 key, to be freed by free(). */
static inline char *
make_token(const char *resource, const char *key, int64_t expiry, const char *skn)
{
	struct buf raw = { 0 }, text = { 0 }, t = { 0 };
	uint8_t mac[32];
	char *s;

	assert_int_equal(b64_get(&raw, key, strlen(key)), 0);
	assert_int_equal(sas_put_text(&text, resource, expiry), 0);
	assert_int_equal(sas_hmac(buf_data(&raw), buf_size(&raw), buf_data(&text), buf_size(&text), mac), 0);
	assert_int_equal(sas_put(&t, resource, expiry, mac, skn), 0);
	s = strdup(buf_str(&t));
	buf_free(&raw);
	buf_free(&text);
	buf_free(&t);
	return s;
}

/* Puts an enrollment by the owner's rules; `put` is taken. */
static inline void
enroll(struct made *m, int group, const char *id, json_t *put)
{
	json_t *o;

	assert_non_null(put);
	if (enrollment_read(&m->e.conf, group, id, put, NULL, &o, &m->err) < 0)
		fail_msg("%s", m->err.text);
	assert_int_equal(registry_enrollment_put(m->e.registry, group, id, o, &m->err), 0);
	json_decref(put);
	json_decref(o);
}

static inline json_t *
with_keys(void)
{
	return json_pack("{s:{s:s, s:{s:s, s:s}}}", "attestation", "type", "symmetricKey", "symmetricKey",
	    "primaryKey", KEY_A, "secondaryKey", KEY_B);
}

static inline json_t *
with_certificate(int group, const char *pem)
{
	return json_pack("{s:{s:s, s:{s:{s:{s:s}}}}}", "attestation", "type", "x509", "x509",
	    group ? "signingCertificates" : "clientCertificates", "primary", "certificate", pem);
}

static inline json_t *
with_ek(const char *ek)
{
	return json_pack("{s:{s:s, s:{s:s}}}", "attestation", "type", "tpm", "tpm", "endorsementKey", ek);
}
#endif
