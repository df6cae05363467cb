/* UUIDs (RFC 4122). 0 is success; anything else: a NULL, no UUID, no random numbers. */
#ifndef AZURE_C_SHARED_UTILITY_UUID_H
#define AZURE_C_SHARED_UTILITY_UUID_H
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef unsigned char UUID_T[16];

/* printf("%" PRI_UUID "\n", UUID_FORMAT_VALUES(uuid)) */
#define PRI_UUID "02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x"
#define UUID_FORMAT_VALUES(uuid)                                                                             \
	(uuid)[0], (uuid)[1], (uuid)[2], (uuid)[3], (uuid)[4], (uuid)[5], (uuid)[6], (uuid)[7], (uuid)[8],   \
	    (uuid)[9], (uuid)[10], (uuid)[11], (uuid)[12], (uuid)[13], (uuid)[14], (uuid)[15]

/* A random one (version 4). */
int UUID_generate(UUID_T *uuid);
int UUID_from_string(const char *uuid_string, UUID_T *uuid);
/* 36 characters in lower case, from malloc(): the caller frees them. NULL: out of memory. */
char *UUID_to_string(const UUID_T *uuid);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
