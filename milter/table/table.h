/* SPDX-License-Identifier: BSD-2-Clause */
/* table/table.h: the table of moved mailboxes, an LMDB environment on disk. Any number of processes read it at the same
 * time, and one at a time writes. A writer never blocks a reader. A view that is opened after a commit sees it.
 *
 * The keys are "domain@local", so the entries of a domain are neighbours and its wildcard is the first of them. The
 * wildcard for the subdomains of a domain has the key ".domain@". */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/error.h"
#include "table/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The format that this program writes. It reads lower ones: format 1 has no change log. The first change that is
 * committed raises the format in the same transaction. A table that follows a store (table/mark.h) has the second
 * format. A table of a higher format is refused. */
#define TABLE_FORMAT         2
#define TABLE_FORMAT_FOLLOWS 3

struct table; /* may be shared between threads; open it after fork(2) (lmdb.h) */

enum table_result { TABLE_FOUND, TABLE_ABSENT, TABLE_FAILED };
enum table_mode {
    TABLE_READ,
    TABLE_WRITE,
    TABLE_FOLLOW, /* write; also open a table that was never synced */
};

struct mark; /* table/mark.h */

/* Creates an empty table in the folder path, and the folder itself, whose parent must exist. An existing table is an
 * error (EX_CANTCREAT) and stays unchanged. fold_case is recorded in the table, because its keys are stored folded.
 * mark, if not NULL, is the table's mark from the start. A new folder, or an empty one that belongs to root, is given
 * to owner and group (-1: this user's) with mode 2770, its files with 0660. In a folder of another user root works as
 * that user, see base/place.h. Returns 0; or -1 with err. */
int table_create(const char *path, bool fold_case, const struct mark *mark, uid_t owner,
                 gid_t group, struct error *err);

/* Opens the table in the folder path. Returns 0 with *out, which the caller frees with table_free; or -1 with err:
 * EX_NOINPUT if it is missing or was never synced with its store; EX_DATAERR if it is not a table, truncated, empty, or
 * of a newer format; EX_NOPERM if it cannot be read, is on a read-only mount (readers write to the lock file), or is in
 * a folder of root's that others may write; EX_CONFIG if it was created with the other fold_case. Root opens the files
 * as the owner of the folder, see base/place.h. */
int table_open(struct table **out, const char *path, enum table_mode mode, bool fold_case,
               struct error *err);

/* The author of a change, for the change log. The strings are borrowed and must outlive the table. */
struct table_author {
    const char *user;    /* of the process */
    const char *behind;  /* the user who called sudo; NULL: none */
    const char *command; /* the command line */
};

/* Sets the author of all later edits. Without one the log has "" for all three strings. */
void table_set_author(struct table *table, const struct table_author *author);

/* Closes the table and frees it. No view or edit of it may be open. NULL is allowed. */
void table_free(struct table *table);

/* Checks that the files at the path of the table are the open ones, and not truncated. Returns 0; or -1 with err
 * (EX_NOINPUT, EX_DATAERR, EX_TEMPFAIL): then reopen the table. Whatever another program does to the files, reading
 * them returns an error at worst, and never ends the process. */
int table_check(struct table *table, struct error *err);

/* Counts the entries. Returns 0, or -1 with err. */
int table_count(struct table *table, size_t *out, struct error *err);

/* Finds the entry of the old address old, of which only scope, local and domain are read; out may be the same struct. In a
 * view of its own, see table_find. */
enum table_result table_look_up(struct table *table, const struct entry *old, struct entry *out,
                                struct error *err);

/* ---- a view: a snapshot of the table. One thread uses it at a time. Close it soon: it keeps old pages from being
 * reused. */
struct table_view;

/* Returns a view, which the caller closes with table_view_close; or NULL with err. */
struct table_view *table_view_open(struct table *table, struct error *err);
void table_view_close(struct table_view *view);

/* Finds the entry of exactly this scope, local-part (used for ENTRY_MAILBOX only) and domain, in the form of the
 * table's keys. *out is a copy and outlives the view. */
enum table_result table_find(struct table_view *view, enum entry_scope scope, const char *local,
                             const char *domain, struct entry *out, struct error *err);

/* What is called for an entry of a walk, which goes on if it returns 0. */
typedef int table_visit(const struct entry *entry, void *data, struct error *err);

/* Calls each for the entries in the order of their keys: by domain, then by local-part. With domain (A-labels, no
 * leading dot) only for the entries of that domain, without its subdomains. Stops when each returns a value other than
 * 0. Returns the last value of each, or -1 with err. Memory does not grow with the table. */
int table_each(struct table_view *view, const char *domain, table_visit *each, void *data,
               struct error *err);

/* As table_each for all entries whose key is greater than that of after, which need not exist any more. A long walk can
 * be divided into several short views in this way. */
int table_each_after(struct table_view *view, const struct entry *after, table_visit *each,
                     void *data, struct error *err);

/* Calls each for the first entry of every domain, and for the subdomain wildcard of a domain, with one search each,
 * however many entries there are. Otherwise as table_each. */
int table_each_domain(struct table_view *view, table_visit *each, void *data, struct error *err);

/* ---- an edit: a write transaction, all or nothing. There is one at a time; another writer is waited for. */
struct table_edit;

/* Returns an edit, which the caller ends with table_edit_commit or table_edit_abort; or NULL with err: EX_DATAERR if
 * another program has made the table one of a newer format. */
struct table_edit *table_edit_begin(struct table *table, struct error *err);

/* Writes the entry. Returns TABLE_ABSENT if its old address is new; TABLE_FOUND if it has an entry, which is then
 * changed with replace only, and only if it differs. */
enum table_result table_edit_put(struct table_edit *edit, const struct entry *entry, bool replace,
                                 struct error *err);

/* Deletes the entry of this old address. Returns TABLE_FOUND, or TABLE_ABSENT if there was none. */
enum table_result table_edit_del(struct table_edit *edit, const struct entry *old,
                                 struct error *err);

/* Commits and frees the edit. The changes are on disk when it returns. Returns 0; or -1 with err, and nothing is
 * changed. */
int table_edit_commit(struct table_edit *edit, struct error *err);
void table_edit_abort(struct table_edit *edit);

#endif
