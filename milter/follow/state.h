/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/state.h: how following goes, in a file in the table's folder: written by movedctl follow, read by anybody who may read
 * the table. No store is asked. */
#ifndef FOLLOW_STATE_H
#define FOLLOW_STATE_H

#include "base/error.h"
#include "follow/skipped.h"
#include "table/mark.h"

#include <stddef.h>
#include <stdint.h>

/* The command that the change log has for a comparison of all rows. */
#define FOLLOW_COMPARED "movedctl follow: all rows compared"

enum follow_status {
    FOLLOW_NEVER,     /* never synced */
    FOLLOW_COMPARING, /* all rows are being read */
    FOLLOW_IN_STEP,
    FOLLOW_BEHIND,  /* the store is a replica that has not come as far as the table */
    FOLLOW_DOWN,    /* no contact */
    FOLLOW_HELD,    /* the store has lost too much to be believed */
    FOLLOW_REFUSED, /* no login, no right, no schema: somebody has to mend it */
};

/* All zeros: nothing is known. Give it to state_clear. */
struct follow_state {
    enum follow_status status;
    char reason[sizeof((struct error *)NULL)->text]; /* "" where there is nothing to say */
    int64_t version;                                 /* of the table */
    int64_t store_version;                           /* when it was last heard of */
    int64_t contact;                                 /* seconds since 1970; 0: never */
    int64_t compared;                                /* when all rows were last compared */
    size_t entries;

    /* Old addresses that would go, 0: not held; the version that was held first, and the newest one. */
    size_t held;
    int64_t held_first, held_version;
    char held_nonce[MARK_NONCE_MAX + 1];

    struct skipped skipped;
};

/* "never", "comparing", "in step" ... */
const char *state_name(enum follow_status status);

/* The exit status of follow --status for this state at the moment now: DESIGN: 0 in step, 1 with skipped rows, EX_DATAERR held,
 * EX_NOINPUT never synced, EX_UNAVAILABLE no contact for more than max_lag seconds, EX_TEMPFAIL comparing, behind and shorter
 * outages, EX_CONFIG refused. */
int state_exit_status(const struct follow_state *state, int64_t now, int max_lag);

/* Writes it for the table in the folder path. Returns 0, or -1 with err (EX_CANTCREAT). */
int state_write(const struct follow_state *state, const char *path, struct error *err);

/* Reads it. Returns 0; 1 where there is none, with *out all zeros; or -1 with err. */
int state_read(struct follow_state *out, const char *path, struct error *err);

/* Removes the file. Returns 0, also where there is none; or -1 with err. */
int state_remove(const char *path, struct error *err);

void state_clear(struct follow_state *state);

#endif
