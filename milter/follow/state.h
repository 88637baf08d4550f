/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/state.h: the state of movedctl follow, which it writes into a file in the table's folder. Whoever may read
 * the table may read it. */
#ifndef FOLLOW_STATE_H
#define FOLLOW_STATE_H

#include "base/error.h"
#include "follow/skipped.h"
#include "table/mark.h"

#include <stddef.h>
#include <stdint.h>

enum follow_status {
    FOLLOW_NEVER,     /* never synced */
    FOLLOW_COMPARING, /* all rows are being read */
    FOLLOW_IN_STEP,
    FOLLOW_BEHIND,  /* the store is a replica that is older than the table */
    FOLLOW_DOWN,    /* no contact */
    FOLLOW_HELD,    /* the store has lost so many rows that it may be an accident */
    FOLLOW_REFUSED, /* no login, no right, no schema: an administrator has to act */
};

/* Start with {0}: nothing is known. Free it with state_clear. */
struct follow_state {
    enum follow_status status;
    char reason[sizeof((struct error *)NULL)->text]; /* "": none */
    int64_t version;                                 /* of the table */
    int64_t store_version;                           /* the newest one that was seen */
    int64_t contact;                                 /* seconds since 1970; 0: never */
    int64_t compared;                                /* when all rows were last compared */
    size_t entries;

    /* Old addresses that would be removed, 0: not held; the first version that was held, and the newest one. */
    size_t held;
    int64_t held_first, held_version;
    char held_nonce[MARK_NONCE_MAX + 1];

    struct skipped skipped;
};

/* "never", "comparing", "in step" ... */
const char *state_name(enum follow_status status);

/* The exit status of follow --status at the moment now: 0 in step, 1 with skipped rows, EX_DATAERR held, EX_NOINPUT never
 * synced, EX_UNAVAILABLE no contact for more than max_lag seconds, EX_TEMPFAIL comparing, behind and shorter outages, EX_CONFIG
 * refused. */
int state_exit_status(const struct follow_state *state, int64_t now, int max_lag);

/* Writes the file in the folder path. Returns 0, or -1 with err (EX_CANTCREAT). */
int state_write(const struct follow_state *state, const char *path, struct error *err);

/* Reads the file. Returns 0; 1 if it is missing, with *out all zeros; or -1 with err. */
int state_read(struct follow_state *out, const char *path, struct error *err);

/* Removes the file. Returns 0, also if it is missing; or -1 with err. */
int state_remove(const char *path, struct error *err);

void state_clear(struct follow_state *state);

#endif
