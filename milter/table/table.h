/* table/table.h: the table of moved mailboxes, an LMDB environment on disk. Many processes read it
 * at any time; one at a time writes; a writer never holds a reader up, and what is committed is
 * seen by the next view.
 *
 * Keys are "domain@local": the entries of a domain stand together, its wildcard first. A
 * wildcard for subdomains is kept under ".domain@". */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/error.h"
#include "table/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of what this program writes; it reads a lower one: 1 has no change log. The first change that is committed makes it this
 * one, in the same transaction. A table that follows a store (table/mark.h) is of the second, and one of a higher format
 * is refused. */
#define TABLE_FORMAT         2
#define TABLE_FORMAT_FOLLOWS 3

struct table; /* may be shared between threads; open it after fork(2) (lmdb.h) */

enum table_result { TABLE_FOUND, TABLE_ABSENT, TABLE_FAILED };
enum table_mode {
    TABLE_READ,
    TABLE_WRITE,
    TABLE_FOLLOW, /* write, and read what nobody else may: a table that was never synced */
};

struct mark; /* table/mark.h */

/* Makes an empty table in the folder path, and the folder (its parent must be there); a table
 * that is there already is an error (EX_CANTCREAT) and stays as it is. fold_case is recorded:
 * keys are stored folded; mark, where it is not NULL, is its mark from the start. A new folder, or an empty one of root's, is given to owner and group (-1: stays with this user):
 * folder 2770, files 0660. In a folder that belongs to another user root works as that user, see base/place.h. Returns 0; or -1
 * with err. */
int table_create(const char *path, bool fold_case, const struct mark *mark, uid_t owner,
                 gid_t group, struct error *err);

/* Opens the table in the folder path. Returns 0 with *out, which the caller gives to table_free;
 * or -1 with err: EX_NOINPUT missing or never synced with its store, EX_DATAERR not ours, cut short, empty or of a newer
 * format, EX_NOPERM unreadable or on a read-only mount (reader locks need a file that can be
 * written) or in a folder of root's that others may write, EX_CONFIG where it was made with the other fold_case. Root opens
 * the files as the folder's owner, see base/place.h. */
int table_open(struct table **out, const char *path, enum table_mode mode, bool fold_case,
               struct error *err);

/* Who changes the table, for its change log. The strings are borrowed, and outlive the table. */
struct table_author {
    const char *user;    /* that the process runs as */
    const char *behind;  /* the user before sudo; NULL: none */
    const char *command; /* the command line */
};

/* The author of all edits that are committed from now on; without one the log has "" for all three. */
void table_set_author(struct table *table, const struct table_author *author);

/* Closes; no view, walk or edit of it may be open. NULL is fine. */
void table_free(struct table *table);

/* Whether the files at its path are the ones that are open, and neither was cut short: 0; or -1 with err (EX_NOINPUT,
 * EX_DATAERR, EX_TEMPFAIL): then reopen the table. Whatever another program does to the files, reading them is at worst
 * an error and never ends the process. */
int table_check(struct table *table, struct error *err);

/* How many changes have been committed since the reader began that has read for longest, in which process; 0: since none.
 * A reader holds back the pages of all that is changed after it, and the file grows. */
size_t table_oldest_reader(struct table *table, pid_t *process);

/* How many entries. Returns 0, or -1 with err. */
int table_count(struct table *table, size_t *out, struct error *err);

/* ---- a view: one consistent state, for as long as it is open. A view is used by one thread at a time; keep it short. */
struct table_view;

/* Returns the view, or NULL with err. Give it to table_view_close. */
struct table_view *table_view_open(struct table *table, struct error *err);
void table_view_close(struct table_view *view);

/* Finds the entry of exactly this scope, local-part (ignored but for ENTRY_MAILBOX) and domain,
 * in the table's spelling. *out is the caller's, complete, and outlives the view. */
enum table_result table_find(struct table_view *view, enum entry_scope scope, const char *local,
                             const char *domain, struct entry *out, struct error *err);

/* Finds out whether any entry has this domain (A-labels): a mailbox's, or the domain's own. One look-up, in place of
 * one for each entry that might match. */
enum table_result table_find_domain(struct table_view *view, const char *domain, struct error *err);

/* Goes through the entries in key order: sorted by domain, then local-part; with domain
 * (A-labels, no dot in front) only that domain's own. Calls each until it returns other than 0;
 * each looks things up in another view, since the place of the walk is the view's. Returns what
 * each returned last, or -1 with err. Memory does not grow with the table. */
int table_each(struct table_view *view, const char *domain,
               int (*each)(const struct entry *entry, void *data, struct error *err), void *data,
               struct error *err);

/* As table_each for all entries, from behind the old address of after on, be that still there or not: so a
 * long walk can be made through several short views. */
int table_each_after(struct table_view *view, const struct entry *after,
                     int (*each)(const struct entry *entry, void *data, struct error *err),
                     void *data, struct error *err);

/* Goes through the domains: calls each with the first entry of every domain, and with the wildcard
 * for the subdomains of one, in one step each however many entries it has. The rest is as for
 * table_each. */
int table_each_domain(struct table_view *view,
                      int (*each)(const struct entry *first, void *data, struct error *err),
                      void *data, struct error *err);

/* ---- an edit: all or nothing. Waits for another writer (one transaction at a time). */
struct table_edit;

/* Returns the edit, or NULL with err; EX_DATAERR where the table has become one of a newer format. End it with
 * table_edit_commit or table_edit_abort. */
struct table_edit *table_edit_begin(struct table *table, struct error *err);

/* Puts the entry. TABLE_FOUND where the old address is there already: without replace nothing is
 * changed then, and nothing is written where it is the same; TABLE_ABSENT where it is new. */
enum table_result table_edit_put(struct table_edit *edit, const struct entry *entry, bool replace,
                                 struct error *err);

/* Deletes the entry of the same old address: TABLE_FOUND and gone, or TABLE_ABSENT. */
enum table_result table_edit_del(struct table_edit *edit, const struct entry *old,
                                 struct error *err);

/* Whether the change log (table/changelog.h) holds all that the edit has changed so far; else, once it is committed, it
 * cannot be taken back. */
bool table_edit_is_held(const struct table_edit *edit);

/* Commits (on disk when it returns) and frees the edit, whatever comes out. Returns 0, or -1
 * with err and nothing changed. */
int table_edit_commit(struct table_edit *edit, struct error *err);
void table_edit_abort(struct table_edit *edit);

#endif
