#include <inttypes.h>
#include <string.h>
#include <openssl/rand.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"

/* A registration that is carried out: from where, to where, and with what the device begins there. */
struct move {
	const struct claim *claim;
	const json_t *answer; /* the webhook's; NULL: it was not asked */
	const char *before, *hub;
	char old[129], id[129];
	json_t *twin; /* NULL: as it is */
};

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

static json_t *
tidy_twin(const json_t *twin)
{
	const json_t *tags = js_get(twin, "tags"), *desired = js_get(js_get(twin, "properties"), "desired");

	return json_pack("{s:o, s:{s:o}}", "tags", tags ? json_deep_copy(tags) : json_object(), "properties",
	    "desired", desired ? json_deep_copy(desired) : json_object());
}

/* Device data is the twin. A webhook's goes before all; a move brings it along or begins anew; at the same hub, not to
 * migrate means to begin anew as well. */
static int
choose_twin(struct emulator *e, struct move *m, struct hf_error *err)
{
	const json_t *said = js_get(js_get(m->answer, "body"), "initialTwin");
	int migrate = policy(m->claim, "migrateDeviceData"), stays = m->before == m->hub;
	json_t *device = NULL;
	int r;

	if (stays && !said && (migrate || !policy(m->claim, "updateHubAssignment")) &&
	    strcmp(m->id, m->old) == 0)
		return 0;
	if (m->before && migrate && !said) {
		r = registry_device(e->registry, m->before, m->old, &device, err);
		if (r < 0)
			return r;
		m->twin = tidy_twin(js_get(device, "twin"));
		json_decref(device);
	} else
		m->twin = tidy_twin(said ? said : js_get(m->claim->enrollment, "initialTwin"));
	return m->twin ? 0 : err_memory(err);
}

static int
describe(json_t *device, const struct move *m, const uint8_t tpm_key[32], struct hf_error *err)
{
	const struct claim *claim = m->claim;
	const json_t *capabilities = js_get(claim->enrollment, "capabilities");
	char etag[128];

	etag_new(etag);
	json_object_del(device, "authorities");
	if (json_object_set_new(device, "etag", json_string(etag)) < 0 ||
	    json_object_set_new(device, "capabilities", json_deep_copy(capabilities)) < 0 ||
	    json_object_set_new(device, "authentication", authentication(claim, tpm_key)) < 0 ||
	    (m->twin && json_object_set(device, "twin", m->twin) < 0) ||
	    (*claim->group && strcmp(claim->kind, "x509") == 0 &&
		json_object_set_new(device, "authorities", authorities(claim)) < 0))
		return err_memory(err);
	return 0;
}

static int
put_device(struct emulator *e, const struct move *m, const uint8_t tpm_key[32], struct hf_error *err)
{
	json_t *device;
	int r;

	r = registry_device(e->registry, m->hub, m->id, &device, err);
	if (r < 0)
		return r;
	if (r == 0)
		device = new_device(m->id);
	r = describe(device, m, tpm_key, err);
	if (r == 0)
		r = registry_device_put(e->registry, m->hub, m->id, device, err);
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
substatus(const struct move *m)
{
	if (!m->before)
		return "initialAssignment";
	if (m->before == m->hub)
		return "reprovisionedToInitialAssignment";
	return policy(m->claim, "migrateDeviceData") && !js_get(js_get(m->answer, "body"), "initialTwin")
		   ? "deviceDataMigrated"
		   : "deviceDataReset";
}

static int
carry_out(struct emulator *e, struct move *m, const uint8_t tpm_key[32], json_t *record, struct hf_error *err)
{
	const json_t *payload = js_get(js_get(m->answer, "body"), "payload");
	int r = choose_twin(e, m, err);

	if (r == 0 && m->before && (m->before != m->hub || strcmp(m->id, m->old) != 0) &&
	    (r = c2d_purge(e, m->before, m->old, err)) == 0)
		r = registry_device_delete(e->registry, m->before, m->old, err);
	if (r >= 0)
		r = put_device(e, m, tpm_key, err);
	if (r == 0)
		r = say(record, "assignedHub", m->hub, err);
	if (r == 0)
		r = say(record, "deviceId", m->id, err);
	if (r == 0)
		r = say(record, "substatus", substatus(m), err);
	json_object_del(record, "payload");
	if (r == 0 && payload && json_object_set_new(record, "payload", json_deep_copy(payload)) < 0)
		r = err_memory(err);
	return r < 0 ? r : say(record, "status", "assigned", err);
}

static int
is_allocated_anew(const struct config *conf, const struct claim *claim, const json_t *record)
{
	return !current_hub(conf, record) || policy(claim, "updateHubAssignment");
}

int
dps_asks_webhook(const struct config *conf, const struct claim *claim, const json_t *record)
{
	return strcmp(js_str(claim->enrollment, "allocationPolicy", ""), "custom") == 0 &&
	       is_allocated_anew(conf, claim, record);
}

int
dps_assign(struct emulator *e, const struct claim *claim, const uint8_t tpm_key[32], const json_t *answer,
    json_t *record, struct hf_error *err)
{
	struct move m = { .claim = claim, .before = current_hub(&e->conf, record) };
	char why[300] = "no linked hub is allowed by the enrollment";
	int asked = dps_asks_webhook(&e->conf, claim, record), r;

	m.hub = m.before;
	if (asked) {
		m.answer = answer;
		m.hub = dps_answered(&e->conf, claim, answer, why, sizeof why);
	} else if (is_allocated_anew(&e->conf, claim, record))
		m.hub = dps_allocate(&e->conf, claim);
	if (!m.hub)
		return fail_with(record, asked ? 400207 : 400208, why, err);
	str_fmt(m.id, sizeof m.id, "%s", device_id(claim, record));
	str_fmt(m.old, sizeof m.old, "%s", js_str(record, "deviceId", m.id));
	r = carry_out(e, &m, tpm_key, record, err);
	json_decref(m.twin);
	return r;
}
