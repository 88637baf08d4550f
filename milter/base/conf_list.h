/* SPDX-License-Identifier: BSD-2-Clause */
/* base/conf_list.h: a list of strings, as in the configuration. */
#ifndef BASE_CONF_LIST_H
#define BASE_CONF_LIST_H

#include <stddef.h>

struct conf_list {
    char **items; /* heap, count of them, each on the heap */
    size_t count;
};

/* Appends a copy of length octets of item. Returns 0, or -1 if memory is out. */
int conf_list_add(struct conf_list *list, const char *item, size_t length);

/* Frees the contents; the list is then empty. */
void conf_list_clear(struct conf_list *list);

#endif
