/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/conf_list.h"

#include <stdlib.h>
#include <string.h>

int conf_list_add(struct conf_list *list, const char *item, size_t length)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL)
        return -1;
    list->items = items;
    items[list->count] = strndup(item, length);
    if (items[list->count] == NULL)
        return -1;
    list->count++;
    return 0;
}

void conf_list_clear(struct conf_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct conf_list){.items = NULL};
}
