#include "azure_c_shared_utility/constmap.h"

#include <stdatomic.h>
#include <stdlib.h>

struct CONSTMAP_HANDLE_DATA_TAG {
	MAP_HANDLE map;
	atomic_size_t holders;
};

CONSTMAP_HANDLE
ConstMap_Create(MAP_HANDLE sourceMap)
{
	CONSTMAP_HANDLE h = calloc(1, sizeof(*h));

	if (h == NULL || (h->map = Map_Clone(sourceMap)) == NULL) {
		free(h);
		return NULL;
	}
	atomic_init(&h->holders, 1);
	return h;
}

void
ConstMap_Destroy(CONSTMAP_HANDLE handle)
{
	if (handle == NULL || atomic_fetch_sub(&handle->holders, 1) > 1)
		return;
	Map_Destroy(handle->map);
	free(handle);
}

CONSTMAP_HANDLE
ConstMap_Clone(CONSTMAP_HANDLE handle)
{
	if (handle != NULL)
		atomic_fetch_add(&handle->holders, 1);
	return handle;
}

MAP_HANDLE
ConstMap_CloneWriteable(CONSTMAP_HANDLE handle)
{
	return handle != NULL ? Map_Clone(handle->map) : NULL;
}

bool
ConstMap_ContainsKey(CONSTMAP_HANDLE handle, const char *key)
{
	return ConstMap_GetValue(handle, key) != NULL;
}

bool
ConstMap_ContainsValue(CONSTMAP_HANDLE handle, const char *value)
{
	bool there = false;

	return handle != NULL && Map_ContainsValue(handle->map, value, &there) == MAP_OK && there;
}

const char *
ConstMap_GetValue(CONSTMAP_HANDLE handle, const char *key)
{
	return handle != NULL ? Map_GetValueFromKey(handle->map, key) : NULL;
}

CONSTMAP_RESULT
ConstMap_GetInternals(
    CONSTMAP_HANDLE handle, const char *const **keys, const char *const **values, size_t *count)
{
	if (handle == NULL || Map_GetInternals(handle->map, keys, values, count) != MAP_OK)
		return CONSTMAP_INVALIDARG;
	return CONSTMAP_OK;
}
