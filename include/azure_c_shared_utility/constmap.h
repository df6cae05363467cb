/* A map of strings that never changes. Clones share it, and the last one to be destroyed frees it; clones may be in different threads. */
#ifndef AZURE_C_SHARED_UTILITY_CONSTMAP_H
#define AZURE_C_SHARED_UTILITY_CONSTMAP_H
#include <stdbool.h>
#include <stddef.h>
#include "azure_c_shared_utility/map.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define CONSTMAP_RESULT_VALUES CONSTMAP_OK, CONSTMAP_ERROR, CONSTMAP_INVALIDARG, CONSTMAP_KEYNOTFOUND
MU_DEFINE_ENUM(CONSTMAP_RESULT, CONSTMAP_RESULT_VALUES);
typedef struct CONSTMAP_HANDLE_DATA_TAG *CONSTMAP_HANDLE;

/* A copy of the map as it is now. NULL: sourceMap is NULL, or out of memory. */
CONSTMAP_HANDLE ConstMap_Create(MAP_HANDLE sourceMap);
void ConstMap_Destroy(CONSTMAP_HANDLE handle);
CONSTMAP_HANDLE ConstMap_Clone(CONSTMAP_HANDLE handle);
/* A map of the caller's own, for Map_Destroy(). */
MAP_HANDLE ConstMap_CloneWriteable(CONSTMAP_HANDLE handle);

/* false and NULL also for NULL arguments. What is returned is lent. */
bool ConstMap_ContainsKey(CONSTMAP_HANDLE handle, const char *key);
bool ConstMap_ContainsValue(CONSTMAP_HANDLE handle, const char *value);
const char *ConstMap_GetValue(CONSTMAP_HANDLE handle, const char *key);
/* All of it: two arrays of *count strings each, lent. CONSTMAP_INVALIDARG for a NULL. */
CONSTMAP_RESULT ConstMap_GetInternals(
    CONSTMAP_HANDLE handle, const char *const **keys, const char *const **values, size_t *count);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
