/* A software TPM of a test's own: on a unix socket in a folder of the test's, ended by its pid. */
#ifndef TESTS_SWTPM_H
#define TESTS_SWTPM_H
#include <stddef.h>
#include <sys/types.h>
/* dir: absolute, keeps the TPM's state. Writes the TCTI string. The pid, or -1. */
pid_t swtpm_start(const char *dir, char *tcti, size_t cap);
/* The same, but nobody has sent it a TPM2_Startup. */
pid_t swtpm_start_raw(const char *dir, char *tcti, size_t cap);
void swtpm_stop(pid_t);
void swtpm_remove(const char *dir); /* the state and the folder */
#endif
