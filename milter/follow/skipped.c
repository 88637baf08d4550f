/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/skipped.h"

#include <stdlib.h>
#include <string.h>

static struct skipped_row *find(const struct skipped *skipped, const char *old)
{
    for (size_t i = 0; i < skipped->listed; i++)
        if (strcmp(skipped->rows[i].old, old) == 0)
            return &skipped->rows[i];
    return NULL;
}

static void row_free(struct skipped_row *row)
{
    free(row->old);
    free(row->why);
}

/* Where memory is out the row is counted and not listed. */
static void append(struct skipped *skipped, const char *old, const char *why)
{
    struct skipped_row row = {strdup(old), strdup(why)};
    if (skipped->rows == NULL)
        skipped->rows = calloc(SKIPPED_MAX, sizeof *skipped->rows);
    if (skipped->rows == NULL || row.old == NULL || row.why == NULL)
        row_free(&row);
    else
        skipped->rows[skipped->listed++] = row;
}

bool skipped_add(struct skipped *skipped, const char *old, const char *why)
{
    struct skipped_row *there = find(skipped, old);
    if (there != NULL) {
        char *copy = strcmp(there->why, why) == 0 ? NULL : strdup(why);
        if (copy == NULL)
            return false;
        free(there->why);
        there->why = copy;
        return true;
    }
    skipped->count++;
    if (skipped->listed < SKIPPED_MAX)
        append(skipped, old, why);
    return skipped->count <= SKIPPED_MAX;
}

void skipped_remove(struct skipped *skipped, const char *old)
{
    struct skipped_row *there = find(skipped, old);
    if (there == NULL)
        return;
    row_free(there);
    skipped->listed--;
    skipped->count--;
    memmove(there, there + 1, (size_t)(skipped->rows + skipped->listed - there) * sizeof *there);
}

void skipped_clear(struct skipped *skipped)
{
    for (size_t i = 0; i < skipped->listed; i++)
        row_free(&skipped->rows[i]);
    free(skipped->rows);
    *skipped = (struct skipped){NULL, 0, 0};
}
