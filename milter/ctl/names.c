/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/names.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int compare(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return strcasecmp(x->text, y->text);
}

static int compare_exactly(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return strcmp(x->text, y->text);
}

void *names_find(const struct names *names, const char *text)
{
    const struct name wanted = {.text = text};
    struct name **there = tfind(&wanted, &names->tree, names->exact ? compare_exactly : compare);
    return there == NULL ? NULL : *there;
}

void *names_add(struct names *names, const char *text, size_t size)
{
    size_t length = strlen(text) + 1;
    struct name *name = names_find(names, text);
    if (name != NULL)
        return name;
    name = calloc(1, size + length);
    if (name == NULL)
        return NULL;
    name->text = memcpy((char *)name + size, text, length);
    if (tsearch(name, &names->tree, names->exact ? compare_exactly : compare) == NULL) {
        free(name);
        return NULL;
    }
    if (names->last == NULL)
        names->first = name;
    else
        names->last->next = name;
    names->last = name;
    names->count++;
    return name;
}

void names_free(struct names *names, void (*clear)(void *kept))
{
    for (struct name *name = names->first; clear != NULL && name != NULL; name = name->next)
        clear(name);
    tdestroy(names->tree, free);
    *names = (struct names){.first = NULL};
}
