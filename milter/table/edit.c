/* SPDX-License-Identifier: BSD-2-Clause */
/* table/edit.c: writing, all or nothing */
#include "table/record.h"
#include "table/table_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct table_edit *table_edit_begin(struct table *table, struct error *err)
{
    int dead;
    struct table_edit *edit = calloc(1, sizeof *edit);
    if (edit == NULL) {
        error_no_memory(err);
        return NULL;
    }
    edit->table = table;
    edit->change.held = true;
    mdb_reader_check(table->env, &dead); /* a killed reader would keep old pages forever */
    int rc = mdb_txn_begin(table->env, NULL, 0, &edit->txn);
    if (rc == 0)
        rc = mdb_cursor_open(edit->txn, table->entries, &edit->cursor);
    if (rc == 0) /* another process may have changed it since the table was opened */
        rc = table_check_format(table, edit->txn, &edit->format);
    if (rc == 0)
        return edit;
    table_lmdb_error(err, table, rc);
    table_edit_abort(edit);
    return NULL;
}

static MDB_val entry_key(char *out, const struct entry *entry)
{
    return (MDB_val){record_key(out, entry->scope, entry->local, entry->domain), out};
}

bool table_same(const MDB_val *a, const MDB_val *b)
{
    return a->mv_size == b->mv_size && memcmp(a->mv_data, b->mv_data, a->mv_size) == 0;
}

int table_edit_change(struct table_edit *edit, const MDB_val *key, const MDB_val *before,
                      const MDB_val *after)
{
    MDB_val name = *key, value;
    int rc = changelog_note(edit, key, before, after);
    if (rc != 0)
        return rc;
    if (after != NULL) {
        value = *after;
        return mdb_cursor_put(edit->cursor, &name, &value, edit->put_flags);
    }
    rc = before == NULL ? MDB_NOTFOUND : mdb_cursor_get(edit->cursor, &name, &value, MDB_SET_KEY);
    return rc == 0 ? mdb_cursor_del(edit->cursor, 0) : rc;
}

enum table_result table_edit_put(struct table_edit *edit, const struct entry *entry, bool replace,
                                 struct error *err)
{
    char name[RECORD_KEY_MAX];
    unsigned char record[RECORD_VALUE_MAX];
    const MDB_val after = {.mv_size = record_encode(record, entry), .mv_data = record};
    MDB_val before, key = entry_key(name, entry);
    enum table_result there =
        table_result_of(edit->table, mdb_get(edit->txn, edit->table->entries, &key, &before), err);
    int rc = 0;
    if (there == TABLE_ABSENT)
        rc = table_edit_change(edit, &key, NULL, &after);
    else if (there == TABLE_FOUND && replace && !table_same(&before, &after))
        rc = table_edit_change(edit, &key, &before, &after);
    return rc == 0 ? there : table_result_of(edit->table, rc, err);
}

enum table_result table_edit_del(struct table_edit *edit, const struct entry *old,
                                 struct error *err)
{
    char name[RECORD_KEY_MAX];
    MDB_val before, key = entry_key(name, old);
    int rc = mdb_get(edit->txn, edit->table->entries, &key, &before);
    if (rc == 0)
        rc = table_edit_change(edit, &key, &before, NULL);
    return table_result_of(edit->table, rc, err);
}

/* LMDB does not write pages that a transaction took at the end of the file and freed again, so the file can be shorter
 * than its last page number says, and table_check_whole would have to read all pages. Extends it, unless another writer
 * has done so. */
static void fill_up(struct table *table)
{
    int fd;
    MDB_txn *txn = NULL;
    if (table_file_size(table) >= table_needed_size(table) ||
        mdb_txn_begin(table->env, NULL, 0, &txn) != 0)
        return;
    long long size = table_file_size(table), needed = table_needed_size(table);
    if (size >= 0 && size < needed && needed != LLONG_MAX && mdb_env_get_fd(table->env, &fd) == 0)
        (void)posix_fallocate(fd, size, needed - size); /* a full disk shows later */
    mdb_txn_abort(txn);
}

int table_edit_commit(struct table_edit *edit, struct error *err)
{
    struct table *table = edit->table;
    const struct change *change = &edit->change;
    bool has_changed = change->added + change->changed + change->removed > 0;
    int rc = 0;
    /* An older program, which does not continue the log, must not write to the table after this. */
    if (has_changed && edit->format < TABLE_FORMAT)
        rc = table_put_metas(edit->txn, table, TABLE_FORMAT);
    if (has_changed && rc == 0)
        rc = changelog_write(edit);
    if (rc == 0) {
        rc = mdb_txn_commit(edit->txn);
        edit->txn = NULL; /* freed in any case */
    }
    table_edit_abort(edit);
    if (rc == 0)
        fill_up(table);
    return rc == 0 ? 0 : table_lmdb_error(err, table, rc);
}

void table_edit_abort(struct table_edit *edit)
{
    if (edit == NULL)
        return;
    mdb_txn_abort(edit->txn); /* NULL is allowed */
    free(edit->items);
    free(edit);
}
