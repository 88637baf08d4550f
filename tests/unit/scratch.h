/* SPDX-License-Identifier: BSD-2-Clause */
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

/* Waits until the size of the file is asked again: table_view_open does so at each tick of the clock. */
void scratch_next_tick(void);

/* Opens the table for reading; fails the test where that fails. */
struct table *scratch_open(void);

/* As table_find in a view of its own. */
enum table_result scratch_find(struct table *table, enum entry_scope scope, const char *local,
                               const char *domain, struct entry *out);

/* Fails the test unless the table cannot be opened, with this status and this text in the error. */
void scratch_refuses(int status, const char *text);

/* Writes octets into its data file. */
void scratch_overwrite(long at, const void *octets, size_t length);

/* Writes a record of the table, whatever it is; value NULL deletes it. */
void scratch_put_octets(const void *key, size_t length, const void *value, size_t value_length);

/* Makes the table, with u000000@old.example and so on. */
void scratch_fill_many(int count);

#endif
