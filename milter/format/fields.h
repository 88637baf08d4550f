/* SPDX-License-Identifier: BSD-2-Clause */
/* format/fields.h: the fields of an entry as text, with names: columns of CSV, members of JSON, columns of a list. No
 * I/O. */
#ifndef FORMAT_FIELDS_H
#define FORMAT_FIELDS_H

#include "table/entry.h"

/* In the order of struct entry_text. */
enum field {
    FIELD_OLD,
    FIELD_NEW,
    FIELD_ACTION,
    FIELD_FROM,
    FIELD_UNTIL,
    FIELD_FORWARD_UNTIL,
    FIELD_DISCLOSE,
    FIELD_NOTE,
};
#define FIELDS ENTRY_FIELDS

/* The names of the fields, in the order of enum field; FIELD_NAMES lists all of them for an error message. */
extern const char *const field_names[FIELDS];
#define FIELD_NAMES "old, new, action, from, until, forward_until, disclose, note"

/* Returns the field that has this name among names, or -1. */
int field_find(const char *const names[FIELDS], const char *name);

/* The values of the fields. Some point into the struct and some into the entry, so do not copy it. */
struct fields {
    const char *values[FIELDS]; /* "" if not set */
    char old[ADDRESS_TEXT_SIZE];
    char moments[3][TIMESTAMP_TEXT_SIZE];
};

/* Formats the fields of the entry. *out is valid as long as the entry is. */
void fields_spell(struct fields *out, const struct entry *entry);

#endif
