#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <openssl/rand.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"

uint64_t
dps_hash(const char *id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *id; id++)
		h = (h ^ (uint64_t)tolower((unsigned char)*id)) * UINT64_C(0x100000001b3);
	return h;
}

/* May this hub be chosen? An enrollment that names none takes any. */
static int
allowed(const json_t *enrollment, const char *hub)
{
	const json_t *hubs = js_get(enrollment, "iotHubs");
	const char *one = js_str(enrollment, "iotHubHostName", NULL);
	size_t i;

	if (one)
		return str_eqi(one, hub);
	for (i = 0; i < json_array_size(hubs); i++) {
		if (str_eqi(json_string_value(json_array_get(hubs, i)), hub))
			return 1;
	}
	return json_array_size(hubs) == 0;
}

/* The hub of this device, out of those that are linked and allowed. NULL: there is none. */
static const char *
allocate(const struct config *conf, const struct claim *claim)
{
	const char *candidate[MAX_NAMES];
	size_t i, n = 0;

	for (i = 0; i < conf->hubs; i++) {
		if (allowed(claim->enrollment, conf->hub[i]))
			candidate[n++] = conf->hub[i];
	}
	if (n == 0)
		return NULL;
	if (strcmp(js_str(claim->enrollment, "allocationPolicy", "hashed"), "hashed") != 0)
		return candidate[0];
	return candidate[dps_hash(claim->id) % n];
}

static int
policy(const struct claim *claim, const char *name)
{
	return js_bool(js_get(claim->enrollment, "reprovisionPolicy"), name, 1);
}

/* Where the device is now; NULL when nowhere, or at a hub that is no longer linked. */
static const char *
current_hub(const struct config *conf, const json_t *record)
{
	const char *hub = js_str(record, "assignedHub", "");
	size_t i;

	for (i = 0; i < conf->hubs; i++) {
		if (str_eqi(conf->hub[i], hub))
			return conf->hub[i];
	}
	return NULL;
}

static json_t *
by_thumbprint(const struct claim *claim)
{
	static const char *const which[] = { "primary", "secondary" }, *const name[] = { "primaryThumbprint",
		"secondaryThumbprint" };
	json_t *prints = json_object();
	char sha1[41], sha256[65];
	X509 *cert;
	int i;

	for (i = 0; i < 2; i++) {
		if (!enrollment_certificate(claim->enrollment, which[i], &cert))
			continue;
		attest_thumbprint(cert, sha1, sha256);
		json_object_set_new(prints, name[i], json_string(sha256));
		X509_free(cert);
	}
	return json_pack("{s:s, s:o}", "type", "selfSigned", "x509Thumbprint", prints);
}

static json_t *
by_key(const char *primary, const char *secondary)
{
	return json_pack("{s:s, s:{s:s, s:s}}", "type", "sas", "symmetricKey", "primaryKey", primary,
	    "secondaryKey", secondary);
}

static json_t *
by_tpm_key(const uint8_t key[32])
{
	struct buf b = { 0 };
	json_t *o = NULL;

	if (b64_put(&b, key, 32) == 0 && buf_str(&b))
		o = by_key((const char *)buf_data(&b), "");
	buf_free(&b);
	return o;
}

static json_t *
authentication(const struct claim *claim, const uint8_t tpm_key[32])
{
	if (strcmp(claim->kind, "tpm") == 0)
		return by_tpm_key(tpm_key);
	if (strcmp(claim->kind, "symmetricKey") == 0)
		return by_key(claim->key1, claim->key2);
	if (*claim->group)
		return json_pack("{s:s}", "type", "certificateAuthority");
	return by_thumbprint(claim);
}

/* The CAs that vouch for a device of a group: the hub trusts them as if they had been uploaded to it. */
static json_t *
authorities(const struct claim *claim)
{
	const json_t *certs =
	    js_get(js_get(js_get(claim->enrollment, "attestation"), "x509"), "signingCertificates");
	json_t *list = json_array();
	const char *which;
	json_t *v;

	json_object_foreach((json_t *)certs, which, v)
	    json_array_append(list, json_object_get(v, "certificate"));
	return list;
}

static json_t *
new_device(const char *id)
{
	uint64_t n = 0;
	char generation[32];

	RAND_bytes((unsigned char *)&n, sizeof n);
	snprintf(generation, sizeof generation, "%" PRIu64,
	    UINT64_C(637000000000000000) + n % UINT64_C(100000000000000));
	return json_pack("{s:s, s:s, s:s}", "deviceId", id, "generationId", generation, "status", "enabled");
}

static int
put_device(struct emulator *e, const struct claim *claim, const uint8_t tpm_key[32], const char *hub,
    const char *id, struct hf_error *err)
{
	json_t *device;
	char etag[128];
	int r;

	r = registry_device(e->registry, hub, id, &device, err);
	if (r < 0)
		return r;
	if (r == 0)
		device = new_device(id);
	etag_new(etag);
	json_object_del(device, "authorities");
	if (json_object_set_new(device, "etag", json_string(etag)) < 0 ||
	    json_object_set_new(
		device, "capabilities", json_deep_copy(js_get(claim->enrollment, "capabilities"))) < 0 ||
	    json_object_set_new(device, "authentication", authentication(claim, tpm_key)) < 0 ||
	    (*claim->group && strcmp(claim->kind, "x509") == 0 &&
		json_object_set_new(device, "authorities", authorities(claim)) < 0))
		r = err_memory(err);
	else
		r = registry_device_put(e->registry, hub, id, device, err);
	json_decref(device);
	return r;
}

static int
say(json_t *record, const char *key, const char *value, struct hf_error *err)
{
	return json_object_set_new(record, key, json_string(value)) == 0 ? 0 : err_memory(err);
}

static int
fail_with(json_t *record, int code, const char *message, struct hf_error *err)
{
	if (json_object_set_new(record, "errorCode", json_integer(code)) < 0)
		return err_memory(err);
	return say(record, "errorMessage", message, err) < 0 ? err->code
							     : say(record, "status", "failed", err);
}

/* The name of the device at its hub: what the enrollment says, else the name it got before, else its own. */
static const char *
device_id(const struct claim *claim, const json_t *record)
{
	const char *id = *claim->group ? NULL : js_str(claim->enrollment, "deviceId", claim->id);

	return id ? id : js_str(record, "deviceId", claim->id);
}

static const char *
substatus(const struct claim *claim, const char *before, const char *now)
{
	if (!before)
		return "initialAssignment";
	if (before == now)
		return "reprovisionedToInitialAssignment";
	return policy(claim, "migrateDeviceData") ? "deviceDataMigrated" : "deviceDataReset";
}

int
dps_assign(struct emulator *e, const struct claim *claim, const uint8_t tpm_key[32], json_t *record,
    struct hf_error *err)
{
	const char *before = current_hub(&e->conf, record), *hub = before;
	char id[129], old[129];
	int r = 0;

	if (!before || policy(claim, "updateHubAssignment"))
		hub = allocate(&e->conf, claim);
	if (!hub)
		return fail_with(record, 400208, "no linked hub is allowed by the enrollment", err);
	str_fmt(id, sizeof id, "%s", device_id(claim, record));
	str_fmt(old, sizeof old, "%s", js_str(record, "deviceId", id));
	if (before && (before != hub || strcmp(id, old) != 0))
		r = registry_device_delete(e->registry, before, old, err);
	if (r >= 0)
		r = put_device(e, claim, tpm_key, hub, id, err);
	if (r == 0)
		r = say(record, "assignedHub", hub, err);
	if (r == 0)
		r = say(record, "deviceId", id, err);
	if (r == 0)
		r = say(record, "substatus", substatus(claim, before, hub), err);
	return r < 0 ? r : say(record, "status", "assigned", err);
}
