#include <string.h>
#include "base/b64.h"
#include "base/str.h"
#include "dps/dps_client.h"

static int
part(const char *s, const char *name, const char **value, size_t *n)
{
	size_t len = strlen(name);

	for (; s != NULL; s = strchr(s, ';') == NULL ? NULL : strchr(s, ';') + 1) {
		if (strncmp(s, name, len) != 0 || s[len] != '=')
			continue;
		*value = s + len + 1;
		*n = strcspn(*value, ";\r\n");
		return 1;
	}
	return 0;
}

int
dps_service_key_get(struct dps_service_key *k, const char *text, struct hf_error *e)
{
	const char *host, *name, *key;
	size_t hn, nn, kn;
	int rc = HF_ERR_ARGS;

	memset(k, 0, sizeof(*k));
	text += strspn(text, " \t\r\n");
	if (part(text, "HostName", &host, &hn) && part(text, "SharedAccessKeyName", &name, &nn) &&
	    part(text, "SharedAccessKey", &key, &kn) && hn > 0 &&
	    str_copy(k->host, sizeof(k->host), host, hn) == 0 &&
	    str_copy(k->name, sizeof(k->name), name, nn) == 0 && (rc = b64_get(&k->key, key, kn)) == 0 &&
	    buf_size(&k->key) > 0)
		return 0;
	dps_service_key_fini(k);
	if (rc == HF_ERR_MEMORY)
		return err_memory(e);
	return err_set(e, HF_ERR_ARGS,
	    "the service's connection string is not of the form "
	    "HostName=...;SharedAccessKeyName=...;SharedAccessKey=BASE64 (DPS shows it under shared access policies)");
}

void
dps_service_key_fini(struct dps_service_key *k)
{
	buf_free(&k->key);
	memset(k, 0, sizeof(*k));
}
