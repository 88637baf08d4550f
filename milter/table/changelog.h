/* table/changelog.h: who changed what in the table, when, and what it was before. Kept in the table's own file and written
 * by the transaction that changes it: never one without the other. Bounded: the oldest changes make room for new ones.
 *
 * It stands among the entries, as what the table says of itself does: under "\0log", the number of the change and of its
 * record (8 and 4 octets, the highest first). Record 0 is the head, the rest are items (table/change.h). Who looks up or
 * walks entries never meets it. */
#ifndef TABLE_CHANGELOG_H
#define TABLE_CHANGELOG_H

#include "table/change.h"
#include "table/table.h"

#define CHANGELOG_CHANGES_MAX 10000

/* In octets. A change whose entries take more is logged without them; and what the whole log may take has room for such
 * a one and others. */
#define CHANGELOG_CHANGE_MAX (16 * 1024 * 1024)
#define CHANGELOG_OCTETS_MAX (2 * CHANGELOG_CHANGE_MAX)

/* One entry, before and after the change; NULL if there is none. Borrowed. */
struct change_entry {
    const struct entry *before, *after;
};

/* Calls each with the changes that the log has, the newest first, until it returns other than 0. Returns what each
 * returned last, or -1 with err. Each is read by a view of its own, and no view is open while each is called: however
 * long that takes, it holds nothing back. What is dropped meanwhile is not met any more. */
int changelog_each(struct table *table,
                   int (*each)(const struct change *change, void *data, struct error *err),
                   void *data, struct error *err);

/* Calls each with the entries of that change in the order in which they were changed; none where it does not hold them.
 * The rest is as for changelog_each. */
int changelog_each_entry(struct table *table, uint64_t number,
                         int (*each)(const struct change_entry *entry, void *data,
                                     struct error *err),
                         void *data, struct error *err);

/* Takes this change back, 0: the last one: its entries become what they were before. That is a change too, and can be taken
 * back. Returns 0 with *undone, what was taken back; or -1 with err (EX_DATAERR), and then abort the edit: it is not in the
 * log, the log does not hold its entries, or one of them is no longer what that change made of it. */
int table_edit_undo(struct table_edit *edit, uint64_t number, struct change *undone,
                    struct error *err);

/* Drops the changes at the log's beginning that were made before this moment; INT64_MAX: all. Where any are, that is a change
 * of its own, without entries, which keeps their numbers from being given again. Returns 0 with *dropped, how many, or -1
 * with err, and then abort the edit. */
int table_edit_clear_log(struct table_edit *edit, int64_t before, size_t *dropped,
                         struct error *err);

#endif
