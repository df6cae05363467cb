#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct place {
	char host[256]; /* "": any, or the same */
	uint16_t port;	/* 0: any, or the same */
};
struct rule {
	struct place from, to;
};

/* HOST:PORT, either of them may be empty; [V6]:PORT. */
static int
place_get(struct place *place, const char *s, size_t n)
{
	const char *end = s + n, *colon, *host_end;
	uint64_t port = 0;

	for (colon = end; colon > s && colon[-1] != ':'; colon--)
		;
	if (colon == s)
		return HF_ERR_ARGS;
	host_end = colon - 1;
	if (colon < end && (str_u64(colon, (size_t)(end - colon), UINT16_MAX, &port) < 0 || port == 0))
		return HF_ERR_ARGS;
	place->port = (uint16_t)port;
	if (host_end - s >= 2 && *s == '[' && host_end[-1] == ']')
		return str_copy(place->host, sizeof place->host, s + 1, (size_t)(host_end - s - 2));
	if (memchr(s, ':', (size_t)(host_end - s)) != NULL)
		return HF_ERR_ARGS;
	return str_copy(place->host, sizeof place->host, s, (size_t)(host_end - s));
}

/* The next rule of a map: 1, 0 at its end, HF_ERR_ARGS. */
static int
rule_next(const char **map, struct rule *rule)
{
	const char *s = *map;
	size_t n = strcspn(s, ","), left;
	const char *equals = memchr(s, '=', n);

	if (*s == '\0')
		return 0;
	*map = s[n] == ',' && s[n + 1] != '\0' ? s + n + 1 : s + n;
	if (equals == NULL)
		return HF_ERR_ARGS;
	left = (size_t)(equals - s);
	if (place_get(&rule->from, s, left) < 0 || place_get(&rule->to, equals + 1, n - left - 1) < 0)
		return HF_ERR_ARGS;
	return **map == ',' ? HF_ERR_ARGS : 1;
}

int
net_map_check(const char *map, struct hf_error *err)
{
	struct rule rule;
	const char *at = map;
	int r;

	do
		r = rule_next(&at, &rule);
	while (r > 0);
	if (r < 0 || *map == '\0')
		return err_set(
		    err, HF_ERR_ARGS, "'%s' is no connect map; write HOST:PORT=ADDR:PORT[,...]", map);
	return 0;
}

static int
fits(const struct place *place, const char *host, uint16_t port)
{
	if (place->host[0] != '\0' && !str_eqi(place->host, host))
		return 0;
	return place->port == 0 || place->port == port;
}

int
net_open(struct net *net, struct stream **out, const struct dial *to, struct work *work, struct hf_error *err)
{
	struct rule rule;
	const char *map = net->connect == NULL ? "" : net->connect, *addr = to->host;
	struct stream *tcp;
	int r;

	if (net->connect != NULL && net_map_check(net->connect, err) < 0)
		return err->code;
	while ((r = rule_next(&map, &rule)) > 0 && !fits(&rule.from, to->host, to->port))
		;
	if (r > 0 && rule.to.host[0] != '\0')
		addr = rule.to.host;
	if (tcp_connect(&tcp, work, addr, r > 0 && rule.to.port != 0 ? rule.to.port : to->port, err) < 0)
		return err->code;
	return tls_open(out, to->tls, tcp, to->host, work, err);
}
