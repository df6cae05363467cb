#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "amqp/sasl_tpm.h"

static uint8_t ek[316], srk[284], blob[2000];

static struct amqp_text
text(const struct buf *b)
{
	return (struct amqp_text){ (const char *)buf_data(b), buf_size(b) };
}

/* Says what `from` holds, and forgets it. */
static int
to_server(struct sasl_tpm *t, struct buf *from, struct buf *answer, struct hf_error *e)
{
	int r;

	buf_clear(answer);
	r = sasl_tpm_heard(t, text(from), answer, e);
	buf_clear(from);
	return r;
}

static void
converse(size_t n, int pieces)
{
	struct sasl_tpm client = { 0 }, server = { 0 };
	struct buf up = { 0 }, down = { 0 };
	struct hf_error e = { 0 };
	int r, seen = 0;

	assert_int_equal(sasl_tpm_put_init(&up, "0ne00000000", "dev-1", ek, sizeof(ek)), 0);
	assert_int_equal(to_server(&server, &up, &down, &e), 1);
	assert_int_equal(buf_size(&down), 1);
	assert_int_equal(sasl_tpm_challenged(&client, text(&down), srk, sizeof(srk), &up, &e), 1);
	assert_int_equal(to_server(&server, &up, &down, &e), 2);
	assert_string_equal(server.scope, "0ne00000000");
	assert_string_equal(server.id, "dev-1");
	assert_memory_equal(buf_data(&server.ek), ek, sizeof(ek));
	assert_int_equal(buf_size(&server.srk), sizeof(srk));
	assert_int_equal(buf_put(&server.blob, blob, n), 0);
	assert_int_equal(sasl_tpm_piece(&server, &down), 0);
	while ((r = sasl_tpm_challenged(&client, text(&down), srk, sizeof(srk), &up, &e)) == 1) {
		assert_in_range(buf_size(&down), 1, 471);
		seen++;
		assert_int_equal(to_server(&server, &up, &down, &e), 1);
	}
	assert_int_equal(r, 2);
	assert_int_equal(seen + 1, pieces);
	assert_int_equal(buf_size(&client.blob), n);
	assert_memory_equal(buf_data(&client.blob), blob, n);
	assert_int_equal(sasl_tpm_put_token(&up, "SharedAccessSignature sr=x"), 0);
	assert_int_equal(to_server(&server, &up, &down, &e), 3);
	assert_string_equal(server.token, "SharedAccessSignature sr=x");
	assert_int_equal(e.code, 0);
	sasl_tpm_fini(&client);
	sasl_tpm_fini(&server);
	buf_free(&up);
	buf_free(&down);
}

static void
whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(blob); i++)
		blob[i] = (uint8_t)(i * 31);
	converse(874, 2);
	converse(940, 2);
	converse(941, 3);
	converse(2000, 5);
	converse(1, 1);
}

/* The bytes that the SDKs send and expect. */
static void
bytes(void **state)
{
	struct sasl_tpm server = { 0 };
	struct buf down = { 0 };
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(sasl_tpm_heard(&server, (struct amqp_text){ "\0s\0r\0EK", 7 }, &down, &e), 1);
	assert_memory_equal(buf_data(&down), "\0", 1);
	buf_clear(&down);
	assert_int_equal(sasl_tpm_heard(&server, (struct amqp_text){ "\0SRK", 4 }, &down, &e), 2);
	assert_int_equal(buf_puts(&server.blob, "abcde"), 0);
	assert_int_equal(sasl_tpm_piece(&server, &down), 0);
	assert_memory_equal(buf_data(&down),
	    "\x80"
	    "abc",
	    4);
	buf_clear(&down);
	assert_int_equal(sasl_tpm_heard(&server, (struct amqp_text){ "\0", 1 }, &down, &e), 1);
	assert_memory_equal(buf_data(&down),
	    "\xC1"
	    "de",
	    3);
	sasl_tpm_fini(&server);
	buf_free(&down);
}

static void
server_refuses(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		const char *words;
	} first[] = { { "", 0, "does not begin" }, { "\1s\0r\0E", 6, "does not begin" },
		{ "\0", 1, "names no" }, { "\0s", 2, "names no" }, { "\0s\0r", 4, "names no" },
		{ "\0\0r\0E", 5, "names no" }, { "\0s\0r\0", 5, "no endorsement key" } };
	struct buf down = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		struct sasl_tpm server = { 0 };
		struct hf_error e = { 0 };

		assert_int_equal(
		    sasl_tpm_heard(&server, (struct amqp_text){ first[i].p, first[i].n }, &down, &e),
		    HF_ERR_PROTOCOL);
		assert_non_null(strstr(e.text, first[i].words));
		sasl_tpm_fini(&server);
	}
	buf_free(&down);
}

static void
client_refuses(void **state)
{
	struct sasl_tpm client = { 0 };
	struct buf up = { 0 };
	struct hf_error e = { 0 };

	(void)state;
	assert_int_equal(
	    sasl_tpm_challenged(&client, (struct amqp_text){ "\x80x", 2 }, srk, 1, &up, &e), HF_ERR_PROTOCOL);
	assert_non_null(strstr(e.text, "too early"));
	e = (struct hf_error){ 0 };
	assert_int_equal(sasl_tpm_challenged(&client, (struct amqp_text){ "\0", 1 }, srk, 1, &up, &e), 1);
	assert_int_equal(
	    sasl_tpm_challenged(&client, (struct amqp_text){ "\0", 1 }, srk, 1, &up, &e), HF_ERR_PROTOCOL);
	e = (struct hf_error){ 0 };
	assert_int_equal(
	    sasl_tpm_challenged(&client, (struct amqp_text){ "\x81x", 2 }, srk, 1, &up, &e), HF_ERR_PROTOCOL);
	assert_non_null(strstr(e.text, "missing"));
	e = (struct hf_error){ 0 };
	assert_int_equal(sasl_tpm_challenged(&client, (struct amqp_text){ "\xC0x", 2 }, srk, 1, &up, &e), 2);
	assert_int_equal(
	    sasl_tpm_challenged(&client, (struct amqp_text){ "\xC0x", 2 }, srk, 1, &up, &e), HF_ERR_PROTOCOL);
	sasl_tpm_fini(&client);
	buf_free(&up);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whole), cmocka_unit_test(bytes),
		cmocka_unit_test(server_refuses), cmocka_unit_test(client_refuses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
