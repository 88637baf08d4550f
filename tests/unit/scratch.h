/* tests/unit/scratch.h: a temporary folder with a table in it, for the tests that need a real
 * one. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include "table/table.h"

extern char scratch[];       /* the folder; "" outside a test */
extern char scratch_table[]; /* the table's folder in it */

/* Around all tests: a test that fails ends without its teardown. */
void scratch_begin(void);
void scratch_end(void);

/* Makes and removes the folder: a checked fixture. */
void scratch_setup(void);
void scratch_teardown(void);

/* Makes the table; NULL-terminated pairs of old and new: "gone" and "stay" as new are actions,
 * and "forward:NEW" too. */
void scratch_fill(const char *const *pairs);

/* Puts one entry into it: as people write it, or as it is, sound or not. */
void scratch_put(const struct entry_text *text);
void scratch_put_entry(const struct entry *entry);

/* The path of a file in the table's folder: valid until the next call. */
const char *scratch_file(const char *name);

/* Opens the table for reading; fails the test where that fails. */
struct table *scratch_open(void);

#endif
