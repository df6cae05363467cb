#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hub/hub_client.h"

static struct hf_error err;

static int
make(struct hub_message **m, const struct hf_message *f, uint64_t tag)
{
	err_clear(&err);
	*m = NULL;
	return hub_message_new(m, f, tag, &err);
}

static void
everything_is_copied(void **state)
{
	char body[] = "21.5", key[] = "site", value[] = "hall \"2\"", id[] = "m-1", type[] = "text/plain";
	struct hf_property p[] = { { key, value }, { "empty", "" }, { "none", NULL } };
	struct hf_message f = { .body = body,
		.len = 4,
		.properties = p,
		.property_count = 3,
		.message_id = id,
		.correlation_id = "c-1",
		.content_type = type,
		.content_encoding = "utf-8" };
	struct hub_message *m;

	(void)state;
	assert_int_equal(make(&m, &f, UINT64_MAX), 0);
	memset(body, 'x', sizeof body - 1);
	memset(key, 'x', sizeof key - 1);
	memset(value, 'x', sizeof value - 1);
	memset(id, 'x', sizeof id - 1);
	memset(type, 'x', sizeof type - 1);
	memset(p, 0, sizeof p);
	assert_true(m->tag == UINT64_MAX);
	assert_true(m->size >= sizeof *m + 3 * sizeof(struct hub_property) + 4);
	assert_int_equal(m->acked, 0);
	assert_int_equal(m->sent, 0);
	assert_int_equal(m->event.len, 4);
	assert_memory_equal(m->event.body, "21.5", 4);
	assert_int_equal(m->event.property_count, 3);
	assert_string_equal(m->event.property[0].key, "site");
	assert_string_equal(m->event.property[0].value, "hall \"2\"");
	assert_string_equal(m->event.property[1].value, "");
	assert_string_equal(m->event.property[2].key, "none");
	assert_string_equal(m->event.property[2].value, "");
	assert_string_equal(m->event.message_id, "m-1");
	assert_string_equal(m->event.correlation_id, "c-1");
	assert_string_equal(m->event.content_type, "text/plain");
	assert_string_equal(m->event.content_encoding, "utf-8");
	assert_null(m->event.user_id);
	assert_null(m->event.interface_id);
	free(m);
}

static void
nothing_is_a_message_too(void **state)
{
	struct hf_message f = { 0 };
	struct hub_message *m;

	(void)state;
	assert_int_equal(make(&m, &f, 0), 0);
	assert_int_equal(m->event.len, 0);
	assert_int_equal(m->event.property_count, 0);
	assert_null(m->event.message_id);
	free(m);
}

static void
a_property_has_a_name(void **state)
{
	struct hf_property p[] = { { "a", "1" }, { "", "2" } }, q[] = { { NULL, "1" } };
	struct hf_message f = { .properties = p, .property_count = 2 };
	struct hub_message *m;

	(void)state;
	assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
	assert_non_null(strstr(err.text, "property 2"));
	f.properties = q;
	f.property_count = 1;
	assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
}

static void
a_hub_takes_256_kib_all_told(void **state)
{
	char *body = calloc(1, HUB_MAX_EVENT + 1);
	struct hf_property p[] = { { "ab", "cd" } };
	struct hf_message f = { .body = body, .len = HUB_MAX_EVENT };
	struct hub_message *m;

	(void)state;
	assert_int_equal(make(&m, &f, 0), 0);
	free(m);
	f.len++;
	assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
	f.len = HUB_MAX_EVENT - 4;
	f.properties = p;
	f.property_count = 1;
	assert_int_equal(make(&m, &f, 0), 0);
	free(m);
	f.len++;
	assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
	f.len--;
	f.message_id = "m";
	assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
	free(body);
}

static void
so_many_properties_and_no_more(void **state)
{
	struct hf_property *p = calloc(1001, sizeof *p);
	struct hf_message f = { .properties = p, .property_count = 1000 };
	struct hub_message *m;

	(void)state;
	for (int i = 0; i < 1001; i++)
		p[i] = (struct hf_property){ "k", "v" };
	assert_int_equal(make(&m, &f, 0), 0);
	free(m);
	f.property_count++;
	assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
	free(p);
}

/* Properties travel percent-encoded in MQTT's topic, which ends at 65,535 bytes: what does not fit there is refused here,
 * and what is taken here can be said, whatever the device is called. */
static void
properties_fit_into_a_topic(void **state)
{
	char *value = calloc(1, 70000), device[129] = { 0 };
	struct hf_property p[] = { { "k", value } };
	struct hf_message f = { .properties = p, .property_count = 1 };
	struct mqtt mqtt;
	struct buf topic = { 0 };
	struct hub_message *m;
	size_t most = 0;

	(void)state;
	memset(device, 'd', 128);
	for (int encoded = 0; encoded < 2; encoded++) {
		memset(value, encoded ? '%' : 'v', 69999);
		for (size_t n = 100; n < 70000; n += 2999) {
			value[n] = '\0';
			if (make(&m, &f, 0) == 0) {
				most = n;
				buf_clear(&topic);
				mqtt_init(&mqtt, 0, 100000);
				assert_int_equal(hub_mqtt_put_topic(&topic, device, &m->event), 0);
				assert_true(mqtt_publish(&mqtt, &(struct mqtt_publish){ .qos = 1,
								    .topic = { (const char *)buf_data(&topic),
									buf_size(&topic) } }) > 0);
				mqtt_fini(&mqtt);
				free(m);
			} else {
				assert_int_equal(err.code, HF_ERR_ARGS);
				assert_non_null(strstr(err.text, "65535"));
			}
			value[n] = encoded ? '%' : 'v';
		}
		assert_in_range(most, encoded ? 18000 : 60000, encoded ? 21845 : 65535);
	}
	buf_free(&topic);
	free(value);
}

static void
properties_are_utf8(void **state)
{
	static const char *const bad[] = { "\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "x\x80y",
		"\xf5\x80\x80\x80" };
	struct hf_property p[] = { { "k", "gr\xc3\xb6\xc3\x9f"
					  "er \xe2\x82\xac \xf0\x9f\x94\x92" } };
	struct hf_message f = { .body = "\xff\x00", .len = 2, .properties = p, .property_count = 1 };
	struct hub_message *m;

	(void)state;
	assert_int_equal(make(&m, &f, 0), 0);
	free(m);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		p[0] = (struct hf_property){ "k", bad[i] };
		assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
		p[0] = (struct hf_property){ bad[i], "v" };
		assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
		p[0] = (struct hf_property){ "k", "v" };
		f.message_id = bad[i];
		assert_int_equal(make(&m, &f, 0), HF_ERR_ARGS);
		f.message_id = NULL;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_copied),
		cmocka_unit_test(nothing_is_a_message_too),
		cmocka_unit_test(a_property_has_a_name),
		cmocka_unit_test(a_hub_takes_256_kib_all_told),
		cmocka_unit_test(so_many_properties_and_no_more),
		cmocka_unit_test(properties_fit_into_a_topic),
		cmocka_unit_test(properties_are_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
