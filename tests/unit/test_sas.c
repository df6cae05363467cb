#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/b64.h"
#include "base/url.h"
#include "msg/sas.h"

#define RESOURCE "0ne00000000/registrations/dev1"
#define VECTOR                                                                                                               \
	"SharedAccessSignature sr=0ne00000000%2Fregistrations%2Fdev1&sig=9YSyu12%2BHsWmpOoQ8zVNqjmFImyrpHsS%2Fm3Mg58RyD4%3D" \
	"&se=1700000000&skn=registration"

static uint8_t key[32];

static int
setup(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x60 + i);
	return 0;
}

/* Hears from a block of exactly n bytes, so that a read behind its end is seen. */
static int
hear(struct sas *s, const char *token, size_t n)
{
	struct hf_error e = { 0 };
	char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	memcpy(copy, token, n);
	rc = sas_get(s, copy, n, &e);
	free(copy);
	if (rc < 0) {
		assert_int_equal(rc, HF_ERR_PROTOCOL);
		assert_int_equal(e.code, rc);
		assert_true(e.text[0] != '\0');
		assert_null(strstr(e.text, "9YSyu12"));
	}
	return rc;
}

static void
says_the_vector(void **state)
{
	struct buf text = { 0 }, token = { 0 };
	uint8_t mac[32];

	(void)state;
	assert_int_equal(sas_put_text(&text, RESOURCE, 1700000000), 0);
	assert_string_equal(buf_str(&text), "0ne00000000%2Fregistrations%2Fdev1\n1700000000");
	assert_int_equal(sas_hmac(key, sizeof(key), buf_data(&text), buf_size(&text), mac), 0);
	assert_int_equal(sas_put(&token, RESOURCE, 1700000000, mac, "registration"), 0);
	assert_string_equal(buf_str(&token), VECTOR);
	buf_clear(&token);
	assert_int_equal(sas_put(&token, RESOURCE, 1700000000, mac, NULL), 0);
	assert_null(strstr(buf_str(&token), "skn"));
	buf_free(&text);
	buf_free(&token);
}

static void
hears_the_vector(void **state)
{
	struct sas s;
	uint8_t other[32];

	(void)state;
	assert_int_equal(hear(&s, VECTOR, strlen(VECTOR)), 0);
	assert_string_equal(s.resource, RESOURCE);
	assert_string_equal(s.skn, "registration");
	assert_int_equal(s.expiry, 1700000000);
	assert_int_equal(sas_signed_by(&s, key, sizeof(key)), 1);
	memcpy(other, key, sizeof(other));
	other[31] ^= 1;
	assert_int_equal(sas_signed_by(&s, other, sizeof(other)), 0);
	assert_int_equal(sas_signed_by(&s, key, 31), 0);
	assert_int_equal(sas_signed_by(&s, key, 0), 0);
	s.mac[0] ^= 0x80;
	assert_int_equal(sas_signed_by(&s, key, sizeof(key)), 0);
	sas_fini(&s);
}

/* Clients differ in order, encoding and letter case; each signs the text of sr as it wrote it. */
static void
hears_every_client(void **state)
{
	static const struct {
		const char *before, *sr, *between, *se, *after, *resource, *skn;
		int64_t expiry;
	} row[] = {
		{ "SharedAccessSignature sr=", "0ne1%2fregistrations%2fd", "&SIG&se=", "1700000000",
		    "&skn=registration", "0ne1/registrations/d", "registration", 1700000000 },
		{ "SharedAccessSignature sr=", "0ne1/registrations/d", "&SIG&skn=registration&se=",
		    "1700000000", "", "0ne1/registrations/d", "registration", 1700000000 },
		{ "SharedAccessSignature sr=", "0ne1%2Fregistrations%2Fd", "&SIG&se=", "1700000000", "",
		    "0ne1/registrations/d", "", 1700000000 },
		{ "sharedaccesssignature sr=", "hub.example/devices/d", "&SIG&se=", "1700000000",
		    "&skn=", "hub.example/devices/d", "", 1700000000 },
		{ "sr=", "hub.example", "&SIG&se=", "1700000000123", "&unknown=1&skn=service", "hub.example",
		    "service", 1700000000 },
		{ "SharedAccessSignature SIG&skn=a%20b&sr=", "localhost%3A8883%2Fdevices%2Fd",
		    "&se=", "4102444800", "", "localhost:8883/devices/d", "a b", 4102444800 },
	};
	struct buf text = { 0 }, sig = { 0 }, token = { 0 };
	const char *mark;
	uint8_t mac[32];
	struct sas s;
	size_t i;
	char shape[300];

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		buf_clear(&text);
		buf_clear(&sig);
		buf_clear(&token);
		assert_int_equal(buf_fmt(&text, "%s\n%s", row[i].sr, row[i].se), 0);
		assert_int_equal(sas_hmac(key, sizeof(key), buf_data(&text), buf_size(&text), mac), 0);
		assert_int_equal(b64_put(&sig, mac, sizeof(mac)), 0);
		snprintf(shape, sizeof(shape), "%s%s%s%s%s", row[i].before, row[i].sr, row[i].between,
		    row[i].se, row[i].after);
		mark = strstr(shape, "SIG&");
		assert_non_null(mark);
		assert_int_equal(buf_put(&token, shape, (size_t)(mark - shape)), 0);
		assert_int_equal(buf_puts(&token, "sig="), 0);
		if (i % 2 == 0)
			assert_int_equal(url_put(&token, (const char *)buf_data(&sig), buf_size(&sig)), 0);
		else
			assert_int_equal(buf_put(&token, buf_data(&sig), buf_size(&sig)), 0);
		assert_int_equal(buf_puts(&token, mark + 3), 0);
		assert_int_equal(hear(&s, (const char *)buf_data(&token), buf_size(&token)), 0);
		assert_string_equal(s.resource, row[i].resource);
		assert_string_equal(s.skn, row[i].skn);
		assert_int_equal(s.expiry, row[i].expiry);
		assert_int_equal(sas_signed_by(&s, key, sizeof(key)), 1);
		sas_fini(&s);
	}
	buf_free(&text);
	buf_free(&sig);
	buf_free(&token);
}

static void
refuses(void **state)
{
	static const char sig[] = "9YSyu12%2BHsWmpOoQ8zVNqjmFImyrpHsS%2Fm3Mg58RyD4%3D";
	static const char *const bad[] = { "", "SharedAccessSignature ", "sr=a&se=1", "sig=x&se=1",
		"sr=a&sig=SIG", "sr=&sig=SIG&se=1", "sr=a&sig=&se=1",
		"sr=a&sig=SIG&se=", "sr=a&sig=SIG&se=-1", "sr=a&sig=SIG&se=1x",
		"sr=a&sig=SIG&se=99999999999999999999", "sr=a&sr=a&sig=SIG&se=1", "sr=a&sig=SIG&se=1&se=2",
		"sr=a%2&sig=SIG&se=1", "sr=a%00b&sig=SIG&se=1", "sr=a&sig=AAAA&se=1", "sr=a&sig=SIGAAAA&se=1",
		"sr=a&sig=%%%&se=1", "sr=a&sig=SIG&se=1&skn=%zz", "Bearer x" };
	struct buf b = { 0 };
	struct sas s;
	const char *mark;
	char *wide;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_clear(&b);
		mark = strstr(bad[i], "SIG");
		if (mark == NULL)
			assert_int_equal(buf_puts(&b, bad[i]), 0);
		else
			assert_int_equal(
			    buf_fmt(&b, "%.*s%s%s", (int)(mark - bad[i]), bad[i], sig, mark + 3), 0);
		assert_int_equal(hear(&s, buf_str(&b), buf_size(&b)), HF_ERR_PROTOCOL);
	}
	wide = malloc(513);
	memset(wide, 'r', 512);
	wide[512] = '\0';
	buf_clear(&b);
	assert_int_equal(buf_fmt(&b, "sr=%s&sig=%s&se=1", wide, sig), 0);
	assert_int_equal(hear(&s, buf_str(&b), buf_size(&b)), HF_ERR_PROTOCOL);
	free(wide);
	buf_free(&b);
}

/* A token cut anywhere is refused, or is not signed. */
static void
cut_short(void **state)
{
	size_t n = strlen(VECTOR), whole = (size_t)(strstr(VECTOR, "&skn") - VECTOR), i;
	struct sas s;

	(void)state;
	for (i = 0; i < n; i++) {
		if (hear(&s, VECTOR, i) < 0) {
			assert_true(i < whole);
			continue;
		}
		assert_int_equal(sas_signed_by(&s, key, sizeof(key)), i >= whole);
		sas_fini(&s);
	}
}

static void
derives_the_group_vector(void **state)
{
	static const char group[] =
	    "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==";
	struct buf raw = { 0 }, text = { 0 };
	uint8_t device[32];

	(void)state;
	assert_int_equal(b64_get(&raw, group, strlen(group)), 0);
	assert_int_equal(
	    sas_derive(buf_data(&raw), buf_size(&raw), "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6", device), 0);
	assert_int_equal(b64_put(&text, device, sizeof(device)), 0);
	assert_string_equal(buf_str(&text), "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=");
	buf_free(&raw);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_the_vector),
		cmocka_unit_test(hears_the_vector),
		cmocka_unit_test(hears_every_client),
		cmocka_unit_test(refuses),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(derives_the_group_vector),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
