/* table/merge.h: the entries of a file beside those of a table: what would be added, changed and removed, and doing it.
 * The file's come in any order and any number; both are then gone through side by side, in the order of the table. */
#ifndef TABLE_MERGE_H
#define TABLE_MERGE_H

#include "base/error.h"
#include "table/entry.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>

struct merge; /* used by one thread at a time */

/* Numbers of old addresses; what is in the table alone and stays there is not counted. */
struct merge_counts {
    size_t added, changed, removed, same;
    size_t log_octets; /* that the differences take in the change log: see table/changelog.h */
    size_t repeated;   /* lines of the file whose old address it has in an earlier line */
};

/* Who is told of what; NULL: nobody. */
struct merge_watch {
    /* A line whose old address is in the line first too, same: with all other fields the same. It
     * is left out. */
    void (*repeated)(const struct entry *entry, unsigned long line, unsigned long first, bool same,
                     void *data);

    /* A difference, in the order of the table; before is NULL where it is added, after where it is
     * removed. merge_compare alone tells it. Returns 0 to go on, or -1 with err. */
    int (*difference)(const struct entry *before, const struct entry *after, void *data,
                      struct error *err);

    /* From time to time: how many of all the entries have been gone through. */
    void (*progress)(size_t done, size_t all, void *data);

    void *data;
};

/* memory is in octets: what the file's entries may take up, beyond which they go to a temporary
 * file in folder (table/sort.h). replaces_all: the table is to have the file's entries and no
 * others. folder and watch are borrowed. Returns NULL where memory is out. */
struct merge *merge_new(size_t memory, const char *folder, bool replaces_all,
                        const struct merge_watch *watch);

/* NULL is fine. */
void merge_free(struct merge *merge);

/* Adds an entry of the file. Returns 0; or -1 with err, EX_IOERR where the temporary file cannot be
 * written. */
int merge_add(struct merge *merge, const struct entry *entry, unsigned long line,
              struct error *err);

/* Compares the file with the table and writes nothing; behind it no entry can be added. The first time it tells of
 * repeated lines and differences. Again, where nothing has been committed since, it costs nothing. Returns 0 with *out,
 * or -1 with err. */
int merge_compare(struct merge *merge, struct table_view *view, struct merge_counts *out,
                  struct error *err);

/* Makes the changes that merge_compare has found in this view, which was opened after edit was
 * begun and so shows what edit began with. Only what differs is written; where that is most of the
 * table, all of it is rewritten, and packed. Returns 0, or -1 with err: then abort the edit. */
int merge_write(struct merge *merge, struct table_view *view, struct table_edit *edit,
                struct error *err);

#endif
