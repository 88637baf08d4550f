/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/skipped.h: rows of the store that cannot be entries, and why: each is said once, and listed until it is mended. */
#ifndef FOLLOW_SKIPPED_H
#define FOLLOW_SKIPPED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SKIPPED_MAX 1000 /* that are listed; more are counted */

/* All zeros: none. Give it to skipped_clear. */
struct skipped {
    json_t *rows; /* [{"old": ..., "why": ...}], in the order in which they were met; NULL: none */
    size_t count;
};

/* Of the row with this number; NULL behind the last. Borrowed. */
const char *skipped_old(const struct skipped *skipped, size_t i);
const char *skipped_why(const struct skipped *skipped, size_t i);

/* Whether it is listed for this reason. */
bool skipped_has(const struct skipped *skipped, const char *old, const char *why);

/* Notes a row, old as the store has it; what is no UTF-8 in it is listed as \xff. Returns whether it is new, or for another
 * reason. */
bool skipped_add(struct skipped *skipped, const char *old, const char *why);

/* The row is mended, or gone. */
void skipped_remove(struct skipped *skipped, const char *old);

/* The rows as they are printed: give it to json_decref. NULL where memory is out. */
json_t *skipped_list(const struct skipped *skipped);

void skipped_clear(struct skipped *skipped);

#endif
