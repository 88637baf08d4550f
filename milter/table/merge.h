/* SPDX-License-Identifier: BSD-2-Clause */
/* table/merge.h: compares the entries of a file with those of a table, and makes the table equal. The entries of the
 * file come in any order and number. They are sorted, and then both are read in the order of the table. */
#ifndef TABLE_MERGE_H
#define TABLE_MERGE_H

#include "base/error.h"
#include "table/entry.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>

struct merge; /* used by one thread at a time */

/* Counts of old addresses. Those that are in the table only, and stay there, are not counted. */
struct merge_counts {
    size_t added, changed, removed, same;
    size_t log_octets; /* the size of the differences in the change log (table/changelog.h) */
};

/* Functions of the caller; each may be NULL. */
struct merge_watch {
    /* A line whose old address is already on the line first. It is ignored. same: all other fields are equal too. */
    void (*repeated)(const struct entry *entry, unsigned long line, unsigned long first, bool same,
                     void *data);

    /* A difference, in the order of the table; before is NULL if the entry is added, after if it is removed. Only
     * merge_compare calls this. Returns 0 to continue, or -1 with err. With tells_same it is called for an entry that is
     * the same in both too. */
    int (*difference)(const struct entry *before, const struct entry *after, void *data,
                      struct error *err);
    bool tells_same;

    /* From time to time: done of all entries have been read. 0 before and after they are sorted. */
    void (*progress)(size_t done, size_t all, void *data);

    void *data;
};

/* memory is the size of the entries in octets above which they are stored in a temporary file in folder (table/sort.h).
 * With replaces_all the table is to have no other entries than those of the file. folder and watch are borrowed.
 * Returns NULL if memory is out. */
struct merge *merge_new(size_t memory, const char *folder, bool replaces_all,
                        const struct merge_watch *watch);

/* NULL is allowed. */
void merge_free(struct merge *merge);

/* Adds an entry of the file. Returns 0; or -1 with err, EX_IOERR if the temporary file cannot be written. */
int merge_add(struct merge *merge, const struct entry *entry, unsigned long line,
              struct error *err);

/* Compares the file with the table and writes nothing. No entry can be added after it. Only the first call reports
 * repeated lines and differences. A second call costs nothing if nothing has been committed since. Returns 0 with *out,
 * or -1 with err. */
int merge_compare(struct merge *merge, struct table_view *view, struct merge_counts *out,
                  struct error *err);

/* Makes the changes that merge_compare has found in this view. The view must be opened after edit was begun, so that
 * both show the same state. Only differences are written. Returns 0; or -1 with err, and then abort the edit. */
int merge_write(struct merge *merge, struct table_view *view, struct table_edit *edit,
                struct error *err);

/* ---- the guard: a file or a store that has lost rows looks the same as one from which they were deleted on purpose */

#define MERGE_PERCENT 10 /* the limit where none is set; 100: no limit */
#define MERGE_FEW     20 /* entries that may always be removed */

/* Whether removing removed of all entries exceeds the limit: more than percent of them, and more than MERGE_FEW. */
bool merge_removes_too_many(size_t removed, size_t all, unsigned percent);

/* The lowest limit in per cent, rounded up, that allows removing removed of all entries. */
unsigned merge_percent(size_t removed, size_t all);

#endif
