/*
 * Two devices in a loop of the application's own, through holdfast.h alone. What may block for one of them (a TPM, the signature
 * in a TLS handshake, the resolver) is held until the hub has acknowledged a hundred messages of the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <tss2/tss2_esys.h>
#include <unistd.h>
#include "holdfast.h"
#include "hsm_client_data.h"
#include "swtpm.h"
#include "unit/make_cert.h"

#define KEY	 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define MESSAGES 100
#define STEP_NS	 INT64_C(50000000) /* the longest step */

/*
 * The places where work may block, one of which is held: whoever comes there next waits until it is let go.
 */
enum place { NOWHERE, RESOLVER, SIGNATURE, TPM_HMAC, TPM_ACTIVATE, VENDOR_OPEN, VENDOR_SIGN };
static _Atomic enum place held_place;
static atomic_int waiting, on_the_loop;
static sem_t go_on;
static pthread_t loop_thread;

static void
pass(enum place here)
{
	enum place want = here;

	if (!atomic_compare_exchange_strong(&held_place, &want, NOWHERE))
		return;
	on_the_loop = pthread_equal(pthread_self(), loop_thread);
	if (on_the_loop)
		return;
	waiting = 1;
	while (sem_wait(&go_on) < 0)
		;
	waiting = 0;
}

static void
hold(enum place where)
{
	assert_int_equal(waiting, 0);
	held_place = where;
}

static int
is_held(void)
{
	return waiting;
}

/* ISO C has no cast from an object's address to a function's. */
static void
find(void *fn, const char *name)
{
	void *next = dlsym(RTLD_NEXT, name);

	if (next == NULL)
		abort();
	memcpy(fn, &next, sizeof next);
}

/* Names that end in ".test" are this machine. */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	size_t n = name != NULL ? strlen(name) : 0;

	find(&real, "getaddrinfo");
	if (n < 5 || strcmp(name + n - 5, ".test") != 0 ||
	    (hints != NULL && hints->ai_flags & AI_NUMERICHOST))
		return real(name, service, hints, list);
	pass(RESOLVER);
	return real("127.0.0.1", service, hints, list);
}

/* libssl calls it: it must be seen from there. */
__attribute__((visibility("default"))) int
EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *siglen, const unsigned char *data, size_t n)
{
	int (*real)(EVP_MD_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);

	find(&real, "EVP_DigestSign");
	if (sig != NULL)
		pass(SIGNATURE);
	return real(ctx, sig, siglen, data, n);
}

TSS2_RC
Esys_HMAC(ESYS_CONTEXT *esys, ESYS_TR handle, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_MAX_BUFFER *data, TPMI_ALG_HASH alg, TPM2B_DIGEST **out)
{
	TSS2_RC(*real)
	(ESYS_CONTEXT *, ESYS_TR, ESYS_TR, ESYS_TR, ESYS_TR, const TPM2B_MAX_BUFFER *, TPMI_ALG_HASH,
	    TPM2B_DIGEST **);

	find(&real, "Esys_HMAC");
	pass(TPM_HMAC);
	return real(esys, handle, s1, s2, s3, data, alg, out);
}

TSS2_RC
Esys_ActivateCredential(ESYS_CONTEXT *esys, ESYS_TR srk, ESYS_TR ek, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_ID_OBJECT *object, const TPM2B_ENCRYPTED_SECRET *secret, TPM2B_DIGEST **out)
{
	TSS2_RC(*real)
	(ESYS_CONTEXT *, ESYS_TR, ESYS_TR, ESYS_TR, ESYS_TR, ESYS_TR, const TPM2B_ID_OBJECT *,
	    const TPM2B_ENCRYPTED_SECRET *, TPM2B_DIGEST **);

	find(&real, "Esys_ActivateCredential");
	pass(TPM_ACTIVATE);
	return real(esys, srk, ek, s1, s2, s3, object, secret, out);
}

/*
 * The world: a folder, an emulator, a TPM.
 */
static char dir[] = "/tmp/holdfast-loop-XXXXXX";
static char scope[100], endpoint[300], connect_map[3000], by_name[3000], trust[300], service[600], tcti[200];
static pid_t emulator = -1, tpm = -1;
static EVP_PKEY *key; /* of all devices with a certificate */

static void
path_of(char path[300], const char *name)
{
	snprintf(path, 300, "%s/%s", dir, name);
}

static void
run_emulator(const char *data, int out)
{
	char program[300];
	const char *bin = getenv("HOLDFAST_BIN");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(program, sizeof program, "%s/holdfast-emulator", bin != NULL ? bin : ".");
	dup2(out, STDOUT_FILENO);
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(126);
	execl(program, program, "--data", data, "--mqtt-port", "0", "--https-port", "0", "--amqp-port", "0",
	    "--retry-after", "1", (char *)NULL);
	_exit(127);
}

/* It says one line when it is ready. */
static int
start_emulator(const char *data)
{
	int out[2];
	char c;
	ssize_t n;

	if (pipe(out) < 0)
		return -1;
	emulator = fork();
	if (emulator == 0)
		run_emulator(data, out[1]);
	close(out[1]);
	while ((n = read(out[0], &c, 1)) == 1 && c != '\n')
		;
	close(out[0]);
	return n == 1 ? 0 : -1;
}

static void
take(const char *line, const char *name, char *dst, size_t cap)
{
	const char *from = strchr(line, '\'');
	size_t n = from != NULL ? strcspn(from + 1, "'") : 0;

	if (strncmp(line, "export ", 7) == 0 && strncmp(line + 7, name, strlen(name)) == 0 &&
	    line[7 + strlen(name)] == '=' && n < cap) {
		memcpy(dst, from + 1, n);
		dst[n] = '\0';
	}
}

static int
read_env(const char *data)
{
	char command[700], line[4000];
	FILE *in;

	snprintf(
	    command, sizeof command, "'%s/holdfast-emulator' --data '%s' env", getenv("HOLDFAST_BIN"), data);
	in = popen(command, "r");
	while (in != NULL && fgets(line, sizeof line, in) != NULL) {
		take(line, "HOLDFAST_ID_SCOPE", scope, sizeof scope);
		take(line, "HOLDFAST_ENDPOINT", endpoint, sizeof endpoint);
		take(line, "HOLDFAST_CONNECT", connect_map, sizeof connect_map);
		take(line, "HOLDFAST_TRUST", trust, sizeof trust);
		take(line, "HOLDFAST_SERVICE", service, sizeof service);
	}
	return in != NULL && pclose(in) == 0 ? 0 : -1;
}

/* The same map, but where it leads to is a name that has to be looked up. */
static void
map_by_name(void)
{
	const char *from = connect_map;
	char *to = by_name;

	while (*from != '\0') {
		if (strncmp(from, "=127.0.0.", 9) == 0) {
			to += sprintf(to, "=held.test");
			from += 10;
		} else
			*to++ = *from++;
	}
	*to = '\0';
}

static int
make_world(void **state)
{
	char data[300], tpm_dir[300];

	(void)state;
	loop_thread = pthread_self();
	key = make_key();
	sem_init(&go_on, 0, 0);
	if (mkdtemp(dir) == NULL)
		return -1;
	path_of(data, "emulator");
	path_of(tpm_dir, "tpm");
	if (mkdir(tpm_dir, 0700) < 0 || start_emulator(data) < 0 || read_env(data) < 0)
		return -1;
	map_by_name();
	tpm = swtpm_start(tpm_dir, tcti, sizeof tcti);
	return tpm > 0 ? 0 : -1;
}

static int
end_world(void **state)
{
	char command[100];
	int status = -1;

	(void)state;
	EVP_PKEY_free(key);
	if (tpm > 0)
		swtpm_stop(tpm);
	if (emulator > 0) {
		kill(emulator, SIGTERM);
		waitpid(emulator, &status, 0);
	}
	snprintf(command, sizeof command, "rm -r '%s'", dir);
	return system(command) == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
put_file(char path[300], const char *name, const char *text)
{
	FILE *out;

	path_of(path, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/*
 * Devices, and the loop.
 */
struct dev {
	struct hf *h;
	int registered, connected, disconnected, sent, failed;
	uint64_t next; /* the tag that is to be acknowledged next */
};

static void
set(struct dev *d, const char *name, const char *value)
{
	if (hf_set(d->h, name, value) < 0)
		fail_msg("%s: %s", name, hf_error(d->h)->text);
}

static void
dev_new(struct dev *d, const char *map)
{
	memset(d, 0, sizeof *d);
	d->h = hf_new();
	assert_non_null(d->h);
	set(d, "id-scope", scope);
	set(d, "endpoint", endpoint);
	set(d, "connect", map);
	set(d, "trust", trust);
}

static void
enroll(struct dev *d, const struct hf_enrollment *n)
{
	set(d, "connect", connect_map);
	if (hf_enroll(d->h, service, n, NULL) < 0)
		fail_msg("%s", hf_error(d->h)->text);
}

static void
dev_symmetric(struct dev *d, const char *id, const char *map)
{
	struct hf_enrollment n = { .kind = HF_ENROLL_SYMMETRIC, .id = id, .symmetric_key = KEY };
	char path[300];

	put_file(path, id, KEY);
	dev_new(d, map);
	set(d, "registration-id", id);
	set(d, "symmetric-key", path);
	enroll(d, &n);
	set(d, "connect", map);
}

static void
dev_x509(struct dev *d, const char *id, const char *transport)
{
	struct hf_enrollment n = { .kind = HF_ENROLL_X509, .id = id };
	X509 *x = make_cert(&(struct cert_wish){ id, 0, -1, 1000000000, 4000000000 }, key, NULL, NULL);
	char *pem = make_pem(x), cert_path[300], key_path[300], name[100];
	FILE *out;

	put_file(cert_path, id, pem);
	snprintf(name, sizeof name, "%s.key", id);
	put_file(key_path, name, "");
	out = fopen(key_path, "w");
	assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(out);
	dev_new(d, connect_map);
	set(d, "transport", transport);
	set(d, "cert", cert_path);
	set(d, "key", key_path);
	n.certificate = pem;
	enroll(d, &n);
	free(pem);
	X509_free(x);
}

/*
 * A vendor's library, linked in, whose chip signs.
 */
static char *vendor_pem;
static int vendor_sessions;

static HSM_CLIENT_HANDLE
vendor_create(void)
{
	vendor_sessions++;
	return &vendor_sessions;
}

static void
vendor_destroy(HSM_CLIENT_HANDLE h)
{
	(void)h;
	vendor_sessions--;
}

static char *
vendor_cert(HSM_CLIENT_HANDLE h)
{
	(void)h;
	pass(VENDOR_OPEN);
	return strdup(vendor_pem);
}

static char *
vendor_public_key(HSM_CLIENT_HANDLE h)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *p, *copy;
	long n;

	(void)h;
	assert_int_equal(PEM_write_bio_PUBKEY(text, key), 1);
	n = BIO_get_mem_data(text, &p);
	copy = strndup(p, (size_t)n);
	BIO_free(text);
	return copy;
}

static char *
vendor_algorithms(HSM_CLIENT_HANDLE h)
{
	(void)h;
	return strdup("ecdsa-sha256");
}

static int
vendor_sign(HSM_CLIENT_HANDLE h, const char *how, const unsigned char *digest, size_t n, unsigned char **sig,
    size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int ok = EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, NULL, len, digest, n) == 1;

	(void)h;
	(void)how;
	pass(VENDOR_SIGN);
	*sig = malloc(*len);
	ok = ok && EVP_PKEY_sign(ctx, *sig, len, digest, n) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : 1;
}

static const HSM_CLIENT_X509_V2_INTERFACE *
vendor_x509_v2(void)
{
	static const HSM_CLIENT_X509_V2_INTERFACE table = { .size = sizeof table,
		.hsm_client_x509_create = vendor_create,
		.hsm_client_x509_destroy = vendor_destroy,
		.hsm_client_get_cert = vendor_cert,
		.hsm_client_get_public_key = vendor_public_key,
		.hsm_client_get_algorithms = vendor_algorithms,
		.hsm_client_sign_digest = vendor_sign };

	return &table;
}

static void
dev_vendor(struct dev *d, const char *id)
{
	static const struct hf_hsm_table table = { .size = sizeof table, .x509_v2 = vendor_x509_v2 };
	struct hf_enrollment n = { .kind = HF_ENROLL_X509, .id = id };
	X509 *x = make_cert(&(struct cert_wish){ id, 0, -1, 1000000000, 4000000000 }, key, NULL, NULL);

	free(vendor_pem);
	vendor_pem = make_pem(x);
	X509_free(x);
	assert_int_equal(hf_hsm_link(NULL), 0);
	assert_int_equal(hf_hsm_link(&table), 0);
	dev_new(d, connect_map);
	set(d, "hsm", "hsm:");
	n.certificate = vendor_pem;
	enroll(d, &n);
}

static void
dev_tpm(struct dev *d)
{
	struct hf_enrollment n = { .kind = HF_ENROLL_TPM };
	struct hf_who who;
	char id[60], ek[600];

	dev_new(d, connect_map);
	set(d, "tpm", tcti);
	if (hf_identify(d->h, &who) < 0)
		fail_msg("%s", hf_error(d->h)->text);
	n.id = strcpy(id, who.registration_id);
	n.endorsement_key = strcpy(ek, who.endorsement_key);
	enroll(d, &n);
}

static void
send_one(struct dev *d, uint64_t tag)
{
	struct hf_message m = { .body = "hello", .len = 5 };

	if (hf_send(d->h, &m, tag) < 0)
		fail_msg("%s", hf_error(d->h)->text);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* How long this thread has been ready to run while others ran: that is not the library's. */
static int64_t
queued_ns(void)
{
	long long ran = 0, queued = 0;
	FILE *in = fopen("/proc/thread-self/schedstat", "r");

	if (in == NULL)
		return 0;
	if (fscanf(in, "%lld %lld", &ran, &queued) != 2)
		queued = 0;
	fclose(in);
	return queued;
}

static int64_t longest;

static void
step(struct dev *d)
{
	int64_t queued = queued_ns(), began = now_ns(), took;

	if (hf_step(d->h) < 0)
		fail_msg("%s", hf_error(d->h)->text);
	took = now_ns() - began;
	took -= queued_ns() - queued;
	longest = took > longest ? took : longest;
}

static void
take_events(struct dev *d)
{
	struct hf_event ev;

	while (hf_next(d->h, &ev) == 1) {
		if (ev.type == HF_FAILED)
			fail_msg("%s", ev.error->text);
		if (ev.type == HF_SENT)
			assert_int_equal(ev.tag, d->next++);
		d->registered += ev.type == HF_REGISTERED;
		d->connected += ev.type == HF_CONNECTED;
		d->disconnected += ev.type == HF_DISCONNECTED;
		d->sent += ev.type == HF_SENT;
	}
}

/* An application's loop: it waits first, for both of them, and steps those that are due. */
static void
turn(struct dev *const dev[2])
{
	struct pollfd p[2];
	int64_t began = now_ns();
	int ms = 20, due[2];

	for (int i = 0; i < 2; i++) {
		p[i] = (struct pollfd){ .fd = dev[i] != NULL ? hf_fd(dev[i]->h) : -1, .events = POLLIN };
		due[i] = dev[i] != NULL ? hf_deadline(dev[i]->h) : -1;
		ms = due[i] >= 0 && due[i] < ms ? due[i] : ms;
	}
	assert_true(poll(p, 2, ms) >= 0);
	ms = (int)((now_ns() - began) / 1000000);
	for (int i = 0; i < 2; i++) {
		if (dev[i] == NULL || (!p[i].revents && (due[i] < 0 || due[i] > ms)))
			continue;
		step(dev[i]);
		take_events(dev[i]);
	}
}

static void
loop_until(struct dev *a, struct dev *b, const int *what, int n)
{
	struct dev *const both[2] = { a, b };
	int64_t end = now_ns() + INT64_C(60000000000);

	while (*what < n) {
		turn(both);
		assert_true(now_ns() < end);
	}
}

static void
loop_until_held(struct dev *a, struct dev *b)
{
	struct dev *const both[2] = { a, b };
	int64_t end = now_ns() + INT64_C(60000000000);

	while (!is_held()) {
		turn(both);
		assert_false(on_the_loop);
		assert_true(now_ns() < end);
	}
}

/* While device a hangs, a hundred messages of b go through. */
static void
others_go_on(struct dev *a, struct dev *b)
{
	struct dev before;
	int sent = b->sent;

	loop_until_held(a, b);
	before = *a;
	for (int i = 0; i < MESSAGES; i++)
		send_one(b, (uint64_t)(sent + i));
	loop_until(a, b, &b->sent, sent + MESSAGES);
	assert_true(is_held());
	assert_memory_equal(&before, a, sizeof before);
	sem_post(&go_on);
}

static void
held_while_others_go_on(struct dev *a, enum place registering, enum place connecting)
{
	struct dev b;

	dev_symmetric(&b, "quick", connect_map);
	longest = 0;
	assert_int_equal(hf_connect(b.h), 0);
	loop_until(&b, NULL, &b.connected, 1);

	hold(registering);
	assert_int_equal(hf_register(a->h), 0);
	others_go_on(a, &b);
	loop_until(a, &b, &a->registered, 1);

	hold(connecting);
	for (uint64_t i = 0; i < 5; i++)
		send_one(a, i);
	assert_int_equal(hf_connect(a->h), 0);
	others_go_on(a, &b);
	loop_until(a, &b, &a->sent, 5);
	assert_int_equal(a->connected, 1);
	assert_int_equal(b.disconnected, 0);
	if (getenv("HOLDFAST_LOOP_LOUD") != NULL)
		fprintf(stderr, "the longest step took %lld us\n", (long long)(longest / 1000));
	if (longest > STEP_NS)
		fail_msg("a step took %lld ms", (long long)(longest / 1000000));
	hf_disconnect(b.h);
	hf_free(b.h);
	hf_disconnect(a->h);
	hf_free(a->h);
}

static void
names_are_looked_up_elsewhere(void **state)
{
	struct dev a;

	(void)state;
	dev_symmetric(&a, "named", by_name);
	held_while_others_go_on(&a, RESOLVER, RESOLVER);
}

static void
handshakes_sign_elsewhere(void **state)
{
	struct dev a;

	(void)state;
	dev_x509(&a, "signer", "mqtt");
	held_while_others_go_on(&a, SIGNATURE, SIGNATURE);
	dev_x509(&a, "signer-http", "http");
	held_while_others_go_on(&a, SIGNATURE, SIGNATURE);
}

/* A key that is opened, and signs, in hardware. */
static void
vendors_work_elsewhere(void **state)
{
	struct dev a;

	(void)state;
	dev_vendor(&a, "chip");
	held_while_others_go_on(&a, VENDOR_OPEN, VENDOR_SIGN);
	dev_vendor(&a, "chip");
	held_while_others_go_on(&a, VENDOR_SIGN, VENDOR_SIGN);
	assert_int_equal(vendor_sessions, 0);
	free(vendor_pem);
	vendor_pem = NULL;
}

static void
tpms_work_elsewhere(void **state)
{
	struct dev a;

	(void)state;
	dev_tpm(&a);
	held_while_others_go_on(&a, TPM_ACTIVATE, TPM_HMAC);
	dev_tpm(&a);
	held_while_others_go_on(&a, TPM_HMAC, TPM_HMAC);
}

static void
end_of_hold(void)
{
	sem_post(&go_on);
	for (int i = 0; i < 1000 && waiting; i++)
		usleep(5000);
	assert_false(waiting);
	usleep(20000);
}

/* Freed, or told to stop, while its call is out: at once, and nothing of it is lost or used again. */
static void
left_while_held(struct dev *a, enum place where, int connecting, int then)
{
	struct dev *const one[2] = { a, NULL };
	int64_t began;

	if (connecting) {
		assert_int_equal(hf_register(a->h), 0);
		loop_until(a, NULL, &a->registered, 1);
	}
	hold(where);
	assert_int_equal(connecting ? hf_connect(a->h) : hf_register(a->h), 0);
	loop_until_held(a, NULL);
	began = now_ns() - queued_ns();
	if (then) {
		assert_int_equal(hf_disconnect(a->h), 0);
		assert_int_equal(hf_connect(a->h), 0);
		for (int i = 0; i < 3; i++)
			turn(one);
		assert_true(is_held());
		end_of_hold();
		send_one(a, 0);
		loop_until(a, NULL, &a->sent, 1);
		hf_free(a->h);
		return;
	}
	hf_free(a->h);
	assert_true(now_ns() - queued_ns() - began < STEP_NS);
	assert_true(is_held());
	end_of_hold();
}

static void
left_in_the_middle(void **state)
{
	struct dev a;

	(void)state;
	for (int i = 0; i < 4; i++) {
		dev_symmetric(&a, "named", by_name);
		left_while_held(&a, RESOLVER, i & 1, i & 2);
		dev_x509(&a, "signer", "mqtt");
		left_while_held(&a, SIGNATURE, i & 1, i & 2);
		dev_tpm(&a);
		left_while_held(&a, i & 1 ? TPM_HMAC : TPM_ACTIVATE, i & 1, i & 2);
	}
}

static void
dev_any(struct dev *d, int i)
{
	char path[300], name[20];

	if (i % 3 == 0)
		dev_x509(d, "signer", i % 2 ? "mqtt" : "http");
	else if (i % 3 == 1)
		dev_symmetric(d, "named", by_name);
	else
		dev_tpm(d);
	snprintf(name, sizeof name, "any-%d", i % 3);
	path_of(path, name);
	set(d, "state", path);
}

/* Anywhere else, too: while registering, and at the hub that a state file knows. */
static void
freed_at_any_moment(void **state)
{
	struct dev a;
	unsigned dice = 12345;

	(void)state;
	for (int i = 0; i < 60; i++) {
		dev_any(&a, i);
		assert_int_equal(i % 2 ? hf_connect(a.h) : hf_register(a.h), 0);
		send_one(&a, 0);
		dice = dice * 1103515245 + 12345;
		if (i == 3 || i == 1 || i == 5)
			loop_until(&a, NULL, &a.sent, 1);
		for (unsigned n = 0; n < (dice >> 16) % 40 && a.sent == 0; n++) {
			struct pollfd p = { .fd = hf_fd(a.h), .events = POLLIN };

			(void)poll(&p, 1, 5);
			step(&a);
			take_events(&a);
		}
		hf_free(a.h);
	}
	usleep(100000);
}

/* A loop that waits before its first step must be told to step: nothing has been said to the descriptor yet. */
static void
what_was_begun_is_due(void **state)
{
	struct dev a;
	char path[300];

	(void)state;
	dev_symmetric(&a, "named", connect_map);
	path_of(path, "named.state");
	set(&a, "state", path);
	assert_int_equal(hf_deadline(a.h), -1);
	assert_int_equal(hf_register(a.h), 0);
	assert_int_equal(hf_deadline(a.h), 0);
	loop_until(&a, NULL, &a.registered, 1);
	assert_int_equal(hf_deadline(a.h), -1);
	set(&a, "hub", NULL); /* forgets what is known: the state file says */
	assert_int_equal(hf_connect(a.h), 0);
	assert_int_equal(hf_deadline(a.h), 0);
	loop_until(&a, NULL, &a.connected, 1);
	while (hf_deadline(a.h) == 0)
		step(&a);
	send_one(&a, 0);
	assert_int_equal(hf_deadline(a.h), 0);
	loop_until(&a, NULL, &a.sent, 1);
	assert_int_equal(a.registered, 1);
	hf_disconnect(a.h);
	assert_int_equal(hf_connect(a.h), 0); /* the same descriptor's number comes again, maybe */
	send_one(&a, 1);
	loop_until(&a, NULL, &a.sent, 2);
	hf_free(a.h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_begun_is_due),
		cmocka_unit_test(names_are_looked_up_elsewhere),
		cmocka_unit_test(handshakes_sign_elsewhere),
		cmocka_unit_test(vendors_work_elsewhere),
		cmocka_unit_test(tpms_work_elsewhere),
		cmocka_unit_test(left_in_the_middle),
		cmocka_unit_test(freed_at_any_moment),
	};

	alarm(240); /* what blocks the loop blocks it for ever */
	return cmocka_run_group_tests(tests, make_world, end_world);
}
