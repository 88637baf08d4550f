/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_internal.h: shared by the files behind table/hit_file.h; only they include it. */
#ifndef TABLE_HIT_INTERNAL_H
#define TABLE_HIT_INTERNAL_H

#include "table/hit_file.h"
#include "table/table_internal.h"

#define HIT_FORMAT 1

/* In addition to the codes of table_internal.h: err is already set, about something other than hits/; and nothing has been
 * counted yet. */
#define HIT_TOLD  (-5)
#define HIT_NEVER (-6)

struct hit_file {
    struct table *files; /* only its files, locks and readers are used */
    MDB_dbi rows, today, seen, meta;
    MDB_txn *txn;                   /* NULL: none is open */
    bool writes;                    /* of txn */
    struct hit_state state, before; /* before: as it is in the file */
    bool goes_on; /* it was written since it was opened: a missing day is due to the clock */
};

/* Begins a transaction, for reading (MDB_RDONLY) or writing (0), with the state. Returns one of LMDB's codes or HIT_NEVER. If
 * it is 0 the caller works on the file under GUARDED; in any case it then calls hit_end. */
int hit_begin(struct hit_file *file, unsigned flags);

/* Ends the transaction: commits it, with the state, if rc is 0 or MDB_NOTFOUND. Returns 0; or -1 with err. */
int hit_end(struct hit_file *file, int rc, struct error *err);

/* Reads and writes a row. Return one of LMDB's codes; a row that is MDB_NOTFOUND is all zero. */
int hit_file_get(struct hit_file *file, const MDB_val *key, struct hit_row *out);
int hit_file_put(struct hit_file *file, const MDB_val *key, const struct hit_row *row);

/* ---- hit_seen.c: which pairs of an entry and a domain were seen on an earlier day */

/* Makes the filters so large, and begins a new day. day is not 0. Return one of LMDB's codes. */
int hit_seen_resize(struct hit_file *file, unsigned memory);
int hit_seen_begin_day(struct hit_file *file, uint32_t day);

/* Notes the pair for this day, and asks whether it was seen on another one. */
int hit_seen_note(struct hit_file *file, uint64_t hash, bool *earlier);

#endif
