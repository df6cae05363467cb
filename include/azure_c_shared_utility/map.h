/*
 * A map from strings to strings, in the order in which they were added. It keeps copies. One thread at a time.
 *
 * MAP_INVALIDARG: something is NULL. MAP_ERROR: out of memory. In both cases, and for the other refusals, the map is as it was.
 */
#ifndef AZURE_C_SHARED_UTILITY_MAP_H
#define AZURE_C_SHARED_UTILITY_MAP_H
#include <stdbool.h>
#include <stddef.h>
#include "azure_c_shared_utility/strings.h"
#include "azure_macro_utils/macro_utils.h"
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define MAP_RESULT_VALUES MAP_OK, MAP_ERROR, MAP_INVALIDARG, MAP_KEYEXISTS, MAP_KEYNOTFOUND, MAP_FILTER_REJECT
MU_DEFINE_ENUM(MAP_RESULT, MAP_RESULT_VALUES);
typedef struct MAP_HANDLE_DATA_TAG *MAP_HANDLE;
/* Is asked before a pair goes in; anything but 0 keeps it out, with MAP_FILTER_REJECT. */
typedef int (*MAP_FILTER_CALLBACK)(const char *mapProperty, const char *mapValue);

/* mapFilterFunc may be NULL. A clone has the same filter. NULL: out of memory (or nothing to clone). */
MAP_HANDLE Map_Create(MAP_FILTER_CALLBACK mapFilterFunc);
MAP_HANDLE Map_Clone(MAP_HANDLE handle);
void Map_Destroy(MAP_HANDLE handle);

/* MAP_KEYEXISTS when it is there already. */
MAP_RESULT Map_Add(MAP_HANDLE handle, const char *key, const char *value);
MAP_RESULT Map_AddOrUpdate(MAP_HANDLE handle, const char *key, const char *value);
/* MAP_KEYNOTFOUND. */
MAP_RESULT Map_Delete(MAP_HANDLE handle, const char *key);

MAP_RESULT Map_ContainsKey(MAP_HANDLE handle, const char *key, bool *keyExists);
MAP_RESULT Map_ContainsValue(MAP_HANDLE handle, const char *value, bool *valueExists);
/* Lent until that pair changes; NULL: there is no such key. */
const char *Map_GetValueFromKey(MAP_HANDLE handle, const char *key);
/* All of it: two arrays of *count strings each, lent until the map changes. */
MAP_RESULT
Map_GetInternals(MAP_HANDLE handle, const char *const **keys, const char *const **values, size_t *count);
/* {"key":"value","key":"value"}; the caller's, for STRING_delete(). NULL: out of memory. */
STRING_HANDLE Map_ToJSON(MAP_HANDLE handle);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
