/* SPDX-License-Identifier: BSD-2-Clause */
/* table/table_internal.h: what the files of table/ share about an open table. Only they include it. */
#ifndef TABLE_TABLE_INTERNAL_H
#define TABLE_TABLE_INTERNAL_H

#include "base/place.h"
#include "table/change.h"
#include "table/guard.h"
#include "table/mark.h"
#include "table/record.h"
#include "table/table.h"

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* In addition to LMDB's codes, which are below -30000, and those of errno: a page is missing in the file, or damaged; the
 * format is newer than this program; lock.mdb is not what LMDB has opened; the table follows a store but was never synced. */
#define PAGE_MISSING  GUARD_FAULT
#define FORMAT_NEWER  (-2)
#define LOCKS_DAMAGED (-3)
#define NEVER_SYNCED  (-4)

#define META_COUNT 2 /* keys that are no entries; a mark is one more */

/* lock.mdb, as LMDB opened it. */
struct lockfile {
    int fd; /* -1: none */
    off_t size;
};

struct table {
    char path[PATH_MAX];
    MDB_env *env;
    MDB_dbi entries;
    unsigned databases; /* with a name: a table has none */
    bool fold_case;
    bool follows; /* opened with TABLE_FOLLOW */
    struct table_author author;
    struct place place; /* of its folder, while the files are opened */
    uid_t owner;        /* of the folder when it was opened */
    gid_t group;

    struct lockfile lockfile;
    atomic_bool lost;          /* lock.mdb is damaged: do not access it any more */
    pthread_mutex_t beginning; /* held while a read transaction takes a slot */

    pthread_mutex_t lock; /* protects idle */
    /* closed views, to be used again: they keep their slot, but hold no snapshot */
    struct table_view *idle;

    atomic_llong size;    /* of the data file when it was last found complete, in octets */
    atomic_llong checked; /* the clock tick of that check; 0: none */
};

struct table_view {
    struct table *table;
    MDB_txn *txn;
    MDB_cursor *cursor;      /* of a walk */
    struct table_view *next; /* in table->idle */
};

struct table_edit {
    struct table *table;
    MDB_txn *txn;
    MDB_cursor *cursor;   /* ends with txn */
    unsigned put_flags;   /* MDB_APPEND: the following entries are in order, after the last one */
    int format;           /* of the table when the edit began */
    struct change change; /* for the log: the counts so far */
    unsigned char *items; /* of the change; NULL, with change.held false, once they are too many */
    size_t used, size;    /* of items, in octets */
};

/* A table that is not open yet; or NULL with err. Give it to table_free. */
struct table *table_new(const char *path, struct error *err);

/* Opens the files in table->place, whatever they contain. creates: creates them if they are missing or empty. Returns 0, or -1
 * with err. */
int table_open_files(struct table *table, enum table_mode mode, bool creates, struct error *err);

/* Sets err to the meaning of rc: a code of LMDB or errno, or one of those above. Always returns -1. */
int table_lmdb_error(struct error *err, const struct table *table, int rc);

/* The result of a look-up with this rc; TABLE_FAILED with err. */
enum table_result table_result_of(const struct table *table, int rc, struct error *err);

/* The size of the data file, and the least size that its contents require, in octets; -1 and LLONG_MAX if they cannot
 * be determined. */
long long table_file_size(const struct table *table);
long long table_needed_size(const struct table *table);

/* Checks that it is a table that this program can use. Returns one of LMDB's codes, FORMAT_NEWER or NEVER_SYNCED; *format is
 * its format, or -1 if it has none. */
int table_check_format(const struct table *table, MDB_txn *txn, int *format);

/* Call this before LMDB opens the file in this folder. Returns false if other programs use it and it is damaged; then
 * LMDB must not open it. LMDB recreates a file that no program uses, whatever it contains. */
bool lockfile_can_be_opened(const char *folder);

/* Call this after LMDB has opened it. Returns 0, or -1 with errno. */
int lockfile_open(struct lockfile *out, const char *folder);

/* Whether the file is still there and undamaged. */
bool lockfile_is_whole(const struct lockfile *file);

/* Call this only after mdb_env_close: closing a file drops all locks that the process has on it (fcntl(2)). */
void lockfile_close(struct lockfile *file);

/* As GUARDED, for an access to a reader's slot in lock.mdb. If lock.mdb is damaged, the table is lost: no slot is accessed
 * again until the table is reopened. rc becomes one of LMDB's codes, or LOCKS_DAMAGED. */
#define SLOT_GUARDED(rc, table, expression)                                                        \
    do {                                                                                           \
        if (atomic_load(&(table)->lost))                                                           \
            (rc) = LOCKS_DAMAGED;                                                                  \
        else                                                                                       \
            GUARDED(rc, expression);                                                               \
        (rc) = table_slot_result(table, rc);                                                       \
    } while (0)
int table_slot_result(struct table *table, int rc);

/* Begins a read transaction. If no slot is free, those of dead processes are cleared first. Returns one of LMDB's
 * codes. */
int table_begin_read(struct table *table, MDB_txn **out);

/* Ends a read transaction. NULL is allowed. */
void table_end_read(MDB_txn *txn);

/* As table_check, but looks only at the size of the open file. LMDB opens a truncated file without an error. If it was
 * cut in the middle of a page, the rest of that page reads as zeros and its entries as absent; access to any other
 * missing page raises a fault. */
int table_check_size(struct table *table, struct error *err);

/* Checks that every page in use is in the data file. Returns 0, or -1 with err. Not guarded. */
int table_check_whole(const struct table *table, MDB_txn *txn, struct error *err);

/* Frees the closed views of the table. */
void table_free_views(struct table *table);

/* The number of readers. The first process that opens the table fixes it; the default of LMDB is 126. */
#define READERS_MAX 4096

/* The metadata: write format and fold_case, and read the latter; write the mark, with its format, and read it (MDB_NOTFOUND:
 * there is none). Return one of LMDB's codes. */
int table_put_metas(MDB_txn *txn, const struct table *table, int format);
int table_read_fold_case(MDB_txn *txn, MDB_dbi entries, int *out);
int table_put_mark(MDB_txn *txn, const struct table *table, const struct mark *mark);
int table_read_mark(MDB_txn *txn, MDB_dbi entries, struct mark *out);

/* ---- raw records, for merge.c */

/* Whether two keys, or two values, are equal. */
bool table_same(const MDB_val *a, const MDB_val *b);

/* A copy of a record: key and value point into the struct. */
struct table_record {
    MDB_val key, value;
    char key_text[RECORD_KEY_MAX];
    unsigned char value_text[RECORD_VALUE_MAX];
};

/* Reads the record of key, or the next one if it does not exist; with key NULL the first one. Return one of LMDB's
 * codes, MDB_NOTFOUND after the last. */
int table_view_seek(struct table_view *view, const MDB_val *key, struct table_record *out);
int table_view_next(struct table_view *view, struct table_record *out);

/* Counts the entries. The position of the view is lost. Returns one of LMDB's codes. */
int table_view_count(struct table_view *view, size_t *out);

/* Writes after under key; or deletes the record, if after is NULL. before is the present value, NULL if there is none.
 * It is read before anything is written, so it may point into the table. Every change of an entry is made here. Returns
 * one of LMDB's codes. */
int table_edit_change(struct table_edit *edit, const MDB_val *key, const MDB_val *before,
                      const MDB_val *after);

/* ---- the change log */

/* Records the change of an entry: before is NULL if it is added, after if it is deleted. Call it before LMDB writes,
 * while before still points to the old value. Returns 0 or an errno code. */
int changelog_note(struct table_edit *edit, const MDB_val *key, const MDB_val *before,
                   const MDB_val *after);

/* Writes the recorded changes as the newest change of the log, and drops the oldest changes if the log is too long.
 * Returns one of LMDB's codes. */
int changelog_write(struct table_edit *edit);

/* Reads the head of a change, or of the last one if number is 0. Returns one of LMDB's codes, MDB_NOTFOUND if it is not
 * in the log. */
int changelog_head(MDB_cursor *cursor, uint64_t number, struct change *out);

/* A record of items fits into one page of LMDB, so LMDB never needs several contiguous pages. */
#define CHANGELOG_ITEMS_MAX 4000

/* Copies the items of this record (1, 2 ...) of a change into out[CHANGELOG_ITEMS_MAX]. Returns one of LMDB's codes. */
int changelog_items(MDB_txn *txn, MDB_dbi entries, uint64_t number, uint64_t record,
                    unsigned char *out, size_t *length);

#endif
