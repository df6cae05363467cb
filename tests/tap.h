/*
 * A tap on the way to the TPM: defines Tss2_TctiLdr_Initialize() and _Finalize() in front of the library's own, so that
 * every TCTI that the program opens is counted, can be made to fail, and can be asked behind the program's back. One
 * TCTI at a time.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H
#include <stddef.h>
#include <stdint.h>
struct tap {
	int commands;		 /* sent since it was last set to 0 */
	int rsa;		 /* of them: with an RSA private operation */
	int generated;		 /* of them: generating a key */
	uint32_t code[256];	 /* the first ones */
	int fail_at, fail_count; /* answers command number fail_at (1 is the next), and so many in all, ... */
	uint32_t fail_with;	 /* ... with this code without sending it; 0: the connection is cut */
};
extern struct tap tap;
/* How many handles of a kind the TPM holds; -1: no answer. Works while the program's connection is open and idle, and is
 * not counted. */
#define TAP_TRANSIENT  UINT32_C(0x80000000)
#define TAP_SESSIONS   UINT32_C(0x02000000)
#define TAP_PERSISTENT UINT32_C(0x81000000)
int tap_handles(uint32_t first);
const char *tap_name(uint32_t code); /* "Import"; the common ones */
#endif
