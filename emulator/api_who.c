#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include "api.h"
#include "base/str.h"
#include "msg/sas.h"

/* Ours is the name before the first slash; the port behind it does not matter. */
static int
is_own_name(const struct config *conf, const char *resource)
{
	char text[512], host[256];
	uint16_t port;
	size_t i;

	if (str_copy(text, sizeof text, resource, strcspn(resource, "/")) < 0 ||
	    str_host_port(text, host, sizeof host, &port) < 0)
		return 0;
	for (i = 0; i < conf->dps_names; i++) {
		if (str_eqi(conf->dps_name[i], host))
			return 1;
	}
	return 0;
}

/* What stands behind the name limits the token to the paths below it, segment by segment. */
static int
covers(const char *resource, const char *target)
{
	const char *prefix = strchr(resource, '/');
	size_t n = prefix ? strlen(prefix) : 0;

	while (n > 0 && prefix[n - 1] == '/')
		n--;
	return n == 0 || (strncasecmp(prefix, target, n) == 0 && strchr("/?", target[n]) != NULL);
}

static int
check(struct call *c, const struct sas *sas, const char *token)
{
	struct hf_error why = { 0 };
	char key[96];
	int r = 0;

	if (!is_own_name(&c->e->conf, sas->resource))
		return refuse(&c->err, API_UNAUTHORIZED,
		    "Unauthorized: the token is for '%s', which is not this service", sas->resource);
	if (!covers(sas->resource, c->m->target))
		return refuse(
		    &c->err, API_UNAUTHORIZED, "Unauthorized: the token is for '%s' alone", sas->resource);
	if (!policy_find(&c->e->conf, sas->skn, &c->rights, key))
		return refuse(&c->err, API_UNAUTHORIZED, "Unauthorized: there is no policy '%s'", sas->skn);
	if (attest_token(token, sas->resource, key, NULL, c->e->now.wall, &why) < 0)
		r = refuse(&c->err, API_UNAUTHORIZED, "Unauthorized: %s", why.text);
	str_fmt(c->policy, sizeof c->policy, "%s", sas->skn);
	OPENSSL_cleanse(key, sizeof key);
	return r;
}

int
api_authenticate(struct call *c)
{
	const char *token = http_header(c->m, "Authorization");
	struct hf_error why = { 0 };
	struct sas sas;
	int r;

	if (!token)
		return refuse(
		    &c->err, API_UNAUTHORIZED, "Unauthorized: the request has no Authorization header");
	if (sas_get(&sas, token, strlen(token), &why) < 0)
		return refuse(&c->err, API_UNAUTHORIZED, "Unauthorized: %s", why.text);
	r = check(c, &sas, token);
	sas_fini(&sas);
	return r;
}
