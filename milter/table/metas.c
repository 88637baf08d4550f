/* SPDX-License-Identifier: BSD-2-Clause */
/* table/metas.c: the metadata of a table: its format, fold_case, and its mark */
#include "table/record.h"
#include "table/table_internal.h"

#include <stdio.h>
#include <string.h>

/* The metadata is stored among the entries, under keys that begin no domain: an LMDB database of its own would cost a
 * search in each transaction. The mark sorts after the keys of the change log, and before the entries. Its value is the
 * version (8 octets, little-endian), the nonce with its NUL, and the source. */
#define KEY(text) ((MDB_val){.mv_size = sizeof text - 1, .mv_data = (void *)text}) /* only read */
#define FORMAT    KEY("\0format")
#define FOLD_CASE KEY("\0fold_case")
#define MARK      KEY("\0mark")

#define VALUE_MAX (8 + MARK_NONCE_MAX + 1 + MARK_SOURCE_MAX)

int table_read_mark(MDB_txn *txn, MDB_dbi entries, struct mark *out)
{
    MDB_val value, key = MARK;
    int rc = mdb_get(txn, entries, &key, &value);
    if (rc != 0)
        return rc;
    struct record_input in = {value.mv_data, value.mv_size, false};
    out->version = (int64_t)record_take_number(&in, 8);
    record_take_text(&in, out->nonce, MARK_NONCE_MAX, strnlen((const char *)in.at, in.left));
    (void)record_take_number(&in, 1); /* its NUL */
    record_take_text(&in, out->source, MARK_SOURCE_MAX, in.left);
    return in.is_damaged ? MDB_CORRUPTED : 0;
}

/* Numbers are stored as decimal digits. */
static int meta_get(MDB_txn *txn, MDB_dbi entries, MDB_val key, int *out)
{
    MDB_val value;
    int rc = mdb_get(txn, entries, &key, &value);
    if (rc != 0 || value.mv_size == 0 || value.mv_size > 9)
        return -1;
    *out = 0;
    for (size_t i = 0; i < value.mv_size; i++)
        *out = *out * 10 + (((const char *)value.mv_data)[i] - '0');
    return 0;
}

static int meta_put(MDB_txn *txn, MDB_dbi entries, MDB_val key, int number)
{
    char text[12];
    MDB_val value = {(size_t)snprintf(text, sizeof text, "%d", number), text};
    return mdb_put(txn, entries, &key, &value, 0);
}

int table_read_fold_case(MDB_txn *txn, MDB_dbi entries, int *out)
{
    return meta_get(txn, entries, FOLD_CASE, out);
}

int table_put_metas(MDB_txn *txn, const struct table *table, int format)
{
    int rc = meta_put(txn, table->entries, FORMAT, format);
    return rc == 0 ? meta_put(txn, table->entries, FOLD_CASE, table->fold_case) : rc;
}

int table_put_mark(MDB_txn *txn, const struct table *table, const struct mark *mark)
{
    unsigned char text[VALUE_MAX];
    MDB_val key = MARK;
    if (mark == NULL) {
        int deleted = mdb_del(txn, table->entries, &key, NULL);
        return deleted == 0 || deleted == MDB_NOTFOUND ? table_put_metas(txn, table, TABLE_FORMAT)
                                                       : deleted;
    }
    unsigned char *at = record_put_number(text, (uint64_t)mark->version, 8);
    at = record_put_octets(at, mark->nonce, strlen(mark->nonce) + 1);
    at = record_put_octets(at, mark->source, strlen(mark->source));
    MDB_val value = {(size_t)(at - text), text};
    int rc = table_put_metas(txn, table, TABLE_FORMAT_FOLLOWS);
    return rc == 0 ? mdb_put(txn, table->entries, &key, &value, 0) : rc;
}

int table_check_format(const struct table *table, MDB_txn *txn, int *format)
{
    struct mark mark;
    *format = -1;
    if (meta_get(txn, table->entries, FORMAT, format) != 0)
        return MDB_CORRUPTED;
    if (*format > TABLE_FORMAT_FOLLOWS)
        return FORMAT_NEWER;
    if (*format < TABLE_FORMAT_FOLLOWS || table->follows)
        return 0;
    int rc = table_read_mark(txn, table->entries, &mark);
    if (rc == MDB_NOTFOUND)
        return MDB_CORRUPTED;
    return rc == 0 && mark.version == 0 ? NEVER_SYNCED : rc;
}

int table_edit_mark(struct table_edit *edit, const struct mark *mark, struct error *err)
{
    int rc = table_put_mark(edit->txn, edit->table, mark);
    edit->format = mark == NULL ? TABLE_FORMAT : TABLE_FORMAT_FOLLOWS;
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}
