/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/names.h: a set of names, without case unless `exact` is set, in the order of insertion, with data for each. */
#ifndef CTL_NAMES_H
#define CTL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* The first member of the data of a name. */
struct name {
    struct name *next; /* NULL for the last one */
    const char *text;  /* part of the same allocation */
};

struct names {
    struct name *first, *last; /* NULL if empty */
    size_t count;
    bool exact;
    void *tree;
};

/* The data of text; NULL if it is not there. */
void *names_find(const struct names *names, const char *text);

/* Returns the data of text, which has size octets; adds the name if it is new, with all other members 0. Returns NULL
 * if memory is out. */
void *names_add(struct names *names, const char *text, size_t size);

/* Frees all names. clear, if not NULL, is called with the data of each, to free what it owns. */
void names_free(struct names *names, void (*clear)(void *kept));

#endif
