/*
 * Work that blocks: one thread and one eventfd. Jobs run one after the other, in the order in which they were posted;
 * the loop goes on and looks at work_fd(). The thread starts with the first job.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H
#include "base/err.h"
struct work;
/*
 * A job is a zeroed heap object of the caller's with this as its first member. run() works on the job's own memory only.
 * After work_post() it belongs to the worker until job_done(); then to the caller again.
 */
struct job {
	void (*run)(struct job *);
	void (*free)(struct job *); /* now or once run() has returned, on either thread */
	int loose;	  /* exit() need not wait for it: it touches nothing that exit() tears down */
	struct job *next; /* the worker's */
	int state;	  /* the worker's */
};
int work_new(struct work **, struct hf_error *);
int work_post(struct work *, struct job *, struct hf_error *);
int job_done(struct work *, struct job *); /* 1: the job is the caller's (again): run() has returned */
/* "I no longer wait for this": frees the job as soon as nobody runs it. NULL is fine. */
void job_drop(struct work *, struct job *);
int work_fd(struct work *);	/* readable when some job has ended since work_clear() */
void work_clear(struct work *); /* empties the eventfd */
/* Frees every job that it still owns. Never blocks: a job that still runs is finished and freed by the thread, which
 * then ends by itself. NULL is fine. */
void work_free(struct work *);
#endif
