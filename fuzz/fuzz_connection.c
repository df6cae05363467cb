/* A service's connection string. What is heard is said again in another order, and must be heard again as the same. */
#include <stdlib.h>
#include <string.h>
#include "base/b64.h"
#include "base/str.h"
#include "dps/dps_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static void
say_again(const struct dps_service_key *k)
{
	struct buf text = { 0 };
	struct dps_service_key again;
	struct hf_error e = { 0 };

	must(buf_puts(&text, "SharedAccessKey=") == 0 &&
	     b64_put(&text, buf_data(&k->key), buf_size(&k->key)) == 0 &&
	     buf_fmt(&text, ";HostName=%s;SharedAccessKeyName=%s\r\n", k->host, k->name) == 0);
	must(dps_service_key_get(&again, buf_str(&text), &e) == 0);
	must(strcmp(again.host, k->host) == 0 && strcmp(again.name, k->name) == 0);
	must(buf_size(&again.key) == buf_size(&k->key) &&
	     memcmp(buf_data(&again.key), buf_data(&k->key), buf_size(&k->key)) == 0);
	dps_service_key_fini(&again);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dps_service_key k;
	struct hf_error e = { 0 };
	char text[2048];

	if (str_copy(text, sizeof text, p, n) < 0)
		return 0;
	if (dps_service_key_get(&k, text, &e) < 0) {
		must(e.code == HF_ERR_ARGS && buf_size(&k.key) == 0 && k.host[0] == '\0');
		return 0;
	}
	must(k.host[0] != '\0' && buf_size(&k.key) > 0);
	say_again(&k);
	dps_service_key_fini(&k);
	return 0;
}
