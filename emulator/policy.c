#include <string.h>
#include <openssl/crypto.h>
#include "base/b64.h"
#include "base/str.h"
#include "emulator.h"
#include "msg/sas.h"

static const struct {
	const char *name;
	unsigned right;
} rights[] = {
	{ "ServiceConfig", SERVICE_CONFIG },
	{ "EnrollmentRead", ENROLLMENT_READ },
	{ "EnrollmentWrite", ENROLLMENT_WRITE },
	{ "RegistrationStatusRead", REGISTRATION_STATUS_READ },
	{ "RegistrationStatusWrite", REGISTRATION_STATUS_WRITE },
};
#define RIGHTS (sizeof rights / sizeof *rights)

const char *
policy_right(unsigned right)
{
	size_t i;

	for (i = 0; i < RIGHTS; i++) {
		if (rights[i].right & right)
			return rights[i].name;
	}
	return "";
}

static int
add_rights(unsigned *all, const char *list, struct hf_error *err)
{
	size_t i, n;

	for (; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		for (i = 0; i < RIGHTS && !str_eqin(rights[i].name, list, n); i++)
			continue;
		if (i == RIGHTS)
			return err_set(err, HF_ERR_ARGS,
			    "\"%.*s\" is not a right; there are ServiceConfig, EnrollmentRead, EnrollmentWrite, "
			    "RegistrationStatusRead and RegistrationStatusWrite",
			    (int)n, list);
		*all |= rights[i].right;
	}
	return 0;
}

int
policy_add(struct config *c, const char *text, struct hf_error *err)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	struct policy *p = &c->policy[c->policies];
	size_t n = strcspn(text, "=");

	if (c->policies == MAX_NAMES)
		return err_set(err, HF_ERR_ARGS, "more than %d policies", MAX_NAMES);
	memset(p, 0, sizeof *p);
	if (text[n] == '\0' || text[n + 1] == '\0' || n == 0 || strspn(text, set) != n ||
	    str_copy(p->name, sizeof p->name, text, n) < 0)
		return err_set(err, HF_ERR_ARGS,
		    "a policy is written NAME=RIGHT[,RIGHT...], its name in letters, digits, - and _, not \"%s\"",
		    text);
	if (strcmp(p->name, c->service_policy) == 0)
		return err_set(err, HF_ERR_ARGS, "the policy %s is there, with every right", p->name);
	if (add_rights(&p->rights, text + n + 1, err) < 0)
		return err->code;
	c->policies++;
	return 0;
}

/* No key is kept but the owner's: the others come from it, one way, by their names. */
int
policy_key(const struct config *c, const char *name, char key[96])
{
	struct buf own = { 0 }, text = { 0 };
	uint8_t mac[32];
	int r;

	r = b64_get(&own, c->service_key, strlen(c->service_key));
	if (r == 0)
		r = sas_hmac(buf_data(&own), buf_size(&own), name, strlen(name), mac);
	if (r == 0)
		r = b64_put(&text, mac, sizeof mac);
	if (r == 0)
		r = str_copy(key, 96, buf_data(&text), buf_size(&text));
	OPENSSL_cleanse(mac, sizeof mac);
	buf_free(&own);
	buf_free(&text);
	return r;
}

int
policy_find(const struct config *c, const char *name, unsigned *all, char key[96])
{
	size_t i;

	if (strcmp(name, c->service_policy) == 0) {
		*all = ~0u;
		return str_fmt(key, 96, "%s", c->service_key) == 0;
	}
	for (i = 0; i < c->policies; i++) {
		*all = c->policy[i].rights;
		if (strcmp(c->policy[i].name, name) == 0)
			return policy_key(c, name, key) == 0;
	}
	return 0;
}
