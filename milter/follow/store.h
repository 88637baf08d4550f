/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/store.h: the store that the table follows: tables in PostgreSQL that schema.sql makes. This is all that the rest of the
 * program sees of it; built without libpq each function says so (EX_CONFIG).
 *
 * No call waits longer than the timeout for a server, whatever becomes of it. Errors tell by their status what is wrong:
 * EX_UNAVAILABLE not reachable (also: stopped answering, ended, its certificate is refused), EX_DATAERR a constraint or an entry
 * that is there refused the rows, EX_TEMPFAIL the answer to COMMIT was lost, EX_NOPERM no login or no right, EX_CONFIG a
 * connection string or a schema that cannot be used. After EX_UNAVAILABLE and EX_TEMPFAIL the connection is closed, and the next
 * call connects again. */
#ifndef FOLLOW_STORE_H
#define FOLLOW_STORE_H

#include "base/error.h"
#include "table/mark.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store; /* one connection at most; used by one thread at a time */

/* Where it is. The strings are borrowed, and outlive the store. */
struct store_address {
    const char *key; /* of the configuration, for errors: "source.connect" */
    /* A connection string or URI of libpq; several hosts are tried in their order */
    const char *connect;
    const char *passfile; /* "": libpq's own */
    const char *schema;
    int timeout; /* seconds */
    bool writes;

    void (*alive)(void); /* called before each wait for a server; NULL is allowed */
};

/* Connects to nothing yet. Returns 0, or -1 with err (EX_CONFIG, EX_NOPERM). */
int store_new(struct store **out, const struct store_address *address, struct error *err);

/* NULL is fine. */
void store_free(struct store *store);

/* ---- reading */

/* The newest version of the store, and what it is to somebody who has a version already. */
struct store_head {
    int64_t version;
    char nonce[MARK_NONCE_MAX + 1];
    bool knows_mark; /* the version asked about, with its nonce, is one of the store's */
    bool is_replica;
    bool is_empty; /* no entry in it */
    /* A change since then does not say which entries it changed, or there are too many */
    bool whole;
    /* The last version that says that what is gone is meant to be gone; 0: none */
    int64_t accepted;
    int64_t gone_since; /* old addresses deleted after accepted, and not put back */
    bool whole_since;   /* a change after accepted does not say which entries it changed */
};

/* The newest version, and whether the store is a replica: the rest is not set. Returns 0, or -1 with err. */
int store_poll(struct store *store, struct store_head *out, struct error *err);

/* Who is told of what a store sends. Each returns 0 to go on, or -1 with err. */
struct store_reader {
    /* An old address of which there is no row any more. All come before the first version. */
    int (*gone)(const char *old, void *data, struct error *err);

    /* The changes that follow were made by this version: in the order of the versions. */
    int (*version)(int64_t version, const char *nonce, const char *author, const char *program,
                   void *data, struct error *err);

    /* A row of the store as it is, which ends with the call; of a delta with present false where it is gone: only old is set then. */
    int (*row)(const struct entry_text *row, bool present, void *data, struct error *err);
    void *data;
};

/* What has changed since the mark, as it is now. *out is set before the first row; then come, unless the mark is not known
 * or a change is whole, gone, version, row. All of one snapshot. Returns 0, or -1 with err. */
int store_delta(struct store *store, const struct mark *mark, struct store_head *out,
                const struct store_reader *reader, struct error *err);

/* All rows, in any order, of one snapshot: *out, then row. In it accepted is looked for after version since; in that of a
 * delta, after the mark. Returns 0; 1 where as many hosts as may already read all rows: try again soon; or -1 with err. */
int store_whole(struct store *store, const struct mark *mark, int64_t since, struct store_head *out,
                const struct store_reader *reader, struct error *err);

/* From now on connections are told by the store of changes. */
void store_listen(struct store *store);

/* Waits for a notification of the store, for at most so many milliseconds. Without a connection it only waits. */
void store_wait(struct store *store, int milliseconds);

/* ---- writing, all or nothing: begin, any number of rows, apply, commit. */

struct entry;

/* Begins a transaction. author and program stand in the store with the version. */
int store_write_begin(struct store *store, const char *author, const char *program,
                      struct error *err);

/* Whether the store has a change that a movedctl of this host ("@mx1.example", the end of its author) made after the version. Returns 0
 * with *out, or -1 with err. */
int store_write_has_newer(struct store *store, int64_t version, const char *host, bool *out,
                          struct error *err);

/* The entry is to be there; or, with gone, no entry of its old address. Returns 0, or -1 with err. */
int store_write_row(struct store *store, const struct entry *entry, bool gone, struct error *err);

/* What became of it. */
struct store_written {
    size_t added, changed, removed, same; /* removed: rows there were of those to be deleted */
};

/* Writes all rows. Returns 0 with *out; or -1 with err, EX_DATAERR if replace is false and an old address is there already. */
int store_write_apply(struct store *store, bool replace, struct store_written *out,
                      struct error *err);

/* Commits. Returns 0 with the version it got, 0 where nothing has changed; or -1 with err, EX_TEMPFAIL where nobody knows whether
 * it was done. */
int store_write_commit(struct store *store, int64_t *version, struct error *err);

/* Ends a transaction, if there is one, with nothing changed. */
void store_write_abort(struct store *store);

/* Says for all hosts that what is gone from the store is meant to be gone. Returns 0, or -1 with err. */
int store_accept(struct store *store, const char *author, const char *program, struct error *err);

#endif
