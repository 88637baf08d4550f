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

    /* From time to time while a step takes long: all is well. comparing is called where all rows are going to be read, and skipped
     * for a row that is no entry, once. NULL: nobody asks. */
    void (*alive)(void *data);
    void (*comparing)(void *data);
    void (*skipped)(const char *old, const char *why, void *data);
    void *data;
};

enum step_result {
    STEP_DONE,   /* in step */
    STEP_BEHIND, /* the replica has not come as far as the table */
    STEP_BUSY,   /* others read all rows: again soon */
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

/* Notes a row that is no entry in *skipped, and says so once. stays: its old address has an entry, from when the row was good. */
void step_skip(const struct step_work *step, struct skipped *skipped, const char *old,
               const char *reason, bool stays);

/* What has changed since the mark. *needs_whole: all rows have to be read, and nothing was done; *is_known: the store knows the
 * mark. Returns 0, or -1 with err. */
int step_delta(const struct step_work *step, const struct mark *mark, bool accepts, bool *is_known,
               bool *needs_whole, bool *held, struct error *err);

/* All rows. since: as for store_whole. Returns 0, 1 where others are at it, or -1 with err. */
int step_whole(const struct step_work *step, const struct mark *mark, int64_t since, bool accepts,
               bool *held, struct error *err);

#endif
