/*
 * Many devices at once, each with its certificate, said in one thread as cheaply as it can be.
 *
 *	bench-load FOLDER CA PORT handshakes COUNT AT-ONCE		shake hands and hang up
 *	bench-load FOLDER CA PORT register COUNT AT-ONCE SCOPE		over MQTT, until assigned
 *	bench-load FOLDER CA PORT telemetry DEVICES WINDOW COUNT HOST	COUNT messages each, QoS 1; HOST "-": not a hub
 *
 * Prints how many there were in a second. A registration has at most AT-ONCE others beside it, those that wait for
 * their time to ask again among them.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "msg/dps.h"
#include "msg/hub.h"

#define PATIENCE 60000 /* ms without any progress */

struct conn {
	int fd, up, over, ready, wants_write;
	long device;
	SSL *ssl;
	struct mqtt mqtt;
	struct dps_request request;
	int64_t wake; /* when to ask DPS again */
	long said, heard;
	char topic[200];
};
struct script {
	void (*begin)(struct conn *);
	void (*event)(struct conn *, const struct mqtt_event *);
};

static SSL_CTX *ctx;
static X509 **cert;
static EVP_PKEY **key;
static uint16_t port;
static long count, at_once, window, done, ready, progress;
static const char *scope, *hub;
static int loop;
static struct moment now;
static const struct script *script;

static void
die(const char *what)
{
	ERR_print_errors_fp(stderr);
	errx(1, "%s", what);
}

static FILE *
open_file(long i, const char *suffix)
{
	char name[40];
	FILE *f;

	snprintf(name, sizeof name, "%ld.%s", i, suffix);
	if ((f = fopen(name, "r")) == NULL)
		err(1, "%s", name);
	return f;
}

static void
load_devices(long n)
{
	FILE *f;

	cert = calloc((size_t)n, sizeof *cert);
	key = calloc((size_t)n, sizeof *key);
	if (cert == NULL || key == NULL)
		err(1, "memory");
	for (long i = 0; i < n; i++) {
		f = open_file(i, "pem");
		cert[i] = PEM_read_X509(f, NULL, NULL, NULL);
		fclose(f);
		f = open_file(i, "key");
		key[i] = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		fclose(f);
		if (cert[i] == NULL || key[i] == NULL)
			die("certificate");
	}
}

static void
want(struct conn *c, int writing)
{
	struct epoll_event e = { .events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.ptr = c };

	if (c->wants_write == writing)
		return;
	if (epoll_ctl(loop, c->wants_write < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &e) < 0)
		err(1, "epoll");
	c->wants_write = writing;
}

static void
dial(struct conn *c, long device)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	const int on = 1;

	memset(c, 0, sizeof *c);
	c->device = device;
	c->wants_write = -1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS))
		err(1, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->ssl = SSL_new(ctx);
	if (c->ssl == NULL || SSL_use_certificate(c->ssl, cert[device]) != 1 ||
	    SSL_use_PrivateKey(c->ssl, key[device]) != 1 || SSL_set_fd(c->ssl, c->fd) != 1)
		die("connection");
	SSL_set_connect_state(c->ssl);
	mqtt_init(&c->mqtt, 0, 65536);
	want(c, 1);
}

static void
hang_up(struct conn *c)
{
	SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	ERR_clear_error();
	close(c->fd);
	mqtt_fini(&c->mqtt);
	dps_request_fini(&c->request);
	c->ssl = NULL;
}

static void
finish(struct conn *c)
{
	c->over = 1;
	done++;
}

/* What OpenSSL answered: may we go on? */
static int
goes_on(struct conn *c, int r)
{
	int why = SSL_get_error(c->ssl, r);

	if (r > 0)
		return 1;
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		die("the connection was lost");
	want(c, why == SSL_ERROR_WANT_WRITE);
	return 0;
}

static int
flush(struct conn *c)
{
	struct buf *out = &c->mqtt.engine.out;
	int r;

	while (buf_size(out) > 0) {
		r = SSL_write(c->ssl, buf_data(out), (int)buf_size(out));
		if (!goes_on(c, r))
			return 0;
		buf_eat(out, (size_t)r);
	}
	return 1;
}

static void
hear(struct conn *c)
{
	struct mqtt_event ev;
	char bytes[16384];
	int r;

	while (!c->over && goes_on(c, r = SSL_read(c->ssl, bytes, sizeof bytes))) {
		progress++;
		if (c->mqtt.engine.ops->in(&c->mqtt.engine, bytes, (size_t)r) != r)
			errx(1, "MQTT: %s", c->mqtt.engine.err.text);
		while ((r = mqtt_next(&c->mqtt, &ev)) == 1)
			script->event(c, &ev);
		if (r < 0)
			errx(1, "MQTT: %s", c->mqtt.engine.err.text);
		if (!flush(c))
			return;
	}
}

static void
drive(struct conn *c)
{
	ERR_clear_error();
	if (!c->up && !goes_on(c, SSL_do_handshake(c->ssl)))
		return;
	if (!c->up) {
		c->up = 1;
		progress++;
		c->mqtt.engine.ops->tick(&c->mqtt.engine, now.ms);
		script->begin(c);
	}
	want(c, 0);
	if (flush(c))
		hear(c);
}

/* handshakes */

static void
no_event(struct conn *c, const struct mqtt_event *ev)
{
	(void)c;
	(void)ev;
}

static const struct script handshakes = { finish, no_event };

/* register */

static void
put_id(char id[129], long device)
{
	snprintf(id, 129, "bench-%ld", device);
}

static void
introduce(struct conn *c)
{
	struct dps_who who = { .api = DPS_API };

	snprintf(who.scope, sizeof who.scope, "%s", scope);
	put_id(who.id, c->device);
	if (dps_mqtt_put_who(&c->mqtt, &who, 60) < 0)
		errx(1, "memory");
}

static void
ask(struct conn *c, enum dps_op op)
{
	char id[129];

	put_id(id, c->device);
	c->request.op = op;
	snprintf(c->request.rid, sizeof c->request.rid, "%d", op);
	if (dps_mqtt_put_request(&c->mqtt, &c->request, id) < 0)
		errx(1, "memory");
}

static void
answered(struct conn *c, const struct mqtt_publish *p)
{
	struct dps_reply reply = { 0 };
	struct hf_error e = { 0 };

	if (p->qos > 0)
		mqtt_puback(&c->mqtt, p->id);
	if (dps_mqtt_get_reply(p, &reply, &e) < 0)
		errx(1, "DPS: %s", e.text);
	if (strcmp(reply.state, "assigned") == 0) {
		mqtt_say(&c->mqtt, MQTT_DISCONNECT, 0);
		flush(c);
		finish(c);
	} else if (strcmp(reply.state, "assigning") == 0) {
		snprintf(c->request.operation, sizeof c->request.operation, "%s", reply.operation);
		c->wake = now.ms + reply.retry_after * 1000;
	} else
		errx(1, "DPS: status %d, %d %s", reply.status, reply.code, reply.message);
	dps_reply_fini(&reply);
}

static void
registration(struct conn *c, const struct mqtt_event *ev)
{
	if (ev->type == MQTT_CONNACK && ev->connack.code == 0)
		mqtt_subscribe(&c->mqtt, DPS_MQTT_FILTER, 1);
	else if (ev->type == MQTT_SUBACK)
		ask(c, DPS_REGISTER);
	else if (ev->type == MQTT_PUBLISH)
		answered(c, &ev->publish);
	else if (ev->type == MQTT_CONNACK || ev->type == MQTT_CLOSED)
		errx(1, "DPS refused bench-%ld", c->device);
}

static const struct script registrations = { introduce, registration };

/* telemetry */

static void
connect_hub(struct conn *c)
{
	struct hub_who who = { .api = HUB_API };
	struct mqtt_connect plain = { .client_id = { c->topic, 0 }, .clean = 1, .keep_alive = 240 };

	put_id(who.device, c->device);
	snprintf(who.host, sizeof who.host, "%s", hub);
	if (hub[0] == '-') {
		plain.client_id = (struct mqtt_text){ who.device, strlen(who.device) };
		mqtt_say_connect(&c->mqtt, &plain);
	} else if (hub_mqtt_put_who(&c->mqtt, &who, 240, 1) < 0)
		errx(1, "memory");
	snprintf(c->topic, sizeof c->topic, "devices/%s/messages/events/", who.device);
}

static void
publish(struct conn *c)
{
	static const char body[] =
	    "{\"device\":\"boiler-17\",\"time\":\"2026-11-27T09:48:11Z\",\"temperature\":71.25,\"pressure\":2.61,\"open\":true}";
	struct mqtt_publish p = {
		.topic = { c->topic, strlen(c->topic) }, .body = body, .len = sizeof body - 1, .qos = 1
	};

	if (mqtt_publish(&c->mqtt, &p) < 0)
		errx(1, "memory");
	c->said++;
}

static void
acknowledged(struct conn *c, const struct mqtt_event *ev)
{
	if (ev->type == MQTT_CONNACK && ev->connack.code == 0) {
		c->ready = 1;
		ready++;
	} else if (ev->type == MQTT_PUBACK) {
		c->heard++;
		if (c->said < count)
			publish(c);
		if (c->heard == count)
			finish(c);
	} else if (ev->type == MQTT_CONNACK || ev->type == MQTT_CLOSED)
		errx(1, "bench-%ld was refused or cut off", c->device);
}

static const struct script telemetry = { connect_hub, acknowledged };

/* The loop. */

static void
turn(int ms)
{
	static int64_t since;
	static long last;
	struct epoll_event e[256];
	int n = epoll_wait(loop, e, 256, ms);

	now = clock_now();
	for (int i = 0; i < n; i++)
		drive(e[i].data.ptr);
	if (since == 0 || progress != last)
		since = now.ms;
	last = progress;
	if (now.ms - since > PATIENCE)
		errx(1, "nothing has moved for %d s", PATIENCE / 1000);
}

static void
wake(struct conn *c)
{
	if (c->wake == 0 || now.ms < c->wake)
		return;
	c->wake = 0;
	ask(c, DPS_POLL);
	flush(c);
}

/* Each of `count` devices once, `at_once` at a time. */
static void
one_after_another(struct conn *c)
{
	long next = 0;

	while (done < count) {
		for (long i = 0; i < at_once; i++) {
			if (c[i].ssl != NULL && c[i].over)
				hang_up(&c[i]);
			if (c[i].ssl == NULL && next < count)
				dial(&c[i], next++);
			wake(&c[i]);
		}
		turn(5);
	}
}

static void
all_together(struct conn *c)
{
	int64_t began;

	for (long i = 0; i < at_once; i++)
		dial(&c[i], i);
	while (ready < at_once)
		turn(100);
	began = now.ms;
	for (long i = 0; i < at_once; i++) {
		for (long n = 0; n < window && n < count; n++)
			publish(&c[i]);
		drive(&c[i]);
	}
	while (done < at_once)
		turn(100);
	printf("%.0f\n", (double)(at_once * count) * 1000 / (double)(now.ms - began));
}

static void
prepare(const char *ca)
{
	ctx = SSL_CTX_new(TLS_client_method());
	loop = epoll_create1(0);
	if (ctx == NULL || loop < 0 || SSL_CTX_load_verify_file(ctx, ca) != 1)
		die("context");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 6 ? argv[4] : "";
	struct conn *c;
	int64_t began;

	if (strcmp(what, "handshakes") == 0)
		script = &handshakes;
	else if (strcmp(what, "register") == 0 && argc == 8)
		script = &registrations;
	else if (strcmp(what, "telemetry") == 0 && argc == 9)
		script = &telemetry;
	else
		errx(2, "usage: bench-load FOLDER CA PORT handshakes|register|telemetry ...");
	port = (uint16_t)atoi(argv[3]);
	prepare(argv[2]);
	if (chdir(argv[1]) < 0)
		err(1, "%s", argv[1]);
	count = atol(argv[script == &telemetry ? 7 : 5]);
	at_once = atol(argv[script == &telemetry ? 5 : 6]);
	window = atol(argv[6]);
	hub = argc > 8 ? argv[8] : "";
	scope = argc > 7 ? argv[7] : "";
	load_devices(script == &telemetry ? at_once : count);
	if ((c = calloc((size_t)at_once, sizeof *c)) == NULL)
		err(1, "memory");
	now = clock_now();
	began = now.ms;
	if (script == &telemetry)
		all_together(c);
	else {
		one_after_another(c);
		printf("%.0f\n", (double)count * 1000 / (double)(now.ms - began));
	}
	return 0;
}
