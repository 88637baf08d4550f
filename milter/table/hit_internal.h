/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_internal.h: what the files of table/hit_file.h share; nobody else includes it. */
#ifndef TABLE_HIT_INTERNAL_H
#define TABLE_HIT_INTERNAL_H

#include "table/hit_file.h"
#include "table/table_internal.h"

#define HIT_FORMAT 1

/* Beside the codes of table_internal.h: err is set, of something other than hits/. */
#define HIT_TOLD (-5)

struct hit_file {
    struct table *files; /* of which only what concerns files, locks and readers is used */
    MDB_dbi rows, today, seen, meta;
    MDB_txn *txn; /* that is open */
    struct hit_state state;
    bool goes_on; /* it was written since it was opened: a day that is left out is the clock's */
};

/* Begins a transaction (flags: 0 or MDB_RDONLY) with the state, calls what, and ends it: by a commit if what returns 0 and it
 * writes. Whatever is in the file, that is at worst an error. Returns 0; or -1 with err. what returns one of LMDB's codes or
 * HIT_TOLD. */
int hit_file_do(struct hit_file *file, unsigned flags,
                int (*what)(struct hit_file *file, void *data), void *data, struct error *err);

/* Reads a row. Returns one of LMDB's codes. */
int hit_file_get(struct hit_file *file, const MDB_val *key, struct hit_row *out);
int hit_file_put(struct hit_file *file, const MDB_val *key, const struct hit_row *row);

/* ---- hit_seen.c: which pairs of an entry and a domain were seen on an earlier day */

/* Makes the filters so large, and begins a new day. day is not 0. Return one of LMDB's codes. */
int hit_seen_resize(struct hit_file *file, unsigned memory);
int hit_seen_begin_day(struct hit_file *file, uint32_t day);

/* Notes the pair for this day, and asks whether it was seen on another one. */
int hit_seen_note(struct hit_file *file, uint64_t hash, bool *earlier);

#endif
