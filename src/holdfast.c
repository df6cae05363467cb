#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/file.h"
#include "base/str.h"
#include "front.h"
#include "holdfast.h"
#include "hub/hub_client.h"
#include "settings.h"

/* What the device does now. IDENTIFYING: the hub is known, and the key has to be opened, or to show that the state file is its own. */
enum doing { NOTHING, REGISTERING, IDENTIFYING, AT_HUB };

#define POLL	  1500 /* seconds; a hub wants no fewer between two questions of a device */
#define BLIND_NAP 50   /* ms between looks at descriptors that the system would not watch */

struct hf {
	struct settings set;
	struct net net;
	struct log log;
	struct work *work;
	struct watch watch;
	struct hsm *hsm;
	enum doing doing;
	int then_connect; /* after REGISTERING */
	int fresh;	  /* something was begun since the last step: the next one is due */
	struct dps_settings dps_set;
	struct dps_client *dps;
	struct dps_assignment found; /* by the last registration */
	struct dps_state state;	     /* what is known of the hub */
	struct key_job *key;
	struct hub_device device;
	struct hub_client *hub;
	struct dps_call *call;
	enum hf_event_type told[4];
	size_t told_count;
	long wanted; /* messages that hf_receive() asked for and that have not come; HUB_ANY */
	struct hf_received received;
	struct hf_property *properties; /* of what was received last */
	struct buf proxy_user;
	char *ek, *srk, *subject;
	char sha1[41], sha256[65];
	struct hf_error err;
};

static struct settings defaults;

int
hf_configure(const char *name, const char *value)
{
	struct hf_error e = { 0 };

	return settings_set(&defaults, name, value, &e);
}

struct hf *
hf_new(void)
{
	struct hf *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->net.open = net_open;
	h->watch.epoll = -1;
	if (settings_copy(&h->set, &defaults) < 0) {
		free(h);
		return NULL;
	}
	if (watch_open(&h->watch, &h->err) == 0)
		(void)work_new(&h->work, &h->err);
	return h;
}

static void
hub_end(struct hf *h)
{
	if (h->hub != NULL)
		h->wanted = hub_client_wants(h->hub);
	hub_client_free(h->hub);
	h->hub = NULL;
}

static void
dps_end(struct hf *h)
{
	dps_client_free(h->dps);
	h->dps = NULL;
}

void
hf_free(struct hf *h)
{
	if (h == NULL)
		return;
	hub_end(h);
	dps_end(h);
	dps_call_free(h->call);
	key_job_drop(h->key, h->work);
	hub_device_fini(&h->device);
	dps_state_fini(&h->state);
	str_free(&h->found.payload);
	dps_state_fini(&h->found.state);
	hsm_close(h->hsm);
	work_free(h->work);
	watch_close(&h->watch);
	settings_fini(&h->set);
	str_free(&h->ek);
	str_free(&h->srk);
	str_free(&h->subject);
	free(h->properties);
	buf_free(&h->proxy_user);
	free(h);
}

const struct hf_error *
hf_error(const struct hf *h)
{
	return &h->err;
}

void
hf_log(struct hf *h, void (*fn)(void *, const char *), void *ctx)
{
	h->log.fn = fn;
	h->log.ctx = ctx;
}

/* Every call that begins something: a fresh error, a working object, nothing else going on. */
static int
ready(struct hf *h)
{
	if (h->work == NULL)
		return h->err.code;
	err_clear(&h->err);
	if (h->doing != NOTHING)
		return err_set(
		    &h->err, HF_ERR_STATE, "this device is busy with another conversation; end that first");
	return 0;
}

int
front_begin(struct hf *h, struct front *f)
{
	f->err = &h->err;
	f->log = &h->log;
	return ready(h);
}

int
hf_set(struct hf *h, const char *name, const char *value)
{
	if (ready(h) < 0 || settings_set(&h->set, name, value, &h->err) < 0)
		return h->err.code;
	hsm_close(h->hsm);
	h->hsm = NULL;
	h->found.hub[0] = '\0';
	return 0;
}

/* The way into the world, as the settings say. */
static int
network(struct hf *h)
{
	const char *file = h->set.proxy_auth_file;
	char *user;

	h->net.connect = h->set.connect;
	h->net.proxy = h->set.proxy;
	h->net.proxy_user = NULL;
	buf_free(&h->proxy_user);
	if (file == NULL)
		return 0;
	if (file_read(&h->proxy_user, file, 1024, "proxy's name and password", &h->err) < 0)
		return h->err.code;
	if ((user = buf_str(&h->proxy_user)) == NULL)
		return err_memory(&h->err);
	user[strcspn(user, "\r\n")] = '\0';
	h->net.proxy_user = user;
	return strchr(user, ':') != NULL
		   ? 0
		   : err_set(&h->err, HF_ERR_ARGS, "%s: the first line has to be NAME:PASSWORD", file);
}

static int
identity(struct hf *h)
{
	const struct settings *s = &h->set;
	struct hsm_settings k = {
		.tpm = s->tpm,
		.cert = s->cert,
		.key = s->key,
		.symmetric_key = s->symmetric_key,
		.group_key = s->group_key,
		.hsm = s->hsm,
		.registration_id = s->registration_id,
		.ek_handle = s->ek_handle,
		.srk_handle = s->srk_handle,
		.key_handle = s->key_handle,
		.owner_auth_file = s->owner_auth_file,
		.endorsement_auth_file = s->endorsement_auth_file,
		.ek_template = s->ek_template,
		.force = s->force,
		.log = &h->log,
	};

	if (network(h) < 0)
		return h->err.code;
	return h->hsm != NULL ? 0 : hsm_open(&h->hsm, &k, &h->err);
}

static int
describe_certificate(struct hf *h)
{
	STACK_OF(X509) * chain;
	X509 *leaf;
	BIO *b = BIO_new(BIO_s_mem());
	unsigned char md[32];
	unsigned n;
	char *p;
	long len;
	int rc = HF_ERR_MEMORY;

	if (b == NULL)
		return err_memory(&h->err);
	if (h->hsm->ops->certificate(h->hsm, &chain, &h->err) < 0) {
		rc = h->err.code;
		goto fail;
	}
	leaf = sk_X509_value(chain, 0);
	if (X509_NAME_print_ex(b, X509_get_subject_name(leaf), 0, XN_FLAG_RFC2253) < 0 ||
	    BIO_write(b, "", 1) != 1)
		goto fail;
	len = BIO_get_mem_data(b, &p);
	if (len <= 0 || str_set(&h->subject, p) < 0)
		goto fail;
	if (X509_digest(leaf, EVP_sha1(), md, &n) == 1)
		str_hex(h->sha1, md, n);
	if (X509_digest(leaf, EVP_sha256(), md, &n) == 1)
		str_hex(h->sha256, md, n);
	rc = 0;
fail:
	BIO_free(b);
	return rc == HF_ERR_MEMORY ? err_memory(&h->err) : rc;
}

/* Not here: a job that was dropped may still be at work with the same key. */
static int
identify(struct hf *h, struct key_job *k)
{
	struct pollfd p = { .fd = work_fd(h->work), .events = POLLIN };

	if (key_job_start(k, h->work, &h->err) < 0)
		return h->err.code;
	while (!key_job_done(k, h->work)) {
		(void)poll(&p, 1, -1);
		work_clear(h->work);
	}
	h->err = k->err;
	return k->rc;
}

int
hf_identify(struct hf *h, struct hf_who *who)
{
	static const char *const kind[] = { "", "symmetric", "x509", "tpm" };
	struct key_job *k;
	int rc;

	memset(who, 0, sizeof(*who));
	if (ready(h) < 0 || identity(h) < 0)
		return h->err.code;
	k = key_job_new(KEY_IDENTITY, h->hsm);
	if (k == NULL)
		return err_memory(&h->err);
	rc = identify(h, k);
	if (rc == 0 && (str_set(&h->ek, buf_str(&k->ek)) < 0 || str_set(&h->srk, buf_str(&k->srk)) < 0))
		rc = err_memory(&h->err);
	key_job_free(k);
	if (rc == 0 && h->hsm->kind == HSM_X509)
		rc = describe_certificate(h);
	who->kind = kind[h->hsm->kind];
	who->registration_id =
	    h->set.registration_id != NULL ? h->set.registration_id : h->hsm->registration_id;
	who->endorsement_key = h->ek != NULL ? h->ek : "";
	who->storage_root_key = h->srk != NULL ? h->srk : "";
	who->subject = h->subject != NULL ? h->subject : "";
	who->thumbprint_sha1 = h->sha1;
	who->thumbprint_sha256 = h->sha256;
	return rc;
}

static uint64_t
seed(void)
{
	uint64_t s = 0;

	(void)!getrandom(&s, sizeof(s), 0);
	return s;
}

/* The names were checked when they were set. */
static void
transports(struct transports *t, const char *names)
{
	struct hf_error ignored = { 0 };

	(void)transports_get(t, names, &ignored);
}

static void
dps_settings(struct hf *h)
{
	struct dps_settings *d = &h->dps_set;
	const struct settings *s = &h->set;

	d->endpoint = s->endpoint;
	d->scope = s->id_scope;
	d->registration_id = s->registration_id;
	d->payload = s->payload;
	d->trust = s->trust;
	d->state = s->state;
	transports(
	    &d->transports, s->transport != NULL ? s->transport : transport_usual(h->hsm->kind == HSM_TPM));
	d->early = s->early != NULL;
	d->timeout_ms = (s->timeout != NULL ? atoll(s->timeout) : 60) * 1000;
	d->seed = seed();
}

static int
register_begin(struct hf *h)
{
	dps_settings(h);
	if (dps_client_new(&h->dps, &h->dps_set, h->hsm, &h->net, h->work, &h->log, clock_now(), &h->err) < 0)
		return h->err.code;
	h->doing = REGISTERING;
	h->fresh = 1;
	return 0;
}

int
hf_register(struct hf *h)
{
	if (ready(h) < 0 || identity(h) < 0)
		return h->err.code;
	h->then_connect = 0;
	return register_begin(h);
}

static int
hub_begin(struct hf *h, const char *hub, const char *device, const struct dps_state *state)
{
	struct hub_settings s = {
		.hub = hub,
		.device = device,
		.trust = h->set.trust,
		.state = state,
		.file = state != NULL ? h->set.state : NULL,
		.early = h->set.early != NULL,
		.poll_ms = (h->set.poll != NULL ? atoll(h->set.poll) : POLL) * 1000,
		.seed = seed(),
	};

	dps_settings(h);
	transports(&s.transports, h->set.hub_transport != NULL ? h->set.hub_transport
				  : h->set.transport != NULL   ? h->set.transport
							       : transport_usual(0));
	s.dps = h->set.id_scope != NULL ? &h->dps_set : NULL;
	if (hub_client_new(&h->hub, &s, &h->device, h->hsm, &h->net, h->work, &h->log, clock_now(), &h->err) <
	    0)
		return h->err.code;
	h->doing = AT_HUB;
	h->fresh = 1;
	return hub_client_receive(h->hub, h->wanted);
}

static int
identify_begin(struct hf *h)
{
	h->key = key_job_new(KEY_IDENTITY, h->hsm);
	if (h->key == NULL)
		return err_memory(&h->err);
	if (key_job_start(h->key, h->work, &h->err) < 0) {
		key_job_free(h->key);
		h->key = NULL;
		return h->err.code;
	}
	h->doing = IDENTIFYING;
	h->fresh = 1;
	return 0;
}

int
hf_connect(struct hf *h)
{
	int known = 0;

	if (ready(h) < 0 || identity(h) < 0)
		return h->err.code;
	if (h->set.hub != NULL && h->set.device_id != NULL)
		return h->hsm->kind == HSM_X509 && h->hsm->blocks
			   ? identify_begin(h)
			   : hub_begin(h, h->set.hub, h->set.device_id, NULL);
	if (h->set.hub != NULL)
		return err_set(
		    &h->err, HF_ERR_ARGS, "a hub is given, but no device id; give it by --device-id");
	if (h->found.hub[0] != '\0')
		return hub_begin(h, h->found.hub, h->found.device, &h->found.state);
	dps_state_fini(&h->state);
	if (h->set.state != NULL)
		known = dps_state_load(&h->state, h->set.state, &h->err);
	if (known < 0)
		return h->err.code;
	if (known)
		return identify_begin(h);
	h->then_connect = 1;
	return register_begin(h);
}

int
hf_send(struct hf *h, const struct hf_message *f, uint64_t tag)
{
	struct hub_message *m;

	if (h->work == NULL)
		return h->err.code;
	err_clear(&h->err);
	if (hub_message_new(&m, f, tag, &h->err) < 0)
		return h->err.code;
	if (hub_device_queue(&h->device, m, &h->err) < 0)
		free(m);
	h->fresh = 1;
	return h->err.code;
}

int
hf_receive(struct hf *h, unsigned most)
{
	if (h->work == NULL)
		return h->err.code;
	err_clear(&h->err);
	h->wanted = most != 0 ? (long)most : HUB_ANY;
	h->fresh = 1;
	if (h->hub != NULL && hub_client_receive(h->hub, h->wanted) < 0)
		return err_memory(&h->err);
	return 0;
}

int
hf_settle(struct hf *h, uint64_t tag, enum hf_answer how)
{
	if (h->work == NULL)
		return h->err.code;
	err_clear(&h->err);
	if (h->hub == NULL)
		return err_set(&h->err, HF_ERR_ARGS, "no connection with a hub, and so no message to settle");
	if (how < HF_COMPLETE || how > HF_REJECT)
		return err_set(&h->err, HF_ERR_ARGS, "%d is no answer to a message", (int)how);
	h->fresh = 1;
	return hub_client_settle(h->hub, tag, (enum hub_answer)how, &h->err);
}

int
hf_disconnect(struct hf *h)
{
	if (h->hub != NULL)
		hub_client_close(h->hub, clock_now());
	hub_end(h);
	dps_end(h);
	key_job_drop(h->key, h->work);
	h->key = NULL;
	h->doing = NOTHING;
	watch_forget(&h->watch, WATCH_STREAM);
	return 0;
}

static void
tell(struct hf *h, enum hf_event_type type)
{
	if (h->told_count < sizeof(h->told) / sizeof(h->told[0]))
		h->told[h->told_count++] = type;
}

static void
failed(struct hf *h)
{
	hf_disconnect(h);
	tell(h, HF_FAILED);
}

static int
keep_assignment(struct hf *h, const struct dps_assignment *a)
{
	char *payload = NULL;

	if (str_set(&payload, a->payload) < 0 || dps_state_copy(&h->found.state, &a->state) < 0) {
		str_free(&payload);
		return err_memory(&h->err);
	}
	str_free(&h->found.payload);
	h->found.payload = payload;
	memcpy(h->found.registration_id, a->registration_id, sizeof(a->registration_id));
	memcpy(h->found.hub, a->hub, sizeof(a->hub));
	memcpy(h->found.device, a->device, sizeof(a->device));
	memcpy(h->found.substatus, a->substatus, sizeof(a->substatus));
	return 0;
}

static void
step_register(struct hf *h, struct moment now)
{
	int rc = dps_client_step(h->dps, now);

	if (rc == 0)
		return;
	err_clear(&h->err);
	if (rc < 0)
		h->err = *dps_client_error(h->dps);
	else
		rc = keep_assignment(h, dps_client_assignment(h->dps));
	dps_end(h);
	h->doing = NOTHING;
	if (rc < 0) {
		failed(h);
		return;
	}
	tell(h, HF_REGISTERED);
	if (h->then_connect && hub_begin(h, h->found.hub, h->found.device, &h->found.state) < 0)
		failed(h);
}

static void
step_identify(struct hf *h)
{
	struct key_job *k = h->key;
	const struct dps_state *s = &h->state;

	if (!key_job_done(k, h->work))
		return;
	err_clear(&h->err);
	h->key = NULL;
	if (k->rc < 0)
		h->err = k->err;
	else if (h->set.hub != NULL)
		(void)hub_begin(h, h->set.hub, h->set.device_id, NULL);
	else if (dps_state_fits(s, h->set.state, h->set.id_scope, h->set.registration_id, k->state.identity,
		     &h->err) == 0)
		(void)hub_begin(h, s->hub, s->device, s);
	key_job_free(k);
	if (h->err.code < 0)
		failed(h);
}

int
hf_step(struct hf *h)
{
	struct moment now = clock_now();

	if (h->work == NULL)
		return h->err.code;
	h->fresh = 0;
	work_clear(h->work);
	if (h->doing == REGISTERING)
		step_register(h, now);
	if (h->doing == IDENTIFYING)
		step_identify(h);
	if (h->doing == AT_HUB) {
		hub_client_step(h->hub, now);
		if (h->err.code != 0 || h->device.last.code != 0)
			h->err = h->device.last;
	}
	if (h->doing == REGISTERING)
		dps_client_watch(h->dps, &h->watch);
	else if (h->doing == AT_HUB)
		hub_client_watch(h->hub, &h->watch);
	else {
		watch_forget(&h->watch, WATCH_STREAM);
		watch_set(&h->watch, WATCH_WORK, work_fd(h->work), POLLIN);
	}
	return 0;
}

int
hf_fd(struct hf *h)
{
	return h->watch.epoll;
}

int
hf_deadline(struct hf *h)
{
	int64_t at = NEVER, ms;

	if (h->told_count > 0 || h->fresh)
		return 0;
	if (h->doing == REGISTERING)
		at = dps_client_deadline(h->dps);
	else if (h->doing == AT_HUB)
		at = hub_client_deadline(h->hub);
	if (h->watch.blind != 0)
		at = sooner(at, clock_now().ms + BLIND_NAP);
	if (at == NEVER)
		return -1;
	ms = at - clock_now().ms;
	return ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

static void
registered(struct hf *h, struct hf_event *ev)
{
	ev->type = HF_REGISTERED;
	ev->registration_id = h->found.registration_id;
	ev->hub = h->found.hub;
	ev->device_id = h->found.device;
	ev->substatus = h->found.substatus;
	ev->payload = h->found.payload != NULL ? h->found.payload : "";
}

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

/* 0, or out of memory. */
static int
received(struct hf *h, struct hf_event *ev)
{
	const struct hub_c2d *m = hub_client_c2d(h->hub, ev->tag);
	const struct hub_event *v = &m->message;
	struct hf_property *p = realloc(h->properties, (v->property_count + 1) * sizeof(*p));

	if (p == NULL)
		return HF_ERR_MEMORY;
	h->properties = p;
	for (size_t i = 0; i < v->property_count; i++)
		p[i] = (struct hf_property){ v->property[i].key, v->property[i].value };
	h->received = (struct hf_received){
		.body = v->body,
		.len = v->len,
		.properties = p,
		.property_count = v->property_count,
		.message_id = text(v->message_id),
		.correlation_id = text(v->correlation_id),
		.user_id = text(v->user_id),
		.to = text(v->to),
		.content_type = text(v->content_type),
		.content_encoding = text(v->content_encoding),
		.ack = m->ack,
		.deliveries = m->deliveries,
	};
	ev->type = HF_RECEIVED;
	ev->received = &h->received;
	return 0;
}

static int
hub_event(struct hf *h, struct hf_event *ev)
{
	switch (hub_client_next(h->hub, &ev->tag, &ev->error)) {
	case HUB_CONNECTED:
		ev->type = HF_CONNECTED;
		return 1;
	case HUB_SENT:
		ev->type = ev->error == NULL ? HF_SENT : HF_UNSENT;
		return 1;
	case HUB_SETTLED:
		ev->type = HF_SETTLED;
		return 1;
	case HUB_C2D:
		if (received(h, ev) == 0)
			return 1;
		err_memory(&h->err);
		failed(h);
		return 0;
	case HUB_DISCONNECTED:
		h->err = h->device.last;
		ev->type = HF_DISCONNECTED;
		ev->error = &h->err;
		return 1;
	case HUB_MOVED:
		if (keep_assignment(h, hub_client_assignment(h->hub)) == 0)
			registered(h, ev);
		return 1;
	case HUB_OVER:
		h->err = h->device.err;
		hf_disconnect(h);
		ev->type = HF_FAILED;
		ev->error = &h->err;
		return 1;
	default:
		return 0;
	}
}

int
hf_next(struct hf *h, struct hf_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	if (h->told_count == 0)
		return h->hub != NULL ? hub_event(h, ev) : 0;
	ev->type = h->told[0];
	h->told_count--;
	memmove(h->told, h->told + 1, h->told_count * sizeof(h->told[0]));
	if (ev->type == HF_REGISTERED)
		registered(h, ev);
	else
		ev->error = &h->err;
	return 1;
}

/* Sleeps until something can move, or `limit`. */
static void
nap(struct hf *h, int64_t limit)
{
	struct pollfd p = { .fd = hf_fd(h), .events = POLLIN };
	int64_t left = limit == NEVER ? INT_MAX : limit - clock_now().ms;
	int ms = hf_deadline(h);

	if (left < 0)
		left = 0;
	if (ms < 0 || ms > left)
		ms = (int)(left > INT_MAX ? INT_MAX : left);
	(void)poll(&p, 1, ms);
}

static int
time_is_over(struct hf *h, int milliseconds)
{
	const struct hf_error *last = &h->device.last;

	err_clear(&h->err);
	return err_set(&h->err, HF_ERR_TIMEOUT, "not done after %d ms%s%s", milliseconds,
	    last->code != 0 ? "; the last try: " : "", last->text);
}

int
hf_wait(struct hf *h, enum hf_event_type type, int milliseconds, struct hf_event *ev)
{
	int64_t limit = milliseconds < 0 ? NEVER : clock_now().ms + milliseconds;
	struct hf_event e;

	for (;;) {
		if (hf_step(h) < 0)
			return h->err.code;
		while (hf_next(h, &e)) {
			if (e.type == HF_FAILED && type != HF_FAILED)
				return h->err.code;
			if (e.type != type)
				continue;
			if (ev != NULL)
				*ev = e;
			return 0;
		}
		if (clock_now().ms >= limit)
			return time_is_over(h, milliseconds);
		nap(h, limit);
	}
}

static int
hand_over(struct hf *h, char **more, char **answer)
{
	const struct buf *a = dps_call_answer(h->call);
	struct buf text = { 0 };
	int rc = 0;

	if (more != NULL)
		rc = str_set(more, dps_call_more(h->call));
	if (rc == 0 && answer != NULL) {
		*answer = NULL;
		rc = buf_put(&text, buf_data(a), buf_size(a));
	}
	if (rc == 0 && answer != NULL)
		rc = buf_str(&text) != NULL ? str_set(answer, buf_str(&text)) : HF_ERR_MEMORY;
	buf_free(&text);
	return rc < 0 ? err_memory(&h->err) : 0;
}

int
hf_service(struct hf *h, const char *service, const struct hf_call *q, char **more, char **answer)
{
	int rc;

	if (ready(h) < 0 || network(h) < 0)
		return h->err.code;
	rc = dps_call_new(&h->call, service, q, more != NULL ? *more : NULL, h->set.trust, &h->net, h->work,
	    clock_now(), &h->err);
	while (rc == 0) {
		struct pollfd p = { .fd = h->watch.epoll, .events = POLLIN };
		struct moment now = clock_now();
		int64_t ms;

		work_clear(h->work);
		rc = dps_call_step(h->call, now);
		dps_call_watch(h->call, &h->watch);
		ms = h->watch.blind != 0 ? BLIND_NAP : dps_call_deadline(h->call) - now.ms;
		if (rc == 0)
			(void)poll(&p, 1, ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms);
	}
	if (rc < 0 && h->call != NULL)
		h->err = *dps_call_error(h->call);
	if (rc == 1)
		rc = hand_over(h, more, answer);
	watch_set(&h->watch, WATCH_STREAM, -1, 0);
	dps_call_free(h->call);
	h->call = NULL;
	return rc;
}

int
hf_enroll(struct hf *h, const char *service, const struct hf_enrollment *n, char **answer)
{
	struct hf_call q = { .method = "PUT" };
	struct buf path = { 0 }, body = { 0 };
	int rc = ready(h);

	if (rc == 0)
		rc = dps_enroll_put(&path, &body, n, &h->err);
	if (rc < 0)
		goto fail;
	q.path = buf_str(&path);
	q.body = buf_str(&body);
	rc = hf_service(h, service, &q, NULL, answer);
	if (rc < 0 && h->err.status == 409) { /* it is there: then it is replaced, whatever it is */
		q.match = "*";
		rc = hf_service(h, service, &q, NULL, answer);
	}
fail:
	buf_free(&path);
	buf_free(&body);
	return rc;
}
