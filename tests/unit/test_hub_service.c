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

struct door {
	struct hub_who who;
	STACK_OF(X509) * chain;
	struct hub_admission a;
	struct hf_error err;
};

static void
begin(struct door *d, const char *host, const char *device)
{
	memset(d, 0, sizeof *d);
	strcpy(d->who.host, host);
	strcpy(d->who.device, device);
}

static void
sign(struct door *d, const char *resource, const char *key, int64_t expiry, const char *skn)
{
	str_free(&d->who.token);
	d->who.token = make_token(resource, key, expiry, skn);
}

static int
admit(struct made *m, struct door *d)
{
	err_clear(&d->err);
	return hub_service_admit(&m->e, &d->who, d->chain, &d->a, &d->err);
}

static void
assert_refused(struct made *m, struct door *d, int code, const char *why)
{
	assert_int_equal(admit(m, d), HF_ERR_AUTH);
	assert_int_equal(d->err.service, code);
	assert_int_equal(d->err.status, code / 1000);
	if (!strstr(d->err.text, why))
		fail_msg("'%s' does not say '%s'", d->err.text, why);
}

static void
assert_admitted(struct made *m, struct door *d)
{
	if (admit(m, d) != 0)
		fail_msg("%s", d->err.text);
}

static void
end(struct door *d)
{
	hub_who_fini(&d->who);
	sk_X509_free(d->chain);
}

/* `authentication` is taken */
static void
put_device(struct made *m, const char *hub, const char *id, const char *status, json_t *authentication)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:o}", "deviceId", id, "generationId", "77", "status", status,
	    "authentication", authentication);

	assert_non_null(o);
	assert_int_equal(registry_device_put(m->e.registry, hub, id, o, &m->err), 0);
	json_decref(o);
}

static json_t *
keys(void)
{
	return json_pack(
	    "{s:s, s:{s:s, s:s}}", "type", "sas", "symmetricKey", "primaryKey", KEY_A, "secondaryKey", KEY_B);
}

static void
tokens(void **state)
{
	struct made *m = *state;
	struct door d;

	put_device(m, "127.0.0.2", "d1", "enabled", keys());
	begin(&d, "127.0.0.2", "d1");
	assert_refused(m, &d, 401002, "neither a SAS token nor");
	sign(&d, "127.0.0.2/devices/d1", KEY_A, NOW + 60, NULL);
	assert_admitted(m, &d);
	assert_string_equal(d.a.hub, "127.0.0.2");
	assert_string_equal(d.a.device, "d1");
	assert_string_equal(d.a.generation, "77");
	assert_int_equal(d.a.until, NOW + 60 + 300);
	assert_string_equal(d.a.auth,
	    "{\"scope\":\"device\",\"type\":\"sas\",\"issuer\":\"iothub\",\"acceptingIpFilterRule\":null}");
	sign(&d, "127.0.0.2/devices/d1", KEY_B, NOW + 60, "");
	assert_admitted(m, &d);
	sign(&d, "127.0.0.2:18883/devices/d1", KEY_B, NOW + 60, NULL);
	strcpy(d.who.host, "127.0.0.2:18883");
	assert_admitted(m, &d);
	assert_string_equal(d.a.hub, "127.0.0.2");
	strcpy(d.who.host, "127.0.0.2");
	sign(&d, "127.0.0.2/devices/d1", OWNER, NOW + 60, NULL);
	assert_refused(m, &d, 401002, "not signed");
	sign(&d, "127.0.0.2/devices/d1", KEY_A, NOW, NULL);
	assert_refused(m, &d, 401002, "expired");
	sign(&d, "127.0.0.2/devices/d2", KEY_A, NOW + 60, NULL);
	assert_refused(m, &d, 401002, "not for '127.0.0.2/devices/d1'");
	sign(&d, "127.0.0.2", KEY_A, NOW + 60, NULL);
	assert_refused(m, &d, 401002, "not for");
	sign(&d, "hub.example.net/devices/d1", KEY_A, NOW + 60, NULL);
	assert_refused(m, &d, 401002, "not for");
	str_set(&d.who.token, "SharedAccessSignature sr=&sig=&se=");
	assert_refused(m, &d, 401002, "lacks");
	end(&d);
}

static void
policies(void **state)
{
	static const char *const right[] = { "127.0.0.2", "127.0.0.2/", "127.0.0.2/devices",
		"127.0.0.2/devices/d1" };
	static const char *const wrong[] = { "127.0.0.2/dev", "127.0.0.2/devices/d", "127.0.0.2/messages",
		"127.0.0.3" };
	struct made *m = *state;
	struct door d;
	size_t i;

	put_device(m, "127.0.0.2", "d1", "enabled", keys());
	begin(&d, "127.0.0.2", "d1");
	for (i = 0; i < 4; i++) {
		sign(&d, right[i], HUB_OWNER, NOW + 60, "iothubowner");
		assert_admitted(m, &d);
		assert_non_null(strstr(d.a.auth, "\"scope\":\"hub\""));
	}
	for (i = 0; i < 4; i++) {
		sign(&d, wrong[i], HUB_OWNER, NOW + 60, "iothubowner");
		assert_refused(m, &d, 401002, "not for");
	}
	sign(&d, "127.0.0.2", HUB_OWNER, NOW + 60, "service");
	assert_refused(m, &d, 401002, "policy 'service'");
	sign(&d, "127.0.0.2", KEY_A, NOW + 60, "iothubowner");
	assert_refused(m, &d, 401002, "not signed");
	end(&d);
}

static void
doors_that_are_closed(void **state)
{
	struct made *m = *state;
	struct door d;

	put_device(m, "127.0.0.2", "off", "disabled", keys());
	begin(&d, "127.0.0.9", "d1");
	assert_refused(m, &d, 401001, "no hub");
	strcpy(d.who.host, "127.0.0.2");
	assert_refused(m, &d, 404001, "no device 'd1'");
	strcpy(d.who.device, "off");
	sign(&d, "127.0.0.2/devices/off", KEY_A, NOW + 60, NULL);
	assert_refused(m, &d, 403012, "disabled");
	/* one who cannot sign does not learn that it is disabled */
	sign(&d, "127.0.0.2/devices/off", OWNER, NOW + 60, NULL);
	assert_refused(m, &d, 401002, "not signed");
	strcpy(d.who.device, "OFF");
	assert_refused(m, &d, 404001, "no device");
	strcpy(d.who.module, "m");
	assert_refused(m, &d, 404010, "modules");
	end(&d);
}

static X509 *
cert(const char *cn, int ca, EVP_PKEY *key, X509 *issuer)
{
	return make_cert(&(struct cert_wish){ cn, ca, -1, NOW - 60, NOW + 60 }, key, issuer, key);
}

static void
thumbprints(void **state)
{
	struct made *m = *state;
	EVP_PKEY *key = make_key();
	X509 *mine = cert("any", 0, key, NULL), *other = cert("any", 0, key, NULL);
	char sha1[41], sha256[65], colons[130] = "";
	struct door d;
	size_t i;

	attest_thumbprint(mine, sha1, sha256);
	for (i = 0; i < 20; i++)
		snprintf(colons + strlen(colons), 8, "%s%.2s", i ? ":" : "", sha1 + 2 * i);
	for (i = 0; colons[i]; i++)
		colons[i] |= 0x20 * (colons[i] >= 'A');
	put_device(m, "127.0.0.2", "d1", "enabled",
	    json_pack("{s:s, s:{s:s, s:s}}", "type", "selfSigned", "x509Thumbprint", "primaryThumbprint",
		"00", "secondaryThumbprint", colons));
	begin(&d, "127.0.0.2", "d1");
	d.chain = sk_X509_new_null();
	sk_X509_push(d.chain, other);
	assert_refused(m, &d, 401002, "thumbprint");
	sk_X509_set(d.chain, 0, mine);
	assert_admitted(m, &d);
	assert_int_equal(d.a.until, INT64_MAX);
	assert_non_null(strstr(d.a.auth, "\"x509\""));
	put_device(m, "127.0.0.2", "d1", "enabled",
	    json_pack("{s:s, s:{s:s}}", "type", "selfSigned", "x509Thumbprint", "primaryThumbprint", sha256));
	assert_admitted(m, &d);
	/* a device without thumbprints believes nobody, nor does one that signs tokens */
	put_device(m, "127.0.0.2", "d1", "enabled", json_pack("{s:s}", "type", "selfSigned"));
	assert_refused(m, &d, 401002, "thumbprint");
	put_device(m, "127.0.0.2", "d1", "enabled", keys());
	assert_refused(m, &d, 401002, "signs tokens");
	end(&d);
	X509_free(mine);
	X509_free(other);
	EVP_PKEY_free(key);
}

static void
authorities(void **state)
{
	struct made *m = *state;
	EVP_PKEY *key = make_key();
	X509 *root = cert("root", 1, key, NULL), *other = cert("other", 1, key, NULL),
	     *leaf = cert("d1", 0, key, root), *stray = cert("d1", 0, key, other),
	     *named = cert("D1", 0, key, root);
	char *pem = make_pem(root);
	json_t *o = json_pack("{s:s, s:s, s:s, s:{s:s}, s:[s]}", "deviceId", "d1", "generationId", "1",
	    "status", "enabled", "authentication", "type", "certificateAuthority", "authorities", pem);
	struct door d;

	assert_int_equal(registry_device_put(m->e.registry, "127.0.0.2", "d1", o, &m->err), 0);
	begin(&d, "127.0.0.2", "d1");
	d.chain = sk_X509_new_null();
	sk_X509_push(d.chain, leaf);
	assert_admitted(m, &d);
	sk_X509_set(d.chain, 0, stray);
	assert_refused(m, &d, 401002, "certificate");
	sk_X509_set(d.chain, 0, named);
	assert_refused(m, &d, 401002, "common name is 'D1'");
	sk_X509_set(d.chain, 0, leaf);
	m->e.now.wall = NOW + 61;
	assert_refused(m, &d, 401002, "expired");
	m->e.now.wall = NOW;
	json_object_del(o, "authorities");
	registry_device_put(m->e.registry, "127.0.0.2", "d1", o, &m->err);
	assert_refused(m, &d, 401002, "no CA");
	json_decref(o);
	free(pem);
	end(&d);
	X509_free(root);
	X509_free(other);
	X509_free(leaf);
	X509_free(stray);
	X509_free(named);
	EVP_PKEY_free(key);
}

static int
see(void *ctx, int64_t sequence, const json_t *o)
{
	json_t **list = ctx;

	assert_true(sequence > 0);
	json_array_append(*list, (json_t *)o);
	return 0;
}

static void
events(void **state)
{
	struct made *m = *state;
	struct hub_admission a = {
		.hub = "127.0.0.2", .device = "d1", .generation = "77", .auth = "{\"type\":\"sas\"}"
	};
	struct hub_event ev = { .body = "{\"t\":20}", .len = 8 };
	json_t *list = json_array(), *o;

	hub_event_add(&ev, "color", "blue");
	hub_event_add(&ev, "empty", "");
	str_set(&ev.message_id, "m1");
	str_set(&ev.content_type, "application/json");
	assert_int_equal(hub_service_store(&m->e, &a, &ev, 0, &m->err), 0);
	assert_int_equal(hub_service_store(&m->e, &a, &ev, 1, &m->err), 0);
	assert_int_equal(registry_commit(m->e.registry, &m->err), 0);
	assert_int_equal(registry_event_each(m->e.registry, 0, "d1", see, &list, &m->err), 0);
	assert_int_equal(json_array_size(list), 2);
	o = json_array_get(list, 0);
	assert_string_equal(js_str(o, "body", ""), "{\"t\":20}");
	assert_string_equal(js_str(o, "deviceId", ""), "d1");
	assert_int_equal(json_object_size(js_get(o, "properties")), 2);
	assert_string_equal(js_str(js_get(o, "properties"), "color", ""), "blue");
	assert_string_equal(js_str(js_get(o, "systemProperties"), "message-id", ""), "m1");
	assert_string_equal(js_str(js_get(o, "systemProperties"), "content-type", ""), "application/json");
	assert_null(js_get(js_get(o, "systemProperties"), "correlation-id"));
	assert_string_equal(js_str(js_get(o, "systemProperties"), "iothub-connection-device-id", ""), "d1");
	assert_string_equal(js_str(js_get(o, "authMethod"), "type", ""), "sas");
	o = json_array_get(list, 1);
	assert_string_equal(js_str(js_get(o, "properties"), "mqtt-retain", ""), "true");
	json_decref(list);
	hub_event_fini(&ev);
}

static void
events_that_are_too_much(void **state)
{
	struct made *m = *state;
	struct hub_admission a = { .hub = "127.0.0.2", .device = "d1", .auth = "{}" };
	char *body = calloc(1, HUB_MAX_EVENT + 1);
	struct hub_event ev = { .body = body, .len = HUB_MAX_EVENT };

	memset(body, 'x', HUB_MAX_EVENT);
	assert_int_equal(hub_service_store(&m->e, &a, &ev, 0, &m->err), 0);
	hub_event_add(&ev, "k", "");
	assert_int_equal(hub_service_store(&m->e, &a, &ev, 0, &m->err), HF_ERR_PROTOCOL);
	assert_non_null(strstr(m->err.text, "larger"));
	err_clear(&m->err);
	ev.len = 1;
	hub_event_add(&ev, "k", "\xff");
	assert_int_equal(hub_service_store(&m->e, &a, &ev, 0, &m->err), HF_ERR_PROTOCOL);
	assert_non_null(strstr(m->err.text, "UTF-8"));
	hub_event_fini(&ev);
	free(body);
}

static void
still_there(void **state)
{
	struct made *m = *state;
	struct hub_admission a = { .hub = "127.0.0.2", .device = "d1", .generation = "77" };

	assert_false(hub_service_still(&m->e, &a));
	put_device(m, "127.0.0.2", "d1", "enabled", keys());
	assert_true(hub_service_still(&m->e, &a));
	put_device(m, "127.0.0.2", "d1", "disabled", keys());
	assert_false(hub_service_still(&m->e, &a));
	put_device(m, "127.0.0.2", "d1", "enabled", keys());
	strcpy(a.generation, "76");
	assert_false(hub_service_still(&m->e, &a));
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(tokens),
		MADE(policies),
		MADE(doors_that_are_closed),
		MADE(thumbprints),
		MADE(authorities),
		MADE(events),
		MADE(events_that_are_too_much),
		MADE(still_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
