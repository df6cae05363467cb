/*
 * The device side of Holdfast with everything around it in our hands: device.sh links src/ into one object, of which only
 * hf_*() can be seen and all of whose calls to others go to wrap.c. The emulator, in the same program, has a src/ of its
 * own, which nobody disturbs.
 *
 * The device's kernel is played: its clock is the emulator's, a connection is a socket pair whose other end is a session
 * there, and where it would sleep, the emulator has its turn and time goes by. One worker at a time runs; whoever called it
 * waits, so that the same calls come in the same order.
 */
#ifndef TRIP_H
#define TRIP_H
#include "emu.h"

struct trip_call {
	int name;     /* which function, for trip_name() */
	unsigned nth; /* its call, from 1 */
	uint64_t way; /* a hash of the stack: how it came to this call */
};
struct trip {
	int name; /* the function that fails; -1: none */
	unsigned nth;
	int for_ever;	       /* from then on; memory is one thing, whatever function asks for it */
	unsigned injected;     /* how often it did */
	void (*instead)(void); /* NULL, or what happens in the place of a failure; it does not return */
	const struct trip_disk *disk; /* NULL: only the real one */
	/* the list of all calls, while it is kept */
	int keep;
	struct trip_call *calls;
	size_t count, cap;
	/* what the device holds */
	int memory, descriptors, threads;
	const char *violation; /* what may never happen; the first one */
	struct emu *emu;       /* the world */
};
extern struct trip trip;
/* Who plays the disk hears of what the device does to its files, just before it is done (opened: after). */
struct trip_disk {
	void (*opened)(int fd, const char *path, int flags);
	void (*wrote)(int fd, const void *, size_t);
	void (*synced)(int fd);
	void (*renamed)(const char *from, const char *to);
};
void trip_arm(int name, unsigned nth, int for_ever); /* and counts anew */
const char *trip_name(int name);
int trip_is_inside(int name);	/* an allocation of OpenSSL's own */
int trip_is_hardware(int name); /* a call of a TPM, a token, a custom HSM */
int trip_is_file(int name);
void trip_settle(void);	  /* waits until the worker has nothing to do */
void trip_released(void); /* the application has freed something that it was given */
void trip_given(void);	  /* the device has been given something that it will free */
int trip_vendor(void); /* links a custom HSM into the device: vendor.c. Once, at the program's very start */
/* Allocations inside OpenSSL and jansson on the device's behalf are calls too, from now on. At the program's very start. */
int trip_libraries(void);
#endif
