/*
 * A list of pointers. It owns its own links and never what the pointers point to. One thread at a time.
 *
 * Functions that answer an int answer 0 when it worked, those that answer a handle or a pointer NULL when it did not, or when there is none.
 */
#ifndef AZURE_C_SHARED_UTILITY_SINGLYLINKEDLIST_H
#define AZURE_C_SHARED_UTILITY_SINGLYLINKEDLIST_H
#include <stdbool.h>
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct SINGLYLINKEDLIST_INSTANCE_TAG *SINGLYLINKEDLIST_HANDLE;
typedef struct LIST_ITEM_INSTANCE_TAG *LIST_ITEM_HANDLE;
/* true: that is the one. */
typedef bool (*LIST_MATCH_FUNCTION)(LIST_ITEM_HANDLE list_item, const void *match_context);
/* true: take it out. *continue_processing is false beforehand: set it to true to be shown the next one. */
typedef bool (*LIST_CONDITION_FUNCTION)(
    const void *item, const void *match_context, bool *continue_processing);
typedef void (*LIST_ACTION_FUNCTION)(const void *item, const void *action_context, bool *continue_processing);

SINGLYLINKEDLIST_HANDLE singlylinkedlist_create(void);
void singlylinkedlist_destroy(SINGLYLINKEDLIST_HANDLE list);
/* At the end; at the beginning. item is not NULL. */
LIST_ITEM_HANDLE singlylinkedlist_add(SINGLYLINKEDLIST_HANDLE list, const void *item);
LIST_ITEM_HANDLE singlylinkedlist_add_head(SINGLYLINKEDLIST_HANDLE list, const void *item);
/* Not 0 when it is not in this list. */
int singlylinkedlist_remove(SINGLYLINKEDLIST_HANDLE list, LIST_ITEM_HANDLE item_handle);
LIST_ITEM_HANDLE singlylinkedlist_get_head_item(SINGLYLINKEDLIST_HANDLE list);
LIST_ITEM_HANDLE singlylinkedlist_get_next_item(LIST_ITEM_HANDLE item_handle);
LIST_ITEM_HANDLE singlylinkedlist_find(
    SINGLYLINKEDLIST_HANDLE list, LIST_MATCH_FUNCTION match_function, const void *match_context);
/* What was added. */
const void *singlylinkedlist_item_get_value(LIST_ITEM_HANDLE item_handle);
/* From the first to the last, or until the function leaves *continue_processing false. */
int singlylinkedlist_remove_if(
    SINGLYLINKEDLIST_HANDLE list, LIST_CONDITION_FUNCTION condition_function, const void *match_context);
int singlylinkedlist_foreach(
    SINGLYLINKEDLIST_HANDLE list, LIST_ACTION_FUNCTION action_function, const void *action_context);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
