#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/rand.h>

#include "base/work.h"

/* Jobs report into this; the test holds the gate that a job waits at. */
static sem_t gate, started, freed;
static int order[8], ran;

struct task {
	struct job job;
	int id, waits;
	sigset_t blocked;
	pthread_t thread;
};

static void
run(struct job *job)
{
	struct task *t = (struct task *)job;

	if (t->waits) {
		sem_post(&started);
		sem_wait(&gate);
	}
	pthread_sigmask(SIG_SETMASK, NULL, &t->blocked);
	t->thread = pthread_self();
	order[ran++] = t->id;
}

static void
free_task(struct job *job)
{
	free(job);
	sem_post(&freed);
}

static struct task *
task(int id, int waits)
{
	struct task *t = calloc(1, sizeof *t);

	assert_non_null(t);
	t->job = (struct job){ .run = run, .free = free_task };
	t->id = id;
	t->waits = waits;
	return t;
}

static struct job *
post(struct work *w, int id, int waits)
{
	struct hf_error e = { 0 };
	struct task *t = task(id, waits);

	assert_int_equal(work_post(w, &t->job, &e), 0);
	return &t->job;
}

static int
freed_count(void)
{
	int n;

	sem_getvalue(&freed, &n);
	return n;
}

static void
wait_done(struct work *w, struct job *job)
{
	struct pollfd p = { .fd = work_fd(w), .events = POLLIN };

	while (!job_done(w, job)) {
		assert_int_equal(poll(&p, 1, 10000), 1);
		work_clear(w);
	}
}

static int
threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int
set_up(void **state)
{
	struct hf_error e = { 0 };

	ran = 0;
	sem_init(&gate, 0, 0);
	sem_init(&started, 0, 0);
	sem_init(&freed, 0, 0);
	return work_new((struct work **)state, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	sem_destroy(&gate);
	sem_destroy(&started);
	sem_destroy(&freed);
	return 0;
}

static void
runs_in_order(void **state)
{
	struct work *w = *state;
	struct job *jobs[3];
	int i;

	for (i = 0; i < 3; i++)
		jobs[i] = post(w, i, 0);
	wait_done(w, jobs[2]);
	for (i = 0; i < 3; i++) {
		assert_true(job_done(w, jobs[i]));
		assert_true(job_done(w, jobs[i]));
		assert_int_equal(order[i], i);
		job_drop(w, jobs[i]);
		assert_int_equal(freed_count(), i + 1);
	}
	work_free(w);
}

static void
runs_elsewhere_and_without_signals(void **state)
{
	struct work *w = *state;
	struct job *job = post(w, 1, 0);
	struct task *t = (struct task *)job;
	sigset_t mine;

	wait_done(w, job);
	assert_false(pthread_equal(t->thread, pthread_self()));
	assert_true(sigismember(&t->blocked, SIGTERM));
	assert_true(sigismember(&t->blocked, SIGALRM));
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
	job_drop(w, job);
	work_free(w);
}

static void
posts_a_job_again(void **state)
{
	struct work *w = *state;
	struct job *job = post(w, 1, 0);
	struct hf_error e = { 0 };

	wait_done(w, job);
	assert_int_equal(work_post(w, job, &e), 0);
	wait_done(w, job);
	assert_int_equal(ran, 2);
	job_drop(w, job);
	work_free(w);
}

static void
is_readable_once_a_job_has_ended(void **state)
{
	struct work *w = *state;
	struct pollfd p = { .fd = work_fd(w), .events = POLLIN };
	struct job *job;

	assert_int_not_equal(fcntl(p.fd, F_GETFD) & FD_CLOEXEC, 0);
	work_clear(w);
	job = post(w, 1, 1);
	sem_wait(&started);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_false(job_done(w, job));
	sem_post(&gate);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(job_done(w, job));
	work_clear(w);
	assert_int_equal(poll(&p, 1, 0), 0);
	job_drop(w, job);
	work_free(w);
}

static void
drops_a_queued_job_at_once(void **state)
{
	struct work *w = *state;
	struct job *first = post(w, 1, 1), *second, *third, *fourth;

	sem_wait(&started);
	second = post(w, 2, 0);
	third = post(w, 3, 0);
	fourth = post(w, 4, 0);
	job_drop(w, third);
	assert_int_equal(freed_count(), 1);
	job_drop(w, fourth);
	assert_int_equal(freed_count(), 2);
	fourth = post(w, 5, 0);
	sem_post(&gate);
	wait_done(w, fourth);
	assert_int_equal(ran, 3);
	assert_int_equal(order[1], 2);
	assert_int_equal(order[2], 5);
	job_drop(w, first);
	job_drop(w, second);
	job_drop(w, fourth);
	assert_int_equal(freed_count(), 5);
	work_free(w);
}

static void
frees_a_dropped_job_after_it_has_run(void **state)
{
	struct work *w = *state;
	struct job *job = post(w, 1, 1);

	sem_wait(&started);
	job_drop(w, job);
	assert_int_equal(freed_count(), 0);
	sem_post(&gate);
	sem_wait(&freed);
	assert_int_equal(ran, 1);
	job = post(w, 2, 0);
	wait_done(w, job);
	job_drop(w, job);
	work_free(w);
}

static void
drops_what_was_never_posted(void **state)
{
	struct work *w = *state;
	struct task *t = task(1, 0);

	job_drop(w, NULL);
	assert_true(job_done(w, &t->job));
	job_drop(w, &t->job);
	assert_int_equal(freed_count(), 1);
	work_free(w);
	work_free(NULL);
}

static void
leaves_without_waiting(void **state)
{
	struct work *w = *state;
	struct job *done = post(w, 1, 0);
	struct pollfd p = { .fd = work_fd(w), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 10000), 1);
	(void)done; /* and nobody asks for it */
	post(w, 2, 1);
	sem_wait(&started);
	post(w, 3, 0);
	work_free(w);
	assert_int_equal(freed_count(), 2);
	assert_int_equal(ran, 1);
	sem_post(&gate);
	sem_wait(&freed);
	sem_wait(&freed);
	sem_wait(&freed);
	assert_int_equal(ran, 2);
}

static void
leaves_in_the_middle_of_anything(void **state)
{
	struct hf_error e = { 0 };
	struct work *w = *state;
	struct job *job;
	int i, turns;

	for (i = 0; i < 200; i++) {
		ran = 0;
		job = post(w, i, 0);
		if (i % 3 == 0)
			wait_done(w, job);
		if (i % 2 == 0)
			job_drop(w, job);
		else if (i % 3 == 0)
			free_task(job);
		work_free(w);
		sem_wait(&freed);
		assert_int_equal(work_new(&w, &e), 0);
	}
	work_free(w);
	for (turns = 0; threads() > 100 && turns < 1000; turns++)
		poll(NULL, 0, 10);
	assert_in_range(threads(), 1, 100); /* two hundred were started */
}

static void
ask_openssl(struct job *job)
{
	uint8_t n[8];

	((struct task *)job)->id = RAND_bytes(n, sizeof n);
}

/* A process of its own: a job that leaves something of OpenSSL's in the thread, and then the end, at once. */
static int
leave(void)
{
	struct hf_error e = { 0 };
	struct task *t = calloc(1, sizeof *t);
	struct pollfd p = { .events = POLLIN };
	struct work *w;

	if (t == NULL || work_new(&w, &e) < 0)
		return 1;
	t->job = (struct job){ .run = ask_openssl, .free = free_task };
	p.fd = work_fd(w);
	if (work_post(w, &t->job, &e) < 0 || poll(&p, 1, 10000) != 1 || !job_done(w, &t->job) || t->id != 1)
		return 1;
	free(t);
	work_free(w);
	return 0;
}

/* Whether the thread or exit() is faster, nothing leaks, and it does end. */
static void
ends_before_the_process_does(void **state)
{
	int status;
	pid_t child;

	(void)state;
	for (int i = 0; i < 40; i++) {
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			alarm(30);
			execl("/proc/self/exe", "test_work", "leave", (char *)NULL);
			_exit(127);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(runs_elsewhere_and_without_signals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(posts_a_job_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_readable_once_a_job_has_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drops_a_queued_job_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(frees_a_dropped_job_after_it_has_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drops_what_was_never_posted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_without_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_in_the_middle_of_anything, set_up, tear_down),
		cmocka_unit_test(ends_before_the_process_does),
	};

	if (argc == 2 && strcmp(argv[1], "leave") == 0)
		return leave();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
