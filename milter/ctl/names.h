/* ctl/names.h: a set of names without case, each with what its owner keeps of it, in the order in which they came. */
#ifndef CTL_NAMES_H
#define CTL_NAMES_H

#include <stddef.h>

/* The first member of what is kept. */
struct name {
    struct name *next; /* NULL: the last */
    const char *text;  /* its own */
};

struct names {
    struct name *first, *last; /* NULL: none */
    size_t count;
    void *tree;
};

/* Returns what is kept of text: of size octets, all 0 but for the name where it is new. NULL where memory is out. */
void *names_add(struct names *names, const char *text, size_t size);

/* Calls clear, where not NULL, with each, which frees what that has of its own; and frees them all. */
void names_free(struct names *names, void (*clear)(void *kept));

#endif
