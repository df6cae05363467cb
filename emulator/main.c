#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/b64.h"
#include "base/json.h"
#include "base/str.h"
#include "process.h"

#define C2D_BYTES 65536 /* of a message to a device */

enum { SERVE = 1, ENV = 2, EVENTS = 4, DEVICES = 8, C2D = 16, ALL = 31 };
struct options {
	struct config conf;
	int quiet, json, follow;
	int64_t after;
	const char *device;
	json_t *message; /* C2D: what is asked */
	json_t *properties;
	char **words; /* behind the command's */
	int count;
};
typedef int set_fn(struct options *, const char *value, struct hf_error *);

static int
number(const char *value, const char *what, uint64_t least, uint64_t most, uint64_t *n, struct hf_error *err)
{
	if (str_u64(value, strlen(value), most, n) == 0 && *n >= least)
		return 0;
	return err_set(err, HF_ERR_ARGS, "--%s takes a number from %llu to %llu, not \"%s\"", what,
	    (unsigned long long)least, (unsigned long long)most, value);
}

static int
set_data(struct options *o, const char *value, struct hf_error *err)
{
	if (value[0] != '\0' && str_fmt(o->conf.data, sizeof(o->conf.data), "%s", value) == 0)
		return 0;
	return err_set(err, HF_ERR_ARGS, "--data takes the path of a folder");
}

static int
set_mqtt_port(struct options *o, const char *value, struct hf_error *err)
{
	uint64_t n = 0;
	int r = number(value, "mqtt-port", 0, 65535, &n, err);

	o->conf.mqtt_port = (uint16_t)n;
	return r;
}

static int
set_amqp_port(struct options *o, const char *value, struct hf_error *err)
{
	uint64_t n = 0;
	int r = number(value, "amqp-port", 0, 65535, &n, err);

	o->conf.amqp_port = (uint16_t)n;
	return r;
}

static int
set_https_port(struct options *o, const char *value, struct hf_error *err)
{
	uint64_t n = 0;
	int r = number(value, "https-port", 0, 65535, &n, err);

	o->conf.https_port = (uint16_t)n;
	return r;
}

static int
set_bind(struct options *o, const char *value, struct hf_error *err)
{
	uint8_t a[16];

	if ((inet_pton(AF_INET, value, a) == 1 || inet_pton(AF_INET6, value, a) == 1) &&
	    str_fmt(o->conf.bind, sizeof(o->conf.bind), "%s", value) == 0)
		return 0;
	return err_set(err, HF_ERR_ARGS, "--bind takes an IP address, not \"%s\"", value);
}

static int
set_hub(struct options *o, const char *value, struct hf_error *err)
{
	return config_add_hub(&o->conf, value, err);
}

static int
set_dps_name(struct options *o, const char *value, struct hf_error *err)
{
	return config_add_dps(&o->conf, value, err);
}

static int
set_nearest(struct options *o, const char *value, struct hf_error *err)
{
	if (str_fmt(o->conf.nearest, sizeof(o->conf.nearest), "%s", value) == 0)
		return 0;
	return err_set(err, HF_ERR_ARGS, "\"%.40s...\" cannot be the name of a hub", value);
}

static int
set_webhook_trust(struct options *o, const char *value, struct hf_error *err)
{
	if (value[0] != '\0' &&
	    str_fmt(o->conf.webhook_trust, sizeof(o->conf.webhook_trust), "%s", value) == 0)
		return 0;
	return err_set(err, HF_ERR_ARGS, "--webhook-trust takes the path of a file");
}

static int
set_policy(struct options *o, const char *value, struct hf_error *err)
{
	return policy_add(&o->conf, value, err);
}

static int
set_retry_after(struct options *o, const char *value, struct hf_error *err)
{
	uint64_t n = 0;
	int r = number(value, "retry-after", 1, 300, &n, err);

	o->conf.retry_after = (int)n;
	return r;
}

static int
set_tls_max(struct options *o, const char *value, struct hf_error *err)
{
	if (strcmp(value, "1.2") != 0 && strcmp(value, "1.3") != 0)
		return err_set(err, HF_ERR_ARGS, "--tls-max takes 1.2 or 1.3, not \"%s\"", value);
	o->conf.tls_max = strcmp(value, "1.2") == 0 ? TLS1_2_VERSION : 0;
	return 0;
}

static int
set_quiet(struct options *o, const char *value, struct hf_error *err)
{
	(void)value;
	(void)err;
	return o->quiet = 1, 0;
}

static int
set_json(struct options *o, const char *value, struct hf_error *err)
{
	(void)value;
	(void)err;
	return o->json = 1, 0;
}

static int
set_follow(struct options *o, const char *value, struct hf_error *err)
{
	(void)value;
	(void)err;
	return o->follow = 1, 0;
}

static int
set_after(struct options *o, const char *value, struct hf_error *err)
{
	uint64_t n = 0;
	int r = number(value, "after", 0, INT64_MAX, &n, err);

	o->after = (int64_t)n;
	return r;
}

static int
set_device(struct options *o, const char *value, struct hf_error *err)
{
	(void)err;
	o->device = value;
	return 0;
}

static int
say_of(struct options *o, const char *name, json_t *value, struct hf_error *err)
{
	if (value != NULL && (o->message != NULL || (o->message = json_object()) != NULL) &&
	    json_object_set_new(o->message, name, value) == 0)
		return 0;
	return err_set(err, HF_ERR_ARGS, "the message's %s is not UTF-8", name);
}

static int
set_property(struct options *o, const char *value, struct hf_error *err)
{
	const char *eq = strchr(value, '=');

	if (eq == NULL || eq == value)
		return err_set(err, HF_ERR_ARGS, "--property takes NAME=VALUE, not \"%s\"", value);
	if (o->properties == NULL)
		o->properties = json_array();
	if (json_array_append_new(o->properties, json_pack("[s%s]", value, (int)(eq - value), eq + 1)) < 0)
		return err_set(err, HF_ERR_ARGS, "the property \"%s\" is not UTF-8", value);
	return 0;
}

static int
set_message_id(struct options *o, const char *value, struct hf_error *err)
{
	return say_of(o, "messageId", json_string(value), err);
}

static int
set_content_type(struct options *o, const char *value, struct hf_error *err)
{
	return say_of(o, "contentType", json_string(value), err);
}

static int
set_ttl(struct options *o, const char *value, struct hf_error *err)
{
	uint64_t n = 0;
	int r = number(value, "ttl", 1, 172800, &n, err);

	return r < 0 ? r : say_of(o, "ttl", json_integer((json_int_t)n), err);
}

static int
set_ack(struct options *o, const char *value, struct hf_error *err)
{
	static const char *const words[] = { "none", "positive", "negative", "full" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0)
			return say_of(o, "ack", json_string(value), err);
	return err_set(err, HF_ERR_ARGS, "--ack takes none, positive, negative or full, not \"%s\"", value);
}

static const struct {
	const char *name, *arg;
	int commands;
	set_fn *set;
	const char *help;
} table[] = {
	{ "data", "DIR", ALL, set_data, "the data folder; made when there is none" },
	{ "mqtt-port", "N", SERVE, set_mqtt_port, "port for MQTT over TLS; 8883, and 0 is any free one" },
	{ "amqp-port", "N", SERVE, set_amqp_port, "port for AMQP over TLS; 5671, and 0 is any free one" },
	{ "https-port", "N", SERVE, set_https_port, "port for HTTPS; 443, and 0 is any free one" },
	{ "bind", "ADDR", SERVE, set_bind,
	    "listen at this address; 127.0.0.1 and the addresses of the hubs" },
	{ "hub", "NAME", SERVE | C2D, set_hub, "a linked IoT Hub, may be repeated; 127.0.0.2 and 127.0.0.3" },
	{ "dps-name", "NAME", SERVE, set_dps_name, "one more name of DPS, may be repeated" },
	{ "nearest", "HUB", SERVE, set_nearest, "the hub of the lowest latency, for the policy geoLatency" },
	{ "webhook-trust", "FILE", SERVE, set_webhook_trust,
	    "CA certificates for allocation webhooks; the system's" },
	{ "policy", "NAME=RIGHTS", SERVE, set_policy,
	    "a shared access policy of DPS with these rights; may be repeated" },
	{ "retry-after", "SECONDS", SERVE, set_retry_after, "how long DPS tells a device to wait; 3" },
	{ "tls-max", "VERSION", SERVE, set_tls_max, "1.2 or 1.3" },
	{ "quiet", NULL, SERVE, set_quiet, "no log on standard error" },
	{ "json", NULL, ENV | EVENTS | DEVICES | C2D, set_json, "print JSON" },
	{ "follow", NULL, EVENTS, set_follow, "go on with what comes" },
	{ "device", "ID", EVENTS, set_device, "of this device alone" },
	{ "after", "SEQUENCE", EVENTS, set_after, "from behind this sequence number" },
	{ "property", "NAME=VALUE", C2D, set_property, "a property of the message, may be repeated" },
	{ "message-id", "ID", C2D, set_message_id, "the message's id" },
	{ "content-type", "TYPE", C2D, set_content_type, "the message's content type" },
	{ "ttl", "SECONDS", C2D, set_ttl, "how long it waits for the device; 3600, at most 172800" },
	{ "ack", "WHICH", C2D, set_ack, "the feedback that is wanted: none, positive, negative, full" },
};
#define OPTIONS (sizeof(table) / sizeof(table[0]))

static void
print_help(void)
{
	char left[40];

	puts("usage: holdfast-emulator --data DIR [options]           emulate DPS and IoT Hub\n"
	     "       holdfast-emulator --data DIR env [--json]        variables that lead a device here\n"
	     "       holdfast-emulator --data DIR events [--follow] [--device ID] [--after SEQUENCE]\n"
	     "       holdfast-emulator --data DIR devices [--json]    the hubs' devices\n"
	     "       holdfast-emulator --data DIR c2d DEVICE MESSAGE  a message to a device; - reads it\n");
	for (size_t i = 0; i < OPTIONS; i++) {
		str_fmt(left, sizeof(left), "--%s%s%s", table[i].name, table[i].arg ? " " : "",
		    table[i].arg ? table[i].arg : "");
		printf("  %-22s %s\n", left, table[i].help);
	}
}

static void
say(void *ctx, const char *line)
{
	char now[32];

	(void)ctx;
	clock_iso(clock_now().wall, now);
	fprintf(stderr, "%.19sZ %s\n", now, line);
}

static void
say_ready(const struct config *c)
{
	printf("ready: DPS and IoT Hub on %s, MQTT port %u, HTTPS port %u, ", c->bind, c->mqtt_port,
	    c->https_port);
	if (session_amqp_built())
		printf("AMQP port %u, ", c->amqp_port);
	printf("scope %s, data %s\n", c->scope, c->data);
	fflush(stdout);
}

/* As many connections as the system lets us have. */
static void
raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int
serve(struct options *o, struct hf_error *err)
{
	struct emulator e = { .conf = o->conf, .now = clock_now(), .log.fn = o->quiet ? NULL : say };
	STACK_OF(X509) *chain = NULL;
	struct tls_conf *tls = NULL;
	struct listen *l = NULL;
	EVP_PKEY *key = NULL;
	char path[CONFIG_PATH];
	int lock, r;

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	if ((r = config_open(&e.conf, &lock, err)) < 0)
		goto fail;
	config_path(&e.conf, "registry.db", path);
	if ((r = registry_open(&e.registry, path, err)) < 0 ||
	    (r = cert_open(&e.conf, e.now.wall, &chain, &key, err)) < 0 ||
	    (r = tls_conf_server(&tls, chain, key, e.conf.tls_max, err)) < 0)
		goto fail;
	tls_conf_resume(tls, TLS_SESSIONS, TLS_SECONDS);
	if ((r = listen_open(&l, &e, tls, err)) < 0)
		goto fail;
	if (!config_is_loopback(e.conf.bind))
		log_line(&e.log,
		    "warning: listening at %s, which others can reach; whoever has a key of this emulator can use it",
		    e.conf.bind);
	say_ready(&e.conf);
	r = listen_run(l, err);
fail:
	listen_close(l);
	webhook_close(&e);
	tls_conf_free(tls);
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	registry_close(e.registry);
	if (lock >= 0)
		close(lock);
	o->conf = e.conf;
	return r;
}

static int
print_line(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
	return fflush(stdout);
}

/* For the shell: within single quotes all but a single quote stands for itself. */
static int
print_exports(void *ctx, const char *line)
{
	struct hf_error err = { 0 };
	json_t *o = js_parse(line, strlen(line), "the emulator's answer", &err), *value;
	const char *name;

	(void)ctx;
	json_object_foreach(o, name, value)
	{
		printf("export %s='", name);
		for (const char *p = json_string_value(value); p && *p; p++)
			fputs(*p == '\'' ? "'\\''" : (char[]){ *p, '\0' }, stdout);
		puts("'");
	}
	json_decref(o);
	return 0;
}

static int
print_device(void *ctx, const char *line)
{
	struct hf_error err = { 0 };
	json_t *o = js_parse(line, strlen(line), "the emulator's answer", &err);

	(void)ctx;
	printf("%-24s %-24s %-10s %s\n", js_str(o, "hub", "?"), js_str(o, "deviceId", "?"),
	    js_str(o, "status", "?"), js_str(o, "authentication", "?"));
	json_decref(o);
	return 0;
}

static int
ask(struct options *o, const char *want, int (*print)(void *, const char *), struct hf_error *err)
{
	json_t *q = json_pack("{s:s,s:I,s:b,s:s*}", "want", want, "after", (json_int_t)o->after, "follow",
	    o->follow, "device", o->device);
	int r = q ? control_ask(&o->conf, q, o->json ? print_line : print, NULL, err) : err_memory(err);

	json_decref(q);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		return err_sys(err, HF_ERR_IO, "writing to standard output");
	return r;
}

static int
env(struct options *o, struct hf_error *err)
{
	return ask(o, "env", print_exports, err);
}

static int
events(struct options *o, struct hf_error *err)
{
	return ask(o, "events", print_line, err);
}

static int
devices(struct options *o, struct hf_error *err)
{
	return ask(o, "devices", print_device, err);
}

static int
print_sent(void *ctx, const char *line)
{
	struct hf_error err = { 0 };
	json_t *o = js_parse(line, strlen(line), "the emulator's answer", &err);

	(void)ctx;
	printf("hub %s keeps it for device %s\n", js_str(o, "hub", "?"), js_str(o, "deviceId", "?"));
	json_decref(o);
	return 0;
}

/* MESSAGE, or standard input for "-". */
static int
read_body(struct buf *body, const char *word, struct hf_error *err)
{
	uint8_t *room;
	size_t n;

	if (strcmp(word, "-") != 0)
		return buf_puts(body, word) < 0 ? err_memory(err) : 0;
	do {
		if ((room = buf_room(body, C2D_BYTES)) == NULL)
			return err_memory(err);
		n = fread(room, 1, C2D_BYTES, stdin);
		buf_add(body, n);
	} while (n > 0 && buf_size(body) <= C2D_BYTES);
	return ferror(stdin) ? err_sys(err, HF_ERR_IO, "reading the message from standard input") : 0;
}

static int
c2d(struct options *o, struct hf_error *err)
{
	struct buf body = { 0 }, text = { 0 };
	int r;

	if (o->count != 2)
		return err_set(
		    err, HF_ERR_ARGS, "c2d takes a device and a message (quote it): c2d DEVICE MESSAGE");
	if ((r = read_body(&body, o->words[1], err)) < 0)
		goto fail;
	if (buf_size(&body) > C2D_BYTES) {
		r = err_set(err, HF_ERR_ARGS, "the message is larger than a hub takes (%d bytes)", C2D_BYTES);
		goto fail;
	}
	if (b64_put(&text, buf_data(&body), buf_size(&body)) < 0 || buf_str(&text) == NULL) {
		r = err_memory(err);
		goto fail;
	}
	if ((r = say_of(o, "want", json_string("c2d"), err)) < 0 ||
	    (r = say_of(o, "device", json_string(o->words[0]), err)) < 0 ||
	    (r = say_of(o, "body", json_string(buf_str(&text)), err)) < 0)
		goto fail;
	if (o->conf.hubs > 0)
		(void)say_of(o, "hub", json_string(o->conf.hub[0]), err);
	if (o->properties != NULL)
		json_object_set(o->message, "properties", o->properties);
	r = control_ask(&o->conf, o->message, o->json ? print_line : print_sent, NULL, err);
fail:
	buf_free(&body);
	buf_free(&text);
	return r;
}

static const struct command {
	const char *name;
	int bit;
	int (*run)(struct options *, struct hf_error *);
} commands[] = { { "serve", SERVE, serve }, { "env", ENV, env }, { "events", EVENTS, events },
	{ "devices", DEVICES, devices }, { "c2d", C2D, c2d } };

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Sets options and answers which were given; the command's word is left at argv[optind]. */
static int
read_options(struct options *o, int argc, char **argv, int given[OPTIONS], struct hf_error *err)
{
	struct option list[OPTIONS + 3] = { 0 };
	int at, r;

	for (size_t i = 0; i < OPTIONS; i++)
		list[i] =
		    (struct option){ table[i].name, table[i].arg ? required_argument : no_argument, NULL, 1 };
	list[OPTIONS] = (struct option){ "help", no_argument, NULL, 'h' };
	list[OPTIONS + 1] = (struct option){ "version", no_argument, NULL, 'v' };
	while ((r = getopt_long(argc, argv, "h", list, &at)) != -1) {
		if (r == 'h') {
			print_help();
			exit(0);
		}
		if (r == 'v') {
			puts("holdfast-emulator " HF_VERSION);
			exit(0);
		}
		if (r != 1)
			return err_set(err, HF_ERR_ARGS, "holdfast-emulator --help tells the options");
		given[at] = 1;
		if ((r = table[at].set(o, optarg, err)) < 0)
			return r;
	}
	return 0;
}

static int
run(struct options *o, int argc, char **argv, struct hf_error *err)
{
	const struct command *c;
	int given[OPTIONS] = { 0 }, r;

	if ((r = read_options(o, argc, argv, given, err)) < 0)
		return r;
	c = find_command(optind < argc ? argv[optind] : "serve");
	o->words = argv + optind + 1;
	o->count = argc - optind - 1;
	if (c == NULL || (o->count > 0 && c->bit != C2D))
		return err_set(err, HF_ERR_ARGS,
		    "\"%s\" is not a command: there are serve, env, events, devices and c2d",
		    argv[c == NULL ? optind : optind + 1]);
	for (size_t i = 0; i < OPTIONS; i++)
		if (given[i] && !(table[i].commands & c->bit))
			return err_set(err, HF_ERR_ARGS, "%s has no option --%s", c->name, table[i].name);
	if (o->conf.data[0] == '\0')
		return err_set(err, HF_ERR_ARGS,
		    "--data DIR is missing: the folder in which the emulator keeps everything");
	return c->run(o, err);
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	struct hf_error err = { 0 };
	int r;

	config_init(&o.conf);
	r = run(&o, argc, argv, &err);
	if (r < 0)
		fprintf(stderr, "holdfast-emulator: %s\n", err.text);
	config_fini(&o.conf);
	json_decref(o.message);
	json_decref(o.properties);
	return -r;
}
