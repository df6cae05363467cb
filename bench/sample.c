/* The least that sends telemetry by holdfast.h: how large such a program is. HUB DEVICE KEY-FILE MESSAGE */
#include <err.h>
#include <string.h>
#include "holdfast.h"

int
main(int argc, char **argv)
{
	static const char *const name[] = { "hub", "device-id", "symmetric-key" };
	struct hf_message m = { 0 };
	struct hf *h = hf_new();
	int i;

	if (h == NULL || argc != 5)
		errx(2, "usage: bench-sample HUB DEVICE KEY-FILE MESSAGE");
	m.body = argv[4];
	m.len = strlen(argv[4]);
	for (i = 0; i < 3; i++)
		if (hf_set(h, name[i], argv[1 + i]) < 0)
			errx(1, "%s", hf_error(h)->text);
	if (hf_connect(h) < 0 || hf_send(h, &m, 1) < 0 || hf_wait(h, HF_SENT, 60000, NULL) < 0)
		errx(1, "%s", hf_error(h)->text);
	hf_free(h);
	return 0;
}
