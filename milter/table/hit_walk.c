/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_walk.c: reading the rows */
#include "table/hit_internal.h"

#include <string.h>

void hit_walk_begin(struct hit_walk *walk, struct hit_file *file, const char *key, size_t length)
{
    walk->file = file;
    walk->over = false;
    walk->used = walk->read = 0;
    walk->from_length = length;
    memcpy(walk->from, key, length);
}

/* The batch: for each row the lengths of key and row (4 octets each), the key, the row. */
static bool append(struct hit_walk *walk, const MDB_val *key, const MDB_val *value)
{
    unsigned char *at = walk->batch + walk->used;
    if (key->mv_size > RECORD_KEY_MAX || value->mv_size > HIT_ROW_MAX ||
        walk->used + 8 + key->mv_size + value->mv_size > sizeof walk->batch)
        return false;
    at = record_put_number(at, key->mv_size, 4);
    at = record_put_number(at, value->mv_size, 4);
    memcpy(at, key->mv_data, key->mv_size);
    memcpy(at + key->mv_size, value->mv_data, value->mv_size);
    walk->used += 8 + key->mv_size + value->mv_size;
    memcpy(walk->from, key->mv_data, key->mv_size);
    walk->from[key->mv_size] = '\0'; /* the lowest key that is greater */
    walk->from_length = key->mv_size + 1;
    return true;
}

static int read_batch(struct hit_walk *walk)
{
    MDB_cursor *cursor;
    MDB_val value, key = {walk->from_length, walk->from};
    int rc = mdb_cursor_open(walk->file->txn, walk->file->rows, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, walk->from_length == 0 ? MDB_FIRST : MDB_SET_RANGE);
    while (rc == 0 && append(walk, &key, &value))
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    mdb_cursor_close(cursor);
    walk->over = rc == MDB_NOTFOUND;
    return rc == 0 && walk->used == 0 ? MDB_CORRUPTED
                                      : rc; /* no program of ours wrote such a row */
}

static int next_batch(struct hit_walk *walk, struct error *err)
{
    walk->read = walk->used = 0;
    if (walk->over)
        return 0;
    int rc = hit_begin(walk->file, MDB_RDONLY);
    if (rc == 0)
        GUARDED(rc, read_batch(walk));
    return hit_end(walk->file, rc, err);
}

int hit_walk_next(struct hit_walk *walk, struct error *err)
{
    if (walk->read == walk->used && next_batch(walk, err) != 0)
        return -1;
    if (walk->used == 0)
        return 0;
    const unsigned char *at = walk->batch + walk->read;
    size_t row_length = record_get_number(at + 4, 4);
    walk->at.length = record_get_number(at, 4);
    memcpy(walk->at.key, at + 8, walk->at.length);
    walk->read += 8 + walk->at.length + row_length;
    return hit_row_decode(&walk->row, at + 8 + walk->at.length, row_length) == 0
               ? 1
               : error_set(err, EX_DATAERR,
                           "%s/data.mdb: damaged: movedctl hits --clear --all begins again",
                           walk->file->files->path);
}
