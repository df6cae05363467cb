/* Environment variables. */
#ifndef AZURE_C_SHARED_UTILITY_ENVVARIABLE_H
#define AZURE_C_SHARED_UTILITY_ENVVARIABLE_H
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* getenv(): lent, NULL when it is not set (or variable_name is NULL). */
const char *environment_get_variable(const char *variable_name);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
