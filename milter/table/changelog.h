/* SPDX-License-Identifier: BSD-2-Clause */
/* table/changelog.h: the change log: who changed what in the table, when, and what it was before. It is kept in the
 * table's file and written in the same transaction as the change. Its size is bounded: the oldest changes are dropped
 * for new ones.
 *
 * Its records are among the entries, as the table's metadata is. The key is "\0log", the number of the change and the
 * number of the record (8 and 4 octets, big-endian). Record 0 is the head; the others hold items (table/change.h).
 * Look-ups and walks never return them. */
#ifndef TABLE_CHANGELOG_H
#define TABLE_CHANGELOG_H

#include "table/change.h"
#include "table/table.h"

#define CHANGELOG_CHANGES_MAX 10000

/* In octets. A change whose entries are larger is logged without them. The limit of the whole log leaves room for the
 * largest change and others. */
#define CHANGELOG_CHANGE_MAX (16 * 1024 * 1024)
#define CHANGELOG_OCTETS_MAX (2 * CHANGELOG_CHANGE_MAX)

/* An entry before and after a change; NULL if there is none. Borrowed. */
struct change_entry {
    const struct entry *before, *after;
};

/* Reads a change, the last one if number is 0, in a view of its own. TABLE_ABSENT: it is not in the log. */
enum table_result changelog_get(struct table *table, uint64_t number, struct change *out,
                                struct error *err);

/* Calls each for the changes in the log, the newest first, until it returns a value other than 0. Returns the last
 * value of each, or -1 with err. Every change is read in a view of its own, and none is open while each runs, so a slow
 * each keeps no old pages. Changes that are dropped meanwhile are not seen. */
typedef int changelog_visit(const struct change *change, void *data, struct error *err);
int changelog_each(struct table *table, changelog_visit *each, void *data, struct error *err);

/* Calls each for the entries of a change, in the order in which they were changed; for none if the log does not hold
 * them. Otherwise as changelog_each. */
typedef int changelog_visit_entry(const struct change_entry *entry, void *data, struct error *err);
int changelog_each_entry(struct table *table, uint64_t number, changelog_visit_entry *each,
                         void *data, struct error *err);

/* Reverts a change, the last one if number is 0: its entries become what they were before. This is a change too, and
 * can be reverted. Returns 0 with *undone, the reverted change; or -1 with err (EX_DATAERR) if it is not in the log,
 * the log does not hold its entries, or an entry has been changed since. Then abort the edit. */
int table_edit_undo(struct table_edit *edit, uint64_t number, struct change *undone,
                    struct error *err);

#endif
