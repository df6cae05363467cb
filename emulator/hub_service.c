#include <string.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"
#include "msg/sas.h"

enum { NO_HUB = 401001, UNAUTHORIZED = 401002, DISABLED = 403012, NO_DEVICE = 404001, NO_MODULE = 404010 };
#define SLACK 300 /* seconds that a connection outlives its token */

/* The linked hub of this name (a port behind it does not matter). NULL: none of ours. */
const char *
hub_service_named(const struct config *conf, const char *host)
{
	char name[256];
	uint16_t port;
	size_t i;

	if (str_host_port(host, name, sizeof name, &port) < 0)
		return NULL;
	for (i = 0; i < conf->hubs; i++) {
		if (str_eqi(conf->hub[i], name))
			return conf->hub[i];
	}
	return NULL;
}

/* What a token is for, without its host: "" for the whole hub, "/devices/d1"; NULL when it is for another hub. */
static const char *
path_of(const struct config *conf, const char *resource, const char *hub)
{
	size_t n = strcspn(resource, "/");
	const char *named;
	char host[256];

	if (str_copy(host, sizeof host, resource, n) < 0)
		return NULL;
	named = hub_service_named(conf, host);
	return named && str_eqi(named, hub) ? resource + n : NULL;
}

/* A policy's token may be for the hub, for all its devices, or for this one. */
static int
covers(const char *path, const char *own)
{
	return *path == '\0' || str_eqi(path, "/") || str_eqi(path, "/devices") || str_eqi(path, own);
}

static int
check_scope(
    const struct config *conf, const struct hub_admission *a, const struct sas *sas, struct hf_error *err)
{
	const char *path = path_of(conf, sas->resource, a->hub);
	char own[160];

	str_fmt(own, sizeof own, "/devices/%s", a->device);
	if (path && (*sas->skn ? covers(path, own) : str_eqi(path, own)))
		return 0;
	return refuse(err, UNAUTHORIZED, "the token is for '%s', not for '%s%s'", sas->resource, a->hub, own);
}

static void
set_auth(struct hub_admission *a, const char *scope, const char *type, const char *issuer)
{
	str_fmt(a->auth, sizeof a->auth,
	    "{\"scope\":\"%s\",\"type\":\"%s\",\"issuer\":\"%s\",\"acceptingIpFilterRule\":null}", scope,
	    type, issuer);
}

static int
by_token(struct emulator *e, const char *token, const json_t *device, struct hub_admission *a,
    struct hf_error *err)
{
	const json_t *keys = js_get(js_get(device, "authentication"), "symmetricKey");
	const char *key1 = js_str(keys, "primaryKey", NULL), *key2 = js_str(keys, "secondaryKey", NULL);
	struct hf_error why = { 0 };
	struct sas sas;
	int r;

	if (sas_get(&sas, token, strlen(token), &why) < 0)
		return refuse(err, UNAUTHORIZED, "%s", why.text);
	r = check_scope(&e->conf, a, &sas, err);
	if (r == 0 && *sas.skn && strcmp(sas.skn, e->conf.hub_policy) != 0)
		r = refuse(err, UNAUTHORIZED,
		    "the hub has no policy '%s' with the right to connect as a device", sas.skn);
	if (r == 0 && *sas.skn) {
		key1 = e->conf.hub_key;
		key2 = NULL;
	}
	if (r == 0 && attest_token(token, sas.resource, key1, key2, e->now.wall, err) < 0)
		r = refuse_as(err, UNAUTHORIZED);
	a->until = sas.expiry > INT64_MAX - SLACK ? INT64_MAX : sas.expiry + SLACK;
	set_auth(a, *sas.skn ? "hub" : "device", "sas", "iothub");
	sas_fini(&sas);
	return r;
}

int
hub_service_owner(
    struct emulator *e, const char *host, const char *token, int64_t *until, struct hf_error *err)
{
	const char *hub = hub_service_named(&e->conf, host), *path;
	struct hf_error why = { 0 };
	struct sas sas;
	int r = 0;

	if (!hub)
		return refuse(err, NO_HUB, "there is no hub '%s'", host);
	if (sas_get(&sas, token, strlen(token), &why) < 0)
		return refuse(err, UNAUTHORIZED, "%s", why.text);
	path = path_of(&e->conf, sas.resource, hub);
	if (!path || (*path && strcmp(path, "/") != 0))
		r = refuse(err, UNAUTHORIZED, "the token is for '%s', not for '%s'", sas.resource, hub);
	else if (strcmp(sas.skn, e->conf.hub_policy) != 0)
		r = refuse(err, UNAUTHORIZED,
		    "the hub has no policy '%s' with the right to connect as a service", sas.skn);
	else if (attest_token(token, sas.resource, e->conf.hub_key, NULL, e->now.wall, err) < 0)
		r = refuse_as(err, UNAUTHORIZED);
	*until = sas.expiry > INT64_MAX - SLACK ? INT64_MAX : sas.expiry + SLACK;
	sas_fini(&sas);
	if (r < 0)
		*until = 0;
	return r;
}

/* Thumbprints are written with and without colons or blanks, in either letter case. */
static int
is_thumbprint(const char *written, const char *print)
{
	for (; *written; written++) {
		if (strchr(": -", *written))
			continue;
		if (!str_eqin((char[]){ *written, '\0' }, print, 1))
			return 0;
		print++;
	}
	return *print == '\0';
}

static int
by_thumbprint(const X509 *leaf, const json_t *authentication, struct hf_error *err)
{
	const json_t *prints = js_get(authentication, "x509Thumbprint");
	const char *mine[] = { js_str(prints, "primaryThumbprint", ""),
		js_str(prints, "secondaryThumbprint", "") };
	char sha1[41], sha256[65];
	int i;

	attest_thumbprint(leaf, sha1, sha256);
	for (i = 0; i < 2; i++) {
		if (is_thumbprint(mine[i], sha256) || is_thumbprint(mine[i], sha1))
			return 0;
	}
	return refuse(err, UNAUTHORIZED, "the certificate's thumbprint %s is not the device's", sha256);
}

static int
by_authority(
    struct emulator *e, STACK_OF(X509) * chain, const json_t *device, const char *id, struct hf_error *err)
{
	const json_t *list = js_get(device, "authorities");
	struct hf_error why = { 0 }, ignored = { 0 };
	char cn[129] = "";
	size_t i;
	X509 *ca;
	int r;

	if (attest_common_name(sk_X509_value(chain, 0), cn, sizeof cn) < 0 || strcmp(cn, id) != 0)
		return refuse(
		    err, UNAUTHORIZED, "the certificate's common name is '%s', the device is '%s'", cn, id);
	for (i = 0; i < json_array_size(list); i++) {
		if (attest_certificate(json_string_value(json_array_get(list, i)), &ca, &ignored) < 0)
			continue;
		r = attest_chain(chain, ca, e->now.wall, &why);
		X509_free(ca);
		if (r > 0)
			return 0;
	}
	return refuse(err, UNAUTHORIZED, "%s", why.code ? why.text : "the hub knows no CA for this device");
}

static int
by_certificate(struct emulator *e, STACK_OF(X509) * chain, const json_t *device, struct hub_admission *a,
    struct hf_error *err)
{
	const json_t *authentication = js_get(device, "authentication");
	const char *type = js_str(authentication, "type", "");

	a->until = INT64_MAX;
	set_auth(a, "device", "x509", "external");
	if (!chain || sk_X509_num(chain) == 0)
		return refuse(err, UNAUTHORIZED, "neither a SAS token nor a client certificate came");
	if (strcmp(type, "selfSigned") == 0)
		return by_thumbprint(sk_X509_value(chain, 0), authentication, err);
	if (strcmp(type, "certificateAuthority") == 0)
		return by_authority(e, chain, device, a->device, err);
	return refuse(err, UNAUTHORIZED, "a certificate was shown, but the device signs tokens");
}

int
hub_service_admit(struct emulator *e, const struct hub_who *who, STACK_OF(X509) * chain,
    struct hub_admission *a, struct hf_error *err)
{
	const char *hub = hub_service_named(&e->conf, who->host);
	json_t *device;
	int r;

	memset(a, 0, sizeof *a);
	if (!hub)
		return refuse(err, NO_HUB, "there is no hub '%s'", who->host);
	if (*who->module)
		return refuse(err, NO_MODULE, "modules are not emulated: '%s/%s'", who->device, who->module);
	str_fmt(a->hub, sizeof a->hub, "%s", hub);
	str_fmt(a->device, sizeof a->device, "%s", who->device);
	r = registry_device(e->registry, hub, who->device, &device, err);
	if (r < 0)
		return r;
	if (r == 0)
		return refuse(err, NO_DEVICE, "hub %s has no device '%s'", hub, who->device);
	str_fmt(a->generation, sizeof a->generation, "%s", js_str(device, "generationId", ""));
	if (who->token)
		r = by_token(e, who->token, device, a, err);
	else
		r = by_certificate(e, chain, device, a, err);
	if (r == 0 && strcmp(js_str(device, "status", ""), "enabled") != 0)
		r = refuse(err, DISABLED, "device '%s' is disabled", who->device);
	json_decref(device);
	return r;
}

static json_t *
system_properties(const struct hub_event *ev, const struct hub_admission *a)
{
	return json_pack(
	    "{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s, s:s, s:s, s:s}",
	    "message-id", ev->message_id, "correlation-id", ev->correlation_id, "user-id", ev->user_id, "to",
	    ev->to, "absolute-expiry-time", ev->expiry, "content-type", ev->content_type, "content-encoding",
	    ev->content_encoding, "iothub-creation-time-utc", ev->creation_time, "iothub-outputname",
	    ev->output_name, "dt-subject", ev->component, "iothub-interface-id", ev->interface_id,
	    "iothub-connection-device-id", a->device, "iothub-connection-auth-generation-id", a->generation,
	    "iothub-connection-auth-method", a->auth, "iothub-message-source", "Telemetry");
}

static json_t *
properties(const struct hub_event *ev, int retain)
{
	json_t *o = json_object();
	int bad = 0;
	size_t i;

	for (i = 0; i < ev->property_count; i++)
		bad |= json_object_set_new(
		    o, ev->property[i].key, json_string(ev->property[i].value ? ev->property[i].value : ""));
	if (retain)
		bad |= json_object_set_new(o, "mqtt-retain", json_string("true"));
	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

int
hub_service_store(struct emulator *e, const struct hub_admission *a, const struct hub_event *ev, int retain,
    struct hf_error *err)
{
	struct registry_event out = { .hub = a->hub,
		.device = a->device,
		.auth = a->auth,
		.generation = a->generation,
		.body = ev->body,
		.len = ev->len,
		.enqueued_ms = e->now.wall * 1000 };
	json_t *props, *sys;
	int r;

	if (hub_event_size(ev) > HUB_MAX_EVENT)
		return err_set(err, HF_ERR_PROTOCOL, "the message of device '%s' is larger than %d bytes",
		    a->device, HUB_MAX_EVENT);
	props = properties(ev, retain);
	sys = system_properties(ev, a);
	out.properties = props;
	out.system = sys;
	if (props && sys)
		r = registry_event_put(e->registry, &out, err);
	else
		r = err_set(err, HF_ERR_PROTOCOL, "a property of the message from device '%s' is not UTF-8",
		    a->device);
	json_decref(props);
	json_decref(sys);
	return r;
}

int
hub_service_still(struct emulator *e, const struct hub_admission *a)
{
	struct hf_error ignored = { 0 };
	json_t *device;
	int yes;

	if (registry_device(e->registry, a->hub, a->device, &device, &ignored) <= 0)
		return 0;
	yes = strcmp(js_str(device, "status", ""), "enabled") == 0 &&
	      strcmp(js_str(device, "generationId", ""), a->generation) == 0;
	json_decref(device);
	return yes;
}
