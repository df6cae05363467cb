#include "stream/net_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define HTTPS_PORT 443

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

/* Where a connection for this host and port has to go. */
static int
aim(const struct net *net, const struct dial *to, struct place *at, struct hf_error *err)
{
	const char *map = net->connect == NULL ? "" : net->connect;
	struct rule rule = { 0 };
	int r;

	if (net->connect != NULL && net_map_check(net->connect, err) < 0)
		return err->code;
	while ((r = rule_next(&map, &rule)) > 0 && !fits(&rule.from, to->host, to->port))
		;
	*at = r > 0 ? rule.to : (struct place){ 0 };
	at->port = at->port != 0 ? at->port : to->port;
	if (at->host[0] == '\0' && str_fmt(at->host, sizeof at->host, "%s", to->host) < 0)
		return err_set(err, HF_ERR_ARGS, "'%.300s' cannot be a host's name", to->host);
	return 0;
}

static int
open_through(struct stream **out, const struct proxy_at *proxy, const struct place *at, struct work *work,
    struct hf_error *err)
{
	char name[280];

	str_fmt(name, sizeof name, strchr(proxy->host, ':') != NULL ? "[%s]:%u" : "%s:%u", proxy->host,
	    proxy->port);
	if (tcp_connect(out, work, proxy->host, proxy->port, err) < 0)
		return err->code;
	return proxy_open(out, *out, name, proxy->user, at->host, at->port, err);
}

/* TCP, through a proxy where one is wanted. */
static int
open_way(struct stream **out, const struct net *net, const struct dial *to, struct work *work,
    struct hf_error *err)
{
	struct proxy_at proxy;
	struct place at;
	int r;

	if (aim(net, to, &at, err) < 0 || (r = proxy_pick(net, to->host, &proxy, err)) < 0)
		return err->code;
	if (r == 0)
		return tcp_connect(out, work, at.host, at.port, err);
	r = open_through(out, &proxy, &at, work, err);
	str_free(&proxy.user);
	return r;
}

static int
open_ws(struct stream **out, struct stream *under, const struct dial *to, struct hf_error *err)
{
	char host[280], port[8] = "";

	if (to->port != HTTPS_PORT)
		str_fmt(port, sizeof port, ":%u", to->port);
	str_fmt(host, sizeof host, strchr(to->host, ':') != NULL ? "[%s]%s" : "%s%s", to->host, port);
	return ws_connect(out, under, host, WS_PATH, to->ws, err);
}

int
net_open(struct net *net, struct stream **out, const struct dial *to, struct work *work, struct hf_error *err)
{
	struct stream *s;

	if (open_way(&s, net, to, work, err) < 0 || tls_open(&s, to->tls, s, to->host, work, err) < 0)
		return err->code;
	if (to->ws != NULL && open_ws(&s, s, to, err) < 0)
		return err->code;
	*out = s;
	return 0;
}
