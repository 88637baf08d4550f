/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/step.h: one step that brings the table to the state of the store: what has changed since the table's mark, or all rows
 * where the store does not know the mark. The entries and the new mark are written in one transaction, and what is read is the
 * state of a row, not an event: a step that is done twice does no harm.
 *
 * A store that has lost what it should have is not believed: where more old addresses would go than max_remove allows, or all
 * of them, the step is held until somebody accepts it or the rows are back. */
#ifndef FOLLOW_STEP_H
#define FOLLOW_STEP_H

#include "base/error.h"
#include "follow/state.h"
#include "follow/store.h"
#include "mail/address.h"
#include "table/entry.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>

struct step_work {
    struct table *table; /* opened with TABLE_FOLLOW */
    struct store *store;
    const char *source; /* what the mark says the store is */
    const struct address_rules *rules;
    unsigned max_remove; /* per cent */
    size_t memory;       /* octets, for sorting all rows */
    const char *folder;  /* for what does not fit */
    struct follow_state
        *state; /* of before; its version, held and skipped rows are kept up to date */

    /* alive is called from time to time while a step takes long. NULL is allowed */
    void (*alive)(void);
    void (*say)(const char *line); /* gets each row that is no entry, once */
    void (*comparing)(void *data); /* called before all rows are read */
    void *data;
};

enum step_result {
    STEP_DONE,   /* in step */
    STEP_BEHIND, /* the replica has not come as far as the table */
    STEP_BUSY,   /* others read all rows: try again soon */
    STEP_HELD,
    STEP_FAILED,
};

/* Takes a step. compare: all rows are read, whatever has changed. accepts: however much would go. STEP_FAILED comes with err, and
 * the table is as it was, or at a version between. */
enum step_result step_take(struct step_work *step, bool compare, bool accepts, struct error *err);

/* ---- what the ways to do it, step_delta.c and step_whole.c, share */

/* Reads the mark of the table: version 0 where it has none. Returns 0, or -1 with err. */
int step_read_mark(const struct step_work *step, struct mark *out, struct error *err);

/* Begins an edit of the table, which still has this mark. Returns NULL with err: EX_TEMPFAIL where another process has followed
 * the store meanwhile. */
struct table_edit *step_begin(const struct step_work *step, const struct mark *mark,
                              struct error *err);

/* Commits it with its mark: that of this version. author and program go into the change log. Returns 0, or -1 with err. */
int step_commit(const struct step_work *step, struct table_edit *edit, int64_t version,
                const char *nonce, const char *author, const char *program, struct error *err);

/* Whether removed of all entries are too many to be believed, and nobody has accepted it. */
bool step_is_held(const struct step_work *step, const struct store_head *head, size_t removed,
                  size_t all);

/* Notes that this is held, or no longer. */
void step_hold(const struct step_work *step, const struct store_head *head, size_t removed);
void step_release(const struct step_work *step);

/* Reads an old address, which has to be exactly as movedctl writes it: else two rows could be for one mailbox. Returns 0
 * with scope, local and domain of *out; or -1 with err, which names the right form. */
int step_read_old(const struct step_work *step, struct entry *out, const char *old,
                  struct error *err);

/* Reads a row. One that is no entry is noted in *skipped, and said once; the entry of its old address, from when the row
 * was good, stays. Returns TABLE_FOUND with the entry in *out; TABLE_ABSENT if there is none; or TABLE_FAILED with err.
 * *is_good: the entry is that of the row. */
enum table_result step_read_row(const struct step_work *step, struct skipped *skipped,
                                const struct entry_text *row, struct entry *out, bool *is_good,
                                struct error *err);

/* Takes over what has changed since the mark. *needs_whole: all rows have to be read, and nothing was done; *is_known: the
 * store knows the mark. Returns STEP_DONE, STEP_HELD or STEP_FAILED with err. */
enum step_result step_delta(const struct step_work *step, const struct mark *mark, bool accepts,
                            bool *is_known, bool *needs_whole, struct error *err);

/* Takes over all rows. since: as for store_whole. Returns STEP_DONE, STEP_BUSY, STEP_HELD or STEP_FAILED with err. */
enum step_result step_whole(const struct step_work *step, const struct mark *mark, int64_t since,
                            bool accepts, struct error *err);

#endif
