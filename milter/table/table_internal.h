/* table/table_internal.h: what table.c, view.c and edit.c share of a table that is open; nobody
 * else includes it. */
#ifndef TABLE_TABLE_INTERNAL_H
#define TABLE_TABLE_INTERNAL_H

#include "table/record.h"
#include "table/table.h"

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* Beside LMDB's own codes, which are below -30000, and errno's: a page is not in the file. */
#define PAGE_MISSING (-1)

#define META_COUNT 2 /* keys that are no entries */

#define KNOWN_MAX 256 /* domains whose having entries is remembered at a time */

struct table {
    char path[PATH_MAX];
    MDB_env *env;
    MDB_dbi entries;
    bool fold_case;

    /* Reset views keep a reader slot, and hold no page back: one at hand, and more where threads
     * ask at once. */
    _Atomic(struct table_view *) spare;
    pthread_mutex_t lock; /* of idle */
    struct table_view *idle;

    atomic_llong size;    /* of the data file when it was last seen to be whole, in octets */
    atomic_llong checked; /* the tick of the clock at which that was */

    atomic_ullong known[KNOWN_MAX]; /* which prefixes there are: see has_prefix in view.c */
    uint64_t secret; /* so that nobody can choose domains that are taken for each other */
};

/* Says in err what one of LMDB's codes, errno's or PAGE_MISSING means for this table. Always
 * returns -1. */
int table_lmdb_error(struct error *err, const struct table *table, int rc);

/* The size of the data file, and the one that it must have at least, in octets; -1 and LLONG_MAX
 * where it cannot be asked. */
long long table_file_size(const struct table *table);
long long table_needed_size(const struct table *table);

/* Puts what the table says of itself. Returns one of LMDB's codes. */
int table_put_metas(MDB_txn *txn, const struct table *table);

/* Ends the views that wait to be used again. */
void table_views_free(struct table *table);

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

/* The table that it shows. */
const struct table *table_of(const struct table_view *view);

/* How many entries. Returns one of LMDB's codes. */
int table_view_count(struct table_view *view, size_t *out);

/* Puts after under key, or with after NULL deletes what is there. before is what is there now,
 * NULL for nothing; it is read before anything is written, so it may point into the table. Every
 * change of an entry goes through here. Returns one of LMDB's codes. */
int table_edit_change(struct table_edit *edit, const MDB_val *key, const MDB_val *before,
                      const MDB_val *after);

/* Empties the table, to be written anew: table_edit_change and table_edit_keep, for what was there
 * and stays the same, then come in the order of the keys, and are appended. */
int table_edit_rebuild(struct table_edit *edit);
int table_edit_keep(struct table_edit *edit, const MDB_val *key, const MDB_val *value);

/* As table_lmdb_error, for the table that is edited. */
int table_edit_error(struct error *err, const struct table_edit *edit, int rc);

/* All that follows comes behind the last entry, in the order of the keys. */
void table_edit_append(struct table_edit *edit);

#endif
