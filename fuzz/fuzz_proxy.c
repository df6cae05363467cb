/*
 * What a proxy answers to CONNECT, and what comes behind it. The first byte: credentials were sent (1), the peer does not end
 * behind its last byte (2), the rest of the bits choose among the proxy's addresses and NO_PROXY lists that are read from the rest
 * too (4, 8). An answer comes whole, and again in pieces: the same must be heard and said.
 */
#include "base/str.h"
#include "stream/net_local.h"
#include "tape.h"

#define SECRET "hush-hush"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Unless the peer said it itself. */
static int
shows_secret(const char *sentence, const uint8_t *p, size_t n)
{
	static const char secret[] = SECRET;

	for (; n >= sizeof secret - 1; p++, n--)
		if (memcmp(p, secret, sizeof secret - 1) == 0)
			return 0;
	return strstr(sentence, secret) != NULL;
}

static void
run(const uint8_t *p, size_t n, unsigned how, int pieces, struct buf *story)
{
	struct buf said = { 0 };
	struct tape *t = tape_new(p, n, pieces, how >> 1 & 1, &said);
	struct hf_error err = { 0 };
	struct stream *s;

	must(proxy_open(&s, &t->s, "proxy:3128", how & 1 ? "name:" SECRET : NULL, "hub.example", 443, &err) ==
	     0);
	tape_hear(s, t, story);
	must(!shows_secret(s->err.text, p, n));
	tape_end(s, t, story);
}

/* An address that is taken has a host and a port, and its password stands in no sentence. */
static void
read_address(char *text)
{
	struct net net = { .proxy = text };
	struct hf_error err = { 0 };
	struct proxy_at at;
	int r = proxy_pick(&net, "hub.example", &at, &err);

	must(r == (net_proxy_check(text, &(struct hf_error){ 0 }) < 0 ? HF_ERR_ARGS : *text != '\0'));
	must(r <= 0 || (at.host[0] != '\0' && at.port != 0));
	must(r <= 0 || at.user == NULL || strchr(at.user, ':') != NULL);
	must(r < 0 || err.code == 0);
	str_free(&at.user);
}

/* A list of hosts, behind the host: what a list spares, it spares with more in it. */
static void
read_list(char *text)
{
	char *list = strchr(text, ' '), longer[300];

	if (list == NULL)
		return;
	*list++ = '\0';
	if (strcmp(list, "*") == 0 || str_fmt(longer, sizeof longer, "first.example,%s", list) < 0)
		return;
	must(!proxy_spares(list, text) || proxy_spares(longer, text));
}

static void
read_text(const uint8_t *p, size_t n, void (*read)(char *))
{
	char text[600];

	if (str_copy(text, sizeof text, p, n) == 0)
		read(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole = { 0 }, pieces = { 0 };

	if (n == 0)
		return 0;
	if (p[0] & 4)
		read_text(p + 1, n - 1, read_address);
	if (p[0] & 8)
		read_text(p + 1, n - 1, read_list);
	run(p + 1, n - 1, p[0], 0, &whole);
	run(p + 1, n - 1, p[0], 1, &pieces);
	must(buf_size(&whole) == buf_size(&pieces));
	must(memcmp(buf_data(&whole), buf_data(&pieces), buf_size(&whole)) == 0);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
