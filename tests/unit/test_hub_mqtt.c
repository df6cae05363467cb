#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "msg/hub.h"

static void
expect_text(struct mqtt_text t, const char *s)
{
	assert_int_equal(t.len, strlen(s));
	assert_memory_equal(t.p, s, t.len);
}

static void
says_who(void **state)
{
	struct hub_who w = { .host = "hub.example", .device = "d1" }, back;
	struct hf_error e = { 0 };
	struct mqtt_event ev;
	char token[] = "SharedAccessSignature sr=x";
	struct mqtt m;

	(void)state;
	mqtt_init(&m, 0, 65536);
	assert_int_equal(hub_mqtt_put_who(&m, &w, 240, 0), 0);
	assert_true(mqtt_get(buf_data(&m.engine.out), buf_size(&m.engine.out), 65536, &ev, &e) > 0);
	expect_text(ev.connect.client_id, "d1");
	expect_text(ev.connect.user, "hub.example/d1/?api-version=" HUB_API);
	assert_null(ev.connect.password.p);
	assert_int_equal(ev.connect.clean, 0);
	assert_int_equal(ev.connect.keep_alive, 240);
	mqtt_fini(&m);

	strcpy(w.module, "m1");
	strcpy(w.api, "2020-09-30");
	strcpy(w.agent, "holdfast/1 (a;b)");
	strcpy(w.model, "dtmi:com:example;1");
	w.token = token;
	mqtt_init(&m, 0, 65536);
	assert_int_equal(hub_mqtt_put_who(&m, &w, 240, 1), 0);
	assert_true(mqtt_get(buf_data(&m.engine.out), buf_size(&m.engine.out), 65536, &ev, &e) > 0);
	expect_text(ev.connect.client_id, "d1/m1");
	expect_text(ev.connect.user,
	    "hub.example/d1/m1/?api-version=2020-09-30&DeviceClientType=holdfast%2F1%20%28a%3Bb%29"
	    "&model-id=dtmi%3Acom%3Aexample%3B1");
	assert_int_equal(ev.connect.clean, 1);
	assert_int_equal(hub_mqtt_get_who(&ev.connect, &back, &e), 0);
	assert_string_equal(back.host, w.host);
	assert_string_equal(back.device, w.device);
	assert_string_equal(back.module, w.module);
	assert_string_equal(back.api, w.api);
	assert_string_equal(back.agent, w.agent);
	assert_string_equal(back.model, w.model);
	assert_string_equal(back.token, token);
	hub_who_fini(&back);
	mqtt_fini(&m);
}

/* Hears a username from a block of exactly its size. */
static int
hear_who(const char *client, const char *user, size_t n, struct hub_who *w)
{
	struct mqtt_connect c = { .client_id = { client, strlen(client) } };
	struct hf_error e = { 0 };
	char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, user, n);
	c.user = (struct mqtt_text){ copy, n };
	rc = hub_mqtt_get_who(&c, w, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	return rc;
}

static void
hears_every_client(void **state)
{
	static const struct {
		const char *client, *user, *module, *api, *agent, *model;
	} row[] = {
		{ "d1",
		    "hub/d1/?api-version=2020-09-30&DeviceClientType=iothubclient%2f1.15.0%20(native%3b%20Linux%3b%20x86_64)"
		    "&model-id=dtmi%3acom%3aexample%3aThermo%3b1",
		    "", "2020-09-30", "iothubclient/1.15.0 (native; Linux; x86_64)",
		    "dtmi:com:example:Thermo;1" },
		{ "d1",
		    "hub/d1/?api-version=2021-04-12&model-id=dtmi:com:example:Thermo;1&DeviceClientType=azure-iot-device%2F1",
		    "", "2021-04-12", "azure-iot-device/1", "dtmi:com:example:Thermo;1" },
		{ "d1", "hub/d1/?api-version=2019-10-01&DeviceClientType=py%2F2.14.0%28x%29", "",
		    "2019-10-01", "py/2.14.0(x)", "" },
		{ "d1/m1", "hub/d1/m1/?api-version=2020-09-30", "m1", "2020-09-30", "", "" },
		{ "d1", "hub/d1/api-version=2016-11-14&DeviceClientType=x", "", "2016-11-14", "x", "" },
		{ "d1", "hub/d1/", "", "", "", "" },
		{ "d1", "hub/d1", "", "", "", "" },
		{ "d1", "hub/d1/?", "", "", "", "" },
		{ "d1", "hub/d1/?DeviceClientType=100%&model-id=%00", "", "", "", "" },
		{ "d1?api-version=x", "hub/d1?api-version=x/?api-version=2021-04-12", "", "2021-04-12", "",
		    "" },
	};
	struct hub_who w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(hear_who(row[i].client, row[i].user, strlen(row[i].user), &w), 0);
		assert_string_equal(w.host, "hub");
		assert_memory_equal(w.device, "d1", 2);
		assert_string_equal(w.module, row[i].module);
		assert_string_equal(w.api, row[i].api);
		assert_string_equal(w.agent, row[i].agent);
		assert_string_equal(w.model, row[i].model);
		assert_null(w.token);
	}
}

static void
refuses_who(void **state)
{
	static const char *const bad[] = { "", "hub", "hub/", "/d1/?api-version=2021-04-12",
		"hub//?api-version=2021-04-12", "hub/d2/?api-version=2021-04-12",
		"hub/D1/?api-version=2021-04-12", "hub/d1/m1/?api-version=2021-04-12",
		"hub/d1/?api-version=latest", "hub/d1/?api-version",
		"0ne1/registrations/d1/api-version=2019-03-31" };
	static const char *const client[] = { "", "d1/", "/m1", "d1/m1/x" };
	static const char whole[] = "hub/d1/?api-version=2021-04-12";
	struct mqtt_connect c = { .client_id = { "d1", 2 } };
	struct hf_error e = { 0 };
	struct hub_who w;
	char user[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hear_who("d1", bad[i], strlen(bad[i]), &w), HF_ERR_PROTOCOL);
	for (i = 0; i < sizeof(client) / sizeof(client[0]); i++) {
		assert_int_equal(str_fmt(user, sizeof(user), "hub/%s/?api-version=2021-04-12", client[i]), 0);
		assert_int_equal(hear_who(client[i], user, strlen(user), &w), HF_ERR_PROTOCOL);
	}
	for (i = 0; i < strlen(whole); i++)
		(void)hear_who("d1", whole, i, &w);
	assert_int_equal(hub_mqtt_get_who(&c, &w, &e), HF_ERR_PROTOCOL);
	e = (struct hf_error){ 0 };
	c.user = (struct mqtt_text){ whole, strlen(whole) };
	c.password = (struct mqtt_text){ "a\0b", 3 };
	assert_int_equal(hub_mqtt_get_who(&c, &w, &e), HF_ERR_PROTOCOL);
}

static int
hear_event(const char *topic, size_t n, struct hub_event *ev)
{
	struct mqtt_publish p = { .body = "body", .len = 4, .qos = 1 };
	struct hf_error e = { 0 };
	char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, topic, n);
	p.topic = (struct mqtt_text){ copy, n };
	rc = hub_mqtt_get_event(&p, "d1", ev, &e);
	free(copy);
	assert_int_equal(e.code, rc);
	return rc;
}

static void
says_events(void **state)
{
	struct hub_event ev = { .body = "body", .len = 4 }, back;
	struct buf b = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(hub_mqtt_put_topic(&b, "d1", &ev), 0);
	assert_string_equal(buf_str(&b), "devices/d1/messages/events/");
	buf_clear(&b);
	assert_int_equal(str_set(&ev.message_id, "mid 1") | str_set(&ev.content_type, "application/json"), 0);
	assert_int_equal(hub_event_add(&ev, "a b", "c/d&e=f+g%\xc3\xa9"), 0);
	assert_int_equal(hub_event_add(&ev, "empty", NULL), 0);
	assert_int_equal(hub_mqtt_put_topic(&b, "d1", &ev), 0);
	assert_string_equal(buf_str(&b),
	    "devices/d1/messages/events/%24.mid=mid%201&%24.ct=application%2Fjson&"
	    "a%20b=c%2Fd%26e%3Df%2Bg%25%C3%A9&empty=");
	assert_int_equal(hear_event((const char *)buf_data(&b), buf_size(&b), &back), 0);
	assert_memory_equal(back.body, "body", 4);
	assert_int_equal(back.len, 4);
	assert_string_equal(back.message_id, "mid 1");
	assert_string_equal(back.content_type, "application/json");
	assert_null(back.correlation_id);
	assert_int_equal(back.property_count, 2);
	assert_string_equal(back.property[0].key, "a b");
	assert_string_equal(back.property[0].value, "c/d&e=f+g%\xc3\xa9");
	assert_string_equal(back.property[1].value, "");
	hub_event_fini(&back);
	hub_event_fini(&ev);
	for (i = 0; i < HUB_SYSTEM; i++)
		assert_null(*hub_event_system(&ev, i));
	buf_free(&b);
}

/* Each system property goes to its own place and comes back from it. */
static void
system_properties(void **state)
{
	static const char all[] =
	    "devices/d1/messages/events/%24.mid=0&%24.cid=1&%24.uid=2&%24.to=3&%24.exp=4&%24.ct=5&"
	    "%24.ce=6&%24.ctime=7&%24.on=8&%24.sub=9&%24.ifid=10";
	struct hub_event ev;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(hear_event(all, strlen(all), &ev), 0);
	assert_string_equal(ev.message_id, "0");
	assert_string_equal(ev.correlation_id, "1");
	assert_string_equal(ev.user_id, "2");
	assert_string_equal(ev.to, "3");
	assert_string_equal(ev.expiry, "4");
	assert_string_equal(ev.content_type, "5");
	assert_string_equal(ev.content_encoding, "6");
	assert_string_equal(ev.creation_time, "7");
	assert_string_equal(ev.output_name, "8");
	assert_string_equal(ev.component, "9");
	assert_string_equal(ev.interface_id, "10");
	assert_int_equal(ev.property_count, 0);
	assert_int_equal(hub_event_size(&ev), 4 + 12);
	assert_int_equal(hub_mqtt_put_topic(&b, "d1", &ev), 0);
	assert_string_equal(buf_str(&b), all);
	hub_event_fini(&ev);
	buf_free(&b);
}

static void
hears_every_bag(void **state)
{
	static const struct {
		const char *bag, *mid, *key, *value;
		size_t count, size;
	} row[] = {
		{ "", NULL, NULL, NULL, 0, 4 },
		{ "/", NULL, NULL, NULL, 0, 4 },
		{ "/a=b/", NULL, "a", "b", 1, 6 },
		{ "/$.mid=m&a=b", "m", "a", "b", 1, 7 },
		{ "/path=/x/y&%24.mid=m", "m", "path", "/x/y", 1, 13 },
		{ "/a+b=c+d", NULL, "a+b", "c+d", 1, 10 },
		{ "/load=100%&a=b", NULL, "load", "100%", 2, 14 },
		{ "/key", NULL, "key", "", 1, 7 },
		{ "/key=", NULL, "key", "", 1, 7 },
		{ "/a=b=c", NULL, "a", "b=c", 1, 8 },
		{ "/&&a=1&&=x&a=2", NULL, "a", "1", 2, 8 },
		{ "/%24.mid=m&%24.mid=n", "n", NULL, NULL, 0, 5 },
		{ "/%24.diagid=q", NULL, "$.diagid", "q", 1, 13 },
	};
	struct hub_event ev;
	char topic[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(
		    str_fmt(topic, sizeof(topic), "devices/d1/messages/events%s", row[i].bag), 0);
		assert_int_equal(hear_event(topic, strlen(topic), &ev), 0);
		assert_int_equal(ev.message_id == NULL, row[i].mid == NULL);
		if (row[i].mid != NULL)
			assert_string_equal(ev.message_id, row[i].mid);
		assert_int_equal(ev.property_count, row[i].count);
		if (row[i].key != NULL) {
			assert_string_equal(ev.property[0].key, row[i].key);
			assert_string_equal(ev.property[0].value, row[i].value);
		}
		assert_int_equal(hub_event_size(&ev), row[i].size);
		hub_event_fini(&ev);
	}
}

static void
refuses_events(void **state)
{
	static const char *const bad[] = { "", "devices", "devices/d2/messages/events/",
		"devices/d1/messages/eventsx", "devices/d1/messages/devicebound/",
		"devices/d1/modules/m/messages/events/", "devices/d11/messages/events/",
		"devices/d1/messages/events/a=%00", "devices/d1/messages/events/a=%ff",
		"devices/d1/messages/events/%c3=1", "devices/d1/messages/events/a=%c0%80",
		"devices/d1/messages/events/a=%ed%a0%80", "devices/d1/messages/events/a=%e2%82",
		"devices/d1/messages/events/a=%f4%90%80%80", "devices/d1/messages/events/a=%80",
		"devices/d1/messages/events/a=%f8%80%80%80" };
	static const char good[] = "devices/d1/messages/events/a=%e2%82%ac%f0%9f%98%80%c3%a9";
	struct hub_event ev;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hear_event(bad[i], strlen(bad[i]), &ev), HF_ERR_PROTOCOL);
		assert_null(ev.property);
	}
	assert_int_equal(hear_event(good, strlen(good), &ev), 0);
	assert_string_equal(ev.property[0].value, "\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9");
	hub_event_fini(&ev);
	for (i = 0; i < strlen(good); i++) {
		if (hear_event(good, i, &ev) == 0)
			hub_event_fini(&ev);
	}
}

static void
many_properties(void **state)
{
	struct hub_event ev = { 0 }, back;
	struct buf b = { 0 };
	char key[16];
	int i;

	(void)state;
	assert_int_equal(hub_event_add(&ev, "", "x"), HF_ERR_ARGS);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(str_fmt(key, sizeof(key), "k%d", i), 0);
		assert_int_equal(hub_event_add(&ev, key, "v"), 0);
	}
	assert_int_equal(hub_mqtt_put_topic(&b, "d1", &ev), 0);
	assert_int_equal(hear_event((const char *)buf_data(&b), buf_size(&b), &back), 0);
	assert_int_equal(back.property_count, 1000);
	for (i = 0; i < 1000; i++)
		assert_string_equal(back.property[i].key, ev.property[i].key);
	assert_int_equal(hub_event_size(&back), hub_event_size(&ev) + 4);
	hub_event_fini(&ev);
	hub_event_fini(&back);
	buf_free(&b);
}

static int
hear_c2d(const char *topic, const char *device, struct hub_c2d *c2d)
{
	struct mqtt_publish p = { .topic = { topic, strlen(topic) }, .body = (const uint8_t *)"x", .len = 1 };
	struct hf_error e = { 0 };

	return hub_mqtt_get_c2d(&p, device, c2d, &e);
}

static void
c2d_messages(void **state)
{
	struct hub_c2d c2d = { .ack = "full" }, back;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(hub_mqtt_put_filter(&b, "d 1"), 0);
	assert_string_equal(buf_str(&b), "devices/d 1/messages/devicebound/#");
	buf_clear(&b);
	assert_int_equal(str_set(&c2d.message.message_id, "m1"), 0);
	assert_int_equal(str_set(&c2d.message.to, "/devices/d 1/messages/devicebound"), 0);
	assert_int_equal(hub_event_add(&c2d.message, "line", "seven &"), 0);
	assert_int_equal(hub_mqtt_put_c2d(&b, "d 1", &c2d), 0);
	assert_string_equal(buf_str(&b),
	    "devices/d 1/messages/devicebound/%24.mid=m1&%24.to=%2Fdevices%2Fd%201%2Fmessages%2Fdevicebound"
	    "&line=seven%20%26&iothub-ack=full");
	assert_int_equal(hear_c2d(buf_str(&b), "d 1", &back), 0);
	assert_string_equal(back.message.message_id, "m1");
	assert_string_equal(back.message.to, c2d.message.to);
	assert_string_equal(back.ack, "full");
	assert_int_equal(back.message.property_count, 1);
	assert_string_equal(back.message.property[0].value, "seven &");
	assert_int_equal(back.message.len, 1);
	hub_c2d_fini(&back);
	hub_c2d_fini(&c2d);
	buf_free(&b);
}

static void
refuses_c2d(void **state)
{
	struct hub_c2d c2d;

	(void)state;
	assert_int_equal(hear_c2d("devices/d2/messages/devicebound/", "d1", &c2d), HF_ERR_PROTOCOL);
	assert_int_equal(hear_c2d("devices/d1/messages/events/", "d1", &c2d), HF_ERR_PROTOCOL);
	assert_int_equal(hear_c2d("devices/d1/messages/devicebound/a=%ff", "d1", &c2d), HF_ERR_PROTOCOL);
	assert_int_equal(hear_c2d("devices/d1/messages/devicebound/iothub-ack=far-too-long", "d1", &c2d), 0);
	assert_string_equal(c2d.ack, "");
	hub_c2d_fini(&c2d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_who),
		cmocka_unit_test(hears_every_client),
		cmocka_unit_test(refuses_who),
		cmocka_unit_test(says_events),
		cmocka_unit_test(system_properties),
		cmocka_unit_test(hears_every_bag),
		cmocka_unit_test(refuses_events),
		cmocka_unit_test(many_properties),
		cmocka_unit_test(c2d_messages),
		cmocka_unit_test(refuses_c2d),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
