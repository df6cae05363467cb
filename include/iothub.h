/* The first call of a program, and the last. Holdfast has nothing to set up for the whole process, and takes programs that forget them. */
#ifndef IOTHUB_H
#define IOTHUB_H
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* 0. */
int IoTHub_Init(void);
void IoTHub_Deinit(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
