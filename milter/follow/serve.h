/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/serve.h: keeps the table in step with the store: one step, or forever. */
#ifndef FOLLOW_SERVE_H
#define FOLLOW_SERVE_H

#include "answer/settings.h"
#include "base/error.h"
#include "follow/state.h"

#include <stdbool.h>
#include <sys/types.h>

/* The strings and settings are borrowed. */
struct follow {
    const struct settings *settings;
    const char *path;     /* of the table */
    const char *passfile; /* "": libpq's own */
    uid_t owner;          /* of a table that has to be made; -1 as for table_create */
    gid_t group;
    const char *folder; /* for what does not fit into memory */

    void (*say)(const char *line); /* gets what an administrator may want to read */
    void (*ready)(void);           /* called when the table is in step for the first time */
    void (*alive)(void);           /* called from time to time, since all is well */
};

/* Takes one step, and writes the state. compare: all rows are read. accepts: however many entries would go. Returns 0
 * with *out, which the caller clears; or -1 with err: EX_UNAVAILABLE not reachable, EX_NOPERM, EX_CONFIG,
 * EX_CANTCREAT, or an error of the table. */
int follow_once(const struct follow *follow, bool compare, bool accepts, struct follow_state *out,
                struct error *err);

/* Follows until an administrator has to act: returns -1 with err (EX_NOPERM, EX_CONFIG, EX_CANTCREAT). */
int follow_serve(const struct follow *follow, struct error *err);

/* Makes the table this host's own again, with its entries. Returns 0, or -1 with err. */
int follow_detach(const struct follow *follow, struct error *err);

/* Reads the state, with the version and the number of entries of the table as it is now. Returns 0, or -1 with err; the caller
 * clears *out. */
int follow_status(const struct follow *follow, struct follow_state *out, struct error *err);

#endif
