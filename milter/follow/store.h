/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/store.h: the store that the table follows: PostgreSQL tables that schema.sql creates. The rest of the program sees
 * nothing else of it. Built without libpq, each function returns EX_CONFIG.
 *
 * No call waits longer than the timeout for a server; writing, one second more for each 1000 rows. The status of an error
 * says what is wrong: EX_UNAVAILABLE the server is not reachable (or stopped answering, or its certificate is refused),
 * EX_DATAERR a constraint or an existing entry refused the rows, EX_TEMPFAIL the answer to COMMIT was lost, EX_NOPERM no
 * login or no right, EX_CONFIG a connection string or a schema that cannot be used. After EX_UNAVAILABLE and EX_TEMPFAIL the
 * connection is closed, and the next call connects again. */
#ifndef FOLLOW_STORE_H
#define FOLLOW_STORE_H

#include "base/error.h"
#include "table/mark.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store; /* holds one connection at most; for one thread at a time */

/* The strings are borrowed, and must outlive the store. */
struct store_address {
    const char *key; /* of the configuration, for errors: "source.connect" */
    /* a connection string or URI of libpq; several hosts are tried in their order */
    const char *connect;
    const char *passfile; /* "": libpq's own */
    const char *schema;
    int timeout; /* seconds */
    bool writes;
    bool listens; /* the store notifies of changes */

    void (*alive)(void); /* called before each wait for a server; NULL is allowed */
};

/* Connects to nothing yet. Returns 0, or -1 with err (EX_CONFIG, EX_NOPERM). */
int store_new(struct store **out, const struct store_address *address, struct error *err);

void store_free(struct store *store); /* NULL is allowed */

/* ---- reading */

/* The newest version of the store, compared with the mark of a table. */
struct store_head {
    int64_t version;
    char nonce[MARK_NONCE_MAX + 1];
    bool knows_mark; /* the store has the version of the mark, with its nonce */
    bool is_replica;
    bool is_empty; /* it has no entries */
    bool whole;    /* what has changed since the mark is not known, or is too much: read all rows */
    int64_t accepted;   /* the last version that accepts what is gone; 0: none */
    int64_t gone_since; /* old addresses that were deleted after accepted, and not put back */
    bool whole_since;   /* what has changed after accepted is not known */
};

/* Reads version, nonce and is_replica alone. Returns 0, or -1 with err. */
int store_poll(struct store *store, struct store_head *out, struct error *err);

/* The caller's functions. Each returns 0 to continue, or -1 with err. */
struct store_reader {
    /* An old address whose row is gone. All of these come before the first version. */
    int (*gone)(const char *old, void *data, struct error *err);

    /* The rows that follow were changed by this version. Versions come in their order. */
    int (*version)(int64_t version, const char *nonce, const char *author, const char *program,
                   void *data, struct error *err);

    /* A row as it is now; it is valid during the call. If it is gone, present is false and only old is set. */
    int (*row)(const struct entry_text *row, bool present, void *data, struct error *err);
    void *data;
};

/* Reads what has changed since the mark, as it is now, in one snapshot. *out is set first; then gone, version and row are
 * called, unless the mark is not known or out->whole is set. Returns 0, or -1 with err. */
int store_delta(struct store *store, const struct mark *mark, struct store_head *out,
                const struct store_reader *reader, struct error *err);

/* Reads all rows, in any order, in one snapshot: *out is set, then row is called. since: the version after which an
 * acceptance counts (store_delta: that of the mark). Returns 0; 1 if too many hosts are reading all rows: try again soon; or
 * -1 with err. */
int store_whole(struct store *store, const struct mark *mark, int64_t since, struct store_head *out,
                const struct store_reader *reader, struct error *err);

/* Waits for a notification, at most so many milliseconds. NULL is allowed: then it only waits. */
void store_wait(struct store *store, int milliseconds);

/* ---- writing, all or nothing: begin, any number of rows, apply, commit. */

struct entry;

/* Begins a transaction. The store keeps author and program with the version. */
int store_write_begin(struct store *store, const char *author, const char *program,
                      struct error *err);

/* Whether a movedctl of this host ("@mx1.example", the end of its author) made a change after the version. Returns 0
 * with *out, or -1 with err. */
int store_write_has_newer(struct store *store, int64_t version, const char *host, bool *out,
                          struct error *err);

/* The entry is to be there; or, with gone, no entry of its old address. Returns 0, or -1 with err. */
int store_write_row(struct store *store, const struct entry *entry, bool gone, struct error *err);

/* How many rows were written; absent: that were to go and did not exist. */
struct store_written {
    size_t added, changed, removed, same, absent;
};

/* Writes all rows. Returns 0 with *out; or -1 with err, EX_DATAERR if replace is false and an old address is there already. */
int store_write_apply(struct store *store, bool replace, struct store_written *out,
                      struct error *err);

/* Commits. Returns 0 with the new version, or 0 if nothing has changed; or -1 with err, EX_TEMPFAIL if it is not known whether
 * the server committed. */
int store_write_commit(struct store *store, int64_t *version, struct error *err);

/* Rolls back the transaction, if there is one. */
void store_write_abort(struct store *store);

/* Accepts for all hosts what is gone from the store. Returns 0, or -1 with err. */
int store_accept(struct store *store, const char *author, const char *program, struct error *err);

#endif
