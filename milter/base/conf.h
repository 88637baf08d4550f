/* SPDX-License-Identifier: BSD-2-Clause */
/* base/conf.h: reads a libconfig file according to a table with one row for each key, and refuses
 * keys that are not in it. libconfig: https://hyperrealm.github.io/libconfig/ */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/conf_list.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum conf_type {
    CONF_STRING, /* char *: the settings own it */
    CONF_INT,    /* int, within min and max */
    CONF_BOOL,   /* bool */
    CONF_CHOICE, /* int: the index of the string in choices, or its number in values */
    CONF_LIST,   /* struct conf_list: an array or list of strings */
    CONF_LINES,  /* char *: a string, or an array of strings, which are joined with line feeds */
    CONF_GROUPS, /* struct conf_groups: a list of groups with keys of their own */
};

struct conf_groups {
    void *items; /* heap, count of them, each a struct of conf_group.size bytes */
    size_t count;
};

/* The keys of each group of a CONF_GROUPS. Their offsets are within one item. */
struct conf_group {
    const struct conf_key *keys;
    size_t count, size;
};

/* One key. */
struct conf_key {
    const char *path; /* "disclosure.limit" */
    enum conf_type type;
    size_t offset; /* of its value in the settings struct */
    /* The default of a string, choice or list (separated by blanks); NULL: none */
    const char *text;
    int number, min, max; /* the default and the range of an int; number is the default of a bool */
    const char *const *choices;     /* NULL-terminated */
    const int *values;              /* one for each of choices; NULL: its index */
    const char *unit;               /* for the error line and the manual: "seconds" */
    const struct conf_group *group; /* of a CONF_GROUPS */
    void (*hide)(char *text); /* takes out of a string what nobody may be shown; NULL: nothing */
};

/* Sets every key to its default. */
void conf_defaults(void *settings, const struct conf_key *keys, size_t count);

/* Where a key is set. */
struct conf_spot {
    const char *file; /* borrowed from the files that conf_read names */
    unsigned line;
};

/* Reads file, then the files in FILE.d, with their includes, into settings. In FILE.d, if it exists, only names that
 * end in ".conf" and do not begin with a dot count, in bytewise order. The contents of the group ignored are not read
 * (NULL: none is ignored). Appends the path of each file read to files, and writes into spots where each of the keys is
 * set. Returns 0; or -1 with err: EX_NOINPUT if file is missing, EX_NOPERM, or EX_CONFIG with file, line and key. After
 * an error settings are incomplete and must be freed. */
int conf_read(void *settings, const struct conf_key *keys, size_t count, const char *ignored,
              const char *file, struct conf_list *files, struct conf_spot *spots,
              struct error *err);

/* Frees the strings and lists that keys name in settings. */
void conf_free(void *settings, const struct conf_key *keys, size_t count);

#endif
