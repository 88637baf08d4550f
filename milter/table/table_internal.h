/* table/table_internal.h: what table.c, view.c, edit.c and changelog.c share of a table that is open; nobody
 * else includes it. */
#ifndef TABLE_TABLE_INTERNAL_H
#define TABLE_TABLE_INTERNAL_H

#include "base/place.h"
#include "table/change.h"
#include "table/guard.h"
#include "table/lockfile.h"
#include "table/mark.h"
#include "table/record.h"
#include "table/table.h"

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* Beside LMDB's own codes, which are below -30000, and errno's: a page is not in the file, or not one of LMDB's; the table
 * is of a format that is newer than this program; lock.mdb is not what LMDB has opened; the table follows a store and has
 * nothing from it yet. */
#define PAGE_MISSING  GUARD_FAULT
#define FORMAT_NEWER  (-2)
#define LOCKS_DAMAGED (-3)
#define NEVER_SYNCED  (-4)

#define META_COUNT 2 /* keys that are no entries; a mark is one more */

struct table {
    char path[PATH_MAX];
    MDB_env *env;
    MDB_dbi entries;
    bool fold_case;
    bool follows; /* opened with TABLE_FOLLOW */
    struct table_author author;
    struct place place; /* of its folder, while that is opened */
    uid_t owner;        /* of the folder when it was opened */
    gid_t group;

    struct lockfile lockfile;
    atomic_bool lost;          /* LMDB's locks and slots are not to be touched any more */
    pthread_mutex_t beginning; /* of a read transaction that needs a slot */

    pthread_mutex_t lock;    /* of idle */
    struct table_view *idle; /* that wait, see pool_take */

    atomic_llong size;    /* of the data file when it was last seen to be whole, in octets */
    atomic_llong checked; /* the tick of the clock at which that was; 0: it was not */
    atomic_size_t format_checked; /* the transaction in which the format was last seen to be ours */
};

struct table_view {
    struct table *table;
    MDB_txn *txn;
    MDB_cursor *cursor;      /* of the walk */
    MDB_cursor *seeker;      /* of look-ups beside it */
    struct table_view *next; /* in table->idle */
};

struct table_edit {
    struct table *table;
    MDB_txn *txn;
    MDB_cursor *cursor; /* ends with txn */
    bool rebuilds;
    unsigned put_flags;   /* MDB_APPEND: all that follows comes behind the last entry, in order */
    int format;           /* of the table when the edit began */
    struct change change; /* what the log will say of it: counts so far */
    unsigned char *items; /* of it; NULL once they are too many, and then change.held is false */
    size_t used, size;    /* of items, in octets */
    bool clears;          /* the log: old changes of it are dropped, and log_end was its last */
    struct change log_end;
};

/* Says in err what one of LMDB's codes, errno's or PAGE_MISSING means for this table. Always
 * returns -1. */
int table_lmdb_error(struct error *err, const struct table *table, int rc);

/* The size of the data file, and the one that it must have at least, in octets; -1 and LLONG_MAX
 * where it cannot be asked. */
long long table_file_size(const struct table *table);
long long table_needed_size(const struct table *table);

/* Whether it is a table that may be read and written so. Returns one of LMDB's codes, FORMAT_NEWER or NEVER_SYNCED; *format
 * is its format, and -1 where it says none. */
int table_check_format(const struct table *table, MDB_txn *txn, int *format);

/* Calls what touches a reader's slot: it is in lock.mdb. Where that is damaged the table is lost, and nobody touches a
 * slot again until it is reopened. Returns one of LMDB's codes. */
int table_slot_guarded(struct table *table, int (*touch)(void *data), void *data);

/* Begins to read. Where the slots of killed readers are in the way they are cleared. Returns one of LMDB's codes. */
int table_begin_read(struct table *table, MDB_txn **out);

/* Ends it; NULL is fine. */
void table_end_read(MDB_txn *txn);

/* As table_check, for what can be seen in the file that is open: its size. LMDB opens a file that was cut short without a
 * word. Where it was cut in the middle of a page the rest of that page reads as zeros, and an entry there as absent; any
 * other missing page is met with a fault. */
int table_check_size(struct table *table, struct error *err);

/* Whether the data file has all that it says it has: 0, or -1 with err. Not guarded. */
int table_check_whole(const struct table *table, MDB_txn *txn, struct error *err);

/* Views that are closed and wait to be used again: they keep their reader slot, and hold no page back. pool_take returns one,
 * to be renewed, or NULL; pool_put takes one that has been reset; pool_free ends all that wait. */
struct table_view *pool_take(struct table *table);
void pool_put(struct table_view *view);
void pool_free(struct table *table);
void view_free(struct table_view *view);

/* How many may read at once. The first process to open the table fixes it; LMDB's own default is 126. */
#define READERS_MAX 4096

/* What the table says of itself: puts its format and its fold_case, and reads the latter; puts and reads its mark, with
 * the format that goes with it, MDB_NOTFOUND where it has none. Return one of LMDB's codes. */
int table_put_metas(MDB_txn *txn, const struct table *table, int format);
int table_read_fold_case(MDB_txn *txn, MDB_dbi entries, int *out);
int table_put_mark(MDB_txn *txn, const struct table *table, const struct mark *mark);
int table_read_mark(MDB_txn *txn, MDB_dbi entries, struct mark *out);

/* ---- records as they are, for merge.c */

/* Whether two keys, or two values, are the same. */
bool table_same(const MDB_val *a, const MDB_val *b);

/* A record of the table. Holds its own octets: key and value point to them. */
struct table_record {
    MDB_val key, value;
    char key_text[RECORD_KEY_MAX];
    unsigned char value_text[RECORD_VALUE_MAX];
};

/* The record of this key; where there is none the next one; with key NULL the first. Return one of
 * LMDB's codes: MDB_NOTFOUND behind the last. */
int table_view_seek(struct table_view *view, const MDB_val *key, struct table_record *out);
int table_view_next(struct table_view *view, struct table_record *out);

/* How many entries; ends a walk. Returns one of LMDB's codes. */
int table_view_count(struct table_view *view, size_t *out);

/* Puts after under key, or with after NULL deletes what is there. before is what is there now,
 * NULL for nothing; it is read before anything is written, so it may point into the table. Every
 * change of an entry goes through here. Returns one of LMDB's codes. */
int table_edit_change(struct table_edit *edit, const MDB_val *key, const MDB_val *before,
                      const MDB_val *after);

/* Empties the table, to be rewritten: table_edit_change and table_edit_keep, for what was there
 * and stays the same, then come in the order of the keys, and are appended. */
int table_edit_rebuild(struct table_edit *edit);
int table_edit_keep(struct table_edit *edit, const MDB_val *key, const MDB_val *value);

/* ---- the change log */

/* Notes what becomes of an entry: before NULL where there is none yet, after NULL where it goes. Returns 0, or one of
 * errno's codes. Call it before a put or delete, while before still points to what is there. */
int changelog_note(struct table_edit *edit, const MDB_val *key, const MDB_val *before,
                   const MDB_val *after);

/* Writes what was noted as the log's newest change, and drops the oldest where it has grown too long. Returns one of LMDB's
 * codes. */
int changelog_write(struct table_edit *edit);

/* Puts the log as it was before the edit: for an edit that has emptied the table. Returns one of LMDB's codes. */
int changelog_keep(struct table_edit *edit);

/* The head of this change, 0: of the last. Returns one of LMDB's codes, MDB_NOTFOUND where it is not in the log. */
int changelog_head(MDB_cursor *cursor, uint64_t number, struct change *out);

/* A record of items is a page of LMDB's at most, with its head: it never has to find pages that lie side by side. */
#define CHANGELOG_ITEMS_MAX 4000

/* Copies the items of this record (1, 2 ...) of a change into out[CHANGELOG_ITEMS_MAX]. Returns one of LMDB's codes. */
int changelog_items(MDB_txn *txn, MDB_dbi entries, uint64_t number, uint64_t record,
                    unsigned char *out, size_t *length);

/* The part of all keys that are of the log, and so of no entry. */
#define CHANGELOG_PREFIX        "\0log"
#define CHANGELOG_PREFIX_LENGTH 4

/* ---- a view */

/* All that touches the data file goes through here: touch returns one of LMDB's codes. */
int view_guarded(struct table_view *view, int (*touch)(struct table_view *view, void *data),
                 void *data);

#endif
