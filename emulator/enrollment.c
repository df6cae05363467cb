#include <string.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "emulator.h"
#include "msg/tpm.h"

enum { FORMAT = 400006, INVALID = 400004 };
#define KEY_MIN 16
#define KEY_MAX 64

enum { INDIVIDUAL = 1, GROUP = 2 };
static const struct {
	const char *name;
	json_type type;
	int of;
} members[] = {
	{ "deviceId", JSON_STRING, INDIVIDUAL },
	{ "capabilities", JSON_OBJECT, INDIVIDUAL | GROUP },
	{ "iotHubHostName", JSON_STRING, INDIVIDUAL | GROUP },
	{ "iotHubs", JSON_ARRAY, INDIVIDUAL | GROUP },
	{ "allocationPolicy", JSON_STRING, INDIVIDUAL | GROUP },
	{ "customAllocationDefinition", JSON_OBJECT, INDIVIDUAL | GROUP },
	{ "initialTwin", JSON_OBJECT, INDIVIDUAL | GROUP },
	{ "provisioningStatus", JSON_STRING, INDIVIDUAL | GROUP },
	{ "reprovisionPolicy", JSON_OBJECT, INDIVIDUAL | GROUP },
	{ "optionalDeviceInformation", JSON_OBJECT, INDIVIDUAL },
};

/* Base64 of between min and max bytes? */
static int
is_base64(const char *text, size_t min, size_t max)
{
	struct buf b = { 0 };
	int ok = b64_get(&b, text, strlen(text)) == 0 && buf_size(&b) >= min && buf_size(&b) <= max;

	buf_free(&b);
	return ok;
}

static json_t *
new_key(void)
{
	struct buf b = { 0 };
	uint8_t raw[KEY_MAX];
	json_t *text = NULL;

	if (RAND_priv_bytes(raw, sizeof raw) == 1 && b64_put(&b, raw, sizeof raw) == 0)
		text = json_stringn((const char *)buf_data(&b), buf_size(&b));
	OPENSSL_cleanse(raw, sizeof raw);
	buf_free(&b);
	return text;
}

static int
read_key(const json_t *in, const json_t *old, const char *name, json_t *out, struct hf_error *err)
{
	const char *key = js_str(in, name, "");

	if (*key == '\0')
		key = js_str(old, name, "");
	if (*key == '\0')
		return json_object_set_new(out, name, new_key()) == 0 ? 0 : err_memory(err);
	if (!is_base64(key, KEY_MIN, KEY_MAX))
		return refuse(err, INVALID, "%s is not base64 of %d to %d bytes", name, KEY_MIN, KEY_MAX);
	return json_object_set_new(out, name, json_string(key)) == 0 ? 0 : err_memory(err);
}

static int
read_keys(const json_t *in, const json_t *old, json_t *out, struct hf_error *err)
{
	json_t *keys = json_object();
	int r = read_key(in, old, "primaryKey", keys, err);

	if (r == 0)
		r = read_key(in, old, "secondaryKey", keys, err);
	if (json_object_set_new(out, "symmetricKey", keys) < 0)
		r = err_memory(err);
	return r;
}

static int
read_tpm(const json_t *in, json_t *out, struct hf_error *err)
{
	const char *ek = js_str(in, "endorsementKey", ""), *srk = js_str(in, "storageRootKey", NULL);
	struct hf_error why = { 0 };
	struct tpm_public pub;
	struct buf raw = { 0 };
	int r = 0;

	if (b64_get(&raw, ek, strlen(ek)) < 0 || buf_size(&raw) == 0)
		r = refuse(err, INVALID, "endorsementKey is not base64 of a TPM2B_PUBLIC");
	else if (tpm_get_public(buf_data(&raw), buf_size(&raw), &pub, &why) < 0)
		r = refuse(err, INVALID,
		    "endorsementKey is not the public part of a TPM's RSA endorsement key: %s", why.text);
	else if (json_object_set_new(
		     out, "tpm", json_pack("{s:s, s:s*}", "endorsementKey", ek, "storageRootKey", srk)) < 0)
		r = err_memory(err);
	buf_free(&raw);
	return r;
}

/* A certificate is stored as base64 of its DER. */
static json_t *
stored(X509 *cert)
{
	struct buf b = { 0 };
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	json_t *o = NULL;

	if (n > 0 && b64_put(&b, der, (size_t)n) == 0)
		o = json_pack("{s:s%}", "certificate", buf_data(&b), buf_size(&b));
	OPENSSL_free(der);
	buf_free(&b);
	return o;
}

/* What was read as `info` and is put again stands for the certificate that is stored. */
static const char *
same_as_before(const json_t *in, const json_t *old)
{
	const char *text = js_str(old, "certificate", NULL), *said;
	struct hf_error why = { 0 };
	char sha1[41], sha256[65];
	X509 *cert;

	said = js_str(js_get(in, "info"), "sha256Thumbprint", "");
	if (text == NULL || attest_certificate(text, &cert, &why) < 0)
		return NULL;
	attest_thumbprint(cert, sha1, sha256);
	X509_free(cert);
	return str_eqi(said, sha256) ? text : NULL;
}

static int
read_certificate(
    const json_t *in, const json_t *old, int ca, const char *which, json_t *out, struct hf_error *err)
{
	const char *text = js_str(in, "certificate", NULL);
	struct hf_error why = { 0 };
	X509 *cert;
	int r = 0;

	if (text == NULL)
		text = same_as_before(in, old);
	if (text == NULL)
		return refuse(err, INVALID, "the %s certificate is missing", which);
	if (attest_certificate(text, &cert, &why) < 0)
		return refuse(err, INVALID, "the %s certificate cannot be read: %s", which, why.text);
	if (ca && X509_check_ca(cert) != 1)
		r = refuse(err, INVALID, "the %s certificate of a group has to be a CA's", which);
	else if (json_object_set_new(out, which, stored(cert)) < 0)
		r = err_memory(err);
	X509_free(cert);
	return r;
}

static const char *
kind_of_certificates(int group)
{
	return group ? "signingCertificates" : "clientCertificates";
}

static int
read_x509(int group, const json_t *in, const json_t *old, json_t *out, struct hf_error *err)
{
	const char *kind = kind_of_certificates(group);
	const json_t *certs = js_get(in, kind), *before = js_get(old, kind), *second;
	json_t *o;
	int r;

	if (js_get(in, "caReferences"))
		return refuse(
		    err, INVALID, "caReferences (uploaded CAs) are not emulated; put signingCertificates");
	if (!json_is_object(certs))
		return refuse(err, INVALID, "the attestation has no %s", kind);
	o = json_object();
	r = read_certificate(js_get(certs, "primary"), js_get(before, "primary"), group, "primary", o, err);
	second = js_get(certs, "secondary");
	if (r == 0 && second != NULL)
		r = read_certificate(second, js_get(before, "secondary"), group, "secondary", o, err);
	if (json_object_set_new(out, "x509", json_pack("{s:o}", kind, o)) < 0)
		r = err_memory(err);
	return r;
}

static int
read_attestation(int group, const json_t *in, const json_t *old, json_t *out, struct hf_error *err)
{
	const char *type = js_str(in, "type", "");
	const json_t *mine = js_get(in, type), *before = js_get(old, type);
	json_t *o = json_pack("{s:s}", "type", type);

	if (json_object_set_new(out, "attestation", o) < 0)
		return err_memory(err);
	if (strcmp(type, "symmetricKey") == 0)
		return read_keys(mine, before, o, err);
	if (strcmp(type, "x509") == 0)
		return read_x509(group, mine, before, o, err);
	if (strcmp(type, "tpm") == 0 && !group)
		return read_tpm(mine, o, err);
	return refuse(err, INVALID, "attestation.type '%.40s' is none that %s can have", type,
	    group ? "a group" : "an individual enrollment");
}

static int
copy_members(int of, const json_t *put, json_t *out, struct hf_error *err)
{
	const json_t *v;
	size_t i;

	for (i = 0; i < sizeof members / sizeof *members; i++) {
		v = js_get(put, members[i].name);
		if (v == NULL || !(members[i].of & of))
			continue;
		if (json_typeof(v) != members[i].type)
			return refuse(err, FORMAT, "%s has the wrong type", members[i].name);
		if (json_object_set_new(out, members[i].name, json_deep_copy(v)) < 0)
			return err_memory(err);
	}
	return 0;
}

static int
is_linked(const struct config *c, const char *hub)
{
	size_t i;

	for (i = 0; i < c->hubs; i++) {
		if (str_eqi(c->hub[i], hub))
			return 1;
	}
	return 0;
}

static int
check_hubs(const struct config *c, const json_t *out, struct hf_error *err)
{
	const json_t *hubs = js_get(out, "iotHubs");
	const char *one = js_str(out, "iotHubHostName", NULL), *name;
	size_t i;

	if (one && !is_linked(c, one))
		return refuse(err, INVALID, "the hub '%.200s' is not linked", one);
	for (i = 0; i < json_array_size(hubs); i++) {
		name = json_string_value(json_array_get(hubs, i));
		if (!name || !is_linked(c, name))
			return refuse(err, INVALID, "the hub '%.200s' is not linked", name ? name : "");
	}
	return 0;
}

static int
is_device_id(const char *id)
{
	static const char set[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:.+%_#*?!(),=@;$'";
	size_t n = strlen(id);

	return n > 0 && n <= 128 && strspn(id, set) == n;
}

static int
check_words(const json_t *out, struct hf_error *err)
{
	const char *status = js_str(out, "provisioningStatus", "enabled"),
		   *device = js_str(out, "deviceId", "x");
	const char *policy = js_str(out, "allocationPolicy", "hashed");

	if (!is_device_id(device))
		return refuse(err, INVALID, "the device id '%.130s' cannot be one", device);
	if (strcmp(status, "enabled") != 0 && strcmp(status, "disabled") != 0)
		return refuse(err, INVALID, "provisioningStatus is '%.40s', not enabled or disabled", status);
	if (strcmp(policy, "hashed") != 0 && strcmp(policy, "static") != 0 &&
	    strcmp(policy, "geoLatency") != 0 && strcmp(policy, "custom") != 0)
		return refuse(err, INVALID, "allocationPolicy '%.40s' is not known", policy);
	return 0;
}

static int
check_custom(const json_t *out, struct hf_error *err)
{
	const json_t *custom = js_get(out, "customAllocationDefinition");
	const char *api = js_str(custom, "apiVersion", ""), *url = js_str(custom, "webhookUrl", "");

	if (strcmp(js_str(out, "allocationPolicy", ""), "custom") != 0)
		return 0;
	if (!webhook_is(url))
		return refuse(err, INVALID,
		    "customAllocationDefinition.webhookUrl has to be an https URL, or an http one of this machine's "
		    "loopback");
	if (!dps_is_api(api, strlen(api)))
		return refuse(
		    err, INVALID, "customAllocationDefinition.apiVersion '%.40s' is not a date", api);
	return 0;
}

static int
check_twin(const json_t *out, struct hf_error *err)
{
	const json_t *twin = js_get(out, "initialTwin"), *tags = js_get(twin, "tags");
	const json_t *properties = js_get(twin, "properties"), *desired = js_get(properties, "desired");

	if ((tags && !json_is_object(tags)) || (properties && !json_is_object(properties)) ||
	    (desired && !json_is_object(desired)))
		return refuse(err, INVALID, "initialTwin's tags and properties.desired have to be objects");
	return 0;
}

static int
fill_in(json_t *out)
{
	json_t *rest = json_pack("{s:{s:b}, s:s, s:s, s:{s:b, s:b}}", "capabilities", "iotEdge", 0,
	    "allocationPolicy", "hashed", "provisioningStatus", "enabled", "reprovisionPolicy",
	    "updateHubAssignment", 1, "migrateDeviceData", 1);
	int r = rest ? json_object_update_missing(out, rest) : -1;

	json_decref(rest);
	return r;
}

static int
check_name(const char *name, const char *id, const json_t *put, struct hf_error *err)
{
	const char *said = js_str(put, name, id);

	if (!json_is_object(put))
		return refuse(err, FORMAT, "the enrollment is not a JSON object");
	if (!str_is_registration_id(id))
		return refuse(
		    err, INVALID, "'%.130s' cannot be an id: 1 to 128 of letters, digits, - . _ :", id);
	if (!str_eqi(said, id))
		return refuse(
		    err, INVALID, "%s is '%.130s' in the body and '%.130s' in the path", name, said, id);
	return 0;
}

int
enrollment_read(const struct config *conf, int group, const char *id, const json_t *put, const json_t *old,
    json_t **out, struct hf_error *err)
{
	const char *name = group ? "enrollmentGroupId" : "registrationId";
	json_t *o;
	int r;

	*out = NULL;
	r = check_name(name, id, put, err);
	if (r < 0)
		return r;
	o = json_pack("{s:s}", name, js_str(put, name, id));
	r = o ? copy_members(group ? GROUP : INDIVIDUAL, put, o, err) : err_memory(err);
	if (r == 0)
		r = read_attestation(group, js_get(put, "attestation"), js_get(old, "attestation"), o, err);
	if (r == 0)
		r = check_hubs(conf, o, err);
	if (r == 0)
		r = check_words(o, err);
	if (r == 0)
		r = check_custom(o, err);
	if (r == 0)
		r = check_twin(o, err);
	if (r == 0 && fill_in(o) < 0)
		r = err_memory(err);
	if (r < 0) {
		json_decref(o);
		return r;
	}
	*out = o;
	return 0;
}
