/*
 * A proxy that is not ours, tinyproxy, between the library and the emulator, with and without names and passwords; and what it
 * says when it does not open a way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "emu.h"

#define HUB    "hub.example"
#define WAIT_S 20

static char dir[] = "/tmp/holdfast-proxy-XXXXXX";
static struct emu *emu;
static struct tls_conf *trust;
static int door[2]; /* MQTT, HTTPS */
static uint16_t port[2];
static pid_t proxy;
static uint16_t proxy_port;

static int
listen_here(uint16_t *where)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*where = ntohs(a.sin_port);
	return fd;
}

static int
setup(void **state)
{
	struct hf_error err = { 0 };

	(void)state;
	if (access("/usr/bin/tinyproxy", X_OK) < 0) {
		puts("skipped: there is no /usr/bin/tinyproxy");
		exit(77);
	}
	if (mkdtemp(dir) == NULL || (emu = emu_new(dir)) == NULL ||
	    tls_conf_client(&trust, emu->trust, NULL, NULL, &err) < 0)
		return -1;
	door[0] = listen_here(&port[0]);
	door[1] = listen_here(&port[1]);
	return 0;
}

static void
stop_proxy(void)
{
	if (proxy > 0) {
		kill(proxy, SIGTERM);
		waitpid(proxy, NULL, 0);
	}
	proxy = 0;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	stop_proxy();
	close(door[0]);
	close(door[1]);
	tls_conf_free(trust);
	emu_free(emu);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int
answers(uint16_t where)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(where)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	r = connect(fd, (struct sockaddr *)&a, sizeof(a));
	close(fd);
	return r == 0;
}

/* With these lines more. A port that was free a moment ago may be taken now: then it ends at once, and another is tried. */
static void
start_proxy(const char *lines)
{
	char path[100];
	FILE *f;

	stop_proxy();
	snprintf(path, sizeof(path), "%s/tinyproxy.conf", dir);
	for (int i = 0; i < 1000; i++, poll(NULL, 0, 10)) {
		if (proxy > 0 && answers(proxy_port))
			return;
		if (proxy > 0 && waitpid(proxy, NULL, WNOHANG) == 0)
			continue;
		close(listen_here(&proxy_port));
		f = fopen(path, "w");
		fprintf(f,
		    "Port %u\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogFile \"%s/proxy.log\"\n%s",
		    proxy_port, dir, lines);
		fclose(f);
		if ((proxy = fork()) == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			execl("/usr/bin/tinyproxy", "tinyproxy", "-d", "-c", path, (char *)NULL);
			_exit(127);
		}
		assert_true(proxy > 0);
	}
	fail_msg("tinyproxy does not start");
}

static void
answer_doors(void)
{
	struct hf_error err = { 0 };
	struct session *session;
	struct stream *s;
	int fd;

	for (int i = 0; i < 2; i++) {
		if ((fd = accept(door[i], NULL, NULL)) < 0)
			continue;
		assert_int_equal(tcp_from_fd(&s, fd, "a test", &err), 0);
		assert_int_equal(tls_open(&s, emu->tls, s, NULL, NULL, &err), 0);
		assert_int_equal(session_new(&session, &emu->e, i ? SESSION_HTTP : SESSION_MQTT, s, &err), 0);
	}
}

/* Says CONNECT to the hub: 1 when it was heard and answered, 0 when nothing came in `wait` seconds, or the error. */
static int
visit(const char *address, const char *user, const char *map, const char *ws, int wait, struct hf_error *err)
{
	char lead[100];
	struct net net = { net_open, lead, address, user };
	struct mqtt_text me = { "d1", 2 };
	struct mqtt_connect hello = { .client_id = me, .user = { HUB "/d1/", 15 }, .keep_alive = 60 };
	struct pump pump = { 0 };
	struct mqtt mqtt;
	struct mqtt_event ev;
	int64_t end = clock_now().ms + wait * 1000;
	int r;

	snprintf(lead, sizeof(lead), ":443=127.0.0.1:%u,:8883=127.0.0.1:%u", port[1], port[0]);
	if (map != NULL)
		snprintf(lead, sizeof(lead), "%s", map);
	*err = (struct hf_error){ 0 };
	mqtt_init(&mqtt, 0, 65536);
	assert_int_equal(mqtt_say_connect(&mqtt, &hello), 0);
	pump.engine = &mqtt.engine;
	r = net.open(
	    &net, &pump.stream, &(struct dial){ "127.0.0.2", ws ? 443 : 8883, trust, ws }, NULL, err);
	assert_int_equal(r, 0);
	while ((r = mqtt_next(&mqtt, &ev)) == 0 && clock_now().ms < end) {
		answer_doors();
		emu->now = clock_now();
		r = pump_step(&pump, emu->now.ms);
		if (r < 0)
			break;
		if (emu_turn(emu) == 0 && r == 0)
			poll(NULL, 0, 2);
	}
	if (r == 1)
		assert_int_equal(ev.type, MQTT_CONNACK);
	else
		*err = pump.err;
	pump_close(&pump);
	mqtt_fini(&mqtt);
	return r;
}

static const char *
address(const char *user)
{
	static char text[100];

	snprintf(text, sizeof(text), "http://%s127.0.0.1:%u", user, proxy_port);
	return text;
}

static int
logged(const char *words)
{
	char path[100], text[60000];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/proxy.log", dir);
	f = fopen(path, "r");
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return strstr(text, words) != NULL;
}

static void
without_a_password(void **state)
{
	struct hf_error err;
	char words[60];

	(void)state;
	start_proxy("Allow 127.0.0.1\n");
	assert_int_equal(visit(address(""), NULL, NULL, NULL, WAIT_S, &err), 1);
	assert_int_equal(visit(address(""), NULL, NULL, "mqtt", WAIT_S, &err), 1);
	snprintf(words, sizeof(words), "CONNECT 127.0.0.1:%u ", port[1]);
	assert_true(logged(words));
	snprintf(words, sizeof(words), "CONNECT 127.0.0.1:%u ", port[0]);
	assert_true(logged(words));
}

static void
with_a_password(void **state)
{
	struct hf_error err;

	(void)state;
	start_proxy("BasicAuth device hush-hush\n");
	assert_int_equal(visit(address(""), NULL, NULL, NULL, WAIT_S, &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "wants a name and a password (HTTP 407)"));
	assert_int_equal(visit(address("device:shush@"), NULL, NULL, NULL, WAIT_S, &err), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "does not take the name and the password"));
	assert_null(strstr(err.text, "shush"));
	assert_int_equal(visit(address("device:hush%2Dhush@"), NULL, NULL, NULL, WAIT_S, &err), 1);
	assert_int_equal(visit(address(""), "device:hush-hush", NULL, "mqtt", WAIT_S, &err), 1);
}

static void
a_way_that_is_shut(void **state)
{
	struct hf_error err;
	char map[60];
	uint16_t nobody;

	(void)state;
	start_proxy("ConnectPort 1\n");
	assert_int_equal(visit(address(""), NULL, NULL, NULL, WAIT_S, &err), HF_ERR_NET);
	assert_non_null(strstr(err.text, "the proxy 127.0.0.1:"));
	assert_non_null(strstr(err.text, "HTTP 403"));
	start_proxy("");
	close(listen_here(&nobody));
	snprintf(map, sizeof(map), ":=127.0.0.1:%u", nobody);
	assert_int_equal(visit(address(""), NULL, map, NULL, WAIT_S, &err), HF_ERR_NET);
	assert_non_null(strstr(err.text, "HTTP 500"));
	assert_non_null(strstr(err.text, "can it reach that host?"));
}

static void
a_proxy_that_is_not_there(void **state)
{
	char name[60];
	struct hf_error err;
	uint16_t where;
	int fd = listen_here(&where), taken;

	(void)state;
	stop_proxy();
	proxy_port = where;
	assert_int_equal(visit(address(""), NULL, NULL, NULL, 1, &err), 0); /* it says nothing */
	assert_int_equal(err.code, 0);
	taken = accept(fd, NULL, NULL);
	assert_true(taken >= 0);
	close(taken);
	close(fd);
	assert_int_equal(visit(address(""), NULL, NULL, NULL, WAIT_S, &err), HF_ERR_NET);
	snprintf(name, sizeof(name), "the proxy 127.0.0.1:%u: connect to ", where);
	assert_ptr_equal(strstr(err.text, name), err.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_password),
		cmocka_unit_test(with_a_password),
		cmocka_unit_test(a_way_that_is_shut),
		cmocka_unit_test(a_proxy_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
