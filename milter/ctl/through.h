/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/through.h: changes of entries on a host whose table follows a store. They go to the store, all or nothing, and come
 * back from there into the table. */
#ifndef CTL_THROUGH_H
#define CTL_THROUGH_H

#include "ctl/ctl.h"
#include "follow/store.h"

struct through {
    const struct ctl *ctl;
    struct store
        *store;   /* NULL: this host may not write, and SQL is printed in place of a change */
    bool replace; /* a row that is there already is replaced, else it is an error */
    bool printed; /* some SQL was */
    struct store_written written;
};

/* Whether it is the table of this host, and the settings say that it follows a store. Another one, named with -d, may be anybody's. */
bool through_is_meant(const struct ctl *ctl);

/* Whether the table follows a store, by the settings or by its mark: 1 or 0; or -1 with err, EX_CONFIG where it does and the settings name none. */
int through_asked(const struct ctl *ctl, struct error *err);

/* Makes a store for source.write of the settings. Returns 0 with *out, which the caller frees with store_free; or -1 with err,
 * its status as follow/store.h says. */
int through_connect(struct store **out, const struct ctl *ctl, struct error *err);

/* Begins a transaction of the store; from here on give it to through_end. Returns 0, or -1 with err, its status as follow/store.h
 * says. */
int through_begin(struct through *through, const struct ctl *ctl, bool replace, struct error *err);

/* What the change is: any number of these. Return 0, or -1 with err. */
int through_put(struct through *through, const struct entry *entry, struct error *err);
int through_del(struct through *through, const struct entry *old, struct error *err);

/* Carries it out in the transaction. Returns 0 with through->written, or -1 with err: EX_NOPERM where this host may not write, and
 * the SQL stands on standard error. */
int through_apply(struct through *through, struct error *err);

/* Commits, and waits for up to two seconds until it is in force on this host; if it is not by then a warning says so. Returns 0,
 * or -1 with err. */
int through_commit(struct through *through, struct error *err);

/* If rc is 0, applies and commits; then ends it. Returns 0, or -1 with err. */
int through_finish(struct through *through, int rc, struct error *err);

/* Ends it; what is not committed is not done. */
void through_end(struct through *through);

#endif
