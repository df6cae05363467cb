/*
 * WebSocket, both chairs. The first byte chooses the chair (1) and whether the peer ends behind its last byte (2); the rest is what
 * the peer sends, for a client with the answer to its handshake in front. It comes whole, and again in pieces: the same must be
 * heard and said. Random bytes are zeros (CMakeLists.txt), so that an answer can be right.
 */
#include <openssl/rand.h>
#include "tape.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int __wrap_RAND_bytes(unsigned char *, int);

int
__wrap_RAND_bytes(unsigned char *dst, int n)
{
	memset(dst, 0, (size_t)n);
	return 1;
}

static struct stream *
open_ws(struct stream *under, int server)
{
	struct buf head = { 0 }, rest = { 0 };
	struct hf_error err = { 0 };
	struct stream *s = NULL;

	if (!server) {
		must(ws_connect(&s, under, "hub.example", WS_PATH, "mqtt", &err) == 0);
		return s;
	}
	must(buf_puts(&head, "HTTP/1.1 101 Switching Protocols\r\n\r\n") == 0);
	must(ws_accept(&s, under, &head, &rest, &err) == 0);
	return s;
}

static void
run(const uint8_t *p, size_t n, unsigned how, int pieces, struct buf *story)
{
	struct buf said = { 0 };
	struct tape *t = tape_new(p, n, pieces, how >> 1 & 1, &said);
	struct stream *s = open_ws(&t->s, how & 1);

	tape_hear(s, t, story);
	tape_end(s, t, story);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole = { 0 }, pieces = { 0 };

	if (n == 0)
		return 0;
	run(p + 1, n - 1, p[0], 0, &whole);
	run(p + 1, n - 1, p[0], 1, &pieces);
	must(buf_size(&whole) == buf_size(&pieces));
	must(memcmp(buf_data(&whole), buf_data(&pieces), buf_size(&whole)) == 0);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
