#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "hsm/key.h"
#include "softhsm.h"
#include "swtpm.h"
#include "tests/unit/make_cert.h"
#include "world.h"

#define ID    "frame-7"
#define LIMIT 120000 /* fake ms that a wait may take */

struct world world;

void
world_die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

/* what the device is given */

void
world_put(const char *path, const void *p, size_t n)
{
	struct hf_error err = { 0 };

	if (file_replace(path, p, n, "test file", &err) < 0)
		world_die(err.text);
}

static void
put_pem(BIO *bio, const char *path)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	world_put(path, p, (size_t)n);
	BIO_free(bio);
}

static int
is_elsewhere(void)
{
	return world.place == KEY_IN_TOKEN || world.place == KEY_IN_TPM;
}

static EVP_PKEY *
make_file_key(void)
{
	EVP_PKEY *key = make_key();
	BIO *text = BIO_new(BIO_s_mem());

	PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL);
	put_pem(text, world.pem);
	return key;
}

static EVP_PKEY *
make_hardware_key(void)
{
	const struct key_kind kind = { 0, "P-256" };
	struct hf_error err = { 0 };
	struct buf made = { 0 };
	struct uri uri;
	EVP_PKEY *key = NULL;
	int r = uri_get(&uri, world.key, &err);

	if (r == 0)
		r = world.place == KEY_IN_TPM ? key_tpm2_make(&uri, &kind, &made, &err)
					      : key_pkcs11_make(&uri, &kind, &made, &err);
	if (r < 0 || key_open(&key, world.key, &(struct key_open){ 0 }, &err) < 0)
		world_die(err.text);
	uri_fini(&uri);
	buf_free(&made);
	return key;
}

static void
make_token(void)
{
	if (softhsm_start(world.dir) < 0 || softhsm_token(world.dir, "line7") < 0)
		world_die("no PKCS#11 token");
	world_put(world.pin, SOFTHSM_PIN "\n", strlen(SOFTHSM_PIN) + 1);
	str_fmt(world.key, sizeof world.key, "pkcs11:token=line7;object=dev?module-path=%s&pin-source=%s",
	    SOFTHSM_MODULE, world.pin);
}

static void
make_certificate(struct buf *enrollment)
{
	const struct cert_wish wish = { ID, 0, -1, world.emu->now.wall - 3600,
		world.emu->now.wall + 10 * 365 * 86400 };
	EVP_PKEY *key = is_elsewhere() ? make_hardware_key() : make_file_key();
	X509 *x = make_cert(&wish, key, NULL, NULL);
	BIO *text = BIO_new(BIO_s_mem());
	uint8_t *der = NULL;
	int n = i2d_X509(x, &der);

	PEM_write_bio_X509(text, x);
	put_pem(text, world.cert);
	buf_puts(enrollment,
	    "{\"registrationId\":\"" ID
	    "\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{\"primary\":{\"certificate\":\"");
	b64_put(enrollment, der, (size_t)n);
	buf_puts(enrollment, "\"}}}}}");
	OPENSSL_free(der);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
make_symmetric(struct buf *enrollment)
{
	struct buf text = { 0 };
	uint8_t key[32];

	RAND_bytes(key, sizeof key);
	b64_put(&text, key, sizeof key);
	world_put(world.symmetric, buf_data(&text), buf_size(&text));
	buf_fmt(enrollment,
	    "{\"registrationId\":\"" ID
	    "\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}}}",
	    buf_str(&text), buf_str(&text));
	buf_free(&text);
}

static int
configure(struct hf *h)
{
	int is_x509 = world.kind == HSM_X509;
	const struct {
		const char *name, *value;
	} set[] = {
		{ "id-scope", world.alone ? NULL : world.emu->e.conf.scope },
		{ "trust", world.emu->trust },
		{ "transport", world.transport },
		{ "state", world.state },
		{ "payload", "{\"line\": 7}" },
		{ "registration-id", world.kind == HSM_SYMMETRIC ? ID : NULL },
		{ "symmetric-key", world.kind == HSM_SYMMETRIC ? world.symmetric : NULL },
		{ "cert", is_x509 && world.place != KEY_OF_VENDOR ? world.cert : NULL },
		{ "key", is_x509 && world.place != KEY_OF_VENDOR ? world.key : NULL },
		{ "hsm", world.place == KEY_OF_VENDOR ? "hsm:" : NULL },
		{ "tpm", world.kind == HSM_TPM ? world.tcti : NULL },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof set / sizeof *set; i++)
		if (set[i].value != NULL)
			r = hf_set(h, set[i].name, set[i].value);
	return r;
}

/* The TPM is left as it came: its keys are made when a device first needs them. */
static void
make_tpm(struct buf *enrollment)
{
	struct hsm *h;
	struct hf_error err = { 0 };
	struct buf ek = { 0 }, srk = { 0 }, text = { 0 };

	if (hsm_open(&h, &(struct hsm_settings){ .tpm = world.tcti }, &err) < 0 ||
	    h->ops->identity(h, 0, &ek, &srk, &err) < 0)
		world_die(err.text);
	b64_put(&text, buf_data(&ek), buf_size(&ek));
	buf_fmt(enrollment,
	    "{\"registrationId\":\"%s\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"%s\"}}}",
	    h->registration_id, buf_str(&text));
	hsm_close(h);
	buf_free(&ek);
	buf_free(&srk);
	buf_free(&text);
}

void
world_enroll(void)
{
	struct buf text = { 0 };
	json_t *j;
	struct hf_error err = { 0 };

	if (world.kind == HSM_X509)
		make_certificate(&text);
	else if (world.kind == HSM_TPM)
		make_tpm(&text);
	else
		make_symmetric(&text);
	j = js_parse(buf_data(&text), buf_size(&text), "enrollment", &err);
	if (j == NULL || emu_enroll(world.emu, 0, js_str(j, "registrationId", ""), buf_str(&text)) < 0)
		world_die("cannot enroll");
	json_decref(j);
	buf_free(&text);
}

void
world_new(enum hsm_kind kind, const char *transport, enum world_key place)
{
	const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	memset(&world, 0, sizeof world);
	world.kind = kind;
	world.place = place;
	world.transport = transport;
	str_fmt(world.dir, sizeof world.dir, "%s/holdfast-fault-XXXXXX", where);
	if (mkdtemp(world.dir) == NULL)
		world_die("no folder");
	str_fmt(world.state, sizeof world.state, "%s/state", world.dir);
	str_fmt(world.cert, sizeof world.cert, "%s/cert", world.dir);
	str_fmt(world.pem, sizeof world.pem, "%s/key", world.dir);
	str_fmt(world.key, sizeof world.key, "%s%s", place == KEY_OF_PROVIDER ? "provider:default:file:" : "",
	    world.pem);
	str_fmt(world.symmetric, sizeof world.symmetric, "%s/symmetric", world.dir);
	str_fmt(world.pin, sizeof world.pin, "%s/pin", world.dir);
	str_fmt(world.chip_dir, sizeof world.chip_dir, "%s/chip", world.dir);
	if (world_has_chip() && mkdir(world.chip_dir, 0700) < 0)
		world_die("no folder for the TPM");
	if (place == KEY_IN_TOKEN)
		make_token();
}

int
world_has_chip(void)
{
	return world.kind == HSM_TPM || world.place == KEY_IN_TPM;
}

void
world_power(int on)
{
	if (!world_has_chip())
		return;
	swtpm_stop(world.chip);
	world.chip = 0;
	if (on && (world.chip = swtpm_start(world.chip_dir, world.tcti, sizeof world.tcti)) < 0)
		world_die("swtpm does not start");
	if (world.place == KEY_IN_TPM)
		str_fmt(world.key, sizeof world.key, "tpm2:handle=0x81000201?tcti=%s", world.tcti);
}

void
world_open(void)
{
	const struct config *c;

	if ((world.emu = emu_new(world.dir)) == NULL)
		world_die("no emulator");
	trip.emu = world.emu;
	trip_arm(-1, 0, 0);
	c = &world.emu->e.conf;
	str_fmt(world.service, sizeof world.service, "HostName=%s;SharedAccessKeyName=%s;SharedAccessKey=%s",
	    c->dps_name[0], c->service_policy, c->service_key);
}

void
world_close(void)
{
	emu_free(world.emu);
	world.emu = NULL;
}

void
world_free(void)
{
	char line[160];

	world_power(0);
	str_fmt(line, sizeof line, "rm -r %s", world.dir);
	if (system(line) != 0)
		world_die(line);
}

/* a device's lives */

int
life_register(struct hf *h)
{
	struct hf_who who;
	int r;

	if ((r = configure(h)) < 0 || (r = hf_identify(h, &who)) < 0 || (r = hf_register(h)) < 0)
		return r;
	return hf_wait(h, HF_REGISTERED, LIMIT, NULL);
}

/* A message for the device; those that a run before has left are gone. */
static void
put_message(void)
{
	struct hub_c2d c = { .message = { .body = "turn left", .len = 9 } };
	const char *hub = world.emu->e.conf.hub[0];
	struct hf_error err = { 0 };

	world.emu->e.now = world.emu->now;
	if (c2d_purge(&world.emu->e, hub, ID, &err) < 0 || c2d_put(&world.emu->e, hub, ID, &c, &err) < 0 ||
	    registry_commit(world.emu->e.registry, &err) < 0)
		world_die(err.text);
	hub_c2d_fini(&c);
}

/* Until it is settled: a message whose line is lost comes again. */
static int
take_message(struct hf *h)
{
	struct hf_event ev;
	int r;

	put_message();
	if ((r = hf_receive(h, 1)) < 0)
		return r;
	do {
		if ((r = hf_wait(h, HF_RECEIVED, LIMIT, &ev)) < 0)
			return r;
		if (ev.received->len != 9 || memcmp(ev.received->body, "turn left", 9) != 0)
			wrong("another message came than was sent", "");
		if ((r = hf_settle(h, ev.tag, HF_COMPLETE)) < 0 ||
		    (r = hf_wait(h, HF_SETTLED, LIMIT, &ev)) < 0)
			return r;
	} while (ev.error != NULL && (r = hf_receive(h, 1)) == 0);
	return r;
}

int
life_at_hub(struct hf *h)
{
	const struct hf_property property = { "line", "seven" };
	struct hf_message m = { .properties = &property, .property_count = 1, .content_type = "text/plain" };
	struct hf_event ev;
	char body[64];
	int r, i;

	if ((r = configure(h)) < 0)
		return r;
	for (i = 0; i < WORLD_MESSAGES; i++) {
		m.body = body;
		m.len = (size_t)snprintf(body, sizeof body, "run %u message %d", world.run, i);
		if ((r = hf_send(h, &m, (uint64_t)i)) < 0)
			return r;
	}
	if ((r = hf_connect(h)) < 0)
		return r;
	for (i = 0; i < WORLD_MESSAGES; i++) {
		if ((r = hf_wait(h, HF_SENT, LIMIT, &ev)) < 0)
			return r;
		world.acked[ev.tag]++;
	}
	if (world.receives && (r = take_message(h)) < 0)
		return r;
	return hf_disconnect(h);
}

int
life_enroll(struct hf *h)
{
	struct hf_enrollment e = { .kind = HF_ENROLL_SYMMETRIC, .id = "frame-8" };
	struct hf_error err = { 0 };
	char *answer = NULL;
	int r;

	if (registry_enrollment_delete(world.emu->e.registry, 0, e.id, &err) < 0)
		world_die(err.text);
	if ((r = hf_set(h, "trust", world.emu->trust)) < 0)
		return r;
	r = hf_enroll(h, world.service, &e, &answer);
	if (r == 0 && answer == NULL)
		wrong("enrolled without an answer", "");
	if (answer != NULL)
		trip_released();
	free(answer);
	return r;
}

int
live(int (*life)(struct hf *), struct hf_error *err)
{
	struct hf *h = hf_new();
	int r = h == NULL ? err_memory(err) : life(h);

	if (r < 0 && h != NULL)
		*err = *hf_error(h);
	hf_free(h);
	trip_settle();
	while (emu_turn(world.emu))
		;
	emu_hang_up(world.emu);
	if (trip.memory != 0 || trip.descriptors != 0 || trip.threads != 0)
		wrong("something was not given back", "");
	trip.memory = trip.descriptors = trip.threads = 0;
	return r;
}
