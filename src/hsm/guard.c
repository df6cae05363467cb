#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include "hsm/guard.h"

static void
only_pipe(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

void
guard_begin(struct guard *g)
{
	sigset_t set;

	ERR_set_mark();
	sigpending(&set);
	g->was_pending = sigismember(&set, SIGPIPE);
	only_pipe(&set);
	pthread_sigmask(SIG_BLOCK, &set, &g->mask);
}

void
guard_end(struct guard *g)
{
	static const struct timespec now;
	sigset_t set;

	only_pipe(&set);
	while (!g->was_pending && sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &g->mask, NULL);
	ERR_pop_to_mark();
}
