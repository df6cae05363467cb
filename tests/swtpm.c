#include "swtpm.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <dirent.h>
#include <unistd.h>

static int
answers(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), ok;

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	ok = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static void
run(const char *dir, const char *path, const char *flags)
{
	char state[300], server[300], ctrl[300];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(state, sizeof state, "dir=%s", dir);
	snprintf(server, sizeof server, "type=unixio,path=%s", path);
	snprintf(ctrl, sizeof ctrl, "type=unixio,path=%s.ctrl", path);
	if (!freopen("/dev/null", "w", stderr))
		_exit(126);
	execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", ctrl,
	    "--flags", flags, (char *)NULL);
	_exit(127);
}

static pid_t
start(const char *dir, char *tcti, size_t cap, const char *flags)
{
	const struct timespec nap = { .tv_nsec = 2000000 };
	char path[100], ctrl[110];
	pid_t pid;

	if ((size_t)snprintf(path, sizeof path, "%s/tpm", dir) >= sizeof path ||
	    (size_t)snprintf(tcti, cap, "swtpm:path=%s", path) >= cap)
		return -1;
	snprintf(ctrl, sizeof ctrl, "%s.ctrl", path);
	unlink(path);
	unlink(ctrl);
	pid = fork();
	if (pid == 0)
		run(dir, path, flags);
	for (int i = 0; pid > 0 && i < 2500; i++) {
		if (answers(ctrl) && answers(path))
			return pid;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return -1;
		nanosleep(&nap, NULL);
	}
	swtpm_stop(pid);
	return -1;
}

pid_t
swtpm_start(const char *dir, char *tcti, size_t cap)
{
	return start(dir, tcti, cap, "not-need-init,startup-clear");
}

pid_t
swtpm_start_raw(const char *dir, char *tcti, size_t cap)
{
	return start(dir, tcti, cap, "not-need-init");
}

void
swtpm_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

void
swtpm_remove(const char *dir)
{
	char path[600];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' || !strcmp(e->d_name, ".lock"))
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}
