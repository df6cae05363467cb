#include <stddef.h>
#include <string.h>
#include "base/json.h"
#include "base/str.h"
#include "settings.h"
#include "stream/line.h"

static int
check_transport(const char *v, struct hf_error *e)
{
	struct transports t;

	return transports_get(&t, v, e);
}

static int
check_seconds(const char *v, const char *what, struct hf_error *e)
{
	uint64_t s;

	if (str_u64(v, strlen(v), 1000000, &s) == 0 && s > 0)
		return 0;
	return err_set(e, HF_ERR_ARGS, "%s \"%s\" is not a number of seconds from 1 to 1000000", what, v);
}

static int
check_timeout(const char *v, struct hf_error *e)
{
	return check_seconds(v, "timeout", e);
}

static int
check_poll(const char *v, struct hf_error *e)
{
	return check_seconds(v, "poll", e);
}

static int
check_payload(const char *v, struct hf_error *e)
{
	struct hf_error why = { 0 };
	json_t *j = js_parse(v, strlen(v), "the payload", &why);

	json_decref(j);
	if (why.code == 0)
		return 0;
	return why.code == HF_ERR_MEMORY ? err_memory(e) : err_set(e, HF_ERR_ARGS, "%s", why.text);
}

#define AT(field) offsetof(struct settings, field)
static const struct {
	const char *name;
	size_t at;
	int (*check)(const char *, struct hf_error *);
} table[] = {
	{ "id-scope", AT(id_scope), NULL },
	{ "endpoint", AT(endpoint), NULL },
	{ "connect", AT(connect), net_map_check },
	{ "transport", AT(transport), check_transport },
	{ "hub-transport", AT(hub_transport), check_transport },
	{ "proxy", AT(proxy), net_proxy_check },
	{ "proxy-auth-file", AT(proxy_auth_file), NULL },
	{ "poll", AT(poll), check_poll },
	{ "early", AT(early), NULL },
	{ "trust", AT(trust), NULL },
	{ "registration-id", AT(registration_id), NULL },
	{ "state", AT(state), NULL },
	{ "payload", AT(payload), check_payload },
	{ "timeout", AT(timeout), check_timeout },
	{ "hub", AT(hub), NULL },
	{ "device-id", AT(device_id), NULL },
	{ "tpm", AT(tpm), NULL },
	{ "cert", AT(cert), NULL },
	{ "key", AT(key), NULL },
	{ "symmetric-key", AT(symmetric_key), NULL },
	{ "group-key", AT(group_key), NULL },
	{ "hsm", AT(hsm), NULL },
	{ "ek-handle", AT(ek_handle), NULL },
	{ "srk-handle", AT(srk_handle), NULL },
	{ "key-handle", AT(key_handle), NULL },
	{ "owner-auth-file", AT(owner_auth_file), NULL },
	{ "endorsement-auth-file", AT(endorsement_auth_file), NULL },
	{ "ek-template", AT(ek_template), NULL },
	{ "force", AT(force), NULL },
};
#define COUNT (sizeof(table) / sizeof(table[0]))

static char **
field(const struct settings *s, size_t i)
{
	return (char **)((char *)(uintptr_t)s + table[i].at);
}

int
settings_set(struct settings *s, const char *name, const char *value, struct hf_error *e)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(name, table[i].name) != 0)
			continue;
		if (value != NULL && table[i].check != NULL && table[i].check(value, e) < 0)
			return e->code;
		return str_set(field(s, i), value) < 0 ? err_memory(e) : 0;
	}
	return err_set(e, HF_ERR_ARGS, "there is no setting called \"%s\"; holdfast(1) lists them", name);
}

int
settings_copy(struct settings *dst, const struct settings *src)
{
	for (size_t i = 0; i < COUNT; i++)
		if (str_set(field(dst, i), *field(src, i)) < 0) {
			settings_fini(dst);
			return HF_ERR_MEMORY;
		}
	return 0;
}

void
settings_fini(struct settings *s)
{
	for (size_t i = 0; i < COUNT; i++)
		str_free(field(s, i));
}
