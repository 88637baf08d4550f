/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/step.h: one step that brings the table to the state of the store. It reads what has changed since the table's mark; or
 * all rows, if the store does not know the mark. The entries and the new mark are written in one transaction. A row is read
 * as it is now, not as an event, so a step that is done twice does no harm.
 *
 * A store that has lost many rows may be broken: if more old addresses would go than max_remove allows, or all of them, the
 * step is held until somebody accepts it or the rows are back. */
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
    const char *source; /* the store's name in the mark */
    const struct address_rules *rules;
    unsigned max_remove; /* per cent */
    size_t memory;       /* octets, for sorting all rows */
    const char *folder;  /* for what does not fit */
    /* of before; its version, held and skipped rows are kept up to date */
    struct follow_state *state;

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

/* Takes a step. compare: all rows are read, whatever has changed. accepts: however much would go. STEP_FAILED comes
 * with err, and the table is then as it was, or at a version between. */
enum step_result step_take(const struct step_work *work, bool compare, bool accepts,
                           struct error *err);

/* Reads the mark of the table: version 0 if it has none. Returns 0, or -1 with err. */
int step_read_mark(const struct step_work *work, struct mark *out, struct error *err);

#endif
