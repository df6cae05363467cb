#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tool.h"

enum { PATIENCE = 120, TICKS = 20 }; /* seconds for one check; looks in a second */

/* The kit runs in a process of its own, since what it checks may crash. This is what the other one sees of it. */
struct view {
	volatile unsigned turn;
	char trying[320];
};
struct kit {
	struct view *view;
	json_t *checks; /* NULL: lines */
	unsigned ok, cannot, failed;
};

static void
verdict(void *ctx, enum hf_verdict v, const char *line)
{
	static const char *const words[] = { "", "ok", "cannot", "FAIL" };
	struct kit *k = ctx;

	k->view->turn++;
	if (v == HF_CHECK_TRYING) {
		strncpy(k->view->trying, line, sizeof(k->view->trying) - 1);
		return;
	}
	k->ok += v == HF_CHECK_OK;
	k->cannot += v == HF_CHECK_CANNOT;
	k->failed += v == HF_CHECK_FAILED;
	if (k->checks != NULL)
		json_array_append_new(k->checks, json_pack("{s:s s:s}", "verdict", words[v], "check", line));
	else
		printf("%-7s %s\n", words[v], line);
	fflush(stdout);
}

static int
finish(struct tool *t, struct kit *k, int rc)
{
	if (k->ok + k->cannot + k->failed == 0) {
		json_decref(k->checks);
		return tool_hf_fail(t);
	}
	if (k->checks != NULL)
		tool_print(t, json_pack("{s:b s:o}", "conforms", rc == 0, "checks", k->checks));
	else
		printf("%s: %u ok, %u not claimed or not tried, %u failed\n",
		    rc == 0 ? "it conforms" : "it does not conform", k->ok, k->cannot, k->failed);
	return rc < 0 ? -rc : 0;
}

static int
run(struct tool *t, struct view *view)
{
	struct kit k = { .view = view, .checks = t->json ? json_array() : NULL };
	struct hf_check check = { .uri = t->argv[1],
		.cert = tool_given(t, "cert"),
		.wrong_pin = tool_given(t, "wrong-pin") != NULL,
		.write = tool_given(t, "write") != NULL,
		.fn = verdict,
		.ctx = &k };

	return finish(t, &k, hf_hsm_check(t->hf, &check));
}

/* How the process of the kit ended; one that stands still for too long is ended. */
static int
watch(pid_t pid, const struct view *view)
{
	const struct timespec tick = { 0, 1000000000 / TICKS };
	unsigned turn = view->turn;
	int status = 0, still = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		still = view->turn == turn ? still + 1 : 0;
		turn = view->turn;
		if (still == PATIENCE * TICKS)
			kill(pid, SIGKILL);
		nanosleep(&tick, NULL);
	}
	return status;
}

static int
crashed(const struct tool *t, const struct view *view, int number)
{
	if (number == SIGKILL)
		return tool_fail(t, HF_ERR_KEY,
		    "it was ended, or gave no answer for %d seconds, while it was checked that it: %s",
		    PATIENCE, view->trying);
	return tool_fail(t, HF_ERR_KEY, "it crashed (signal %d, %s) while it was checked that it: %s", number,
	    strsignal(number), view->trying);
}

int
cmd_hsm(struct tool *t)
{
	struct view *view;
	int status;
	pid_t pid;

	if (t->argc != 2 || strcmp(t->argv[0], "check") != 0)
		return tool_fail(t, HF_ERR_ARGS, "say what to check: hsm check URI, or hsm check LIBRARY");
	view = mmap(NULL, sizeof(*view), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (view == MAP_FAILED)
		return tool_fail(t, HF_ERR_MEMORY, "out of memory");
	pid = fork();
	if (pid == 0)
		return run(t, view);
	if (pid < 0)
		return tool_fail(t, HF_ERR_IO, "cannot start a process");
	status = watch(pid, view);
	return WIFEXITED(status) ? WEXITSTATUS(status) : crashed(t, view, WTERMSIG(status));
}
