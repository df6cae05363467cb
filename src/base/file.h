/* Durable files. Everything that must survive a crash goes through these, so that tests can tear a disk. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include "base/buf.h"
#include "base/err.h"
/* Appends the whole file, at most max bytes; "-" is standard input. `what` names it in the error: "state file". */
int file_read(struct buf *, const char *path, size_t max, const char *what, struct hf_error *);
/* Writes a new file beside it, mode 0600, syncs, renames over, syncs the folder. On any error the old file stands; only
 * when the folder itself cannot be synced, a power cut may still bring back either. */
int file_replace(const char *path, const void *, size_t, const char *what, struct hf_error *);
int file_exists(const char *path); /* 1 or 0 */
#endif
