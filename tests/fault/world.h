/* A device's world and its lives in it, for those that disturb them. */
#ifndef WORLD_H
#define WORLD_H
#include "base/buf.h"
#include "hsm/hsm.h"
#include "trip.h"

#define WORLD_MESSAGES 3
enum world_key {
	KEY_IN_FILE,
	KEY_IN_TOKEN,
	KEY_IN_TPM,
	KEY_OF_PROVIDER,
	KEY_OF_VENDOR
}; /* of a certificate */
struct world {
	const char *transport;
	enum hsm_kind kind;
	enum world_key place;
	char dir[64], state[96], cert[96], pem[96], pin[96], symmetric[96], tcti[200], chip_dir[96],
	    service[400];
	char key[400]; /* what the device is told: pem, or a URI */
	pid_t chip;    /* 0: it has no power */
	struct emu *emu;
	int receives; /* it asks its hub for a message, too */
	int alone;    /* the device is not told of any DPS */
	unsigned run; /* a number that the messages bear */
	int acked[WORLD_MESSAGES];
};
extern struct world world;
void world_new(enum hsm_kind, const char *transport, enum world_key); /* a folder; nothing runs yet */
int world_has_chip(void);
void world_power(int on); /* the TPM's, if there is one */
void world_open(void);	  /* the emulator, with all that it knew */
void world_enroll(void);
void world_close(void);
void world_free(void);
void world_put(const char *path, const void *, size_t);
void world_die(const char *why);

/* A program start of the device's, with everything given back at its end. The result and its error. */
int live(int (*life)(struct hf *), struct hf_error *);
int life_register(struct hf *); /* identify, register */
int life_at_hub(struct hf *);	/* connect, registered or not, and send */
int life_enroll(struct hf *);	/* the owner's side */
/* What is wrong with a life, apart from its result; the program says what happens then. */
void wrong(const char *what, const char *more);
#endif
