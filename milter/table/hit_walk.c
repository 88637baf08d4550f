/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_walk.c: reading the rows */
#include "table/hit_internal.h"

#include <string.h>

void hit_walk_begin(struct hit_walk *walk, struct hit_file *file, const char *key, size_t length)
{
    walk->file = file;
    walk->over = false;
    walk->used = walk->read = 0;
    walk->at.length = length;
    memcpy(walk->at.key, key, length);
}

/* ---- the batch: length of the key, of the row (4 octets each), key, row */

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
    return true;
}

/* From behind the row at hand. */
static int read_batch(struct hit_file *file, void *data)
{
    struct hit_walk *walk = data;
    char name[RECORD_KEY_MAX + 1];
    MDB_cursor *cursor;
    MDB_val value, key = {walk->at.length + 1, name};
    int rc = mdb_cursor_open(file->txn, file->rows, &cursor);
    if (rc != 0)
        return rc;
    memcpy(name, walk->at.key, walk->at.length);
    name[walk->at.length] = '\0'; /* the least key that is greater */
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && append(walk, &key, &value))
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    mdb_cursor_close(cursor);
    walk->over = rc == MDB_NOTFOUND;
    if (rc == 0 && walk->used == 0)
        return MDB_CORRUPTED; /* a row that no program of ours has written */
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int hit_walk_next(struct hit_walk *walk, struct error *err)
{
    if (walk->read == walk->used) {
        walk->read = walk->used = 0;
        if (!walk->over && hit_file_do(walk->file, MDB_RDONLY, read_batch, walk, err) != 0)
            return -1;
        if (walk->used == 0)
            return 0;
    }
    const unsigned char *at = walk->batch + walk->read;
    size_t row_length = record_get_number(at + 4, 4);
    walk->at.length = record_get_number(at, 4);
    memcpy(walk->at.key, at + 8, walk->at.length);
    walk->read += 8 + walk->at.length + row_length;
    if (hit_row_decode(&walk->row, at + 8 + walk->at.length, row_length) == 0)
        return 1;
    return error_set(err, EX_DATAERR,
                     "%s/data.mdb: damaged: movedctl hits --clear --all begins again",
                     walk->file->files->path);
}

struct finding_row {
    const MDB_val key;
    struct hit_row *out;
    bool found;
};

static int find(struct hit_file *file, void *data)
{
    struct finding_row *finding = data;
    int rc = hit_file_get(file, &finding->key, finding->out);
    finding->found = rc == 0;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

enum table_result hit_file_find(struct hit_file *file, const char *key, size_t length,
                                struct hit_row *out, struct error *err)
{
    struct finding_row finding = {.key = {length, (void *)key}, .out = out};
    if (hit_file_do(file, MDB_RDONLY, find, &finding, err) != 0)
        return TABLE_FAILED;
    return finding.found ? TABLE_FOUND : TABLE_ABSENT;
}
