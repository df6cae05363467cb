/* What stands in the place of the library's own, by the linker's --wrap; see drive.h. */
#ifndef TESTS_WRAP_H
#define TESTS_WRAP_H
#include "drive.h"
void wrap_use(struct drive *);		/* whose weather it is; NULL: the real ones again */
void wrap_show(STACK_OF(X509) * chain); /* what tls_peer() finds on a stream without TLS; NULL: nothing */
void wrap_work(void);			/* the worker does what is due */
#endif
