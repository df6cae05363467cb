/*
 * Others' code that works with hardware is called between these two. It leaves words on the queue of the OpenSSL that it shares with us;
 * and it writes to a socket whose other end is gone (p11-kit's server, a TPM resource manager, a simulator), when a SIGPIPE would end the
 * program. In one thread, and as nested as need be.
 */
#ifndef HSM_GUARD_H
#define HSM_GUARD_H
#include <signal.h>
struct guard {
	sigset_t mask;
	int was_pending;
};
void guard_begin(struct guard *);
void guard_end(struct guard *);
#endif
