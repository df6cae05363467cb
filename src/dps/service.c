#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "dps/dps_client.h"
#include "msg/sas.h"

#define SERVICE_API "2021-10-01"
#define TOKEN_LIFE  600
#define LIMIT	    30000 /* ms for the whole request */
#define BODY_MAX    (1024 * 1024)

struct dps_enroll {
	char host[256];
	uint16_t port;
	struct tls_conf *tls;
	struct work *work;
	struct pump pump;
	struct http http;
	int open;
	int64_t limit, deadline;
	char id[129];
	struct buf answer;
	struct hf_error err;
};

static int
part(const char *s, const char *name, const char **value, size_t *n)
{
	size_t len = strlen(name);

	for (; s != NULL; s = strchr(s, ';') == NULL ? NULL : strchr(s, ';') + 1) {
		if (strncmp(s, name, len) != 0 || s[len] != '=')
			continue;
		*value = s + len + 1;
		*n = strcspn(*value, ";\r\n");
		return 1;
	}
	return 0;
}

int
dps_service_key_get(struct dps_service_key *k, const char *text, struct hf_error *e)
{
	const char *host, *name, *key;
	size_t hn, nn, kn;

	memset(k, 0, sizeof(*k));
	text += strspn(text, " \t\r\n");
	if (part(text, "HostName", &host, &hn) && part(text, "SharedAccessKeyName", &name, &nn) &&
	    part(text, "SharedAccessKey", &key, &kn) && hn > 0 &&
	    str_copy(k->host, sizeof(k->host), host, hn) == 0 &&
	    str_copy(k->name, sizeof(k->name), name, nn) == 0 && b64_get(&k->key, key, kn) == 0 &&
	    buf_size(&k->key) > 0)
		return 0;
	dps_service_key_fini(k);
	return err_set(e, HF_ERR_ARGS,
	    "the service's connection string is not of the form "
	    "HostName=...;SharedAccessKeyName=...;SharedAccessKey=BASE64 (DPS shows it under shared access policies)");
}

void
dps_service_key_fini(struct dps_service_key *k)
{
	buf_free(&k->key);
	memset(k, 0, sizeof(*k));
}

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
body_put(struct buf *out, const struct hf_enrollment *n)
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
	json_decref(a);
	json_decref(j);
	return rc;
}

static int
token_put(struct buf *out, const struct dps_service_key *k, struct moment now)
{
	struct buf text = { 0 };
	uint8_t mac[32];
	int rc = sas_put_text(&text, k->host, now.wall + TOKEN_LIFE);

	if (rc == 0)
		rc = sas_hmac(buf_data(&k->key), buf_size(&k->key), buf_data(&text), buf_size(&text), mac);
	if (rc == 0)
		rc = sas_put(out, k->host, now.wall + TOKEN_LIFE, mac, k->name);
	buf_free(&text);
	return rc;
}

static int
request(
    struct dps_enroll *c, const struct dps_service_key *k, const struct hf_enrollment *n, struct moment now)
{
	struct buf target = { 0 }, body = { 0 }, token = { 0 };
	struct http_message m = { .method = "PUT", .header_count = 4 };
	int rc = HF_ERR_MEMORY;

	if (buf_puts(&target, is_group(n) ? "/enrollmentGroups/" : "/enrollments/") < 0 ||
	    url_put(&target, n->id, strlen(n->id)) < 0 ||
	    buf_puts(&target, "?api-version=" SERVICE_API) < 0 || body_put(&body, n) < 0 ||
	    token_put(&token, k, now) < 0)
		goto fail;
	m.target = buf_str(&target);
	m.header[0] = (struct http_header){ "Host", k->host };
	m.header[1] = (struct http_header){ "Authorization", buf_str(&token) };
	m.header[2] = (struct http_header){ "Content-Type", "application/json; charset=utf-8" };
	m.header[3] = (struct http_header){ "Accept", "application/json" };
	m.body = buf_data(&body);
	m.len = buf_size(&body);
	if (m.target != NULL && m.header[1].value != NULL)
		rc = http_say(&c->http, &m);
fail:
	buf_free(&target);
	buf_free(&body);
	buf_free(&token);
	return rc < 0 ? err_set(&c->err, rc, "enroll %s: the request could not be made", n->id) : 0;
}

int
dps_enroll_new(struct dps_enroll **out, const char *text, const struct hf_enrollment *n, const char *trust,
    struct net *net, struct work *work, struct moment now, struct hf_error *e)
{
	struct dps_enroll *c = calloc(1, sizeof(*c));
	struct dps_service_key k = { 0 };

	if (c == NULL)
		return err_memory(e);
	c->work = work;
	c->limit = now.ms + LIMIT;
	c->port = 443;
	if (check(n, &c->err) < 0 || dps_service_key_get(&k, text, &c->err) < 0)
		goto fail;
	(void)str_fmt(c->id, sizeof(c->id), "%s", n->id);
	if (str_host_port(k.host, c->host, sizeof(c->host), &c->port) < 0) {
		err_set(&c->err, HF_ERR_ARGS,
		    "\"%s\" in the service's connection string is not HOST or HOST:PORT", k.host);
		goto fail;
	}
	if (tls_conf_client(&c->tls, trust, NULL, NULL, &c->err) < 0)
		goto fail;
	if (http_init(&c->http, 0, BODY_MAX) < 0) {
		err_memory(&c->err);
		goto fail;
	}
	c->open = 1;
	c->pump.engine = &c->http.engine;
	if (request(c, &k, n, now) < 0 ||
	    net->open(net, &c->pump.stream, c->host, c->port, c->tls, work, &c->err) < 0)
		goto fail;
	dps_service_key_fini(&k);
	*out = c;
	return 0;
fail:
	if (e->code == 0)
		*e = c->err;
	dps_service_key_fini(&k);
	dps_enroll_free(c);
	return e->code;
}

void
dps_enroll_free(struct dps_enroll *c)
{
	if (c == NULL)
		return;
	if (c->open) {
		pump_close(&c->pump);
		http_fini(&c->http);
	}
	tls_conf_free(c->tls);
	buf_free(&c->answer);
	free(c);
}

static int
refused(struct dps_enroll *c, const struct http_message *m)
{
	struct dps_reply p = { 0 };
	struct hf_error ignored = { 0 };
	int code = m->status == 401 || m->status == 403 ? HF_ERR_AUTH : HF_ERR_SERVICE;

	p.status = m->status;
	(void)dps_get_reply_body(m->body, m->len, &p, &ignored);
	c->err.status = m->status;
	c->err.service = p.code;
	(void)str_fmt(c->err.tracking, sizeof(c->err.tracking), "%s", p.tracking);
	err_set(&c->err, code,
	    "DPS at %s refused the enrollment of %s: %s (status %d, errorCode %d, tracking id %s)%s", c->host,
	    c->id, p.message[0] != '\0' ? p.message : "no reason given", m->status, p.code,
	    p.tracking[0] != '\0' ? p.tracking : "none",
	    code == HF_ERR_AUTH ? "; is the service's connection string right?" : "");
	dps_reply_fini(&p);
	return code;
}

static int
heard(struct dps_enroll *c)
{
	struct http_event ev;
	int rc = http_next(&c->http, &ev);

	if (rc < 0)
		return err_set(&c->err, rc, "DPS at %s: %s", c->host, c->http.engine.err.text);
	if (rc == 0)
		return 0;
	if (ev.what == HTTP_CLOSED)
		return err_set(
		    &c->err, HF_ERR_NET, "DPS at %s closed the connection before it answered", c->host);
	if (ev.message.status < 200 || ev.message.status > 299)
		return refused(c, &ev.message);
	if (buf_put(&c->answer, ev.message.body, ev.message.len) < 0)
		return err_memory(&c->err);
	return 1;
}

int
dps_enroll_step(struct dps_enroll *c, struct moment now)
{
	int moved, rc;

	if (now.ms >= c->limit)
		return err_set(&c->err, HF_ERR_TIMEOUT, "enroll %s: DPS at %s did not answer in %d s", c->id,
		    c->host, LIMIT / 1000);
	do {
		moved = pump_step(&c->pump, now.ms);
		rc = heard(c);
	} while (rc == 0 && moved > 0);
	if (rc == 0 && moved < 0)
		rc = err_set(&c->err, moved, "%s", c->pump.err.text);
	c->deadline = sooner(c->limit, c->http.engine.ops->tick(&c->http.engine, now.ms));
	return rc;
}

int64_t
dps_enroll_deadline(const struct dps_enroll *c)
{
	return c->deadline;
}

void
dps_enroll_watch(struct dps_enroll *c, struct watch *w)
{
	int fd;
	short events;

	pump_wait(&c->pump, &fd, &events);
	watch_set(w, WATCH_STREAM, fd, events);
	watch_set(w, WATCH_WORK, work_fd(c->work), POLLIN);
}

const struct buf *
dps_enroll_answer(const struct dps_enroll *c)
{
	return &c->answer;
}

const struct hf_error *
dps_enroll_error(const struct dps_enroll *c)
{
	return &c->err;
}
