/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/apply.h: makes the table equal to a given set of entries, all or nothing: compares, prints the differences,
 * and writes. For import and restore. */
#ifndef CTL_APPLY_H
#define CTL_APPLY_H

#include "ctl/ctl.h"
#include "ctl/through.h"
#include "table/merge.h"

struct apply {
    const struct ctl *ctl; /* of its options: --dry-run */
    struct merge *merge;
    struct merge_watch watch;
    struct merge_counts counts;
    struct through through;
    const char *doing; /* for the progress bar */

    /* Both may be NULL. repeated is called for an old address that occurs twice, with this struct as data. may is called
     * after the comparison, and decides whether to continue: it returns 0, or -1 with err. */
    void (*repeated)(const struct entry *entry, unsigned long line, unsigned long first, bool same,
                     void *data);
    int (*may)(void *data, struct error *err);
    void *data; /* for may; repeated finds it in this struct */
};

/* Creates the merge, to which the caller adds entries with merge_add; replaces_all is as for merge_new. From now on an
 * interrupt says that nothing is changed. The caller sets the other members of *apply, which must not move until
 * merge_free(apply->merge). Returns 0, or -1 with err. */
int apply_begin(struct apply *apply, bool replaces_all, struct error *err);

/* Makes the table equal, or the store if the table follows one; with --dry-run prints the differences and changes nothing.
 * Warns if the change is too large for the change log. Returns 0 with counts; or -1 with err, and nothing is changed. */
int apply_run(struct apply *apply, struct error *err);

/* Prints "dry run: 1 added, 2 changed, 3 removed, 4 unchanged", without a line end. */
void apply_print(const struct apply *apply);

#endif
