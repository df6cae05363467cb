/*
 * The emulator inside a test: no sockets, no process, a clock that stands still until the test moves it. A device is made to
 * talk to it by giving it `net` in the place of the real one; every connection that it opens is a pair in memory, whose other
 * end is a session here (port 443: HTTPS, 5671: AMQP, any other: MQTT), in TLS, and in a WebSocket where one is dialled.
 */
#ifndef TESTS_EMU_H
#define TESTS_EMU_H
#include "emulator.h"
#include "cable.h"
#include "process.h"

struct emu {
	struct net net; /* the first member: what is given to a device */
	struct emulator e;
	struct moment now;
	struct tls_conf *tls;
	char trust[CONFIG_PATH]; /* the CA's certificate */
	struct buf log;		 /* all lines so far, each with its end */
	int lock;

	/* How the next connections are made. */
	size_t cap, chunk; /* of the pair; 64 KiB, and 0: whole */
	int plain;	   /* no TLS: only without client certificates */
	int64_t cut_after; /* bytes that the device may send before it is cut off; -1: as many as it likes */
	int deaf;	   /* connections are refused */
	struct cable *cable; /* what befalls the bytes; lent. NULL: nothing */
	int opened;	     /* how many there were */
};
/* dir: an empty folder of the test's. NULL: it could not be made, and standard error says why. */
enum session_kind emu_kind(uint16_t port);
struct emu *emu_new(const char *dir);
void emu_free(struct emu *);
int emu_turn(struct emu *); /* one turn, at emu->now; 1: something moved (handshakes do not count) */
void emu_pass(struct emu *, int64_t ms);	/* time goes by */
void emu_hang_up(struct emu *);			/* all connections are gone, as if the emulator had died */
int emu_logged(struct emu *, const char *text); /* 1: it stands in the log */
/* Without the REST API: an enrollment as an owner would put it, a device as the registry keeps it. 0 or an error. */
int emu_enroll(struct emu *, int group, const char *id, const char *json);
int emu_device(struct emu *, const char *hub, const char *device, const char *json);
/* The events so far, as JSON objects in an array that is the caller's. */
json_t *emu_events(struct emu *);
#endif
