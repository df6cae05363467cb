/* A stranger's program: it has names that Holdfast and jansson have inside, or that Holdfast has for programs written for another SDK,
 * and uses Holdfast. Its argument is where it may write a key file. */
#include <stdio.h>
#include <string.h>
#include "holdfast.h"

int json_object(void);
int json_array(void);
int hsm_open(void);
int mqtt_publish(void);
int log_info(void);
int Lock(void);
int hmac(void);
int get_time(void);

int
json_object(void)
{
	return 1;
}

int
json_array(void)
{
	return 2;
}

int
hsm_open(void)
{
	return 3;
}

int
mqtt_publish(void)
{
	return 4;
}

int
log_info(void)
{
	return 5;
}

int
Lock(void)
{
	return 6;
}

int
hmac(void)
{
	return 7;
}

int
get_time(void)
{
	return 8;
}

int
main(int argc, char **argv)
{
	struct hf *h = hf_new();
	struct hf_who who;
	FILE *f = argc == 2 ? fopen(argv[1], "we") : NULL;
	int rc;

	if (h == NULL || f == NULL)
		return 1;
	fputs("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", f);
	fclose(f);
	rc = hf_set(h, "symmetric-key", argv[1]);
	rc |= hf_set(h, "registration-id", "collide-1");
	rc |= hf_set(h, "payload", "{\"a\":[1,2]}");
	rc |= hf_identify(h, &who);
	if (rc != 0 || strcmp(who.registration_id, "collide-1") != 0) {
		fprintf(stderr, "%s\n", hf_error(h)->text);
		return 1;
	}
	hf_free(h);
	rc = json_object() + json_array() + hsm_open() + mqtt_publish() + log_info();
	return rc + Lock() + hmac() + get_time() == 36 ? 0 : 1;
}
