/*
 * A whole device and the emulator in one process, on a clock that only the test moves. The device is the library's front door, as
 * applications have it; the linker puts what is here in the place of the library's clock, network, worker, randomness and TPM, and
 * before what the emulator answers (CMakeLists.txt has the list). A job of a key takes as long as the weather says, on no thread:
 * the same seed is the same run.
 */
#ifndef TESTS_DRIVE_H
#define TESTS_DRIVE_H
#include "emu.h"
#include "holdfast.h"
#include "hsm/hsm.h"
#include "soft_hsm.h"

#define DRIVE_ID  "press-3"
#define DRIVE_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* By chance, while cable.until has not come. Once in so many times; 0: never. */
struct weather {
	unsigned refuse;      /* a connection is refused */
	unsigned busy;	      /* DPS answers 429 or 503, at once or after it has done what was asked */
	unsigned unavailable; /* CONNACK code 3 */
	unsigned slow;	      /* ms that a job of a key takes at most */
};
struct errand { /* a job that is out */
	struct work *work;
	struct job *job;
	int64_t at; /* when it is done */
	int done;
};
struct drive {
	struct emu *emu; /* `now` is everybody's clock */
	struct cable cable;
	struct weather weather;
	struct coin coin, dice; /* of the weather; of what is random in the programs */
	struct soft_chip chip;
	struct hf *hf;
	int tls;
	char dir[64], state[100], registry[CONFIG_PATH];
	X509 *cert, *stranger;
	STACK_OF(X509) * chain; /* what a device with a certificate shows where there is no TLS */
	struct errand errand[8];
	size_t errands;
	int ran;    /* jobs so far */
	int doomed; /* enum death that is to come */
	int dead;   /* the emulator is */
	struct log log;
	uint64_t hash; /* of all lines */
	FILE *show;    /* where they are shown; NULL: nowhere */
	void (*heard)(void *ctx, const struct hf_event *);
	void *ctx;
};

/* Folder, emulator, keys. tls: the wall clock is the real one then, and lengths differ by a byte now and then. 0, or -1 with words on
 * standard error. One at a time. */
int drive_open(struct drive *, int tls);
void drive_close(struct drive *);
/* All begins anew: an empty registry, no state file, clear weather, this seed. 0 or -1. */
int drive_fresh(struct drive *, uint64_t seed);
/* Only what a device leaves behind is removed; time goes on. */
int drive_again(struct drive *);
/* right 0: the enrollment has another's key. */
int drive_enroll(struct drive *, enum hsm_kind, int right);
/* The device is (re)started: nothing but its state file (and its TPM) is left of the old one. */
struct hf *drive_start(struct drive *, enum hsm_kind, const char *transport);
void drive_kill(struct drive *);
/* The emulator is killed at once, or in its next turn in which it reads something: behind that, or behind the commit that follows.
 * It comes back with what is on the disk. */
enum death { DEATH_NOW = 1, DEATH_UNSAVED, DEATH_UNSAID };
void drive_crash(struct drive *, enum death);
int drive_revive(struct drive *); /* 0 or -1 */

/* Both have their turns until nothing moves; `heard` is told what happens. 0, or -1 when it does not end. */
int drive_settle(struct drive *);
int64_t drive_next(struct drive *); /* when something is due: ms behind now, or NEVER */
void drive_pass(struct drive *, int64_t ms);
/* Do the service and the device's file agree on a finished registration? late: a request of a former try, long under way, may have
 * begun it once more. 1, or 0 with why. */
int drive_agree(struct drive *, int late, char why[600]);
/* Lines of the trace. */
void drive_note(struct drive *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
