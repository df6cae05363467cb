/* What the library's functions that stand in files of their own (keys.c, check.c) see of a device. */
#ifndef FRONT_H
#define FRONT_H
#include "base/err.h"
#include "base/log.h"
struct front {
	struct hf_error *err;
	const struct log *log;
};
/* Begins a call: a fresh error, nothing else going on. 0, or the error that stands. Lent until the device is freed. */
int front_begin(struct hf *, struct front *);
#endif
