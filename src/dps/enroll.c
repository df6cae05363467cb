#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "dps/dps_client.h"

static json_t *
attestation(const struct hf_enrollment *n)
{
	switch (n->kind) {
	case HF_ENROLL_TPM:
		return json_pack("{s:s s:{s:s}}", "type", "tpm", "tpm", "endorsementKey", n->endorsement_key);
	case HF_ENROLL_X509:
		return json_pack("{s:s s:{s:{s:{s:s}}}}", "type", "x509", "x509", "clientCertificates",
		    "primary", "certificate", n->certificate);
	case HF_ENROLL_GROUP_X509:
		return json_pack("{s:s s:{s:{s:{s:s}}}}", "type", "x509", "x509", "signingCertificates",
		    "primary", "certificate", n->certificate);
	default:
		if (n->symmetric_key == NULL)
			return json_pack("{s:s}", "type", "symmetricKey");
		return json_pack("{s:s s:{s:s s:s}}", "type", "symmetricKey", "symmetricKey", "primaryKey",
		    n->symmetric_key, "secondaryKey", n->symmetric_key);
	}
}

static int
is_group(const struct hf_enrollment *n)
{
	return n->kind == HF_ENROLL_GROUP_X509 || n->kind == HF_ENROLL_GROUP_SYMMETRIC;
}

static int
check(const struct hf_enrollment *n, struct hf_error *e)
{
	if (n->id == NULL || !str_is_registration_id(n->id))
		return err_set(e, HF_ERR_ARGS,
		    "\"%s\" is not a registration id: 1 to 128 letters, digits and - . _ :, the "
		    "last one a letter, digit or -",
		    n->id == NULL ? "" : n->id);
	if (n->kind == HF_ENROLL_TPM && n->endorsement_key == NULL)
		return err_set(
		    e, HF_ERR_ARGS, "no endorsement key; \"holdfast identity\" on the device prints it");
	if ((n->kind == HF_ENROLL_X509 || n->kind == HF_ENROLL_GROUP_X509) && n->certificate == NULL)
		return err_set(e, HF_ERR_ARGS, "no certificate; give it by --cert");
	if (is_group(n) && n->device_id != NULL)
		return err_set(
		    e, HF_ERR_ARGS, "a group has no device id: its devices are called as they register");
	return 0;
}

static int
put_body(struct buf *out, const struct hf_enrollment *n)
{
	json_t *a = attestation(n), *j = json_object();
	int rc = HF_ERR_MEMORY;

	if (a == NULL || j == NULL ||
	    json_object_set_new(j, is_group(n) ? "enrollmentGroupId" : "registrationId", json_string(n->id)) <
		0)
		goto fail;
	if (n->device_id != NULL && json_object_set_new(j, "deviceId", json_string(n->device_id)) < 0)
		goto fail;
	if (json_object_set(j, "attestation", a) < 0 ||
	    json_object_set_new(j, "provisioningStatus", json_string("enabled")) < 0)
		goto fail;
	rc = js_put(out, j);
fail:
	js_forget(a);
	json_decref(j);
	return rc;
}

int
dps_enroll_put(struct buf *path, struct buf *body, const struct hf_enrollment *n, struct hf_error *e)
{
	if (check(n, e) < 0)
		return e->code;
	if (buf_puts(path, is_group(n) ? "/enrollmentGroups/" : "/enrollments/") < 0 ||
	    url_put(path, n->id, strlen(n->id)) < 0 || buf_str(path) == NULL || put_body(body, n) < 0 ||
	    buf_str(body) == NULL)
		return err_memory(e);
	return 0;
}
