/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/through.h: changes of entries on a host whose table follows a store. They go to the store, all or nothing, and come
 * back from there into the table. */
#ifndef CTL_THROUGH_H
#define CTL_THROUGH_H

#include "ctl/ctl.h"
#include "follow/store.h"

struct through {
    const struct ctl *ctl;
    struct store *store; /* NULL: this host may not write to the store, and prints SQL instead */
    bool replace;        /* replace existing rows; otherwise they are an error */
    bool printed;        /* SQL was printed */
    struct store_written written;
};

/* Whether this is the table of this host, and the settings name a store. Another table, given with -d, may be anybody's. */
bool through_is_meant(const struct ctl *ctl);

/* Whether the table follows a store, by the settings or by its mark: 1 or 0; or -1 with err, EX_CONFIG if it does and the
 * settings name none. */
int through_asked(const struct ctl *ctl, struct error *err);

/* Makes a store for source.write. Returns 0 with *out, which the caller frees with store_free; or -1 with err (as in
 * follow/store.h). */
int through_connect(struct store **out, const struct ctl *ctl, struct error *err);

/* Begins a transaction, which through_end ends. Returns 0, or -1 with err (as in follow/store.h). */
int through_begin(struct through *through, const struct ctl *ctl, bool replace, struct error *err);

/* Adds to the change, any number of times. Return 0, or -1 with err. */
int through_put(struct through *through, const struct entry *entry, struct error *err);
int through_del(struct through *through, const struct entry *old, struct error *err);

/* Writes the change in the transaction. Returns 0 with through->written; or -1 with err, EX_NOPERM if this host may
 * not write to the store. */
int through_apply(struct through *through, struct error *err);

/* Commits, and waits up to two seconds until the change is in force on this host; after that it warns. Returns 0, or -1 with
 * err. */
int through_commit(struct through *through, struct error *err);

/* Applies and commits if rc is 0; then ends. Returns 0, or -1 with err. */
int through_finish(struct through *through, int rc, struct error *err);

/* Ends the transaction, and rolls back what is not committed. */
void through_end(struct through *through);

#endif
