#include "base/work.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { IDLE, QUEUED, RUNNING, DROPPED, DONE };

struct work {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *queue, *done, *running;
	int fd;	     /* the owner's; -1 once it has left */
	int started; /* there is a thread, which shares this struct with the owner */
	int left;    /* the owner has left: the thread frees */
};

/*
 * exit() tears down what jobs work with, OpenSSL's tables first: so it waits for those that are out, but for the loose
 * ones, and no further one begins. Registered once OpenSSL has registered its own handler, hence called before that.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int busy, ending;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER };
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
at_exit(void)
{
	pthread_mutex_lock(&process.lock);
	process.ending = 1;
	while (process.busy > 0)
		pthread_cond_wait(&process.idle, &process.lock);
	pthread_mutex_unlock(&process.lock);
}

/* The parent's threads are not in the child. */
static void
at_fork(void)
{
	pthread_mutex_init(&process.lock, NULL);
	pthread_cond_init(&process.idle, NULL);
	process.busy = 0;
}

static void
prepare(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL); /* asked for nothing, it does nothing */
	atexit(at_exit);
	pthread_atfork(NULL, NULL, at_fork);
}

static void
begin(int loose)
{
	pthread_mutex_lock(&process.lock);
	while (process.ending)
		pthread_cond_wait(&process.idle, &process.lock);
	process.busy += !loose;
	pthread_mutex_unlock(&process.lock);
}

static void
end(int loose)
{
	pthread_mutex_lock(&process.lock);
	process.busy -= !loose;
	pthread_cond_broadcast(&process.idle);
	pthread_mutex_unlock(&process.lock);
}

int
work_new(struct work **out, struct hf_error *err)
{
	struct work *w = calloc(1, sizeof *w);

	if (w == NULL)
		return err_memory(err);
	if ((w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		err_sys(err, HF_ERR_IO, "cannot make an eventfd");
		free(w);
		return err->code;
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	*out = w;
	return 0;
}

static void
destroy(struct work *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void
append(struct job **list, struct job *job, int state)
{
	while (*list != NULL)
		list = &(*list)->next;
	*list = job;
	job->next = NULL;
	job->state = state;
}

static void
take(struct job **list, struct job *job)
{
	while (*list != job)
		list = &(*list)->next;
	*list = job->next;
	job->next = NULL;
	job->state = IDLE;
}

static void
free_all(struct job *list)
{
	struct job *next;

	for (; list != NULL; list = next) {
		next = list->next;
		list->free(list);
	}
}

/* Called and left with the lock held. */
static void
run_first(struct work *w)
{
	struct job *job = w->queue;
	const uint64_t one = 1;
	int loose = job->loose;

	take(&w->queue, job);
	job->state = RUNNING;
	w->running = job;
	pthread_mutex_unlock(&w->lock);
	begin(loose);
	job->run(job);
	pthread_mutex_lock(&w->lock);
	w->running = NULL;
	if (job->state == DROPPED) {
		pthread_mutex_unlock(&w->lock);
		job->free(job);
		end(loose);
		pthread_mutex_lock(&w->lock);
		return;
	}
	end(loose);
	append(&w->done, job, DONE);
	while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void *
thread_main(void *arg)
{
	struct work *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->left) {
		if (w->queue != NULL)
			run_first(w);
		else
			pthread_cond_wait(&w->wake, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	destroy(w);
	begin(0);
	OPENSSL_thread_stop(); /* while its tables still stand: they know what is this thread's */
	end(0);
	return NULL;
}

/* The application's signals are not for this thread. */
static int
start(struct work *w)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t id;
	int r;

	pthread_once(&once, prepare);
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&id, &attr, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	w->started = r == 0;
	return r;
}

int
work_post(struct work *w, struct job *job, struct hf_error *err)
{
	if (!w->started && (errno = start(w)) != 0)
		return err_sys(err, HF_ERR_IO, "cannot start a thread");
	pthread_mutex_lock(&w->lock);
	append(&w->queue, job, QUEUED);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

int
job_done(struct work *w, struct job *job)
{
	int mine;

	pthread_mutex_lock(&w->lock);
	if (job->state == DONE)
		take(&w->done, job);
	mine = job->state == IDLE;
	pthread_mutex_unlock(&w->lock);
	return mine;
}

void
job_drop(struct work *w, struct job *job)
{
	int mine;

	if (job == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	if (job->state == RUNNING)
		job->state = DROPPED;
	else if (job->state != IDLE)
		take(job->state == QUEUED ? &w->queue : &w->done, job);
	mine = job->state == IDLE;
	pthread_mutex_unlock(&w->lock);
	if (mine)
		job->free(job);
}

int
work_fd(struct work *w)
{
	return w->fd;
}

void
work_clear(struct work *w)
{
	uint64_t count;

	while (read(w->fd, &count, sizeof count) < 0 && errno == EINTR)
		;
}

void
work_free(struct work *w)
{
	struct job *queue, *done;
	int shared;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	queue = w->queue;
	done = w->done;
	w->queue = w->done = NULL;
	if (w->running != NULL)
		w->running->state = DROPPED;
	close(w->fd);
	w->fd = -1;
	w->left = 1;
	shared = w->started;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	free_all(queue);
	free_all(done);
	if (!shared)
		destroy(w);
}
