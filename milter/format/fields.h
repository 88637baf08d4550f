/* format/fields.h: an entry as named texts: the columns of CSV, the names of JSON, the rows of a
 * list. No I/O. */
#ifndef FORMAT_FIELDS_H
#define FORMAT_FIELDS_H

#include "base/error.h"
#include "table/entry.h"

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
#define FIELDS 8

/* "old", "new" and so on, in the order of enum field; and all of them, for an error. */
extern const char *const field_names[FIELDS];
#define FIELD_NAMES "old, new, action, from, until, forward_until, disclose, note"

/* The field of this name, or -1. */
int field_find(const char *name);

/* Holds its own bytes, but for new, action, disclose and note: those are the entry's. */
struct fields {
    const char *values[FIELDS]; /* "" where there is nothing to say */
    char old[ADDRESS_TEXT_SIZE];
    char moments[3][TIMESTAMP_TEXT_SIZE];
};

/* Spells the entry; valid as long as it is, and *out is not copied. */
void fields_spell(struct fields *out, const struct entry *entry);

/* Reads an entry from its fields, NULL or "" where nothing is said: entry_parse. */
int fields_parse(struct entry *out, const char *const values[FIELDS],
                 const struct address_rules *rules, struct error *err);

#endif
