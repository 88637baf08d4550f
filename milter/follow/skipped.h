/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/skipped.h: rows of the store that cannot be entries, and why. Each is reported once, and listed until it is
 * corrected. */
#ifndef FOLLOW_SKIPPED_H
#define FOLLOW_SKIPPED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SKIPPED_MAX 1000 /* that are listed; more are counted */

/* Start with {0}: none. Free it with skipped_clear. */
struct skipped {
    /* {old: why, ...}; NULL: none. Octets of old that are not UTF-8 are written as \xff */
    json_t *rows;
    size_t count;
};

/* Whether it is listed for this reason. */
bool skipped_has(const struct skipped *skipped, const char *old, const char *why);

/* Notes a row. Returns whether the row, or its reason, is new. */
bool skipped_add(struct skipped *skipped, const char *old, const char *why);

/* Removes a row that was corrected or deleted. */
void skipped_remove(struct skipped *skipped, const char *old);

/* Returns [{"old": ..., "why": ...}, ...], to be freed with json_decref; NULL if memory is out. */
json_t *skipped_list(const struct skipped *skipped);

void skipped_clear(struct skipped *skipped);

#endif
