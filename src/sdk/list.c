#include <stdlib.h>

#include "azure_c_shared_utility/singlylinkedlist.h"

struct LIST_ITEM_INSTANCE_TAG {
	const void *value;
	struct LIST_ITEM_INSTANCE_TAG *next;
};
struct SINGLYLINKEDLIST_INSTANCE_TAG {
	LIST_ITEM_HANDLE head;
	LIST_ITEM_HANDLE *tail; /* where the next one goes */
};

SINGLYLINKEDLIST_HANDLE
singlylinkedlist_create(void)
{
	SINGLYLINKEDLIST_HANDLE l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->tail = &l->head;
	return l;
}

void
singlylinkedlist_destroy(SINGLYLINKEDLIST_HANDLE list)
{
	LIST_ITEM_HANDLE i, next;

	if (list == NULL)
		return;
	for (i = list->head; i != NULL; i = next) {
		next = i->next;
		free(i);
	}
	free(list);
}

static LIST_ITEM_HANDLE
make(const void *value)
{
	LIST_ITEM_HANDLE i = calloc(1, sizeof(*i));

	if (i != NULL)
		i->value = value;
	return i;
}

LIST_ITEM_HANDLE
singlylinkedlist_add(SINGLYLINKEDLIST_HANDLE list, const void *item)
{
	LIST_ITEM_HANDLE i = list != NULL && item != NULL ? make(item) : NULL;

	if (i == NULL)
		return NULL;
	*list->tail = i;
	list->tail = &i->next;
	return i;
}

LIST_ITEM_HANDLE
singlylinkedlist_add_head(SINGLYLINKEDLIST_HANDLE list, const void *item)
{
	LIST_ITEM_HANDLE i = list != NULL && item != NULL ? make(item) : NULL;

	if (i == NULL)
		return NULL;
	if (list->head == NULL)
		list->tail = &i->next;
	i->next = list->head;
	list->head = i;
	return i;
}

/* The item that *at points to leaves. */
static void
cut(SINGLYLINKEDLIST_HANDLE list, LIST_ITEM_HANDLE *at)
{
	LIST_ITEM_HANDLE i = *at;

	*at = i->next;
	if (list->tail == &i->next)
		list->tail = at;
	free(i);
}

int
singlylinkedlist_remove(SINGLYLINKEDLIST_HANDLE list, LIST_ITEM_HANDLE item_handle)
{
	LIST_ITEM_HANDLE *at;

	if (list == NULL || item_handle == NULL)
		return MU_FAILURE;
	for (at = &list->head; *at != NULL && *at != item_handle; at = &(*at)->next)
		;
	if (*at == NULL)
		return MU_FAILURE;
	cut(list, at);
	return 0;
}

LIST_ITEM_HANDLE
singlylinkedlist_get_head_item(SINGLYLINKEDLIST_HANDLE list)
{
	return list != NULL ? list->head : NULL;
}

LIST_ITEM_HANDLE
singlylinkedlist_get_next_item(LIST_ITEM_HANDLE item_handle)
{
	return item_handle != NULL ? item_handle->next : NULL;
}

LIST_ITEM_HANDLE
singlylinkedlist_find(
    SINGLYLINKEDLIST_HANDLE list, LIST_MATCH_FUNCTION match_function, const void *match_context)
{
	LIST_ITEM_HANDLE i;

	if (list == NULL || match_function == NULL)
		return NULL;
	for (i = list->head; i != NULL && !match_function(i, match_context); i = i->next)
		;
	return i;
}

const void *
singlylinkedlist_item_get_value(LIST_ITEM_HANDLE item_handle)
{
	return item_handle != NULL ? item_handle->value : NULL;
}

int
singlylinkedlist_remove_if(
    SINGLYLINKEDLIST_HANDLE list, LIST_CONDITION_FUNCTION condition_function, const void *match_context)
{
	LIST_ITEM_HANDLE *at;
	bool more = true;

	if (list == NULL || condition_function == NULL)
		return MU_FAILURE;
	for (at = &list->head; *at != NULL && more;) {
		more = false;
		if (condition_function((*at)->value, match_context, &more))
			cut(list, at);
		else
			at = &(*at)->next;
	}
	return 0;
}

int
singlylinkedlist_foreach(
    SINGLYLINKEDLIST_HANDLE list, LIST_ACTION_FUNCTION action_function, const void *action_context)
{
	bool more = true;

	if (list == NULL || action_function == NULL)
		return MU_FAILURE;
	for (LIST_ITEM_HANDLE i = list->head; i != NULL && more; i = i->next) {
		more = false;
		action_function(i->value, action_context, &more);
	}
	return 0;
}
