#include "azure_c_shared_utility/uuid.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure_c_shared_utility/uniqueid.h"

enum { TEXT = 36 };

int
UUID_generate(UUID_T *uuid)
{
	unsigned char *u = (unsigned char *)uuid;

	if (u == NULL || RAND_bytes(u, sizeof(UUID_T)) != 1)
		return MU_FAILURE;
	u[6] = (unsigned char)((u[6] & 0x0f) | 0x40);
	u[8] = (unsigned char)((u[8] & 0x3f) | 0x80);
	return 0;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
UUID_from_string(const char *uuid_string, UUID_T *uuid)
{
	UUID_T u;
	const char *s = uuid_string;

	if (s == NULL || uuid == NULL || strnlen(s, TEXT + 1) != TEXT)
		return MU_FAILURE;
	for (size_t i = 0; i < sizeof(u); i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
			return MU_FAILURE;
		if (digit(s[0]) < 0 || digit(s[1]) < 0)
			return MU_FAILURE;
		u[i] = (unsigned char)(digit(s[0]) << 4 | digit(s[1]));
		s += 2;
	}
	memcpy(*uuid, u, sizeof(u));
	return 0;
}

static void
write_text(char *s, const unsigned char *u)
{
	snprintf(s, TEXT + 1, "%" PRI_UUID, UUID_FORMAT_VALUES(u));
}

char *
UUID_to_string(const UUID_T *uuid)
{
	char *s = uuid != NULL ? malloc(TEXT + 1) : NULL;

	if (s != NULL)
		write_text(s, *uuid);
	return s;
}

UNIQUEID_RESULT
UniqueId_Generate(char *uid, size_t bufferSize)
{
	UUID_T u;

	if (uid == NULL || bufferSize < TEXT + 1)
		return UNIQUEID_INVALID_ARG;
	if (UUID_generate(&u) != 0)
		return UNIQUEID_ERROR;
	write_text(uid, u);
	return UNIQUEID_OK;
}
