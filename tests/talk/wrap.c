#include <string.h>
#include <sys/random.h>
#include "base/str.h"
#include "wrap.h"

static struct drive *here;
static STACK_OF(X509) * shown;

struct moment __real_clock_now(void);
struct moment __wrap_clock_now(void);
ssize_t __wrap_getrandom(void *, size_t, unsigned);
int __wrap_RAND_bytes(unsigned char *, int);
int __wrap_RAND_priv_bytes(unsigned char *, int);
int __wrap_net_open(struct net *, struct stream **, const struct dial *, struct work *, struct hf_error *);
int __real_tls_conf_client(struct tls_conf **, const char *, STACK_OF(X509) *, EVP_PKEY *, struct hf_error *);
int __wrap_tls_conf_client(struct tls_conf **, const char *, STACK_OF(X509) *, EVP_PKEY *, struct hf_error *);
int __wrap_work_post(struct work *, struct job *, struct hf_error *);
int __wrap_job_done(struct work *, struct job *);
void __wrap_job_drop(struct work *, struct job *);
void __real_work_free(struct work *);
void __wrap_work_free(struct work *);
STACK_OF(X509) * __real_tls_peer(struct stream *);
STACK_OF(X509) * __wrap_tls_peer(struct stream *);
int __wrap_hsm_tpm2_open(struct hsm **, const struct hsm_settings *, struct hf_error *);
void __real_dps_service_answer(
    struct emulator *, const struct dps_caller *, const struct dps_request *, struct dps_reply *);
void __wrap_dps_service_answer(
    struct emulator *, const struct dps_caller *, const struct dps_request *, struct dps_reply *);
int __real_mqtt_say_connack(struct mqtt *, int, int);
int __wrap_mqtt_say_connack(struct mqtt *, int, int);

void
wrap_use(struct drive *d)
{
	here = d;
}

void
wrap_show(STACK_OF(X509) * chain)
{
	shown = chain;
}

/* Once in `rate` times, as long as the weather is bad. */
static int
strikes(unsigned rate)
{
	return rate != 0 && here->emu->now.ms < here->cable.until && coin_below(&here->coin, rate) == 0;
}

struct moment
__wrap_clock_now(void)
{
	return here != NULL && here->emu != NULL ? here->emu->now : __real_clock_now();
}

static void
roll(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)coin_toss(&here->dice);
}

ssize_t
__wrap_getrandom(void *p, size_t n, unsigned flags)
{
	(void)flags;
	roll(p, n);
	return (ssize_t)n;
}

int
__wrap_RAND_bytes(unsigned char *p, int n)
{
	roll(p, (size_t)n);
	return 1;
}

int
__wrap_RAND_priv_bytes(unsigned char *p, int n)
{
	roll(p, (size_t)n);
	return 1;
}

int
__wrap_net_open(
    struct net *net, struct stream **out, const struct dial *to, struct work *work, struct hf_error *err)
{
	(void)net;
	here->cable.moves++;
	if (here->dead || strikes(here->weather.refuse)) {
		drive_note(here, "nobody takes the connection to %s", to->host);
		return err_set(err, HF_ERR_NET, "connecting to %s port %u: refused", to->host, to->port);
	}
	drive_note(here, "wire %u goes to %s", here->cable.opened + 1, to->host);
	return here->emu->net.open(&here->emu->net, out, to, work, err);
}

/* Half the time of a run without TLS would go into what TLS is not used with. */
int
__wrap_tls_conf_client(
    struct tls_conf **out, const char *trust, STACK_OF(X509) * chain, EVP_PKEY *key, struct hf_error *err)
{
	*out = NULL;
	return here->tls ? __real_tls_conf_client(out, trust, chain, key, err) : 0;
}

static struct errand *
find(struct work *w, const struct job *job)
{
	for (size_t i = 0; i < here->errands; i++)
		if (here->errand[i].work == w && (job == NULL || here->errand[i].job == job))
			return &here->errand[i];
	return NULL;
}

static struct job *
take(struct errand *e)
{
	struct job *job = e->job;

	here->errands--;
	memmove(e, e + 1, (size_t)(here->errand + here->errands - e) * sizeof(*e));
	here->ran++;
	return job;
}

int
__wrap_work_post(struct work *w, struct job *job, struct hf_error *err)
{
	struct errand *e = &here->errand[here->errands];
	int64_t ms =
	    here->emu->now.ms < here->cable.until ? (int64_t)coin_below(&here->coin, here->weather.slow) : 0;

	if (here->errands == sizeof(here->errand) / sizeof(here->errand[0]))
		return err_set(err, HF_ERR_OTHER, "too many jobs are out");
	*e = (struct errand){ .work = w, .job = job, .at = here->emu->now.ms + ms };
	here->errands++;
	here->ran++;
	return 0;
}

int
__wrap_job_done(struct work *w, struct job *job)
{
	struct errand *e = find(w, job);

	if (e != NULL && !e->done)
		return 0;
	if (e != NULL)
		take(e);
	return 1;
}

void
wrap_work(void)
{
	for (size_t i = 0; i < here->errands; i++) {
		struct errand *e = &here->errand[i];

		if (e->done || here->emu->now.ms < e->at)
			continue;
		e->done = 1;
		e->job->run(e->job);
		here->ran++;
	}
}

/* The real worker may have run it, or not, or be cut off within. */
void
__wrap_job_drop(struct work *w, struct job *job)
{
	struct errand *e = job != NULL ? find(w, job) : NULL;
	int out = e != NULL && !e->done;

	if (job == NULL)
		return;
	if (e != NULL)
		take(e);
	here->chip.cut = (int)coin_below(&here->coin, 2);
	if (out && coin_below(&here->coin, 2))
		job->run(job);
	here->chip.cut = 0;
	job->free(job);
}

void
__wrap_work_free(struct work *w)
{
	struct errand *e;
	struct job *job;

	while (w != NULL && (e = find(w, NULL)) != NULL) {
		job = take(e);
		job->free(job);
	}
	__real_work_free(w);
}

STACK_OF(X509) * __wrap_tls_peer(struct stream *s)
{
	return cable_is(s) ? shown : __real_tls_peer(s);
}

int
__wrap_hsm_tpm2_open(struct hsm **out, const struct hsm_settings *s, struct hf_error *err)
{
	(void)s;
	return soft_hsm_open(out, &here->chip, err);
}

/* 429 comes at once; 503 perhaps from someone between, when what was asked has been done. */
void
__wrap_dps_service_answer(
    struct emulator *e, const struct dps_caller *c, const struct dps_request *q, struct dps_reply *r)
{
	int late = (int)coin_below(&here->coin, 2);

	if (!strikes(here->weather.busy)) {
		__real_dps_service_answer(e, c, q, r);
		return;
	}
	if (late) {
		__real_dps_service_answer(e, c, q, r);
		dps_reply_fini(r);
	}
	memset(r, 0, sizeof(*r));
	r->status = late ? 503 : 429;
	r->code = r->status * 1000 + 1;
	r->retry_after = (int)coin_below(&here->coin, 8);
	(void)str_fmt(r->rid, sizeof(r->rid), "%s", q->rid);
	(void)str_fmt(
	    r->message, sizeof(r->message), "%s", late ? "Server busy" : "Operations are being throttled");
	guid_new(r->tracking);
	clock_iso(e->now.wall, r->at);
}

int
__wrap_mqtt_say_connack(struct mqtt *m, int session, int code)
{
	return __real_mqtt_say_connack(
	    m, session, code == 0 && strikes(here->weather.unavailable) ? 3 : code);
}
