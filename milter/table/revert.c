/* SPDX-License-Identifier: BSD-2-Clause */
/* table/revert.c: take a change back: each of its entries, from the last to the first, becomes what it was */
#include "table/changelog.h"
#include "table/table_internal.h"

static int find(struct table_edit *edit, uint64_t number, struct change *out, struct error *err)
{
    int rc = changelog_head(edit->cursor, number, out);
    if (rc == MDB_NOTFOUND && number == 0)
        return error_set(err, EX_DATAERR, "%s: the change log is empty: there is nothing to undo",
                         edit->table->path);
    if (rc == MDB_NOTFOUND)
        return error_set(err, EX_DATAERR, "change %llu is not in the log: see movedctl log",
                         (unsigned long long)number);
    if (rc != 0)
        return table_lmdb_error(err, edit->table, rc);
    if (out->added + out->changed + out->removed == 0)
        return error_set(err, EX_DATAERR,
                         "change %llu, '%.100s', has changed no entry: there is nothing to undo",
                         (unsigned long long)out->number, out->command);
    if (!out->held)
        return error_set(err, EX_DATAERR,
                         "change %llu, '%.100s', has more entries than the change log holds: "
                         "restore a copy of the table",
                         (unsigned long long)out->number, out->command);
    return 0;
}

static int refuse(const struct change_item *item, const struct change *change, struct error *err)
{
    struct entry entry;
    const void *value = item->before != NULL ? item->before : item->after;
    size_t length = item->before != NULL ? item->before_length : item->after_length;
    char old[ADDRESS_TEXT_SIZE];
    if (record_decode(&entry, item->key, item->key_length, value, length, err) != 0)
        return -1;
    entry_format_old(old, sizeof old, &entry);
    return error_set(err, EX_DATAERR,
                     "'%s' is no longer what change %llu made of it: see movedctl log, and correct "
                     "it with add or del",
                     old, (unsigned long long)change->number);
}

static MDB_val value_of(const void *octets, size_t length)
{
    return (MDB_val){.mv_size = length, .mv_data = (void *)octets}; /* only read */
}

/* The reversed change is a change of its own. */
static int undo_item(struct table_edit *edit, const struct change *change,
                     const struct change_item *item, struct error *err)
{
    const MDB_val before = value_of(item->before, item->before_length),
                  after = value_of(item->after, item->after_length);
    MDB_val there, key = value_of(item->key, item->key_length);
    int rc = mdb_get(edit->txn, edit->table->entries, &key, &there);
    if (rc == 0 || rc == MDB_NOTFOUND) {
        bool is_as_left =
            item->after == NULL ? rc == MDB_NOTFOUND : rc == 0 && table_same(&there, &after);
        if (!is_as_left)
            return refuse(item, change, err);
        rc = table_edit_change(edit, &key, item->after == NULL ? NULL : &after,
                               item->before == NULL ? NULL : &before);
    }
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}

/* Undoes the items of one record, from the last to the first. */
static int undo_record(struct table_edit *edit, const struct change *change, uint64_t record,
                       struct error *err)
{
    unsigned char items[CHANGELOG_ITEMS_MAX];
    struct change_item item;
    size_t left, length;
    int rc = changelog_items(edit->txn, edit->table->entries, change->number, record, items, &left);
    while (rc == 0 && (length = change_last_item(&item, items, left)) > 0) {
        if (undo_item(edit, change, &item, err) != 0)
            return -1;
        left -= length;
    }
    if (rc == MDB_NOTFOUND || (rc == 0 && left > 0))
        rc = MDB_CORRUPTED;
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}

int table_edit_undo(struct table_edit *edit, uint64_t number, struct change *undone,
                    struct error *err)
{
    if (find(edit, number, undone, err) != 0)
        return -1;
    for (uint64_t record = undone->records - 1; record > 0; record--)
        if (undo_record(edit, undone, record, err) != 0)
            return -1;
    edit->change.undoes = undone->number;
    return 0;
}
