/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/skipped.h: rows of the store that cannot be entries, and why: each is said once, and listed until it is mended. */
#ifndef FOLLOW_SKIPPED_H
#define FOLLOW_SKIPPED_H

#include <stdbool.h>
#include <stddef.h>

#define SKIPPED_MAX 1000 /* that are listed; more are counted */

struct skipped_row {
    char *old, *why; /* heap */
};

/* All zeros: none. Give it to skipped_clear. */
struct skipped {
    struct skipped_row *rows; /* listed of them, in the order in which they were met */
    size_t listed, count;
};

/* Notes a row, old as the store has it. Returns whether it is new, or for another reason. */
bool skipped_add(struct skipped *skipped, const char *old, const char *why);

/* The row is mended, or gone. */
void skipped_remove(struct skipped *skipped, const char *old);

void skipped_clear(struct skipped *skipped);

#endif
