#define _GNU_SOURCE /* secure_getenv */
#include "stream/net_local.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/url.h"

#define DEFAULT_PORT 80

/* What stands before the last '@', escapes taken out. A name alone has an empty password. */
static int
user_get(struct proxy_at *p, const char *s, size_t n)
{
	struct buf b = { 0 };
	int r = url_get(&b, s, n);

	if (r == 0 && memchr(s, ':', n) == NULL)
		r = buf_putc(&b, ':');
	if (r == 0 && memchr(buf_data(&b), '\0', buf_size(&b)) != NULL)
		r = HF_ERR_ARGS;
	if (r == 0)
		r = buf_str(&b) == NULL ? HF_ERR_MEMORY : str_set(&p->user, buf_str(&b));
	buf_free(&b);
	return r;
}

/* http://[NAME:PASSWORD@]HOST[:PORT][/]; http:// may be left out. */
static int
address_get(struct proxy_at *p, const char *s)
{
	static const char http[] = "http";
	const char *scheme = strstr(s, "://"), *at;
	char place[300];
	size_t n;
	int r;

	if (scheme != NULL && !str_eqin(http, s, (size_t)(scheme - s)))
		return HF_ERR_ARGS;
	s = scheme == NULL ? s : scheme + 3;
	at = strrchr(s, '@');
	if (at != NULL && (r = user_get(p, s, (size_t)(at - s))) < 0)
		return r;
	s = at == NULL ? s : at + 1;
	n = strcspn(s, "/");
	if ((s[n] == '/' && s[n + 1] != '\0') || str_copy(place, sizeof place, s, n) < 0)
		return HF_ERR_ARGS;
	p->port = DEFAULT_PORT;
	if (str_host_port(place, p->host, sizeof p->host, &p->port) < 0 || p->port == 0)
		return HF_ERR_ARGS;
	return 0;
}

/* There may be a password in what cannot be read: it is not shown. `where`: what it stands in. */
static int
read_address(struct proxy_at *p, const char *text, const char *where, struct hf_error *err)
{
	int r = address_get(p, text);

	if (r == HF_ERR_MEMORY)
		return err_memory(err);
	if (r < 0)
		return err_set(err, r,
		    "%s is no proxy's address; write http://[NAME:PASSWORD@]HOST[:PORT], with %%40 for @ and so on in "
		    "NAME and PASSWORD (a proxy behind TLS or SOCKS cannot be used)",
		    where);
	return 0;
}

int
net_proxy_check(const char *proxy, struct hf_error *err)
{
	struct proxy_at p = { 0 };
	int r = proxy[0] == '\0' ? 0 : read_address(&p, proxy, "what is given as proxy", err);

	str_free(&p.user);
	return r;
}

static int
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return 0;
	return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* Is the host an address, and this its network, or itself? ADDRESS or ADDRESS/BITS. */
static int
in_network(const char *item, size_t n, const char *host)
{
	int family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	uint64_t width = family == AF_INET6 ? 128 : 32, bits = width;
	const char *slash = memchr(item, '/', n);
	uint8_t ours[16], theirs[16];
	char text[64];

	if (slash != NULL && str_u64(slash + 1, n - (size_t)(slash + 1 - item), width, &bits) < 0)
		return 0;
	if (str_copy(text, sizeof text, item, slash == NULL ? n : (size_t)(slash - item)) < 0)
		return 0;
	if (inet_pton(family, host, ours) != 1 || inet_pton(family, text, theirs) != 1)
		return 0;
	return same_bits(ours, theirs, (unsigned)bits);
}

/* Is it the host's name, or a domain above it? Dots at either end say nothing. */
static int
in_domain(const char *item, size_t n, const char *host)
{
	size_t len = strlen(host);
	char name[256];

	while (n > 0 && *item == '.')
		item++, n--;
	while (n > 0 && item[n - 1] == '.')
		n--;
	while (len > 0 && host[len - 1] == '.')
		len--;
	if (n == 0 || n > len || str_copy(name, sizeof name, item, n) < 0)
		return 0;
	return str_eqin(name, host + len - n, n) && (n == len || host[len - n - 1] == '.');
}

int
proxy_spares(const char *list, const char *host)
{
	size_t n;

	if (strcmp(list, "*") == 0)
		return 1;
	for (; *list != '\0'; list += n, list += strspn(list, ", ")) {
		n = strcspn(list, ", ");
		if (in_network(list, n, host) || in_domain(list, n, host))
			return 1;
	}
	return 0;
}

/* The small letters are looked at first, and what is empty is not there: as curl does. */
static const char *
environment(const char *small, const char *capital)
{
	const char *s = secure_getenv(small);

	if (s == NULL || *s == '\0')
		s = secure_getenv(capital);
	return s == NULL ? "" : s;
}

int
proxy_pick(const struct net *net, const char *host, struct proxy_at *p, struct hf_error *err)
{
	const char *address = net->proxy, *where = "what is given as proxy";

	*p = (struct proxy_at){ 0 };
	if (address == NULL) {
		address = environment("https_proxy", "HTTPS_PROXY");
		where = "what the environment has in HTTPS_PROXY";
		if (proxy_spares(environment("no_proxy", "NO_PROXY"), host))
			return 0;
	}
	if (*address == '\0')
		return 0;
	if (read_address(p, address, where, err) < 0)
		goto fail;
	if (net->proxy_user == NULL || str_set(&p->user, net->proxy_user) == 0)
		return 1;
	err_memory(err);
fail:
	str_free(&p->user);
	return err->code;
}
