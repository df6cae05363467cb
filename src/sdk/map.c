#include "azure_c_shared_utility/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct MAP_HANDLE_DATA_TAG {
	char **keys, **values; /* as many as `room` */
	size_t n, room;
	MAP_FILTER_CALLBACK filter;
};

/* Where the key is; n: nowhere. */
static size_t
find(MAP_HANDLE m, const char *key)
{
	size_t i = 0;

	while (i < m->n && strcmp(m->keys[i], key) != 0)
		i++;
	return i;
}

MAP_HANDLE
Map_Create(MAP_FILTER_CALLBACK mapFilterFunc)
{
	MAP_HANDLE m = calloc(1, sizeof(*m));

	if (m != NULL)
		m->filter = mapFilterFunc;
	return m;
}

void
Map_Destroy(MAP_HANDLE handle)
{
	if (handle == NULL)
		return;
	for (size_t i = 0; i < handle->n; i++) {
		free(handle->keys[i]);
		free(handle->values[i]);
	}
	free(handle->keys);
	free(handle->values);
	free(handle);
}

static int
grow(char ***list, size_t room)
{
	char **more = realloc(*list, room * sizeof(*more));

	if (more == NULL)
		return -1;
	*list = more;
	return 0;
}

static MAP_RESULT
append(MAP_HANDLE m, const char *key, const char *value)
{
	size_t room = m->room == 0 ? 8 : m->room * 2;
	char *k, *v;

	if (m->n == m->room) {
		if (grow(&m->keys, room) < 0 || grow(&m->values, room) < 0)
			return MAP_ERROR;
		m->room = room;
	}
	k = strdup(key);
	v = strdup(value);
	if (k == NULL || v == NULL) {
		free(k);
		free(v);
		return MAP_ERROR;
	}
	m->keys[m->n] = k;
	m->values[m->n++] = v;
	return MAP_OK;
}

MAP_HANDLE
Map_Clone(MAP_HANDLE handle)
{
	MAP_HANDLE m = handle != NULL ? Map_Create(handle->filter) : NULL;

	for (size_t i = 0; m != NULL && i < handle->n; i++)
		if (append(m, handle->keys[i], handle->values[i]) != MAP_OK) {
			Map_Destroy(m);
			m = NULL;
		}
	return m;
}

static MAP_RESULT
put(MAP_HANDLE m, const char *key, const char *value, bool update)
{
	size_t at;

	if (m == NULL || key == NULL || value == NULL)
		return MAP_INVALIDARG;
	at = find(m, key);
	if (at < m->n && !update)
		return MAP_KEYEXISTS;
	if (m->filter != NULL && m->filter(key, value) != 0)
		return MAP_FILTER_REJECT;
	if (at == m->n)
		return append(m, key, value);
	return str_set(&m->values[at], value) == 0 ? MAP_OK : MAP_ERROR;
}

MAP_RESULT
Map_Add(MAP_HANDLE handle, const char *key, const char *value)
{
	return put(handle, key, value, false);
}

MAP_RESULT
Map_AddOrUpdate(MAP_HANDLE handle, const char *key, const char *value)
{
	return put(handle, key, value, true);
}

MAP_RESULT
Map_Delete(MAP_HANDLE handle, const char *key)
{
	size_t at;

	if (handle == NULL || key == NULL)
		return MAP_INVALIDARG;
	if ((at = find(handle, key)) == handle->n)
		return MAP_KEYNOTFOUND;
	free(handle->keys[at]);
	free(handle->values[at]);
	handle->n--;
	memmove(handle->keys + at, handle->keys + at + 1, (handle->n - at) * sizeof(*handle->keys));
	memmove(handle->values + at, handle->values + at + 1, (handle->n - at) * sizeof(*handle->values));
	return MAP_OK;
}

MAP_RESULT
Map_ContainsKey(MAP_HANDLE handle, const char *key, bool *keyExists)
{
	if (handle == NULL || key == NULL || keyExists == NULL)
		return MAP_INVALIDARG;
	*keyExists = find(handle, key) < handle->n;
	return MAP_OK;
}

MAP_RESULT
Map_ContainsValue(MAP_HANDLE handle, const char *value, bool *valueExists)
{
	if (handle == NULL || value == NULL || valueExists == NULL)
		return MAP_INVALIDARG;
	*valueExists = false;
	for (size_t i = 0; i < handle->n && !*valueExists; i++)
		*valueExists = strcmp(handle->values[i], value) == 0;
	return MAP_OK;
}

const char *
Map_GetValueFromKey(MAP_HANDLE handle, const char *key)
{
	size_t at;

	if (handle == NULL || key == NULL || (at = find(handle, key)) == handle->n)
		return NULL;
	return handle->values[at];
}

MAP_RESULT
Map_GetInternals(MAP_HANDLE handle, const char *const **keys, const char *const **values, size_t *count)
{
	if (handle == NULL || keys == NULL || values == NULL || count == NULL)
		return MAP_INVALIDARG;
	*keys = (const char *const *)handle->keys;
	*values = (const char *const *)handle->values;
	*count = handle->n;
	return MAP_OK;
}

static int
put_pair(STRING_HANDLE s, const char *before, const char *key, const char *value)
{
	STRING_HANDLE k = STRING_new_JSON(key), v = STRING_new_JSON(value);
	int rc = MU_FAILURE;

	if (k != NULL && v != NULL)
		rc = STRING_sprintf(s, "%s%s:%s", before, STRING_c_str(k), STRING_c_str(v));
	STRING_delete(k);
	STRING_delete(v);
	return rc;
}

STRING_HANDLE
Map_ToJSON(MAP_HANDLE handle)
{
	STRING_HANDLE s = handle != NULL ? STRING_construct("{") : NULL;

	for (size_t i = 0; s != NULL && i < handle->n; i++)
		if (put_pair(s, i > 0 ? "," : "", handle->keys[i], handle->values[i]) != 0)
			goto fail;
	if (s == NULL || STRING_concat(s, "}") != 0)
		goto fail;
	return s;
fail:
	STRING_delete(s);
	return NULL;
}
