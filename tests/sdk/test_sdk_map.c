#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "azure_c_shared_utility/constmap.h"
#include "azure_c_shared_utility/map.h"
#include "azure_c_shared_utility/singlylinkedlist.h"

static int
no_x(const char *key, const char *value)
{
	return strchr(key, 'x') != NULL || strchr(value, 'x') != NULL;
}

static void
keeps_pairs(void **state)
{
	MAP_HANDLE m = Map_Create(NULL), copy;
	const char *const *keys, *const *values;
	STRING_HANDLE json;
	size_t n;
	bool there;

	(void)state;
	json = Map_ToJSON(m);
	assert_string_equal(STRING_c_str(json), "{}");
	STRING_delete(json);
	assert_int_equal(Map_Add(m, "a", "1"), MAP_OK);
	assert_int_equal(Map_Add(m, "a", "2"), MAP_KEYEXISTS);
	assert_int_equal(Map_AddOrUpdate(m, "a", Map_GetValueFromKey(m, "a")), MAP_OK);
	assert_int_equal(Map_AddOrUpdate(m, "b", "2\""), MAP_OK);
	assert_string_equal(Map_GetValueFromKey(m, "a"), "1");
	assert_null(Map_GetValueFromKey(m, "c"));
	assert_int_equal(Map_ContainsKey(m, "a", &there), MAP_OK);
	assert_true(there);
	assert_int_equal(Map_ContainsValue(m, "3", &there), MAP_OK);
	assert_false(there);
	json = Map_ToJSON(m);
	assert_string_equal(STRING_c_str(json), "{\"a\":\"1\",\"b\":\"2\\\"\"}");
	STRING_delete(json);
	copy = Map_Clone(m);
	assert_int_equal(Map_Delete(m, "a"), MAP_OK);
	assert_int_equal(Map_Delete(m, "a"), MAP_KEYNOTFOUND);
	assert_int_equal(Map_GetInternals(m, &keys, &values, &n), MAP_OK);
	assert_int_equal(n, 1);
	assert_string_equal(keys[0], "b");
	assert_string_equal(values[0], "2\"");
	assert_string_equal(Map_GetValueFromKey(copy, "a"), "1");
	Map_Destroy(m);
	Map_Destroy(copy);
}

static void
grows(void **state)
{
	MAP_HANDLE m = Map_Create(NULL);
	char key[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(Map_Add(m, key, key), MAP_OK);
	}
	assert_string_equal(Map_GetValueFromKey(m, "99"), "99");
	Map_Destroy(m);
}

static void
asks_its_filter(void **state)
{
	MAP_HANDLE m = Map_Create(no_x), copy;

	(void)state;
	assert_int_equal(Map_Add(m, "x", "1"), MAP_FILTER_REJECT);
	assert_int_equal(Map_AddOrUpdate(m, "a", "x"), MAP_FILTER_REJECT);
	assert_int_equal(Map_Add(m, "a", "1"), MAP_OK);
	assert_int_equal(Map_AddOrUpdate(m, "a", "x"), MAP_FILTER_REJECT);
	assert_string_equal(Map_GetValueFromKey(m, "a"), "1");
	copy = Map_Clone(m);
	assert_int_equal(Map_Add(copy, "x", "1"), MAP_FILTER_REJECT);
	Map_Destroy(m);
	Map_Destroy(copy);
}

static void
bears_nothing(void **state)
{
	MAP_HANDLE m = Map_Create(NULL);
	const char *const *list;
	size_t n;
	bool there;

	(void)state;
	assert_null(Map_Clone(NULL));
	assert_int_equal(Map_Add(NULL, "a", "b"), MAP_INVALIDARG);
	assert_int_equal(Map_Add(m, NULL, "b"), MAP_INVALIDARG);
	assert_int_equal(Map_AddOrUpdate(m, "a", NULL), MAP_INVALIDARG);
	assert_int_equal(Map_Delete(NULL, "a"), MAP_INVALIDARG);
	assert_int_equal(Map_Delete(m, NULL), MAP_INVALIDARG);
	assert_int_equal(Map_ContainsKey(m, NULL, &there), MAP_INVALIDARG);
	assert_int_equal(Map_ContainsKey(m, "a", NULL), MAP_INVALIDARG);
	assert_int_equal(Map_ContainsValue(NULL, "a", &there), MAP_INVALIDARG);
	assert_null(Map_GetValueFromKey(m, NULL));
	assert_null(Map_GetValueFromKey(NULL, "a"));
	assert_int_equal(Map_GetInternals(m, NULL, &list, &n), MAP_INVALIDARG);
	assert_int_equal(Map_GetInternals(m, &list, NULL, &n), MAP_INVALIDARG);
	assert_int_equal(Map_GetInternals(m, &list, &list, NULL), MAP_INVALIDARG);
	assert_null(Map_ToJSON(NULL));
	assert_string_equal(MU_ENUM_TO_STRING(MAP_RESULT, MAP_FILTER_REJECT), "MAP_FILTER_REJECT");
	assert_null(MU_ENUM_TO_STRING(MAP_RESULT, (MAP_RESULT)99));
	Map_Destroy(m);
	Map_Destroy(NULL);
	assert_null(ConstMap_Create(NULL));
	assert_null(ConstMap_Clone(NULL));
	assert_null(ConstMap_CloneWriteable(NULL));
	assert_null(ConstMap_GetValue(NULL, "a"));
	assert_false(ConstMap_ContainsKey(NULL, "a"));
	assert_false(ConstMap_ContainsValue(NULL, "a"));
	assert_int_equal(ConstMap_GetInternals(NULL, &list, &list, &n), CONSTMAP_INVALIDARG);
	ConstMap_Destroy(NULL);
}

static void
shares_what_never_changes(void **state)
{
	MAP_HANDLE m = Map_Create(NULL), own;
	CONSTMAP_HANDLE c, d;
	const char *const *keys, *const *values;
	size_t n;

	(void)state;
	Map_Add(m, "a", "1");
	c = ConstMap_Create(m);
	Map_AddOrUpdate(m, "a", "2");
	d = ConstMap_Clone(c);
	ConstMap_Destroy(c);
	assert_string_equal(ConstMap_GetValue(d, "a"), "1");
	assert_true(ConstMap_ContainsKey(d, "a") && ConstMap_ContainsValue(d, "1"));
	assert_false(ConstMap_ContainsKey(d, "b") || ConstMap_ContainsValue(d, "2"));
	assert_false(ConstMap_ContainsValue(d, NULL));
	assert_int_equal(ConstMap_GetInternals(d, &keys, &values, &n), CONSTMAP_OK);
	assert_int_equal(n, 1);
	own = ConstMap_CloneWriteable(d);
	assert_int_equal(Map_Delete(own, "a"), MAP_OK);
	ConstMap_Destroy(d);
	Map_Destroy(own);
	Map_Destroy(m);
}

static bool
is_item(LIST_ITEM_HANDLE item, const void *ctx)
{
	return singlylinkedlist_item_get_value(item) == ctx;
}

static bool
takes_out(const void *item, const void *ctx, bool *more)
{
	*more = true;
	return item == ctx;
}

static bool
takes_first(const void *item, const void *ctx, bool *more)
{
	(void)item, (void)ctx, (void)more;
	return true;
}

static void
counts_two(const void *item, const void *ctx, bool *more)
{
	int *n = (int *)(uintptr_t)ctx;

	(void)item;
	*more = ++*n < 2;
}

static void
lists_pointers(void **state)
{
	SINGLYLINKEDLIST_HANDLE l = singlylinkedlist_create();
	LIST_ITEM_HANDLE b;
	int n = 0;

	(void)state;
	assert_null(singlylinkedlist_get_head_item(l));
	b = singlylinkedlist_add(l, "b");
	assert_non_null(singlylinkedlist_add_head(l, "a"));
	assert_non_null(singlylinkedlist_add(l, "c"));
	assert_string_equal(singlylinkedlist_item_get_value(singlylinkedlist_get_head_item(l)), "a");
	assert_ptr_equal(singlylinkedlist_get_next_item(singlylinkedlist_get_head_item(l)), b);
	assert_int_equal(singlylinkedlist_foreach(l, counts_two, &n), 0);
	assert_int_equal(n, 2);
	assert_ptr_equal(singlylinkedlist_find(l, is_item, singlylinkedlist_item_get_value(b)), b);
	assert_null(singlylinkedlist_find(l, is_item, "nobody"));
	assert_int_equal(singlylinkedlist_remove(l, b), 0);
	assert_int_not_equal(singlylinkedlist_remove(l, b), 0);
	assert_int_equal(singlylinkedlist_remove_if(l, takes_first, NULL), 0);
	assert_string_equal(singlylinkedlist_item_get_value(singlylinkedlist_get_head_item(l)), "c");
	assert_int_equal(singlylinkedlist_remove_if(l, takes_out,
			     singlylinkedlist_item_get_value(singlylinkedlist_get_head_item(l))),
	    0);
	assert_null(singlylinkedlist_get_head_item(l));
	assert_non_null(singlylinkedlist_add(l, "d")); /* the end is known again */
	assert_string_equal(singlylinkedlist_item_get_value(singlylinkedlist_get_head_item(l)), "d");
	assert_null(singlylinkedlist_add(l, NULL));
	assert_null(singlylinkedlist_add(NULL, "x"));
	assert_null(singlylinkedlist_add_head(NULL, "x"));
	assert_null(singlylinkedlist_find(l, NULL, NULL));
	assert_null(singlylinkedlist_get_next_item(NULL));
	assert_null(singlylinkedlist_item_get_value(NULL));
	assert_int_not_equal(singlylinkedlist_remove(l, NULL), 0);
	assert_int_not_equal(singlylinkedlist_remove_if(NULL, takes_out, NULL), 0);
	assert_int_not_equal(singlylinkedlist_foreach(l, NULL, NULL), 0);
	singlylinkedlist_destroy(l);
	singlylinkedlist_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_pairs),
		cmocka_unit_test(grows),
		cmocka_unit_test(asks_its_filter),
		cmocka_unit_test(bears_nothing),
		cmocka_unit_test(shares_what_never_changes),
		cmocka_unit_test(lists_pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
